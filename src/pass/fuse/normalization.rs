//! Normalization of each row by its own mean and variance.

use super::pattern::{Pattern, RowAxes};
use super::{Fused, FusedOperand, FusionRule};
use crate::ir::{Element, OpId, OpName, ValueId, hlo2onnx, stablehlo};

pub(super) const RULES: &[FusionRule] = &[
    FusionRule::new(stablehlo::MULTIPLY, layer_norm),
    FusionRule::new(stablehlo::DIVIDE, layer_norm_by_deviation),
    FusionRule::new(stablehlo::ADD, layer_norm_of_parts),
    FusionRule::new(stablehlo::MULTIPLY, rms_norm),
    FusionRule::new(stablehlo::DIVIDE, rms_norm_by_deviation),
    FusionRule::new(stablehlo::MULTIPLY, scaled_before),
    FusionRule::new(stablehlo::MULTIPLY, scaled),
    FusionRule::new(stablehlo::ADD, with_offset),
];

const LAYER_NORM: OpName = hlo2onnx::LAYER_NORM;
const RMS_NORM: OpName = hlo2onnx::RMS_NORM;
/// Longer rows are normalized in parts if the kernel would add one element after the other.
const LONGEST_ROW: i64 = 65_536;

/// `(x - mean(x)) / sqrt(variance(x) + epsilon) * scale`, with an optional scale.
///
/// Flax computes the variance as `max(0, mean(x^2) - mean(x)^2)`, which cancels if the mean is large; the kernel uses
/// the more exact mean of `(x - mean(x))^2`.
fn layer_norm(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    p.either(factors, |p, centered, factor| {
        let (x, rows) = centered_rows(p, centered)?;
        let (scale, inverse) = scale_and_row(p, factor, &rows, |p, scale| p.along(scale, &rows))?;
        let (variance, epsilon) = inverse_deviation(p, inverse, &rows)?;
        let operands: Vec<ValueId> = [x].into_iter().chain(scale).collect();
        is_variance(p, variance, x, &rows).then(|| norm(p, LAYER_NORM, &operands, &rows, epsilon))?
    })
}

/// The same as a quotient.
fn layer_norm_by_deviation(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [centered, deviation] = p.operands_of(op)?;
    let (x, rows) = centered_rows(p, centered)?;
    let deviation = p.row(deviation, &rows)?;
    let [raised] = p.operands(deviation, stablehlo::SQRT)?;
    let (variance, epsilon) = raised_variance(p, raised, &rows)?;
    is_variance(p, variance, x, &rows).then(|| norm(p, LAYER_NORM, &[x], &rows, epsilon))?
}

/// `x / sqrt(mean(x^2) + epsilon) * scale`, with an optional scale.
fn rms_norm(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    p.either(factors, |p, x, factor| {
        let rows = p.reduction_rows(factor, x).filter(RowAxes::are_last)?;
        let (scale, inverse) = scale_and_row(p, factor, &rows, |p, scale| p.along(scale, &rows))?;
        let (mean, epsilon) = inverse_deviation(p, inverse, &rows)?;
        let square = p.mean(mean, &rows)?;
        let operands: Vec<ValueId> = [x].into_iter().chain(scale).collect();
        (p.squared(square)? == x).then(|| norm(p, RMS_NORM, &operands, &rows, epsilon))?
    })
}

/// The same as a quotient.
fn rms_norm_by_deviation(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [x, deviation] = p.operands_of(op)?;
    let rows = p.reduction_rows(deviation, x).filter(RowAxes::are_last)?;
    let deviation = p.row_or_full(deviation, &rows)?;
    let [raised] = p.operands(deviation, stablehlo::SQRT)?;
    let (mean, epsilon) = raised_variance(p, raised, &rows)?;
    let square = p.mean(mean, &rows)?;
    (p.squared(square)? == x).then(|| norm(p, RMS_NORM, &[x], &rows, epsilon))?
}

/// `x * scale / sqrt(mean(x^2) + epsilon)`, or `(x - mean(x)) * scale / sqrt(variance(x) + epsilon)`.
fn scaled_before(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    p.either(factors, |p, product, inverse| {
        let factors = p.operands(product, stablehlo::MULTIPLY)?;
        let rows = p.reduction_rows(inverse, product).filter(RowAxes::are_last)?;
        let inverse = p.row_or_full(inverse, &rows)?;
        let (square, epsilon) = inverse_deviation(p, inverse, &rows)?;
        p.either(factors, |p, own, scale| {
            let scale = p.along(scale, &rows)?;
            let centered = p.attempt(|p| {
                let (x, of_mean) = centered_rows(p, own)?;
                (of_mean == rows && is_variance(p, square, x, &rows)).then_some(x)
            });
            if let Some(x) = centered {
                return norm(p, LAYER_NORM, &[x, scale], &rows, epsilon);
            }
            let square = p.mean(square, &rows)?;
            (p.squared(square)? == own).then(|| norm(p, RMS_NORM, &[own, scale], &rows, epsilon))?
        })
    })
}

