//! Turns modules of the user's program into functions.
//!
//! StableHLO has no modules, and calls are already inlined, so modules are found from the paths in locations
//! (`jit(apply)/Model/Block_0/Dense_1/dot_general`). Each block is reordered so that the ops of a module are
//! consecutive. Each run becomes a call of a function, recursively. Equal functions of modules of one class are
//! shared, so that twelve blocks are twelve calls.
//!
//! ONNX functions have no initializers and cannot capture values. Weights are therefore arguments of functions and
//! stay in the main graph. Scalars and lists of sizes are constants inside the function, because the runtime looks at
//! them before it runs.

mod extract;
mod groups;
mod schedule;
mod share;

use super::module_tree::{PathId, Paths};
use super::{Context, canonicalize, entry};
use crate::diagnostic::catalog;
use crate::ir::{BlockId, Data, Element, Module, OpId, ValueId, func, onnx, provenance};
use crate::target::Capability;
use extract::Outliner;
use rustc_hash::FxHashSet;

/// Longer integer lists are data, not sizes or axes.
const LONGEST_LIST: i64 = 64;

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    if !cx.options.keep_functions {
        return;
    }
    if let Some(target) = cx.options.target.filter(|target| !target.can(Capability::Functions)) {
        cx.diagnostics.push(catalog::NoFunctions { target: &target.to_string() });
        return;
    }
    let Some(function) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(function).body) else { return };
    // New functions are private, so this one stays the entry.
    module.function_mut(function).public = true;
    let mut paths = Paths::new();
    hoist_constants(module, block);
    let small = small_constants(module, block);
    let prefix = whole_program(module, block, &mut paths);
    Outliner::new(module, paths, small).block(block, prefix);
    if module.functions().len() == 1 {
        cx.diagnostics.push(catalog::NoModules {});
    }
    canonicalize::remove_dead(module);
}

/// Hoists the constants of nested graphs to the front of the entry, where functions find them; a constant that a
/// graph returns stays in it.
fn hoist_constants(module: &mut Module, entry: BlockId) {
    let regions: Vec<_> =
        module.block(entry).ops.iter().flat_map(|&op| module.op(op).regions.clone()).collect();
    let nested: Vec<BlockId> = module.blocks_within(regions).collect();
    let (mut constants, mut rest): (Vec<OpId>, Vec<OpId>) =
        module.block(entry).ops.iter().partition(|&&op| module.op(op).name == onnx::CONSTANT);
    for block in nested {
        let Some(&terminator) = module.block(block).ops.last() else { continue };
        let returned: FxHashSet<ValueId> = module.op(terminator).operands.iter().copied().collect();
        let (moved, kept): (Vec<OpId>, Vec<OpId>) = module.block(block).ops.iter().partition(|&&op| {
            module.op(op).name == onnx::CONSTANT && !returned.contains(&module.op(op).results[0])
        });
        constants.extend(moved);
        module.block_mut(block).ops = kept;
    }
    constants.append(&mut rest);
    module.block_mut(entry).ops = constants;
}

/// The constants of the entry that are copied into functions.
fn small_constants(module: &Module, entry: BlockId) -> FxHashSet<ValueId> {
    let results = module.block(entry).ops.iter().filter_map(|&op| module.op(op).results.first().copied());
    results.filter(|&value| is_small(module, value)).collect()
}

/// Whether a constant is a scalar, or a list of sizes, axes or indices. Float lists are weights, and so is everything
/// from a file of weights, because modules that differ only in weights are equal.
fn is_small(module: &Module, value: ValueId) -> bool {
    let Some(constant) = module.constant_of(value).map(|id| module.constant(id)) else { return false };
    let Some(ty) = module.tensor_type(constant.ty) else { return false };
    let data = match &constant.data {
        Data::View(view) => &view.base,
        data => data,
    };
    if matches!(data, Data::Mapped(_)) {
        return false;
    }
    let is_list = ty.rank() == 1 && ty.count().is_some_and(|count| count <= LONGEST_LIST);
    ty.rank() == 0 || (is_list && matches!(ty.element, Element::I32 | Element::I64))
}

/// The innermost module around all ops with a location: it is the graph itself, because a graph with a single call
/// would be useless.
fn whole_program(module: &Module, entry: BlockId, paths: &mut Paths) -> PathId {
    let ops = module.block(entry).ops.iter().copied().filter(|&op| is_placed(module, op));
    let innermost: Vec<PathId> = ops.map(|op| paths.of(module, op)).collect();
    let mut prefix = PathId::ROOT;
    loop {
        let mut inner = innermost.iter().map(|&path| paths.within(path, prefix));
        let Some(Some(first)) = inner.next() else { return prefix };
        if inner.any(|path| path != Some(first)) {
            return prefix;
        }
        prefix = first;
    }
}

/// Whether an op becomes a node (not a constant or terminator) and has a location in the program.
fn is_placed(module: &Module, op: OpId) -> bool {
    !matches!(module.op(op).name, onnx::CONSTANT | func::RETURN)
        && provenance::has_path(module, module.op_location(op))
}
