//! Time and peak memory of conversions, each compared with other work on the same machine.
//!
//! `cargo bench` generates the inputs under `target/bench/` and prints one line per measurement. The peak is the
//! resident set of a separate process: the benchmark starts itself for each measurement. `cargo bench -- --gate` prints
//! only the ratios that have a bound, and fails if one is above it.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and may fail loudly"
)]

mod gate;
mod inputs;

use hlo2onnx::onnx::file::{ExternalData, write};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert, parse};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

const CHILD: &str = "HLO2ONNX_BENCH";
const RUNS: usize = 9;

fn main() -> ExitCode {
    if let Ok(kind) = env::var(CHILD) {
        let paths: Vec<PathBuf> = env::args().skip(1).map(PathBuf::from).collect();
        child(&kind, &paths[0], &paths[1]);
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` runs this too, but does not need figures.
    if env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).unwrap();
    if env::args().any(|argument| argument == "--gate") {
        return gate::run(&folder);
    }
    weights(&folder, 250);
    ops(&folder);
    ExitCode::SUCCESS
}

/// Text with baked weights to a file, compared with `cp` of that file: to a new file, and replacing an older one. Both
/// are timed as whole processes, alternately, so that other load affects both.
fn weights(folder: &Path, megabytes: usize) {
    let text = folder.join(format!("weights{megabytes}.mlir"));
    if !text.exists() {
        inputs::baked_weights(&text, megabytes).unwrap();
    }
    let model = text.with_extension("onnx");
    measure("convert", &text, &model);
    let (converted, copied) = (folder.join("converted.onnx"), folder.join("copied.onnx"));
    for older in [false, true] {
        let (mut converts, mut copies, mut peak) = (Vec::new(), Vec::new(), 0.0f64);
        for _ in 0..RUNS {
            for file in [&converted, &copied] {
                if older {
                    fs::copy(&model, file).unwrap();
                } else if file.exists() {
                    fs::remove_file(file).unwrap();
                }
            }
            settle();
            let run = measure("convert", &text, &converted);
            converts.push(run.process);
            peak = peak.max(run.peak);
            settle();
            let started = Instant::now();
            assert!(Command::new("cp").arg(&model).arg(&copied).status().unwrap().success());
            copies.push(milliseconds(started));
        }
        let output = if older { "in place of a file" } else { "to a new file" };
        let (convert, copy) = (least(&converts), least(&copies));
        println!(
            "{megabytes} MB of weights, {output}: convert {convert:.0} ms, cp of the model {copy:.0} ms, ratio {:.2}, \
             peak {peak:.0} MB",
            convert / copy
        );
    }
    fs::remove_file(&converted).unwrap();
    fs::remove_file(&copied).unwrap();
}

/// Waits until the output of earlier runs is on the disk, so that a run does not wait for it.
fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}

/// Texts of many ops: to IR and to a file, and how the time grows.
fn ops(folder: &Path) {
    let mut first = None;
    for count in [5_000, 20_000, 50_000, 80_000] {
        let text = folder.join(format!("ops{count}.mlir"));
        if !text.exists() {
            inputs::transformer_ops(&text, count).unwrap();
        }
        let model = text.with_extension("onnx");
        let (mut parses, mut converts, mut peak) = (Vec::new(), Vec::new(), 0.0f64);
        for _ in 0..RUNS {
            parses.push(measure("parse", &text, &model).work);
            let run = measure("convert", &text, &model);
            converts.push(run.work);
            peak = peak.max(run.peak);
        }
        let (parse, convert) = (least(&parses), least(&converts));
        let each = convert / count as f64;
        let growth = each / *first.get_or_insert(each);
        println!(
            "{count} ops: to IR {parse:.0} ms ({:.2} us an op), to a model {convert:.0} ms, per op {growth:.2} of the \
             first line, peak {peak:.0} MB",
            parse * 1e3 / count as f64
        );
    }
}

/// Other load can only increase a time.
fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// One run in its own process.
struct Run {
    /// Milliseconds of the process, from its start to its end.
    process: f64,
    /// Milliseconds until the result is complete.
    work: f64,
    /// Milliseconds of all processors until then.
    cpu: f64,
    /// Peak memory in megabytes.
    peak: f64,
}

fn measure(kind: &str, text: &Path, model: &Path) -> Run {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(text).arg(model).env(CHILD, kind);
    let started = Instant::now();
    let output = command.output().unwrap();
    let process = milliseconds(started);
    let line = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = line.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let &[work, cpu, peak] = &figures[..] else {
        let why = String::from_utf8_lossy(&output.stderr);
        panic_with(&format!("{kind} of {} failed: {why}", text.display()))
    };
    Run { process, work, cpu, peak }
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

#[allow(clippy::panic, reason = "a bench may fail loudly")]
fn panic_with(message: &str) -> ! {
    panic!("{message}")
}

fn child(kind: &str, text: &Path, model: &Path) {
    let started = Instant::now();
    // Drops after this do not count.
    let used = || (milliseconds(started), cpu(started));
    let (work, cpu) = match kind {
        "parse" => {
            let source = Source::open(text).unwrap();
            let (module, diagnostics) = parse(&source);
            assert!(!diagnostics.has_errors() && module.functions().len() > 0);
            used()
        }
        "convert" => {
            let source = Source::open(text).unwrap();
            let conversion = convert(&source, &Options::default());
            let converted = conversion.model.unwrap_or_else(|| panic_with("the text does not convert"));
            write(&converted, model, ExternalData::Auto, &mut |_| {}).unwrap();
            used()
        }
        "digits" => {
            gate::digits(text, model);
            used()
        }
        "words" => {
            gate::words(text, model);
            used()
        }
        _ => panic_with("unknown measurement"),
    };
    println!("{work} {cpu} {}", peak());
}

/// The CPU time of this process in milliseconds; the time since `started` if the system has no such clock.
#[cfg(unix)]
fn cpu(_started: Instant) -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(not(unix))]
fn cpu(started: Instant) -> f64 {
    milliseconds(started)
}

/// The largest resident set so far, in megabytes; zero if the system does not report it.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0)
}
