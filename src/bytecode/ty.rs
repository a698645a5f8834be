//! Types in the encodings of the builtin dialect and of VHLO (StableHLO's `VhloBytecode.cpp`).

use super::Fault;
use super::container::{Container, Entry};
use super::reader::Reader;

/// The most dimensions that a constant or a convolution may have.
pub(super) const MOST_DIMENSIONS: usize = 64;

/// The size of a dimension that is only known at run time.
pub(super) const DYNAMIC: i64 = i64::MIN;

#[derive(Clone, Debug)]
pub(super) enum Type<'a> {
    Scalar(Scalar),
    Complex(usize),
    Function(Vec<usize>, Vec<usize>),
    Tensor(Tensor),
    /// A `memref`.
    Buffer(Tensor),
    Unranked(usize),
    Tuple(Vec<usize>),
    Future(Vec<usize>),
    Quantized(Quantized),
    /// The text of another dialect's type.
    Text(&'a [u8]),
}

#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub dims: Vec<i64>,
    pub element: usize,
    /// The attribute that is its encoding.
    pub encoding: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Quantized {
    pub is_signed: bool,
    pub storage: usize,
    pub expressed: usize,
    /// The dimension with a scale for each index.
    pub axis: Option<i64>,
    pub scales: Vec<f64>,
    pub zero_points: Vec<i64>,
    pub bounds: (i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// Signless integers, which VHLO's signed ones become.
    Integer {
        bits: u32,
    },
    Signed {
        bits: u32,
    },
    Unsigned {
        bits: u32,
    },
    Float {
        name: &'static str,
        bits: u32,
    },
    Index,
    None,
    /// A type that holds no number, by its text.
    Opaque(&'static str),
}

impl Scalar {
    /// The bits of an element, if it is a number.
    pub(super) fn bits(self) -> Option<u32> {
        match self {
            Scalar::Integer { bits } | Scalar::Signed { bits } | Scalar::Unsigned { bits } => Some(bits),
            Scalar::Float { bits, .. } => Some(bits),
            Scalar::Index => Some(64),
            Scalar::None | Scalar::Opaque(_) => None,
        }
    }
}

const fn integer(bits: u32) -> Scalar {
    Scalar::Integer { bits }
}

const fn unsigned(bits: u32) -> Scalar {
    Scalar::Unsigned { bits }
}

const fn float(name: &'static str, bits: u32) -> Scalar {
    Scalar::Float { name, bits }
}

/// The types of VHLO without parameters, by their codes.
const VHLO_SCALARS: [(u64, Scalar); 33] = [
    (0, integer(1)),
    (2, float("bf16", 16)),
    (3, float("f16", 16)),
    (4, float("f32", 32)),
    (5, float("f64", 64)),
    (6, float("f8E4M3FN", 8)),
    (7, float("f8E5M2", 8)),
    (9, Scalar::Index),
    (10, integer(4)),
    (11, integer(8)),
    (12, integer(16)),
    (13, integer(32)),
    (14, integer(64)),
    (15, unsigned(4)),
    (16, unsigned(8)),
    (17, unsigned(16)),
    (18, unsigned(32)),
    (19, unsigned(64)),
    (22, Scalar::Opaque("!stablehlo.token")),
    (26, Scalar::Opaque("!shape.witness")),
    (27, float("f8E4M3FNUZ", 8)),
    (28, float("f8E5M2FNUZ", 8)),
    (29, float("f8E4M3B11FNUZ", 8)),
    (31, integer(2)),
    (32, unsigned(2)),
    (33, Scalar::None),
    (34, float("tf32", 19)),
    (35, float("f8E4M3", 8)),
    (36, float("f8E3M4", 8)),
    (37, float("f4E2M1FN", 4)),
    (38, float("f6E2M3FN", 6)),
    (39, float("f6E3M2FN", 6)),
    (40, float("f8E8M0FNU", 8)),
];

/// The widest integer of MLIR.
const WIDEST_INTEGER: u64 = (1 << 24) - 1;

impl<'a> Container<'a> {
    pub(super) fn type_of(&self, index: usize) -> Result<Type<'a>, Fault> {
        let entry = &self.types[index];
        self.count_decoding(entry, entry.range.len())?;
        let mut reader = self.entry(entry);
        let ty = if !entry.encoded {
            Type::Text(reader.terminated()?)
        } else {
            match entry.dialect {
                b"vhlo" => self.vhlo_type(&mut reader)?,
                b"builtin" => self.builtin_type(&mut reader)?,
                _ => return Err(foreign("a type", entry)),
            }
        };
        reader.finish("a type")?;
        Ok(ty)
    }

    /// The type, if it is a number or holds none.
    pub(super) fn scalar(&self, index: usize) -> Result<Option<Scalar>, Fault> {
        Ok(if let Type::Scalar(scalar) = self.type_of(index)? { Some(scalar) } else { None })
    }

    fn vhlo_type(&self, reader: &mut Reader<'a>) -> Result<Type<'a>, Fault> {
        let at = reader.offset();
        let code = reader.varint()?;
        if let Some((_, scalar)) = VHLO_SCALARS.iter().find(|(known, _)| *known == code) {
            return Ok(Type::Scalar(*scalar));
        }
        let ty = |reader: &mut Reader<'a>| self.type_index(reader);
        Ok(match code {
            1 => Type::Complex(ty(reader)?),
            8 => Type::Function(reader.list(ty)?, reader.list(ty)?),
            20 => Type::Tensor(self.tensor(reader, false)?),
            21 => Type::Tensor(self.tensor(reader, true)?),
            23 => Type::Tuple(reader.list(ty)?),
            24 => {
                let flags = reader.varint()?;
                let (storage, expressed) = (ty(reader)?, ty(reader)?);
                let (scale, zero_point) = (scale(reader)?, reader.signed()?);
                Type::Quantized(Quantized {
                    is_signed: flags & 1 == 1,
                    storage,
                    expressed,
                    axis: None,
                    scales: vec![scale],
                    zero_points: vec![zero_point],
                    bounds: (reader.signed()?, reader.signed()?),
                })
            }
            25 => Type::Unranked(ty(reader)?),
            30 => {
                let flags = reader.varint()?;
                let (storage, expressed) = (ty(reader)?, ty(reader)?);
                let axis = reader.varint()? as i64;
                let bounds = (reader.signed()?, reader.signed()?);
                Type::Quantized(Quantized {
                    is_signed: flags & 1 == 1,
                    storage,
                    expressed,
                    axis: Some(axis),
                    scales: reader.list(scale)?,
                    zero_points: reader.list(Reader::signed)?,
                    bounds,
                })
            }
            41 => Type::Buffer(self.tensor(reader, false)?),
            42 => Type::Future(reader.list(ty)?),
            _ => return Err(Fault::new(at, format!("type {code} of VHLO is not known")).newer()),
        })
    }

    fn builtin_type(&self, reader: &mut Reader<'a>) -> Result<Type<'a>, Fault> {
        let at = reader.offset();
        let code = reader.varint()?;
        let ty = |reader: &mut Reader<'a>| self.type_index(reader);
        Ok(match code {
            0 => {
                let word = reader.varint()?;
                let bits = word >> 2;
                if bits == 0 || bits > WIDEST_INTEGER {
                    return Err(Fault::new(at, format!("an integer of {bits} bits")));
                }
                let bits = bits as u32;
                Type::Scalar(match word & 3 {
                    0 => integer(bits),
                    1 => Scalar::Signed { bits },
                    2 => unsigned(bits),
                    _ => return Err(Fault::new(at, "an integer of an unknown sign")),
                })
            }
            1 => Type::Scalar(Scalar::Index),
            2 => Type::Function(reader.list(ty)?, reader.list(ty)?),
            3 => Type::Scalar(float("bf16", 16)),
            4 => Type::Scalar(float("f16", 16)),
            5 => Type::Scalar(float("f32", 32)),
            6 => Type::Scalar(float("f64", 64)),
            9 => Type::Complex(ty(reader)?),
            12 => Type::Scalar(Scalar::None),
            13 => Type::Tensor(self.tensor(reader, false)?),
            14 => Type::Tensor(self.tensor(reader, true)?),
            15 => Type::Tuple(reader.list(ty)?),
            18 => Type::Unranked(ty(reader)?),
            _ => {
                return Err(Fault::new(at, format!("type {code} of MLIR's builtin dialect")).unsupported());
            }
        })
    }

    fn tensor(&self, reader: &mut Reader<'a>, has_encoding: bool) -> Result<Tensor, Fault> {
        let encoding = if has_encoding { Some(self.attribute_index(reader)?) } else { None };
        Ok(Tensor { dims: reader.list(Reader::signed)?, element: self.type_index(reader)?, encoding })
    }
}

fn scale(reader: &mut Reader<'_>) -> Result<f64, Fault> {
    Ok(f64::from_bits(reader.signed()? as u64))
}

/// What is in the encoding of a dialect that is not known.
pub(super) fn foreign(what: &str, entry: &Entry<'_>) -> Fault {
    let dialect = String::from_utf8_lossy(entry.dialect);
    Fault::foreign(entry.range.start, format!("{what} in the encoding of the dialect `{dialect}`"), &dialect)
}
