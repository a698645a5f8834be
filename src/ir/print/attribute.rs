//! Attributes and the elements of constants.

use super::Printer;
use crate::ir::{
    Attribute, Attributes, ConstantId, Data, Dialect, Dim, Element, Op, Symbol, TensorType, Type, TypeId,
    stablehlo,
};
use std::fmt::Write;

/// Larger constants print as hexadecimal digits.
const LIST_LIMIT: usize = 64;

impl Printer<'_> {
    pub(super) fn symbol_ref(&mut self, name: Symbol) {
        let text = self.module.symbols.get(name);
        self.out.push('@');
        self.word(text);
    }

    /// A name, quoted if it is not a bare identifier in MLIR.
    pub(super) fn word(&mut self, text: &str) {
        let bare = text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-'));
        if bare {
            self.out.push_str(text);
        } else {
            self.string(text);
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\22"),
                '\\' => self.out.push_str("\\5C"),
                control if control.is_ascii_control() => {
                    let _ = write!(self.out, "\\{:02X}", u32::from(control));
                }
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    pub(super) fn op_attributes(&mut self, op: &Op) {
        self.dialect = op.name.dialect();
        let has_pairs = [stablehlo::CONVOLUTION, stablehlo::REDUCE_WINDOW, stablehlo::SELECT_AND_SCATTER]
            .contains(&op.name);
        self.out.push('{');
        for (index, (name, value)) in op.attributes.iter().enumerate() {
            self.out.push_str(if index > 0 { ", " } else { "" });
            match value {
                Attribute::Integers(_, values)
                    if has_pairs && self.module.symbols.get(*name) == "padding" =>
                {
                    self.out.push_str("padding = ");
                    self.pairs(values);
                }
                Attribute::Dense(id) => match self.array_in_stablehlo(op, *name, *id) {
                    Some(array) => self.entry(*name, &array),
                    None => self.entry(*name, value),
                },
                _ => self.entry(*name, value),
            }
        }
        self.out.push('}');
        self.dialect = Dialect::Other;
    }

    /// The array of a list that MHLO, and older versions of StableHLO, have as the elements of a tensor. Attributes of the
    /// user's have a dot in their names.
    fn array_in_stablehlo(&self, op: &Op, name: Symbol, id: ConstantId) -> Option<Attribute> {
        let name = self.module.symbols.get(name);
        let ty = self.module.tensor_type(self.module.constant(id).ty)?;
        let is_array = matches!(self.dialect, Dialect::StableHlo | Dialect::Chlo)
            && op.name != stablehlo::CUSTOM_CALL
            && name != "value"
            && !name.contains('.')
            && ty.rank() == 1
            && matches!(ty.element, Element::I64 | Element::Bool);
        let values = self.module.integers(&Attribute::Dense(id)).filter(|_| is_array)?;
        Some(Attribute::Integers(ty.element, values.into()))
    }

    /// Prints a list as a tensor of pairs.
    fn pairs(&mut self, values: &[i64]) {
        let rows: Vec<String> = values.chunks(2).map(|row| format!("{row:?}")).collect();
        let rows = if rows.is_empty() { String::new() } else { format!("[{}]", rows.join(", ")) };
        let _ = write!(self.out, "dense<{rows}> : tensor<{}x2xi64>", values.len() / 2);
    }

    pub(super) fn dictionary(&mut self, attributes: &Attributes) {
        self.out.push('{');
        self.entries(attributes);
        self.out.push('}');
    }

    pub(super) fn entries(&mut self, attributes: &Attributes) {
        for (index, (name, value)) in attributes.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.entry(*name, value);
        }
    }

    fn entry(&mut self, name: Symbol, value: &Attribute) {
        self.word(self.module.symbols.get(name));
        if *value != Attribute::Unit {
            self.out.push_str(" = ");
            self.attribute(value);
        }
    }

    /// The dialect of an attribute: an op that moved from MHLO to StableHLO or CHLO has attributes of its new dialect.
    fn renamed_dialect<'t>(&self, dialect: &'t str) -> &'t str {
        match self.dialect {
            Dialect::StableHlo if dialect == "mhlo" => "stablehlo",
            Dialect::Chlo if dialect == "mhlo" => "chlo",
            _ => dialect,
        }
    }

    pub(super) fn attribute(&mut self, attribute: &Attribute) {
        match attribute {
            Attribute::Unit => self.out.push_str("unit"),
            Attribute::Bool(value) => {
                let _ = write!(self.out, "{value}");
            }
            Attribute::Integer(value, ty) => {
                let unsigned =
                    matches!(self.module.types.get(*ty), Type::Scalar(element) if element.is_unsigned());
                let _ = if unsigned {
                    write!(self.out, "{} : ", *value as u64)
                } else {
                    write!(self.out, "{value} : ")
                };
                self.ty(*ty);
            }
            Attribute::Float(value, ty) => {
                let element = match self.module.types.get(*ty) {
                    Type::Scalar(element) => *element,
                    _ => Element::F64,
                };
                self.float(*value, element);
                self.out.push_str(" : ");
                self.ty(*ty);
            }
            Attribute::String(text) => self.string(text),
            Attribute::Bytes(bytes) => {
                self.out.push('"');
                bytes.iter().for_each(|byte| {
                    let _ = write!(self.out, "\\{byte:02X}");
                });
                self.out.push('"');
            }
            Attribute::Type(ty) => self.ty(*ty),
            Attribute::SymbolRef(path) => {
                for (index, &part) in path.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str("::");
                    }
                    self.symbol_ref(part);
                }
            }
            Attribute::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.attribute(item);
                }
                self.out.push(']');
            }
            Attribute::Dictionary(entries) => self.dictionary(entries),
            Attribute::Integers(element, values) => {
                let _ = write!(self.out, "array<{}", element.name().unwrap_or("i64"));
                for (index, &value) in values.iter().enumerate() {
                    self.out.push_str(if index == 0 { ": " } else { ", " });
                    let _ = if *element == Element::Bool {
                        write!(self.out, "{}", value != 0)
                    } else {
                        write!(self.out, "{value}")
                    };
                }
                self.out.push('>');
            }
            Attribute::Dims(sizes) => {
                // Expressions print as strings, because array attributes cannot hold them.
                self.out.push('[');
                for (index, &size) in sizes.iter().enumerate() {
                    self.out.push_str(if index == 0 { "" } else { ", " });
                    let text = self.module.dim_exprs.spell(&self.module.symbols, size);
                    let _ = match size {
                        Dim::Known(_) => write!(self.out, "{text}"),
                        _ => write!(self.out, "\"{text}\""),
                    };
                }
                self.out.push(']');
            }
            Attribute::Floats(element, values) => {
                let _ = write!(self.out, "array<{}", element.name().unwrap_or("f64"));
                for (index, &value) in values.iter().enumerate() {
                    self.out.push_str(if index == 0 { ": " } else { ", " });
                    self.float(value, *element);
                }
                self.out.push('>');
            }
            Attribute::Dense(id) => {
                let constant = self.module.constant(*id);
                self.dense(&constant.data, constant.ty);
                self.out.push_str(" : ");
                self.ty(constant.ty);
            }
            Attribute::Struct(name, fields) => {
                let name = self.module.symbols.get(*name);
                let (dialect, kind) = name.split_once('.').unwrap_or(("", name));
                let _ = write!(self.out, "#{}.{kind}<", self.renamed_dialect(dialect));
                // Without the word MLIR reads `[b, f, 0]x[o, i, 0]->[b, f, 0]`.
                self.out.push_str(if name.ends_with(".conv") { "raw " } else { "" });
                for (index, (name, value)) in fields.iter().enumerate() {
                    self.out.push_str(if index > 0 { ", " } else { "" });
                    self.word(self.module.symbols.get(*name));
                    self.out.push_str(" = ");
                    self.field(value);
                }
                self.out.push('>');
            }
            Attribute::Enum { dialect, kind, value } => {
                let symbols = &self.module.symbols;
                let (dialect, kind, value) = (symbols.get(*dialect), symbols.get(*kind), symbols.get(*value));
                let _ = write!(self.out, "#{}<{kind} {value}>", self.renamed_dialect(dialect));
            }
            Attribute::Opaque(text) => self.out.push_str(text),
        }
    }

    /// An attribute in a struct, whose numbers have no types.
    fn field(&mut self, attribute: &Attribute) {
        match attribute {
            Attribute::Integer(value, _) => {
                let _ = write!(self.out, "{value}");
            }
            Attribute::Integers(element, values) if *element != Element::Bool => {
                self.out.push('[');
                for (index, value) in values.iter().enumerate() {
                    self.out.push_str(if index == 0 { "" } else { ", " });
                    let _ = write!(self.out, "{value}");
                }
                self.out.push(']');
            }
            Attribute::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.out.push_str(if index == 0 { "" } else { ", " });
                    self.field(item);
                }
                self.out.push(']');
            }
            other => self.attribute(other),
        }
    }

    fn dense(&mut self, data: &Data, ty: TypeId) {
        let Some(tensor) = self.module.tensor_type(ty) else {
            self.out.push_str("dense<>");
            return;
        };
        let count = tensor.count().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let width = tensor.element.bytes();
        if let Data::Splat(element) = data {
            self.out.push_str("dense<");
            self.scalar(element, tensor.element);
            self.out.push('>');
            return;
        }
        if self.elide.is_some_and(|limit| count > limit) {
            self.out.push_str("dense_resource<__elided__>");
            return;
        }
        let bytes = data.bytes(self.source, count, width);
        // As digits, versions of MLIR pack booleans into bits or not.
        if count > LIST_LIMIT && tensor.element != Element::Bool {
            self.out.push_str("dense<\"0x");
            for byte in bytes.iter() {
                let _ = write!(self.out, "{byte:02X}");
            }
            self.out.push_str("\">");
            return;
        }
        self.out.push_str("dense<");
        if count > 0 {
            self.nested(&bytes, tensor, 0);
        }
        self.out.push('>');
    }

    fn nested(&mut self, bytes: &[u8], tensor: &TensorType, depth: usize) {
        let Some(Dim::Known(size)) = tensor.dims.get(depth).copied() else {
            self.scalar(bytes, tensor.element);
            return;
        };
        self.out.push('[');
        let size = usize::try_from(size).unwrap_or(0).max(1);
        for (index, part) in bytes.chunks_exact((bytes.len() / size).max(1)).enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.nested(part, tensor, depth + 1);
        }
        self.out.push(']');
    }

    fn scalar(&mut self, bytes: &[u8], element: Element) {
        if element.is_complex() {
            let (real, imaginary) = bytes.split_at(bytes.len() / 2);
            self.out.push('(');
            self.scalar(real, element.part());
            self.out.push_str(", ");
            self.scalar(imaginary, element.part());
            self.out.push(')');
            return;
        }
        let bits = bytes.iter().rev().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
        match element {
            Element::Bool => {
                let _ = write!(self.out, "{}", bits != 0);
            }
            Element::F32 => self.float(f64::from(f32::from_bits(bits as u32)), element),
            Element::F64 => self.float(f64::from_bits(bits), element),
            Element::F16 => self.float(half::f16::from_bits(bits as u16).to_f64(), element),
            Element::BF16 => self.float(half::bf16::from_bits(bits as u16).to_f64(), element),
            float if float.is_float() => {
                let _ = write!(self.out, "0x{bits:02X}");
            }
            signed if signed.is_signed() || signed == Element::Index => {
                let shift = 64 - 8 * bytes.len().clamp(1, 8) as u32;
                let _ = write!(self.out, "{}", (bits << shift) as i64 >> shift);
            }
            _ => {
                let _ = write!(self.out, "{bits}");
            }
        }
    }

    /// The shortest decimal that reads back as the same value of the element type, or its bits.
    fn float(&mut self, value: f64, element: Element) {
        if !value.is_finite() {
            let _ = match element {
                Element::F16 => write!(self.out, "0x{:04X}", half::f16::from_f64(value).to_bits()),
                Element::BF16 => write!(self.out, "0x{:04X}", half::bf16::from_f64(value).to_bits()),
                Element::F64 => write!(self.out, "0x{:016X}", value.to_bits()),
                _ => write!(self.out, "0x{:08X}", (value as f32).to_bits()),
            };
            return;
        }
        let text = if element == Element::F64 { format!("{value:e}") } else { format!("{:e}", value as f32) };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        self.out.push_str(mantissa);
        if !mantissa.contains('.') {
            self.out.push_str(".0");
        }
        if exponent != "0" {
            let _ = write!(self.out, "e{exponent}");
        }
    }
}
