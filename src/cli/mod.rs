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
mod terminal;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

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
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments.command),
        // Help and the version are results.
        Err(error) if !error.use_stderr() => {
            note_failure(error.print().and_then(|()| io::stdout().flush()));
            Outcome::Done
        }
        Err(error) => error.exit(),
    };
    let code = match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Errors => ExitCode::from(1),
        Outcome::Usage(why) => {
            say(&format!("error: {why}\n\nFor more information, try '--help'.\n"));
            ExitCode::from(2)
        }
    };
    match FAILURE.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to standard output: {error}\n"));
            ExitCode::from(1)
        }
        _ => code,
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Opt(arguments) => opt::run(&arguments),
        Command::Ops(arguments) => ops::run(&arguments),
        Command::Lsp(arguments) => lsp::run(&arguments),
        Command::Explain { code } => explain::run(code.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "hlo2onnx", &mut script);
            print(&String::from_utf8_lossy(&script));
            Outcome::Done
        }
    }
}

/// Why standard output takes no more, once it does not.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

fn note_failure(written: io::Result<()>) {
    if let Err(error) = written {
        // Only the first one counts.
        let _ = FAILURE.set(error);
    }
}

/// Writes to standard output. What fails is reported when the command ends; a reader that has gone away is not an error.
fn print(text: &str) {
    if FAILURE.get().is_none() {
        let mut output = io::stdout().lock();
        note_failure(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
    }
}

/// Writes to standard error, which is where a failure of it would be reported.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
