//! Every fixture of an op, at every opset in which ONNX's types change: models load in ONNX Runtime, which checks each
//! node against the schema of its op and looks for a kernel.
//!
//! `HLO2ONNX_ELEMENTS=1 cargo test --test opsets` does the same with other element types instead of those of the
//! fixtures.

mod support;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::case::FixtureFile;
use support::compile::{Finding, Settings, compile};
use support::runtime;

/// Opset 15 is the lowest; 16 adds sums to ScatterND, 17 layer norms, 18 bits of integers; 19 adds 8-bit floats, 20 `bool`
/// in reductions, 21 4-bit integers, and 26 is the highest.
const OPSETS: [u32; 8] = [15, 16, 17, 18, 19, 20, 21, 26];

/// What replaces each element type of a fixture, if requested.
const ELEMENTS: [(&str, &[&str]); 4] = [
    ("f32", &["bf16", "f16", "f64", "f8E4M3FN", "f8E5M2FNUZ", "f8E4M3", "f4E2M1FN"]),
    ("i32", &["i4", "i8", "i16", "i64"]),
    ("ui32", &["ui4", "ui8", "ui16", "ui64"]),
    ("i64", &["i4", "ui8"]),
];

struct Text {
    name: String,
    text: String,
    settings: Settings,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the fixtures exist").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "mlir"))
        .collect();
    files.sort();
    files
}

/// The cases of the fixtures that do not set an opset.
fn texts() -> Vec<Text> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for path in files(&root.join("fixtures/ops")) {
        let file = FixtureFile::read(&path).expect("the fixture can be read");
        let settings = Settings {
            dynamic: file.header.dynamic.clone(),
            keep_functions: file.header.keep_functions,
            ..Settings::default()
        };
        for case in &file.cases {
            let name = format!("{}::{}", path.strip_prefix(root).unwrap_or(&path).display(), case.name);
            texts.push(Text { name, text: case.source(), settings: settings.clone() });
        }
    }
    texts
}

/// The text with one element type replaced by another; `None` if the text lacks the first.
fn with_element(text: &str, from: &str, to: &str) -> Option<String> {
    let (sized, scalar) = (format!("x{from}>"), format!("<{from}>"));
    let replaced = text.replace(&sized, &format!("x{to}>")).replace(&scalar, &format!("<{to}>"));
    (replaced != text).then_some(replaced)
}

/// The fault of a text's model, if it has one.
fn fault(text: &Text, opset: u32) -> Option<String> {
    let settings = Settings { opset: Some(opset), ..text.settings.clone() };
    let compiled = compile(&text.name, &text.text, &settings).expect("the settings are valid");
    let Some(model) = compiled.model else {
        let silent = !compiled.findings.iter().any(Finding::is_error);
        return silent.then(|| "neither a model nor an error".to_owned());
    };
    runtime::load(&model).err()
}

#[test]
fn models_load_at_every_opset() {
    let mut texts = texts();
    let opsets: BTreeSet<u32> = OPSETS.into_iter().collect();
    if env::var_os("HLO2ONNX_ELEMENTS").is_some() {
        let others: Vec<Text> = texts
            .iter()
            .flat_map(|text| {
                ELEMENTS.iter().flat_map(|(from, others)| others.iter().map(move |to| (from, to))).filter_map(
                    |(from, to)| {
                        let name = format!("{} with {to} for {from}", text.name);
                        let replaced = with_element(&text.text, from, to)?;
                        Some(Text { name, text: replaced, settings: text.settings.clone() })
                    },
                )
            })
            .collect();
        texts.extend(others);
    }
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for &opset in &opsets {
                        if let Some(fault) = fault(text, opset) {
                            let line = format!("opset {opset}: {}: {fault}", text.name);
                            faults.lock().expect("no thread panics").push(line);
                        }
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().expect("no thread panics");
    faults.sort();
    assert!(faults.is_empty(), "{} of {} texts:\n{}", faults.len(), texts.len(), faults.join("\n"));
}
