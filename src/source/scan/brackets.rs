//! Brackets and the regions among them: what opens, what closes, and what does not match.

use super::{NESTING_LIMIT, OpenDelimiter, Problem, Region, Scanner};
use crate::source::{Span, lookahead};

impl Scanner<'_> {
    pub(super) fn open(&mut self, at: usize) -> usize {
        let before = self.bytes[self.last];
        self.last = at;
        if self.bytes[at] == b'{' && self.may_be_region() && lookahead::is_region(self.bytes, at) {
            self.open_region(at);
            return at + 1;
        }
        // As in `tensor <4xf32>` and `loc ("x")`.
        if self.is_apart(at)
            && (self.bytes[at] == b'<' && before != b'=' || self.bytes[at] == b'(' && before == b'c')
        {
            self.mark_loose();
        }
        self.frames.push(OpenDelimiter::Bracket { open: self.bytes[at], at });
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

    /// A region is directly in its statement, or in the one parenthesis of the generic form.
    fn may_be_region(&self) -> bool {
        match (self.brackets, self.frames.last()) {
            (0, _) => true,
            (1, Some(OpenDelimiter::Bracket { open, .. })) => *open == b'(',
            _ => false,
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
        self.frames.push(OpenDelimiter::Region { index, outer });
        self.brackets = 0;
    }

    pub(super) fn close_region(&mut self, index: u32, outer: u32, end: usize) {
        self.end_statement();
        let (statements, regions) = (self.scan.statements.len() as u32, self.scan.regions.len() as u32);
        let region = &mut self.scan.regions[index as usize];
        region.span.end = end;
        region.end = statements;
        region.next = regions;
        self.current = Some(outer);
        self.regions -= 1;
        self.brackets = self
            .frames
            .iter()
            .rev()
            .take_while(|frame| matches!(frame, OpenDelimiter::Bracket { .. }))
            .count();
        // In generic form the types follow the parenthesis around the regions.
        self.typed = self.brackets == 0;
    }

    pub(super) fn close(&mut self, at: usize) -> usize {
        let close = self.bytes[at];
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => b'<',
        };
        match self.frames.last().copied() {
            Some(OpenDelimiter::Bracket { open: found, .. }) if found == open => {
                self.frames.pop();
                self.brackets -= 1;
            }
            Some(OpenDelimiter::Region { index, outer }) if close == b'}' => {
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
            .rposition(|frame| matches!(frame, OpenDelimiter::Bracket { open: found, .. } if *found == open));
        let region = match self.frames.len().checked_sub(self.brackets + 1).map(|below| self.frames[below]) {
            Some(OpenDelimiter::Region { index, outer }) if open == b'{' && matching.is_none() => {
                Some((index, outer))
            }
            _ => None,
        };
        self.mark_faulty();
        if matching.is_none() && region.is_none() {
            self.scan.problems.push(Problem::Unopened { close: here });
            return;
        }
        if let Some(OpenDelimiter::Bracket { at: innermost, .. }) = self.frames.last() {
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

    pub(super) fn mark_faulty(&mut self) {
        if let Some(index) = self.current {
            self.scan.statements[index as usize].faulty = true;
        }
    }

    /// Reports the innermost open bracket of the statement and closes all of them.
    pub(super) fn abandon_brackets(&mut self, at: usize) {
        if let Some(OpenDelimiter::Bracket { at: open, .. }) = self.frames.last() {
            let problem =
                Problem::Unclosed { open: Span::new(*open, open + 1), end: Span::new(self.last + 1, at) };
            self.scan.problems.push(problem);
        }
        self.mark_faulty();
        self.frames.truncate(self.frames.len() - self.brackets);
        self.brackets = 0;
    }
}
