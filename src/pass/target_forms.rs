//! Replaces ops that the target computes incorrectly or lacks by others with the same results.
//!
//! Each form belongs to a [`Capability`] that the target's row names. Runs after the patterns of ONNX Runtime are final.

use super::Context;
use crate::ir::{Attribute, Data, Dim, Element, Module, OpId, OpName, Rewriter, TensorType, ValueId, onnx};
use crate::ops::OpAttributes;
use crate::target::Capability;

/// Which ops a form applies to.
type Matches = fn(&Module, OpId) -> bool;
/// Creates the ops of a form; the value replaces the result of the matched op.
type Form = fn(&mut Rewriter, OpId) -> Option<ValueId>;

/// The forms, by the capability that makes them unnecessary and the op that they replace.
const FORMS: &[(Capability, OpName, Matches, Form)] = &[
    (Capability::CastToI64, onnx::CAST, is_of_i64, cast_like),
    (Capability::VectorProducts, onnx::MAT_MUL, multiplies_vectors, row_by_vector),
    (Capability::BroadcastDividends, onnx::MOD, broadcasts_first, add_zeros),
    (Capability::BoolEquality, onnx::EQUAL, compares_bools, not_xor),
    (Capability::DoubleTests, onnx::IS_NAN, reads_doubles, is_nan_in_f32),
    (Capability::DoubleTests, onnx::IS_INF, reads_doubles, equals_infinity),
    (Capability::DoubleRounding, onnx::ROUND, reads_doubles, round_by_sum),
    (Capability::Complements, onnx::BITWISE_NOT, is_of_signed, difference),
    (Capability::BackwardSlices, onnx::SLICE, goes_backward, gather_backward),
    (Capability::FirstOfEqual, onnx::ARG_MAX, takes_first, smallest_place),
    (Capability::FirstOfEqual, onnx::ARG_MIN, takes_first, smallest_place),
    (Capability::OuterResizes, onnx::RESIZE, resizes_outer, resize_inner),
    (Capability::Volumes, onnx::CONV, is_of_volumes, convolve_planes),
    (Capability::LongGathers, onnx::GATHER_ELEMENTS, gathers_along_many, gather_in_rows),
];

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target else { return };
    let forms: Vec<_> = FORMS.iter().filter(|&&(capability, ..)| !target.can(capability)).collect();
    if forms.is_empty() {
        return;
    }
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let name = rewriter.module.op(op).name;
            let form = forms.iter().find(|(_, of, matches, _)| *of == name && matches(rewriter.module, op));
            let Some((.., form)) = form else { return true };
            let Some(value) = form(rewriter, op) else { return true };
            let result = rewriter.module.op(op).results[0];
            rewriter.replace(result, value);
            false
        });
    }
}

/// The type of an operand.
fn operand(module: &Module, op: OpId, index: usize) -> Option<&TensorType> {
    module.tensor(*module.op(op).operands.get(index)?)
}

/// The type of the result.
fn result(module: &Module, op: OpId) -> Option<&TensorType> {
    module.tensor(*module.op(op).results.first()?)
}

fn is_of_i64(module: &Module, op: OpId) -> bool {
    result(module, op).is_some_and(|tensor| tensor.element == Element::I64)
}

/// tract's Cast to `i64` makes its type of symbolic dimensions, which few ops take; its CastLike makes integers.
fn cast_like(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let like = rewriter.bytes(Element::I64, &[], &0i64.to_le_bytes());
    Some(rewriter.create(onnx::CAST_LIKE, &[value, like]).like(result))
}

fn multiplies_vectors(module: &Module, op: OpId) -> bool {
    (0..2).all(|index| operand(module, op, index).is_some_and(|tensor| tensor.rank() == 1))
}

/// The product of a matrix of one row and a vector.
fn row_by_vector(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let (element, length) = {
        let tensor = operand(rewriter.module, op, 0)?;
        (tensor.element, tensor.dims[0])
    };
    let sizes = rewriter.integers(&[1, -1]);
    let ty = rewriter.module.tensor_of(element, &[Dim::Known(1), length]);
    let row = rewriter.create(onnx::RESHAPE, &[operands[0], sizes]).of(ty);
    let ty = rewriter.module.tensor_of::<i64>(element, &[1]);
    let product = rewriter.create(onnx::MAT_MUL, &[row, operands[1]]).of(ty);
    let scalar = rewriter.integers(&[]);
    let result = rewriter.module.op(op).results[0];
    Some(rewriter.create(onnx::RESHAPE, &[product, scalar]).like(result))
}

