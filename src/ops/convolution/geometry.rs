//! The attributes of a convolution, read and checked.

use crate::ir::{Dim, DimExprs, Dims, OpId};
use crate::ops::padding::{self, Along};
use crate::ops::type_inference::dim_fits;
use crate::ops::{Lower, LowerError};

const DIMENSIONS: &str = "dimension_numbers";
/// Sizes, strides, dilations and padding within this make no product that overflows.
const LARGEST: i64 = 1 << 30;

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
    /// Steps of the window.
    pub stride: i64,
    /// Zeros before the input; negative numbers cut off.
    pub low: Dim,
    /// Zeros after the input; negative numbers cut off.
    pub high: Dim,
    /// Distance of the input's elements; 1 where it has one element.
    pub input_dilation: i64,
    /// Distance of the kernel's elements; 1 where it has one element.
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

    /// Distance of the kernel's first and last element.
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

    /// How many positions the window has.
    fn count(&self, sizes: &DimExprs) -> Dim {
        let padded = self.padded(sizes);
        let window = if self.window == 0 { 0 } else { self.reach() + 1 };
        if padded.known().is_some_and(|padded| padded <= 0) {
            return Dim::Known(0);
        }
        let beyond = sizes.quotient(sizes.subtract(padded, Dim::Known(window)), Dim::Known(self.stride));
        sizes.larger(sizes.add(beyond, Dim::Known(1)), Dim::Known(0))
    }
}

/// What a convolution does.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// The dimension of the input that is the batch.
    pub input_batch: usize,
    /// The dimension of the input that has its features.
    pub input_feature: usize,
    /// The dimension of the kernel that goes with the input's features.
    pub kernel_input: usize,
    /// The dimension of the kernel that goes with the output's features.
    pub kernel_output: usize,
    /// The dimension of the output that is the batch.
    pub output_batch: usize,
    /// The dimension of the output that has its features.
    pub output_feature: usize,
    /// The spatial dimensions.
    pub spatial: Vec<SpatialAxis>,
    /// Groups of input features.
    pub feature_groups: i64,
    /// Groups of the batch.
    pub batch_groups: i64,
    /// Input features of one group.
    pub features: i64,
}

impl Geometry {
    /// Reads the attributes of a convolution, with padding as pairs.
    ///
    /// # Errors
    /// When they are not as the specification demands, or lead to other sizes than those of the result.
    pub fn read(cx: &Lower, op: OpId, padding: Option<Dims>) -> Result<Self, LowerError> {
        let (input, kernel) = (cx.operand_dims(op, 0)?, cx.operand_sizes(op, 1)?);
        let (_, output) = cx.result_dims(op, 0)?;
        let ([input_batch, input_feature], input_spatial) = dimensions(
            cx,
            op,
            ["input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions"],
            input.len(),
        )?;
        let ([kernel_input, kernel_output], kernel_spatial) = dimensions(
            cx,
            op,
            [
                "kernel_input_feature_dimension",
                "kernel_output_feature_dimension",
                "kernel_spatial_dimensions",
            ],
            kernel.len(),
        )?;
        let ([output_batch, output_feature], output_spatial) = dimensions(
            cx,
            op,
            ["output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions"],
            output.len(),
        )?;
        let rank = input_spatial.len();
        let strides =
            per_axis(cx.attributes(op).optional_integers("window_strides")?, "window_strides", rank, 1)?;
        let input_dilations =
            per_axis(cx.attributes(op).optional_integers("lhs_dilation")?, "lhs_dilation", rank, 1)?;
        let kernel_dilations =
            per_axis(cx.attributes(op).optional_integers("rhs_dilation")?, "rhs_dilation", rank, 1)?;
        let reversal =
            per_axis(cx.attributes(op).optional_integers("window_reversal")?, "window_reversal", rank, 0)?;
        let padding = edges(padding, 2 * rank)?;
        for (name, values) in [
            ("window_strides", &strides),
            ("lhs_dilation", &input_dilations),
            ("rhs_dilation", &kernel_dilations),
        ] {
            if let Some(value) = values.iter().find(|&&value| value < 1) {
                return Err(LowerError::attribute(name, format!("{value} is less than 1")));
            }
        }
        let mut spatial = Vec::with_capacity(rank);
        for index in 0..rank {
            let at = (input_spatial[index], kernel_spatial.get(index), output_spatial.get(index));
            let (own, Some(&of_kernel), Some(&of_output)) = at else {
                let why = "the operands and the result differ in their number of dimensions".to_owned();
                return Err(LowerError::attribute(DIMENSIONS, why));
            };
            let (size, window, positions) = (input[own], kernel[of_kernel], output[of_output]);
            let known = [size.known(), Some(window), positions.known()];
            if known.into_iter().flatten().any(|size| size > LARGEST) {
                return Err(LowerError::form(format!("a spatial dimension is larger than {LARGEST}")));
            }
            spatial.push(SpatialAxis {
                input: own,
                kernel: of_kernel,
                output: of_output,
                size,
                window,
                positions,
                stride: strides[index],
                low: padding[2 * index],
                high: padding[2 * index + 1],
                input_dilation: if matches!(size, Dim::Known(0 | 1)) { 1 } else { input_dilations[index] },
                kernel_dilation: if window > 1 { kernel_dilations[index] } else { 1 },
                reversed: reversal[index] != 0,
            });
        }
        let geometry = Self {
            input_batch,
            input_feature,
            kernel_input,
            kernel_output,
            output_batch,
            output_feature,
            spatial,
            feature_groups: cx.attributes(op).integer_or("feature_group_count", 1)?,
            batch_groups: cx.attributes(op).integer_or("batch_group_count", 1)?,
            features: kernel[kernel_input],
        };
        geometry.check(cx, &input, &kernel, &output)?;
        Ok(geometry)
    }

