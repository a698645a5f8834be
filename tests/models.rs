//! Converts the models of `fixtures/models` and compares the results of ONNX Runtime with those of JAX.
//!
//! `fixtures/models/make.py` describes and writes the files: each `model*.mlir` of a folder runs on each of its
//! `io*.safetensors`; programs with symbolic sizes have several. The `args` form takes the weights, in JAX's order,
//! before the inputs; it runs once more for each `weights.*` of the folder with its arguments bound to that file, and
//! once as a model that refers to `weights.safetensors`. A text with locations runs once more with its modules as
//! functions.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hlo2onnx::Options;
use hlo2onnx::onnx::file::{self, ExternalData};
use hlo2onnx::source::Source;
use hlo2onnx::weights::{Weights, WeightsFile};
use libtest_mimic::{Arguments, Failed, Trial};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use support::compare::{Tolerance, compare};
use support::compile::{Finding, Settings, compile};
use support::value::{Element, Tensor};
use support::{graph_text, runtime};

/// The files of weights that a model can have.
const WEIGHTS: [&str; 4] = ["weights.safetensors", "weights.npz", "weights.deflated.npz", "weights.msgpack"];

/// The model that sorts along its batch, which therefore cannot be dynamic.
const MIXED: &str = "ranking";

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
    if is_args {
        let path = path.clone();
        let name = format!("{name} that refers to weights.safetensors");
        trials.push(Trial::test(name, move || refer(&path).map_err(Failed::from)));
    }
    if path.file_name().is_some_and(|name| name == "model.mlir") && !name.starts_with(MIXED) {
        let path = path.clone();
        trials.push(Trial::test(format!("{name} of any batch"), move || {
            check_rows(&path).map_err(Failed::from)
        }));
    }
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
            return Err(format!("{} contains no .mlir file", model.display()));
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
        return Err("no io*.safetensors next to the text".into());
    }
    for run in runs {
        check_run(&model, &variables, &read(&run)?).map_err(|error| format!("{}: {error}", run.display()))?;
    }
    Ok(())
}

/// Converts to a file that refers to the file of weights.
fn refer(path: &Path) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(|error| text(&error))?;
    let weights = folder.path().join("weights.safetensors");
    fs::copy(path.with_file_name("weights.safetensors"), &weights).map_err(|error| text(&error))?;
    let files = vec![WeightsFile::open(&weights).map_err(|error| text(&error))?];
    let weights = Weights { files, ..Weights::default() };
    let source = Source::open(path).map_err(|error| text(&error))?;
    let options = Options { weights, references_weights: true, ..Options::default() };
    let converted = hlo2onnx::convert(&source, &options);
    let model = converted.model.ok_or("the text does not convert")?;

    let output = folder.path().join("model.onnx");
    let written =
        file::write(&model, &output, ExternalData::Reference, &mut |_| {}).map_err(|error| text(&error))?;
    if (written.referenced_bytes > 0) != model.is_referable() || written.external_path.is_some() {
        return Err(format!("{written:?}"));
    }
    for run in runs(path)? {
        let io = fs::read(&run).map_err(|error| text(&error))?;
        let outputs = runtime::run_file(&output, &numbered(&io, "in")?)?;
        check_outputs(&outputs, &numbered(&io, "out")?)?;
    }
    Ok(())
}

/// Nodes that a model has in addition to those of the static one, where something depends on the number of rows: rows
/// of a constant and masks, which are folded for a known number, a bias of zeros for each row of a norm, and a Reshape
/// that prevents an ONNX Runtime fusion that fails on an empty batch.
const MADE: &[(&str, usize)] = &[("jnp_shape", 3), ("nnx_bridge", 1), ("recurrent", 1)];

/// Makes the batch of a static program dynamic: for any number of rows, the model must return JAX's result for each
/// row, and have as many nodes as the static one.
fn check_rows(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let convert = |dynamic: Vec<String>| {
        let settings = Settings { dynamic, ..Settings::default() };
        let compiled = compile(&path.display().to_string(), &text, &settings)?;
        compiled.model.ok_or_else(|| format!("the model does not convert: {:#?}", compiled.findings))
    };
    let (dynamic, fixed) = (convert(vec!["arg0:0=batch".to_owned()])?, convert(Vec::new())?);
    // The line of a constant begins with its type.
    let is_node = |line: &&str| line.split_once(" = ").is_some_and(|(name, _)| !name.trim().contains(' '));
    let nodes =
        |model: &[u8]| Ok::<_, String>(graph_text::print(model, false)?.lines().filter(is_node).count());
    let made = MADE.iter().find(|(model, _)| path.parent().is_some_and(|folder| folder.ends_with(model)));
    let made = made.map_or(0, |&(_, nodes)| nodes);
    if nodes(&dynamic)? != nodes(&fixed)? + made {
        return Err(format!("the number of nodes differs:\n{}", graph_text::print(&dynamic, false)?));
    }
    for run in runs(path)? {
        let io = fs::read(&run).map_err(|error| error.to_string())?;
        let (inputs, outputs) = (numbered(&io, "in")?, numbered(&io, "out")?);
        let rows = inputs.first().map_or(0, |input| input.dims[0]);
        let many: Vec<usize> = (0..2 * rows + 1).rev().map(|row| row % rows).collect();
        for chosen in [&[rows - 1][..], &many] {
            let inputs: Vec<Tensor> = inputs.iter().map(|input| rows_of(input, chosen)).collect();
            let found = runtime::run(&dynamic, &inputs)?;
            for (i, (actual, expected)) in found.iter().zip(&outputs).enumerate() {
                let expected = rows_of(expected, chosen);
                compare(actual, &expected, Tolerance::of_model(&expected))
                    .map_err(|error| format!("{} rows: output {i} {error}", chosen.len()))?;
            }
        }
    }
    Ok(())
}

/// The chosen rows of a tensor.
fn rows_of(tensor: &Tensor, chosen: &[usize]) -> Tensor {
    let size = tensor.bytes.len() / tensor.dims[0];
    let bytes = chosen.iter().flat_map(|row| tensor.bytes[row * size..][..size].iter().copied()).collect();
    let dims = [&[chosen.len()], &tensor.dims[1..]].concat();
    Tensor { element: tensor.element, dims, bytes }
}

/// The files of inputs and outputs next to a text, sorted.
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
    check_outputs(&runtime::run(model, &inputs)?, &expected)
}

fn check_outputs(outputs: &[Tensor], expected: &[Tensor]) -> Result<(), String> {
    if outputs.len() != expected.len() {
        return Err(format!("the model has {} outputs, expected {}", outputs.len(), expected.len()));
    }
    for (i, (actual, expected)) in outputs.iter().zip(expected).enumerate() {
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
        other => return Err(format!("tensors of {other:?} are not supported")),
    };
    Ok(Tensor { element, dims: view.shape().to_vec(), bytes: view.data().to_vec() })
}
