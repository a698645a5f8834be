//! Cumulative reductions: windows as long as the dimension, padded so that they start or end at each element.

use super::Window;
use crate::ir::{Dim, Dims, Element, OpName, Size, ValueId, onnx};
use crate::ops::region::Combiner;
use crate::ops::{Lower, LowerError};

/// Longer float sums are computed in blocks,
const LONG: i64 = 4096;
/// of this size.
const BLOCK: i64 = 256;

/// The dimension of a cumulative window, and whether it runs from the end; `None` for other windows.
pub(super) fn axis(cx: &Lower, value: ValueId, window: &Window) -> Option<(usize, bool)> {
    let sizes = cx.dims(value);
    let mut long = (0..window.rank()).filter(|&axis| !window.is_trivial(axis));
    let (Some(axis), None) = (long.next(), long.next()) else { return None };
    let size = sizes[axis].known()?;
    if size < 2 || window.sizes[axis] != size {
        return None;
    }
    if (window.strides[axis], window.base[axis], window.dilations[axis]) != (1, 1, 1) {
        return None;
    }
    let reverse = match (window.low[axis], window.high[axis]) {
        (Dim::Known(low), Dim::Known(0)) if low == size - 1 => false,
        (Dim::Known(0), Dim::Known(high)) if high == size - 1 => true,
        _ => return None,
    };
    Some((axis, reverse))
}

/// The cumulative reduction along a dimension, reversed or not, without the initial value.
///
/// # Errors
/// Errors of [`double_in_loop`].
pub(super) fn total(
    cx: &mut Lower,
    combiner: Combiner,
    value: ValueId,
    axis: usize,
    reverse: bool,
) -> Result<ValueId, LowerError> {
    let is_boolean = cx.element(value) == Element::Bool;
    match (combiner, cx.dims(value)[axis]) {
        (Combiner::Add, _) if !is_boolean => Ok(sum(cx, value, axis, reverse)),
        (Combiner::Multiply, _) if !is_boolean && cx.opset() >= 26 => {
            Ok(running(cx, onnx::CUM_PROD, value, axis, reverse))
        }
        (_, Dim::Known(size)) => Ok(double(cx, combiner, value, axis, size, reverse)),
        _ => double_in_loop(cx, value, axis, reverse, |cx, first, second| {
            Ok(cx.combine(combiner, first, second))
        }),
    }
}

/// `CumSum` has kernels for `i32` and `i64`, which wrap, like the casts around it.
fn sum(cx: &mut Lower, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let element = cx.element(value);
    let wide = match element {
        Element::U32 | Element::U64 => Element::I64,
        narrow if narrow.is_integer() && narrow.bits() < 32 => Element::I32,
        other => other,
    };
    let widened = cx.cast(value, wide);
    let is_short = cx.module.dim_exprs.bounds(cx.dims(value)[axis]).1.is_some_and(|most| most <= LONG);
    let adds_up_errors = matches!(element, Element::F32 | Element::F16 | Element::BF16) && !is_short;
    let total = if adds_up_errors {
        in_blocks(cx, widened, axis, reverse)
    } else {
        running(cx, onnx::CUM_SUM, widened, axis, reverse)
    };
    cx.cast(total, element)
}

/// `CumSum` adds one element after the other, so the error grows with their number. Here it runs on blocks, and the
/// totals of earlier blocks are added.
fn in_blocks(cx: &mut Lower, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let (element, dims) = (cx.element(value), cx.dims(value));
    let (size, block) = (dims[axis], Dim::Known(BLOCK));
    let blocks = cx.module.dim_exprs.quotient_up(size, block);
    let whole = cx.module.dim_exprs.multiply(blocks, block);
    let mut padding = vec![Dim::Known(0); dims.len()];
    let none = padding.clone();
    padding[axis] = cx.module.dim_exprs.subtract(whole, size);
    let zero = cx.scalar(element, 0.0);
    let padded = cx.pad(value, &none, &padding, zero);
    let (mut even, mut split) = (dims.clone(), dims);
    even[axis] = whole;
    split[axis] = block;
    split.insert(axis, blocks);
    let split = cx.reshape(padded, &split);
    let within = running(cx, onnx::CUM_SUM, split, axis + 1, reverse);
    let end = if reverse { 0 } else { BLOCK - 1 };
    let totals = cx.span(within, axis + 1, end, end + 1);
    let place = cx.integer(Element::I64, axis as i64);
    let node = cx.node(onnx::CUM_SUM, &[totals, place]).int("exclusive", 1);
    let node = if reverse { node.int("reverse", 1) } else { node };
    let before = node.like(totals);
    let sums = cx.elementwise(onnx::ADD, &[within, before]);
    let sums = cx.reshape(sums, &even);
    cx.span(sums, axis, Dim::Known(0), size)
}

