//! Statements that differ only in the names of values and locations are parsed once.
//!
//! Large models repeat the same ops, types and attributes. The shape of a statement is its text without names. The
//! tokens of a shape are cached, and the next statement of that shape has the same ones at other places.

use super::Parser;
use super::clauses::Token;
use super::text::{Rule, Text};
use smallvec::SmallVec;
use std::rc::Rc;

/// The tokens of a statement.
pub(super) type Tokens<'t> = SmallVec<[Token<'t>; 24]>;

/// A token of a shape: its rule and where it starts and ends in the shape.
#[derive(Clone, Copy)]
pub(super) struct TokenSpan {
    rule: Rule,
    start: usize,
    end: usize,
}

/// Longer statements are not kept: they are lists of hundreds of values, or contain literals.
const LONGEST: usize = 2048;

/// How many shapes are kept; a text with more does not repeat itself.
const MOST: usize = 1 << 14;

/// A statement without names, and where they were.
#[derive(Default)]
pub(super) struct Shape {
    text: String,
    /// Offset in the shape after which a name was taken out, and how many bytes all names up to it have.
    gaps: Vec<(usize, usize)>,
}

impl Shape {
    /// Makes this the shape of a statement.
    fn take(&mut self, text: &str) {
        self.text.clear();
        self.gaps.clear();
        let (bytes, mut kept, mut total) = (text.as_bytes(), 0, 0);
        for at in memchr::memchr2_iter(b'%', b'#', bytes) {
            let mut start = at + 1;
            let name = match bytes[at] {
                b'%' => value_name(&bytes[start..]),
                _ => {
                    start += if bytes[start..].starts_with(b"loc") { 3 } else { 0 };
                    digits(&bytes[start..])
                }
            };
            // Removed bytes of a name do not belong to the next token.
            if name == 0 || start < kept {
                continue;
            }
            self.text.push_str(&text[kept..start]);
            kept = start + name;
            total += name;
            self.gaps.push((self.text.len(), total));
        }
        self.text.push_str(&text[kept..]);
    }

    /// The spans of tokens, mapped from the text to the shape.
    fn slots(&self, places: &[(Rule, usize, usize)]) -> Rc<[TokenSpan]> {
        let to_shape = |at: usize| {
            let before = self.gaps.partition_point(|&(gap, total)| gap + total <= at);
            at - before.checked_sub(1).map_or(0, |last| self.gaps[last].1)
        };
        places
            .iter()
            .map(|&(rule, start, end)| TokenSpan { rule, start: to_shape(start), end: to_shape(end) })
            .collect()
    }

    /// The tokens of a text of this shape.
    fn tokens<'t>(&self, text: Text<'t>, slots: &[TokenSpan]) -> Tokens<'t> {
        let (mut gap, mut taken) = (0, 0);
        let mut to_text = |at: usize| {
            while let Some(&(place, total)) = self.gaps.get(gap).filter(|(place, _)| *place <= at) {
                debug_assert!(place <= at);
                (gap, taken) = (gap + 1, total);
            }
            at + taken
        };
        let token = |slot: &TokenSpan| {
            let range = to_text(slot.start)..to_text(slot.end);
            Token { rule: slot.rule, text: text.part(range) }
        };
        slots.iter().map(token).collect()
    }
}

/// Length of the name of a value after its `%`, when it is well formed.
fn value_name(bytes: &[u8]) -> usize {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-');
    let length = bytes.iter().position(|byte| !is_name(byte)).unwrap_or(bytes.len());
    let numbered = bytes.first().is_some_and(u8::is_ascii_digit);
    if numbered && digits(bytes) != length { 0 } else { length }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

impl Parser<'_> {
    /// The tokens of a statement that is an op.
    pub(super) fn tokens<'t>(&mut self, text: Text<'t>) -> Option<Tokens<'t>> {
        if text.text.len() > LONGEST {
            return Some(self.parsed(text)?.iter().map(|place| token(text, place)).collect());
        }
        let mut shape = std::mem::take(&mut self.shape);
        shape.take(text.text);
        let tokens = match self.shapes.get(shape.text.as_str()) {
            Some(slots) => Some(shape.tokens(text, slots)),
            None => self.parsed(text).map(|places| {
                if self.shapes.len() < MOST {
                    self.shapes.insert(shape.text.as_str().into(), shape.slots(&places));
                }
                places.iter().map(|place| token(text, place)).collect()
            }),
        };
        self.shape = shape;
        tokens
    }

    fn parsed(&mut self, text: Text<'_>) -> Option<SmallVec<[(Rule, usize, usize); 24]>> {
        let pairs = self.run(Rule::operation, text)?;
        let place = |pair: pest::iterators::Pair<'_, Rule>| {
            let span = pair.as_span();
            (pair.as_rule(), span.start(), span.end())
        };
        Some(pairs.map(place).filter(|(rule, ..)| *rule != Rule::EOI).collect())
    }
}

fn token<'t>(text: Text<'t>, &(rule, start, end): &(Rule, usize, usize)) -> Token<'t> {
    Token { rule, text: text.part(start..end) }
}
