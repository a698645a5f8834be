//! Inlines calls and composites.
//!
//! ONNX Runtime inlines functions itself, and some runtimes cannot read them. Patterns also cross the small private
//! functions that JAX makes (`@relu`, `@_where`). A composite whose name has a lowering (`chlo.erf`) becomes that op
//! instead.

use super::{Context, entry_or_report};
use crate::diagnostic::catalog;
use crate::ir::{
    Attribute, BlockId, FunctionId, Location, LocationId, Module, OpId, OpName, RegionId, TypeId, ValueId,
    func, stablehlo,
};
use crate::ops;
use crate::source::NESTING_LIMIT;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// The default op limit. The largest models that JAX prints have some 100,000 ops.
const MAX_OPS: u64 = 10_000_000;

/// Runs the pass. Afterward only the entry function is left.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry_or_report(module, cx.diagnostics) else { return };
    name_composites(module);
    take_in_reducers(module);
    let Some(order) = callees_first(module, entry, cx) else { return };
    if !within_depth(module, &order, cx) || !within_limit(module, &order, cx) {
        return;
    }
    let body = module.function(entry).body;
    let copies = copies(module, &order);
    Inliner { module, copies, replaced: Vec::new() }.region(body);
    let name = module.function(entry).name;
    module.retain_functions(|function| function.name == name);
}

/// Turns a composite into the op of the same name, if that op has a lowering.
fn name_composites(module: &mut Module) {
    for id in module.reachable_ops() {
        if module.op(id).name != stablehlo::COMPOSITE {
            continue;
        }
        let name = module.attribute(id, "name").and_then(Attribute::as_str);
        let Some(row) = name.and_then(OpName::of_text).and_then(ops::find) else { continue };
        let attributes = match module.attribute(id, "composite_attributes") {
            Some(Attribute::Dictionary(entries)) => entries.clone(),
            _ => Vec::new(),
        };
        let op = module.op_mut(id);
        op.name = row.name;
        op.attributes = attributes;
    }
}

/// In JAX, a `reduce_window` with dynamic sizes is a call that names the function of its region. The function's body
/// becomes the region, because only the entry function is kept.
fn take_in_reducers(module: &mut Module) {
    for id in module.reachable_ops() {
        let target = module.attribute(id, "call_target_name").and_then(Attribute::as_str);
        if module.op(id).name != stablehlo::CUSTOM_CALL || target != Some("stablehlo.dynamic_reduce_window") {
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
        if module.op(last).name != func::RETURN {
            continue;
        }
        let mut copier = Copier { values: FxHashMap::default(), call: LocationId::UNKNOWN };
        let region = copier.region(module, body);
        let terminator = module.entry_block(region).and_then(|block| module.block(block).ops.last().copied());
        if let Some(terminator) = terminator {
            module.op_mut(terminator).name = stablehlo::RETURN;
        }
        let key = module.symbols.intern("called_computations");
        let op = module.op_mut(id);
        op.regions.push(region);
        op.attributes.retain(|(name, _)| *name != key);
    }
}

/// The function whose ops replace an op.
fn callee(module: &Module, op: OpId) -> Option<FunctionId> {
    match module.op(op).name {
        stablehlo::COMPOSITE => module.named_function(op, "decomposition"),
        _ => module.callee(op),
    }
}

/// The functions that `entry` needs, callees last; `None` if one calls itself.
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
            cx.diagnostics.push(catalog::RecursiveCall { name, at: module.span(op).name, definition });
            return None;
        }
        if !done.contains(&next) {
            open.insert(next);
            stack.push((next, calls(next).into_iter()));
        }
    }
    Some(order)
}

