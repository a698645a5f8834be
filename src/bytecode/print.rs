//! Writes types, attributes and locations as MLIR's text.

use super::Fault;
use super::attribute::{Attribute, Enumeration, Integer, Location};
use super::container::Container;
use super::elements::{scalar, word};
use super::ty::{DYNAMIC, Quantized, Scalar, Tensor, Type};
use std::io::Write;
use std::ops::Range;

/// Attributes and types that contain each other deeper than this are refused.
const DEEPEST: usize = 64;
/// Bytes of text allowed per byte of the file, and in addition for every file. A type of a few bytes is written for each
/// of its uses, so that a short file can have a long text.
const LONGEST: (usize, usize) = (24, 1 << 20);

/// Text under construction.
pub(super) struct Printer<'a> {
    pub file: &'a Container<'a>,
    pub out: Vec<u8>,
    /// The bytes of the constants that the text refers to as `blob0`, `blob1`, and so on.
    pub blobs: Vec<Range<usize>>,
    /// Where the text of each type was first written.
    types: Vec<Option<Range<usize>>>,
    /// The locations that the text refers to, as a set and in order.
    located: Vec<bool>,
    locations: Vec<usize>,
    depth: usize,
    limit: usize,
}

// Writing to a vector cannot fail, so results of `write!` are ignored here.
impl<'a> Printer<'a> {
    pub(super) fn new(file: &'a Container<'a>) -> Self {
        Self {
            file,
            out: Vec::new(),
            blobs: Vec::new(),
            types: vec![None; file.types.len()],
            located: vec![false; file.attributes.len()],
            locations: Vec::new(),
            depth: 0,
            limit: file.bytes.len().saturating_mul(LONGEST.0).saturating_add(LONGEST.1),
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Begins something that may contain things of its kind, which is at an offset of the file.
    pub(super) fn enter(&mut self, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let why = format!("attributes, types or regions nested deeper than {DEEPEST}");
            return Err(Fault::new(at, why).unsupported());
        }
        self.check_length(at)
    }

    /// That the text has not become too long.
    fn check_length(&self, at: usize) -> Result<(), Fault> {
        if self.out.len() > self.limit {
            return Err(Fault::new(at, format!("its text has more than {} bytes", self.limit)).unsupported());
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Items separated by commas.
    pub(super) fn items<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            write(self, item)?;
            self.check_length(self.file.body.start)?;
        }
        Ok(())
    }

    pub(super) fn numbers<T: std::fmt::Display>(&mut self, numbers: &[T]) {
        for (index, number) in numbers.iter().enumerate() {
            let _ = write!(self.out, "{}{number}", if index > 0 { ", " } else { "" });
        }
    }

    /// A string in quotes. MLIR escapes what is not printed.
    pub(super) fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            if matches!(byte, b'"' | b'\\') || !(byte.is_ascii_graphic() || byte == b' ') {
                let _ = write!(self.out, "\\{byte:02X}");
            } else {
                self.out.push(byte);
            }
        }
        self.out.push(b'"');
    }

    /// A name, in quotes if MLIR needs them.
    pub(super) fn word(&mut self, text: &[u8]) {
        let is_bare = text.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'));
        if is_bare { self.out.extend_from_slice(text) } else { self.string(text) }
    }

    pub(super) fn symbol(&mut self, name: &[u8]) {
        self.out.push(b'@');
        self.word(name);
    }

    /// The text of another dialect, which must be text.
    fn foreign_text(&mut self, text: &[u8], at: usize) -> Result<(), Fault> {
        if std::str::from_utf8(text).is_err() || text.contains(&b'\n') {
            return Err(Fault::new(at, "text of another dialect that is not UTF-8 on one line"));
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    pub(super) fn ty(&mut self, index: usize) -> Result<(), Fault> {
        let at = self.file.types[index].range.start;
        self.enter(at)?;
        if let Some(written) = self.types[index].clone() {
            self.out.extend_from_within(written);
        } else {
            let start = self.out.len();
            self.new_type(self.file.type_of(index)?, at)?;
            self.types[index] = Some(start..self.out.len());
        }
        self.leave();
        Ok(())
    }

    fn new_type(&mut self, ty: Type<'a>, at: usize) -> Result<(), Fault> {
        match ty {
            Type::Scalar(scalar) => self.scalar_type(scalar),
            Type::Complex(element) => return self.wrapped("complex<", element),
            Type::Function(arguments, results) => {
                self.push("(");
                self.items(arguments, Self::ty)?;
                self.push(") -> (");
                self.items(results, Self::ty)?;
                self.push(")");
            }
            Type::Tensor(tensor) => return self.shaped("tensor<", &tensor),
            Type::Buffer(tensor) => return self.shaped("memref<", &tensor),
            Type::Unranked(element) => return self.wrapped("tensor<*x", element),
            Type::Tuple(parts) => return self.type_list("tuple<", parts),
            Type::Future(parts) => return self.type_list("!stablehlo.future<", parts),
            Type::Quantized(quantized) => return self.quantized(&quantized, at),
            Type::Text(text) => return self.foreign_text(text, at),
        }
        Ok(())
    }

    fn scalar_type(&mut self, scalar: Scalar) {
        let _ = match scalar {
            Scalar::Integer { bits } => write!(self.out, "i{bits}"),
            Scalar::Signed { bits } => write!(self.out, "si{bits}"),
            Scalar::Unsigned { bits } => write!(self.out, "ui{bits}"),
            Scalar::Float { name, .. } | Scalar::Opaque(name) => write!(self.out, "{name}"),
            Scalar::Index => write!(self.out, "index"),
            Scalar::None => write!(self.out, "none"),
        };
    }

    fn wrapped(&mut self, open: &str, element: usize) -> Result<(), Fault> {
        self.push(open);
        self.ty(element)?;
        self.push(">");
        Ok(())
    }

    fn type_list(&mut self, open: &str, parts: Vec<usize>) -> Result<(), Fault> {
        self.push(open);
        self.items(parts, Self::ty)?;
        self.push(">");
        Ok(())
    }

    fn shaped(&mut self, open: &str, tensor: &Tensor) -> Result<(), Fault> {
        self.push(open);
        for &size in &tensor.dims {
            let _ = if size == DYNAMIC { write!(self.out, "?x") } else { write!(self.out, "{size}x") };
        }
        self.ty(tensor.element)?;
        if let Some(encoding) = tensor.encoding {
            self.push(", ");
            self.attribute(encoding)?;
        }
        self.push(">");
        Ok(())
    }

    fn quantized(&mut self, quantized: &Quantized, at: usize) -> Result<(), Fault> {
        let Some(Scalar::Integer { bits } | Scalar::Signed { bits } | Scalar::Unsigned { bits }) =
            self.file.scalar(quantized.storage)?
        else {
            return Err(Fault::new(at, "a quantized type whose storage is not integers"));
        };
        let whole = match (bits, quantized.is_signed) {
            (1..=32, true) => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
            (1..=32, false) => (0, (1i64 << bits) - 1),
            _ => return Err(Fault::new(at, format!("a quantized type of {bits} bits"))),
        };
        let _ = write!(self.out, "!quant.uniform<{}{bits}", if quantized.is_signed { "i" } else { "u" });
        if quantized.bounds != whole {
            let _ = write!(self.out, "<{}:{}>", quantized.bounds.0, quantized.bounds.1);
        }
        self.push(":");
        self.ty(quantized.expressed)?;
        if let Some(axis) = quantized.axis {
            let _ = write!(self.out, ":{axis}");
        }
        if quantized.scales.len() != quantized.zero_points.len() {
            return Err(Fault::new(at, "a quantized type with other numbers of scales and zero points"));
        }
        let pairs = quantized.scales.iter().zip(&quantized.zero_points);
        let pair = |printer: &mut Self, (scale, &zero_point): (&f64, &i64)| {
            scalar(&mut printer.out, Scalar::Float { name: "f64", bits: 64 }, scale.to_bits());
            if zero_point != 0 {
                let _ = write!(printer.out, ":{zero_point}");
            }
            Ok(())
        };
        let braces = if quantized.axis.is_some() { (", {", "}>") } else { (", ", ">") };
        self.push(braces.0);
        self.items(pairs, pair)?;
        self.push(braces.1);
        Ok(())
    }

    pub(super) fn attribute(&mut self, index: usize) -> Result<(), Fault> {
        let at = self.file.attributes[index].range.start;
        self.enter(at)?;
        let attribute = self.file.attribute_of(index)?;
        self.value(attribute, at)?;
        self.leave();
        Ok(())
    }

    fn value(&mut self, attribute: Attribute<'a>, at: usize) -> Result<(), Fault> {
        match attribute {
            Attribute::Array(items) => {
                self.push("[");
                self.items(items, Self::attribute)?;
                self.push("]");
            }
            Attribute::Dictionary(entries) => {
                self.push("{");
                self.items(entries, |printer, (name, value)| {
                    let name = printer.file.name(name)?;
                    printer.entry(name, value)
                })?;
                self.push("}");
            }
            Attribute::String(text) => self.string(text),
            Attribute::Symbol(root, nested) => {
                let root = self.file.name(root)?;
                self.symbol(root);
                for part in nested {
                    self.push("::");
                    self.attribute(part)?;
                }
            }
            Attribute::Type(ty) => self.ty(ty)?,
            Attribute::Unit => self.push("unit"),
            Attribute::Bool(value) => self.push(if value { "true" } else { "false" }),
            Attribute::Integer { ty, value } => {
                let scalar_type = self.file.scalar(ty)?;
                match (value, scalar_type) {
                    (Integer::Short(value), Some(Scalar::Integer { bits: 1 })) => {
                        self.push(if value != 0 { "true" } else { "false" });
                        return Ok(());
                    }
                    (Integer::Short(value), Some(scalar_type)) => {
                        scalar(&mut self.out, scalar_type, value as u64)
                    }
                    (Integer::Long(words), _) => {
                        self.push("0x");
                        words.iter().rev().for_each(|word| {
                            let _ = write!(self.out, "{word:016X}");
                        });
                    }
                    (Integer::Short(_), None) => return Err(Fault::new(at, "an integer without a type")),
                }
                self.push(" : ");
                self.ty(ty)?;
            }
            Attribute::Float { ty, bits } => {
                if let Some(scalar_type) = self.file.scalar(ty)? {
                    scalar(&mut self.out, scalar_type, bits);
                }
                self.push(" : ");
                self.ty(ty)?;
            }
            Attribute::Case(enumeration, case) if enumeration.name.is_empty() => {
                let _ = write!(self.out, "{case} : i32");
            }
            Attribute::Case(Enumeration { name, cases, .. }, case) => {
                let _ = write!(self.out, "#stablehlo<{name} {}>", cases[case as usize]);
            }
            Attribute::Shardy(attribute) => self.shardy(&attribute, at)?,
            Attribute::Dense { ty, data } => self.dense(ty, data)?,
            Attribute::DenseArray { element, count, data } => self.dense_array(element, count, data)?,
            Attribute::Resource { ty, resource } => self.resource(ty, resource)?,
            Attribute::OperandAlias { output, operand, indices } => {
                self.push("#stablehlo.output_operand_alias<output_tuple_indices = [");
                self.numbers(&output);
                let _ = write!(self.out, "], operand_index = {operand}, operand_tuple_indices = [");
                self.numbers(&indices);
                self.push("]>");
            }
            Attribute::Bounds(bounds) => {
                self.push("#stablehlo.bounds<");
                self.items(bounds, |printer, bound| {
                    let _ = if bound == DYNAMIC {
                        write!(printer.out, "?")
                    } else {
                        write!(printer.out, "{bound}")
                    };
                    Ok(())
                })?;
                self.push(">");
            }
            Attribute::Accuracy { absolute, relative, ulps, mode } => {
                let double = Scalar::Float { name: "f64", bits: 64 };
                self.push("#stablehlo.result_accuracy<atol = ");
                scalar(&mut self.out, double, absolute.to_bits());
                self.push(", rtol = ");
                scalar(&mut self.out, double, relative.to_bits());
                let _ = write!(self.out, ", ulps = {ulps}, mode = ");
                self.attribute(mode)?;
                self.push(">");
            }
            Attribute::Location(location) => {
                self.push("loc(");
                self.location(location)?;
                self.push(")");
            }
            Attribute::Text(text) => self.foreign_text(text, at)?,
        }
        Ok(())
    }

    fn dense_array(&mut self, element: usize, count: usize, data: Range<usize>) -> Result<(), Fault> {
        let at = data.start;
        let bytes = |ty: Scalar| ty.bits().filter(|&bits| bits <= 64).map(|bits| bits.div_ceil(8) as usize);
        let ty = self.file.scalar(element)?.and_then(|ty| Some((ty, bytes(ty)?)));
        let Some((ty, width)) = ty.filter(|(_, width)| count.checked_mul(*width) == Some(data.len())) else {
            return Err(Fault::new(at, "an array whose bytes do not fit its type"));
        };
        self.push("array<");
        self.ty(element)?;
        for (index, bytes) in self.file.bytes[data].chunks_exact(width).enumerate() {
            self.push(if index == 0 { ": " } else { ", " });
            scalar(&mut self.out, ty, word(bytes));
        }
        self.push(">");
        Ok(())
    }

    /// A name with its value; a unit attribute is its name alone.
    pub(super) fn entry(&mut self, name: &[u8], value: usize) -> Result<(), Fault> {
        self.word(name);
        self.check_length(self.file.attributes[value].range.start)?;
        if !matches!(self.file.attribute_of(value)?, Attribute::Unit) {
            self.push(" = ");
            self.attribute(value)?;
        }
        Ok(())
    }

    /// ` loc(...)`, if the location is known.
    pub(super) fn trailing_location(&mut self, index: usize) -> Result<(), Fault> {
        if self.located[index]
            || !matches!(self.file.attribute_of(index)?, Attribute::Location(Location::Unknown))
        {
            self.push(" loc(");
            self.location_reference(index);
            self.push(")");
        }
        Ok(())
    }

    fn location_reference(&mut self, index: usize) {
        let _ = write!(self.out, "#loc{index}");
        if !std::mem::replace(&mut self.located[index], true) {
            self.locations.push(index);
        }
    }

    /// The definitions of all locations that the text refers to.
    pub(super) fn location_definitions(&mut self) -> Result<(), Fault> {
        let mut next = 0;
        while let Some(&index) = self.locations.get(next) {
            next += 1;
            self.check_length(self.file.attributes[index].range.start)?;
            let _ = write!(self.out, "#loc{index} = loc(");
            match self.file.attribute_of(index)? {
                Attribute::Location(location) => self.location(location)?,
                _ => self.push("unknown"),
            }
            self.push(")\n");
        }
        Ok(())
    }

    fn location(&mut self, location: Location) -> Result<(), Fault> {
        match location {
            Location::Unknown => self.push("unknown"),
            Location::File { name, numbers } => {
                let name = self.file.name(name)?;
                self.string(name);
                let _ = match numbers[..] {
                    [] => Ok(()),
                    [line] => write!(self.out, ":{line}"),
                    [line, column] => write!(self.out, ":{line}:{column}"),
                    [line, column, end] => write!(self.out, ":{line}:{column} to :{end}"),
                    [line, column, end_line, end, ..] => {
                        write!(self.out, ":{line}:{column} to {end_line}:{end}")
                    }
                };
            }
            Location::Name { name, child } => {
                let name = self.file.name(name)?;
                self.string(name);
                if !matches!(self.file.attribute_of(child)?, Attribute::Location(Location::Unknown)) {
                    self.push("(");
                    self.location_reference(child);
                    self.push(")");
                }
            }
            Location::CallSite { callee, caller } => {
                self.push("callsite(");
                self.location_reference(callee);
                self.push(" at ");
                self.location_reference(caller);
                self.push(")");
            }
            Location::Fused { parts, metadata } => {
                self.push("fused");
                if let Some(metadata) = metadata {
                    self.push("<");
                    self.attribute(metadata)?;
                    self.push(">");
                }
                self.push("[");
                self.items(parts, |printer, part| {
                    printer.location_reference(part);
                    Ok(())
                })?;
                self.push("]");
            }
        }
        Ok(())
    }
}

impl<'a> Container<'a> {
    /// The text of an attribute that is a string.
    pub(super) fn name(&self, index: usize) -> Result<&'a [u8], Fault> {
        match self.attribute_of(index)? {
            Attribute::String(text) => Ok(text),
            _ => Err(Fault::new(self.attributes[index].range.start, "an attribute that is not a name")),
        }
    }
}
