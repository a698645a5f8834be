//! Tokenizes a text for the language server.
//!
//! Accepts any bytes, including invalid texts, and only provides what the editor needs: names with their spans,
//! words, strings and marks. Skips the digits of large literals.

use crate::source::{Source, Span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `%0`, `%0#1`.
    Value,
    /// `@main`, `@"a name"`.
    Symbol,
    /// `#loc3`, `#map`, and the names of attributes such as `#stablehlo.conv`.
    Attribute,
    /// `!alias`, and the names of types such as `!stablehlo.token`.
    Type,
    /// `^bb0`.
    Block,
    /// `stablehlo.add`, `tensor`, `2x3xf32`, `7`.
    Word,
    /// `"..."`.
    String,
    /// Any other byte.
    Mark(u8),
}

/// A token with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxToken {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// The tokens of a part of a text.
pub(super) struct Tokens<'a> {
    source: &'a Source,
    /// The text up to the end of the part.
    bytes: &'a [u8],
    at: usize,
}

/// Bytes of every name, of names with `$` and `.`, and of names with `-` too.
const PLAIN: u8 = 1;
const DOTTED: u8 = 1 | 2;
const DASHED: u8 = 1 | 2 | 4;

/// The kinds of names that have a byte.
static NAMES: [u8; 256] = {
    let mut names = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        names[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => PLAIN,
            b'$' | b'.' => 2,
            b'-' => 4,
            _ => 0,
        };
        byte += 1;
    }
    names
};

impl<'a> Tokens<'a> {
    /// The tokens of a span, which must not begin inside one.
    pub(super) fn new(source: &'a Source, span: Span) -> Self {
        let bytes = source.bytes();
        Self { source, bytes: &bytes[..span.end.min(bytes.len())], at: span.start }
    }

    /// The offset after the bytes from `at` on that are part of a name of a kind.
    fn name_end(&self, at: usize, kind: u8) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|&byte| NAMES[usize::from(byte)] & kind == 0).unwrap_or(rest.len())
    }

    /// The offset after the string whose quote is at `open`; an unterminated one ends with its line.
    fn string_end(&self, open: usize) -> usize {
        let literals = self.source.literals();
        let next = literals.partition_point(|literal| literal.start <= open);
        let lifted = literals.get(next).filter(|literal| literal.start == open + 3);
        let mut at = lifted.map_or(open + 1, |literal| literal.end);
        while let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', self.bytes.get(at..).unwrap_or_default())
        {
            at += found;
            match self.bytes[at] {
                b'"' => return at + 1,
                b'\n' => return at,
                // The escaped byte is skipped, but never the end of the line.
                _ if self.bytes.get(at + 1) == Some(&b'\n') => return at + 1,
                _ => at += 2,
            }
        }
        self.bytes.len()
    }

    fn value_end(&self, at: usize) -> usize {
        let end = self.name_end(at + 1, DASHED);
        if self.bytes.get(end) != Some(&b'#') {
            return end;
        }
        let digits = self.bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 { end } else { end + 1 + digits }
    }
}

