//! Recognizes slices at computed indices: `real_dynamic_slice(x, start, start + sizes)` is a `dynamic_slice`. JAX
//! prints the former if any dimension of `x` is symbolic.

use super::symbols::SymbolOrigins;
use super::values::ShapeValues;
use crate::ir::{
    Attribute, Dim, Dims, Element, Module, OpId, Rewriter, SCALAR, TensorType, Type, ValueId, stablehlo,
};
use smallvec::smallvec;

/// Rewrites the op in place, after inserting the scalar start indices.
///
/// Out-of-range starts are undefined in `real_dynamic_slice` and clamped in `dynamic_slice`.
pub(super) fn fix(
    rewriter: &mut Rewriter,
    op: OpId,
    values: &mut ShapeValues,
    origins: &mut SymbolOrigins,
) -> Option<()> {
    let module = &mut *rewriter.module;
    if module.op(op).name != stablehlo::REAL_DYNAMIC_SLICE {
        return None;
    }
    let &[operand, start, limit, strides] = module.op(op).operands.as_slice() else { return None };
    let strides = values.of(module, strides)?;
    let follows_from_sizes = values.of(module, start).is_some_and(|start| !start.contains(&Dim::Dynamic));
    if follows_from_sizes || strides.iter().any(|&stride| stride != Dim::Known(1)) {
        return None;
    }
    let element = module.tensor(start)?.element;
    let (starts, limits) = (values.trace(module, origins, start)?, values.trace(module, origins, limit)?);
    let sizes: Dims =
        starts.iter().zip(&limits).map(|(&start, &limit)| module.dim_exprs.subtract(limit, start)).collect();
    if sizes.iter().any(|&size| !origins.is_of_sizes(module, size)) {
        return None;
    }
    let start = unclamped(module, values, operand, start, &sizes).unwrap_or(start);
    let mut operands = smallvec![operand];
    for axis in 0..sizes.len() as i64 {
        operands.push(scalar(rewriter, op, start, element, axis));
    }
    let key = rewriter.module.symbols.intern("slice_sizes");
    let changed = rewriter.module.op_mut(op);
    changed.name = stablehlo::DYNAMIC_SLICE;
    changed.operands = operands;
    changed.attributes = vec![(key, Attribute::of_sizes(&sizes))];
    Some(())
}

/// The start before clamping it to valid windows, which a `dynamic_slice` does itself.
fn unclamped(
    module: &Module,
    values: &ShapeValues,
    operand: ValueId,
    start: ValueId,
    sizes: &[Dim],
) -> Option<ValueId> {
    let [low, start, high] = module.defining_operands(start, stablehlo::CLAMP)?;
    let dims = &module.tensor(operand)?.dims;
    let (low, high) = (values.of(module, low)?, values.of(module, high)?);
    let furthest = dims.iter().zip(sizes).map(|(&dim, &size)| module.dim_exprs.subtract(dim, size));
    let is_same = low.iter().all(|&low| low == Dim::Known(0)) && furthest.eq(high);
    is_same.then_some(start)
}

/// One element of a list, as a scalar.
fn scalar(rewriter: &mut Rewriter, user: OpId, from: ValueId, element: Element, index: i64) -> ValueId {
    let part = part(rewriter.module, from, index);
    let types = &mut rewriter.module.types;
    let one = types.intern(Type::Tensor(TensorType::of(element, &[1])));
    let none = types.intern(Type::Tensor(TensorType::of(element, SCALAR)));
    if let Some(part) = part {
        return rewriter.create(stablehlo::RESHAPE, &[part]).at_op(user).of(none);
    }
    let places =
        [("start_indices", list(&[index])), ("limit_indices", list(&[index + 1])), ("strides", list(&[1]))];
    let picked = rewriter.create(stablehlo::SLICE, &[from]).at_op(user).attrs(places).of(one);
    rewriter.create(stablehlo::RESHAPE, &[picked]).at_op(user).of(none)
}

/// The one-element list in a concatenation that contains this element.
fn part(module: &Module, list: ValueId, index: i64) -> Option<ValueId> {
    let op = module.defined_by(list, stablehlo::CONCATENATE)?;
    let parts = &module.op(op).operands;
    let single = |&part: &ValueId| module.tensor(part).is_some_and(|ty| ty.count() == Some(1));
    if !parts.iter().all(single) {
        return None;
    }
    parts.get(usize::try_from(index).ok()?).copied()
}

fn list(values: &[i64]) -> Attribute {
    Attribute::Integers(Element::I64, values.into())
}
