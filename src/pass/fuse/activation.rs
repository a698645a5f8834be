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
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::SELECT, elu) },
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::ADD, celu) },
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::SELECT, softplus) },
    FusionRule { absolute: true, ..FusionRule::new(stablehlo::DIVIDE, hard_sigmoid) },
    FusionRule::new(stablehlo::SELECT, hard_tanh),
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

/// `select(x > 0, x, alpha * expm1(x))`, where another number may stand for the positive ones in `expm1`, as
/// `jax.nn.elu` and `jax.nn.selu` print it.
fn elu(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [predicate, x, scaled] = p.operands_of(op)?;
    if !p.is_of(x, SINGLE) {
        return None;
    }
    is_positive(p, predicate, x)?;
    let power = p.attempt(|p| {
        let factors = p.operands(scaled, stablehlo::MULTIPLY)?;
        p.either(factors, |p, alpha, power| Some((p.number(alpha)?, power)))
    });
    let (alpha, power) = power.unwrap_or((1.0, scaled));
    let [exponent] = p.operands(power, stablehlo::EXPONENTIAL_MINUS_ONE)?;
    if exponent != x {
        let [inner, number, other] = p.operands(exponent, stablehlo::SELECT)?;
        let is_safe = p.number(number).is_some() && other == x;
        (is_safe && (inner == predicate || is_positive(p, inner, x).is_some())).then_some(())?;
    }
    alpha.is_finite().then(|| Fused::new(hlo2onnx::ELU, &[x]).float("alpha", alpha))
}

/// `maximum(x, 0) + expm1(minimum(x, 0))`, which is `jax.nn.celu` with an alpha of 1.
fn celu(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let addends = p.operands_of(op)?;
    p.is_of(addends[0], SINGLE).then_some(())?;
    p.either(addends, |p, above, below| {
        let x = p.bounded_by_zero(above, stablehlo::MAXIMUM)?;
        let [exponent] = p.operands(below, stablehlo::EXPONENTIAL_MINUS_ONE)?;
        let same = p.bounded_by_zero(exponent, stablehlo::MINIMUM)? == x;
        same.then(|| Fused::new(hlo2onnx::ELU, &[x]).float("alpha", 1.0))
    })
}

/// `log(exp(x) + exp(0))`, as `jnp.logaddexp` prints it: `maximum(x, 0) + log1p(exp(-|x|))` unless `x` is NaN.
fn softplus(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [is_nan, sum, value] = p.operands_of(op)?;
    p.is_of(sum, SINGLE).then_some(())?;
    let [tested, same] = p.operands(is_nan, stablehlo::COMPARE)?;
    let is_test = tested == same && p.word(is_nan, "comparison_direction") == Some("NE");
    let addends = p.operands(sum, stablehlo::ADD)?;
    let x = p.either(addends, |p, x, zero| (p.number(zero) == Some(0.0)).then_some(x))?;
    let is_difference = |p: &mut Pattern, value: ValueId| {
        value == x
            || p.attempt(|p| {
                let [first, zero] = p.operands(value, stablehlo::SUBTRACT)?;
                (first == x && p.number(zero) == Some(0.0)).then_some(())
            })
            .is_some()
    };
    let parts = p.operands(value, stablehlo::ADD)?;
    let matches = p.either(parts, |p, above, logarithm| {
        let above = p.bounded_by_zero(above, stablehlo::MAXIMUM)?;
        let [power] = p.operands(logarithm, stablehlo::LOG_PLUS_ONE)?;
        let [negative] = p.operands(power, stablehlo::EXPONENTIAL)?;
        let [size] = p.operands(negative, stablehlo::NEGATE)?;
        let [inner] = p.operands(size, stablehlo::ABS)?;
        Some(above == x && is_difference(p, inner))
    })?;
    (is_test && matches && is_difference(p, tested)).then(|| Fused::new(hlo2onnx::SOFTPLUS, &[x]))
}

/// `clamp(0, x + 3, 6) / 6`, as `jax.nn.hard_sigmoid` prints it.
fn hard_sigmoid(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [clamped, six] = p.operands_of(op)?;
    let [low, sum, high] = p.operands(clamped, stablehlo::CLAMP)?;
    let numbers = [low, high, six].map(|value| p.number(value));
    let addends = p.operands(sum, stablehlo::ADD)?;
    let x = p.either(addends, |p, x, three| p.is(three, 3.0).then_some(x))?;
    let fits = numbers == [Some(0.0), Some(6.0), Some(6.0)] && p.is_of(x, SINGLE);
    fits.then(|| Fused::new(hlo2onnx::HARD_SIGMOID, &[x]).float("alpha", 1.0 / 6.0).float("beta", 0.5))
}

/// `select(x > high, high, select(x < low, low, x))`, as `jax.nn.hard_tanh` prints it.
fn hard_tanh(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [above, high, inner] = p.operands_of(op)?;
    let [below, low, x] = p.operands(inner, stablehlo::SELECT)?;
    let [lowest, highest] = [p.number(low)?, p.number(high)?];
    let mut compares = |test: ValueId, bound: f64, direction: &str| {
        let [own, limit] = p.operands(test, stablehlo::COMPARE)?;
        let is_same = own == x && p.number(limit) == Some(bound);
        (is_same && p.word(test, "comparison_direction") == Some(direction)).then_some(())
    };
    compares(above, highest, "GT")?;
    compares(below, lowest, "LT")?;
    (p.is_of(x, FLOATS) && lowest <= highest).then(|| Fused::new(stablehlo::CLAMP, &[low, x, high]))
}

/// `x > 0` or `x >= 0`, which adds it to the match.
fn is_positive(p: &mut Pattern, predicate: ValueId, x: ValueId) -> Option<()> {
    let [compared, zero] = p.operands(predicate, stablehlo::COMPARE)?;
    let direction = p.word(predicate, "comparison_direction")?;
    (compared == x && p.number(zero) == Some(0.0) && matches!(direction, "GE" | "GT")).then_some(())
}

/// `select(x >= 0, x, slope * x)`.
fn leaky_relu(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [predicate, x, scaled] = p.operands_of(op)?;
    if !p.is_of(x, SINGLE) {
        return None;
    }
    is_positive(p, predicate, x)?;
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
