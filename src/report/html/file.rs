//! One file: its inputs and outputs, differences, ops and modules.

use super::{bar, base_name, folder, modules, verdict_words};
use crate::diagnostic::grouped;
use crate::report::escape::{escape, sentence};
use crate::report::text::size;
use crate::report::{FileReport, NodeCount, Placement, SourceOp, Tensor};
use std::fmt::Write;

/// Tensors of a signature that are shown.
const TENSORS: usize = 60;

/// Kinds of ops that are shown.
const KINDS: usize = 80;

/// Kinds of nodes that are shown for one op.
const BECOMES: usize = 8;

/// The section of a file, collapsible if there are several.
pub(super) fn section(file: &FileReport, index: usize, open: bool) -> String {
    let (class, words) = verdict_words(file.verdict);
    let mut out = format!(
        "<details class=\"file\" id=\"file{index}\"{}>\n<summary><h2>{}{}</h2> <span class=\"verdict {class}\">{words}</span></summary>\n",
        if open { " open" } else { "" },
        folder(&file.file),
        escape(base_name(&file.file), 200)
    );
    if !file.differences.is_empty() {
        out.push_str("<h3>Where the model can differ</h3>\n<ul class=\"differences\">\n");
        for difference in &file.differences {
            let ops = if difference.ops == 1 { "op" } else { "ops" };
            let _ = writeln!(
                out,
                "<li>{} <span class=\"count\">{} {ops}</span></li>",
                sentence(&difference.message, 400),
                grouped(difference.ops)
            );
        }
        out.push_str("</ul>\n");
    }
    signature(&mut out, file);
    if let Some(placement) = &file.placement {
        place(&mut out, placement);
    }
    if let Some(graph) = &file.graph {
        super::graph::section(&mut out, graph, &format!("file{index}"));
    }
    inventory(&mut out, file);
    modules::tree(&mut out, file);
    out.push_str("</details>\n");
    out
}

fn signature(out: &mut String, file: &FileReport) {
    if file.inputs.is_empty() && file.outputs.is_empty() {
        return;
    }
    out.push_str("<h3>Inputs and outputs</h3>\n<div class=\"signature\">\n");
    for (word, tensors) in [("Inputs", &file.inputs), ("Outputs", &file.outputs)] {
        if tensors.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "<table class=\"tensors\"><caption>{word}</caption><thead><tr><th scope=\"col\">Name</th>\
             <th scope=\"col\">Type</th><th scope=\"col\" class=\"n\">Size</th></tr></thead>\n<tbody>\n"
        );
        for tensor in tensors.iter().take(TENSORS) {
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td></tr>",
                escape(&tensor.name, 120),
                ty(tensor),
                escape(&size(&tensor.size), 120)
            );
        }
        if tensors.len() > TENSORS {
            let _ = writeln!(out, "<tr><td colspan=\"3\">and {} more</td></tr>", tensors.len() - TENSORS);
        }
        out.push_str("</tbody></table>\n");
    }
    out.push_str("</div>\n");
}

/// A type with its symbolic dimensions set off.
pub(super) fn ty(tensor: &Tensor) -> String {
    let dims: Vec<String> = tensor
        .dims
        .iter()
        .map(|dim| match dim.bytes().all(|byte| byte.is_ascii_digit()) {
            true => escape(dim, 60),
            false => format!("<i>{}</i>", escape(dim, 60)),
        })
        .collect();
    format!("<code class=\"type\">{}[{}]</code>", escape(&tensor.element, 80), dims.join(", "))
}

/// The nodes that the target does not run.
fn place(out: &mut String, placement: &Placement) {
    let _ = writeln!(out, "<h3>Target</h3>\n<p>{}</p>", sentence(&placement.sentence(), 400));
    if placement.kinds.is_empty() {
        return;
    }
    out.push_str("<ul class=\"differences\">\n");
    for kind in placement.kinds.iter().take(KINDS) {
        let nodes = if kind.count == 1 { "node" } else { "nodes" };
        let _ = writeln!(
            out,
            "<li>{} <span class=\"count\">{} {nodes}</span></li>",
            sentence(&kind.sentence(), 400),
            grouped(kind.count)
        );
    }
    if placement.kinds.len() > KINDS {
        let _ = writeln!(out, "<li>and {} more kinds</li>", placement.kinds.len() - KINDS);
    }
    out.push_str("</ul>\n");
}

/// The ops as a bar chart, with the ONNX nodes of each.
fn inventory(out: &mut String, file: &FileReport) {
    if file.source_ops.is_empty() {
        return;
    }
    let most = file.source_ops.iter().map(|op| op.count as u64).max().unwrap_or(0);
    let converted = !file.nodes.is_empty();
    let becomes = if converted { "ONNX nodes made of it" } else { "" };
    let _ = write!(
        out,
        "<h3>Ops</h3>\n<table class=\"ops\"><thead><tr><th scope=\"col\">StableHLO op</th><th scope=\"col\" class=\"n\">Count</th>\
         <td></td><th scope=\"col\">{becomes}</th></tr></thead>\n<tbody>\n"
    );
    for op in file.source_ops.iter().take(KINDS) {
        row(out, op, most, converted);
    }
    if let Some(rest) = file.source_ops.get(KINDS..).filter(|rest| !rest.is_empty()) {
        let count: usize = rest.iter().map(|op| op.count).sum();
        let _ = writeln!(
            out,
            "<tr><td colspan=\"4\">and {} ops of {} more kinds</td></tr>",
            grouped(count),
            rest.len()
        );
    }
    out.push_str("</tbody></table>\n");
}

fn row(out: &mut String, op: &SourceOp, most: u64, converted: bool) {
    let (class, becomes) = match (op.supported, op.refused) {
        (false, _) => ("op missing", "<span class=\"missing\">not supported</span>".to_owned()),
        (true, 0) if !converted => ("op", String::new()),
        (true, 0) if op.becomes.is_empty() => ("op", "<span class=\"gone\">–</span>".to_owned()),
        (true, 0) => ("op", kinds(&op.becomes)),
        (true, refused) => {
            ("op missing", format!("<span class=\"missing\">{} refused</span>", grouped(refused)))
        }
    };
    // The dialect is the same nearly everywhere and steps back.
    let name = match op.op.split_once('.') {
        Some((dialect, name)) => {
            format!("<span class=\"dialect\">{}.</span>{}", escape(dialect, 40), escape(name, 100))
        }
        None => escape(&op.op, 140),
    };
    let _ = writeln!(
        out,
        "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td class=\"n\">{}</td><td class=\"chart\">{}</td><td class=\"becomes\">{becomes}</td></tr>",
        grouped(op.count),
        bar(op.count as u64, most, "fill")
    );
}

fn kinds(nodes: &[NodeCount]) -> String {
    let mut shown: Vec<String> = nodes
        .iter()
        .take(BECOMES)
        .map(|node| format!("<span class=\"node\"><b>{}</b> {}</span>", node.count, escape(&node.op, 60)))
        .collect();
    if nodes.len() > BECOMES {
        shown.push(format!("and {} more kinds", nodes.len() - BECOMES));
    }
    shown.join(" ")
}
