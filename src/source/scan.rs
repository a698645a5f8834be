//! One pass over the bytes of a text: lines, large literals, and the tree of statements and regions.
//!
//! It takes bytes of any kind and gives ranges; it copies nothing and does not recurse. What it cannot make sense
//! of (a bracket that never closes, an unfinished string) becomes a [`Problem`], and the statement in which it
//! stands is marked as faulty so that nobody reports it a second time.

use super::{Span, digits};
use std::ops::Range;

/// Strings of at least this many hexadecimal digits are lifted out of the text.
const LARGE_LITERAL: usize = 64;

/// The deepest nesting of brackets and regions that a statement may have; JAX's texts stay under 20.
///
/// The parser recurses once a level, so this bounds its stack.
pub const NESTING_LIMIT: usize = 128;

/// Words that continue the statement of the line before when they begin a line.
const CONTINUATIONS: [&[u8]; 8] =
    [b"cond", b"do", b"reducer", b"attributes", b"inits", b"applies", b"across", b"loc"];

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
    /// From its first byte to behind its last.
    pub span: Span,
    /// Index of its first region.
    pub first_region: u32,
    /// Index behind its last region, those nested in its regions included.
    pub regions_end: u32,
    /// Index of the next statement that is not nested in this one.
    pub next: u32,
    /// Whether a [`Problem`] was found in it outside its regions.
    pub faulty: bool,
}

/// The text between the braces of a region.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// What stands between the braces.
    pub span: Span,
    /// Index of its first statement.
    pub first: u32,
    /// Index behind its last statement, nested ones included.
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
        /// The place at which a closing bracket was wanted.
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
    /// A large literal with a character that is no hexadecimal digit.
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
enum Frame {
    Bracket { open: u8, at: usize },
    Region { index: u32, outer: u32 },
}

/// Scans `bytes`; `release` is told of ranges that will not be read again soon.
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
        too_deep: false,
    };
    scanner.run();
    scanner.scan
}

struct Scanner<'a> {
    bytes: &'a [u8],
    release: &'a (dyn Fn(Range<usize>) + Sync),
    scan: Scan,
    frames: Vec<Frame>,
    /// How many brackets are open in the current statement, regions not counted.
    brackets: usize,
    /// How many regions are open.
    regions: usize,
    /// The statement being read at the current level.
    current: Option<u32>,
    /// Offset of the last byte that is neither space nor comment.
    last: usize,
    /// Whether nothing but space stands before the current byte on its line.
    fresh_line: bool,
    /// Whether the nesting limit was passed and reported.
    too_deep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Space,
    Newline,
    Quote,
    Slash,
    Open,
    Close,
    Angle,
    Colon,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    classes[b' ' as usize] = Class::Space;
    classes[b'\t' as usize] = Class::Space;
    classes[b'\r' as usize] = Class::Space;
    classes[b'\n' as usize] = Class::Newline;
    classes[b'"' as usize] = Class::Quote;
    classes[b'/' as usize] = Class::Slash;
    classes[b'(' as usize] = Class::Open;
    classes[b'[' as usize] = Class::Open;
    classes[b'{' as usize] = Class::Open;
    classes[b'<' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes[b']' as usize] = Class::Close;
    classes[b'}' as usize] = Class::Close;
    classes[b'>' as usize] = Class::Angle;
    classes[b':' as usize] = Class::Colon;
    classes
};

