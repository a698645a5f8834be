//! Time and peak memory of conversions, each against something on the same machine.
//!
//! `cargo bench` makes the inputs under `target/bench/` and prints one line a measurement. The peak is the resident
//! set of a process of its own: the bench runs itself once more for each measurement.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and may fail loudly"
)]

mod inputs;

use hlo2onnx::onnx::file::{ExternalData, write};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert, parse};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

const CHILD: &str = "HLO2ONNX_BENCH";
const RUNS: usize = 5;

fn main() {
    if let Ok(kind) = env::var(CHILD) {
        child(&kind, Path::new(&env::args().nth(1).unwrap()));
        return;
    }
    // `cargo test --benches` runs this too, and has no use for figures.
    if env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).unwrap();
    weights(&folder, 250);
    ops(&folder);
}

/// Text with baked weights to a file, against `cp` of that file.
fn weights(folder: &Path, megabytes: usize) {
    let text = folder.join(format!("weights{megabytes}.mlir"));
    if !text.exists() {
        inputs::baked_weights(&text, megabytes).unwrap();
    }
    let model = text.with_extension("onnx");
    let copy = folder.join("copy.onnx");
    let (mut convert_times, mut copy_times, mut peak) = (Vec::new(), Vec::new(), 0.0f64);
    for _ in 0..RUNS {
        let (time, memory) = measure("convert", &text);
        convert_times.push(time);
        peak = peak.max(memory);
        let started = Instant::now();
        assert!(Command::new("cp").arg(&model).arg(&copy).status().unwrap().success());
        copy_times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let (convert, copied) = (median(convert_times), median(copy_times));
    println!(
        "{megabytes} MB of weights: convert {convert:.0} ms, cp of the model {copied:.0} ms, ratio {:.2}, peak {peak:.0} MB",
        convert / copied
    );
    fs::remove_file(&copy).unwrap();
}

/// Texts of many ops: to IR and to a file, and how the time grows.
fn ops(folder: &Path) {
    let mut first = None;
    for count in [5_000, 20_000, 50_000, 80_000] {
        let text = folder.join(format!("ops{count}.mlir"));
        if !text.exists() {
            inputs::transformer_ops(&text, count).unwrap();
        }
        let parses: Vec<(f64, f64)> = (0..RUNS).map(|_| measure("parse", &text)).collect();
        let converts: Vec<(f64, f64)> = (0..RUNS).map(|_| measure("convert", &text)).collect();
        let parse = median(parses.iter().map(|run| run.0).collect());
        let convert = median(converts.iter().map(|run| run.0).collect());
        let peak = converts.iter().map(|run| run.1).fold(0.0, f64::max);
        let each = convert / count as f64;
        let growth = each / *first.get_or_insert(each);
        println!(
            "{count} ops: to IR {parse:.0} ms ({:.2} us an op), to a model {convert:.0} ms, per op {growth:.2} of the \
             first line, peak {peak:.0} MB",
            parse * 1e3 / count as f64
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Milliseconds and peak megabytes of one run in a process of its own.
fn measure(kind: &str, text: &Path) -> (f64, f64) {
    let output = Command::new(env::current_exe().unwrap()).arg(text).env(CHILD, kind).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let (time, memory) = line.trim().split_once(' ').unwrap_or_else(|| {
        panic_with(&format!(
            "{kind} of {} failed: {}",
            text.display(),
            String::from_utf8_lossy(&output.stderr)
        ))
    });
    (time.parse().unwrap(), memory.parse().unwrap())
}

#[allow(clippy::panic, reason = "a bench may fail loudly")]
fn panic_with(message: &str) -> ! {
    panic!("{message}")
}

fn child(kind: &str, text: &Path) {
    let started = Instant::now();
    let source = Source::open(text).unwrap();
    if kind == "parse" {
        let (module, diagnostics) = parse(&source);
        assert!(!diagnostics.has_errors() && module.functions().len() > 0);
    } else {
        let conversion = convert(&source, &Options::default());
        let model = conversion.model.unwrap_or_else(|| panic_with("the text does not convert"));
        write(&model, &text.with_extension("onnx"), ExternalData::Auto, &mut |_| {}).unwrap();
    }
    println!("{} {}", started.elapsed().as_secs_f64() * 1e3, peak());
}

/// The largest resident set so far, in megabytes; zero where the system does not tell.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0)
}
