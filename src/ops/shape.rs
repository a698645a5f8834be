//! Ops that move elements: constants, broadcasts, reshapes, transposes, slices, pads.

use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{
    Attribute, Constant, Data, Dim, Dims, Element, OpId, SCALAR, ValueId, onnx, provenance, stablehlo,
};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, movement, rule, variadic};
use std::sync::Arc;

const MOVED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::INT4);

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::CONSTANT, rule(0, movement::constant), MOVED, constant)
        .note("a splat stays one element, and ONNX broadcasts it"),
    row(stablehlo::BROADCAST_IN_DIM, rule(1, movement::broadcast_in_dim), Elements::PLAIN, broadcast_in_dim)
        .note("dropped where ONNX broadcasts the users' operands"),
    row(stablehlo::CONCATENATE, variadic(1, Exactly(1), movement::concatenate), Elements::PLAIN, concatenate),
    row(stablehlo::IOTA, rule(0, movement::iota), Elements::PLAIN, iota)
        .note("a constant if short, else Range"),
    row(stablehlo::PAD, rule(2, movement::pad), Elements::PLAIN, pad)
        .note("interior padding by Reshape, Pad, Reshape"),
    row(stablehlo::RESHAPE, rule(1, movement::reshape), MOVED, reshape),
    row(stablehlo::REVERSE, rule(1, movement::reverse), Elements::PLAIN, reverse).note("Slice with step -1"),
    row(stablehlo::SLICE, rule(1, movement::slice), Elements::PLAIN, slice),
    row(stablehlo::TRANSPOSE, rule(1, movement::transpose), MOVED, transpose),
];

fn constant(cx: &mut Lower, op: OpId) -> Lowered {
    let Some(Attribute::Dense(id)) = cx.module.attribute(op, "value") else {
        return Err(LowerError::missing("value"));
    };
    let Constant { ty, data } = cx.module.constant(*id).clone();
    let (element, dims) = cx.result_dims(op, 0)?;
    // A weight is not merged with equal constants, so that it keeps its name.
    let is_weight = provenance::weight_name(cx.module, op).is_some();
    if let Data::Splat(bytes) = &data
        && !dims.contains(&Dim::Known(0))
    {
        if !is_weight {
            return Ok(cx.constant(element, &[], bytes).into());
        }
        let ty = cx.module.tensor_of(element, SCALAR);
        return Ok(cx.data_constant(Constant { ty, data: Data::Bytes(bytes.as_slice().into()) }).into());
    }
    let (_, sizes) = cx.result(op, 0)?;
    let value = match data {
        Data::Splat(_) => cx.data_constant(Constant { ty, data: Data::Bytes(Arc::from([])) }),
        Data::Bytes(bytes) if bytes.len() <= 64 && !is_weight => cx.constant(element, &sizes, &bytes),
        data => cx.data_constant(Constant { ty, data }),
    };
    Ok(value.into())
}

fn broadcast_in_dim(cx: &mut Lower, op: OpId) -> Lowered {
    let dims = cx.attributes(op).integers("broadcast_dimensions")?;
    let (_, sizes) = cx.result_dims(op, 0)?;
    let declared = cx.operand_dims(op, 0)?;
    let operand = cx.operand(op, 0)?;
    // A symbolic operand size may be 1, so only the runtime knows whether it is broadcast.
    let unsure = dims.iter().zip(&declared).any(|(&dim, &own)| {
        let whole = sizes[dim as usize];
        own != whole && own.known().is_none()
    });
    if unsure || sizes.contains(&Dim::Known(0)) {
        let operand = cx.ranked(operand, declared.len());
        let own = cx.dims(operand);
        let mut aligned: Dims = std::iter::repeat_n(Dim::Known(1), sizes.len()).collect();
        dims.iter().zip(own).for_each(|(&dim, size)| aligned[dim as usize] = size);
        let operand = cx.in_order(operand, &dims);
        let aligned = cx.reshape(operand, &aligned);
        return Ok(cx.broadcast_to(aligned, &sizes).into());
    }
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, declared.len());
    let own = cx.dims(operand);
    let mut aligned: Dims = std::iter::repeat_n(Dim::Known(1), sizes.len()).collect();
    dims.iter().zip(own).for_each(|(&dim, size)| aligned[dim as usize] = size);
    let sorted = cx.in_order(operand, &dims);
    Ok(cx.aligned(sorted, &aligned).into())
}

