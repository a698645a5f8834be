//! Forms of ops that read windows: convolutions, pools and Resize.

use super::{operand, result};
use crate::ir::{Data, Dim, Element, Module, OpId, Rewriter, TensorType, ValueId, axis_index, onnx};
use crate::ops::OpAttributes;

/// The factors of a Resize, if they are known.
fn factors(module: &Module, op: OpId) -> Option<Vec<f32>> {
    let constant = module.constant(module.constant_of(*module.op(op).operands.get(2)?)?);
    let Data::Bytes(bytes) = &constant.data else { return None };
    Some(
        bytes
            .chunks_exact(4)
            .map(|number| f32::from_le_bytes(number.try_into().unwrap_or_default()))
            .collect(),
    )
}

pub(super) fn resizes_outer(module: &Module, op: OpId) -> bool {
    factors(module, op).is_some_and(|factors| {
        let outer = factors.len().saturating_sub(2);
        factors[..outer].iter().any(|&factor| factor != 1.0)
    })
}

/// Resizes the last dimensions, between transposes.
pub(super) fn resize_inner(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let factors = factors(rewriter.module, op)?;
    let (kept, scaled): (Vec<usize>, Vec<usize>) = (0..factors.len()).partition(|&axis| factors[axis] == 1.0);
    let order = [kept, scaled].concat();
    let operands = rewriter.module.op(op).operands.clone();
    let moved = |tensor: &TensorType| order.iter().map(|&axis| tensor.dims[axis]).collect::<Vec<Dim>>();
    let (own, wanted) = (operand(rewriter.module, op, 0)?, result(rewriter.module, op)?);
    let (element, own, wanted) = (own.element, moved(own), moved(wanted));
    let perm: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
    let ty = rewriter.module.tensor_of(element, &own);
    let value = rewriter.create(onnx::TRANSPOSE, &[operands[0]]).ints("perm", &perm).of(ty);
    let bytes: Vec<u8> = order.iter().flat_map(|&axis| factors[axis].to_le_bytes()).collect();
    let scales = rewriter.bytes(Element::F32, &[order.len() as i64], &bytes);
    let ty = rewriter.module.tensor_of(element, &wanted);
    let resized = rewriter.create_like(op, &[value, operands[1], scales]).of(ty);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, &axis)| back[axis] = at as i64);
    let result = rewriter.module.op(op).results[0];
    Some(rewriter.create(onnx::TRANSPOSE, &[resized]).ints("perm", &back).like(result))
}

/// The sizes of an operand or result, if all are known.
fn sizes(tensor: Option<&TensorType>) -> Option<Vec<i64>> {
    tensor?.dims.iter().map(|dim| dim.known()).collect()
}

/// The sizes of a convolution's operand, kernel and result.
fn convolved(module: &Module, op: OpId) -> Option<[Vec<i64>; 3]> {
    Some([sizes(operand(module, op, 0))?, sizes(operand(module, op, 1))?, sizes(result(module, op))?])
}

pub(super) fn is_of_volumes(module: &Module, op: OpId) -> bool {
    convolved(module, op).is_some_and(|all| all.iter().all(|sizes| sizes.len() == 5))
}

