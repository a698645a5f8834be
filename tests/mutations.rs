//! Broken versions of real exports: a byte changed, a line dropped, doubled or swapped. None makes the compiler panic,
//! none takes long, and a model that comes out all the same loads in ONNX Runtime.
//!
//! `HLO2ONNX_MUTATIONS=1000 cargo test --test mutations` makes more of them than the usual run.

mod support;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use support::compile::{Settings, compile};
use support::runtime;

/// How many are made of all texts together when nothing asks for more.
const USUAL: usize = 150;

const LONGEST: Duration = Duration::from_secs(10);

/// A small generator, so that a failure can be made again (SplitMix64, Steele et al. 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ bits >> 31) % bound.max(1) as u64) as usize
    }
}

fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models");
    let mut texts = Vec::new();
    for model in fs::read_dir(folder).expect("the models are there").flatten() {
        for form in ["model.mlir", "model.debug.mlir", "model.args.mlir"] {
            let path = model.path().join(form);
            if let Ok(text) = fs::read_to_string(&path) {
                texts.push((format!("{}/{form}", model.file_name().to_string_lossy()), text));
            }
        }
    }
    texts.sort();
    texts
}

fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = numbers.below(lines.len());
    match numbers.below(8) {
        0 => drop(lines.remove(line)),
        1 => lines.insert(line, lines[line].clone()),
        2 => {
            let other = numbers.below(lines.len());
            lines.swap(line, other);
        }
        _ => {
            const BYTES: &[u8] = b"0123456789xif%@#<>[](){}:,=-\" abt";
            let mut bytes = std::mem::take(&mut lines[line]).into_bytes();
            if !bytes.is_empty() {
                let at = numbers.below(bytes.len());
                bytes[at] = BYTES[numbers.below(BYTES.len())];
            }
            lines[line] = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    lines.join("\n")
}

#[test]
fn mutated_exports() {
    let count =
        std::env::var("HLO2ONNX_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(USUAL);
    let texts = texts();
    assert!(!texts.is_empty());
    let (mut converted, mut failures) = (0, Vec::new());
    for number in 0..count {
        let (name, text) = &texts[number % texts.len()];
        let mutated = mutate(text, &mut Numbers(number as u64));
        let name = format!("{name}, mutation {number}");
        let started = Instant::now();
        let Ok(outcome) = catch_unwind(|| compile(&name, &mutated, &Settings::default())) else {
            failures.push(format!("{name}: panics"));
            continue;
        };
        if started.elapsed() > LONGEST {
            failures.push(format!("{name}: takes {:?}", started.elapsed()));
        }
        match outcome {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok(compiled) => {
                let errors = compiled.findings.iter().filter(|finding| finding.is_error()).count();
                if let Some(fault) = compiled.findings.iter().find(|finding| finding.code == "E0115") {
                    failures.push(format!("{name}: {}", fault.message));
                }
                match compiled.model {
                    None if errors == 0 => failures.push(format!("{name}: neither a model nor an error")),
                    None => {}
                    Some(model) => {
                        converted += 1;
                        if let Err(error) = runtime::load(&model) {
                            failures.push(format!("{name}: {error}"));
                        }
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(converted > 0, "no mutation left a text that converts");
}
