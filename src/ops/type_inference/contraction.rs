//! Rules of dots and convolutions.

use super::typing::{Typing, attribute, dim_fits, one, tensor, types};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, TensorType};
use crate::ops::DotDimensionNumbers;
use crate::ops::attributes::{RaggedDimensions, distinct};

/// Vectors and matrices: contracts the last dimension of the left operand with the first of the right.
pub(in crate::ops) fn dot(t: &Typing) -> Inferred {
    let (lhs, rhs) = (t.operand(0)?, t.operand(1)?);
    let (Some((&inner, outer)), Some((&first, rest))) = (lhs.dims.split_last(), rhs.dims.split_first())
    else {
        return Err(t.disagreeing(0, 1, "the operands must be vectors or matrices"));
    };
    if outer.len() > 1 || rest.len() > 1 || !dim_fits(inner, first) {
        let why = format!("`{}` and `{}` cannot be multiplied", t.describe(lhs), t.describe(rhs));
        return Err(t.disagreeing(0, 1, why));
    }
    one(tensor(t.result(0)?.element, outer.iter().chain(rest).copied()))
}

/// StableHLO spec, dot_general, C1 to C12. The element type of the result is free: sums may be wider.
pub(in crate::ops) fn dot_general(t: &Typing) -> Inferred {
    let numbers = DotDimensionNumbers::read(t.module, t.op)?;
    one(tensor(t.result(0)?.element, contracted(t, &numbers, &[])?))
}

/// Like `dot_general`, with one dimension of the left operand split into groups. If that is contracted, the result
/// has a leading dimension of groups; if it is free, the right operand has one.
pub(in crate::ops) fn ragged_dot(t: &Typing) -> Inferred {
    let (rhs, groups) = (t.operand(1)?, t.integer_operand(2)?);
    let Some(&count) = groups.dims.last() else { return types("the group sizes are a scalar") };
    let numbers = DotDimensionNumbers::read(t.module, t.op)?;
    let ragged = RaggedDimensions::read(t.module, t.op)?;
    if ragged.rhs_group_dimensions.iter().any(|&dim| !dim_fits(rhs.dims[dim], count)) {
        return Err(t.disagreeing(1, 2, "the right operand does not have one group for each length"));
    }
    let mut dims = contracted(t, &numbers, &ragged.rhs_group_dimensions)?;
    if numbers.contracting.iter().any(|pair| pair.0 == ragged.lhs_ragged_dimension) {
        dims.insert(0, count);
    }
    one(tensor(t.result(0)?.element, dims))
}

/// The batch sizes, and the free ones except `aside`, a dimension of the right operand.
fn contracted(t: &Typing, numbers: &DotDimensionNumbers, aside: &[usize]) -> Result<Dims, Violation> {
    let (lhs, rhs) = (t.operand(0)?, t.operand(1)?);
    for (kind, pairs) in [("batching", &numbers.batching), ("contracting", &numbers.contracting)] {
        for &(left, right) in pairs {
            if !dim_fits(lhs.dims[left], rhs.dims[right]) {
                let say = |ty: &TensorType, dim: usize| {
                    format!("dimension {dim} of this is {}", t.spell(ty.dims[dim]))
                };
                let why = format!("the {kind} dimensions {left} and {right} differ in size");
                return Err(Violation::types(why)
                    .showing(Part::OperandType(1), say(rhs, right))
                    .showing(Part::OperandType(0), say(lhs, left)));
            }
        }
    }
    let batch = numbers.batching.iter().map(|&(left, _)| lhs.dims[left]);
    let rows = numbers.lhs_free(lhs.rank()).into_iter().map(|dim| lhs.dims[dim]);
    let columns = numbers.rhs_free(rhs.rank()).into_iter().filter(|dim| !aside.contains(dim));
    Ok(batch.chain(rows).chain(columns.map(|dim| rhs.dims[dim])).collect())
}

pub(in crate::ops) fn convolution(t: &Typing) -> Inferred {
    let spatial = t.operand(0)?.rank().saturating_sub(2);
    let padding = match t.module.attribute(t.op, "padding") {
        Some(_) => t.attributes().sizes_of("padding", 2 * spatial)?,
        None => std::iter::repeat_n(Dim::Known(0), 2 * spatial).collect(),
    };
    convolved(t, Some(&padding))
}

pub(in crate::ops) fn dynamic_conv(t: &Typing) -> Inferred {
    t.integer_operand(2)?;
    convolved(t, None)
}

