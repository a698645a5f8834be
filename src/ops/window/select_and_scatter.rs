//! `select_and_scatter`, the gradient of a max-pool: each window of the operand selects an element, which gets the
//! window's element of the source.
//!
//! Goes through the window's offsets in row-major order, each as one strided slice of the padded operand. The
//! `select` region decides whether the selected element stays, so ties and NaN behave as in XLA; padding is never
//! selected. Besides the element, keeps its offset from the window's start. One scatter then combines the source
//! elements at the selected positions. If the operand has symbolic sizes, it keeps the number of the offset, and
//! looks it up in a table.

use super::Window;
use crate::ir::{Dim, DimExprs, Dims, Element, OpId, ValueId, onnx};
use crate::ops::scatter::{RowUpdate, RowView};
use crate::ops::start_indices::{StridedAxis, strides};
use crate::ops::{Lower, LowerError, Lowered, WindowDimension};

/// Larger windows are refused: each offset creates several ops.
const LARGEST: i64 = 512;

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let (select, scatter) = (cx.region(op, 0)?, cx.region(op, 1)?);
    let (element, sizes) = cx.result_dims(op, 0)?;
    let out = cx.operand_dims(op, 1)?;
    let init = cx.full(op, 2)?;
    if out.contains(&Dim::Known(0)) || sizes.contains(&Dim::Known(0)) {
        return Ok(cx.broadcast_to(init, &sizes).into());
    }
    let rows = RowView { count: cx.module.dim_exprs.product(sizes.iter().copied()), inner: Dims::new() };
    let start = cx.broadcast_to(init, &rows.sizes());
    let dimensions = WindowDimension::read(cx.module, op, sizes.len())?;
    let window = Window::in_numbers(&dimensions)
        .ok_or_else(|| LowerError::Dynamic("the size or stride of a window".into()))?;
    if window.base.iter().chain(&window.dilations).any(|&dilation| dilation != 1) {
        return Err(LowerError::form("a dilated window"));
    }
    if !window.is_padded_by_numbers() {
        return Err(LowerError::Dynamic("the padding of a window".into()));
    }
    if window.count() > LARGEST {
        let why = format!("a window of {} positions; up to {LARGEST} are supported", window.count());
        return Err(LowerError::form(why));
    }
    let combiners = cx.named_combiners(scatter);
    let Some(&[combiner]) = combiners.as_deref() else {
        return Err(LowerError::form("a scatter region that is not a single op"));
    };
    if (0..sizes.len()).any(|axis| !window.covers(&cx.module.dim_exprs, axis, sizes[axis], out[axis])) {
        return Err(LowerError::form("a window that covers only padding"));
    }
    let operand = cx.full(op, 0)?;
    let padding = cx.integer(element, 0);
    let padded = cx.pad(operand, &window.low, &window.high, padding);
    let region = cx.vectorize_region(select, &out)?;
    let strides = strides(&cx.module.dim_exprs, &sizes);
    let distances = Distances::of(cx, &window, &strides);
    let reach = window.reach(&cx.module.dim_exprs, &out);
    let mut chosen: Option<Chosen> = None;
    for number in 0..window.count() {
        let offsets = window.offsets(number);
        let known = &cx.module.dim_exprs;
        let limits: Dims = offsets
            .iter()
            .zip(&reach)
            .map(|(&offset, &reach)| known.add(Dim::Known(offset), reach))
            .collect();
        let candidate = cx.slice(padded, &offsets, &limits, &window.strides);
        let inside = inside(cx, &window, &offsets, &sizes, &out);
        let distance = distances.kept(cx, number);
        chosen = Some(match chosen {
            None => Chosen { value: candidate, distance, found: inside },
            Some(chosen) => {
                let stays = cx.inline(region, &[chosen.value, candidate])?;
                let stays = *stays.first().ok_or(LowerError::Reported)?;
                chosen.next(cx, stays, candidate, distance, inside)
            }
        });
    }
    let Some(chosen) = chosen else { return Ok(cx.reshape(start, &sizes).into()) };
    let distance = distances.looked_up(cx, chosen.distance);
    let place = places(cx, &window, distance, &strides, &out);
    let count = cx.module.dim_exprs.product(out.iter().copied());
    let positions = cx.reshape(place, &[count]);
    let source = cx.full(op, 1)?;
    let updates = cx.reshape(source, &[count]);
    let apart = (0..out.len()).all(|axis| window.sizes[axis] <= window.strides[axis]);
    let write = RowUpdate { positions, updates, combiner, distinct: apart };
    let result = cx.write_rows(start, &rows, &write)?;
    Ok(cx.reshape(result, &sizes).into())
}

