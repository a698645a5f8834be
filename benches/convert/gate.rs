//! Bounds on the CPU time of conversions, as ratios to plain work on the same bytes, for `cargo bench -- --gate`.
//!
//! A ratio depends little on the machine. The two sides run alternately in their own processes, and the least CPU time
//! of many runs counts, so that other load affects neither.

use super::{inputs, least, measure};
use rustc_hash::FxHashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const RUNS: usize = 15;

/// A conversion, the work that it is compared with, and the largest ratio that passes: 1.5 times the ratio measured
/// when the bound was set.
struct Gate {
    about: &'static str,
    of: (&'static str, &'static str),
    to: (&'static str, &'static str),
    most: f64,
}

const GATES: [Gate; 3] = [
    Gate {
        about: "40 MB of weights in the text to a model, relative to decoding and writing the digits",
        of: ("convert", "weights40.mlir"),
        to: ("digits", "weights40.mlir"),
        most: 2.5,
    },
    Gate {
        about: "20,000 ops to a model, relative to counting the words of the text",
        of: ("convert", "ops20000.mlir"),
        to: ("words", "ops20000.mlir"),
        most: 20.0,
    },
    Gate {
        about: "20,000 ops to a model, relative to 5,000 ops",
        of: ("convert", "ops20000.mlir"),
        to: ("convert", "ops5000.mlir"),
        most: 6.0,
    },
];

/// Measures each ratio, and fails if one is above its bound.
pub fn run(folder: &Path) -> ExitCode {
    make(folder, "weights40.mlir", |path| inputs::baked_weights(path, 40));
    make(folder, "ops5000.mlir", |path| inputs::transformer_ops(path, 5_000));
    make(folder, "ops20000.mlir", |path| inputs::transformer_ops(path, 20_000));
    let mut code = ExitCode::SUCCESS;
    for gate in &GATES {
        let output = folder.join("gate.out");
        let cpu = |(kind, input): (&str, &str)| measure(kind, &folder.join(input), &output).cpu;
        let (of, to): (Vec<f64>, Vec<f64>) = (0..RUNS).map(|_| (cpu(gate.of), cpu(gate.to))).unzip();
        let (of, to) = (least(&of), least(&to));
        let ratio = of / to;
        let verdict = if ratio > gate.most { "TOO SLOW" } else { "fast enough" };
        println!("{}: {of:.1} ms / {to:.1} ms = {ratio:.2}, at most {:.2}: {verdict}", gate.about, gate.most);
        if ratio > gate.most {
            code = ExitCode::FAILURE;
        }
        fs::remove_file(output).unwrap();
    }
    code
}

fn make(folder: &Path, name: &str, write: impl Fn(&Path) -> std::io::Result<()>) {
    let path = folder.join(name);
    if !path.exists() {
        write(&path).unwrap();
    }
}

/// The minimal work of converting baked weights: reads the text, decodes each literal and writes its bytes.
pub fn digits(text: &Path, output: &Path) {
    let text = fs::read(text).unwrap();
    let mut output = File::create(output).unwrap();
    let mut bytes = vec![0; 1 << 16];
    for literal in text.split(|byte| *byte == b'"').filter(|literal| literal.starts_with(b"0x")) {
        for piece in literal[2..].chunks(2 * bytes.len()) {
            let decoded = &mut bytes[..piece.len() / 2];
            const_hex::decode_to_slice(piece, decoded).unwrap();
            output.write_all(decoded).unwrap();
        }
    }
}

/// Work that grows like a conversion of many ops: reads the text, and counts its words in a table.
pub fn words(text: &Path, output: &Path) {
    let text = fs::read_to_string(text).unwrap();
    let mut counts: FxHashMap<String, usize> = FxHashMap::default();
    for word in text.split_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    fs::write(output, counts.len().to_string()).unwrap();
}
