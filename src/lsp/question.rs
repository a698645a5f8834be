//! The thread that answers questions about a text.

use super::document::Document;
use super::outgoing::{self, Outbox, Refused, result};
use super::{
    calls, code_actions, completion, definition, folding, hover, inlay_hints, rename, semantic_tokens,
    symbols,
};
use crate::Options;
use crate::source::Span;
use gen_lsp_types::{
    BaseSymbolInformation, CallHierarchyIncomingCallsParams, CallHierarchyItem,
    CallHierarchyOutgoingCallsParams, CodeActionParams, Definition, DefinitionResponse, DocumentHighlight,
    DocumentHighlightKind, DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, FoldingRangeParams,
    Hover, InlayHintParams, Location, LspRequestMethod, MarkupContent, MarkupKind, Position, Range,
    ReferenceParams, RenameParams, SemanticTokens, SemanticTokensDeltaParams, SemanticTokensParams,
    SemanticTokensRangeParams, SymbolInformation, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit,
};
use lsp_server::{ErrorCode, Request, RequestId};
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests that the client no longer waits for.
pub(super) type Canceled = Mutex<FxHashSet<RequestId>>;

/// A question about one version of a text.
pub(super) struct Ask {
    id: RequestId,
    document: Arc<Document>,
    about: About,
}

enum About {
    Hover(Position),
    Definition(Position),
    References {
        position: Position,
        with_declaration: bool,
    },
    Symbols,
    Completion(Position),
    InlayHints(Range),
    Callable(Position),
    Incoming(Box<CallHierarchyItem>),
    Outgoing(Box<CallHierarchyItem>),
    CodeActions(Vec<gen_lsp_types::Diagnostic>),
    Highlights(Position),
    FoldingRanges,
    RenamedRange(Position),
    Rename {
        position: Position,
        name: String,
    },
    AllTokens,
    /// The tokens since those with this identifier.
    NewTokens(String),
    SemanticTokens(Range),
}

impl Ask {
    /// Parses a request; `find` returns the newest version of a text.
    ///
    /// # Errors
    /// With the error response, if the request is unknown, invalid, or about a text that is not open.
    pub(super) fn read(
        request: Request,
        find: impl Fn(&Uri) -> Option<Arc<Document>>,
    ) -> Result<Self, Refused> {
        let id = request.id;
        let (uri, about) = match LspRequestMethod::from(&*request.method) {
            LspRequestMethod::TextDocumentHover => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::Hover(position))
            }
            LspRequestMethod::TextDocumentDefinition => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::Definition(position))
            }
            LspRequestMethod::TextDocumentReferences => {
                let parameters: ReferenceParams = parameters(request.params)?;
                let (uri, position) = place(parameters.text_document_position_params);
                let with_declaration = parameters.context.include_declaration;
                (uri, About::References { position, with_declaration })
            }
            LspRequestMethod::TextDocumentCompletion => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::Completion(position))
            }
            LspRequestMethod::TextDocumentInlayHint => {
                let parameters: InlayHintParams = parameters(request.params)?;
                (parameters.text_document.uri, About::InlayHints(parameters.range))
            }
            LspRequestMethod::TextDocumentPrepareCallHierarchy => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::Callable(position))
            }
            LspRequestMethod::CallHierarchyIncomingCalls => {
                let parameters: CallHierarchyIncomingCallsParams = parameters(request.params)?;
                (parameters.item.uri.clone(), About::Incoming(parameters.item.into()))
            }
            LspRequestMethod::CallHierarchyOutgoingCalls => {
                let parameters: CallHierarchyOutgoingCallsParams = parameters(request.params)?;
                (parameters.item.uri.clone(), About::Outgoing(parameters.item.into()))
            }
            LspRequestMethod::TextDocumentCodeAction => {
                let parameters: CodeActionParams = parameters(request.params)?;
                (parameters.text_document.uri, About::CodeActions(parameters.context.diagnostics))
            }
            LspRequestMethod::TextDocumentDocumentHighlight => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::Highlights(position))
            }
            LspRequestMethod::TextDocumentFoldingRange => {
                let parameters: FoldingRangeParams = parameters(request.params)?;
                (parameters.text_document.uri, About::FoldingRanges)
            }
            LspRequestMethod::TextDocumentPrepareRename => {
                let (uri, position) = place(parameters(request.params)?);
                (uri, About::RenamedRange(position))
            }
            LspRequestMethod::TextDocumentRename => {
                let parameters: RenameParams = parameters(request.params)?;
                let (uri, position) = place(parameters.text_document_position_params);
                (uri, About::Rename { position, name: parameters.new_name })
            }
            LspRequestMethod::TextDocumentSemanticTokensFull => {
                let parameters: SemanticTokensParams = parameters(request.params)?;
                (parameters.text_document.uri, About::AllTokens)
            }
            LspRequestMethod::TextDocumentSemanticTokensFullDelta => {
                let parameters: SemanticTokensDeltaParams = parameters(request.params)?;
                (parameters.text_document.uri, About::NewTokens(parameters.previous_result_id))
            }
            LspRequestMethod::TextDocumentSemanticTokensRange => {
                let parameters: SemanticTokensRangeParams = parameters(request.params)?;
                (parameters.text_document.uri, About::SemanticTokens(parameters.range))
            }
            LspRequestMethod::TextDocumentDocumentSymbol => {
                let parameters: DocumentSymbolParams = parameters(request.params)?;
                (parameters.text_document.uri, About::Symbols)
            }
            method => return Err((ErrorCode::MethodNotFound, format!("`{method}` is not supported"))),
        };
        match find(&uri) {
            Some(document) => Ok(Self { id, document, about }),
            None => Err((ErrorCode::InvalidParams, format!("`{}` is not open", uri))),
        }
    }
}