/// The flat offsets of the window's elements from its start.
enum Distances {
    Numbers(Vec<i64>),
    /// A list of them, indexed by the number of the offset.
    Table(ValueId),
}

impl Distances {
    fn of(cx: &mut Lower, window: &Window, strides: &[Dim]) -> Self {
        let offsets = (0..window.count()).map(|number| window.offsets(number));
        let numbers: Option<Vec<i64>> = strides.iter().map(|stride| stride.known()).collect();
        if let Some(strides) = numbers {
            let distance = |offsets: Vec<i64>| offsets.iter().zip(&strides).map(|(a, b)| a * b).sum();
            return Self::Numbers(offsets.map(distance).collect());
        }
        let axes: Vec<usize> = (0..window.rank()).filter(|&axis| window.sizes[axis] > 1).collect();
        if axes.is_empty() {
            return Self::Numbers(vec![0; window.count() as usize]);
        }
        let (rows, columns) = (window.count(), axes.len() as i64);
        let offsets: Vec<i64> =
            offsets.flat_map(|offsets| axes.iter().map(|&axis| offsets[axis]).collect::<Vec<_>>()).collect();
        let offsets = cx.integers(Element::I64, &[rows, columns], &offsets);
        let strides: Dims = axes.iter().map(|&axis| strides[axis]).collect();
        let strides = cx.shape(&strides);
        let products = cx.elementwise(onnx::MUL, &[offsets, strides]);
        Self::Table(cx.sum_columns(products, &[Dim::Known(rows)]))
    }

    /// What is kept of an offset.
    fn kept(&self, cx: &mut Lower, number: i64) -> ValueId {
        let kept = match self {
            Self::Numbers(distances) => distances[number as usize],
            Self::Table(_) => number,
        };
        cx.integer(Element::I64, kept)
    }

    fn looked_up(&self, cx: &mut Lower, kept: ValueId) -> ValueId {
        match self {
            Self::Numbers(_) => kept,
            &Self::Table(table) => {
                let dims = cx.dims(kept);
                cx.node(onnx::GATHER, &[table, kept]).int("axis", 0).out(Element::I64, &dims)
            }
        }
    }
}

/// The flat positions in the operand, from offsets relative to the windows' starts.
fn places(cx: &mut Lower, window: &Window, distance: ValueId, strides: &[Dim], out: &[Dim]) -> ValueId {
    let mut place = distance;
    let mut counts = Vec::new();
    for (axis, &stride) in strides.iter().enumerate() {
        // The window's start without padding.
        let step = cx.module.dim_exprs.multiply(stride, Dim::Known(window.strides[axis]));
        let first = cx.module.dim_exprs.multiply(stride, Dim::Known(-window.low(axis)));
        let (Dim::Known(step), Dim::Known(first), Dim::Known(count)) = (step, first, out[axis]) else {
            counts.push((axis, StridedAxis { size: out[axis], stride: step }));
            if first != Dim::Known(0) {
                let first = cx.size_scalar(first, Element::I64);
                place = cx.elementwise(onnx::ADD, &[place, first]);
            }
            continue;
        };
        let steps: Vec<i64> = (0..count).map(|index| first + index * step).collect();
        let mut along = vec![1; out.len()];
        along[axis] = count;
        let steps = cx.integers(Element::I64, &along, &steps);
        place = cx.elementwise(onnx::ADD, &[place, steps]);
    }
    if !counts.is_empty() {
        place = cx.ranked(place, out.len());
        place = cx.add_counts(place, out.len(), &counts);
    }
    cx.broadcast_to(place, out)
}