fn reshape(cx: &mut Lower, op: OpId) -> Lowered {
    if let Some(picked) = picked(cx, op)? {
        return Ok(picked.into());
    }
    let (_, sizes) = cx.result_dims(op, 0)?;
    let declared = cx.operand_dims(op, 0)?;
    let one = Dim::Known(1);
    if without_ones(&declared) != without_ones(&sizes) {
        let operand = cx.full(op, 0)?;
        return Ok(cx.reshape(operand, &sizes).into());
    }
    // Only dimensions of size 1 are added or removed, so the broadcast can still be delayed.
    let operand = cx.operand(op, 0)?;
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, declared.len());
    let own = cx.dims(operand);
    let mut kept = own.into_iter().zip(&declared).filter(|&(_, &size)| size != one).map(|(own, _)| own);
    let sizes: Dims =
        sizes.iter().map(|&size| if size == one { one } else { kept.next().unwrap_or(size) }).collect();
    Ok(cx.aligned(operand, &sizes).into())
}

/// One index of a dimension, which then goes: a Gather with a scalar index is faster than a Slice or a Gather and a Reshape,
/// unless it takes many single elements.
fn picked(cx: &mut Lower, op: OpId) -> Result<Option<ValueId>, LowerError> {
    const MANY: i64 = 1024;

    let (part, declared) = (cx.operand(op, 0)?, cx.operand_dims(op, 0)?);
    let (element, result) = cx.result_dims(op, 0)?;
    let Some((whole, axis, index)) = one_index(cx, part) else { return Ok(None) };
    let mut kept = cx.dims(whole);
    let size = kept.remove(axis);
    let count = kept.iter().try_fold(1i64, |count, dim| count.checked_mul(dim.known()?));
    let is_fast = axis < kept.len() || count.is_some_and(|count| count < MANY);
    // A scalar is usually concatenated again, unless the program itself picks it.
    let slice = cx.module.op(op).operands.first().and_then(|&operand| cx.module.defining_op(operand));
    let is_own = slice
        .is_some_and(|slice| matches!(cx.module.op(slice).name, stablehlo::SLICE | stablehlo::DYNAMIC_SLICE));
    let is_wanted = !without_ones(&kept).is_empty() || is_own && kept == result;
    let has_index = cx.dims(part) == declared && without_ones(&kept) == without_ones(&result) && is_wanted;
    if !has_index || !is_fast || result.contains(&Dim::Known(0)) || cx.module.constant_of(whole).is_some() {
        return Ok(None);
    }
    let index = match index {
        Index::Known(index) => cx.integer(Element::I64, index),
        Index::Computed(index) => cx.reshape(index, SCALAR),
    };
    // Without the dimensions of size 1 that a Reshape added, no Reshape follows.
    let (mut from, mut place) = (whole, axis);
    if let Some([before, _]) = cx.module.defining_operands(whole, onnx::RESHAPE)
        && let Some(own) =
            (0..=result.len()).find(|&own| without_ones(&result[..own]) == without_ones(&kept[..axis]))
    {
        let mut dims = result.clone();
        dims.insert(own, size);
        if cx.dims(before) == dims {
            (from, place, kept) = (before, own, result.clone());
        }
    }
    let picked = cx.node(onnx::GATHER, &[from, index]).int("axis", place as i64).out(element, &kept);
    Ok(Some(cx.reshape(picked, &result)))
}

