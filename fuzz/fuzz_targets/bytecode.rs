//! Any bytes as StableHLO's bytecode: the result is a program or diagnostics.

#![no_main]

use hlo2onnx::source::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = Source::from_bytes("fuzz.mlirbc", bytes.to_vec());
    let (_, diagnostics) = hlo2onnx::parse(&source);
    // A fault is one diagnostic.
    assert!(source.fault().is_none() || diagnostics.error_count() == 1);
});
