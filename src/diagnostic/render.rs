//! Diagnostics as text for a person.
//!
//! Renders the list as a string, given the text and a style. Repeats of one fault are shown once, with their places,
//! so that a model of 5,000 ops gets a page and not a book.

use super::excerpt::{Elision, ExcerptSource, TAB_WIDTH, grouped};
use super::snippet::{Snippets, showable_text};
use super::{Code, Diagnostic, Diagnostics, PythonFrame, Severity};
use crate::source::Source;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles};
use std::collections::BTreeMap;
use std::fmt;

/// Faults of one code that are shown in full.
const IN_FULL: usize = 5;

/// The number of faults per code that get at least a line.
const IN_A_LINE: usize = 20;

/// Places of repeats that are given.
const PLACES: usize = 3;

/// Columns of a line of text that are shown, however wide the terminal is.
const SNIPPET_COLUMNS: usize = 160;

/// Columns that line numbers and the frame take next to a line of text.
const FRAME_COLUMNS: usize = 12;

/// Characters of a message, a note or a help that are shown.
const SENTENCE: usize = 600;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colors.
    pub color: bool,
    /// Whether to draw with characters beyond ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    /// For a file or a pipe: neither colors nor characters beyond ASCII.
    pub const PLAIN: Style = Style { color: false, unicode: false, width: 100 };

    fn cut(self) -> Elision {
        Elision {
            columns: self.width.saturating_sub(FRAME_COLUMNS).clamp(40, SNIPPET_COLUMNS),
            ellipsis: if self.unicode { "…" } else { "..." },
        }
    }

    fn theme(self, heading: &str, severity: Severity) -> GraphicalTheme {
        let mut characters = if self.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
        // The code is before the message, where a reader and a search look for it.
        characters.error = heading.to_string();
        characters.warning = heading.to_string();
        characters.advice = heading.to_string();
        let mut styles = if self.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
        // Labels have the color of the severity, whatever their order.
        styles.highlights = vec![match severity {
            Severity::Error => styles.error,
            Severity::Warning => styles.warning,
            Severity::Advice => styles.advice,
        }];
        GraphicalTheme { characters, styles }
    }
}

/// Returns the content of a Python file that a location names, if it can be read.
///
/// The library does no I/O for a diagnostic; the caller decides which files it is willing to open.
pub type PythonSources<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Renders all diagnostics of one text; empty if there are none.
pub fn render(
    diagnostics: &Diagnostics,
    source: &Source,
    python: &PythonSources<'_>,
    style: Style,
) -> String {
    render_text(diagnostics, &ExcerptSource::of(source), python, style)
}

pub(super) fn render_text(
    diagnostics: &Diagnostics,
    text: &ExcerptSource<'_>,
    python: &PythonSources<'_>,
    style: Style,
) -> String {
    let groups = diagnostics.grouped();
    let mut renderer = Renderer { text, python, style, out: String::new() };
    let mut seen: BTreeMap<Code, usize> = BTreeMap::new();
    let mut in_a_line: BTreeMap<Code, Vec<&[&Diagnostic]>> = BTreeMap::new();
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let seen = seen.entry(first.code()).or_default();
        *seen += 1;
        match *seen {
            ..=IN_FULL if first.severity() == Severity::Advice && !first.code().is_requested() => {
                renderer.brief(group);
            }
            ..=IN_FULL => renderer.full(group),
            _ => in_a_line.entry(first.code()).or_default().push(group),
        }
    }
    for (code, groups) in in_a_line {
        renderer.lines(code, &groups);
    }
    renderer.counts(&groups);
    renderer.out
}

/// A diagnostic for miette. Notes and help are rendered here, because miette has no notes.
#[derive(Debug)]
struct MietteReport {
    message: String,
    severity: Severity,
    snippets: Snippets,
}

impl fmt::Display for MietteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for MietteReport {}

impl miette::Diagnostic for MietteReport {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.snippets)
            .filter(|snippets| !snippets.is_empty())
            .map(|snippets| snippets as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.snippets.labels().iter().cloned()))
    }
}

struct Renderer<'r> {
    text: &'r ExcerptSource<'r>,
    python: &'r PythonSources<'r>,
    style: Style,
    out: String,
}