/// An index along a dimension.
enum Index {
    Known(i64),
    Computed(ValueId),
}

/// The value of which another is the part at one index of a dimension, and the dimension.
fn one_index(cx: &Lower, part: ValueId) -> Option<(ValueId, usize, Index)> {
    let op = cx.module.defining_op(part)?;
    match (cx.module.op(op).name, &cx.module.op(op).operands[..]) {
        (onnx::SLICE, &[whole, starts, _, axes]) => {
            let (&[start], &[axis]) = (&cx.known_integers(starts)?[..], &cx.known_integers(axes)?[..]) else {
                return None;
            };
            let axis = usize::try_from(axis).ok()?;
            (cx.dims(part)[axis] == Dim::Known(1)).then_some((whole, axis, Index::Known(start)))
        }
        (onnx::GATHER, &[whole, indices]) => {
            let axis = usize::try_from(cx.attributes(op).integer("axis").ok()?).ok()?;
            let is_one = cx.dims(indices)[..] == [Dim::Known(1)];
            is_one.then_some((whole, axis, Index::Computed(indices)))
        }
        _ => None,
    }
}

/// The dimensions other than 1.
fn without_ones(dims: &[Dim]) -> Dims {
    dims.iter().copied().filter(|&dim| dim != Dim::Known(1)).collect()
}

fn transpose(cx: &mut Lower, op: OpId) -> Lowered {
    let permutation = cx.attributes(op).integers("permutation")?;
    let operand = cx.operand(op, 0)?;
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, permutation.len());
    Ok(cx.transpose(operand, &permutation).into())
}

fn slice(cx: &mut Lower, op: OpId) -> Lowered {
    if let Some(sliced) = slice_of_reverse(cx, op)? {
        return Ok(sliced.into());
    }
    let (starts, limits, steps) = slice_attributes(cx, op)?;
    let operand = cx.full(op, 0)?;
    Ok(cx.slice(operand, &starts, &limits, &steps).into())
}

/// The starts, limits and steps of a slice.
fn slice_attributes(cx: &Lower, op: OpId) -> Result<(Dims, Dims, Vec<i64>), LowerError> {
    let attributes = cx.attributes(op);
    Ok((
        attributes.sizes("start_indices")?,
        attributes.sizes("limit_indices")?,
        attributes.integers("strides")?,
    ))
}

/// Merges a reversal and a slice of its result into one slice with a negative step.
fn slice_of_reverse(cx: &mut Lower, op: OpId) -> Result<Option<ValueId>, LowerError> {
    let operand = cx.module.op(op).operands.first().copied();
    let Some(reverse) = operand.and_then(|operand| cx.module.defined_by(operand, stablehlo::REVERSE)) else {
        return Ok(None);
    };
    let (mut starts, mut limits, mut steps) = slice_attributes(cx, op)?;
    let (whole, (_, part)) = (cx.operand_dims(op, 0)?, cx.result_dims(op, 0)?);
    for axis in cx.attributes(reverse).positions("dimensions")? {
        let (Some(size), Some(start), Some(count)) =
            (whole[axis].known(), starts[axis].known(), part[axis].known().filter(|&count| count > 0))
        else {
            return Ok(None);
        };
        let last = size - 1 - (start + (count - 1) * steps[axis]);
        (starts[axis], limits[axis], steps[axis]) =
            (Dim::Known(size - 1 - start), Dim::Known(last - 1), -steps[axis]);
    }
    let operand = cx.full(reverse, 0)?;
    Ok(Some(cx.slice(operand, &starts, &limits, &steps)))
}

fn reverse(cx: &mut Lower, op: OpId) -> Lowered {
    let reversed = cx.attributes(op).integers("dimensions")?;
    if let Some(sliced) = reverse_of_slice(cx, op, &reversed)? {
        return Ok(sliced.into());
    }
    let operand = cx.full(op, 0)?;
    Ok(cx.reverse(operand, &reversed).into())
}

