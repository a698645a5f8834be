//! `hlo2onnx ops`.

use super::arguments::OpsArguments;
use super::{CommandOutcome, print};
use crate::{Covered, coverage, coverage_markdown};

/// Runs the command.
pub fn run(arguments: &OpsArguments) -> CommandOutcome {
    let text = if arguments.json {
        json()
    } else if arguments.markdown {
        coverage_markdown()
    } else {
        plain()
    };
    print(&text);
    CommandOutcome::Done
}

fn plain() -> String {
    let rows = coverage();
    let names = rows.iter().map(|row| row.op.len()).max().unwrap_or(0);
    let types = rows.iter().map(|row| row.elements.len()).max().unwrap_or(0);
    let (mut text, mut last) = (String::new(), "");
    for Covered { family, op, elements, note, .. } in rows {
        if family != last {
            text.push_str(&format!("{family}\n"));
            last = family;
        }
        let line = format!("  {op:<names$}  {elements:<types$}  {note}");
        text.push_str(&format!("{}\n", line.trim_end()));
    }
    text
}

fn json() -> String {
    let rows: Vec<serde_json::Value> = coverage()
        .into_iter()
        .map(|Covered { family, op, elements, folds, batches, note }| {
            serde_json::json!({
                "op": op,
                "family": family,
                "elements": elements,
                "folds": folds,
                "dynamic_batch": batches,
                "note": note,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}
