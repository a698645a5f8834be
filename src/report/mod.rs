//! The contents of a text and the model it becomes: the data of `hlo2onnx check`.
//!
//! [`check`] converts a text without writing a model and returns a [`FileReport`]: its problems; its inputs, outputs
//! and weights with their sizes; its ops with their ONNX nodes; its module tree; and where the model may differ from
//! the program. [`text`] and [`html`] render reports; [`Report`] is the schema of `--format json`, which
//! `docs/check.md` describes.

mod contents;
mod escape;
mod graph;
pub mod html;
mod modules;
mod placement;
mod problem;
mod summary;
mod tensor;
pub mod text;

pub use contents::{NodeCount, SourceOp};
pub use graph::{Graph, Node, Picture, Sheet};
pub use modules::ModuleRow;
pub use placement::{MissingKind, Placement};
pub use problem::Problem;
pub use summary::{OpTotal, Summary};
pub use tensor::{Size, Tensor, Weight, WeightOrigin, weight_module};

use crate::diagnostic::{Code, Diagnostics, PythonSources, Severity, catalog, json};
use crate::ir::{Element, Module, OpId, ValueId, onnx as nodes};
use crate::onnx;
use crate::source::Source;
use crate::{Conversion, Options, convert_observed};
use contents::Contents;
use serde::Serialize;

/// The version of the schema of [`Report`].
pub const SCHEMA: u32 = 1;

/// Whether and how a text converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Converted; the only known difference is kernel rounding.
    Exact,
    /// There is a model, and it can differ from the program in ways that are named.
    Approximate,
    /// There is no model.
    Refused,
}

/// A way in which the model can differ from the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of difference: `nan`, `precision`, or `excess_precision`.
    pub kind: &'static str,
    /// One sentence, in lower case and without a full stop.
    pub message: String,
    /// How many ops it concerns.
    pub ops: usize,
}

/// The number of distinct diagnostics by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct SeverityCounts {
    pub error: usize,
    pub warning: usize,
    pub advice: usize,
}

/// Everything about one text.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// The name of the text.
    pub file: String,
    /// Whether and how it converts.
    pub verdict: Verdict,
    /// The opset of the model.
    pub opset: Option<i64>,
    /// Which nodes the target does not run, if a target is named and the program could be lowered.
    pub placement: Option<Placement>,
    /// How many diagnostics there are.
    pub counts: SeverityCounts,
    /// Where the model may differ from the program.
    pub differences: Vec<Difference>,
    /// The inputs of the model, or of the program if there is no model, without weights.
    pub inputs: Vec<Tensor>,
    /// The outputs.
    pub outputs: Vec<Tensor>,
    /// The weights: arguments of a collection of variables, bound or not, and constants of the text with elements that
    /// differ.
    pub weights: Vec<Weight>,
    /// How many arguments were bound to the tensors of files.
    pub bound: usize,
    /// Number of elements of all weights.
    pub parameters: u64,
    /// Bytes of all weights.
    pub weight_bytes: u64,
    /// The ops of the text, most frequent first.
    pub source_ops: Vec<SourceOp>,
    /// The nodes of the model, most frequent first.
    pub nodes: Vec<NodeCount>,
    /// The tree of modules, each before those below it.
    pub modules: Vec<ModuleRow>,
    /// The diagnostics, in the form of [`json`].
    pub diagnostics: serde_json::Value,
    /// The diagnostics by fault, ready to be drawn.
    #[serde(skip)]
    pub problems: Vec<Problem>,
    /// The nodes of the model, ready to be drawn.
    #[serde(skip)]
    pub graph: Option<Graph>,
}

/// All texts of one run: the schema of `check --format json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// All files together.
    pub summary: Summary,
    /// The files in the order in which they were given.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Files and their summary.
    pub fn new(files: Vec<FileReport>) -> Self {
        Self { schema: SCHEMA, summary: Summary::of(&files), files }
    }
}

/// Converts a text without writing a model, and reports on it, without the graph. The diagnostics are separate from the
/// report, so that they can be completed before [`FileReport::diagnose`] takes them in.
pub fn check(source: &Source, options: &Options) -> (FileReport, Diagnostics) {
    let (report, conversion) = report(source, options, false);
    (report, conversion.diagnostics)
}

/// Converts a text, and reports on it with the graph. The report lacks the diagnostics, as that of [`check`] does.
pub fn convert<'a>(source: &'a Source, options: &Options) -> (FileReport, Conversion<'a>) {
    report(source, options, true)
}

