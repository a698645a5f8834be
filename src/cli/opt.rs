//! `hlo2onnx opt`.

use super::arguments::{OptArguments, ReportArguments};
use super::report::{self, Reporter};
use super::{CommandOutcome, print, say};
use crate::diagnostic::nearest;
use crate::pass::{self, PIPELINE, Pass};
use crate::{ir, optimize_observed};

/// Runs the command.
pub fn run(arguments: &OptArguments) -> CommandOutcome {
    let mut passes = Vec::new();
    for name in &arguments.passes {
        match pass::find(name) {
            Some(pass) => passes.push(*pass),
            None => return CommandOutcome::Usage(unknown_pass(name)),
        }
    }
    if let Some(unknown) = unknown_to_print_after(&arguments.print_after) {
        return CommandOutcome::Usage(unknown);
    }
    let mut reporter = Reporter::new(&ReportArguments::default());
    let source = match report::open(&arguments.input, arguments.reading.limit()) {
        Ok(source) => source,
        Err(diagnostics) => {
            reporter.show_alone(diagnostics, &arguments.input);
            return CommandOutcome::Errors;
        }
    };
    let (text, diagnostics) = optimize_observed(&source, &passes, &arguments.options, |pass, module| {
        print_after(&arguments.print_after, pass, || ir::print(module, &source, None));
    });
    let failed = diagnostics.has_errors();
    reporter.show(diagnostics, &source);
    if failed {
        return CommandOutcome::Errors;
    }
    print(&text);
    CommandOutcome::Done
}

/// Prints the module after a pass to standard error, if `--print-after` names it. `mlir-opt --split-input-file` splits
/// such a list of modules at the comments, which are those of `mlir-opt --mlir-print-ir-after-all`.
pub fn print_after(requested: &[String], pass: &Pass, text: impl FnOnce() -> String) {
    if requested.iter().any(|name| name == "all" || name == pass.name) {
        say(&format!("// -----// IR Dump After {} //----- //\n{}", pass.name, text()));
    }
}

/// The message for a name in `--print-after` that is not a pass.
pub fn unknown_to_print_after(requested: &[String]) -> Option<String> {
    let unknown = requested.iter().find(|name| *name != "all" && pass::find(name).is_none());
    unknown.map(|name| unknown_pass(name))
}

/// The message for an unknown pass.
fn unknown_pass(name: &str) -> String {
    let names = PIPELINE.iter().map(|pass| pass.name);
    match nearest(name, names.clone()) {
        Some(near) => format!("unknown pass `{name}`; did you mean `{near}`?"),
        None => format!("unknown pass `{name}`; the passes are {}", names.collect::<Vec<_>>().join(", ")),
    }
}
