//! Drops effects without results: tokens, and Python calls whose results are unused.
//!
//! JAX threads a token through ordered effects (`jax.debug.print(..., ordered=True)`) as an argument, a result and a
//! loop-carried value. Models order nodes by data flow, so tokens are dropped. Dead code is removed first, so that a
//! result of a Python call counts as used only if a result of the program needs it.

use super::{Context, canonicalize, entry};
use crate::diagnostic::catalog;
use crate::ir::{
    Block, BlockId, Definition, FunctionId, Module, OpId, Type, TypeId, ValueId, func, stablehlo,
};
use crate::ops;
use std::collections::BTreeSet;

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    remove_tokens(module, entry);
    drop_callbacks(module, cx);
}

/// Ops that pass values through or call Python. They work without their tokens.
fn is_carrier(module: &Module, op: OpId) -> bool {
    matches!(
        module.op(op).name,
        func::RETURN
            | stablehlo::CASE
            | stablehlo::IF
            | stablehlo::OPTIMIZATION_BARRIER
            | stablehlo::RETURN
            | stablehlo::WHILE
    ) || ops::host_callback(module, op).is_some()
}

/// Ops whose only result is a token.
fn is_source(module: &Module, op: OpId) -> bool {
    matches!(module.op(op).name, stablehlo::AFTER_ALL | stablehlo::CREATE_TOKEN)
}

fn is_token(module: &Module, value: ValueId) -> bool {
    is_token_type(module, module.value_type(value))
}

fn is_token_type(module: &Module, ty: TypeId) -> bool {
    *module.types.get(ty) == Type::Token
}

/// Removes the tokens from a function, unless an op needs one that the lowering will refuse.
fn remove_tokens(module: &mut Module, function: FunctionId) {
    let blocks: Vec<BlockId> = module.blocks_within([module.function(function).body]).collect();
    let mut ops = Vec::new();
    let (mut found, mut needed) = (false, false);
    for &block in &blocks {
        found |= module.block(block).arguments.iter().any(|&argument| is_token(module, argument));
        for &op in &module.block(block).ops {
            let operation = module.op(op);
            if operation.operands.iter().chain(&operation.results).any(|&value| is_token(module, value)) {
                found = true;
                needed |= !is_carrier(module, op) && !is_source(module, op);
                ops.push(op);
            }
        }
    }
    if !found || needed {
        return;
    }
    for op in ops {
        let operands = data(module, &module.op(op).operands);
        let results = data(module, &module.op(op).results);
        renumber(module, &results, |index| Definition::Result(op, index));
        let operation = module.op_mut(op);
        operation.operands = operands.into();
        operation.results = results.into();
    }
    for block in blocks {
        let arguments = data(module, &module.block(block).arguments);
        renumber(module, &arguments, |index| Definition::Argument(block, index));
        let mut ops = std::mem::take(&mut module.block_mut(block).ops);
        ops.retain(|&op| !is_source(module, op));
        *module.block_mut(block) = Block { arguments, ops };
    }
    remove_from_signature(module, function);
}

/// The values that are not tokens.
fn data(module: &Module, values: &[ValueId]) -> Vec<ValueId> {
    values.iter().copied().filter(|&value| !is_token(module, value)).collect()
}

fn renumber(module: &mut Module, values: &[ValueId], definition: impl Fn(u32) -> Definition) {
    for (index, &value) in (0u32..).zip(values) {
        module.value_mut(value).definition = definition(index);
    }
}

fn remove_from_signature(module: &mut Module, id: FunctionId) {
    let function = module.function(id);
    let kept: Vec<usize> = (0..function.argument_types.len())
        .filter(|&index| !is_token_type(module, function.argument_types[index]))
        .collect();
    let arguments = kept.iter().filter_map(|&index| function.arguments.get(index).cloned()).collect();
    let results =
        function.results.iter().filter(|result| !is_token_type(module, result.ty)).cloned().collect();
    let function = module.function_mut(id);
    function.arguments = arguments;
    function.results = results;
}

/// Drops the Python calls without results, with a warning for each.
fn drop_callbacks(module: &mut Module, cx: &mut Context) {
    let is_callback = |module: &Module, op: OpId| ops::host_callback(module, op).is_some();
    let callbacks: Vec<OpId> =
        module.reachable_ops().into_iter().filter(|&op| is_callback(module, op)).collect();
    if callbacks.is_empty() {
        return;
    }
    let live = canonicalize::Liveness::new(module, is_callback);
    let dropped: BTreeSet<OpId> = callbacks.into_iter().filter(|&op| !live.has(op)).collect();
    for &op in &dropped {
        let callback = &*ops::callback_name(module, op);
        let at = module.span(op).name;
        cx.diagnostics.push(module.located(op, catalog::DroppedCallback { callback, at }));
    }
    // Values computed only for them need no lowering.
    live.cut(module);
    remove(module, &dropped);
    canonicalize::remove_unused(module);
}

/// Removes ops from their blocks.
fn remove(module: &mut Module, dropped: &BTreeSet<OpId>) {
    let bodies = module.functions().map(|id| module.function(id).body);
    let blocks: Vec<BlockId> = module.blocks_within(bodies).collect();
    for block in blocks {
        module.block_mut(block).ops.retain(|op| !dropped.contains(op));
    }
}
