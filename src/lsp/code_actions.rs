//! Quick fixes.
//!
//! A diagnostic that proposes another text carries it, and the client sends it back to ask for the edit. What is wrong
//! with the structure of a text is corrected in the text as it is then.

use super::document::Document;
use super::rename;
use super::token::{TokenKind, Tokens};
use super::{definition, tree};
use crate::diagnostic::catalog::{DuplicateAttribute, NoEntryFunction, UnclosedDelimiter};
use crate::diagnostic::{Diagnostic, Fix};
use crate::source::{Problem, Span};
use gen_lsp_types::{CodeAction, CodeActionKind, Range, TextEdit, WorkspaceEdit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// Functions that are proposed as the entry; a text can have many.
const MOST_ENTRIES: usize = 8;

/// What a diagnostic carries.
#[derive(Serialize, Deserialize)]
struct Carried {
    /// The place of the text that is changed.
    range: Range,
    old: String,
    new: String,
}

/// The data of a diagnostic: the change that it proposes.
pub(super) fn data(document: &Document, diagnostic: &Diagnostic) -> Option<Value> {
    let Fix { label, old, new } = diagnostic.fix.clone()?;
    let span = diagnostic.labels.get(label).map(|label| label.span).filter(|span| !span.is_none())?;
    let carried = Carried { range: document.range(span), old, new };
    change(document, &carried)?;
    serde_json::to_value(carried).ok()
}

/// The edit of the text at a place. What it replaces may be a part of the text there, such as the word in
/// `#stablehlo<fft_type RFT>`.
fn change(document: &Document, carried: &Carried) -> Option<TextEdit> {
    let start = document.offset(carried.range.start);
    let text = document.slice(start..document.offset(carried.range.end));
    // In a function, the prefix of its ops can be left out.
    let short = carried.old.strip_prefix("func.").unwrap_or(&carried.old);
    let old = [carried.old.as_str(), short].into_iter().find(|old| text.matches(old).count() == 1)?;
    let at = start + text.find(old)?;
    let range = document.range(Span::new(at, at + old.len()));
    Some(TextEdit { range, new_text: carried.new.clone() })
}

/// The actions for each of these diagnostics.
pub(super) fn code_actions(
    document: &Document,
    diagnostics: &[gen_lsp_types::Diagnostic],
) -> Vec<CodeAction> {
    diagnostics.iter().flat_map(|diagnostic| actions(document, diagnostic)).collect()
}

fn actions(document: &Document, diagnostic: &gen_lsp_types::Diagnostic) -> Vec<CodeAction> {
    let offset = document.offset(diagnostic.range.start);
    let is = |code: crate::diagnostic::Code| diagnostic.code == Some(code.as_str().into());
    let fixes =
        if let Some(carried) = diagnostic.data.as_ref().and_then(|data| Carried::deserialize(data).ok()) {
            let title = format!("Change to `{}`", carried.new);
            change(document, &carried).map(|edit| (title, vec![edit])).into_iter().collect()
        } else if is(DuplicateAttribute::CODE) {
            let edit = |(name, span)| (format!("Delete this `{name}`"), vec![replaced(document, span, "")]);
            entry(document, offset).map(edit).into_iter().collect()
        } else if is(UnclosedDelimiter::CODE) {
            closed(document).into_iter().collect()
        } else if is(NoEntryFunction::CODE) {
            entries(document)
        } else {
            Vec::new()
        };
    let is_only = fixes.len() == 1;
    let action = |(title, edits)| CodeAction {
        title,
        kind: Some(CodeActionKind::QuickFix),
        diagnostics: Some(vec![diagnostic.clone()]),
        is_preferred: Some(is_only),
        edit: Some(WorkspaceEdit {
            changes: Some(HashMap::from([(document.uri.clone(), edits)])),
            ..WorkspaceEdit::default()
        }),
        ..CodeAction::default()
    };
    fixes.into_iter().map(action).collect()
}

fn replaced(document: &Document, span: Span, text: &str) -> TextEdit {
    TextEdit { range: document.range(span), new_text: text.to_owned() }
}

/// The entry of a dictionary, or the clause, whose name is at an offset, with the comma that it no longer needs.
fn entry(document: &Document, offset: usize) -> Option<(String, Span)> {
    let source = document.source();
    let statement = tree::at(source.scan(), document.path(offset).last()?.statement);
    let (mut before, mut name, mut depth, mut end) = (None, None, 0_usize, None);
    for token in Tokens::new(source, statement.span) {
        if token.span.start < offset {
            before = Some(token);
            continue;
        }
        name = name.or(Some(token));
        match token.kind {
            TokenKind::Mark(b'(' | b'[' | b'{' | b'<') => depth += 1,
            TokenKind::Mark(b'>') if source.bytes().get(token.span.start.wrapping_sub(1)) == Some(&b'-') => {}
            TokenKind::Mark(b')' | b']' | b'}' | b'>') if depth > 0 => depth -= 1,
            TokenKind::Mark(b')' | b']' | b'}' | b'>' | b',' | b':') if depth == 0 => {
                // The type of a number belongs to it, as in `1 : i64`.
                if token.kind == TokenKind::Mark(b':') && is_in_braces(document, statement.span.start, offset)
                {
                    continue;
                }
                end = Some(token);
                break;
            }
            _ => {}
        }
    }
    let (name, end) = (name.filter(|name| name.span.start == offset)?, end?);
    let after = document.slice(name.span.end..end.span.start);
    // Some forms have the value of an attribute without its name.
    after.trim_start().strip_prefix('=')?;
    let is_comma = |kind| kind == TokenKind::Mark(b',');
    let span = match before {
        Some(comma) if is_comma(comma.kind) => Span::new(comma.span.start, end.span.start),
        _ if is_comma(end.kind) => Span::new(offset, end.span.end),
        _ => Span::new(offset, end.span.start),
    };
    let text = document.slice(span.range());
    let kept = text.trim_end().len();
    Some((document.slice(name.span.range()).to_owned(), Span::new(span.start, span.start + kept)))
}

/// Whether an offset is in braces of the statement that begins at another.
fn is_in_braces(document: &Document, start: usize, offset: usize) -> bool {
    let depth = Tokens::new(document.source(), Span::new(start, offset)).fold(0_i32, |depth, token| {
        match token.kind {
            TokenKind::Mark(b'{') => depth + 1,
            TokenKind::Mark(b'}') => depth - 1,
            _ => depth,
        }
    });
    depth > 0
}

/// Closes what is open at the end of the text.
fn closed(document: &Document) -> Option<(String, Vec<TextEdit>)> {
    let source = document.source();
    let (bytes, end) = (source.bytes(), source.bytes().len());
    // The scan tells the innermost one, and only the closing of all makes a text.
    let [Problem::Unclosed { open, end: at }] = source.scan().problems[..] else { return None };
    let mut open_brackets = Vec::new();
    for token in Tokens::new(source, Span::new(0, end)) {
        match token.kind {
            TokenKind::Mark(bracket @ (b'(' | b'[' | b'{')) => open_brackets.push(bracket),
            TokenKind::Mark(b')' | b']' | b'}') => drop(open_brackets.pop()),
            _ => {}
        }
    }
    let is_angled = bytes.get(open.start) == Some(&b'<');
    let mut text = String::from(if is_angled { ">" } else { "" });
    for bracket in open_brackets.iter().rev() {
        text.push_str(match bracket {
            b'{' => "}\n",
            b'(' => ")",
            _ => "]",
        });
    }
    if at.start != end || text.is_empty() {
        return None;
    }
    if text.starts_with('}') && bytes.last() != Some(&b'\n') {
        text.insert(0, '\n');
    }
    let title = format!("Close with `{}` at the end", text.split_whitespace().collect::<Vec<_>>().join(" "));
    Some((title, vec![replaced(document, Span::new(end, end), &text)]))
}

/// Names each public function `@main`.
fn entries(document: &Document) -> Vec<(String, Vec<TextEdit>)> {
    let source = document.source();
    let scan = source.scan();
    let functions = scan.statements.iter().filter(|statement| tree::is_function(source, statement));
    let is_private = |head: &str| head.split_whitespace().any(|word| word == "private");
    let public =
        functions.filter(|statement| !is_private(document.slice(tree::head(scan, statement).range())));
    let named = public.filter_map(|statement| {
        let name = definition::symbol_of(source, statement)?;
        let (spans, text) = rename::rename(document, name.start + 1, "@main").ok()?;
        let edits = spans.into_iter().map(|span| replaced(document, span, &text)).collect();
        Some((format!("Change `{}` to `@main`", document.slice(name.range())), edits))
    });
    named.take(MOST_ENTRIES).collect()
}