/// The sum of convolutions of planes: one for each plane of the kernel, with the depth in the batch.
pub(super) fn convolve_planes(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let module = &*rewriter.module;
    let operands = module.op(op).operands.clone();
    let [own, kernel, wanted] = convolved(module, op)?;
    let element = operand(module, op, 0)?.element;
    let attributes = OpAttributes::of(module, op);
    let (strides, dilations) = (attributes.integers("strides").ok()?, attributes.integers("dilations").ok()?);
    let (pads, group) = (attributes.integers("pads").ok()?, attributes.integer_or("group", 1).ok()?);
    let [batch, channels, depth, rows, columns] = own[..] else { return None };
    let [_, features, out_depth, out_rows, out_columns] = wanted[..] else { return None };

    // [batch, depth, channels, rows, columns], with the padding of the depth.
    let ty = rewriter.module.tensor_of(element, &[batch, depth, channels, rows, columns]);
    let mut planes = rewriter.create(onnx::TRANSPOSE, &[operands[0]]).ints("perm", &[0, 2, 1, 3, 4]).of(ty);
    if pads[0] != 0 || pads[3] != 0 {
        let padding = rewriter.integers(&[0, pads[0], 0, 0, 0, 0, pads[3], 0, 0, 0]);
        let padded = [batch, depth + pads[0] + pads[3], channels, rows, columns];
        let ty = rewriter.module.tensor_of(element, &padded);
        planes = rewriter.create(onnx::PAD, &[planes, padding]).of(ty);
    }
    let mut sum = None;
    for plane in 0..kernel[2] {
        let cut =
            |rewriter: &mut Rewriter, value: ValueId, [start, end, axis, step]: [i64; 4], sizes: &[i64]| {
                let lists = [start, end, axis, step].map(|number| rewriter.integers(&[number]));
                let ty = rewriter.module.tensor_of(element, sizes);
                rewriter.create(onnx::SLICE, &[value, lists[0], lists[1], lists[2], lists[3]]).of(ty)
            };
        let start = plane * dilations[0];
        let end = start + (out_depth - 1) * strides[0] + 1;
        let sizes = [batch, out_depth, channels, rows, columns];
        let read = cut(rewriter, planes, [start, end, 1, strides[0]], &sizes);
        let read = reshaped(rewriter, read, element, &[batch * out_depth, channels, rows, columns]);
        let sizes = [kernel[0], kernel[1], 1, kernel[3], kernel[4]];
        let weights = cut(rewriter, operands[1], [plane, plane + 1, 2, 1], &sizes);
        let weights = reshaped(rewriter, weights, element, &[kernel[0], kernel[1], kernel[3], kernel[4]]);
        let mut inputs = vec![read, weights];
        // The first one adds the bias.
        inputs.extend(operands.get(2).filter(|_| plane == 0));
        let ty = rewriter.module.tensor_of(element, &[batch * out_depth, features, out_rows, out_columns]);
        let planar = rewriter.create(onnx::CONV, &inputs).ints("kernel_shape", &kernel[3..]);
        let planar = planar.ints("strides", &strides[1..]).ints("dilations", &dilations[1..]);
        let planar = planar.ints("pads", &[pads[1], pads[2], pads[4], pads[5]]).int("group", group).of(ty);
        sum = Some(match sum {
            Some(sum) => rewriter.create(onnx::ADD, &[sum, planar]).of(ty),
            None => planar,
        });
    }
    let sum = reshaped(rewriter, sum?, element, &[batch, out_depth, features, out_rows, out_columns]);
    let result = rewriter.module.op(op).results[0];
    Some(rewriter.create(onnx::TRANSPOSE, &[sum]).ints("perm", &[0, 2, 1, 3, 4]).like(result))
}

/// The sum of transposed convolutions of planes, whose results are at the places in the depth to which each plane of the
/// kernel moves them.
pub(super) fn convolve_back_planes(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let module = &*rewriter.module;
    let operands = module.op(op).operands.clone();
    let [own, kernel, wanted] = convolved(module, op)?;
    let element = operand(module, op, 0)?.element;
    let attributes = OpAttributes::of(module, op);
    let list = |name: &'static str, default: Vec<i64>| {
        if module.attribute(op, name).is_some() { attributes.integers(name).ok() } else { Some(default) }
    };
    let (strides, dilations) = (list("strides", vec![1; 3])?, list("dilations", vec![1; 3])?);
    let (pads, more) = (list("pads", vec![0; 6])?, list("output_padding", vec![0; 3])?);
    let group = groups(module, op)?;
    let [batch, channels, depth, rows, columns] = own[..] else { return None };
    let [_, features, out_depth, out_rows, out_columns] = wanted[..] else { return None };
    let (reach, plane) = ((kernel[2] - 1) * dilations[0], features * out_rows * out_columns);
    let longest = depth * strides[0] + reach;
    if pads[0] + out_depth > longest || module.attribute(op, "auto_pad").is_some() {
        return None;
    }
    let result = module.op(op).results[0];
    let moved = [batch, depth, channels, rows, columns];
    let planes =
        rewriter.create(onnx::TRANSPOSE, &[operands[0]]).ints("perm", &[0, 2, 1, 3, 4]).out(element, &moved);
    let planes = reshaped(rewriter, planes, element, &[batch * depth, channels, rows, columns]);
    let mut sum = None;
    for index in 0..kernel[2] {
        let weights = part(rewriter, operands[1], 2, index, 1)?;
        let weights = reshaped(rewriter, weights, element, &[kernel[0], kernel[1], kernel[3], kernel[4]]);
        let planar = rewriter.create(onnx::CONV_TRANSPOSE, &[planes, weights]);
        let planar = planar.ints("kernel_shape", &kernel[3..]).ints("strides", &strides[1..]);
        let planar =
            planar.ints("dilations", &dilations[1..]).ints("pads", &[pads[1], pads[2], pads[4], pads[5]]);
        let planar = planar.optional("output_padding", &more[1..]).int("group", group);
        let planar = planar.out(element, &[batch * depth, features, out_rows, out_columns]);
        // Zeros are between the planes, and before and after all of them.
        let mut spread = reshaped(rewriter, planar, element, &[batch, depth, 1, plane]);
        if strides[0] > 1 {
            let padding = rewriter.integers(&[0, 0, 0, 0, 0, 0, strides[0] - 1, 0]);
            let spaced = [batch, depth, strides[0], plane];
            spread = rewriter.create(onnx::PAD, &[spread, padding]).out(element, &spaced);
        }
        let mut placed = reshaped(rewriter, spread, element, &[batch, depth * strides[0], plane]);
        let before = index * dilations[0];
        if reach > 0 {
            let padding = rewriter.integers(&[0, before, 0, 0, reach - before, 0]);
            placed = rewriter.create(onnx::PAD, &[placed, padding]).out(element, &[batch, longest, plane]);
        }
        sum = Some(match sum {
            Some(sum) => rewriter.create(onnx::ADD, &[sum, placed]).out(element, &[batch, longest, plane]),
            None => placed,
        });
    }
    let sum = part(rewriter, sum?, 1, pads[0], out_depth)?;
    let volumes = [batch, out_depth, features, out_rows, out_columns];
    let mut sum = reshaped(rewriter, sum, element, &volumes);
    if let Some(&bias) = operands.get(2).filter(|&&bias| bias != rewriter.module.absent()) {
        let bias = reshaped(rewriter, bias, element, &[features, 1, 1]);
        sum = rewriter.create(onnx::ADD, &[sum, bias]).out(element, &volumes);
    }
    Some(rewriter.create(onnx::TRANSPOSE, &[sum]).ints("perm", &[0, 2, 1, 3, 4]).like(result))
}