fn parameters<P: DeserializeOwned>(value: serde_json::Value) -> Result<P, Refused> {
    serde_json::from_value(value).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

/// The place that a request is about. The parameters of all such requests have these fields.
fn place(parameters: TextDocumentPositionParams) -> (Uri, Position) {
    (parameters.text_document.uri, parameters.position)
}

/// Answers questions in order until there are no more.
///
/// # Errors
/// When the client cannot be written to.
pub(super) fn run(
    asks: &Receiver<Ask>,
    options: &Options,
    is_nested: bool,
    canceled: &Canceled,
    send: &Outbox,
) -> io::Result<()> {
    for ask in asks {
        let id = ask.id.clone();
        let is_cancelled = || canceled.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let answer = if is_cancelled() {
            Err((ErrorCode::RequestCanceled, "the request was canceled".to_owned()))
        } else if ask.document.is_superseded() {
            Err((ErrorCode::ContentModified, "the text has changed since the request".to_owned()))
        } else {
            answer(&ask, options, is_nested)
        };
        // A cancellation that came too late is forgotten.
        is_cancelled();
        outgoing::respond(send, &id, answer)?;
    }
    Ok(())
}

fn answer(ask: &Ask, options: &Options, is_nested: bool) -> Result<String, Refused> {
    let document = &*ask.document;
    match &ask.about {
        &About::Hover(position) => result(hover_at(document, position, options)),
        &About::Definition(position) => result(definition_at(document, position)),
        &About::References { position, with_declaration } => {
            result(references_at(document, position, with_declaration))
        }
        About::Symbols => result(outline(document, is_nested)),
        &About::Completion(position) => result(completion::completion(document, position)),
        About::InlayHints(range) => {
            result(inlay_hints::inlay_hints(document, lines_of(document, range), options))
        }
        &About::Callable(position) => result(calls::prepare(document, document.offset(position))),
        About::Incoming(function) => result(calls::incoming(document, function)),
        About::Outgoing(function) => result(calls::outgoing(document, function)),
        About::CodeActions(diagnostics) => result(code_actions::code_actions(document, diagnostics)),
        &About::Highlights(position) => result(highlights_at(document, position)),
        About::FoldingRanges => result(folding::folding_ranges(document)),
        &About::RenamedRange(position) => {
            let span = rename::renamed_span(document, document.offset(position));
            result(span.map(|span| document.range(span)))
        }
        About::Rename { position, name } => {
            let renamed = rename::rename(document, document.offset(*position), name);
            let (spans, text) = renamed.map_err(|why| (ErrorCode::RequestFailed, why))?;
            let edit = |span| TextEdit { range: document.range(span), new_text: text.clone() };
            let edits = spans.into_iter().map(edit).collect();
            let changes = Some(HashMap::from([(document.uri.clone(), edits)]));
            result(WorkspaceEdit { changes, ..WorkspaceEdit::default() })
        }
        About::SemanticTokens(range) => {
            let data = semantic_tokens::semantic_tokens(document, lines_of(document, range));
            result(SemanticTokens { result_id: None, data })
        }
        About::AllTokens => result(semantic_tokens::all(document)),
        About::NewTokens(previous) => result(semantic_tokens::changed(document, previous)),
    }
}

fn hover_at(document: &Document, position: Position, options: &Options) -> Option<Hover> {
    let (value, span) = hover::hover(document, document.offset(position), options)?;
    let contents = MarkupContent { kind: MarkupKind::Markdown, value }.into();
    Some(Hover { contents, range: Some(document.range(span)) })
}

fn definition_at(document: &Document, position: Position) -> Option<DefinitionResponse> {
    let token = definition::name_at(document, document.offset(position))?;
    let found = definition::definition(document, token)?;
    Some(Definition::from(location(document, found.name)).into())
}

fn references_at(document: &Document, position: Position, with_declaration: bool) -> Option<Vec<Location>> {
    let token = definition::name_at(document, document.offset(position))?;
    let declared = definition::definition(document, token)?.name;
    let mut found = definition::references(document, token);
    found.retain(|&span| with_declaration || span != declared);
    Some(found.into_iter().map(|span| location(document, span)).collect())
}

/// The lines of a range.
fn lines_of(document: &Document, range: &Range) -> Span {
    let start = document.offset(Position { line: range.start.line, character: 0 });
    Span::new(start, document.offset(range.end).max(start))
}

fn highlights_at(document: &Document, position: Position) -> Option<Vec<DocumentHighlight>> {
    let token = definition::name_at(document, document.offset(position))?;
    let declared = definition::definition(document, token)?.name;
    let kind =
        |span| if span == declared { DocumentHighlightKind::Write } else { DocumentHighlightKind::Read };
    let highlight = |span| DocumentHighlight { range: document.range(span), kind: Some(kind(span)) };
    Some(definition::references(document, token).into_iter().map(highlight).collect())
}

fn outline(document: &Document, is_nested: bool) -> DocumentSymbolResponse {
    let symbols = symbols::symbols(document);
    if is_nested {
        return symbols.into();
    }
    let mut flat = Vec::new();
    flatten(document, symbols, None, &mut flat);
    flat.into()
}

/// A tree as a list, for clients of before the tree. Its depth is that of the regions.
fn flatten(
    document: &Document,
    symbols: Vec<DocumentSymbol>,
    container: Option<&str>,
    flat: &mut Vec<SymbolInformation>,
) {
    for symbol in symbols {
        // The field is deprecated, and the struct has no other constructor.
        #[allow(deprecated)]
        flat.push(SymbolInformation {
            deprecated: None,
            location: Location { uri: document.uri.clone(), range: symbol.range },
            base_symbol_information: BaseSymbolInformation {
                name: symbol.name.clone(),
                kind: symbol.kind,
                tags: None,
                container_name: container.map(str::to_owned),
            },
        });
        flatten(document, symbol.children.unwrap_or_default(), Some(&symbol.name), flat);
    }
}

fn location(document: &Document, span: Span) -> Location {
    Location { uri: document.uri.clone(), range: document.range(span) }
}