/// Whether the program stays within the op limit, counting a function's ops at each of its calls; reports it
/// otherwise. A few functions that each call the next one twice expand to more ops than fit in memory.
fn within_limit(module: &Module, order: &[FunctionId], cx: &mut Context) -> bool {
    let mut counts: FxHashMap<FunctionId, u64> = FxHashMap::default();
    for &function in order {
        let ops: Vec<OpId> = module.ops_within([module.function(function).body]).collect();
        let called = ops.iter().filter_map(|&op| counts.get(&callee(module, op)?)).copied();
        counts.insert(function, called.fold(ops.len() as u64, u64::saturating_add));
    }
    let Some(entry) = order.last().copied() else { return true };
    let count = counts.get(&entry).copied().unwrap_or_default();
    let limit = cx.options.max_ops.unwrap_or(MAX_OPS);
    if count <= limit {
        return true;
    }
    let shown = if count == u64::MAX { "more than 2^64".to_owned() } else { count.to_string() };
    let (function, at) = (module.symbols.get(module.function(entry).name), module.function(entry).span);
    cx.diagnostics.push(catalog::TooManyOps { count: &shown, limit, function, at });
    false
}

/// Whether region nesting stays within the scan's limit after inlining; reports the call that exceeds it. All later
/// passes rely on that limit.
fn within_depth(module: &Module, order: &[FunctionId], cx: &mut Context) -> bool {
    let mut depths: FxHashMap<FunctionId, usize> = FxHashMap::default();
    for &function in order {
        let (mut deepest, mut pending) = (1, vec![(module.function(function).body, 1)]);
        while let Some((region, depth)) = pending.pop() {
            deepest = deepest.max(depth);
            for &op in module.region(region).blocks.iter().flat_map(|&block| &module.block(block).ops) {
                pending.extend(module.op(op).regions.iter().map(|&region| (region, depth + 1)));
                let Some(&called) = callee(module, op).and_then(|callee| depths.get(&callee)) else {
                    continue;
                };
                // The callee's body replaces the call, in the region of the call.
                deepest = deepest.max(depth + called - 1);
                if deepest > NESTING_LIMIT {
                    let at = module.span(op).name;
                    cx.diagnostics.push(catalog::NestingTooDeep { limit: NESTING_LIMIT, at });
                    return false;
                }
            }
        }
        depths.insert(function, deepest);
    }
    true
}

/// How often each function's ops occur in the inlined program.
fn copies(module: &Module, order: &[FunctionId]) -> FxHashMap<FunctionId, u64> {
    let mut copies: FxHashMap<FunctionId, u64> = order.last().map(|&entry| (entry, 1)).into_iter().collect();
    for function in order.iter().rev() {
        let own = copies.get(function).copied().unwrap_or_default();
        for op in module.ops_within([module.function(*function).body]) {
            if let Some(callee) = callee(module, op) {
                let count = copies.entry(callee).or_default();
                *count = count.saturating_add(own);
            }
        }
    }
    copies
}

/// Inlines calls from the entry inward. Each op moves to its final place at once, so a chain of calls costs no more
/// than its ops.
struct Inliner<'m> {
    module: &'m mut Module,
    /// The remaining calls of each function. The last call moves the ops instead of copying them.
    copies: FxHashMap<FunctionId, u64>,
    /// Replacements for results of calls and arguments of moved functions.
    replaced: Vec<Option<ValueId>>,
}

