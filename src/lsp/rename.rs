//! Renames a value, a function, an alias or a block.

use super::definition::{self, references, split_name};
use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens};
use crate::source::Span;

/// The name at an offset that can be renamed, without its mark and without the number of a result.
pub(super) fn renamed_span(document: &Document, offset: usize) -> Option<Span> {
    let token = definition::name_at(document, offset)?;
    definition::definition(document, token)?;
    bare(document, token)
}

/// The spans that a rename replaces, and their new text.
///
/// # Errors
/// Why the name cannot be used.
pub(super) fn rename(document: &Document, offset: usize, name: &str) -> Result<(Vec<Span>, String), String> {
    let nothing = || "there is no name that can be changed".to_owned();
    let token = definition::name_at(document, offset).ok_or_else(nothing)?;
    let definition = definition::definition(document, token).ok_or_else(nothing)?;
    let mark = mark(token.kind).ok_or_else(nothing)?;
    let name = name.strip_prefix(mark).unwrap_or(name);
    if !is_name(token.kind, name) {
        return Err(format!("`{mark}{name}` is not a name in MLIR"));
    }
    let wanted = format!("{mark}{name}");
    let source = document.source();
    let taken = Tokens::new(source, definition.visible).any(|other| {
        other.kind == token.kind
            && split_name(other.kind, &source.bytes()[other.span.range()]).0 == wanted.as_bytes()
    });
    if taken {
        return Err(format!("`{wanted}` is another name here"));
    }
    let spans = references(document, token).into_iter();
    // In generic form, the name of a function is a string.
    let spans = spans.filter_map(|span| bare(document, SyntaxToken { span, kind: token.kind }));
    Ok((spans.collect(), name.to_owned()))
}

/// The part of a token that is the name.
fn bare(document: &Document, token: SyntaxToken) -> Option<Span> {
    let text = document.source().bytes().get(token.span.range())?;
    let (name, _) = split_name(token.kind, text);
    let quotes = usize::from(name.ends_with(b"\""));
    let marks =
        name.iter().take_while(|byte| matches!(byte, b'%' | b'@' | b'#' | b'!' | b'^' | b'"')).count();
    let start = token.span.start + marks;
    let end = token.span.start + name.len() - quotes;
    (start < end).then(|| Span::new(start, end))
}

fn mark(kind: TokenKind) -> Option<char> {
    match kind {
        TokenKind::Value => Some('%'),
        TokenKind::Symbol => Some('@'),
        TokenKind::Attribute => Some('#'),
        TokenKind::Type => Some('!'),
        TokenKind::Block => Some('^'),
        TokenKind::Word | TokenKind::String | TokenKind::Mark(_) => None,
    }
}

/// Whether a text is a name without quotes: a suffix identifier in MLIR's grammar, and for symbols a bare one.
fn is_name(kind: TokenKind, name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | b'.' | b'-');
    let first = name.as_bytes().first();
    let is_number = first.is_some_and(u8::is_ascii_digit);
    let is_word = first.is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        || kind != TokenKind::Symbol && first.is_some_and(is_letter);
    let rest_is = |is: &dyn Fn(&u8) -> bool| name.bytes().all(|byte| is(&byte));
    match kind {
        TokenKind::Symbol => {
            is_word && rest_is(&|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
        }
        _ if is_number => rest_is(&u8::is_ascii_digit),
        _ => is_word && rest_is(&|byte| is_letter(byte) || byte.is_ascii_digit()),
    }
}
