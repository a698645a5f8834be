//! Activation functions.

use super::pattern::Pattern;
use super::{Fused, FusionRule};
use crate::ir::{Element, OpId, OpName, ValueId, chlo, hlo2onnx, stablehlo};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

pub(super) const RULES: &[FusionRule] = &[
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::DIVIDE, logistic) },
    FusionRule::new(stablehlo::MINIMUM, clamp),
    FusionRule::new(stablehlo::MAXIMUM, clamp_above),
    FusionRule::new(stablehlo::SELECT, leaky_relu),
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::MULTIPLY, gelu) },
];

/// Element types for which ONNX Runtime has kernels of all activation functions, or of their parts.
const SINGLE: &[Element] = &[Element::F32, Element::F16, Element::BF16];
const FLOATS: &[Element] = &[Element::F64, Element::F32, Element::F16, Element::BF16];

/// `1 / (1 + exp(-x))`, which is how `jax.nn.sigmoid` is printed.
fn logistic(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [one, sum] = p.operands_of(op)?;
    if !p.is(one, 1.0) || !p.is_of(sum, FLOATS) {
        return None;
    }
    let addends = p.operands(sum, stablehlo::ADD)?;
    p.either(addends, |p, one, power| {
        let [negated] = p.is(one, 1.0).then(|| p.operands(power, stablehlo::EXPONENTIAL))??;
        let [x] = p.operands(negated, stablehlo::NEGATE)?;
        Some(Fused::new(stablehlo::LOGISTIC, &[x]))
    })
}

/// `minimum(high, maximum(low, x))`.
fn clamp(p: &mut Pattern, op: OpId) -> Option<Fused> {
    bounded(p, op, stablehlo::MAXIMUM, |outer, inner| inner <= outer)
        .map(|(outer, inner, x)| Fused::new(stablehlo::CLAMP, &[inner, x, outer]))
}

/// `maximum(low, minimum(high, x))`.
fn clamp_above(p: &mut Pattern, op: OpId) -> Option<Fused> {
    bounded(p, op, stablehlo::MINIMUM, |outer, inner| outer <= inner)
        .map(|(outer, inner, x)| Fused::new(stablehlo::CLAMP, &[outer, x, inner]))
}

/// The bound of this op, the bound of its producer of this name, and the value between them.
fn bounded(
    p: &mut Pattern,
    op: OpId,
    producer: OpName,
    ordered: fn(f64, f64) -> bool,
) -> Option<(ValueId, ValueId, ValueId)> {
    let operands = p.operands_of(op)?;
    if !p.is_of(operands[0], FLOATS) {
        return None;
    }
    p.either(operands, |p, outer, value| {
        let outer_bound = p.number(outer)?;
        let operands = p.operands(value, producer)?;
        p.either(operands, |p, inner, x| {
            let inner_bound = p.number(inner)?;
            ordered(outer_bound, inner_bound).then_some((outer, inner, x))
        })
    })
}

/// `select(x >= 0, x, slope * x)`.
fn leaky_relu(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [predicate, x, scaled] = p.operands_of(op)?;
    if !p.is_of(x, SINGLE) {
        return None;
    }
    let [compared, zero] = p.operands(predicate, stablehlo::COMPARE)?;
    let direction = p.word(predicate, "comparison_direction")?;
    if compared != x || p.number(zero) != Some(0.0) || !matches!(direction, "GE" | "GT") {
        return None;
    }
    let factors = p.operands(scaled, stablehlo::MULTIPLY)?;
    let slope = p.either(factors, |p, slope, own| (own == x).then(|| p.number(slope))?)?;
    slope.is_finite().then(|| Fused::new(hlo2onnx::LEAKY_RELU, &[x]).float("alpha", slope))
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`, which JAX prints as `x / 2 * erfc(-x / sqrt(2))`, or the approximation of it by
/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))` (Hendrycks and Gimpel, "Gaussian Error Linear Units").
fn gelu(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    if !p.is_of(factors[0], SINGLE) {
        return None;
    }
    let halved = p.attempt(|p| {
        p.either(factors, |p, number, product| {
            Some((p.number(number)?, p.operands(product, stablehlo::MULTIPLY)?))
        })
    });
    let (number, factors) = halved.unwrap_or((1.0, factors));
    p.either(factors, |p, own, other| {
        let (times, twice) = p.scaled(other);
        p.divisors(own).into_iter().find_map(|x| {
            p.attempt(|p| {
                let half = number * times * p.multiple(own, x)?;
                p.is_near(half, 0.5, x).then(|| twice_share(p, twice, x))?
            })
        })
    })
}

/// The op for an `x` that is multiplied by half of this.
fn twice_share(p: &mut Pattern, twice: ValueId, x: ValueId) -> Option<Fused> {
    let exact = || Fused::new(hlo2onnx::GELU, &[x]).int("approximate", 0);
    let wide = p.attempt(|p| p.operands(twice, stablehlo::CONVERT)).map_or(twice, |[wide]| wide);
    if let Some([argument]) = p.operands(wide, chlo::ERFC) {
        let narrow = p.attempt(|p| p.operands(argument, stablehlo::CONVERT));
        let argument = narrow.map_or(argument, |[narrow]| narrow);
        let number = p.multiple(argument, x)?;
        return p.is_near(number, -FRAC_1_SQRT_2, x).then(exact);
    }
    let addends = p.operands(twice, stablehlo::ADD)?;
    p.either(addends, |p, one, odd| {
        if !p.is(one, 1.0) {
            return None;
        }
        if let Some([argument]) = p.operands(odd, chlo::ERF) {
            let number = p.multiple(argument, x)?;
            return p.is_near(number, FRAC_1_SQRT_2, x).then(exact);
        }
        let [argument] = p.operands(odd, stablehlo::TANH)?;
        let approximate = || Fused::new(hlo2onnx::GELU, &[x]).int("approximate", 1);
        is_tanh_argument(p, argument, x).then(approximate)
    })
}

/// Whether a value is `sqrt(2 / pi) * (x + 0.044715 * x^3)`.
fn is_tanh_argument(p: &mut Pattern, value: ValueId, x: ValueId) -> bool {
    let read = |p: &mut Pattern| {
        let (number, sum) = p.scaled(value);
        let addends = p.is_near(number, FRAC_2_PI.sqrt(), x).then(|| p.operands(sum, stablehlo::ADD))??;
        p.either(addends, |p, own, scaled| {
            let (number, cube) = (own == x).then(|| p.scaled(scaled))?;
            let factors = p.is_near(number, 0.044715, x).then(|| p.operands(cube, stablehlo::MULTIPLY))??;
            p.either(factors, |p, square, last| {
                (last == x && p.attempt(|p| p.squared(square))? == x).then_some(())
            })
        })
    };
    p.attempt(read).is_some()
}
