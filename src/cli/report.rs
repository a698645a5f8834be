//! Reads inputs and shows diagnostics.

use super::arguments::{Format, ReportArguments, WeightsArguments};
use super::{print, say, source_root};
use hlo2onnx::diagnostic::{Diagnostics, Style, catalogue, github, json, render, sarif};
use hlo2onnx::source::Source;
use hlo2onnx::weights::{self, Weights, WeightsFile};
use serde::Serialize;
use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

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
pub fn open_weights(arguments: &WeightsArguments) -> Result<Weights, Diagnostics> {
    let (mut files, mut diagnostics) = (Vec::new(), Diagnostics::new());
    for path in &arguments.weights {
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
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    Ok(Weights {
        files,
        prefix: arguments.weights_prefix.clone(),
        renames: arguments.rename.clone(),
        by_order: arguments.weights_by_order,
    })
}

/// Shows the diagnostics of a run in the form that was asked for: for people on standard error, else on standard output.
pub struct Reporter {
    arguments: ReportArguments,
    /// A SARIF log is one document for all files.
    log: sarif::Log,
    /// Where a model goes to standard output, nothing else does.
    output_taken: bool,
}

impl Reporter {
    /// A reporter that has shown nothing.
    pub fn new(arguments: &ReportArguments) -> Self {
        Self { arguments: arguments.clone(), log: sarif::Log::new(), output_taken: false }
    }

    /// A reporter of a run whose standard output is a model.
    pub fn beside_output(arguments: &ReportArguments) -> Self {
        Self { output_taken: true, ..Self::new(arguments) }
    }

    /// Whether what is shown is for people.
    pub fn is_human(&self) -> bool {
        self.arguments.format == Format::Human
    }

    /// Shows what there is to say about one text.
    pub fn show(&mut self, mut diagnostics: Diagnostics, source: &Source) {
        source_root::resolve(&mut diagnostics, &self.arguments.source_root);
        match self.arguments.format {
            Format::Human => {
                let read = |path: &str| std::fs::read_to_string(path).ok();
                say(&render(&diagnostics, source, &read, style()));
            }
            Format::Json => self.document(&json::report(&diagnostics, source)),
            Format::Sarif => self.log.add(&diagnostics, source),
            Format::Github => self.write(&github::commands(&diagnostics, source)),
        }
    }

    /// Shows diagnostics that no text goes with.
    pub fn show_alone(&mut self, diagnostics: Diagnostics, name: &Path) {
        self.show(diagnostics, &Source::from_bytes(name.display().to_string(), Vec::new()));
    }

    /// Writes what belongs to no one file.
    pub fn finish(&self) {
        if self.arguments.format == Format::Sarif {
            self.document(&self.log);
        }
    }

    fn document(&self, document: &impl Serialize) {
        // The report is plain data, which always serialises.
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        self.write(&format!("{text}\n"));
    }

    fn write(&self, text: &str) {
        if self.output_taken { say(text) } else { print(text) }
    }
}

fn style() -> Style {
    let terminal = io::stderr().is_terminal();
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100);
    Style { color: terminal && !plain, unicode: terminal, width }
}
