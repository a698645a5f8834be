//! Normalizes other forms of ops to StableHLO: older programs, other front ends, partitioners, and ops that are
//! trivial on one device.
//!
//! Runs first, so that later passes and lowerings never see these forms. The rows of [`ops::FAMILIES`] with an
//! expansion define them.

mod scalars;
mod tuples;

use super::{Context, drop_assertions};
use crate::ir::{Attributes, Dim, Module, OpId, Rewriter, ValueId, func, stablehlo};
use crate::ops::{self, Expand, LowerError, Values};
use rustc_hash::FxHashSet;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    drop_assertions::mark(module);
    tuples::flatten(module);
    scalars::become_tensors(module);
    end_functions(module);
    let mut rewriter = Rewriter::new(module);
    let mut refused = ops::inline_computations(&mut rewriter);
    let mut unknown: FxHashSet<ValueId> = FxHashSet::default();
    let within: FxHashSet<OpId> = refused.iter().map(|&(op, _)| op).collect();
    for function in rewriter.module.functions() {
        rewriter.function(function, &mut |rewriter, op| {
            if let Some(refusal) = call_of_declaration(rewriter.module, op) {
                refused.push((op, refusal));
                return true;
            }
            let name = rewriter.module.op(op).name;
            let Some(expand) = ops::find(name).and_then(|row| row.expand) else { return true };
            // Refused values are unknown.
            if rewriter.module.op(op).operands.iter().any(|operand| unknown.contains(operand)) {
                unknown.extend(&rewriter.module.op(op).results);
                refused.push((op, LowerError::Reported));
                return true;
            }
            let expanded = expand(&mut Expand { rewriter, op });
            match expanded.and_then(|values| of_its_types(rewriter.module, op, values)) {
                Ok(None) => true,
                Ok(Some(Values(values))) => {
                    let results = rewriter.module.op(op).results.clone();
                    debug_assert_eq!(results.len(), values.len(), "{}", rewriter.module.op_name(op));
                    results
                        .into_iter()
                        .zip(values)
                        .for_each(|(result, value)| rewriter.replace(result, value));
                    false
                }
                Err(refusal) => {
                    unknown.extend(&rewriter.module.op(op).results);
                    refused.push((op, refusal));
                    true
                }
            }
        });
    }
    report(module, &refused, &within, cx);
    drop_shardings(module);
}

/// Drops the shardings of values, which have no effect on one device. Later passes change the ranks that they describe.
fn drop_shardings(module: &mut Module) {
    let known = ["sdy.sharding", "sdy.sharding_rule"].map(|name| module.symbols.find(name));
    if known == [None, None] {
        return;
    }
    let drop = |attributes: &mut Attributes| attributes.retain(|(name, _)| !known.contains(&Some(*name)));
    for op in module.reachable_ops() {
        drop(&mut module.op_mut(op).attributes);
    }
    for id in module.functions() {
        let function = module.function_mut(id);
        function.arguments.iter_mut().for_each(|argument| drop(&mut argument.attributes));
        function.results.iter_mut().for_each(|result| drop(&mut result.attributes));
    }
}

/// The values that replace an op, which must have the types that the op states.
fn of_its_types(module: &Module, op: OpId, values: Option<Values>) -> Result<Option<Values>, LowerError> {
    let Some(Values(found)) = &values else { return Ok(values) };
    for (&result, &value) in module.op(op).results.iter().zip(found) {
        let (Some(stated), Some(found)) = (module.tensor(result), module.tensor(value)) else { continue };
        let same = |(one, other): (&Dim, &Dim)| match (one.known(), other.known()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let fits = stated.element == found.element
            && stated.rank() == found.rank()
            && stated.dims.iter().zip(&found.dims).all(same);
        if !fits {
            return Err(LowerError::form("its result type does not follow from its operands"));
        }
    }
    Ok(values)
}

/// Fixes functions that end like regions, with `stablehlo.return`.
fn end_functions(module: &mut Module) {
    for function in module.functions() {
        for block in module.region(module.function(function).body).blocks.clone() {
            if let Some(&last) = module.block(block).ops.last()
                && module.op(last).name == stablehlo::RETURN
            {
                module.op_mut(last).name = func::RETURN;
            }
        }
    }
}

/// The error for a call of a function that is only declared.
fn call_of_declaration(module: &Module, op: OpId) -> Option<LowerError> {
    let function = module.function(module.callee(op)?);
    let name = module.symbols.get(function.name);
    let why = || LowerError::form(format!("`@{name}` is only declared: it has no body"));
    module.entry_block(function.body).is_none().then(why)
}

/// Reports refused ops and isolates them. A program for several devices is reported once, and errors inside a refused
/// computation are not repeated.
fn report(module: &mut Module, refused: &[(OpId, LowerError)], within: &FxHashSet<OpId>, cx: &mut Context) {
    if refused.is_empty() {
        return;
    }
    let regions = within.iter().flat_map(|&op| module.op(op).regions.clone());
    let inner: FxHashSet<OpId> = module.ops_within(regions).collect();
    let mut several = false;
    for (op, refusal) in refused.iter().filter(|(op, _)| !inner.contains(op)) {
        let devices = matches!(refusal, LowerError::Devices { .. });
        if devices && several {
            continue;
        }
        several |= devices;
        cx.diagnostics.extend(refusal.diagnostic(module, *op));
    }
    let faulty = refused.iter().map(|&(op, _)| op).collect();
    module.set_aside(&faulty);
}
