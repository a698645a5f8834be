//! Tensors as raw bytes, and the values of `// in:` and `// out:` lines.
//!
//! `fixtures/notation.py` reads and writes the same lines; the format is described in `tests/fixtures.rs`.

use std::fmt;

use half::{bf16, f16};

/// An element type, under its name in MLIR text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    I1,
    I8,
    I16,
    I32,
    I64,
    Ui8,
    Ui16,
    Ui32,
    Ui64,
    F16,
    Bf16,
    F32,
    F64,
    Complex64,
    Complex128,
}

impl Element {
    const ALL: [(Element, &'static str, usize); 15] = [
        (Element::I1, "i1", 1),
        (Element::I8, "i8", 1),
        (Element::I16, "i16", 2),
        (Element::I32, "i32", 4),
        (Element::I64, "i64", 8),
        (Element::Ui8, "ui8", 1),
        (Element::Ui16, "ui16", 2),
        (Element::Ui32, "ui32", 4),
        (Element::Ui64, "ui64", 8),
        (Element::F16, "f16", 2),
        (Element::Bf16, "bf16", 2),
        (Element::F32, "f32", 4),
        (Element::F64, "f64", 8),
        (Element::Complex64, "complex<f32>", 8),
        (Element::Complex128, "complex<f64>", 16),
    ];

    fn row(self) -> (&'static str, usize) {
        Self::ALL.iter().find(|row| row.0 == self).map_or(("?", 1), |row| (row.1, row.2))
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        self.row().1
    }

    /// Whether elements are compared with a tolerance.
    pub fn is_float(self) -> bool {
        use Element::*;
        matches!(self, F16 | Bf16 | F32 | F64 | Complex64 | Complex128)
    }

    /// The type of the two parts of a complex number.
    pub fn part(self) -> Option<Self> {
        match self {
            Element::Complex64 => Some(Element::F32),
            Element::Complex128 => Some(Element::F64),
            _ => None,
        }
    }

    fn is_unsigned(self) -> bool {
        matches!(self, Element::Ui8 | Element::Ui16 | Element::Ui32 | Element::Ui64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().0)
    }
}

/// A tensor: its elements are in row-major order, each in little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub element: Element,
    pub dims: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// The same bytes as the model sees them: complex numbers are real ones with a trailing dimension of 2.
    pub fn with_real_parts(mut self) -> Self {
        if let Some(part) = self.element.part() {
            self.element = part;
            self.dims.push(2);
        }
        self
    }

    /// The element at a flat index, widened; complex tensors have no such elements.
    pub fn get(&self, index: usize) -> Number {
        let at = index * self.element.size();
        let bytes = &self.bytes[at..at + self.element.size()];
        let mut wide = [0u8; 8];
        wide[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        let bits = u64::from_le_bytes(wide);
        match self.element {
            Element::I1 => Number::Bool(bits != 0),
            Element::I8 => Number::Int((bits as u8 as i8).into()),
            Element::I16 => Number::Int((bits as u16 as i16).into()),
            Element::I32 => Number::Int((bits as u32 as i32).into()),
            Element::I64 => Number::Int((bits as i64).into()),
            Element::Ui8 | Element::Ui16 | Element::Ui32 | Element::Ui64 => Number::Int(bits.into()),
            Element::F16 => Number::Float(f16::from_bits(bits as u16).into()),
            Element::Bf16 => Number::Float(bf16::from_bits(bits as u16).into()),
            Element::F32 | Element::Complex64 => Number::Float(f32::from_bits(bits as u32).into()),
            Element::F64 | Element::Complex128 => Number::Float(f64::from_bits(bits)),
        }
    }

    fn push(&mut self, element: Element, number: Number) -> Result<(), String> {
        let narrow = |value: f64| value as f32;
        match (element, number) {
            (Element::I1, Number::Bool(value)) => self.bytes.push(value.into()),
            (Element::F16, Number::Float(v)) => {
                self.bytes.extend(f16::from_f32(narrow(v)).to_le_bytes());
            }
            (Element::Bf16, Number::Float(v)) => {
                self.bytes.extend(bf16::from_f32(narrow(v)).to_le_bytes());
            }
            (Element::F32, Number::Float(v)) => self.bytes.extend(narrow(v).to_le_bytes()),
            (Element::F64, Number::Float(v)) => self.bytes.extend(v.to_le_bytes()),
            (_, Number::Int(value)) if !element.is_float() && element != Element::I1 => {
                let bits = 8 * element.size() as u32;
                let (low, high) = match element.is_unsigned() {
                    true => (0, (1i128 << bits) - 1),
                    false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
                };
                if value < low || value > high {
                    return Err(format!("{value} does not fit in {element}"));
                }
                self.bytes.extend(&value.to_le_bytes()[..element.size()]);
            }
            (element, number) => return Err(format!("{number} does not fit in {element}")),
        }
        Ok(())
    }
}

/// One element, widened to compare and to print it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Bool(bool),
    Int(i128),
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Bool(value) => value.fmt(f),
            Number::Int(value) => value.fmt(f),
            Number::Float(value) => write!(f, "{value:?}"),
        }
    }
}

