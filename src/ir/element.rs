//! Element types of tensors.

use super::Symbol;

/// The element type of a tensor (StableHLO spec, "Types").
///
/// MLIR's signless integers are signed in StableHLO, so `i32` and `si32` are one element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Element {
    Bool,
    I2,
    I4,
    I8,
    I16,
    I32,
    I64,
    U2,
    U4,
    U8,
    U16,
    U32,
    U64,
    F4E2M1FN,
    F6E2M3FN,
    F6E3M2FN,
    F8E3M4,
    F8E4M3,
    F8E4M3FN,
    F8E4M3FNUZ,
    F8E4M3B11FNUZ,
    F8E5M2,
    F8E5M2FNUZ,
    F8E8M0FNU,
    F16,
    BF16,
    TF32,
    F32,
    F64,
    /// `complex<f32>`.
    C64,
    /// `complex<f64>`.
    C128,
    /// MLIR's `index`; older programs use it for shapes.
    Index,
    /// `!quant.uniform<...>`, kept as its text.
    Quantized(Symbol),
}

/// Names as MLIR prints them, with the size of one element in bits.
const NAMES: &[(&str, Element, u32)] = &[
    ("i1", Element::Bool, 1),
    ("i2", Element::I2, 2),
    ("i4", Element::I4, 4),
    ("i8", Element::I8, 8),
    ("i16", Element::I16, 16),
    ("i32", Element::I32, 32),
    ("i64", Element::I64, 64),
    ("ui2", Element::U2, 2),
    ("ui4", Element::U4, 4),
    ("ui8", Element::U8, 8),
    ("ui16", Element::U16, 16),
    ("ui32", Element::U32, 32),
    ("ui64", Element::U64, 64),
    ("f4E2M1FN", Element::F4E2M1FN, 4),
    ("f6E2M3FN", Element::F6E2M3FN, 6),
    ("f6E3M2FN", Element::F6E3M2FN, 6),
    ("f8E3M4", Element::F8E3M4, 8),
    ("f8E4M3", Element::F8E4M3, 8),
    ("f8E4M3FN", Element::F8E4M3FN, 8),
    ("f8E4M3FNUZ", Element::F8E4M3FNUZ, 8),
    ("f8E4M3B11FNUZ", Element::F8E4M3B11FNUZ, 8),
    ("f8E5M2", Element::F8E5M2, 8),
    ("f8E5M2FNUZ", Element::F8E5M2FNUZ, 8),
    ("f8E8M0FNU", Element::F8E8M0FNU, 8),
    ("f16", Element::F16, 16),
    ("bf16", Element::BF16, 16),
    ("tf32", Element::TF32, 32),
    ("f32", Element::F32, 32),
    ("f64", Element::F64, 64),
    ("complex<f32>", Element::C64, 64),
    ("complex<f64>", Element::C128, 128),
    ("index", Element::Index, 64),
    ("si2", Element::I2, 2),
    ("si4", Element::I4, 4),
    ("si8", Element::I8, 8),
    ("si16", Element::I16, 16),
    ("si32", Element::I32, 32),
    ("si64", Element::I64, 64),
];

impl Element {
    /// The element type that MLIR prints as `name`, quantized types excepted.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// The name that MLIR prints; `None` for quantized types, whose text is in the module's symbols.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|row| row.1 == self).map(|row| row.0)
    }

    /// Bits of one element as the type defines it; 0 for quantized types.
    pub fn bits(self) -> u32 {
        NAMES.iter().find(|row| row.1 == self).map_or(0, |row| row.2)
    }

    /// Bytes per element in a [`Constant`](super::Constant): types narrower than a byte take a whole byte.
    pub fn bytes(self) -> usize {
        (self.bits() as usize).div_ceil(8)
    }

    /// Whether it is a signed or unsigned integer; excludes `i1` and `index`.
    pub fn is_integer(self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    /// Whether it is a signed integer.
    pub fn is_signed(self) -> bool {
        use Element::{I2, I4, I8, I16, I32, I64};
        matches!(self, I2 | I4 | I8 | I16 | I32 | I64)
    }

    /// Whether it is an unsigned integer; excludes `i1`.
    pub fn is_unsigned(self) -> bool {
        use Element::{U2, U4, U8, U16, U32, U64};
        matches!(self, U2 | U4 | U8 | U16 | U32 | U64)
    }

    /// Whether it is a real floating-point type of any width.
    pub fn is_float(self) -> bool {
        matches!(self, Element::F16 | Element::BF16 | Element::TF32 | Element::F32 | Element::F64)
            || self.is_small_float()
    }

    /// Whether it is a floating-point type of eight bits or fewer.
    pub fn is_small_float(self) -> bool {
        use Element::*;
        matches!(
            self,
            F4E2M1FN
                | F6E2M3FN
                | F6E3M2FN
                | F8E3M4
                | F8E4M3
                | F8E4M3FN
                | F8E4M3FNUZ
                | F8E4M3B11FNUZ
                | F8E5M2
                | F8E5M2FNUZ
                | F8E8M0FNU
        )
    }

    /// Whether `to` represents every number of this type.
    pub fn is_exact_in(self, to: Self) -> bool {
        match self {
            _ if self == to => true,
            Element::Bool => to.is_integer() || to.digits().is_some(),
            _ if self.is_integer() && to.is_integer() => match (self.is_signed(), to.is_signed()) {
                (true, false) => false,
                (false, true) => self.bits() < to.bits(),
                _ => self.bits() <= to.bits(),
            },
            // The range of f16 is smaller than its 11 digits would allow.
            _ if self.is_integer() => {
                to.digits().is_some_and(|digits| self.bits() - u32::from(self.is_signed()) <= digits)
            }
            Element::F16 | Element::BF16 => matches!(to, Element::F32 | Element::F64),
            Element::F32 => to == Element::F64,
            _ => self.is_small_float() && matches!(to, Element::F32 | Element::F64),
        }
    }

    /// The binary digits of the significand, for floats of 16 bits and more.
    fn digits(self) -> Option<u32> {
        match self {
            Element::F16 => Some(11),
            Element::BF16 => Some(8),
            Element::F32 => Some(24),
            Element::F64 => Some(53),
            _ => None,
        }
    }

    /// Whether it is complex.
    pub fn is_complex(self) -> bool {
        matches!(self, Element::C64 | Element::C128)
    }

    /// The type of the real and imaginary parts; for other types, the type itself.
    pub fn part(self) -> Self {
        match self {
            Element::C64 => Element::F32,
            Element::C128 => Element::F64,
            other => other,
        }
    }
}
