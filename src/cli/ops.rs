//! `hlo2onnx ops`.

use super::arguments::OpsArguments;
use super::{Outcome, print};
use hlo2onnx::ops::FAMILIES;

/// Runs the command.
pub fn run(arguments: &OpsArguments) -> Outcome {
    let text = if arguments.json {
        json()
    } else if arguments.markdown {
        hlo2onnx::ops::markdown()
    } else {
        plain()
    };
    print(&text);
    Outcome::Done
}

fn plain() -> String {
    let mut text = String::new();
    for (family, rows) in FAMILIES {
        text.push_str(family);
        text.push('\n');
        for row in *rows {
            let line = format!("  {:<36}{:<36}{}", row.name, row.elements.describe(), row.note);
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

fn json() -> String {
    let rows: Vec<serde_json::Value> = FAMILIES
        .iter()
        .flat_map(|(family, rows)| rows.iter().map(move |row| (family, row)))
        .map(|(family, row)| {
            serde_json::json!({
                "op": row.name, "family": family, "elements": row.elements.describe(), "note": row.note,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}
