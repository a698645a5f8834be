//! Scales and offsets after a layer with weights.

use super::pattern::Pattern;
use super::{Fused, FusedOperand, FusionRule};
use crate::ir::{Element, OpId, ValueId, stablehlo};

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::ADD, affine)];

/// `(x - mean) * factor + offset` with constants becomes `x * factor + (offset - mean * factor)`, which a runtime
/// folds into the weights of the convolution or matrix product that computes `x`. Batch norms print like this. If `x` is
/// a product plus a constant bias, the bias becomes part of the offset.
///
/// For any other `x`, `x - mean` may be small compared with `x`, and multiplying first would lose digits.
fn affine(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let addends = p.operands_of(op)?;
    if !p.is_of(addends[0], &[Element::F32]) {
        return None;
    }
    p.either(addends, |p, product, offset| {
        let (b, dims) = p.spread_constant(offset)?;
        let factors = p.operands(product, stablehlo::MULTIPLY)?;
        p.either(factors, |p, centered, factor| {
            let alike = |p: &Pattern, value: ValueId| {
                let (constant, of_value) = p.spread_constant(value)?;
                (dims == of_value && p.tensor(b)? == p.tensor(constant)?).then(|| p.floats(constant))?
            };
            let f_elements = alike(p, factor)?;
            let [x, mean] = p.operands(centered, stablehlo::SUBTRACT)?;
            let m_elements = alike(p, mean)?;
            let biased = p.attempt(|p| {
                let addends = p.operands(x, stablehlo::ADD)?;
                p.either(addends, |p, x, bias| Some((x, alike(p, bias)?)))
            });
            let (x, c_elements) = biased.unwrap_or_else(|| (x, vec![0.0; m_elements.len()]));
            is_weighted(p, x).then_some(())?;
            let b_elements = p.floats(b)?;
            let shifts = c_elements.iter().zip(m_elements).map(|(c, m)| c - m);
            let elements = b_elements.iter().zip(f_elements).zip(shifts);
            let bytes: Vec<u8> =
                elements.flat_map(|((b, f), shift)| ((b + shift * f) as f32).to_le_bytes()).collect();
            let spread = Fused::of(stablehlo::BROADCAST_IN_DIM, [FusedOperand::Constant(bytes.into(), b)])
                .positions("broadcast_dimensions", &dims);
            let scaled = Fused::new(stablehlo::MULTIPLY, &[x, factor]);
            let operands = [FusedOperand::made(scaled, x), FusedOperand::made(spread, offset)];
            Some(Fused::of(stablehlo::ADD, operands))
        })
    })
}

/// Whether a value is computed by a convolution or matrix product, possibly cast to a wider type.
fn is_weighted(p: &Pattern, x: ValueId) -> bool {
    let x = p.module.defining_operands(x, stablehlo::CONVERT).map_or(x, |[x]| x);
    [stablehlo::CONVOLUTION, stablehlo::DOT_GENERAL]
        .into_iter()
        .any(|name| p.module.defined_by(x, name).is_some())
}
