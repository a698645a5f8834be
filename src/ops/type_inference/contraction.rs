//! Rules of dots and convolutions.

use super::typing::{Typing, attribute, dim_fits, one, tensor, types};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, TensorType};
use crate::ops::DotDimensionNumbers;
use crate::ops::attributes::{ConvolutionAttributes, RaggedDimensions};

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
    convolved(t, None)
}

pub(in crate::ops) fn dynamic_conv(t: &Typing) -> Inferred {
    t.integer_operand(2)?;
    let spatial = t.operand(0)?.rank().saturating_sub(2);
    convolved(t, Some(std::iter::repeat_n(Dim::Dynamic, 2 * spatial).collect()))
}

/// StableHLO spec, convolution, C1 to C27.
fn convolved(t: &Typing, padding: Option<Dims>) -> Inferred {
    let (input, kernel, result) = (t.operand(0)?, t.operand(1)?, t.result(0)?);
    let rank = input.rank();
    if rank < 2 || kernel.rank() != rank || result.rank() != rank {
        let say = |ty: &TensorType| format!("this has {} dimensions", ty.rank());
        return Err(Violation::types("the operands and the result must have the same rank, at least 2")
            .showing(Part::OperandType(1), say(kernel))
            .showing(Part::OperandType(0), say(input))
            .showing(Part::ResultType(0), say(result)));
    }
    let read = ConvolutionAttributes::read(t.module, t.op, padding)?;
    let (numbers, features, batches) = (read.numbers, read.feature_group_count, read.batch_group_count);
    let input_feature = numbers.input_feature_dimension;
    let kernel_input_feature = numbers.kernel_input_feature_dimension;
    let (batch, depth) = (input.dims[numbers.input_batch_dimension], input.dims[input_feature]);
    let kernel_depth = kernel.dims[kernel_input_feature];
    let made = kernel.dims[numbers.kernel_output_feature_dimension];
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
            .showing(Part::OperandType(1), say(kernel, kernel_input_feature))
            .showing(Part::OperandType(0), say(input, input_feature)));
    }
    let mut dims: Dims = std::iter::repeat_n(Dim::Dynamic, rank).collect();
    dims[numbers.output_batch_dimension] = group(batch, batches);
    dims[numbers.output_feature_dimension] = made;
    for (axis, window) in read.windows.iter().enumerate() {
        let size = input.dims[numbers.input_spatial_dimensions[axis]];
        let Some(count) = window.count(&t.module.dim_exprs, size) else {
            return attribute(
                "padding",
                format!("spatial dimension {axis} does not have a valid size after padding"),
            );
        };
        dims[numbers.output_spatial_dimensions[axis]] = count;
    }
    one(tensor(result.element, dims))
}
