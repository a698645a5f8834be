//! The ops, as MLIR's text: functions in their custom form, other ops in generic form, VHLO's as StableHLO's.

use super::Fault;
use super::attribute::Attribute;
use super::container::{Container, ELIDED_LOCATIONS, LAZY_REGIONS, OpName, PROPERTIES, USE_LIST_ORDERS};
use super::op_attributes::OpAttributes;
use super::print::Printer;
use super::reader::Reader;
use super::vhlo;
use std::io::Write;

/// The number of the section that holds the body of an isolated op.
const ISOLATED: u8 = 4;

/// Bits of the mask with which an op begins.
const HAS_ATTRIBUTES: u8 = 1;
const HAS_RESULTS: u8 = 1 << 1;
const HAS_OPERANDS: u8 = 1 << 2;
const HAS_SUCCESSORS: u8 = 1 << 3;
const HAS_REGIONS: u8 = 1 << 4;
const HAS_USE_LIST_ORDERS: u8 = 1 << 5;
const HAS_PROPERTIES: u8 = 1 << 6;

/// The attributes of `builtin.module` that are properties; both may be absent.
const MODULE_PROPERTIES: [&str; 2] = ["sym_name", "sym_visibility"];

/// The properties of ops of other dialects that JAX serializes: all of Shardy's that have one form (its `ops.td`).
const FOREIGN_PROPERTIES: [(&str, &str, &[&str]); 5] = [
    ("sdy", "mesh", &["mesh", "sym_name"]),
    ("sdy", "sharding_constraint", &["sharding"]),
    ("sdy", "reshard", &["sharding"]),
    ("sdy", "manual_computation", &["in_shardings", "manual_axes", "out_shardings"]),
    ("sdy", "sharding_group", &["group_id"]),
];

/// A value in the order of the definitions in its scope.
#[derive(Clone, Copy)]
pub(super) struct Value {
    name: Name,
    ty: usize,
}

/// The name in the text: `%3`, `%3#1` or `%arg2`.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Result(u32, Option<u32>),
    Argument(u32),
}

/// The values that the ops of an isolated region may use: those of its open regions.
#[derive(Default)]
struct Scope {
    regions: Vec<OpenRegion>,
}

/// The values of a region that has begun.
struct OpenRegion {
    /// The index of its first value.
    first: usize,
    /// The number of its values.
    count: usize,
    /// Those that are defined.
    values: Vec<Value>,
}

/// What is known of an op before its regions.
pub(super) struct Head<'a> {
    pub at: usize,
    pub name: OpName<'a>,
    pub location: usize,
    pub attributes: OpAttributes<'a>,
    pub results: Vec<usize>,
    pub operands: Vec<Value>,
    pub regions: usize,
    pub is_isolated: bool,
}

/// Where an op is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Module,
    Function,
    /// In a region of another op.
    Region,
}

/// Reads the ops and writes their text.
pub(super) struct Body<'a> {
    pub(super) file: &'a Container<'a>,
    pub printer: Printer<'a>,
    scopes: Vec<Scope>,
    /// The numbers of the next result and the next argument. Those of a function begin at 0.
    pub(super) numbers: (u32, u32),
    /// Names for the arguments of `main` that have none.
    pub(super) argument_names: &'a [String],
    /// Whether an argument of a function has a name.
    pub(super) has_names: bool,
}

