//! Runs the fixtures: every `.mlir` file under `fixtures/ops`, `fixtures/errors` and `fixtures/passes`.
//!
//! A file holds cases, separated by lines `// -----`. A case is StableHLO text, and its name is that of its function
//! (the `public` one, else the first that is not private). The first lines of a file may be a TOML header in `//!`
//! comments: `opset`, `target`, `dynamic = ["x:0=batch"]`, `explain_fusion`, `float16`, `keep_functions`, `strict_nan`,
//! `skip_passes`, `rtol`, `atol`, `test = ["graph", "run"]`, `pass`, `node_names`, `values = "hand"`.
//!
//! **fixtures/ops/FAMILY/\*.mlir**: the model runs on the `in:` values and must return the `out:` values, and its graph
//! must equal the one after them. Any error diagnostic fails.
//!
//! ```text
//! func.func @negative_dividend(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
//!   %0 = stablehlo.remainder %a, %b : tensor<4xf32>
//!   return %0 : tensor<4xf32>
//! }
//! // in: f32[4] -7.0 7.0 -7.0 7.0
//! // in: f32[4] 3.0 -3.0 -3.0 3.0
//! // out: f32[4] -1.0 1.0 -1.0 1.0
//! //
//! // graph (float[4] arg0, float[4] arg1) => (float[4] result)
//! //   result = Mod <fmod = 1> (arg0, arg1)
//! ```
//!
//! A value is an MLIR element type, the dimensions, and the elements in row-major order: `i1[2] true false`, `ui8[] 3`,
//! `bf16[2] nan -inf`, `complex<f32>[1] (1.0,-2.0)`. An input may have a generator instead of elements: `f32[2,3]
//! range` (0, 1, 2, ...), `f32[64] uniform(SEED)` (between -1 and 1; integers -8 to 7, unsigned 0 to 15) or
//! `uniform(SEED,LOW,HIGH)`. An `in:` after an `out:` starts another run of the same model. XLA computes the `out:`
//! lines: `python fixtures/values.py FILE` writes them, after the inputs or in place of empty `// out:` lines. For a
//! program that XLA cannot run on a CPU, they are those of a private function `@twin`.
//!
//! **fixtures/errors/CODE.mlir** or **CODE_NAME.mlir**: each diagnostic is marked under its line, see
//! [`support::annotation`]; missing and extra ones fail. Advice counts only in files of an advice code.
//!
//! **fixtures/passes/PASS/\*.mlir**: the header names the passes, `//! pass = "canonicalize"`, and an `// after:` block
//! after the case has the resulting module.
//!
//! `BLESS=1 cargo test --test fixtures` rewrites the graph and `after:` blocks and moves carets. It never changes
//! values, or the codes that a file expects: a new error fixture starts with `// ^ E0201`.

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use support::case::{Case, FixtureFile, Header, Part};
use support::compare::{Tolerance, compare};
use support::compile::{Compiled, Finding, Settings, compile, run_passes};
use support::value::Tensor;
use support::{annotation, graph_text, runtime};

type Check = fn(&FixtureFile, &Case) -> Result<(), String>;

const FOLDERS: [(&str, Check); 3] =
    [("fixtures/ops", check_op), ("fixtures/errors", check_error), ("fixtures/passes", check_pass)];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut trials = Vec::new();
    for (folder, check) in FOLDERS {
        let mut paths = Vec::new();
        if let Err(error) = collect(&root.join(folder), &mut paths) {
            trials.push(failing(folder, error));
        }
        if paths.is_empty() {
            trials.push(failing(folder, "there is not one fixture".into()));
        }
        paths.sort();
        for path in paths {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            match FixtureFile::read(&path) {
                Ok(file) => trials.extend(trials_of(&name, file, check)),
                Err(error) => trials.push(failing(&name, error)),
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn failing(name: &str, error: String) -> Trial {
    Trial::test(name.to_owned(), move || Err(Failed::from(error)))
}

fn trials_of(name: &str, file: FixtureFile, check: Check) -> Vec<Trial> {
    let file = Arc::new(file);
    let trial = |index: usize| {
        let name = format!("{name}::{}", file.cases[index].name);
        let file = Arc::clone(&file);
        Trial::test(name, move || check(&file, &file.cases[index]).map_err(Failed::from))
    };
    (0..file.cases.len()).map(trial).collect()
}

/// Collects the `.mlir` files of a folder.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "mlir") {
            paths.push(path);
        }
    }
    Ok(())
}

fn settings(file: &FixtureFile) -> Settings {
    let Header { opset, float16, keep_functions, strict_nan, .. } = file.header;
    let skip_passes = file.header.skip_passes.clone();
    let (dynamic, target) = (file.header.dynamic.clone(), file.header.target.clone());
    let explain_fusion = file.header.explain_fusion.clone();
    Settings {
        opset,
        target,
        dynamic,
        explain_fusion,
        float16,
        keep_functions,
        strict_nan,
        skip_passes,
        ..Settings::default()
    }
}

