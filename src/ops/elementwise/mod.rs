//! Ops that work on each element by itself.

mod arithmetic;
mod bits;
mod canonical;
mod compare;
mod convert;
mod map;
mod power;
mod reinterpret;
mod rounding;
mod small_float;
mod transcendental;

pub(super) use arithmetic::{add, divide, maximum, minimum, multiply, remainder, subtract};
pub(super) use bits::{Right, bitwise_and, bitwise_or, bitwise_xor, multiply_high, shift_left, shift_right};
pub(super) use compare::{Infinity, compare, is_infinite, select};
pub(super) use convert::truncate;
pub(super) use power::power;
pub(super) use reinterpret::{bits_are_negative, next_after};
pub use small_float::{FORMAT, ROUND};
pub(super) use transcendental::{atan2, expm1, log1p, tan};

use super::formula::{self, Term};
use super::{Elements, Lower, LowerError, Lowered, Row, noted, row};
use crate::ir::{Element, OpId, OpName, ValueId, onnx, stablehlo};

const BITS: Elements = Elements::INTEGER.or(Elements::BOOL);

/// Plain types and integers of four bits, which are computed in eight.
const PLAIN_OR_NIBBLE: Elements = Elements::PLAIN.or(Elements::NIBBLE);
/// Floats with a `bool` result or operand.
const FLOAT_BOOL: Elements = Elements::FLOAT.or(Elements::BOOL);
const CONVERTED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::NIBBLE);