// Writing to a vector cannot fail, so results of `write!` are ignored here.
impl<'a> Body<'a> {
    /// The text of the whole file. If no argument of a function has a name in it, those of `main` get these. Whether one has
    /// is known at the end, so the file is then read again.
    pub(super) fn print(file: &'a Container<'a>, argument_names: &'a [String]) -> Result<Printer<'a>, Fault> {
        let body = Self::read(file, &[])?;
        if body.has_names || argument_names.is_empty() {
            return Ok(body.printer);
        }
        Ok(Self::read(file, argument_names)?.printer)
    }

    fn read(file: &'a Container<'a>, argument_names: &'a [String]) -> Result<Self, Fault> {
        let mut body = Self {
            file,
            printer: Printer::new(file),
            scopes: vec![Scope::default()],
            numbers: (0, 0),
            argument_names,
            has_names: false,
        };
        let mut reader = Reader::new(file.bytes, file.body.clone());
        let (count, has_arguments) = reader.flagged()?;
        if has_arguments {
            return Err(reader.fault("arguments of the file"));
        }
        for _ in 0..count {
            body.op(&mut reader, 0, Place::Module)?;
        }
        reader.finish("the ops")?;
        body.printer.location_definitions()?;
        Ok(body)
    }

    pub(super) fn op(&mut self, reader: &mut Reader<'a>, indent: usize, place: Place) -> Result<(), Fault> {
        let head = self.head(reader)?;
        self.printer.enter(head.at)?;
        match (head.name.dialect, head.name.name) {
            (b"builtin", b"module") => self.module(reader, &head, indent)?,
            (b"vhlo", name) if vhlo::base_name(text(name)) == "func" => {
                self.function(reader, &head, indent)?
            }
            (b"builtin", b"unrealized_conversion_cast") if head.operands.len() == head.results.len() => {
                self.cast(&head)?;
            }
            _ => self.generic(reader, &head, indent, place)?,
        }
        self.printer.leave();
        Ok(())
    }

    fn head(&mut self, reader: &mut Reader<'a>) -> Result<Head<'a>, Fault> {
        let at = reader.offset();
        let name = self.file.op_names[reader.index(self.file.op_names.len(), "name of an op")?];
        let (mask, location) = (reader.byte()?, self.file.attribute_index(reader)?);
        let dictionary =
            if mask & HAS_ATTRIBUTES != 0 { Some(self.file.attribute_index(reader)?) } else { None };
        let properties = mask & HAS_PROPERTIES != 0;
        let attributes = self.attributes(reader, at, name, dictionary, properties)?;
        let results = if mask & HAS_RESULTS != 0 {
            reader.list(|reader| self.file.type_index(reader))?
        } else {
            Vec::new()
        };
        let operands =
            if mask & HAS_OPERANDS != 0 { reader.list(|reader| self.operand(reader))? } else { Vec::new() };
        if mask & HAS_SUCCESSORS != 0 {
            return Err(Fault::new(at, format!("`{}` branches to blocks", full_name(name))).unsupported());
        }
        if mask & HAS_USE_LIST_ORDERS != 0 && self.file.version >= USE_LIST_ORDERS {
            skip_use_list_orders(reader, results.len())?;
        }
        let (mut regions, mut is_isolated) = (0, false);
        if mask & HAS_REGIONS != 0 {
            let (count, flag) = reader.flagged()?;
            (regions, is_isolated) = (reader.counted(count)?, flag);
        }
        Ok(Head { at, name, location, attributes, results, operands, regions, is_isolated })
    }

    fn operand(&self, reader: &mut Reader<'a>) -> Result<Value, Fault> {
        let at = reader.offset();
        let index = reader.varint()?;
        let value = usize::try_from(index).ok().and_then(|index| self.scopes.last()?.value(index));
        value.ok_or_else(|| Fault::new(at, format!("value {index} is used before it is defined")))
    }

    /// The attributes of an op, from its properties and from its dictionary.
    fn attributes(
        &self,
        reader: &mut Reader<'a>,
        at: usize,
        name: OpName<'a>,
        dictionary: Option<usize>,
        has_properties: bool,
    ) -> Result<OpAttributes<'a>, Fault> {
        let is_module = (name.dialect, name.name) == (b"builtin".as_slice(), b"module".as_slice());
        let is_vhlo = name.dialect == b"vhlo";
        let names: Vec<&'static str> = match vhlo::attributes(text(name.name)).filter(|_| is_vhlo) {
            Some(names) => names.collect(),
            None if is_vhlo => {
                return Err(Fault::new(at, format!("`{}` is not known", full_name(name))).newer());
            }
            None if is_module => MODULE_PROPERTIES.to_vec(),
            None => FOREIGN_PROPERTIES
                .iter()
                .find(|(dialect, op, _)| (dialect.as_bytes(), op.as_bytes()) == (name.dialect, name.name))
                .map_or_else(Vec::new, |(.., properties)| properties.to_vec()),
        };
        let (mut own, mut entries) = (Vec::new(), self.dictionary(dictionary, at)?);
        if has_properties && self.file.version >= PROPERTIES {
            if !name.registered {
                // An op that the writer did not know has a dictionary in their place.
                let properties = self.file.attribute_index(reader)?;
                entries.extend(self.dictionary(Some(properties), at)?);
            } else {
                let list = reader.index(self.file.properties.len(), "list of properties")?;
                let mut list = Reader::new(self.file.bytes, self.file.properties[list].clone());
                if !is_vhlo && names.is_empty() && list.left() > 0 {
                    let dialect = String::from_utf8_lossy(name.dialect);
                    let why = format!("`{}` has properties in the encoding of its dialect", full_name(name));
                    return Err(Fault::foreign(at, why, &dialect));
                }
                for name in names.iter().copied() {
                    let value = if is_module {
                        self.file.optional_attribute(&mut list)?
                    } else {
                        Some(self.file.attribute_index(&mut list)?)
                    };
                    own.extend(value.map(|value| (name, value)));
                }
                list.finish("properties")?;
            }
        }
        let is_own = |name: &[u8]| names.iter().find(|own| own.as_bytes() == name).copied();
        let mut other = Vec::new();
        for (name, value) in entries {
            match is_own(name) {
                Some(name) => own.push((name, value)),
                None => other.push((name, value)),
            }
        }
        Ok(OpAttributes { at, own, other })
    }

