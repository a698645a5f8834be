//! Ops that arrange elements: constants, broadcasts, reshapes, transposes, slices, pads.

use super::{Elements, Lower, Lowered, Refusal, Row, noted, row};
use crate::ir::{Attribute, Constant, Data, OpId, ValueId};
use std::sync::Arc;

const MOVED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::NIBBLE);

pub(super) const ROWS: &[Row] = &[
    noted("stablehlo.constant", MOVED, constant, "a splat stays one element, which ONNX broadcasts"),
    noted(
        "stablehlo.broadcast_in_dim",
        Elements::PLAIN,
        broadcast_in_dim,
        "left to ONNX's own broadcasting where the users allow it",
    ),
    row("stablehlo.concatenate", Elements::PLAIN, concatenate),
    noted("stablehlo.iota", Elements::PLAIN, iota, "a constant when it is short, else Range"),
    noted("stablehlo.pad", Elements::PLAIN, pad, "interior padding interleaves by Reshape, Pad, Reshape"),
    row("stablehlo.reshape", MOVED, reshape),
    noted("stablehlo.reverse", Elements::PLAIN, reverse, "Slice with step -1"),
    row("stablehlo.slice", Elements::PLAIN, slice),
    row("stablehlo.transpose", MOVED, transpose),
];

fn constant(cx: &mut Lower, op: OpId) -> Lowered {
    let Some(Attribute::Dense(id)) = cx.module.attribute(op, "value") else {
        return Err(Refusal::Missing("value"));
    };
    let Constant { ty, data } = cx.module.constant(*id).clone();
    let (element, sizes) = cx.result(op, 0)?;
    let value = match data {
        Data::Splat(bytes) if !sizes.contains(&0) => cx.constant(element, &[], &bytes),
        Data::Splat(_) => cx.data_constant(Constant { ty, data: Data::Bytes(Arc::from([])) }),
        Data::Bytes(bytes) if bytes.len() <= 64 => cx.constant(element, &sizes, &bytes),
        data => cx.data_constant(Constant { ty, data }),
    };
    Ok(value.into())
}

fn broadcast_in_dim(cx: &mut Lower, op: OpId) -> Lowered {
    let dims = cx.ints(op, "broadcast_dimensions")?;
    let (_, sizes) = cx.result(op, 0)?;
    let operand_rank = cx.operand_type(op, 0)?.rank();
    let operand = cx.operand(op, 0)?;
    if sizes.contains(&0) {
        let operand = cx.ranked(operand, operand_rank);
        let own = cx.sizes(operand);
        let mut aligned = vec![1; sizes.len()];
        dims.iter().zip(own).for_each(|(&dim, size)| aligned[dim as usize] = size);
        let aligned = cx.reshape(operand, &aligned);
        return Ok(cx.broadcast_to(aligned, &sizes).into());
    }
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, operand_rank);
    let mut order: Vec<i64> = (0..dims.len() as i64).collect();
    order.sort_by_key(|&index| dims[index as usize]);
    let sorted = cx.transpose(operand, &order);
    let own = cx.sizes(sorted);
    let mut aligned = vec![1; sizes.len()];
    order.iter().zip(own).for_each(|(&index, size)| aligned[dims[index as usize] as usize] = size);
    Ok(cx.aligned(sorted, &aligned).into())
}

fn reshape(cx: &mut Lower, op: OpId) -> Lowered {
    let (_, sizes) = cx.result(op, 0)?;
    let declared = cx.operand_sizes(op, 0)?;
    let compact = |sizes: &[i64]| sizes.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    if compact(&declared) != compact(&sizes) {
        let operand = cx.full(op, 0)?;
        return Ok(cx.reshape(operand, &sizes).into());
    }
    // Only dimensions of size 1 come or go, so a value that waits for its broadcast can go on waiting.
    let operand = cx.operand(op, 0)?;
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, declared.len());
    let own = cx.sizes(operand);
    let mut kept = own.into_iter().zip(&declared).filter(|&(_, &size)| size != 1).map(|(own, _)| own);
    let sizes: Vec<i64> =
        sizes.iter().map(|&size| if size == 1 { 1 } else { kept.next().unwrap_or(size) }).collect();
    Ok(cx.aligned(operand, &sizes).into())
}