fn running(cx: &mut Lower, name: OpName, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let axis = cx.integer(Element::I64, axis as i64);
    let node = cx.node(name, &[value, axis]);
    let node = if reverse { node.int("reverse", 1) } else { node };
    node.like(value)
}

/// Combines each element with the one at distance 1, then 2, then 4, ..., until each has met all before it.
fn double(
    cx: &mut Lower,
    combiner: Combiner,
    value: ValueId,
    axis: usize,
    size: i64,
    reverse: bool,
) -> ValueId {
    let mut value = value;
    let mut distance = 1;
    while distance < size {
        let early = cx.span(value, axis, 0, size - distance);
        let late = cx.span(value, axis, distance, size);
        let combined = cx.combine(combiner, early, late);
        value = if reverse {
            let done = cx.span(value, axis, size - distance, size);
            cx.concat(&[combined, done], axis)
        } else {
            let done = cx.span(value, axis, 0, distance);
            cx.concat(&[done, combined], axis)
        };
        distance *= 2;
    }
    value
}

/// Like [`double`], along a symbolic dimension: a `Loop` over the distances.
///
/// # Errors
/// Errors of `combine`.
pub(super) fn double_in_loop(
    cx: &mut Lower,
    value: ValueId,
    axis: usize,
    reverse: bool,
    combine: impl FnOnce(&mut Lower, ValueId, ValueId) -> Result<ValueId, LowerError>,
) -> Result<ValueId, LowerError> {
    let (element, dims) = (cx.element(value), cx.dims(value));
    let (size, one) = (cx.size_scalar(dims[axis], Element::I64), cx.integer(Element::I64, 1));
    let mut places = cx.iota(Element::I64, 1, 0, dims[axis]);
    if reverse {
        // A negative index counts from the end. Others are out of range.
        places = cx.elementwise(onnx::SUB, &[places, size]);
    }
    let any = cx.elementwise_to(onnx::LESS, &[one, size], Element::Bool);
    let state = [(Element::I64, Vec::new()), (element, dims.to_vec())];
    let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
    arguments.extend(state.iter().cloned());
    let body = cx.graph(&arguments, |cx, values| {
        let (distance, value) = (values[2], values[3]);
        let move_by = if reverse { onnx::ADD } else { onnx::SUB };
        let place = cx.elementwise(move_by, &[places, distance]);
        // Out-of-range indices read any element, which is dropped.
        let other = cx.node(onnx::GATHER, &[value, place]).int("axis", axis as i64).out(element, &dims);
        let (zero, is_inside) =
            (cx.integer(Element::I64, 0), if reverse { onnx::LESS } else { onnx::GREATER_OR_EQUAL });
        let inside = cx.elementwise_to(is_inside, &[place, zero], Element::Bool);
        let mut along: Dims = std::iter::repeat_n(Dim::Known(1), dims.len() - axis).collect();
        along[0] = dims[axis];
        let inside = cx.reshape(inside, &along);
        let (first, second) = if reverse { (value, other) } else { (other, value) };
        let combined = combine(cx, first, second)?;
        let next = cx.node(onnx::WHERE, &[inside, combined, value]).out(element, &dims);
        let distance = cx.elementwise(onnx::ADD, &[distance, distance]);
        let more = cx.elementwise_to(onnx::LESS, &[distance, size], Element::Bool);
        Ok(vec![more, distance, next])
    })?;
    let operands = [cx.absent(), any, one, value];
    let results = cx.node(onnx::LOOP, &operands).region(body).outs(&state);
    results.get(1).copied().ok_or(LowerError::Reported)
}

impl Lower<'_> {
    /// Slices `from` to `to` along one dimension.
    pub fn span<S: Size>(&mut self, value: ValueId, axis: usize, from: S, to: S) -> ValueId {
        self.strided(value, axis, from, to, 1)
    }

    /// Slices `from`, `from + step`, ... before `to` along one dimension.
    pub fn strided<S: Size>(&mut self, value: ValueId, axis: usize, from: S, to: S, step: i64) -> ValueId {
        let mut limits = self.dims(value);
        let (mut starts, mut steps) = (vec![Dim::Known(0); limits.len()], vec![1; limits.len()]);
        (starts[axis], limits[axis], steps[axis]) = (from.into(), to.into(), step);
        self.slice(value, &starts, &limits, &steps)
    }
}
