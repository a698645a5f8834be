//! The thread that checks texts while they are edited.

use super::document::Document;
use super::outgoing::{self, Outbox};
use super::python::PythonFiles;
use super::report::{self, Presentation};
use crate::{Options, compile};
use gen_lsp_types::{PublishDiagnosticsNotification, PublishDiagnosticsParams};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long the keys must rest before a text is checked.
const REST: Duration = Duration::from_millis(200);

/// What the thread does with a text.
pub(super) enum Job {
    /// Check it.
    Check {
        /// The version; checking ends early when there is a newer one.
        document: Arc<Document>,
        /// Whether it is being typed, so that the next version is likely to follow.
        is_edit: bool,
    },
    /// Remove its diagnostics from files of Python: it was closed.
    Close(Arc<Document>),
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
    let mut python = PythonFiles::default();
    loop {
        let now = Instant::now();
        let due = waiting.values().map(|(due, _)| *due).min();
        let job = match due {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => jobs.recv_timeout(due.saturating_duration_since(now)),
        };
        match job {
            Ok(Job::Close(document)) => {
                waiting.remove(&document.uri.0);
                publish(python.replace(&document.uri.0, BTreeMap::new()), send)?;
            }
            Ok(Job::Check { document, is_edit }) => {
                let due = Instant::now() + if is_edit { REST } else { Duration::ZERO };
                waiting.insert(document.uri.0.clone(), (due, document));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                let next = waiting.iter().find(|(_, (due, _))| *due <= now).map(|(name, _)| name.clone());
                if let Some((_, document)) = next.and_then(|name| waiting.remove(&name)) {
                    check(&document, options, presentation, &mut python, send)?;
                }
            }
        }
    }
}

fn check(
    document: &Document,
    options: &Options,
    presentation: &Presentation,
    python: &mut PythonFiles,
    send: &Outbox,
) -> io::Result<()> {
    if document.is_superseded() {
        return Ok(());
    }
    let diagnostics = compile::check(document.source(), options, || document.is_superseded());
    let Some(diagnostics) = diagnostics else { return Ok(()) };
    let report = report::report(document, &diagnostics, presentation);
    let in_python = report::in_python(document, &diagnostics, presentation);
    document.publish(|| publish([report].into_iter().chain(python.replace(&document.uri.0, in_python)), send))
}

fn publish(reports: impl IntoIterator<Item = PublishDiagnosticsParams>, send: &Outbox) -> io::Result<()> {
    let notify = |report| outgoing::notify::<PublishDiagnosticsNotification>(send, report);
    reports.into_iter().try_for_each(notify)
}
