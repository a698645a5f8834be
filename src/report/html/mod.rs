//! A report as one page for a browser.
//!
//! The page needs no network and no other file: its content security policy allows only its own style and script. All
//! text from the input goes through `escape`. Large parts are omitted by a budget, and the page states how much.

mod escape;
mod file;
mod modules;
mod problems;

use super::text::{bytes, grouped, verdict, verdicts};
use super::{FileReport, Report, Verdict};
use escape::escape;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

/// Bytes of all parts of one kind. Two kinds with their frame stay below 2 MB.
const BUDGET: usize = 900_000;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes that parts of one kind may still take.
struct Budget {
    left: usize,
}

impl Budget {
    fn new(left: usize) -> Self {
        Self { left }
    }

    /// Whether a part fits, which is then counted.
    fn takes(&mut self, part: &str) -> bool {
        let fits = part.len() <= self.left;
        self.left = if fits { self.left - part.len() } else { 0 };
        fits
    }
}

/// The page. Writing to a string cannot fail, so results of `write!` are dropped here and in the parts.
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    head(&mut body, report);
    body.push_str("<main id=\"main\">\n");
    if report.files.len() > 1 {
        overview(&mut body, report);
    }
    problems::section(&mut body, report);
    let mut budget = Budget::new(BUDGET);
    for (index, file) in report.files.iter().enumerate() {
        let part = file::section(file, index, report.files.len() <= 3);
        if !budget.takes(&part) {
            let left = report.files.len() - index;
            let _ = writeln!(
                body,
                "<p class=\"elided\">{left} more {} not shown; <code>--format json</code> has everything.</p>",
                if left == 1 { "file is" } else { "files are" }
            );
            break;
        }
        body.push_str(&part);
    }
    let _ = writeln!(
        body,
        "</main>\n<footer><p>Made by <code>hlo2onnx check</code> {}. This page is one file and loads nothing.</p></footer>",
        env!("CARGO_PKG_VERSION")
    );
    // A text cannot know the nonce of a page that it is part of, so even markup that got through would not run.
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let nonce = format!("{:016x}", hasher.finish());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; \
         form-action 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n{body}\
         <script nonce=\"{nonce}\">\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&title(report), 200)
    )
}

fn title(report: &Report) -> String {
    match report.files.as_slice() {
        [only] => format!("{} {}", base_name(&only.file), verdict(only)),
        files => format!("{} texts: {}", files.len(), verdicts(&report.summary)),
    }
}

/// The name of a file without its folders.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The folders of a file, set back after its name.
fn folder(path: &str) -> String {
    match &path[..path.len() - base_name(path).len()] {
        "" => String::new(),
        folder => format!("<span class=\"folder\">{}</span>", escape(folder, 120)),
    }
}

/// The class and the words of a verdict.
fn verdict_words(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Exact => ("exact", "exact"),
        Verdict::Approximate => ("approximate", "approximate"),
        Verdict::Refused => ("refused", "does not convert"),
    }
}

