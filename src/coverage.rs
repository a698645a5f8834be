//! The coverage table, which combines the tables of the lowering and of the passes before it.

use crate::ir::Dialect;
use crate::ops::{self, FAMILIES, Row};
use crate::pass;
use std::fmt::Write;

/// The coverage of one op.
#[derive(Clone, Debug)]
pub struct Covered {
    /// The family whose file has its row.
    pub family: &'static str,
    /// Its name with its dialect.
    pub op: &'static str,
    /// The classes of element types that it takes, in words.
    pub elements: String,
    /// Whether it is folded if its operands are constants.
    pub folds: bool,
    /// Whether it can be row-wise, at least in some form, so that `--dynamic` supports it.
    pub batches: bool,
    /// Why its lowering is not the obvious one; empty where it is.
    pub note: &'static str,
}

/// All ops that are covered, by family and name.
pub fn coverage() -> Vec<Covered> {
    let complex = pass::complex_ops();
    let mut rows = Vec::new();
    for (family, tables) in FAMILIES {
        // Ops of the compiler's own dialect do not occur in texts.
        let in_texts = |row: &&Row| row.is_supported() && row.name.dialect() != Dialect::Hlo2Onnx;
        for row in tables.iter().copied().flatten().filter(in_texts) {
            let mut words = row.elements.words();
            // Element types that a pass replaces before the lowering are covered, too.
            let complex: &[&str] = if complex.contains(&row.name) { &["complex"] } else { &[] };
            let narrow: &[&str] = if pass::takes_small_floats(row.name) { &["f4", "f6", "f8"] } else { &[] };
            for &word in complex.iter().chain(narrow) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
            rows.push(Covered {
                family,
                op: row.name.text(),
                elements: words.join(", "),
                folds: ops::folds(row.name),
                batches: pass::takes_rows(row.name),
                note: row.note,
            });
        }
    }
    for &op in &complex {
        if ops::find(op).is_none() && !ops::is_structural(op) {
            rows.push(Covered {
                family: "complex",
                op: op.text(),
                elements: "complex".into(),
                folds: ops::folds(op),
                batches: pass::takes_rows(op),
                note: "",
            });
        }
    }
    rows.sort_by_key(|row| (row.family, row.op));
    rows
}

/// The table of coverage in Markdown, as docs/coverage.md has it.
pub fn coverage_markdown() -> String {
    let mut text = String::from(
        "| family | op | element types | folds | dynamic batch | note |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let mark = |holds: bool| if holds { "yes" } else { "" };
    for Covered { family, op, elements, folds, batches, note } in coverage() {
        // A bar would end the cell.
        let note = note.replace('|', "\\|");
        // Writing to a string cannot fail.
        let (folds, batches) = (mark(folds), mark(batches));
        let _ = writeln!(text, "| {family} | `{op}` | {elements} | {folds} | {batches} | {note} |");
    }
    text
}
