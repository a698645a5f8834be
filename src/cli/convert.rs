//! `hlo2onnx convert`.

use super::arguments::{ConvertArguments, External};
use super::report::{self, Reporter};
use super::{CommandOutcome, opt, print, say, terminal};
use crate::diagnostic::{Diagnostics, catalog, nearest};
use crate::ir::{self, Module, TensorType, Type, ValueId};
use crate::onnx::file::{Destination, Model, WriteError, Written, write_stream};
use crate::report::weight_module;
use crate::{Conversion, Options, convert_observed, failure, parse, pass};
use indicatif::{ProgressBar, ProgressStyle};
use std::cmp::Reverse;
use std::fmt::Write;
use std::io;
use std::iter;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs the command.
pub fn run(arguments: &ConvertArguments) -> CommandOutcome {
    let to_stdout = arguments.output.as_deref() == Some(Path::new("-"));
    let mut reporter = match to_stdout {
        true => Reporter::beside_output(&arguments.report),
        false => Reporter::new(&arguments.report),
    };
    let outcome = run_reporting(arguments, &mut reporter);
    reporter.finish();
    outcome
}

fn run_reporting(arguments: &ConvertArguments, reporter: &mut Reporter) -> CommandOutcome {
    if let Some(unknown) = opt::unknown_to_print_after(&arguments.print_after) {
        return CommandOutcome::Usage(unknown);
    }
    for name in &arguments.options.explain_fusion {
        if !pass::fusion_families().any(|family| family == name) {
            return CommandOutcome::Usage(unknown_family(name));
        }
    }
    let started = Instant::now();
    let to_stdout = arguments.output.as_deref() == Some(Path::new("-"));
    if to_stdout && matches!(arguments.external_data, External::Always | External::Reference) {
        return CommandOutcome::Usage("external data needs a model file: pass a path with `--output`".into());
    }
    let output = arguments.output.clone().unwrap_or_else(|| default_output(&arguments.input));
    let source = match report::open(&arguments.input, arguments.reading.limit()) {
        Ok(source) => source,
        Err(diagnostics) => {
            reporter.show_alone(diagnostics, &arguments.input);
            return CommandOutcome::Errors;
        }
    };
    // Report a file that is not StableHLO first: the output may have the name of an ONNX input.
    if source.foreign().is_some() {
        reporter.show(parse(&source).1, &source);
        return CommandOutcome::Errors;
    }
    // Report a destination that cannot be written before the conversion, not after it.
    let inputs: Vec<&Path> =
        iter::once(&arguments.input).chain(&arguments.weights.weights).map(PathBuf::as_path).collect();
    let destination = match (to_stdout, Destination::new(&output, &inputs)) {
        (true, _) => None,
        (false, Ok(destination)) => Some(destination),
        (false, Err(error)) => return cannot_write(&output, &error, reporter),
    };
    let weights = match report::open_weights(&arguments.weights, arguments.reading.limit()) {
        Ok(weights) => weights,
        Err(diagnostics) => {
            reporter.show(diagnostics, &source);
            return CommandOutcome::Errors;
        }
    };
    let options = Options {
        references_weights: arguments.external_data == External::Reference,
        weights,
        ..arguments.options.clone()
    };
    let Conversion { model, module, bound, mut diagnostics, mut timings, .. } =
        convert_observed(&source, &options, |pass, module| {
            opt::print_after(&arguments.print_after, pass, || ir::print(module, &source, Some(32)));
        });
    let referable = model.as_ref().is_none_or(Model::is_referable);
    if arguments.external_data == External::Reference && !referable {
        diagnostics.push(catalog::NothingReferenced {});
    }
    let denied = report::denied(arguments.strict, &diagnostics);
    let unbound = diagnostics.iter().filter(|diagnostic| report::is_unbound(diagnostic)).count();
    reporter.show(diagnostics, &source);
    let Some(model) = model else { return CommandOutcome::Errors };
    // The process ends soon, and the system takes its memory faster than the drop of each op.
    let (model, module) = (ManuallyDrop::new(model), ManuallyDrop::new(module));
    if let Some(denied) = denied {
        say(&format!("error: {denied}\n"));
        return CommandOutcome::Errors;
    }
    let bar = progress(&model);
    let writing = Instant::now();
    let mut advance = |bytes| bar.set_position(bytes);
    let written = match &destination {
        Some(destination) => destination.write(&model, arguments.external_data.into(), &mut advance),
        None => write_stream(&model, &mut io::stdout().lock(), &mut advance),
    };
    bar.finish_and_clear();
    if arguments.timings {
        timings.push(("write", writing.elapsed()));
        say(&timing_table(&timings));
    }
    match written {
        Ok(written) => {
            if !reporter.is_quiet() && !to_stdout && reporter.is_human() {
                let bound = (!options.weights.files.is_empty()).then_some((bound, unbound));
                print(&summary(&module, bound, &output, &written, started.elapsed()));
            }
            CommandOutcome::Done
        }
        // The reader closed the pipe, which is not an error.
        Err(WriteError::Stream { source }) if source.kind() == io::ErrorKind::BrokenPipe => {
            CommandOutcome::Done
        }
        Err(error) => cannot_write(&output, &error, reporter),
    }
}

