//! `hlo2onnx explain`.

use super::{Outcome, print};
use hlo2onnx::diagnostic::{Code, nearest};

/// Runs the command.
pub fn run(code: Option<&str>) -> Outcome {
    let Some(name) = code else {
        for code in Code::all() {
            print(&format!("{}  {}: {}\n", code.as_str(), code.name(), code.summary()));
        }
        return Outcome::Done;
    };
    match Code::parse(name) {
        Some(code) => {
            print(&code.explanation());
            Outcome::Done
        }
        None => Outcome::Usage(match nearest(&name.to_uppercase(), Code::all().map(|code| code.as_str())) {
            Some(near) => format!("there is no code `{name}`; did you mean {near}?"),
            None => format!("there is no code `{name}`; `hlo2onnx explain` lists them"),
        }),
    }
}