fn report<'a>(source: &'a Source, options: &Options, has_graph: bool) -> (FileReport, Conversion<'a>) {
    // The first pass keeps the original ops and names symbolic sizes. If the text cannot be parsed no pass runs, and
    // the module has only the parsed parts.
    let mut contents = None;
    let conversion = convert_observed(source, options, |_, module| {
        contents.get_or_insert_with(|| Contents::of(module, source));
    });
    let Conversion { module, diagnostics, .. } = &conversion;
    let mut contents = contents.unwrap_or_else(|| Contents::of(module, source));
    contents.add_errors(diagnostics);
    let mut report = alone(source);
    report.bound = conversion.bound;
    if conversion.model.is_some() {
        report.nodes =
            onnx::inventory(module).into_iter().map(|(op, count)| NodeCount { op, count }).collect();
        report.opset = opset(module);
        report.graph = has_graph.then(|| Graph::of(module, &contents));
        let widened = contents.add_nodes(module);
        report.differences = differences(diagnostics, widened);
        report.differences.extend(options.float16.then(|| halved(module)).flatten());
        report.verdict = if report.differences.is_empty() { Verdict::Exact } else { Verdict::Approximate };
        // The model's names are better than those of the text, and its complex tensors are real.
        contents.take_converted_signature(module, conversion.bound);
    }
    let of_target = [catalog::NoKernel::CODE, catalog::WrongOnTarget::CODE];
    let lowered = diagnostics.errors().all(|error| of_target.contains(&error.code()));
    if let (Some(target), Some(opset), true) = (options.target, module.opset(), lowered) {
        report.placement = Some(Placement::of(module, target, opset));
    }
    report.modules = modules::rows(&contents.op_modules, &contents.weights);
    report.parameters = contents.weights.iter().filter_map(|weight| weight.tensor.size.elements).sum();
    report.weight_bytes = contents.weights.iter().filter_map(|weight| weight.tensor.size.bytes).sum();
    report.source_ops = contents.rows();
    (report.inputs, report.outputs, report.weights) = (contents.inputs, contents.outputs, contents.weights);
    (report, conversion)
}

/// The report on an unreadable text.
pub fn alone(source: &Source) -> FileReport {
    FileReport {
        file: source.name().to_owned(),
        verdict: Verdict::Refused,
        opset: None,
        placement: None,
        counts: SeverityCounts::default(),
        differences: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        weights: Vec::new(),
        bound: 0,
        parameters: 0,
        weight_bytes: 0,
        source_ops: Vec::new(),
        nodes: Vec::new(),
        modules: Vec::new(),
        diagnostics: serde_json::Value::Null,
        problems: Vec::new(),
        graph: None,
    }
}

impl FileReport {
    /// Adds the diagnostics of the text. `python` returns the contents of files that their frames name.
    pub fn diagnose(&mut self, diagnostics: &Diagnostics, source: &Source, python: &PythonSources<'_>) {
        // The diagnostics are plain data, which always serializes.
        self.diagnostics = serde_json::to_value(json::report(diagnostics, source)).unwrap_or_default();
        self.problems = problem::problems(diagnostics, source, python);
        self.counts = SeverityCounts::default();
        for problem in &self.problems {
            *self.counts.of_mut(problem.severity) += problem.count;
        }
    }
}

impl SeverityCounts {
    fn of_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Error => &mut self.error,
            Severity::Warning => &mut self.warning,
            Severity::Advice => &mut self.advice,
        }
    }
}

/// The opset that a converted module has as an attribute.
fn opset(module: &Module) -> Option<i64> {
    let mut attributes = module.attributes.iter();
    attributes
        .find(|(name, _)| module.symbols.get(*name) == "onnx.opset")
        .and_then(|(_, value)| value.as_integer())
}

/// Diagnostics that state that numbers can differ, with the kind of the difference.
const DIFFERENCES: &[(Code, &str)] = &[
    (catalog::NanNotPropagated::CODE, "nan"),
    (catalog::NanSign::CODE, "nan"),
    (catalog::ReducedPrecision::CODE, "precision"),
    (catalog::NarrowerNumbers::CODE, "precision"),
    (catalog::ExcessPrecision::CODE, "excess_precision"),
];

/// The difference that `--float16` makes.
fn halved(module: &Module) -> Option<Difference> {
    let is_half = |&value: &ValueId| module.tensor(value).is_some_and(|ty| ty.element == Element::F16);
    let computes = |op: &OpId| {
        let operation = module.op(*op);
        operation.name.is_node() && operation.name != nodes::CAST && operation.results.iter().any(is_half)
    };
    let ops = module.reachable_ops().into_iter().filter(computes).count();
    let message = "ops compute in `f16`, and numbers above 65504 become infinite".to_owned();
    (ops > 0).then_some(Difference { kind: "precision", message, ops })
}

/// The differences from diagnostics, and from widened regions.
fn differences(diagnostics: &Diagnostics, widened: Vec<(String, usize)>) -> Vec<Difference> {
    let mut found = Vec::new();
    for group in diagnostics.grouped() {
        let Some(first) = group.first() else { continue };
        let Some(&(_, kind)) = DIFFERENCES.iter().find(|(code, _)| *code == first.code()) else { continue };
        found.push(Difference { kind, message: first.message.clone(), ops: group.len() });
    }
    for (element, ops) in widened {
        let message = format!(
            "ops on `{element}` are computed in a wider type, without intermediate rounding, as XLA's excess precision allows"
        );
        found.push(Difference { kind: "excess_precision", message, ops });
    }
    found
}
