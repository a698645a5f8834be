//! Diagnostics of the compiler as those of the protocol.

use super::document::Document;
use crate::diagnostic::{Diagnostic, Diagnostics, PythonFrame, Severity};
use gen_lsp_types::{
    DiagnosticRelatedInformation, DiagnosticSeverity, Location, Position, PublishDiagnosticsParams, Range,
    Uri,
};
use std::path::{Path, PathBuf};

/// The maximum number of published diagnostics per text: editors show each one separately.
const MOST: usize = 1000;

/// The capabilities of the client, and the folder that relative paths of Python files start from.
#[derive(Clone, Debug, Default)]
pub(super) struct Presentation {
    /// Whether the client shows related locations.
    pub(super) related: bool,
    /// The folder of the workspace.
    pub(super) root: Option<PathBuf>,
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
        source: Some(env!("CARGO_PKG_NAME").into()),
        message: message.into(),
        related_information: Some(related).filter(|related| presentation.related && !related.is_empty()),
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
    // Python counts columns in characters, which are UTF-16 units in nearly every line.
    let position =
        |column: u32| Position { line: frame.line.saturating_sub(1), character: column.saturating_sub(1) };
    let range =
        Range { start: position(frame.column), end: position(frame.end_column.unwrap_or(frame.column)) };
    Some(DiagnosticRelatedInformation {
        location: Location { uri: python_uri(&document.uri, &frame.file, root)?, range },
        message: format!("the Python line{}", within(frame, module)),
    })
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

/// The Python file that a location names. One that is not absolute counts from the folder of the workspace, which
/// is where a program is mostly run, or else from that of the text.
fn python_uri(document: &Uri, file: &str, root: Option<&Path>) -> Option<Uri> {
    let file = file.replace('\\', "/");
    let is_drive = file.as_bytes().get(1) == Some(&b':');
    if file.starts_with('<') {
        return None;
    }
    let text = if file.starts_with('/') || is_drive {
        let slash = if is_drive { "/" } else { "" };
        format!("file://{slash}{}", encoded(&file))
    } else if let Some(root) = root {
        let root = root.to_string_lossy().replace('\\', "/");
        let slash = if root.starts_with('/') { "" } else { "/" };
        format!("file://{slash}{}/{}", encoded(root.trim_end_matches('/')), encoded(&file))
    } else {
        let (folder, _) = document.0.rsplit_once('/')?;
        format!("{folder}/{}", encoded(&file))
    };
    Some(text.into())
}

/// A path as it is in a URI.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into());
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The path that a URI of a file names.
pub(super) fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let is_drive = path.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(if is_drive { &path[1..] } else { &path }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{path_of, python_uri};
    use std::path::Path;

    #[test]
    fn python_files_become_uris() {
        let document = "file:///models/a.mlir".into();
        let uri = |file: &str, root: Option<&str>| {
            python_uri(&document, file, root.map(Path::new)).map(|uri| uri.0)
        };
        assert_eq!(uri("/a b/é.py", None).as_deref(), Some("file:///a%20b/%C3%A9.py"));
        assert_eq!(uri("m.py", None).as_deref(), Some("file:///models/m.py"));
        assert_eq!(uri("p/m.py", Some("/program/")).as_deref(), Some("file:///program/p/m.py"));
        assert_eq!(uri("C:\\x\\m.py", None).as_deref(), Some("file:///C%3A/x/m.py"));
        assert_eq!(uri("<string>", None), None);
    }

    #[test]
    fn uris_of_files_become_paths() {
        assert_eq!(path_of("file:///a%20b/c").as_deref(), Some(Path::new("/a b/c")));
        assert_eq!(path_of("file:///c%3A/x").as_deref(), Some(Path::new("c:/x")));
        assert_eq!(path_of("file:///100%").as_deref(), Some(Path::new("/100%")));
        assert_eq!(path_of("untitled:Untitled-1"), None);
    }
}
