//! The clauses of custom forms: the flat tokens of a statement, and attributes from their text.

use super::Parser;
use super::attribute::integers_of;
use super::text::{Rule, Text};
use crate::diagnostic::catalog::NumberOutOfRange;
use crate::ir::{Attribute, Attributes, Constant, Data, Element};

/// One token of a statement.
#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    pub rule: Rule,
    pub text: Text<'t>,
}

/// How the text of a clause is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ClauseKind {
    /// `dim = 0` as `0 : i64`.
    Integer,
    /// `lower = true`.
    Boolean,
    /// `dims = [0, 1]` as `array<i64: 0, 1>`.
    Integers,
    /// `type = FFT` as an enumeration of this kind.
    Word(&'static str),
    /// `precision = [DEFAULT, HIGH]` as an array of enumerations of this kind.
    Words(&'static str),
    /// `allowed_direction=FORWARD` as `1 : i32`, the place of the word in this list.
    EnumNumber(&'static [&'static str]),
    /// Any attribute in its usual form.
    Plain,
    /// `out_sharding=<@mesh, [{}]>` as an opaque attribute with this prefix.
    Opaque(&'static str),
}

impl<'s> Parser<'s> {
    /// The attribute that a clause's text represents.
    pub(super) fn clause(&mut self, kind: ClauseKind, text: Text<'_>) -> Option<Attribute> {
        if let Some(known) = self.clauses.get(&kind).and_then(|known| known.get(text.text)) {
            return Some(known.clone());
        }
        let attribute = match kind {
            ClauseKind::Integer => self.integer_clause(text)?,
            ClauseKind::Boolean => match text.text {
                "true" => Attribute::Bool(true),
                "false" => Attribute::Bool(false),
                _ => {
                    self.expected("`true` or `false`", text);
                    return None;
                }
            },
            ClauseKind::Integers => self.integers_clause(text)?,
            ClauseKind::Word(kind) => self.word_clause(kind, text)?,
            ClauseKind::Words(kind) => {
                let items = self.list_items(text)?;
                let items: Option<Vec<_>> =
                    items.into_iter().map(|item| self.word_clause(kind, item)).collect();
                Attribute::Array(items?.into())
            }
            ClauseKind::EnumNumber(words) => {
                let Some(place) = words.iter().position(|word| *word == text.text) else {
                    self.expected(&format!("one of the words {}", words.join(", ")), text);
                    return None;
                };
                Attribute::Integer(place as i64, self.scalar_type(Element::I32))
            }
            ClauseKind::Plain => self.lone_attribute(text)?,
            ClauseKind::Opaque(beginning) => Attribute::Opaque(format!("{beginning}{}", text.text).into()),
        };
        if text.is_complete() && !matches!(attribute, Attribute::Dense(_)) {
            self.clauses.entry(kind).or_default().insert(text.text.into(), attribute.clone());
        }
        Some(attribute)
    }

    fn integer_clause(&mut self, text: Text<'_>) -> Option<Attribute> {
        let number = text.text.split(':').next().unwrap_or_default().trim();
        if !number.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) || number.is_empty() {
            self.expected("a number", text);
            return None;
        }
        let Ok(value) = number.parse() else {
            self.diagnostics.push(NumberOutOfRange { number, ty: "`i64`", at: text.span() });
            return None;
        };
        let ty = self.scalar_type(Element::I64);
        Some(Attribute::Integer(value, ty))
    }

    fn integers_clause(&mut self, text: Text<'_>) -> Option<Attribute> {
        let items = self.list_items(text)?;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match self.integer_clause(item)? {
                Attribute::Integer(value, _) => values.push(value),
                _ => return None,
            }
        }
        Some(Attribute::Integers(Element::I64, values.into()))
    }

    fn word_clause(&mut self, kind: &str, text: Text<'_>) -> Option<Attribute> {
        if text.text.starts_with("#") {
            return self.lone_attribute(text);
        }
        if !text.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.expected("a keyword", text);
            return None;
        }
        let dialect = self.module.symbols.intern("stablehlo");
        let (kind, value) = (self.module.symbols.intern(kind), self.module.symbols.intern(text.text));
        Some(Attribute::Enum { dialect, kind, value })
    }

    /// The parts of a flat list in brackets.
    pub(super) fn list_items<'t>(&mut self, text: Text<'t>) -> Option<Vec<Text<'t>>> {
        let inner = text.text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let Some(inner) = inner else {
            self.expected("a list in `[` `]`", text);
            return None;
        };
        if inner.trim().is_empty() {
            return Some(Vec::new());
        }
        let mut items = Vec::new();
        let mut start = 1;
        for part in inner.split(',') {
            let lead = part.len() - part.trim_start().len();
            items.push(text.part(start + lead..start + lead + part.trim().len()));
            start += part.len() + 1;
        }
        Some(items)
    }

    /// Adds an attribute of the given name.
    pub(super) fn set(&mut self, attributes: &mut Attributes, name: &str, value: Attribute) {
        let name = self.module.symbols.intern(name);
        attributes.push((name, value));
    }

    /// `contracting_dims = [1] x [0]`: the lists of both sides.
    pub(super) fn both_sides(&mut self, text: Text<'_>) -> Option<(Attribute, Attribute)> {
        let Some(at) = text.text.find('x') else {
            self.unexpected(text, text.text.len(), "`x` and the list of the right-hand side");
            return None;
        };
        let left = text.part(0..text.text[..at].trim_end().len());
        let right = &text.text[at + 1..];
        let right = text.part(text.text.len() - right.trim_start().len()..text.text.len());
        Some((self.clause(ClauseKind::Integers, left)?, self.clause(ClauseKind::Integers, right)?))
    }

    /// The dimension numbers of a convolution from `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`, or from its fields.
    pub(super) fn convolution_dimensions(&mut self, text: Text<'_>) -> Option<Attribute> {
        let name = self.module.symbols.intern("stablehlo.conv");
        let mut fields = Attributes::new();
        let sides = [
            ("input", ["batch_dimension", "feature_dimension"], ["b", "f"]),
            ("kernel", ["input_feature_dimension", "output_feature_dimension"], ["i", "o"]),
            ("output", ["batch_dimension", "feature_dimension"], ["b", "f"]),
        ];
        let pairs = self.run(Rule::convolution_entry, text)?;
        for (pair, (side, names, letters)) in pairs.zip(sides) {
            let span = text.of(&pair);
            let mut special = [None, None];
            let mut spatial: Vec<(i64, i64)> = Vec::new();
            for (position, dimension) in pair.into_inner().enumerate() {
                let word = text.of(&dimension);
                let position = position as i64;
                match letters.iter().position(|letter| *letter == word.text) {
                    Some(which) if special[which].is_none() => special[which] = Some(position),
                    _ => match word.text.parse() {
                        Ok(index) => spatial.push((index, position)),
                        Err(_) => {
                            self.expected("a spatial dimension such as `0`", word);
                            return None;
                        }
                    },
                }
            }
            spatial.sort_unstable();
            let whole = spatial.iter().enumerate().all(|(wanted, (index, _))| *index == wanted as i64);
            let [Some(first), Some(second)] = special else {
                self.expected(&format!("a list with `{}` and `{}`", letters[0], letters[1]), span);
                return None;
            };
            if !whole {
                self.expected("the spatial dimensions `0`, `1` and so on, each once", span);
                return None;
            }
            let ty = self.scalar_type(Element::I64);
            for (field, value) in names.iter().zip([first, second]) {
                self.set(&mut fields, &format!("{side}_{field}"), Attribute::Integer(value, ty));
            }
            let positions: Vec<i64> = spatial.into_iter().map(|(_, position)| position).collect();
            let spatial = Attribute::Integers(Element::I64, positions.into());
            self.set(&mut fields, &format!("{side}_spatial_dimensions"), spatial);
        }
        Some(Attribute::Struct(name, fields))
    }

    /// `[0:3, 2:4:2]`: starts, limits and strides.
    pub(super) fn ranges(&mut self, text: Text<'_>) -> Option<[Vec<i64>; 3]> {
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for pair in self.run(Rule::ranges_entry, text)? {
            if pair.as_rule() != Rule::range {
                continue;
            }
            let mut values = [0, 0, 1];
            for (value, number) in values.iter_mut().zip(pair.into_inner()) {
                *value = self.integer(text.of(&number), Element::I64)?;
            }
            for (list, value) in lists.iter_mut().zip(values) {
                list.push(value);
            }
        }
        Some(lists)
    }

    /// A list of lists of integers as a `tensor<NxMxi64>`, as paddings are written.
    pub(super) fn integer_matrix(&mut self, list: Attribute, text: Text<'_>) -> Option<Attribute> {
        let rows = match list {
            Attribute::Array(rows) => rows.into_vec(),
            Attribute::Integers(_, values) if values.is_empty() => Vec::new(),
            _ => {
                self.expected("a list of lists for `pad`", text);
                return None;
            }
        };
        let mut values = Vec::new();
        let mut width = None;
        for row in rows.into_iter().map(integers_of) {
            match row {
                Attribute::Integers(_, row) if *width.get_or_insert(row.len()) == row.len() => {
                    values.extend(row)
                }
                _ => {
                    self.expected("lists of equal length for `pad`", text);
                    return None;
                }
            }
        }
        let width = width.unwrap_or(2);
        let sizes = [values.len().checked_div(width).unwrap_or(0) as i64, width as i64];
        let ty = self.module.tensor_of(Element::I64, &sizes);
        let data = match values.split_first() {
            Some((first, rest)) if rest.iter().all(|value| value == first) => {
                Data::Splat(first.to_le_bytes().into_iter().collect())
            }
            _ => Data::Bytes(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        };
        Some(Attribute::Dense(self.module.add_constant(Constant { ty, data })))
    }
}