/// Two named dimensions and the spatial ones, together all dimensions of a tensor.
fn roles(t: &Typing, fields: [&'static str; 3], rank: usize) -> Result<Vec<usize>, Violation> {
    const NAME: &str = "dimension_numbers";
    let mut all =
        vec![t.attributes().field_integer(NAME, fields[0])?, t.attributes().field_integer(NAME, fields[1])?];
    all.extend(t.attributes().field_integers(NAME, fields[2])?);
    if all.len() != rank {
        return attribute(NAME, format!("{} dimensions are named for a tensor of rank {rank}", all.len()));
    }
    distinct(NAME, &all, rank)
}

/// StableHLO spec, convolution, C1 to C27.
fn convolved(t: &Typing, padding: Option<&[Dim]>) -> Inferred {
    let (input, kernel, result) = (t.operand(0)?, t.operand(1)?, t.result(0)?);
    let rank = input.rank();
    if rank < 2 || kernel.rank() != rank || result.rank() != rank {
        let say = |ty: &TensorType| format!("this has {} dimensions", ty.rank());
        return Err(Violation::types("the operands and the result must have the same rank, at least 2")
            .showing(Part::OperandType(1), say(kernel))
            .showing(Part::OperandType(0), say(input))
            .showing(Part::ResultType(0), say(result)));
    }
    let inputs =
        roles(t, ["input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions"], rank)?;
    let kernels = roles(
        t,
        ["kernel_input_feature_dimension", "kernel_output_feature_dimension", "kernel_spatial_dimensions"],
        rank,
    )?;
    let outputs =
        roles(t, ["output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions"], rank)?;
    let spatial = rank - 2;
    let strides = t.attributes().integers_or("window_strides", spatial, 1, 1)?;
    let lhs_dilation = t.attributes().integers_or("lhs_dilation", spatial, 1, 1)?;
    let rhs_dilation = t.attributes().integers_or("rhs_dilation", spatial, 1, 1)?;
    t.attributes().integers_or("window_reversal", spatial, 0, 0)?;
    let (features, batches) = (
        t.attributes().integer_or("feature_group_count", 1)?,
        t.attributes().integer_or("batch_group_count", 1)?,
    );
    for (name, groups) in [("feature_group_count", features), ("batch_group_count", batches)] {
        if groups < 1 {
            return attribute(name, format!("{groups} is less than 1"));
        }
    }
    if features > 1 && batches > 1 {
        return attribute("batch_group_count", "only one of the features and the batch can have groups");
    }
    let (batch, depth) = (input.dims[inputs[0]], input.dims[inputs[1]]);
    let (kernel_depth, made) = (kernel.dims[kernels[0]], kernel.dims[kernels[1]]);
    for (name, groups, size) in [
        ("feature_group_count", features, depth),
        ("feature_group_count", features, made),
        ("batch_group_count", batches, batch),
        ("batch_group_count", batches, made),
    ] {
        if let Some(size) = size.known().filter(|size| size % groups != 0) {
            return attribute(name, format!("{size} is not a multiple of {groups}"));
        }
    }
    let group = |dim: Dim, groups: i64| t.module.dim_exprs.quotient(dim, Dim::Known(groups));
    if !dim_fits(group(depth, features), kernel_depth) {
        let say =
            |ty: &TensorType, dim: usize| format!("dimension {dim} of this is {}", t.spell(ty.dims[dim]));
        let why = "the kernel's input features do not match a group of the input";
        return Err(Violation::types(why)
            .showing(Part::OperandType(1), say(kernel, kernels[0]))
            .showing(Part::OperandType(0), say(input, inputs[1])));
    }
    let mut dims: Dims = std::iter::repeat_n(Dim::Dynamic, rank).collect();
    (dims[outputs[0]], dims[outputs[1]]) = (group(batch, batches), made);
    for axis in 0..spatial {
        let Some(padding) = padding else { continue };
        let windows = Windows {
            window: kernel.dims[kernels[axis + 2]],
            stride: Dim::Known(strides[axis]),
            low: padding[2 * axis],
            high: padding[2 * axis + 1],
            base_dilation: lhs_dilation[axis],
            window_dilation: rhs_dilation[axis],
        };
        match windows.count(t, input.dims[inputs[axis + 2]]) {
            Some(count) => dims[outputs[axis + 2]] = count,
            None => {
                return attribute("padding", format!("spatial dimension {axis} has no size after padding"));
            }
        }
    }
    one(tensor(result.element, dims))
}

/// Windows along one dimension.
pub(super) struct Windows {
    pub(super) window: Dim,
    pub(super) stride: Dim,
    pub(super) low: Dim,
    pub(super) high: Dim,
    pub(super) base_dilation: i64,
    pub(super) window_dilation: i64,
}

impl Windows {
    /// The number of windows; 0 if padding leaves no elements. `None` if the padded size overflows.
    pub(super) fn count(&self, t: &Typing, size: Dim) -> Option<Dim> {
        let sizes = &t.module.dim_exprs;
        let (zero, one) = (Dim::Known(0), Dim::Known(1));
        // Dilation keeps an empty dimension empty.
        let dilate = |size: Dim, dilation: i64| match dilation {
            1 => size,
            _ => {
                let apart = sizes.multiply(sizes.subtract(size, one), Dim::Known(dilation));
                sizes.larger(sizes.add(apart, one), zero)
            }
        };
        let padded = sizes.sum([dilate(size, self.base_dilation), self.low, self.high]);
        let window = dilate(self.window, self.window_dilation);
        let is_known = |dims: &[Dim]| dims.iter().all(|dim| dim.known().is_some());
        let is_number = is_known(&[size, self.low, self.high]);
        if is_number && !is_known(&[padded]) {
            return None;
        }
        if padded.known().is_some_and(|padded| padded <= 0) {
            return Some(zero);
        }
        let beyond = sizes.quotient(sizes.subtract(padded, window), self.stride);
        Some(sizes.larger(sizes.add(beyond, one), zero))
    }
}
