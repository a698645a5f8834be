//! What the words of a text are, for colors.

use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens};
use crate::source::Span;
use gen_lsp_types::{Position, SemanticToken};

/// The kinds of tokens, by their numbers in answers.
pub(super) const LEGEND: [&str; 9] =
    ["variable", "function", "macro", "type", "label", "keyword", "number", "property", "string"];

/// The number of a kind in the legend.
fn kind_of(text: &[u8], kind: TokenKind, before: Option<TokenKind>, after: Option<u8>) -> Option<u32> {
    let name = match kind {
        TokenKind::Value => "variable",
        TokenKind::Symbol => "function",
        TokenKind::Attribute => "macro",
        TokenKind::Type => "type",
        TokenKind::Block => "label",
        TokenKind::String if after == Some(b'(') => "keyword",
        TokenKind::String => "string",
        TokenKind::Word if text.iter().all(u8::is_ascii_digit) => "number",
        TokenKind::Word if is_type(text) => "type",
        // Names of ops have a dot.
        TokenKind::Word if text.contains(&b'.') && !text[0].is_ascii_digit() => "keyword",
        TokenKind::Word if text[0].is_ascii_digit() => "number",
        TokenKind::Word if after == Some(b'=') && before != Some(TokenKind::Mark(b'=')) => "property",
        TokenKind::Word => "keyword",
        TokenKind::Mark(_) => return None,
    };
    LEGEND.iter().position(|known| *known == name).map(|number| number as u32)
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

/// A place that moves forward. To look up each place in the rope takes many times as long.
struct Cursor {
    offset: usize,
    position: Position,
}

impl Cursor {
    /// Moves to an offset, and returns its position.
    fn advance(&mut self, bytes: &[u8], offset: usize) -> Position {
        for at in self.offset..offset {
            match bytes[at] {
                // Before `\n`, this is not the end of a line.
                b'\r' if bytes.get(at + 1) == Some(&b'\n') => {}
                b'\n' | b'\r' => self.position = Position { line: self.position.line + 1, character: 0 },
                // The first byte of a character in UTF-8 tells its length in UTF-16.
                0x80..0xC0 => {}
                0xF0.. => self.position.character += 2,
                _ => self.position.character += 1,
            }
        }
        self.offset = offset;
        self.position
    }
}

/// The tokens of a part of a text, which begins where a line does.
pub(super) fn semantic_tokens(document: &Document, part: Span) -> Vec<SemanticToken> {
    let source = document.source();
    let bytes = source.bytes();
    let mut tokens: Vec<SemanticToken> = Vec::new();
    let (mut line, mut start) = (0, 0);
    let mut before = None;
    let mut cursor = Cursor { offset: part.start, position: document.range(part).start };
    for SyntaxToken { kind, span } in Tokens::new(source, part) {
        let after = bytes[span.end..].iter().find(|byte| **byte != b' ').copied();
        if let Some(token_type) = kind_of(&bytes[span.range()], kind, before, after) {
            let first = cursor.advance(bytes, span.start);
            let end = cursor.advance(bytes, span.end);
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
