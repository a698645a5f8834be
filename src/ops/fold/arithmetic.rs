//! Folds elementwise arithmetic.

use super::compare::shape_count;
use super::number::{float, float_bits, integer, is_computed_float, wrap};
use super::{Fold, Folding, Tensor};
use crate::ir::{Element, OpName, chlo, stablehlo};

/// A function of integers of the type; the result is wrapped into it.
type Integers = fn(Element, i64, i64) -> Option<i64>;
/// A function of floats, computed in `f64` and rounded once. For narrower types this equals computing in the type,
/// because `f64` has more than twice their digits plus two.
type Floats = fn(f64, f64) -> Option<f64>;

// Transcendental functions are computed in `f64` too, which rounded to a narrower type is the nearest number but for
// one case in millions, and so as near as any kernel's. In `f64` they are the system's, as the kernels are.

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (chlo::SQUARE, Fold::Computes(|cx| unary(cx, |_, x| Some(x.wrapping_mul(x)), |x| Some(x * x)))),
    (chlo::TAN, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.tan())))),
    (stablehlo::ABS, Fold::Computes(|cx| unary(cx, absolute, |x| Some(x.abs())))),
    (stablehlo::ADD, Fold::Computes(|cx| binary(cx, add, |x, y| Some(x + y)))),
    (stablehlo::AND, Fold::Computes(|cx| binary(cx, |_, x, y| Some(x & y), no_floats))),
    (stablehlo::ATAN2, Fold::Computes(|cx| binary(cx, no_integers, |x, y| Some(x.atan2(y))))),
    (stablehlo::CBRT, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.cbrt())))),
    (stablehlo::CEIL, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.ceil())))),
    (stablehlo::COSINE, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.cos())))),
    (stablehlo::COUNT_LEADING_ZEROS, Fold::Computes(|cx| unary(cx, leading_zeros, no_float))),
    (stablehlo::DIVIDE, Fold::Computes(|cx| binary(cx, divide, |x, y| Some(x / y)))),
    (stablehlo::EXPONENTIAL, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.exp())))),
    (stablehlo::EXPONENTIAL_MINUS_ONE, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.exp_m1())))),
    (stablehlo::FLOOR, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.floor())))),
    (stablehlo::LOG, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.ln())))),
    (stablehlo::LOG_PLUS_ONE, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.ln_1p())))),
    (stablehlo::LOGISTIC, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(1.0 / (1.0 + (-x).exp()))))),
    (stablehlo::MAXIMUM, Fold::Computes(|cx| binary(cx, maximum, float_maximum))),
    (stablehlo::MINIMUM, Fold::Computes(|cx| binary(cx, minimum, float_minimum))),
    (stablehlo::MULTIPLY, Fold::Computes(|cx| binary(cx, multiply, |x, y| Some(x * y)))),
    (stablehlo::NEGATE, Fold::Computes(|cx| unary(cx, negate, |x| Some(-x)))),
    (stablehlo::NOT, Fold::Computes(|cx| unary(cx, not, no_float))),
    (stablehlo::OR, Fold::Computes(|cx| binary(cx, |_, x, y| Some(x | y), no_floats))),
    (stablehlo::POPCNT, Fold::Computes(|cx| unary(cx, population, no_float))),
    (stablehlo::POWER, Fold::Computes(|cx| binary(cx, no_integers, power))),
    (stablehlo::REMAINDER, Fold::Computes(|cx| binary(cx, remainder, |x, y| Some(x % y)))),
    (stablehlo::ROUND_NEAREST_AFZ, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.round())))),
    (
        stablehlo::ROUND_NEAREST_EVEN,
        Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.round_ties_even()))),
    ),
    (stablehlo::RSQRT, Fold::Computes(reciprocal_root)),
    (stablehlo::SHIFT_LEFT, Fold::Computes(|cx| binary(cx, shift_left, no_floats))),
    (stablehlo::SHIFT_RIGHT_ARITHMETIC, Fold::Computes(|cx| binary(cx, shift_arithmetic, no_floats))),
    (stablehlo::SHIFT_RIGHT_LOGICAL, Fold::Computes(|cx| binary(cx, shift_logical, no_floats))),
    (stablehlo::SIGN, Fold::Computes(|cx| unary(cx, sign, float_sign))),
    (stablehlo::SINE, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.sin())))),
    (stablehlo::SQRT, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.sqrt())))),
    (stablehlo::SUBTRACT, Fold::Computes(|cx| binary(cx, subtract, |x, y| Some(x - y)))),
    (stablehlo::TAN, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.tan())))),
    (stablehlo::TANH, Fold::Computes(|cx| unary(cx, no_integer, |x| Some(x.tanh())))),
    (stablehlo::XOR, Fold::Computes(|cx| binary(cx, |_, x, y| Some(x ^ y), no_floats))),
];

