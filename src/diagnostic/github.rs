//! Diagnostics as workflow commands of GitHub Actions: `--format github`.
//!
//! One command per group of repeats, because GitHub shows few of them per step: `::error
//! file=...,line=...,col=...,title=...::message`. If the user's Python line is known, a notice points there too.

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::Source;
use std::fmt::Write;

/// Lines of repeats that are named.
const PLACES: usize = 3;

/// One line per command; empty if there is nothing to report.
pub fn commands(diagnostics: &Diagnostics, source: &Source) -> String {
    let mut out = String::new();
    for group in diagnostics.grouped() {
        let Some((first, repeats)) = group.split_first() else { continue };
        let title = format!("{} {}", first.code(), first.code().name());
        let mut properties = vec![("file", source.name().to_owned())];
        if let Some(label) = first.labels.first() {
            let (line, column) = source.line_column(label.span.start);
            let (end_line, end_column) = source.line_column(label.span.end);
            properties.push(("line", line.to_string()));
            properties.push(("endLine", end_line.to_string()));
            // Columns are only shown for spans on one line.
            properties.push(("col", column.to_string()));
            if end_line == line {
                properties.push(("endColumn", end_column.to_string()));
            }
        }
        properties.push(("title", title.clone()));
        let command = match first.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "notice",
        };
        push(&mut out, command, &properties, &message(first, repeats, source));
        if let Some(frame) = &first.python {
            let mut properties = vec![("file", frame.file.clone()), ("line", frame.line.to_string())];
            if frame.column > 0 {
                properties.push(("col", frame.column.to_string()));
            }
            properties.push(("title", title));
            push(&mut out, "notice", &properties, &format!("{} comes from this line", first.message));
        }
    }
    out
}

/// What a person needs in addition to the title.
fn message(first: &Diagnostic, repeats: &[&Diagnostic], source: &Source) -> String {
    let mut lines = vec![first.message.clone()];
    lines.extend(first.labels.iter().filter(|label| !label.text.is_empty()).map(|label| {
        let (line, column) = source.line_column(label.span.start);
        format!("{line}:{column}: {}", label.text)
    }));
    if let Some(frame) = &first.python {
        let function = frame.function.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        lines.push(format!("python: {}:{}{function}", frame.file, frame.line));
    }
    lines.extend(first.module_path.as_ref().map(|path| format!("module: {path}")));
    lines.extend(first.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(first.help.as_ref().map(|help| format!("help: {help}")));
    if !repeats.is_empty() {
        let mut more = format!("and {} more like this", repeats.len());
        let places: Vec<String> = repeats
            .iter()
            .filter(|repeat| !repeat.labels.is_empty())
            .take(PLACES)
            .map(|repeat| source.line_column(repeat.span().start).0.to_string())
            .collect();
        if !places.is_empty() {
            // Writing to a string cannot fail.
            let lines = if places.len() == 1 { "line" } else { "lines" };
            let _ = write!(more, ", at {lines} {}", places.join(", "));
        }
        lines.push(more);
    }
    lines.join("\n")
}

fn push(out: &mut String, command: &str, properties: &[(&str, String)], message: &str) {
    let properties: Vec<String> =
        properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "::{command} {}::{}", properties.join(","), data(message));
}

/// A command is one line: its message has its breaks escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Property values also escape their separators.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::PythonFrame;
    use crate::diagnostic::catalog::{NoLocations, UnsupportedOp};
    use crate::source::Span;

    #[test]
    fn a_command_a_group() {
        let source = Source::from_bytes("a,b.mlir", b"op x\nop y\nop 100%\n".to_vec());
        let mut first: Diagnostic = UnsupportedOp { op: "op", at: Span::new(0, 2) }.into();
        first.python = Some(PythonFrame {
            file: "m.py".into(),
            line: 7,
            column: 3,
            end_column: None,
            function: Some("f".into()),
            library_frames: 0,
            libraries: Vec::new(),
        });
        first.notes.push("100%: a note".into());
        let mut diagnostics = Diagnostics::from(vec![first]);
        diagnostics.push(UnsupportedOp { op: "op", at: Span::new(5, 7) });
        diagnostics.push(NoLocations {});
        let out = commands(&diagnostics, &source);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 3, "{out}");
        assert!(lines[2].starts_with("::notice file=a%2Cb.mlir,title=A0601 NoLocations::"), "{out}");
        let head = "::error file=a%2Cb.mlir,line=1,endLine=1,col=1,endColumn=3,title=E0201 UnsupportedOp::`op` is not supported%0A1:1: ";
        assert!(lines[0].starts_with(head), "{out}");
        assert!(lines[0].contains("%0Apython: m.py:7 in f%0Anote: 100%25: a note%0Ahelp: "), "{out}");
        assert!(lines[0].ends_with("%0Aand 1 more like this, at line 2"), "{out}");
        assert_eq!(
            lines[1],
            "::notice file=m.py,line=7,col=3,title=E0201 UnsupportedOp::`op` is not supported comes from this line"
        );
    }
}
