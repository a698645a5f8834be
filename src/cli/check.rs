//! `hlo2onnx check`: reports every problem of every file, and its contents.

use super::arguments::{CheckArguments, Format, ReportArguments};
use super::report::{self, Reporter};
use super::{CommandOutcome, print, say, source_root};
use crate::Options;
use crate::diagnostic::{Diagnostics, catalog};
use crate::report::{self as reports, FileReport, Report, Verdict};
use crate::source::Source;
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(arguments: &CheckArguments) -> CommandOutcome {
    let format = arguments.report.format;
    let mut reporter = Reporter::new(&arguments.report);
    let weights = match report::open_weights(&arguments.weights, arguments.reading.limit()) {
        Ok(weights) => weights,
        Err(diagnostics) => {
            let first = arguments.weights.weights.first();
            reporter.show_alone(diagnostics, first.map_or(Path::new(""), PathBuf::as_path));
            reporter.finish();
            return CommandOutcome::Errors;
        }
    };
    let options = Options { weights, ..arguments.options.clone() };
    let python = |path: &str| std::fs::read_to_string(path).ok();
    let mut denied: Vec<String> = Vec::new();
    let mut files: Vec<FileReport> = Vec::with_capacity(arguments.inputs.len());
    for input in &arguments.inputs {
        let (source, (mut file, mut diagnostics)) = match report::open(input, arguments.reading.limit()) {
            Ok(source) => {
                // Only the page draws the graph.
                let checked = if arguments.html.is_some() {
                    let (file, conversion) = reports::convert(&source, &options);
                    (file, conversion.diagnostics)
                } else {
                    reports::check(&source, &options)
                };
                (source, checked)
            }
            Err(diagnostics) => {
                let source = Source::from_bytes(input.display().to_string(), Vec::new());
                let file = reports::alone(&source);
                (source, (file, diagnostics))
            }
        };
        source_root::resolve(&mut diagnostics, &arguments.report.source_root);
        file.diagnose(&diagnostics, &source, &python);
        denied.extend(report::denied(arguments.strict, &diagnostics));
        // In JSON the diagnostics are part of the one report.
        if format != Format::Json {
            reporter.show(diagnostics, &source);
        }
        if format == Format::Human && !arguments.report.quiet {
            print(&reports::text::file(&file));
        }
        files.push(file);
    }
    reporter.finish();
    let all = Report::new(files);
    match format {
        Format::Human if arguments.report.quiet => {}
        Format::Human if all.files.len() > 1 => print(&reports::text::summary(&all.summary)),
        // The report is plain data, which always serializes.
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default())),
        _ => {}
    }
    if let Some(path) = &arguments.html
        && let Err(error) = std::fs::write(path, reports::html::page(&all))
    {
        cannot_write(path, &error.to_string());
        return CommandOutcome::Errors;
    }
    for denied in &denied {
        say(&format!("error: {denied}\n"));
    }
    let refused = all.files.iter().any(|file| file.verdict == Verdict::Refused);
    if refused || !denied.is_empty() { CommandOutcome::Errors } else { CommandOutcome::Done }
}

/// Reports on standard error that the page cannot be written: the report on standard output is complete by then.
fn cannot_write(path: &Path, why: &str) {
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(catalog::CannotWrite { path: &path.display().to_string(), why });
    Reporter::new(&ReportArguments::default()).show_alone(diagnostics, path);
}
