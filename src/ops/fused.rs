//! The ops that the pass `fuse` creates.
//!
//! They mean the same as their patterns. If the opset lacks the ONNX op, they are decomposed again.

use super::constant::float_bytes;
use super::{Elements, Lower, LowerError, Lowered, elementwise};
use crate::ir::{Constant, Data, Dim, Element, OpId, OpName, ValueId, hlo2onnx, onnx};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, PREDICATE, fused, rule, variadic};
use std::f64::consts::{FRAC_2_PI, SQRT_2};

pub(super) const ROWS: &[Row] = &[
    row(hlo2onnx::GELU, rule(1, fused::first), Elements::FLOAT, gelu)
        .note("below opset 20 in the parts that ONNX Runtime fuses"),
    row(hlo2onnx::GROUP_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, group_norm)
        .note("InstanceNormalization of groups: ONNX Runtime decomposes GroupNormalization into slower ops"),
    row(hlo2onnx::INTERPOLATE, rule(1, fused::repeat), Elements::FLOAT, interpolate)
        .note("Resize, of images"),
    row(hlo2onnx::LAYER_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, layer_norm)
        .note("ONNX requires the scale; decomposed below opset 17"),
    row(hlo2onnx::LEAKY_RELU, rule(1, fused::first), Elements::FLOAT, leaky_relu),
    row(hlo2onnx::LOG_SOFTMAX, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        along_axis(cx, op, onnx::LOG_SOFTMAX)
    }),
    row(hlo2onnx::REPEAT, rule(1, fused::repeat), Elements::PLAIN, repeat)
        .note("Resize in the mode `nearest`"),
    row(hlo2onnx::RESAMPLE, rule(3, fused::resample), Elements::FLOAT, resample)
        .note("MatMul along two dimensions, transposed to the end"),
    row(hlo2onnx::RMS_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, rms_norm)
        .note("below opset 23 in the parts that ONNX Runtime fuses"),
    row(hlo2onnx::SIGN_BIT, PREDICATE, Elements::FLOAT.or(Elements::BOOL), sign_bit)
        .note("x < 0 or 1 / x < 0 below opset 26, which has BitCast"),
    row(hlo2onnx::SOFTMAX, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        along_axis(cx, op, onnx::SOFTMAX)
    }),
];

/// Whether the sign bit is set. Without `BitCast` the sign of NaN is ignored.
fn sign_bit(cx: &mut Lower, op: OpId) -> Lowered {
    let x = cx.operand(op, 0)?;
    if cx.reads_nan_sign() {
        return Ok(cx.formula([x], elementwise::bits_are_negative).into());
    }
    Ok(cx.formula([x], |[x]| x.less(0.0) | x.reciprocal().less(0.0)).into())
}

/// The operand in full: before its broadcast, one element may represent several of a row.
fn along_axis(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let axis = axis(cx, op)?;
    let x = cx.full(op, 0)?;
    Ok(cx.node(name, &[x]).int("axis", axis).like(x).into())
}

/// The attribute `axis`, which must be a dimension of the operand.
fn axis(cx: &Lower, op: OpId) -> Result<i64, LowerError> {
    let (axis, rank) = (cx.attributes(op).integer("axis")?, cx.operand_type(op, 0)?.rank());
    let inside = usize::try_from(axis).is_ok_and(|axis| axis < rank);
    let why = || format!("{axis} is not a dimension of an operand of rank {rank}");
    if inside { Ok(axis) } else { Err(LowerError::attribute("axis", why())) }
}

fn leaky_relu(cx: &mut Lower, op: OpId) -> Lowered {
    let (x, alpha) = (cx.operand(op, 0)?, cx.attributes(op).float("alpha")?);
    Ok(cx.node(onnx::LEAKY_RELU, &[x]).float("alpha", alpha as f32).like(x).into())
}

fn gelu(cx: &mut Lower, op: OpId) -> Lowered {
    let (x, approximate) = (cx.operand(op, 0)?, cx.attributes(op).integer("approximate")? != 0);
    if cx.has(onnx::GELU) {
        let node = cx.node(onnx::GELU, &[x]);
        let node = if approximate { node.string("approximate", "tanh") } else { node };
        return Ok(node.like(x).into());
    }
    // ONNX Runtime's `GeluFusion` and `FastGeluFusion` recognize these ops in this order, in f32, without casts in
    // between.
    let (element, single) = (cx.element(x), cx.single(x));
    let parts = cx.formula([single], |[x]| {
        let odd = if approximate {
            let slope = x * 0.044715 * x + 1.0;
            (slope * (x * FRAC_2_PI.sqrt())).unary(onnx::TANH)
        } else {
            (x / SQRT_2).unary(onnx::ERF)
        };
        x * 0.5 * (odd + 1.0)
    });
    Ok(cx.narrowed(parts, element).into())
}

