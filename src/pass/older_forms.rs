//! Gives ops the forms that they have below opset 18, where all passes and lowerings use those of opset 18.
//!
//! A reduction had its axes in an attribute (ONNX, `docs/Changelog.md`). Those of `ReduceSum` became an operand in opset
//! 13 already. Graphs of Loop, Scan and If do not take bf16 below opset 16.

use super::Context;
use super::canonicalize::remove_dead;
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Element, Module, OpId, OpName, onnx};

/// The first opset without older forms.
const NEWEST: u32 = 18;

const REDUCTIONS: &[OpName] =
    &[onnx::REDUCE_MAX, onnx::REDUCE_MEAN, onnx::REDUCE_MIN, onnx::REDUCE_PROD, onnx::REDUCE_SUM_SQUARE];

/// The first opset in which graphs take bf16.
const GRAPHS_OF_BF16: u32 = 16;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(opset) = module.opset().filter(|&opset| opset < NEWEST) else { return };
    for op in module.reachable_ops() {
        let operation = module.op(op);
        if opset < GRAPHS_OF_BF16 && !operation.regions.is_empty() && has_bf16(module, op) {
            let (name, at) = (operation.name.mnemonic(), module.span(op).name);
            let refused = catalog::OpsetTooLow { op: name, needs: GRAPHS_OF_BF16, given: opset, at };
            cx.diagnostics.push(module.located(op, refused));
        }
        let (true, &[_, axes]) = (REDUCTIONS.contains(&operation.name), &operation.operands[..]) else {
            continue;
        };
        // Lowerings only make constant axes.
        let Some(axes) = module.known_integers(axes) else { continue };
        module.op_mut(op).operands.truncate(1);
        module.set_attribute(op, "axes", Attribute::Integers(Element::I64, axes.into()));
    }
    remove_dead(module);
}

/// Whether an operand or a result of an op is bf16.
fn has_bf16(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    let mut values = operation.operands.iter().chain(&operation.results);
    values.any(|&value| module.tensor(value).is_some_and(|ty| ty.element == Element::BF16))
}