/// A value with other sizes.
pub(super) fn reshaped(rewriter: &mut Rewriter, value: ValueId, element: Element, sizes: &[i64]) -> ValueId {
    let shape = rewriter.integers(sizes);
    let ty = rewriter.module.tensor_of(element, sizes);
    rewriter.create(onnx::RESHAPE, &[value, shape]).of(ty)
}

/// The number of groups of a convolution.
fn groups(module: &Module, op: OpId) -> Option<i64> {
    OpAttributes::of(module, op).integer_or("group", 1).ok()
}

pub(super) fn has_groups(module: &Module, op: OpId) -> bool {
    let channels = |index: usize, axis: usize| operand(module, op, index)?.dims.get(axis)?.known();
    groups(module, op).is_some_and(|groups| groups > 1)
        && channels(0, 1).is_some()
        && channels(1, 1).is_some()
}

/// A transposed convolution of each group, with the features after each other.
pub(super) fn convolve_groups(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let module = &*rewriter.module;
    let groups = groups(module, op)?;
    let operands = module.op(op).operands.clone();
    let channels = operand(module, op, 0)?.dims[1].known()? / groups;
    let features = operand(module, op, 1)?.dims[1].known()?;
    let own = result(module, op)?.clone();
    let result = module.op(op).results[0];
    let mut dims = own.dims.clone();
    dims[1] = Dim::Known(features);
    let group_name = rewriter.module.symbols.intern("group");
    let mut parts = Vec::new();
    for group in 0..groups {
        let input = part(rewriter, operands[0], 1, group * channels, channels)?;
        let kernel = part(rewriter, operands[1], 0, group * channels, channels)?;
        let mut inputs = vec![input, kernel];
        if let Some(&bias) = operands.get(2) {
            inputs.push(part(rewriter, bias, 0, group * features, features)?);
        }
        let mut attributes = rewriter.module.op(op).attributes.clone();
        attributes.retain(|(name, _)| *name != group_name);
        let node = rewriter.create(onnx::CONV_TRANSPOSE, &inputs).attributes(attributes);
        parts.push(node.out(own.element, &dims));
    }
    Some(rewriter.create(onnx::CONCAT, &parts).int("axis", 1).like(result))
}

/// Some indices of a dimension.
fn part(rewriter: &mut Rewriter, value: ValueId, axis: usize, start: i64, count: i64) -> Option<ValueId> {
    let own = rewriter.module.tensor(value)?.clone();
    let mut dims = own.dims;
    dims[axis] = Dim::Known(count);
    let lists = [start, start + count, axis as i64, 1].map(|number| rewriter.integers(&[number]));
    let operands = [value, lists[0], lists[1], lists[2], lists[3]];
    Some(rewriter.create(onnx::SLICE, &operands).out(own.element, &dims))
}

/// The size of the blocks of a SpaceToDepth.
fn block(module: &Module, op: OpId) -> Option<i64> {
    OpAttributes::of(module, op).integer_or("blocksize", 0).ok().filter(|&size| size > 0)
}

