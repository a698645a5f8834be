//! Moves what does not change out of the bodies and conditions of loops.

use super::defines_sizes;
use super::vectorize::is_closed;
use crate::ir::{BlockId, Class, Module, OpId, ValueId, hlo2onnx, stablehlo};
use crate::ops::{WhileLoop, type_inference};
use rustc_hash::FxHashSet;

/// Moves invariant ops of all loops in a block, inner loops first, to where the loop is.
pub(super) fn hoist(module: &mut Module, block: BlockId) {
    let ops = std::mem::take(&mut module.block_mut(block).ops);
    let mut kept = Vec::with_capacity(ops.len());
    for op in ops {
        for region in module.op(op).regions.clone() {
            module.region(region).blocks.clone().into_iter().for_each(|inner| hoist(module, inner));
        }
        if let Some(WhileLoop { condition, body, .. }) = WhileLoop::of(module, op)
            && !defines_sizes(module, op)
        {
            for inner in [condition, body] {
                kept.extend(take_invariants(module, inner));
            }
        }
        kept.push(op);
    }
    module.block_mut(block).ops = kept;
}

/// Removes the invariant ops from a block of a loop.
fn take_invariants(module: &mut Module, block: BlockId) -> Vec<OpId> {
    let ops = std::mem::take(&mut module.block_mut(block).ops);
    let mut own: FxHashSet<ValueId> = module.block(block).arguments.iter().copied().collect();
    let (mut moved, mut kept) = (Vec::new(), Vec::with_capacity(ops.len()));
    for op in ops {
        if is_movable(module, op) && !module.op(op).operands.iter().any(|operand| own.contains(operand)) {
            moved.push(op);
        } else {
            own.extend(module.op(op).results.iter().copied());
            kept.push(op);
        }
    }
    module.block_mut(block).ops = kept;
    moved
}

/// Whether an op may run although the loop does not begin: it has no effect, ends, and never fails.
fn is_movable(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    let is_integer = |&value: &ValueId| module.tensor(value).is_some_and(|ty| ty.element.is_integer());
    let divides = matches!(operation.name, stablehlo::DIVIDE | stablehlo::REMAINDER);
    let is_plain = matches!(
        operation.name.class(),
        Class::Elementwise | Class::Moves | Class::Contracts | Class::Creates
    );
    let is_reduction = operation.name == stablehlo::REDUCE && is_closed(module, op);
    (is_plain && operation.regions.is_empty() || is_reduction)
        && !matches!(operation.name, hlo2onnx::SIZE | stablehlo::RNG)
        && !(divides && operation.operands.iter().any(is_integer))
        && type_inference::is_pure(module, op)
}
