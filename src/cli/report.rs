//! Reads inputs and shows diagnostics.

use super::arguments::Format;
use super::{print, say};
use hlo2onnx::diagnostic::{Diagnostics, Style, catalogue, json, render};
use hlo2onnx::source::Source;
use hlo2onnx::weights::{self, WeightsFile};
use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// Opens a text; `-` is standard input.
///
/// # Errors
/// A diagnostic that says why it cannot be read.
pub fn open(path: &Path) -> Result<Source, Diagnostics> {
    let source = if path == Path::new("-") {
        Source::read("<stdin>", io::stdin().lock())
    } else if path.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Source::open(path)
    };
    source.map_err(|error| {
        let mut diagnostics = Diagnostics::new();
        diagnostics
            .push(catalogue::CannotRead { path: &path.display().to_string(), why: &error.to_string() });
        diagnostics
    })
}

/// Opens files of weights.
///
/// # Errors
/// A diagnostic for each that gives none.
pub fn open_weights(paths: &[PathBuf]) -> Result<Vec<WeightsFile>, Diagnostics> {
    let (mut files, mut diagnostics) = (Vec::new(), Diagnostics::new());
    for path in paths {
        let shown = path.display().to_string();
        match WeightsFile::open(path) {
            Ok(file) => files.push(file),
            Err(weights::Error::Io(error)) => {
                diagnostics.push(catalogue::CannotRead { path: &shown, why: &error.to_string() });
            }
            Err(weights::Error::Malformed(why)) => {
                diagnostics.push(catalogue::UnreadableWeights { path: &shown, why: &why });
            }
        }
    }
    if diagnostics.is_empty() { Ok(files) } else { Err(diagnostics) }
}

/// Shows diagnostics on standard error, or as JSON on standard output.
pub fn show(diagnostics: &Diagnostics, source: &Source, format: Format) {
    match format {
        Format::Human => {
            let read = |path: &str| std::fs::read_to_string(path).ok();
            say(&render(diagnostics, source, &read, style()));
        }
        Format::Json => {
            // The report is plain data, which always serialises.
            let text = serde_json::to_string_pretty(&json::report(diagnostics, source)).unwrap_or_default();
            print(&text);
            print("\n");
        }
    }
}

/// Shows diagnostics that no text goes with.
pub fn show_alone(diagnostics: &Diagnostics, name: &Path, format: Format) {
    show(diagnostics, &Source::from_bytes(name.display().to_string(), Vec::new()), format);
}

/// Shows that an output cannot be written.
pub fn cannot_write(path: &Path, why: &str, format: Format) {
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(catalogue::CannotWrite { path: &path.display().to_string(), why });
    show_alone(&diagnostics, path, format);
}

fn style() -> Style {
    let terminal = io::stderr().is_terminal();
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100);
    Style { color: terminal && !plain, unicode: terminal, width }
}
