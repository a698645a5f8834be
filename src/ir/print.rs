//! Prints a module as MLIR text in generic form, which the parser reads back.

use super::{
    Attribute, Attributes, BlockId, Data, Dim, Element, FunctionId, Location, LocationId, Module, OpId,
    RegionId, Symbol, TensorType, Type, TypeId, ValueId,
};
use crate::source::Source;
use rustc_hash::FxHashSet;
use std::fmt::Write;

/// Prints the whole module.
///
/// `source` is the text that the module came from, for constants that refer to it. With `elide`, constants of
/// more elements print as `dense_resource<__elided__>`, as `mlir-opt --mlir-elide-elementsattrs-if-larger` does;
/// such a text is for people.
pub fn print(module: &Module, source: &Source, elide: Option<usize>) -> String {
    let mut printer = Printer {
        module,
        source,
        elide,
        out: String::new(),
        names: vec![None; module.value_count()],
        located: vec![false; module.location_count()],
        locations: Vec::new(),
    };
    printer.module();
    printer.location_definitions();
    printer.out
}

/// Constants of more elements print as hexadecimal digits.
const LIST_LIMIT: usize = 64;

struct Printer<'a> {
    module: &'a Module,
    source: &'a Source,
    elide: Option<usize>,
    out: String,
    names: Vec<Option<Name>>,
    /// Which locations have been named, and these in the order of their naming.
    located: Vec<bool>,
    locations: Vec<LocationId>,
}

/// How a value is written: `%3`, `%3#1` or `%arg2`.
#[derive(Clone, Copy)]
enum Name {
    Result(u32, Option<u32>),
    Argument(u32),
}

/// Numbers handed out within one function.
#[derive(Default)]
struct NameCounter {
    results: u32,
    arguments: u32,
}

