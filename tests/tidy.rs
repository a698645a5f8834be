//! Rules that the compiler does not check: sizes, names, the direction of imports, and the contents of tracked files.

use hlo2onnx::coverage;
use hlo2onnx::ir::OpName;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A longer file has more than one subject.
const MOST_LINES: usize = 600;
/// Names that do not describe the contents.
const FORBIDDEN_MODULES: [&str; 6] = ["utils", "util", "common", "helpers", "types", "misc"];
/// The top-level modules that a module may use; unlisted ones (`lib.rs`, `main.rs`, `cli`) may use all.
const IMPORTS: [(&str, &[&str]); 14] = [
    ("format", &[]),
    ("bytecode", &["format"]),
    ("source", &["bytecode", "format"]),
    ("diagnostic", &["source", "bytecode", "format"]),
    ("ir", &["source", "diagnostic"]),
    ("syntax", &["bytecode", "format", "source", "diagnostic", "ir"]),
    ("target", &["diagnostic", "ir"]),
    ("ops", &["source", "diagnostic", "ir", "options", "target"]),
    ("pass", &["source", "diagnostic", "ir", "ops", "options", "target", "weights"]),
    ("onnx", &["source", "diagnostic", "ir"]),
    ("weights", &["format", "source", "ir"]),
    ("options", &["target", "weights"]),
    ("lsp", &["source", "diagnostic", "ir", "syntax", "ops", "pass"]),
    ("report", &["source", "diagnostic", "ir", "ops", "pass", "onnx", "target"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that Git tracks or would track, relative to the root; all files without Git.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output();
    let mut files: Vec<PathBuf> = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(PathBuf::from).collect()
        }
        _ => walk(root()),
    };
    files.retain(|path| root().join(path).is_file());
    files.sort();
    assert!(files.iter().any(|path| path == Path::new("src/lib.rs")), "the list of files lacks src/lib.rs");
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let ignored = ["target", ".venv", ".git"].iter().any(|ignored| name == *ignored);
        match (ignored, path.is_dir()) {
            (true, _) => {}
            (false, true) => files.extend(walk(&path)),
            (false, false) => files.extend(path.strip_prefix(root()).map(Path::to_owned)),
        }
    }
    files
}

fn text_files() -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| Some((path.clone(), fs::read_to_string(root().join(&path)).ok()?));
    files().into_iter().filter_map(read).collect()
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
}

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_op_is_in_a_fixture() {
    let fixtures = ["fixtures/ops", "fixtures/passes"];
    let is_fixture = |path: &Path| fixtures.iter().any(|folder| path.starts_with(folder));
    let texts: Vec<String> =
        text_files().into_iter().filter(|(path, _)| is_fixture(path)).map(|(_, text)| text).collect();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let names: BTreeSet<&str> = texts.iter().flat_map(|text| text.split(|letter| !is_name(letter))).collect();
    let missing = coverage().into_iter().filter(|covered| !names.contains(covered.op));
    assert_none(missing.map(|covered| format!("no fixture has `{}`", covered.op)).collect());
}

