//! The element type in which products are summed.
//!
//! Takes the element types of a `dot_general` or `convolution`. Returns the type that both operands are cast to, and
//! the casts from there to the result. Integers wrap like XLA's. Refuses sums of floats as integers.

use crate::ir::{Element, ValueId, onnx};
use crate::ops::{Lower, LowerError};

/// Whole numbers up to this magnitude, and so sums that never exceed it, are exact in `f32`.
const EXACT_F32: i128 = 1 << 24;
/// The same for `f64`.
const EXACT_F64: i128 = 1 << 53;

/// The element types in which a sum of products is computed and converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// The type that both operands are cast to, and that the products and sums are made in.
    pub compute: Element,
    /// The steps from there to the type of the result, in order.
    steps: Vec<CastOrMask>,
}

/// An elementwise step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CastOrMask {
    /// A cast to this type.
    Cast(Element),
    /// The lowest bits of an integer.
    Mask(u32),
}

impl Arithmetic {
    /// The arithmetic of sums of `terms` products of an `lhs` and an `rhs` that make a `result`.
    ///
    /// ONNX has no `MatMul` for 8 and 16 bits. Their products are summed in `f32` or `f64` if the number of terms
    /// proves the sums exact: ONNX Runtime's integer kernels are an order of magnitude slower, and the one for
    /// `MatMulInteger` saturates pairs of products on x86 processors without VNNI.
    ///
    /// # Errors
    /// If the operands are floats and the result is an integer or `i1`, which StableHLO does not define.
    pub fn of(lhs: Element, rhs: Element, result: Element, terms: i64) -> Result<Self, LowerError> {
        if result.is_float() {
            let compute = widest_float([lhs, rhs, result]);
            return Ok(Self { compute, steps: casts(compute, result) });
        }
        if [lhs, rhs].iter().any(|operand| operand.is_float()) {
            return Err(LowerError::form("float products with a result that is not float"));
        }
        if result == Element::Bool {
            return match (lhs, rhs) {
                // The disjunction of conjunctions is true where the sum of products of 0 and 1 is not 0, and a sum
                // of numbers that are not negative stays above 0 however it is rounded.
                (Element::Bool, Element::Bool) => {
                    Ok(Self { compute: Element::F32, steps: vec![CastOrMask::Cast(Element::Bool)] })
                }
                _ => Err(LowerError::form("integer products with an `i1` result")),
            };
        }
        let bound = magnitude(lhs)
            .zip(magnitude(rhs))
            .and_then(|(lhs, rhs)| lhs.checked_mul(rhs)?.checked_mul(i128::from(terms)));
        let compute = match bound {
            Some(bound) if bound <= EXACT_F32 => Element::F32,
            Some(bound) if bound <= EXACT_F64 => Element::F64,
            _ => return Ok(Self::wrapping(lhs, rhs, result)),
        };
        let steps = wrapped(lhs, rhs, result, bound.unwrap_or(i128::MAX));
        Ok(Self { compute, steps })
    }

    /// Sums in 32-bit or 64-bit integers, whose `MatMul` wraps.
    fn wrapping(lhs: Element, rhs: Element, result: Element) -> Self {
        let bits = [lhs, rhs, result].map(Element::bits).into_iter().max().unwrap_or(64);
        let compute = match (bits > 32, result.bits() == bits) {
            (_, true) if bits >= 32 => result,
            (true, _) => Element::I64,
            (false, _) => Element::I32,
        };
        Self { compute, steps: casts(compute, result) }
    }
}

/// From floats that are whole numbers within `bound` to an integer type, wrapped.
///
/// A cast of a float out of range is undefined. Casting to a wide integer first is not enough: ONNX Runtime merges
/// two consecutive casts, even with optimizations off. The mask between them prevents that.
fn wrapped(lhs: Element, rhs: Element, result: Element, bound: i128) -> Vec<CastOrMask> {
    let holds_signs = result.is_signed() || !(lhs.is_signed() || rhs.is_signed());
    let largest = (1i128 << (result.bits() - u32::from(result.is_signed()))) - 1;
    if result.bits() >= 8 && holds_signs && bound <= largest {
        return vec![CastOrMask::Cast(result)];
    }
    let whole = if bound <= i128::from(i32::MAX) { Element::I32 } else { Element::I64 };
    let mut steps = vec![CastOrMask::Cast(whole), CastOrMask::Mask(result.bits().clamp(8, whole.bits()))];
    steps.extend(casts(whole, result));
    steps
}

/// The casts from one type to another. ONNX Runtime wraps in casts to four bits only if the operand has eight.
fn casts(from: Element, to: Element) -> Vec<CastOrMask> {
    match to {
        to if to == from => Vec::new(),
        Element::I4 => vec![CastOrMask::Cast(Element::I8), CastOrMask::Cast(Element::I4)],
        Element::U4 => vec![CastOrMask::Cast(Element::U8), CastOrMask::Cast(Element::U4)],
        to => vec![CastOrMask::Cast(to)],
    }
}