    fn dictionary(&self, index: Option<usize>, at: usize) -> Result<Vec<(&'a [u8], usize)>, Fault> {
        let Some(index) = index else { return Ok(Vec::new()) };
        let Attribute::Dictionary(entries) = self.file.attribute_of(index)? else {
            return Err(Fault::new(at, "the attributes of an op are not a dictionary"));
        };
        entries.into_iter().map(|(name, value)| Ok((self.file.name(name)?, value))).collect()
    }

    fn module(&mut self, reader: &mut Reader<'a>, head: &Head<'a>, indent: usize) -> Result<(), Fault> {
        self.indent(indent);
        self.printer.push("module");
        if let Some(name) = head.attributes.find("sym_name") {
            self.printer.push(" ");
            let name = self.file.name(name)?;
            self.printer.symbol(name);
        }
        if !head.attributes.other.is_empty() {
            self.printer.push(" attributes {");
            let entries = head.attributes.other.iter();
            self.printer.items(entries, |printer, &(name, value)| printer.entry(name, value))?;
            self.printer.push("}");
        }
        self.printer.push(" {\n");
        self.regions(reader, head, |body, reader, _| body.block(reader, indent + 1, Place::Module, false))?;
        self.indent(indent);
        self.printer.push("}");
        self.printer.trailing_location(head.location)?;
        self.printer.push("\n");
        Ok(())
    }

