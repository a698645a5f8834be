//! `dynamic_slice` and `dynamic_update_slice`: windows at computed starts.
//!
//! Starts are clamped so that the window is inside the operand (StableHLO, `dynamic_slice`: `clamp(0, start,
//! shape(operand) - slice_sizes)`). A constant start becomes a `Slice` or a `Concat`; a window over the whole
//! dimension starts at 0.

use super::scatter::{RowUpdate, RowView};
use super::start_indices::{StridedAxis, strides};
use super::{Combiner, Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, Dims, Element, OpId, SCALAR, ValueId, onnx, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, index, variadic};

pub(super) const ROWS: &[Row] = &[
    row(
        stablehlo::DYNAMIC_SLICE,
        variadic(1, Exactly(1), index::dynamic_slice),
        Elements::PLAIN,
        dynamic_slice,
    )
    .note("Slice or Gather after a Clip of the start where it can be out of range"),
    row(
        stablehlo::DYNAMIC_UPDATE_SLICE,
        variadic(2, Exactly(1), index::dynamic_update_slice),
        Elements::PLAIN,
        dynamic_update_slice,
    )
    .note("Concat where the start is known, else ScatterND of whole rows, which runs in place"),
];

/// The start of a window along one dimension.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// A constant, in range.
    Known(Dim),
    /// An `i64` scalar, in range.
    Computed(ValueId),
}

fn dynamic_slice(cx: &mut Lower, op: OpId) -> Lowered {
    let sizes = cx.attributes(op).sizes("slice_sizes")?;
    let limits = limits(cx, &cx.operand_dims(op, 0)?, &sizes);
    let operand = cx.full(op, 0)?;
    let starts = starts(cx, op, 1, &limits)?;
    Ok(cx.window(operand, &starts, &sizes).into())
}

fn dynamic_update_slice(cx: &mut Lower, op: OpId) -> Lowered {
    let (sizes, window) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, 1)?);
    let limits = limits(cx, &sizes, &window);
    let (operand, update) = (cx.full(op, 0)?, cx.full(op, 1)?);
    if window.contains(&Dim::Known(0)) {
        return Ok(operand.into());
    }
    let starts = starts(cx, op, 2, &limits)?;
    let known: Option<Dims> = starts
        .iter()
        .map(|start| match start {
            Start::Known(start) => Some(*start),
            Start::Computed(_) => None,
        })
        .collect();
    if let Some(known) = known {
        return Ok(replace(cx, operand, update, &known, 0).into());
    }
    let Some(last) = (0..sizes.len()).rev().find(|&axis| limits[axis] != Dim::Known(0)) else {
        return Ok(update.into());
    };
    let (prefix, inner) = sizes.split_at(last + 1);
    let strides = strides(&cx.module.dim_exprs, prefix);
    let mut position = cx.integer(Element::I64, 0);
    let mut known = Dim::Known(0);
    for (start, &stride) in starts.iter().zip(&strides) {
        match *start {
            Start::Known(start) => {
                let sizes = &cx.module.dim_exprs;
                known = sizes.add(known, sizes.multiply(start, stride));
            }
            Start::Computed(start) => {
                let scaled = if stride == Dim::Known(1) {
                    start
                } else {
                    let stride = cx.size_scalar(stride, Element::I64);
                    cx.elementwise(onnx::MUL, &[start, stride])
                };
                let first = cx.known_integers(position) == Some(vec![0]);
                position = if first { scaled } else { cx.elementwise(onnx::ADD, &[position, scaled]) };
            }
        }
    }
    if known != Dim::Known(0) {
        let known = cx.size_scalar(known, Element::I64);
        position = cx.elementwise(onnx::ADD, &[position, known]);
    }
    let position = cx.reshape(position, &vec![1; prefix.len()]);
    let counts: Vec<(usize, StridedAxis)> = (0..=last)
        .filter(|&axis| window[axis] != Dim::Known(1))
        .map(|axis| (axis, StridedAxis { size: window[axis], stride: strides[axis] }))
        .collect();
    let positions = cx.add_counts(position, prefix.len(), &counts);
    let count = cx.module.dim_exprs.product(prefix.iter().copied());
    let rows = RowView { count, inner: Dims::from_slice(inner) };
    let write = RowUpdate { positions, updates: update, combiner: Combiner::Second, distinct: true };
    let written = cx.write_rows(operand, &rows, &write)?;
    Ok(cx.reshape(written, &sizes).into())
}