/// The elements selected so far.
struct Chosen {
    value: ValueId,
    /// The offset from the window's start.
    distance: ValueId,
    /// Whether there is one; `None` if there always is.
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
        // The selected element stays if the region selects it and it exists, or if the candidate is padding.
        let mut stays = stays;
        if let Some(found) = self.found {
            stays = cx.elementwise(onnx::AND, &[stays, found]);
        }
        let mut found = None;
        if let Some(inside) = inside {
            stays = cx.formula([stays, inside], |[stays, inside]| stays | !inside);
            found = self.found.map(|before| cx.elementwise(onnx::OR, &[before, inside]));
        }
        let value = cx.formula([stays, self.value, value], |[stays, old, new]| stays.select(old, new));
        let distance =
            cx.formula([stays, self.distance, distance], |[stays, old, new]| stays.select(old, new));
        Self { value, distance, found }
    }
}

/// Whether the element at these offsets is in the operand and not padding; `None` if it always is. The value
/// broadcasts to the windows.
fn inside(cx: &mut Lower, window: &Window, offsets: &[i64], sizes: &[Dim], out: &[Dim]) -> Option<ValueId> {
    let mut all: Option<ValueId> = None;
    for axis in 0..sizes.len() {
        let first = offsets[axis] - window.low(axis);
        let Some(inside) = inside_along(cx, window, axis, first, sizes[axis], out) else { continue };
        all = Some(match all {
            None => inside,
            Some(others) => cx.elementwise(onnx::AND, &[others, inside]),
        });
    }
    all
}

/// Whether positions along a dimension are inside of it, from the first one by the window's stride.
fn inside_along(
    cx: &mut Lower,
    window: &Window,
    axis: usize,
    first: i64,
    size: Dim,
    out: &[Dim],
) -> Option<ValueId> {
    let stride = window.strides[axis];
    if let (Dim::Known(size), Dim::Known(count)) = (size, out[axis]) {
        let inside = |index: i64| i64::from((0..size).contains(&(first + index * stride)));
        let inside: Vec<i64> = (0..count).map(inside).collect();
        if inside.iter().all(|&inside| inside == 1) {
            return None;
        }
        let mut along = vec![1; out.len()];
        along[axis] = count;
        return Some(cx.integers(Element::Bool, &along, &inside));
    }
    // Windows without padding do not extend beyond the operand.
    let is_open = |amount: Dim| amount.known().is_none_or(|amount| amount > 0);
    let (before, after) = (is_open(window.low[axis]) && first < 0, is_open(window.high[axis]));
    if !before && !after {
        return None;
    }
    let count = cx.iota(Element::I64, out.len(), axis, out[axis]);
    let (by, first) = (cx.integer(Element::I64, stride), cx.integer(Element::I64, first));
    let place = cx.formula([count, by, first], |[count, by, first]| count * by + first);
    let zero = cx.integer(Element::I64, 0);
    let is_behind = before.then(|| cx.elementwise_to(onnx::GREATER_OR_EQUAL, &[place, zero], Element::Bool));
    if !after {
        return is_behind;
    }
    let size = cx.size_scalar(size, Element::I64);
    let is_before = cx.elementwise_to(onnx::LESS, &[place, size], Element::Bool);
    Some(is_behind.map_or(is_before, |is_behind| cx.elementwise(onnx::AND, &[is_behind, is_before])))
}

impl Window {
    /// Whether every window along the dimension has an element of the operand.
    fn covers(&self, sizes: &DimExprs, axis: usize, size: Dim, out: Dim) -> bool {
        let (low, window) = (self.low(axis), self.sizes[axis]);
        if let (Dim::Known(size), Dim::Known(out)) = (size, out) {
            return (0..out).all(|index| {
                let first = index * self.strides[axis] - low;
                first < size && first + window > 0
            });
        }
        // A window inside of an operand has elements, and so has one that extends beyond it by less than its size,
        // unless the operand is empty. Then there is no window if the padding is shorter than one.
        let high = self.high[axis].known().unwrap_or(i64::MAX);
        let reaches_in = || low < window && high < window;
        let has_none = || !sizes.is_at_least(size, 1) && low + high >= window;
        low <= 0 && high <= 0 || reaches_in() && !has_none()
    }
}
