//! The quotient that rounds down, as `jnp.floor_divide` prints it for integers.

use super::super::Lower;
use crate::ir::{Module, OpId, ValueId, stablehlo};

/// The quotient that rounds toward zero, if a `select` only replaces it by the number below where the dividend is negative, which
/// it never is: `select(sign(x) != sign(y) & x % y != 0, x / y - 1, x / y)`.
pub(super) fn natural_quotient(cx: &Lower, op: OpId) -> Option<ValueId> {
    let module = &*cx.module;
    let &[predicate, lower, quotient] = &module.op(op).operands[..] else { return None };
    let [x, y] = module.defining_operands(quotient, stablehlo::DIVIDE)?;
    let range = |value: ValueId| cx.lowered_of(value).map(|value| cx.range(value));
    let is_all = |value: ValueId, number: i64| {
        range(value).is_some_and(|range| (range.low, range.high) == (number, number))
    };
    let is_integer = module.tensor(x).is_some_and(|ty| ty.element.is_integer());
    if !is_integer || range(x)?.low < 0 || range(y)?.low <= 0 {
        return None;
    }
    let [minuend, one] = module.defining_operands(lower, stablehlo::SUBTRACT)?;
    let [first, second] = module.defining_operands(predicate, stablehlo::AND)?;
    let sign_of = |value: ValueId, of: ValueId| {
        module.defined_by(value, stablehlo::SIGN).is_some_and(|op| module.op(op).operands[0] == of)
    };
    let by_signs = |value: ValueId| {
        let [a, b] = different(module, value)?;
        Some(sign_of(a, x) && (is_all(b, 1) || sign_of(b, y)))
    };
    let by_rest = |value: ValueId| {
        let [rest, zero] = different(module, value)?;
        Some(module.defining_operands(rest, stablehlo::REMAINDER)? == [x, y] && is_all(zero, 0))
    };
    let either = |a: ValueId, b: ValueId| by_signs(a) == Some(true) && by_rest(b) == Some(true);
    let fits = minuend == quotient && is_all(one, 1) && (either(first, second) || either(second, first));
    fits.then(|| cx.lowered_of(quotient)).flatten()
}

/// The operands of a comparison for being different.
fn different(module: &Module, value: ValueId) -> Option<[ValueId; 2]> {
    let op = module.defined_by(value, stablehlo::COMPARE)?;
    let direction = module.word(module.attribute(op, "comparison_direction")?);
    let &[a, b] = &module.op(op).operands[..] else { return None };
    (direction == Some("NE")).then_some([a, b])
}
