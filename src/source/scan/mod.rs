//! One pass over the bytes of a text: lines, large literals, and the tree of statements and regions.
//!
//! It takes any bytes and returns ranges; it copies nothing and does not recurse. A fault that it finds (a bracket that
//! never closes, an unfinished string) becomes a [`Problem`], and its statement is marked as faulty so that it is not
//! reported again.

mod brackets;

use super::{Span, digits, lookahead};
use std::ops::Range;

/// Strings of at least this many hexadecimal digits are lifted out of the text.
const LARGE_LITERAL: usize = 64;

/// What some editors put before text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The deepest nesting of brackets and regions that a statement may have; JAX's texts stay under 20.
///
/// The parser recurses once a level, so this bounds its stack.
pub const NESTING_LIMIT: usize = 128;

/// What one pass over the bytes finds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Offsets of the first byte of each line, in order.
    pub line_starts: Vec<usize>,
    /// The hexadecimal digits (without `0x` and quotes) of every large literal, in order.
    pub literals: Vec<Range<usize>>,
    /// Every statement of the text, a statement before those of its regions.
    pub statements: Vec<Statement>,
    /// Every region of the text, in the order in which they open.
    pub regions: Vec<Region>,
    /// What is wrong with the brackets and strings of the text.
    pub problems: Vec<Problem>,
}

/// An op with its regions, a block label, an alias definition, or the resources at the end of a file.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// From its first byte to after its last.
    pub span: Span,
    /// Index of its first region.
    pub first_region: u32,
    /// Index after its last region, those nested in its regions included.
    pub regions_end: u32,
    /// Index of the next statement that is not nested in this one.
    pub next: u32,
    /// Whether a [`Problem`] was found in it outside its regions.
    pub faulty: bool,
    /// Whether its spaces may not be where MLIR prints them: it goes over several lines, has comments, or spaces
    /// within what MLIR prints as one word.
    pub loose: bool,
}

/// The text between the braces of a region.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// What is between the braces.
    pub span: Span,
    /// Index of its first statement.
    pub first: u32,
    /// Index after its last statement, nested ones included.
    pub end: u32,
    /// Index of the next region that is not nested in this one.
    pub next: u32,
}

/// A fault in the structure of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A bracket that is never closed; `end` is where the scan noticed.
    Unclosed {
        /// The opening bracket.
        open: Span,
        /// The place at which a closing bracket was expected.
        end: Span,
    },
    /// A closing bracket without an opening one.
    Unopened {
        /// The closing bracket.
        close: Span,
    },
    /// A string that does not end before its line does.
    UnfinishedString {
        /// The opening quote.
        open: Span,
    },
    /// A large literal with a character that is not a hexadecimal digit.
    NotHexadecimal {
        /// The digits.
        digits: Span,
    },
    /// Brackets or regions nested deeper than [`NESTING_LIMIT`].
    TooDeep {
        /// The bracket at which the limit was passed.
        open: Span,
    },
}

#[derive(Clone, Copy)]
enum OpenDelimiter {
    Bracket { open: u8, at: usize },
    Region { index: u32, outer: u32 },
}

/// Scans `bytes`; `release` receives ranges that will not be read again soon.
pub(super) fn scan(bytes: &[u8], release: &(dyn Fn(Range<usize>) + Sync)) -> Scan {
    let mut scanner = Scanner {
        bytes,
        release,
        scan: Scan { line_starts: vec![0], ..Scan::default() },
        frames: Vec::new(),
        brackets: 0,
        regions: 0,
        current: None,
        last: 0,
        fresh_line: true,
        typed: false,
        spaced: false,
        too_deep: false,
    };
    scanner.run();
    scanner.scan
}

