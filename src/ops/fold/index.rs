//! Folds dynamic slices and gathers.

use super::compare::shape_count;
use super::number::integer;
use super::{Fold, Folding, Tensor};
use crate::ir::{OpName, stablehlo};
use crate::ops::GatherDimensionNumbers;
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
    let sizes = cx.attributes().positions("slice_sizes").ok()?;
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
    let numbers = GatherDimensionNumbers::read(cx.module, cx.op).ok()?;
    let slices = cx.attributes().positions("slice_sizes").ok()?;
    let (rank, index_rank) = (operand.sizes.len(), indices.sizes.len());
    if slices.len() != rank {
        return None;
    }
    let (windows, batch) = (numbers.window_dims(rank), numbers.batch_dims(index_rank));
    let indices_view = indices.view()?;
    let element_at = |place: &[usize]| -> Option<i64> {
        let mut at = vec![0usize; index_rank];
        for &(axis, batch) in &batch {
            at[axis] = *place.get(batch)?;
        }
        let mut full = vec![0usize; rank];
        for (position, &axis) in numbers.start_index_map.iter().enumerate() {
            if let Some(vector) = at.get_mut(numbers.index_vector_dim) {
                *vector = position;
            }
            let start = integer(indices.element, *indices_view.get(IxDyn(&at))?);
            let last = operand.sizes[axis].checked_sub(slices[axis])?;
            full[axis] = usize::try_from(start.clamp(0, last as i128)).ok()?;
        }
        for (axis, index_axis) in numbers.batching_dims() {
            full[axis] = at[index_axis];
        }
        for &(axis, dim) in &windows {
            full[axis] += *place.get(dim)?;
        }
        operand.bits.get(IxDyn(&full)).copied()
    };
    let mut result = ArrayD::zeros(IxDyn(&sizes));
    for (place, bits) in result.indexed_iter_mut() {
        *bits = element_at(place.slice())?;
    }
    Some(Tensor::from_array(operand.element, result))
}