pub(super) fn has_known_blocks(module: &Module, op: OpId) -> bool {
    block(module, op).is_some() && sizes(operand(module, op, 0)).is_some_and(|sizes| sizes.len() == 4)
}

/// The positions in each block become channels.
pub(super) fn move_blocks(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let size = block(rewriter.module, op)?;
    let element = operand(rewriter.module, op, 0)?.element;
    let own = sizes(operand(rewriter.module, op, 0))?;
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let [batch, channels, rows, columns] = own[..] else { return None };
    let split = [batch, channels, rows / size, size, columns / size, size];
    let blocks = reshaped(rewriter, value, element, &split);
    let order = [0, 3, 5, 1, 2, 4];
    let moved = order.map(|axis| split[axis as usize]);
    let blocks = rewriter.create(onnx::TRANSPOSE, &[blocks]).ints("perm", &order).out(element, &moved);
    let shape = rewriter.integers(&[batch, channels * size * size, rows / size, columns / size]);
    Some(rewriter.create(onnx::RESHAPE, &[blocks, shape]).like(result))
}

pub(super) fn pads_some(module: &Module, op: OpId) -> bool {
    let list =
        |index: usize| module.op(op).operands.get(index).and_then(|&value| module.known_integers(value));
    list(1).is_some() && list(3).is_some()
}

/// The padding of all dimensions.
pub(super) fn pad_all(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let result = rewriter.module.op(op).results[0];
    let rank = operand(rewriter.module, op, 0)?.rank();
    let list = |index: usize| rewriter.module.known_integers(operands[index]);
    let (pads, axes) = (list(1)?, list(3)?);
    let mut all = vec![0; 2 * rank];
    for (index, &axis) in axes.iter().enumerate() {
        let axis = axis_index(axis, rank)?;
        *all.get_mut(axis)? = *pads.get(index)?;
        *all.get_mut(rank + axis)? = *pads.get(axes.len() + index)?;
    }
    let pads = rewriter.integers(&all);
    let mut inputs = vec![operands[0], pads];
    inputs.extend(operands.get(2).filter(|&&value| value != rewriter.module.absent()));
    Some(rewriter.create_like(op, &inputs).like(result))
}

pub(super) fn cuts(module: &Module, op: OpId) -> bool {
    let pads = module.op(op).operands.get(1).and_then(|&pads| module.known_integers(pads));
    pads.is_some_and(|pads| pads.iter().any(|&pad| pad < 0)) && module.op(op).operands.len() < 4
}

/// A Slice for negative padding, before a Pad for the rest.
pub(super) fn cut_and_pad(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let result = rewriter.module.op(op).results[0];
    let own = operand(rewriter.module, op, 0)?.clone();
    let pads = rewriter.module.known_integers(operands[1])?;
    let (before, after) = pads.split_at_checked(own.rank())?;
    let mut value = operands[0];
    let mut dims = own.dims.clone();
    let wanted = super::result(rewriter.module, op)?.dims.clone();
    for (axis, (&before, &after)) in before.iter().zip(after).enumerate() {
        if before >= 0 && after >= 0 {
            continue;
        }
        let kept = dims[axis].known().map(|size| size + before.min(0) + after.min(0));
        dims[axis] = match kept {
            Some(kept) => Dim::Known(kept.max(0)),
            None if before <= 0 && after <= 0 => wanted[axis],
            None => return None,
        };
        let end = if after < 0 { after } else { i64::MAX };
        let lists = [(-before).max(0), end, axis as i64, 1].map(|number| rewriter.integers(&[number]));
        let inputs = [value, lists[0], lists[1], lists[2], lists[3]];
        value = rewriter.create(onnx::SLICE, &inputs).out(own.element, &dims);
    }
    let rest: Vec<i64> = pads.iter().map(|&pad| pad.max(0)).collect();
    let rest = rewriter.integers(&rest);
    let inputs: Vec<ValueId> = [value, rest].into_iter().chain(operands[2..].iter().copied()).collect();
    Some(rewriter.create_like(op, &inputs).like(result))
}

/// A difference whose second operand is a convolution.
pub(super) fn subtracts_convolution(module: &Module, op: OpId) -> bool {
    let second = module.op(op).operands.get(1).and_then(|&value| module.defining_op(value));
    second.is_some_and(|second| module.op(second).name == onnx::CONV)
}

/// The sum with the negated convolution.
pub(super) fn add_negated(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (&[first, second], result) =
        (&rewriter.module.op(op).operands[..], rewriter.module.op(op).results[0])
    else {
        return None;
    };
    let negated = rewriter.create(onnx::NEG, &[second]).like(second);
    Some(rewriter.create(onnx::ADD, &[first, negated]).like(result))
}
