//! The manual pages of diagnostics, as files that an editor opens from the code of a diagnostic.
//!
//! The protocol takes an address, and the pages are in the program: no site has those of its version.

use super::python;
use crate::diagnostic::Code;
use gen_lsp_types::Uri;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Pages in a folder that is removed with this. A page is written when its code is first used.
#[derive(Debug)]
pub(super) struct Manual {
    folder: TempDir,
    /// The address of each page; `None` if it cannot be written.
    pages: Mutex<BTreeMap<&'static str, Option<Uri>>>,
}

impl Manual {
    /// A manual without pages; `None` if there can be no folder for them.
    pub(super) fn new() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("hlo2onnx-manual-").tempdir().ok()?;
        Some(Self { folder, pages: Mutex::default() })
    }

    /// The address of the page of a code.
    pub(super) fn page(&self, code: Code) -> Option<Uri> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.entry(code.as_str()).or_insert_with(|| self.write(code)).clone()
    }

    fn write(&self, code: Code) -> Option<Uri> {
        let path = self.folder.path().join(format!("{code}.md"));
        fs::write(&path, code.explanation()).ok()?;
        python::uri(&Uri::from(String::new()), path.to_str()?, None)
    }
}