fn transpose(cx: &mut Lower, op: OpId) -> Lowered {
    let permutation = cx.ints(op, "permutation")?;
    let operand = cx.operand(op, 0)?;
    if cx.rank(operand) == 0 {
        return Ok(operand.into());
    }
    let operand = cx.ranked(operand, permutation.len());
    Ok(cx.transpose(operand, &permutation).into())
}

fn slice(cx: &mut Lower, op: OpId) -> Lowered {
    let (starts, limits, steps) =
        (cx.ints(op, "start_indices")?, cx.ints(op, "limit_indices")?, cx.ints(op, "strides")?);
    let operand = cx.full(op, 0)?;
    Ok(cx.slice(operand, &starts, &limits, &steps).into())
}

fn reverse(cx: &mut Lower, op: OpId) -> Lowered {
    let reversed = cx.ints(op, "dimensions")?;
    let operand = cx.full(op, 0)?;
    Ok(cx.reverse(operand, &reversed).into())
}

fn concatenate(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.int(op, "dimension")? as usize;
    let mut operands = cx.fulls(op)?;
    // An operand without elements adds nothing, but one must be left.
    let (element, sizes) = cx.result(op, 0)?;
    operands.retain(|&operand| cx.sizes(operand)[axis] != 0);
    if operands.is_empty() {
        return Ok(cx.constant(element, &sizes, &[]).into());
    }
    Ok(cx.concat(&operands, axis).into())
}

fn iota(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.int(op, "iota_dimension")? as usize;
    let (element, sizes) = cx.result(op, 0)?;
    let count = cx.iota(element, sizes.len(), axis, sizes[axis]);
    let value = if sizes.contains(&0) { cx.broadcast_to(count, &sizes) } else { count };
    Ok(value.into())
}

/// Interior padding of `n` puts `n` elements between each two: the dimension is split into `[size, 1]`, the inner
/// one padded to `1 + n`, the two joined again, and the `n` elements behind the last cut off.
fn pad(cx: &mut Lower, op: OpId) -> Lowered {
    let (low, high) = (cx.ints(op, "edge_padding_low")?, cx.ints(op, "edge_padding_high")?);
    let interior = cx.ints(op, "interior_padding")?;
    let (operand, padding) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let spread = cx.spread(operand, &interior, padding);
    Ok(cx.pad(spread, &low, &high, padding).into())
}

impl Lower<'_> {
    /// A value that broadcasts as one of these sizes does, which differ from its own in dimensions of size 1 only.
    /// Leading ones need no op, as ONNX aligns shapes at their ends.
    fn aligned(&mut self, value: ValueId, sizes: &[i64]) -> ValueId {
        let leading = |sizes: &[i64]| sizes.iter().take_while(|&&size| size == 1).count();
        let own = self.sizes(value);
        let wanted = &sizes[leading(sizes)..];
        if own.len() <= sizes.len() && own[leading(&own)..] == *wanted {
            return value;
        }
        self.reshape(value, wanted)
    }

    /// The value with its elements in reverse order along these dimensions.
    pub fn reverse(&mut self, value: ValueId, dimensions: &[i64]) -> ValueId {
        let mut starts = vec![0; self.rank(value)];
        let mut limits = self.sizes(value);
        let mut steps = vec![1; starts.len()];
        for &dimension in dimensions {
            let axis = dimension as usize;
            if limits[axis] > 1 {
                (starts[axis], limits[axis], steps[axis]) = (limits[axis] - 1, -1, -1);
            }
        }
        self.slice(value, &starts, &limits, &steps)
    }

    /// The value with `interior[i]` elements of `padding` between each two of dimension `i`.
    pub fn spread(&mut self, value: ValueId, interior: &[i64], padding: ValueId) -> ValueId {
        let mut value = value;
        for (axis, &amount) in interior.iter().enumerate() {
            let sizes = self.sizes(value);
            if amount == 0 || sizes[axis] <= 1 {
                continue;
            }
            let mut split = sizes.clone();
            split.insert(axis + 1, 1);
            let apart = self.reshape(value, &split);
            let mut high = vec![0; split.len()];
            high[axis + 1] = amount;
            let padded = self.pad(apart, &vec![0; split.len()], &high, padding);
            let mut joined = sizes.clone();
            joined[axis] = sizes[axis] * (1 + amount);
            let joined_value = self.reshape(padded, &joined);
            let mut limits = joined.clone();
            limits[axis] -= amount;
            value = self.slice(joined_value, &vec![0; joined.len()], &limits, &vec![1; joined.len()]);
        }
        value
    }
}
