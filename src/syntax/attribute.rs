//! Attributes.

use super::Parser;
use super::statement::region_of;
use super::text::{Rule, Text};
use crate::diagnostic::catalog::{BadLiteral, DuplicateAttribute};
use crate::ir::{Attribute, Attributes, Element, Symbol, Type, TypeId};
use crate::source::Span;
use pest::iterators::Pair;
use rustc_hash::FxHashMap;

impl Parser<'_> {
    /// The entries of a dictionary, in braces or as properties in `<{...}>`.
    pub(super) fn dictionary(&mut self, text: Text<'_>) -> Option<Attributes> {
        // What the scan took for a region has statements where names and values are expected.
        if text.text.starts_with('{') && region_of(text).is_some() {
            self.expected("a dictionary such as `{a = 1}`", text.part(0..1));
            return None;
        }
        if let Some(Attribute::Dictionary(known)) = self.attributes.get(text.text)
            && text.is_complete()
        {
            return Some(known.clone());
        }
        let rule = if text.text.starts_with('<') { Rule::properties_entry } else { Rule::attribute_entry };
        let pair = self.run(rule, text)?.next()?;
        let attribute = self.attribute(text, pair)?;
        if text.is_complete() {
            self.attributes.insert(text.text.into(), attribute.clone());
        }
        match attribute {
            Attribute::Dictionary(entries) => Some(entries),
            _ => None,
        }
    }

    /// An attribute outside of an op.
    pub(super) fn lone_attribute(&mut self, text: Text<'_>) -> Option<Attribute> {
        let pair = self.run(Rule::attribute_entry, text)?.next()?;
        self.attribute(text, pair)
    }

    /// The attribute of a pair. The scan bounds how deep it nests.
    pub(super) fn attribute(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let whole = text.of(&pair);
        let attribute = match pair.as_rule() {
            Rule::text => {
                let string = pair.into_inner().next()?;
                match String::from_utf8(self.unescape_bytes(text.of(&string))?) {
                    Ok(text) => Attribute::String(text.into()),
                    Err(error) => Attribute::Bytes(error.into_bytes().into()),
                }
            }
            Rule::number => self.number(text, pair)?,
            Rule::array => {
                let items: Option<Vec<_>> =
                    pair.into_inner().map(|item| self.attribute(text, item)).collect();
                Attribute::Array(items?.into())
            }
            Rule::dictionary => Attribute::Dictionary(self.entries(text, pair)?),
            Rule::dense => self.dense(text, pair)?,
            Rule::elements => self.elements(text, pair)?,
            Rule::resource => self.resource(text, pair)?,
            Rule::symbol_ref => self.symbol_reference(whole)?,
            Rule::enumeration => {
                let mut words = pair.into_inner().map(|word| word.as_str());
                let (dialect, kind, value) = (words.next()?, words.next()?, words.next()?);
                let symbols = &mut self.module.symbols;
                Attribute::Enum {
                    dialect: symbols.intern(&dialect[1..]),
                    kind: symbols.intern(kind),
                    value: symbols.intern(value),
                }
            }
            Rule::structure => self.structure(text, pair)?,
            Rule::alias => self.attribute_alias(whole)?,
            Rule::boolean => Attribute::Bool(whole.text == "true"),
            Rule::unit => Attribute::Unit,
            Rule::type_attribute => Attribute::Type(self.ty(whole)?),
            _ => self.opaque(whole)?,
        };
        Some(attribute)
    }

    fn entries(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attributes> {
        let mut entries = Attributes::new();
        let mut names = FxHashMap::default();
        for entry in pair.into_inner() {
            let mut inner = entry.into_inner();
            let key = text.of(&inner.next()?);
            let name = self.name(key)?;
            self.once(&mut names, name, key)?;
            let value = match inner.next() {
                Some(value) => self.attribute(text, value)?,
                None => Attribute::Unit,
            };
            entries.push((name, value));
        }
        Some(entries)
    }

    /// Reports a name that was seen before.
    pub(super) fn once<'t>(
        &mut self,
        seen: &mut FxHashMap<Symbol, Text<'t>>,
        name: Symbol,
        at: Text<'t>,
    ) -> Option<()> {
        let Some(first) = seen.insert(name, at) else { return Some(()) };
        let name = self.module.symbols.get(name).to_owned();
        self.diagnostics.push(DuplicateAttribute { name: &name, at: at.span(), first: first.span() });
        None
    }

    /// An attribute's name, bare or in quotes.
    pub(super) fn name(&mut self, text: Text<'_>) -> Option<Symbol> {
        if text.text.starts_with('"') {
            let name = self.unescape(text)?;
            return Some(self.module.symbols.intern(&name));
        }
        Some(self.module.symbols.intern(text.text))
    }

    /// `@a::@b`.
    pub(super) fn symbol_reference(&mut self, text: Text<'_>) -> Option<Attribute> {
        let mut path = Vec::new();
        let mut start = 0;
        // A quoted part can contain `::@` too, so the parts are walked and not split.
        while start < text.text.len() {
            let rest = &text.text[start..];
            let end = match rest.strip_prefix("@\"") {
                Some(quoted) => 3 + string_length(quoted),
                None => rest.find("::").unwrap_or(rest.len()),
            };
            path.push(self.symbol_name(text.part(start..start + end))?);
            start += end + 2;
        }
        Some(Attribute::SymbolRef(path.into()))
    }

    /// The name of `@name`.
    pub(super) fn symbol_name(&mut self, text: Text<'_>) -> Option<Symbol> {
        self.name(text.part(1..text.text.len()))
    }

    pub(super) fn attribute_alias(&mut self, text: Text<'_>) -> Option<Attribute> {
        let Some(&definition) = self.aliases.get(text.text) else {
            self.undefined_alias(text);
            return None;
        };
        if let Some(known) = self.alias_values.get(&definition) {
            return Some(known.clone());
        }
        let (value, room) = self.nested(text.span(), |parser| {
            let frame = parser.frame(definition)?;
            let body = parser.alias_body(&frame, Rule::attribute_alias)?;
            if body.text.starts_with("loc(") {
                return Some((Attribute::Opaque(body.text.into()), 0));
            }
            Some((parser.lone_attribute(body)?, SMALL_ALIAS + body.text.len()))
        })?;
        // Aliases that use others twice grow exponentially with their depth. Too large a value stays its name.
        let value = if fits(&value, &mut { room }) { value } else { Attribute::Opaque(text.text.into()) };
        self.alias_values.insert(definition, value.clone());
        Some(value)
    }

    fn number(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let mut inner = pair.into_inner();
        let numeral = text.of(&inner.next()?);
        let decimal = !numeral.text.starts_with("0x") && numeral.text.contains(['.', 'e', 'E']);
        let (ty, element) = match inner.next() {
            Some(ty) => {
                let ty_text = text.of(&ty);
                let ty = self.ty(ty_text)?;
                let Type::Scalar(element) = *self.module.types.get(ty) else {
                    self.expected("a number type such as `i64`", ty_text);
                    return None;
                };
                (ty, element)
            }
            None => {
                let element = if decimal { Element::F64 } else { Element::I64 };
                (self.scalar_type(element), element)
            }
        };
        if element.is_float() {
            return Some(Attribute::Float(self.float_value(numeral, element)?, ty));
        }
        if decimal {
            self.diagnostics.push(BadLiteral {
                why: "a fraction for an integer type",
                at: numeral.span(),
                ty_at: Span::NONE,
            });
            return None;
        }
        Some(Attribute::Integer(self.integer(numeral, element)?, ty))
    }

    /// `array<i64: 1, 2>`.
    fn elements(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let mut inner = pair.into_inner();
        let ty_text = text.of(&inner.next()?);
        let ty = self.ty(ty_text)?;
        let Type::Scalar(element) = *self.module.types.get(ty) else {
            self.expected("a number type such as `i64`", ty_text);
            return None;
        };
        if element.is_float() {
            let values: Option<Vec<f64>> =
                inner.map(|item| self.float_value(text.of(&item), element)).collect();
            return Some(Attribute::Floats(element, values?.into()));
        }
        let values: Option<Vec<i64>> = inner.map(|item| self.integer(text.of(&item), element)).collect();
        Some(Attribute::Integers(element, values?.into()))
    }

    /// The handle of a scalar type.
    pub(super) fn scalar_type(&mut self, element: Element) -> TypeId {
        self.module.types.intern(Type::Scalar(element))
    }

    /// The contents of a string with its quotes, which is a name.
    pub(super) fn unescape(&mut self, text: Text<'_>) -> Option<String> {
        let bytes = self.unescape_bytes(text)?;
        Some(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        )
    }

    fn unescape_bytes(&mut self, text: Text<'_>) -> Option<Vec<u8>> {
        let inner = &text.text[1..text.text.len() - 1];
        if !inner.contains('\\') {
            return Some(inner.as_bytes().to_vec());
        }
        let mut bytes = Vec::with_capacity(inner.len());
        let mut rest = inner.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            let first = rest.next();
            let unescaped = match first {
                Some(b'n') => Some(b'\n'),
                Some(b't') => Some(b'\t'),
                Some(quoted @ (b'"' | b'\\')) => Some(quoted),
                Some(high) => hex_pair(high, rest.next()),
                None => None,
            };
            let Some(unescaped) = unescaped else {
                let why = "an invalid escape";
                self.diagnostics.push(BadLiteral { why, at: text.span(), ty_at: Span::NONE });
                return None;
            };
            bytes.push(unescaped);
        }
        Some(bytes)
    }
}

