//! Softmax and log-softmax.

use super::pattern::{Pattern, RowAxes};
use super::{Fused, FusionRule};
use crate::ir::{OpId, OpName, ValueId, hlo2onnx, stablehlo};
use crate::ops::Combiner;

pub(super) const RULES: &[FusionRule] =
    &[FusionRule::new(stablehlo::DIVIDE, softmax), FusionRule::new(stablehlo::SUBTRACT, log_softmax)];

/// `exp(x - max(x)) / sum(exp(x - max(x)))` along one dimension.
fn softmax(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [powers, sum] = p.operands_of(op)?;
    let rows = p.reduction_rows(sum, powers)?;
    if summed(p, sum, &rows)? != powers {
        return None;
    }
    let [shifted] = p.operands(powers, stablehlo::EXPONENTIAL)?;
    fused(p, hlo2onnx::SOFTMAX, shifted, &rows)
}

/// `x - max(x) - log(sum(exp(x - max(x))))` along one dimension.
fn log_softmax(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [shifted, logarithm] = p.operands_of(op)?;
    let rows = p.reduction_rows(logarithm, shifted)?;
    let logarithm = p.row(logarithm, &rows)?;
    let [sum] = p.operands(logarithm, stablehlo::LOG)?;
    let powers = summed(p, sum, &rows)?;
    let [exponent] = p.operands(powers, stablehlo::EXPONENTIAL)?;
    (exponent == shifted).then(|| fused(p, hlo2onnx::LOG_SOFTMAX, shifted, &rows))?
}

/// The operand of a sum along the rows, before JAX's cast to a wider type.
fn summed(p: &mut Pattern, sum: ValueId, rows: &RowAxes) -> Option<ValueId> {
    let sum = p.row(sum, rows)?;
    let Some([wide]) = p.operands(sum, stablehlo::CONVERT) else {
        return p.reduced(sum, Combiner::Add, rows);
    };
    let wide = p.reduced(wide, Combiner::Add, rows)?;
    let [narrow] = p.operands(wide, stablehlo::CONVERT)?;
    (p.tensor(narrow)?.element == p.tensor(sum)?.element).then_some(narrow)
}

/// The op on the value from which `shifted` subtracts the maximum of each row.
fn fused(p: &mut Pattern, name: OpName, shifted: ValueId, rows: &RowAxes) -> Option<Fused> {
    let [axis] = rows.axes[..] else { return None };
    let [x, largest] = p.operands(shifted, stablehlo::SUBTRACT)?;
    let of_rows = p.attempt(|p| (p.reduced(largest, Combiner::Maximum, rows)? == x).then_some(()));
    let found = of_rows.or_else(|| is_largest_before_transpose(p, largest, x, axis, rows));
    found.map(|()| Fused::new(name, &[x]).int("axis", axis))
}

/// Whether the maxima were computed before a Transpose, as `jax.nn.dot_product_attention` prints it: `x` is the
/// Transpose of their operand.
fn is_largest_before_transpose(
    p: &mut Pattern,
    largest: ValueId,
    x: ValueId,
    axis: usize,
    rows: &RowAxes,
) -> Option<()> {
    let transpose = p.module.defined_by(x, stablehlo::TRANSPOSE)?;
    let [inner] = p.operands_of(transpose)?;
    let order = p.permutation(transpose)?;
    let row = p.row(largest, rows)?;
    let [reduced] = p.operands(row, stablehlo::TRANSPOSE)?;
    let outer = p.permutation(p.module.defined_by(row, stablehlo::TRANSPOSE)?)?;
    let from = *order.get(axis)?;
    let dims = p.tensor(inner)?.dims.clone();
    let inner_rows = RowAxes { dims, axes: vec![from] };
    let kept = order.iter().filter(|&&other| other != from).map(|&other| other - usize::from(other > from));
    (kept.eq(outer) && p.reduced(reduced, Combiner::Maximum, &inner_rows)? == inner).then_some(())
}
