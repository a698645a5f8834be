//! Attributes and locations in the encodings of the builtin dialect and of VHLO (StableHLO's `VhloBytecode.cpp`).

use super::Fault;
use super::container::Container;
use super::reader::Reader;
use super::shardy::Shardy;
use super::ty::{Scalar, foreign};
use std::ops::Range;

/// An attribute, with the indices of those that it contains.
#[derive(Clone, Debug)]
pub(super) enum Attribute<'a> {
    Array(Vec<usize>),
    /// Names and values.
    Dictionary(Vec<(usize, usize)>),
    String(&'a [u8]),
    /// A symbol, and those nested in it.
    Symbol(usize, Vec<usize>),
    Type(usize),
    Unit,
    Bool(bool),
    Integer {
        ty: usize,
        value: Integer,
    },
    Float {
        ty: usize,
        bits: u64,
    },
    /// A word of one of VHLO's enumerations.
    Case(&'static Enumeration, u64),
    /// An attribute of the dialect `sdy`.
    Shardy(Shardy<'a>),
    /// The elements of a tensor.
    Dense {
        ty: usize,
        data: Range<usize>,
    },
    /// The elements of an `array<...>`.
    DenseArray {
        element: usize,
        count: usize,
        data: Range<usize>,
    },
    Resource {
        ty: usize,
        resource: usize,
    },
    OperandAlias {
        output: Vec<i64>,
        operand: i64,
        indices: Vec<i64>,
    },
    /// Bounds of dimensions.
    Bounds(Vec<i64>),
    Accuracy {
        absolute: f64,
        relative: f64,
        ulps: i64,
        mode: usize,
    },
    Location(Location),
    /// The text of another dialect's attribute.
    Text(&'a [u8]),
}

#[derive(Clone, Debug)]
pub(super) enum Location {
    Unknown,
    /// A place in a file: line and column, maybe with an end.
    File {
        name: usize,
        numbers: Vec<u64>,
    },
    Name {
        name: usize,
        child: usize,
    },
    CallSite {
        callee: usize,
        caller: usize,
    },
    Fused {
        parts: Vec<usize>,
        metadata: Option<usize>,
    },
}

/// An integer of up to 64 bits, or the words of a longer one, lowest first.
#[derive(Clone, Debug)]
pub(super) enum Integer {
    Short(i64),
    Long(Vec<u64>),
}

/// An enumeration of VHLO, whose cases have the names of StableHLO's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Enumeration {
    /// The code of the attribute.
    code: u64,
    /// The name of the attribute in StableHLO; empty for one that is an integer there.
    pub name: &'static str,
    /// The cases by their number; empty for a number without a case.
    pub cases: &'static [&'static str],
}

const fn cases(code: u64, name: &'static str, cases: &'static [&'static str]) -> Enumeration {
    Enumeration { code, name, cases }
}

static ENUMERATIONS: [Enumeration; 9] = [
    cases(3, "comparison_direction", &["EQ", "NE", "GE", "GT", "LE", "LT"]),
    cases(4, "comparison_type", &["NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"]),
    cases(5, "", &["UNSPECIFIED", "ORIGINAL", "STATUS_RETURNING", "STATUS_RETURNING_UNIFIED", "TYPED_FFI"]),
    cases(7, "fft_type", &["FFT", "IFFT", "RFFT", "IRFFT"]),
    cases(11, "precision", &["DEFAULT", "HIGH", "HIGHEST"]),
    cases(12, "rng_algorithm", &["DEFAULT", "THREE_FRY", "PHILOX"]),
    cases(13, "rng_distribution", &["", "UNIFORM", "NORMAL"]),
    cases(16, "transpose", &["TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"]),
    cases(19, "result_accuracy_mode", &["DEFAULT", "HIGHEST", "TOLERANCE"]),
];

/// The words of a kind of enumeration of StableHLO, such as `fft_type`.
pub fn enumeration_words(kind: &str) -> Option<impl Iterator<Item = &'static str> + use<>> {
    let known = ENUMERATIONS.iter().find(|known| !kind.is_empty() && known.name == kind)?;
    Some(known.cases.iter().copied().filter(|case| !case.is_empty()))
}

impl<'a> Container<'a> {
    pub(super) fn attribute_of(&self, index: usize) -> Result<Attribute<'a>, Fault> {
        let entry = &self.attributes[index];
        let mut reader = self.entry(entry);
        let attribute = if !entry.encoded {
            Attribute::Text(reader.terminated()?)
        } else {
            match entry.dialect {
                b"vhlo" => self.vhlo_attribute(&mut reader)?,
                b"builtin" => self.builtin_attribute(&mut reader)?,
                b"sdy" => Attribute::Shardy(self.shardy(&mut reader)?),
                _ => return Err(foreign("an attribute", entry)),
            }
        };
        reader.finish("an attribute")?;
        // The elements of a constant are not read.
        let elements = match &attribute {
            Attribute::Dense { data, .. } | Attribute::DenseArray { data, .. } => data.len(),
            _ => 0,
        };
        self.count_decoding(entry, entry.range.len() - elements)?;
        Ok(attribute)
    }

    fn vhlo_attribute(&self, reader: &mut Reader<'a>) -> Result<Attribute<'a>, Fault> {
        let at = reader.offset();
        let code = reader.varint()?;
        if let Some(enumeration) = ENUMERATIONS.iter().find(|enumeration| enumeration.code == code) {
            let at = reader.offset();
            let case = reader.varint()?;
            if enumeration.cases.get(case as usize).is_none_or(|name| name.is_empty()) {
                let why = format!("case {case} of `{}` is not known", enumeration.name);
                return Err(Fault::new(at, why).newer());
            }
            return Ok(Attribute::Case(enumeration, case));
        }
        let attribute = |reader: &mut Reader<'a>| self.attribute_index(reader);
        Ok(match code {
            1 => Attribute::Array(reader.list(attribute)?),
            2 => Attribute::Bool(reader.varint()? != 0),
            6 => Attribute::Dictionary(reader.list(|reader| Ok((attribute(reader)?, attribute(reader)?)))?),
            8 => self.float(reader)?,
            9 => self.integer(reader)?,
            10 => Attribute::OperandAlias {
                output: reader.list(Reader::signed)?,
                operand: reader.signed()?,
                indices: reader.list(Reader::signed)?,
            },
            14 => Attribute::String(self.string(reader)?),
            15 => {
                let ty = self.type_index(reader)?;
                let length = reader.varint()?;
                Attribute::Dense { ty, data: reader.take(length)? }
            }
            17 => Attribute::Type(self.type_index(reader)?),
            18 => Attribute::Bounds(reader.list(Reader::signed)?),
            20 => Attribute::Accuracy {
                absolute: f64::from_bits(reader.signed()? as u64),
                relative: f64::from_bits(reader.signed()? as u64),
                ulps: reader.signed()?,
                mode: attribute(reader)?,
            },
            21..=25 => {
                let why = "a mesh of devices, and programs must be for one device";
                return Err(Fault::new(at, why).unsupported());
            }
            _ => return Err(Fault::new(at, format!("attribute {code} of VHLO is not known")).newer()),
        })
    }

    fn builtin_attribute(&self, reader: &mut Reader<'a>) -> Result<Attribute<'a>, Fault> {
        let at = reader.offset();
        let code = reader.varint()?;
        let attribute = |reader: &mut Reader<'a>| self.attribute_index(reader);
        Ok(match code {
            0 => Attribute::Array(reader.list(attribute)?),
            1 => Attribute::Dictionary(reader.list(|reader| Ok((attribute(reader)?, attribute(reader)?)))?),
            2 => Attribute::String(self.string(reader)?),
            3 => {
                let string = self.string(reader)?;
                self.type_index(reader)?;
                Attribute::String(string)
            }
            4 => Attribute::Symbol(attribute(reader)?, Vec::new()),
            5 => Attribute::Symbol(attribute(reader)?, reader.list(attribute)?),
            6 => Attribute::Type(self.type_index(reader)?),
            7 => Attribute::Unit,
            8 => self.integer(reader)?,
            9 => self.float(reader)?,
            10 => Attribute::Location(Location::CallSite {
                callee: attribute(reader)?,
                caller: attribute(reader)?,
            }),
            11 => {
                let name = attribute(reader)?;
                let numbers = vec![reader.varint()?, reader.varint()?];
                Attribute::Location(Location::File { name, numbers })
            }
            12 => Attribute::Location(Location::Fused { parts: reader.list(attribute)?, metadata: None }),
            13 => {
                let parts = reader.list(attribute)?;
                Attribute::Location(Location::Fused { parts, metadata: Some(attribute(reader)?) })
            }
            14 => Attribute::Location(Location::Name { name: attribute(reader)?, child: attribute(reader)? }),
            15 => Attribute::Location(Location::Unknown),
            16 => {
                let ty = self.type_index(reader)?;
                Attribute::Resource { ty, resource: reader.index(self.resources.len(), "resource")? }
            }
            17 => {
                let (element, count) = (self.type_index(reader)?, reader.varint()?);
                let length = reader.varint()?;
                let data = reader.take(length)?;
                let count = usize::try_from(count).ok().filter(|&count| count <= data.len());
                let count = count.ok_or_else(|| Fault::new(at, "an array with fewer bytes than elements"))?;
                Attribute::DenseArray { element, count, data }
            }
            18 => {
                let ty = self.type_index(reader)?;
                let length = reader.varint()?;
                Attribute::Dense { ty, data: reader.take(length)? }
            }
            22 => {
                let name = attribute(reader)?;
                Attribute::Location(Location::File { name, numbers: reader.list(Reader::varint)? })
            }
            _ => {
                let why = format!("attribute {code} of MLIR's builtin dialect");
                return Err(Fault::new(at, why).unsupported());
            }
        })
    }

    fn integer(&self, reader: &mut Reader<'a>) -> Result<Attribute<'a>, Fault> {
        let at = reader.offset();
        let ty = self.type_index(reader)?;
        let scalar = self.scalar(ty)?;
        let is_integer = |scalar: &Scalar| !matches!(scalar, Scalar::Float { .. });
        let bits = scalar.filter(is_integer).and_then(Scalar::bits);
        let bits = bits.ok_or_else(|| Fault::new(at, "an integer of another type"))?;
        let value = match bits {
            0..=8 => {
                let byte = i64::from(reader.byte()?);
                let above = 64 - bits;
                // Its highest bit is a sign, but not in unsigned integers.
                let is_unsigned = matches!(scalar, Some(Scalar::Unsigned { .. })) || bits == 1;
                Integer::Short(if is_unsigned { byte } else { byte << above >> above })
            }
            9..=64 => Integer::Short(reader.signed()?),
            _ => Integer::Long(reader.list(|reader| Ok(reader.signed()? as u64))?),
        };
        Ok(Attribute::Integer { ty, value })
    }

    fn float(&self, reader: &mut Reader<'a>) -> Result<Attribute<'a>, Fault> {
        let at = reader.offset();
        let ty = self.type_index(reader)?;
        let Some(Scalar::Float { bits, .. }) = self.scalar(ty)? else {
            return Err(Fault::new(at, "a float of a type that is not one"));
        };
        let bits = if bits <= 8 { u64::from(reader.byte()?) } else { reader.signed()? as u64 };
        Ok(Attribute::Float { ty, bits })
    }
}
