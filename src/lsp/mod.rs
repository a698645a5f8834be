//! A language server for StableHLO text.
//!
//! Three threads share the work. One reads messages and only edits ropes, so that it keeps up with typing in a text
//! of any size. One answers questions in order, each about the version of the text at that time. One checks texts
//! after a pause, and stops between passes when the text changes. Bytes and scan of a version are created once, by
//! the thread that first needs them.
//!
//! It takes a connection and a function that writes, and does no I/O of its own.

mod attributes;
mod calls;
mod check;
mod code_actions;
mod completion;
mod definition;
mod document;
mod folding;
mod fragment;
mod hover;
mod inlay_hints;
mod manual;
mod modules;
mod outgoing;
mod position;
mod python;
mod rename;
mod report;
mod semantic_tokens;
mod summary;
mod symbols;
mod token;
mod tree;

mod question;

use crate::Options;
use check::Job;
use document::Document;
use gen_lsp_types::{
    CancelParams, CodeActionKind, CodeActionOptions, CompletionOptions, DidChangeTextDocumentParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams, Id, InitializeParams,
    LogMessageNotification, LogMessageParams, LspNotificationMethod, MessageType,
    PublishDiagnosticsNotification, PublishDiagnosticsParams, RenameOptions, SemanticTokensFullDelta,
    SemanticTokensLegend, SemanticTokensOptions, ServerCapabilities, TextDocumentSyncKind,
    TextDocumentSyncOptions, Uri, WorkspaceFolders,
};
use lsp_server::{Connection, Message, Notification, ProtocolError, Request, RequestId};
use manual::Manual;
pub use outgoing::Outbox;
use question::{Ask, Canceled};
use report::Presentation;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError};
use std::thread;

/// Why a server ended otherwise than by the client's wish.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client did not keep to the order of the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The client's capabilities cannot be parsed.
    #[error("the parameters of `initialize` cannot be read: {0}")]
    Parameters(#[from] serde_json::Error),
    /// A thread could not be started, or the client cannot be written to.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The client closed the connection.
    #[error("the client disconnected without `exit`")]
    Gone,
    /// One of the server's threads crashed.
    #[error("the server's thread panicked")]
    Fault,
}

/// Serves a client until it sends `exit`. The connection sends what `lsp_server` does, and `send` all else.
///
/// # Errors
/// See [`Error`].
pub fn serve(connection: &Connection, send: &Outbox, options: &Options) -> Result<(), Error> {
    let (id, parameters) = connection.initialize_start()?;
    let parameters: InitializeParams = serde_json::from_value(parameters)?;
    let abilities = serde_json::json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, abilities)?;
    let canceled = Canceled::default();
    let presentation = presentation(&parameters);
    let is_nested = is_nested(&parameters);
    let ((jobs, received_jobs), (asks, received_asks)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let (presentation, canceled) = (&presentation, &canceled);
        let checks = thread::Builder::new()
            .name("check".into())
            .spawn_scoped(scope, move || check::run(&received_jobs, options, presentation, send))?;
        let answers = thread::Builder::new()
            .name("answer".into())
            .spawn_scoped(scope, move || question::run(&received_asks, options, is_nested, canceled, send))?;
        // The channels end with the server, and with them the threads.
        let served = Server { connection, send, jobs, asks, canceled, documents: BTreeMap::new() }.run();
        for thread in [checks, answers] {
            thread.join().map_err(|_| Error::Fault)??;
        }
        served
    })
}

/// What the server can do.
fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::Incremental),
                save: Some(true.into()),
                ..TextDocumentSyncOptions::default()
            }
            .into(),
        ),
        hover_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        references_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        code_action_provider: Some(
            CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QuickFix]),
                ..CodeActionOptions::default()
            }
            .into(),
        ),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(completion::TRIGGERS.map(str::to_owned).into()),
            ..CompletionOptions::default()
        }),
        call_hierarchy_provider: Some(true.into()),
        inlay_hint_provider: Some(true.into()),
        document_highlight_provider: Some(true.into()),
        folding_range_provider: Some(true.into()),
        rename_provider: Some(
            RenameOptions { prepare_provider: Some(true), ..RenameOptions::default() }.into(),
        ),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: SemanticTokensLegend {
                    token_types: semantic_tokens::LEGEND.map(str::to_owned).into(),
                    token_modifiers: Vec::new(),
                },
                range: Some(true.into()),
                full: Some(SemanticTokensFullDelta { delta: Some(true) }.into()),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
        ..ServerCapabilities::default()
    }
}

fn presentation(parameters: &InitializeParams) -> Presentation {
    let text = parameters.capabilities.text_document.as_ref();
    let published = text.and_then(|text| text.publish_diagnostics.as_ref());
    let folder = match &parameters.workspace_folders_initialize_params.workspace_folders {
        Some(WorkspaceFolders::WorkspaceFolderList(folders)) => folders.first().map(|folder| &folder.uri),
        Some(WorkspaceFolders::Null) | None => None,
    };
    // Clients older than workspace folders state one folder here.
    #[allow(deprecated)]
    let root = folder.or(parameters.root_uri.as_ref());
    Presentation {
        related: published
            .and_then(|published| published.diagnostics_capabilities.related_information)
            .unwrap_or(false),
        root: root.and_then(|root| python::path_of(&root.0)),
        manual: published
            .and_then(|published| published.diagnostics_capabilities.code_description_support)
            .unwrap_or(false)
            .then(Manual::new)
            .flatten(),
    }
}

