//! Forms for special values and shapes: NaN, computed padding, scalars, tensors without elements.

use super::numbers::is_of_floats;
use super::{operand, result};
use crate::ir::{Attribute, Data, Dim, Element, Module, OpId, Rewriter, ValueId, axis_index, onnx};

/// A computed number of iterations is at least zero.
pub(super) fn count_from_zero(rewriter: &mut Rewriter, op: OpId) {
    let count = rewriter.module.op(op).operands[0];
    let is_known = rewriter.module.constant_of(count).is_some() || count == rewriter.module.absent();
    if !is_known {
        let zero = rewriter.bytes(Element::I64, &[], &[0; 8]);
        let clamped = rewriter.create(onnx::MAX, &[count, zero]).like(count);
        rewriter.module.op_mut(op).operands[0] = clamped;
    }
}

/// The comparison in the other direction, which is false for NaN.
pub(super) fn turned(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (name, result) = (rewriter.module.op(op).name, rewriter.module.op(op).results[0]);
    let &[left, right] = &rewriter.module.op(op).operands[..] else { return None };
    let name = if name == onnx::GREATER { onnx::LESS } else { onnx::LESS_OR_EQUAL };
    Some(rewriter.create(name, &[right, left]).like(result))
}

pub(super) fn ends_with_constant(module: &Module, op: OpId) -> bool {
    let is_constant = |&value: &ValueId| module.constant_of(value).is_some();
    match &module.op(op).operands[..] {
        [first, second] => is_of_floats(module, op) && is_constant(second) && !is_constant(first),
        _ => false,
    }
}

/// The second operand is the result where one of both is NaN, and the constant is not.
pub(super) fn constant_first(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let result = rewriter.module.op(op).results[0];
    let &[value, constant] = &rewriter.module.op(op).operands[..] else { return None };
    Some(rewriter.create_like(op, &[constant, value]).like(result))
}

pub(super) fn computes_padding(module: &Module, op: OpId) -> bool {
    let padding = module.op(op).operands.get(2).filter(|&&value| value != module.absent());
    padding.is_some_and(|&value| module.constant_of(value).is_none())
}

/// A selection of the padding where ones have none.
pub(super) fn select_padding(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let result = rewriter.module.op(op).results[0];
    let own = operand(rewriter.module, op, 0)?.clone();
    let mut inputs = operands.to_vec();
    inputs[2] = rewriter.module.absent();
    let padded = rewriter.create_like(op, &inputs).like(result);
    let shape = rewriter.create(onnx::SHAPE, &[operands[0]]).out(Element::I64, &[own.rank() as i64]);
    let one = rewriter.bytes(Element::F32, &[], &1f32.to_le_bytes());
    inputs[0] = rewriter.create(onnx::EXPAND, &[one, shape]).out(Element::F32, &own.dims);
    let ty = rewriter.module.value_type(result);
    let (ones, truths) =
        (rewriter.module.with_element(ty, Element::F32), rewriter.module.with_element(ty, Element::Bool));
    let ones = rewriter.create_like(op, &inputs).of(ones);
    let is_inside = rewriter.create(onnx::CAST, &[ones]).element("to", Element::Bool).of(truths);
    Some(rewriter.create(onnx::WHERE, &[is_inside, padded, operands[2]]).of(ty))
}

pub(super) fn makes_scalar(module: &Module, op: OpId) -> bool {
    result(module, op).is_some_and(|tensor| tensor.rank() == 0)
        && operand(module, op, 0).is_some_and(|tensor| tensor.rank() > 0)
}

/// The operand without its dimensions.
pub(super) fn squeeze(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let axes: Vec<i64> = (0..operand(rewriter.module, op, 0)?.rank() as i64).collect();
    let axes = rewriter.integers(&axes);
    Some(rewriter.create(onnx::SQUEEZE, &[value, axes]).like(result))
}

pub(super) fn is_empty(module: &Module, op: OpId) -> bool {
    result(module, op).is_some_and(|tensor| tensor.dims.contains(&Dim::Known(0)))
}

/// A Slice without elements of a constant with one along each empty dimension.
pub(super) fn empty_slice(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let dims = result(rewriter.module, op)?.dims.clone();
    let sizes: Vec<i64> = dims.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
    let element = result(rewriter.module, op)?.element;
    let axes: Vec<i64> = (0..sizes.len() as i64).filter(|&axis| sizes[axis as usize] == 0).collect();
    let full: Vec<i64> = sizes.iter().map(|&size| size.max(1)).collect();
    let ty = rewriter.module.tensor_of(element, &full);
    let zero = Data::Splat(vec![0; element.bytes()].as_slice().into());
    let value = rewriter.create(onnx::CONSTANT, &[]).data(ty, zero);
    let zeros = rewriter.integers(&vec![0; axes.len()]);
    let axes = rewriter.integers(&axes);
    let empty = rewriter.module.op(op).results[0];
    Some(rewriter.create(onnx::SLICE, &[value, zeros, zeros, axes]).like(empty))
}

/// Whether a GatherElements reads a Slice.
pub(super) fn gathers_slice(module: &Module, op: OpId) -> bool {
    module.op(op).operands.first().is_some_and(|&data| module.defined_by(data, onnx::SLICE).is_some())
}

/// The difference with the largest element, and then with the logarithm of the sum: neither overflows.
pub(super) fn log_of_sum(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let tensor = operand(rewriter.module, op, 0)?.clone();
    let axis = rewriter.module.attribute(op, "axis").map_or(Some(-1), Attribute::as_integer)?;
    let axis = axis_index(axis, tensor.rank())?;
    let mut dims = tensor.dims.clone();
    *dims.get_mut(axis)? = Dim::Known(1);
    let axes = rewriter.integers(&[axis as i64]);
    let largest =
        rewriter.create(onnx::REDUCE_MAX, &[value, axes]).int("keepdims", 1).out(tensor.element, &dims);
    let below = rewriter.create(onnx::SUB, &[value, largest]).like(result);
    let powers = rewriter.create(onnx::EXP, &[below]).like(result);
    let sum =
        rewriter.create(onnx::REDUCE_SUM, &[powers, axes]).int("keepdims", 1).out(tensor.element, &dims);
    let logarithm = rewriter.create(onnx::LOG, &[sum]).out(tensor.element, &dims);
    Some(rewriter.create(onnx::SUB, &[below, logarithm]).like(result))
}
