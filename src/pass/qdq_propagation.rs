//! Moves elements as stored integers, before `DequantizeLinear` and after `QuantizeLinear`.
//!
//! This moves fewer bytes, and puts both ops next to the op that computes, where ONNX Runtime looks for them. It also
//! prevents ONNX Runtime 1.31 from moving them itself: the ops that it adds have an `output_dtype` of INT8 but zero
//! points of UINT8, so it refuses the model.

use super::Context;
use crate::ir::{Module, OpId, OpName, Rewriter, ValueId, onnx, use_counts};

/// Ops that move the elements of their first operand and that ONNX Runtime moves quantization across.
const MOVES: &[OpName] = &[onnx::RESHAPE, onnx::SLICE, onnx::SQUEEZE, onnx::TRANSPOSE, onnx::UNSQUEEZE];

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    let uses = use_counts(module);
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| match rewriter.module.op(op).name {
            onnx::QUANTIZE_LINEAR => before_moves(rewriter, op, &uses),
            name if MOVES.contains(&name) => behind_move(rewriter, op),
            _ => true,
        });
    }
}

/// Whether a conversion has a single scale, so that element order does not matter, and its integers have kernels for
/// moves.
fn is_uniform(module: &Module, conversion: OpId, stored: ValueId) -> bool {
    let scale = module.op(conversion).operands.get(1).and_then(|&scale| module.tensor(scale));
    scale.is_some_and(|scale| scale.rank() == 0)
        && module.tensor(stored).is_some_and(|stored| stored.element.bits() >= 8)
}

/// `move(dequantize(x))` becomes `dequantize(move(x))`.
fn behind_move(rewriter: &mut Rewriter, op: OpId) -> bool {
    let module = &*rewriter.module;
    let (operand, result) = (module.op(op).operands[0], module.op(op).results[0]);
    let Some(conversion) = module.defining_op(operand) else { return true };
    let stored = module.op(conversion).operands.first().copied();
    let Some(stored) = stored.filter(|&stored| {
        module.op(conversion).name == onnx::DEQUANTIZE_LINEAR && is_uniform(module, conversion, stored)
    }) else {
        return true;
    };
    let Some(moved) = again(rewriter, op, stored, result) else { return true };
    let Some(number) = again(rewriter, conversion, moved, operand) else { return true };
    let ty = rewriter.module.value_type(result);
    rewriter.module.value_mut(number).ty = ty;
    rewriter.replace(result, number);
    false
}

/// `quantize(move(x))` becomes `move(quantize(x))`.
fn before_moves(rewriter: &mut Rewriter, op: OpId, uses: &[u32]) -> bool {
    let result = rewriter.module.op(op).results[0];
    if !is_uniform(rewriter.module, op, result) {
        return true;
    }
    let (mut moves, mut number) = (Vec::new(), rewriter.module.op(op).operands[0]);
    while let Some(by) = rewriter.module.defining_op(number) {
        let alone = uses.get(number.index()) == Some(&1);
        if !alone || !MOVES.contains(&rewriter.module.op(by).name) {
            break;
        }
        moves.push(by);
        number = rewriter.module.op(by).operands[0];
    }
    if moves.is_empty() {
        return true;
    }
    let Some(mut stored) = again(rewriter, op, number, result) else { return true };
    let ty = with_element_of(rewriter.module, number, result);
    rewriter.module.value_mut(stored).ty = ty;
    for by in moves.into_iter().rev() {
        let moved = rewriter.module.op(by).results[0];
        let Some(next) = again(rewriter, by, stored, moved) else { return true };
        stored = next;
    }
    rewriter.replace(result, stored);
    false
}

/// The sizes of one value with the element type of another.
fn with_element_of(module: &mut Module, sizes: ValueId, element: ValueId) -> crate::ir::TypeId {
    let ty = module.value_type(sizes);
    let element = module.tensor(element).map(|tensor| tensor.element);
    element.map_or(ty, |element| module.with_element(ty, element))
}

/// Inserts a copy of an op on another first operand. The result has the sizes of `like`; its element type is the
/// operand's if the op moves elements, else that of `like`.
fn again(rewriter: &mut Rewriter, op: OpId, operand: ValueId, like: ValueId) -> Option<ValueId> {
    let moves = MOVES.contains(&rewriter.module.op(op).name);
    let ty = with_element_of(rewriter.module, like, if moves { operand } else { like });
    let mut operands = rewriter.module.op(op).operands.clone();
    *operands.first_mut()? = operand;
    Some(rewriter.create_like(op, &operands).of(ty))
}
