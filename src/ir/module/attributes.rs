//! The values of attributes.

use super::{FunctionId, Module, OpId, ValueId};
use crate::ir::{Attribute, Attributes, ConstantId, Data, Element, func, onnx, stablehlo};

impl Module {
    /// The attribute of an op, when it has it.
    pub fn attribute(&self, op: OpId, name: &str) -> Option<&Attribute> {
        find(self, &self.op(op).attributes, name)
    }

    /// The function that an attribute of an op names.
    pub fn named_function(&self, op: OpId, attribute: &str) -> Option<FunctionId> {
        match self.attribute(op, attribute)? {
            Attribute::SymbolRef(path) if path.len() == 1 => self.find_function(path[0]),
            _ => None,
        }
    }

    /// The function that a `func.call` calls.
    pub fn callee(&self, op: OpId) -> Option<FunctionId> {
        if self.op(op).name == func::CALL { self.named_function(op, "callee") } else { None }
    }

    /// The field of a struct attribute or dictionary, when it has it.
    pub fn field<'a>(&'a self, attribute: &'a Attribute, name: &str) -> Option<&'a Attribute> {
        find(self, attribute.fields()?, name)
    }

    /// The integers of an attribute: `array<i64: ...>`, an integer `dense<...>`, an array of integers, or one
    /// integer. `None` when it is none of these, or a constant too large to be one.
    pub fn integers(&self, attribute: &Attribute) -> Option<Vec<i64>> {
        match attribute {
            Attribute::Integers(_, values) => Some(values.to_vec()),
            Attribute::Integer(value, _) => Some(vec![*value]),
            Attribute::Array(items) => items.iter().map(Attribute::as_integer).collect(),
            Attribute::Dense(constant) => self.constant_integers(*constant),
            _ => None,
        }
    }

    /// The elements of a value that is a small integer or `i1` constant, as [`Module::constant_integers`].
    pub fn known_integers(&self, value: ValueId) -> Option<Vec<i64>> {
        self.constant_integers(self.constant_of(value)?)
    }

    /// The elements of a small integer or `i1` constant that is not a large literal of the source text.
    pub fn constant_integers(&self, id: ConstantId) -> Option<Vec<i64>> {
        let constant = self.constant(id);
        let ty = self.tensor_type(constant.ty)?;
        let (count, width) = (usize::try_from(ty.count()?).ok()?, ty.element.bytes());
        if !(ty.element.is_integer() || matches!(ty.element, Element::Bool | Element::Index)) {
            return None;
        }
        let bytes = match &constant.data {
            Data::Splat(element) if count <= 1 << 16 => element.repeat(count),
            Data::Bytes(bytes) => bytes.to_vec(),
            _ => return None,
        };
        Some(bytes.chunks_exact(width).map(|chunk| integer_from(chunk, ty.element.is_signed())).collect())
    }

    /// The opset of a module of `onnx` ops.
    pub fn opset(&self) -> Option<u32> {
        let opset = find(self, &self.attributes, "onnx.opset")?.as_integer()?;
        u32::try_from(opset).ok()
    }

    /// The word of an enumeration attribute (`LT` of `#stablehlo<comparison_direction LT>`).
    pub fn word<'a>(&'a self, attribute: &'a Attribute) -> Option<&'a str> {
        match attribute {
            Attribute::Enum { value, .. } => Some(self.symbols.get(*value)),
            Attribute::String(text) => Some(text),
            _ => None,
        }
    }

    /// The constant that a value is, when an op named `stablehlo.constant` or `onnx.Constant` defines it.
    pub fn constant_of(&self, value: ValueId) -> Option<ConstantId> {
        let op = self.defining_op(value)?;
        if !matches!(self.op(op).name, stablehlo::CONSTANT | onnx::CONSTANT) {
            return None;
        }
        match self.attribute(op, "value")? {
            Attribute::Dense(constant) => Some(*constant),
            _ => None,
        }
    }
}

fn find<'a>(module: &Module, attributes: &'a Attributes, name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|(key, _)| module.symbols.get(*key) == name).map(|(_, value)| value)
}

/// The integer in little-endian bytes; unsigned 64-bit values keep their bits.
fn integer_from(bytes: &[u8], signed: bool) -> i64 {
    let mut wide = [0u8; 8];
    let length = bytes.len().min(8);
    wide[..length].copy_from_slice(&bytes[..length]);
    if signed && bytes.last().is_some_and(|&last| last & 0x80 != 0) {
        wide[length..].fill(0xFF);
    }
    i64::from_le_bytes(wide)
}
