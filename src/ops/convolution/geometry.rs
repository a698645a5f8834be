//! The attributes of a convolution together with the sizes of its operands.

use crate::ir::{Dim, DimExprs, Dims, OpId};
use crate::ops::attributes::{ConvDimensionNumbers, ConvolutionAttributes};
use crate::ops::padding::{self, Along};
use crate::ops::{Lower, LowerError};

/// Products of sizes, strides, dilations and padding up to this limit do not overflow.
const LARGEST: u64 = 1 << 30;

/// A spatial dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpatialAxis {
    /// The dimension of the input.
    pub input: usize,
    /// The dimension of the kernel.
    pub kernel: usize,
    /// The dimension of the output.
    pub output: usize,
    /// Size in the input.
    pub size: Dim,
    /// Size in the kernel.
    pub window: i64,
    /// Size in the output.
    pub positions: Dim,
    /// Stride of the window.
    pub stride: i64,
    /// Zeros before the input; a negative number crops.
    pub low: Dim,
    /// Zeros after the input; a negative number crops.
    pub high: Dim,
    /// Dilation of the input; 1 if it has one element.
    pub input_dilation: i64,
    /// Dilation of the kernel; 1 if it has one element.
    pub kernel_dilation: i64,
    /// Whether the kernel is reversed.
    pub reversed: bool,
}

impl SpatialAxis {
    /// Size of the input after dilation.
    fn dilated(&self, sizes: &DimExprs) -> Dim {
        if self.size == Dim::Known(0) {
            return self.size;
        }
        let one = Dim::Known(1);
        let apart = sizes.multiply(sizes.subtract(self.size, one), Dim::Known(self.input_dilation));
        let dilated = sizes.add(apart, one);
        // Dilation keeps an empty dimension empty.
        if self.input_dilation == 1 { dilated } else { sizes.larger(dilated, Dim::Known(0)) }
    }

    /// Distance between the kernel's first and last element.
    pub fn reach(&self) -> i64 {
        (self.window - 1) * self.kernel_dilation
    }

    /// The padding after the input up to the last element that a window sees, where it is a number.
    pub fn high_seen(&self, sizes: &DimExprs) -> Option<i64> {
        if self.stride == 1 && self.positions != Dim::Known(0) {
            return self.high.known();
        }
        let last = sizes.multiply(sizes.subtract(self.positions, Dim::Known(1)), Dim::Known(self.stride));
        let seen = sizes.add(last, Dim::Known(self.reach() + 1));
        sizes.subtract(seen, sizes.add(self.dilated(sizes), self.low)).known()
    }

    /// Whether the padding is numbers, and so can be an attribute.
    pub fn has_known_padding(&self) -> bool {
        self.low.known().is_some() && self.high.known().is_some()
    }

    /// The window and its padding, unless either operand is dilated.
    fn along(&self) -> Option<Along> {
        let is_plain = self.input_dilation == 1 && self.kernel_dilation == 1;
        is_plain.then_some(Along {
            size: self.size,
            places: self.positions,
            window: self.window,
            stride: self.stride,
            low: self.low,
            high: self.high,
        })
    }

    /// Size of the input after dilation and padding.
    fn padded(&self, sizes: &DimExprs) -> Dim {
        sizes.sum([self.dilated(sizes), self.low, self.high])
    }

    /// The padding that the input lacks to be as long as the window, and the positions that the window has then.
    pub fn beyond(&self, sizes: &DimExprs) -> Option<(i64, Dim)> {
        padding::beyond(sizes, self.padded(sizes), self.reach() + 1, self.stride)
    }
}

/// The geometry of a convolution.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// The dimension numbers.
    pub numbers: ConvDimensionNumbers,
    /// The spatial dimensions.
    pub spatial: Vec<SpatialAxis>,
    /// Number of feature groups.
    pub feature_groups: i64,
    /// Number of batch groups.
    pub batch_groups: i64,
    /// Input features of one group.
    pub features: i64,
}

impl Geometry {
    /// Reads the attributes of a convolution, whose padding is given where it is not an attribute.
    ///
    /// # Errors
    /// When they cannot be read, the kernel has symbolic sizes, or a number is so large that products of it may overflow.
    pub fn read(cx: &Lower, op: OpId, padding: Option<Dims>) -> Result<Self, LowerError> {
        let (input, kernel) = (cx.operand_dims(op, 0)?, cx.operand_sizes(op, 1)?);
        let (_, output) = cx.result_dims(op, 0)?;
        let ConvolutionAttributes {
            numbers,
            windows,
            window_reversal,
            feature_group_count,
            batch_group_count,
        } = ConvolutionAttributes::read(cx.module, op, padding)?;
        if input[numbers.input_feature_dimension].known().is_none() {
            return Err(LowerError::dynamic(cx, op));
        }
        let mut spatial = Vec::with_capacity(windows.len());
        for (index, of) in windows.into_iter().enumerate() {
            let own = numbers.input_spatial_dimensions[index];
            let of_kernel = numbers.kernel_spatial_dimensions[index];
            let of_output = numbers.output_spatial_dimensions[index];
            let (size, window, positions) = (input[own], kernel[of_kernel], output[of_output]);
            let Some(stride) = of.stride.known() else {
                return Err(LowerError::Dynamic("the stride of a window".into()));
            };
            let known = [size, positions, of.padding_low, of.padding_high].map(Dim::known);
            let numbers = known.into_iter().flatten();
            let mut numbers = numbers.chain([window, stride, of.base_dilation, of.window_dilation]);
            if numbers.any(|number| number.unsigned_abs() > LARGEST) {
                let why =
                    format!("a size, stride, dilation or padding of a spatial dimension exceeds {LARGEST}");
                return Err(LowerError::form(why));
            }
            spatial.push(SpatialAxis {
                input: own,
                kernel: of_kernel,
                output: of_output,
                size,
                window,
                positions,
                stride,
                low: of.padding_low,
                high: of.padding_high,
                input_dilation: if matches!(size, Dim::Known(0 | 1)) { 1 } else { of.base_dilation },
                kernel_dilation: if window > 1 { of.window_dilation } else { 1 },
                reversed: window_reversal[index],
            });
        }
        Ok(Self {
            features: kernel[numbers.kernel_input_feature_dimension],
            numbers,
            spatial,
            feature_groups: feature_group_count,
            batch_groups: batch_group_count,
        })
    }

    /// Number of products in each sum.
    pub fn terms(&self) -> i64 {
        self.spatial.iter().fold(self.features, |terms, axis| terms.saturating_mul(axis.window))
    }

    /// The `auto_pad` of ONNX that the padding is, where it is not numbers.
    pub fn auto_pad(&self, sizes: &DimExprs) -> Option<&'static str> {
        let axes = self.spatial.iter().map(SpatialAxis::along).collect::<Option<Vec<_>>>()?;
        padding::auto_pad(sizes, &axes)
    }

    /// Whether no window has an element of the input, so that all sums are 0.
    pub fn sees_only_padding(&self, sizes: &DimExprs) -> bool {
        let cut = |padding: Dim| sizes.smaller(padding, Dim::Known(0));
        let left = |axis: &SpatialAxis| sizes.sum([axis.dilated(sizes), cut(axis.low), cut(axis.high)]);
        self.terms() == 0 || self.spatial.iter().any(|axis| left(axis).known().is_some_and(|left| left <= 0))
    }
}
