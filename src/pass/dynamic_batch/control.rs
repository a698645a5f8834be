//! Relations of control flow: all values that flow into each other have their rows in the same dimension.

use crate::ir::{Module, OpId, OpName, ValueId, stablehlo};

/// The equivalence classes of values that a control-flow op forms. Captured values need none, and conditions are
/// scalars without rows.
pub(super) fn classes(module: &Module, op: OpId) -> Option<Vec<Vec<ValueId>>> {
    let operation = module.op(op);
    let mut lists: Vec<Vec<ValueId>> = vec![operation.results.to_vec()];
    match module.op(op).name {
        stablehlo::OPTIMIZATION_BARRIER => lists.push(operation.operands.to_vec()),
        stablehlo::WHILE => {
            lists.push(operation.operands.to_vec());
            let blocks = operation.regions.iter().filter_map(|&region| module.entry_block(region));
            lists.extend(blocks.map(|block| module.block(block).arguments.clone()));
            // The other region returns the loop condition.
            lists.extend(returned(module, op, 1));
        }
        stablehlo::IF | stablehlo::CASE => {
            lists.extend((0..operation.regions.len()).filter_map(|index| returned(module, op, index)));
        }
        _ => return None,
    }
    let count = lists.iter().map(Vec::len).max().unwrap_or(0);
    let class = |index: usize| lists.iter().filter_map(|list| list.get(index).copied()).collect();
    Some((0..count).map(class).collect())
}

/// Whether an op passes values through.
pub(super) fn forwards_values(name: OpName) -> bool {
    matches!(name, stablehlo::OPTIMIZATION_BARRIER | stablehlo::WHILE | stablehlo::IF | stablehlo::CASE)
}

/// The values that an op's region returns.
fn returned(module: &Module, op: OpId, region: usize) -> Option<Vec<ValueId>> {
    let block = module.entry_block(*module.op(op).regions.get(region)?)?;
    let &last = module.block(block).ops.last()?;
    Some(module.op(last).operands.to_vec())
}
