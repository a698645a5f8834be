//! Ways through the statements and regions that the scan of a text found.

use super::token::{SyntaxToken, TokenKind, Tokens};
use crate::source::{Region, Scan, Source, Span, Statement};

/// A statement on the path to an offset, and its region on that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathStep {
    /// The list of statements that contains it.
    pub(super) list: (u32, u32),
    /// The statement.
    pub(super) statement: u32,
    /// The region that contains the offset; `None` for the last step.
    pub(super) region: Option<u32>,
}

/// The parent of each statement and region. The scan's tree is read top-down, while a place is found bottom-up: with
/// many sibling statements, reading them in order is too slow for questions about many places.
pub(super) struct Parents {
    /// The region of each statement; [`NONE`] at the top.
    regions: Vec<u32>,
    /// The statement of each region.
    statements: Vec<u32>,
}

/// The parent of top-level statements.
const NONE: u32 = u32::MAX;

impl Parents {
    /// Reads the tree once.
    pub(super) fn of(scan: &Scan) -> Self {
        let mut parents =
            Self { regions: vec![NONE; scan.statements.len()], statements: vec![NONE; scan.regions.len()] };
        for (index, statement) in scan.statements.iter().enumerate() {
            for region in regions(scan, statement) {
                parents.statements[region as usize] = index as u32;
                for child in siblings(scan, statements_of(&scan.regions[region as usize])) {
                    parents.regions[child as usize] = region;
                }
            }
        }
        parents
    }

    /// The statements around an offset, outermost first.
    pub(super) fn path(&self, scan: &Scan, offset: usize) -> Vec<PathStep> {
        let before = scan.statements.partition_point(|statement| statement.span.start <= offset);
        // The last statement that begins before the offset, or one of its parents, contains the offset.
        let mut next = before.checked_sub(1).map(|index| index as u32);
        let mut path: Vec<PathStep> = Vec::new();
        while let Some(index) = next {
            let parent = self.regions[index as usize];
            let statement = at(scan, index);
            if !path.is_empty() || touches(statement.span, offset) {
                let region = regions(scan, statement)
                    .find(|&region| touches(scan.regions[region as usize].span, offset));
                let list = match scan.regions.get(parent as usize) {
                    Some(region) => statements_of(region),
                    None => (0, scan.statements.len() as u32),
                };
                path.push(PathStep { list, statement: index, region });
            }
            next = self.statements.get(parent as usize).copied();
        }
        path.reverse();
        path
    }
}

/// Whether an offset is in a span or just after it, where a cursor still means it.
fn touches(span: Span, offset: usize) -> bool {
    span.start <= offset && offset <= span.end
}

/// The statement at an index of the scan.
pub(super) fn at(scan: &Scan, index: u32) -> &Statement {
    &scan.statements[index as usize]
}

/// The indices of the statements of a list, nested ones left out.
pub(super) fn siblings(scan: &Scan, (first, end): (u32, u32)) -> impl Iterator<Item = u32> {
    let mut next = first;
    std::iter::from_fn(move || {
        let index = next;
        (index < end).then(|| next = at(scan, index).next.max(index + 1))?;
        Some(index)
    })
}

/// The indices of the regions of a statement, nested ones left out.
pub(super) fn regions<'a>(scan: &'a Scan, statement: &Statement) -> impl Iterator<Item = u32> + use<'a> {
    let (mut next, end) = (statement.first_region, statement.regions_end);
    std::iter::from_fn(move || {
        let index = next;
        (index < end).then(|| next = scan.regions[index as usize].next.max(index + 1))?;
        Some(index)
    })
}

/// The statements of a region as a list.
pub(super) fn statements_of(region: &Region) -> (u32, u32) {
    (region.first, region.end)
}

/// The text of a statement before its first region.
pub(super) fn head(scan: &Scan, statement: &Statement) -> Span {
    let first = regions(scan, statement).next().map(|region| scan.regions[region as usize].span.start);
    Span::new(statement.span.start, first.unwrap_or(statement.span.end))
}

/// The tokens of a statement outside its regions.
pub(super) fn tokens<'a>(
    source: &'a Source,
    statement: &'a Statement,
) -> impl Iterator<Item = SyntaxToken> + 'a {
    let scan = source.scan();
    let mut start = statement.span.start;
    let mut spans: Vec<Span> = regions(scan, statement)
        .map(|region| {
            let hole = scan.regions[region as usize].span;
            let before = Span::new(start, hole.start);
            start = hole.end;
            before
        })
        .collect();
    spans.push(Span::new(start, statement.span.end));
    spans.into_iter().flat_map(|span| Tokens::new(source, span))
}

/// The name of a statement's op with its span: the word after its results. `None` for aliases, block labels and
/// unparsable statements.
pub(super) fn op_name<'a>(source: &'a Source, statement: &Statement) -> Option<(&'a str, Span)> {
    let bytes = source.bytes();
    if matches!(bytes.get(statement.span.start), Some(b'#' | b'!' | b'^' | b'{') | None) {
        return None;
    }
    let mut tokens = Tokens::new(source, head(source.scan(), statement));
    let mut token = tokens.next()?;
    if token.kind == TokenKind::Value {
        tokens.by_ref().find(|token| token.kind == TokenKind::Mark(b'='))?;
        token = tokens.next()?;
    }
    let span = match token.kind {
        TokenKind::Word => token.span,
        TokenKind::String => Span::new(token.span.start + 1, token.span.end.saturating_sub(1)),
        _ => return None,
    };
    let name = bytes.get(span.range()).and_then(|name| std::str::from_utf8(name).ok())?;
    Some((name, span))
}

/// Whether a statement is a function, beyond which no value is seen.
pub(super) fn is_function(source: &Source, statement: &Statement) -> bool {
    op_name(source, statement).is_some_and(|(name, _)| matches!(name, "func.func" | "func"))
}
