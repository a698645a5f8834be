//! Spaces and comments as MLIR prints them.
//!
//! MLIR allows any spaces and comments between tokens. The grammar and the interned texts only handle those that MLIR
//! prints. So a statement that the scan marked as loose is normalized first, and its frame records what was removed
//! where.

use super::text::Frame;
use crate::source::skip_space;
use std::borrow::Cow;

/// Brings the spaces of a frame's text into the form in which MLIR prints them.
pub(super) fn tighten(frame: &mut Frame<'_>) {
    let old = &*frame.text;
    let bytes = old.as_bytes();
    let mut writer = Writer { text: String::with_capacity(old.len()), gaps: Vec::new(), skipped: 0 };
    let mut holes = frame.holes.iter_mut().peekable();
    let (mut at, mut word) = (0, Word::default());
    while at < bytes.len() {
        let end = skip_space(bytes, at);
        if end > at {
            let (before, next) = (writer.text.as_bytes().last().copied(), bytes.get(end).copied());
            let after = bytes.get(end + 1).copied();
            if is_significant(before, next, after, word.of(&writer.text)) {
                writer.text.push(' ');
                at += 1;
            }
            writer.skip(end - at);
            at = end;
            continue;
        }
        let start = at;
        at = token_end(bytes, at);
        word.see(bytes[start], writer.text.len());
        // A cut is within a token or after the brace that is one.
        let base = writer.text.len();
        while let Some(hole) = holes.next_if(|hole| hole.at <= at) {
            hole.at = base + (hole.at - start);
            writer.hole(hole.at, hole.length);
        }
        writer.text.push_str(&old[start..at]);
    }
    frame.gaps = writer.gaps;
    frame.text = Cow::Owned(writer.text);
}

struct Writer {
    text: String,
    gaps: Vec<(usize, usize)>,
    skipped: usize,
}

impl Writer {
    fn skip(&mut self, length: usize) {
        if length > 0 {
            self.hole(self.text.len(), length);
        }
    }

    fn hole(&mut self, at: usize, length: usize) {
        self.skipped += length;
        match self.gaps.last_mut() {
            Some(last) if last.0 == at => last.1 = self.skipped,
            _ => self.gaps.push((at, self.skipped)),
        }
    }
}

/// Where the last word began, with its sigil.
#[derive(Default)]
struct Word {
    start: usize,
    open: bool,
}

impl Word {
    fn see(&mut self, first: u8, at: usize) {
        let sigil = matches!(first, b'%' | b'#' | b'!' | b'@' | b'^');
        if sigil || is_word(first) && !self.open {
            self.start = at;
        }
        self.open = sigil;
    }

    fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..).unwrap_or_default()
    }
}

/// Whether a space between two bytes separates tokens, or is one that MLIR prints.
fn is_significant(before: Option<u8>, next: Option<u8>, after: Option<u8>, word: &str) -> bool {
    let (Some(before), Some(next)) = (before, next) else { return false };
    let number = after.is_some_and(|byte| byte.is_ascii_digit());
    match (before, next) {
        (b'(' | b'[' | b'{' | b'<', _) | (_, b')' | b']' | b'}' | b',') => false,
        (b'-', b'>') => true,
        (_, b'>') => false,
        // `- 1` is a number.
        (b'-', b'0'..=b'9') => false,
        // `tensor <4xf32>`, but not `#alias <`.
        (_, b'<') => !is_word(before) || word.starts_with(['%', '#', '!', '@', '^']),
        (_, b'(') => word != "loc",
        // `@a :: @b` and `%0 : 2`.
        (b':', b'@') => false,
        (b':', b'0'..=b'9') => !word.starts_with('%'),
        (b':', b':') => true,
        (_, b':') if after == Some(b':') || word.starts_with('%') => false,
        // `%0 #1`.
        (_, b'#') if number && word.starts_with('%') && is_word(before) => false,
        _ => true,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.') || !byte.is_ascii()
}

/// The end of the word, the string or the mark at `at`.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    if bytes[at] == b'"' {
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        return (end + 1).min(bytes.len());
    }
    if is_word(bytes[at]) {
        while end < bytes.len() && is_word(bytes[end]) {
            end += 1;
        }
    }
    end
}
