//! `reduce_window`: the elements in a window that moves over the operand, combined by the op of a region.
//!
//! Result element `o` combines, along each dimension, the elements `o * stride + k * dilation - low` for `k` below
//! the window's size, in an operand that base dilation has spread, and the initial value. Where there is no element
//! the specification has the initial value again; XLA passes over the place, as is done here for ops with a name.
//! The two differ only for initial values that are not neutral.
//!
//! - A window as long as the dimension, padded on one side, is a running total: `CumSum`, or a doubling scan.
//! - Windows of symbolic size are reductions and running totals, else a `Loop`.
//! - Windows of float maxima, minima and sums are `MaxPool` and `AveragePool`.
//! - Other named ops combine strided slices, one dimension after the other.
//! - Other regions on scalars combine one strided slice for each position in the window, in their order.

mod cumulative;
mod fold;
mod pool;
mod select_and_scatter;
mod slices;
mod symbolic;

use super::reduce::pairs;
use super::region::Combiner;
use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Attribute, Dim, DimExprs, Dims, OpId, ValueId, stablehlo};
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

/// How the window is placed over the operand, with one entry a dimension.
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
    fn of(cx: &Lower, op: OpId, rank: usize) -> Result<Self, LowerError> {
        let list = |name: &'static str| -> Result<Vec<i64>, LowerError> {
            let values = cx.optional_ints(op, name)?.unwrap_or_else(|| vec![1; rank]);
            if values.len() != rank || values.iter().any(|&value| value < 1) {
                let why = "expected a positive number for each dimension".into();
                return Err(LowerError::Attribute { name, why });
            }
            Ok(values)
        };
        let padding = match cx.module.attribute(op, "padding") {
            Some(_) => cx.size_list(op, "padding")?,
            None => std::iter::repeat_n(Dim::Known(0), 2 * rank).collect(),
        };
        if padding.len() != 2 * rank {
            let why = "expected two numbers for each dimension".into();
            return Err(LowerError::Attribute { name: "padding", why });
        }
        cx.module.attribute(op, "window_dimensions").ok_or(LowerError::Missing("window_dimensions"))?;
        Ok(Self {
            sizes: list("window_dimensions")?,
            strides: list("window_strides")?,
            base: list("base_dilations")?,
            dilations: list("window_dilations")?,
            low: padding.iter().copied().step_by(2).collect(),
            high: padding.iter().copied().skip(1).step_by(2).collect(),
        })
    }

    fn rank(&self) -> usize {
        self.sizes.len()
    }

    /// Whether the padding is numbers.
    fn is_padded_by_numbers(&self) -> bool {
        self.low.iter().chain(&self.high).all(|amount| amount.known().is_some())
    }

    /// The padding before the operand, where it is numbers.
    fn low(&self, axis: usize) -> i64 {
        self.low[axis].known().unwrap_or(0)
    }

    /// The window over an operand that has been padded.
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

    /// Number of positions in the window.
    fn count(&self) -> i64 {
        self.sizes.iter().product()
    }

    /// Whether the dimension passes through as it is.
    fn is_trivial(&self, axis: usize) -> bool {
        let padding = (self.low[axis], self.high[axis]);
        (self.sizes[axis], self.strides[axis], self.base[axis], padding)
            == (1, 1, 1, (Dim::Known(0), Dim::Known(0)))
    }

    /// Where the window's element of this number, in row-major order, is relative to its first.
    fn offsets(&self, number: i64) -> Vec<i64> {
        let mut offsets = vec![0; self.rank()];
        let mut rest = number;
        for axis in (0..self.rank()).rev() {
            offsets[axis] = rest % self.sizes[axis] * self.dilations[axis];
            rest /= self.sizes[axis];
        }
        offsets
    }

    /// The distance between the first and the last element of the window, and one.
    fn extent(&self, axis: usize) -> i64 {
        (self.sizes[axis] - 1) * self.dilations[axis] + 1
    }

    /// How far after its start a slice ends that has one element of each window, along each dimension.
    fn reach(&self, sizes: &DimExprs, out: &[Dim]) -> Dims {
        out.iter().zip(&self.strides).map(|(&places, &stride)| reach(sizes, places, stride)).collect()
    }
}

/// The distance from the start to the end of a slice of `places` elements with a stride. A slice that may be empty ends at
/// its start: an end before the start could be negative, and ONNX counts that from the end of the dimension. With a
/// stride of 1 the end is a number of elements before the dimension's, and is written as such.
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
    let is_symbolic = |name| matches!(cx.module.attribute(op, name), Some(Attribute::Dims(_)));
    if is_symbolic("window_dimensions") || is_symbolic("window_strides") {
        return symbolic::lower(cx, op, region, &out);
    }
    let window = Window::of(cx, op, out.len())?;
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

/// The windows of one operand, combined by an op with a name, without the initial value.
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
    // What is not a number cannot be the padding of a pool, unless the pool computes it.
    if !window.is_padded_by_numbers() && pool::auto_pad(cx, value, window, out).is_none() {
        let padded = cx.pad(value, &window.low, &window.high, neutral);
        return windows(cx, op, combiner, padded, neutral, &window.without_padding(), out);
    }
    if let Some((axis, reverse)) = cumulative::axis(cx, value, window) {
        return cumulative::total(cx, combiner, value, axis, reverse);
    }
    Ok(pool::lower(cx, op, combiner, value, neutral, window, out)
        .unwrap_or_else(|| slices::lower(cx, op, combiner, value, neutral, window)))
}
