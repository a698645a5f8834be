//! The tests of the Python package, with the oldest and the newest JAX that the installed `python3` supports.
//!
//! `python/tests/matrix.py` creates an environment for each in the target folder. The first run installs packages.

#![allow(clippy::panic, reason = "a test fails by it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// The folder that cargo builds in: that of this test is `TARGET/debug/deps`.
fn target() -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let target =
        test.ancestors().nth(3).ok_or_else(|| io::Error::other("the test is not in a target folder"))?;
    Ok(target.to_owned())
}

fn passes(release: &str) -> io::Result<()> {
    let target = target()?;
    let python = if cfg!(windows) { "python" } else { "python3" };
    fs::create_dir_all(target.join("python"))?;
    // Several runs may use one environment. The lock is released with the file handle, even in a crash.
    let lock = File::create(target.join("python").join(format!("jax-{release}.lock")))?;
    #[expect(
        clippy::incompatible_msrv,
        reason = "the tests need the newer Rust of ONNX Runtime's crate too"
    )]
    lock.lock()?;
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tests/matrix.py"))
        .args(["--python", python, "--jax", release, "--target-dir"])
        .arg(&target)
        .env("CARGO", env!("CARGO"))
        .output()
        .map_err(|error| io::Error::other(format!("the tests of the package need `{python}`: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

#[test]
fn the_package_works_with_the_oldest_jax() {
    passes("oldest").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_package_works_with_the_newest_jax() {
    passes("newest").unwrap_or_else(|error| panic!("{error}"));
}
