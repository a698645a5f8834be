//! Scales and offsets after a layer with weights.

use super::pattern::Pattern;
use super::{Fused, FusedOperand, FusionRule};
use crate::ir::{Element, OpId, ValueId, stablehlo};

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::ADD, affine)];

/// `(x - mean) * factor + offset` with constants becomes `x * factor + (offset - mean * factor)`, which a runtime
/// folds into the weights of the convolution or matrix product that computes `x`. Batch norms print like this.
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
            let (f, of_factor) = p.spread_constant(factor)?;
            let [x, mean] = p.operands(centered, stablehlo::SUBTRACT)?;
            let (m, of_mean) = p.spread_constant(mean)?;
            let alike = dims == of_factor
                && dims == of_mean
                && p.tensor(b)? == p.tensor(f)?
                && p.tensor(b)? == p.tensor(m)?;
            (alike && is_weighted(p, x)).then_some(())?;
            let (b_elements, f_elements, m_elements) = (p.floats(b)?, p.floats(f)?, p.floats(m)?);
            let elements = b_elements.iter().zip(f_elements).zip(m_elements);
            let bytes: Vec<u8> =
                elements.flat_map(|((b, f), m)| ((b - m * f) as f32).to_le_bytes()).collect();
            let spread = Fused::of(stablehlo::BROADCAST_IN_DIM, [FusedOperand::Constant(bytes.into(), b)])
                .positions("broadcast_dimensions", &dims);
            let scaled = Fused::new(stablehlo::MULTIPLY, &[x, factor]);
            let operands = [FusedOperand::Made(scaled.into(), x), FusedOperand::Made(spread.into(), offset)];
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
