//! Files of Python: their URIs, and the diagnostics that texts have on their lines.

use gen_lsp_types::{Diagnostic, PublishDiagnosticsParams, Uri};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is published on files of Python, which several texts may come from.
#[derive(Debug, Default)]
pub(super) struct PythonFiles {
    /// By the URI of the file, and by that of the text.
    files: BTreeMap<String, BTreeMap<String, Vec<Diagnostic>>>,
}

impl PythonFiles {
    /// Replaces the diagnostics of a text, and returns what to publish: all diagnostics of each file that changed.
    pub(super) fn replace(
        &mut self,
        text: &str,
        mut new: BTreeMap<String, Vec<Diagnostic>>,
    ) -> Vec<PublishDiagnosticsParams> {
        let is_of_text =
            |(_, texts): &(&String, &BTreeMap<String, Vec<Diagnostic>>)| texts.contains_key(text);
        let old = self.files.iter().filter(is_of_text).map(|(file, _)| file.clone());
        let changed: BTreeSet<String> = old.chain(new.keys().cloned()).collect();
        let mut published = Vec::new();
        for file in changed {
            let texts = self.files.entry(file.clone()).or_default();
            let before = match new.remove(&file) {
                Some(diagnostics) => texts.insert(text.to_owned(), diagnostics),
                None => texts.remove(text),
            };
            if before.as_ref() != texts.get(text) {
                let diagnostics = texts.values().flatten().cloned().collect();
                let uri = file.clone().into();
                published.push(PublishDiagnosticsParams { uri, diagnostics, version: None });
            }
            if texts.is_empty() {
                self.files.remove(&file);
            }
        }
        published
    }
}

/// The Python file that a location names. One that is not absolute counts from the folder of the workspace, which
/// is where a program is mostly run, or else from that of the text.
pub(super) fn uri(document: &Uri, file: &str, root: Option<&Path>) -> Option<Uri> {
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
    use super::path_of;
    use std::path::Path;

    #[test]
    fn python_files_become_uris() {
        let document = "file:///models/a.mlir".into();
        let uri = |file: &str, root: Option<&str>| {
            super::uri(&document, file, root.map(Path::new)).map(|uri| uri.0)
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
