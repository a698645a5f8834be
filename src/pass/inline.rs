//! Calls and composites become the ops of the functions that they name.
//!
//! ONNX Runtime inlines functions itself and other runtimes cannot read them; patterns, too, are found only across
//! the small private functions that JAX makes (`@relu`, `@_where`). A composite whose name has a lowering of its
//! own (`chlo.erf`) becomes that op instead.

use super::{Context, entry_or_report};
use crate::diagnostic::catalogue;
use crate::ir::{
    Attribute, BlockId, FunctionId, Location, LocationId, Module, NewOp, OpId, RegionId, Rewriter, ValueId,
};
use crate::ops;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Runs the pass: afterwards the entry is the only function.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry_or_report(module, cx.diagnostics) else { return };
    name_composites(module);
    take_in_reducers(module);
    let Some(order) = callees_first(module, entry, cx) else { return };
    if !within_limit(module, &order, cx) {
        return;
    }
    for function in order {
        inline_into(module, function);
    }
    let name = module.function(entry).name;
    module.retain_functions(|function| function.name == name);
}

/// A composite op becomes the op that it is named after, when that has a lowering.
fn name_composites(module: &mut Module) {
    for id in module.reachable_ops() {
        if module.op_name(id) != "stablehlo.composite" {
            continue;
        }
        let Some(name) = module.attribute(id, "name").and_then(Attribute::as_str).map(str::to_owned) else {
            continue;
        };
        if ops::find(&name).is_none() {
            continue;
        }
        let attributes = match module.attribute(id, "composite_attributes") {
            Some(Attribute::Dictionary(entries)) => entries.clone(),
            _ => Vec::new(),
        };
        let name = module.symbols.intern(&name);
        let op = module.op_mut(id);
        op.name = name;
        op.attributes = attributes;
    }
}

/// A `reduce_window` that takes its sizes from operands is a call in JAX, which names the function of its region; the
/// region is made of that, as no function but the entry stays.
fn take_in_reducers(module: &mut Module) {
    for id in module.reachable_ops() {
        let target = module.attribute(id, "call_target_name").and_then(Attribute::as_str);
        if module.op_name(id) != "stablehlo.custom_call" || target != Some("stablehlo.dynamic_reduce_window")
        {
            continue;
        }
        let reducer = match module.attribute(id, "called_computations") {
            Some(Attribute::Array(called)) => match called.as_ref() {
                [Attribute::SymbolRef(path)] if path.len() == 1 => module.find_function(path[0]),
                _ => None,
            },
            _ => None,
        };
        let Some(body) = reducer.map(|reducer| module.function(reducer).body) else { continue };
        let Some(block) = module.entry_block(body) else { continue };
        let Some(&last) = module.block(block).ops.last() else { continue };
        if module.op_name(last) != "func.return" {
            continue;
        }
        let mut copier = Copier { values: FxHashMap::default(), call: LocationId::UNKNOWN };
        let region = copier.region(module, body);
        let terminator = module.entry_block(region).and_then(|block| module.block(block).ops.last().copied());
        if let Some(terminator) = terminator {
            let name = module.symbols.intern("stablehlo.return");
            module.op_mut(terminator).name = name;
        }
        let key = module.symbols.intern("called_computations");
        let op = module.op_mut(id);
        op.regions.push(region);
        op.attributes.retain(|(name, _)| *name != key);
    }
}

/// The function whose ops an op stands for.
fn callee(module: &Module, op: OpId) -> Option<FunctionId> {
    match module.op_name(op) {
        "stablehlo.composite" => module.named_function(op, "decomposition"),
        _ => module.callee(op),
    }
}

/// The functions that `entry` needs, each behind those that it calls; `None` when one calls itself.
fn callees_first(module: &Module, entry: FunctionId, cx: &mut Context) -> Option<Vec<FunctionId>> {
    let calls = |function: FunctionId| -> Vec<(OpId, FunctionId)> {
        let mut calls: Vec<_> = module
            .ops_within([module.function(function).body])
            .filter_map(|op| Some((op, callee(module, op)?)))
            .collect();
        calls.sort_by_key(|&(op, _)| op);
        calls
    };
    let (mut order, mut done, mut open) = (Vec::new(), FxHashSet::default(), FxHashSet::default());
    let mut stack = vec![(entry, calls(entry).into_iter())];
    open.insert(entry);
    while let Some((function, pending)) = stack.last_mut() {
        let Some((op, next)) = pending.next() else {
            done.insert(*function);
            open.remove(function);
            order.push(*function);
            stack.pop();
            continue;
        };
        if open.contains(&next) {
            let name = module.symbols.get(module.function(next).name);
            let definition = module.function(next).span;
            cx.diagnostics.push(catalogue::RecursiveCall { name, at: module.span(op).name, definition });
            return None;
        }
        if !done.contains(&next) {
            open.insert(next);
            stack.push((next, calls(next).into_iter()));
        }
    }
    Some(order)
}

