//! Merges chains of ops that move elements.

use super::only_operand;
use crate::ir::{Attribute, Dim, Dims, Element, Module, OpId, OpName, ValueId, stablehlo};
use crate::ops::OpAttributes;

/// Rewrites the op in place to read its producer's operand.
pub(super) fn simplify(module: &mut Module, op: OpId) -> Option<()> {
    match module.op(op).name {
        stablehlo::RESHAPE => reshape(module, op),
        stablehlo::TRANSPOSE => transpose(module, op),
        stablehlo::BROADCAST_IN_DIM => broadcast(module, op),
        stablehlo::DYNAMIC_SLICE => dynamic_slice(module, op),
        stablehlo::SLICE => slice(module, op),
        _ => None,
    }
}

/// The sizes of a tensor if all are numbers or expressions.
fn sizes(module: &Module, value: ValueId) -> Option<Dims> {
    let ty = module.tensor(value).filter(|ty| ty.encoding.is_none() && ty.is_sized())?;
    Some(ty.dims.clone())
}

fn result(module: &Module, op: OpId) -> Option<ValueId> {
    match module.op(op).results[..] {
        [result] => Some(result),
        _ => None,
    }
}

/// A reshape of a reshape, and a reshape of a broadcast that only adds or removes dimensions of size 1.
fn reshape(module: &mut Module, op: OpId) -> Option<()> {
    let operand = only_operand(module, op)?;
    if let Some(inner) = module.defined_by(operand, stablehlo::RESHAPE) {
        let source = only_operand(module, inner)?;
        module.op_mut(op).operands[0] = source;
        return Some(());
    }
    let inner = module.defined_by(operand, stablehlo::BROADCAST_IN_DIM)?;
    let source = only_operand(module, inner)?;
    let dims = OpAttributes::of(module, inner).positions("broadcast_dimensions").ok()?;
    let (middle, outer) = (sizes(module, operand)?, sizes(module, result(module, op)?)?);
    let places = places_apart_from_ones(&middle, &outer)?;
    // A dimension of size 1 has no unique position, so no source dimension may map to it.
    let dims: Option<Vec<usize>> = dims.iter().map(|&dim| places.get(dim).copied().flatten()).collect();
    let dims = Attribute::positions(dims?);
    become_op(module, op, stablehlo::BROADCAST_IN_DIM, &[source], vec![("broadcast_dimensions", dims)]);
    Some(())
}

/// Maps the dimensions of `from` other than 1 to `to`, if they differ only in dimensions of size 1.
fn places_apart_from_ones(from: &[Dim], to: &[Dim]) -> Option<Vec<Option<usize>>> {
    let mut places = Vec::with_capacity(from.len());
    let mut rest = to.iter().enumerate().filter(|&(_, &size)| size != Dim::Known(1));
    for &size in from {
        if size == Dim::Known(1) {
            places.push(None);
            continue;
        }
        let (place, _) = rest.next().filter(|&(_, &other)| other == size)?;
        places.push(Some(place));
    }
    rest.next().is_none().then_some(places)
}

fn transpose(module: &mut Module, op: OpId) -> Option<()> {
    let inner = module.defined_by(only_operand(module, op)?, stablehlo::TRANSPOSE)?;
    let source = only_operand(module, inner)?;
    let first = OpAttributes::of(module, inner).positions("permutation").ok()?;
    let second = OpAttributes::of(module, op).positions("permutation").ok()?;
    let both: Option<Vec<usize>> = second.iter().map(|&axis| first.get(axis).copied()).collect();
    let both = Attribute::positions(both?);
    become_op(module, op, stablehlo::TRANSPOSE, &[source], vec![("permutation", both)]);
    Some(())
}