    /// Checks groups and sizes (StableHLO spec, `convolution`, C10 to C26).
    fn check(&self, cx: &Lower, input: &[Dim], kernel: &[i64], output: &[Dim]) -> Result<(), LowerError> {
        let sizes = &cx.module.dim_exprs;
        let (features, made) = (cx.number(input[self.input_feature]), kernel[self.kernel_output]);
        let batch = input[self.input_batch];
        if self.feature_groups != 1 && self.batch_groups != 1 {
            return Err(LowerError::form("both the features and the batch have groups"));
        }
        for (name, groups, size) in [
            ("feature_group_count", self.feature_groups, Dim::Known(features)),
            ("feature_group_count", self.feature_groups, Dim::Known(made)),
            ("batch_group_count", self.batch_groups, batch),
            ("batch_group_count", self.batch_groups, Dim::Known(made)),
        ] {
            if groups < 1 || size.known().is_some_and(|size| size % groups != 0) {
                let size = sizes.spell(&cx.module.symbols, size);
                return Err(LowerError::attribute(name, format!("{size} is not a multiple of {groups}")));
            }
        }
        if self.features != features / self.feature_groups {
            return Err(LowerError::form("the kernel's input features do not match a group of the input"));
        }
        let batch = sizes.quotient(batch, Dim::Known(self.batch_groups));
        let fits = dim_fits(output[self.output_batch], batch)
            && dim_fits(output[self.output_feature], Dim::Known(made));
        if !fits {
            return Err(LowerError::form("the result's batch or features do not match the operands"));
        }
        for axis in &self.spatial {
            let positions = axis.count(sizes);
            if !dim_fits(positions, axis.positions) {
                let positions = sizes.spell(&cx.module.symbols, positions);
                let why = format!("a spatial dimension of the result must have the size {positions}");
                return Err(LowerError::form(why));
            }
        }
        Ok(())
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

/// The two named dimensions and the spatial ones, which together are all dimensions of a tensor.
fn dimensions(
    cx: &Lower,
    op: OpId,
    fields: [&'static str; 3],
    rank: usize,
) -> Result<([usize; 2], Vec<usize>), LowerError> {
    let wrong = || {
        let why = format!("{fields:?} do not name each of the {rank} dimensions once");
        LowerError::attribute(DIMENSIONS, why)
    };
    let [one, other, rest] = fields;
    let named = [
        cx.attributes(op).field_integers(DIMENSIONS, one)?,
        cx.attributes(op).field_integers(DIMENSIONS, other)?,
    ];
    let spatial = cx.attributes(op).field_integers(DIMENSIONS, rest)?;
    let ([first], [second]) = (&named[0][..], &named[1][..]) else { return Err(wrong()) };
    let mut all = vec![*first, *second];
    all.extend(spatial);
    let mut sorted = all.clone();
    sorted.sort_unstable();
    if sorted.len() != rank || sorted.iter().enumerate().any(|(index, &dim)| index as i64 != dim) {
        return Err(wrong());
    }
    let all: Vec<usize> = all.into_iter().map(|dim| dim as usize).collect();
    Ok(([all[0], all[1]], all[2..].to_vec()))
}

/// A number for each spatial dimension; left out, each is the default.
fn per_axis(
    values: Option<Vec<i64>>,
    name: &'static str,
    count: usize,
    default: i64,
) -> Result<Vec<i64>, LowerError> {
    let values = values.unwrap_or_else(|| vec![default; count]);
    if values.len() != count {
        let why = format!("expected {count} numbers, found {}", values.len());
        return Err(LowerError::attribute(name, why));
    }
    if let Some(value) = values.iter().find(|value| value.unsigned_abs() > LARGEST as u64) {
        return Err(LowerError::attribute(name, format!("{value} exceeds {LARGEST} in magnitude")));
    }
    Ok(values)
}

/// The padding before and after each spatial dimension; left out, each is 0.
fn edges(padding: Option<Dims>, count: usize) -> Result<Dims, LowerError> {
    let Some(padding) = padding else {
        return Ok(std::iter::repeat_n(Dim::Known(0), count).collect());
    };
    if padding.iter().all(|edge| edge.known().is_some()) || padding.len() != count {
        let numbers = padding.iter().filter_map(|edge| edge.known()).collect();
        return Ok(per_axis(Some(numbers), "padding", count, 0)?.into_iter().map(Dim::Known).collect());
    }
    Ok(padding)
}
