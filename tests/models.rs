//! Converts the models of `fixtures/models` and compares what ONNX Runtime computes with what JAX computed.
//!
//! `fixtures/models/make.py` describes and makes the files: each `model*.mlir` of a folder runs on each of its
//! `io*.safetensors`, of which programs with symbolic sizes have several. The `args` form takes the weights, in JAX's order, before the inputs, and runs once more for each
//! `weights.*` of the folder with its arguments bound to that file. A text with locations runs once more with its modules
//! as functions.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use support::compare::{Tolerance, compare};
use support::compile::{Finding, Settings, compile};
use support::value::{Element, Tensor};
use support::{graph_text, runtime};

/// The files of weights that a model can have.
const WEIGHTS: [&str; 4] = ["weights.safetensors", "weights.npz", "weights.deflated.npz", "weights.msgpack"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models");
    let trials = match texts(&folder) {
        Ok(paths) => paths.into_iter().flat_map(|path| trials(&folder, path)).collect(),
        Err(error) => vec![Trial::test("fixtures/models", move || Err(Failed::from(error)))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A text as it is, and with its arguments bound to each file of weights.
fn trials(folder: &Path, path: PathBuf) -> Vec<Trial> {
    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    let is_args = path.file_name().is_some_and(|name| name == "model.args.mlir");
    let forms =
        WEIGHTS.map(|file| path.with_file_name(file)).into_iter().filter(|file| is_args && file.exists());
    let bound = forms.map(|weights| {
        let (path, file) = (path.clone(), weights.file_name().unwrap_or_default().display().to_string());
        let settings = Settings { weights: vec![weights], ..Settings::default() };
        Trial::test(format!("{name} with {file}"), move || check(&path, &settings).map_err(Failed::from))
    });
    let mut trials: Vec<Trial> = bound.collect();
    if fs::read_to_string(&path).is_ok_and(|text| text.contains("loc(\"jit(")) {
        let (path, name) = (path.clone(), format!("{name} with functions"));
        let settings = Settings { keep_functions: true, ..Settings::default() };
        trials.push(Trial::test(name, move || check(&path, &settings).map_err(Failed::from)));
    }
    trials.push(Trial::test(name, move || check(&path, &Settings::default()).map_err(Failed::from)));
    trials
}

/// The texts of all models, sorted.
fn texts(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        entries.map(|entry| Ok(entry.map_err(|error| error.to_string())?.path())).collect()
    };
    let mut paths = Vec::new();
    for model in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        let texts = list(&model)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "mlir"));
        let before = paths.len();
        paths.extend(texts);
        if paths.len() == before {
            return Err(format!("{} holds no .mlir file", model.display()));
        }
    }
    paths.sort();
    Ok(paths)
}

fn check(path: &Path, settings: &Settings) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let bound = !settings.weights.is_empty();
    let compiled = compile(&path.display().to_string(), &text, settings)?;
    let errors: Vec<&Finding> = compiled.findings.iter().filter(|finding| finding.is_error()).collect();
    if !errors.is_empty() {
        return Err(format!("the model does not convert: {errors:#?}"));
    }
    let model = compiled.model.ok_or("there is neither a model nor an error")?;
    graph_text::print(&model, false)?;

    let mut variables = Vec::new();
    if path.file_name().is_some_and(|name| name == "model.args.mlir") && !bound {
        variables = tensors(&read(&path.with_file_name("weights.safetensors"))?)?;
    }
    let runs = runs(path)?;
    if runs.is_empty() {
        return Err("there is no io*.safetensors beside the text".into());
    }
    for run in runs {
        check_run(&model, &variables, &read(&run)?).map_err(|error| format!("{}: {error}", run.display()))?;
    }
    Ok(())
}

/// The files of inputs and outputs beside a text, sorted.
fn runs(path: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = path.parent().ok_or("the text lies in no folder")?;
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("io.") && name.ends_with(".safetensors") {
            runs.push(path);
        }
    }
    runs.sort();
    Ok(runs)
}

fn check_run(model: &[u8], variables: &[Tensor], io: &[u8]) -> Result<(), String> {
    let mut inputs = variables.to_vec();
    inputs.extend(numbered(io, "in")?);
    let expected = numbered(io, "out")?;
    let outputs = runtime::run(model, &inputs)?;
    if outputs.len() != expected.len() {
        return Err(format!("the model has {} outputs, expected {}", outputs.len(), expected.len()));
    }
    for (i, (actual, expected)) in outputs.iter().zip(&expected).enumerate() {
        compare(actual, expected, Tolerance::of_model(expected))
            .map_err(|error| format!("output {i} {error}"))?;
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<SafeTensors<'_>, String> {
    SafeTensors::deserialize(bytes).map_err(|error| error.to_string())
}

/// The tensors `PREFIX.0`, `PREFIX.1`, ...
fn numbered(bytes: &[u8], prefix: &str) -> Result<Vec<Tensor>, String> {
    let file = open(bytes)?;
    let views = (0..).map_while(|i| file.tensor(&format!("{prefix}.{i}")).ok());
    views.map(|view| tensor(&view)).collect()
}

/// All tensors in the order in which JAX flattens nested dictionaries: sorted by path, part by part.
fn tensors(bytes: &[u8]) -> Result<Vec<Tensor>, String> {
    let mut named = open(bytes)?.tensors();
    named.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    named.iter().map(|(_, view)| tensor(view)).collect()
}

fn tensor(view: &TensorView) -> Result<Tensor, String> {
    let element = match view.dtype() {
        Dtype::BOOL => Element::I1,
        Dtype::I32 => Element::I32,
        Dtype::I64 => Element::I64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => return Err(format!("no model has tensors of {other:?} yet")),
    };
    Ok(Tensor { element, dims: view.shape().to_vec(), bytes: view.data().to_vec() })
}
