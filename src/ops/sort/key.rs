//! Keys by which `TopK` sorts as a comparator does.

use super::comparator::{Key, Zeros};
use crate::ir::{Element, ValueId, onnx};
use crate::ops::Lower;

impl Lower<'_> {
    /// Values that sort as the elements of a key; the operand itself where it sorts as it is.
    pub(super) fn sort_key(&mut self, operand: ValueId, key: Key) -> ValueId {
        match self.element(operand) {
            Element::Bool => self.cast(operand, Element::F32),
            Element::U16 => self.cast(operand, Element::I32),
            Element::U32 => self.cast(operand, Element::I64),
            Element::U64 => self.signed(operand),
            element if !element.is_float() => operand,
            _ if self.options.strict_nan => self.total_order(operand, key.zeros),
            _ if key.zeros == Zeros::Signed && self.reads_signs("-0 and a negative NaN") => {
                self.bits(operand)
            }
            _ => self.nan_as_infinity(operand, 1.0),
        }
    }

    /// A `ui64` as an order-preserving `i64`.
    fn signed(&mut self, value: ValueId) -> ValueId {
        let bits = self.cast(value, Element::I64);
        self.flip_sign(bits)
    }

    /// Bits in total order; where the signs of NaN and zero do not count, they are positive.
    fn total_order(&mut self, value: ValueId, zeros: Zeros) -> ValueId {
        let value = match zeros {
            Zeros::Signed => value,
            // ONNX Runtime removes a sum with zero, which would also make zeros positive.
            Zeros::Equal => self.formula([value], |[x]| {
                let number = x.equal(0.0).select(x.beside(0.0), x);
                x.is_nan().select(x.beside(f64::NAN), number)
            }),
        };
        self.bits(value)
    }

    /// A float as an integer in IEEE 754's total order: its bits, with all but the sign inverted for negative
    /// numbers.
    fn bits(&mut self, value: ValueId) -> ValueId {
        let integer = match self.element(value).bits() {
            16 => Element::I16,
            32 => Element::I32,
            _ => Element::I64,
        };
        let sizes = self.dims(value);
        let bits = self.node(onnx::BIT_CAST, &[value]).element("to", integer).out(integer, &sizes);
        let zero = self.integer(integer, 0);
        let negative = self.elementwise_to(onnx::LESS, &[bits, zero], Element::Bool);
        let magnitude = self.integer(integer, (1i64 << (integer.bits() - 1)).wrapping_sub(1));
        let turned = self.elementwise(onnx::BITWISE_XOR, &[bits, magnitude]);
        self.node(onnx::WHERE, &[negative, turned, bits]).like(bits)
    }
}
