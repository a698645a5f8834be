//! Functions, aliases and resources.

use super::Parser;
use super::statement::region_of;
use super::text::{Rule, Text};
use crate::diagnostic::catalog::{RedefinedSymbol, SyntaxError};
use crate::ir::{
    Argument, Attribute, Attributes, Function, FunctionResult, LocationId, Symbol, Type, TypeId,
};
use crate::source::{Span, skip_space};
use pest::iterators::Pair;

/// An argument of a function or block.
pub(super) struct Parameter<'s> {
    pub name: Option<(&'s str, Span)>,
    pub ty: TypeId,
    attributes: Attributes,
    location: Option<LocationId>,
    span: Span,
}

impl<'s> Parser<'s> {
    /// Finds alias definitions and resources, which may be after their uses.
    pub(super) fn prepare(&mut self) {
        let mut index = 0;
        while index < self.source.scan().statements.len() as u32 {
            let statement = self.statement_at(index);
            let bytes = &self.source.bytes()[statement.span.range()];
            match bytes.first() {
                Some(b'#' | b'!') => self.alias(index, bytes, statement.span.start),
                Some(b'{') => self.read_resources(index),
                _ => {}
            }
            index = statement.next;
        }
    }

    fn alias(&mut self, index: u32, bytes: &'s [u8], start: usize) {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/');
        let length = bytes.iter().position(is_end).unwrap_or(0);
        let name = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
        if name.len() < 2 || bytes.get(skip_space(bytes, length)) != Some(&b'=') {
            let at = Span::new(start, start + length.max(1));
            self.diagnostics.push(SyntaxError { expected: "an op", found: "an attribute", at });
            return;
        }
        if name.contains('.') {
            let at = Span::new(start, start + length);
            self.diagnostics.push(SyntaxError {
                expected: "the name of an alias, which has no `.`",
                found: name,
                at,
            });
            return;
        }
        if let Some(first) = self.aliases.insert(name, index) {
            let at = Span::new(start, start + length);
            let first = self.statement_at(first).span;
            let first = Span::new(first.start, first.start + length);
            self.diagnostics.push(RedefinedSymbol { name, at, first });
        }
    }

    fn read_resources(&mut self, index: u32) {
        let Some(frame) = self.frame(index) else { return };
        let text = frame.whole();
        let Some(pairs) = self.run(Rule::resources, text) else { return };
        for blob in pairs.filter(|pair| pair.as_rule() == Rule::section).flat_map(Pair::into_inner) {
            if blob.as_rule() != Rule::blob {
                continue;
            }
            let mut inner = blob.into_inner();
            let (Some(key), Some(string)) = (inner.next(), inner.next()) else { continue };
            let digits = text.of(&string).span();
            if string.as_str().starts_with("\"0x") {
                self.resources.insert(key.as_str().into(), digits.start + 3..digits.end - 1);
            }
        }
    }

    pub(super) fn generic_function(
        &mut self,
        mut attributes: Attributes,
        region: Option<u32>,
        span: Span,
        location: LocationId,
    ) {
        let name = self.take_string(&mut attributes, "sym_name").map(|name| self.symbol_in_module(name));
        let visibility = self.take_string(&mut attributes, "sym_visibility");
        let ty = self.take_attribute(&mut attributes, "function_type");
        let (arguments, results) = match ty {
            Some(Attribute::Type(ty)) => match self.module.types.get(ty).clone() {
                Type::Function(arguments, results) => (arguments, results),
                _ => return self.lacks("a function type", span),
            },
            _ => return self.lacks("`function_type`", span),
        };
        let Some(name) = name else { return self.lacks("`sym_name`", span) };
        let dictionaries = |attribute: Option<Attribute>| match attribute {
            Some(Attribute::Array(items)) => items.into_vec(),
            _ => Vec::new(),
        };
        let mut of_arguments = dictionaries(self.take_attribute(&mut attributes, "arg_attrs")).into_iter();
        let mut of_results = dictionaries(self.take_attribute(&mut attributes, "res_attrs")).into_iter();
        let entries = |attribute: Option<Attribute>| match attribute {
            Some(Attribute::Dictionary(entries)) => entries,
            _ => Attributes::new(),
        };
        let public = visibility.is_none_or(|word| self.module.symbols.get(word) != "private");
        let body = self.module.add_region();
        let mut places = self.label_arguments(region).into_iter();
        let function = Function {
            name,
            public,
            body,
            arguments: arguments
                .iter()
                .map(|_| {
                    let (span, location) = places.next().unwrap_or((span, None));
                    Argument { attributes: entries(of_arguments.next()), location, span }
                })
                .collect(),
            argument_types: arguments.clone(),
            results: results
                .iter()
                .map(|&ty| FunctionResult { ty, attributes: entries(of_results.next()) })
                .collect(),
            attributes,
            span,
            location,
        };
        self.module.add_function(function);
        self.scope = super::Scope::default();
        self.blocks(body, region, None);
        self.finish_scope();
        let entry = self.module.entry_block(body).map(|block| self.module.block(block));
        if entry.is_some_and(|block| self.module.value_types(&block.arguments) != arguments) {
            self.lacks("the block arguments of `function_type`", span);
        }
    }

    /// The places and locations of the arguments of a region's first block.
    fn label_arguments(&mut self, region: Option<u32>) -> Vec<(Span, Option<LocationId>)> {
        let scan = self.source.scan();
        let first = region.map(|region| scan.regions[region as usize].first);
        let Some(first) = first.filter(|&first| {
            let statement = scan.statements.get(first as usize);
            statement.is_some_and(|statement| self.source.bytes()[statement.span.start] == b'^')
        }) else {
            return Vec::new();
        };
        let known = self.diagnostics.len();
        let Some(frame) = self.frame(first) else { return Vec::new() };
        let text = frame.whole();
        let mut places = Vec::new();
        for pair in self.run(Rule::label, text).into_iter().flatten() {
            if pair.as_rule() == Rule::parameter {
                let parameter = self.parameter(text, pair);
                places.extend(parameter.map(|parameter| (parameter.span, parameter.location)));
            }
        }
        // The label is read once more as a part of the body, and then its faults are reported.
        self.diagnostics.truncate(known);
        places
    }

    fn take_attribute(&mut self, attributes: &mut Attributes, name: &str) -> Option<Attribute> {
        let symbols = &self.module.symbols;
        let index = attributes.iter().position(|(key, _)| symbols.get(*key) == name)?;
        Some(attributes.remove(index).1)
    }

    pub(super) fn take_string(&mut self, attributes: &mut Attributes, name: &str) -> Option<Symbol> {
        match self.take_attribute(attributes, name)? {
            Attribute::String(text) => Some(self.module.symbols.intern(&text)),
            _ => None,
        }
    }

    pub(super) fn function_item(&mut self, index: u32) {
        if self.function(index).is_none() {
            self.lost_function(index);
        }
    }

    /// Reads the body of a function whose signature could not be parsed.
    pub(super) fn lost_function(&mut self, index: u32) {
        let statement = self.statement_at(index);
        let scan = self.source.scan();
        let head = statement.span.start..match statement.first_region < statement.regions_end {
            true => scan.regions[statement.first_region as usize].span.start,
            false => statement.span.end,
        };
        let head = self.source_text(Span::from(head));
        if let Some(at) = head.find('@') {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | '-');
            let name = head[at + 1..].split(|c| !is_name(c)).next().unwrap_or_default();
            let name = self.module.symbols.intern(name);
            let name = self.symbol_in_module(name);
            self.module.lost.push(name);
        }
        self.scope = super::Scope::default();
        let op = self.unread(index);
        self.module.top_level.push(op);
        self.finish_scope();
    }

    fn function(&mut self, index: u32) -> Option<()> {
        let frame = self.frame(index)?;
        let text = frame.whole();
        let pairs = self.run(Rule::function, text)?;
        let mut public = true;
        let (mut name, mut body) = (None, None);
        let mut parameters: Vec<Parameter<'s>> = Vec::new();
        let (mut results, mut attributes) = (Vec::new(), Attributes::new());
        let mut location = LocationId::UNKNOWN;
        for pair in pairs {
            let part = text.of(&pair);
            match pair.as_rule() {
                Rule::visibility => public = part.text == "public",
                Rule::symbol => {
                    let symbol = self.symbol_name(part)?;
                    name = Some((self.symbol_in_module(symbol), part.span()));
                }
                Rule::parameter => {
                    let parameter = self.parameter(text, pair)?;
                    parameters.push(parameter);
                }
                Rule::outcome | Rule::single_outcome => {
                    let parameter = self.parameter(text, pair)?;
                    results.push(FunctionResult { ty: parameter.ty, attributes: parameter.attributes });
                }
                Rule::attributes => attributes = self.dictionary(part)?,
                Rule::body => body = Some(part),
                Rule::location => location = self.location(part),
                _ => {}
            }
        }
        let (name, span) = name?;
        let region = self.module.add_region();
        let argument_types = parameters.iter().map(|parameter| parameter.ty).collect();
        let mut arguments = Vec::new();
        let mut named = Vec::new();
        for parameter in parameters {
            named.extend(parameter.name.map(|(name, at)| (name, at, parameter.ty)));
            let Parameter { attributes, location, span, .. } = parameter;
            arguments.push(Argument { attributes, location, span });
        }
        let unnamed = arguments.len() != named.len();
        self.module.add_function(Function {
            name,
            public,
            body: region,
            arguments,
            argument_types,
            results,
            attributes,
            span,
            location,
        });
        let Some(body) = body else { return Some(()) };
        if unnamed {
            self.lacks("a name for each argument", span);
            return None;
        }
        self.scope = super::Scope::default();
        // A body has a block even without arguments.
        let entry = self.module.add_block(region);
        self.block_arguments(entry, &named);
        self.blocks(region, region_of(body), Some(entry));
        self.finish_scope();
        Some(())
    }

    /// An argument or a result with its type and attributes.
    pub(super) fn parameter(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Parameter<'s>> {
        let whole = text.of(&pair).span();
        let (mut name, mut ty) = (None, None);
        let (mut attributes, mut location) = (Attributes::new(), None);
        for inner in pair.into_inner() {
            let part = text.of(&inner);
            match inner.as_rule() {
                Rule::value => name = Some((self.source_text(part.span()), part.span())),
                Rule::ty => ty = Some(self.ty(part)?),
                Rule::braces => attributes = self.dictionary(part)?,
                Rule::location => location = Some(self.location(part)),
                _ => {}
            }
        }
        let span = name.map_or(whole, |(_, span)| span);
        Some(Parameter { name, ty: ty?, attributes, location, span })
    }
}
