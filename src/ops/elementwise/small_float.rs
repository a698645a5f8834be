//! Rounding to a floating-point format of eight bits or fewer, in a wider type.

use crate::ir::{Attribute, Element, OpId, OpName, SmallFloat, Special, Type, hlo2onnx, onnx};
use crate::ops::Elements;
use crate::ops::constant::float_bytes;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;
use crate::ops::{Lower, LowerError, Lowered};

pub(super) const ROWS: &[Row] = &[row(ROUND, UNARY, Elements::FLOAT, round)];

/// The op that rounds to a format, on `f32` or `f64`. The pass `emulate_small_floats` creates it.
pub const ROUND: OpName = hlo2onnx::ROUND;

/// Its attribute, the element type of that format.
pub const FORMAT: &str = "format";

/// Rounds to the nearest number of the format, ties to even, as XLA's `convert` does.
///
/// The numbers from one power of two to the next are multiples of a step, which follows from the logarithm. If the
/// logarithm is off, the number is so close to the power of two that both steps round it the same way.
pub(super) fn round(cx: &mut Lower, op: OpId) -> Lowered {
    let format = match cx.module.attribute(op, FORMAT) {
        Some(Attribute::Type(ty)) => match cx.module.types.get(*ty) {
            Type::Scalar(element) => SmallFloat::of(*element),
            _ => None,
        },
        _ => None,
    };
    let format = format.ok_or(LowerError::missing(FORMAT))?;
    let x = cx.operand(op, 0)?;
    let (element, sizes) = (cx.element(x), cx.dims(x));
    let (lowest, highest) = format.exponents();
    let limit = 2.0 * format.highest();
    let magnitude = cx.formula([x], |[x]| x.is_nan().select(0.0, x.abs().min(limit)));
    let index = cx.formula([magnitude], |[magnitude]| {
        let exponent = (magnitude.log() * std::f64::consts::LOG2_E).floor();
        (exponent.clip(f64::from(lowest), f64::from(highest)) - f64::from(lowest)).cast(Element::I64)
    });
    let steps: Vec<u8> = (lowest..=highest)
        .flat_map(|exponent| float_bytes(element, 2f64.powi(exponent - format.mantissa as i32)))
        .collect();
    let steps = cx.constant(element, &[i64::from(highest - lowest) + 1], &steps);
    let step = cx.node(onnx::GATHER, &[steps, index]).int("axis", 0).out(element, &sizes);
    let rounded = cx.formula([x, magnitude, step], |[x, magnitude, step]| {
        let rounded = (magnitude / step).unary(onnx::ROUND) * step;
        let (beyond, nan) = match format.special {
            Special::Ieee => (f64::INFINITY, f64::NAN),
            Special::None => (format.highest(), -0.0),
            Special::AllOnes | Special::NegativeZero => (f64::NAN, f64::NAN),
        };
        let rounded = rounded.greater(format.highest()).select(beyond, rounded);
        let signed = x.less(0.0).select(-rounded, rounded);
        let signed = if format.special == Special::NegativeZero {
            signed + 0.0
        } else {
            // Both zeros are there, and neither is less than the other.
            x.equal(0.0).select(x, signed)
        };
        x.is_nan().select(nan, signed)
    });
    Ok(rounded.into())
}
