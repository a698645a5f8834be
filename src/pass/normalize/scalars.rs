//! Turns scalars into rank-0 tensors, and type `index` into 64-bit integers.
//!
//! StableHLO has only tensors. Front ends mix in ops of `arith`, `tensor` and `shape`, which compute sizes as
//! scalars.

use crate::ir::{
    Attribute, Constant, Dialect, Dim, Element, Module, OpId, SCALAR, TensorType, Type, TypeId, ValueId,
};

/// The dialects with scalar ops.
const DIALECTS: [Dialect; 3] = [Dialect::Arith, Dialect::Shape, Dialect::Tensor];

/// Changes the types of all values in functions that use these dialects.
pub(super) fn become_tensors(module: &mut Module) {
    let bodies: Vec<_> = module.functions().map(|id| module.function(id).body).collect();
    let of_dialect = |op: OpId| DIALECTS.contains(&module.dialect(op));
    if !module.ops_within(bodies.iter().copied()).any(of_dialect) {
        return;
    }
    for value in module.values_within(bodies.iter().copied()) {
        convert(module, value);
    }
    let ops: Vec<OpId> = module.ops_within(bodies).collect();
    ops.into_iter().for_each(|op| convert_literal(module, op));
}

fn convert(module: &mut Module, value: ValueId) {
    let ty = tensor(module, module.value_type(value));
    module.value_mut(value).ty = ty;
}

/// The literal of a constant has the type of its result.
fn convert_literal(module: &mut Module, op: OpId) {
    let value = module.symbols.find("value");
    let place = module.op(op).attributes.iter().position(|(key, _)| Some(*key) == value);
    let Some(place) = place else { return };
    let Attribute::Dense(id) = module.op(op).attributes[place].1 else { return };
    let Constant { ty, data } = module.constant(id).clone();
    let converted = tensor(module, ty);
    if converted != ty {
        let constant = module.add_constant(Constant { ty: converted, data });
        module.op_mut(op).attributes[place].1 = Attribute::Dense(constant);
    }
}

/// The tensor type for a type.
fn tensor(module: &mut Module, ty: TypeId) -> TypeId {
    let numbers = |element: Element| if element == Element::Index { Element::I64 } else { element };
    match module.types.get(ty).clone() {
        Type::Scalar(element) => module.tensor_of(numbers(element), SCALAR),
        Type::Tensor(tensor) if tensor.element == Element::Index => {
            module.types.intern(Type::Tensor(TensorType { element: Element::I64, ..tensor }))
        }
        Type::Opaque(name) => match module.symbols.get(name) {
            "!shape.shape" => module.tensor_of(Element::I64, &[Dim::Dynamic]),
            "!shape.size" => module.tensor_of(Element::I64, SCALAR),
            "!shape.witness" => module.tensor_of(Element::Bool, SCALAR),
            _ => ty,
        },
        _ => ty,
    }
}
