//! `hlo2onnx check`: every problem of every file, and what is in it.

use super::arguments::{CheckArguments, Format};
use super::{Outcome, print, report};
use hlo2onnx::Options;
use hlo2onnx::report::{self as reports, FileReport, Report, Verdict};
use hlo2onnx::source::Source;

/// Runs the command.
pub fn run(arguments: &CheckArguments) -> Outcome {
    let options = Options::from(&arguments.target);
    let python = |path: &str| std::fs::read_to_string(path).ok();
    let mut files: Vec<FileReport> = Vec::with_capacity(arguments.inputs.len());
    for input in &arguments.inputs {
        let report = match report::open(input) {
            Ok(source) => {
                let (report, diagnostics) = reports::check(&source, &options, &python);
                if arguments.format == Format::Human {
                    report::show(&diagnostics, &source, arguments.format);
                }
                report
            }
            Err(diagnostics) => {
                let source = Source::from_bytes(input.display().to_string(), Vec::new());
                if arguments.format == Format::Human {
                    report::show(&diagnostics, &source, arguments.format);
                }
                reports::alone(&source, &diagnostics, &python)
            }
        };
        if arguments.format == Format::Human {
            print(&reports::text::file(&report));
        }
        files.push(report);
    }
    let all = Report::new(files);
    match arguments.format {
        Format::Human if all.files.len() > 1 => print(&reports::text::summary(&all.summary)),
        Format::Human => {}
        Format::Json => {
            // The report is plain data, which always serialises.
            print(&format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default()));
        }
    }
    if let Some(path) = &arguments.html
        && let Err(error) = std::fs::write(path, reports::html::page(&all))
    {
        // The JSON on standard output is one object, whatever becomes of the page.
        report::cannot_write(path, &error.to_string(), Format::Human);
        return Outcome::Errors;
    }
    let refused = all.files.iter().any(|file| file.verdict == Verdict::Refused);
    if refused { Outcome::Errors } else { Outcome::Done }
}
