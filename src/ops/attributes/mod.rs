//! The attributes of an op, each read in one place: numbers and lists by [`OpAttributes`], and dimension numbers, which
//! consist of several lists, by one type each.

mod convolution;
mod dot;
mod indexing;
mod window;

pub use convolution::{ConvDimensionNumbers, ConvolutionAttributes};
pub use dot::{DotDimensionNumbers, RaggedDimensions};
pub use indexing::GatherDimensionNumbers;
pub use window::WindowDimension;

use super::Violation;
use crate::diagnostic::{Fix, nearest};
use crate::ir::{Attribute, Dim, Dims, Module, OpId};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

type Read<T> = Result<T, Violation>;

/// Reads the attributes of an op.
#[derive(Clone, Copy, Debug)]
pub struct OpAttributes<'m> {
    module: &'m Module,
    op: OpId,
}

#[allow(clippy::missing_errors_doc, reason = "all of them: the attribute is missing, or not what is read")]
impl<'m> OpAttributes<'m> {
    /// The attributes of an op.
    pub fn of(module: &'m Module, op: OpId) -> Self {
        Self { module, op }
    }

    /// The attribute, when the op has it.
    pub fn find(self, name: &str) -> Option<&'m Attribute> {
        self.module.attribute(self.op, name)
    }

    /// Whether the op has the attribute.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The attribute.
    pub fn get(self, name: &'static str) -> Read<&'m Attribute> {
        self.find(name).ok_or_else(|| Violation::missing(name))
    }

    /// A boolean; false if absent.
    pub fn flag(self, name: &str) -> bool {
        self.find(name).and_then(Attribute::as_bool).unwrap_or(false)
    }

    /// An integer.
    pub fn integer(self, name: &'static str) -> Read<i64> {
        self.get(name)?.as_integer().ok_or_else(|| Violation::attribute(name, "expected an integer"))
    }

    /// An integer that may be left out.
    pub fn integer_or(self, name: &'static str, default: i64) -> Read<i64> {
        if self.has(name) { self.integer(name) } else { Ok(default) }
    }

    /// A float.
    pub fn float(self, name: &'static str) -> Read<f64> {
        match self.get(name)? {
            Attribute::Float(value, _) => Ok(*value),
            _ => Err(Violation::attribute(name, "expected a float")),
        }
    }

    /// The word of an enumeration, such as `LT`.
    pub fn word(self, name: &'static str) -> Read<&'m str> {
        let word = self.module.word(self.get(name)?);
        word.ok_or_else(|| Violation::attribute(name, "expected a keyword"))
    }

    /// One of the given words.
    pub fn word_of(self, name: &'static str, words: &[&str]) -> Read<&'m str> {
        let found = self.module.word(self.get(name)?);
        found.filter(|word| words.contains(word)).ok_or_else(|| {
            let fix = found.and_then(|word| Fix::to(word, nearest(word, words.iter().copied())));
            Violation::attribute(name, format!("expected one of {}", words.join(", "))).fixed_by(fix)
        })
    }

    /// A list of integers.
    pub fn integers(self, name: &'static str) -> Read<Vec<i64>> {
        self.list(name).map(Cow::into_owned)
    }

    /// A list of integers that may be left out.
    pub fn optional_integers(self, name: &'static str) -> Read<Option<Vec<i64>>> {
        if self.has(name) { self.integers(name).map(Some) } else { Ok(None) }
    }

    /// A list of that many integers.
    pub fn integers_of(self, name: &'static str, length: usize) -> Read<Vec<i64>> {
        let values = self.integers(name)?;
        if values.len() == length {
            return Ok(values);
        }
        Err(Violation::attribute(name, format!("expected {length} numbers, found {}", values.len())))
    }

    /// A list of that many integers, each at least `least`; all are `default` when it is left out.
    pub fn integers_or(self, name: &'static str, length: usize, least: i64, default: i64) -> Read<Vec<i64>> {
        if !self.has(name) {
            return Ok(vec![default; length]);
        }
        let values = self.integers_of(name, length)?;
        match values.iter().position(|&value| value < least) {
            Some(index) => {
                let why = format!("{} is less than {least}", values[index]);
                Err(Violation::attribute(name, why).in_item(index))
            }
            None => Ok(values),
        }
    }

    /// A list of integers, some of which may be expressions.
    pub fn sizes(self, name: &'static str) -> Read<Dims> {
        match self.find(name) {
            Some(Attribute::Dims(sizes)) => Ok(sizes.clone()),
            _ => Ok(self.list(name)?.iter().copied().map(Dim::Known).collect()),
        }
    }

    /// A list of that many integers, some of which may be expressions.
    pub fn sizes_of(self, name: &'static str, length: usize) -> Read<Dims> {
        let sizes = self.sizes(name)?;
        if sizes.len() == length {
            return Ok(sizes);
        }
        Err(Violation::attribute(name, format!("expected {length} numbers, found {}", sizes.len())))
    }

    /// As [`OpAttributes::sizes_of`]; all are `default` when it is left out.
    pub fn sizes_or(self, name: &'static str, length: usize, default: i64) -> Read<Dims> {
        if self.has(name) {
            return self.sizes_of(name, length);
        }
        Ok(std::iter::repeat_n(Dim::Known(default), length).collect())
    }

    /// A list of sizes, dimensions or other positions.
    pub fn positions(self, name: &'static str) -> Read<Vec<usize>> {
        let values = self.list(name)?;
        let positions: Option<Vec<usize>> = values.iter().map(|&value| usize::try_from(value).ok()).collect();
        positions.ok_or_else(|| Violation::attribute(name, "expected no negative number"))
    }

    /// A dimension of a tensor of that rank.
    pub fn dimension(self, name: &'static str, rank: usize) -> Read<usize> {
        in_range(name, self.integer(name)?, rank)
    }

    /// Distinct dimensions of a tensor of that rank.
    pub fn dimensions(self, name: &'static str, rank: usize) -> Read<Vec<usize>> {
        distinct(name, &self.list(name)?, rank)
    }

    /// The integers in a field of a struct attribute; an absent field is an empty list.
    pub fn field_integers(self, name: &'static str, field: &'static str) -> Read<Cow<'m, [i64]>> {
        let Some(value) = self.module.field(self.get(name)?, field) else { return Ok(Cow::Borrowed(&[])) };
        let values = self.elements(value);
        values.ok_or_else(|| Violation::attribute(name, format!("`{field}` is not a list of integers")))
    }

    /// The integer in a field of a struct attribute; 0 when it is absent, as the text leaves zeros out.
    pub fn field_integer(self, name: &'static str, field: &'static str) -> Read<i64> {
        match self.field_integers(name, field)?[..] {
            [] => Ok(0),
            [value] => Ok(value),
            _ => Err(Violation::attribute(name, format!("`{field}` is not an integer"))),
        }
    }

    /// A list of integers, borrowed in its usual form.
    fn list(self, name: &'static str) -> Read<Cow<'m, [i64]>> {
        let values = self.elements(self.get(name)?);
        values.ok_or_else(|| Violation::attribute(name, "expected a list of integers"))
    }

    fn elements(self, attribute: &'m Attribute) -> Option<Cow<'m, [i64]>> {
        match attribute {
            Attribute::Integers(_, values) => Some(Cow::Borrowed(values)),
            other => self.module.integers(other).map(Cow::Owned),
        }
    }

    /// Distinct dimensions in a field of a struct attribute; an absent field is an empty list.
    pub fn field_dimensions(self, name: &'static str, field: &'static str, rank: usize) -> Read<Vec<usize>> {
        let dimensions = self.field_integers(name, field)?;
        distinct(name, &dimensions, rank).map_err(|error| error.in_field(field))
    }
}

/// A dimension of a tensor of that rank.
pub(super) fn in_range(name: &'static str, value: i64, rank: usize) -> Read<usize> {
    match usize::try_from(value) {
        Ok(value) if value < rank => Ok(value),
        _ => {
            Err(Violation::attribute(name, format!("{value} is not a dimension of a tensor of rank {rank}")))
        }
    }
}

/// Dimensions of a tensor of that rank, none of which is named twice.
pub(super) fn distinct(name: &'static str, values: &[i64], rank: usize) -> Read<Vec<usize>> {
    let mut seen: SmallVec<[bool; 8]> = smallvec![false; rank];
    let mut dims = Vec::with_capacity(values.len());
    for (index, &value) in values.iter().enumerate() {
        let dim = in_range(name, value, rank).map_err(|error| error.in_item(index))?;
        if std::mem::replace(&mut seen[dim], true) {
            return Err(Violation::attribute(name, format!("{value} occurs twice")).in_item(index));
        }
        dims.push(dim);
    }
    Ok(dims)
}
