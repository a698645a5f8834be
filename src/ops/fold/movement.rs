//! Folds ops that move elements.

use super::compare::shape_count;
use super::{Fold, Folding, Tensor};
use crate::ir::{Element, OpName, onnx, stablehlo};
use ndarray::{ArrayD, Axis, IxDyn, Slice};

/// An iota replaces no operand, so only one shorter than the op itself is materialized.
const COUNTED: usize = 256;

/// An Expand of a constant is written out up to this many bytes: where one is left, its user needs every element.
const EXPANDED: usize = 1 << 16;

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (onnx::EXPAND, Fold::Computes(expand)),
    (onnx::RESHAPE, Fold::Shares),
    (onnx::SQUEEZE, Fold::Shares),
    (onnx::UNSQUEEZE, Fold::Shares),
    (stablehlo::BITCAST_CONVERT, Fold::Shares),
    (stablehlo::BROADCAST_IN_DIM, Fold::Computes(broadcast_in_dim)),
    (stablehlo::CONCATENATE, Fold::Computes(concatenate)),
    (stablehlo::GET_DIMENSION_SIZE, Fold::Infers(get_dimension_size)),
    (stablehlo::IOTA, Fold::Computes(iota)),
    (stablehlo::PAD, Fold::Computes(pad)),
    (stablehlo::RESHAPE, Fold::Shares),
    (stablehlo::REVERSE, Fold::Computes(reverse)),
    (stablehlo::SLICE, Fold::Computes(slice)),
    (stablehlo::TRANSPOSE, Fold::Computes(transpose)),
];

/// By itself only a broadcast that adds no element, as ONNX broadcasts where the elements are used.
fn broadcast_in_dim(cx: &Folding) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    let sizes = cx.sizes()?;
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    let dims = cx.attributes().positions("broadcast_dimensions").ok()?;
    let count = shape_count(&sizes)?;
    if dims.len() != operand.sizes.len() || (count != operand.bits.len() && !cx.spreads) {
        return None;
    }
    cx.allow(count)?;
    let mut order: Vec<usize> = (0..dims.len()).collect();
    order.sort_by_key(|&axis| dims[axis]);
    let mut aligned = vec![1; sizes.len()];
    for (&dim, &size) in dims.iter().zip(&operand.sizes) {
        *aligned.get_mut(dim)? = size;
    }
    let ordered: Vec<i64> = operand.view()?.permuted_axes(IxDyn(&order)).iter().copied().collect();
    let array = ArrayD::from_shape_vec(IxDyn(&aligned), ordered).ok()?;
    let bits = array.broadcast(IxDyn(&sizes))?.iter().copied().collect();
    Tensor::from_elements(operand.element, sizes, bits)
}

fn expand(cx: &Folding) -> Option<Tensor> {
    let operand = cx.operands.first()?;
    let sizes = cx.sizes()?;
    if shape_count(&sizes)?.checked_mul(operand.element.bytes())? > EXPANDED {
        return None;
    }
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    let bits = operand.bits.broadcast(IxDyn(&sizes))?.iter().copied().collect();
    Tensor::from_elements(operand.element, sizes, bits)
}

fn transpose(cx: &Folding) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    let permutation = cx.attributes().positions("permutation").ok()?;
    let mut sorted = permutation.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..operand.sizes.len()) {
        return None;
    }
    if operand.is_splat() {
        let sizes = permutation.iter().map(|&axis| operand.sizes[axis]).collect();
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    cx.allow(operand.bits.len())?;
    let moved = operand.bits.view().permuted_axes(IxDyn(&permutation)).to_owned();
    Some(Tensor::from_array(operand.element, moved))
}

fn slice(cx: &Folding) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, cx.sizes()?, operand.scalar()?));
    }
    cx.allow(shape_count(&cx.sizes()?)?)?;
    let starts = cx.attributes().positions("start_indices").ok()?;
    let limits = cx.attributes().positions("limit_indices").ok()?;
    let steps = cx.attributes().integers("strides").ok()?;
    let rank = operand.sizes.len();
    if starts.len() != rank || limits.len() != rank || steps.len() != rank {
        return None;
    }
    let mut view = operand.bits.view();
    for axis in 0..rank {
        let (start, limit, step) = (starts[axis], limits[axis], isize::try_from(steps[axis]).ok()?);
        if step < 1 || start > limit || limit > operand.sizes[axis] {
            return None;
        }
        view.slice_axis_inplace(Axis(axis), Slice::new(start as isize, Some(limit as isize), step));
    }
    Some(Tensor::from_array(operand.element, view.to_owned()))
}

