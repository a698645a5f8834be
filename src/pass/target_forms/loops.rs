//! Slices that a loop stacks.
//!
//! ONNX's reference evaluator concatenates the slices of a `Loop` along their first dimension (with NumPy's `vstack`), where
//! the specification stacks them. A Reshape to the sizes of the stack restores them, and changes nothing elsewhere.

use crate::ir::{Dim, Module, OpId, Rewriter, ValueId, onnx};

/// Restores the sizes of stacked slices in all functions.
pub(super) fn restack(module: &mut Module) {
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut visit);
    }
}

fn visit(rewriter: &mut Rewriter, op: OpId) -> bool {
    let operation = rewriter.module.op(op);
    if operation.name != onnx::LOOP {
        return true;
    }
    let (operands, results, regions) =
        (operation.operands.clone(), operation.results.clone(), operation.regions.clone());
    let carried = operands.len().saturating_sub(2);
    for region in regions {
        for block in rewriter.module.region(region).blocks.clone() {
            rewriter.block(block, &mut visit);
        }
    }
    let types: Vec<_> = results.iter().map(|&result| rewriter.module.value_type(result)).collect();
    let new = rewriter.create_like(op, &operands).values(&types);
    for (index, (&old, &new)) in results.iter().zip(&new).enumerate() {
        let stack = if index < carried { None } else { stacked(rewriter, new) };
        rewriter.replace(old, stack.unwrap_or(new));
    }
    false
}

/// A stack with the sizes of its type, of which one may be unknown.
fn stacked(rewriter: &mut Rewriter, value: ValueId) -> Option<ValueId> {
    let dims = rewriter.module.tensor(value)?.dims.clone();
    let unknown = dims.iter().filter(|dim| dim.known().is_none()).count();
    let sizes: Vec<i64> = dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
    // Lists concatenate to rows.
    if dims.len() == 2 || unknown > 1 || unknown == 1 && dims.contains(&Dim::Known(0)) {
        return None;
    }
    let shape = rewriter.integers(&sizes);
    Some(rewriter.create(onnx::RESHAPE, &[value, shape]).like(value))
}
