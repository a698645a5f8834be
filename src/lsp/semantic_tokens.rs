//! What the words of a text are, for colors.

use super::document::Document;
use super::position::Cursor;
use super::token::{SyntaxToken, TokenKind, Tokens};
use crate::source::Span;
use gen_lsp_types::{
    SemanticToken, SemanticTokens, SemanticTokensDelta, SemanticTokensDeltaResponse, SemanticTokensEdit,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tokens that a client got, with their identifier.
pub(super) struct Delivered {
    id: String,
    tokens: Vec<SemanticToken>,
}

impl Delivered {
    fn new(tokens: Vec<SemanticToken>) -> Self {
        // A text that is opened again must not have the identifiers of before.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed).to_string(), tokens }
    }
}

/// The kinds of tokens, by their numbers in answers.
pub(super) const LEGEND: [&str; 9] =
    ["variable", "function", "macro", "type", "label", "keyword", "number", "property", "string"];

const VARIABLE: u32 = 0;
const FUNCTION: u32 = 1;
const MACRO: u32 = 2;
const TYPE: u32 = 3;
const LABEL: u32 = 4;
const KEYWORD: u32 = 5;
const NUMBER: u32 = 6;
const PROPERTY: u32 = 7;
const STRING: u32 = 8;

/// The number of a kind in the legend.
fn kind_of(text: &[u8], kind: TokenKind, before: Option<TokenKind>, after: Option<u8>) -> Option<u32> {
    Some(match kind {
        TokenKind::Value => VARIABLE,
        TokenKind::Symbol => FUNCTION,
        TokenKind::Attribute => MACRO,
        TokenKind::Type => TYPE,
        TokenKind::Block => LABEL,
        // The generic form of an op; a name in `loc("..."(#stack))` is a string.
        TokenKind::String if after == Some(b'(') && before != Some(TokenKind::Mark(b'(')) => KEYWORD,
        TokenKind::String => STRING,
        TokenKind::Word if text.iter().all(u8::is_ascii_digit) => NUMBER,
        TokenKind::Word if is_type(text) => TYPE,
        // Names of ops have a dot.
        TokenKind::Word if text.contains(&b'.') && !text[0].is_ascii_digit() => KEYWORD,
        TokenKind::Word if text[0].is_ascii_digit() => NUMBER,
        TokenKind::Word if after == Some(b'=') && before != Some(TokenKind::Mark(b'=')) => PROPERTY,
        TokenKind::Word => KEYWORD,
        TokenKind::Mark(_) => return None,
    })
}

/// `tensor`, `f32`, `4x8xf32`.
fn is_type(text: &[u8]) -> bool {
    let last = text.rsplit(|&byte| byte == b'x').next().unwrap_or(text);
    let is_element = |text: &[u8]| {
        let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (letters, _) = text.split_at(text.len() - digits);
        digits > 0 && matches!(letters, b"i" | b"si" | b"ui" | b"f" | b"bf") || text.starts_with(b"f8E")
    };
    matches!(text, b"tensor" | b"tuple" | b"complex" | b"memref" | b"index" | b"none") || is_element(last)
}

/// The tokens of a part of a text, which begins where a line does.
pub(super) fn semantic_tokens(document: &Document, part: Span) -> Vec<SemanticToken> {
    let source = document.source();
    let bytes = source.bytes();
    // Most texts have a token in about twelve bytes.
    let mut tokens: Vec<SemanticToken> = Vec::with_capacity(part.len() / 12);
    let (mut line, mut start) = (0, 0);
    let mut before = None;
    let mut cursor = Cursor::new(part.start, document.range(part).start);
    for SyntaxToken { kind, span } in Tokens::new(source, part) {
        let after = bytes[span.end..].iter().find(|byte| **byte != b' ').copied();
        if let Some(token_type) = kind_of(&bytes[span.range()], kind, before, after) {
            let first = cursor.advance(bytes, span.start);
            // All but strings are of ASCII.
            let quote = span.start + usize::from(kind == TokenKind::Symbol);
            let is_string = bytes.get(quote) == Some(&b'"');
            let end = if is_string { cursor.advance(bytes, span.end) } else { cursor.skip(span.len()) };
            let is_same_line = !tokens.is_empty() && first.line == line;
            tokens.push(SemanticToken {
                delta_line: first.line - line,
                delta_start: first.character - if is_same_line { start } else { 0 },
                length: end.character.saturating_sub(first.character),
                token_type,
                token_modifiers_bitset: 0,
            });
            (line, start) = (first.line, first.character);
        }
        before = Some(kind);
    }
    tokens
}

fn all_of(document: &Document) -> Vec<SemanticToken> {
    semantic_tokens(document, Span::new(0, document.source().bytes().len()))
}

/// The tokens of a text.
pub(super) fn all(document: &Document) -> SemanticTokens {
    let new = Delivered::new(all_of(document));
    let answer = SemanticTokens { result_id: Some(new.id.clone()), data: new.tokens.clone() };
    *document.delivered() = Some(new);
    answer
}

/// What changed since the tokens with an identifier, or all tokens if the client does not have the last ones.
pub(super) fn changed(document: &Document, previous: &str) -> SemanticTokensDeltaResponse {
    let mut delivered = document.delivered();
    let Some(old) = delivered.take().filter(|old| old.id == previous) else {
        drop(delivered);
        return all(document).into();
    };
    let new = Delivered::new(all_of(document));
    let edits = edit(&old.tokens, &new.tokens).into_iter().collect();
    let answer = SemanticTokensDelta { result_id: Some(new.id.clone()), edits };
    *delivered = Some(new);
    answer.into()
}

/// The edit that makes tokens of others. Each has its place relative to the one before, so that those after an edit of
/// the text are as before.
fn edit(old: &[SemanticToken], new: &[SemanticToken]) -> Option<SemanticTokensEdit> {
    let is_same = |(old, new): &(&SemanticToken, &SemanticToken)| old == new;
    let start = old.iter().zip(new).take_while(is_same).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(is_same).count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let data: Vec<u32> = new.iter().flat_map(|&token| <[u32; 5]>::from(token)).collect();
    // Each token is five numbers.
    let number = |tokens: usize| u32::try_from(5 * tokens).unwrap_or(u32::MAX);
    (!old.is_empty() || !new.is_empty()).then(|| SemanticTokensEdit {
        start: number(start),
        delete_count: number(old.len()),
        data: Some(data),
    })
}