fn reverse(cx: &Folding) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    if operand.is_splat() {
        return Some(operand.clone());
    }
    cx.allow(operand.bits.len())?;
    let mut view = operand.bits.view();
    for axis in cx.attributes().positions("dimensions").ok()? {
        if axis >= operand.sizes.len() {
            return None;
        }
        view.invert_axis(Axis(axis));
    }
    Some(Tensor::from_array(operand.element, view.to_owned()))
}

fn concatenate(cx: &Folding) -> Option<Tensor> {
    let axis = cx.attributes().dimension("dimension", cx.result.rank()).ok()?;
    let sizes = cx.sizes()?;
    let first = cx.operands.first()?;
    if axis >= sizes.len() || cx.operands.iter().any(|operand| operand.element != first.element) {
        return None;
    }
    if cx.operands.iter().all(|operand| operand.is_splat() && operand.bits == first.bits) {
        return Some(Tensor::splat(first.element, sizes, first.scalar()?));
    }
    cx.allow(shape_count(&sizes)?)?;
    let views = cx.operands.iter().map(Tensor::view).collect::<Option<Vec<_>>>()?;
    let joined = ndarray::concatenate(Axis(axis), &views).ok()?;
    Some(Tensor::from_array(first.element, joined))
}

/// `edge_padding_low` elements before, `edge_padding_high` after, `interior_padding` between each two; a negative
/// edge takes elements away, after the interior has been padded.
fn pad(cx: &Folding) -> Option<Tensor> {
    let [operand, padding] = &cx.operands[..] else { return None };
    let sizes = cx.sizes()?;
    let value = padding.scalar()?;
    if operand.is_splat() && operand.scalar()? == value {
        return Some(Tensor::splat(operand.element, sizes, value));
    }
    cx.allow(shape_count(&sizes)?)?;
    let low = cx.attributes().integers("edge_padding_low").ok()?;
    let interior = cx.attributes().integers("interior_padding").ok()?;
    let rank = operand.sizes.len();
    if low.len() != rank || interior.len() != rank || sizes.len() != rank {
        return None;
    }
    let mut padded = ArrayD::from_elem(IxDyn(&sizes), value);
    'elements: for (place, &bits) in operand.view()?.indexed_iter() {
        let mut target = Vec::with_capacity(rank);
        for axis in 0..rank {
            let step = interior[axis].checked_add(1)?;
            let position = low[axis].checked_add((place[axis] as i64).checked_mul(step)?)?;
            match usize::try_from(position) {
                Ok(position) if position < sizes[axis] => target.push(position),
                _ => continue 'elements,
            }
        }
        *padded.get_mut(IxDyn(&target))? = bits;
    }
    Some(Tensor::from_array(operand.element, padded))
}

fn iota(cx: &Folding) -> Option<Tensor> {
    let sizes = cx.sizes()?;
    let axis = cx.attributes().dimension("iota_dimension", cx.result.rank()).ok()?;
    let element = cx.result.element;
    let length = *sizes.get(axis)?;
    if length == 1 && element != Element::Bool {
        return Some(Tensor::splat(element, sizes, 0));
    }
    let count = shape_count(&sizes)?;
    if !(element.is_integer() || element == Element::Index || super::number::is_computed_float(element))
        || (count > COUNTED && !cx.spreads)
    {
        return None;
    }
    cx.allow(count)?;
    let bits = |index: usize| {
        super::number::float_bits(element, index as f64)
            .unwrap_or_else(|| super::number::wrap(element, index as i64))
    };
    let array = ArrayD::from_shape_fn(IxDyn(&sizes), |place| bits(place[axis]));
    Some(Tensor::from_array(element, array))
}

fn get_dimension_size(cx: &Folding) -> Option<Tensor> {
    let operand = cx.module.tensor(*cx.module.op(cx.op).operands.first()?)?;
    // With a bound, the size at run time can be smaller than the type states.
    if operand.encoding.is_some() {
        return None;
    }
    let size = operand.dims[cx.attributes().dimension("dimension", operand.rank()).ok()?].known()?;
    Some(Tensor::splat(cx.result.element, cx.sizes()?, size))
}
