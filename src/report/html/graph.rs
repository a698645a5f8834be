//! The graph of a model as pictures that need no script: one of the whole, and one of each module that is folded there.

use super::Budget;
use crate::report::Graph;
use crate::report::escape::escape;
use std::fmt::Write;

/// Bytes that the pictures of a file may take.
const BYTES: usize = 400_000;

/// The section of a file, whose anchors begin with `prefix`.
pub(super) fn section(out: &mut String, graph: &Graph, prefix: &str) {
    if graph.nodes.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<h3 id=\"{prefix}-graph\">Graph</h3>\n<p class=\"hint\">A box with a number of nodes is a module, and leads to its own \
         picture.</p>"
    );
    let mut budget = Budget::new(BYTES);
    let (mut sheets, mut shown, mut left) = (String::new(), 0, 0);
    for (index, sheet) in graph.sheets(prefix).enumerate() {
        let picture = format!(
            "<div class=\"picture\" tabindex=\"0\" role=\"region\" aria-label=\"Graph\">{}</div>\n",
            sheet.picture.svg
        );
        if !budget.takes(&picture) {
            left += 1;
            continue;
        }
        if index == 0 {
            out.push_str(&picture);
            continue;
        }
        shown += 1;
        let _ = writeln!(
            sheets,
            "<details class=\"sheet\" id=\"{}\"><summary>{}</summary>\n{picture}</details>",
            sheet.anchor,
            escape(&sheet.path, 300)
        );
    }
    if shown > 0 {
        let modules = if shown == 1 { "module" } else { "modules" };
        let _ = writeln!(
            out,
            "<details class=\"sheet\"><summary>Pictures of {shown} folded {modules}</summary>\n<div class=\"below\">{sheets}</div></details>"
        );
    }
    if left > 0 {
        let pictures = if left == 1 { "picture is" } else { "pictures are" };
        let _ =
            writeln!(out, "<p class=\"elided\">{left} more {pictures} not shown: this page has a limit.</p>");
    }
}
