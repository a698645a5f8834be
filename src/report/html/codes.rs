//! The manual pages of the codes that a report mentions, so that the page explains them without a network.

use crate::diagnostic::Code;
use crate::report::Report;
use pulldown_cmark::{Options, Parser};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The section; problems link to the anchors in it, which are the codes.
pub(super) fn section(out: &mut String, report: &Report) {
    let problems = report.files.iter().flat_map(|file| &file.problems);
    let codes: BTreeMap<&str, Code> = problems.map(|problem| (problem.code.as_str(), problem.code)).collect();
    if codes.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"codes\">\n<h2 id=\"codes\">What the codes mean</h2>\n");
    for (name, code) in codes {
        let _ = writeln!(
            out,
            "<details class=\"file manual\" id=\"{name}\"><summary><h3>{name}: {}</h3></summary>\n{}</details>",
            code.name(),
            explanation(code)
        );
    }
    out.push_str("</section>\n");
}

/// The manual page of a code without its title, as HTML.
pub(super) fn explanation(code: Code) -> String {
    let page = code.explanation();
    let (_, body) = page.split_once('\n').unwrap_or(("", &page));
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, Parser::new_ext(body, Options::ENABLE_TABLES));
    html
}
