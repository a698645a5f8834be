//! Forms of ops that compute with numbers.

use super::{operand, result};
use crate::ir::{Dim, Element, Module, OpId, Rewriter, TensorType, TypeId, ValueId, onnx};
use crate::ops::float_bytes;

/// The most products of an integer MatMul that are written one by one.
const PRODUCTS: i64 = 1 << 24;

pub(super) fn is_of_floats(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element.is_float())
}

/// A clamp by Max and Min, which keep NaN.
pub(super) fn max_and_min(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let mut value = *operands.first()?;
    for (name, bound) in [onnx::MAX, onnx::MIN].into_iter().zip(&operands[1..]) {
        if *bound != rewriter.module.absent() {
            value = rewriter.create(name, &[value, *bound]).like(result);
        }
    }
    Some(value)
}

/// A Relu by Max, which keeps NaN.
pub(super) fn max_with_zero(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let element = operand(rewriter.module, op, 0)?.element;
    let zero = rewriter.bytes(element, &[], &[0; 8][..element.bytes()]);
    Some(rewriter.create(onnx::MAX, &[value, zero]).like(result))
}

/// The type of a value with another element type.
fn with_element(rewriter: &mut Rewriter, value: ValueId, element: Element) -> TypeId {
    let ty = rewriter.module.value_type(value);
    rewriter.module.with_element(ty, element)
}

/// 1 and -1 for positive and negative numbers, and the number itself for zeros and NaN.
pub(super) fn sign_by_comparison(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let element = operand(rewriter.module, op, 0)?.element;
    let [zero, one, minus] =
        [0.0, 1.0, -1.0].map(|wanted| rewriter.bytes(element, &[], &float_bytes(element, wanted)));
    let truths = with_element(rewriter, value, Element::Bool);
    let is_negative = rewriter.create(onnx::LESS, &[value, zero]).of(truths);
    let is_positive = rewriter.create(onnx::GREATER, &[value, zero]).of(truths);
    let sign = rewriter.create(onnx::WHERE, &[is_negative, minus, value]).like(result);
    Some(rewriter.create(onnx::WHERE, &[is_positive, one, sign]).like(result))
}

pub(super) fn makes_truths(module: &Module, op: OpId) -> bool {
    result(module, op).is_some_and(|tensor| tensor.element == Element::Bool)
        && operand(module, op, 0).is_some_and(|tensor| tensor.element != Element::Bool)
}

/// Whether a number is not 0.
pub(super) fn differs_from_zero(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (mut value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let mut element = operand(rewriter.module, op, 0)?.element;
    if element.is_integer() && element.bits() < 32 {
        element = Element::I32;
        let ty = with_element(rewriter, value, element);
        value = rewriter.create(onnx::CAST, &[value]).element("to", element).of(ty);
    }
    let zero = rewriter.bytes(element, &[], &[0; 8][..element.bytes()]);
    let is_zero = rewriter.create(onnx::EQUAL, &[value, zero]).like(result);
    Some(rewriter.create(onnx::NOT, &[is_zero]).like(result))
}

pub(super) fn multiplies_integers(module: &Module, op: OpId) -> bool {
    let matrix = |index: usize| {
        let tensor = operand(module, op, index)?;
        let sizes: Vec<i64> = tensor.dims.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
        (tensor.element.is_integer() && sizes.len() >= 2).then_some(sizes)
    };
    let products = || {
        let (left, all) = (matrix(0)?, matrix(1)?);
        let result = result(module, op)?.count()?;
        Some(result.saturating_mul(*left.last()?).max(i64::from(all.is_empty())))
    };
    products().is_some_and(|products| products <= PRODUCTS)
}

pub(super) fn multiplies_long_integers(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element == Element::I64)
        && multiplies_integers(module, op)
}

/// The sum of the products of rows and columns.
pub(super) fn sum_of_products(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let mut column = |value: ValueId, from_end: usize| {
        let tensor: TensorType = rewriter.module.tensor(value)?.clone();
        let mut dims = tensor.dims;
        dims.insert((dims.len() + 1).checked_sub(from_end)?, Dim::Known(1));
        let axis = rewriter.integers(&[-(from_end as i64)]);
        Some(rewriter.create(onnx::UNSQUEEZE, &[value, axis]).out(tensor.element, &dims))
    };
    let (left, right) = (column(operands[0], 1)?, column(operands[1], 3)?);
    let element = rewriter.module.tensor(left)?.element;
    let dims = rewriter.module.broadcast_dims(&[left, right]);
    let products = rewriter.create(onnx::MUL, &[left, right]).out(element, &dims);
    let axis = rewriter.integers(&[-2]);
    Some(rewriter.create(onnx::REDUCE_SUM, &[products, axis]).int("keepdims", 0).like(result))
}

pub(super) fn has_one_scale(module: &Module, op: OpId) -> bool {
    let scale = operand(module, op, 1);
    scale.is_some_and(|scale| scale.rank() == 0 && scale.element == Element::F32)
        && result(module, op).is_some_and(|tensor| tensor.element == Element::U8)
}

/// Quantizes numbers of at most 2^16 steps: others saturate too.
pub(super) fn quantize_small(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let [value, scale] = [operands[0], operands[1]];
    let steps = rewriter.bytes(Element::F32, &[], &65536f32.to_le_bytes());
    let limit = rewriter.create(onnx::MUL, &[scale, steps]).like(scale);
    let least = rewriter.create(onnx::NEG, &[limit]).like(scale);
    let small = rewriter.create(onnx::MAX, &[value, least]).like(value);
    let small = rewriter.create(onnx::MIN, &[small, limit]).like(value);
    let operands: Vec<ValueId> = [small].into_iter().chain(operands[1..].iter().copied()).collect();
    Some(rewriter.create_like(op, &operands).like(result))
}

/// A product of a signed integer with itself.
pub(super) fn squares_integers(module: &Module, op: OpId) -> bool {
    let operands = &module.op(op).operands;
    operands.len() == 2
        && operands[0] == operands[1]
        && result(module, op).is_some_and(|tensor| tensor.element.is_signed())
}

/// The negated product with the negated number, which wraps to the same bits.
pub(super) fn negated_product(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let negated = rewriter.create(onnx::NEG, &[value]).like(value);
    let product = rewriter.create(onnx::MUL, &[value, negated]).like(result);
    Some(rewriter.create(onnx::NEG, &[product]).like(result))
}
