//! `select_and_scatter`, the gradient of a max-pool: each window of the operand chooses an element, which gets the
//! window's element of the source.
//!
//! The window is gone through position by position in row-major order, each one strided slice of the padded operand.
//! The `select` region says whether the element chosen so far stays, so ties and NaN go as in XLA; padding is never
//! chosen. What is kept besides the element is how far it lies behind the window's start, which gives its place in
//! the operand, where one scatter combines the elements of the source that windows share.

use super::Window;
use crate::ir::{Dim, Dims, Element, OpId, ValueId};
use crate::ops::index::strides;
use crate::ops::scatter::{Rows, Write};
use crate::ops::{Lower, Lowered, Refusal};

/// Windows of more positions are refused: each makes a handful of ops.
const LARGEST: i64 = 512;

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let (select, scatter) = (cx.region(op, 0)?, cx.region(op, 1)?);
    let (element, sizes) = cx.result(op, 0)?;
    let out = cx.operand_sizes(op, 1)?;
    let init = cx.full(op, 2)?;
    let start = cx.broadcast_to(init, &sizes);
    if out.contains(&0) || sizes.contains(&0) {
        return Ok(start.into());
    }
    let window = Window::of(cx, op, sizes.len())?;
    if window.base.iter().chain(&window.dilations).any(|&dilation| dilation != 1) {
        return Err(Refusal::form("a dilated window"));
    }
    if !window.is_padded_by_numbers() {
        return Err(Refusal::Dynamic("the padding of a window".into()));
    }
    if window.count() > LARGEST {
        let why = format!("a window of {} positions; up to {LARGEST} are supported", window.count());
        return Err(Refusal::form(why));
    }
    let combiners = cx.named_combiners(scatter);
    let Some(&[combiner]) = combiners.as_deref() else {
        return Err(Refusal::form("a scatter region that is no single op"));
    };
    if (0..sizes.len()).any(|axis| !window.covers(axis, sizes[axis], out[axis])) {
        return Err(Refusal::form("a window that lies in the padding alone"));
    }
    let operand = cx.full(op, 0)?;
    let padding = cx.integer(element, 0);
    let padded = cx.pad(operand, &window.low, &window.high, padding);
    let region = cx.lift(select, &out)?;
    let strides: Vec<i64> =
        strides(&cx.module.sizes, &sizes).into_iter().map(|stride| cx.number(stride)).collect();
    let mut chosen: Option<Chosen> = None;
    for number in 0..window.count() {
        let offsets = window.offsets(number);
        let limits: Vec<i64> =
            (0..out.len()).map(|axis| offsets[axis] + (out[axis] - 1) * window.strides[axis] + 1).collect();
        let candidate = cx.slice(padded, &offsets, &limits, &window.strides);
        let inside = inside(cx, &window, &offsets, &sizes, &out);
        let distance = offsets.iter().zip(&strides).map(|(offset, stride)| offset * stride).sum();
        let distance = cx.integer(Element::I64, distance);
        chosen = Some(match chosen {
            None => Chosen { value: candidate, distance, found: inside },
            Some(chosen) => {
                let stays = cx.inline(region, &[chosen.value, candidate])?;
                let stays = *stays.first().ok_or(Refusal::Reported)?;
                chosen.next(cx, stays, candidate, distance, inside)
            }
        });
    }
    let Some(chosen) = chosen else { return Ok(start.into()) };
    // The window's start, as the number of the element that it would be without padding.
    let mut place = chosen.distance;
    for axis in 0..out.len() {
        let step = window.strides[axis] * strides[axis];
        let first = -window.low(axis) * strides[axis];
        let steps: Vec<i64> = (0..out[axis]).map(|index| first + index * step).collect();
        let mut along = vec![1; out.len()];
        along[axis] = out[axis];
        let steps = cx.integers(Element::I64, &along, &steps);
        place = cx.elementwise("Add", &[place, steps]);
    }
    let count: i64 = out.iter().product();
    let place = cx.broadcast_to(place, &out);
    let positions = cx.reshape(place, &[count]);
    let source = cx.full(op, 1)?;
    let updates = cx.reshape(source, &[count]);
    let rows = Rows { count: Dim::Known(sizes.iter().product()), inner: Dims::new() };
    let apart = (0..out.len()).all(|axis| window.sizes[axis] <= window.strides[axis]);
    let write = Write { positions, updates, combiner, distinct: apart };
    let result = cx.write_rows(start, &rows, &write)?;
    Ok(cx.reshape(result, &sizes).into())
}

/// What the windows have chosen so far.
struct Chosen {
    value: ValueId,
    /// How far behind the window's start it lies in the operand.
    distance: ValueId,
    /// Whether there is one; nothing where there always is.
    found: Option<ValueId>,
}

impl Chosen {
    fn next(
        self,
        cx: &mut Lower,
        stays: ValueId,
        value: ValueId,
        distance: ValueId,
        inside: Option<ValueId>,
    ) -> Self {
        // The chosen one stays where it does by the region and is one, and where the candidate is padding.
        let mut stays = stays;
        if let Some(found) = self.found {
            stays = cx.elementwise("And", &[stays, found]);
        }
        let mut found = None;
        if let Some(inside) = inside {
            stays = cx.formula([stays, inside], |[stays, inside]| stays | !inside);
            found = self.found.map(|before| cx.elementwise("Or", &[before, inside]));
        }
        let value = cx.formula([stays, self.value, value], |[stays, old, new]| stays.select(old, new));
        let distance =
            cx.formula([stays, self.distance, distance], |[stays, old, new]| stays.select(old, new));
        Self { value, distance, found }
    }
}

/// Where the element at these offsets in the windows is one of the operand's and no padding; nothing where it always
/// is. The value broadcasts to the windows.
fn inside(cx: &mut Lower, window: &Window, offsets: &[i64], sizes: &[i64], out: &[i64]) -> Option<ValueId> {
    let mut all: Option<ValueId> = None;
    for axis in 0..sizes.len() {
        let place = |index: i64| index * window.strides[axis] + offsets[axis] - window.low(axis);
        let inside: Vec<i64> =
            (0..out[axis]).map(|index| i64::from((0..sizes[axis]).contains(&place(index)))).collect();
        if inside.iter().all(|&inside| inside == 1) {
            continue;
        }
        let mut along = vec![1; sizes.len()];
        along[axis] = out[axis];
        let inside = cx.integers(Element::Bool, &along, &inside);
        all = Some(match all {
            None => inside,
            Some(others) => cx.elementwise("And", &[others, inside]),
        });
    }
    all
}

impl Window {
    /// Whether every window along the dimension has an element of the operand.
    fn covers(&self, axis: usize, size: i64, out: i64) -> bool {
        (0..out).all(|index| {
            let first = index * self.strides[axis] - self.low(axis);
            first < size && first + self.sizes[axis] > 0
        })
    }
}
