//! Normalization of rows and groups.

use super::axis;
use crate::ir::{Constant, Data, Dim, Element, OpId, ValueId, onnx};
use crate::ops::constant::float_bytes;
use crate::ops::{Lower, LowerError, Lowered};

/// What is normalized, and a scale and an offset of the sizes of a row.
fn norm_operands(cx: &mut Lower, op: OpId, axis: i64) -> Result<Vec<ValueId>, LowerError> {
    let mut operands = cx.fulls(op)?;
    let row = cx.dims(operands[0])[axis as usize..].to_vec();
    let count = row.iter().try_fold(1i64, |count, dim| count.checked_mul(dim.known()?));
    for parameter in &mut operands[1..] {
        if cx.count(*parameter) != count {
            return Err(LowerError::form("a parameter does not have the elements of a row"));
        }
        *parameter = cx.reshape(*parameter, &row);
    }
    Ok(operands)
}

pub(super) fn layer_norm(cx: &mut Lower, op: OpId) -> Lowered {
    let (axis, epsilon) = (axis(cx, op)?, cx.attributes(op).float("epsilon")?);
    let mut operands = norm_operands(cx, op, axis)?;
    if operands.len() == 1 {
        operands.push(ones(cx, operands[0], axis)?);
    }
    if !cx.has(onnx::LAYER_NORMALIZATION) {
        return Ok(layer_norm_parts(cx, &operands, axis, epsilon).into());
    }
    let node = cx.node(onnx::LAYER_NORMALIZATION, &operands).int("axis", axis);
    Ok(node.float("epsilon", epsilon as f32).like(operands[0]).into())
}

/// The ops that ONNX Runtime's `LayerNormFusion` makes one kernel of.
fn layer_norm_parts(cx: &mut Lower, operands: &[ValueId], axis: i64, epsilon: f64) -> ValueId {
    let element = cx.element(operands[0]);
    let operands: Vec<ValueId> = operands.iter().map(|&operand| cx.single(operand)).collect();
    let (x, mut kept) = (operands[0], cx.dims(operands[0]));
    let single = cx.element(x);
    let axes: Vec<i64> = (axis..kept.len() as i64).collect();
    kept.iter_mut().skip(axis as usize).for_each(|dim| *dim = Dim::Known(1));
    let axes = cx.int64s(&axes);
    let mean = |cx: &mut Lower, x: ValueId| cx.node(onnx::REDUCE_MEAN, &[x, axes]).out(single, &kept);
    let center = mean(cx, x);
    let centered = cx.elementwise(onnx::SUB, &[x, center]);
    let squares = cx.formula([centered], |[centered]| centered.pow(2.0));
    let variance = mean(cx, squares);
    let deviation = cx.formula([variance], |[variance]| (variance + epsilon).unary(onnx::SQRT));
    // In `bf16` the fusion reads what was cast, for which there is no kernel. It does not recognize a Reciprocal.
    let is_short = element == Element::BF16 || is_cast_from(cx, operands[0], Element::BF16);
    let mut normal = if is_short {
        cx.formula([centered, deviation], |[centered, deviation]| {
            centered * deviation.unary(onnx::RECIPROCAL)
        })
    } else {
        cx.elementwise(onnx::DIV, &[centered, deviation])
    };
    for (name, &parameter) in [onnx::MUL, onnx::ADD].into_iter().zip(&operands[1..]) {
        normal = cx.elementwise(name, &[normal, parameter]);
    }
    cx.narrowed(normal, element)
}

/// Whether a value is a Cast from an element type.
fn is_cast_from(cx: &Lower, value: ValueId, element: Element) -> bool {
    let source = cx.module.defining_operands(value, onnx::CAST);
    source.is_some_and(|[source]| cx.element(source) == element)
}

