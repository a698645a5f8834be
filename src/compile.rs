//! From a text to a model: the stages one after the other.

use crate::diagnostic::{self, Diagnostic, Diagnostics, Style, catalog};
use crate::ir::{self, Module};
use crate::onnx::file::{Destination, ExternalData, Model, WriteError, Written};
use crate::onnx::{self, Details};
use crate::ops::type_inference;
use crate::options::Options;
use crate::pass::{self, Context, PIPELINE, Pass};
use crate::source::{Source, Span};
use crate::syntax;
use crate::target::{HIGHEST_OPSET, LOWEST_OPSET};
use crate::value_map::ValueMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
// The standard library has no clock on WebAssembly.
use web_time::Instant;

/// The pass after which the program is the reference of the value map: it is still the user's program.
const PROGRAM: &str = "lift_weights";

/// The result of a conversion.
pub struct Conversion<'a> {
    /// The model, unless there were errors.
    pub model: Option<Model<'a>>,
    /// The module in its last state, for reports.
    pub module: Module,
    /// How many arguments were bound to weights.
    pub bound: usize,
    /// The map from values of the model to values of the program, if it was requested and there is a model.
    pub values: Option<ValueMap>,
    /// Errors, warnings and advice.
    pub diagnostics: Diagnostics,
    /// How long each stage took: `parse`, `verify`, the passes by their names, and `emit`.
    pub timings: Vec<(&'static str, Duration)>,
}

/// Measures stages that come one after the other.
struct Timer {
    last: Instant,
    timings: Vec<(&'static str, Duration)>,
}

impl Timer {
    fn start() -> Self {
        Self { last: Instant::now(), timings: Vec::new() }
    }

    /// The stage since the last call, or since the start, ends here.
    fn lap(&mut self, stage: &'static str) {
        self.timings.push((stage, self.last.elapsed()));
        self.last = Instant::now();
    }
}

/// Converts a text. `after` sees the module after each pass.
pub fn convert_observed<'a>(
    source: &'a Source,
    options: &Options,
    mut after: impl FnMut(&Pass, &Module),
) -> Conversion<'a> {
    let observe = |pass: &Pass, module: &Module| {
        after(pass, module);
        ControlFlow::Continue(())
    };
    convert_until(source, options, observe).0
}

/// Converts a text until `after`, which sees the module after each pass, stops it. Returns whether it did, with the
/// results so far.
fn convert_until<'a>(
    source: &'a Source,
    options: &Options,
    mut after: impl FnMut(&Pass, &Module) -> ControlFlow<()>,
) -> (Conversion<'a>, ControlFlow<()>) {
    let mut timer = Timer::start();
    let (mut module, mut diagnostics, can_be_lowered) = read(source, &mut timer);
    let read = diagnostics.error_count();
    let highest = options.target.map_or(HIGHEST_OPSET, |target| target.release().opset.min(HIGHEST_OPSET));
    if let Some(given) = options.opset.filter(|opset| !(LOWEST_OPSET..=highest).contains(opset)) {
        let target = options.target.filter(|_| given > highest).map(|target| target.to_string());
        let target = target.as_deref();
        diagnostics.push(catalog::OpsetOutOfRange { given, lowest: LOWEST_OPSET, highest, target });
    }
    if !can_be_lowered || diagnostics.error_count() > read {
        return (
            Conversion { model: None, module, bound: 0, values: None, diagnostics, timings: timer.timings },
            ControlFlow::Continue(()),
        );
    }
    // Ignore options that refer to a function that could not be parsed.
    let lost = Options {
        opset: options.opset,
        target: options.target,
        strict_nan: options.strict_nan,
        ..Options::default()
    };
    let options = if module.lost.is_empty() { options } else { &lost };
    let mut cx = Context::new(source, options, &mut diagnostics);
    let mut program = None;
    let is_skipped = |pass: &Pass| options.skip_passes.iter().any(|name| name == pass.name);
    let passes: Vec<Pass> = PIPELINE.iter().copied().filter(|pass| !is_skipped(pass)).collect();
    let flow = pass::run(&passes, &mut module, &mut cx, |pass, module| {
        timer.lap(pass.name);
        if options.value_map && pass.name == PROGRAM {
            program = Some(module.clone());
        }
        let flow = after(pass, module);
        // What the caller does is not part of the next pass.
        timer.last = Instant::now();
        flow
    });
    let bound = cx.bound;
    syntax::resolve_labels(source, &mut diagnostics);
    let of_python =
        |error: &Diagnostic| ["E02", "E03"].iter().any(|range| error.code().as_str().starts_with(range));
    if diagnostics.errors().any(of_python) && module.location_count() == 1 {
        // For texts that convert, the pass `name_values` reports missing locations. Here the diagnostics lack their
        // Python lines.
        diagnostics.push(catalog::NoLocations {});
    }
    if flow.is_break() {
        let timings = timer.timings;
        return (Conversion { model: None, module, bound, values: None, diagnostics, timings }, flow);
    }
    if let Some(name) = &options.model_name {
        module.name = Some(module.symbols.intern(name));
    }
    let entry = pass::entry(&module);
    let model = match entry {
        Some(entry) if !diagnostics.has_errors() => {
            let details = Details { debug_info: options.debug_info, value_info: !options.no_value_info };
            match onnx::emit(&module, entry, source, details) {
                Ok(model) => Some(model),
                Err(error) => {
                    let why = error.to_string();
                    diagnostics.push(catalog::InvalidModule { pass: "emit", why: &why, at: Span::NONE });
                    None
                }
            }
        }
        _ => None,
    };
    timer.lap("emit");
    let timings = timer.timings;
    let values = program
        .filter(|_| model.is_some())
        .zip(entry)
        .map(|(program, entry)| ValueMap::new(program, &module, entry));
    (Conversion { model, module, bound, values, diagnostics, timings }, flow)
}