/// Reads the value after `// in:` or `// out:`.
pub fn parse(text: &str) -> Result<Tensor, String> {
    let text = text.trim();
    let wrong = || format!("not a value: `{text}`; write `f32[2] 1.0 2.0`");
    let (name, rest) = text.split_once('[').ok_or_else(wrong)?;
    let (dims, body) = rest.split_once(']').ok_or_else(wrong)?;
    let element = Element::parse(name).ok_or_else(wrong)?;
    let dims = dims
        .split(',')
        .filter(|dim| !dim.is_empty())
        .map(|dim| dim.parse().map_err(|_| wrong()))
        .collect::<Result<Vec<usize>, _>>()?;
    let mut tensor = Tensor { element, dims, bytes: Vec::new() };
    // A complex number is written and generated as two numbers.
    let part = element.part().unwrap_or(element);
    let count = tensor.len() * if element.part().is_some() { 2 } else { 1 };
    for number in numbers(body.trim(), part, element, count)? {
        tensor.push(part, number)?;
    }
    Ok(tensor)
}

fn numbers(body: &str, part: Element, element: Element, count: usize) -> Result<Vec<Number>, String> {
    if body == "range" {
        let range = 0..count;
        return Ok(match part.is_float() {
            true => range.map(|i| Number::Float(i as f64)).collect(),
            false => range.map(|i| Number::Int(i as i128)).collect(),
        });
    }
    if let Some(arguments) = body.strip_prefix("uniform(").and_then(|rest| rest.strip_suffix(')')) {
        return uniform(arguments, part, count).ok_or_else(|| format!("not a generator: `{body}`"));
    }
    let plain = body.replace(['(', ')', ','], " ");
    let tokens: Vec<&str> = match element.part() {
        Some(_) => plain.split_whitespace().collect(),
        None => body.split_whitespace().collect(),
    };
    if tokens.len() != count {
        return Err(format!("{} numbers for a shape of {count}: `{body}`", tokens.len()));
    }
    tokens
        .into_iter()
        .map(|token| {
            let number = match part {
                Element::I1 => token.parse().ok().map(Number::Bool),
                part if part.is_float() => token.parse().ok().map(Number::Float),
                _ => token.parse().ok().map(Number::Int),
            };
            number.ok_or_else(|| format!("`{token}` does not fit in {part}"))
        })
        .collect()
}

/// `seed` or `seed,low,high`: for floats low + (high - low) * (the hash's upper 24 bits / 2^24), for integers
/// low + hash mod (high - low), for bools the hash's highest bit.
fn uniform(arguments: &str, element: Element, count: usize) -> Option<Vec<Number>> {
    let mut arguments = arguments.split(',').map(str::trim);
    let seed: u64 = arguments.next()?.parse().ok()?;
    let bounds = match (arguments.next(), arguments.next(), arguments.next()) {
        (None, None, None) => None,
        (Some(low), Some(high), None) => Some((low.parse::<f64>().ok()?, high.parse::<f64>().ok()?)),
        _ => return None,
    };
    let hashes = (0..count as u64).map(|index| splitmix64((seed << 32).wrapping_add(index)));
    if element == Element::I1 {
        return Some(hashes.map(|hash| Number::Bool(hash >> 63 != 0)).collect());
    }
    if element.is_float() {
        let (low, high) = bounds.unwrap_or((-1.0, 1.0));
        let unit = |hash: u64| (hash >> 40) as f64 / f64::from(1u32 << 24);
        return Some(hashes.map(|hash| Number::Float(low + (high - low) * unit(hash))).collect());
    }
    let default = if element.is_unsigned() { (0, 16) } else { (-8, 8) };
    let (low, high) = bounds.map_or(default, |(low, high)| (low as i128, high as i128));
    let width = (high > low).then_some(high - low)?;
    Some(hashes.map(|hash| Number::Int(low + i128::from(hash) % width)).collect())
}

/// The output function of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
pub fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
