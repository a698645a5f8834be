//! Identities and chains of ONNX ops.

use super::{Simplified, conversion, integers_attribute, only_operand, positions, producer};
use crate::ir::{Module, OpId, ValueId};

/// What becomes of an op after lowering.
pub(super) fn simplify(module: &mut Module, op: OpId) -> Simplified {
    match module.op_name(op) {
        "onnx.Identity" => identity(module, op),
        "onnx.Cast" => match identity(module, op) {
            Simplified::No => conversion::join(module, op, "onnx.Cast"),
            done => done,
        },
        "onnx.Reshape" => reshape(module, op),
        "onnx.Transpose" => transpose(module, op),
        "onnx.Expand" => identity(module, op),
        _ => Simplified::No,
    }
}

/// The first operand, when it has the type of the result and all its sizes are known.
fn identity(module: &Module, op: OpId) -> Simplified {
    let operation = module.op(op);
    let (Some(&operand), [result]) = (operation.operands.first(), &operation.results[..]) else {
        return Simplified::No;
    };
    let is_same = module.value_type(operand) == module.value_type(*result)
        && module.tensor(operand).is_some_and(|ty| ty.is_static());
    if is_same { Simplified::To(operand) } else { Simplified::No }
}

/// A size of 0 in the shape copies the operand's own (ONNX, Reshape), which another operand would not have.
fn has_no_copied_size(module: &Module, shape: ValueId) -> bool {
    let sizes = module.constant_of(shape).and_then(|id| module.constant_integers(id));
    sizes.is_some_and(|sizes| !sizes.contains(&0))
}

fn reshape(module: &mut Module, op: OpId) -> Simplified {
    if let Simplified::To(operand) = identity(module, op) {
        return Simplified::To(operand);
    }
    let [operand, shape] = module.op(op).operands[..] else { return Simplified::No };
    let Some(inner) = producer(module, operand, "onnx.Reshape") else { return Simplified::No };
    let Some(&source) = module.op(inner).operands.first() else { return Simplified::No };
    if !has_no_copied_size(module, shape) {
        return Simplified::No;
    }
    module.op_mut(op).operands[0] = source;
    Simplified::Changed
}

fn transpose(module: &mut Module, op: OpId) -> Simplified {
    let Some(second) = positions(module, op, "perm") else { return Simplified::No };
    if second.iter().copied().eq(0..second.len()) {
        return identity(module, op);
    }
    let joined = only_operand(module, op).and_then(|operand| {
        let inner = producer(module, operand, "onnx.Transpose")?;
        let first = positions(module, inner, "perm")?;
        let both: Option<Vec<usize>> = second.iter().map(|&axis| first.get(axis).copied()).collect();
        Some((only_operand(module, inner)?, both?))
    });
    let Some((source, both)) = joined else { return Simplified::No };
    let name = module.symbols.intern("perm");
    let changed = module.op_mut(op);
    changed.operands[0] = source;
    changed.attributes.retain(|(key, _)| *key != name);
    changed.attributes.push((name, integers_attribute(both)));
    Simplified::Changed
}
