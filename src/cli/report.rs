//! Reads inputs and shows diagnostics.

use super::arguments::{Deny, Format, ReportArguments, StrictArguments, WeightsArguments};
use super::{print, say, source_root, terminal};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, catalog, github, json, render, sarif};
use crate::failure;
use crate::source::{Limit, Source};
use crate::weights::Weights;
use serde::Serialize;
use std::io;
use std::path::Path;

/// Opens a text; `-` is standard input.
///
/// # Errors
/// A diagnostic that explains why it cannot be read.
pub fn open(path: &Path, limit: Limit) -> Result<Source, Diagnostics> {
    let source = if path == Path::new("-") {
        Source::read_within("<stdin>", io::stdin().lock(), limit)
    } else {
        Source::open_within(path, limit)
    };
    source.map_err(|error| {
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(failure::unreadable(&path.display().to_string(), &error));
        diagnostics
    })
}

/// Opens files of weights.
///
/// # Errors
/// A diagnostic for each file that cannot be read.
pub fn open_weights(arguments: &WeightsArguments, limit: Limit) -> Result<Weights, Diagnostics> {
    Ok(Weights {
        files: failure::open_weights(&arguments.weights, limit)?,
        prefix: arguments.weights_prefix.clone(),
        renames: arguments.rename.clone(),
        by_order: arguments.weights_by_order,
        ..Weights::default()
    })
}

/// Whether a diagnostic is about a weight that stays an input.
pub fn is_unbound(diagnostic: &Diagnostic) -> bool {
    diagnostic.code().as_str() == catalog::UnboundWeight::CODE.as_str()
}

/// A sentence that counts the warnings turned into errors; `None` if there are none.
pub fn denied(strict: StrictArguments, diagnostics: &Diagnostics) -> Option<String> {
    let all = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Warning).count();
    let unbound = diagnostics.iter().filter(|diagnostic| is_unbound(diagnostic)).count();
    let warnings =
        |count: usize| if count == 1 { "1 warning is".to_owned() } else { format!("{count} warnings are") };
    if strict.deny == Some(Deny::Warnings) && all > 0 {
        return Some(format!("{} denied by `--deny warnings`", warnings(all)));
    }
    let inputs = if unbound == 1 {
        "1 weight stays an input".to_owned()
    } else {
        format!("{unbound} weights stay inputs")
    };
    (strict.require_weights && unbound > 0).then(|| format!("{inputs}, but `--require-weights` was passed"))
}

/// Shows the diagnostics of a run in the selected format: for people on standard error, else on standard output.
pub struct Reporter {
    arguments: ReportArguments,
    /// A SARIF log is one document for all files.
    log: sarif::Log,
    /// Whether the model goes to standard output, so that nothing else may.
    output_taken: bool,
}

impl Reporter {
    /// A new reporter.
    pub fn new(arguments: &ReportArguments) -> Self {
        Self { arguments: arguments.clone(), log: sarif::Log::new(), output_taken: false }
    }

    /// A reporter for a run that writes a model to standard output.
    pub fn beside_output(arguments: &ReportArguments) -> Self {
        Self { output_taken: true, ..Self::new(arguments) }
    }

    /// Whether the output is for people.
    pub fn is_human(&self) -> bool {
        self.arguments.format == Format::Human
    }

    /// Whether only problems are shown.
    pub fn is_quiet(&self) -> bool {
        self.arguments.quiet
    }

    /// Shows the diagnostics of one text.
    pub fn show(&mut self, mut diagnostics: Diagnostics, source: &Source) {
        source_root::resolve(&mut diagnostics, &self.arguments.source_root);
        match self.arguments.format {
            Format::Human => {
                let read = |path: &str| std::fs::read_to_string(path).ok();
                if self.arguments.quiet {
                    diagnostics.retain(|diagnostic| diagnostic.severity() != Severity::Advice);
                }
                say(&render(&diagnostics, source, &read, terminal::style(self.arguments.color)));
            }
            Format::Json => self.document(&json::report(&diagnostics, source)),
            Format::Sarif => self.log.add(&diagnostics, source),
            Format::Github => self.write(&github::commands(&diagnostics, source)),
        }
    }

    /// Shows diagnostics that do not belong to a text.
    pub fn show_alone(&mut self, diagnostics: Diagnostics, name: &Path) {
        self.show(diagnostics, &Source::from_bytes(name.display().to_string(), Vec::new()));
    }

    /// Writes the summary of all files.
    pub fn finish(&self) {
        if self.arguments.format == Format::Sarif {
            self.document(&self.log);
        }
    }

    fn document(&self, document: &impl Serialize) {
        // The report is plain data, which always serializes.
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        self.write(&format!("{text}\n"));
    }

    fn write(&self, text: &str) {
        if self.output_taken { say(text) } else { print(text) }
    }
}