/// Whether the client takes an outline as a tree.
fn is_nested(parameters: &InitializeParams) -> bool {
    let text = parameters.capabilities.text_document.as_ref();
    let symbols = text.and_then(|text| text.document_symbol.as_ref());
    symbols.and_then(|symbols| symbols.hierarchical_document_symbol_support).unwrap_or(false)
}

/// The thread that reads.
struct Server<'a> {
    connection: &'a Connection,
    send: &'a Outbox,
    jobs: Sender<Job>,
    asks: Sender<Ask>,
    canceled: &'a Canceled,
    documents: BTreeMap<String, Arc<Document>>,
}

impl Server<'_> {
    fn run(mut self) -> Result<(), Error> {
        for message in &self.connection.receiver {
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        self.close_all();
                        return Ok(());
                    }
                    self.request(request)?;
                }
                Message::Notification(notification) => self.notification(notification)?,
                // The server sends no requests.
                Message::Response(_) => {}
            }
        }
        self.close_all();
        Err(Error::Gone)
    }

    /// No more diagnostics are needed, so that the threads end soon.
    fn close_all(&self) {
        self.documents.values().for_each(|document| document.supersede());
    }

    fn request(&mut self, request: Request) -> Result<(), Error> {
        let id = request.id.clone();
        match Ask::read(request, |uri| self.documents.get(&uri.0).cloned()) {
            Ok(ask) => self.asks.send(ask).map_err(|_| Error::Fault),
            Err(refused) => Ok(outgoing::respond(self.send, &id, Err(refused))?),
        }
    }

    fn notification(&mut self, notification: Notification) -> Result<(), Error> {
        let method = notification.method.clone();
        let done = match LspNotificationMethod::from(&*method) {
            LspNotificationMethod::TextDocumentDidOpen => {
                read(notification).and_then(|parameters| self.open(parameters))
            }
            LspNotificationMethod::TextDocumentDidChange => {
                read(notification).and_then(|parameters| self.change(parameters))
            }
            LspNotificationMethod::TextDocumentDidSave => {
                read(notification).and_then(|parameters| self.save(&parameters))
            }
            LspNotificationMethod::TextDocumentDidClose => {
                read(notification).and_then(|parameters| self.close(parameters))
            }
            LspNotificationMethod::CancelRequest => {
                read(notification).map(|parameters| self.cancel(parameters))
            }
            // What is optional or not known may be passed over.
            _ => return Ok(()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Failure::Client(why)) => self.log(format!("{method}: {why}")),
            Err(Failure::Server(error)) => Err(error),
        }
    }

    fn open(&mut self, parameters: DidOpenTextDocumentParams) -> Result<(), Failure> {
        let item = parameters.text_document;
        self.replace(Document::new(item.uri, item.version, &item.text), false)
    }

    fn change(&mut self, parameters: DidChangeTextDocumentParams) -> Result<(), Failure> {
        let version = parameters.text_document.version;
        let edited = self
            .document(&parameters.text_document.text_document_identifier.uri)?
            .edited(version, parameters.content_changes);
        let edited = edited.map_err(|error| Failure::Client(error.to_string()))?;
        self.replace(edited, true)
    }

    fn save(&mut self, parameters: &DidSaveTextDocumentParams) -> Result<(), Failure> {
        let document = Arc::clone(self.document(&parameters.text_document.uri)?);
        self.check(document, false)
    }

    fn close(&mut self, parameters: DidCloseTextDocumentParams) -> Result<(), Failure> {
        let uri = parameters.text_document.uri;
        if let Some(document) = self.documents.remove(&uri.0) {
            document.supersede();
            self.jobs.send(Job::Close(document)).map_err(|_| Failure::Server(Error::Fault))?;
        }
        let none = PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None };
        self.notify::<PublishDiagnosticsNotification>(none).map_err(Failure::Server)
    }

    fn cancel(&self, parameters: CancelParams) {
        let id = match parameters.id {
            Id::Int(number) => RequestId::from(number),
            Id::String(text) => RequestId::from(text),
        };
        self.canceled.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    fn document(&self, uri: &Uri) -> Result<&Arc<Document>, Failure> {
        let document = self.documents.get(&uri.0);
        document.ok_or_else(|| Failure::Client(format!("`{}` is not open", uri)))
    }

    fn replace(&mut self, document: Document, is_edit: bool) -> Result<(), Failure> {
        let document = Arc::new(document);
        let before = self.documents.insert(document.uri.0.clone(), Arc::clone(&document));
        if let Some(before) = before {
            before.supersede();
        }
        self.check(document, is_edit)
    }

    fn check(&self, document: Arc<Document>, is_edit: bool) -> Result<(), Failure> {
        self.jobs.send(Job::Check { document, is_edit }).map_err(|_| Failure::Server(Error::Fault))
    }

    fn log(&self, message: String) -> Result<(), Error> {
        self.notify::<LogMessageNotification>(LogMessageParams { kind: MessageType::Error, message })
    }

    fn notify<N: gen_lsp_types::Notification>(&self, parameters: N::Params) -> Result<(), Error> {
        Ok(outgoing::notify::<N>(self.send, parameters)?)
    }
}

/// Why a notification failed.
enum Failure {
    /// It is invalid, which is logged to the client.
    Client(String),
    /// The server cannot go on.
    Server(Error),
}

fn read<P: DeserializeOwned>(notification: Notification) -> Result<P, Failure> {
    serde_json::from_value(notification.params).map_err(|error| Failure::Client(error.to_string()))
}
