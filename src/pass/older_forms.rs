//! Gives ops the forms that they have below opset 18, where all passes and lowerings use those of opset 18.
//!
//! A reduction had its axes in an attribute (ONNX, `docs/Changelog.md`). Those of `ReduceSum` became an operand in opset
//! 13 already.

use super::Context;
use super::canonicalize::remove_dead;
use crate::ir::{Attribute, Element, Module, OpName, onnx};

/// The first opset without older forms.
const NEWEST: u32 = 18;

const REDUCTIONS: &[OpName] =
    &[onnx::REDUCE_MAX, onnx::REDUCE_MEAN, onnx::REDUCE_MIN, onnx::REDUCE_PROD, onnx::REDUCE_SUM_SQUARE];

/// Runs the pass.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    if module.opset().is_none_or(|opset| opset >= NEWEST) {
        return;
    }
    for op in module.reachable_ops() {
        let operation = module.op(op);
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
