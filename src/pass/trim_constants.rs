//! Removes leading dimensions of size 1 from constants that are broadcast.
//!
//! JAX adds a bias in the rank of the value, `[1, 1, N]`. ONNX aligns shapes at their ends, and runtimes recognize a
//! bias, and the patterns that it is part of, in the shape `[N]`. A constant that another op reads keeps its shape, so
//! that the model stores its elements once. At least one dimension is left, because that of a bias may have size 1.
//!
//! A constant without elements gets one: ONNX Runtime up to 1.26 fails to load an elementwise op with such a constant.

use super::Context;
use crate::ir::{Attribute, Class, Constant, Data, Dim, Dims, Module, OpId, ValueId, onnx};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Runs the pass.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    let mut readers: FxHashMap<ValueId, Vec<OpId>> = FxHashMap::default();
    let mut constants = Vec::new();
    for op in module.reachable_ops() {
        if module.op(op).name == onnx::CONSTANT {
            let value = module.op(op).results[0];
            if leading(module, value) > 0 || is_empty(module, value) {
                readers.insert(value, Vec::new());
                constants.push(op);
            }
        }
        for operand in &module.op(op).operands {
            if let Some(readers) = readers.get_mut(operand) {
                readers.push(op);
            }
        }
    }
    // Each check sees the shapes that the earlier constants have now: one operand of an op keeps the rank.
    for op in constants {
        let value = module.op(op).results[0];
        if readers[&value].iter().all(|&reader| has_larger_operand(module, reader, value)) {
            trim(module, op, value);
        }
    }
}

/// How many leading dimensions can be removed.
fn leading(module: &Module, value: ValueId) -> usize {
    let dims = module.tensor(value).map_or(&[][..], |ty| &ty.dims);
    let ones = dims.iter().take_while(|&&dim| dim == Dim::Known(1)).count();
    ones.min(dims.len().saturating_sub(1))
}

fn is_empty(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|ty| ty.count() == Some(0))
}

/// Whether an op broadcasts a value, and the result has the rank of another operand, or its sizes if the value is empty.
fn has_larger_operand(module: &Module, op: OpId, value: ValueId) -> bool {
    let rank = |value: ValueId| module.tensor(value).map_or(0, |ty| ty.rank());
    let operation = module.op(op);
    // The bounds of a Clip are scalars.
    let broadcasts = operation.name.class() == Class::Elementwise && operation.name != onnx::CLIP;
    let is_larger = |other: ValueId| {
        if is_empty(module, value) {
            module.tensor(other).map(|ty| &ty.dims) == module.tensor(value).map(|ty| &ty.dims)
        } else {
            rank(other) >= rank(value)
        }
    };
    broadcasts && operation.operands.iter().any(|&other| other != value && is_larger(other))
}

fn trim(module: &mut Module, op: OpId, value: ValueId) {
    let Some(id) = module.constant_of(value) else { return };
    let Some(ty) = module.tensor(value).cloned() else { return };
    let (kept, data) = if is_empty(module, value) {
        (SmallVec::from_elem(Dim::Known(1), 1), Data::Splat(SmallVec::from_elem(0, ty.element.bytes())))
    } else {
        (Dims::from(&ty.dims[leading(module, value)..]), module.constant(id).data.clone())
    };
    let ty = module.tensor_of(ty.element, &kept);
    let constant = module.add_constant(Constant { ty, data });
    module.set_attribute(op, "value", Attribute::Dense(constant));
    module.value_mut(value).ty = ty;
}
