//! Diagnostics as data for other programs: the schema of `--format json`.
//!
//! The field names are stable; a change that breaks a reader raises [`SCHEMA`]. Every diagnostic is listed, in the
//! order of the text; repeats of one fault have the same `code` and `group`, and their number as `count`. Lines and
//! columns count from 1, columns and offsets in bytes; ends are after the last byte. What is not known is `null`.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "file": "model.mlir",
//!   "counts": { "error": 1, "warning": 0, "advice": 0 },
//!   "diagnostics": [
//!     {
//!       "code": "E0201",
//!       "name": "UnsupportedOp",
//!       "severity": "error",
//!       "message": "`stablehlo.infeed` is not supported",
//!       "labels": [
//!         {
//!           "text": "no lowering for this op",
//!           "file": "model.mlir",
//!           "line": 12, "column": 8, "offset": 301,
//!           "end_line": 12, "end_column": 24, "end_offset": 317
//!         }
//!       ],
//!       "help": "...",
//!       "notes": [],
//!       "python": {
//!         "file": "model.py", "line": 42, "column": 13, "end_column": 30,
//!         "function": "Block.__call__", "library_frames": 3, "libraries": ["flax"]
//!       },
//!       "module_path": "Encoder/Block_3/Dense_0",
//!       "group": "stablehlo.infeed",
//!       "count": 1
//!     }
//!   ]
//! }
//! ```
//!
//! The first label is the primary one; a fault without a place has none.

use super::{Diagnostic, Diagnostics, Label, PythonFrame, Severity};
use crate::source::Source;
use serde::Serialize;

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// All diagnostics of one text, to be serialized.
#[derive(Debug, Serialize)]
pub struct JsonReport<'a> {
    schema: u32,
    file: &'a str,
    counts: Counts,
    diagnostics: Vec<Item<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    error: usize,
    warning: usize,
    advice: usize,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    code: &'a str,
    name: &'a str,
    severity: &'a str,
    message: &'a str,
    labels: Vec<TextRange<'a>>,
    help: Option<&'a str>,
    notes: &'a [String],
    python: Option<JsonFrame<'a>>,
    module_path: Option<&'a str>,
    group: &'a str,
    count: usize,
}

#[derive(Debug, Serialize)]
struct TextRange<'a> {
    text: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    offset: usize,
    end_line: usize,
    end_column: usize,
    end_offset: usize,
}

#[derive(Debug, Serialize)]
struct JsonFrame<'a> {
    file: &'a str,
    line: u32,
    column: Option<u32>,
    end_column: Option<u32>,
    function: Option<&'a str>,
    library_frames: usize,
    libraries: &'a [String],
}

/// Builds the data, which `serde_json` writes.
pub fn report<'a>(diagnostics: &'a Diagnostics, source: &'a Source) -> JsonReport<'a> {
    let mut listed: Vec<(&Diagnostic, usize)> = diagnostics
        .grouped()
        .into_iter()
        .flat_map(|group| {
            let count = group.len();
            group.into_iter().map(move |diagnostic| (diagnostic, count))
        })
        .collect();
    listed.sort_by_key(|(diagnostic, _)| diagnostic.place());
    let mut counts = Counts::default();
    for (diagnostic, _) in &listed {
        match diagnostic.severity() {
            Severity::Error => counts.error += 1,
            Severity::Warning => counts.warning += 1,
            Severity::Advice => counts.advice += 1,
        }
    }
    let diagnostics = listed.into_iter().map(|(diagnostic, count)| item(diagnostic, count, source)).collect();
    JsonReport { schema: SCHEMA, file: source.name(), counts, diagnostics }
}

fn item<'a>(diagnostic: &'a Diagnostic, count: usize, source: &'a Source) -> Item<'a> {
    Item {
        code: diagnostic.code().as_str(),
        name: diagnostic.code().name(),
        severity: diagnostic.severity().as_str(),
        message: &diagnostic.message,
        labels: diagnostic.labels.iter().map(|label| place(label, source)).collect(),
        help: diagnostic.help.as_deref(),
        notes: &diagnostic.notes,
        python: diagnostic.python.as_ref().map(frame),
        module_path: diagnostic.module_path.as_deref(),
        group: &diagnostic.group,
        count,
    }
}

fn place<'a>(label: &'a Label, source: &'a Source) -> TextRange<'a> {
    let (line, column) = source.line_column(label.span.start);
    let (end_line, end_column) = source.line_column(label.span.end);
    TextRange {
        text: &label.text,
        file: source.name(),
        line,
        column,
        offset: label.span.start,
        end_line,
        end_column,
        end_offset: label.span.end,
    }
}

fn frame(frame: &PythonFrame) -> JsonFrame<'_> {
    JsonFrame {
        file: &frame.file,
        line: frame.line,
        column: Some(frame.column).filter(|&column| column > 0),
        end_column: frame.end_column,
        function: frame.function.as_deref(),
        library_frames: frame.library_frames,
        libraries: &frame.libraries,
    }
}
