//! Any bytes: the scan, the parser, the verifier, the printer, and both renderers of diagnostics.

#![no_main]

use hlo2onnx::diagnostic::{Style, json, render};
use hlo2onnx::source::Source;
use hlo2onnx::{ir, parse};
use libfuzzer_sys::fuzz_target;

const PYTHON: &str = "def f(x):\n    return x + 1\n";

fuzz_target!(|bytes: &[u8]| {
    let source = Source::from_bytes("fuzz.mlir", bytes.to_vec());
    let (module, diagnostics) = parse(&source);
    let style = Style { color: false, unicode: true, width: 80 };
    // Every file that a location names has two lines, so that most locations in it do not exist.
    render(&diagnostics, &source, &|_| Some(PYTHON.to_owned()), style);
    serde_json::to_string(&json::report(&diagnostics, &source)).expect("plain data serializes");
    ir::print(&module, &source, None);
});
