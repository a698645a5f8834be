//! Numbers as constants of any element type.

use super::{Lower, LowerError};
use crate::ir::{Element, Module, ValueId};
use crate::source::Source;

/// The bytes of `value` as an element: floats are rounded, integers wrap, complex numbers are real.
pub fn float_bytes(element: Element, value: f64) -> Vec<u8> {
    match element {
        Element::F16 => half::f16::from_f64(value).to_le_bytes().to_vec(),
        Element::BF16 => half::bf16::from_f64(value).to_le_bytes().to_vec(),
        Element::F32 => (value as f32).to_le_bytes().to_vec(),
        Element::F64 => value.to_le_bytes().to_vec(),
        Element::C64 | Element::C128 => {
            let mut bytes = float_bytes(element.part(), value);
            bytes.extend(float_bytes(element.part(), 0.0));
            bytes
        }
        Element::Bool => vec![u8::from(value != 0.0)],
        _ => integer_bytes(element, value as i64),
    }
}

/// The bytes of `value` as an element: integers wrap, floats are rounded.
pub fn integer_bytes(element: Element, value: i64) -> Vec<u8> {
    if element == Element::Bool {
        return vec![u8::from(value != 0)];
    }
    if element.is_integer() || element == Element::Index {
        return value.to_le_bytes()[..element.bytes()].to_vec();
    }
    float_bytes(element, value as f64)
}

/// The lowest and highest number of an integer type or `i1`.
pub fn integer_limits(element: Element) -> (i64, i64) {
    let bits = element.bits();
    match element {
        Element::Bool => (0, 1),
        Element::U64 => (0, -1),
        unsigned if unsigned.is_unsigned() => (0, (1i64 << bits) - 1),
        Element::I64 | Element::Index => (i64::MIN, i64::MAX),
        _ => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
    }
}

impl Lower<'_> {
    /// A scalar constant from a float.
    pub fn scalar(&mut self, element: Element, value: f64) -> ValueId {
        self.constant(element, &[], &float_bytes(element, value))
    }

    /// A scalar constant from an integer; `ui64` takes the bits.
    pub fn integer(&mut self, element: Element, value: i64) -> ValueId {
        self.constant(element, &[], &integer_bytes(element, value))
    }

    /// The condition of a `Loop` that runs all iterations. ONNX allows omitting it, but its reference evaluator then
    /// takes it for false.
    pub fn always(&mut self) -> ValueId {
        self.integer(Element::Bool, 1)
    }

    /// An `i64` list, such as a shape or axes.
    pub fn int64s(&mut self, values: &[i64]) -> ValueId {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Element::I64, &[values.len() as i64], &bytes)
    }

    /// A constant of integers of any element type.
    pub fn integers(&mut self, element: Element, sizes: &[i64], values: &[i64]) -> ValueId {
        let bytes: Vec<u8> = values.iter().flat_map(|&value| integer_bytes(element, value)).collect();
        self.constant(element, sizes, &bytes)
    }

    /// The integers of a lowered value, if it is a small constant.
    pub fn known_integers(&self, value: ValueId) -> Option<Vec<i64>> {
        self.module.known_integers(value)
    }

    /// The number of a lowered value, if it is a constant scalar or splat.
    ///
    /// Integers beyond 2^53 lose digits here; use [`Lower::known_integers`] for them.
    pub fn known_number(&self, value: ValueId) -> Option<f64> {
        known_number(self.module, self.source, value)
    }

    /// The integer value of an operand that must be constant.
    ///
    /// # Errors
    /// If it is computed at run time.
    pub fn static_integers(&self, value: ValueId, what: &str) -> Result<Vec<i64>, LowerError> {
        self.known_integers(value).ok_or_else(|| LowerError::Dynamic(what.to_owned()))
    }
}

/// The number of a constant scalar or splat.
pub fn known_number(module: &Module, source: &Source, value: ValueId) -> Option<f64> {
    let constant = module.constant(module.constant_of(value)?);
    let ty = module.tensor_type(constant.ty)?;
    match constant.data.splat() {
        Some(element) => number(ty.element, element),
        None if ty.count() == Some(1) => {
            number(ty.element, &constant.data.bytes(source, 1, ty.element.bytes()))
        }
        None => None,
    }
}

/// Whether a predicate holds for each number of a constant of at most `most` elements, or of a splat. `None` if the
/// value is not such a constant.
pub fn all_numbers(
    module: &Module,
    source: &Source,
    value: ValueId,
    most: i64,
    holds: impl Fn(f64) -> bool,
) -> Option<bool> {
    let constant = module.constant(module.constant_of(value)?);
    let ty = module.tensor_type(constant.ty)?;
    let holds = |bytes: &[u8]| number(ty.element, bytes).is_some_and(&holds);
    if let Some(element) = constant.data.splat() {
        return Some(holds(element));
    }
    let (count, width) = (ty.count().filter(|&count| count <= most)?, ty.element.bytes());
    Some(constant.data.bytes(source, count as usize, width).chunks_exact(width).all(holds))
}

/// Decodes an element to a number.
pub fn number(element: Element, bytes: &[u8]) -> Option<f64> {
    let bits = bytes.iter().rev().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    Some(match element {
        Element::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Element::BF16 => half::bf16::from_bits(bits as u16).to_f64(),
        Element::F32 => f64::from(f32::from_bits(bits as u32)),
        Element::F64 => f64::from_bits(bits),
        Element::Bool => f64::from(u8::from(bits != 0)),
        signed if signed.is_signed() => {
            let shift = 64 - 8 * bytes.len().clamp(1, 8) as u32;
            ((bits << shift) as i64 >> shift) as f64
        }
        unsigned if unsigned.is_unsigned() => bits as f64,
        _ => return None,
    })
}
