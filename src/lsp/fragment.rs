//! A statement taken out of its text, with only as much of the text as is needed to parse it.
//!
//! A question about one op must not wait until a large text is parsed. So the statement is compiled in a small
//! function of its own, after the definitions of its operands and before the functions and aliases that it uses.
//! Missing parts, such as the operands of its operands, become poison.

use super::definition::{self, Target};
use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens};
use super::tree;
use crate::diagnostic::{Diagnostics, catalog};
use crate::ir::{self, Argument, Definition, FunctionResult, LocationId, Module, OpId, ValueId, func};
use crate::pass::{self, Context, PIPELINE, Pass};
use crate::source::{Source, Span};
use crate::{Options, syntax};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Aliases that a fragment takes along.
const ALIASES: usize = 1 << 10;

/// The byte limit of an operand's definition, of a called function, or of a statement whose operands are included.
/// Longer ones are large constants or loops of many ops.
const LONG: usize = 1 << 16;

/// Passes that look beyond the op: they bind, fold and name.
const LEFT_OUT: [&str; 3] = ["bind_weights", "canonicalize", "name_values"];

/// The name of the function, which makes it the entry.
const NAME: &str = "@main";

/// A statement in a text of its own.
pub(super) struct Fragment {
    /// The small text.
    pub(super) source: Source,
    /// The parsed fragment.
    pub(super) module: Module,
    /// The op of the statement.
    pub(super) op: OpId,
    /// Whether the definitions of all operands are there.
    is_whole: bool,
}

impl Fragment {
    /// The fragment of a statement; `None` when it cannot be read.
    pub(super) fn of(document: &Document, statement: u32) -> Option<Self> {
        let source = document.source();
        let span = tree::at(source.scan(), statement).span;
        let operands = Operands::of(document, span);
        let mut text = format!("func.func {NAME}({}) {{\n", operands.arguments.join(", "));
        for &operand in &operands.statements {
            text.push_str(document.slice(tree::at(source.scan(), operand).span.range()));
            text.push('\n');
        }
        let start = text.len();
        text.push_str(document.slice(span.range()));
        text.push_str("\n}\n");
        for &function in &operands.functions {
            text.push_str(document.slice(tree::at(source.scan(), function).span.range()));
            text.push('\n');
        }
        let fragment = Self::parsed(document, text, start)?;
        Some(Self { is_whole: operands.are_known, ..fragment })
    }

    /// The location that an alias refers to, which is that of the fragment's op.
    pub(super) fn of_location(document: &Document, alias: &str) -> Option<Self> {
        let before = format!("func.func {NAME}() {{\n");
        Self::parsed(document, format!("{before}func.return loc({alias})\n}}\n"), before.len())
    }

    /// The declaration of a function, its body left out.
    pub(super) fn of_declaration(document: &Document, statement: u32) -> Option<(Source, Module)> {
        let source = document.source();
        let head = tree::head(source.scan(), tree::at(source.scan(), statement));
        let text = document.slice(head.range()).trim_end().trim_end_matches('{');
        let source = with_aliases(document, format!("{text}{{\n}}\n"));
        let (module, _) = syntax::parse(&source);
        Some((source, module))
    }

    fn parsed(document: &Document, text: String, start: usize) -> Option<Self> {
        let source = with_aliases(document, text);
        // Diagnostics of the fragment are dropped: the text's are reported separately.
        let (module, _) = syntax::parse(&source);
        let function = module.functions().next()?;
        let block = module.entry_block(module.function(function).body)?;
        let mut ops = module.block(block).ops.iter().copied();
        let op = ops.find(|&op| module.span(op).whole.start == start)?;
        Some(Self { source, module, op, is_whole: true })
    }

    /// The location of the op.
    pub(super) fn location(&self) -> LocationId {
        self.module.op_location(self.op)
    }

