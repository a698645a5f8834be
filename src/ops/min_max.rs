//! Maximum, minimum and clamp, for all element types but `bool`.
//!
//! ONNX Runtime's `Max`, `Min` and `Clip` on `i64` compare numbers with equal upper halves by their lower halves as
//! if these were signed: to them 2^31 is less than 5. A constant bound does not help, because any number with the
//! same upper half can occur. They are right only if all numbers fit 32 bits, because then equal upper halves mean
//! equal signs.

use super::{Lower, float_range};
use crate::ir::{Element, ValueId, onnx};

impl Lower<'_> {
    /// The maximum of two values, which broadcast; NaN if one is.
    pub fn larger(&mut self, first: ValueId, second: ValueId) -> ValueId {
        // ONNX Runtime fuses Relu with the preceding op, but not Max.
        for (value, bound) in [(first, second), (second, first)] {
            let scalar = self.count(bound) == Some(1) && self.rank(bound) <= self.rank(value);
            if scalar && self.element(value).is_float() && self.known_number(bound) == Some(0.0) {
                return self.node(onnx::RELU, &[value]).like(value);
            }
        }
        if self.are_ordered(&[first, second]) {
            return self.elementwise(onnx::MAX, &[first, second]);
        }
        self.formula([first, second], |[first, second]| first.less(second).select(second, first))
    }

    /// The minimum of two values, which broadcast; NaN if one is.
    pub fn smaller(&mut self, first: ValueId, second: ValueId) -> ValueId {
        if self.are_ordered(&[first, second]) {
            return self.elementwise(onnx::MIN, &[first, second]);
        }
        self.formula([first, second], |[first, second]| second.less(first).select(second, first))
    }

    /// Clamps to two scalar bounds; if the lower one is above the upper one, the result is the upper one. NaN bounds
    /// are dropped.
    pub fn bounded(&mut self, value: ValueId, low: ValueId, high: ValueId) -> ValueId {
        if self.are_ordered(&[value, low, high]) {
            return self.node(onnx::CLIP, &[value, low, high]).like(value);
        }
        let range = self.range(value);
        let bounds = [low, high].map(|bound| Some(*self.known_integers(bound)?.first()?));
        let (is_above, is_below) = match bounds {
            [Some(least), Some(most)] => (range.low >= least, range.high <= most),
            _ => (false, false),
        };
        self.formula([value, low, high], |[value, low, high]| {
            let raised = if is_above { value } else { value.less(low).select(low, value) };
            if is_below { raised } else { high.less(raised).select(high, raised) }
        })
    }

    /// A float in which NaN is the infinity of this sign, so that it is the largest number or the smallest. If numbers can be
    /// that infinity too, they are halved, and it becomes the largest finite number: halving is exact except for the last bit
    /// of subnormal numbers, which XLA takes for zeros.
    pub fn nan_as_infinity(&mut self, value: ValueId, sign: f64) -> ValueId {
        let range = self.float_range(value);
        let element = if self.element(value) == Element::F64 { Element::F64 } else { Element::F32 };
        let number = self.cast(value, element);
        if !range.nan {
            return number;
        }
        let end = if sign > 0.0 { range.high } else { range.low };
        let may_be_infinite = end == sign * f64::INFINITY;
        self.formula([number], |[x]| {
            let (is_nan, infinity) = (x.is_nan(), x.beside(sign * f64::INFINITY));
            let finite = match may_be_infinite {
                false => x,
                true if sign > 0.0 => (x * 0.5).min(float_range::largest(element)),
                true => (x * 0.5).max(-float_range::largest(element)),
            };
            is_nan.select(infinity, finite)
        })
    }

    /// Whether ONNX Runtime's kernels order all possible numbers of these values correctly.
    fn are_ordered(&self, values: &[ValueId]) -> bool {
        let narrow = |&value: &ValueId| {
            let range = self.range(value);
            range.low >= i64::from(i32::MIN) && range.high <= i64::from(i32::MAX)
        };
        values.iter().any(|&value| self.element(value) != Element::I64) || values.iter().all(narrow)
    }
}
