//! Sets of element types.

use crate::ir::Element;

/// A set of element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elements(u16);

impl Elements {
    /// `i1`.
    pub const BOOL: Self = Self(1);
    /// `i8` to `i64`.
    pub const SIGNED: Self = Self(1 << 1);
    /// `ui8` to `ui64`.
    pub const UNSIGNED: Self = Self(1 << 2);
    /// `f16`, `bf16`, `f32`, `f64`.
    pub const FLOAT: Self = Self(1 << 3);
    /// `complex<f32>`, `complex<f64>`.
    pub const COMPLEX: Self = Self(1 << 4);
    /// `i4` and `ui4`.
    pub const INT4: Self = Self(1 << 5);
    /// The eight-bit floats that ONNX has.
    pub const FLOAT8: Self = Self(1 << 6);
    /// Integers of eight bits and more.
    pub const INTEGER: Self = Self::SIGNED.or(Self::UNSIGNED);
    /// All numbers that processors compute with directly.
    pub const NUMERIC: Self = Self::INTEGER.or(Self::FLOAT);
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// Integers and `i1`.
    pub const BITS: Self = Self::INTEGER.or(Self::BOOL);
    /// Floats with an `i1` operand or result.
    pub const FLOAT_BOOL: Self = Self::FLOAT.or(Self::BOOL);
    /// Numbers, `i1`, and four-bit integers, which are computed in eight bits.
    pub const PLAIN_OR_INT4: Self = Self::PLAIN.or(Self::INT4);
    /// All types of models, for ops that pass values through.
    pub const ANY: Self = Self::PLAIN.or(Self::FLOAT8).or(Self::COMPLEX).or(Self::INT4);
    /// Numbers and `i1`.
    pub const PLAIN: Self = Self::NUMERIC.or(Self::BOOL);

    /// The union.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set contains the type.
    pub fn contains(self, element: Element) -> bool {
        let class = match element {
            Element::Bool => Self::BOOL,
            Element::I8 | Element::I16 | Element::I32 | Element::I64 => Self::SIGNED,
            Element::U8 | Element::U16 | Element::U32 | Element::U64 => Self::UNSIGNED,
            Element::F16 | Element::BF16 | Element::F32 | Element::F64 => Self::FLOAT,
            Element::C64 | Element::C128 => Self::COMPLEX,
            Element::I4 | Element::U4 => Self::INT4,
            Element::F8E4M3FN | Element::F8E4M3FNUZ | Element::F8E5M2 | Element::F8E5M2FNUZ => Self::FLOAT8,
            _ => return false,
        };
        self.0 & class.0 != 0
    }

    /// The set in words, for the table of coverage.
    pub fn words(self) -> Vec<&'static str> {
        const WORDS: &[(Elements, &str)] = &[
            (Elements::BOOL, "bool"),
            (Elements::SIGNED, "signed"),
            (Elements::UNSIGNED, "unsigned"),
            (Elements::FLOAT, "float"),
            (Elements::COMPLEX, "complex"),
            (Elements::INT4, "i4"),
            (Elements::FLOAT8, "f8"),
        ];
        WORDS.iter().filter(|(set, _)| self.0 & set.0 != 0).map(|(_, word)| *word).collect()
    }
}