    /// The ONNX ops that the op lowers to, one per line; for an op without a lowering, the reason. `None` if it
    /// depends on more than the op.
    pub(super) fn lowered(mut self, options: &Options) -> Option<Result<Vec<String>, String>> {
        self.isolate()?;
        let passes: Vec<Pass> =
            PIPELINE.iter().filter(|pass| !LEFT_OUT.contains(&pass.name)).copied().collect();
        let mut diagnostics = Diagnostics::new();
        let mut cx = Context::new(&self.source, options, &mut diagnostics);
        // The callback never stops the run.
        let _ = pass::run(&passes, &mut self.module, &mut cx, |_, _| ControlFlow::Continue(()));
        if let Some(error) = diagnostics.errors().next() {
            // Missing parts of the program make a fragment invalid, and do not matter here.
            let is_of_fragment = error.code() == catalog::InvalidModule::CODE;
            return (!is_of_fragment).then(|| Err(error.message.clone()));
        }
        Some(Ok(body(&ir::print(&self.module, &self.source, Some(8)))))
    }

    /// Leaves the op alone in its function, with its operands as arguments, but for constants, which many lowerings
    /// read.
    fn isolate(&mut self) -> Option<()> {
        let module = &mut self.module;
        let function = module.functions().next()?;
        let block = module.entry_block(module.function(function).body)?;
        let is_kept = |module: &Module, op: OpId| {
            module.op(op).results.first().is_some_and(|&value| module.constant_of(value).is_some())
        };
        let (kept, definitions): (Vec<OpId>, Vec<OpId>) = module
            .block(block)
            .ops
            .iter()
            .take_while(|&&op| op != self.op)
            .partition(|&&op| is_kept(module, op));
        module.block_mut(block).ops = kept;
        module.block_mut(block).ops.push(self.op);
        let used: FxHashSet<ValueId> =
            module.reachable_ops().into_iter().flat_map(|op| module.op(op).operands.to_vec()).collect();
        let defined: Vec<ValueId> =
            definitions.into_iter().flat_map(|op| module.op(op).results.to_vec()).collect();
        for value in defined.into_iter().filter(|value| used.contains(value)) {
            let index = module.block(block).arguments.len() as u32;
            module.value_mut(value).definition = Definition::Argument(block, index);
            module.block_mut(block).arguments.push(value);
            module.function_mut(function).arguments.push(Argument::default());
        }
        let results = module.op(self.op).results.clone();
        let mut values = module.reachable_ops().into_iter().flat_map(|op| module.op(op).operands.to_vec());
        let is_poison = |value: ValueId| module.value(value).definition == Definition::Poison;
        if !self.is_whole || values.any(|value| value != module.absent() && is_poison(value)) {
            return None;
        }
        let types = module.value_types(&results);
        module.function_mut(function).results =
            types.into_iter().map(|ty| FunctionResult { ty, attributes: Vec::new() }).collect();
        module.create(func::RETURN, &results).end_of(block).results(&[]);
        module.settle_signatures();
        Some(())
    }
}

/// What a statement reads.
struct Operands {
    /// Declarations (`%arg0: tensor<4xf32>`) of operands that are arguments, or whose definitions are too long.
    arguments: Vec<String>,
    /// The statements that define the others, in the order of the text.
    statements: BTreeSet<u32>,
    /// The functions that are called.
    functions: BTreeSet<u32>,
    /// Whether every one was found.
    are_known: bool,
}

impl Operands {
    fn of(document: &Document, span: Span) -> Self {
        let source = document.source();
        let mut operands = Self {
            arguments: Vec::new(),
            statements: BTreeSet::new(),
            functions: BTreeSet::new(),
            are_known: true,
        };
        let literals = source.literals();
        let first = literals.partition_point(|literal| literal.start < span.start);
        let inside = literals[first..].iter().take_while(|literal| literal.end <= span.end);
        if span.len() - inside.map(|literal| literal.len()).sum::<usize>() > LONG {
            operands.are_known = false;
            return operands;
        }
        operands.add_functions(document, span);
        let mut used: BTreeMap<&str, SyntaxToken> = BTreeMap::new();
        for token in Tokens::new(source, span).filter(|token| token.kind == TokenKind::Value) {
            let text = document.slice(token.span.range());
            used.entry(text.split('#').next().unwrap_or(text)).or_insert(token);
        }
        for (name, token) in used {
            let Some(found) = definition::definition(document, token) else {
                operands.are_known = false;
                continue;
            };
            // Names of the statement itself, and of its regions.
            if span.start <= found.name.start && found.name.end <= span.end {
                continue;
            }
            operands.add(document, name, found.target);
        }
        operands
    }