/// The element at `i` is the one at `i / scale`, rounded down.
fn repeat(cx: &mut Lower, op: OpId) -> Lowered {
    let scales = cx.attributes(op).integers("scales")?;
    let (x, (element, dims)) = (cx.full(op, 0)?, cx.result_dims(op, 0)?);
    let bytes: Vec<u8> = scales.iter().flat_map(|&scale| (scale as f32).to_le_bytes()).collect();
    let scales = cx.constant(Element::F32, &[scales.len() as i64], &bytes);
    let absent = cx.module.absent();
    let node = cx.node(onnx::RESIZE, &[x, absent, scales]).string("mode", "nearest");
    let node = node.string("coordinate_transformation_mode", "asymmetric").string("nearest_mode", "floor");
    Ok(node.out(element, &dims).into())
}

/// Interpolates linearly. ONNX Runtime only interpolates images: batches of rows and columns, with channels before or
/// after.
fn interpolate(cx: &mut Lower, op: OpId) -> Lowered {
    let scales = cx.attributes(op).integers("scales")?;
    let (x, (element, dims)) = (cx.full(op, 0)?, cx.result_dims(op, 0)?);
    let scaled: Vec<usize> = (0..dims.len()).filter(|&axis| scales[axis] != 1).collect();
    let &[first, second] = &scaled[..] else {
        return Err(LowerError::form("scales for more or fewer than two dimensions"));
    };
    if second != first + 1 {
        return Err(LowerError::form("scaled dimensions that are not adjacent"));
    }
    let own = cx.dims(x);
    let is_image = dims.len() == 4 && first > 0;
    let image = |cx: &Lower, dims: &[Dim]| {
        let product = |dims: &[Dim]| cx.module.dim_exprs.product(dims.iter().copied());
        [product(&dims[..first]), dims[first], dims[second], product(&dims[second + 1..])]
    };
    let (read, factors, sizes) = if is_image {
        (x, scales, dims.to_vec())
    } else {
        let (before, after) = (image(cx, &own), image(cx, &dims));
        (cx.reshape(x, &before), vec![1, scales[first], scales[second], 1], after.to_vec())
    };
    let bytes: Vec<u8> = factors.iter().flat_map(|&scale| (scale as f32).to_le_bytes()).collect();
    let factors = cx.constant(Element::F32, &[4], &bytes);
    let absent = cx.module.absent();
    let node = cx.node(onnx::RESIZE, &[read, absent, factors]).string("mode", "linear");
    let node = node.string("coordinate_transformation_mode", "half_pixel");
    let resized = node.out(element, &sizes);
    Ok(cx.reshape(resized, &dims).into())
}

/// Multiplies the dimension `axis` and the next one by a matrix each.
fn resample(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = axis(cx, op)?;
    let operands = cx.fulls(op)?;
    let [x, rows, columns] = operands[..] else {
        return Err(LowerError::form("more or fewer than two matrices"));
    };
    let (element, dims) = (cx.element(x), cx.result_dims(op, 0)?.1);
    let rank = dims.len() as i64;
    let last: Vec<i64> = (0..axis).chain(axis + 2..rank).chain([axis, axis + 1]).collect();
    let back: Vec<i64> = (0..axis).chain([rank - 2, rank - 1]).chain(axis..rank - 2).collect();
    let image = cx.transpose(x, &last);
    let mut sizes = cx.dims(image);
    sizes[rank as usize - 1] = dims[axis as usize + 1];
    let wide = cx.node(onnx::MAT_MUL, &[image, columns]).out(element, &sizes);
    let may_be_empty = |&dim: &Dim| cx.module.dim_exprs.bounds(dim).0.is_none_or(|least| least < 1);
    if sizes[..rank as usize - 2].iter().any(may_be_empty) {
        // ONNX Runtime does not broadcast a matrix on the left to an empty batch of images.
        let rows = cx.operand(op, 1)?;
        let turned: Vec<i64> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
        let tall = cx.transpose(wide, &turned);
        let mut sizes = cx.dims(tall);
        sizes[rank as usize - 1] = dims[axis as usize];
        let resampled = cx.node(onnx::MAT_MUL, &[tall, rows]).out(element, &sizes);
        let back: Vec<i64> = (0..axis).chain([rank - 1, rank - 2]).chain(axis..rank - 2).collect();
        return Ok(cx.transpose(resampled, &back).into());
    }
    sizes[rank as usize - 2] = dims[axis as usize];
    let rows = cx.transpose(rows, &[1, 0]);
    let resampled = cx.node(onnx::MAT_MUL, &[rows, wide]).out(element, &sizes);
    Ok(cx.transpose(resampled, &back).into())
}

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

fn layer_norm(cx: &mut Lower, op: OpId) -> Lowered {
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

fn rms_norm(cx: &mut Lower, op: OpId) -> Lowered {
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
fn group_norm(cx: &mut Lower, op: OpId) -> Lowered {
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
