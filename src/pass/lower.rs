//! Lowers every `stablehlo` and `chlo` op to `onnx` ops, or reports it. Tries all ops.

use super::{Context, entry, entry_or_report};
use crate::diagnostic::{Diagnostic, Part, catalog};
use crate::ir::{Attribute, Dialect, Element, FunctionId, Module, OpId, Type, func};
use crate::ops::{BOUNDARY, Lower};

/// Runs the pass on the entry function.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry_or_report(module, cx.diagnostics) else { return };
    let body = module.function(entry).body;
    let Some(block) = module.entry_block(body) else { return };
    report_foreign_arguments(module, entry, cx);
    if module.function(entry).results.is_empty() && module.lost.is_empty() {
        let (function, at) = (module.symbols.get(module.function(entry).name), module.function(entry).span);
        cx.diagnostics.push(catalog::NoOutputs { function, at });
    }
    let mut lower = Lower::new(module, cx.source, cx.options, cx.diagnostics);
    lower.raise_to_elements(body);
    lower.function_block(block);
    let opset = i64::from(lower.opset());
    let name = module.symbols.intern("onnx.opset");
    let ty = module.types.intern(Type::Scalar(Element::I64));
    module.attributes.retain(|(key, _)| *key != name);
    module.attributes.push((name, Attribute::Integer(opset, ty)));
}

/// An op in the entry function that still has to be lowered.
pub(super) fn unlowered(module: &Module) -> Option<OpId> {
    let entry = entry(module).filter(|_| module.opset().is_some())?;
    let is_unlowered = |&op: &OpId| matches!(module.dialect(op), Dialect::StableHlo | Dialect::Chlo);
    module.ops_within([module.function(entry).body]).find(is_unlowered)
}

/// A type that ONNX lacks is reported at the argument; its users stay silent.
fn report_foreign_arguments(module: &Module, entry: FunctionId, cx: &mut Context) {
    let function = module.function(entry);
    for (argument, &ty) in function.arguments.iter().zip(&function.argument_types) {
        let name = match module.types.get(ty) {
            Type::Tensor(tensor) if BOUNDARY.contains(tensor.element) => continue,
            Type::Tensor(tensor) => module.spell_element(tensor.element).to_owned(),
            _ => module.spell(ty),
        };
        let diagnostic: Diagnostic =
            catalog::UnsupportedType { op: func::FUNC.text(), ty: &name, at: argument.span }.into();
        cx.diagnostics.push(diagnostic.at(Part::Elements(name)));
    }
}
