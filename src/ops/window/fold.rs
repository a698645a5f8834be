//! Windows with an arbitrary region: applies it to one window offset after the other, in row-major order.
//!
//! The specification leaves the order open; this is that of XLA's CPU backend. Each offset is one strided slice of
//! the padded operands. Few offsets are unrolled, many are a `Loop`.

use super::Window;
use crate::ir::{Dim, Dims, Element, OpId, RegionId, ValueId, onnx};
use crate::ops::reduce::pairs;
use crate::ops::{Lower, LowerError, Lowered};

/// More offsets become a loop.
const UNROLLED: i64 = 16;
/// Larger windows are refused: the loop has a table of all offsets.
const LARGEST: i64 = 1 << 16;

pub(super) fn lower(cx: &mut Lower, op: OpId, region: RegionId, window: &Window, out: &[Dim]) -> Lowered {
    let count = pairs(cx, op)?;
    if window.count() > LARGEST {
        let why = format!("a window of {} positions; up to {LARGEST} are supported", window.count());
        return Err(LowerError::form(why));
    }
    let vectorized = cx.vectorize_region(region, out)?;
    let interior: Vec<i64> = window.base.iter().map(|&base| base - 1).collect();
    let (mut padded, mut inits) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for index in 0..count {
        let (value, init) = (cx.full(op, index)?, cx.operand(op, count + index)?);
        let spread = cx.spread(value, &interior, init);
        padded.push(cx.pad(spread, &window.low, &window.high, init));
        inits.push(init);
    }
    if window.count() <= UNROLLED {
        return unroll(cx, vectorized, &padded, inits, window, out);
    }
    repeat(cx, vectorized, &padded, &inits, window, out)
}

fn unroll(
    cx: &mut Lower,
    region: RegionId,
    padded: &[ValueId],
    inits: Vec<ValueId>,
    window: &Window,
    out: &[Dim],
) -> Lowered {
    let reach = window.reach(&cx.module.dim_exprs, out);
    let mut state = inits;
    for number in 0..window.count() {
        let starts = window.offsets(number);
        let sizes = &cx.module.dim_exprs;
        let limits: Dims =
            starts.iter().zip(&reach).map(|(&start, &reach)| sizes.add(Dim::Known(start), reach)).collect();
        let mut arguments = state;
        for &value in padded {
            arguments.push(cx.slice(value, &starts, &limits, &window.strides));
        }
        state = cx.inline(region, &arguments)?;
    }
    Ok(state.into_iter().collect())
}

fn repeat(
    cx: &mut Lower,
    region: RegionId,
    padded: &[ValueId],
    inits: &[ValueId],
    window: &Window,
    out: &[Dim],
) -> Lowered {
    let rank = window.rank() as i64;
    let table: Vec<i64> = (0..window.count()).flat_map(|number| window.offsets(number)).collect();
    let table = cx.integers(Element::I64, &[window.count(), rank], &table);
    let (reach, strides) = (window.reach(&cx.module.dim_exprs, out), window.strides.clone());
    let axes: Vec<i64> = (0..rank).collect();
    let (reach, axes, strides) = (cx.shape(&reach), cx.int64s(&axes), cx.int64s(&strides));
    let state: Vec<_> = inits.iter().map(|&init| (cx.element(init), out.to_vec())).collect();
    let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
    arguments.extend(state.iter().cloned());
    let body = cx.graph(&arguments, |cx, values| {
        let starts = cx.node(onnx::GATHER, &[table, values[0]]).int("axis", 0).out(Element::I64, &[rank]);
        let limits = cx.elementwise(onnx::ADD, &[starts, reach]);
        let mut combined = values[2..].to_vec();
        for &value in padded {
            let element = cx.element(value);
            combined.push(cx.node(onnx::SLICE, &[value, starts, limits, axes, strides]).out(element, out));
        }
        let mut results = vec![values[1]];
        results.extend(cx.inline(region, &combined)?);
        Ok(results)
    })?;
    let mut operands = vec![cx.integer(Element::I64, window.count()), cx.always()];
    operands.extend(inits.iter().map(|&init| cx.broadcast_to(init, out)));
    Ok(cx.node(onnx::LOOP, &operands).region(body).outs(&state).into_iter().collect())
}
