//! `reduce_window`: reduces the elements in a window that moves over the operand.
//!
//! Result element `o` combines, along each dimension, the elements `o * stride + k * dilation - low` for `k` below
//! the window's size, in the base-dilated operand, with the initial value. Outside of the operand the specification
//! uses the initial value again; XLA skips those elements, as do named ops here. The two differ only for initial
//! values that are not neutral.
//!
//! - A window as long as the dimension, padded on one side, is cumulative: `CumSum`, or a doubling scan.
//! - Windows of symbolic size are reductions, cumulative, or a `Loop`.
//! - Windows of float maxima, minima and sums are `MaxPool` and `AveragePool`.
//! - Other named ops combine strided slices, one dimension after the other.
//! - Other scalar regions combine one strided slice per window offset, in order.

mod cumulative;
mod fold;
mod pool;
mod select_and_scatter;
mod slices;
mod symbolic;

use super::reduce::pairs;
use super::region::Combiner;
use super::{Elements, Lower, LowerError, Lowered, WindowDimension};
use crate::ir::{Dim, DimExprs, Dims, OpId, ValueId, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{AtLeast, rule, variadic, window};

pub(super) const ROWS: &[Row] = &[
    row(
        stablehlo::REDUCE_WINDOW,
        variadic(2, AtLeast(1), window::reduce_window),
        Elements::PLAIN,
        reduce_window,
    )
    .note("pooling or CumSum if possible, else strided slices"),
    row(
        stablehlo::SELECT_AND_SCATTER,
        rule(3, window::select_and_scatter),
        Elements::PLAIN,
        select_and_scatter::lower,
    )
    .note("one slice per window position, then one scatter"),
];

/// The lists of windows whose sizes and strides are numbers.
#[derive(Clone, Debug)]
struct Window {
    sizes: Vec<i64>,
    strides: Vec<i64>,
    base: Vec<i64>,
    dilations: Vec<i64>,
    low: Dims,
    high: Dims,
}

impl Window {
    /// The windows as lists, if their sizes and strides are numbers.
    fn in_numbers(windows: &[WindowDimension]) -> Option<Self> {
        let numbers = |of: fn(&WindowDimension) -> Dim| -> Option<Vec<i64>> {
            windows.iter().map(|window| of(window).known()).collect()
        };
        Some(Self {
            sizes: numbers(|window| window.size)?,
            strides: numbers(|window| window.stride)?,
            base: windows.iter().map(|window| window.base_dilation).collect(),
            dilations: windows.iter().map(|window| window.window_dilation).collect(),
            low: windows.iter().map(|window| window.padding_low).collect(),
            high: windows.iter().map(|window| window.padding_high).collect(),
        })
    }

    fn rank(&self) -> usize {
        self.sizes.len()
    }

    /// Whether the padding is static.
    fn is_padded_by_numbers(&self) -> bool {
        self.low.iter().chain(&self.high).all(|amount| amount.known().is_some())
    }

    /// The low padding, if it is static.
    fn low(&self, axis: usize) -> i64 {
        self.low[axis].known().unwrap_or(0)
    }

    /// The window over an already padded operand.
    fn without_padding(&self) -> Self {
        let none: Dims = self.low.iter().map(|_| Dim::Known(0)).collect();
        Self { low: none.clone(), high: none, ..self.clone() }
    }

    /// The window along some of the dimensions.
    fn along(&self, axes: &[usize]) -> Self {
        let pick = |list: &[i64]| axes.iter().map(|&axis| list[axis]).collect();
        let pick_dims = |list: &[Dim]| axes.iter().map(|&axis| list[axis]).collect();
        Self {
            sizes: pick(&self.sizes),
            strides: pick(&self.strides),
            base: pick(&self.base),
            dilations: pick(&self.dilations),
            low: pick_dims(&self.low),
            high: pick_dims(&self.high),
        }
    }

    /// The number of offsets in the window.
    fn count(&self) -> i64 {
        self.sizes.iter().copied().fold(1, i64::saturating_mul)
    }

    /// Whether the dimension is unchanged.
    fn is_trivial(&self, axis: usize) -> bool {
        let padding = (self.low[axis], self.high[axis]);
        (self.sizes[axis], self.strides[axis], self.base[axis], padding)
            == (1, 1, 1, (Dim::Known(0), Dim::Known(0)))
    }

    /// The offset of this number, in row-major order, relative to the window's first element.
    fn offsets(&self, number: i64) -> Vec<i64> {
        let mut offsets = vec![0; self.rank()];
        let mut rest = number;
        for axis in (0..self.rank()).rev() {
            offsets[axis] = rest % self.sizes[axis] * self.dilations[axis];
            rest /= self.sizes[axis];
        }
        offsets
    }

    /// The span of the window: the distance from the first to the last element, plus one.
    fn extent(&self, axis: usize) -> i64 {
        (self.sizes[axis] - 1) * self.dilations[axis] + 1
    }

    /// The length of a slice with one element of each window, per dimension.
    fn reach(&self, sizes: &DimExprs, out: &[Dim]) -> Dims {
        out.iter().zip(&self.strides).map(|(&places, &stride)| reach(sizes, places, stride)).collect()
    }
}

/// The span of a slice of `places` elements with a stride. An empty slice ends at its start: a smaller end could be
/// negative, which ONNX counts from the end of the dimension. With stride 1 the end is written relative to the end of
/// the dimension.
fn reach(sizes: &DimExprs, places: Dim, stride: i64) -> Dim {
    match places {
        Dim::Known(places) => Dim::Known((places - 1) * stride + 1),
        places if stride == 1 => places,
        places => sizes.multiply(sizes.larger(places, Dim::Known(0)), Dim::Known(stride)),
    }
}

fn reduce_window(cx: &mut Lower, op: OpId) -> Lowered {
    let count = pairs(cx, op)?;
    let region = cx.region(op, 0)?;
    let (_, out) = cx.result_dims(op, 0)?;
    let dimensions = WindowDimension::read(cx.module, op, out.len())?;
    let Some(window) = Window::in_numbers(&dimensions) else {
        return symbolic::lower(cx, op, region, dimensions, &out);
    };
    if out.contains(&Dim::Known(0)) {
        return (0..count)
            .map(|index| {
                let (element, sizes) = cx.result_dims(op, index)?;
                Ok(cx.empty_tensor(element, &sizes))
            })
            .collect::<Result<_, _>>();
    }
    let Some(combiners) = cx.named_combiners(region) else {
        return fold::lower(cx, op, region, &window, &out);
    };
    let mut results = Vec::with_capacity(count);
    for (index, combiner) in combiners.into_iter().enumerate() {
        let (value, init) = (cx.full(op, index)?, cx.full(op, count + index)?);
        let element = cx.element(value);
        let neutral = cx.neutral(combiner, element).ok_or_else(|| LowerError::form("the reduction body"))?;
        let combined = windows(cx, op, combiner, value, neutral, &window, &out)?;
        results.push(cx.combine_init(combiner, init, combined));
    }
    Ok(results.into_iter().collect())
}

/// The windows of one operand under a named op, without the initial value.
fn windows(
    cx: &mut Lower,
    op: OpId,
    combiner: Combiner,
    value: ValueId,
    neutral: ValueId,
    window: &Window,
    out: &[Dim],
) -> Result<ValueId, LowerError> {
    if cx.dims(value).contains(&Dim::Known(0)) {
        return Ok(cx.broadcast_to(neutral, out));
    }
    if (0..window.rank()).all(|axis| window.is_trivial(axis)) {
        return Ok(value);
    }
    // Symbolic padding needs a pool that computes it.
    if !window.is_padded_by_numbers() && pool::auto_pad(cx, value, window, out).is_none() {
        let padded = cx.pad(value, &window.low, &window.high, neutral);
        return windows(cx, op, combiner, padded, neutral, &window.without_padding(), out);
    }
    if let Some((axis, reverse)) = cumulative::axis(cx, value, window) {
        return cumulative::total(cx, combiner, value, axis, reverse);
    }
    match pool::lower(cx, op, combiner, value, neutral, window, out) {
        Some(pooled) => Ok(pooled),
        None => slices::lower(cx, op, combiner, value, neutral, window),
    }
}
