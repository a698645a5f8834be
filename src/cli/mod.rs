//! The command line: arguments, files, terminals. Results go to standard output, diagnostics to standard error.
//!
//! Exit status: 0 done, 1 the input has errors, 2 the command line is wrong.

mod arguments;
mod check;
mod convert;
mod explain;
mod lsp;
mod ops;
mod opt;
mod report;
mod source_root;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended.
pub enum Outcome {
    /// All went well.
    Done,
    /// The input has errors, which have been reported.
    Errors,
    /// The command line asks for something that is not there.
    Usage(String),
}

/// Reads the arguments and runs the command.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Opt(arguments) => opt::run(&arguments),
        Command::Ops(arguments) => ops::run(&arguments),
        Command::Lsp(arguments) => lsp::run(&arguments),
        Command::Explain { code } => explain::run(code.as_deref()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "hlo2onnx", &mut io::stdout());
            Outcome::Done
        }
    };
    match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Errors => ExitCode::from(1),
        Outcome::Usage(why) => {
            say(&format!("error: {why}\n\nFor more information, try '--help'.\n"));
            ExitCode::from(2)
        }
    }
}

/// Writes to standard output; a reader that has gone away ends the output and is no error.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Writes to standard error.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
