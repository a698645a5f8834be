//! The lines that a diagnostic points at, as data, for renderers without miette.

use super::excerpt::{Elision, ExcerptSource};
use super::snippet::{LineLabel, runs, showable_text};
use super::{Label, PythonFrame};
use crate::source::Source;
use std::ops::Range;

/// What replaces parts left out.
const ELLIPSIS: &str = "…";

/// Lines of one text that are shown together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The name of the text.
    pub name: String,
    /// The lines, in order.
    pub lines: Vec<QuotedLine>,
}

/// One line, cut to a width, with large literals elided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedLine {
    /// Its number, from 1.
    pub number: usize,
    /// The displayed text.
    pub text: String,
    /// The places in it, ordered by their start.
    pub marks: Vec<QuotedMark>,
}

/// A place in a quoted line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedMark {
    /// Its bytes in the line's shown text; may be empty.
    pub range: Range<usize>,
    /// The label; may be empty.
    pub label: String,
    /// Whether it is the primary place of its diagnostic.
    pub primary: bool,
}

/// The lines that labels are on, those of the first label first, at most `columns` columns wide.
pub fn quote(labels: &[Label], source: &Source, columns: usize) -> Vec<Quote> {
    let (text, cut) = (ExcerptSource::of(source), Elision { columns, ellipsis: ELLIPSIS });
    let marks = LineLabel::all(&text, labels, cut);
    runs(&marks).into_iter().map(|run| window(&text, run, cut)).collect()
}

/// The user's Python line in its file's text; `None` if the file has no such line.
pub fn quote_python(frame: &PythonFrame, content: &str, columns: usize) -> Option<Quote> {
    let (text, cut) =
        (ExcerptSource::unscanned(&frame.file, content.as_bytes()), Elision { columns, ellipsis: ELLIPSIS });
    let mark = LineLabel::python(&text, frame, cut)?;
    Some(window(&text, &[mark], cut))
}

/// `text` in one line of at most `limit` characters, without invisible ones.
pub fn one_line(text: &str, limit: usize) -> String {
    showable_text(text, limit, ELLIPSIS)
}

fn window(text: &ExcerptSource<'_>, marks: &[LineLabel], cut: Elision) -> Quote {
    let first = marks.first().map_or(0, |mark| mark.line);
    let last = marks.last().map_or(first, |mark| mark.line);
    let line = |line: usize| {
        let here: Vec<&LineLabel> = marks.iter().filter(|mark| mark.line == line).collect();
        let ranges: Vec<Range<usize>> = here.iter().map(|mark| mark.span.range()).collect();
        let excerpt = text.excerpt(text.line(line), &ranges, cut);
        let marks = here.iter().zip(ranges).map(|(mark, range)| QuotedMark {
            range: excerpt.locate(range),
            label: mark.text.clone(),
            primary: mark.primary,
        });
        QuotedLine { number: line + 1, marks: marks.collect(), text: excerpt.shown.clone() }
    };
    Quote { name: one_line(text.name, usize::MAX), lines: (first..=last).map(line).collect() }
}
