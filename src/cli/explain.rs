//! `hlo2onnx explain`.

use super::{CommandOutcome, print};
use crate::diagnostic::{Code, nearest};

/// Runs the command.
pub fn run(code: Option<&str>) -> CommandOutcome {
    let Some(name) = code else {
        for code in Code::all() {
            print(&format!("{}  {}: {}\n", code.as_str(), code.name(), code.summary()));
        }
        return CommandOutcome::Done;
    };
    match Code::parse(name) {
        Some(code) => {
            print(&code.explanation());
            CommandOutcome::Done
        }
        None => CommandOutcome::Usage(match near(name) {
            Some(code) => format!("unknown code `{name}`; did you mean {code} ({})?", code.name()),
            None => format!("unknown code `{name}`; `hlo2onnx explain` lists all codes"),
        }),
    }
}

/// The most similar code, by its number or, ignoring case, by its name.
fn near(name: &str) -> Option<Code> {
    if let Some(code) = nearest(&name.to_uppercase(), Code::all().map(|code| code.as_str())) {
        return Code::parse(code);
    }
    let names: Vec<String> = Code::all().map(|code| code.name().to_lowercase()).collect();
    let near = nearest(&name.to_lowercase(), names.iter().map(String::as_str))?;
    Code::all().find(|code| code.name().eq_ignore_ascii_case(near))
}
