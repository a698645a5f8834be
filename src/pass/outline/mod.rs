//! Modules of the user's program become functions.
//!
//! StableHLO has no modules, and calls are inlined by now: which ops are of one module is found out from the paths in
//! their locations (`jit(apply)/Model/Block_0/Dense_1/dot_general`). In each block the ops are put in an order in which
//! those of a module follow each other, and each run becomes a call of a function; within the function the same is done
//! with the modules in it. Equal functions of modules of one class become one, so that twelve blocks are twelve calls.
//!
//! A function of ONNX has neither initializers nor a view of the graph around its calls. Weights are therefore arguments
//! of functions and stay in the main graph. Scalars and lists of sizes are constants within the function, since the
//! runtime looks at them before it runs.

mod extract;
mod groups;
mod schedule;
mod share;

use super::module_tree::{PathId, Paths};
use super::{Context, canonicalize, entry};
use crate::diagnostic::catalog;
use crate::ir::{BlockId, Data, Element, Module, OpId, ValueId, func, onnx, provenance};
use extract::Outliner;
use rustc_hash::FxHashSet;

/// Lists of more integers are data, and no sizes or axes.
const LONGEST_LIST: i64 = 64;

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    if !cx.keep_functions {
        return;
    }
    let Some(function) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(function).body) else { return };
    // The functions that come are private, so that this one stays the one to convert.
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

/// Moves the constants of nested graphs to the front of the entry, where a function finds all of them; one that a graph
/// returns has to be the graph's own.
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

/// The constants of the entry that functions hold themselves.
fn small_constants(module: &Module, entry: BlockId) -> FxHashSet<ValueId> {
    let results = module.block(entry).ops.iter().filter_map(|&op| module.op(op).results.first().copied());
    results.filter(|&value| is_small(module, value)).collect()
}

/// Whether a constant is a scalar, or a list of sizes, axes or positions. Floats in a list are weights, and so is
/// everything from a file of weights: modules that differ in them only are equal.
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

/// The innermost module that all ops with a place in the program are in: it is the graph itself, as a graph of a single
/// call would show nothing.
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

/// Whether an op becomes a node, which constants do not and what ends a block, and has a place in the program.
fn is_placed(module: &Module, op: OpId) -> bool {
    !matches!(module.op(op).name, onnx::CONSTANT | func::RETURN)
        && provenance::has_path(module, module.op_location(op))
}