/// A float type that represents all numbers of the float types among these.
fn widest_float(elements: [Element; 3]) -> Element {
    let [first, ..] = elements;
    if matches!(first, Element::F16 | Element::BF16) && elements.iter().all(|&element| element == first) {
        return first;
    }
    if elements.contains(&Element::F64) { Element::F64 } else { Element::F32 }
}

/// The largest magnitude of the numbers of an integer type of at most 16 bits, or of `i1`.
fn magnitude(element: Element) -> Option<i128> {
    match element {
        Element::Bool => Some(1),
        element if element.bits() > 16 => None,
        element if element.is_signed() => Some(1 << (element.bits() - 1)),
        element if element.is_unsigned() => Some((1 << element.bits()) - 1),
        _ => None,
    }
}

impl Lower<'_> {
    /// A sum of products cast to the type of the result.
    pub fn finish_sum(&mut self, sum: ValueId, arithmetic: &Arithmetic) -> ValueId {
        arithmetic.steps.iter().fold(sum, |value, &step| match step {
            CastOrMask::Cast(element) if element.is_small_float() => {
                // ONNX saturates by default; XLA's conversion returns NaN or infinity.
                let dims = self.dims(value);
                self.node(onnx::CAST, &[value]).element("to", element).int("saturate", 0).out(element, &dims)
            }
            CastOrMask::Cast(element) => self.cast(value, element),
            CastOrMask::Mask(bits) => {
                let element = self.element(value);
                let mask = self.integer(element, if bits < 64 { (1 << bits) - 1 } else { -1 });
                self.elementwise(onnx::BITWISE_AND, &[value, mask])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CastOrMask::{Cast, Mask};
    use super::*;
    use Element::{BF16, F16, F32, F64, I4, I8, I16, I32, I64, U8, U32, U64};

    fn of(lhs: Element, rhs: Element, result: Element, terms: i64) -> (Element, Vec<CastOrMask>) {
        let arithmetic = Arithmetic::of(lhs, rhs, result, terms).expect("is lowered");
        (arithmetic.compute, arithmetic.steps)
    }

    #[test]
    fn bytes_are_exact_in_f32_up_to_1024_terms() {
        assert_eq!(of(I8, I8, I32, 1024), (F32, vec![Cast(I32)]));
        assert_eq!(of(I8, I8, I32, 1025), (F64, vec![Cast(I32)]));
    }

    #[test]
    fn a_sum_beyond_the_result_wraps_by_a_mask() {
        assert_eq!(of(I16, I16, I32, 2), (F64, vec![Cast(I64), Mask(32), Cast(I32)]));
        assert_eq!(of(I8, I8, I8, 3), (F32, vec![Cast(I32), Mask(8), Cast(I8)]));
        assert_eq!(of(I4, I4, I4, 3), (F32, vec![Cast(I32), Mask(8), Cast(I8), Cast(I4)]));
    }

    #[test]
    fn a_negative_sum_wraps_to_unsigned_by_a_mask() {
        assert_eq!(of(I8, I8, U32, 3), (F32, vec![Cast(I32), Mask(32), Cast(U32)]));
        assert_eq!(of(U8, U8, U32, 3), (F32, vec![Cast(U32)]));
    }

    #[test]
    fn wide_integers_are_summed_as_they_are() {
        assert_eq!(of(I32, I32, I32, 3), (I32, vec![]));
        assert_eq!(of(U64, U64, U64, 3), (U64, vec![]));
        assert_eq!(of(I8, I32, I64, 3), (I64, vec![]));
        assert_eq!(of(I64, I64, I32, 3), (I64, vec![Cast(I32)]));
        assert_eq!(of(U32, U32, I16, 3), (I32, vec![Cast(I16)]));
    }

    #[test]
    fn floats_are_summed_in_the_widest() {
        assert_eq!(of(BF16, BF16, BF16, 3), (BF16, vec![]));
        assert_eq!(of(BF16, BF16, F32, 3), (F32, vec![]));
        assert_eq!(of(F16, BF16, F16, 3), (F32, vec![Cast(F16)]));
        assert_eq!(of(F32, F64, F32, 3), (F64, vec![Cast(F32)]));
        assert_eq!(of(I8, I8, F32, 3), (F32, vec![]));
    }

    #[test]
    fn floats_make_no_integers() {
        assert!(Arithmetic::of(F32, I32, I32, 3).is_err());
        assert!(Arithmetic::of(I8, I8, Element::Bool, 3).is_err());
    }
}
