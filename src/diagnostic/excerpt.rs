//! One line of a text for display: cropped around its labels, with literals elided.
//!
//! Lines can be hundreds of megabytes long, so nothing here walks a whole line: every walk starts at a label or at an
//! end of the line and stops after as many columns as fit.

use crate::source::Source;
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

/// Digits that an elided literal still shows, after its `0x`.
const LITERAL_DIGITS: usize = 4;

/// Literals of fewer digits are shown as they are.
const SHORT_LITERAL: usize = 32;

/// Columns of a tab, also in the renderer.
pub(super) const TAB_WIDTH: usize = 4;

/// What an excerpt is taken from.
pub(super) struct ExcerptSource<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    pub line_starts: Cow<'a, [usize]>,
    pub literals: &'a [Range<usize>],
}

/// How much of a line to show.
#[derive(Clone, Copy)]
pub(super) struct Elision {
    /// Columns to fill.
    pub columns: usize,
    /// What replaces the parts left out.
    pub ellipsis: &'static str,
}

/// The shown form of a line, and where its bytes went.
#[derive(Debug)]
pub(super) struct Excerpt {
    pub shown: String,
    /// Offsets in the text, ascending, with their offsets in `shown`: one for each character, elided part and
    /// literal, and one for the end.
    places: Vec<(usize, usize)>,
}

impl Excerpt {
    /// The bytes of `shown` that represent a range of the text.
    pub fn locate(&self, range: Range<usize>) -> Range<usize> {
        let first = self.places.partition_point(|&(at, _)| at <= range.start).saturating_sub(1);
        let start = self.places.get(first).map_or(0, |&(_, shown)| shown);
        if range.is_empty() {
            return start..start;
        }
        let next = self.places.partition_point(|&(at, _)| at < range.end);
        let end = self.places.get(next).map_or(self.shown.len(), |&(_, shown)| shown);
        start..end.max(start)
    }
}

impl<'a> ExcerptSource<'a> {
    /// The text of a source.
    pub fn of(source: &'a Source) -> Self {
        ExcerptSource {
            name: source.name(),
            bytes: source.bytes(),
            line_starts: Cow::Borrowed(source.line_starts()),
            literals: source.literals(),
        }
    }

    /// An unscanned text, such as a Python file.
    pub fn unscanned(name: &'a str, bytes: &'a [u8]) -> Self {
        let line_starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', bytes).map(|at| at + 1));
        ExcerptSource { name, bytes, line_starts: line_starts.collect(), literals: &[] }
    }

    /// The line, from 0, that an offset is on.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// The bytes of a line, counted from 0, without its line break.
    pub fn line(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line).copied().unwrap_or(0).min(self.bytes.len());
        let mut end = self.line_starts.get(line + 1).map_or(self.bytes.len(), |&next| next.saturating_sub(1));
        if end > start && self.bytes.get(end - 1) == Some(&b'\r') {
            end -= 1;
        }
        start..end.max(start)
    }

    /// Shows `line` so that the start of every mark is seen.
    pub fn excerpt(&self, line: Range<usize>, marks: &[Range<usize>], cut: Elision) -> Excerpt {
        let walk = Walk { text: self, line, marks };
        let mut excerpt = Excerpt { shown: String::new(), places: Vec::new() };
        let mut shown_to = walk.line.start;
        for segment in walk.segments(cut.columns) {
            if segment.start > shown_to {
                excerpt.push(shown_to, cut.ellipsis);
            }
            let mut at = segment.start;
            while at < segment.end {
                let (next, unit) = walk.forward(at);
                match unit {
                    Unit::Character(character) => {
                        excerpt.push(at, showable(character, cut.ellipsis).encode_utf8(&mut [0; 4]));
                    }
                    Unit::Literal(digits) => excerpt.push(at, &self.elided(digits, cut.ellipsis)),
                }
                at = next;
            }
            shown_to = at;
        }
        if shown_to < walk.line.end {
            excerpt.push(shown_to, cut.ellipsis);
        }
        excerpt.places.push((walk.line.end, excerpt.shown.len()));
        excerpt
    }

    /// `457E… 4 608 bytes`
    fn elided(&self, digits: Range<usize>, ellipsis: &str) -> String {
        let head = self.bytes.get(digits.start..digits.start + LITERAL_DIGITS).unwrap_or_default();
        let head: String = head.iter().map(|&digit| showable(char::from(digit), ellipsis)).collect();
        format!("{head}{ellipsis} {} bytes", grouped(digits.len() / 2))
    }
}

impl Excerpt {
    fn push(&mut self, at: usize, shown: &str) {
        self.places.push((at, self.shown.len()));
        self.shown.push_str(shown);
    }
}

