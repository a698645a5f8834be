//! The elements of constants: short ones as a list, and long ones as a reference to the bytes in the file.

use super::Fault;
use super::print::Printer;
use super::ty::{MOST_DIMENSIONS, Scalar, Tensor, Type};
use std::io::Write;
use std::ops::Range;

/// Longer constants are not written as lists, as in MLIR's printer.
const LONGEST_LIST: usize = 100;

/// Lists that are attributes of ops, such as the dimensions of a transpose, have fewer elements.
const MOST_INTEGERS: usize = 1 << 16;

/// The layout of a tensor's elements.
#[derive(Clone, Copy)]
struct Layout {
    scalar: Scalar,
    is_complex: bool,
    bits: u32,
    count: usize,
}

impl Layout {
    /// Bytes of one element. Elements of less than a byte take one.
    fn width(self) -> usize {
        let parts = if self.is_complex { 2 } else { 1 };
        parts * self.bits.div_ceil(8) as usize
    }
}

// Writing to a vector cannot fail, so results of `write!` are ignored here.
impl<'a> Printer<'a> {
    /// A constant of a tensor type, with its type.
    pub(super) fn dense(&mut self, ty: usize, data: Range<usize>) -> Result<(), Fault> {
        let Type::Tensor(tensor) = self.file.type_of(ty)? else {
            return Err(Fault::new(data.start, "a constant of a type that is not a tensor"));
        };
        let layout = self.layout(&tensor, data.start)?;
        let is_boolean = layout.scalar == Scalar::Integer { bits: 1 };
        if layout.count == 0 {
            self.push("dense<>");
        } else if is_boolean && !is_one_for_all(&data, layout.count) {
            let bits = self.booleans(&data, layout.count)?;
            self.boolean_elements(&bits, &tensor.dims);
        } else if data.len() == layout.width() {
            self.out.extend_from_slice(b"dense<");
            self.element(layout, data);
            self.out.push(b'>');
        } else {
            let length = layout.count.checked_mul(layout.width());
            if length != Some(data.len()) {
                return Err(wrong_length(&data, length.unwrap_or(usize::MAX)));
            }
            if layout.count <= LONGEST_LIST {
                self.out.extend_from_slice(b"dense<");
                self.list(&tensor.dims, layout.width(), data.start, &mut |printer, element| {
                    printer.element(layout, element);
                });
                self.out.push(b'>');
            } else if layout.bits < 8 {
                self.push("dense<\"0x");
                for index in data {
                    let byte = self.file.bytes[index];
                    let is_signed = matches!(layout.scalar, Scalar::Integer { .. } | Scalar::Signed { .. });
                    let byte = if is_signed { signed(byte.into(), layout.bits) as u8 } else { byte };
                    let _ = write!(self.out, "{byte:02X}");
                }
                self.push("\">");
            } else {
                let _ = write!(self.out, "dense_resource<blob{}>", self.blobs.len());
                self.blobs.push(data);
            }
        }
        self.out.extend_from_slice(b" : ");
        self.ty(ty)
    }

    /// A constant whose elements are in a resource.
    pub(super) fn resource(&mut self, ty: usize, resource: usize) -> Result<(), Fault> {
        let found = self.file.resources[resource].clone();
        if !found.is_blob {
            return Err(Fault::new(found.range.start, "a constant whose resource is not a blob"));
        }
        let mut reader = super::reader::Reader::new(self.file.bytes, found.range);
        let (alignment, length) = (reader.varint()?, reader.varint()?);
        reader.align(alignment)?;
        let data = reader.take(length)?;
        self.dense(ty, data)
    }

    /// The elements of a tensor of integers.
    pub(super) fn integers(&self, ty: usize, data: Range<usize>) -> Result<Vec<i64>, Fault> {
        let Type::Tensor(tensor) = self.file.type_of(ty)? else {
            return Err(Fault::new(data.start, "a list of a type that is not a tensor"));
        };
        let layout = self.layout(&tensor, data.start)?;
        if layout.count > MOST_INTEGERS {
            let why = format!("a list of {} integers", layout.count);
            return Err(Fault::new(data.start, why).unsupported());
        }
        let is_boolean = layout.scalar == Scalar::Integer { bits: 1 };
        if is_boolean && !is_one_for_all(&data, layout.count) {
            return Ok(self.booleans(&data, layout.count)?.into_iter().map(i64::from).collect());
        }
        let width = layout.width();
        let whole = layout.count.checked_mul(width);
        let is_splat = data.len() == width && layout.count > 0;
        if matches!(layout.scalar, Scalar::Float { .. }) || layout.is_complex {
            return Err(Fault::new(data.start, "a list of numbers that are not integers"));
        }
        if !is_splat && whole != Some(data.len()) {
            return Err(wrong_length(&data, whole.unwrap_or(usize::MAX)));
        }
        let bytes = &self.file.bytes[data];
        let elements = bytes.chunks_exact(width).cycle().take(layout.count);
        Ok(elements
            .map(
                |element| {
                    if is_boolean { 1.min(word(element) as i64) } else { signed(word(element), layout.bits) }
                },
            )
            .collect())
    }