pub(super) fn rms_norm(cx: &mut Lower, op: OpId) -> Lowered {
    let (axis, epsilon) = (axis(cx, op)?, cx.attributes(op).float("epsilon")?);
    let mut operands = norm_operands(cx, op, axis)?;
    let x = operands[0];
    if cx.has(onnx::RMS_NORMALIZATION) {
        if operands.len() == 1 {
            operands.push(ones(cx, x, axis)?);
        }
        let node = cx.node(onnx::RMS_NORMALIZATION, &operands).int("axis", axis);
        return Ok(node.float("epsilon", epsilon as f32).like(x).into());
    }
    let element = cx.element(x);
    let is_fused = element != Element::F64 && axis + 1 == cx.rank(x) as i64;
    if operands.len() == 1 && is_fused {
        operands.push(ones(cx, x, axis)?);
    }
    let operands: Vec<ValueId> = operands.into_iter().map(|operand| cx.single(operand)).collect();
    let (x, mut kept) = (operands[0], cx.dims(operands[0]));
    let axes: Vec<i64> = (axis..kept.len() as i64).collect();
    kept.iter_mut().skip(axis as usize).for_each(|dim| *dim = Dim::Known(1));
    // ONNX Runtime's `SimplifiedLayerNormFusion` makes one kernel of these ops, if there is one axis and a scale. It
    // recognizes the square by Pow. In other types than f32 it would replace epsilon by 1e-5.
    let squares = cx.formula([x], |[x]| if is_fused { x.pow(2.0) } else { x * x });
    let axes = cx.int64s(&axes);
    let single = cx.element(x);
    let mean = cx.node(onnx::REDUCE_MEAN, &[squares, axes]).out(single, &kept);
    let deviation = cx.formula([mean], |[mean]| (mean + epsilon).unary(onnx::SQRT));
    let normal = cx.elementwise(onnx::DIV, &[x, deviation]);
    let scaled = match operands[1..] {
        [scale] => cx.elementwise(onnx::MUL, &[normal, scale]),
        _ => normal,
    };
    Ok(cx.narrowed(scaled, element).into())
}

/// What is normalized has its channels last, and ONNX's has them second.
pub(super) fn group_norm(cx: &mut Lower, op: OpId) -> Lowered {
    let (groups, epsilon) = (cx.attributes(op).integer("groups")?, cx.attributes(op).float("epsilon")?);
    let operands = cx.fulls(op)?;
    let (element, dims) = (cx.element(operands[0]), cx.dims(operands[0]));
    if dims.len() < 3 || groups < 1 {
        return Err(LowerError::form("an operand of rank less than 3, or no groups"));
    }
    let rank = dims.len() as i64;
    let channels = cx.number(dims[dims.len() - 1])?;
    let first: Vec<i64> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let last: Vec<i64> = [0].into_iter().chain(2..rank).chain([1]).collect();
    if operands[1..].iter().any(|&parameter| cx.count(parameter) != Some(channels)) {
        return Err(LowerError::form("scale and bias need one element per channel"));
    }
    let image = cx.transpose(operands[0], &first);
    let parameters: Vec<ValueId> =
        operands[1..].iter().map(|&parameter| cx.reshape(parameter, &[channels])).collect();
    if groups == channels {
        let scale = parameters.first().copied().unwrap_or_else(|| splat(cx, element, &[channels], 1.0));
        let offset = parameters.get(1).copied().unwrap_or_else(|| splat(cx, element, &[channels], 0.0));
        let normal = instance_norm(cx, [image, scale, offset], epsilon);
        return Ok(cx.transpose(normal, &last).into());
    }
    let whole = cx.dims(image);
    let size = cx.module.dim_exprs.product(whole[1..].iter().copied());
    let size = cx.number(size)? / groups;
    let rows = cx.reshape(image, &[whole[0], Dim::Known(groups), Dim::Known(size)]);
    let (one, zero) = (splat(cx, element, &[groups], 1.0), splat(cx, element, &[groups], 0.0));
    let normal = instance_norm(cx, [rows, one, zero], epsilon);
    let mut normal = cx.reshape(normal, &whole);
    for (name, parameter) in [onnx::MUL, onnx::ADD].into_iter().zip(parameters) {
        let sizes: Vec<i64> = [channels].into_iter().chain((2..rank).map(|_| 1)).collect();
        let parameter = cx.reshape(parameter, &sizes);
        normal = cx.elementwise(name, &[normal, parameter]);
    }
    Ok(cx.transpose(normal, &last).into())
}

fn instance_norm(cx: &mut Lower, operands: [ValueId; 3], epsilon: f64) -> ValueId {
    let node = cx.node(onnx::INSTANCE_NORMALIZATION, &operands).float("epsilon", epsilon as f32);
    node.like(operands[0])
}

/// A splat.
fn splat(cx: &mut Lower, element: Element, sizes: &[i64], number: f64) -> ValueId {
    let ty = cx.module.tensor_of(element, sizes);
    cx.data_constant(Constant { ty, data: Data::Splat(float_bytes(element, number).into()) })
}

/// A scale of ones. The sizes of a row are numbers, because its mean was a division by a number.
fn ones(cx: &mut Lower, x: ValueId, axis: i64) -> Result<ValueId, LowerError> {
    let (element, dims) = (cx.element(x), cx.dims(x));
    let sizes = dims[axis as usize..].iter().map(|&dim| cx.number(dim)).collect::<Result<Vec<_>, _>>()?;
    Ok(splat(cx, element, &sizes, 1.0))
}