struct Scanner<'a> {
    bytes: &'a [u8],
    release: &'a (dyn Fn(Range<usize>) + Sync),
    scan: Scan,
    frames: Vec<OpenDelimiter>,
    /// How many brackets are open in the current statement, regions not counted.
    brackets: usize,
    /// How many regions are open.
    regions: usize,
    /// The statement being read at the current level.
    current: Option<u32>,
    /// Offset of the last byte that is neither space nor comment.
    last: usize,
    /// Whether nothing but space is before the current byte on its line.
    fresh_line: bool,
    /// Whether the types of the current statement have begun: what can follow them is little.
    typed: bool,
    /// Whether there is a line break, a tab or a comment before the current byte.
    spaced: bool,
    /// Whether the nesting limit was passed and reported.
    too_deep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteClass {
    Plain,
    /// The first byte of a name; what ends before it need not be followed by a space.
    Sigil,
    Space,
    Tab,
    Newline,
    Quote,
    Slash,
    Open,
    Close,
    Angle,
    Colon,
}

const CLASSES: [ByteClass; 256] = {
    let mut classes = [ByteClass::Plain; 256];
    classes[b' ' as usize] = ByteClass::Space;
    classes[b'\t' as usize] = ByteClass::Tab;
    classes[b'\r' as usize] = ByteClass::Space;
    classes[b'%' as usize] = ByteClass::Sigil;
    classes[b'^' as usize] = ByteClass::Sigil;
    classes[b'#' as usize] = ByteClass::Sigil;
    classes[b'!' as usize] = ByteClass::Sigil;
    classes[b'\n' as usize] = ByteClass::Newline;
    classes[b'"' as usize] = ByteClass::Quote;
    classes[b'/' as usize] = ByteClass::Slash;
    classes[b'(' as usize] = ByteClass::Open;
    classes[b'[' as usize] = ByteClass::Open;
    classes[b'{' as usize] = ByteClass::Open;
    classes[b'<' as usize] = ByteClass::Open;
    classes[b')' as usize] = ByteClass::Close;
    classes[b']' as usize] = ByteClass::Close;
    classes[b'}' as usize] = ByteClass::Close;
    classes[b'>' as usize] = ByteClass::Angle;
    classes[b':' as usize] = ByteClass::Colon;
    classes
};

