//! `stablehlo.convert`: from any element type to any other.

use super::Term;
use super::formula::cast;
use crate::ir::stablehlo;
use crate::ir::{Element, OpId, SmallFloat, ValueId, onnx};
use crate::ops::Elements;
use crate::ops::constant::integer_limits;
use crate::ops::float_range::float_limits;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{elementwise, rule};
use crate::ops::{Lower, Lowered};

pub(super) const ROWS: &[Row] = &[row(
    stablehlo::CONVERT,
    rule(1, elementwise::shape),
    Elements::PLAIN_OR_INT4.or(Elements::FLOAT8),
    convert,
)
.note("float to integer saturates; Cast is undefined out of range")];

pub(super) fn convert(cx: &mut Lower, op: OpId) -> Lowered {
    let x = cx.operand(op, 0)?;
    let to = cx.result_type(op, 0)?.element;
    let from = cx.element(x);
    if from.is_float() && to.is_integer() {
        return Ok(truncate(cx, x, to).into());
    }
    if to.is_small_float() && from != to {
        // Overflow becomes infinity, or NaN if the type has none; ONNX would saturate.
        let x = if from.is_float() { within(cx, x, to) } else { x };
        let sizes = cx.dims(x);
        return Ok(cx.node(onnx::CAST, &[x]).element("to", to).int("saturate", 0).out(to, &sizes).into());
    }
    let x = apart(cx, x, to);
    Ok(cast(cx, x, to).into())
}

/// ONNX Runtime joins a Cast of a float to an integer and one to a narrower integer, although the second wraps: where it may,
/// an op that changes no number is between them.
fn apart(cx: &mut Lower, x: ValueId, to: Element) -> ValueId {
    let from = cx.element(x);
    let narrows = from.is_integer() && to.is_integer() && to.bits() < from.bits();
    let Some([float]) = cx.module.defining_operands(x, onnx::CAST).filter(|_| narrows) else { return x };
    if !cx.element(float).is_float() || cx.float_range(float).fits(to) {
        return x;
    }
    let lowest = cx.integer(from, integer_limits(from).0);
    cx.elementwise(onnx::MAX, &[x, lowest])
}

/// ONNX Runtime rounds incorrectly beyond the largest number of an 8-bit type: numbers that round to it are clamped
/// to it, and others become infinity.
fn within(cx: &mut Lower, x: ValueId, to: Element) -> ValueId {
    let Some(format) = SmallFloat::of(to) else { return x };
    let highest = format.highest();
    let (_, exponent) = format.exponents();
    // The number half a step above the largest one rounds to its even neighbor.
    let step = 2f64.powi(exponent - format.mantissa as i32);
    let (limit, is_even) = (highest + step / 2.0, (highest / step) % 2.0 == 0.0);
    cx.formula([x], |[x]| {
        let wide = if matches!(x.element(), Element::F32 | Element::F64) { x } else { x.cast(Element::F32) };
        let magnitude = wide.abs();
        let inside = if is_even { magnitude.less_equal(limit) } else { magnitude.less(limit) };
        inside.select(wide.clip(-highest, highest), wide * f64::INFINITY)
    })
}

/// Floats truncate toward zero; XLA saturates and converts NaN to 0, while ONNX leaves both undefined. Skips checks
/// that the operand's range makes unnecessary.
pub(in crate::ops) fn truncate(cx: &mut Lower, x: ValueId, to: Element) -> ValueId {
    let (lowest, highest) = float_limits(to);
    let range = cx.float_range(x);
    let wide_enough = matches!(cx.element(x), Element::F32 | Element::F64);
    cx.formula([x], |[x]| {
        let mut x = if wide_enough { x } else { x.cast(Element::F32) };
        if range.nan {
            x = x.is_nan().select(0.0, x);
        }
        if range.fits(to) {
            return narrow(x, to);
        }
        if to.bits() == 64 {
            return truncate_to_64(x, to);
        }
        // The limits of 32 bits are not f32 numbers.
        if to.bits() == 32 {
            x = x.cast(Element::F64);
        }
        narrow(x.clip(lowest, highest), to)
    })
}

/// The limits of 64 bits are not floats: the highest number comes from a comparison.
fn truncate_to_64<'f>(x: Term<'f>, to: Element) -> Term<'f> {
    let (lowest, _) = float_limits(to);
    let limit = if to == Element::U64 { 18_446_744_073_709_551_616.0 } else { -lowest };
    let below =
        if x.element() == Element::F32 { f64::from((limit as f32).next_down()) } else { limit.next_down() };
    let (_, highest) = integer_limits(to);
    let inside = x.clip(lowest, below).cast(to);
    x.greater_equal(limit).select(inside.beside(highest), inside)
}

/// Casts a number in range. ONNX Runtime rounds floats to four bits, so those go through eight.
fn narrow(x: Term, to: Element) -> Term {
    match to {
        Element::I4 => x.cast(Element::I8).cast(to),
        Element::U4 => x.cast(Element::U8).cast(to),
        _ => x.cast(to),
    }
}

/// The float of an element type that was converted to this integer and is equal to it: an integral number in range. It
/// may be -0.
pub(in crate::ops) fn before_conversion(cx: &Lower, value: ValueId, element: Element) -> Option<ValueId> {
    let [float] = cx.module.defining_operands(value, onnx::CAST)?;
    if cx.element(float) != element || !element.is_float() || !is_integral(cx, float, 4) {
        return None;
    }
    let range = cx.float_range(float);
    (!range.nan && range.fits(cx.element(value))).then_some(float)
}

/// Whether a float has no fraction, by the ops that compute it, at most `depth` of them.
fn is_integral(cx: &Lower, value: ValueId, depth: u32) -> bool {
    if let Some(number) = cx.known_number(value) {
        return number.fract() == 0.0;
    }
    let Some(op) = cx.module.defining_op(value).filter(|_| depth > 0) else { return false };
    let all = |operands: &[ValueId]| operands.iter().all(|&operand| is_integral(cx, operand, depth - 1));
    let operands = &cx.module.op(op).operands[..];
    match cx.module.op(op).name {
        onnx::FLOOR | onnx::CEIL | onnx::ROUND => true,
        onnx::CLIP | onnx::MAX | onnx::MIN => all(operands),
        onnx::WHERE => all(&operands[1..]),
        _ => false,
    }
}
