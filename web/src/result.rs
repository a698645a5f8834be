//! What a conversion returns to the page.

use crate::pane::Pane;
use hlo2onnx::diagnostic::{Diagnostic, Diagnostics, PythonFrame};
use hlo2onnx::report::{self, FileReport, Graph, Picture};
use hlo2onnx::source::Source;
use serde::Serialize;
use std::collections::BTreeMap;

/// Places of repeats that are given.
const PLACES: usize = 12;

/// Everything about a conversion but the model.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ConversionResult {
    /// Why the options are not valid; then the rest is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    option_problem: Option<String>,
    report: Option<FileReport>,
    problems: Vec<Problem>,
    /// The manual pages of the codes of the problems, as HTML.
    explanations: BTreeMap<&'static str, String>,
    nodes: Vec<Node>,
    /// The modules that the picture shows unfolded at first.
    unfolded: Vec<String>,
    /// The length of the model file.
    pub bytes: u64,
    /// The stages and their milliseconds.
    pub timings: Vec<(&'static str, f64)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    code: &'static str,
    title: &'static str,
    severity: &'static str,
    message: String,
    help: Option<String>,
    notes: Vec<String>,
    module_path: Option<String>,
    python: Option<Frame>,
    count: usize,
    places: Vec<Place>,
    lines: Vec<usize>,
}

#[derive(Serialize)]
struct Frame {
    file: String,
    line: u32,
    column: u32,
    function: Option<String>,
}

#[derive(Serialize)]
struct Place {
    from: usize,
    to: usize,
    line: usize,
    column: usize,
    label: String,
}

#[derive(Serialize)]
struct Node {
    op: String,
    name: String,
    module: String,
    /// The groups of the picture that it is in, outermost first.
    groups: Vec<String>,
    #[serde(rename = "type")]
    ty: String,
    from: usize,
    to: usize,
    /// The line of the text, from 1; 0 if it is not known.
    line: usize,
    source: String,
    python: Option<String>,
}

/// A picture for the page.
#[derive(Serialize)]
pub struct PictureData {
    svg: String,
    width: f64,
    height: f64,
}

impl From<Picture> for PictureData {
    fn from(picture: Picture) -> Self {
        Self { svg: picture.svg, width: picture.width, height: picture.height }
    }
}

impl ConversionResult {
    /// An option is not valid.
    pub fn of_option(problem: String) -> Self {
        Self { option_problem: Some(problem), ..Self::default() }
    }

    /// The result for a report that has its diagnostics.
    pub fn new(report: FileReport, diagnostics: &Diagnostics, source: &Source, pane: &Pane) -> Self {
        let nodes = report.graph.as_ref().map(|graph| nodes(graph, source, pane)).unwrap_or_default();
        Self {
            problems: problems(diagnostics, source, pane),
            explanations: explanations(diagnostics),
            nodes,
            unfolded: report.graph.as_ref().map(Graph::unfolded_at_first).unwrap_or_default(),
            report: Some(report),
            ..Self::default()
        }
    }

    /// Takes the graph out.
    pub fn take_graph(&mut self) -> Option<Graph> {
        self.report.as_mut()?.graph.take()
    }
}

/// The faults by severity, and in the order of the text within each.
pub fn problems(diagnostics: &Diagnostics, source: &Source, pane: &Pane) -> Vec<Problem> {
    let mut groups = diagnostics.grouped();
    groups.sort_by_key(|group| group.first().map(|first| first.severity()));
    groups.iter().filter_map(|group| problem(group, source, pane)).collect()
}

fn problem(group: &[&Diagnostic], source: &Source, pane: &Pane) -> Option<Problem> {
    let first = group.first()?;
    let code = first.code();
    let places = first.labels.iter().map(|label| {
        let range = pane.range(label.span);
        let (line, column) = source.line_column(label.span.start);
        Place { from: range.start, to: range.end, line, column, label: label.text.clone() }
    });
    let with_place = group.iter().filter(|diagnostic| !diagnostic.labels.is_empty());
    let mut lines: Vec<usize> =
        with_place.map(|diagnostic| source.line_column(diagnostic.span().start).0).collect();
    lines.dedup();
    lines.truncate(PLACES);
    Some(Problem {
        code: code.as_str(),
        title: code.summary(),
        severity: code.severity().as_str(),
        message: first.message.clone(),
        help: first.help.clone(),
        notes: first.notes.clone(),
        module_path: first.module_path.clone(),
        python: first.python.as_ref().map(frame),
        count: group.len(),
        places: places.collect(),
        lines,
    })
}

fn explanations(diagnostics: &Diagnostics) -> BTreeMap<&'static str, String> {
    let mut pages = BTreeMap::new();
    for code in diagnostics.iter().map(Diagnostic::code) {
        pages.entry(code.as_str()).or_insert_with(|| report::html::explanation(code));
    }
    pages
}

fn frame(frame: &PythonFrame) -> Frame {
    Frame {
        file: frame.file.clone(),
        line: frame.line,
        column: frame.column,
        function: frame.function.clone(),
    }
}

fn nodes(graph: &Graph, source: &Source, pane: &Pane) -> Vec<Node> {
    let node = |(index, node): (usize, &report::Node)| {
        let range = pane.range(node.span);
        Node {
            op: node.op.clone(),
            name: node.name.clone(),
            module: node.module.clone(),
            groups: graph.groups_of(index).into_iter().map(str::to_owned).collect(),
            ty: node.ty.clone(),
            from: range.start,
            to: range.end,
            line: if node.span.is_none() { 0 } else { source.line_column(node.span.start).0 },
            source: node.source.clone(),
            python: node.python.as_ref().map(ToString::to_string),
        }
    };
    graph.nodes.iter().enumerate().map(node).collect()
}

/// The JSON of plain data, which always serializes.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