pub(super) const ROWS: &[Row] = &[
    row(ROUND, Elements::FLOAT, small_float::round),
    noted(
        stablehlo::ABS,
        Elements::NUMERIC,
        |cx, op| unary(cx, op, arithmetic::abs),
        "unsigned: the operand",
    ),
    noted(stablehlo::ADD, PLAIN_OR_NIBBLE, |cx, op| binary(cx, op, add), "bool: Or"),
    row(stablehlo::AND, BITS.or(Elements::NIBBLE), |cx, op| binary(cx, op, bitwise_and)),
    noted(
        stablehlo::ATAN2,
        Elements::FLOAT,
        |cx, op| precise_binary(cx, op, atan2),
        "ONNX has only Atan; Where selects the octant",
    ),
    noted(
        stablehlo::BITCAST_CONVERT,
        Elements::PLAIN,
        reinterpret::bitcast_convert,
        "BitCast for one width, shifts between widths",
    ),
    noted(
        stablehlo::CBRT,
        Elements::FLOAT,
        |cx, op| precise(cx, op, transcendental::cbrt),
        "Pow in f64, because f32 cannot represent 1/3",
    ),
    row(stablehlo::CEIL, Elements::FLOAT, |cx, op| simple(cx, op, onnx::CEIL)),
    noted(stablehlo::CLAMP, Elements::PLAIN, compare::clamp, "Clip for scalar bounds that are not NaN"),
    noted(
        stablehlo::COMPARE,
        Elements::PLAIN,
        compare::lower,
        "NE is Not(Equal), total order compares bits unless zeros and NaN are canonical",
    ),
    noted(
        stablehlo::CONVERT,
        CONVERTED,
        convert::convert,
        "float to integer saturates; Cast is undefined out of range",
    ),
    row(stablehlo::COSINE, Elements::FLOAT, |cx, op| simple(cx, op, onnx::COS)),
    noted(
        stablehlo::COUNT_LEADING_ZEROS,
        Elements::INTEGER,
        |cx, op| unary(cx, op, bits::count_leading_zeros),
        "from Log in f64",
    ),
    noted(
        stablehlo::DIVIDE,
        Elements::NUMERIC,
        |cx, op| binary(cx, op, divide),
        "integers: guarded, as ONNX Runtime errors on x / 0 and crashes on MIN / -1",
    ),
    row(stablehlo::EXPONENTIAL, Elements::FLOAT, |cx, op| simple(cx, op, onnx::EXP)),
    noted(
        stablehlo::EXPONENTIAL_MINUS_ONE,
        Elements::FLOAT,
        |cx, op| precise(cx, op, expm1),
        "without the cancellation of Exp(x) - 1",
    ),
    row(stablehlo::FLOOR, Elements::FLOAT, |cx, op| simple(cx, op, onnx::FLOOR)),
    noted(stablehlo::IMAG, Elements::FLOAT, zero, "of a real number: zero"),
    noted(
        stablehlo::IS_FINITE,
        FLOAT_BOOL,
        |cx, op| unary(cx, op, |x| x.abs().less(f64::INFINITY)),
        "|x| < inf, which NaN is not either",
    ),
    row(stablehlo::LOG, Elements::FLOAT, |cx, op| simple(cx, op, onnx::LOG)),
    noted(
        stablehlo::LOG_PLUS_ONE,
        Elements::FLOAT,
        |cx, op| precise(cx, op, log1p),
        "without the rounding of 1 + x",
    ),
    noted(
        stablehlo::LOGISTIC,
        Elements::FLOAT,
        |cx, op| simple(cx, op, onnx::SIGMOID),
        "ONNX Runtime's Sigmoid is off by up to 4e-8, and 0 below -18",
    ),
    noted(stablehlo::MAP, Elements::PLAIN, map::map, "its body applied to whole tensors"),
    noted(stablehlo::MAXIMUM, PLAIN_OR_NIBBLE, |cx, op| binary(cx, op, maximum), "bool: Or"),
    noted(stablehlo::MINIMUM, PLAIN_OR_NIBBLE, |cx, op| binary(cx, op, minimum), "bool: And"),
    noted(stablehlo::MULTIPLY, PLAIN_OR_NIBBLE, |cx, op| binary(cx, op, multiply), "bool: And"),
    noted(
        stablehlo::NEGATE,
        Elements::NUMERIC.or(Elements::NIBBLE),
        |cx, op| unary(cx, op, |x| -x),
        "unsigned: 0 - x",
    ),
    row(stablehlo::NOT, BITS.or(Elements::NIBBLE), |cx, op| unary(cx, op, |x| !x)),
    row(stablehlo::OR, BITS.or(Elements::NIBBLE), |cx, op| binary(cx, op, bitwise_or)),
    noted(
        stablehlo::POPCNT,
        Elements::INTEGER,
        |cx, op| unary(cx, op, bits::count_ones),
        "parallel bit counting",
    ),
    noted(
        stablehlo::POWER,
        Elements::NUMERIC,
        |cx, op| {
            let (base, exponent) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
            Ok(power(cx, base, exponent)?.into())
        },
        "integers: by squaring, as ONNX Runtime's Pow computes in f64",
    ),
    noted(stablehlo::REAL, Elements::FLOAT, |cx, op| unary(cx, op, |x| x), "of a real number: itself"),
    noted(
        stablehlo::REDUCE_PRECISION,
        Elements::FLOAT,
        reinterpret::reduce_precision,
        "through f16 and bf16, else by rounding the bits",
    ),
    noted(
        stablehlo::REMAINDER,
        Elements::NUMERIC,
        |cx, op| binary(cx, op, remainder),
        "the sign of the dividend; integers guarded as in divide",
    ),
    noted(
        stablehlo::ROUND_NEAREST_AFZ,
        Elements::FLOAT,
        |cx, op| unary(cx, op, rounding::away_from_zero),
        "Round rounds to even",
    ),
    row(stablehlo::ROUND_NEAREST_EVEN, Elements::FLOAT, |cx, op| simple(cx, op, onnx::ROUND)),
    row(stablehlo::RSQRT, Elements::FLOAT, |cx, op| unary(cx, op, |x| x.sqrt().reciprocal())),
    row(stablehlo::SELECT, Elements::PLAIN, |cx, op| {
        let (predicate, yes, no) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
        Ok(select(cx, predicate, yes, no).into())
    }),
    noted(
        stablehlo::SHIFT_LEFT,
        Elements::INTEGER,
        |cx, op| binary(cx, op, shift_left),
        "BitShift, which is unsigned only",
    ),
    noted(
        stablehlo::SHIFT_RIGHT_ARITHMETIC,
        Elements::INTEGER,
        |cx, op| binary(cx, op, |cx, x, n| shift_right(cx, x, n, Right::Arithmetic)),
        "negative numbers are shifted as their complement",
    ),
    noted(
        stablehlo::SHIFT_RIGHT_LOGICAL,
        Elements::INTEGER,
        |cx, op| binary(cx, op, |cx, x, n| shift_right(cx, x, n, Right::Logical)),
        "BitShift, which is unsigned only",
    ),
    noted(
        stablehlo::SIGN,
        Elements::NUMERIC,
        |cx, op| precise(cx, op, |x| x.sign()),
        "ONNX Runtime's is 0 for a NaN of 16 bits",
    ),
    row(stablehlo::SINE, Elements::FLOAT, |cx, op| simple(cx, op, onnx::SIN)),
    row(stablehlo::SQRT, Elements::FLOAT, |cx, op| simple(cx, op, onnx::SQRT)),
    row(stablehlo::SUBTRACT, Elements::NUMERIC.or(Elements::NIBBLE), |cx, op| binary(cx, op, subtract)),
    noted(
        stablehlo::TAN,
        Elements::FLOAT,
        |cx, op| precise(cx, op, tan),
        "f64: sine by cosine, as ONNX Runtime has no kernel",
    ),
    row(stablehlo::TANH, Elements::FLOAT, |cx, op| simple(cx, op, onnx::TANH)),
    row(stablehlo::XOR, BITS.or(Elements::NIBBLE), |cx, op| binary(cx, op, bitwise_xor)),
];

