//! The command line: arguments, files, terminals. Results go to standard output, diagnostics to standard error.
//!
//! Exit status: 0 done, 1 the input has errors, 2 the command line is wrong.

mod arguments;
mod check;
mod convert;
mod explain;
#[cfg(feature = "lsp")]
mod lsp;
mod ops;
mod opt;
mod report;
mod source_root;
mod targets;
mod terminal;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::OnceLock;

/// The exit status of a command that succeeded.
const DONE: u8 = 0;
/// The exit status where the input has errors, or the output cannot be written.
const ERRORS: u8 = 1;
/// The exit status where the command line is wrong.
const USAGE: u8 = 2;

/// The command line of the Python package runs `verify`, and passes all other commands on.
const NO_VERIFY: &str = "`verify` is part of the Python package, because it runs JAX; this program is built without Python\n\n  \
                         help: install the package with `pip install 'hlo2onnx[jax]'`; the same command then works";

/// How a command ended.
enum CommandOutcome {
    /// The command succeeded.
    Done,
    /// The input has errors, which have been reported.
    Errors,
    /// The command line names something that does not exist.
    Usage(String),
}

/// Reads the arguments, the name of the program first, runs the command, and returns the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments.command),
        // Help and the version are results.
        Err(error) if !error.use_stderr() => {
            note_failure(error.print().and_then(|()| io::stdout().flush()));
            CommandOutcome::Done
        }
        Err(error) => {
            // If standard error is closed, there is nowhere to report the failure.
            let _ = error.print();
            return USAGE;
        }
    };
    let code = match outcome {
        CommandOutcome::Done => DONE,
        CommandOutcome::Errors => ERRORS,
        CommandOutcome::Usage(why) => {
            say(&format!("error: {why}\n\nFor more information, try '--help'.\n"));
            USAGE
        }
    };
    match FAILURE.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to standard output: {error}\n"));
            ERRORS
        }
        _ => code,
    }
}

fn dispatch(command: Command) -> CommandOutcome {
    match command {
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Opt(arguments) => opt::run(&arguments),
        Command::Ops(arguments) => ops::run(&arguments),
        Command::Targets(arguments) => targets::run(&arguments),
        #[cfg(feature = "lsp")]
        Command::Lsp(arguments) => lsp::run(&arguments),
        Command::Verify { .. } => CommandOutcome::Usage(NO_VERIFY.to_owned()),
        Command::Explain { code } => explain::run(code.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "hlo2onnx", &mut script);
            print(&String::from_utf8_lossy(&script));
            CommandOutcome::Done
        }
    }
}

/// The first error of standard output, after which nothing more is written to it.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

fn note_failure(written: io::Result<()>) {
    if let Err(error) = written {
        // `set` fails after the first error, which is the one to report.
        let _ = FAILURE.set(error);
    }
}

/// Writes to standard output. A failure is reported when the command ends; a reader that has gone away is not an error.
fn print(text: &str) {
    if FAILURE.get().is_none() {
        let mut output = io::stdout().lock();
        note_failure(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
    }
}

/// Writes to standard error. A failure is ignored: there is nowhere else to report it.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
