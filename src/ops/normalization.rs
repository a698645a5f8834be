//! Batch normalization.
//!
//! JAX prints the decomposed ops; other producers of StableHLO print these.

use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, Dims, OpId, OpName, ValueId, onnx, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, linear, rule};

pub(super) const ROWS: &[Row] = &[
    row(
        stablehlo::BATCH_NORM_GRAD,
        rule(5, linear::batch_norm).results(Exactly(3)),
        Elements::FLOAT,
        batch_norm_grad,
    )
    .note("decomposed: ONNX has gradients only for training"),
    row(stablehlo::BATCH_NORM_INFERENCE, rule(5, linear::batch_norm), Elements::FLOAT, batch_norm_inference)
        .note("decomposed if the features are not dimension 1"),
    row(
        stablehlo::BATCH_NORM_TRAINING,
        rule(3, linear::batch_norm).results(Exactly(3)),
        Elements::FLOAT,
        batch_norm_training,
    )
    .note("decomposed: ONNX's op returns running statistics"),
];

/// The operand of a batch normalization and its attributes.
struct Normalization {
    operand: ValueId,
    sizes: Dims,
    feature: usize,
    epsilon: f64,
}

impl Normalization {
    fn read(cx: &mut Lower, op: OpId) -> Result<Self, LowerError> {
        let sizes = cx.operand_dims(op, 0)?;
        let feature = cx.attributes(op).integer("feature_index")?;
        let feature = usize::try_from(feature).ok().filter(|&feature| feature < sizes.len());
        let why = || format!("the operand has {} dimensions", sizes.len());
        let feature = feature.ok_or_else(|| LowerError::attribute("feature_index", why()))?;
        let epsilon = cx.attributes(op).float("epsilon")?;
        Ok(Self { operand: cx.full(op, 0)?, sizes, feature, epsilon })
    }

    /// A value with one element per feature, shaped to broadcast to the operand.
    fn spread(&self, cx: &mut Lower, op: OpId, index: usize) -> Result<ValueId, LowerError> {
        let value = cx.full(op, index)?;
        let features = cx.dims(value)[0];
        Ok(cx.reshape(value, &self.spread_sizes(features)))
    }

    fn spread_sizes(&self, features: Dim) -> Dims {
        let ones = self.sizes.len() - self.feature - 1;
        std::iter::once(features).chain(std::iter::repeat_n(Dim::Known(1), ones)).collect()
    }

    /// The number of elements per feature.
    fn count(&self, cx: &Lower) -> Dim {
        let others = (0..self.sizes.len()).filter(|&dim| dim != self.feature);
        cx.module.dim_exprs.product(others.map(|dim| self.sizes[dim]))
    }

    fn is_empty(&self) -> bool {
        self.sizes.contains(&Dim::Known(0))
    }

    /// Reduces all dimensions except the features', keeping them with size 1.
    fn reduce(&self, cx: &mut Lower, name: OpName, value: ValueId) -> ValueId {
        let axes: Vec<i64> =
            (0..self.sizes.len()).filter(|&dim| dim != self.feature).map(|dim| dim as i64).collect();
        let element = cx.element(value);
        let spread = self.spread_sizes(self.sizes[self.feature]);
        if axes.is_empty() {
            return cx.reshape(value, &spread);
        }
        let mut kept = vec![Dim::Known(1); self.sizes.len()];
        kept[self.feature] = self.sizes[self.feature];
        let axes = cx.int64s(&axes);
        let reduced = cx.node(name, &[value, axes]).out(element, &kept);
        cx.reshape(reduced, &spread)
    }

    /// The mean over all dimensions except the features'; NaN if empty.
    fn mean(&self, cx: &mut Lower, value: ValueId) -> ValueId {
        let count = self.count(cx);
        if cx.module.dim_exprs.is_at_least(count, 1) {
            return self.reduce(cx, onnx::REDUCE_MEAN, value);
        }
        // ONNX Runtime's ReduceMean of an empty tensor is 0.
        let sum = self.reduce(cx, onnx::REDUCE_SUM, value);
        let element = cx.element(value);
        let count = cx.size_scalar(count, element);
        cx.elementwise(onnx::DIV, &[sum, count])
    }

    /// `sqrt(variance + epsilon)`.
    fn deviation(&self, cx: &mut Lower, variance: ValueId) -> ValueId {
        let element = cx.element(variance);
        let epsilon = cx.scalar(element, self.epsilon);
        let raised = cx.elementwise(onnx::ADD, &[variance, epsilon]);
        cx.elementwise(onnx::SQRT, &[raised])
    }

    /// `(operand - mean) / deviation * scale + offset`.
    fn apply(&self, cx: &mut Lower, parts: FeatureParameters) -> ValueId {
        let deviation = self.deviation(cx, parts.variance);
        let factor = cx.elementwise(onnx::DIV, &[parts.scale, deviation]);
        let centered = cx.elementwise(onnx::SUB, &[self.operand, parts.mean]);
        let scaled = cx.elementwise(onnx::MUL, &[centered, factor]);
        cx.elementwise(onnx::ADD, &[scaled, parts.offset])
    }
}