/// Merges a slice and its reversal, as `x[::-2]` prints, into one slice with a negative step.
fn reverse_of_slice(cx: &mut Lower, op: OpId, reversed: &[i64]) -> Result<Option<ValueId>, LowerError> {
    let operand = cx.module.op(op).operands.first().copied();
    let slice = operand.and_then(|operand| cx.module.defining_op(operand));
    let Some(slice) = slice.filter(|&op| cx.module.op(op).name == stablehlo::SLICE) else {
        return Ok(None);
    };
    let (mut starts, mut limits, mut steps) = slice_attributes(cx, slice)?;
    let (_, counts) = cx.result_dims(slice, 0)?;
    for axis in reversed.iter().map(|&dimension| dimension as usize) {
        let (first, step, sizes) = (starts[axis], steps[axis], &cx.module.dim_exprs);
        let before_first = sizes.subtract(first, Dim::Known(1));
        let is_down_to_end = !sizes.is_at_least(before_first, 0);
        // The start must not be before the first element, and an empty operand has no last element.
        let is_first = sizes.is_at_least(sizes.subtract(Dim::Known(step - 1), first), 0);
        if is_down_to_end && !is_first || !sizes.is_at_least(counts[axis], 1) {
            return Ok(None);
        }
        let steps_up = sizes.multiply(sizes.subtract(counts[axis], Dim::Known(1)), Dim::Known(step));
        starts[axis] = sizes.add(first, steps_up);
        limits[axis] = if is_down_to_end { Dim::Known(-1) } else { before_first };
        steps[axis] = -step;
    }
    let operand = cx.full(slice, 0)?;
    Ok(Some(cx.slice(operand, &starts, &limits, &steps)))
}

fn concatenate(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.attributes(op).integer("dimension")? as usize;
    let mut operands = cx.fulls(op)?;
    // Empty operands can be dropped, except for the last one.
    let empty = operands[0];
    operands.retain(|&operand| cx.dims(operand)[axis] != Dim::Known(0));
    if operands.is_empty() {
        return Ok(empty.into());
    }
    Ok(cx.stack_or_concat(&operands, axis).into())
}

fn iota(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.attributes(op).integer("iota_dimension")? as usize;
    let (element, sizes) = cx.result_dims(op, 0)?;
    let count = cx.iota(element, sizes.len(), axis, sizes[axis]);
    let value = if sizes.contains(&Dim::Known(0)) { cx.broadcast_to(count, &sizes) } else { count };
    Ok(value.into())
}

/// Interior padding of `n` inserts `n` elements between neighbors: splits the dimension into `[size, 1]`, pads the
/// inner one to `1 + n`, merges both, and crops the last `n` elements.
fn pad(cx: &mut Lower, op: OpId) -> Lowered {
    let (low, high) =
        (cx.attributes(op).sizes("edge_padding_low")?, cx.attributes(op).sizes("edge_padding_high")?);
    let interior = cx.attributes(op).integers("interior_padding")?;
    let (operand, padding) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let spread = cx.spread(operand, &interior, padding);
    Ok(cx.pad(spread, &low, &high, padding).into())
}

