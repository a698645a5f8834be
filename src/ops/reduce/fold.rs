//! Reductions with an arbitrary region: applies it to one element after the other.
//!
//! The specification leaves the order open, which matters for regions that are not associative. This is the order of
//! XLA on the CPU, except that XLA splits more than 32 elements. Few elements are unrolled, many become a `Scan`.

use super::{kept, pairs};
use crate::ir::{Dim, OpId, RegionId, ValueId, onnx};
use crate::ops::{Lower, LowerError, Lowered};

/// Up to this many elements are unrolled.
const UNROLLED: i64 = 8;

pub(super) fn lower(cx: &mut Lower, op: OpId, region: RegionId, dimensions: &[i64]) -> Lowered {
    let count = pairs(cx, op)?;
    let sizes = cx.operand_dims(op, 0)?;
    let kept = kept(&sizes, dimensions);
    let vectorized = cx.vectorize_region(region, &kept)?;
    let mut inits = Vec::with_capacity(count);
    for index in 0..count {
        inits.push(cx.operand(op, count + index)?);
    }
    let length = cx.count_along(&sizes, dimensions);
    if length == Dim::Known(0) || kept.contains(&Dim::Known(0)) {
        return Ok(inits.into_iter().map(|init| cx.broadcast_to(init, &kept)).collect());
    }
    let mut rows = Vec::with_capacity(count);
    for index in 0..count {
        let value = cx.full(op, index)?;
        rows.push(cx.rows_first(value, dimensions));
    }
    if length == Dim::Known(1) {
        // Like XLA, which assumes that the initial value is neutral.
        return Ok(rows.into_iter().map(|value| cx.reshape(value, &kept)).collect());
    }
    if let Dim::Known(length) = length
        && length <= UNROLLED
    {
        return unroll(cx, vectorized, &rows, inits, length, &kept);
    }
    scan(cx, vectorized, &rows, &inits, &kept)
}

fn unroll(
    cx: &mut Lower,
    region: RegionId,
    rows: &[ValueId],
    inits: Vec<ValueId>,
    length: i64,
    kept: &[Dim],
) -> Lowered {
    let mut state = inits;
    for row in 0..length {
        let mut arguments = state;
        for &value in rows {
            let element = cx.rows(value, row, row + 1);
            arguments.push(cx.reshape(element, kept));
        }
        state = cx.inline(region, &arguments)?;
    }
    Ok(state.into_iter().collect())
}

fn scan(cx: &mut Lower, region: RegionId, rows: &[ValueId], inits: &[ValueId], kept: &[Dim]) -> Lowered {
    let state: Vec<_> = inits.iter().map(|&init| (cx.element(init), kept.to_vec())).collect();
    let arguments: Vec<_> = state.iter().chain(&state).cloned().collect();
    let body = cx.graph(&arguments, |cx, values| cx.inline(region, values))?;
    let mut operands: Vec<ValueId> = inits.iter().map(|&init| cx.broadcast_to(init, kept)).collect();
    operands.extend_from_slice(rows);
    let inputs = i64::try_from(rows.len()).map_err(|_| LowerError::form("too many operands"))?;
    let results = cx.node(onnx::SCAN, &operands).int("num_scan_inputs", inputs).region(body).outs(&state);
    Ok(results.into_iter().collect())
}