impl Scanner<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            match CLASSES[usize::from(byte)] {
                Class::Space => {
                    at += 1;
                    continue;
                }
                Class::Newline => {
                    at += 1;
                    self.scan.line_starts.push(at);
                    self.fresh_line = true;
                    continue;
                }
                Class::Slash if self.bytes.get(at + 1) == Some(&b'/') => {
                    at = memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |n| at + n);
                    continue;
                }
                _ => {}
            }
            if self.fresh_line || self.current.is_none() {
                self.enter(at);
            }
            at = match CLASSES[usize::from(byte)] {
                Class::Quote => self.string(at),
                Class::Open => self.open(at),
                Class::Close => self.close(at),
                Class::Angle => self.angle(at),
                Class::Colon => self.colon(at),
                _ => self.plain(at),
            };
        }
        self.finish();
    }

    /// Looks at the first token of a line, or of a region: it may begin a statement.
    fn enter(&mut self, at: usize) {
        self.fresh_line = false;
        if CLASSES[usize::from(self.bytes[at])] == Class::Close && self.brackets == 0 {
            return;
        }
        if self.brackets > 0 {
            if !self.defines_results(at) {
                return;
            }
            // A result definition never stands within brackets: the brackets of the line before are unclosed.
            self.abandon_brackets(at);
        } else if self.current.is_some() && !self.begins_statement(at) {
            return;
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
        });
        self.current = Some(index);
    }

    fn end_statement(&mut self) {
        let Some(index) = self.current.take() else { return };
        let (next, regions_end) = (self.scan.statements.len() as u32, self.scan.regions.len() as u32);
        let statement = &mut self.scan.statements[index as usize];
        statement.span.end = self.last + 1;
        statement.next = next;
        statement.regions_end = regions_end;
    }

    fn begins_statement(&self, at: usize) -> bool {
        let continues = match self.bytes[self.last] {
            b',' | b'=' | b':' | b'(' => true,
            b'>' => self.last > 0 && self.bytes[self.last - 1] == b'-',
            _ => false,
        };
        match self.bytes[at] {
            // A definition begins a statement whatever the line before is missing.
            b'%' => !continues || self.defines_results(at),
            b'"' | b'^' | b'#' | b'!' => !continues,
            b'{' => self.bytes[at..].starts_with(b"{-#"),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => !continues && !CONTINUATIONS.contains(&self.word(at)),
            _ => false,
        }
    }

    /// Whether the line at `at` reads `%name =`, `%name:2 =` or `%a, %b =`.
    fn defines_results(&self, at: usize) -> bool {
        if self.bytes[at] != b'%' {
            return false;
        }
        // `%iterArg = %0` of a `while` is the one place where a `=` follows a value within brackets.
        let open = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Bracket { at, .. } => Some(*at),
            Frame::Region { .. } => None,
        });
        if open.is_some_and(|open| self.bytes[..open].ends_with(b"while")) {
            return false;
        }
        let line = &self.bytes[at..];
        let end = line.iter().position(|byte| {
            !matches!(byte, b'%' | b'_' | b':' | b',' | b' ' | b'$' | b'.' | b'-')
                && !byte.is_ascii_alphanumeric()
        });
        end.is_some_and(|end| line[end] == b'=' && line.get(end + 1) == Some(&b' '))
    }

    fn word(&self, at: usize) -> &[u8] {
        let rest = &self.bytes[at..];
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
        let end = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
        &rest[..end]
    }

    fn plain(&mut self, mut at: usize) -> usize {
        at += 1;
        while self.bytes.get(at).is_some_and(|&byte| CLASSES[usize::from(byte)] == Class::Plain) {
            at += 1;
        }
        self.last = at - 1;
        at
    }

    /// A block label ends at its colon; anywhere else a colon is a byte as any other.
    fn colon(&mut self, at: usize) -> usize {
        self.last = at;
        let label = self.brackets == 0
            && self
                .current
                .is_some_and(|index| self.bytes[self.scan.statements[index as usize].span.start] == b'^');
        if label {
            self.end_statement();
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

    fn open(&mut self, at: usize) -> usize {
        self.last = at;
        if self.bytes[at] == b'{' && self.may_be_region() && self.is_region(at) {
            self.open_region(at);
            return at + 1;
        }
        self.frames.push(Frame::Bracket { open: self.bytes[at], at });
        self.brackets += 1;
        if self.brackets > NESTING_LIMIT {
            self.report_depth(at);
        }
        at + 1
    }

    fn report_depth(&mut self, at: usize) {
        if let Some(index) = self.current {
            self.scan.statements[index as usize].faulty = true;
        }
        if !self.too_deep {
            self.too_deep = true;
            self.scan.problems.push(Problem::TooDeep { open: Span::new(at, at + 1) });
        }
    }

    /// A region stands directly in its statement, or in the one parenthesis of the generic form.
    fn may_be_region(&self) -> bool {
        match (self.brackets, self.frames.last()) {
            (0, _) => true,
            (1, Some(Frame::Bracket { open, .. })) => *open == b'(',
            _ => false,
        }
    }

    /// Tells a region from an attribute dictionary by what follows the brace.
    fn is_region(&self, brace: usize) -> bool {
        let at = self.skip_space(brace + 1);
        match self.bytes.get(at) {
            None | Some(b'%' | b'^') => true,
            Some(b'"') => {
                let end = memchr::memchr2(b'"', b'\n', &self.bytes[at + 1..])
                    .map_or(self.bytes.len(), |n| at + n + 2);
                self.bytes.get(self.skip_space(end)) == Some(&b'(')
            }
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let word = self.word(at);
                match self.bytes.get(self.skip_space(at + word.len())) {
                    Some(b'=' | b',' | b':') => false,
                    Some(b'}') => word == b"return" || word.ends_with(b".return"),
                    _ => true,
                }
            }
            Some(_) => false,
        }
    }

    fn skip_space(&self, mut at: usize) -> usize {
        loop {
            match self.bytes.get(at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
                Some(b'/') if self.bytes.get(at + 1) == Some(&b'/') => {
                    at = memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |n| at + n);
                }
                _ => return at,
            }
        }
    }

    fn open_region(&mut self, at: usize) {
        let Some(outer) = self.current.take() else { return };
        self.regions += 1;
        if self.regions > NESTING_LIMIT {
            self.current = Some(outer);
            self.report_depth(at);
            self.current = None;
        }
        let index = self.scan.regions.len() as u32;
        let first = self.scan.statements.len() as u32;
        self.scan.regions.push(Region {
            span: Span::new(at + 1, at + 1),
            first,
            end: first,
            next: index + 1,
        });
        self.frames.push(Frame::Region { index, outer });
        self.brackets = 0;
    }

    fn close_region(&mut self, index: u32, outer: u32, end: usize) {
        self.end_statement();
        let (statements, regions) = (self.scan.statements.len() as u32, self.scan.regions.len() as u32);
        let region = &mut self.scan.regions[index as usize];
        region.span.end = end;
        region.end = statements;
        region.next = regions;
        self.current = Some(outer);
        self.regions -= 1;
        self.brackets =
            self.frames.iter().rev().take_while(|frame| matches!(frame, Frame::Bracket { .. })).count();
    }

    fn close(&mut self, at: usize) -> usize {
        let close = self.bytes[at];
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => b'<',
        };
        match self.frames.last().copied() {
            Some(Frame::Bracket { open: found, .. }) if found == open => {
                self.frames.pop();
                self.brackets -= 1;
            }
            Some(Frame::Region { index, outer }) if close == b'}' => {
                self.frames.pop();
                self.close_region(index, outer, at);
            }
            _ => self.mismatch(open, at),
        }
        self.last = at;
        at + 1
    }

    /// Closes what a mismatched bracket closes: the innermost bracket of its kind in the statement, or, for a
    /// brace, the region around the statement.
    fn mismatch(&mut self, open: u8, at: usize) {
        let here = Span::new(at, at + 1);
        let matching = self.frames[self.frames.len() - self.brackets..]
            .iter()
            .rposition(|frame| matches!(frame, Frame::Bracket { open: found, .. } if *found == open));
        let region = match self.frames.len().checked_sub(self.brackets + 1).map(|below| self.frames[below]) {
            Some(Frame::Region { index, outer }) if open == b'{' && matching.is_none() => {
                Some((index, outer))
            }
            _ => None,
        };
        self.mark_faulty();
        if matching.is_none() && region.is_none() {
            self.scan.problems.push(Problem::Unopened { close: here });
            return;
        }
        if let Some(Frame::Bracket { at: innermost, .. }) = self.frames.last() {
            let open = Span::new(*innermost, innermost + 1);
            self.scan.problems.push(Problem::Unclosed { open, end: here });
        }
        let keep = matching.unwrap_or(0);
        self.frames.truncate(self.frames.len() - self.brackets + keep);
        self.brackets = keep;
        if let Some((index, outer)) = region {
            self.frames.pop();
            self.close_region(index, outer, at);
        }
    }

    fn mark_faulty(&mut self) {
        if let Some(index) = self.current {
            self.scan.statements[index as usize].faulty = true;
        }
    }

    /// Reports the innermost open bracket of the statement and closes all of them.
    fn abandon_brackets(&mut self, at: usize) {
        if let Some(Frame::Bracket { at: open, .. }) = self.frames.last() {
            let problem =
                Problem::Unclosed { open: Span::new(*open, open + 1), end: Span::new(self.last + 1, at) };
            self.scan.problems.push(problem);
        }
        self.mark_faulty();
        self.frames.truncate(self.frames.len() - self.brackets);
        self.brackets = 0;
    }

    /// Reads a string whose opening quote stands at `open`, and lifts it out when it is a large literal.
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
            Some(Frame::Bracket { at, .. }) => Some(*at),
            Some(Frame::Region { index, .. }) => Some(self.scan.regions[*index as usize].span.start - 1),
            None => None,
        };
        if let Some(at) = innermost {
            let open = Span::new(at, at + 1);
            self.scan.problems.push(Problem::Unclosed { open, end: Span::new(end, end) });
        }
        while let Some(frame) = self.frames.pop() {
            match frame {
                Frame::Bracket { .. } => {
                    self.mark_faulty();
                    self.brackets = self.brackets.saturating_sub(1);
                }
                Frame::Region { index, outer } => {
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