/// An integer with a space between each three digits.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// The character, unless a terminal would interpret it: control characters, and those that change the direction of
/// the text.
pub(super) fn showable(character: char, ellipsis: &str) -> char {
    let obeyed = character.is_control() && character != '\t'
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    match obeyed {
        false => character,
        true if ellipsis.is_ascii() => '?',
        true => char::REPLACEMENT_CHARACTER,
    }
}

enum Unit {
    Character(char),
    /// A literal that is shown as its first digits and its size.
    Literal(Range<usize>),
}

struct Walk<'w> {
    text: &'w ExcerptSource<'w>,
    line: Range<usize>,
    marks: &'w [Range<usize>],
}

impl Walk<'_> {
    /// The parts of the line to show, in order and apart from each other.
    fn segments(&self, columns: usize) -> Vec<Range<usize>> {
        let (end, _) = self.ahead(self.line.start, columns);
        if end == self.line.end || self.marks.is_empty() {
            return std::iter::once(self.line.start..end).collect();
        }
        let share = (columns / self.marks.len()).max(24);
        let mut segments: Vec<Range<usize>> = self.marks.iter().map(|mark| self.round(mark, share)).collect();
        segments.sort_by_key(|segment| segment.start);
        segments.dedup_by(|next, kept| {
            let touches = next.start <= kept.end;
            if touches {
                kept.end = kept.end.max(next.end);
            }
            touches
        });
        segments
    }

    /// About `columns` columns around a label, a third of them before it.
    fn round(&self, mark: &Range<usize>, columns: usize) -> Range<usize> {
        let start = self.back(mark.start, columns / 3);
        let (end, left) = self.ahead(start, columns);
        // At the end of the line the columns that are left serve the part before the mark.
        let start = if left > 0 { self.back(start, left) } else { start };
        start..end
    }

    /// The offset that `columns` columns end at, and how many were left at the end of the line.
    fn ahead(&self, from: usize, columns: usize) -> (usize, usize) {
        let (mut at, mut left) = (from, columns);
        while at < self.line.end {
            let (next, unit) = self.forward(at);
            let Some(rest) = left.checked_sub(self.width(&unit)) else { return (at, 0) };
            (at, left) = (next, rest);
        }
        (at, left)
    }

    /// The offset `columns` columns before `from`.
    fn back(&self, from: usize, columns: usize) -> usize {
        let (mut at, mut left) = (from, columns);
        while at > self.line.start {
            let previous = self.backward(at);
            let (_, unit) = self.forward(previous);
            let Some(rest) = left.checked_sub(self.width(&unit)) else { break };
            (at, left) = (previous, rest);
        }
        at
    }

    /// The unit at an offset, and the offset after it.
    fn forward(&self, at: usize) -> (usize, Unit) {
        let next = self.text.literals.partition_point(|literal| literal.start < at);
        if let Some(literal) =
            self.text.literals.get(next).filter(|literal| literal.start == at && self.elides(literal))
        {
            return (literal.end, Unit::Literal(literal.clone()));
        }
        let bytes = &self.text.bytes[at..self.line.end.min(at + 4)];
        let valid = match std::str::from_utf8(bytes) {
            Ok(valid) => valid,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        match valid.chars().next() {
            Some(character) => (at + character.len_utf8(), Unit::Character(character)),
            None => (at + 1, Unit::Character(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// The offset of the unit before an offset.
    fn backward(&self, at: usize) -> usize {
        let next = self.text.literals.partition_point(|literal| literal.end < at);
        if let Some(literal) =
            self.text.literals.get(next).filter(|literal| literal.end == at && self.elides(literal))
        {
            return literal.start;
        }
        let first = at.saturating_sub(4).max(self.line.start);
        (first..at.saturating_sub(1))
            .rev()
            .find(|&start| start < at && self.forward(start).0 == at)
            .unwrap_or(at - 1)
    }

    /// Whether a literal is elided: it is long, on this line, and no mark starts or ends within it.
    fn elides(&self, literal: &Range<usize>) -> bool {
        let within = |at: usize| literal.start < at && at < literal.end;
        literal.len() > SHORT_LITERAL
            && self.line.start <= literal.start
            && literal.end <= self.line.end
            && !self.marks.iter().any(|mark| within(mark.start) || within(mark.end))
    }

    fn width(&self, unit: &Unit) -> usize {
        match unit {
            Unit::Character('\t') => TAB_WIDTH,
            // Two columns are right for the wide characters and a safe guess for the others.
            Unit::Character(character) if !character.is_ascii() => 2,
            Unit::Character(_) => 1,
            Unit::Literal(digits) => {
                LITERAL_DIGITS + " … bytes".chars().count() + grouped(digits.len() / 2).len()
            }
        }
    }
}
