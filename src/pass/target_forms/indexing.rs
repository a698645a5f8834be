//! Forms of ops that find, take or move elements.

use super::{operand, result};
use crate::ir::{Attribute, Data, Dim, Element, Module, OpId, Rewriter, ValueId, axis_index, onnx};
use crate::ops::OpAttributes;

/// The starts, ends, axes and steps of a Slice, if all are known.
fn slices(module: &Module, op: OpId) -> Option<Vec<[i64; 4]>> {
    let list = |index: usize| module.known_integers(*module.op(op).operands.get(index)?);
    let (starts, ends, axes, steps) = (list(1)?, list(2)?, list(3)?, list(4)?);
    let slices = starts.into_iter().zip(ends).zip(axes).zip(steps);
    Some(slices.map(|(((start, end), axis), step)| [start, end, axis, step]).collect())
}

pub(super) fn goes_backward(module: &Module, op: OpId) -> bool {
    let Some(tensor) = operand(module, op, 0) else { return false };
    slices(module, op).is_some_and(|slices| {
        let is_known =
            |axis: i64| usize::try_from(axis).is_ok_and(|axis| tensor.dims[axis].known().is_some());
        slices.iter().any(|slice| slice[3] < 0)
            && slices.iter().all(|slice| slice[3] > 0 || is_known(slice[2]))
    })
}

/// A Gather of constant positions for each axis with a negative step, after a Slice for the other axes.
pub(super) fn gather_backward(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
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

/// The dimension of an ArgMax or ArgMin.
fn searched(module: &Module, op: OpId) -> Option<usize> {
    let axis = OpAttributes::of(module, op).integer_or("axis", 0).ok()?;
    axis_index(axis, operand(module, op, 0)?.rank())
}

pub(super) fn chooses(module: &Module, op: OpId) -> bool {
    let size = searched(module, op).and_then(|axis| operand(module, op, 0)?.dims.get(axis).copied());
    size.is_some_and(|size| size != Dim::Known(1))
}

/// The smallest position of an element that equals the best one, or is NaN; or the largest position.
pub(super) fn place_of_best(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let axis = searched(rewriter.module, op)?;
    let attributes = OpAttributes::of(rewriter.module, op);
    let keeps = attributes.integer_or("keepdims", 1).ok()?;
    let takes_last = attributes.integer_or("select_last_index", 0).ok()? != 0;
    let (name, value) = (rewriter.module.op(op).name, rewriter.module.op(op).operands[0]);
    let result = rewriter.module.op(op).results[0];
    let own = operand(rewriter.module, op, 0)?.clone();
    let axes = rewriter.integers(&[axis as i64]);
    let mut dims = own.dims.clone();
    dims[axis] = Dim::Known(1);
    let ty = rewriter.module.tensor_of(own.element, &dims);
    let best = if name == onnx::ARG_MAX { onnx::REDUCE_MAX } else { onnx::REDUCE_MIN };
    let best = rewriter.create(best, &[value, axes]).int("keepdims", 1).of(ty);
    let truths = rewriter.module.tensor_of(Element::Bool, &own.dims);
    let mut is_best = rewriter.create(onnx::EQUAL, &[value, best]).of(truths);
    if own.element.is_float() {
        let is_nan = rewriter.create(onnx::IS_NAN, &[value]).of(truths);
        is_best = rewriter.create(onnx::OR, &[is_best, is_nan]).of(truths);
    }
    let (numbers, size) = positions(rewriter, value, axis)?;
    let (beyond, pick) = if takes_last {
        (rewriter.bytes(Element::I64, &[], &(-1i64).to_le_bytes()), onnx::REDUCE_MAX)
    } else {
        (size, onnx::REDUCE_MIN)
    };
    let ty = rewriter.module.tensor_of(Element::I64, &own.dims);
    let places = rewriter.create(onnx::WHERE, &[is_best, numbers, beyond]).of(ty);
    Some(rewriter.create(pick, &[places, axes]).int("keepdims", keeps).like(result))
}

/// The positions along a dimension, with a size of 1 for each later dimension, and their number.
fn positions(rewriter: &mut Rewriter, value: ValueId, axis: usize) -> Option<(ValueId, ValueId)> {
    let dims = rewriter.module.tensor(value)?.dims.clone();
    let mut sizes = vec![Dim::Known(1); dims.len() - axis];
    sizes[0] = dims[axis];
    if let Some(size) = dims[axis].known() {
        let numbers: Vec<u8> = (0..size).flat_map(i64::to_le_bytes).collect();
        let ty = rewriter.module.tensor_of(Element::I64, &sizes);
        let numbers = rewriter.create(onnx::CONSTANT, &[]).data(ty, Data::Bytes(numbers.into()));
        return Some((numbers, rewriter.bytes(Element::I64, &[], &size.to_le_bytes())));
    }
    let rank = dims.len() as i64;
    let [axis, zero, one] =
        [axis as i64, 0, 1].map(|number| rewriter.bytes(Element::I64, &[], &number.to_le_bytes()));
    let shape = rewriter.create(onnx::SHAPE, &[value]).out(Element::I64, &[rank]);
    let size = rewriter.create(onnx::GATHER, &[shape, axis]).int("axis", 0).out(Element::I64, &[] as &[i64]);
    let numbers = rewriter.create(onnx::RANGE, &[zero, size, one]).out(Element::I64, &sizes[..1]);
    let mut wanted = vec![1; sizes.len()];
    wanted[0] = -1;
    let wanted = rewriter.integers(&wanted);
    Some((rewriter.create(onnx::RESHAPE, &[numbers, wanted]).out(Element::I64, &sizes), size))
}

/// The dimension of a GatherElements.
fn gathered(module: &Module, op: OpId) -> Option<usize> {
    let axis = module.attribute(op, "axis").and_then(Attribute::as_integer).unwrap_or_default();
    axis_index(axis, operand(module, op, 0)?.rank())
}

/// Whether a GatherElements is along more elements than NumPy's `choose` takes, or along an unknown number.
pub(super) fn gathers_along_many(module: &Module, op: OpId) -> bool {
    let size = gathered(module, op).and_then(|axis| operand(module, op, 0)?.dims.get(axis).copied());
    !matches!(size, Some(Dim::Known(..=63)))
}

/// A GatherND in each row, where rows are along the dimension.
pub(super) fn gather_in_rows(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let axis = gathered(rewriter.module, op)?;
    let operation = rewriter.module.op(op);
    let (data, indices, result) = (operation.operands[0], operation.operands[1], operation.results[0]);
    let rank = rewriter.module.tensor(data)?.rank();
    let last = rank.checked_sub(1)?;
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, last);
    let swapped = |rewriter: &mut Rewriter, value: ValueId| {
        if axis == last { Some(value) } else { rewriter.transpose(value, &order) }
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