/// Applies a function of bits to each element.
pub(super) fn map(cx: &Folding, f: impl Fn(i64) -> Option<i64>) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    let element = cx.result.element;
    if operand.is_splat() {
        return Some(Tensor::splat(element, operand.sizes.clone(), f(operand.scalar()?)?));
    }
    cx.allow(operand.bits.len())?;
    let bits = operand.bits.iter().map(|&bits| f(bits)).collect::<Option<Vec<_>>>()?;
    Tensor::from_elements(element, operand.sizes.clone(), bits)
}

/// The reciprocal of the root, both rounded, as the kernels compute it: in `f64`, and in `f32` for all other types.
fn reciprocal_root(cx: &Folding) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    if element != cx.result.element || !is_computed_float(element) {
        return None;
    }
    let rounded = |number: f64| if element == Element::F64 { number } else { f64::from(number as f32) };
    map(cx, |x| float_bits(element, rounded(1.0 / rounded(float(element, x)?.sqrt()))))
}

/// Applies a function of bits to pairs of elements of one type.
pub(super) fn zip(cx: &Folding, f: impl Fn(i64, i64) -> Option<i64>) -> Option<Tensor> {
    let [lhs, rhs] = &cx.operands[..] else { return None };
    if lhs.element == rhs.element { pairs(cx, lhs, rhs, f) } else { None }
}

/// Applies a function of bits to pairs of elements, which ONNX's ops broadcast.
pub(super) fn pairs(
    cx: &Folding,
    lhs: &Tensor,
    rhs: &Tensor,
    f: impl Fn(i64, i64) -> Option<i64>,
) -> Option<Tensor> {
    let broadcasts = cx.module.op(cx.op).name.is_onnx();
    if lhs.sizes != rhs.sizes && !broadcasts {
        return None;
    }
    let (element, sizes) = (cx.result.element, if broadcasts { cx.sizes()? } else { lhs.sizes.clone() });
    if lhs.is_splat() && rhs.is_splat() {
        return Some(Tensor::splat(element, sizes, f(lhs.scalar()?, rhs.scalar()?)?));
    }
    cx.allow(shape_count(&sizes)?)?;
    let (left, right) = (lhs.broadcast(&sizes)?, rhs.broadcast(&sizes)?);
    let bits = left.iter().zip(&right).map(|(&x, &y)| f(x, y)).collect::<Option<Vec<_>>>()?;
    Tensor::from_elements(element, sizes, bits)
}

fn is_integer(element: Element) -> bool {
    element.is_integer() || matches!(element, Element::Bool | Element::Index)
}

fn unary(
    cx: &Folding,
    integers: fn(Element, i64) -> Option<i64>,
    floats: fn(f64) -> Option<f64>,
) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    if element != cx.result.element {
        return None;
    }
    if is_computed_float(element) {
        return map(cx, |x| float_bits(element, floats(float(element, x)?)?));
    }
    is_integer(element).then_some(())?;
    map(cx, |x| Some(wrap(element, integers(element, x)?)))
}

fn binary(cx: &Folding, integers: Integers, floats: Floats) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    if element != cx.result.element {
        return None;
    }
    if is_computed_float(element) {
        return zip(cx, |x, y| float_bits(element, floats(float(element, x)?, float(element, y)?)?));
    }
    is_integer(element).then_some(())?;
    zip(cx, |x, y| Some(wrap(element, integers(element, x, y)?)))
}

fn no_integer(_: Element, _: i64) -> Option<i64> {
    None
}

fn no_integers(_: Element, _: i64, _: i64) -> Option<i64> {
    None
}

fn no_float(_: f64) -> Option<f64> {
    None
}

fn no_floats(_: f64, _: f64) -> Option<f64> {
    None
}

