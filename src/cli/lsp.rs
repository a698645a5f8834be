//! `hlo2onnx lsp`: the language server over standard input and output.

use super::arguments::LspArguments;
use super::{CommandOutcome, say};
use crate::lsp;
use lsp_server::Connection;

/// Runs the command.
pub fn run(arguments: &LspArguments) -> CommandOutcome {
    let (connection, threads) = Connection::stdio();
    let served = lsp::serve(&connection, &arguments.options);
    // The writer thread ends when all senders are dropped.
    drop(connection);
    let written = threads.join();
    match served.map_err(|error| error.to_string()).and(written.map_err(|error| error.to_string())) {
        Ok(()) => CommandOutcome::Done,
        Err(why) => {
            say(&format!("error: {why}\n"));
            CommandOutcome::Errors
        }
    }
}
