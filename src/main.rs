//! The `hlo2onnx` command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hlo2onnx::cli::run(std::env::args_os()))
}
