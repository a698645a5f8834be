//! Parts of a text that an editor can fold: regions, and runs of aliases such as those of locations.

use super::document::Document;
use super::tree;
use crate::source::Span;
use gen_lsp_types::{FoldingRange, FoldingRangeKind};

/// The parts of a text that can be folded.
pub(super) fn folding_ranges(document: &Document) -> Vec<FoldingRange> {
    let source = document.source();
    let scan = source.scan();
    let regions = scan.regions.iter().map(|region| (region.span, FoldingRangeKind::Region));
    let mut ranges: Vec<FoldingRange> =
        regions.filter_map(|(span, kind)| range(document, span, kind)).collect();
    // A run of aliases.
    let mut run: Option<Span> = None;
    let mut close = |run: Option<Span>| {
        ranges.extend(run.and_then(|run| range(document, run, FoldingRangeKind::Imports)));
    };
    for index in tree::siblings(scan, (0, scan.statements.len() as u32)) {
        let span = tree::at(scan, index).span;
        let is_alias = matches!(source.bytes().get(span.start), Some(b'#' | b'!'));
        run = match (run, is_alias) {
            (Some(run), true) => Some(Span::new(run.start, span.end)),
            (None, true) => Some(span),
            (run, false) => {
                close(run);
                None
            }
        };
    }
    close(run);
    ranges
}

/// The lines of a span, if it has more than one. The line of a closing bracket stays visible.
fn range(document: &Document, span: Span, kind: FoldingRangeKind) -> Option<FoldingRange> {
    let lines = document.range(span);
    let is_region = kind == FoldingRangeKind::Region;
    let (start_line, end_line) = (lines.start.line, lines.end.line.saturating_sub(u32::from(is_region)));
    (start_line < end_line).then_some(FoldingRange {
        start_line,
        start_character: None,
        end_line,
        end_character: None,
        kind: Some(kind),
        collapsed_text: None,
    })
}
