//! After each line, the ONNX ops that its op becomes on its own.
//!
//! There are no hints of types, because each op prints them. `stablehlo.add %a, %b : tensor<4xf32>` prints one type for all
//! of its operands and results.

use super::document::Document;
use super::fragment::Fragment;
use super::tree;
use crate::ir::stablehlo;
use crate::source::Span;
use crate::{Options, ops};
use gen_lsp_types::InlayHint;

/// More hints are not computed: an editor shows fewer lines.
const MOST: usize = 300;

/// The most kinds of ops that a hint lists.
const LISTED: usize = 4;

/// The hints of the ops that begin in a part of a text.
pub(super) fn inlay_hints(document: &Document, part: Span, options: &Options) -> Vec<InlayHint> {
    let statements = &document.source().scan().statements;
    let first = statements.partition_point(|statement| statement.span.start < part.start);
    let end = statements.partition_point(|statement| statement.span.start <= part.end);
    (first..end).filter_map(|index| hint(document, index as u32, options)).take(MOST).collect()
}

fn hint(document: &Document, index: u32, options: &Options) -> Option<InlayHint> {
    let source = document.source();
    let statement = tree::at(source.scan(), index);
    if source.bytes().get(statement.span.start) != Some(&b'%') {
        return None;
    }
    let fragment = Fragment::of(document, index)?;
    let name = fragment.module.op(fragment.op).name;
    if name == stablehlo::CONSTANT || ops::is_structural(name) {
        return None;
    }
    let label = match fragment.lowered(options)? {
        Ok(lines) => label(&lines),
        Err(_) => "not converted".to_owned(),
    };
    // The regions of the op begin on its line.
    let head = tree::head(source.scan(), statement);
    let line = document.range(Span::new(head.start, head.start)).start.line;
    let mut position = document.range(head).end;
    if position.line > line || head.end < statement.span.end {
        let bytes = &source.bytes()[head.start..];
        let length = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        position = document.range(Span::new(head.start, head.start + length)).end;
    }
    Some(InlayHint {
        position,
        label: format!("→ {label}").into(),
        kind: None,
        text_edits: None,
        tooltip: None,
        padding_left: Some(true),
        padding_right: None,
        data: None,
    })
}

/// `Mul, 2 Add`, from the lines of a lowering.
fn label(lines: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    let names = lines.iter().filter_map(|line| line.split("\"onnx.").nth(1)?.split('"').next());
    for name in names.filter(|name| *name != "Constant") {
        match kinds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => kinds.push((name, 1)),
        }
    }
    if kinds.is_empty() {
        return "no op".to_owned();
    }
    let total: usize = kinds.iter().map(|(_, count)| count).sum();
    if kinds.len() > LISTED {
        return format!("{total} ops");
    }
    let shown: Vec<String> = kinds
        .iter()
        .map(|(name, count)| if *count > 1 { format!("{count} {name}") } else { (*name).to_owned() })
        .collect();
    shown.join(", ")
}
