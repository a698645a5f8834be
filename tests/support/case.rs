//! Fixture files: the header, the cases, and the expectations after each; see `tests/fixtures.rs` for the format.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Deserialize;

use super::value::{self, Tensor};

const SEPARATOR: &str = "// -----";
const BLOCK_STARTS: [&str; 2] = ["// graph ", "// after:"];

/// The `//!` lines of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The opset to convert to; the compiler's own choice without it.
    pub opset: Option<u32>,
    /// The runtime that the model is for.
    pub target: Option<String>,
    /// Dimensions of inputs to make dynamic: `x:0=batch`.
    #[serde(default)]
    pub dynamic: Vec<String>,
    pub rtol: Option<f64>,
    pub atol: Option<f64>,
    /// The parts of the test of an op; both by default.
    pub test: Option<Vec<Part>>,
    /// The passes to run, in fixtures/passes.
    pub pass: Option<String>,
    /// Whether the graph shows the names of its nodes.
    #[serde(default)]
    pub node_names: bool,
    /// The families of fusions to explain.
    #[serde(default)]
    pub explain_fusion: Vec<String>,
    /// Whether products compute in f16.
    #[serde(default)]
    pub float16: bool,
    /// Whether modules become functions.
    #[serde(default)]
    pub keep_functions: bool,
    /// Whether NaN is exact at the cost of speed.
    #[serde(default)]
    pub strict_nan: bool,
    /// Passes that do not run.
    #[serde(default)]
    pub skip_passes: Vec<String>,
    /// Who made the `out:` lines: read by `fixtures/values.py`.
    #[serde(default)]
    pub values: Values,
}

/// One part of the test of an op.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The printed model equals the `graph` block.
    Graph,
    /// The model, run on the `in:` lines, returns the `out:` lines.
    Run,
}

/// Who made the `out:` lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Values {
    #[default]
    Xla,
    Hand,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
        let header = lines.collect::<Vec<_>>().join("\n");
        toml::from_str(&header).map_err(|error| format!("in the //! header: {error}"))
    }

    /// Whether a part of the test is requested.
    pub fn wants(&self, part: Part) -> bool {
        self.test.as_ref().is_none_or(|parts| parts.contains(&part))
    }
}

/// A fixture file, with the cases as they will be written back by `BLESS=1`.
pub struct FixtureFile {
    pub path: PathBuf,
    pub header: Header,
    pub cases: Vec<Case>,
    texts: Mutex<Vec<String>>,
}

/// One case of a file.
pub struct Case {
    /// The name of the case's function.
    pub name: String,
    /// Its place in the file.
    pub index: usize,
    /// Lines of the file before it.
    pub line: usize,
    /// The whole case, between the separators.
    pub text: String,
}

/// Inputs and the outputs that belong to them.
#[derive(Debug, Default)]
pub struct Run {
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
}

impl FixtureFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let header = Header::parse(&text)?;
        let mut cases: Vec<Case> = Vec::new();
        let mut line = 0;
        for (index, text) in split_cases(&text).into_iter().enumerate() {
            let name =
                entry_name(&text).ok_or_else(|| format!("the case at line {} has no function", line + 1))?;
            if cases.iter().any(|case| case.name == name) {
                return Err(format!("two cases have the name {name}"));
            }
            let lines = text.lines().count() + 1;
            cases.push(Case { name, index, line, text });
            line += lines;
        }
        let texts = Mutex::new(cases.iter().map(|case| case.text.clone()).collect());
        Ok(FixtureFile { path: path.to_owned(), header, cases, texts })
    }

    /// Replaces the text of a case and writes the file.
    pub fn rewrite(&self, case: &Case, text: String) -> Result<(), String> {
        let mut texts = self.texts.lock().map_err(|error| error.to_string())?;
        texts[case.index] = text;
        fs::write(&self.path, texts.join(&format!("{SEPARATOR}\n"))).map_err(|error| error.to_string())
    }
}

fn split_cases(text: &str) -> Vec<String> {
    let mut cases = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match (line.trim_end() == SEPARATOR, cases.last_mut()) {
            (false, Some(case)) => case.push_str(line),
            _ => cases.push(String::new()),
        }
    }
    cases
}

/// The public function, or the first that is not private.
fn entry_name(text: &str) -> Option<String> {
    let name = |rest: &str| {
        let rest = rest.trim_start().strip_prefix('@')?;
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_$.-".contains(c))).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let functions = || code.split("func.func").skip(1).map(str::trim_start);
    functions()
        .find_map(|rest| name(rest.strip_prefix("public")?))
        .or_else(|| functions().filter(|rest| !rest.starts_with("private")).find_map(name))
}

impl Case {
    /// The MLIR text, moved down so that positions in it are positions in the file.
    pub fn source(&self) -> String {
        "\n".repeat(self.line) + self.split_block().0
    }

    /// The `in:` and `out:` lines.
    pub fn runs(&self) -> Result<Vec<Run>, String> {
        let mut runs: Vec<Run> = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            let at = |error| format!("line {}: {error}", self.line + number + 1);
            if let Some(text) = line.strip_prefix("// in:") {
                if runs.last().is_none_or(|run| !run.outputs.is_empty()) {
                    runs.push(Run::default());
                }
                let input = value::parse(text).map_err(at)?;
                runs.last_mut().into_iter().for_each(|run| run.inputs.push(input.clone()));
            }
            if let Some(text) = line.strip_prefix("// out:") {
                if runs.is_empty() {
                    runs.push(Run::default());
                }
                let output = value::parse(text).map_err(at)?;
                runs.last_mut().into_iter().for_each(|run| run.outputs.push(output.clone()));
            }
        }
        Ok(runs)
    }

    /// The text before the blessed block, and the block without its `// `.
    ///
    /// The block starts at a line `// graph ...` or `// after:` and ends with the case.
    fn split_block(&self) -> (&str, String) {
        let mut offset = 0;
        for line in self.text.split_inclusive('\n') {
            if BLOCK_STARTS.iter().any(|start| line.starts_with(start)) {
                let block = self.text[offset..].lines().map(|line| line.strip_prefix("// ").unwrap_or(""));
                return (&self.text[..offset], block.collect::<Vec<_>>().join("\n").trim_end().to_owned());
            }
            offset += line.len();
        }
        (&self.text, String::new())
    }

    /// The blessed block, without comment marks; empty if there is none.
    pub fn block(&self) -> String {
        self.split_block().1
    }

    /// The case with another block.
    pub fn with_block(&self, block: &str) -> String {
        let before = self.split_block().0.trim_end_matches(['\n', ' ']);
        let before = before.strip_suffix("\n//").unwrap_or(before);
        let mut text = format!("{before}\n//\n");
        for line in block.lines() {
            text += format!("// {line}").trim_end();
            text.push('\n');
        }
        text
    }
}
