//! Every `stablehlo` and `chlo` op becomes `onnx` ops, or a diagnostic. All ops are tried.

use super::{Context, entry_or_report};
use crate::ir::{Attribute, Element, Module, Type};
use crate::ops::Lower;

/// Runs the pass on the entry function.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry_or_report(module, cx.diagnostics) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let mut lower = Lower::new(module, cx.source, cx.settings, cx.diagnostics);
    lower.function_block(block);
    let opset = i64::from(lower.opset());
    let name = module.symbols.intern("onnx.opset");
    let ty = module.types.intern(Type::Scalar(Element::I64));
    module.attributes.retain(|(key, _)| *key != name);
    module.attributes.push((name, Attribute::Integer(opset, ty)));
}
