//! The sign bit of a float, which JAX reads with a bit cast: `signbit`, and `copysign` based on it.

use super::pattern::Pattern;
use super::{Fused, FusionRule};
use crate::ir::{OpId, OpName, hlo2onnx, stablehlo};

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::COMPARE, sign_bit)];

/// `shift_right(bitcast(x), width - 1) != 0`.
fn sign_bit(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [shifted, zero] = p.operands_of(op)?;
    let result = p.result_of(op)?;
    let is_not_zero = p.word(result, "comparison_direction")? == "NE" && p.whole_number(zero)? == 0;
    let shift = |p: &mut Pattern, name: OpName| p.attempt(|p| p.operands(shifted, name));
    let [bits, amount] = is_not_zero.then(|| {
        shift(p, stablehlo::SHIFT_RIGHT_ARITHMETIC).or_else(|| shift(p, stablehlo::SHIFT_RIGHT_LOGICAL))
    })??;
    let [x] = p.operands(bits, stablehlo::BITCAST_CONVERT)?;
    let (float, integer) = (p.tensor(x)?.element, p.tensor(bits)?.element);
    let is_top = p.whole_number(amount)? == i64::from(float.bits()) - 1;
    let fits = is_top && float.is_float() && integer.is_integer() && float.bits() == integer.bits();
    fits.then(|| Fused::new(hlo2onnx::SIGN_BIT, &[x]))
}
