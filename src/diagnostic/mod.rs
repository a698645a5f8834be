//! Diagnostics: collected as data, rendered at the end.
//!
//! Every diagnostic is an entry of the [`catalog`]; stages push them into [`Diagnostics`] and continue. All renderers
//! take the same list and know nothing of the stages.

pub mod catalog;
mod excerpt;
pub mod github;
pub mod json;
mod nearest;
mod option;
mod part;
mod quote;
mod render;
pub mod sarif;
mod snippet;
#[cfg(test)]
mod tests;

pub use catalog::Code;
pub use excerpt::grouped;
pub use nearest::{nearest, nearest_op};
pub use part::Part;
pub use quote::{Quote, QuotedLine, QuotedMark, one_line, quote, quote_python};
pub use render::{PythonSources, Style, render};

use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The severity of a diagnostic, which follows from the letter of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is no model, or it would be wrong.
    Error,
    /// There is a model, and it can differ from the program in a way that is named.
    Warning,
    /// The model is right; something about it could be better or is worth knowing.
    Advice,
}

impl Severity {
    /// The word that represents it in text and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        }
    }
}

/// A place in the text, with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words; if empty, the place is only underlined.
    pub text: String,
    /// The part of the op at the span. [`Part::Span`] once its place is resolved.
    pub part: Part,
}

/// A change of the text that corrects a fault, as far as anyone can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The label in whose place the text is changed.
    pub label: usize,
    /// The text that is wrong, which the place has if the program is written as usual.
    pub old: String,
    /// What it should be.
    pub new: String,
}

impl Fix {
    /// A change at the primary label to a name, if there is one that was probably meant.
    pub(crate) fn to(old: &str, new: Option<&str>) -> Option<Self> {
        new.map(|new| Self { label: 0, old: old.to_owned(), new: new.to_owned() })
    }
}

/// The user's own Python line that an op comes from, resolved from the MLIR locations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonFrame {
    /// The file as the location names it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; 0 if the location has none.
    pub column: u32,
    /// The column after the expression, from 1, where the location has a range that ends on the same line.
    pub end_column: Option<u32>,
    /// The qualified name of the function that the line is in.
    pub function: Option<String>,
    /// How many frames of libraries were skipped to reach the user's own line.
    pub library_frames: usize,
    /// The libraries that these are of, the innermost first, each once.
    pub libraries: Vec<String>,
}

/// As tools that open files understand it: `model.py:12:8 in Block.__call__`.
impl fmt::Display for PythonFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        match &self.function {
            Some(function) => write!(f, " in {function}"),
            None => Ok(()),
        }
    }
}

/// One diagnostic, with everything that any renderer needs.
///
/// Only the [`catalog`] makes one: `code` is private to this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    code: Code,
    /// One sentence, in lower case and without a full stop.
    pub message: String,
    /// The places; the first is the primary one. Empty if the fault has no place.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// A change that corrects it.
    pub fix: Option<Fix>,
    /// Facts in addition to the message.
    pub notes: Vec<String>,
    /// The user's own line, where the text has locations.
    pub python: Option<PythonFrame>,
    /// The path of the Flax module, as `Encoder/Block_3/Dense_0`.
    pub module_path: Option<String>,
    /// Diagnostics with the same code and group are repeats of one fault and are shown once.
    pub group: String,
}

impl Diagnostic {
    /// The code, stable over releases.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The severity, from the letter of the code.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The primary place; [`Span::NONE`] if there is none.
    pub fn span(&self) -> Span {
        self.labels.first().map_or(Span::NONE, |label| label.span)
    }

    /// Points at a part of the op that it is about, instead of its name.
    #[must_use]
    pub fn at(mut self, part: Part) -> Self {
        if let Some(label) = self.labels.first_mut() {
            label.part = part;
        }
        self
    }

    /// Labels another part of the op that it is about.
    #[must_use]
    pub fn beside(mut self, part: Part, text: impl Into<String>) -> Self {
        let span = self.span();
        if !span.is_none() {
            self.labels.push(Label { span, text: text.into(), part });
        }
        self
    }

    /// Proposes a change.
    #[must_use]
    pub fn fixed_by(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix.or(self.fix);
        self
    }

    /// What the order of the text is made of.
    fn place(&self) -> (usize, Severity, Code) {
        // Advice about the whole text comes after problems.
        let last = self.severity() == Severity::Advice && self.labels.is_empty();
        (if last { usize::MAX } else { self.span().start }, self.severity(), self.code)
    }
}

/// As a line of a log: `error[E0201]: ... (model.py:12 in Block.__call__)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity().as_str(), self.code.as_str(), self.message)?;
        match &self.python {
            Some(frame) => write!(f, " ({frame})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// Collects the diagnostics of one run on one text.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry of the catalog, or a diagnostic that was made from one.
    pub fn push(&mut self, diagnostic: impl Into<Diagnostic>) {
        self.list.push(diagnostic.into());
    }

    /// Keeps those for which `keep` holds.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// Whether there is an error, so that no model is written.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Number of errors.
    pub fn error_count(&self) -> usize {
        self.errors().count()
    }

    /// The errors in the order in which they were pushed.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// The number of diagnostics, including repeats.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Drops all but the first `length` diagnostics.
    pub fn truncate(&mut self, length: usize) {
        self.list.truncate(length);
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All diagnostics, in the order in which they were pushed.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// All diagnostics, mutable; the driver resolves Python frames this way.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Diagnostic> {
        self.list.iter_mut()
    }

    /// Distinct diagnostics in the order of the text. Those without a place come first, and advice without one last.
    ///
    /// The same fault is found twice when a function was inlined at two calls.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.list.iter().collect();
        sorted.sort_by_key(|diagnostic| diagnostic.place());
        let mut seen = BTreeSet::new();
        sorted.retain(|diagnostic| seen.insert((diagnostic.code, diagnostic.span(), &diagnostic.message)));
        sorted
    }

    /// The distinct ones with repeats of one fault (the same code and group) together, each in the order of the
    /// text, in the order of their first.
    pub fn grouped(&self) -> Vec<Vec<&Diagnostic>> {
        let mut groups: Vec<Vec<&Diagnostic>> = Vec::new();
        let mut index = BTreeMap::new();
        for diagnostic in self.sorted() {
            let next = groups.len();
            let group = *index.entry((diagnostic.code, &diagnostic.group)).or_insert(next);
            if group == next {
                groups.push(Vec::new());
            }
            groups[group].push(diagnostic);
        }
        groups
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        self.list.extend(iter);
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(list: Vec<Diagnostic>) -> Self {
        Self { list }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
