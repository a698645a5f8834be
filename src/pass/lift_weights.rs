//! Turns placeholders of arrays that stay outside of the model into arguments, after the existing ones.
//!
//! Runs after inlining, because placeholders can be in any function.

use super::bind_weights::placeholder_id;
use super::{Context, entry};
use crate::ir::{Argument, Location, Module, OpId, Rewriter, ValueId};
use rustc_hash::FxHashMap;

/// Runs the pass on the entry function. Each array becomes one argument, in the order of the list.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    add(module, cx);
    if cx.options.value_map {
        module.record_origins();
    }
}

fn add(module: &mut Module, cx: &Context) {
    if cx.options.weights.inputs.is_empty() {
        return;
    }
    let Some(entry) = entry(module) else { return };
    let body = module.function(entry).body;
    let Some(block) = module.entry_block(body) else { return };
    let placeholders: Vec<OpId> =
        module.ops_within([body]).filter(|&op| placeholder_id(module, op).is_some()).collect();
    let mut first: FxHashMap<String, OpId> = FxHashMap::default();
    for op in placeholders {
        let id = placeholder_id(module, op).unwrap_or_default().to_owned();
        first.entry(id).or_insert(op);
    }
    let mut arguments: FxHashMap<&str, ValueId> = FxHashMap::default();
    for (id, name) in &cx.options.weights.inputs {
        let Some(&op) = first.get(id) else { continue };
        let Some(&result) = module.op(op).results.first() else { continue };
        let ty = module.value_type(result);
        let (name, place) = (module.symbols.intern(name), module.op_location(op));
        let location = Some(module.add_location(Location::Name(name, place)));
        let span = module.span(op).name;
        arguments.insert(id, module.add_argument(block, ty));
        let function = module.function_mut(entry);
        function.arguments.push(Argument { location, span, ..Argument::default() });
    }
    Rewriter::new(module).function(entry, &mut |rewriter, op| {
        let argument = placeholder_id(rewriter.module, op).and_then(|id| arguments.get(id).copied());
        let Some(argument) = argument else { return true };
        let result = rewriter.module.op(op).results[0];
        rewriter.replace(result, argument);
        false
    });
}
