//! Padding that ONNX computes itself (`auto_pad`), for symbolic sizes.
//!
//! XLA's `SAME` has `ceil(size / stride)` windows, and puts the larger half of the padding after the elements
//! (`SAME_UPPER`) or before them (`SAME_LOWER`). ONNX Runtime supports it for windows at least as long as the stride.
//! With dilation, its Conv refuses `auto_pad` and its pools ignore the dilation.

use crate::ir::{Dim, DimExprs};

/// A window along one dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    pub(super) size: Dim,
    pub(super) places: Dim,
    pub(super) window: i64,
    pub(super) stride: i64,
    pub(super) low: Dim,
    pub(super) high: Dim,
}

/// The `auto_pad` that equals the padding of all dimensions, if it is symbolic.
pub(super) fn auto_pad(sizes: &DimExprs, axes: &[Along]) -> Option<&'static str> {
    if axes.iter().all(|axis| axis.low.known().is_some() && axis.high.known().is_some()) {
        return None;
    }
    let all = |upper: bool| axes.iter().all(|axis| is_same(sizes, axis, upper));
    if all(true) {
        return Some("SAME_UPPER");
    }
    all(false).then_some("SAME_LOWER")
}

fn is_same(sizes: &DimExprs, axis: &Along, upper: bool) -> bool {
    let number = Dim::Known;
    let places = sizes.quotient_up(axis.size, number(axis.stride));
    let last = sizes.multiply(sizes.subtract(places, number(1)), number(axis.stride));
    let missing = sizes.subtract(sizes.add(last, number(axis.window)), axis.size);
    let half = sizes.quotient(missing, number(2));
    let other = sizes.subtract(missing, half);
    let (low, high) = if upper { (half, other) } else { (other, half) };
    axis.window >= axis.stride
        && sizes.are_equal(places, axis.places)
        && sizes.are_equal(low, axis.low)
        && sizes.are_equal(high, axis.high)
}

/// How many elements to append to a padded symbolic dimension that is shorter than a window, and how many windows
/// that adds, which must be sliced off. `None` if it is never shorter. ONNX Runtime fails if there is no window.
pub(super) fn beyond(sizes: &DimExprs, padded: Dim, extent: i64, stride: i64) -> Option<(i64, Dim)> {
    if padded.known().is_some() || sizes.is_at_least(padded, extent) {
        return None;
    }
    let least = i64::from(sizes.is_at_least(padded, 1));
    let last = sizes.subtract(padded, Dim::Known(least));
    Some((extent - least, sizes.add(sizes.quotient(last, Dim::Known(stride)), Dim::Known(1))))
}
