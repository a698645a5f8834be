//! Running totals: a window as long as the dimension, which padding lets begin, or end, at each element.

use super::Window;
use crate::ir::{Dim, Element, OpId, RegionId, Size, ValueId};
use crate::ops::region::Combiner;
use crate::ops::{Lower, Lowered, Refusal};

/// Running sums of more floats go through blocks,
const LONG: i64 = 4096;
/// of this size.
const BLOCK: i64 = 256;

/// The running totals, without the initial value; `None` when the window is another one.
pub(super) fn lower(cx: &mut Lower, combiner: Combiner, value: ValueId, window: &Window) -> Option<ValueId> {
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
    let element = cx.element(value);
    Some(match combiner {
        Combiner::Add if element != Element::Bool => sum(cx, value, axis, reverse),
        Combiner::Multiply if element != Element::Bool && cx.opset() >= 26 => {
            running(cx, "CumProd", value, axis, reverse)
        }
        _ => double(cx, combiner, value, axis, size, reverse),
    })
}

/// The running totals along a dimension of symbolic size, which a window of symbolic size has to be.
pub(super) fn symbolic(cx: &mut Lower, op: OpId, region: RegionId) -> Lowered {
    let other = || Refusal::form("a window of symbolic size that is not a running sum");
    let sizes = cx.size_list(op, "window_dimensions")?;
    let padding = cx.size_list(op, "padding")?;
    for name in ["window_strides", "base_dilations", "window_dilations"] {
        if cx.optional_ints(op, name)?.is_some_and(|all| all.iter().any(|&number| number != 1)) {
            return Err(other());
        }
    }
    let dims = cx.operand_dims(op, 0)?;
    let mut long = (0..sizes.len()).filter(|&axis| sizes[axis] != Dim::Known(1));
    let (Some(axis), None) = (long.next(), long.next()) else { return Err(other()) };
    if dims.len() != sizes.len() || padding.len() != 2 * dims.len() || sizes[axis] != dims[axis] {
        return Err(other());
    }
    let (zero, rest) = (Dim::Known(0), cx.module.sizes.subtract(dims[axis], Dim::Known(1)));
    let around = (0..padding.len()).filter(|&place| place / 2 != axis);
    if around.into_iter().any(|place| padding[place] != zero) {
        return Err(other());
    }
    let reverse = match (padding[2 * axis], padding[2 * axis + 1]) {
        (low, high) if (low, high) == (rest, zero) => false,
        (low, high) if (low, high) == (zero, rest) => true,
        _ => return Err(other()),
    };
    let combiners = cx.named_combiners(region).ok_or_else(other)?;
    let &[combiner] = combiners.as_slice() else { return Err(other()) };
    let (value, init) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let boolean = cx.element(value) == Element::Bool;
    let total = match combiner {
        Combiner::Add if !boolean => sum(cx, value, axis, reverse),
        Combiner::Multiply if !boolean && cx.opset() >= 26 => running(cx, "CumProd", value, axis, reverse),
        _ => return Err(other()),
    };
    Ok(cx.combine_init(combiner, init, total).into())
}

/// `CumSum` has kernels for `i32` and `i64`, which wrap, as do the casts round it.
fn sum(cx: &mut Lower, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let element = cx.element(value);
    let wide = match element {
        Element::U32 | Element::U64 => Element::I64,
        narrow if narrow.is_integer() && narrow.bits() < 32 => Element::I32,
        other => other,
    };
    let widened = cx.cast(value, wide);
    let is_short = cx.module.sizes.bounds(cx.dims(value)[axis]).1.is_some_and(|most| most <= LONG);
    let adds_up_errors = matches!(element, Element::F32 | Element::F16 | Element::BF16) && !is_short;
    let total = if adds_up_errors {
        in_blocks(cx, widened, axis, reverse)
    } else {
        running(cx, "CumSum", widened, axis, reverse)
    };
    cx.cast(total, element)
}

/// `CumSum` adds one element after the other, and the error grows with their number. Here it runs through blocks, and
/// the totals of the blocks before are added to each.
fn in_blocks(cx: &mut Lower, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let (element, dims) = (cx.element(value), cx.dims(value));
    let (size, block) = (dims[axis], Dim::Known(BLOCK));
    let blocks = cx.module.sizes.quotient_up(size, block);
    let whole = cx.module.sizes.multiply(blocks, block);
    let mut padding = vec![Dim::Known(0); dims.len()];
    let none = padding.clone();
    padding[axis] = cx.module.sizes.subtract(whole, size);
    let zero = cx.scalar(element, 0.0);
    let padded = cx.pad(value, &none, &padding, zero);
    let (mut even, mut split) = (dims.clone(), dims);
    even[axis] = whole;
    split[axis] = block;
    split.insert(axis, blocks);
    let split = cx.reshape(padded, &split);
    let within = running(cx, "CumSum", split, axis + 1, reverse);
    let end = if reverse { 0 } else { BLOCK - 1 };
    let totals = cx.span(within, axis + 1, end, end + 1);
    let place = cx.integer(Element::I64, axis as i64);
    let node = cx.node("CumSum", &[totals, place]).int("exclusive", 1);
    let node = if reverse { node.int("reverse", 1) } else { node };
    let before = node.like(totals);
    let sums = cx.elementwise("Add", &[within, before]);
    let sums = cx.reshape(sums, &even);
    cx.span(sums, axis, Dim::Known(0), size)
}

fn running(cx: &mut Lower, name: &'static str, value: ValueId, axis: usize, reverse: bool) -> ValueId {
    let axis = cx.integer(Element::I64, axis as i64);
    let node = cx.node(name, &[value, axis]);
    let node = if reverse { node.int("reverse", 1) } else { node };
    node.like(value)
}

/// Combines each element with the one at distance 1, then 2, then 4 ..., after which each has met all before it.
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

impl Lower<'_> {
    /// The elements `from` to `to` of one dimension.
    pub fn span<S: Size>(&mut self, value: ValueId, axis: usize, from: S, to: S) -> ValueId {
        self.strided(value, axis, from, to, 1)
    }

    /// The elements `from`, `from + step` ... before `to` of one dimension.
    pub fn strided<S: Size>(&mut self, value: ValueId, axis: usize, from: S, to: S, step: i64) -> ValueId {
        let mut limits = self.dims(value);
        let (mut starts, mut steps) = (vec![Dim::Known(0); limits.len()], vec![1; limits.len()]);
        (starts[axis], limits[axis], steps[axis]) = (from.into(), to.into(), step);
        self.slice(value, &starts, &limits, &steps)
    }
}