    fn generic(
        &mut self,
        reader: &mut Reader<'a>,
        head: &Head<'a>,
        indent: usize,
        place: Place,
    ) -> Result<(), Fault> {
        self.indent(indent);
        let values = self.define_results(head)?;
        if let Some(Value { name: Name::Result(number, _), .. }) = values.first() {
            let _ = write!(self.printer.out, "%{number}");
            if values.len() > 1 {
                let _ = write!(self.printer.out, ":{}", values.len());
            }
            self.printer.push(" = ");
        }
        let name = text(head.name.name);
        let is_vhlo = head.name.dialect == b"vhlo";
        let base = if is_vhlo { vhlo::base_name(name) } else { name };
        match (is_vhlo, base) {
            (true, "call") => self.printer.push("\"func.call\"("),
            (true, "return") if place == Place::Function => self.printer.push("\"func.return\"("),
            (true, _) => {
                let _ = write!(self.printer.out, "\"stablehlo.{base}\"(");
            }
            _ => {
                self.printer.string(full_name(head.name).as_bytes());
                self.printer.push("(");
            }
        }
        for (index, operand) in head.operands.iter().enumerate() {
            self.printer.push(if index > 0 { ", " } else { "" });
            self.value(*operand);
        }
        self.printer.push(")");
        if head.regions > 0 {
            self.printer.push(" (");
            self.regions(reader, head, |body, reader, index| {
                body.printer.push(if index > 0 { ", {\n" } else { "{\n" });
                body.block(reader, indent + 1, Place::Region, true)?;
                body.indent(indent);
                body.printer.push("}");
                Ok(())
            })?;
            self.printer.push(")");
        }
        self.printer.op_attributes(if is_vhlo { name } else { "" }, &head.attributes)?;
        self.printer.push(" : (");
        self.printer.items(head.operands.iter(), |printer, operand| printer.ty(operand.ty))?;
        self.printer.push(") -> (");
        self.printer.items(head.results.iter(), |printer, &ty| printer.ty(ty))?;
        self.printer.push(")");
        self.printer.trailing_location(head.location)?;
        self.printer.push("\n");
        Ok(())
    }

    /// A cast between a type of VHLO and the same type of MLIR, next to an op of another dialect. Both have one text, so the
    /// results are the operands.
    fn cast(&mut self, head: &Head<'a>) -> Result<(), Fault> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        for (operand, &ty) in head.operands.iter().zip(&head.results) {
            scope.define(Value { name: operand.name, ty }, head.at)?;
        }
        Ok(())
    }

    fn define_results(&mut self, head: &Head<'a>) -> Result<Vec<Value>, Fault> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(Vec::new()) };
        let number = self.numbers.0;
        self.numbers.0 += u32::from(!head.results.is_empty());
        let is_single = head.results.len() == 1;
        let mut values = Vec::with_capacity(head.results.len());
        for (index, &ty) in head.results.iter().enumerate() {
            let value = Value { name: Name::Result(number, (!is_single).then_some(index as u32)), ty };
            scope.define(value, head.at)?;
            values.push(value);
        }
        Ok(values)
    }

    /// Reads the regions of an op; `region` reads each.
    pub(super) fn regions(
        &mut self,
        reader: &mut Reader<'a>,
        head: &Head<'a>,
        mut region: impl FnMut(&mut Self, &mut Reader<'a>, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if head.regions == 0 {
            return Ok(());
        }
        if !head.is_isolated {
            return (0..head.regions).try_for_each(|index| region(self, reader, index));
        }
        self.scopes.push(Scope::default());
        if self.file.version < LAZY_REGIONS {
            (0..head.regions).try_for_each(|index| region(self, reader, index))?;
        } else {
            let (number, mut section) = reader.section()?;
            if number != ISOLATED {
                return Err(Fault::new(
                    head.at,
                    format!("section {number} in place of the regions of an op"),
                ));
            }
            (0..head.regions).try_for_each(|index| region(self, &mut section, index))?;
            section.finish("the regions of an op")?;
        }
        self.scopes.pop();
        Ok(())
    }

    /// Begins a region and returns the number of its blocks.
    pub(super) fn open_region(&mut self, reader: &mut Reader<'a>) -> Result<usize, Fault> {
        let blocks = reader.count()?;
        if blocks > 0 {
            let count = reader.count()?;
            if let Some(scope) = self.scopes.last_mut() {
                let first = scope.regions.last().map_or(0, |outer| outer.first + outer.count);
                scope.regions.push(OpenRegion { first, count, values: Vec::new() });
            }
        }
        Ok(blocks)
    }

    pub(super) fn close_region(&mut self, blocks: usize) {
        if blocks > 0
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.regions.pop();
        }
    }

    /// The number of a block's ops, and its arguments with their locations.
    #[allow(clippy::type_complexity, reason = "one use")]
    pub(super) fn block_head(
        &mut self,
        reader: &mut Reader<'a>,
    ) -> Result<(u64, Vec<(Value, Option<usize>)>), Fault> {
        let (count, has_arguments) = reader.flagged()?;
        let mut arguments = Vec::new();
        if has_arguments {
            for _ in 0..reader.count()? {
                let at = reader.offset();
                let (ty, has_location) = if self.file.version >= ELIDED_LOCATIONS {
                    reader.flagged()?
                } else {
                    (reader.varint()?, true)
                };
                let ty = super::reader::below(ty, self.file.types.len(), "type")
                    .map_err(|why| Fault::new(at, why))?;
                let location = if has_location { Some(self.file.attribute_index(reader)?) } else { None };
                if let Some(scope) = self.scopes.last_mut() {
                    let value = Value { name: Name::Argument(self.numbers.1), ty };
                    self.numbers.1 += 1;
                    scope.define(value, at)?;
                    arguments.push((value, location));
                }
            }
            if self.file.version >= USE_LIST_ORDERS && reader.byte()? != 0 {
                skip_use_list_orders(reader, arguments.len())?;
            }
        }
        Ok((count, arguments))
    }

    /// A region of at most one block.
    fn block(
        &mut self,
        reader: &mut Reader<'a>,
        indent: usize,
        place: Place,
        is_labeled: bool,
    ) -> Result<(), Fault> {
        let blocks = self.open_region(reader)?;
        if blocks > 1 {
            return Err(reader.fault("a region of several blocks").unsupported());
        }
        if blocks > 0 {
            let (count, arguments) = self.block_head(reader)?;
            if is_labeled && !arguments.is_empty() {
                self.indent(indent - 1);
                self.printer.push("^bb0(");
                for (index, (value, location)) in arguments.into_iter().enumerate() {
                    self.printer.push(if index > 0 { ", " } else { "" });
                    self.value(value);
                    self.printer.push(": ");
                    self.printer.ty(value.ty)?;
                    if let Some(location) = location {
                        self.printer.trailing_location(location)?;
                    }
                }
                self.printer.push("):\n");
            }
            for _ in 0..count {
                self.op(reader, indent, place)?;
            }
        }
        self.close_region(blocks);
        Ok(())
    }

    pub(super) fn value(&mut self, value: Value) {
        let _ = match value.name {
            Name::Result(number, None) => write!(self.printer.out, "%{number}"),
            Name::Result(number, Some(index)) => write!(self.printer.out, "%{number}#{index}"),
            Name::Argument(number) => write!(self.printer.out, "%arg{number}"),
        };
    }

    pub(super) fn indent(&mut self, indent: usize) {
        (0..indent).for_each(|_| self.printer.push("  "));
    }
}

