//! The complementary error function, which `jax.export` prints as XLA's polynomials.

use super::pattern::Pattern;
use super::{Fused, FusionRule};
use crate::ir::{OpId, ValueId, chlo, stablehlo};
use std::f64::consts::FRAC_2_SQRT_PI;

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::SELECT, erfc)];

// The coefficients of Cephes' `erfcf` (S. L. Moshier), which CHLO's decomposition uses, highest powers first.

/// `erf(x) / x` by powers of `x^2`.
const ERF: &[f64] =
    &[7.8538615e-5, -8.0101937e-4, 5.1883277e-3, -2.6853813e-2, 0.112835854, -0.37612626, FRAC_2_SQRT_PI];
/// `erfc(x) * exp(x^2) * x` by powers of `1 / x^2`, for `x` below 2.
const NEAR: &[f64] = &[
    0.0232682,
    -0.13870394,
    0.36874247,
    -0.5824733,
    0.62100047,
    -0.49445152,
    0.340488,
    -0.2741127,
    0.56382596,
];
/// The same for larger `x`.
const FAR: &[f64] =
    &[-10.477664, 12.9772, -7.4955187, 2.921019, -1.0152652, 0.42184633, -0.28207675, 0.5641895];
/// The logarithm of the largest `f32`; `exp` of anything below its negative is taken for 0.
const LARGEST_EXPONENT: f64 = 88.72284;

/// `select(|x| < 1, 1 - erf(x), select(x < 0, 2 - tail, tail))`.
fn erfc(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [near, inner, outer] = p.operands_of(op)?;
    let magnitude = less(p, near, 1.0)?;
    let [x] = p.operands(magnitude, stablehlo::ABS)?;
    let [negative, reflected, tail] = p.operands(outer, stablehlo::SELECT)?;
    let [two, same] = p.operands(reflected, stablehlo::SUBTRACT)?;
    let mirrored = less(p, negative, 0.0)? == x && p.is(two, 2.0) && same == tail;
    let square = mirrored.then(|| square_of_tail(p, tail, x, magnitude))??;
    let [one, erf] = p.operands(inner, stablehlo::SUBTRACT)?;
    let factors = p.is(one, 1.0).then(|| p.operands(erf, stablehlo::MULTIPLY))??;
    let is_erf = |p: &mut Pattern, own: ValueId, sum: ValueId| {
        (own == x && is_polynomial(p, sum, ERF, &|_, value| value == square)).then_some(())
    };
    p.either(factors, is_erf).map(|()| Fused::new(chlo::ERFC, &[x]))
}

/// `x^2`, if a value is `exp(-x^2) * (1 / |x|) * polynomial(1 / x^2)`, or 0 if the exponential underflows.
fn square_of_tail(p: &mut Pattern, tail: ValueId, x: ValueId, magnitude: ValueId) -> Option<ValueId> {
    let [vanishing, zero, value] = p.operands(tail, stablehlo::SELECT)?;
    let exponent = less(p, vanishing, -LARGEST_EXPONENT)?;
    let [square] = (p.number(zero)? == 0.0).then(|| p.operands(exponent, stablehlo::NEGATE))??;
    let is_square = p.attempt(|p| (p.squared(square)? == x).then_some(())).is_some();
    let factors = is_square.then(|| p.operands(value, stablehlo::MULTIPLY))??;
    p.either(factors, |p, scale, polynomial| {
        let parts = p.operands(scale, stablehlo::MULTIPLY)?;
        p.either(parts, |p, power, inverse| {
            let [own] = p.operands(power, stablehlo::EXPONENTIAL)?;
            (own == exponent && is_inverse(p, inverse, magnitude)).then_some(())
        })?;
        let [is_near, near, far] = p.operands(polynomial, stablehlo::SELECT)?;
        let chosen = less(p, is_near, 2.0)? == magnitude
            && is_polynomial(p, near, NEAR, &|p, value| is_inverse(p, value, square))
            && is_polynomial(p, far, FAR, &|p, value| is_inverse(p, value, square));
        chosen.then_some(square)
    })
}

/// The left side of a comparison with a number.
fn less(p: &mut Pattern, predicate: ValueId, number: f64) -> Option<ValueId> {
    let [value, bound] = p.operands(predicate, stablehlo::COMPARE)?;
    (p.word(predicate, "comparison_direction")? == "LT" && p.is(bound, number)).then_some(value)
}

/// Whether a value is `1 / x`.
fn is_inverse(p: &mut Pattern, value: ValueId, x: ValueId) -> bool {
    let read = |p: &mut Pattern| {
        let [one, divisor] = p.operands(value, stablehlo::DIVIDE)?;
        (p.is(one, 1.0) && divisor == x).then_some(())
    };
    p.attempt(read).is_some()
}

/// Whether a value is the polynomial with these coefficients in Horner form.
fn is_polynomial(
    p: &mut Pattern,
    value: ValueId,
    coefficients: &[f64],
    is_variable: &dyn Fn(&mut Pattern, ValueId) -> bool,
) -> bool {
    let read = |p: &mut Pattern| {
        let (&highest, lower) = coefficients.split_first()?;
        let mut value = value;
        for &coefficient in lower.iter().rev() {
            let addends = p.operands(value, stablehlo::ADD)?;
            let product =
                p.either(addends, |p, product, added| p.is(added, coefficient).then_some(product))?;
            let factors = p.operands(product, stablehlo::MULTIPLY)?;
            value = p.either(factors, |p, rest, variable| is_variable(p, variable).then_some(rest))?;
        }
        p.is(value, highest).then_some(())
    };
    p.attempt(read).is_some()
}
