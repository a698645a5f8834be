//! `hlo2onnx lsp`: the language server over standard input and output.

use super::arguments::LspArguments;
use super::{CommandOutcome, say};
use crate::lsp;
use lsp_server::{Connection, Message};
use std::io::{self, Write};
use std::thread;

/// Runs the command.
pub fn run(arguments: &LspArguments) -> CommandOutcome {
    let (connection, Connection { sender, receiver }) = Connection::memory();
    let reader = thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(message) = Message::read(&mut input)? {
            let is_last = matches!(&message, Message::Notification(last) if last.method == "exit");
            if sender.send(message).is_err() || is_last {
                break;
            }
        }
        Ok(())
    });
    let writer = thread::spawn(move || {
        receiver.into_iter().try_for_each(|message| message.write(&mut io::stdout().lock()))
    });
    let served = lsp::serve(&connection, &write, &arguments.options);
    // The writer thread ends when all senders are dropped.
    drop(connection);
    let joined = |thread: thread::JoinHandle<io::Result<()>>| {
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
    };
    let written = joined(reader).and(joined(writer));
    match served.map_err(|error| error.to_string()).and(written.map_err(|error| error.to_string())) {
        Ok(()) => CommandOutcome::Done,
        Err(why) => {
            say(&format!("error: {why}\n"));
            CommandOutcome::Errors
        }
    }
}

/// Writes the text of a message.
fn write(message: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    write!(output, "Content-Length: {}\r\n\r\n{message}", message.len())?;
    output.flush()
}
