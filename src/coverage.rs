//! What is covered: the tables of the lowering and of the passes before it, as one.

use crate::ops::FAMILIES;
use crate::pass;
use std::fmt::Write;

/// What is known of one op.
#[derive(Clone, Debug)]
pub struct Covered {
    /// The family whose file has its row.
    pub family: &'static str,
    /// Its name with its dialect.
    pub op: &'static str,
    /// The classes of element types that it takes, in words.
    pub elements: String,
    /// Why its lowering is not the obvious one; empty where it is.
    pub note: &'static str,
}

/// All ops that are covered, by family and name.
pub fn coverage() -> Vec<Covered> {
    let complex = pass::complex_ops();
    let mut rows = Vec::new();
    for (family, table) in FAMILIES {
        // Ops of the compiler's own dialect are no part of a text.
        for row in table.iter().filter(|row| !row.name.starts_with("hlo2onnx.")) {
            let mut elements = row.elements.describe();
            if complex.contains(row.name) && !elements.contains("complex") {
                elements.push_str(", complex");
            }
            if pass::takes_narrow(row.name) {
                elements = format!("{}, f4, f6, f8", elements.trim_end_matches(", f8"));
            }
            rows.push(Covered { family, op: row.name, elements, note: row.note });
        }
    }
    for &op in &complex {
        if crate::ops::find(op).is_none() && !crate::ops::is_structural(op) {
            rows.push(Covered { family: "complex", op, elements: "complex".into(), note: "" });
        }
    }
    rows.sort_by_key(|row| (row.family, row.op));
    rows
}

/// The table of coverage in Markdown, as README.md has it.
pub fn coverage_markdown() -> String {
    let mut text = String::from("| family | op | element types | note |\n| --- | --- | --- | --- |\n");
    for Covered { family, op, elements, note } in coverage() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {family} | `{op}` | {elements} | {note} |");
    }
    text
}
