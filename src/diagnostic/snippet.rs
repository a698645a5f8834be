//! The places of one diagnostic, as a source for miette.
//!
//! miette reads a source from its first byte and prints whole lines. So each diagnostic gets a small text of its own:
//! windows of excerpts, concatenated, with the labels moved to their bytes there. The windows keep the true file
//! names, lines and columns.

use super::excerpt::{Elision, ExcerptSource, showable};
use super::{Label, PythonFrame};
use crate::source::Span;
use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Lines between two labels that are shown rather than starting a new window.
const JOINED_LINES: usize = 2;

/// Labels of one diagnostic that are shown in the text.
const LABELS: usize = 8;

/// Characters of a label that are shown.
const LABEL_TEXT: usize = 160;

/// The windows and labels of one diagnostic.
#[derive(Debug, Default)]
pub(super) struct Snippets {
    windows: Vec<SnippetWindow>,
    labels: Vec<LabeledSpan>,
}

#[derive(Debug)]
struct SnippetWindow {
    name: String,
    /// Line of the first excerpt, from 0.
    line: usize,
    /// Offset of the window among all windows.
    start: usize,
    shown: String,
    /// The true lines and columns, from 0, of the offsets at which labels start.
    positions: Vec<(usize, usize, usize)>,
}

impl SnippetWindow {
    fn end(&self) -> usize {
        self.start + self.shown.len()
    }
}

/// A label on one line.
pub(super) struct LineLabel {
    pub line: usize,
    pub span: Span,
    pub text: String,
    pub primary: bool,
}

impl Snippets {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The labels, in the offsets of the windows.
    pub fn labels(&self) -> &[LabeledSpan] {
        &self.labels
    }

    /// Adds the places of a diagnostic, the primary one first.
    pub fn add_labels(&mut self, text: &ExcerptSource<'_>, labels: &[Label], cut: Elision) {
        let marks = LineLabel::all(text, labels, cut);
        for run in runs(&marks) {
            self.add_window(text, run, cut);
        }
    }

    /// Adds the user's Python line; returns false if the file has no such line.
    pub fn add_python(&mut self, frame: &PythonFrame, content: &str, cut: Elision) -> bool {
        let text = ExcerptSource::unscanned(&frame.file, content.as_bytes());
        let Some(mark) = LineLabel::python(&text, frame, cut) else { return false };
        self.add_window(&text, &[mark], cut);
        true
    }

    /// Adds the lines from the first mark to the last. The marks are sorted, and on the lines of one run.
    fn add_window(&mut self, text: &ExcerptSource<'_>, marks: &[LineLabel], cut: Elision) {
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else { return };
        // With no gap an empty span at the start of this window would also fit in the one before, and miette would
        // take the two for one.
        let start = self.windows.last().map_or(0, |window| window.end() + 1);
        let mut window = SnippetWindow {
            name: showable_text(text.name, usize::MAX, cut.ellipsis),
            line: first.line,
            start,
            shown: String::new(),
            positions: Vec::new(),
        };
        for line in first.line..=last.line {
            let bytes = text.line(line);
            let here = || marks.iter().filter(move |mark| mark.line == line);
            let ranges: Vec<_> = here().map(|mark| mark.span.range()).collect();
            let excerpt = text.excerpt(bytes.clone(), &ranges, cut);
            let base = window.end();
            for mark in here() {
                let place = excerpt.locate(mark.span.range());
                let (offset, length) = (base + place.start, place.len());
                let label = Some(mark.text.clone()).filter(|text| !text.is_empty());
                window.positions.push((offset, line, mark.span.start - bytes.start));
                self.labels.push(match mark.primary {
                    true => LabeledSpan::new_primary_with_span(label, (offset, length)),
                    false => LabeledSpan::new_with_span(label, (offset, length)),
                });
            }
            window.shown.push_str(&excerpt.shown);
            // miette drops a label at the end of a text that does not end in a line break.
            window.shown.push('\n');
        }
        self.windows.push(window);
    }
}