impl Renderer<'_> {
    /// The first diagnostic of a group with everything about it, and where the others are.
    fn full(&mut self, group: &[&Diagnostic]) {
        let Some((first, repeats)) = group.split_first() else { return };
        let cut = self.style.cut();
        let mut snippets = Snippets::default();
        snippets.add_labels(self.text, &first.labels, cut);
        let quoted = first.python.as_ref().is_some_and(|frame| match (self.python)(&frame.file) {
            Some(content) => snippets.add_python(frame, &content, cut),
            None => false,
        });
        let heading = heading(first);
        let handler = GraphicalReportHandler::new_themed(self.style.theme(&heading, first.severity()))
            .with_width(self.style.width.max(40))
            // The message is wrapped below.
            .with_wrap_lines(false)
            .with_links(false)
            .without_syntax_highlighting()
            .tab_width(TAB_WIDTH)
            .with_context_lines(1);
        let report =
            MietteReport { message: self.sentence(&first.message), severity: first.severity(), snippets };
        let mut drawn = String::new();
        if handler.render_report(&mut drawn, &report).is_err() {
            // Writing to a string does not fail; should a snippet, the message still counts.
            drawn = format!("{heading} {}\n", report.message);
        }
        // The heading is at the left margin, where `grep '^error'` finds it.
        let mut lines = drawn.trim_start().lines();
        let bar = if self.style.unicode { "  │ " } else { "  | " };
        for line in wrapped(lines.next().unwrap_or_default(), self.style.width.max(40), bar) {
            self.out.push_str(&line);
            self.out.push('\n');
        }
        for line in lines {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
        if let Some(frame) = &first.python {
            self.frame(frame, quoted);
        }
        if let Some(path) = &first.module_path {
            self.paragraph("module", path);
        }
        for note in &first.notes {
            self.paragraph("note", note);
        }
        if let Some(help) = &first.help {
            self.paragraph("help", help);
        }
        if !repeats.is_empty() {
            let more = format!("and {} more like this{}", grouped(repeats.len()), self.places(repeats));
            self.paragraph("", &more);
        }
        self.out.push('\n');
    }

    /// Advice is shorter than problems: what and where in a line, and what to do.
    fn brief(&mut self, group: &[&Diagnostic]) {
        let Some(first) = group.first() else { return };
        let line = format!("{} {}{}", heading(first), self.sentence(&first.message), self.places(group));
        for line in wrapped(&line, self.style.width, "  ") {
            self.out.push_str(&line);
            self.out.push('\n');
        }
        if let Some(help) = &first.help {
            self.paragraph("help", help);
        }
    }

    /// Faults beyond those shown in full: a line each, and then only their number.
    fn lines(&mut self, code: Code, groups: &[&[&Diagnostic]]) {
        let shown = IN_A_LINE - IN_FULL;
        for group in groups.iter().take(shown) {
            let Some(first) = group.first() else { continue };
            let times =
                if group.len() > 1 { format!(", {} times", grouped(group.len())) } else { String::new() };
            let line =
                format!("{} {}{times}{}", heading(first), self.sentence(&first.message), self.places(group));
            self.paragraph("", &line);
        }
        if let Some(left) = groups.len().checked_sub(shown).filter(|&left| left > 0) {
            self.paragraph("", &format!("and {} more {code} ({})", grouped(left), code.name()));
        }
        self.out.push('\n');
    }

    /// The closing line.
    fn counts(&mut self, groups: &[Vec<&Diagnostic>]) {
        let mut parts = Vec::new();
        for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
            let count: usize = groups
                .iter()
                .filter(|group| group.first().is_some_and(|first| first.severity() == severity))
                .map(Vec::len)
                .sum();
            match (count, severity) {
                (0, _) => {}
                (_, Severity::Advice) => parts.push(format!("{} advice", grouped(count))),
                (1, _) => parts.push(format!("1 {}", severity.as_str())),
                _ => parts.push(format!("{} {}s", grouped(count), severity.as_str())),
            }
        }
        // Advice alone needs no count.
        let only_advice = groups.iter().flatten().all(|diagnostic| diagnostic.severity() == Severity::Advice);
        if !parts.is_empty() && !only_advice {
            let name = showable_text(self.text.name, usize::MAX, self.style.cut().ellipsis);
            self.out.push_str(&format!("{name}: {}\n", parts.join(", ")));
        }
    }

    /// Where an op comes from in Python, as far as the snippet does not show it.
    fn frame(&mut self, frame: &PythonFrame, quoted: bool) {
        let mut text = String::new();
        if !quoted {
            text.push_str(&frame.to_string());
        }
        if frame.library_frames > 0 {
            let frames = if frame.library_frames == 1 { "frame" } else { "frames" };
            let libraries = match frame.libraries.as_slice() {
                [] => "libraries".to_owned(),
                [one] => one.clone(),
                [first @ .., last] => format!("{} and {last}", first.join(", ")),
            };
            text.push_str(&format!(", through {} {frames} of {libraries}", frame.library_frames));
        }
        let text = text.trim_start_matches(", ");
        if !text.is_empty() {
            self.paragraph("python", text);
        }
    }

    /// `, at model.py:12, model.py:40`, or `, at lines 12, 40, 77 ...` where the Python lines are not known.
    fn places(&self, group: &[&Diagnostic]) -> String {
        let mut frames: Vec<String> = Vec::new();
        for frame in group.iter().filter_map(|diagnostic| diagnostic.python.as_ref()) {
            let place = format!("{}:{}", frame.file, frame.line);
            if !frames.contains(&place) {
                frames.push(place);
            }
        }
        if !frames.is_empty() {
            let more =
                if frames.len() > PLACES { format!(" {}", self.style.cut().ellipsis) } else { String::new() };
            frames.truncate(PLACES);
            return format!(", at {}{more}", frames.join(", "));
        }
        let mut lines: Vec<usize> = group
            .iter()
            .filter(|diagnostic| !diagnostic.labels.is_empty())
            .map(|diagnostic| self.text.line_of(diagnostic.span().start) + 1)
            .collect();
        lines.dedup();
        let first: Vec<String> = lines.iter().take(PLACES).map(usize::to_string).collect();
        match lines.len() {
            0 => String::new(),
            1 => format!(", at line {}", first[0]),
            2..=PLACES => format!(", at lines {}", first.join(", ")),
            _ => format!(", at lines {} {}", first.join(", "), self.style.cut().ellipsis),
        }
    }

    fn sentence(&self, text: &str) -> String {
        showable_text(text, SENTENCE, self.style.cut().ellipsis)
    }

    /// `  label: text`, wrapped to the width.
    fn paragraph(&mut self, label: &str, text: &str) {
        let text = self.sentence(text);
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        let indent = 2 + label.chars().count();
        self.out.push_str("  ");
        let styles = self.style.theme("", Severity::Advice).styles;
        self.out.push_str(&styles.help.style(&label).to_string());
        let space = self.style.width.saturating_sub(indent);
        for (index, line) in wrapped(&text, space, "").iter().enumerate() {
            if index > 0 {
                self.out.push_str(&" ".repeat(indent));
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }
}

/// Wraps a text at its spaces, indenting lines after the first with `indent`. Never breaks text between backticks,
/// such as a path.
fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut column, mut empty) = (0, true);
    for word in words(text) {
        let length = columns(word);
        if !empty && column + 1 + length > width {
            lines.push(indent.to_owned());
            (column, empty) = (indent.chars().count(), true);
        }
        if let Some(line) = lines.last_mut() {
            if !empty {
                line.push(' ');
                column += 1;
            }
            line.push_str(word);
        }
        column += length;
        empty = false;
    }
    if lines == [""] { Vec::from([String::new()]) } else { lines }
}

/// The parts of a text that spaces outside of backticks separate.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    // An unpaired backtick quotes nothing.
    let paired = text.matches('`').count().is_multiple_of(2);
    text.split(move |character| {
        quoted ^= character == '`' && paired;
        character == ' ' && !quoted
    })
    .filter(|word| !word.is_empty())
}

/// How many columns a word takes, without the escapes that color it.
fn columns(word: &str) -> usize {
    let mut escaped = false;
    word.chars()
        .filter(|&character| {
            let shown = !escaped && character != '\u{1b}';
            escaped = character == '\u{1b}' || (escaped && character != 'm');
            shown
        })
        .count()
}

/// `error[E0201]:`
fn heading(diagnostic: &Diagnostic) -> String {
    format!("{}[{}]:", diagnostic.severity().as_str(), diagnostic.code())
}
