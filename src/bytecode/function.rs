//! Functions, in their custom form.

use super::Fault;
use super::attribute::{Attribute, Location};
use super::body::{Body, Head, Place};
use super::reader::Reader;
use super::ty::Type;

/// The arguments and results of a function: indices of their types and attributes, and names for the last arguments.
struct Signature<'a> {
    arguments: Vec<usize>,
    results: Vec<usize>,
    names: &'a [String],
    argument_attributes: Vec<usize>,
    result_attributes: Vec<usize>,
}

impl<'a> Body<'a> {
    /// A function with its body.
    pub(super) fn function(
        &mut self,
        reader: &mut Reader<'a>,
        head: &Head<'a>,
        indent: usize,
    ) -> Result<(), Fault> {
        let find = |name: &str| {
            let lacks = || Fault::new(head.at, format!("a function without `{name}`"));
            head.attributes.find(name).ok_or_else(lacks)
        };
        let name = self.file.name(find("sym_name")?)?;
        let visibility = self.file.name(find("sym_visibility")?)?;
        let ty = match self.file.attribute_of(find("function_type")?)? {
            Attribute::Type(ty) => self.file.type_of(ty)?,
            _ => Type::Unranked(0),
        };
        let Type::Function(arguments, results) = ty else {
            return Err(Fault::new(head.at, "a function whose type is not one of functions"));
        };
        let mut lists = [Vec::new(), Vec::new()];
        for (list, name) in lists.iter_mut().zip(["arg_attrs", "res_attrs"]) {
            if let Some(value) = head.attributes.find(name)
                && let Attribute::Array(items) = self.file.attribute_of(value)?
            {
                *list = items;
            }
        }
        self.indent(indent);
        self.printer.push(match visibility {
            b"private" => "func.func private ",
            b"nested" => "func.func nested ",
            _ => "func.func public ",
        });
        self.printer.symbol(name);
        if head.regions != 1 {
            return Err(Fault::new(head.at, "a function without a body"));
        }
        let names = if name == b"main" { self.argument_names } else { &[] };
        let [argument_attributes, result_attributes] = lists;
        let signature = Signature { arguments, results, names, argument_attributes, result_attributes };
        self.regions(reader, head, |body, reader, _| {
            body.function_body(reader, &signature, &head.attributes.other, indent)
        })?;
        self.printer.trailing_location(head.location)?;
        self.printer.push("\n");
        Ok(())
    }

    /// The signature and the block of a function.
    fn function_body(
        &mut self,
        reader: &mut Reader<'a>,
        Signature { arguments, results, names, argument_attributes, result_attributes }: &Signature<'a>,
        other: &[(&'a [u8], usize)],
        indent: usize,
    ) -> Result<(), Fault> {
        let at = reader.offset();
        self.numbers = (0, 0);
        let blocks = self.open_region(reader)?;
        let entry = if blocks > 0 { Some(self.block_head(reader)?) } else { None };
        self.printer.push("(");
        // More names than arguments: ignore them all.
        let names = if names.len() <= arguments.len() { *names } else { &[] };
        if entry.as_ref().is_some_and(|(_, values)| values.len() != arguments.len()) {
            return Err(Fault::new(at, "a function whose block has other arguments than its type"));
        }
        for (index, &ty) in arguments.iter().enumerate() {
            self.printer.push(if index > 0 { ", " } else { "" });
            let argument = entry.as_ref().map(|(_, values)| values[index]);
            if let Some((value, _)) = argument {
                self.value(value);
                self.printer.push(": ");
            }
            self.printer.ty(ty)?;
            self.argument_attributes(argument_attributes.get(index))?;
            let location = argument.and_then(|(_, location)| location);
            // `main` may take a platform index and tokens before the arguments of the program.
            let name = (index + names.len()).checked_sub(arguments.len()).and_then(|index| names.get(index));
            match (name, location) {
                (Some(name), _) => {
                    self.printer.push(" loc(");
                    self.printer.string(name.as_bytes());
                    self.printer.push(")");
                }
                (None, Some(location)) => {
                    let attribute = self.file.attribute_of(location)?;
                    self.has_names |= matches!(attribute, Attribute::Location(Location::Name { .. }));
                    self.printer.trailing_location(location)?;
                }
                (None, None) => {}
            }
        }
        self.printer.push(")");
        if !results.is_empty() {
            self.printer.push(" -> (");
            for (index, &ty) in results.iter().enumerate() {
                self.printer.push(if index > 0 { ", " } else { "" });
                self.printer.ty(ty)?;
                self.argument_attributes(result_attributes.get(index))?;
            }
            self.printer.push(")");
        }
        if !other.is_empty() {
            self.printer.push(" attributes {");
            self.printer.items(other, |printer, &(name, value)| printer.entry(name, value))?;
            self.printer.push("}");
        }
        if let Some((count, _)) = entry {
            self.printer.push(" {\n");
            for _ in 0..count {
                self.op(reader, indent + 1, Place::Function)?;
            }
            self.indent(indent);
            self.printer.push("}");
        }
        if blocks > 1 {
            return Err(reader.fault("a function of several blocks").unsupported());
        }
        self.close_region(blocks);
        Ok(())
    }

    fn argument_attributes(&mut self, index: Option<&usize>) -> Result<(), Fault> {
        let Some(&index) = index else { return Ok(()) };
        match self.file.attribute_of(index)? {
            Attribute::Dictionary(entries) if entries.is_empty() => Ok(()),
            _ => {
                self.printer.push(" ");
                self.printer.attribute(index)
            }
        }
    }
}