impl Inliner<'_> {
    fn region(&mut self, region: RegionId) {
        for block in self.module.region(region).blocks.clone() {
            let mut pending = std::mem::take(&mut self.module.block_mut(block).ops);
            let mut done = Vec::with_capacity(pending.len());
            pending.reverse();
            while let Some(op) = pending.pop() {
                for index in 0..self.module.op(op).operands.len() {
                    let operand = self.module.op(op).operands[index];
                    self.module.op_mut(op).operands[index] = self.resolve(operand);
                }
                if let Some(ops) = self.called(op) {
                    pending.extend(ops.into_iter().rev());
                    continue;
                }
                for region in self.module.op(op).regions.clone() {
                    self.region(region);
                }
                done.push(op);
            }
            self.module.block_mut(block).ops = done;
        }
    }

    /// The ops that replace a call; `None` if the op is not a call that can be inlined.
    fn called(&mut self, call: OpId) -> Option<Vec<OpId>> {
        let callee = callee(self.module, call)?;
        let body = self.module.function(callee).body;
        let block = self.module.entry_block(body)?;
        let arguments = self.module.block(block).arguments.clone();
        let terminator = *self.module.block(block).ops.last()?;
        let (operands, results) =
            (self.module.op(call).operands.clone(), self.module.op(call).results.clone());
        let returned = self.module.op(terminator).operands.clone();
        if arguments.len() != operands.len() || returned.len() != results.len() {
            return None;
        }
        // Calls on one Python line share a location; a copy distinguishes the ops of different calls.
        let location = self.module.location(self.module.op_location(call)).clone();
        let location = self.module.add_location(location);
        let last = self.copies.get_mut(&callee).is_some_and(|copies| {
            *copies = copies.saturating_sub(1);
            *copies == 0
        });
        if last {
            for (argument, operand) in arguments.into_iter().zip(operands) {
                self.replace(argument, operand);
            }
            let moved: Vec<OpId> = self.module.ops_within([body]).collect();
            for op in moved {
                let place = location_of_copy(self.module, op, location);
                self.module.set_op_location(op, place);
            }
            let mut ops = std::mem::take(&mut self.module.block_mut(block).ops);
            ops.pop();
            for (result, value) in results.into_iter().zip(returned) {
                self.replace(result, value);
            }
            return Some(ops);
        }
        let mut copier = Copier { values: FxHashMap::default(), call: location };
        copier.values.extend(arguments.into_iter().zip(operands));
        let mut ops = self.module.block(block).ops.clone();
        ops.pop();
        let ops = ops.into_iter().map(|op| copier.op(self.module, op)).collect();
        for (result, value) in results.into_iter().zip(returned) {
            self.replace(result, copier.value(value));
        }
        Some(ops)
    }

    fn replace(&mut self, old: ValueId, new: ValueId) {
        if self.replaced.len() <= old.index() {
            self.replaced.resize(self.module.value_count(), None);
        }
        if old != new {
            self.replaced[old.index()] = Some(new);
            if self.module.value(new).name.is_none() {
                self.module.value_mut(new).name = self.module.value(old).name;
            }
        }
    }

    /// The current replacement of a value. Compresses the path, because a result may pass through any number of
    /// calls.
    fn resolve(&mut self, value: ValueId) -> ValueId {
        let next =
            |replaced: &[Option<ValueId>], value: ValueId| replaced.get(value.index()).copied().flatten();
        let mut last = value;
        while let Some(next) = next(&self.replaced, last) {
            last = next;
        }
        let mut step = value;
        while let Some(next) = next(&self.replaced, step).filter(|&next| next != last) {
            self.replaced[step.index()] = Some(last);
            step = next;
        }
        last
    }
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
        let operands: SmallVec<[ValueId; 3]> =
            op.operands.iter().map(|&operand| self.value(operand)).collect();
        let types: SmallVec<[TypeId; 1]> =
            op.results.iter().map(|&result| module.value_type(result)).collect();
        let place = (module.span(id), location_of_copy(module, id, self.call));
        let regions = op.regions.iter().map(|&region| self.region(module, region)).collect();
        let copy = module.create_like(id, &operands).regions(regions).at(place).results(&types);
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
}

/// The location of an inlined op: the place in the function, called from the place of the call.
fn location_of_copy(module: &mut Module, op: OpId, call: LocationId) -> LocationId {
    let callee = module.op_location(op);
    if call == LocationId::UNKNOWN {
        return callee;
    }
    if callee == LocationId::UNKNOWN {
        return call;
    }
    module.add_location(Location::CallSite { callee, caller: call })
}