/// One element per feature each, shaped to broadcast to the operand.
struct FeatureParameters {
    scale: ValueId,
    offset: ValueId,
    mean: ValueId,
    variance: ValueId,
}

fn batch_norm_inference(cx: &mut Lower, op: OpId) -> Lowered {
    let norm = Normalization::read(cx, op)?;
    // ONNX expects the features in dimension 1. Elsewhere a transpose would cost more than the arithmetic.
    if norm.feature == 1 && !norm.is_empty() {
        let mut operands = vec![norm.operand];
        for index in 1..5 {
            operands.push(cx.full(op, index)?);
        }
        let node = cx.node(onnx::BATCH_NORMALIZATION, &operands).float("epsilon", norm.epsilon as f32);
        return Ok(node.like(norm.operand).into());
    }
    let parts = FeatureParameters {
        scale: norm.spread(cx, op, 1)?,
        offset: norm.spread(cx, op, 2)?,
        mean: norm.spread(cx, op, 3)?,
        variance: norm.spread(cx, op, 4)?,
    };
    Ok(norm.apply(cx, parts).into())
}

fn batch_norm_training(cx: &mut Lower, op: OpId) -> Lowered {
    let norm = Normalization::read(cx, op)?;
    let (element, features) = cx.result_dims(op, 1)?;
    if norm.is_empty() {
        // The mean of an empty tensor is 0 / 0.
        let nan = cx.scalar(element, f64::NAN);
        let empty = cx.broadcast_to(nan, &norm.sizes);
        let statistic = cx.broadcast_to(nan, &features);
        return Ok([empty, statistic, statistic].into_iter().collect());
    }
    let mean = norm.mean(cx, norm.operand);
    let centered = cx.elementwise(onnx::SUB, &[norm.operand, mean]);
    let squares = cx.elementwise(onnx::MUL, &[centered, centered]);
    let variance = norm.mean(cx, squares);
    let parts =
        FeatureParameters { scale: norm.spread(cx, op, 1)?, offset: norm.spread(cx, op, 2)?, mean, variance };
    let output = norm.apply(cx, parts);
    let (mean, variance) = (cx.reshape(mean, &features), cx.reshape(variance, &features));
    Ok([output, mean, variance].into_iter().collect())
}

/// The gradients of training (StableHLO spec, `batch_norm_grad`), with `c = operand - mean`, `s = sqrt(variance +
/// epsilon)`, `g = grad_output` and sums over `n` elements of each feature:
/// `grad_operand = scale / s / n * (n * g - sum(g) - sum(g * c) * c / s^2)`, `grad_scale = sum(g * c) / s` and
/// `grad_offset = sum(g)`.
fn batch_norm_grad(cx: &mut Lower, op: OpId) -> Lowered {
    let norm = Normalization::read(cx, op)?;
    let (element, features) = cx.result_dims(op, 1)?;
    if norm.is_empty() {
        let zero = cx.scalar(element, 0.0);
        let empty = cx.broadcast_to(zero, &norm.sizes);
        return Ok([empty, zero, zero].into_iter().collect());
    }
    let (scale, mean) = (norm.spread(cx, op, 1)?, norm.spread(cx, op, 2)?);
    let (variance, grad) = (norm.spread(cx, op, 3)?, cx.full(op, 4)?);
    let deviation = norm.deviation(cx, variance);
    let centered = cx.elementwise(onnx::SUB, &[norm.operand, mean]);
    let sum = norm.reduce(cx, onnx::REDUCE_SUM, grad);
    let products = cx.elementwise(onnx::MUL, &[grad, centered]);
    let product = norm.reduce(cx, onnx::REDUCE_SUM, products);

    let count = match norm.count(cx) {
        Dim::Known(count) => cx.scalar(element, count as f64),
        count => cx.size_scalar(count, element),
    };
    let epsilon = cx.scalar(element, norm.epsilon);
    let raised = cx.elementwise(onnx::ADD, &[variance, epsilon]);
    let share = cx.elementwise(onnx::DIV, &[product, raised]);
    let along = cx.elementwise(onnx::MUL, &[centered, share]);
    let counted = cx.elementwise(onnx::MUL, &[grad, count]);
    let without_sum = cx.elementwise(onnx::SUB, &[counted, sum]);
    let without_both = cx.elementwise(onnx::SUB, &[without_sum, along]);
    let factor = cx.elementwise(onnx::DIV, &[scale, deviation]);
    let factor = cx.elementwise(onnx::DIV, &[factor, count]);
    let grad_operand = cx.elementwise(onnx::MUL, &[without_both, factor]);
    let grad_scale = cx.elementwise(onnx::DIV, &[product, deviation]);
    let (grad_scale, grad_offset) = (cx.reshape(grad_scale, &features), cx.reshape(sum, &features));
    Ok([grad_operand, grad_scale, grad_offset].into_iter().collect())
}