// On `i1` addition is `or` and multiplication is `and` (StableHLO spec, add and multiply): the sum of two ones is not
// zero, which `wrap` makes one.

fn add(_: Element, x: i64, y: i64) -> Option<i64> {
    Some(x.wrapping_add(y))
}

fn multiply(_: Element, x: i64, y: i64) -> Option<i64> {
    Some(x.wrapping_mul(y))
}

fn subtract(element: Element, x: i64, y: i64) -> Option<i64> {
    (element != Element::Bool).then(|| x.wrapping_sub(y))
}

fn negate(element: Element, x: i64) -> Option<i64> {
    (element != Element::Bool).then(|| x.wrapping_neg())
}

fn not(element: Element, x: i64) -> Option<i64> {
    Some(if element == Element::Bool { 1 - x } else { !x })
}

/// XLA returns all ones for a division by zero, and the dividend for the lowest number divided by -1.
fn divide(element: Element, x: i64, y: i64) -> Option<i64> {
    if element == Element::Bool {
        return None;
    }
    if y == 0 {
        return Some(-1);
    }
    Some((integer(element, x) / integer(element, y)) as i64)
}

/// XLA returns the dividend for a division by zero.
fn remainder(element: Element, x: i64, y: i64) -> Option<i64> {
    if element == Element::Bool {
        return None;
    }
    if y == 0 {
        return Some(x);
    }
    Some((integer(element, x) % integer(element, y)) as i64)
}

fn maximum(element: Element, x: i64, y: i64) -> Option<i64> {
    Some(if integer(element, x) >= integer(element, y) { x } else { y })
}

fn minimum(element: Element, x: i64, y: i64) -> Option<i64> {
    Some(if integer(element, x) <= integer(element, y) { x } else { y })
}

/// Which of two zeros of different sign is the larger is not the same on all processors.
pub(super) fn float_maximum(x: f64, y: f64) -> Option<f64> {
    if x.is_nan() || y.is_nan() || (x == y && x.is_sign_negative() != y.is_sign_negative()) {
        return None;
    }
    Some(x.max(y))
}

/// As [`float_maximum`].
pub(super) fn float_minimum(x: f64, y: f64) -> Option<f64> {
    if x.is_nan() || y.is_nan() || (x == y && x.is_sign_negative() != y.is_sign_negative()) {
        return None;
    }
    Some(x.min(y))
}

fn absolute(element: Element, x: i64) -> Option<i64> {
    element.is_signed().then(|| x.wrapping_abs())
}

fn sign(element: Element, x: i64) -> Option<i64> {
    element.is_signed().then(|| x.signum())
}

/// Of 1 and of -1 XLA's and C's powers differ where the exponent is infinite.
pub(super) fn power(x: f64, y: f64) -> Option<f64> {
    (x.is_finite() && y.is_finite()).then(|| x.powf(y))
}

fn float_sign(x: f64) -> Option<f64> {
    Some(if x == 0.0 { x } else { x.signum() })
}

/// The bits of the element without those above its width.
fn unsigned(element: Element, x: i64) -> u64 {
    let bits = element.bits().clamp(1, 64);
    x as u64 & u64::MAX >> (64 - bits)
}

/// A shift amount, if it is less than the width; it is read as unsigned.
fn places(element: Element, y: i64) -> Option<u32> {
    let places = unsigned(element, y);
    if places < u64::from(element.bits()) { u32::try_from(places).ok() } else { None }
}

fn shift_left(element: Element, x: i64, y: i64) -> Option<i64> {
    Some(places(element, y).map_or(0, |places| x << places))
}

fn shift_logical(element: Element, x: i64, y: i64) -> Option<i64> {
    Some(places(element, y).map_or(0, |places| (unsigned(element, x) >> places) as i64))
}

fn shift_arithmetic(element: Element, x: i64, y: i64) -> Option<i64> {
    let bits = element.bits().clamp(1, 64);
    let extended = (x << (64 - bits)) >> (64 - bits);
    Some(extended >> places(element, y).unwrap_or(bits - 1))
}

fn population(element: Element, x: i64) -> Option<i64> {
    Some(i64::from(unsigned(element, x).count_ones()))
}

fn leading_zeros(element: Element, x: i64) -> Option<i64> {
    let above = 64 - element.bits().clamp(1, 64);
    Some(i64::from(unsigned(element, x).leading_zeros() - above))
}
