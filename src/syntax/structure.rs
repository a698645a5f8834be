//! Attributes with fields, such as `#stablehlo.gather<offset_dims = [0]>`.

use super::Parser;
use super::attribute::integers_of;
use super::text::{Rule, Text};
use crate::bytecode::struct_fields;
use crate::ir::{Attribute, Attributes, Symbol};
use pest::iterators::Pair;
use rustc_hash::FxHashMap;

/// The fields that an attribute `#dialect.name` has, where they are known.
fn fields_of(name: &str) -> Option<&'static [&'static str]> {
    let (dialect, name) = name.strip_prefix('#')?.split_once('.')?;
    if !["stablehlo", "chlo", "mhlo"].contains(&dialect) {
        return None;
    }
    struct_fields(name)
}

impl Parser<'_> {
    /// `#stablehlo.dot<lhs_contracting_dimensions = [1]>`; those of dialects that are not known stay text.
    pub(super) fn structure(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let whole = text.of(&pair);
        if !["#stablehlo.", "#chlo.", "#mhlo."].iter().any(|dialect| whole.text.starts_with(dialect)) {
            return Some(Attribute::Opaque(whole.text.into()));
        }
        let mut inner = pair.into_inner();
        let head = inner.next()?;
        let known = fields_of(head.as_str());
        let name = self.module.symbols.intern(&head.as_str()[1..]);
        Some(Attribute::Struct(name, self.fields_in(text, inner, known)?))
    }

    /// The fields of `{a = 1, b = [2]}` or `<a = 1>`.
    pub(super) fn fields(&mut self, rule: Rule, text: Text<'_>) -> Option<Attributes> {
        let pairs = self.run(rule, text)?.filter(|pair| pair.as_rule() == Rule::field);
        self.fields_in(text, pairs, None)
    }

    fn fields_in<'p>(
        &mut self,
        text: Text<'_>,
        pairs: impl Iterator<Item = Pair<'p, Rule>>,
        known: Option<&[&str]>,
    ) -> Option<Attributes> {
        let mut fields = Attributes::new();
        let mut names = FxHashMap::default();
        for pair in pairs {
            let (key, field) = self.field(text, pair)?;
            self.once(&mut names, field.0, key)?;
            if let Some(known) = known.filter(|known| !known.contains(&key.text)) {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                self.expected(&known.join(" or "), key);
                return None;
            }
            fields.push(field);
        }
        Some(fields)
    }

    /// A field with the place of its name; a list of numbers in it contains integers.
    fn field<'t>(&mut self, text: Text<'t>, pair: Pair<'_, Rule>) -> Option<(Text<'t>, (Symbol, Attribute))> {
        let mut inner = pair.into_inner();
        let key = text.of(&inner.next()?);
        let name = self.name(key)?;
        let value = self.attribute(text, inner.next()?)?;
        Some((key, (name, integers_of(value))))
    }

    /// An attribute in the syntax of its dialect; that of a convolution's dimensions is known.
    pub(super) fn opaque(&mut self, text: Text<'_>) -> Option<Attribute> {
        if let Some(rest) =
            text.text.strip_prefix("#stablehlo.conv<").or(text.text.strip_prefix("#mhlo.conv<"))
        {
            let start = text.text.len() - rest.len();
            return self.convolution_dimensions(text.part(start..text.text.len() - 1));
        }
        let name = text.text.find('<').map_or(text.text, |at| &text.text[..at]);
        if fields_of(name).is_some() {
            // It is malformed: running the rule finds out where.
            let body = text.part(name.len()..text.text.len());
            if self.run(Rule::fields_entry, body).is_some() {
                self.expected("fields such as `name = [0]`", body);
            }
            return None;
        }
        Some(Attribute::Opaque(text.text.into()))
    }
}