impl Scope {
    fn value(&self, index: usize) -> Option<Value> {
        let region = self.regions.iter().rev().find(|region| region.first <= index)?;
        region.values.get(index - region.first).copied()
    }

    fn define(&mut self, value: Value, at: usize) -> Result<(), Fault> {
        let region = self.regions.last_mut().filter(|region| region.values.len() < region.count);
        region.ok_or_else(|| Fault::new(at, "more values than its region has"))?.values.push(value);
        Ok(())
    }
}

/// Use-list orders, which have no meaning here.
fn skip_use_list_orders(reader: &mut Reader<'_>, values: usize) -> Result<(), Fault> {
    let count = if values > 1 { reader.varint()? } else { 1 };
    for _ in 0..count {
        if values > 1 {
            reader.varint()?;
        }
        let (uses, _) = reader.flagged()?;
        for _ in 0..reader.counted(uses)? {
            reader.varint()?;
        }
    }
    Ok(())
}

/// A name that is not UTF-8 is not known either.
fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}

fn full_name(OpName { dialect, name, .. }: OpName<'_>) -> String {
    let dialect = String::from_utf8_lossy(dialect);
    let name = String::from_utf8_lossy(name);
    if dialect.is_empty() { name.into_owned() } else { format!("{dialect}.{name}") }
}
