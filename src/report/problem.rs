//! Diagnostics with the lines that they point at, for a renderer that draws long after the text is closed.

use crate::diagnostic::{
    Code, Diagnostics, PythonFrame, PythonSources, Quote, Severity, quote, quote_python,
};
use crate::source::Source;

/// Columns of a quoted line.
const COLUMNS: usize = 160;

/// Places of repeats that are given.
const PLACES: usize = 12;

/// How many faults have their lines quoted.
const QUOTED: usize = 1000;

/// One fault with its repeats.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Problem {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    pub notes: Vec<String>,
    pub module_path: Option<String>,
    pub frame: Option<PythonFrame>,
    /// The lines of the text.
    pub quotes: Vec<Quote>,
    /// The Python line, where its file is there.
    pub python: Option<Quote>,
    /// How often it was found.
    pub count: usize,
    /// The first lines of the text on which it was found, from 1.
    pub lines: Vec<usize>,
}

/// The faults by severity, and in the order of the text within each.
pub(super) fn problems(
    diagnostics: &Diagnostics,
    source: &Source,
    python: &PythonSources<'_>,
) -> Vec<Problem> {
    let mut groups = diagnostics.grouped();
    groups.sort_by_key(|group| group.first().map(|first| first.severity()));
    let mut found = Vec::with_capacity(groups.len());
    for (index, group) in groups.iter().enumerate() {
        let Some(first) = group.first() else { continue };
        let quoted = index < QUOTED;
        let mut lines: Vec<usize> = group
            .iter()
            .filter(|diagnostic| !diagnostic.labels.is_empty())
            .map(|diagnostic| source.line_column(diagnostic.span().start).0)
            .collect();
        lines.dedup();
        lines.truncate(PLACES);
        let frame = first.python.clone();
        let content = frame.as_ref().filter(|_| quoted).and_then(|frame| python(&frame.file));
        found.push(Problem {
            code: first.code(),
            severity: first.severity(),
            message: first.message.clone(),
            help: first.help.clone(),
            notes: first.notes.clone(),
            module_path: first.module_path.clone(),
            python: frame
                .as_ref()
                .zip(content)
                .and_then(|(frame, content)| quote_python(frame, &content, COLUMNS)),
            frame,
            quotes: if quoted { quote(&first.labels, source, COLUMNS) } else { Vec::new() },
            count: group.len(),
            lines,
        });
    }
    found
}