fn head(out: &mut String, report: &Report) {
    let summary = &report.summary;
    let (headline, class) = match report.files.as_slice() {
        [only] => (
            match only.verdict {
                Verdict::Exact => "Converts exactly",
                Verdict::Approximate => "Converts, with differences",
                Verdict::Refused => "Does not convert",
            }
            .to_owned(),
            verdict_words(only.verdict).0,
        ),
        files => {
            let converted = summary.exact + summary.approximate;
            let class = match (summary.refused, summary.approximate) {
                (0, 0) => "exact",
                (0, _) => "approximate",
                _ => "refused",
            };
            (format!("{converted} of {} texts convert", files.len()), class)
        }
    };
    let _ = write!(
        out,
        "<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header class=\"top {class}\">\n\
         <p class=\"mark\">hlo2onnx <span>check</span></p>\n<h1>{headline}</h1>\n"
    );
    match report.files.as_slice() {
        [only] => {
            let _ = writeln!(out, "<p class=\"path\">{}</p>", escape(&only.file, 300));
        }
        _ => {
            let _ = writeln!(out, "<p class=\"tally\">{}</p>", escape(&verdicts(summary), 300));
            share(out, report);
        }
    }
    out.push_str("<dl class=\"figures\">\n");
    let mut figure = |term: &str, value: &str| {
        let _ = writeln!(out, "<div><dt>{term}</dt><dd>{value}</dd></div>");
    };
    figure("Errors", &grouped(summary.counts.error as u64));
    figure("Warnings", &grouped(summary.counts.warning as u64));
    figure("Advice", &grouped(summary.counts.advice as u64));
    let ops: usize = summary.source_ops.iter().map(|op| op.count).sum();
    figure("Ops in the text", &grouped(ops as u64));
    let nodes: usize = summary.nodes.iter().map(|node| node.count).sum();
    if nodes > 0 {
        figure("ONNX nodes", &grouped(nodes as u64));
    }
    figure("Parameters", &grouped(summary.parameters));
    figure("Weights", &bytes(summary.weight_bytes));
    if let [FileReport { opset: Some(opset), .. }] = report.files.as_slice() {
        figure("Opset", &opset.to_string());
    }
    out.push_str("</dl>\n</header>\n");
}

/// The verdicts as parts of one bar.
fn share(out: &mut String, report: &Report) {
    let summary = &report.summary;
    let total = summary.files.max(1) as f64;
    out.push_str(
        "<svg class=\"share\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    let mut at = 0.0;
    let parts =
        [("exact", summary.exact), ("approximate", summary.approximate), ("refused", summary.refused)];
    for (class, count) in parts {
        let width = count as f64 / total * 100.0;
        let _ = write!(out, "<rect class=\"{class}\" x=\"{at:.3}\" width=\"{width:.3}\" height=\"4\"/>");
        at += width;
    }
    out.push_str("</svg>\n");
}

/// The table of all files.
fn overview(out: &mut String, report: &Report) {
    out.push_str(
        "<section aria-labelledby=\"files\">\n<h2 id=\"files\">Files</h2>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-labelledby=\"files\"><table class=\"files\">\n<thead><tr><th scope=\"col\">File</th>\
         <th scope=\"col\">Verdict</th><th scope=\"col\" class=\"n\">Errors</th><th scope=\"col\" class=\"n\">Warnings</th>\
         <th scope=\"col\" class=\"n\">Ops</th><th scope=\"col\" class=\"n\">Nodes</th>\
         <th scope=\"col\" class=\"n\">Parameters</th><th scope=\"col\" class=\"n\">Opset</th></tr></thead>\n<tbody>\n",
    );
    let mut budget = Budget::new(BUDGET / 6);
    for (index, file) in report.files.iter().enumerate() {
        let (class, words) = verdict_words(file.verdict);
        let ops: usize = file.source_ops.iter().map(|op| op.count).sum();
        let nodes: usize = file.nodes.iter().map(|node| node.count).sum();
        let row = format!(
            "<tr><th scope=\"row\">{}<a href=\"#file{index}\">{}</a></th><td><span class=\"verdict {class}\">{words}</span></td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            folder(&file.file),
            escape(base_name(&file.file), 120),
            file.counts.error,
            file.counts.warning,
            grouped(ops as u64),
            grouped(nodes as u64),
            grouped(file.parameters),
            file.opset.map_or_else(|| "–".to_owned(), |opset| opset.to_string())
        );
        if !budget.takes(&row) {
            let left = report.files.len() - index;
            let _ = writeln!(out, "<tr><td colspan=\"8\">and {left} more files</td></tr>");
            break;
        }
        out.push_str(&row);
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

/// A bar as long as its share of a whole, with a second part in front where there is one.
fn bar(value: u64, whole: u64, class: &str) -> String {
    let width = if whole == 0 { 0.0 } else { value as f64 / whole as f64 * 100.0 };
    // What is there is seen.
    let width = if value > 0 { width.max(0.6) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"rail\" width=\"100\" height=\"8\"/><rect class=\"{class}\" width=\"{width:.2}\" height=\"8\"/></svg>"
    )
}