#[test]
fn files_have_one_subject() {
    let long = text_files()
        .into_iter()
        .filter(|(path, text)| has_extension(path, &["rs"]) && !text.starts_with("// @generated"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES);
    assert_none(long.map(|(path, lines)| format!("{}: {lines} lines", path.display())).collect());
}

#[test]
fn modules_are_named_for_their_subject() {
    let forbidden = files().into_iter().filter(|path| has_extension(path, &["rs"])).filter(|path| {
        let stems = path.iter().map(|part| part.to_str().unwrap_or_default().trim_end_matches(".rs"));
        stems.into_iter().any(|stem| FORBIDDEN_MODULES.contains(&stem))
    });
    assert_none(forbidden.map(|path| path.display().to_string()).collect());
}

#[test]
fn text_has_no_tabs_or_trailing_space() {
    let mut problems = Vec::new();
    for (path, text) in text_files() {
        // Third-party files are kept unchanged: licenses, and ONNX's schema.
        if !has_extension(&path, &["rs", "py", "md", "toml", "mlir", "pest", "txt", "yml"]) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if line.contains(['\t', '\r']) || line.ends_with(' ') {
                problems.push(format!("{}:{}: a tab or trailing space", path.display(), number + 1));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            problems.push(format!("{}: no newline at the end", path.display()));
        }
    }
    assert_none(problems);
}

/// Fixtures must not contain paths of the machine that generated them.
#[test]
fn no_file_names_a_home_folder() {
    // Concatenated here, so that this file does not contain them.
    let marks = ["home", "Users", "root"].map(|folder| format!("/{folder}/"));
    let mut problems = Vec::new();
    for path in files() {
        let bytes = fs::read(root().join(&path)).unwrap_or_default();
        let found = marks.iter().find(|mark| memchr::memmem::find(&bytes, mark.as_bytes()).is_some());
        problems.extend(found.map(|mark| format!("{}: contains {mark}", path.display())));
    }
    assert_none(problems);
}

/// The committed texts of the models are the same wherever `make.py` runs.
#[test]
fn locations_in_models_are_relative() {
    let models = text_files().into_iter().filter(|(path, _)| path.starts_with("fixtures/models"));
    let absolute = models.filter(|(path, text)| has_extension(path, &["mlir"]) && text.contains("loc(\"/"));
    assert_none(absolute.map(|(path, _)| path.display().to_string()).collect());
}

/// Files in which names of ops occur as text: their table, messages, and code that reads a program's text.
const SPELLS_OPS: [&str; 7] = [
    "src/ir/dialect.rs",
    "src/diagnostic",
    "src/format",
    "src/lsp",
    "src/source",
    "src/syntax",
    "src/weights",
];
/// Targets of custom calls that are spelled like ops.
const MOST_SPELLED: usize = 4;

/// The name of an op in a string can be misspelled; a constant of `ir::stablehlo` cannot.
#[test]
fn names_of_ops_are_constants() {
    let names: BTreeSet<&str> = OpName::all()
        .flat_map(|op| [Some(op.text()), op.is_node().then(|| op.mnemonic())])
        .flatten()
        .collect();
    let mut spelled = Vec::new();
    for (path, text) in text_files() {
        let is_code = path.starts_with("src") && has_extension(&path, &["rs"]) && !path.ends_with("tests.rs");
        if !is_code || SPELLS_OPS.iter().any(|exempt| path.starts_with(exempt)) {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            let words = line.split('"').filter(|word| !is_comment && names.contains(word));
            spelled.extend(words.map(|word| format!("{}:{}: \"{word}\"", path.display(), number + 1)));
        }
    }
    assert!(spelled.len() <= MOST_SPELLED, "\n{}", spelled.join("\n"));
}

#[test]
fn imports_flow_one_way() {
    let mut problems = Vec::new();
    for (path, text) in text_files() {
        let Some(module) = top_level_module(&path) else { continue };
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else { continue };
        for used in crate_paths(&text) {
            let known = IMPORTS.iter().any(|(name, _)| *name == used);
            if known && used != module && !allowed.contains(&used.as_str()) {
                problems.push(format!("{}: `{module}` may not use `{used}`", path.display()));
            }
        }
    }
    assert_none(problems);
}

/// `ir` for `src/ir/module.rs` and for `src/ir.rs`.
fn top_level_module(path: &Path) -> Option<String> {
    let first = path.strip_prefix("src").ok()?.iter().next()?.to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// The top-level modules that a text names by `crate::X` or `crate::{X::..., Y}`, except in comments.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut starts = true;
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => starts = true,
                c if starts && !c.is_whitespace() => {
                    used.insert(name(&group[at..]));
                    starts = false;
                }
                _ => {}
            }
        }
    }
    used
}

#[test]
fn imports_in_groups_are_found() {
    let text = "use crate::{ir::{Module, Op}, source::Span};\n// crate::pass\nlet x = crate::onnx::file();\n";
    assert_eq!(crate_paths(text).into_iter().collect::<Vec<_>>(), ["ir", "onnx", "source"]);
}

/// A family is a file or folder in `src/ops`, or a pass that rewrites its ops, and its fixtures are a folder of the
/// same name.
#[test]
fn fixture_folders_are_op_families() {
    let families: BTreeSet<PathBuf> = files()
        .iter()
        .filter_map(|path| path.strip_prefix("fixtures/ops").ok()?.iter().next().map(PathBuf::from))
        .collect();
    let has_source = |family: &Path| {
        ["src/ops", "src/pass"].iter().any(|folder| {
            let path = root().join(folder).join(family);
            path.join("mod.rs").is_file() || path.with_extension("rs").is_file()
        })
    };
    let missing = families.iter().filter(|family| !has_source(family));
    assert_none(missing.map(|family| format!("fixtures/ops/{} has no src file", family.display())).collect());
}

/// The part of `version` that Cargo compares: major and minor.
fn minor(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The package builds with the Rust version in `Cargo.toml`. The tests may need a newer one.
#[test]
fn dependencies_build_with_the_oldest_rust() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo writes JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut pending: Vec<Value> = list(&metadata["workspace_members"]);
    assert!(!pending.is_empty() && !nodes.is_empty());
    while let Some(id) = pending.pop() {
        if !used.insert(id.to_string()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).expect("each package has its dependencies");
        let is_built =
            |dependency: &Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
        pending.extend(
            list(&node["deps"]).into_iter().filter(is_built).map(|dependency| dependency["pkg"].clone()),
        );
    }
    let packages = list(&metadata["packages"]);
    let own =
        packages.iter().find(|package| package["name"] == "hlo2onnx").expect("the package is its own member");
    let oldest = own["rust_version"].as_str().expect("Cargo.toml has a rust-version");
    let newer =
        packages.iter().filter(|package| used.contains(&package["id"].to_string())).filter_map(|package| {
            let needed = package["rust_version"].as_str().filter(|needed| minor(needed) > minor(oldest))?;
            Some(format!("{} {} needs Rust {needed}", package["name"], package["version"]))
        });
    assert_none(newer.collect());
    for page in ["README.md", "docs/index.md"] {
        let text = fs::read_to_string(root().join(page)).expect("the page exists");
        assert!(text.contains(&format!("Rust {oldest} or newer")), "{page} does not state Rust {oldest}");
    }
}
