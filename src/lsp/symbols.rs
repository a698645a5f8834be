//! The outline of a text: modules, functions, and within these the modules of the user's program and the control flow.
//!
//! The ops of a module of the program need not be contiguous, but the range of a symbol has those of its children, and
//! siblings do not overlap. So a symbol is a contiguous run of the ops of a module, and a module may have several.

use super::definition;
use super::document::Document;
use super::modules::{ModulePaths, PathPart};
use super::token::Tokens;
use super::tree;
use crate::source::{Source, Span};
use gen_lsp_types::{DocumentSymbol, SymbolKind};

/// Ops whose regions are listed; regions of reductions and sorts are not interesting.
const CONTROL: [&str; 3] = ["stablehlo.while", "stablehlo.if", "stablehlo.case"];

/// Modules of the program that are listed within each other: clients walk an outline recursively.
const DEEPEST: usize = 32;

/// The outline. Its depth is that of the regions, which the scan bounds, and of the modules.
pub(super) fn symbols(document: &Document) -> Vec<DocumentSymbol> {
    let all = document.source().scan().statements.len() as u32;
    Outline { document, paths: ModulePaths::new(document) }.list((0, all), None, DEEPEST)
}

struct Outline<'a> {
    document: &'a Document,
    paths: ModulePaths<'a>,
}

impl<'a> Outline<'a> {
    /// The symbols of a list of statements. `around` is the path of the op with the list in a region, `None` outside of
    /// functions; `room` is the number of modules that are listed within each other.
    fn list(
        &mut self,
        statements: (u32, u32),
        around: Option<&[PathPart]>,
        room: usize,
    ) -> Vec<DocumentSymbol> {
        let document = self.document;
        let scan = document.source().scan();
        let mut runs = Runs::new(document);
        for index in tree::siblings(scan, statements) {
            let statement = tree::at(scan, index);
            let is_label = document.source().bytes().get(statement.span.start) == Some(&b'^');
            let path = around.filter(|_| !is_label).and_then(|_| self.paths.of(statement));
            match &path {
                Some(path) => {
                    let around = around.unwrap_or_default();
                    let shared = path.iter().zip(around).take_while(|(part, around)| part == around).count();
                    let own = &path[shared..];
                    runs.enter(index, &own[..own.len().min(room)]);
                }
                None => runs.passed += usize::from(!is_label),
            }
            let around = path.as_deref().or(around);
            let symbol = self.symbol(index, around, room.saturating_sub(runs.open.len()));
            match path {
                Some(_) => runs.innermost().extend(symbol),
                None => runs.pending.extend(symbol),
            }
        }
        runs.finish()
    }

    fn symbol(&mut self, index: u32, around: Option<&[PathPart]>, room: usize) -> Option<DocumentSymbol> {
        let document = self.document;
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
                    regions(source, index).flat_map(|it| self.list(it.1, around, room)).collect(),
                )
            }
            "func.func" | "func" => {
                let (name, span) = named()?;
                (
                    name,
                    span,
                    SymbolKind::Function,
                    regions(source, index).flat_map(|it| self.list(it.1, Some(&[]), room)).collect(),
                )
            }
            _ if CONTROL.contains(&op) => {
                let result = definition::results(source, statement).next();
                let (name, span) =
                    result.map_or((op, op_span), |(span, _)| (document.slice(span.range()), span));
                let children = regions(source, index).enumerate().map(|(number, (span, statements))| {
                    let name = region_name(op, number);
                    let children = self.list(statements, around, room);
                    item(document, name, None, SymbolKind::Namespace, (span, span), children)
                });
                (name.to_owned(), span, SymbolKind::Operator, children.collect())
            }
            _ => return None,
        };
        let detail = (kind == SymbolKind::Operator).then(|| op.to_owned());
        Some(item(document, name, detail, kind, (statement.span, selection), children))
    }
}

/// The runs of ops of a module in a list of statements.
struct Runs<'a> {
    document: &'a Document,
    /// The runs of the last op with a path, outermost first.
    open: Vec<Run>,
    done: Vec<DocumentSymbol>,
    /// Statements without a path after the last op with one. They belong to the runs that go on after them.
    passed: usize,
    pending: Vec<DocumentSymbol>,
}

struct Run {
    part: PathPart,
    first: u32,
    last: u32,
    ops: usize,
    children: Vec<DocumentSymbol>,
}

impl<'a> Runs<'a> {
    fn new(document: &'a Document) -> Self {
        Self { document, open: Vec::new(), done: Vec::new(), passed: 0, pending: Vec::new() }
    }

    /// Takes the next op with a path.
    fn enter(&mut self, statement: u32, path: &[PathPart]) {
        let shared = self.open.iter().zip(path).take_while(|(run, part)| run.part == **part).count();
        self.close(shared);
        let passed = std::mem::take(&mut self.passed);
        for run in &mut self.open {
            run.ops += passed + 1;
            run.last = statement;
        }
        let pending = std::mem::take(&mut self.pending);
        self.innermost().extend(pending);
        self.open.extend(path[shared..].iter().map(|part| Run {
            part: part.clone(),
            first: statement,
            last: statement,
            ops: 1,
            children: Vec::new(),
        }));
    }

    /// The symbols of the innermost run that goes on.
    fn innermost(&mut self) -> &mut Vec<DocumentSymbol> {
        self.open.last_mut().map_or(&mut self.done, |run| &mut run.children)
    }

    /// Ends all runs but the outermost ones.
    fn close(&mut self, remaining: usize) {
        while self.open.len() > remaining
            && let Some(run) = self.open.pop()
        {
            let symbol = run.symbol(self.document);
            self.innermost().push(symbol);
        }
    }

    fn finish(mut self) -> Vec<DocumentSymbol> {
        self.close(0);
        self.done.append(&mut self.pending);
        self.done
    }
}

impl Run {
    fn symbol(self, document: &Document) -> DocumentSymbol {
        let source = document.source();
        let span = |index| tree::at(source.scan(), index).span;
        let (first, last) = (span(self.first), span(self.last));
        let detail = if self.ops == 1 { "1 op".to_owned() } else { format!("{} ops", self.ops) };
        let kind = if self.part.is_function { SymbolKind::Method } else { SymbolKind::Class };
        let name = Tokens::new(source, first).next().map_or(first, |token| token.span);
        let whole = Span::new(first.start, last.end);
        item(document, self.part.name.into(), Some(detail), kind, (whole, name), self.children)
    }
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
