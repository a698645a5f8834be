//! Records constraints that the program asserts (`shape_assertion` of a comparison).

use super::values::ShapeValues;
use crate::diagnostic::catalog;
use crate::ir::{Constraint, Dim, Module, OpId, ValueId};
use crate::ops::call_target;
use crate::pass::Context;

/// Records what an op asserts, or reports that it does not hold.
pub(super) fn note(module: &Module, op: OpId, values: &ShapeValues, cx: &mut Context) {
    if !is_assertion(module, op) {
        return;
    }
    let Some(&asserted) = module.op(op).operands.first() else { return };
    if let Some(constraint) = constraint(module, asserted, values) {
        module.dim_exprs.constrain(constraint);
    }
    // A decided comparison is a constant.
    if values.number(module, asserted) == Some(0) {
        let why = message(module, op, values);
        let at = module.span(op).whole;
        cx.diagnostics.push(module.located(op, catalog::BrokenAssertion { why: &why, at }));
        cx.halted = true;
    }
}

/// Whether an op is an assertion about sizes.
pub(super) fn is_assertion(module: &Module, op: OpId) -> bool {
    call_target(module, op) == Some("shape_assertion")
}

/// The constraint that an asserted comparison implies.
fn constraint(module: &Module, comparison: ValueId, values: &ShapeValues) -> Option<Constraint> {
    let compare = module.defining_op(comparison)?;
    let &[left, right] = module.op(compare).operands.as_slice() else { return None };
    let direction = module.word(module.attribute(compare, "comparison_direction")?)?;
    let size = |value| values.of(module, value)?.first().copied();
    let (left, right) = (size(left)?, size(right)?);
    let sizes = &module.dim_exprs;
    let more = |left, right, by| sizes.subtract(sizes.subtract(left, right), Dim::Known(by));
    match direction {
        "EQ" => Some(Constraint::Zero(more(left, right, 0))),
        "GE" => Some(Constraint::NotNegative(more(left, right, 0))),
        "GT" => Some(Constraint::NotNegative(more(left, right, 1))),
        "LE" => Some(Constraint::NotNegative(more(right, left, 0))),
        "LT" => Some(Constraint::NotNegative(more(right, left, 1))),
        _ => None,
    }
}

/// JAX's message, where `{0}` is the operand after the asserted one.
fn message(module: &Module, op: OpId, values: &ShapeValues) -> String {
    let text = module.attribute(op, "error_message").and_then(|message| message.as_str()).unwrap_or_default();
    // The rest lists all specifications.
    let (first, _) = text.split_once(" Using the following").unwrap_or((text, ""));
    let mut message = first.trim().trim_end_matches('.').to_owned();
    for (index, &operand) in module.op(op).operands.iter().skip(1).enumerate() {
        if let Some(number) = values.number(module, operand) {
            message = message.replace(&format!("{{{index}}}"), &number.to_string());
        }
    }
    message
}
