//! Constant weights that are multiplied by factors while the model is written.

use crate::ir::{Data, Element, Factors, Module, Rewriter, Uses, ValueId, View, onnx};
use crate::ops::fold::{Tensor, float};
use crate::source::Source;
use std::sync::Arc;

/// Weights of up to this many elements may be stored both with and without their factors.
const SMALL: usize = 1024;
/// Factors beyond this, or below its inverse, could push weights out of the range of their type.
const LARGEST_FACTOR: f64 = 1048576.0;

/// Whether weights stay in range when they are multiplied by factors.
pub(super) fn fit(factors: &[f64]) -> bool {
    factors.iter().all(|factor| (1.0 / LARGEST_FACTOR..=LARGEST_FACTOR).contains(&factor.abs()))
}

/// A constant as one number per channel, if it is a scalar or has one element per channel.
pub(super) fn numbers(module: &Module, source: &Source, value: ValueId, channels: usize) -> Option<Vec<f64>> {
    let tensor = Tensor::read(module, source, module.constant_of(value)?)?;
    let numbers: Vec<f64> =
        tensor.bits.iter().map(|&bits| float(tensor.element, bits)).collect::<Option<_>>()?;
    match numbers.len() {
        1 => Some(vec![numbers[0]; channels]),
        count => (count == channels).then_some(numbers),
    }
}

/// Whether weights can be multiplied: they are constant, and the model does not also need them unchanged.
pub(super) fn takes_factors(module: &Module, uses: &Uses, keeps_files: bool, weights: ValueId) -> bool {
    let Some(constant) = module.constant_of(weights).map(|id| module.constant(id)) else { return false };
    let base = match &constant.data {
        Data::View(view) => &view.base,
        data => data,
    };
    let is_file = matches!(base, Data::Mapped(pieces) if pieces.place().is_some());
    let count = module.tensor_type(constant.ty).and_then(|ty| ty.count()).unwrap_or(i64::MAX);
    let is_small = usize::try_from(count).is_ok_and(|count| count <= SMALL);
    let alone = uses.is_single(weights) && !(is_file && keeps_files);
    is_small || (alone && constant.data.splat().is_none())
}

/// Weights multiplied by factors, which repeat along the first dimensions: `before` of them have a factor for each
/// index.
pub(super) fn scaled(
    rewriter: &mut Rewriter,
    weights: ValueId,
    factors: Vec<f64>,
    before: usize,
) -> Option<ValueId> {
    let module = &*rewriter.module;
    let stored = module.constant(module.constant_of(weights)?).clone();
    let ty = module.tensor_type(stored.ty)?;
    let sizes: Vec<usize> =
        ty.sizes()?.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<_>>()?;
    let (width, element) = (ty.element.bytes(), ty.element);
    let count: usize = sizes.iter().product();
    let base = match &stored.data {
        Data::Splat(element) => Data::Bytes(element.repeat(count).into()),
        data => data.clone(),
    };
    // Factors follow the element order, whatever the shape of a view.
    let mut view = match base {
        Data::View(view) => View::clone(&view),
        base => View::of(base, width, &sizes),
    };
    if view.factors.is_some() || count == 0 {
        return None;
    }
    let repeats = sizes.get(before..)?.iter().product();
    view.factors = Some(Factors { element, values: factors.into(), repeats });
    let origin = module.defining_op(weights)?;
    let constant = rewriter.create(onnx::CONSTANT, &[]).at_op(origin);
    Some(constant.data(stored.ty, Data::View(Arc::new(view))))
}

/// The bytes of the nearest number of a type, if it is finite.
pub(super) fn rounded(element: Element, number: f64) -> Option<Vec<u8>> {
    let (bytes, nearest) = match element {
        Element::F32 => ((number as f32).to_le_bytes().to_vec(), f64::from(number as f32)),
        Element::F16 => {
            let nearest = half::f16::from_f64(number);
            (nearest.to_le_bytes().to_vec(), nearest.to_f64())
        }
        Element::BF16 => {
            let nearest = half::bf16::from_f64(number);
            (nearest.to_le_bytes().to_vec(), nearest.to_f64())
        }
        _ => return None,
    };
    nearest.is_finite().then_some(bytes)
}
