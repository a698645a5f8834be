//! The native half of the Python package: conversions of text, with arrays that stay where Python holds them.
//!
//! It translates values between Python and the compiler, and decides nothing. The package's Python modules document the
//! calls.

mod array;
mod request;
mod values;

use hlo2onnx::diagnostic::{Diagnostics, Style, json, render};
use hlo2onnx::onnx::file::{self, Destination, Model, WriteError};
use hlo2onnx::report;
use hlo2onnx::source::{Limit, Source};
use hlo2onnx::{Conversion, convert, failure};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use request::{Input, Request};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use values::Values;

/// What a conversion returned.
#[pyclass(frozen, get_all, module = "hlo2onnx._native")]
struct Converted {
    /// The model as bytes; `None` where it went to a file, and where there were errors.
    model: Option<Py<PyBytes>>,
    /// The diagnostics in the schema of `--format json`.
    diagnostics: String,
    /// The diagnostics as the command line prints them, with options spelled as Python arguments.
    text: String,
    /// The map from values of the model to values of the program, if the request has `value_map` and there are no errors.
    values: Option<Py<Values>>,
}

/// Converts a text. The model goes to `output`, or into the result.
#[pyfunction]
#[pyo3(signature = (input, request, output = None))]
fn convert_text(
    py: Python<'_>,
    input: Input,
    request: Request,
    output: Option<PathBuf>,
) -> PyResult<Converted> {
    let python = |path: &str| lines(py, path);
    let source = match open(&input) {
        Ok(source) => source,
        Err(unread) => return Ok(refused(unread.diagnostics, &unread.source, &python)),
    };
    let external = request.external()?;
    let (mut options, files) = request.options()?;
    match py.detach(|| failure::open_weights(&files, Limit::default())) {
        Ok(files) => options.weights.files = files,
        Err(diagnostics) => return Ok(refused(diagnostics, &source, &python)),
    }
    let Conversion { model, mut diagnostics, values, .. } = py.detach(|| convert(&source, &options));
    let mut bytes = None;
    if let Some(model) = &model {
        let result = match &output {
            Some(path) => {
                let inputs: Vec<&Path> =
                    input.path().into_iter().chain(files.iter().map(PathBuf::as_path)).collect();
                py.detach(|| Destination::new(path, &inputs)?.write(model, external, &mut |_| {})).map(drop)
            }
            None => encode(py, model)?.map(|model| bytes = Some(model.unbind())),
        };
        if let Err(error) = result {
            let path = output.as_deref().unwrap_or(Path::new("the model"));
            let mut diagnostic = failure::unwritable(path, &error);
            if let WriteError::TooLarge { .. } = error {
                diagnostic.help = Some(help_for_large(output.is_some()).to_owned());
            }
            diagnostics.push(diagnostic);
        }
    }
    if diagnostics.has_errors() {
        bytes = None;
    }
    diagnostics.spell_options_for_python();
    let text = render(&diagnostics, &source, &python, STYLE);
    let failed = diagnostics.has_errors();
    let diagnostics = json_of(&diagnostics, &source);
    drop(model);
    let values =
        values.filter(|_| !failed).map(|map| Py::new(py, Values { map: map.into(), source })).transpose()?;
    Ok(Converted { model: bytes, diagnostics, text, values })
}

/// How to write a model that is too large for one file. The catalog's help names the command line's `--external-data`,
/// which `to_onnx` does not have.
fn help_for_large(is_file: bool) -> &'static str {
    match is_file {
        true => {
            "omit `external_data=\"never\"` or `export_mode=\"web\"`, so that weights go to a separate file"
        }
        false => "store the weights in a separate file: `return_mode=\"file\"`",
    }
}

/// Checks a text, and returns the report of `hlo2onnx check --format json`.
#[pyfunction]
fn check_text(py: Python<'_>, input: Input, request: Request) -> PyResult<String> {
    let python = |path: &str| lines(py, path);
    let (mut options, files) = request.options()?;
    let (source, opened) = match open(&input) {
        Ok(source) => (source, failure::open_weights(&files, Limit::default())),
        Err(unread) => (unread.source, Err(unread.diagnostics)),
    };
    let (mut file, mut diagnostics) = match opened {
        Ok(files) => {
            options.weights.files = files;
            py.detach(|| report::check(&source, &options))
        }
        Err(diagnostics) => (report::alone(&source), diagnostics),
    };
    diagnostics.spell_options_for_python();
    file.diagnose(&diagnostics, &source, &python);
    let report = report::Report::new(vec![file]);
    // The report is plain data, which always serializes.
    Ok(serde_json::to_string(&report).unwrap_or_default())
}

/// Runs the command line on these arguments, the name of the program first, and returns the exit status.
#[pyfunction]
fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| hlo2onnx::cli::run(arguments))
}

/// A message of an exception is shown in terminals, notebooks and logs alike.
const STYLE: Style = Style::PLAIN;

/// The lines of a Python file or of a notebook cell.
fn lines(py: Python<'_>, path: &str) -> Option<String> {
    let lines = py.import("linecache").ok()?.call_method1("getlines", (path,)).ok()?;
    let lines: Vec<String> = lines.extract().ok()?;
    (!lines.is_empty()).then(|| lines.concat())
}

/// The diagnostics of a text that cannot be read, with an empty text of the same name for reports.
struct Unread {
    source: Source,
    diagnostics: Diagnostics,
}

/// Opens the text.
fn open(input: &Input) -> Result<Source, Box<Unread>> {
    input.open().map_err(|(path, error)| {
        let diagnostics = vec![failure::unreadable(&path, &error)].into();
        Box::new(Unread { source: Source::from_bytes(path, Vec::new()), diagnostics })
    })
}

/// The model as Python bytes. It is encoded in place, because a model can be large.
fn encode<'py>(py: Python<'py>, model: &Model) -> PyResult<Result<Bound<'py, PyBytes>, WriteError>> {
    let length = match file::encoded_len(model) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    let length = usize::try_from(length).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    let mut written = Ok(());
    let bytes = PyBytes::new_with(py, length, |mut buffer| {
        written = py.detach(|| file::write_stream(model, &mut buffer, &mut |_| {})).map(drop);
        Ok(())
    })?;
    Ok(written.map(|_| bytes))
}

fn refused(
    mut diagnostics: Diagnostics,
    source: &Source,
    python: &dyn Fn(&str) -> Option<String>,
) -> Converted {
    diagnostics.spell_options_for_python();
    let text = render(&diagnostics, source, python, STYLE);
    Converted { model: None, diagnostics: json_of(&diagnostics, source), text, values: None }
}

fn json_of(diagnostics: &Diagnostics, source: &Source) -> String {
    // The report is plain data, which always serializes.
    serde_json::to_string(&json::report(diagnostics, source)).unwrap_or_default()
}

/// The native half of the package.
#[pymodule]
mod _native {
    /// The version of the package and of the compiler.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::{Converted, check_text, convert_text, run};
    #[pymodule_export]
    use crate::values::Values;
}