fn compile_case(file: &FixtureFile, text: &str) -> Result<Compiled, String> {
    compile(&file.path.display().to_string(), text, &settings(file))
}

fn check_op(file: &FixtureFile, case: &Case) -> Result<(), String> {
    let compiled = compile_case(file, &case.source())?;
    if compiled.findings.iter().any(Finding::is_error) {
        return Err(format!("the case does not convert:\n{}", listing(&compiled.findings)));
    }
    let model = compiled.model.ok_or("there is neither a model nor an error")?;
    let graph = match file.header.wants(Part::Graph) {
        true => {
            graph_text::print(&model, file.header.node_names).and_then(|text| expect_block(file, case, &text))
        }
        false => Ok(()),
    };
    let run = match file.header.wants(Part::Run) {
        true => check_values(file, case, &model),
        false => Ok(()),
    };
    // A change usually affects both, so report both.
    match (graph, run) {
        (Err(graph), Err(run)) => Err(format!("{run}\n\n{graph}")),
        (graph, run) => graph.and(run),
    }
}

fn check_values(file: &FixtureFile, case: &Case, model: &[u8]) -> Result<(), String> {
    let runs = case.runs()?;
    if runs.is_empty() || runs.iter().any(|run| run.outputs.is_empty()) {
        return Err("the case has no `// out:` line: run `python fixtures/values.py` on the file".into());
    }
    for run in runs {
        let inputs: Vec<Tensor> = run.inputs.into_iter().map(Tensor::with_real_parts).collect();
        let outputs = runtime::run(model, &inputs)?;
        if outputs.len() != run.outputs.len() {
            return Err(format!("the model has {} outputs, expected {}", outputs.len(), run.outputs.len()));
        }
        for (i, (actual, expected)) in outputs.iter().zip(run.outputs).enumerate() {
            let mut tolerance = Tolerance::of_op(expected.element);
            tolerance.relative = file.header.rtol.unwrap_or(tolerance.relative);
            tolerance.absolute = file.header.atol.unwrap_or(tolerance.absolute);
            compare(actual, &expected.with_real_parts(), tolerance).map_err(|e| format!("output {i} {e}"))?;
        }
    }
    Ok(())
}

fn check_pass(file: &FixtureFile, case: &Case) -> Result<(), String> {
    let passes =
        file.header.pass.as_deref().ok_or("the header does not name a pass: `//! pass = \"...\"`")?;
    let name = file.path.display().to_string();
    let after = run_passes(&name, &case.source(), passes, &settings(file))?;
    let lines: Vec<String> = after.lines().map(|line| format!("  {line}")).collect();
    expect_block(file, case, &format!("after:\n{}", lines.join("\n")))
}

fn check_error(file: &FixtureFile, case: &Case) -> Result<(), String> {
    let stem = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let about = stem.split('_').next().unwrap_or_default();
    let (clean, expected) = annotation::strip(&case.text);
    let above = "\n".repeat(case.line);
    let mut findings = compile_case(file, &(above.clone() + &clean))?.findings;
    findings.retain(|finding| !finding.is_advice() || about.starts_with('A'));
    if !findings.iter().any(|finding| finding.code == about) {
        return Err(format!("{about} is not among the diagnostics:\n{}", listing(&findings)));
    }
    let annotated = annotation::annotate(&clean, above.len(), &findings);
    if annotated == case.text {
        return Ok(());
    }
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    codes.sort_unstable();
    expected.sort_unstable();
    if codes != expected {
        let listing = listing(&findings);
        return Err(format!("expects the codes {expected:?}, and the diagnostics are:\n{listing}"));
    }
    bless(file, case, &case.text, annotated)
}

fn listing(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "    none".into();
    }
    findings.iter().map(|f| format!("    {}: {} at {:?}\n", f.code, f.message, f.span)).collect()
}

fn expect_block(file: &FixtureFile, case: &Case, actual: &str) -> Result<(), String> {
    let expected = case.block();
    if actual.trim_end() == expected {
        return Ok(());
    }
    bless(file, case, &case.text, case.with_block(actual))
}

/// Writes the new output if requested; otherwise explains how.
fn bless(file: &FixtureFile, case: &Case, expected: &str, actual: String) -> Result<(), String> {
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        return file.rewrite(case, actual);
    }
    let diff = similar::TextDiff::from_lines(expected, &actual);
    let diff = diff.unified_diff().context_radius(4).header("expected", "actual").to_string();
    Err(format!("{diff}\nIf the change is right, write it with BLESS=1 cargo test --test fixtures"))
}
