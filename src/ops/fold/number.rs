//! Elements as bits and as numbers.

use crate::ir::Element;

/// The integer brought into the range of its type: signed types wrap with their sign, `i1` is whether it is not zero,
/// all others keep their lowest bits.
pub(super) fn wrap(element: Element, value: i64) -> i64 {
    let bits = element.bits();
    if element == Element::Bool {
        return i64::from(value != 0);
    }
    if bits == 0 || bits >= 64 {
        return value;
    }
    let shift = 64 - bits;
    if element.is_signed() {
        return value << shift >> shift;
    }
    ((value as u64) << shift >> shift) as i64
}

/// Whether numbers of the type are computed with here: wider types than these are not, narrower ones are left alone.
pub(super) fn is_computed_float(element: Element) -> bool {
    matches!(element, Element::F16 | Element::BF16 | Element::F32 | Element::F64)
}

/// The number that the bits of a float are.
pub(crate) fn float(element: Element, bits: i64) -> Option<f64> {
    Some(match element {
        Element::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Element::BF16 => half::bf16::from_bits(bits as u16).to_f64(),
        Element::F32 => f64::from(f32::from_bits(bits as u32)),
        Element::F64 => f64::from_bits(bits as u64),
        _ => return None,
    })
}

/// The bits of the nearest float, ties to even; `None` for NaN, whose bits depend on the processor.
pub(super) fn float_bits(element: Element, value: f64) -> Option<i64> {
    if value.is_nan() {
        return None;
    }
    Some(match element {
        Element::F16 => i64::from(half::f16::from_f32(odd_f32(value)).to_bits()),
        Element::BF16 => i64::from(half::bf16::from_f32(odd_f32(value)).to_bits()),
        Element::F32 => i64::from((value as f32).to_bits()),
        Element::F64 => value.to_bits() as i64,
        _ => return None,
    })
}

/// The number as `f32`, rounded to odd, so that rounding it again equals rounding `value` once.
fn odd_f32(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) == value || nearest.to_bits() & 1 == 1 && nearest.is_finite() {
        return nearest;
    }
    if nearest.is_infinite() {
        // Larger than any f32, and so than any f16 or bf16.
        return nearest;
    }
    // Inexact with an even last bit: the neighbor on the other side of `value` is odd.
    let away = f64::from(nearest).abs() < value.abs();
    let bits = nearest.to_bits();
    if away { f32::from_bits(bits + 1) } else { f32::from_bits(bits - 1) }
}

/// The integer in the bits as a number without loss of sign: `ui64` is the only type beyond `i64`.
pub(super) fn integer(element: Element, bits: i64) -> i128 {
    if element == Element::U64 { i128::from(bits as u64) } else { i128::from(bits) }
}