    fn layout(&self, tensor: &Tensor, at: usize) -> Result<Layout, Fault> {
        if tensor.dims.len() > MOST_DIMENSIONS {
            let why = format!("a constant of {} dimensions", tensor.dims.len());
            return Err(Fault::new(at, why).unsupported());
        }
        let count = tensor.dims.iter().try_fold(1usize, |count, &size| {
            usize::try_from(size).ok().and_then(|size| count.checked_mul(size))
        });
        let count = count
            .ok_or_else(|| Fault::new(at, "a constant of a type without a static number of elements"))?;
        let (is_complex, element) = match self.file.type_of(tensor.element)? {
            Type::Complex(part) => (true, part),
            _ => (false, tensor.element),
        };
        let scalar = self.file.scalar(element)?;
        let described = scalar.and_then(|scalar| Some((scalar, scalar.bits()?)));
        match described {
            Some((scalar, bits)) if bits <= 64 && (bits % 8 == 0 || bits < 8) => {
                Ok(Layout { scalar, is_complex, bits, count })
            }
            _ => Err(Fault::new(
                at,
                "a constant of elements that are not numbers of 1, 2, 4, 8, 16, 32 or 64 bits",
            )
            .unsupported()),
        }
    }

    /// Booleans of packed bits, lowest first, or of a byte each.
    fn booleans(&self, data: &Range<usize>, count: usize) -> Result<Vec<bool>, Fault> {
        let bytes = &self.file.bytes[data.clone()];
        if bytes.len() == count.div_ceil(8) {
            return Ok((0..count).map(|index| bytes[index / 8] >> (index % 8) & 1 == 1).collect());
        }
        if bytes.len() != count {
            return Err(wrong_length(data, count.div_ceil(8)));
        }
        Ok(bytes.iter().map(|&byte| byte != 0).collect())
    }

    fn boolean_elements(&mut self, bits: &[bool], dims: &[i64]) {
        let word = |bit: bool| if bit { "true" } else { "false" };
        match bits {
            [first, rest @ ..] if rest.iter().all(|bit| bit == first) => {
                let _ = write!(self.out, "dense<{}>", word(*first));
            }
            _ if bits.len() <= LONGEST_LIST => {
                self.out.extend_from_slice(b"dense<");
                self.list(dims, 1, 0, &mut |printer, element| {
                    printer.out.extend_from_slice(word(bits[element.start]).as_bytes());
                });
                self.out.push(b'>');
            }
            _ => {
                self.out.extend_from_slice(b"dense<\"0x");
                for byte in bits.chunks(8) {
                    let packed = byte.iter().rev().fold(0u8, |byte, &bit| byte << 1 | u8::from(bit));
                    let _ = write!(self.out, "{packed:02X}");
                }
                self.out.extend_from_slice(b"\">");
            }
        }
    }

    /// Nested lists; `element` writes the element at a range of positions.
    fn list(
        &mut self,
        dims: &[i64],
        width: usize,
        start: usize,
        element: &mut dyn FnMut(&mut Self, Range<usize>),
    ) {
        let Some((&size, rest)) = dims.split_first() else {
            return element(self, start..start + width);
        };
        let step = rest.iter().product::<i64>() as usize * width;
        self.out.push(b'[');
        for index in 0..size as usize {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            self.list(rest, width, start + index * step, element);
        }
        self.out.push(b']');
    }

    fn element(&mut self, layout: Layout, data: Range<usize>) {
        let bytes = &self.file.bytes[data];
        if !layout.is_complex {
            return scalar(&mut self.out, layout.scalar, word(bytes));
        }
        let (real, imaginary) = bytes.split_at(bytes.len() / 2);
        self.out.push(b'(');
        scalar(&mut self.out, layout.scalar, word(real));
        self.out.extend_from_slice(b", ");
        scalar(&mut self.out, layout.scalar, word(imaginary));
        self.out.push(b')');
    }
}

fn wrong_length(data: &Range<usize>, wanted: usize) -> Fault {
    Fault::new(data.start, format!("a constant of {} bytes, but its type takes {wanted}", data.len()))
}

/// Little-endian, of at most eight bytes.
pub(super) fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// The lowest bits of a word as a signed integer.
fn signed(word: u64, bits: u32) -> i64 {
    let above = 64 - bits;
    (word as i64) << above >> above
}

/// A number as MLIR writes it.
pub(super) fn scalar(out: &mut Vec<u8>, ty: Scalar, bits: u64) {
    let _ = match ty {
        Scalar::Integer { bits: 1 } => write!(out, "{}", bits != 0),
        Scalar::Integer { bits: width } | Scalar::Signed { bits: width } => {
            write!(out, "{}", signed(bits, width))
        }
        Scalar::Unsigned { bits: width } => write!(out, "{}", bits & (u64::MAX >> (64 - width))),
        Scalar::Index => write!(out, "{}", bits as i64),
        Scalar::Float { name, bits: width } => {
            let spelled = match name {
                "f32" => decimal(
                    f64::from(f32::from_bits(bits as u32)),
                    format!("{:?}", f32::from_bits(bits as u32)),
                ),
                "f64" => decimal(f64::from_bits(bits), format!("{:?}", f64::from_bits(bits))),
                "f16" => {
                    let value = half::f16::from_bits(bits as u16).to_f32();
                    decimal(value.into(), format!("{value:?}"))
                }
                "bf16" => {
                    let value = half::bf16::from_bits(bits as u16).to_f32();
                    decimal(value.into(), format!("{value:?}"))
                }
                _ => None,
            };
            match spelled {
                Some(spelled) => write!(out, "{spelled}"),
                None => write!(out, "0x{bits:0digits$X}", digits = width.div_ceil(8) as usize * 2),
            }
        }
        Scalar::None | Scalar::Opaque(_) => Ok(()),
    };
}

/// A finite number with a decimal point, which MLIR's floats need.
fn decimal(value: f64, spelled: String) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    Some(match spelled.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => spelled,
    })
}

/// Whether the bytes of booleans are one byte for all of them.
fn is_one_for_all(data: &Range<usize>, count: usize) -> bool {
    data.len() == 1 && (count > 8 || count == 1)
}