    /// Adds the functions called in a span, and those that these call.
    fn add_functions(&mut self, document: &Document, span: Span) {
        let source = document.source();
        let mut pending = vec![span];
        let mut room = LONG;
        while let Some(span) = pending.pop() {
            for token in Tokens::new(source, span).filter(|token| token.kind == TokenKind::Symbol) {
                let Some(found) = definition::definition(document, token) else { continue };
                let Target::Symbol { statement } = found.target else { continue };
                if self.functions.contains(&statement) {
                    continue;
                }
                let function = tree::at(source.scan(), statement).span;
                if function.len() > room || document.slice(found.name.range()) == NAME {
                    self.are_known = false;
                    return;
                }
                room -= function.len();
                self.functions.insert(statement);
                pending.push(function);
            }
        }
    }

    fn add(&mut self, document: &Document, name: &str, target: Target) {
        let source = document.source();
        let ty = match target {
            Target::Argument { ty, .. } => ty,
            Target::Result { statement, .. } => {
                let definition = tree::at(source.scan(), statement);
                if definition.span.len() <= LONG {
                    self.statements.insert(statement);
                    return;
                }
                constant_type(source, definition.span)
            }
            _ => Span::NONE,
        };
        if ty.is_empty() {
            self.are_known = false;
            return;
        }
        self.arguments.push(format!("{name}: {}", document.slice(ty.range())));
    }
}

/// The span of the type of a large constant, after its last colon.
fn constant_type(source: &Source, span: Span) -> Span {
    let statement = Tokens::new(source, span);
    let (mut last, mut is_constant) = (None, false);
    for token in statement {
        match token.kind {
            TokenKind::Word => is_constant |= source.bytes()[token.span.range()] == *b"stablehlo.constant",
            TokenKind::Mark(b':') => last = Some(token.span.end),
            _ => {}
        }
    }
    match last.filter(|_| is_constant) {
        Some(colon) => super::token::type_span(source, colon, span.end),
        None => Span::NONE,
    }
}

/// A text followed by the definitions of the aliases that it names, and that these name.
fn with_aliases(document: &Document, text: String) -> Source {
    let mut seen = BTreeSet::new();
    let (mut source, mut from) = (Source::from_bytes(&document.uri.0, text.into_bytes()), 0);
    while seen.len() < ALIASES {
        let bytes = source.bytes();
        let mut added = Vec::new();
        for token in Tokens::new(&source, Span::new(from, bytes.len())) {
            if !matches!(token.kind, TokenKind::Attribute | TokenKind::Type) {
                continue;
            }
            let Some(statement) = document.alias(&bytes[token.span.range()]) else { continue };
            if seen.insert(statement) {
                added.push(statement);
            }
        }
        if added.is_empty() {
            break;
        }
        from = bytes.len();
        let mut longer = bytes.to_vec();
        for statement in added {
            let span = tree::at(document.source().scan(), statement).span;
            longer.extend_from_slice(&document.source().bytes()[span.range()]);
            longer.push(b'\n');
        }
        source = Source::from_bytes(&document.uri.0, longer);
    }
    source
}

/// The lines of the one function's body in a printed module, without locations and the terminator.
fn body(printed: &str) -> Vec<String> {
    let lines = printed.lines().skip_while(|line| !line.trim_start().starts_with("func.func")).skip(1);
    let lines = lines.take_while(|line| *line != "  }" && !line.starts_with("  } loc("));
    lines
        .map(|line| {
            let line = line.rsplit_once(" loc(#").map_or(line, |(line, _)| line);
            line.strip_prefix("    ").unwrap_or(line).to_owned()
        })
        .filter(|line| !line.starts_with("\"func.return\"") && !line.starts_with("func.return"))
        .collect()
}