fn broadcasts_first(module: &Module, op: OpId) -> bool {
    let dims = |tensor: Option<&TensorType>| tensor.map(|tensor| tensor.dims.clone());
    dims(operand(module, op, 0)) != dims(result(module, op))
}

/// The remainder of a dividend that has the shape of the result: a negative zero for each of its elements, which adds
/// nothing, broadcasts it. tract would leave out an Expand.
fn add_zeros(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let ty = rewriter.module.value_type(rewriter.module.op(op).results[0]);
    let (element, dims) = {
        let tensor = result(rewriter.module, op)?;
        (tensor.element, tensor.dims.clone())
    };
    let sizes: Option<Vec<i64>> = dims.iter().map(|dim| dim.known()).collect();
    let shape = match sizes {
        Some(sizes) => rewriter.integers(&sizes),
        None => {
            let sum = rewriter.create(onnx::ADD, &[operands[0], operands[1]]).of(ty);
            let list = rewriter.module.tensor_of(Element::I64, &[dims.len() as i64]);
            rewriter.create(onnx::SHAPE, &[sum]).of(list)
        }
    };
    let zero: &[u8] = match element {
        Element::F16 => &0x8000u16.to_le_bytes(),
        Element::F32 => &(-0.0f32).to_le_bytes(),
        Element::F64 => &(-0.0f64).to_le_bytes(),
        _ => &[0; 8][..element.bytes()],
    };
    let one = rewriter.bytes(element, &[], zero);
    let zeros = rewriter.create(onnx::EXPAND, &[one, shape]).of(ty);
    let dividend = rewriter.create(onnx::ADD, &[operands[0], zeros]).of(ty);
    Some(rewriter.create_like(op, &[dividend, operands[1]]).of(ty))
}

fn compares_bools(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element == Element::Bool)
}

fn not_xor(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let differ = rewriter.create(onnx::XOR, &operands).like(result);
    Some(rewriter.create(onnx::NOT, &[differ]).like(result))
}

fn reads_doubles(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element == Element::F64)
}

/// A cast keeps NaN.
fn is_nan_in_f32(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let own = rewriter.module.value_type(value);
    let ty = rewriter.module.with_element(own, Element::F32);
    let number = rewriter.create(onnx::CAST, &[value]).element("to", Element::F32).of(ty);
    Some(rewriter.create(onnx::IS_NAN, &[number]).like(result))
}

/// Only tests of both signs have this form.
fn equals_infinity(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    if !rewriter.module.op(op).attributes.is_empty() {
        return None;
    }
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let magnitude = rewriter.create(onnx::ABS, &[value]).like(value);
    let ty = rewriter.module.tensor_of::<i64>(Element::F64, &[]);
    let infinity = Data::Splat(f64::INFINITY.to_le_bytes().as_slice().into());
    let infinity = rewriter.create(onnx::CONSTANT, &[]).data(ty, infinity);
    Some(rewriter.create(onnx::EQUAL, &[magnitude, infinity]).like(result))
}

/// The sum with 2^52 has no digits for fractions: it rounds to the nearest, and halves to even numbers. Larger numbers are
/// integers.
fn round_by_sum(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let own = rewriter.module.value_type(value);
    let truths = rewriter.module.with_element(own, Element::Bool);
    let limit = rewriter.bytes(Element::F64, &[], &2f64.powi(52).to_le_bytes());
    let magnitude = rewriter.create(onnx::ABS, &[value]).like(value);
    let sum = rewriter.create(onnx::ADD, &[magnitude, limit]).like(value);
    let rounded = rewriter.create(onnx::SUB, &[sum, limit]).like(value);
    let sign = rewriter.create(onnx::SIGN, &[value]).like(value);
    let rounded = rewriter.create(onnx::MUL, &[rounded, sign]).like(value);
    let has_fraction = rewriter.create(onnx::LESS, &[magnitude, limit]).of(truths);
    Some(rewriter.create(onnx::WHERE, &[has_fraction, rounded, value]).like(result))
}

fn is_of_signed(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| matches!(tensor.element, Element::I32 | Element::I64))
}

/// The complement is the difference from -1.
fn difference(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let element = operand(rewriter.module, op, 0)?.element;
    let ones = rewriter.bytes(element, &[], &[0xFF; 8][..element.bytes()]);
    Some(rewriter.create(onnx::SUB, &[ones, value]).like(result))
}

