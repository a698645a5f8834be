//! `chlo.ragged_dot`: matrix products whose rows come in groups with one matrix each.
//!
//! Group lengths are data, so it multiplies each row by every group's matrix and keeps the matching product. Rows
//! after the last group are zero.

use crate::ir::{Dim, Element, OpId, ValueId, onnx};
use crate::ops::attributes::RaggedDimensions;
use crate::ops::{DotDimensionNumbers, Lower, LowerError, Lowered};

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let pairs = DotDimensionNumbers::read(cx.module, op)?;
    let RaggedDimensions { lhs_ragged_dimension: ragged, rhs_group_dimensions: group } =
        RaggedDimensions::read(cx.module, op)?;
    let (element, sizes) = cx.result_dims(op, 0)?;
    if !element.is_float() {
        return Err(LowerError::form("integers"));
    }
    if cx.operand_dims(op, 2)?.len() != 1 {
        return Err(LowerError::form("groups that differ between batches"));
    }
    let (lhs_sizes, rhs_sizes) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, 1)?);
    let zero = cx.scalar(element, 0.0);
    if [&sizes, &lhs_sizes, &rhs_sizes].iter().any(|sizes| sizes.contains(&Dim::Known(0))) {
        return Ok(cx.broadcast_to(zero, &sizes).into());
    }
    let (lhs, rhs) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let (lhs, rhs) = (cx.cast(lhs, element), cx.cast(rhs, element));
    let lengths = cx.full(op, 2)?;
    let is_contracting = pairs.contracting.iter().any(|&(left, _)| left == ragged);
    let is_batch = pairs.batching.iter().any(|&(left, _)| left == ragged);
    let result = match (group.as_slice(), is_contracting, is_batch) {
        (&[group], false, false) => rows(cx, lhs, rhs, &pairs, (ragged, group), lengths),
        ([], true, false) => sums(cx, lhs, rhs, &pairs, ragged, lengths),
        // The groups are along the batch, which no product crosses.
        ([], false, true) => cx.contract(lhs, rhs, &pairs),
        _ => {
            return Err(LowerError::form("a group dimension requires a ragged row dimension"));
        }
    };
    Ok(result.into())
}

/// Whether index `i` of `size` is in group `g`: `[groups, size]`.
fn members(cx: &mut Lower, lengths: ValueId, size: Dim) -> ValueId {
    let groups = cx.dims(lengths)[0];
    let lengths = cx.cast(lengths, Element::I64);
    let axis = cx.integer(Element::I64, 0);
    let ends = cx.node(onnx::CUM_SUM, &[lengths, axis]).like(lengths);
    let column = [groups, Dim::Known(1)];
    let (ends, lengths) = (cx.reshape(ends, &column), cx.reshape(lengths, &column));
    let places = cx.iota(Element::I64, 2, 1, size);
    cx.formula([ends, lengths, places], |[ends, lengths, places]| {
        places.less(ends) & places.greater_equal(ends - lengths)
    })
}

/// The ragged dimension is in the result: sums each row's products over the groups, with zeros for other groups.
fn rows(
    cx: &mut Lower,
    lhs: ValueId,
    rhs: ValueId,
    pairs: &DotDimensionNumbers,
    (ragged, group): (usize, usize),
    lengths: ValueId,
) -> ValueId {
    let element = cx.element(lhs);
    let products = cx.contract(lhs, rhs, pairs);
    let batch = pairs.batching.len();
    let row = batch + pairs.lhs_free(ragged).len();
    let of_group = batch + pairs.lhs_free(cx.rank(lhs)).len() + pairs.rhs_free(group).len();
    let mut sizes = cx.dims(products);
    let members = members(cx, lengths, sizes[row]);
    // The rows come before the groups.
    let members = cx.transpose(members, &[1, 0]);
    let mut aligned = vec![Dim::Known(1); sizes.len()];
    (aligned[row], aligned[of_group]) = (sizes[row], sizes[of_group]);
    let members = cx.reshape(members, &aligned);
    let kept = cx.formula([members, products], |[members, products]| members.select(products, 0.0));
    sizes.remove(of_group);
    let axes = cx.int64s(&[of_group as i64]);
    cx.node(onnx::REDUCE_SUM, &[kept, axes]).int("keepdims", 0).out(element, &sizes)
}

/// The ragged dimension is contracted: each group sums over its own elements, in a leading dimension of the result.
fn sums(
    cx: &mut Lower,
    lhs: ValueId,
    rhs: ValueId,
    pairs: &DotDimensionNumbers,
    ragged: usize,
    lengths: ValueId,
) -> ValueId {
    let size = cx.dims(lhs)[ragged];
    let members = members(cx, lengths, size);
    let groups = cx.dims(members)[0];
    let other = pairs.contracting.iter().find(|pair| pair.0 == ragged).map_or(0, |pair| pair.1);
    let mut masked = |value: ValueId, dim: usize| {
        let mut aligned = vec![Dim::Known(1); cx.rank(value) + 1];
        (aligned[0], aligned[dim + 1]) = (groups, size);
        let members = cx.reshape(members, &aligned);
        cx.formula([members, value], |[members, value]| members.select(value, 0.0))
    };
    let (lhs, rhs) = (masked(lhs, ragged), masked(rhs, other));
    let shifted = |pairs: &[(usize, usize)]| pairs.iter().map(|&(a, b)| (a + 1, b + 1)).collect::<Vec<_>>();
    let mut batching = shifted(&pairs.batching);
    batching.insert(0, (0, 0));
    let pairs = DotDimensionNumbers { batching, contracting: shifted(&pairs.contracting) };
    cx.contract(lhs, rhs, &pairs)
}
