//! Finds ONNX Runtime's shared library, and installs it into `.venv` if it is missing.
//!
//! `HLO2ONNX_ORT` names another library to use instead.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// The Python version whose wheel is installed. Only the library inside is used, so any Python with pip can fetch it,
/// even one for which this version of ONNX Runtime has no wheel.
const WHEEL_PYTHON: &str = "3.12";

/// The path of the shared library.
pub fn path() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("HLO2ONNX_ORT") {
        return Ok(path.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    install(root).map_err(|error| format!("cannot install ONNX Runtime into .venv: {error}"))
}

fn install(root: &Path) -> io::Result<PathBuf> {
    let requirements = root.join("tests/requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let venv = root.join(".venv");
    let target = venv.join("onnxruntime");
    let marker = target.join(".complete");
    fs::create_dir_all(&venv)?;
    // Test binaries may run in parallel. The lock is released with the file handle, even in a crash.
    let lock = File::create(venv.join(".lock"))?;
    #[expect(
        clippy::incompatible_msrv,
        reason = "the tests need the newer Rust of ONNX Runtime's crate too"
    )]
    lock.lock()?;
    // The marker contains the pins, so that a changed pin reinstalls; it is written last.
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return find_library(&target);
    }
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let tools = venv.join("tools");
    run(Command::new(python()).args(["-m", "venv", "--clear"]).arg(&tools))?;
    let bin = if cfg!(windows) { "Scripts" } else { "bin" };
    run(Command::new(tools.join(bin).join("python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--implementation=cp", "--python-version", WHEEL_PYTHON, "--target"])
        .arg(&target)
        .arg("--requirement")
        .arg(&requirements))?;
    let library = find_library(&target)?;
    fs::write(&marker, wanted)?;
    Ok(library)
}

fn python() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output().map_err(|error| io::Error::other(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&messages))))
}

/// The library's name contains the version on some systems: `libonnxruntime.so.1.31.1`.
fn find_library(target: &Path) -> io::Result<PathBuf> {
    let folder = target.join("onnxruntime").join("capi");
    let is_library = |name: &str| {
        (name.starts_with("libonnxruntime.") && (name.contains(".so") || name.ends_with(".dylib")))
            || name == "onnxruntime.dll"
    };
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_library) {
            return Ok(path);
        }
    }
    Err(io::Error::other(format!("no shared library in {}", folder.display())))
}
