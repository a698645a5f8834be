//! Diagnostics for I/O failures: files that cannot be read, and models that cannot be written.

use crate::diagnostic::{Diagnostic, Diagnostics, catalog};
use crate::onnx::file::WriteError;
use crate::source::{ForeignFolder, Limit, TooLarge};
use crate::weights::{self, WeightsFile};
use std::io;
use std::path::{Path, PathBuf};

/// Why a file cannot be read; `path` is shown.
pub fn unreadable(path: &str, error: &io::Error) -> Diagnostic {
    if let Some(TooLarge { limit }) = TooLarge::of(error) {
        return catalog::InputTooLarge { path, limit }.into();
    }
    let remedy = ForeignFolder::of(error).map(|folder| folder.remedy);
    catalog::CannotRead { path, why: &error.to_string(), remedy }.into()
}

/// Opens files of weights.
///
/// # Errors
/// A diagnostic for each file that failed.
pub fn open_weights(paths: &[PathBuf], limit: Limit) -> Result<Vec<WeightsFile>, Diagnostics> {
    let (mut files, mut diagnostics) = (Vec::new(), Diagnostics::new());
    for path in paths {
        let shown = path.display().to_string();
        match WeightsFile::open_within(path, limit) {
            Ok(file) => files.push(file),
            Err(error) => diagnostics.push(unreadable_weights(&shown, &error)),
        }
    }
    if diagnostics.is_empty() { Ok(files) } else { Err(diagnostics) }
}

/// Why a file cannot be read as weights; `path` is shown.
pub fn unreadable_weights(path: &str, error: &weights::Error) -> Diagnostic {
    match error {
        weights::Error::Io(error) => unreadable(path, error),
        weights::Error::Malformed(why) => catalog::UnreadableWeights { path, why }.into(),
    }
}

/// Why a model cannot be written to a file; `-` is standard output.
pub fn unwritable(path: &Path, error: &WriteError) -> Diagnostic {
    let shown = path.display().to_string();
    match *error {
        WriteError::TooLarge { bytes, limit } if path == Path::new("-") => {
            let why = format!(
                "the model has {bytes} bytes and the limit is {limit}; pass a path so that weights can be external"
            );
            catalog::CannotWrite { path: "-", why: &why }.into()
        }
        WriteError::TooLarge { bytes, limit } => catalog::ModelTooLarge { bytes, limit }.into(),
        WriteError::Elsewhere { path: ref weights, .. } => {
            let weights = weights.display().to_string();
            catalog::WeightsElsewhere { weights: &weights, model: &shown }.into()
        }
        _ => {
            // The diagnostic names the file already.
            let why = match error {
                WriteError::Write { source, .. } | WriteError::Stream { source } => source.to_string(),
                WriteError::Payload { source, .. } => format!("{error}: {source}"),
                _ => error.to_string(),
            };
            catalog::CannotWrite { path: &shown, why: &why }.into()
        }
    }
}
