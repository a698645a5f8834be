//! Numbers in an interval from random bits, as `jax.random.uniform` prints them.
//!
//! JAX puts the highest bits into the fraction of a float between 1 and 2 and subtracts 1. The fraction as an integer, times a
//! power of two, is the same number in fewer ops, and without the bits of a float.

use super::pattern::Pattern;
use super::{Field, Fused, FusedOperand, FusionRule};
use crate::ir::{Element, OpId, ValueId, stablehlo};

pub(super) const RULES: &[FusionRule] = &[
    FusionRule::new(stablehlo::SUBTRACT, fraction),
    FusionRule::new(stablehlo::MULTIPLY, scaled_fraction),
    FusionRule::new(stablehlo::MAXIMUM, at_least),
    FusionRule::new(stablehlo::COMPARE, less),
];

/// The number of bits of a fraction, and the bits of 1.
fn format(element: Element) -> Option<(u32, i64)> {
    match element {
        Element::F32 => Some((23, 0x3F80_0000)),
        Element::F64 => Some((52, 0x3FF0_0000_0000_0000)),
        _ => None,
    }
}

/// The product of an integer as a float and a number.
fn product(p: &Pattern, fraction: FusedOperand, number: f64, like: ValueId) -> Option<Fused> {
    let ty = p.tensor(like)?;
    let factor = FusedOperand::Filled(number, ty.element, ty.sizes()?, None);
    Some(Fused::of(stablehlo::MULTIPLY, [fraction, factor]))
}

/// `bitcast(shift_right(bits, k) | 1.0) - 1.0`.
fn fraction(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [sum, one] = p.operands_of(op)?;
    let result = p.result_of(op)?;
    let (width, bits_of_one) = format(p.tensor(result)?.element)?;
    let [joined] = p.operands(sum, stablehlo::BITCAST_CONVERT)?;
    let sides = p.operands(joined, stablehlo::OR)?;
    let high =
        p.either(sides, |p, high, pattern| (p.whole_number(pattern)? == bits_of_one).then_some(high))?;
    let (shift, from) = shift_of(p, high)?;
    let fits = p.number(one)? == 1.0 && shift + width == from;
    let whole = FusedOperand::made(Fused::new(stablehlo::CONVERT, &[high]), result);
    fits.then(|| product(p, whole, 0.5f64.powi(width as i32), result))?
}

/// By how many bits an unsigned value is shifted to the right, and its width.
fn shift_of(p: &Pattern, value: ValueId) -> Option<(u32, u32)> {
    let [_, amount] = p.module.defining_operands(value, stablehlo::SHIFT_RIGHT_LOGICAL)?;
    let element = p.tensor(value)?.element;
    let amount = u32::try_from(p.whole_number(amount)?).ok()?;
    let inside = element.is_unsigned() && (1..element.bits()).contains(&amount);
    inside.then_some((amount, element.bits()))
}

/// The shifted bits, as which `fraction` has a number from 0 to 1, and the factor.
fn read_fraction(p: &mut Pattern, value: ValueId) -> Option<(ValueId, f64)> {
    let factors = p.operands(value, stablehlo::MULTIPLY)?;
    p.either(factors, |p, whole, number| {
        let number = p.number(number)?;
        let [high] = p.module.defining_operands(whole, stablehlo::CONVERT)?;
        shift_of(p, high)?;
        (number > 0.0 && number.is_finite()).then_some((whole, number))
    })
}

/// A fraction times a number: one product, because that with a power of two is exact.
fn scaled_fraction(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let sides = p.operands_of(op)?;
    let result = p.result_of(op)?;
    let (width, _) = format(p.tensor(result)?.element)?;
    p.either(sides, |p, value, number| {
        let number = p.number(number)?;
        let (whole, factor) = read_fraction(p, value)?;
        // The product of the numbers is exact, and so is no smaller than the smallest normal number.
        let is_unit = factor == 0.5f64.powi(width as i32);
        let fits = is_unit && (1e-20..1e20).contains(&number);
        fits.then(|| product(p, FusedOperand::Value(whole), factor * number, result))?
    })
}

/// The maximum of a number and that number plus a fraction, which is not less.
fn at_least(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let sides = p.operands_of(op)?;
    let result = p.result_of(op)?;
    format(p.tensor(result)?.element)?;
    p.either(sides, |p, least, sum| {
        let number = p.number(least)?;
        let terms = p.operands(sum, stablehlo::ADD)?;
        p.either(terms, |p, value, other| {
            if p.number(other)?.to_bits() != number.to_bits() || number.is_nan() {
                return None;
            }
            let (whole, factor) = p.attempt(|p| read_fraction(p, value))?;
            // Only zero leaves each fraction as it is.
            if number.to_bits() == 0.0f64.to_bits() {
                return product(p, FusedOperand::Value(whole), factor, result);
            }
            let fraction = product(p, FusedOperand::Value(whole), factor, result)?;
            let fraction = FusedOperand::made(fraction, result);
            Some(Fused::of(stablehlo::ADD, [fraction, FusedOperand::Value(other)]))
        })
    })
}

/// A fraction that is less than a number: the bits are less than its bits.
fn less(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [value, number] = p.operands_of(op)?;
    let result = p.result_of(op)?;
    let number = p.number(number)?;
    let is_less = p.word(result, "comparison_direction")? == "LT";
    if !is_less || !p.is_of(value, &[Element::F32]) {
        return None;
    }
    let (whole, factor) = read_fraction(p, value)?;
    let [high] = p.operands(whole, stablehlo::CONVERT)?;
    let (shift, width) = shift_of(p, high)?;
    let [bits, _] = p.operands(high, stablehlo::SHIFT_RIGHT_LOGICAL)?;
    let count = 2f64.powi((width - shift) as i32);
    let limit = (number * count).ceil();
    let fits = factor == 1.0 / count && width == 32 && (1.0..count).contains(&limit);
    let direction = p.module.attribute(op, "comparison_direction")?.clone();
    let sizes = p.tensor(bits)?.sizes()?;
    let limit = FusedOperand::Filled(limit * 2f64.powi(shift as i32), Element::U32, sizes, None);
    let mut compare = Fused::of(stablehlo::COMPARE, [FusedOperand::Value(bits), limit]);
    compare.attributes.push(("comparison_direction", Field::Other(direction)));
    fits.then_some(compare)
}
