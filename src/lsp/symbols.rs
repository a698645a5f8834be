//! The outline of a text: modules, functions, and within these the control flow.

use super::definition;
use super::document::Document;
use super::tree;
use crate::source::{Source, Span};
use gen_lsp_types::{DocumentSymbol, SymbolKind};

/// Ops whose regions are listed; regions of reductions and sorts are not interesting.
const CONTROL: [&str; 3] = ["stablehlo.while", "stablehlo.if", "stablehlo.case"];

/// The outline. Its depth is that of the regions, which the scan bounds.
pub(super) fn symbols(document: &Document) -> Vec<DocumentSymbol> {
    let all = document.source().scan().statements.len() as u32;
    list(document, (0, all))
}

fn list(document: &Document, statements: (u32, u32)) -> Vec<DocumentSymbol> {
    let scan = document.source().scan();
    tree::siblings(scan, statements).filter_map(|statement| symbol(document, statement)).collect()
}

fn symbol(document: &Document, index: u32) -> Option<DocumentSymbol> {
    let source = document.source();
    let statement = tree::at(source.scan(), index);
    // Most statements have no region, and so nothing to list.
    if statement.first_region == statement.regions_end && source.bytes()[statement.span.start] == b'%' {
        return None;
    }
    let (op, op_span) = tree::op_name(source, statement)?;
    let named = || {
        let name = definition::symbol_of(source, statement)?;
        Some((document.slice(name.range()).trim_matches(['@', '"']).to_owned(), name))
    };
    let (name, selection, kind, children) = match op {
        "module" | "builtin.module" => {
            let (name, span) = named().unwrap_or_else(|| ("module".to_owned(), op_span));
            (
                name,
                span,
                SymbolKind::Module,
                regions(source, index).flat_map(|it| list(document, it.1)).collect(),
            )
        }
        "func.func" | "func" => {
            let (name, span) = named()?;
            (
                name,
                span,
                SymbolKind::Function,
                regions(source, index).flat_map(|it| list(document, it.1)).collect(),
            )
        }
        _ if CONTROL.contains(&op) => {
            let result = definition::results(source, statement).next();
            let (name, span) = result.map_or((op, op_span), |(span, _)| (document.slice(span.range()), span));
            let children = regions(source, index).enumerate().map(|(number, (span, statements))| {
                let name = region_name(op, number);
                let children = list(document, statements);
                item(document, name, None, SymbolKind::Namespace, (span, span), children)
            });
            (name.to_owned(), span, SymbolKind::Operator, children.collect())
        }
        _ => return None,
    };
    let detail = (kind == SymbolKind::Operator).then(|| op.to_owned());
    Some(item(document, name, detail, kind, (statement.span, selection), children))
}

/// The regions of a statement, each as its span and its statements.
fn regions(source: &Source, index: u32) -> impl Iterator<Item = (Span, (u32, u32))> + '_ {
    let scan = source.scan();
    tree::regions(scan, tree::at(scan, index)).map(|region| {
        let region = &scan.regions[region as usize];
        (region.span, tree::statements_of(region))
    })
}

fn region_name(op: &str, number: usize) -> String {
    match (op, number) {
        ("stablehlo.while", 0) => "cond".into(),
        ("stablehlo.while", 1) => "do".into(),
        ("stablehlo.if", 0) => "true".into(),
        ("stablehlo.if", 1) => "false".into(),
        _ => format!("branch {number}"),
    }
}

fn item(
    document: &Document,
    name: String,
    detail: Option<String>,
    kind: SymbolKind,
    (whole, selection): (Span, Span),
    children: Vec<DocumentSymbol>,
) -> DocumentSymbol {
    // The protocol requires a name; during typing there may be none.
    let name = if name.is_empty() { "?".to_owned() } else { name };
    // The field is deprecated, and the struct has no other constructor.
    #[allow(deprecated)]
    DocumentSymbol {
        name,
        detail,
        kind,
        tags: None,
        deprecated: None,
        range: document.range(whole),
        selection_range: document.range(selection),
        children: Some(children).filter(|children| !children.is_empty()),
    }
}
