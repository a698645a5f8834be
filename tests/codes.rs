//! Checks the manual page of every code: the example triggers that code and no other, the fixed example does not, and
//! the output is in `fixtures/errors/codes`, as text and as JSON.
//!
//! An example does what a reader would do. A block of `mlir` is written to `model.mlir`; in a block of `python` the
//! lines that write files and make folders are interpreted (`save_file({...}, "F")`, `open("F", "w").write("...")`); a
//! block of `console` is run, and without one `hlo2onnx convert model.mlir`. The blocks after `Fixed:` replace those
//! before. `BLESS=1 cargo test --test codes` writes the output and docs/errors.md.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use hlo2onnx::diagnostic::{Code, Diagnostics, Style, json, render};
use hlo2onnx::ir::Module;
use hlo2onnx::pass::{Context, Pass};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, optimize};
use libtest_mimic::{Arguments, Failed, Trial};

/// Advice on every text without locations, which examples omit for brevity.
const NO_LOCATIONS: &str = "A0601";
/// The fixed command writes more than 2 GiB.
const TOO_LARGE_TO_MEND: &str = "E0403";
/// A fault of a pass, which no text triggers. A pass that is broken on purpose triggers it.
const FAULT_OF_A_PASS: &str = "E0115";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Code::all()
        .map(|code| Trial::test(code.as_str(), move || check(code).map_err(Failed::from)))
        .collect();
    trials.push(Trial::test("files", || check_files().map_err(Failed::from)));
    trials.push(Trial::test("docs", || {
        expect(&root().join("docs/errors.md"), &Code::manual()).map_err(Failed::from)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("fixtures/errors/codes")
}

/// A block of a page: its language and its lines.
struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some(Block { language: language.into(), text: String::new() }),
            (None, Some(mut block)) => {
                block.text += line;
                block.text += "\n";
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The blocks of the example, and those of the fixed one.
fn examples(code: Code) -> Result<(Vec<Block>, Vec<Block>), String> {
    let page = code.explanation();
    let (_, page) = page.split_once("\nAn example that triggers it").ok_or("the page has no example")?;
    let (example, rest) = page.split_once("\nWhat to do: ").ok_or("the page lacks `What to do: `")?;
    let (_, fixed) = rest.split_once("\nFixed:\n").ok_or("the page has no fixed example")?;
    Ok((blocks(example), blocks(fixed)))
}

/// What a run printed.
struct Printed {
    command: String,
    status: i32,
    stdout: String,
    stderr: String,
}

/// Writes the files of the blocks, and runs their command.
fn run(blocks: &[Block], at: &Path, extra: &[&str]) -> Result<Printed, String> {
    let mut command = "hlo2onnx convert model.mlir".to_owned();
    for block in blocks {
        match block.language.as_str() {
            "mlir" => fs::write(at.join("model.mlir"), &block.text).map_err(|error| error.to_string())?,
            "console" => command = block.text.trim().trim_start_matches("$ ").to_owned(),
            "python" => block.text.lines().try_for_each(|line| python(line, at))?,
            other => return Err(format!("unexpected block of `{other}`")),
        }
    }
    let arguments = command
        .strip_prefix("hlo2onnx ")
        .ok_or_else(|| format!("`{command}` is not a command of hlo2onnx"))?;
    let output: Output = Command::new(env!("CARGO_BIN_EXE_hlo2onnx"))
        .args(arguments.split_whitespace())
        .args(extra)
        .current_dir(at)
        .env("COLUMNS", "100")
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes| String::from_utf8(bytes).map_err(|error| error.to_string());
    let status = output.status.code().ok_or("the program was killed")?;
    Ok(Printed { command, status, stdout: text(output.stdout)?, stderr: text(output.stderr)? })
}

/// Does what a Python line does, if it writes files.
fn python(line: &str, at: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let quoted = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
    if let Some(rest) = line.strip_prefix("save_file({") {
        let (tensors, file) = rest.split_once("}, ").ok_or("a file is expected")?;
        return save(tensors, &at.join(quoted(file)));
    }
    if let Some(folder) = line.strip_prefix("os.makedirs(") {
        return fs::create_dir_all(at.join(quoted(folder))).map_err(text);
    }
    let Some(rest) = line.strip_prefix("open(") else { return Ok(()) };
    let (_, content) = rest.split_once(".write(").ok_or("a write is expected")?;
    let path = at.join(quoted(rest));
    let content = content.strip_suffix(')').ok_or("the end is expected")?;
    if let Some(part) = content.strip_prefix("exported.mlir_module_serialized") {
        let bytecode = fs::read(root().join("fixtures/bytecode/relu.mlirbc")).map_err(text)?;
        let length = part.trim_matches(['[', ':', ']']).parse().unwrap_or(bytecode.len());
        return fs::write(path, &bytecode[..length]).map_err(text);
    }
    if content == "exported.mlir_module()" {
        return fs::write(
            path,
            "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n",
        )
        .map_err(text);
    }
    let repeated = |part: &str| {
        let times = part.rsplit_once(" * ").and_then(|(_, times)| times.parse().ok()).unwrap_or(1);
        quoted(part).repeat(times)
    };
    fs::write(path, content.split(" + ").map(repeated).collect::<String>()).map_err(text)
}

/// Writes a file of safetensors from `"name": np.zeros(sizes, np.float32)` and `np.arange(size, dtype=np.float32)`.
fn save(tensors: &str, path: &Path) -> Result<(), String> {
    let mut header = serde_json::Map::new();
    let mut end: u64 = 0;
    for entry in tensors.split("\": np.").collect::<Vec<_>>().windows(2) {
        let name = entry[0].rsplit('"').next().unwrap_or_default();
        let sizes = entry[1].split("float32").next().unwrap_or_default();
        let sizes: Vec<u64> =
            sizes.split(|c: char| !c.is_ascii_digit()).filter_map(|size| size.parse().ok()).collect();
        let start = end;
        end += 4 * sizes.iter().product::<u64>();
        let entry = serde_json::json!({ "dtype": "F32", "shape": sizes, "data_offsets": [start, end] });
        header.insert(name.to_owned(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    // Padded as by the library, so that the offsets of elements are multiples of their size.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        if tensors.contains("arange") {
            (0..16u8).try_for_each(|number| file.write_all(&f32::from(number).to_le_bytes()))?;
        }
        // The rest is a hole of zeros, which takes no disk space: only the length matters.
        file.set_len(8 + header.len() as u64 + end)
    };
    write().map_err(|error| error.to_string())
}

/// The codes that a text names in headings.
fn codes(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let (severity, rest) = line.split_once('[')?;
        let (code, _) = rest.split_once("]:")?;
        ["error", "warning", "advice"].contains(&severity).then(|| code.to_owned())
    };
    text.lines().filter_map(heading).collect()
}

fn check(code: Code) -> Result<(), String> {
    if code.as_str() == FAULT_OF_A_PASS {
        let broken = Pass::new("broken", "takes the terminator away", take_terminator);
        return by_passes(code, &blocks(&code.explanation()), &[broken]);
    }
    let (example, fixed) = examples(code)?;
    let at = tempfile::tempdir().map_err(|error| error.to_string())?;
    let printed = run(&example, at.path(), &[])?;
    let mut found = codes(&printed.stderr);
    if code.as_str() != NO_LOCATIONS {
        found.remove(NO_LOCATIONS);
    }
    let failed = code.as_str().starts_with('E');
    if found != BTreeSet::from([code.to_string()]) || (printed.status == 1) != failed {
        return Err(format!(
            "the example reports {found:?} with the status {}:\n{}",
            printed.status, printed.stderr
        ));
    }
    if failed && ["model.onnx", "model.onnx.data"].iter().any(|name| at.path().join(name).exists()) {
        return Err("a model was written despite an error".into());
    }
    let text = format!("$ {}\n{}[status {}]\n", printed.command, printed.stderr, printed.status);
    let mut problems: Vec<String> = Vec::new();
    problems.extend(expect(&folder().join(format!("{code}.txt")), &text).err());
    if let Some((_, passes)) = printed.command.split_once(" --passes ") {
        let passes: Vec<Pass> =
            passes.split(',').filter_map(|name| hlo2onnx::pass::find(name).copied()).collect();
        problems.extend(by_passes(code, &example, &passes).err());
    } else {
        let json = run(&example, at.path(), &["--format", "json"])?;
        problems.extend(expect(&folder().join(format!("{code}.json")), &json.stdout).err());
    }
    if code.as_str() != TOO_LARGE_TO_MEND {
        let printed = run(&with(example, fixed), at.path(), &[])?;
        if printed.status != 0 || codes(&printed.stderr).contains(code.as_str()) {
            problems.push(format!("the fixed example is not fixed:\n{}", printed.stderr));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The fixed example: it keeps the files, and the command unless the fixed blocks have one.
fn with(example: Vec<Block>, fixed: Vec<Block>) -> Vec<Block> {
    example.into_iter().chain(fixed).collect()
}

/// The diagnostics of passes on the example, as text and as JSON.
fn by_passes(code: Code, example: &[Block], passes: &[Pass]) -> Result<(), String> {
    let text = example.iter().find(|block| block.language == "mlir").ok_or("the page has no text")?;
    let source = Source::from_bytes("model.mlir", text.text.clone().into_bytes());
    let (_, diagnostics): (String, Diagnostics) = optimize(&source, passes, &Options::default());
    let found: BTreeSet<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code()).collect();
    if found != BTreeSet::from([code]) {
        return Err(format!("the passes report {found:?}"));
    }
    let json =
        serde_json::to_string_pretty(&json::report(&diagnostics, &source)).map_err(|e| e.to_string())?;
    expect(&folder().join(format!("{code}.json")), &format!("{json}\n"))?;
    if code.as_str() != FAULT_OF_A_PASS {
        return Ok(());
    }
    expect(&folder().join(format!("{code}.txt")), &render(&diagnostics, &source, &|_| None, Style::PLAIN))
}

/// Removes the terminators of blocks.
fn take_terminator(module: &mut Module, _: &mut Context) {
    let entry =
        hlo2onnx::pass::entry(module).and_then(|entry| module.entry_block(module.function(entry).body));
    if let Some(block) = entry {
        module.block_mut(block).ops.pop();
    }
}

/// Every file belongs to a code.
fn check_files() -> Result<(), String> {
    let known: BTreeSet<String> =
        Code::all().flat_map(|code| [format!("{code}.txt"), format!("{code}.json")]).collect();
    let files = fs::read_dir(folder()).map_err(|error| error.to_string())?;
    let there: BTreeSet<String> =
        files.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    if there == known {
        return Ok(());
    }
    Err(format!("fixtures/errors/codes has missing or extra files: {:?}", there.symmetric_difference(&known)))
}

/// Compares with a file, or writes it if requested.
fn expect(path: &Path, actual: &str) -> Result<(), String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap_or(path)).map_err(|error| error.to_string())?;
        return fs::write(path, actual).map_err(|error| error.to_string());
    }
    let diff = similar::TextDiff::from_lines(expected.as_str(), actual);
    let diff = diff.unified_diff().context_radius(4).header("expected", "actual").to_string();
    Err(format!(
        "{}\n{diff}\nIf the change is right, write it with BLESS=1 cargo test --test codes",
        path.display()
    ))
}
