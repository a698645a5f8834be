//! Binds placeholders to arrays that the program closes over.
//!
//! The Python package lowers a program so that each array prints as `stablehlo.custom_call @hlo2onnx.weight()`, with
//! its name in `backend_config`, and passes the arrays next to the text.

use super::{Offer, constant_of};
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Location, Module, OpId, stablehlo};
use crate::ops;
use crate::pass::Context;
use crate::weights::{Captured, WeightsFile};
use rustc_hash::FxHashMap;

/// The target of a placeholder's call.
const TARGET: &str = "hlo2onnx.weight";

/// Replaces placeholders in all functions with constants.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let placeholders: Vec<OpId> =
        module.reachable_ops().into_iter().filter(|&op| placeholder_id(module, op).is_some()).collect();
    if placeholders.is_empty() {
        return;
    }
    let arrays: FxHashMap<&str, &Captured> =
        cx.options.weights.captured.iter().map(|captured| (&*captured.id, captured)).collect();
    let file = WeightsFile { name: "the arrays that the program closes over".into(), tensors: Vec::new() };
    let (name, key) = (stablehlo::CONSTANT, module.symbols.intern("value"));
    for op in placeholders {
        let id = placeholder_id(module, op).unwrap_or_default();
        let at = module.span(op).name;
        if cx.options.weights.inputs.iter().any(|(input, _)| input == id) {
            // The pass `lift_weights` handles it, after inlining has moved it to the entry function.
            continue;
        }
        let Some(captured) = arrays.get(id) else {
            cx.diagnostics.push(catalog::MissingArray { id, at });
            continue;
        };
        let Some(&result) = module.op(op).results.first() else { continue };
        let offer = Offer { file: &file, tensor: &captured.tensor, path: Vec::new() };
        let Some(constant) = constant_of(module, result, &offer, at, cx.diagnostics) else { continue };
        let constant = module.add_constant(constant);
        let given = module.symbols.intern(&captured.tensor.name);
        module.weight_names.insert(given);
        let place = module.op_location(op);
        let location = module.add_location(Location::Name(given, place));
        module.set_op_location(op, location);
        let operation = module.op_mut(op);
        operation.name = name;
        operation.attributes = vec![(key, Attribute::Dense(constant))];
    }
}

/// The id of a placeholder's array; `None` for any other op.
pub(in crate::pass) fn placeholder_id(module: &Module, op: OpId) -> Option<&str> {
    if ops::call_target(module, op) != Some(TARGET) {
        return None;
    }
    Some(module.attribute(op, "backend_config").and_then(Attribute::as_str).unwrap_or_default())
}