/// The message for an unknown family of fusions.
fn unknown_family(name: &str) -> String {
    let names = pass::fusion_families();
    match nearest(name, names.clone()) {
        Some(near) => format!("unknown family of fusions `{name}`; did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = names.collect();
            format!("unknown family of fusions `{name}`; the families are {}", names.join(", "))
        }
    }
}

fn cannot_write(path: &Path, error: &WriteError, reporter: &mut Reporter) -> CommandOutcome {
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(failure::unwritable(path, error));
    reporter.show_alone(diagnostics, path);
    CommandOutcome::Errors
}

/// The path of the model next to its program; `model.mlir.gz` is a compressed `model.mlir`.
fn default_output(input: &Path) -> PathBuf {
    if input == Path::new("-") {
        return PathBuf::from("model.onnx");
    }
    // A folder such as `.` has its name elsewhere.
    if input.file_name().is_none()
        && let Ok(folder) = input.canonicalize()
    {
        return folder.with_extension("onnx");
    }
    let extension = input.extension().map(|extension| extension.to_ascii_lowercase());
    let packed =
        extension.is_some_and(|extension| ["gz", "gzip", "zst", "zstd"].iter().any(|own| extension == *own));
    let text = if packed { input.with_extension("") } else { input.to_owned() };
    text.with_extension("onnx")
}