/// The diagnostics of a conversion; `None` as soon as `is_stale` holds, which is checked between stages.
#[cfg(feature = "lsp")]
pub(crate) fn check(source: &Source, options: &Options, is_stale: impl Fn() -> bool) -> Option<Diagnostics> {
    let flow = || if is_stale() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let (conversion, flow) = convert_until(source, options, |_, _| flow());
    flow.is_continue().then_some(conversion.diagnostics)
}

/// Converts a text.
///
/// ```
/// # use hlo2onnx::{Options, convert, onnx, source::Source};
/// let text = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
///   %0 = stablehlo.add %x, %x : tensor<4xf32>
///   return %0 : tensor<4xf32>
/// }";
/// let source = Source::from_bytes("example.mlir", text.into());
/// let conversion = convert(&source, &Options::default());
/// assert!(conversion.model.is_some());
/// ```
pub fn convert<'a>(source: &'a Source, options: &Options) -> Conversion<'a> {
    convert_observed(source, options, |_, _| {})
}

/// Why a file was not converted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text cannot be read.
    #[error("`{path}` cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system reports.
        source: io::Error,
    },
    /// The program cannot be converted.
    #[error("{text}")]
    Refused {
        /// Everything that was found.
        diagnostics: Diagnostics,
        /// The same as the command line prints it.
        text: String,
    },
    /// The model cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Converts a text file to a model file, and returns what was written with warnings and advice.
///
/// A model of more than 1.9 GiB has its large constants in a file next to it.
///
/// # Errors
/// When the text cannot be read or converted, or the model cannot be written.
pub fn convert_file(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    options: &Options,
) -> Result<(Written, Diagnostics), Error> {
    let (input, output) = (input.as_ref(), output.as_ref());
    // Report a destination that cannot be written before the conversion, not after it.
    let destination = Destination::new(output, &[input])?;
    let source = Source::open(input).map_err(|source| Error::Read { path: input.to_owned(), source })?;
    let Conversion { model, diagnostics, .. } = convert(&source, options);
    let Some(model) = model else {
        let python = |path: &str| std::fs::read_to_string(path).ok();
        let text = diagnostic::render(&diagnostics, &source, &python, Style::PLAIN);
        return Err(Error::Refused { diagnostics, text });
    };
    let written = destination.write(&model, ExternalData::Auto, &mut |_| {})?;
    Ok((written, diagnostics))
}

/// Parses a text and verifies what was parsed.
pub fn parse(source: &Source) -> (Module, Diagnostics) {
    let (module, diagnostics, _) = read(source, &mut Timer::start());
    (module, diagnostics)
}

/// Parses and verifies a text, and returns whether its valid parts can be lowered. Faulty parts are isolated.
fn read(source: &Source, timer: &mut Timer) -> (Module, Diagnostics, bool) {
    let (mut module, mut diagnostics) = syntax::parse(source);
    timer.lap("parse");
    // Parts that could not be parsed leave gaps, which every later stage would report again.
    if diagnostics.has_errors() && (module.functions().len() > 0 || !module.lost.is_empty()) {
        let entry = match module.lost.is_empty() {
            true => pass::entry_or_report(&module, &mut diagnostics),
            false => pass::entry(&module).filter(|_| !is_lost(&module, "main")),
        };
        module.reach_all(entry);
        module.isolate_error_ops();
    }
    let faults = ir::verify(&module, &type_inference::check, &mut diagnostics);
    if !faults.ops.is_empty() {
        module.set_aside(&faults.ops);
    }
    syntax::resolve_labels(source, &mut diagnostics);
    timer.lap("verify");
    let can_be_lowered = !faults.structure && module.functions().len() > 0;
    (module, diagnostics, can_be_lowered)
}

/// Whether the head of that function could not be read.
fn is_lost(module: &Module, name: &str) -> bool {
    module.symbols.find(name).is_some_and(|name| module.lost.contains(&name))
}

/// Runs any passes on a text, and returns the module as MLIR text.
pub fn optimize(source: &Source, passes: &[Pass], options: &Options) -> (String, Diagnostics) {
    optimize_observed(source, passes, options, |_, _| {})
}

/// Runs any passes on a text, and returns the module as MLIR text. `after` sees the module after each pass.
pub fn optimize_observed(
    source: &Source,
    passes: &[Pass],
    options: &Options,
    mut after: impl FnMut(&Pass, &Module),
) -> (String, Diagnostics) {
    let (mut module, mut diagnostics) = parse(source);
    if !diagnostics.has_errors() {
        let mut cx = Context::new(source, options, &mut diagnostics);
        // The callback never stops the run.
        let _ = pass::run(passes, &mut module, &mut cx, |pass, module| {
            after(pass, module);
            ControlFlow::Continue(())
        });
        syntax::resolve_labels(source, &mut diagnostics);
    }
    (ir::print(&module, source, None), diagnostics)
}

// A server converts on one thread and writes on another.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Conversion>();
    is_send::<Options>();
};