impl Scanner<'_> {
    fn run(&mut self) {
        let mut at = if self.bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        while let Some(&byte) = self.bytes.get(at) {
            let class = CLASSES[usize::from(byte)];
            match class {
                ByteClass::Space => {
                    at += 1;
                    continue;
                }
                ByteClass::Tab => {
                    at += 1;
                    self.spaced = true;
                    continue;
                }
                ByteClass::Newline => {
                    at += 1;
                    self.scan.line_starts.push(at);
                    (self.fresh_line, self.spaced) = (true, true);
                    continue;
                }
                ByteClass::Slash if self.bytes.get(at + 1) == Some(&b'/') => {
                    at = memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |n| at + n);
                    self.spaced = true;
                    continue;
                }
                _ => {}
            }
            if self.begins_statement(at) {
                self.begin_statement(at);
            } else if self.spaced {
                self.mark_loose();
            }
            (self.fresh_line, self.spaced) = (false, false);
            at = match class {
                ByteClass::Quote => self.string(at),
                ByteClass::Open => self.open(at),
                ByteClass::Close => self.close(at),
                ByteClass::Angle => self.angle(at),
                ByteClass::Colon => self.colon(at),
                _ => self.plain(at),
            };
        }
        self.finish();
    }

    fn begin_statement(&mut self, at: usize) {
        if self.brackets > 0 {
            self.abandon_brackets(at);
        }
        self.end_statement();
        let index = self.scan.statements.len() as u32;
        let first_region = self.scan.regions.len() as u32;
        self.scan.statements.push(Statement {
            span: Span::new(at, at),
            first_region,
            regions_end: first_region,
            next: index + 1,
            faulty: false,
            loose: false,
        });
        self.current = Some(index);
        self.typed = false;
    }

    fn end_statement(&mut self) {
        let Some(index) = self.current.take() else { return };
        let (next, regions_end) = (self.scan.statements.len() as u32, self.scan.regions.len() as u32);
        let statement = &mut self.scan.statements[index as usize];
        statement.span.end = self.last + 1;
        statement.next = next;
        statement.regions_end = regions_end;
    }

    /// Whether the token at `at` is the first of a statement.
    ///
    /// At the start of a line, and after the types of an op, less will do than elsewhere: an op whose name is misspelled,
    /// or a statement after one that lacks its end, shall be a statement of its own.
    fn begins_statement(&self, at: usize) -> bool {
        let byte = self.bytes[at];
        if self.brackets > 0 {
            // A result definition is never within brackets: the brackets of the line before are unclosed.
            return self.fresh_line && byte == b'%' && lookahead::defines_results(self.bytes, at);
        }
        if self.current.is_none() {
            return CLASSES[usize::from(byte)] != ByteClass::Close;
        }
        let last = self.bytes[self.last];
        let continues = match last {
            b',' | b'=' | b':' | b'(' | b'@' => true,
            b'>' => self.last > 0 && self.bytes[self.last - 1] == b'-',
            _ => false,
        };
        match byte {
            // A definition begins a statement whatever the line before is missing.
            b'%' if self.fresh_line && lookahead::defines_results(self.bytes, at) => {
                last != b',' || !self.lists_results(at)
            }
            b'_' | b'"' | b'#' | b'!' | b'%' | b'^' | b'a'..=b'z' | b'A'..=b'Z' if continues => false,
            b'%' => self.fresh_line && self.typed || lookahead::defines_results(self.bytes, at),
            b'"' => self.fresh_line && self.typed || lookahead::is_generic_name(self.bytes, at),
            // Elsewhere it is a successor, as in `cf.br ^bb1`.
            b'^' => self.fresh_line || self.typed || last == b')',
            b'#' | b'!' => self.fresh_line && self.typed || lookahead::defines_alias(self.bytes, at),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let word = lookahead::word(self.bytes, at);
                lookahead::is_op_name(word) && !self.follows(b"applies")
                    || self.fresh_line
                        && self.typed
                        && !lookahead::continues(word)
                        && ![&b"to"[..], b"into"].iter().any(|word| self.follows_word(word))
            }
            b'{' => self.bytes[at..].starts_with(b"{-#"),
            _ => false,
        }
    }

    /// Whether the current statement has had nothing but names of results before `at`.
    fn lists_results(&self, at: usize) -> bool {
        let start = self.current.map_or(at, |index| self.scan.statements[index as usize].span.start);
        lookahead::end_of_results(self.bytes, start).is_some_and(|end| at < end)
    }

    /// Whether the token before is this whole word, without a sigil such as `%`.
    fn follows_word(&self, word: &[u8]) -> bool {
        let before = self.bytes[..=self.last].strip_suffix(word);
        before.is_some_and(|before| before.last().is_some_and(u8::is_ascii_whitespace))
    }

    /// Whether the token before ends with this word.
    fn follows(&self, word: &[u8]) -> bool {
        self.bytes[..=self.last].ends_with(word)
    }

    /// Marks the current statement, or the one around the current region, as having spaces other than MLIR's.
    fn mark_loose(&mut self) {
        if let Some(index) = self.current {
            self.scan.statements[index as usize].loose = true;
        }
    }

    /// Whether there is a space before the byte at `at`.
    fn is_apart(&self, at: usize) -> bool {
        at > 0 && self.bytes[at - 1] == b' '
    }

    fn plain(&mut self, mut at: usize) -> usize {
        // The number of a result apart from its name: `%0 #1`.
        if self.bytes[at] == b'#'
            && self.is_apart(at)
            && self.bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
        {
            self.mark_loose();
        }
        at += 1;
        while self.bytes.get(at).is_some_and(|&byte| CLASSES[usize::from(byte)] == ByteClass::Plain) {
            at += 1;
        }
        self.last = at - 1;
        if self.bytes[at - 1] == b'-' && self.bytes.get(at) == Some(&b' ') {
            self.mark_loose();
        }
        at
    }

    /// A block label ends at its colon; the colon of an op begins its types.
    fn colon(&mut self, at: usize) -> usize {
        self.last = at;
        let next = self.bytes.get(at + 1);
        let apart = self.is_apart(at);
        if apart && next == Some(&b':') || next == Some(&b' ') && self.bytes[..at].ends_with(b":") {
            self.mark_loose();
        }
        if self.brackets > 0 {
            return at + 1;
        }
        let Some(index) = self.current else { return at + 1 };
        if self.bytes[self.scan.statements[index as usize].span.start] == b'^' {
            self.end_statement();
            return at + 1;
        }
        let after = lookahead::skip_space(self.bytes, at + 1);
        if self.bytes.get(after).is_some_and(u8::is_ascii_digit) {
            // The number of results in `%0:2`.
            if apart || after != at + 1 {
                self.mark_loose();
            }
        } else {
            self.typed = true;
        }
        at + 1
    }

    fn angle(&mut self, at: usize) -> usize {
        let arrow = at > 0 && self.bytes[at - 1] == b'-';
        if arrow || self.bytes.get(at + 1) == Some(&b'=') {
            self.last = at;
            return at + 1;
        }
        self.close(at)
    }

    /// Reads a string whose opening quote is at `open`, and lifts it out when it is a large literal.
    fn string(&mut self, open: usize) -> usize {
        let hexadecimal = self.bytes[open + 1..].starts_with(b"0x");
        let mut at = open + 1;
        if hexadecimal {
            at = digits::end(self.bytes, open + 3, self.release);
        }
        let valid = hexadecimal && self.bytes.get(at) == Some(&b'"');
        loop {
            match memchr::memchr3(b'"', b'\\', b'\n', &self.bytes[at..]).map(|found| at + found) {
                Some(found) if self.bytes[found] == b'"' => {
                    at = found;
                    break;
                }
                // The escaped byte is skipped, but never the end of the line.
                Some(found) if self.bytes[found] == b'\\' => {
                    at = found + 1;
                    if self.bytes.get(at).is_some_and(|&byte| byte != b'\n') {
                        at += 1;
                    }
                }
                end => {
                    self.scan.problems.push(Problem::UnfinishedString { open: Span::new(open, open + 1) });
                    self.mark_faulty();
                    at = end.unwrap_or(self.bytes.len());
                    self.last = at - 1;
                    return at;
                }
            }
        }
        if hexadecimal && at - open > LARGE_LITERAL + 3 {
            self.scan.literals.push(open + 3..at);
            if !valid {
                self.mark_faulty();
                self.scan.problems.push(Problem::NotHexadecimal { digits: Span::new(open + 3, at) });
            }
        }
        self.last = at;
        at + 1
    }

    /// At the end of the text: whatever is still open is reported once, at the innermost place.
    fn finish(&mut self) {
        let end = self.bytes.len();
        let innermost = match self.frames.last() {
            Some(OpenDelimiter::Bracket { at, .. }) => Some(*at),
            Some(OpenDelimiter::Region { index, .. }) => {
                Some(self.scan.regions[*index as usize].span.start - 1)
            }
            None => None,
        };
        if let Some(at) = innermost {
            let open = Span::new(at, at + 1);
            self.scan.problems.push(Problem::Unclosed { open, end: Span::new(end, end) });
            // The statement in which the text breaks off is not whole.
            self.mark_faulty();
        }
        while let Some(frame) = self.frames.pop() {
            match frame {
                OpenDelimiter::Bracket { .. } => {
                    self.mark_faulty();
                    self.brackets = self.brackets.saturating_sub(1);
                }
                OpenDelimiter::Region { index, outer } => {
                    self.close_region(index, outer, self.last + 1);
                    // The brackets around a region that never closed cannot close either.
                    if self.brackets > 0 {
                        self.mark_faulty();
                    }
                }
            }
        }
        self.end_statement();
    }
}
