//! What can stand at a place: the names of values, functions and aliases, and ops.
//!
//! What is before the cursor on its line decides, so that it works while a statement is not complete.

use super::definition;
use super::document::Document;
use super::tree;
use crate::ir::{Dialect, OpName};
use crate::ops;
use crate::source::Span;
use gen_lsp_types::{CompletionItem, CompletionItemKind, CompletionList, Position, TextEdit};
use rustc_hash::FxHashSet;

/// The characters after which a client asks by itself.
pub(super) const TRIGGERS: [&str; 5] = ["%", "@", "#", "!", "."];

/// More names are not listed; the client asks again when more of the name is typed.
const MOST: usize = 1000;

/// The names that can stand at a position.
pub(super) fn completion(document: &Document, position: Position) -> CompletionList {
    let offset = document.offset(position);
    let line_start = document.offset(Position { line: position.line, character: 0 });
    let line = document.slice(line_start..offset);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$' | '.' | '-');
    let typed = line.trim_end_matches(is_name).len();
    let (before, word) = line.split_at(typed);
    let mark = before.chars().next_back();
    let (kind, names): (_, Vec<(String, Option<String>)>) = match mark {
        Some('%') => (CompletionItemKind::Variable, plain(values(document, offset))),
        Some('@') => (CompletionItemKind::Function, plain(symbols(document))),
        Some(mark @ ('#' | '!')) => (CompletionItemKind::Reference, plain(aliases(document, mark as u8))),
        _ if begins_op(before) => (CompletionItemKind::Function, ops()),
        _ => return CompletionList::default(),
    };
    let marked = usize::from(matches!(mark, Some('%' | '@' | '#' | '!')));
    let range = document.range(Span::new(line_start + typed - marked, offset));
    let matching: Vec<_> =
        names.into_iter().filter(|(name, _)| name[marked.min(name.len())..].starts_with(word)).collect();
    let is_incomplete = matching.len() > MOST;
    let items = matching.into_iter().take(MOST).enumerate().map(|(place, (label, detail))| CompletionItem {
        kind: Some(kind),
        // In the order of the list: the nearest values first.
        sort_text: Some(format!("{place:04}")),
        text_edit: Some(TextEdit { range, new_text: label.clone() }.into()),
        detail,
        label,
        ..CompletionItem::default()
    });
    CompletionList { is_incomplete, items: items.collect(), ..CompletionList::default() }
}

fn plain(names: Vec<String>) -> Vec<(String, Option<String>)> {
    names.into_iter().map(|name| (name, None)).collect()
}

/// Whether an op begins after a text of the line: nothing, results, or a bracket that opens a region.
fn begins_op(before: &str) -> bool {
    let before = before.trim().trim_end_matches('"').trim_end();
    let is_results = |text: &str| text.starts_with('%') && !text.contains('(');
    before.is_empty() || before.ends_with('{') || before.strip_suffix('=').is_some_and(is_results)
}

/// The ops that a text may have and that can be converted, with the element types that they take.
fn ops() -> Vec<(String, Option<String>)> {
    let in_texts = |op: &OpName| matches!(op.dialect(), Dialect::StableHlo | Dialect::Chlo | Dialect::Func);
    let supported = OpName::all().filter(in_texts).filter_map(|op| {
        let row = ops::find(op).filter(|row| row.is_supported());
        let is_known = row.is_some() || ops::is_structural(op);
        let detail = row.map(|row| row.elements.words().join(", ")).filter(|words| !words.is_empty());
        is_known.then(|| (op.text().to_owned(), detail))
    });
    let mut ops: Vec<_> = supported.collect();
    ops.sort();
    ops
}

/// The values that are defined before a place and visible there, the nearest first.
fn values(document: &Document, offset: usize) -> Vec<String> {
    let source = document.source();
    let scan = source.scan();
    let mut seen = FxHashSet::default();
    let mut names = Vec::new();
    let mut add = |span: Span| {
        let name = document.slice(span.range());
        if seen.insert(name) {
            names.push(name.to_owned());
        }
    };
    for step in document.path(offset).iter().rev() {
        let own = tree::at(scan, step.statement);
        // Inside of its regions, the arguments of an op are visible.
        if step.region.is_some() {
            definition::arguments(source, own).iter().for_each(|&(name, _)| add(name));
        }
        let before: Vec<u32> =
            tree::siblings(scan, step.list).take_while(|&sibling| sibling < step.statement).collect();
        for &sibling in before.iter().rev() {
            let statement = tree::at(scan, sibling);
            match source.bytes().get(statement.span.start) {
                Some(b'%') => definition::results(source, statement).for_each(|(name, _)| add(name)),
                Some(b'^') => {
                    definition::arguments(source, statement).iter().for_each(|&(name, _)| add(name))
                }
                _ => {}
            }
        }
        if tree::is_function(source, own) {
            break;
        }
    }
    names
}

/// The functions of all modules.
fn symbols(document: &Document) -> Vec<String> {
    let source = document.source();
    let scan = source.scan();
    let functions = scan.statements.iter().filter(|statement| tree::is_function(source, statement));
    let names = functions.filter_map(|statement| definition::symbol_of(source, statement));
    names.map(|name| format!("@{}", document.slice(name.range()).trim_matches(['@', '"']))).collect()
}

/// The aliases with a mark.
fn aliases(document: &Document, mark: u8) -> Vec<String> {
    let source = document.source();
    let scan = source.scan();
    let all = (0, scan.statements.len() as u32);
    let statements = tree::siblings(scan, all).map(|index| tree::at(scan, index).span);
    let marked = statements.filter(|span| source.bytes().get(span.start) == Some(&mark));
    let is_end = |letter: char| letter.is_whitespace() || letter == '=';
    marked
        .map(|span| document.slice(span.range()).split(is_end).next().unwrap_or_default().to_owned())
        .collect()
}