/// A progress bar on a terminal, for writes that take more than a second.
fn progress(model: &Model) -> ProgressBar {
    const SECONDS_WORTH: u64 = 1 << 30;
    if !terminal::is_animated() || model.payload_len() < SECONDS_WORTH {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(model.payload_len()).with_style(style)
}

/// Summarizes what was written: inputs, outputs, bound arguments if weights were passed, nodes by kind, parameters,
/// bytes, time.
fn summary(
    module: &Module,
    bound: Option<(usize, usize)>,
    output: &Path,
    written: &Written,
    elapsed: Duration,
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", output.display());
    let Some(block) = pass::entry(module).and_then(|entry| module.entry_block(module.function(entry).body))
    else {
        return text;
    };
    let block = module.block(block);
    let results = block.ops.last().map(|&op| module.op(op).operands.to_vec()).unwrap_or_default();
    // A module can have many variables, so they are counted and not listed.
    let (variables, data): (Vec<ValueId>, Vec<ValueId>) =
        block.arguments.iter().partition(|&&argument| is_variable(module, argument));
    if !data.is_empty() || variables.is_empty() {
        let _ = writeln!(text, "  {:<11}{}", "inputs", signature(module, &data));
    }
    if !variables.is_empty() {
        let noun = if variables.len() == 1 { "input" } else { "inputs" };
        let remedy = if bound.is_none() { ", which `--weights` binds" } else { "" };
        let _ = writeln!(text, "  {:<11}{} {noun}{remedy}", "variables", variables.len());
    }
    let _ = writeln!(text, "  {:<11}{}", "outputs", signature(module, &results));
    if let Some((bound, unbound)) = bound {
        let of = if unbound > 0 { format!(" of {}", bound + unbound) } else { String::new() };
        let noun = if bound + unbound == 1 { "argument" } else { "arguments" };
        let _ = writeln!(text, "  {:<11}{bound}{of} {noun} bound", "weights");
    }
    let nodes = crate::onnx::inventory(module);
    let total: usize = nodes.iter().map(|(_, count)| count).sum();
    let kinds: Vec<String> = nodes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let _ = writeln!(text, "  {:<11}{total}: {}", "nodes", kinds.join(", "));
    let _ = writeln!(text, "  {:<11}{}", "parameters", crate::onnx::parameters(module));
    let mut size = bytes(written.bytes);
    if let Some(path) = &written.external_path {
        let _ = write!(size, ", and {} in {}", bytes(written.external_bytes), path.display());
    }
    if !written.referenced.is_empty() {
        let files: Vec<String> = written.referenced.iter().map(|path| path.display().to_string()).collect();
        let _ = write!(size, ", and {} that stay in {}", bytes(written.referenced_bytes), files.join(", "));
    }
    let _ = writeln!(text, "  {:<11}{size}", "size");
    let _ = writeln!(text, "  {:<11}{:.1} ms", "time", elapsed.as_secs_f64() * 1e3);
    text
}

/// The time of each stage and its share of all, longest first. The runs of a pass that runs more than once are added up.
fn timing_table(timings: &[(&str, Duration)]) -> String {
    let total: Duration = timings.iter().map(|(_, time)| *time).sum();
    let mut stages: Vec<(&str, Duration)> = Vec::new();
    for &(stage, time) in timings {
        match stages.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, sum)) => *sum += time,
            None => stages.push((stage, time)),
        }
    }
    stages.sort_by_key(|&(_, time)| Reverse(time));
    let row = |(stage, time): &(&str, Duration)| {
        let share = 100.0 * time.as_secs_f64() / total.as_secs_f64();
        format!("{stage:<22}{:>10.2} ms {share:>5.1} %\n", time.as_secs_f64() * 1e3)
    };
    stages.iter().chain([&("total", total)]).map(row).collect()
}

/// Whether an input is a variable of a module, by its path.
fn is_variable(module: &Module, input: ValueId) -> bool {
    let name = module.value(input).name.map_or("", |name| module.symbols.get(name));
    let keys: Vec<&str> = name.split('/').collect();
    weight_module(&keys).is_some()
}

/// Names and types of the first values, as `image: f32[1, 28, 28, 1]`.
pub fn signature(module: &Module, values: &[ValueId]) -> String {
    const SHOWN: usize = 8;
    let one = |&value: &ValueId| {
        let name = module.value(value).name.map_or("?", |name| module.symbols.get(name));
        match module.types.get(module.value_type(value)) {
            Type::Tensor(tensor) => format!("{name}: {}", tensor_name(module, tensor)),
            _ => name.to_owned(),
        }
    };
    let mut shown: Vec<String> = values.iter().take(SHOWN).map(one).collect();
    if values.len() > SHOWN {
        shown.push(format!("and {} more", values.len() - SHOWN));
    }
    shown.join(", ")
}

fn tensor_name(module: &Module, tensor: &TensorType) -> String {
    let dims: Vec<String> =
        tensor.dims.iter().map(|&dim| module.dim_exprs.spell(&module.symbols, dim)).collect();
    format!("{}[{}]", tensor.element.name().unwrap_or("?"), dims.join(", "))
}

fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}
