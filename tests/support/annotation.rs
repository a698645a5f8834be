//! Diagnostics written into their text: carets under the fault, and the code after them.
//!
//! ```text
//!   %0 = stablehlo.fft %a, type = FFT, length = [4] : ...
//!   //   ^^^^^^^^^^^^^ E0201
//! ```
//!
//! A comment cannot put carets under its own slashes: faults there have their columns, `//@1-9 E0001`, and
//! `//@none A0601` represents a diagnostic without a span.

use super::compile::Finding;

/// The text without annotations, and the codes they had.
pub fn strip(text: &str) -> (String, Vec<String>) {
    let mut codes = Vec::new();
    let mut clean = String::new();
    for line in text.split_inclusive('\n') {
        match code_of(line) {
            Some(code) => codes.push(code.to_owned()),
            None => clean.push_str(line),
        }
    }
    (clean, codes)
}

fn code_of(line: &str) -> Option<&str> {
    let comment = line.trim().strip_prefix("//")?;
    let mark = match comment.strip_prefix('@') {
        Some(columns) => columns.split_whitespace().next()?,
        None => comment.split_whitespace().next().filter(|mark| mark.bytes().all(|b| b == b'^'))?,
    };
    let (_, code) = comment.split_once(mark)?;
    Some(code.trim())
}

/// The text with an annotation for each finding.
///
/// `offset` is the number of bytes that precede `clean` in the text of the findings.
pub fn annotate(clean: &str, offset: usize, findings: &[Finding]) -> String {
    let mut notes: Vec<(usize, usize, String)> =
        findings.iter().map(|finding| note(clean, offset, finding)).collect();
    notes.sort();
    let mut text = String::new();
    let mut notes = notes.into_iter().peekable();
    for (number, line) in clean.lines().enumerate() {
        text += line;
        text.push('\n');
        while let Some((_, _, note)) = notes.next_if(|note| note.0 == number) {
            text += &note;
            text.push('\n');
        }
    }
    notes.for_each(|(_, _, note)| text += &format!("{note}\n"));
    text
}

/// The line under which an annotation goes, its column, and its text.
fn note(clean: &str, offset: usize, finding: &Finding) -> (usize, usize, String) {
    let span = finding.span.clone().and_then(|span| {
        let start = span.start.checked_sub(offset)?;
        clean.get(..start)?;
        Some(start..span.end.saturating_sub(offset).max(start))
    });
    let Some(span) = span else {
        return (usize::MAX, 0, format!("//@none {}", finding.code));
    };
    let before = &clean[..span.start];
    let line = before.matches('\n').count();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = clean[line_start..span.start].chars().count();
    // A fault over several lines is marked on its first one.
    let end = clean[span.start..].find('\n').map_or(clean.len(), |at| span.start + at).min(span.end);
    let width = clean.get(span.start..end).map_or(1, |text| text.chars().count()).max(1);
    let text = clean[line_start..].chars().take_while(|c| *c == ' ').count().min(column.saturating_sub(2));
    let note = match column {
        0 | 1 => format!("//@{}-{} {}", column + 1, column + width, finding.code),
        _ => {
            let gap = " ".repeat(column - text - 2);
            format!("{}//{gap}{} {}", " ".repeat(text), "^".repeat(width), finding.code)
        }
    };
    (line, column, note)
}
