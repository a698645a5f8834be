//! The attributes of `convolution` and `dynamic_conv`.

use super::window::windows;
use super::{OpAttributes, WindowDimension, distinct};
use crate::ir::{Dim, Dims, Module, OpId};
use crate::ops::Violation;

const DIMENSION_NUMBERS: &str = "dimension_numbers";

/// The dimension numbers of a convolution: the role of each dimension of the input, the kernel and the output.
#[derive(Clone, Debug)]
pub struct ConvDimensionNumbers {
    /// The batch dimension of the input.
    pub input_batch_dimension: usize,
    /// The feature dimension of the input.
    pub input_feature_dimension: usize,
    /// The spatial dimensions of the input.
    pub input_spatial_dimensions: Vec<usize>,
    /// The input feature dimension of the kernel.
    pub kernel_input_feature_dimension: usize,
    /// The output feature dimension of the kernel.
    pub kernel_output_feature_dimension: usize,
    /// The spatial dimensions of the kernel.
    pub kernel_spatial_dimensions: Vec<usize>,
    /// The batch dimension of the output.
    pub output_batch_dimension: usize,
    /// The feature dimension of the output.
    pub output_feature_dimension: usize,
    /// The spatial dimensions of the output.
    pub output_spatial_dimensions: Vec<usize>,
}

impl ConvDimensionNumbers {
    /// Reads the dimension numbers of a convolution of tensors of this rank.
    ///
    /// # Errors
    /// When they do not name each dimension once.
    pub fn read(module: &Module, op: OpId, rank: usize) -> Result<Self, Violation> {
        let attributes = OpAttributes::of(module, op);
        let read = |fields: [&'static str; 3]| -> Result<(usize, usize, Vec<usize>), Violation> {
            let mut all = vec![
                attributes.field_integer(DIMENSION_NUMBERS, fields[0])?,
                attributes.field_integer(DIMENSION_NUMBERS, fields[1])?,
            ];
            all.extend_from_slice(&attributes.field_integers(DIMENSION_NUMBERS, fields[2])?);
            if all.len() != rank {
                let why = format!("{} dimensions are named for a tensor of rank {rank}", all.len());
                return Err(Violation::attribute(DIMENSION_NUMBERS, why));
            }
            let all = distinct(DIMENSION_NUMBERS, &all, rank)?;
            Ok((all[0], all[1], all[2..].to_vec()))
        };
        let (input_batch_dimension, input_feature_dimension, input_spatial_dimensions) =
            read(["input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions"])?;
        let (kernel_input_feature_dimension, kernel_output_feature_dimension, kernel_spatial_dimensions) =
            read([
                "kernel_input_feature_dimension",
                "kernel_output_feature_dimension",
                "kernel_spatial_dimensions",
            ])?;
        let (output_batch_dimension, output_feature_dimension, output_spatial_dimensions) =
            read(["output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions"])?;
        Ok(Self {
            input_batch_dimension,
            input_feature_dimension,
            input_spatial_dimensions,
            kernel_input_feature_dimension,
            kernel_output_feature_dimension,
            kernel_spatial_dimensions,
            output_batch_dimension,
            output_feature_dimension,
            output_spatial_dimensions,
        })
    }
}

/// All attributes of a convolution.
#[derive(Clone, Debug)]
pub struct ConvolutionAttributes {
    /// The dimension numbers.
    pub numbers: ConvDimensionNumbers,
    /// How the kernel moves along each spatial dimension.
    pub windows: Vec<WindowDimension>,
    /// Whether the kernel is reversed, for each spatial dimension.
    pub window_reversal: Vec<bool>,
    /// The number of feature groups.
    pub feature_group_count: i64,
    /// The number of batch groups.
    pub batch_group_count: i64,
}

impl ConvolutionAttributes {
    /// Reads the attributes of a convolution, whose `padding` is given where it is not an attribute.
    ///
    /// # Errors
    /// When they are not numbers for each spatial dimension, or not those that the specification allows (StableHLO spec,
    /// convolution, C2 to C23).
    pub fn read(module: &Module, op: OpId, padding: Option<Dims>) -> Result<Self, Violation> {
        let kernel = module.op(op).operands.get(1).and_then(|&kernel| module.tensor(kernel));
        let kernel = kernel.map_or(&[][..], |kernel| &kernel.dims);
        let numbers = ConvDimensionNumbers::read(module, op, kernel.len())?;
        let attributes = OpAttributes::of(module, op);
        let spatial = numbers.kernel_spatial_dimensions.len();
        let strides: Dims =
            attributes.integers_or("window_strides", spatial, 1, 1)?.into_iter().map(Dim::Known).collect();
        let lhs_dilation = attributes.integers_or("lhs_dilation", spatial, 1, 1)?;
        let rhs_dilation = attributes.integers_or("rhs_dilation", spatial, 1, 1)?;
        let reversal = attributes.integers_or("window_reversal", spatial, 0, 0)?;
        let padding = match padding {
            Some(padding) if padding.len() == 2 * spatial => padding,
            Some(padding) => {
                let why = format!("expected {} numbers, found {}", 2 * spatial, padding.len());
                return Err(Violation::attribute("padding", why));
            }
            None => attributes.sizes_or("padding", 2 * spatial, 0)?,
        };
        let [feature_group_count, batch_group_count] = [
            attributes.integer_or("feature_group_count", 1)?,
            attributes.integer_or("batch_group_count", 1)?,
        ];
        for (name, groups) in
            [("feature_group_count", feature_group_count), ("batch_group_count", batch_group_count)]
        {
            if groups < 1 {
                return Err(Violation::attribute(name, format!("{groups} is less than 1")));
            }
        }
        if feature_group_count > 1 && batch_group_count > 1 {
            let why = "only one of the features and the batch can have groups";
            return Err(Violation::attribute("batch_group_count", why));
        }
        let sizes: Dims = numbers.kernel_spatial_dimensions.iter().map(|&dim| kernel[dim]).collect();
        Ok(Self {
            windows: windows(&sizes, &strides, &padding, &lhs_dilation, &rhs_dilation),
            numbers,
            window_reversal: reversal.into_iter().map(|reversed| reversed != 0).collect(),
            feature_group_count,
            batch_group_count,
        })
    }
}