impl Lower<'_> {
    /// Concatenates the operands. If a Reshape gave each of them the dimension, as `jnp.stack` prints it, the values before
    /// those Reshapes are concatenated, and one Reshape follows.
    pub fn stack_or_concat(&mut self, operands: &[ValueId], axis: usize) -> ValueId {
        self.stacked(operands, axis).unwrap_or_else(|| self.concat(operands, axis))
    }

    fn stacked(&mut self, operands: &[ValueId], axis: usize) -> Option<ValueId> {
        let mut dims = self.dims(operands[0]);
        let is_single = |&operand: &ValueId| self.dims(operand)[axis] == Dim::Known(1);
        if operands.len() < 2 || dims.contains(&Dim::Known(0)) || !operands.iter().all(is_single) {
            return None;
        }
        let part =
            |&operand: &ValueId| self.module.defining_operands(operand, onnx::RESHAPE).map(|[part, _]| part);
        let parts: Vec<ValueId> = operands.iter().map(part).collect::<Option<_>>()?;
        // Then a Reshape for each stays: canonicalization merges it with the one before it.
        if parts.iter().all(|&part| self.module.defined_by(part, onnx::RESHAPE).is_some()) {
            return None;
        }
        let own = self.dims(parts[0]);
        let mut without = dims.clone();
        without.remove(axis);
        if without_ones(&own) != without_ones(&without) || parts.iter().any(|&part| self.dims(part) != own) {
            return None;
        }
        // Elements before the new dimension come before the dimension along which the parts are joined.
        let place = (0..own.len()).find(|&place| without_ones(&own[..place]) == without_ones(&dims[..axis]));
        let place = if own == without { (axis < own.len()).then_some(axis) } else { place }?;
        dims[axis] = Dim::Known(parts.len() as i64);
        let joined = self.concat(&parts, place);
        Some(self.reshape(joined, &dims))
    }

    /// Permutes the value's dimensions to the order of their targets.
    fn in_order(&mut self, value: ValueId, dims: &[i64]) -> ValueId {
        let mut order: Vec<i64> = (0..dims.len() as i64).collect();
        order.sort_by_key(|&index| dims[index as usize]);
        self.transpose(value, &order)
    }

    /// Reshapes a value to sizes that differ only in dimensions of size 1, for broadcasting. Leading ones need no op,
    /// because ONNX aligns shapes at the end.
    fn aligned(&mut self, value: ValueId, sizes: &[Dim]) -> ValueId {
        let leading = |dims: &[Dim]| dims.iter().take_while(|&&dim| dim == Dim::Known(1)).count();
        let own = self.dims(value);
        let wanted = &sizes[leading(sizes)..];
        if own.len() <= sizes.len() && own[leading(&own)..] == *wanted {
            return value;
        }
        self.reshape(value, wanted)
    }

    /// Reverses the value along these dimensions.
    pub fn reverse(&mut self, value: ValueId, dimensions: &[i64]) -> ValueId {
        let mut limits = self.dims(value);
        let mut starts: Dims = std::iter::repeat_n(Dim::Known(0), limits.len()).collect();
        let mut steps = vec![1; starts.len()];
        for &dimension in dimensions {
            let axis = dimension as usize;
            if !matches!(limits[axis], Dim::Known(0 | 1)) {
                starts[axis] = self.module.dim_exprs.subtract(limits[axis], Dim::Known(1));
                (limits[axis], steps[axis]) = (Dim::Known(-1), -1);
            }
        }
        self.slice(value, &starts, &limits, &steps)
    }

    /// Inserts `interior[i]` elements of `padding` between neighbors of dimension `i`.
    pub fn spread(&mut self, value: ValueId, interior: &[i64], padding: ValueId) -> ValueId {
        let mut value = value;
        for (axis, &amount) in interior.iter().enumerate() {
            let dims = self.dims(value);
            if amount == 0 || matches!(dims[axis], Dim::Known(0 | 1)) {
                continue;
            }
            let mut split = dims.clone();
            split.insert(axis + 1, Dim::Known(1));
            let apart = self.reshape(value, &split);
            let mut high = vec![0; split.len()];
            high[axis + 1] = amount;
            let padded = self.pad(apart, &vec![0; split.len()], &high, padding);
            let mut joined = dims.clone();
            joined[axis] = self.module.dim_exprs.multiply(dims[axis], Dim::Known(1 + amount));
            let joined_value = self.reshape(padded, &joined);
            let mut limits = joined.clone();
            limits[axis] = self.module.dim_exprs.subtract(joined[axis], Dim::Known(amount));
            value = self.slice(joined_value, &vec![0; joined.len()], &limits, &vec![1; joined.len()]);
        }
        value
    }
}
