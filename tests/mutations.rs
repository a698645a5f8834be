//! Mutations of real exports, and of fixtures of forms that are rare in exports: a byte changed, a line dropped,
//! doubled or swapped, a number replaced. None makes the compiler panic, none takes long, and if one converts, its
//! model loads in ONNX Runtime. Each is converted unchanged, and with the first dimension of its first input dynamic.
//!
//! `HLO2ONNX_MUTATIONS=1000 cargo test --test mutations` sets their number.

mod support;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use onnx_protobuf::{Message, ModelProto};
use support::compile::{Finding, Settings, compile};
use support::runtime;

/// The default number of mutations of all texts together.
const USUAL: usize = 150;

const LONGEST: Duration = Duration::from_secs(10);

/// A small generator, so that failures are reproducible (SplitMix64, Steele et al. 2014).
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

/// The fixtures of ops with regions, or whose types or sizes are of a special kind.
const FAMILIES: [&str; 8] =
    ["complex", "control", "dynamic", "linalg", "emulate_small_floats", "quantize", "scatter", "sort"];

/// The exported models.
fn models() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models");
    let mut texts = Vec::new();
    for model in fs::read_dir(folder).expect("the models exist").flatten() {
        for form in ["model.mlir", "model.debug.mlir", "model.args.mlir", "model.symbolic.mlir"] {
            let path = model.path().join(form);
            if let Ok(text) = fs::read_to_string(&path) {
                texts.push((format!("{}/{form}", model.file_name().to_string_lossy()), text));
            }
        }
    }
    texts.sort();
    texts
}

/// The cases of the fixtures, each alone and without the expectations after it.
fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ops");
    let mut texts = Vec::new();
    for family in FAMILIES {
        let files = fs::read_dir(folder.join(family)).expect("the family exists").flatten();
        for path in files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "mlir"))
        {
            let name = format!("{family}/{}", path.file_name().unwrap_or_default().to_string_lossy());
            let text = fs::read_to_string(&path).expect("a fixture is a text");
            for (index, case) in text.split("// -----\n").enumerate() {
                let lines: Vec<&str> = case.lines().filter(|line| !line.starts_with("//")).collect();
                texts.push((format!("{name}, case {index}"), lines.join("\n")));
            }
        }
    }
    texts.sort();
    texts
}

fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = numbers.below(lines.len());
    match numbers.below(10) {
        8 | 9 => lines[line] = replace_number(&lines[line], numbers),
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

/// The line with one of its numbers replaced by a limit of sizes, positions or elements.
fn replace_number(line: &str, numbers: &mut Numbers) -> String {
    const BORDERS: [&str; 10] = [
        "0",
        "1",
        "2",
        "-1",
        "255",
        "65536",
        "2147483647",
        "-2147483648",
        "9223372036854775807",
        "18446744073709551616",
    ];
    let starts: Vec<usize> = line
        .char_indices()
        .filter(|&(at, c)| c.is_ascii_digit() && !line[..at].ends_with(|c: char| c.is_ascii_digit()))
        .map(|(at, _)| at)
        .collect();
    let Some(&start) = starts.get(numbers.below(starts.len())) else { return line.to_owned() };
    let rest = line[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}{}{rest}", &line[..start], BORDERS[numbers.below(BORDERS.len())])
}

/// The model of a text, if it converts. Faults of the model or of the conversion are failures.
fn convert(name: &str, text: &str, settings: &Settings, failures: &mut Vec<String>) -> Option<Vec<u8>> {
    let started = Instant::now();
    let Ok(outcome) = catch_unwind(|| compile(name, text, settings)) else {
        failures.push(format!("{name}: panics"));
        return None;
    };
    if started.elapsed() > LONGEST {
        failures.push(format!("{name}: takes {:?}", started.elapsed()));
    }
    let compiled = match outcome {
        Ok(compiled) => compiled,
        Err(error) => {
            failures.push(format!("{name}: {error}"));
            return None;
        }
    };
    if let Some(fault) = compiled.findings.iter().find(|finding| finding.code == "E0115") {
        failures.push(format!("{name}: {}", fault.message));
    }
    let Some(model) = compiled.model else {
        if !compiled.findings.iter().any(Finding::is_error) {
            failures.push(format!("{name}: neither a model nor an error"));
        }
        return None;
    };
    if let Err(error) = runtime::load(&model) {
        failures.push(format!("{name}: {error}"));
    }
    Some(model)
}

/// The name of a model's first input.
fn first_input(model: &[u8]) -> Option<String> {
    let model = ModelProto::parse_from_bytes(model).ok()?;
    model.graph.input.first().map(|input| input.name.clone())
}

#[test]
fn mutated_exports() {
    let count =
        std::env::var("HLO2ONNX_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(USUAL);
    let sources = [models(), cases()];
    assert!(sources.iter().all(|texts| !texts.is_empty()));
    let (mut converted, mut failures) = (0, Vec::new());
    for number in 0..count {
        let texts = &sources[number % sources.len()];
        let (name, text) = &texts[number / sources.len() % texts.len()];
        let mut numbers = Numbers(number as u64);
        let mutated = mutate(text, &mut numbers);
        let settings = Settings { keep_functions: numbers.below(2) == 1, ..Settings::default() };
        let name = format!("{name}, mutation {number}");
        let fixed = convert(&name, &mutated, &settings, &mut failures);
        converted += usize::from(fixed.is_some());
        // Without a model, the name of the first input follows from the text.
        let input = fixed.and_then(|model| first_input(&model)).unwrap_or_else(|| "arg0".to_owned());
        let dynamic = vec![format!("{input}:0=rows")];
        let settings = Settings { dynamic, ..settings };
        convert(&format!("{name}, {input} dynamic"), &mutated, &settings, &mut failures);
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(converted > 0, "no mutated text converts");
}
