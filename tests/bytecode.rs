//! Bytecode and its text become the same model, and damaged bytecode is refused.
//!
//! `python fixtures/bytecode.py` writes `fixtures/bytecode`: each artifact, and next to it MLIR's own reading of it.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert, optimize, parse};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn artifacts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bytecode");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut artifacts: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension != "mlir")).collect();
    artifacts.sort();
    assert!(artifacts.len() >= 6, "{artifacts:?}");
    artifacts
}

/// The bytes of the model.
fn model(source: &Source) -> Vec<u8> {
    let conversion = convert(source, &Options::default());
    let model = conversion.model.unwrap_or_else(|| panic!("{}: {:?}", source.name(), conversion.diagnostics));
    encode(&model).unwrap()
}

fn codes(source: &Source) -> Vec<&'static str> {
    parse(source).1.errors().map(|error| error.code().as_str()).collect()
}

#[test]
fn bytecode_and_text_become_the_same_model() {
    for path in artifacts() {
        let bytecode = model(&Source::open(&path).unwrap());
        let text = model(&Source::open(&path.with_extension("mlir")).unwrap());
        assert!(bytecode == text, "{}", path.display());
    }
}

#[test]
fn compressed_bytecode_is_read() {
    for path in artifacts() {
        let bytes = fs::read(&path).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(model(&Source::read("packed", &packed[..]).unwrap()) == model(&Source::open(&path).unwrap()));
    }
}

#[test]
fn the_printed_text_of_bytecode_is_that_of_its_text() {
    for path in artifacts() {
        let of_bytecode = Source::open(&path).unwrap();
        let (printed, diagnostics) = optimize(&of_bytecode, &[], &Options::default());
        assert!(!diagnostics.has_errors(), "{}", path.display());
        let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        let disassembled = String::from_utf8(of_bytecode.bytes().to_vec()).unwrap();
        if disassembled.matches("module").count() > 1 {
            // The functions of nested modules are printed in one module.
            continue;
        }
        // A place in the disassembled text is the same line of the printed one.
        assert_eq!(lines(&printed), lines(&disassembled), "{}", path.display());
    }
}

#[test]
fn bytecode_that_breaks_off_is_refused() {
    // The program of a serialized `Exported` may be whole even if its end is missing.
    for path in artifacts().iter().filter(|path| path.extension().is_some_and(|kind| kind == "mlirbc")) {
        let bytes = fs::read(path).unwrap();
        // Fewer bytes could be those of a text.
        for length in (4..bytes.len()).step_by(1 + bytes.len() / 300) {
            let found = codes(&Source::from_bytes("part", bytes[..length].to_vec()));
            assert!(matches!(found[..], ["E0001" | "E0005" | "E0011"]), "{length} bytes: {found:?}");
        }
    }
}

#[test]
fn the_model_of_an_export_for_several_platforms_is_for_the_cpu() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bytecode/platforms");
    let exported = Source::open(&folder.join("exported.bin")).unwrap();
    let cpu = Options { dims: vec![("_platform_index".into(), 1)], ..Options::default() };
    let text = Source::open(&folder.join("exported.mlir")).unwrap();
    let of_text = convert(&text, &cpu).model.unwrap();
    assert!(model(&exported) == encode(&of_text).unwrap());
    let conversion = convert(&exported, &Options::default());
    let messages: Vec<&str> =
        conversion.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(messages, ["the program is for `cuda` and `cpu`; the model is for `cpu`"]);
}

/// Changes bytes, and inserts and removes some. What still reads is converted; nothing may panic.
#[test]
fn damaged_bytecode_is_refused_or_read() {
    let count = std::env::var("HLO2ONNX_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let mut state = 815u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for path in artifacts() {
        let whole = fs::read(&path).unwrap();
        for _ in 0..count {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len() - 8);
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => drop(bytes.drain(at..at + 1 + random(8))),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            let source = Source::from_bytes("damaged", bytes);
            refused += usize::from(convert(&source, &Options::default()).model.is_none());
        }
    }
    assert!(refused > 0, "no damage was noticed");
}
