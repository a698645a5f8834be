//! What can stand at a place: the names of values, functions and aliases, ops, and their attributes.
//!
//! What is before the cursor in its line or statement decides, so that it works while a statement is not complete.

use super::attributes::{self, Candidate};
use super::definition;
use super::document::Document;
use super::tree;
use crate::ir::{Dialect, OpName};
use crate::ops;
use crate::source::Span;
use gen_lsp_types::{CompletionItem, CompletionItemKind, CompletionList, Position, TextEdit};
use rustc_hash::FxHashSet;

/// The characters after which a client asks by itself.
pub(super) const TRIGGERS: [&str; 7] = ["%", "@", "#", "!", ".", "{", "<"];

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
    let is_marked = matches!(mark, Some('%' | '@' | '#' | '!'));
    let candidates = match mark {
        Some('%') => plain(CompletionItemKind::Variable, values(document, offset)),
        Some('@') => plain(CompletionItemKind::Function, symbols(document)),
        Some(mark @ ('#' | '!')) => plain(CompletionItemKind::Reference, aliases(document, mark as u8)),
        _ => match attributes::candidates(document, line_start, line_start + typed) {
            Some(found) => found.into_iter().map(of_attribute).collect(),
            None if begins_op(before) => ops(),
            None => return CompletionList::default(),
        },
    };
    let marked = usize::from(is_marked);
    let range = document.range(Span::new(line_start + typed - marked, offset));
    let matching: Vec<_> = candidates
        .into_iter()
        .filter(|item| item.label[marked.min(item.label.len())..].starts_with(word))
        .collect();
    let is_incomplete = matching.len() > MOST;
    let items = matching.into_iter().take(MOST).enumerate().map(|(place, item)| {
        let new_text = item.insert_text.clone().unwrap_or_else(|| item.label.clone());
        CompletionItem {
            // In the order of the list: the nearest values first.
            sort_text: Some(format!("{place:04}")),
            text_edit: Some(TextEdit { range, new_text }.into()),
            insert_text: None,
            ..item
        }
    });
    CompletionList { is_incomplete, items: items.collect(), ..CompletionList::default() }
}

fn of_attribute(candidate: Candidate) -> CompletionItem {
    CompletionItem {
        kind: Some(if candidate.is_name {
            CompletionItemKind::Property
        } else {
            CompletionItemKind::EnumMember
        }),
        label: candidate.label,
        detail: candidate.detail.map(str::to_owned),
        insert_text: Some(candidate.text),
        ..CompletionItem::default()
    }
}

fn plain(kind: CompletionItemKind, names: Vec<String>) -> Vec<CompletionItem> {
    let item = |label| CompletionItem { kind: Some(kind), label, ..CompletionItem::default() };
    names.into_iter().map(item).collect()
}

/// Whether an op begins after a text of the line: nothing, results, or a bracket that opens a region.
fn begins_op(before: &str) -> bool {
    let before = before.trim().trim_end_matches('"').trim_end();
    let is_results = |text: &str| text.starts_with('%') && !text.contains(['(', '=']);
    let opens_region = |text: &str| !text.trim_end().ends_with('=');
    before.is_empty()
        || before.strip_suffix('{').is_some_and(opens_region)
        || before.strip_suffix('=').is_some_and(is_results)
}

/// The ops that a text may have and that can be converted, with the element types that they take.
fn ops() -> Vec<CompletionItem> {
    let in_texts = |op: &OpName| matches!(op.dialect(), Dialect::StableHlo | Dialect::Chlo | Dialect::Func);
    let supported = OpName::all().filter(in_texts).filter_map(|op| {
        let row = ops::find(op).filter(|row| row.is_supported());
        let is_known = row.is_some() || ops::is_structural(op);
        let detail = row.map(|row| row.elements.words().join(", ")).filter(|words| !words.is_empty());
        is_known.then(|| CompletionItem {
            kind: Some(CompletionItemKind::Function),
            label: op.text().to_owned(),
            detail,
            ..CompletionItem::default()
        })
    });
    let mut ops: Vec<_> = supported.collect();
    ops.sort_by(|first, second| first.label.cmp(&second.label));
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
