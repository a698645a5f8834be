//! The thread that checks texts while they are edited.

use super::Outbox;
use super::document::Document;
use super::report::{self, Presentation};
use crate::{Options, compile};
use gen_lsp_types::LspNotificationMethod;
use lsp_server::{Message, Notification};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long the keys must rest before a text is checked.
const REST: Duration = Duration::from_millis(200);

/// A text to check.
pub(super) struct Job {
    /// The version; checking ends early when there is a newer one.
    pub(super) document: Arc<Document>,
    /// Whether it is being typed, so that the next version is likely to follow.
    pub(super) is_edit: bool,
}

/// Checks the newest version of each text and publishes its diagnostics, until there are no more jobs.
///
/// # Errors
/// When the client cannot be written to.
pub(super) fn run(
    jobs: &Receiver<Job>,
    options: &Options,
    presentation: &Presentation,
    send: &Outbox,
) -> io::Result<()> {
    // Which texts wait, and until when.
    let mut waiting: BTreeMap<String, (Instant, Arc<Document>)> = BTreeMap::new();
    loop {
        let now = Instant::now();
        let due = waiting.values().map(|(due, _)| *due).min();
        let job = match due {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => jobs.recv_timeout(due.saturating_duration_since(now)),
        };
        match job {
            Ok(Job { document, is_edit }) => {
                let due = Instant::now() + if is_edit { REST } else { Duration::ZERO };
                waiting.insert(document.uri.0.clone(), (due, document));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                let next = waiting.iter().find(|(_, (due, _))| *due <= now).map(|(name, _)| name.clone());
                if let Some((_, document)) = next.and_then(|name| waiting.remove(&name)) {
                    check(&document, options, presentation, send)?;
                }
            }
        }
    }
}

fn check(
    document: &Document,
    options: &Options,
    presentation: &Presentation,
    send: &Outbox,
) -> io::Result<()> {
    if document.is_superseded() {
        return Ok(());
    }
    let diagnostics = compile::check(document.source(), options, || document.is_superseded());
    let Some(diagnostics) = diagnostics else { return Ok(()) };
    let report = report::report(document, &diagnostics, presentation);
    let message = Message::Notification(Notification::new(
        LspNotificationMethod::TextDocumentPublishDiagnostics.to_string(),
        report,
    ));
    document.publish(|| send(message))
}
