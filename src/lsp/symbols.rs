//! The outline of a text: modules, functions, and within these the modules of the user's program and the control flow.
//!
//! The ops of a module of the program need not be contiguous, but the range of a symbol has those of its children, and
//! siblings do not overlap. So a symbol is a contiguous run of the ops of a module, and a module may have several.

use super::definition;
use super::document::Document;
use super::modules::{ModulePaths, PathPart};
use super::position::Cursor;
use super::token::Tokens;
use super::tree;
use crate::source::{Source, Span};
use gen_lsp_types::{DocumentSymbol, Position, Range, SymbolKind};

/// Ops whose regions are listed; regions of reductions and sorts are not interesting.
const CONTROL: [&str; 3] = ["stablehlo.while", "stablehlo.if", "stablehlo.case"];

/// Modules of the program that are listed within each other: clients walk an outline recursively.
const DEEPEST: usize = 32;

/// The outline. Its depth is that of the regions, which the scan bounds, and of the modules.
pub(super) fn symbols(document: &Document) -> Vec<DocumentSymbol> {
    let all = document.source().scan().statements.len() as u32;
    let (paths, cursor) = (ModulePaths::new(document), Cursor::new(0, Position::default()));
    Outline { document, paths, cursor }.list((0, all), None, DEEPEST)
}

struct Outline<'a> {
    document: &'a Document,
    paths: ModulePaths<'a>,
    /// Moves with the statements.
    cursor: Cursor,
}

impl Outline<'_> {
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
        let mut runs = Runs::default();
        for index in tree::siblings(scan, statements) {
            let statement = tree::at(scan, index);
            let is_label = document.source().bytes().get(statement.span.start) == Some(&b'^');
            let path = around.filter(|_| !is_label).and_then(|_| self.paths.of(statement));
            match &path {
                Some(path) => {
                    let around = around.unwrap_or_default();
                    let shared = path.iter().zip(around).take_while(|(part, around)| part == around).count();
                    let own = &path[shared..];
                    runs.enter(self, statement.span, &own[..own.len().min(room)]);
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
        runs.finish(self)
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
        let start = self.position(statement.span.start);
        let (name, selection, kind, children) = match op {
            "module" | "builtin.module" => {
                let (name, span) = named().unwrap_or_else(|| ("module".to_owned(), op_span));
                let children = regions(source, index).flat_map(|it| self.list(it.1, around, room));
                (name, span, SymbolKind::Module, children.collect())
            }
            "func.func" | "func" => {
                let (name, span) = named()?;
                let children = regions(source, index).flat_map(|it| self.list(it.1, Some(&[]), room));
                (name, span, SymbolKind::Function, children.collect())
            }
            _ if CONTROL.contains(&op) => {
                let result = definition::results(source, statement).next();
                let (name, span) =
                    result.map_or((op, op_span), |(span, _)| (document.slice(span.range()), span));
                let children = regions(source, index).enumerate().map(|(number, (span, statements))| {
                    let name = region_name(op, number);
                    let start = self.position(span.start);
                    let children = self.list(statements, around, room);
                    let range = Range { start, end: self.position(span.end) };
                    item(name, None, SymbolKind::Namespace, (range, range), children)
                });
                (name.to_owned(), span, SymbolKind::Operator, children.collect())
            }
            _ => return None,
        };
        let detail = (kind == SymbolKind::Operator).then(|| op.to_owned());
        let range = Range { start, end: self.position(statement.span.end) };
        Some(item(name, detail, kind, (range, document.range(selection)), children))
    }

    /// The position of an offset. Statements are mostly walked in order.
    fn position(&mut self, offset: usize) -> Position {
        if self.cursor.is_before(offset) {
            return self.cursor.advance(self.document.source().bytes(), offset);
        }
        self.document.range(Span::new(offset, offset)).start
    }
}

/// The runs of ops of a module in a list of statements.
#[derive(Default)]
struct Runs {
    /// The runs of the last op with a path, outermost first.
    open: Vec<Run>,
    done: Vec<DocumentSymbol>,
    /// The end of the last op with a path.
    end: usize,
    /// Statements without a path after the last op with one. They belong to the runs that go on after them.
    passed: usize,
    pending: Vec<DocumentSymbol>,
}

struct Run {
    part: PathPart,
    start: Position,
    /// The results or the name of the first op.
    selection: Range,
    ops: usize,
    children: Vec<DocumentSymbol>,
}

impl Runs {
    /// Takes the next op with a path.
    fn enter(&mut self, outline: &mut Outline, statement: Span, path: &[PathPart]) {
        let shared = self.open.iter().zip(path).take_while(|(run, part)| run.part == **part).count();
        self.close(outline, shared);
        self.end = statement.end;
        let passed = std::mem::take(&mut self.passed);
        self.open.iter_mut().for_each(|run| run.ops += passed + 1);
        let pending = std::mem::take(&mut self.pending);
        self.innermost().extend(pending);
        if path.len() > shared {
            let first = Tokens::new(outline.document.source(), statement).next();
            let first = first.map_or(statement, |token| token.span);
            let (start, end) = (outline.position(first.start), outline.position(first.end));
            self.open.extend(path[shared..].iter().map(|part| Run {
                part: part.clone(),
                start,
                selection: Range { start, end },
                ops: 1,
                children: Vec::new(),
            }));
        }
    }

    /// The symbols of the innermost run that goes on.
    fn innermost(&mut self) -> &mut Vec<DocumentSymbol> {
        self.open.last_mut().map_or(&mut self.done, |run| &mut run.children)
    }

    /// Ends all runs but the outermost ones.
    fn close(&mut self, outline: &mut Outline, remaining: usize) {
        if self.open.len() <= remaining {
            return;
        }
        let end = outline.position(self.end);
        while self.open.len() > remaining
            && let Some(run) = self.open.pop()
        {
            self.innermost().push(run.symbol(end));
        }
    }

    fn finish(mut self, outline: &mut Outline) -> Vec<DocumentSymbol> {
        self.close(outline, 0);
        self.done.append(&mut self.pending);
        self.done
    }
}

impl Run {
    fn symbol(self, end: Position) -> DocumentSymbol {
        let detail = if self.ops == 1 { "1 op".to_owned() } else { format!("{} ops", self.ops) };
        let kind = if self.part.is_function { SymbolKind::Method } else { SymbolKind::Class };
        let range = Range { start: self.start, end };
        item(self.part.name.into(), Some(detail), kind, (range, self.selection), self.children)
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
    name: String,
    detail: Option<String>,
    kind: SymbolKind,
    (range, selection_range): (Range, Range),
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
        range,
        selection_range,
        children: Some(children).filter(|children| !children.is_empty()),
    }
}
