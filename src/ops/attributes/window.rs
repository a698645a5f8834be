//! Windows as `reduce_window`, `select_and_scatter` and `convolution` move them.

use super::OpAttributes;
use crate::ir::{Dim, DimExprs, Module, OpId};
use crate::ops::Violation;

/// How a window moves along one dimension of its operand.
#[derive(Clone, Copy, Debug)]
pub struct WindowDimension {
    /// The size of the window.
    pub size: Dim,
    /// The distance between consecutive windows.
    pub stride: Dim,
    /// Elements added before those of the operand; a negative number crops.
    pub padding_low: Dim,
    /// Elements added after those of the operand; a negative number crops.
    pub padding_high: Dim,
    /// The distance between the operand's elements.
    pub base_dilation: i64,
    /// The distance between the window's elements.
    pub window_dilation: i64,
}

impl WindowDimension {
    /// A window of one element at each element.
    pub const TRIVIAL: Self = Self {
        size: Dim::Known(1),
        stride: Dim::Known(1),
        padding_low: Dim::Known(0),
        padding_high: Dim::Known(0),
        base_dilation: 1,
        window_dilation: 1,
    };

    /// Reads the windows of a `reduce_window` or `select_and_scatter` over this many dimensions.
    ///
    /// # Errors
    /// When an attribute does not have a number for each dimension, or has one less than 1 that must not be.
    pub fn read(module: &Module, op: OpId, rank: usize) -> Result<Vec<Self>, Violation> {
        let attributes = OpAttributes::of(module, op);
        let sizes = match rank {
            0 => attributes.sizes_or("window_dimensions", 0, 1)?,
            _ => attributes.sizes_of("window_dimensions", rank)?,
        };
        let strides = attributes.sizes_or("window_strides", rank, 1)?;
        // Sizes and strides may be symbolic: JAX's cumulative sums over a symbolic dimension have a window as long as
        // the dimension, and its global pools also have a stride as long as it.
        for (name, list) in [("window_dimensions", &sizes), ("window_strides", &strides)] {
            if let Some(index) = list.iter().position(|size| size.known().is_some_and(|size| size < 1)) {
                let size = list[index].known().unwrap_or(0);
                return Err(Violation::attribute(name, format!("{size} is less than 1")).in_item(index));
            }
        }
        let base_dilations = attributes.integers_or("base_dilations", rank, 1, 1)?;
        let window_dilations = attributes.integers_or("window_dilations", rank, 1, 1)?;
        let padding = attributes.sizes_or("padding", 2 * rank, 0)?;
        Ok(windows(&sizes, &strides, &padding, &base_dilations, &window_dilations))
    }

    /// Whether each window is one element of the operand.
    pub fn is_trivial(&self) -> bool {
        (self.size, self.stride, self.base_dilation) == (Dim::Known(1), Dim::Known(1), 1) && !self.is_padded()
    }

    /// Whether the operand is padded.
    pub fn is_padded(&self) -> bool {
        (self.padding_low, self.padding_high) != (Dim::Known(0), Dim::Known(0))
    }

    /// How many windows fit: none where padding leaves nothing. `None` when the padded size does not fit a number.
    pub fn count(&self, sizes: &DimExprs, size: Dim) -> Option<Dim> {
        let (zero, one) = (Dim::Known(0), Dim::Known(1));
        // Dilation keeps an empty dimension empty.
        let dilate = |size: Dim, dilation: i64| match dilation {
            1 => size,
            _ => {
                let apart = sizes.multiply(sizes.subtract(size, one), Dim::Known(dilation));
                sizes.larger(sizes.add(apart, one), zero)
            }
        };
        let padded = sizes.sum([dilate(size, self.base_dilation), self.padding_low, self.padding_high]);
        let window = dilate(self.size, self.window_dilation);
        let is_known = |dims: &[Dim]| dims.iter().all(|dim| dim.known().is_some());
        if is_known(&[size, self.padding_low, self.padding_high]) && !is_known(&[padded]) {
            return None;
        }
        if padded.known().is_some_and(|padded| padded <= 0) {
            return Some(zero);
        }
        let beyond = sizes.quotient(sizes.subtract(padded, window), self.stride);
        Some(sizes.larger(sizes.add(beyond, one), zero))
    }
}

/// The windows of these lists, of which `padding` has two numbers for each dimension.
pub(super) fn windows(
    sizes: &[Dim],
    strides: &[Dim],
    padding: &[Dim],
    base_dilations: &[i64],
    window_dilations: &[i64],
) -> Vec<WindowDimension> {
    let window = |axis: usize| WindowDimension {
        size: sizes[axis],
        stride: strides[axis],
        padding_low: padding[2 * axis],
        padding_high: padding[2 * axis + 1],
        base_dilation: base_dilations[axis],
        window_dilation: window_dilations[axis],
    };
    (0..sizes.len()).map(window).collect()
}
