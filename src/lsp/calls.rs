//! Which functions call which.

use super::definition::{self, Target};
use super::document::Document;
use super::token::{TokenKind, Tokens};
use super::tree;
use crate::source::Span;
use gen_lsp_types::{
    CallHierarchyIncomingCall, CallHierarchyItem, CallHierarchyOutgoingCall, Range, SymbolKind,
};

/// The function that a name at an offset refers to.
pub(super) fn prepare(document: &Document, offset: usize) -> Option<Vec<CallHierarchyItem>> {
    let token = definition::name_at(document, offset).filter(|token| token.kind == TokenKind::Symbol)?;
    let Target::Symbol { statement } = definition::definition(document, token)?.target else { return None };
    Some(vec![item(document, statement)?])
}

/// The functions that call a function, with the places of the calls.
pub(super) fn incoming(document: &Document, function: &CallHierarchyItem) -> Vec<CallHierarchyIncomingCall> {
    let offset = document.offset(function.selection_range.start);
    let Some(token) = definition::name_at(document, offset) else { return Vec::new() };
    let mut calls: Vec<(u32, Vec<Range>)> = Vec::new();
    for span in definition::references(document, token).into_iter().filter(|span| *span != token.span) {
        if let Some(caller) = enclosing(document, span.start) {
            group(&mut calls, caller, document.range(span));
        }
    }
    let call = |(caller, ranges)| Some(CallHierarchyIncomingCall::new(item(document, caller)?, ranges));
    calls.into_iter().filter_map(call).collect()
}

/// The functions that a function calls, with the places of the calls.
pub(super) fn outgoing(document: &Document, function: &CallHierarchyItem) -> Vec<CallHierarchyOutgoingCall> {
    let source = document.source();
    let offset = document.offset(function.selection_range.start);
    let Some(caller) = enclosing(document, offset) else { return Vec::new() };
    let scan = source.scan();
    let (own, whole) = (definition::symbol_of(source, tree::at(scan, caller)), tree::at(scan, caller).span);
    let mut calls: Vec<(u32, Vec<Range>)> = Vec::new();
    for token in Tokens::new(source, whole).filter(|token| token.kind == TokenKind::Symbol) {
        if let Some(definition::Definition { target: Target::Symbol { statement }, .. }) =
            definition::definition(document, token).filter(|_| Some(token.span) != own)
        {
            group(&mut calls, statement, document.range(token.span));
        }
    }
    let call = |(callee, ranges)| Some(CallHierarchyOutgoingCall::new(item(document, callee)?, ranges));
    calls.into_iter().filter_map(call).collect()
}

fn group(calls: &mut Vec<(u32, Vec<Range>)>, function: u32, place: Range) {
    match calls.iter_mut().find(|(known, _)| *known == function) {
        Some((_, places)) => places.push(place),
        None => calls.push((function, vec![place])),
    }
}

/// The function that contains an offset.
fn enclosing(document: &Document, offset: usize) -> Option<u32> {
    let source = document.source();
    let steps = document.path(offset).into_iter().map(|step| step.statement);
    steps.rev().find(|&statement| tree::is_function(source, tree::at(source.scan(), statement)))
}

fn item(document: &Document, statement: u32) -> Option<CallHierarchyItem> {
    let source = document.source();
    let whole: Span = tree::at(source.scan(), statement).span;
    let name = definition::symbol_of(source, tree::at(source.scan(), statement))?;
    let text = document.slice(name.range()).trim_matches(['@', '"']).to_owned();
    Some(CallHierarchyItem {
        name: text,
        kind: SymbolKind::Function,
        tags: None,
        detail: None,
        uri: document.uri.clone(),
        range: document.range(whole),
        selection_range: document.range(name),
        data: None,
    })
}
