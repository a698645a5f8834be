//! Any bytes, through the whole conversion: the result is a model that can be encoded, or an error of the text and not
//! of a pass.

#![no_main]

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{DynamicDimension, Options, convert};
use libfuzzer_sys::fuzz_target;

/// A short text can describe a constant of any size, and writing it tests nothing.
const LONGEST_PAYLOAD: u64 = 1 << 24;

fuzz_target!(|bytes: &[u8]| {
    let source = Source::from_bytes("fuzz.mlir", bytes.to_vec());
    // Unchanged, and with the first dimension of the first argument dynamic. The length of the input decides whether
    // modules are kept, so that the text needs no flag.
    let dynamic = DynamicDimension { input: "arg0".to_owned(), axis: 0, name: "rows".to_owned() };
    let keep_functions = bytes.len() % 2 == 1;
    for dynamic in [vec![], vec![dynamic]] {
        check(&source, &Options { dynamic, keep_functions, ..Options::default() });
    }
});

fn check(source: &Source, options: &Options) {
    let conversion = convert(source, options);
    for diagnostic in &conversion.diagnostics {
        let code = diagnostic.code();
        assert_ne!(code.as_str(), "E0115", "a pass left an invalid module: {}", diagnostic.message);
    }
    match conversion.model {
        Some(model) if model.payload_len() <= LONGEST_PAYLOAD => {
            encode(&model).expect("a small model has room in one file");
        }
        Some(_) => {}
        None => assert!(conversion.diagnostics.has_errors(), "neither a model nor an error"),
    }
}
