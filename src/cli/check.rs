//! `hlo2onnx check`: every problem of every file, and what is in it.

use super::arguments::CheckArguments;
use super::report::{self, Reporter};
use super::{Outcome, convert, print};
use hlo2onnx::ir::{Module, UNREAD};
use hlo2onnx::{Options, convert_observed, coverage, ops, pass};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Runs the command.
pub fn run(arguments: &CheckArguments) -> Outcome {
    let mut reporter = Reporter::new(&arguments.report);
    let mut errors = false;
    for input in &arguments.inputs {
        let source = match report::open(input) {
            Ok(source) => source,
            Err(diagnostics) => {
                reporter.show_alone(diagnostics, input);
                errors = true;
                continue;
            }
        };
        // The first pass leaves the ops as the text has them; without any pass the module is the text's.
        let mut counts = None;
        let conversion = convert_observed(&source, &Options::from(&arguments.target), |_, module| {
            counts.get_or_insert_with(|| count(module));
        });
        let counts = counts.unwrap_or_else(|| count(&conversion.module));
        errors |= conversion.model.is_none();
        reporter.show(conversion.diagnostics, &source);
        if reporter.is_human() {
            print(&inventory(input, &counts, conversion.model.is_some().then_some(&conversion.module)));
        }
    }
    reporter.finish();
    if errors { Outcome::Errors } else { Outcome::Done }
}

/// How often each op stands in a module.
fn count(module: &Module) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for op in module.reachable_ops().into_iter().filter(|&op| module.op_name(op) != UNREAD) {
        *counts.entry(module.op_name(op)).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The ops of the text with their counts, and the signature of the model where there is one.
fn inventory(path: &Path, counts: &BTreeMap<String, usize>, converted: Option<&Module>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}: {}",
        path.display(),
        if converted.is_some() { "converts" } else { "does not convert" }
    );
    if let Some(module) = converted {
        let block = pass::entry(module).and_then(|entry| module.entry_block(module.function(entry).body));
        if let Some(block) = block.map(|block| module.block(block)) {
            let results = block.ops.last().map(|&op| module.op(op).operands.to_vec()).unwrap_or_default();
            let _ = writeln!(text, "  inputs   {}", convert::signature(module, &block.arguments));
            let _ = writeln!(text, "  outputs  {}", convert::signature(module, &results));
        }
    }
    let covered: BTreeSet<&str> = coverage().iter().map(|row| row.op).collect();
    let mut rows: Vec<(&str, usize)> = counts.iter().map(|(name, &count)| (name.as_str(), count)).collect();
    rows.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    for (name, count) in rows {
        let mark = if covered.contains(name) || ops::is_structural(name) { "" } else { "  not supported" };
        let _ = writeln!(text, "  {count:>7}  {name}{mark}");
    }
    text
}