/// The starts, ends, axes and steps of a Slice, if all are known.
fn slices(module: &Module, op: OpId) -> Option<Vec<[i64; 4]>> {
    let list = |index: usize| module.known_integers(*module.op(op).operands.get(index)?);
    let (starts, ends, axes, steps) = (list(1)?, list(2)?, list(3)?, list(4)?);
    let slices = starts.into_iter().zip(ends).zip(axes).zip(steps);
    Some(slices.map(|(((start, end), axis), step)| [start, end, axis, step]).collect())
}

fn goes_backward(module: &Module, op: OpId) -> bool {
    let Some(tensor) = operand(module, op, 0) else { return false };
    slices(module, op).is_some_and(|slices| {
        let is_known =
            |axis: i64| usize::try_from(axis).is_ok_and(|axis| tensor.dims[axis].known().is_some());
        slices.iter().any(|slice| slice[3] < 0)
            && slices.iter().all(|slice| slice[3] > 0 || is_known(slice[2]))
    })
}

/// A Gather of constant positions for each axis with a negative step, after a Slice for the other axes.
fn gather_backward(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let slices = slices(rewriter.module, op)?;
    let mut value = rewriter.module.op(op).operands[0];
    let sizes = result(rewriter.module, op)?.dims.clone();
    let mut dims = operand(rewriter.module, op, 0)?.dims.clone();
    let element = operand(rewriter.module, op, 0)?.element;
    let (backward, forward): (Vec<_>, Vec<_>) = slices.into_iter().partition(|slice| slice[3] < 0);
    if !forward.is_empty() {
        let mut operands = vec![value];
        for part in 0..4 {
            let list: Vec<i64> = forward.iter().map(|slice| slice[part]).collect();
            operands.push(rewriter.integers(&list));
        }
        for slice in &forward {
            let axis = usize::try_from(slice[2]).ok()?;
            dims[axis] = sizes[axis];
        }
        let ty = rewriter.module.tensor_of(element, &dims);
        value = rewriter.create_like(op, &operands).of(ty);
    }
    for [start, end, axis, step] in backward {
        let at = usize::try_from(axis).ok()?;
        let size = dims[at].known()?;
        let first = if start < 0 { start + size } else { start.min(size - 1) };
        let last = if end < 0 { (end.saturating_add(size)).max(-1) } else { end };
        let positions: Vec<i64> =
            (0..).map(|index| first + index * step).take_while(|&at| at > last).collect();
        dims[at] = Dim::Known(positions.len() as i64);
        let positions = rewriter.integers(&positions);
        let ty = rewriter.module.tensor_of(element, &dims);
        value = rewriter.create(onnx::GATHER, &[value, positions]).int("axis", axis).of(ty);
    }
    Some(value)
}

/// The dimension and its size, of an ArgMax or ArgMin.
fn searched(module: &Module, op: OpId) -> Option<(i64, i64)> {
    let tensor = operand(module, op, 0)?;
    let axis = OpAttributes::of(module, op).integer_or("axis", 0).ok()?;
    let at = if axis < 0 { axis + tensor.rank() as i64 } else { axis };
    Some((at, tensor.dims.get(usize::try_from(at).ok()?)?.known()?))
}

fn takes_first(module: &Module, op: OpId) -> bool {
    !OpAttributes::of(module, op).flag("select_last_index")
        && searched(module, op).is_some_and(|(_, size)| size > 1)
}

/// The smallest position of an element that equals the best one, or is NaN.
fn smallest_place(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (axis, size) = searched(rewriter.module, op)?;
    let (name, value) = (rewriter.module.op(op).name, rewriter.module.op(op).operands[0]);
    let result = rewriter.module.op(op).results[0];
    let keeps = OpAttributes::of(rewriter.module, op).integer_or("keepdims", 1).ok()?;
    let own = operand(rewriter.module, op, 0)?.clone();
    let axes = rewriter.integers(&[axis]);
    let mut dims = own.dims.clone();
    dims[usize::try_from(axis).ok()?] = Dim::Known(1);
    let ty = rewriter.module.tensor_of(own.element, &dims);
    let best = if name == onnx::ARG_MAX { onnx::REDUCE_MAX } else { onnx::REDUCE_MIN };
    let best = rewriter.create(best, &[value, axes]).int("keepdims", 1).of(ty);
    let truths = rewriter.module.tensor_of(Element::Bool, &own.dims);
    let mut is_best = rewriter.create(onnx::EQUAL, &[value, best]).of(truths);
    if own.element.is_float() {
        let is_nan = rewriter.create(onnx::IS_NAN, &[value]).of(truths);
        is_best = rewriter.create(onnx::OR, &[is_best, is_nan]).of(truths);
    }
    let mut sizes = vec![1; own.rank() - usize::try_from(axis).ok()?];
    sizes[0] = size;
    let numbers: Vec<u8> = (0..size).flat_map(i64::to_le_bytes).collect();
    let numbers = rewriter.bytes(Element::I64, &sizes, &numbers);
    let beyond = rewriter.bytes(Element::I64, &[], &size.to_le_bytes());
    let ty = rewriter.module.tensor_of(Element::I64, &own.dims);
    let places = rewriter.create(onnx::WHERE, &[is_best, numbers, beyond]).of(ty);
    Some(rewriter.create(onnx::REDUCE_MIN, &[places, axes]).int("keepdims", keeps).like(result))
}

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