/// `x * factor + (offset - mean(x) * factor)`, where the factor is `scale / sqrt(variance(x) + epsilon)`.
fn layer_norm_of_parts(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let addends = p.operands_of(op)?;
    p.either(addends, |p, product, rest| {
        let factors = p.operands(product, stablehlo::MULTIPLY)?;
        p.either(factors, |p, x, factor| {
            let rows = p.reduction_rows(factor, x).filter(RowAxes::are_last)?;
            let (scale, inverse) = scale_and_row(p, factor, &rows, |p, scale| p.along(scale, &rows))?;
            let (variance, epsilon) = inverse_deviation(p, inverse, &rows)?;
            if !is_variance(p, variance, x, &rows) {
                return None;
            }
            let (shift, offset) = shift_and_offset(p, rest)?;
            let shifts = p.operands(shift, stablehlo::MULTIPLY)?;
            let negated = p.either(shifts, |p, mean, own| {
                let mean = (own == factor).then(|| p.row(mean, &rows))??;
                let [mean] = p.operands(mean, stablehlo::NEGATE)?;
                p.mean(mean, &rows)
            })?;
            let operands =
                [FusedOperand::Value(x), FusedOperand::Value(scale?), parameter(p, offset, &rows)?];
            (negated == x).then(|| norm_of(p, LAYER_NORM, operands.into(), &rows, epsilon))?
        })
    })
}

/// The two terms of a sum, the product first.
fn shift_and_offset(p: &mut Pattern, sum: ValueId) -> Option<(ValueId, ValueId)> {
    let addends = p.operands(sum, stablehlo::ADD)?;
    p.either(addends, |p, shift, offset| {
        p.module.defined_by(shift, stablehlo::MULTIPLY).map(|_| (shift, offset))
    })
}

/// A norm without a scale, times a scale.
fn scaled(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    p.either(factors, |p, value, scale| {
        let name =
            [LAYER_NORM, RMS_NORM].into_iter().find(|&name| p.module.defined_by(value, name).is_some())?;
        let [x] = p.operands(value, name)?;
        widened(p, value, name, vec![FusedOperand::Value(x)], scale)
    })
}

/// A layer norm plus an offset.
fn with_offset(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let addends = p.operands_of(op)?;
    p.either(addends, |p, value, offset| {
        if let Some([x]) = p.operands(value, LAYER_NORM) {
            let ones = filled(p, value, 1.0)?;
            return widened(p, value, LAYER_NORM, vec![FusedOperand::Value(x), ones], offset);
        }
        let [x, scale] = p.operands(value, LAYER_NORM)?;
        widened(p, value, LAYER_NORM, vec![FusedOperand::Value(x), FusedOperand::Value(scale)], offset)
    })
}

/// One number per element of a norm's row.
fn filled(p: &Pattern, norm: ValueId, number: f64) -> Option<FusedOperand> {
    let axis = p.integer(p.module.defined_by(norm, LAYER_NORM)?, "axis")?;
    let ty = p.tensor(norm)?;
    let sizes = ty.dims.get(axis..)?.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
    Some(FusedOperand::Filled(number, ty.element, sizes, None))
}

/// One value per element of a row, which may be a splat.
fn parameter(p: &mut Pattern, value: ValueId, rows: &RowAxes) -> Option<FusedOperand> {
    if let Some(value) = p.along(value, rows) {
        return Some(FusedOperand::Value(value));
    }
    let sizes = rows.axes.iter().map(|&axis| rows.dims[axis].known()).collect::<Option<_>>()?;
    Some(FusedOperand::Filled(p.number(value)?, p.tensor(value)?.element, sizes, Some(value)))
}

/// The norm that computes `value`, with one more operand that has one value per element of a row.
fn widened(
    p: &mut Pattern,
    value: ValueId,
    name: OpName,
    mut operands: Vec<FusedOperand>,
    last: ValueId,
) -> Option<Fused> {
    let op = p.module.defined_by(value, name)?;
    let (axis, epsilon) = (p.integer(op, "axis")?, p.float(op, "epsilon")?);
    let dims = p.tensor(value)?.dims.clone();
    let rows = RowAxes { axes: (axis..dims.len()).collect(), dims };
    operands.push(parameter(p, last, &rows)?);
    Some(Fused::of(name, operands).int("axis", axis).float("epsilon", epsilon))
}

/// The norm of rows.
fn norm(p: &Pattern, name: OpName, operands: &[ValueId], rows: &RowAxes, epsilon: f64) -> Option<Fused> {
    let operands = operands.iter().map(|&operand| FusedOperand::Value(operand)).collect();
    norm_of(p, name, operands, rows, epsilon)
}