/// Replaces the window at known starts in the operand, from dimension `axis` on.
fn replace(cx: &mut Lower, operand: ValueId, update: ValueId, starts: &[Dim], axis: usize) -> ValueId {
    let (sizes, window) = (cx.dims(operand), cx.dims(update));
    let Some(axis) = (axis..sizes.len()).find(|&axis| sizes[axis] != window[axis]) else {
        return update;
    };
    let part = |cx: &mut Lower, from: Dim, to: Dim| {
        let (mut low, mut high) = (zeros(sizes.len()), sizes.clone());
        (low[axis], high[axis]) = (from, to);
        cx.slice(operand, &low, &high, &vec![1; sizes.len()])
    };
    let (start, end) = (starts[axis], cx.module.dim_exprs.add(starts[axis], window[axis]));
    let mut parts = Vec::with_capacity(3);
    if start != Dim::Known(0) {
        parts.push(part(cx, Dim::Known(0), start));
    }
    let whole = (axis + 1..sizes.len()).all(|axis| sizes[axis] == window[axis]);
    parts.push(if whole {
        update
    } else {
        let touched = part(cx, start, end);
        replace(cx, touched, update, starts, axis + 1)
    });
    if end != sizes[axis] {
        parts.push(part(cx, end, sizes[axis]));
    }
    cx.concat(&parts, axis)
}

/// The greatest valid start per dimension.
fn limits(cx: &Lower, sizes: &[Dim], window: &[Dim]) -> Dims {
    sizes.iter().zip(window).map(|(&size, &window)| cx.module.dim_exprs.subtract(size, window)).collect()
}

fn zeros(count: usize) -> Dims {
    std::iter::repeat_n(Dim::Known(0), count).collect()
}

fn starts(cx: &mut Lower, op: OpId, first: usize, limits: &[Dim]) -> Result<Vec<Start>, LowerError> {
    let mut starts = Vec::with_capacity(limits.len());
    for (axis, &limit) in limits.iter().enumerate() {
        let value = cx.full(op, first + axis)?;
        starts.push(cx.start(value, limit));
    }
    Ok(starts)
}

impl Lower<'_> {
    /// A scalar start, clamped from 0 to `limit`.
    pub(super) fn start(&mut self, value: ValueId, limit: Dim) -> Start {
        if limit == Dim::Known(0) {
            return Start::Known(limit);
        }
        let value = self.int64(value);
        let value = self.reshape(value, SCALAR);
        if let Some(&[start]) = self.known_integers(value).as_deref() {
            // No window is larger than the operand, so the limit is at least 0.
            let start = Dim::Known(start.max(0));
            let sizes = &self.module.dim_exprs;
            return Start::Known(if start == Dim::Known(0) { start } else { sizes.smaller(start, limit) });
        }
        let range = self.range(value);
        if limit.known().is_some_and(|limit| range.low >= limit) {
            return Start::Known(limit);
        }
        if range.high <= 0 {
            return Start::Known(Dim::Known(0));
        }
        if range.within(&self.module.dim_exprs, limit) {
            return Start::Computed(value);
        }
        let (low, high) = (self.integer(Element::I64, 0), self.size_scalar(limit, Element::I64));
        Start::Computed(self.bounded(value, low, high))
    }

    /// The window of these sizes at these starts.
    pub(super) fn window(&mut self, value: ValueId, starts: &[Start], sizes: &[Dim]) -> ValueId {
        let whole = self.dims(value);
        let (mut low, mut high) = (zeros(whole.len()), whole.clone());
        let mut computed = Vec::new();
        for (axis, &start) in starts.iter().enumerate() {
            match start {
                Start::Known(start) => {
                    (low[axis], high[axis]) = (start, self.module.dim_exprs.add(start, sizes[axis]));
                }
                Start::Computed(start) => computed.push((axis, start)),
            }
        }
        let value = self.slice(value, &low, &high, &vec![1; whole.len()]);
        let element = self.element(value);
        if sizes.contains(&Dim::Known(0)) {
            return self.empty_tensor(element, sizes);
        }
        match computed[..] {
            [] => value,
            // Gathering one index is cheaper than a slice with a computed end.
            [(axis, start)] if sizes[axis] == Dim::Known(1) => {
                let start = self.reshape(start, &[1]);
                self.node(onnx::GATHER, &[value, start]).int("axis", axis as i64).out(element, sizes)
            }
            _ => {
                let parts: Vec<ValueId> =
                    computed.iter().map(|&(_, start)| self.reshape(start, &[1])).collect();
                let from = self.concat(&parts, 0);
                let lengths: Dims = computed.iter().map(|&(axis, _)| sizes[axis]).collect();
                let axes: Vec<i64> = computed.iter().map(|&(axis, _)| axis as i64).collect();
                let (lengths, axes) = (self.shape(&lengths), self.int64s(&axes));
                let to = self.elementwise(onnx::ADD, &[from, lengths]);
                self.node(onnx::SLICE, &[value, from, to, axes]).out(element, sizes)
            }
        }
    }
}
