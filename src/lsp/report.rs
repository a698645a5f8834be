//! Diagnostics of the compiler as those of the protocol.

use super::code_actions;
use super::document::Document;
use super::manual::Manual;
use super::python;
use crate::diagnostic::{Diagnostic, Diagnostics, PythonFrame, Severity};
use gen_lsp_types::{
    CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Position,
    PublishDiagnosticsParams, Range,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The maximum number of published diagnostics per text: editors show each one separately.
const MOST: usize = 1000;

/// The capabilities of the client, and the folder that relative paths of Python files start from.
#[derive(Debug, Default)]
pub(super) struct Presentation {
    /// Whether the client shows related locations.
    pub(super) related: bool,
    /// The folder of the workspace.
    pub(super) root: Option<PathBuf>,
    /// The manual, if the client opens what describes a code.
    pub(super) manual: Option<Manual>,
}

/// All diagnostics of a text.
pub(super) fn report(
    document: &Document,
    diagnostics: &Diagnostics,
    presentation: &Presentation,
) -> PublishDiagnosticsParams {
    let sorted = diagnostics.sorted();
    let mut published: Vec<gen_lsp_types::Diagnostic> =
        sorted.iter().take(MOST).map(|diagnostic| item(document, diagnostic, presentation)).collect();
    if sorted.len() > MOST {
        published.push(gen_lsp_types::Diagnostic {
            range: Range::default(),
            severity: Some(DiagnosticSeverity::Information),
            source: Some(env!("CARGO_PKG_NAME").into()),
            message: format!("and {} more; `hlo2onnx check` groups them", sorted.len() - MOST).into(),
            ..gen_lsp_types::Diagnostic::default()
        });
    }
    PublishDiagnosticsParams {
        uri: document.uri.clone(),
        diagnostics: published,
        version: Some(document.version),
    }
}

fn item(
    document: &Document,
    diagnostic: &Diagnostic,
    presentation: &Presentation,
) -> gen_lsp_types::Diagnostic {
    let mut message = diagnostic.message.clone();
    // Labels sometimes only repeat the message.
    if let Some(label) = diagnostic.labels.first().filter(|label| !message.contains(&label.text)) {
        message.push_str(&format!("\n{}", label.text));
    }
    for note in &diagnostic.notes {
        message.push_str(&format!("\nnote: {note}"));
    }
    if let Some(help) = &diagnostic.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let mut related: Vec<DiagnosticRelatedInformation> = diagnostic
        .labels
        .iter()
        .skip(1)
        .map(|label| DiagnosticRelatedInformation {
            location: Location { uri: document.uri.clone(), range: document.range(label.span) },
            message: label.text.clone(),
        })
        .collect();
    let module = diagnostic.module_path.as_deref();
    if let Some(frame) = &diagnostic.python {
        let place = python(document, frame, module, presentation.root.as_deref());
        match place.filter(|_| presentation.related) {
            Some(place) => related.push(place),
            None => {
                message.push_str(&format!("\nPython: {}:{}{}", frame.file, frame.line, within(frame, module)))
            }
        }
    } else if let Some(module) = module {
        message.push_str(&format!("\nmodule: {module}"));
    }
    gen_lsp_types::Diagnostic {
        // What no text shows is at the top of the text.
        range: if diagnostic.span().is_none() { Range::default() } else { document.range(diagnostic.span()) },
        severity: Some(match diagnostic.severity() {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Advice => DiagnosticSeverity::Information,
        }),
        code: Some(diagnostic.code().as_str().into()),
        code_description: presentation
            .manual
            .as_ref()
            .and_then(|manual| manual.page(diagnostic.code()))
            .map(|href| CodeDescription { href }),
        source: Some(env!("CARGO_PKG_NAME").into()),
        message: message.into(),
        related_information: Some(related).filter(|related| presentation.related && !related.is_empty()),
        data: code_actions::data(document, diagnostic),
        ..gen_lsp_types::Diagnostic::default()
    }
}

/// The user's Python line as a location that the editor opens.
fn python(
    document: &Document,
    frame: &PythonFrame,
    module: Option<&str>,
    root: Option<&Path>,
) -> Option<DiagnosticRelatedInformation> {
    let uri = python::uri(&document.uri, &frame.file, root)?;
    Some(DiagnosticRelatedInformation {
        location: Location { uri, range: python_range(frame) },
        message: format!("the Python line{}", within(frame, module)),
    })
}

fn python_range(frame: &PythonFrame) -> Range {
    // Python counts columns in characters, which are UTF-16 units in nearly every line.
    let position =
        |column: u32| Position { line: frame.line.saturating_sub(1), character: column.saturating_sub(1) };
    Range { start: position(frame.column), end: position(frame.end_column.unwrap_or(frame.column)) }
}

/// The diagnostics of a text that come from lines of Python, on these lines, by the URIs of their files.
pub(super) fn in_python(
    document: &Document,
    diagnostics: &Diagnostics,
    presentation: &Presentation,
) -> BTreeMap<String, Vec<gen_lsp_types::Diagnostic>> {
    let mut files: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for diagnostic in diagnostics.sorted().iter().take(MOST) {
        let Some(frame) = &diagnostic.python else { continue };
        let Some(uri) = python::uri(&document.uri, &frame.file, presentation.root.as_deref()) else {
            continue;
        };
        let place = DiagnosticRelatedInformation {
            location: Location { uri: document.uri.clone(), range: document.range(diagnostic.span()) },
            message: "the op in the text".into(),
        };
        files.entry(uri.0).or_default().push(gen_lsp_types::Diagnostic {
            range: python_range(frame),
            related_information: presentation.related.then(|| vec![place]),
            data: None,
            ..item(document, diagnostic, presentation)
        });
    }
    files
}

fn within(frame: &PythonFrame, module: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(function) = &frame.function {
        text.push_str(&format!(", in `{function}`"));
    }
    if let Some(module) = module {
        text.push_str(&format!(", module `{module}`"));
    }
    text
}
