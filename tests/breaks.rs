//! Real exports, each broken in one place: the messages are next to `fixtures/errors/models/breaks.toml`.
//!
//! People judge whether a message is good; this test checks that it names the fault, the location and the remedy.
//! `BLESS=1 cargo test --test breaks` writes the texts.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use hlo2onnx::diagnostic::{Severity, Style, render};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Breaks {
    r#break: Vec<Break>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    name: String,
    why: String,
    model: String,
    after: Option<String>,
    find: String,
    #[serde(default)]
    replace: String,
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    also: Vec<(String, String)>,
    code: String,
    names: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("fixtures/errors/models")
}

fn breaks() -> Vec<Break> {
    let text = fs::read_to_string(folder().join("breaks.toml")).unwrap();
    toml::from_str::<Breaks>(&text).unwrap_or_else(|error| panic!("breaks.toml: {error}")).r#break
}

impl Break {
    fn broken(&self) -> String {
        let path = root().join("fixtures/models").join(&self.model);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let missing = || -> usize { panic!("{}: `{}` is not in {}", self.name, self.find, self.model) };
        let from = self.after.as_ref().map_or(0, |after| text.find(after.as_str()).unwrap_or_else(missing));
        let at = from + text[from..].find(&self.find).unwrap_or_else(missing);
        if self.cut {
            return text[..at].to_owned();
        }
        let text = format!("{}{}{}", &text[..at], self.replace, &text[at + self.find.len()..]);
        self.also.iter().fold(text, |text, (find, replace)| {
            assert!(text.contains(find), "{}: `{find}` is not in the text", self.name);
            text.replacen(find, replace, 1)
        })
    }
}

#[test]
fn messages_name_fault_place_and_cure() {
    let mut problems = Vec::new();
    for case in breaks() {
        let name = case.model.rsplit('/').next().unwrap();
        let source = Source::from_bytes(name, case.broken().into_bytes());
        let conversion = convert(&source, &Options::default());
        assert!(conversion.model.is_none(), "{}: it converts", case.name);
        let sorted = conversion.diagnostics.sorted();
        let first = sorted.iter().find(|diagnostic| diagnostic.severity() == Severity::Error).unwrap();
        let text = render(&conversion.diagnostics, &source, &|_| None, Style::PLAIN);
        // One mistake causes one message, or a few.
        let errors = conversion.diagnostics.grouped().len();
        let lacking: Vec<&String> =
            case.names.iter().filter(|name| !unwrapped(&text).contains(*name)).collect();
        if first.code().as_str() != case.code || !lacking.is_empty() || errors > 3 {
            problems
                .push(format!("{} ({}): lacks {lacking:?}, {errors} messages\n{text}", case.name, case.why));
            continue;
        }
        problems.extend(expect(&folder().join(format!("{}.txt", case.name)), &text).err());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// The text without line breaks that wrap it.
fn unwrapped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "|").collect();
    words.join(" ")
}

#[test]
fn each_text_belongs_to_a_break() {
    let known: BTreeSet<String> = breaks().iter().map(|case| format!("{}.txt", case.name)).collect();
    let files =
        fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let there: BTreeSet<String> = files.filter(|name| name.ends_with(".txt")).collect();
    assert_eq!(there, known);
}

fn expect(path: &Path, actual: &str) -> Result<(), String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        return fs::write(path, actual).map_err(|error| error.to_string());
    }
    let diff = similar::TextDiff::from_lines(expected.as_str(), actual);
    let diff = diff.unified_diff().context_radius(4).header("expected", "actual").to_string();
    Err(format!(
        "{}\n{diff}\nIf the change is right, write it with BLESS=1 cargo test --test breaks",
        path.display()
    ))
}
