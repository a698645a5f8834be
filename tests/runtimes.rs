//! Models in an old ONNX Runtime and in onnx's reference evaluator, by `tests/runtimes/run.py`, which has more runtimes.
//!
//! The first run installs both in the target folder.

#![allow(clippy::panic, reason = "a test fails by it")]

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

#[test]
fn models_are_right_in_other_runtimes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = if cfg!(windows) { "python" } else { "python3" };
    // Several runs may use one environment. The lock is released with the file handle, even in a crash.
    let folder = root.join("target/runtimes");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let lock = File::create(folder.join(".lock")).unwrap_or_else(|error| panic!("{error}"));
    lock.lock().unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(python)
        .arg(root.join("tests/runtimes/run.py"))
        .args(["--converter", env!("CARGO_BIN_EXE_hlo2onnx")])
        .args(["--suite", "models", "--check", "--runtimes", "onnxruntime-1.17", "onnx"])
        .output()
        .unwrap_or_else(|error| panic!("this test needs `{python}`, 3.11 or newer: {error}"));
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{printed}");
}
