//! Rules of gathers, scatters and dynamic slices.

use super::typing::{Typing, attribute, dim_fits, distinct, one, tensor, types, without};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, TensorType};

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
    let sizes = t.sizes_of("slice_sizes", operand.rank())?;
    for (axis, (size, whole)) in sizes.iter().zip(&operand.dims).enumerate() {
        let Some(size) = size.known() else { continue };
        if size < 0 || whole.known().is_some_and(|whole| size > whole) {
            let why = format!("{size} elements cannot be taken from `{}`", t.describe(operand));
            return Err(Violation::attribute("slice_sizes", why)
                .within(|part| part.item(axis))
                .showing(Part::OperandType(0), format!("dimension {axis} of this is {}", t.spell(*whole))));
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
    let larger =
        |(own, whole): (&Dim, &Dim)| own.known().zip(whole.known()).is_some_and(|(own, whole)| own > whole);
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

/// The indexed dimensions of a tensor and the batching dimensions.
struct IndexedDims {
    /// The batch dimensions of the indices, in order.
    batch: Dims,
}

/// Checks the parts common to gather and scatter: `map` and the batching dimensions against the indices.
fn indexing(
    t: &Typing,
    name: &'static str,
    [map, batching, index_batching]: [&'static str; 3],
    operand: &TensorType,
    indices: &TensorType,
) -> Result<IndexedDims, Violation> {
    let vector = t.field_integer(name, "index_vector_dim")?;
    let vector = usize::try_from(vector).ok().filter(|&vector| vector <= indices.rank());
    let Some(vector) = vector else {
        return attribute(
            name,
            format!("`index_vector_dim` is not a dimension of `{}`", t.describe(indices)),
        );
    };
    let map = t.field_dimensions(name, map, operand.rank())?;
    let batching = t.field_dimensions(name, batching, operand.rank())?;
    let index_batching = t.field_dimensions(name, index_batching, indices.rank())?;
    let length = indices.dims.get(vector).copied().unwrap_or(Dim::Known(1));
    if !dim_fits(length, Dim::Known(map.len() as i64)) {
        return attribute(name, format!("the index vectors must have {} elements", map.len()));
    }
    if batching.iter().any(|dim| map.contains(dim)) {
        return attribute(name, "a batching dimension is indexed");
    }
    if batching.len() != index_batching.len() || index_batching.contains(&vector) {
        return attribute(name, "the numbers of batching dimensions of the operand and the indices differ");
    }
    for (&own, &index) in batching.iter().zip(&index_batching) {
        if !dim_fits(operand.dims[own], indices.dims[index]) {
            return attribute(name, format!("the batching dimensions {own} and {index} differ in size"));
        }
    }
    Ok(IndexedDims { batch: without(&indices.dims, &[vector]) })
}

/// The omitted window dimensions, which are sorted and distinct.
fn dropped(
    t: &Typing,
    name: &'static str,
    fields: [&'static str; 2],
    rank: usize,
) -> Result<(Vec<usize>, Vec<usize>), Violation> {
    let [first, second] =
        [t.field_dimensions(name, fields[0], rank)?, t.field_dimensions(name, fields[1], rank)?];
    for (list, field) in [(&first, fields[0]), (&second, fields[1])] {
        if !list.is_sorted() {
            return attribute(name, format!("`{field}` is not sorted"));
        }
    }
    if first.iter().any(|dim| second.contains(dim)) {
        return attribute(name, format!("`{}` and `{}` have a dimension in common", fields[0], fields[1]));
    }
    Ok((first, second))
}

/// StableHLO spec, gather, C1 to C22.
fn gathered(t: &Typing, sizes: &Dims) -> Inferred {
    const NAME: &str = "dimension_numbers";
    let (operand, indices) = (t.operand(0)?, t.integer_operand(1)?);
    let fields = ["start_index_map", "operand_batching_dims", "start_indices_batching_dims"];
    let indexing = indexing(t, NAME, fields, operand, indices)?;
    let (collapsed, batching) =
        dropped(t, NAME, ["collapsed_slice_dims", "operand_batching_dims"], operand.rank())?;
    let mut gone = collapsed;
    gone.extend(batching);
    if gone.iter().any(|&dim| sizes[dim].known().is_some_and(|size| size > 1)) {
        return attribute("slice_sizes", "a collapsed dimension has more than one element");
    }
    let window = without(sizes, &gone);
    let rank = indexing.batch.len() + window.len();
    let offsets = t.field_dimensions(NAME, "offset_dims", rank)?;
    if offsets.len() != window.len() || !offsets.is_sorted() {
        return attribute(NAME, format!("`offset_dims` must name {} dimensions in order", window.len()));
    }
    let (mut batch, mut window) = (indexing.batch.into_iter(), window.into_iter());
    let dims = (0..rank).map(|axis| {
        let dim = if offsets.contains(&axis) { window.next() } else { batch.next() };
        dim.unwrap_or(Dim::Dynamic)
    });
    one(tensor(operand.element, dims))
}

/// StableHLO spec, scatter, C1 to C24.
pub(in crate::ops) fn scatter(t: &Typing) -> Inferred {
    const NAME: &str = "scatter_dimension_numbers";
    let count = (t.operand_count() - 1) / 2;
    if t.operand_count() != 2 * count + 1 || t.result_count() != count {
        return types("expected equal numbers of inputs, updates and results, and one tensor of indices");
    }
    let (input, indices) = (t.operand(0)?, t.integer_operand(count)?);
    let update = t.operand(count + 1)?;
    for index in 0..count {
        t.same_element(index, count + 1 + index)?;
        let same_sizes = super::typing::dims_fit(&t.operand(index)?.dims, &input.dims)
            && super::typing::dims_fit(&t.operand(count + 1 + index)?.dims, &update.dims);
        if !same_sizes {
            return types("the inputs, or the updates, differ in shape");
        }
    }
    let fields = ["scatter_dims_to_operand_dims", "input_batching_dims", "scatter_indices_batching_dims"];
    let indexing = indexing(t, NAME, fields, input, indices)?;
    let (inserted, batching) =
        dropped(t, NAME, ["inserted_window_dims", "input_batching_dims"], input.rank())?;
    let mut gone = inserted;
    gone.extend(batching);
    let window = without(&input.dims, &gone);
    let windows = distinct(NAME, &t.field_integers(NAME, "update_window_dims")?, update.rank())?;
    if windows.len() != window.len() || !windows.is_sorted() {
        return attribute(
            NAME,
            format!("`update_window_dims` must name {} dimensions in order", window.len()),
        );
    }
    for (&axis, whole) in windows.iter().zip(&window) {
        let larger = update.dims[axis].known().zip(whole.known()).is_some_and(|(own, whole)| own > whole);
        if larger {
            return types(format!("dimension {axis} of the updates is larger than the input's"));
        }
    }
    if !super::typing::dims_fit(&without(&update.dims, &windows), &indexing.batch) {
        return types("the updates do not have the batch dimensions of the indices");
    }
    t.regions(1)?;
    t.combines(0, count)?;
    (0..count).map(|index| t.operand(index).cloned()).collect()
}
