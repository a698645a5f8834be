//! The graph of a model as pictures that need no script: one of the whole, and one of each group that is folded there.

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
    let (sheets, has_more) = graph.sheets(prefix, BYTES);
    let _ = writeln!(out, "<h3 id=\"{prefix}-graph\">Graph</h3>");
    let mut pictures = sheets.iter().map(|sheet| {
        let svg = &sheet.picture.svg;
        format!("<div class=\"picture\" tabindex=\"0\" role=\"region\" aria-label=\"Graph\">{svg}</div>\n")
    });
    if sheets.len() > 1 {
        out.push_str(
            "<p class=\"hint\">A link in the picture leads to the picture of what is folded there.</p>\n",
        );
    }
    out.extend(pictures.next());
    if sheets.len() > 1 {
        out.push_str("<details class=\"sheet\"><summary>What is folded</summary>\n<div class=\"below\">");
        for (sheet, picture) in sheets[1..].iter().zip(pictures) {
            let (anchor, path) = (&sheet.anchor, escape(&sheet.path, 300));
            let _ = writeln!(
                out,
                "<details class=\"sheet\" id=\"{anchor}\"><summary>{path}</summary>\n{picture}</details>"
            );
        }
        out.push_str("</div></details>\n");
    }
    if has_more {
        out.push_str(
            "<p class=\"elided\">More pictures are not shown: the size of this page is limited.</p>\n",
        );
    }
}
