//! `uniform_quantize` and `uniform_dequantize` between floats and the integers that quantized tensors store.
//!
//! The pass `quant_to_qdq` has replaced quantized types by their storage types, and left the quantized type in the
//! attribute [`ATTRIBUTE`] of these ops.

mod uniform;

use crate::ops::row::{Row, row};
use crate::ops::type_inference::{elementwise, rule};
pub use uniform::Quantization;

use super::constant::{float_bytes, integer_bytes};
use super::elementwise::truncate;
use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Attribute, Element, OpId, OpName, ValueId, onnx, stablehlo};

/// The attribute with the quantized type of an op on its storage type.
pub const ATTRIBUTE: &str = "quantized_type";

const ELEMENTS: Elements = Elements::FLOAT.or(Elements::INTEGER).or(Elements::INT4);

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::UNIFORM_DEQUANTIZE, rule(1, elementwise::dequantized), ELEMENTS, dequantize)
        .note("DequantizeLinear to f32; written out for other floats, and for i32 with a zero point"),
    row(stablehlo::UNIFORM_QUANTIZE, rule(1, elementwise::quantized), ELEMENTS, quantize).note(
        "QuantizeLinear from f32; written out for other floats and where an odd zero point changes ties",
    ),
];

/// The quantization that an op converts from or to.
fn quantization(cx: &Lower, op: OpId) -> Result<Quantization, LowerError> {
    let Some(Attribute::Type(ty)) = cx.module.attribute(op, ATTRIBUTE) else {
        return Err(LowerError::missing(ATTRIBUTE));
    };
    Quantization::of(cx.module, *ty)
        .ok_or_else(|| LowerError::attribute(ATTRIBUTE, "expected a uniform quantized type"))
}

/// A parameter in the form of ONNX's ops: a scalar, or a list along the axis.
fn parameter(cx: &mut Lower, q: &Quantization, element: Element, bytes: Vec<u8>) -> ValueId {
    let sizes: Vec<i64> = q.axis.iter().map(|_| q.scales.len() as i64).collect();
    cx.constant(element, &sizes, &bytes)
}

/// A parameter that broadcasts against a value of this rank.
fn aligned(cx: &mut Lower, q: &Quantization, rank: usize, parameter: ValueId) -> ValueId {
    let Some(axis) = q.axis else { return parameter };
    let after = rank.saturating_sub(axis as usize + 1);
    let mut sizes = vec![q.scales.len() as i64];
    sizes.extend(vec![1; after]);
    cx.reshape(parameter, &sizes)
}

fn scales(cx: &mut Lower, q: &Quantization, element: Element) -> ValueId {
    let bytes = q.scales.iter().flat_map(|&scale| float_bytes(element, scale)).collect();
    parameter(cx, q, element, bytes)
}

fn zero_points(cx: &mut Lower, q: &Quantization, element: Element) -> ValueId {
    let bytes = q.zero_points.iter().flat_map(|&zero_point| integer_bytes(element, zero_point)).collect();
    parameter(cx, q, element, bytes)
}

/// The operand, expanded if scales differ along an axis.
fn operand(cx: &mut Lower, op: OpId, q: &Quantization) -> Result<ValueId, LowerError> {
    let Some(axis) = q.axis else { return cx.operand(op, 0) };
    let sizes = cx.operand_sizes(op, 0)?;
    if sizes.get(axis as usize) != Some(&(q.scales.len() as i64)) {
        let why = format!("{} scales do not match dimension {axis}", q.scales.len());
        return Err(LowerError::form(why));
    }
    cx.full(op, 0)
}

/// Whether ONNX Runtime's kernels have the storage type on both sides.
fn has_kernel(q: &Quantization) -> bool {
    q.expressed == Element::F32 && q.storage.bits() <= 16
}

/// Storage types of other widths than eight bits came later.
fn require(cx: &mut Lower, q: &Quantization, op: OpName) -> Result<(), LowerError> {
    if q.storage.bits() == 8 { Ok(()) } else { cx.require(op, 21) }
}

/// `(q - zero_point) * scale` (StableHLO spec, uniform_dequantize).
fn dequantize(cx: &mut Lower, op: OpId) -> Lowered {
    let q = quantization(cx, op)?;
    let stored = operand(cx, op, &q)?;
    let sizes = cx.dims(stored);
    let scale = scales(cx, &q, q.expressed);
    let symmetric = q.zero_points.iter().all(|&zero_point| zero_point == 0);
    // For i32 ONNX Runtime accepts only the zero point 0.
    if has_kernel(&q) || (q.expressed == Element::F32 && q.storage == Element::I32 && symmetric) {
        if q.storage != Element::I32 {
            require(cx, &q, onnx::DEQUANTIZE_LINEAR)?;
        }
        let mut operands = vec![stored, scale];
        if !symmetric {
            operands.push(zero_points(cx, &q, q.storage));
        }
        let node = cx.node(onnx::DEQUANTIZE_LINEAR, &operands);
        let node = if let Some(axis) = q.axis { node.int("axis", axis) } else { node };
        return Ok(node.out(q.expressed, &sizes).into());
    }
    // The difference of two integers of up to 16 bits fits 32, and that of 32 bits fits 64.
    let wide = if q.storage.bits() == 32 { Element::I64 } else { Element::I32 };
    let scale = aligned(cx, &q, sizes.len(), scale);
    let zero_point = zero_points(cx, &q, wide);
    let zero_point = aligned(cx, &q, sizes.len(), zero_point);
    let number = cx.formula([stored, scale, zero_point], |[stored, scale, zero_point]| {
        let distance = if symmetric { stored } else { stored.cast(wide) - zero_point };
        distance.cast(q.expressed) * scale
    });
    Ok(number.into())
}