/// Whether the ops of the program, those of a function at each of its calls, are few enough; reports when not. Few
/// lines of functions that each call the next one twice stand for more ops than there is memory.
fn within_limit(module: &Module, order: &[FunctionId], cx: &mut Context) -> bool {
    let mut counts: FxHashMap<FunctionId, u64> = FxHashMap::default();
    for &function in order {
        let ops: Vec<OpId> = module.ops_within([module.function(function).body]).collect();
        let called = ops.iter().filter_map(|&op| counts.get(&callee(module, op)?)).copied();
        counts.insert(function, called.fold(ops.len() as u64, u64::saturating_add));
    }
    let Some(entry) = order.last().copied() else { return true };
    let count = counts.get(&entry).copied().unwrap_or_default();
    if count <= cx.max_ops {
        return true;
    }
    let shown = if count == u64::MAX { "more than 2^64".to_owned() } else { count.to_string() };
    let (function, at) = (module.symbols.get(module.function(entry).name), module.function(entry).span);
    cx.diagnostics.push(catalogue::TooManyOps { count: &shown, limit: cx.max_ops, function, at });
    false
}

/// Replaces the calls in one function; what they call holds no calls any more.
fn inline_into(module: &mut Module, function: FunctionId) {
    let mut rewriter = Rewriter::new(module);
    rewriter.function(function, &mut |rewriter, op| {
        let Some(callee) = callee(rewriter.module, op) else { return true };
        let Some(body) = rewriter.module.entry_block(rewriter.module.function(callee).body) else {
            return true;
        };
        let call = rewriter.module.op(op).clone();
        let arguments = rewriter.module.block(body).arguments.clone();
        if arguments.len() != call.operands.len() {
            return true;
        }
        // Calls on one line of Python share a location; a copy of it tells the ops of one call from those of another.
        let location = rewriter.module.location(rewriter.module.op_location(op)).clone();
        let location = rewriter.module.add_location(location);
        let mut copier = Copier { values: FxHashMap::default(), call: location };
        copier.values.extend(arguments.into_iter().zip(call.operands.iter().copied()));
        let ops = rewriter.module.block(body).ops.clone();
        let Some((&terminator, ops)) = ops.split_last() else { return true };
        let returned = rewriter.module.op(terminator).operands.clone();
        if returned.len() != call.results.len() {
            return true;
        }
        for &inner in ops {
            let copy = copier.op(rewriter.module, inner);
            rewriter.insert_existing(copy);
        }
        for (result, value) in call.results.iter().zip(returned) {
            let value = copier.value(value);
            rewriter.replace(*result, value);
        }
        false
    });
}

/// Copies ops from a function to the place of a call.
struct Copier {
    values: FxHashMap<ValueId, ValueId>,
    call: LocationId,
}

impl Copier {
    fn value(&self, value: ValueId) -> ValueId {
        self.values.get(&value).copied().unwrap_or(value)
    }

    fn op(&mut self, module: &mut Module, id: OpId) -> OpId {
        let op = module.op(id).clone();
        let operands = op.operands.iter().map(|&operand| self.value(operand)).collect();
        let result_types = op.results.iter().map(|&result| module.value_type(result)).collect();
        let location = self.location(module, id);
        let regions: SmallVec<[RegionId; 1]> =
            op.regions.iter().map(|&region| self.region(module, region)).collect();
        let span = module.span(id);
        let new = NewOp {
            name: op.name,
            operands,
            result_types,
            attributes: op.attributes,
            regions,
            span,
            location,
        };
        let copy = module.add_op(new);
        for (index, &result) in op.results.iter().enumerate() {
            self.values.insert(result, module.op(copy).results[index]);
        }
        copy
    }

    fn region(&mut self, module: &mut Module, region: RegionId) -> RegionId {
        let copy = module.add_region();
        for block in module.region(region).blocks.clone() {
            self.block(module, block, copy);
        }
        copy
    }

    fn block(&mut self, module: &mut Module, block: BlockId, region: RegionId) {
        let copy = module.add_block(region);
        for argument in module.block(block).arguments.clone() {
            let ty = module.value_type(argument);
            let value = module.add_argument(copy, ty);
            self.values.insert(argument, value);
        }
        for op in module.block(block).ops.clone() {
            let op = self.op(module, op);
            module.block_mut(copy).ops.push(op);
        }
    }

    /// Where the copy comes from: the place in the function, called from the place of the call.
    fn location(&self, module: &mut Module, op: OpId) -> LocationId {
        let callee = module.op_location(op);
        if self.call == LocationId::UNKNOWN {
            return callee;
        }
        if callee == LocationId::UNKNOWN {
            return self.call;
        }
        module.add_location(Location::CallSite { callee, caller: self.call })
    }
}
