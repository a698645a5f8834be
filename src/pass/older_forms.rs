//! Gives ops the forms of the model's opset, where all passes and lowerings use newer ones.
//!
//! The axes of a reduction are an attribute below opset 18 (ONNX, `docs/Changelog.md`). Those of `ReduceSum` became an
//! operand in opset 13 already. Graphs of Loop, Scan and If do not take bf16 below opset 16. The pass runs when the opset
//! is final.
//!
//! In any opset, a reduction of all dimensions names none: ONNX Runtime's symbolic shape inference reads no operand with
//! axes but those of `ReduceSum` and `ReduceMean`.

use super::Context;
use super::canonicalize::remove_dead;
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Element, Module, OpId, OpName, onnx};

/// The first opset in which the axes of all reductions are an operand.
const REDUCTION_AXES: u32 = 18;

const REDUCTIONS: &[OpName] =
    &[onnx::REDUCE_MAX, onnx::REDUCE_MEAN, onnx::REDUCE_MIN, onnx::REDUCE_PROD, onnx::REDUCE_SUM_SQUARE];

/// The first opset in which graphs take bf16.
const GRAPHS_OF_BF16: u32 = 16;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let opset = module.opset().unwrap_or(REDUCTION_AXES);
    let mut changed = false;
    for op in module.reachable_ops() {
        if REDUCTIONS.contains(&module.op(op).name) && reduces_all(module, op) {
            module.op_mut(op).operands.truncate(1);
            changed = true;
        } else if opset < REDUCTION_AXES {
            changed |= to_older_form(module, cx, op, opset);
        }
    }
    if changed {
        remove_dead(module);
    }
}

/// Whether the axes of a reduction are all dimensions of its operand.
fn reduces_all(module: &Module, op: OpId) -> bool {
    let &[value, axes] = &module.op(op).operands[..] else { return false };
    let rank = module.tensor(value).map(|ty| ty.rank());
    // Lowerings name each axis once.
    module.known_integers(axes).is_some_and(|axes| !axes.is_empty() && Some(axes.len()) == rank)
}

/// Gives an op the form of an opset; returns whether it changed.
fn to_older_form(module: &mut Module, cx: &mut Context, op: OpId, opset: u32) -> bool {
    let operation = module.op(op);
    let (name, at) = (operation.name.mnemonic(), module.span(op).name);
    if opset < GRAPHS_OF_BF16 && !operation.regions.is_empty() && has_bf16(module, op) {
        let refused = catalog::OpsetTooLow { op: name, needs: GRAPHS_OF_BF16, given: opset, at };
        cx.diagnostics.push(module.located(op, refused));
    }
    let axes = match operation.operands[..] {
        [_, axes] if REDUCTIONS.contains(&operation.name) => axes,
        _ => return false,
    };
    let Some(axes) = module.known_integers(axes) else {
        let refused = catalog::OpsetTooLow { op: name, needs: REDUCTION_AXES, given: opset, at };
        cx.diagnostics.push(module.located(op, refused));
        return false;
    };
    module.op_mut(op).operands.truncate(1);
    module.set_attribute(op, "axes", Attribute::Integers(Element::I64, axes.into()));
    true
}

/// Whether an operand or a result of an op is bf16.
fn has_bf16(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    let mut values = operation.operands.iter().chain(&operation.results);
    values.any(|&value| module.tensor(value).is_some_and(|ty| ty.element == Element::BF16))
}
