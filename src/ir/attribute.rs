//! Attributes: compile-time data of ops.

use super::{ConstantId, Dim, Dims, Element, Module, OpId, Symbol, TypeId};

/// Named attributes in the order of the text.
pub type Attributes = Vec<(Symbol, Attribute)>;

/// The attribute of a custom call with the indices of operands that were complex before the `complex` pass.
pub const PACKED_OPERANDS: &str = "packed_operands";

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `unit`, which has no value.
    Unit,
    /// `true` or `false`.
    Bool(bool),
    /// An integer with its type (`3 : i64`); unsigned 64-bit values keep their bits.
    Integer(i64, TypeId),
    /// A float with its type, as the nearest double.
    Float(f64, TypeId),
    /// A quoted string, unescaped.
    String(Box<str>),
    /// A quoted string whose bytes are not UTF-8.
    Bytes(Box<[u8]>),
    /// A type.
    Type(TypeId),
    /// `@outer::@inner`, outermost first.
    SymbolRef(Box<[Symbol]>),
    /// `[a, b]`.
    Array(Box<[Attribute]>),
    /// `{name = value}`.
    Dictionary(Attributes),
    /// `array<i64: 1, 2>`, any integer element type or `i1`.
    Integers(Element, Box<[i64]>),
    /// Integers of which some are symbolic, in place of an array of numbers.
    Dims(Dims),
    /// `array<f32: 1.0, 2.0>`.
    Floats(Element, Box<[f64]>),
    /// `dense<...> : tensor<...>`.
    Dense(ConstantId),
    /// `#dialect.name<field = value, ...>`, name without the `#`.
    Struct(Symbol, Attributes),
    /// `#dialect<kind VALUE>`, such as `#stablehlo<comparison_direction LT>`.
    Enum {
        /// `stablehlo`.
        dialect: Symbol,
        /// `comparison_direction`.
        kind: Symbol,
        /// `LT`.
        value: Symbol,
    },
    /// An attribute of an unknown dialect, as its text.
    Opaque(Box<str>),
}

impl Attribute {
    /// The integer, of `Integer` and `Bool`.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Attribute::Integer(value, _) => Some(*value),
            Attribute::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The value of a `Bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Attribute::Bool(value) => Some(*value),
            Attribute::Unit => Some(true),
            _ => None,
        }
    }

    /// A list of sizes; an integer array if all are numbers.
    pub fn of_sizes(sizes: &[Dim]) -> Self {
        match sizes.iter().map(|dim| dim.known()).collect::<Option<Box<[i64]>>>() {
            Some(numbers) => Attribute::Integers(Element::I64, numbers),
            None => Attribute::Dims(Dims::from_slice(sizes)),
        }
    }

    /// A list of positions, dimensions or sizes.
    pub fn positions(values: impl IntoIterator<Item = usize>) -> Self {
        Attribute::Integers(Element::I64, values.into_iter().map(|value| value as i64).collect())
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Attribute::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Attribute::String(text) => Some(text.as_bytes()),
            Attribute::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The fields of a struct attribute or the entries of a dictionary.
    pub fn fields(&self) -> Option<&Attributes> {
        match self {
            Attribute::Struct(_, fields) | Attribute::Dictionary(fields) => Some(fields),
            _ => None,
        }
    }
}

impl Module {
    /// Sets an attribute of an op.
    pub fn set_attribute(&mut self, op: OpId, name: &str, value: Attribute) {
        let key = self.symbols.intern(name);
        let attributes = &mut self.op_mut(op).attributes;
        match attributes.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => attributes.push((key, value)),
        }
    }
}