impl Iterator for Tokens<'_> {
    type Item = SyntaxToken;

    fn next(&mut self) -> Option<SyntaxToken> {
        let bytes = self.bytes;
        loop {
            let byte = *bytes.get(self.at)?;
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if byte == b'/' && bytes.get(self.at + 1) == Some(&b'/') {
                self.at += memchr::memchr(b'\n', &bytes[self.at..]).unwrap_or(bytes.len() - self.at);
            } else {
                break;
            }
        }
        let (start, byte) = (self.at, bytes[self.at]);
        let (kind, end) = match byte {
            b'%' => (TokenKind::Value, self.value_end(start)),
            b'@' if bytes.get(start + 1) == Some(&b'"') => (TokenKind::Symbol, self.string_end(start + 1)),
            b'@' => (TokenKind::Symbol, self.name_end(start + 1, DASHED)),
            b'#' => (TokenKind::Attribute, self.name_end(start + 1, DOTTED)),
            b'!' => (TokenKind::Type, self.name_end(start + 1, DOTTED)),
            b'^' => (TokenKind::Block, self.name_end(start + 1, DASHED)),
            b'"' => (TokenKind::String, self.string_end(start)),
            _ => match self.name_end(start, DOTTED) {
                end if end > start => (TokenKind::Word, end),
                _ => (TokenKind::Mark(byte), start + 1),
            },
        };
        // A mark of a name without a name is a mark as any other.
        let lone = end == start + 1 && matches!(byte, b'%' | b'@' | b'#' | b'!' | b'^');
        self.at = end;
        Some(SyntaxToken {
            kind: if lone { TokenKind::Mark(byte) } else { kind },
            span: Span::new(start, end),
        })
    }
}

/// The span of the type that is at `at`: up to a comma, a closing bracket, or a space at its own level.
pub(super) fn type_span(source: &Source, at: usize, end: usize) -> Span {
    let bytes = &source.bytes()[..end.min(source.bytes().len())];
    let start =
        at + bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let (mut depth, mut last) = (0usize, start);
    while let Some(&byte) = bytes.get(last) {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if last > 0 && bytes[last - 1] == b'-' => {}
            b'>' | b')' | b']' if depth > 0 => depth -= 1,
            b'>' | b')' | b']' | b',' | b'{' if depth == 0 => break,
            byte if depth == 0 && byte.is_ascii_whitespace() => break,
            _ => {}
        }
        last += 1;
    }
    Span::new(start, last)
}

#[cfg(test)]
mod tests {
    use super::{TokenKind, Tokens, type_span};
    use crate::source::{Source, Span};

    fn tokens(text: &str) -> Vec<(TokenKind, String)> {
        let source = Source::from_bytes("test", text.into());
        Tokens::new(&source, Span::new(0, text.len()))
            .map(|token| (token.kind, text[token.span.range()].to_owned()))
            .collect()
    }

    #[test]
    fn names_have_their_marks() {
        let found = tokens("%0#1 %a-b @main @\"a b\" #loc3 !t ^bb0 2xf32");
        let kinds = [
            TokenKind::Value,
            TokenKind::Value,
            TokenKind::Symbol,
            TokenKind::Symbol,
            TokenKind::Attribute,
            TokenKind::Type,
            TokenKind::Block,
            TokenKind::Word,
        ];
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["%0#1", "%a-b", "@main", "@\"a b\"", "#loc3", "!t", "^bb0", "2xf32"]);
    }

    #[test]
    fn strings_and_comments_hold_no_names() {
        let found = tokens("\"%0 \\\" @f\" // %1\n% #");
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0].0, TokenKind::String);
        assert_eq!((found[1].0, found[2].0), (TokenKind::Mark(b'%'), TokenKind::Mark(b'#')));
    }

    #[test]
    fn large_literal_is_one_string() {
        let text = format!("dense<\"0x{}\"> %1", "AB".repeat(100));
        assert_eq!(tokens(&text).len(), 5);
    }

    #[test]
    fn unfinished_string_ends_with_its_line() {
        assert_eq!(tokens("\"abc\\\n%1 \"x").len(), 3);
        assert_eq!(tokens("@\"").len(), 1);
    }

    #[test]
    fn type_ends_at_its_own_level() {
        for (text, ty) in [
            (" tensor<4xf32, #e<1>>, %b", "tensor<4xf32, #e<1>>"),
            ("tuple<i1, f32>)", "tuple<i1, f32>"),
            ("!stablehlo.token loc(x)", "!stablehlo.token"),
            ("", ""),
        ] {
            let source = Source::from_bytes("test", text.into());
            assert_eq!(&text[type_span(&source, 0, text.len()).range()], ty);
        }
    }
}