/// `round(clamp(x / scale + zero_point))`, ties to even, and 0 for NaN (StableHLO spec, uniform_quantize).
///
/// `QuantizeLinear` adds the zero point after rounding. An even one preserves ties to even; an odd one does not, so
/// the arithmetic is emitted instead.
fn quantize(cx: &mut Lower, op: OpId) -> Lowered {
    let q = quantization(cx, op)?;
    let number = operand(cx, op, &q)?;
    let even = q.zero_points.iter().all(|zero_point| zero_point % 2 == 0);
    let whole = q.limits == super::integer_limits(q.storage);
    // Clip has kernels for eight bits.
    if even && has_kernel(&q) && (whole || q.storage.bits() == 8) {
        require(cx, &q, onnx::QUANTIZE_LINEAR)?;
        let number = without_nan(cx, &q, number);
        let stored = quantize_linear(cx, &q, number);
        if whole {
            return Ok(stored.into());
        }
        let (low, high) = (cx.integer(q.storage, q.limits.0), cx.integer(q.storage, q.limits.1));
        return Ok(cx.elementwise(onnx::CLIP, &[stored, low, high]).into());
    }
    let rank = cx.rank(number);
    let scale = scales(cx, &q, q.expressed);
    let scale = aligned(cx, &q, rank, scale);
    let bytes =
        q.zero_points.iter().flat_map(|&zero_point| float_bytes(q.expressed, zero_point as f64)).collect();
    let zero_point = parameter(cx, &q, q.expressed, bytes);
    let zero_point = aligned(cx, &q, rank, zero_point);
    let (low, high) = (q.limits.0 as f64, q.limits.1 as f64);
    let rounded = cx.formula([number, scale, zero_point], |[number, scale, zero_point]| {
        (number / scale + zero_point).clip(low, high).unary(onnx::ROUND)
    });
    Ok(truncate(cx, rounded, q.storage).into())
}

fn quantize_linear(cx: &mut Lower, q: &Quantization, number: ValueId) -> ValueId {
    let scale = scales(cx, q, Element::F32);
    // The zero point also determines the element type, so it is present even if it is 0.
    let zero_point = zero_points(cx, q, q.storage);
    let sizes = cx.dims(number);
    let node = cx.node(onnx::QUANTIZE_LINEAR, &[number, scale, zero_point]);
    let node = if let Some(axis) = q.axis { node.int("axis", axis) } else { node };
    node.out(q.storage, &sizes)
}

/// NaN becomes the number that is stored as 0, as XLA converts NaN to 0; `QuantizeLinear` leaves it undefined.
fn without_nan(cx: &mut Lower, q: &Quantization, number: ValueId) -> ValueId {
    if bound(cx, number, 8).is_some() {
        return number;
    }
    let rank = cx.rank(number);
    let zeros = q.scales.iter().zip(&q.zero_points).map(|(scale, &zero_point)| scale * -(zero_point as f64));
    let bytes = zeros.flat_map(|zero| float_bytes(Element::F32, zero)).collect();
    let zero = parameter(cx, q, Element::F32, bytes);
    let zero = aligned(cx, q, rank, zero);
    cx.formula([number, zero], |[number, zero]| number.is_nan().select(zero, number))
}

/// An upper bound of a value's magnitude, from the ops that compute it (at most `depth` of them); such a value is not
/// NaN.
fn bound(cx: &Lower, value: ValueId, depth: u32) -> Option<f64> {
    if let Some(number) = cx.known_number(value) {
        return Some(number.abs()).filter(|number| number.is_finite());
    }
    let op = cx.module.defining_op(value).filter(|_| depth > 0)?;
    let operands = &cx.module.op(op).operands;
    let of = |index: usize| bound(cx, *operands.get(index)?, depth - 1);
    let found = match cx.module.op(op).name {
        onnx::DEQUANTIZE_LINEAR => {
            let limit = 2f64.powi(cx.element(operands[0]).bits() as i32 + 1);
            limit * largest(cx, operands[1])?
        }
        onnx::ADD | onnx::SUB => of(0)? + of(1)?,
        onnx::MUL => of(0)? * of(1)?,
        onnx::MAT_MUL => of(0)? * of(1)? * cx.sizes(operands[0]).ok()?.last().copied().unwrap_or(1) as f64,
        onnx::CONV => {
            let taps: i64 = cx.sizes(operands[1]).ok()?.iter().skip(1).product();
            let bias = if operands.len() > 2 { of(2)? } else { 0.0 };
            of(0)? * of(1)? * taps as f64 + bias
        }
        onnx::MAX | onnx::MIN => of(0)?.max(of(1)?),
        onnx::TANH | onnx::SIGMOID | onnx::SIN | onnx::COS | onnx::SIGN => of(0).map(|_| 1.0)?,
        onnx::FLOOR | onnx::CEIL | onnx::ROUND => of(0)? + 1.0,
        onnx::ABS
        | onnx::NEG
        | onnx::RELU
        | onnx::CLIP
        | onnx::IDENTITY
        | onnx::RESHAPE
        | onnx::TRANSPOSE
        | onnx::SLICE
        | onnx::EXPAND => of(0)?,
        _ => return None,
    };
    // Intermediate sums may exceed the final sum by at most this factor.
    Some(found).filter(|&found| found < 1e36)
}

/// The largest of the scales, which are a constant.
fn largest(cx: &Lower, value: ValueId) -> Option<f64> {
    let constant = cx.module.constant(cx.module.constant_of(value)?);
    let count = cx.count(value)?;
    let bytes = constant.data.bytes(cx.source, usize::try_from(count).ok()?, 4);
    let floats =
        bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    Some(floats.map(|float| f64::from(float.abs())).fold(0.0, f64::max))
}