// Writing to a string cannot fail, so the results of `write!` carry nothing here.
impl Printer<'_> {
    fn module(&mut self) {
        self.out.push_str("module");
        if let Some(name) = self.module.name {
            self.out.push(' ');
            self.symbol_ref(name);
        }
        if !self.module.attributes.is_empty() {
            self.out.push_str(" attributes ");
            self.dictionary(&self.module.attributes);
        }
        self.out.push_str(" {\n");
        for &op in &self.module.top_level {
            self.op(op, 1, &mut NameCounter::default());
        }
        for function in self.module.functions() {
            self.function(function);
        }
        self.out.push_str("}\n");
    }

    fn function(&mut self, id: FunctionId) {
        let function = self.module.function(id);
        let mut counter = NameCounter::default();
        let block = self.module.entry_block(function.body);
        let _ = write!(self.out, "  func.func {} ", if function.public { "public" } else { "private" });
        self.symbol_ref(function.name);
        self.out.push('(');
        for (index, argument) in function.arguments.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if let Some(block) = block {
                let value = self.module.block(block).arguments[index];
                self.name_argument(value, &mut counter);
                self.value(value);
                self.out.push_str(": ");
            }
            self.ty(function.argument_types[index]);
            if !argument.attributes.is_empty() {
                self.out.push(' ');
                self.dictionary(&argument.attributes);
            }
            if let Some(location) = argument.location {
                self.trailing_location(location);
            }
        }
        self.out.push(')');
        if !function.results.is_empty() {
            self.out.push_str(" -> (");
            for (index, result) in function.results.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.ty(result.ty);
                if !result.attributes.is_empty() {
                    self.out.push(' ');
                    self.dictionary(&result.attributes);
                }
            }
            self.out.push(')');
        }
        if !function.attributes.is_empty() {
            self.out.push_str(" attributes ");
            self.dictionary(&function.attributes);
        }
        if let Some(block) = block {
            self.out.push_str(" {");
            self.sizes(function.argument_types.iter().copied());
            self.out.push('\n');
            self.ops(block, 2, &mut counter);
            self.out.push_str("  }");
        }
        self.trailing_location(function.location);
        self.out.push('\n');
    }

    fn ops(&mut self, block: BlockId, depth: usize, counter: &mut NameCounter) {
        for &op in &self.module.block(block).ops {
            self.op(op, depth, counter);
        }
    }

    fn op(&mut self, id: OpId, depth: usize, counter: &mut NameCounter) {
        let op = self.module.op(id);
        self.indent(depth);
        if !op.results.is_empty() {
            let number = counter.results;
            counter.results += 1;
            for (index, &result) in op.results.iter().enumerate() {
                self.set_name(result, Name::Result(number, (op.results.len() > 1).then_some(index as u32)));
            }
            let _ = write!(self.out, "%{number}");
            if op.results.len() > 1 {
                let _ = write!(self.out, ":{}", op.results.len());
            }
            self.out.push_str(" = ");
        }
        let _ = write!(self.out, "\"{}\"(", self.module.symbols.get(op.name.symbol()));
        for (index, &operand) in op.operands.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(operand);
        }
        self.out.push(')');
        if !op.regions.is_empty() {
            self.out.push_str(" (");
            for (index, &region) in op.regions.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.region(region, depth, counter);
            }
            self.out.push(')');
        }
        if !op.attributes.is_empty() {
            self.out.push(' ');
            self.dictionary(&op.attributes);
        }
        self.out.push_str(" : (");
        for (index, &operand) in op.operands.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.ty(self.module.value_type(operand));
        }
        self.out.push_str(") -> (");
        for (index, &result) in op.results.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.ty(self.module.value_type(result));
        }
        self.out.push(')');
        self.trailing_location(self.module.op_location(id));
        self.sizes(op.results.iter().map(|&value| self.module.value_type(value)));
        self.out.push('\n');
    }

    /// The sizes that stand as `?` in types, in a comment at the end of the line.
    fn sizes(&mut self, types: impl Iterator<Item = TypeId>) {
        let module = self.module;
        let spell = |&dim: &Dim| module.dim_exprs.spell(&module.symbols, dim);
        let symbolic = types.filter_map(|ty| module.tensor_type(ty)).filter(|tensor| tensor.is_symbolic());
        let lists: Vec<String> = symbolic
            .map(|tensor| format!("[{}]", tensor.dims.iter().map(spell).collect::<Vec<_>>().join(", ")))
            .collect();
        if !lists.is_empty() {
            let _ = write!(self.out, "  // {}", lists.join(", "));
        }
    }

    fn region(&mut self, region: RegionId, depth: usize, counter: &mut NameCounter) {
        self.out.push_str("{\n");
        for (index, &block) in self.module.region(region).blocks.iter().enumerate() {
            let arguments = &self.module.block(block).arguments;
            if index > 0 || !arguments.is_empty() {
                self.indent(depth);
                let _ = write!(self.out, "^bb{index}");
                if !arguments.is_empty() {
                    self.out.push('(');
                    for (position, &argument) in arguments.iter().enumerate() {
                        if position > 0 {
                            self.out.push_str(", ");
                        }
                        self.name_argument(argument, counter);
                        self.value(argument);
                        self.out.push_str(": ");
                        self.ty(self.module.value_type(argument));
                    }
                    self.out.push(')');
                }
                self.out.push_str(":\n");
            }
            self.ops(block, depth + 1, counter);
        }
        self.indent(depth);
        self.out.push('}');
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
    }

    fn name_argument(&mut self, value: ValueId, counter: &mut NameCounter) {
        self.set_name(value, Name::Argument(counter.arguments));
        counter.arguments += 1;
    }

    fn set_name(&mut self, value: ValueId, name: Name) {
        self.names[value.index()] = Some(name);
    }

    fn value(&mut self, value: ValueId) {
        let _ = match self.names[value.index()] {
            Some(Name::Result(number, None)) => write!(self.out, "%{number}"),
            Some(Name::Result(number, Some(index))) => write!(self.out, "%{number}#{index}"),
            Some(Name::Argument(number)) => write!(self.out, "%arg{number}"),
            None if value == self.module.absent() => write!(self.out, "%absent"),
            None => write!(self.out, "%undefined{}", value.index()),
        };
    }

    fn symbol_ref(&mut self, name: Symbol) {
        let text = self.module.symbols.get(name);
        self.out.push('@');
        self.word(text);
    }

    /// A name, in quotes where MLIR's bare identifiers do not allow it.
    fn word(&mut self, text: &str) {
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

    fn string(&mut self, text: &str) {
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

    fn dictionary(&mut self, attributes: &Attributes) {
        self.out.push('{');
        self.entries(attributes);
        self.out.push('}');
    }

    fn entries(&mut self, attributes: &Attributes) {
        for (index, (name, value)) in attributes.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.word(self.module.symbols.get(*name));
            if *value != Attribute::Unit {
                self.out.push_str(" = ");
                self.attribute(value);
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute) {
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
                // An expression is a string, as arrays of attributes have no other place for it.
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
                let _ = write!(self.out, "#{name}<");
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
                let _ = write!(self.out, "#{dialect}<{kind} {value}>");
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
        if count > LIST_LIMIT {
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

    fn ty(&mut self, id: TypeId) {
        self.module.spell_into(&mut self.out, id);
    }

    /// Locations print as aliases, which are defined after the module: they are a graph with much sharing, whose
    /// depth is the text's.
    fn trailing_location(&mut self, id: LocationId) {
        if id != LocationId::UNKNOWN {
            self.out.push_str(" loc(");
            self.location_alias(id);
            self.out.push(')');
        }
    }

    fn location_alias(&mut self, id: LocationId) {
        if id == LocationId::UNKNOWN {
            self.out.push_str("unknown");
            return;
        }
        if !std::mem::replace(&mut self.located[id.0 as usize], true) {
            self.locations.push(id);
        }
        let _ = write!(self.out, "#loc{}", id.0);
    }

    fn location_definitions(&mut self) {
        // MLIR reads aliases that an alias refers to only where they are defined before it.
        let mut stack: Vec<(LocationId, bool)> = self.locations.iter().rev().map(|&id| (id, false)).collect();
        let mut seen = FxHashSet::default();
        while let Some((id, read)) = stack.pop() {
            if read {
                let _ = write!(self.out, "#loc{} = loc(", id.0);
                self.location(id);
                self.out.push_str(")\n");
            } else if id != LocationId::UNKNOWN && seen.insert(id) {
                stack.push((id, true));
                match self.module.location(id) {
                    Location::Name(_, child) => stack.push((*child, false)),
                    Location::CallSite { callee, caller } => {
                        stack.extend([(*caller, false), (*callee, false)])
                    }
                    Location::Fused(_, parts) => stack.extend(parts.iter().rev().map(|&part| (part, false))),
                    _ => {}
                }
            }
        }
    }

    fn location(&mut self, id: LocationId) {
        match self.module.location(id) {
            Location::Unknown => self.out.push_str("unknown"),
            Location::File { file, start, end } => {
                self.string(self.module.symbols.get(*file));
                let _ = write!(self.out, ":{}:{}", start.0, start.1);
                if start != end {
                    let _ = write!(self.out, " to {}:{}", end.0, end.1);
                }
            }
            Location::Name(name, child) => {
                self.string(self.module.symbols.get(*name));
                if *child != LocationId::UNKNOWN {
                    self.out.push('(');
                    self.location_alias(*child);
                    self.out.push(')');
                }
            }
            Location::CallSite { callee, caller } => {
                self.out.push_str("callsite(");
                self.location_alias(*callee);
                self.out.push_str(" at ");
                self.location_alias(*caller);
                self.out.push(')');
            }
            Location::Fused(metadata, parts) => {
                self.out.push_str("fused");
                if let Some(metadata) = metadata {
                    let _ = write!(self.out, "<{}>", self.module.symbols.get(*metadata));
                }
                self.out.push('[');
                for (index, &part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.location_alias(part);
                }
                self.out.push(']');
            }
            Location::Opaque(text) => self.out.push_str(self.module.symbols.get(*text)),
        }
    }
}
