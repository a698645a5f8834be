//! Rules of gathers, scatters and dynamic slices.

use super::typing::{Typing, attribute, dim_fits, dims_fit, one, tensor, types, without};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, TensorType, stablehlo};
use crate::ops::GatherDimensionNumbers;

/// Requires a scalar integer per dimension after the given operand.
fn start_indices(t: &Typing, first: usize, rank: usize) -> Result<(), Violation> {
    if t.operand_count() - first != rank {
        return types(format!("expected {rank} start indices, found {}", t.operand_count() - first));
    }
    for index in first..t.operand_count() {
        t.scalar(index)?;
        t.integer_operand(index)?;
    }
    Ok(())
}

/// The number of elements along each dimension.
fn slice_sizes(t: &Typing, operand: &TensorType) -> Result<Dims, Violation> {
    let sizes = t.attributes().sizes_of("slice_sizes", operand.rank())?;
    for (axis, (&size, &whole)) in sizes.iter().zip(&operand.dims).enumerate() {
        if size.known().is_some_and(|size| size < 0) || t.is_larger(size, whole) {
            let why = format!("{} elements cannot be taken from `{}`", t.spell(size), t.describe(operand));
            let whole = format!("dimension {axis} of this is {}", t.spell(whole));
            return Err(Violation::attribute("slice_sizes", why)
                .in_item(axis)
                .showing(Part::OperandType(0), whole));
        }
    }
    Ok(sizes)
}

pub(in crate::ops) fn dynamic_slice(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    start_indices(t, 1, operand.rank())?;
    let sizes = slice_sizes(t, operand)?;
    one(tensor(operand.element, sizes))
}

pub(in crate::ops) fn dynamic_update_slice(t: &Typing) -> Inferred {
    let (operand, update) = (t.operand(0)?, t.operand(1)?);
    t.same_element(0, 1)?;
    start_indices(t, 2, operand.rank())?;
    let larger = |(&own, &whole): (&Dim, &Dim)| t.is_larger(own, whole);
    if update.rank() != operand.rank() || update.dims.iter().zip(&operand.dims).any(larger) {
        let why = format!("`{}` does not fit into `{}`", t.describe(update), t.describe(operand));
        return Err(t.disagreeing(0, 1, why));
    }
    one(tensor(operand.element, operand.dims.clone()))
}

pub(in crate::ops) fn gather(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let sizes = slice_sizes(t, operand)?;
    gathered(t, &sizes)
}

pub(in crate::ops) fn dynamic_gather(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    t.list(2, operand.rank())?;
    gathered(t, &std::iter::repeat_n(Dim::Dynamic, operand.rank()).collect())
}

/// The batch dimensions of the indices, after the sizes of gather and scatter are checked that both have.
fn indexed(t: &Typing, numbers: &GatherDimensionNumbers, indices: &TensorType) -> Result<Dims, Violation> {
    let name = if t.module.op(t.op).name == stablehlo::SCATTER {
        "scatter_dimension_numbers"
    } else {
        "dimension_numbers"
    };
    let (vector, count) = (numbers.index_vector_dim, numbers.start_index_map.len());
    let length = indices.dims.get(vector).copied().unwrap_or(Dim::Known(1));
    if !dim_fits(length, Dim::Known(count as i64)) {
        return attribute(name, format!("the index vectors must have {count} elements"));
    }
    let operand = t.operand(0)?;
    for (own, of_indices) in numbers.batching_dims() {
        if !dim_fits(operand.dims[own], indices.dims[of_indices]) {
            return attribute(name, format!("the batching dimensions {own} and {of_indices} differ in size"));
        }
    }
    Ok(without(&indices.dims, &[vector]))
}

/// StableHLO spec, gather, C1 to C22.
fn gathered(t: &Typing, sizes: &Dims) -> Inferred {
    let (operand, indices) = (t.operand(0)?, t.integer_operand(1)?);
    let numbers = GatherDimensionNumbers::read(t.module, t.op)?;
    let batch = indexed(t, &numbers, indices)?;
    let mut gone = numbers.collapsed_slice_dims.iter().chain(&numbers.operand_batching_dims);
    if gone.any(|&dim| sizes[dim].known().is_some_and(|size| size > 1)) {
        return attribute("slice_sizes", "a collapsed dimension has more than one element");
    }
    let mut dims: Dims = std::iter::repeat_n(Dim::Dynamic, batch.len() + numbers.offset_dims.len()).collect();
    for (dim, place) in numbers.window_dims(operand.rank()) {
        dims[place] = sizes[dim];
    }
    for ((_, place), size) in numbers.batch_dims(indices.rank()).into_iter().zip(batch) {
        dims[place] = size;
    }
    one(tensor(operand.element, dims))
}

/// StableHLO spec, scatter, C1 to C24.
pub(in crate::ops) fn scatter(t: &Typing) -> Inferred {
    let count = (t.operand_count() - 1) / 2;
    if t.operand_count() != 2 * count + 1 || t.result_count() != count {
        return types("expected equal numbers of inputs, updates and results, and one tensor of indices");
    }
    let (input, indices) = (t.operand(0)?, t.integer_operand(count)?);
    let update = t.operand(count + 1)?;
    for index in 0..count {
        t.same_element(index, count + 1 + index)?;
        let same_sizes = dims_fit(&t.operand(index)?.dims, &input.dims)
            && dims_fit(&t.operand(count + 1 + index)?.dims, &update.dims);
        if !same_sizes {
            return types("the inputs, or the updates, differ in shape");
        }
    }
    let numbers = GatherDimensionNumbers::read(t.module, t.op)?;
    let batch = indexed(t, &numbers, indices)?;
    for (dim, of_updates) in numbers.window_dims(input.rank()) {
        if t.is_larger(update.dims[of_updates], input.dims[dim]) {
            return types(format!("dimension {of_updates} of the updates is larger than the input's"));
        }
    }
    if !dims_fit(&without(&update.dims, &numbers.offset_dims), &batch) {
        return types("the updates do not have the batch dimensions of the indices");
    }
    t.regions(1)?;
    t.combines(0, count)?;
    (0..count).map(|index| t.operand(index).cloned()).collect()
}