/// A broadcast of a broadcast, and a broadcast of a reshape that only adds dimensions of size 1.
fn broadcast(module: &mut Module, op: OpId) -> Option<()> {
    let operand = only_operand(module, op)?;
    let outer = OpAttributes::of(module, op).positions("broadcast_dimensions").ok()?;
    let (source, inner) = if let Some(inner) = module.defined_by(operand, stablehlo::BROADCAST_IN_DIM) {
        (
            only_operand(module, inner)?,
            OpAttributes::of(module, inner).positions("broadcast_dimensions").ok()?,
        )
    } else {
        let inner = module.defined_by(operand, stablehlo::RESHAPE)?;
        let source = only_operand(module, inner)?;
        (source, places_among_ones(&sizes(module, source)?, &sizes(module, operand)?)?)
    };
    let dims: Option<Vec<usize>> = inner.iter().map(|&dim| outer.get(dim).copied()).collect();
    let dims = Attribute::positions(dims?);
    become_op(module, op, stablehlo::BROADCAST_IN_DIM, &[source], vec![("broadcast_dimensions", dims)]);
    Some(())
}

/// Maps each dimension of `from` to `to`, if the others of `to` are 1.
fn places_among_ones(from: &[Dim], to: &[Dim]) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(from.len());
    for (place, &size) in to.iter().enumerate() {
        match from.get(places.len()) {
            Some(&own) if own == size => places.push(place),
            _ if size == Dim::Known(1) => {}
            _ => return None,
        }
    }
    (places.len() == from.len()).then_some(places)
}

/// A slice of one operand of a concatenation.
fn slice(module: &mut Module, op: OpId) -> Option<()> {
    let operand = only_operand(module, op)?;
    let inner = module.defined_by(operand, stablehlo::CONCATENATE)?;
    let axis = OpAttributes::of(module, inner).integer("dimension").ok()?;
    let axis = usize::try_from(axis).ok()?;
    let attributes = OpAttributes::of(module, op);
    let (mut starts, mut limits) =
        (attributes.integers("start_indices").ok()?, attributes.integers("limit_indices").ok()?);
    let (start, limit) = (*starts.get(axis)?, *limits.get(axis)?);
    let mut before = 0;
    for &part in &module.op(inner).operands {
        let size = module.tensor(part)?.dims.get(axis)?.known()?;
        if start >= before && limit <= before + size && start < limit {
            (starts[axis], limits[axis]) = (start - before, limit - before);
            module.op_mut(op).operands[0] = part;
            module.set_attribute(op, "start_indices", Attribute::Integers(Element::I64, starts.into()));
            module.set_attribute(op, "limit_indices", Attribute::Integers(Element::I64, limits.into()));
            return Some(());
        }
        before += size;
    }
    None
}

/// Turns a dynamic slice at constant indices into a `slice`, clamping the indices as specified.
fn dynamic_slice(module: &mut Module, op: OpId) -> Option<()> {
    let (&operand, indices) = module.op(op).operands.split_first()?;
    let whole = sizes(module, operand)?;
    let slice = OpAttributes::of(module, op).integers("slice_sizes").ok()?;
    if indices.len() != whole.len() || slice.len() != whole.len() {
        return None;
    }
    let mut starts = Vec::with_capacity(whole.len());
    for (&index, (&whole, &size)) in indices.iter().zip(whole.iter().zip(&slice)) {
        let unsigned = module.tensor(index)?.element == Element::U64;
        let [start] = module.known_integers(index)?[..] else { return None };
        let last = whole.known()?.checked_sub(size).filter(|&last| last >= 0)?;
        starts.push(if unsigned && start < 0 { last } else { start.clamp(0, last) });
    }
    let limits = starts.iter().zip(&slice).map(|(start, size)| start + size).collect();
    let list = |values: Vec<i64>| Attribute::Integers(Element::I64, values.into());
    let steps = vec![1; whole.len()];
    let attributes =
        vec![("start_indices", list(starts)), ("limit_indices", list(limits)), ("strides", list(steps))];
    become_op(module, op, stablehlo::SLICE, &[operand], attributes);
    Some(())
}

/// Turns the op in place into another with the same results. Replaces all attributes; discardable ones described the
/// old op.
fn become_op(
    module: &mut Module,
    op: OpId,
    name: OpName,
    operands: &[ValueId],
    attributes: Vec<(&str, Attribute)>,
) {
    let attributes = attributes.into_iter().map(|(key, value)| (module.symbols.intern(key), value)).collect();
    let changed = module.op_mut(op);
    changed.name = name;
    changed.operands = operands.iter().copied().collect();
    changed.attributes = attributes;
}
