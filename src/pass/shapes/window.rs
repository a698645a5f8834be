//! A slice of a known size at a place that is computed: `real_dynamic_slice(x, start, start + sizes)` is a
//! `dynamic_slice`. JAX prints the former wherever any dimension of `x` is symbolic.

use crate::ir::{Attribute, Element, NewOp, OpId, Rewriter, SCALAR, TensorType, Type, TypeId, ValueId};
use smallvec::smallvec;

/// Rewrites the op in place, with the scalars of the start before it.
///
/// A start that is out of range is undefined in the one and clamped in the other.
pub(super) fn fix(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let module = &rewriter.module;
    if module.op_name(op) != "stablehlo.real_dynamic_slice" {
        return None;
    }
    let &[operand, start, limit, strides] = module.op(op).operands.as_slice() else { return None };
    if !known(rewriter, strides)?.iter().all(|&stride| stride == 1) {
        return None;
    }
    let sum = module.defining_op(limit).filter(|&sum| module.op_name(sum) == "stablehlo.add")?;
    let sizes = match *module.op(sum).operands.as_slice() {
        [left, right] if left == start => known(rewriter, right)?,
        [left, right] if right == start => known(rewriter, left)?,
        _ => return None,
    };
    let element = module.tensor(start)?.element;
    let mut operands = smallvec![operand];
    for axis in 0..sizes.len() as i64 {
        operands.push(scalar(rewriter, op, start, element, axis));
    }
    let name = rewriter.module.symbols.intern("stablehlo.dynamic_slice");
    let key = rewriter.module.symbols.intern("slice_sizes");
    let changed = rewriter.module.op_mut(op);
    changed.name = name;
    changed.operands = operands;
    changed.attributes = vec![(key, list(&sizes))];
    Some(())
}

fn known(rewriter: &Rewriter, value: ValueId) -> Option<Vec<i64>> {
    rewriter.module.constant_integers(rewriter.module.constant_of(value)?)
}

/// One element of a list, as a scalar.
fn scalar(rewriter: &mut Rewriter, user: OpId, from: ValueId, element: Element, index: i64) -> ValueId {
    let types = &mut rewriter.module.types;
    let one = types.intern(Type::Tensor(TensorType::of(element, &[1])));
    let none = types.intern(Type::Tensor(TensorType::of(element, SCALAR)));
    let places =
        [("start_indices", list(&[index])), ("limit_indices", list(&[index + 1])), ("strides", list(&[1]))];
    let picked = insert(rewriter, user, "stablehlo.slice", from, one, &places);
    insert(rewriter, user, "stablehlo.reshape", picked, none, &[])
}

fn insert(
    rewriter: &mut Rewriter,
    user: OpId,
    name: &str,
    operand: ValueId,
    ty: TypeId,
    attributes: &[(&str, Attribute)],
) -> ValueId {
    let module = &mut rewriter.module;
    let attributes =
        attributes.iter().map(|(key, value)| (module.symbols.intern(key), value.clone())).collect();
    let new = NewOp {
        name: module.symbols.intern(name),
        operands: smallvec![operand],
        result_types: smallvec![ty],
        attributes,
        regions: smallvec![],
        span: module.span(user),
        location: module.op_location(user),
    };
    let op = rewriter.insert(new);
    rewriter.module.op(op).results[0]
}

fn list(values: &[i64]) -> Attribute {
    Attribute::Integers(Element::I64, values.into())
}
