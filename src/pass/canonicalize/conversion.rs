//! Merges pairs of conversions of which the first loses nothing that the second keeps.

use super::{Simplified, only_operand};
use crate::ir::{Element, Module, OpId, OpName, ValueId, stablehlo};

/// `convert(convert(x))` is one conversion, or none.
pub(super) fn simplify(module: &mut Module, op: OpId) -> Simplified {
    if module.op(op).name != stablehlo::CONVERT {
        return Simplified::No;
    }
    join(module, op, stablehlo::CONVERT)
}

/// Merges a conversion with the one that produces its operand.
pub(super) fn join(module: &mut Module, op: OpId, name: OpName) -> Simplified {
    let Some(source) = source(module, op, name) else { return Simplified::No };
    if module.value_type(source) == module.value_type(module.op(op).results[0]) {
        return Simplified::To(source);
    }
    module.op_mut(op).operands[0] = source;
    Simplified::Changed
}

fn source(module: &Module, op: OpId, name: OpName) -> Option<ValueId> {
    let middle = only_operand(module, op)?;
    let source = only_operand(module, module.defined_by(middle, name)?)?;
    let [result] = module.op(op).results[..] else { return None };
    let element = |value| module.tensor(value).map(|ty| ty.element);
    let (from, through, to) = (element(source)?, element(middle)?, element(result)?);
    is_transparent(from, through, to).then_some(source)
}

/// Whether converting `from` to `to` directly equals converting through `through`.
fn is_transparent(from: Element, through: Element, to: Element) -> bool {
    // Conversions between integers keep the low bits.
    let bytes = |element: Element| element.is_integer() && element.bits() >= 8;
    if bytes(from) && bytes(through) && bytes(to) && to.bits() <= through.bits() {
        return true;
    }
    if !from.is_exact_in(through) {
        return false;
    }
    // A round trip, or a boolean: the number fits every type.
    if from == to || from == Element::Bool {
        return true;
    }
    // Conversions from integer to integer wrap, and from float saturate.
    if from.is_integer() && through.is_float() && to.is_integer() {
        return false;
    }
    // Wide integers reach a 16-bit float through f32, and f64 does not round them first.
    !(from.is_integer() && from.bits() > 16 && matches!(to, Element::F16 | Element::BF16))
}