fn resizes_outer(module: &Module, op: OpId) -> bool {
    factors(module, op).is_some_and(|factors| {
        let outer = factors.len().saturating_sub(2);
        factors[..outer].iter().any(|&factor| factor != 1.0)
    })
}

/// Resizes the last dimensions, between transposes.
fn resize_inner(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
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

fn is_of_volumes(module: &Module, op: OpId) -> bool {
    let known = [operand(module, op, 0), operand(module, op, 1), result(module, op)].map(sizes);
    known.iter().all(|sizes| sizes.as_ref().is_some_and(|sizes| sizes.len() == 5))
}

/// The sum of convolutions of planes: one for each plane of the kernel, with the depth in the batch.
fn convolve_planes(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let module = &*rewriter.module;
    let operands = module.op(op).operands.clone();
    let (own, kernel, wanted) =
        (sizes(operand(module, op, 0))?, sizes(operand(module, op, 1))?, sizes(result(module, op))?);
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

fn reshaped(rewriter: &mut Rewriter, value: ValueId, element: Element, sizes: &[i64]) -> ValueId {
    let shape = rewriter.integers(sizes);
    let ty = rewriter.module.tensor_of(element, sizes);
    rewriter.create(onnx::RESHAPE, &[value, shape]).of(ty)
}

/// The dimension of a GatherElements.
fn gathered(module: &Module, op: OpId) -> Option<usize> {
    let rank = operand(module, op, 0)?.rank() as i64;
    let axis = module.attribute(op, "axis").and_then(Attribute::as_integer).unwrap_or_default();
    usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()
}

/// Whether a GatherElements is along more elements than NumPy's `choose` takes, or along an unknown number.
fn gathers_along_many(module: &Module, op: OpId) -> bool {
    let size = gathered(module, op).and_then(|axis| operand(module, op, 0)?.dims.get(axis).copied());
    !matches!(size, Some(Dim::Known(..=63)))
}

/// A GatherND in each row, where rows are along the dimension.
fn gather_in_rows(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let axis = gathered(rewriter.module, op)?;
    let operation = rewriter.module.op(op);
    let (data, indices, result) = (operation.operands[0], operation.operands[1], operation.results[0]);
    let rank = rewriter.module.tensor(data)?.rank();
    let last = rank.checked_sub(1)?;
    let mut order: Vec<i64> = (0..rank as i64).collect();
    order.swap(axis, last);
    let swapped = |rewriter: &mut Rewriter, value: ValueId| {
        if axis == last {
            return Some(value);
        }
        let tensor = rewriter.module.tensor(value)?.clone();
        let dims: Vec<Dim> = order.iter().map(|&axis| tensor.dims[axis as usize]).collect();
        Some(rewriter.create(onnx::TRANSPOSE, &[value]).ints("perm", &order).out(tensor.element, &dims))
    };
    let data = swapped(rewriter, data)?;
    let indices = swapped(rewriter, indices)?;
    let tensor = rewriter.module.tensor(indices)?.clone();
    let places: Vec<Dim> = tensor.dims.iter().copied().chain([Dim::Known(1)]).collect();
    let end = rewriter.integers(&[-1]);
    let indices = rewriter.create(onnx::UNSQUEEZE, &[indices, end]).out(tensor.element, &places);
    let indices =
        rewriter.create(onnx::CAST, &[indices]).element("to", Element::I64).out(Element::I64, &places);
    let element = rewriter.module.tensor(result)?.element;
    let node = rewriter.create(onnx::GATHER_ND, &[data, indices]).int("batch_dims", last as i64);
    let rows = node.out(element, &tensor.dims);
    swapped(rewriter, rows)
}
