//! `hlo2onnx targets`.

use super::arguments::TargetsArguments;
use super::{CommandOutcome, print};
use crate::target::{ROWS, Row};

/// Runs the command.
pub fn run(arguments: &TargetsArguments) -> CommandOutcome {
    print(&if arguments.json { json() } else { plain() });
    CommandOutcome::Done
}

fn plain() -> String {
    let width = ROWS.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in ROWS {
        text.push_str(&format!("{:<width$}  {}\n", row.name, row.about));
        for (numbers, release) in row.groups() {
            let (opset, ir, default) = (release.opset, release.ir, release.default_opset);
            let line = format!("{numbers:<12}  opset {default}, up to {opset}; IR up to {ir}");
            text.push_str(&format!("{:<width$}  {line}\n", ""));
        }
    }
    text
}

fn json() -> String {
    let rows: Vec<serde_json::Value> = ROWS.iter().map(row).collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}

fn row(row: &Row) -> serde_json::Value {
    let releases: Vec<serde_json::Value> = row
        .releases
        .iter()
        .map(|release| {
            serde_json::json!({
                "version": release.number.to_string(),
                "default_opset": release.default_opset,
                "highest_opset": release.opset,
                "highest_ir_version": release.ir,
            })
        })
        .collect();
    serde_json::json!({ "target": row.name, "about": row.about, "releases": releases })
}
