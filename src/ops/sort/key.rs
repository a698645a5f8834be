//! Keys by which `TopK` sorts as a comparator does.

use super::comparator::{Key, Zeros};
use crate::ir::{Element, ValueId, onnx};
use crate::ops::Lower;

/// Above every finite number of the floats smaller than `f64`, and below infinity.
const BEYOND_FINITE: f64 = 1e300;
/// Less than half a unit in the last place of every nonzero number of such a float.
const NEXT_TO_ZERO: f64 = 1e-300;

impl Lower<'_> {
    /// Values that sort as a key does when the first decides, then the second and so on; each with whether the
    /// largest is first. The operand itself is given where it sorts as it is.
    pub(super) fn sort_keys(&mut self, operand: ValueId, key: Key) -> Vec<(ValueId, bool)> {
        let element = self.element(operand);
        let values = match element {
            Element::Bool => vec![self.cast(operand, Element::F32)],
            Element::U16 => vec![self.cast(operand, Element::I32)],
            Element::U32 => vec![self.cast(operand, Element::I64)],
            Element::U64 => vec![self.signed(operand)],
            element if !element.is_float() => vec![operand],
            _ if key.zeros == Zeros::Signed && self.reads_nan_sign() => vec![self.bits(operand)],
            Element::F64 => self.number_then_nan(operand, key.zeros),
            _ => vec![self.float_key(operand, key.zeros)],
        };
        values.into_iter().map(|value| (value, key.descending)).collect()
    }

    /// A `ui64` as an order-preserving `i64`.
    fn signed(&mut self, value: ValueId) -> ValueId {
        let bits = self.cast(value, Element::I64);
        self.flip_sign(bits)
    }

    fn float_key(&mut self, value: ValueId, zeros: Zeros) -> ValueId {
        let mut wide = self.cast(value, Element::F64);
        if zeros == Zeros::Signed {
            let inverse = self.elementwise(onnx::RECIPROCAL, &[wide]);
            let (low, high) =
                (self.scalar(Element::F64, -NEXT_TO_ZERO), self.scalar(Element::F64, NEXT_TO_ZERO));
            let side = self.node(onnx::CLIP, &[inverse, low, high]).like(inverse);
            wide = self.elementwise(onnx::ADD, &[wide, side]);
        }
        let finite = self.scalar(Element::F64, BEYOND_FINITE);
        let finite = self.elementwise(onnx::MIN, &[wide, finite]);
        let nan = self.elementwise_to(onnx::IS_NAN, &[value], Element::Bool);
        let last = self.scalar(Element::F64, f64::INFINITY);
        self.node(onnx::WHERE, &[nan, last, finite]).like(finite)
    }

    fn number_then_nan(&mut self, value: ValueId, zeros: Zeros) -> Vec<ValueId> {
        let nan = self.elementwise_to(onnx::IS_NAN, &[value], Element::Bool);
        let zero = self.scalar(Element::F64, 0.0);
        let number = self.node(onnx::WHERE, &[nan, zero, value]).like(value);
        let mut keys = vec![self.cast(nan, Element::F32), number];
        if zeros == Zeros::Signed {
            keys.push(self.elementwise(onnx::RECIPROCAL, &[number]));
        }
        keys
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
