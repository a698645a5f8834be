//! `hlo2onnx opt`.

use super::arguments::{OptArguments, ReportArguments};
use super::report::{self, Reporter};
use super::{CommandOutcome, print};
use crate::diagnostic::nearest;
use crate::optimize;
use crate::pass::{self, PIPELINE};

/// Runs the command.
pub fn run(arguments: &OptArguments) -> CommandOutcome {
    let mut passes = Vec::new();
    for name in &arguments.passes {
        match pass::find(name) {
            Some(pass) => passes.push(*pass),
            None => return CommandOutcome::Usage(unknown_pass(name)),
        }
    }
    let mut reporter = Reporter::new(&ReportArguments::default());
    let source = match report::open(&arguments.input, arguments.reading.limit()) {
        Ok(source) => source,
        Err(diagnostics) => {
            reporter.show_alone(diagnostics, &arguments.input);
            return CommandOutcome::Errors;
        }
    };
    let (text, diagnostics) = optimize(&source, &passes, &arguments.options);
    let failed = diagnostics.has_errors();
    reporter.show(diagnostics, &source);
    if failed {
        return CommandOutcome::Errors;
    }
    print(&text);
    CommandOutcome::Done
}

/// The message for an unknown pass.
pub fn unknown_pass(name: &str) -> String {
    let names = PIPELINE.iter().map(|pass| pass.name);
    match nearest(name, names.clone()) {
        Some(near) => format!("unknown pass `{name}`; did you mean `{near}`?"),
        None => format!("unknown pass `{name}`; the passes are {}", names.collect::<Vec<_>>().join(", ")),
    }
}