/// The norm over rows. ONNX stores epsilon in `f32`; for `f64` it must be exact.
fn norm_of(
    p: &Pattern,
    name: OpName,
    operands: Vec<FusedOperand>,
    rows: &RowAxes,
    epsilon: f64,
) -> Option<Fused> {
    let Some(&FusedOperand::Value(x)) = operands.first() else { return None };
    // The kernel adds one element after the other.
    let mut sizes = rows.axes.iter().map(|&axis| rows.dims[axis].known());
    let count = sizes.try_fold(1i64, |count, size| count.checked_mul(size?));
    if name == RMS_NORM && count.is_some_and(|count| count > LONGEST_ROW) {
        return None;
    }
    let is_rounded = p.is_of(x, &[Element::F64]) && f64::from(epsilon as f32) != epsilon;
    let axis = rows.dims.len() - rows.axes.len();
    (!is_rounded).then(|| Fused::of(name, operands).int("axis", axis).float("epsilon", epsilon))
}

/// Matches `x - mean(x)` over trailing dimensions; returns `x` and its rows.
fn centered_rows(p: &mut Pattern, centered: ValueId) -> Option<(ValueId, RowAxes)> {
    let [x, mean] = p.operands(centered, stablehlo::SUBTRACT)?;
    let rows = p.reduction_rows(mean, x).filter(RowAxes::are_last)?;
    (p.mean(mean, &rows)? == x).then_some((x, rows))
}

/// A factor that is constant along a row, with an optional scale that `parameter` matches.
pub(super) fn scale_and_row(
    p: &mut Pattern,
    factor: ValueId,
    rows: &RowAxes,
    parameter: impl Fn(&mut Pattern, ValueId) -> Option<ValueId>,
) -> Option<(Option<ValueId>, ValueId)> {
    let factor = p.attempt(|p| p.row(factor, rows)).unwrap_or(factor);
    let both = p.attempt(|p| {
        let factors = p.operands(factor, stablehlo::MULTIPLY)?;
        p.either(factors, |p, inverse, scale| {
            let scale = parameter(p, scale)?;
            Some((Some(scale), p.row(inverse, rows)?))
        })
    });
    both.or_else(|| Some((None, p.row_or_full(factor, rows)?)))
}

/// The variance and epsilon of `1 / sqrt(variance + epsilon)`.
pub(super) fn inverse_deviation(p: &mut Pattern, inverse: ValueId, rows: &RowAxes) -> Option<(ValueId, f64)> {
    let raised = match p.operands(inverse, stablehlo::RSQRT) {
        Some([raised]) => raised,
        None => {
            let [one, deviation] = p.operands(inverse, stablehlo::DIVIDE)?;
            let deviation = p.is(one, 1.0).then(|| p.row(deviation, rows))??;
            let [raised] = p.operands(deviation, stablehlo::SQRT)?;
            raised
        }
    };
    raised_variance(p, raised, rows)
}

/// The variance and epsilon of their sum.
fn raised_variance(p: &mut Pattern, raised: ValueId, rows: &RowAxes) -> Option<(ValueId, f64)> {
    let raised = p.row_or_full(raised, rows)?;
    let addends = p.operands(raised, stablehlo::ADD)?;
    p.either(addends, |p, variance, epsilon| {
        let epsilon = p.number(epsilon).filter(|&epsilon| epsilon >= 0.0)?;
        Some((p.row(variance, rows)?, epsilon))
    })
}

/// Whether a value is the variance of `x` along the rows: `mean((x - mean(x))^2)`, or `mean(x^2) - mean(x)^2`, which
/// Flax and Equinox clamp at zero.
pub(super) fn is_variance(p: &mut Pattern, value: ValueId, x: ValueId, rows: &RowAxes) -> bool {
    let unbounded = p.attempt(|p| {
        let operands = p.operands(value, stablehlo::MAXIMUM)?;
        p.either(operands, |p, zero, variance| (p.number(zero)? == 0.0).then_some(variance))
    });
    let value = unbounded.unwrap_or(value);
    let two_passes = |p: &mut Pattern| {
        let value = p.row(value, rows)?;
        let square = p.mean(value, rows)?;
        let centered = p.squared(square)?;
        let [own, mean] = p.operands(centered, stablehlo::SUBTRACT)?;
        (own == x && p.mean(mean, rows)? == x).then_some(())
    };
    let one_pass = |p: &mut Pattern| {
        let difference = p.row(value, rows)?;
        let [of_squares, of_mean] = p.operands(difference, stablehlo::SUBTRACT)?;
        let square = p.mean(of_squares, rows)?;
        let squares = p.squared(square)? == x;
        let of_mean = p.row(of_mean, rows)?;
        let mean = p.squared(of_mean)?;
        (squares && p.mean(mean, rows)? == x).then_some(())
    };
    p.attempt(two_passes).or_else(|| p.attempt(one_pass)).is_some()
}
