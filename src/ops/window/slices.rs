//! Windows of named ops without a pool: strided slices combined one dimension after the other.

use super::{Window, reach};
use crate::ir::{Dim, OpId, ValueId};
use crate::ops::region::Combiner;
use crate::ops::{Lower, LowerError};

/// Windows up to this size take one slice per element; longer ones double.
const SHORT: i64 = 8;

/// The windows, without the initial value.
pub(super) fn lower(
    cx: &mut Lower,
    op: OpId,
    combiner: Combiner,
    value: ValueId,
    neutral: ValueId,
    window: &Window,
) -> Result<ValueId, LowerError> {
    let interior: Vec<i64> = window.base.iter().map(|&base| base - 1).collect();
    let spread = cx.spread(value, &interior, neutral);
    let mut value = cx.pad(spread, &window.low, &window.high, neutral);
    for axis in 0..window.rank() {
        value = along(cx, op, combiner, value, window, axis)?;
    }
    Ok(value)
}

fn along(
    cx: &mut Lower,
    op: OpId,
    combiner: Combiner,
    value: ValueId,
    window: &Window,
    axis: usize,
) -> Result<ValueId, LowerError> {
    let mut sizes = cx.dims(value);
    let (size, stride) = (window.sizes[axis], window.strides[axis]);
    if Dim::Known(size) == sizes[axis] && window.dilations[axis] == 1 {
        let reduced = cx.reduce_elements(combiner, value, &[axis as i64], op)?;
        sizes[axis] = Dim::Known(1);
        return Ok(cx.reshape(reduced, &sizes));
    }
    let known = &cx.module.dim_exprs;
    let beyond =
        known.quotient(known.subtract(sizes[axis], Dim::Known(window.extent(axis))), Dim::Known(stride));
    let reach = reach(known, known.add(beyond, Dim::Known(1)), stride);
    if size > SHORT {
        let every = double(cx, combiner, value, window, axis);
        return Ok(cx.strided(every, axis, Dim::Known(0), reach, stride));
    }
    let slice = |cx: &mut Lower, position: i64| {
        let from = Dim::Known(position * window.dilations[axis]);
        let to = cx.module.dim_exprs.add(from, reach);
        cx.strided(value, axis, from, to, stride)
    };
    let first = slice(cx, 0);
    Ok((1..size).fold(first, |combined, position| {
        let next = slice(cx, position);
        cx.combine(combiner, combined, next)
    }))
}

/// The windows at every position: those of 1, 2, 4, ... elements are computed from each other, and combined to the
/// window's size.
fn double(cx: &mut Lower, combiner: Combiner, value: ValueId, window: &Window, axis: usize) -> ValueId {
    let dilation = window.dilations[axis];
    let pair = |cx: &mut Lower, first: ValueId, first_size: i64, second: ValueId| {
        // Positions whose second window is inside.
        let shift = first_size * dilation;
        let (first_places, second_places) = (cx.dims(first)[axis], cx.dims(second)[axis]);
        let (sizes, shift) = (&cx.module.dim_exprs, Dim::Known(shift));
        let places = sizes.smaller(sizes.subtract(second_places, shift), first_places);
        let end = sizes.add(shift, places);
        let first = cx.span(first, axis, Dim::Known(0), places);
        let second = cx.span(second, axis, shift, end);
        cx.combine(combiner, first, second)
    };
    let mut rest = window.sizes[axis];
    let (mut power, mut power_size) = (value, 1);
    let mut total: Option<(ValueId, i64)> = None;
    loop {
        if rest % 2 == 1 {
            total = Some(match total {
                None => (power, power_size),
                Some((value, size)) => (pair(cx, value, size, power), size + power_size),
            });
        }
        rest /= 2;
        if rest == 0 {
            return total.map_or(value, |(value, _)| value);
        }
        power = pair(cx, power, power_size, power);
        power_size *= 2;
    }
}
