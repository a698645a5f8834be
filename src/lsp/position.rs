//! Positions of the protocol and offsets of bytes.
//!
//! The protocol counts lines from 0 and columns in units of UTF-16; the compiler counts bytes from the start of the
//! text. The rope answers both ways in logarithmic time, also within a line of many megabytes.

use crate::source::Span;
use gen_lsp_types::{Position, Range};
use ropey::Rope;

/// The character (an index of the rope) at a position. Positions past the end of a line or of the text are clamped to
/// it, as the protocol requires.
pub(super) fn character(text: &Rope, position: Position) -> usize {
    let line = position.line as usize;
    if line >= text.len_lines() {
        return text.len_chars();
    }
    let start = text.line_to_char(line);
    let end = line_end(text, line);
    let unit = text.char_to_utf16_cu(start) + position.character as usize;
    let last = text.char_to_utf16_cu(end);
    // Inside a surrogate pair the rope returns the pair's character.
    text.utf16_cu_to_char(unit.min(last))
}

/// The offset of the byte at a position.
pub(super) fn offset(text: &Rope, position: Position) -> usize {
    text.char_to_byte(character(text, position))
}

/// The position of an offset; one within a character is that of the character.
pub(super) fn position(text: &Rope, offset: usize) -> Position {
    position_of_character(text, text.byte_to_char(offset.min(text.len_bytes())))
}

/// The range of a span.
pub(super) fn range(text: &Rope, span: Span) -> Range {
    let end = span.end.clamp(span.start, text.len_bytes().max(span.start));
    let mut last = text.byte_to_char(end.min(text.len_bytes()));
    // A span that ends within a character covers it.
    if text.char_to_byte(last) < end && last < text.len_chars() {
        last += 1;
    }
    Range { start: position(text, span.start), end: position_of_character(text, last) }
}

fn position_of_character(text: &Rope, character: usize) -> Position {
    let line = text.char_to_line(character);
    let column = text.char_to_utf16_cu(character) - text.char_to_utf16_cu(text.line_to_char(line));
    // The protocol's numbers have 32 bits; a text beyond them is clamped and not wrapped.
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(line), character: number(column) }
}

/// The character after the last of a line, its line break not counted.
fn line_end(text: &Rope, line: usize) -> usize {
    if line + 1 >= text.len_lines() {
        return text.len_chars();
    }
    let next = text.line_to_char(line + 1);
    let is = |index: usize, wanted: char| text.get_char(index) == Some(wanted);
    let start = text.line_to_char(line);
    let breaks = if next >= start + 2 && is(next - 1, '\n') && is(next - 2, '\r') { 2 } else { 1 };
    next - breaks
}

/// A text of this many bytes is first looked at as a whole.
const LONG: usize = 16;

/// A place that moves forward. To look up each place in the rope takes many times as long.
pub(super) struct Cursor {
    offset: usize,
    position: Position,
}

impl Cursor {
    /// At an offset, which has this position.
    pub(super) fn new(offset: usize, position: Position) -> Self {
        Self { offset, position }
    }

    /// Whether it can move to an offset.
    pub(super) fn is_before(&self, offset: usize) -> bool {
        self.offset <= offset
    }

    /// Moves over characters of one byte in a line, and returns its position after them.
    pub(super) fn skip(&mut self, bytes: usize) -> Position {
        self.offset += bytes;
        self.position.character += bytes as u32;
        self.position
    }

    /// Moves to an offset that is not before it, and returns its position.
    pub(super) fn advance(&mut self, bytes: &[u8], offset: usize) -> Position {
        let passed = &bytes[self.offset..offset];
        let is_plain = passed.len() >= LONG && passed.is_ascii() && memchr::memchr(b'\r', passed).is_none();
        if is_plain {
            match memchr::memrchr(b'\n', passed) {
                Some(last) => {
                    self.position.line += memchr::memchr_iter(b'\n', passed).count() as u32;
                    self.position.character = (passed.len() - last - 1) as u32;
                }
                None => self.position.character += passed.len() as u32,
            }
        }
        let passed = if is_plain { &[] } else { passed };
        for (at, &byte) in passed.iter().enumerate() {
            match byte {
                // Most bytes are these.
                b' '..=0x7F => self.position.character += 1,
                // Before `\n`, this is not the end of a line.
                b'\r' if bytes.get(self.offset + at + 1) == Some(&b'\n') => {}
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

#[cfg(test)]
mod tests {
    use super::{Cursor, character, offset, position, range};
    use crate::source::Span;
    use gen_lsp_types::Position;
    use ropey::Rope;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn columns_count_units_of_utf_16() {
        // Two, three and four bytes; the last takes two units. A tab is one unit.
        let text = Rope::from_str("\té漢😀x\ny");
        assert_eq!(position(&text, 0), at(0, 0));
        assert_eq!(position(&text, 1), at(0, 1));
        assert_eq!(position(&text, 3), at(0, 2));
        assert_eq!(position(&text, 6), at(0, 3));
        assert_eq!(position(&text, 10), at(0, 5));
        assert_eq!(position(&text, 12), at(1, 0));
        for offset_of_character in [0, 1, 3, 6, 10, 11, 12, 13] {
            assert_eq!(offset(&text, position(&text, offset_of_character)), offset_of_character);
        }
    }

    #[test]
    fn cursor_moves_to_positions() {
        for text in
            ["\té漢😀x\ny\r\nz\rw", "a line that is long\nand another one\n\nb", "one line that is long"]
        {
            let rope = Rope::from_str(text);
            for (start, _) in text.char_indices() {
                for (end, _) in text.char_indices().filter(|&(end, _)| start <= end) {
                    // Between `\r` and `\n` there is no position.
                    if [start, end]
                        .iter()
                        .any(|&at| text[..at].ends_with('\r') && text[at..].starts_with('\n'))
                    {
                        continue;
                    }
                    let mut cursor = Cursor::new(start, position(&rope, start));
                    assert_eq!(cursor.advance(text.as_bytes(), end), position(&rope, end), "{start} {end}");
                }
            }
        }
    }

    #[test]
    fn within_a_surrogate_pair_is_its_character() {
        let text = Rope::from_str("😀x");
        assert_eq!(character(&text, at(0, 1)), 0);
        assert_eq!(character(&text, at(0, 2)), 1);
    }

    #[test]
    fn columns_end_with_the_line_and_lines_with_the_text() {
        for (text, end) in [("ab\ncd", 2), ("ab\r\ncd", 2), ("ab\rcd", 2)] {
            let text = Rope::from_str(text);
            assert_eq!(offset(&text, at(0, 99)), end);
            assert_eq!(offset(&text, at(1, 99)), text.len_bytes());
            assert_eq!(offset(&text, at(7, 0)), text.len_bytes());
        }
        assert_eq!(offset(&Rope::new(), at(0, 3)), 0);
    }

    #[test]
    fn span_that_ends_within_a_character_covers_it() {
        let text = Rope::from_str("a漢b");
        let range = range(&text, Span::new(1, 2));
        assert_eq!((range.start, range.end), (at(0, 1), at(0, 2)));
    }

    #[test]
    fn span_past_the_text_is_its_end() {
        let text = Rope::from_str("ab");
        let range = range(&text, Span::new(2, 9));
        assert_eq!((range.start, range.end), (at(0, 2), at(0, 2)));
    }
}
