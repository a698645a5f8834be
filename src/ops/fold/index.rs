//! Folds dynamic slices and gathers.

use super::compare::shape_count;
use super::number::integer;
use super::{Fold, Folding, Tensor, positions};
use crate::ir::{OpName, stablehlo};
use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice};

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (stablehlo::DYNAMIC_SLICE, Fold::Computes(dynamic_slice)),
    (stablehlo::DYNAMIC_UPDATE_SLICE, Fold::Computes(dynamic_update_slice)),
    (stablehlo::GATHER, Fold::Computes(gather)),
];

/// The start of a window of `sizes` in `whole`, clamped as specified.
fn starts(indices: &[Tensor], whole: &[usize], sizes: &[usize]) -> Option<Vec<usize>> {
    if indices.len() != whole.len() || sizes.len() != whole.len() {
        return None;
    }
    let clamped = indices.iter().zip(whole.iter().zip(sizes)).map(|(index, (&whole, &size))| {
        let last = whole.checked_sub(size)?;
        usize::try_from(integer(index.element, index.scalar()?).clamp(0, last as i128)).ok()
    });
    clamped.collect()
}

fn dynamic_slice(cx: &Folding) -> Option<Tensor> {
    let (operand, indices) = cx.operands.split_first()?;
    let sizes = cx.positions("slice_sizes")?;
    let starts = starts(indices, &operand.sizes, &sizes)?;
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    cx.allow(shape_count(&sizes)?)?;
    let mut view = operand.bits.view();
    for (axis, (&start, &size)) in starts.iter().zip(&sizes).enumerate() {
        view.slice_axis_inplace(Axis(axis), Slice::from(start..start + size));
    }
    Some(Tensor::from_array(operand.element, view.to_owned()))
}

fn dynamic_update_slice(cx: &Folding) -> Option<Tensor> {
    let [operand, update, indices @ ..] = &cx.operands[..] else { return None };
    let starts = starts(indices, &operand.sizes, &update.sizes)?;
    if operand.element != update.element {
        return None;
    }
    cx.allow(shape_count(&operand.sizes)?)?;
    let mut result = operand.view()?.to_owned();
    let mut window = result.view_mut();
    for (axis, (&start, &size)) in starts.iter().zip(&update.sizes).enumerate() {
        window.slice_axis_inplace(Axis(axis), Slice::from(start..start + size));
    }
    window.assign(&update.view()?);
    Some(Tensor::from_array(operand.element, result))
}

/// The gather of the specification, one result element after the other:
///
/// ```text
/// batch  = the result's place without offset_dims        offset = its place at offset_dims
/// start  = start_indices[batch with : at index_vector_dim]
/// full[start_index_map[i]] = clamp(start[i], 0, operand size - slice size)
/// result[place] = operand[full + batching place + offset, with 0 at collapsed and batching dims]
/// ```
fn gather(cx: &Folding) -> Option<Tensor> {
    let [operand, indices] = &cx.operands[..] else { return None };
    let sizes = cx.sizes()?;
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    cx.allow(shape_count(&sizes)?)?;
    let slices = cx.positions("slice_sizes")?;
    let numbers = cx.module.attribute(cx.op, "dimension_numbers")?;
    let field = |name| match cx.module.field(numbers, name) {
        Some(value) => positions(&cx.module.integers(value)?),
        None => Some(Vec::new()),
    };
    let (offset_dims, collapsed) = (field("offset_dims")?, field("collapsed_slice_dims")?);
    let (batching, index_batching) = (field("operand_batching_dims")?, field("start_indices_batching_dims")?);
    let map = field("start_index_map")?;
    // A default of 0 is left out of the text.
    let vector_dim = match cx.module.field(numbers, "index_vector_dim") {
        Some(value) => usize::try_from(value.as_integer()?).ok()?,
        None => 0,
    };
    let rank = operand.sizes.len();
    let index_rank = indices.sizes.len();
    if slices.len() != rank || vector_dim > index_rank || batching.len() != index_batching.len() {
        return None;
    }
    let offset_axes: Vec<usize> =
        (0..rank).filter(|axis| !collapsed.contains(axis) && !batching.contains(axis)).collect();
    let batch_axes: Vec<usize> = (0..sizes.len()).filter(|axis| !offset_dims.contains(axis)).collect();
    let index_axes: Vec<usize> = (0..index_rank).filter(|&axis| axis != vector_dim).collect();
    if offset_axes.len() != offset_dims.len() || batch_axes.len() != index_axes.len() {
        return None;
    }
    let indices_view = indices.view()?;
    let element_at = |place: &[usize]| -> Option<i64> {
        let mut at = vec![0usize; index_rank];
        for (&axis, &batch) in index_axes.iter().zip(&batch_axes) {
            *at.get_mut(axis)? = *place.get(batch)?;
        }
        let mut full = vec![0usize; rank];
        for (position, &axis) in map.iter().enumerate() {
            if let Some(vector) = at.get_mut(vector_dim) {
                *vector = position;
            }
            let start = integer(indices.element, *indices_view.get(IxDyn(&at))?);
            let last = operand.sizes.get(axis)?.checked_sub(slices[axis])?;
            *full.get_mut(axis)? = usize::try_from(start.clamp(0, last as i128)).ok()?;
        }
        for (&axis, &index_axis) in batching.iter().zip(&index_batching) {
            *full.get_mut(axis)? = *at.get(index_axis)?;
        }
        for (&axis, &dim) in offset_axes.iter().zip(&offset_dims) {
            *full.get_mut(axis)? += *place.get(dim)?;
        }
        operand.bits.get(IxDyn(&full)).copied()
    };
    let mut result = ArrayD::zeros(IxDyn(&sizes));
    for (place, bits) in result.indexed_iter_mut() {
        *bits = element_at(place.slice())?;
    }
    Some(Tensor::from_array(operand.element, result))
}
