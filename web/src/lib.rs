//! The compiler for the page in the browser: programs and weights in, reports, pictures and models out.
//!
//! It translates values between JavaScript and the compiler, and decides nothing. Structured values cross as JSON, bytes
//! as arrays of bytes. Files arrive and models leave in chunks, so that neither is whole in JavaScript's memory.

mod options;
mod pane;
mod result;

use hlo2onnx::diagnostic::Diagnostics;
use hlo2onnx::failure;
use hlo2onnx::onnx::file::{self, WriteError};
use hlo2onnx::report::{self, Graph};
use hlo2onnx::source::{Limit, Mapping, Source};
use hlo2onnx::target::ROWS;
use hlo2onnx::weights::WeightsFile;
use js_sys::{Function, Uint8Array};
use options::Request;
use pane::Pane;
use result::{ConversionResult, json};
use std::io;
use std::path::Path;
use wasm_bindgen::prelude::*;

/// Reports panics on the console.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The version of the compiler.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// All values of the option `target`, as a JSON array of strings.
#[wasm_bindgen]
pub fn targets() -> String {
    let names = ROWS
        .iter()
        .flat_map(|row| row.releases.iter().rev().map(|release| format!("{}:{}", row.name, release.number)));
    json(&names.collect::<Vec<_>>())
}

/// The bytes of a file, which arrive in chunks.
#[wasm_bindgen]
pub struct Bytes {
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Bytes {
    /// Room for a file of this size.
    ///
    /// # Errors
    /// If there is not enough memory.
    #[wasm_bindgen(constructor)]
    pub fn new(size: f64) -> Result<Bytes, JsError> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size as usize)
            .map_err(|_| JsError::new("the file is larger than the memory that the browser provides"))?;
        Ok(Self { bytes })
    }

    /// Adds the next chunk.
    pub fn push(&mut self, chunk: &Uint8Array) {
        let start = self.bytes.len();
        self.bytes.resize(start + chunk.length() as usize, 0);
        chunk.copy_to(&mut self.bytes[start..]);
    }
}

/// A program with the weights that it is bound to.
#[wasm_bindgen]
pub struct Program {
    source: Source,
    pane: Pane,
    /// Why the file cannot be read.
    unreadable: Option<Diagnostics>,
    weights: Vec<WeightsFile>,
    graph: Option<Graph>,
}

#[wasm_bindgen]
impl Program {
    /// The program in a file, as the command line reads it: text or bytecode, compressed or not. If it cannot be read,
    /// its conversion reports why.
    pub fn open(name: &str, bytes: Bytes) -> Program {
        let (source, unreadable) = match Source::from_file_bytes(name, bytes.bytes, Limit::default()) {
            Ok(source) => (source, None),
            Err(error) => {
                let mut diagnostics = Diagnostics::new();
                diagnostics.push(failure::unreadable(name, &error));
                (Source::from_bytes(name, Vec::new()), Some(diagnostics))
            }
        };
        let pane = Pane::of(&source);
        Self { source, pane, unreadable, weights: Vec::new(), graph: None }
    }

    /// Adds a file of weights. Returns its problems as a JSON array, which is empty if the file could be read.
    #[wasm_bindgen(js_name = addWeights)]
    pub fn add_weights(&mut self, name: &str, bytes: Bytes) -> String {
        let mut diagnostics = Diagnostics::new();
        match WeightsFile::read(name, Mapping::from_bytes(bytes.bytes)) {
            Ok(file) => self.weights.push(file),
            Err(error) => diagnostics.push(failure::unreadable_weights(name, &error)),
        }
        json(&result::problems(&diagnostics, &self.source, &self.pane))
    }

    /// Removes all weights.
    #[wasm_bindgen(js_name = clearWeights)]
    pub fn clear_weights(&mut self) {
        self.weights.clear();
    }

    /// The text to show, as JSON.
    pub fn pane(&self) -> String {
        json(&self.pane)
    }

    /// Converts the program. `write` is called with each chunk of the model. Returns JSON.
    pub fn convert(&mut self, options: &str, write: &Function) -> String {
        // What the last conversion left.
        self.graph = None;
        let mut options = match Request::parse(options).and_then(|request| request.options()) {
            Ok(options) => options,
            Err(problem) => return json(&ConversionResult::of_option(problem)),
        };
        if let Some(diagnostics) = &self.unreadable {
            let mut report = report::alone(&self.source);
            report.diagnose(diagnostics, &self.source, &|_| None);
            return json(&ConversionResult::new(report, diagnostics, &self.source, &self.pane));
        }
        options.weights.files.clone_from(&self.weights);
        let (mut report, conversion) = report::convert(&self.source, &options);
        let mut diagnostics = conversion.diagnostics;
        let mut stages: Vec<(&str, f64)> =
            conversion.timings.iter().map(|(stage, time)| (*stage, time.as_secs_f64() * 1e3)).collect();
        let mut bytes = 0;
        if let Some(model) = &conversion.model {
            let begun = js_sys::Date::now();
            match file::write_stream(model, &mut Chunks { write }, &mut |_| {}) {
                Ok(written) => bytes = written.bytes,
                Err(error) => {
                    diagnostics.push(unwritable(&error));
                    report.verdict = report::Verdict::Refused;
                }
            }
            stages.push(("write", js_sys::Date::now() - begun));
        }
        report.diagnose(&diagnostics, &self.source, &|_| None);
        let mut result = ConversionResult::new(report, &diagnostics, &self.source, &self.pane);
        result.bytes = bytes;
        result.timings = stages;
        let text = json(&result);
        self.graph = result.take_graph();
        text
    }

    /// The picture of the model that the last conversion made, with these modules unfolded (a JSON array of paths). Returns
    /// JSON, which is `null` without a model.
    pub fn graph(&self, unfolded: &str) -> String {
        let unfolded: Vec<String> = serde_json::from_str(unfolded).unwrap_or_default();
        json(&self.graph.as_ref().map(|graph| result::PictureData::from(graph.picture(&unfolded))))
    }
}

fn unwritable(error: &WriteError) -> hlo2onnx::diagnostic::Diagnostic {
    failure::unwritable(Path::new("the model"), error)
}

/// A stream that ends in JavaScript.
struct Chunks<'f> {
    write: &'f Function,
}

impl io::Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Uint8Array::from(bytes);
        match self.write.call1(&JsValue::NULL, &chunk) {
            Ok(_) => Ok(bytes.len()),
            Err(error) => Err(io::Error::other(format!("{error:?}"))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