/// How much more than its own text an alias may expand to.
const SMALL_ALIAS: usize = 1024;

/// Counts the parts of an attribute against a limit. The scan limits its nesting.
fn fits(attribute: &Attribute, room: &mut usize) -> bool {
    let Some(left) = room.checked_sub(1) else { return matches!(attribute, Attribute::Opaque(_)) };
    *room = left;
    match attribute {
        Attribute::Array(items) => items.iter().all(|item| fits(item, room)),
        Attribute::Dictionary(entries) | Attribute::Struct(_, entries) => {
            entries.iter().all(|(_, value)| fits(value, room))
        }
        _ => true,
    }
}

fn hex_pair(high: u8, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(high)? * 16 + digit(low?)?) as u8)
}

/// The length of a string up to its closing quote, after the opening quote.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    text.bytes()
        .position(|byte| {
            let end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            end
        })
        .unwrap_or(text.len())
}

/// The attribute, as a list of integers when it is an array of plain integers.
pub(super) fn integers_of(attribute: Attribute) -> Attribute {
    let Attribute::Array(items) = &attribute else { return attribute };
    let values: Option<Vec<i64>> = items
        .iter()
        .map(|item| match item {
            Attribute::Integer(value, _) => Some(*value),
            _ => None,
        })
        .collect();
    match values {
        Some(values) => Attribute::Integers(Element::I64, values.into()),
        None => attribute,
    }
}