/// The marks that are shown together, the primary one's first.
pub(super) fn runs(marks: &[LineLabel]) -> Vec<&[LineLabel]> {
    let mut runs: Vec<&[LineLabel]> =
        marks.chunk_by(|left, right| right.line - left.line <= JOINED_LINES + 1).collect();
    runs.sort_by_key(|run| !run.iter().any(|mark| mark.primary));
    runs
}

impl LineLabel {
    /// The marks of the first labels, in the order of the text.
    pub(super) fn all(text: &ExcerptSource<'_>, labels: &[Label], cut: Elision) -> Vec<Self> {
        let mut marks: Vec<LineLabel> = labels
            .iter()
            .take(LABELS)
            .enumerate()
            .map(|(index, label)| LineLabel::new(text, label.span, &label.text, index == 0, cut))
            .collect();
        marks.sort_by_key(|mark| (mark.line, mark.span));
        marks
    }

    /// The user's Python line in the text of its file; `None` if the file has no such line.
    pub(super) fn python(text: &ExcerptSource<'_>, frame: &PythonFrame, cut: Elision) -> Option<Self> {
        let line = (frame.line as usize).checked_sub(1).filter(|&line| line < text.line_starts.len())?;
        let bytes = text.line(line);
        let column = |column: u32| (bytes.start + (column as usize).saturating_sub(1)).min(bytes.end);
        let span = match (frame.column, frame.end_column) {
            (0, _) => {
                let shown = &text.bytes[bytes.clone()];
                Span::new(
                    bytes.end - shown.trim_ascii_start().len(),
                    bytes.start + shown.trim_ascii_end().len(),
                )
            }
            (start, Some(end)) if end > start => Span::new(column(start), column(end)),
            (start, _) => Span::new(column(start), column(start)),
        };
        let label = match &frame.function {
            Some(function) => format!("in {function}"),
            None => String::new(),
        };
        Some(LineLabel::new(text, span, &label, false, cut))
    }

    /// A label, cut to the line that it starts on.
    fn new(text: &ExcerptSource<'_>, span: Span, label: &str, primary: bool, cut: Elision) -> Self {
        let line = text.line_of(span.start.min(text.bytes.len()));
        let bytes = text.line(line);
        let start = span.start.clamp(bytes.start, bytes.end);
        let end = span.end.clamp(start, bytes.end);
        let mut label = showable_text(label, LABEL_TEXT, cut.ellipsis);
        let last_line = text.line_of(span.end.saturating_sub(1).clamp(start, text.bytes.len().max(start)));
        if last_line > line {
            label.push_str(if label.is_empty() { "" } else { " " });
            label.push_str(&format!("(up to line {})", last_line + 1));
        }
        LineLabel { line, span: Span::new(start, end), text: label, primary }
    }
}

/// `text` in one line of at most `limit` characters that a terminal shows as they are.
pub(super) fn showable_text(text: &str, limit: usize, ellipsis: &str) -> String {
    let mut characters = text.chars().map(|character| match character {
        '\n' | '\t' => ' ',
        character => showable(character, ellipsis),
    });
    let mut shown: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        shown.push_str(ellipsis);
    }
    shown
}

impl SourceCode for Snippets {
    /// With context, the window around the span; without, the true position of the label at that span. The renderer
    /// asks for context to print lines, and without to print the heading.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let window = self
            .windows
            .iter()
            .find(|window| window.start <= start && start < window.end() && end <= window.end())
            .ok_or(MietteError::OutOfBounds)?;
        let position = window.positions.iter().find(|&&(offset, _, _)| offset == start);
        let (data, span, line, column) = match position {
            Some(&(_, line, column)) if context_lines_before == 0 && context_lines_after == 0 => {
                (&window.shown.as_bytes()[start - window.start..end - window.start], *span, line, column)
            }
            _ => (window.shown.as_bytes(), (window.start, window.shown.len()).into(), window.line, 0),
        };
        let lines = memchr::memchr_iter(b'\n', data).count();
        Ok(Box::new(MietteSpanContents::new_named(window.name.clone(), data, span, line, column, lines)))
    }
}
