//! Any bytes as a stream that gzip or Zstandard may have compressed: the result is a text or an error.

#![no_main]

use hlo2onnx::source::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(source) = Source::read("fuzz.mlir", bytes) {
        source.line_starts();
    }
});
