//! Dead code elimination: unused ops without effects, and values that only keep themselves alive in loops.

use super::liveness::Liveness;
use crate::ir::{BlockId, Module, OpId, RegionId, onnx, stablehlo, use_counts};
use crate::ops::type_inference;

/// Removes dead ops from all functions.
pub(in crate::pass) fn remove(module: &mut Module) {
    let carriers = [stablehlo::WHILE, stablehlo::CASE, stablehlo::IF, onnx::LOOP];
    if module.reachable_ops().iter().any(|&op| carriers.contains(&module.op(op).name)) {
        Liveness::new(module, |_, _| false).cut(module);
    }
    remove_unused(module);
}

/// Removes unused ops from all functions, in one backward walk.
pub(in crate::pass) fn remove_unused(module: &mut Module) {
    let mut uses = use_counts(module);
    for function in module.functions() {
        remove_in_region(module, module.function(function).body, &mut uses);
    }
}

fn remove_in_region(module: &mut Module, region: RegionId, uses: &mut [u32]) {
    for block in module.region(region).blocks.clone() {
        remove_in_block(module, block, uses);
    }
}

fn remove_in_block(module: &mut Module, block: BlockId, uses: &mut [u32]) {
    let mut ops = std::mem::take(&mut module.block_mut(block).ops);
    let mut kept = Vec::with_capacity(ops.len());
    while let Some(op) = ops.pop() {
        if module.op(op).results.iter().all(|result| uses[result.index()] == 0) && is_removable(module, op) {
            forget(module, op, uses);
            continue;
        }
        for region in module.op(op).regions.clone() {
            remove_in_region(module, region, uses);
        }
        kept.push(op);
    }
    kept.reverse();
    module.block_mut(block).ops = kept;
}

/// Whether the op and all nested ops have no side effects.
fn is_removable(module: &Module, op: OpId) -> bool {
    if module.op(op).name.is_terminator() || !type_inference::is_pure(module, op) {
        return false;
    }
    module.op(op).regions.iter().flat_map(|&region| &module.region(region).blocks).all(|&block| {
        let ops = &module.block(block).ops;
        ops.iter().all(|&op| module.op(op).name.is_terminator() || is_removable(module, op))
    })
}

/// Removes the uses by an op and all nested ops.
fn forget(module: &Module, op: OpId, uses: &mut [u32]) {
    for operand in &module.op(op).operands {
        uses[operand.index()] -= 1;
    }
    for &region in &module.op(op).regions {
        for &block in &module.region(region).blocks {
            module.block(block).ops.iter().for_each(|&op| forget(module, op, uses));
        }
    }
}