/// The ONNX op of one operand that has the same meaning.
pub(super) fn simple(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let operand = cx.operand(op, 0)?;
    Ok(cx.elementwise(name, &[operand]).into())
}

/// The imaginary part of real numbers. It broadcasts to their sizes.
fn zero(cx: &mut Lower, op: OpId) -> Lowered {
    let element = cx.result_type(op, 0)?.element;
    Ok(cx.scalar(element, 0.0).into())
}

/// A formula of one operand.
pub(super) fn unary(cx: &mut Lower, op: OpId, formula: impl for<'f> FnOnce(Term<'f>) -> Term<'f>) -> Lowered {
    let operand = cx.operand(op, 0)?;
    Ok(cx.formula([operand], |[x]| formula(x)).into())
}

/// A lowering of two operands, which broadcast.
pub(super) fn binary(
    cx: &mut Lower,
    op: OpId,
    lower: impl FnOnce(&mut Lower, ValueId, ValueId) -> ValueId,
) -> Lowered {
    let (lhs, rhs) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    Ok(lower(cx, lhs, rhs).into())
}

/// A formula of one float operand, in `f32` where the type is narrower, as XLA computes such functions.
pub(super) fn precise(
    cx: &mut Lower,
    op: OpId,
    formula: impl for<'f> FnOnce(Term<'f>) -> Term<'f>,
) -> Lowered {
    unary(cx, op, |x| formula(widened(x)).cast(x.element()))
}

/// A formula of two float operands, in `f32` where the type is narrower.
pub(super) fn precise_binary(
    cx: &mut Lower,
    op: OpId,
    formula: impl for<'f> FnOnce(Term<'f>, Term<'f>) -> Term<'f>,
) -> Lowered {
    let (lhs, rhs) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    Ok(precise_values(cx, lhs, rhs, formula).into())
}

/// As [`precise_binary`], of values.
pub(super) fn precise_values(
    cx: &mut Lower,
    lhs: ValueId,
    rhs: ValueId,
    formula: impl for<'f> FnOnce(Term<'f>, Term<'f>) -> Term<'f>,
) -> ValueId {
    cx.formula([lhs, rhs], |[x, y]| formula(widened(x), widened(y)).cast(x.element()))
}

fn widened(x: Term) -> Term {
    match x.element() {
        Element::F16 | Element::BF16 => x.cast(Element::F32),
        _ => x,
    }
}
