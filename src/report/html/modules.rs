//! The tree of modules, each with its share of the parameters.

use super::bar;
use super::file::ty;
use crate::diagnostic::grouped;
use crate::report::escape::escape;
use crate::report::text::bytes;
use crate::report::{FileReport, ModuleRow, Weight};
use std::fmt::Write;

/// Modules that are shown of a file.
const MODULES: usize = 400;

/// Weights that are shown of one module.
const WEIGHTS: usize = 12;

/// Weights that are shown of a file.
const ALL_WEIGHTS: usize = 600;

/// A tree of lists that fold.
pub(super) fn tree(out: &mut String, file: &FileReport) {
    if file.modules.is_empty() {
        return;
    }
    let whole = file.parameters.max(1);
    out.push_str(
        "<h3>Modules and weights</h3>\n<div class=\"tree\">\n<div class=\"head\" aria-hidden=\"true\">\
         <span>Module</span><span class=\"figure\">Parameters</span><span class=\"figure\">Size</span>\
         <span class=\"figure\">Ops</span></div>\n",
    );
    let mut open = 0;
    let mut weights_left = ALL_WEIGHTS;
    let shown = file.modules.len().min(MODULES);
    for (index, row) in file.modules.iter().take(shown).enumerate() {
        // What was opened as deep or deeper ends here.
        while open > row.depth {
            out.push_str("</div></details>\n");
            open -= 1;
        }
        let below = file.modules.get(index + 1).is_some_and(|next| next.depth > row.depth);
        let leaf = !below && row.weights.is_empty();
        if leaf {
            let _ = writeln!(out, "<div class=\"leaf\">{}</div>", line(row, whole));
            continue;
        }
        let unfolded = if row.depth < 1 { " open" } else { "" };
        let _ =
            writeln!(out, "<details{unfolded}><summary>{}</summary><div class=\"below\">", line(row, whole));
        open += 1;
        weights(out, file, row, &mut weights_left);
    }
    while open > 0 {
        out.push_str("</div></details>\n");
        open -= 1;
    }
    out.push_str("</div>\n");
    if file.modules.len() > shown {
        let left = grouped((file.modules.len() - shown) as u64);
        let _ =
            writeln!(out, "<p class=\"elided\">and {left} more modules, counted with those above them</p>");
    }
}

/// Name, share, parameters and bytes, ops.
fn line(row: &ModuleRow, whole: u64) -> String {
    let name = row.path.rsplit('/').next().unwrap_or_default();
    let name = match name {
        "" => "<em>outside all modules</em>".to_owned(),
        name => escape(name, 100),
    };
    let (parameters, size) = match row.parameters {
        0 => ("–".to_owned(), String::new()),
        count => (grouped(count), bytes(row.bytes)),
    };
    let ops = match row.ops {
        0 => String::new(),
        1 => "1 op".to_owned(),
        count => format!("{} ops", grouped(count)),
    };
    format!(
        "<span class=\"name\">{name}</span>{}<span class=\"figure\">{parameters}</span>\
         <span class=\"figure\">{size}</span><span class=\"figure\">{ops}</span>",
        bar(row.parameters, whole, "fill")
    )
}

fn weights(out: &mut String, file: &FileReport, row: &ModuleRow, left: &mut usize) {
    if row.weights.is_empty() {
        return;
    }
    let own: Vec<&Weight> = row.weights.iter().filter_map(|&index| file.weights.get(index)).collect();
    let shown = own.len().min(WEIGHTS).min(*left);
    *left -= shown;
    out.push_str("<ul class=\"weights\">\n");
    for weight in &own[..shown] {
        let tensor = &weight.tensor;
        // The modules before the last part are above.
        let name = tensor.name.rsplit('/').next().unwrap_or(&tensor.name);
        let parameters = tensor.size.elements.map_or_else(|| "–".to_owned(), grouped);
        let _ = writeln!(
            out,
            "<li><span class=\"name\">{} {}</span><span class=\"figure\">{parameters}</span>\
             <span class=\"figure\">{}</span></li>",
            escape(name, 100),
            ty(tensor),
            tensor.size.bytes.map_or_else(String::new, bytes)
        );
    }
    if own.len() > shown {
        let _ = writeln!(
            out,
            "<li><span class=\"name\">and {} more</span></li>",
            grouped((own.len() - shown) as u64)
        );
    }
    out.push_str("</ul>\n");
}
