//! Locations, interned by their text.

use super::Parser;
use super::text::{Rule, Text};
use crate::diagnostic::catalog::NumberOutOfRange;
use crate::ir::{Location, LocationId};
use pest::iterators::Pair;

impl<'s> Parser<'s> {
    /// The location in `loc(...)`; a faulty one is reported and unknown.
    pub(super) fn location(&mut self, text: Text<'_>) -> LocationId {
        if let Some(&known) = self.locations.get(text.text) {
            return known;
        }
        // Most are `loc(#loc3)`, so the text suffices.
        let name = text.text.strip_prefix("loc(").and_then(|rest| rest.strip_suffix(')'));
        if let Some(name) = name.filter(|name| is_alias(name)) {
            return self.location_alias(text.part(4..4 + name.len())).unwrap_or(LocationId::UNKNOWN);
        }
        let Some(location) = self.place_of(text) else { return LocationId::UNKNOWN };
        let id = match location {
            LocationSlot::Known(id) => id,
            LocationSlot::New(location) => self.module.add_location(location),
        };
        self.locations.insert(text.text.into(), id);
        id
    }

    fn place_of(&mut self, text: Text<'_>) -> Option<LocationSlot> {
        let pair = self.run(Rule::location_entry, text)?.next()?;
        self.place(text, pair)
    }

    fn place_id(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<LocationId> {
        match self.place(text, pair)? {
            LocationSlot::Known(id) => Some(id),
            LocationSlot::New(location) => Some(self.module.add_location(location)),
        }
    }

    fn place(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<LocationSlot> {
        let whole = text.of(&pair);
        let location = match pair.as_rule() {
            Rule::unknown => Location::Unknown,
            Rule::file_place => self.file_place(text, pair)?,
            Rule::named_place => {
                let mut inner = pair.into_inner();
                let name = inner.next()?;
                let name = self.unescape(text.of(&name))?;
                let name = self.module.symbols.intern(&name);
                let child = match inner.next() {
                    Some(child) => self.place_id(text, child)?,
                    None => LocationId::UNKNOWN,
                };
                Location::Name(name, child)
            }
            Rule::callsite => {
                let mut inner = pair.into_inner();
                let (callee, caller) = (inner.next()?, inner.next()?);
                Location::CallSite {
                    callee: self.place_id(text, callee)?,
                    caller: self.place_id(text, caller)?,
                }
            }
            Rule::fused => {
                let (mut metadata, mut parts) = (None, Vec::new());
                for inner in pair.into_inner() {
                    if inner.as_rule() == Rule::angled {
                        let angled = text.of(&inner).text;
                        metadata = Some(self.module.symbols.intern(&angled[1..angled.len() - 1]));
                    } else {
                        parts.push(self.place_id(text, inner)?);
                    }
                }
                Location::Fused(metadata, parts)
            }
            Rule::place_alias => return self.location_alias(whole).map(LocationSlot::Known),
            _ => Location::Opaque(self.module.symbols.intern(whole.text)),
        };
        Some(LocationSlot::New(location))
    }

    fn file_place(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Location> {
        let mut inner = pair.into_inner();
        let file = inner.next()?;
        let file = self.unescape(text.of(&file))?;
        let file = self.module.symbols.intern(&file);
        let line = self.position(text.of(&inner.next()?))?;
        // A column that is left out is 0.
        let column = inner.next().map_or(Some(0), |column| self.position(text.of(&column)))?;
        let start = (line, column);
        let mut end = start;
        for pair in inner {
            if pair.as_rule() == Rule::position {
                end.0 = self.position(text.of(&pair))?;
            } else if let Some(column) = pair.into_inner().next() {
                end.1 = self.position(text.of(&column))?;
            }
        }
        Some(Location::File { file, start, end })
    }

    fn position(&mut self, text: Text<'_>) -> Option<u32> {
        let number = match text.text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.text.parse().ok(),
        };
        if number.is_none() {
            self.diagnostics.push(NumberOutOfRange {
                number: text.text,
                ty: "a 32-bit position",
                at: text.span(),
            });
        }
        number
    }

    /// The location of `#loc3`. Its definition is read later: aliases refer to each other in chains that no
    /// limit bounds.
    fn location_alias(&mut self, text: Text<'_>) -> Option<LocationId> {
        if let Some(&known) = self.location_aliases.get(text.text) {
            return Some(known);
        }
        let Some((&name, &definition)) = self.aliases.get_key_value(text.text) else {
            self.undefined_alias(text);
            return None;
        };
        let id = self.module.add_location(Location::Fused(None, Vec::new()));
        self.location_aliases.insert(name, id);
        self.pending_locations.push((id, definition));
        Some(id)
    }

    /// Reads the definitions of all location aliases that were used.
    pub(super) fn resolve_locations(&mut self) {
        while let Some((id, definition)) = self.pending_locations.pop() {
            let location = self.location_definition(definition).unwrap_or(Location::Unknown);
            self.module.set_location(id, location);
        }
    }

    fn location_definition(&mut self, definition: u32) -> Option<Location> {
        let frame = self.frame(definition)?;
        let body = self.alias_body(&frame, Rule::location_alias)?;
        match self.place_of(body)? {
            LocationSlot::New(location) => Some(location),
            LocationSlot::Known(id) => Some(Location::Fused(None, vec![id])),
        }
    }
}

/// Whether a text is `#loc3`, and nothing else.
fn is_alias(text: &str) -> bool {
    let Some(name) = text.strip_prefix('#') else { return false };
    let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    !name.is_empty() && word && (number || !name.as_bytes()[0].is_ascii_digit())
}

enum LocationSlot {
    /// An alias whose definition may not be parsed yet.
    Known(LocationId),
    New(Location),
}
