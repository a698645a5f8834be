//! Parses MLIR text into the intermediate representation.
//!
//! Takes a scanned [`Source`] and returns a [`Module`] with diagnostics. Statements are parsed one by one, and a
//! region after the op that owns it. So memory follows the largest statement, not the file, and a faulty statement
//! only affects itself: its results become poison, and parsing continues with the next one.

mod assembly;
mod attribute;
mod clauses;
mod forms;
mod function;
mod literal;
mod locate;
mod location;
mod mixed;
mod modules;
mod number;
mod scope;
mod shape;
mod sharding;
mod spaces;
mod special_forms;
mod statement;
mod structure;
mod text;
mod ty;
pub mod vocabulary;

use crate::bytecode::UnreadableBytecode;
use crate::diagnostic::catalog::{
    self, BadLiteral, EmptyInput, NestingTooDeep, NotStableHlo, SyntaxError, UnclosedDelimiter,
    UndefinedAlias,
};
use crate::diagnostic::{Diagnostics, nearest};
use crate::format::{FileRemedy, Foreign};
use crate::ir::{Attribute, LocationId, Module, Type, TypeId};
use crate::source::{NESTING_LIMIT, Problem, Source, Span, Statement};
use assembly::AssemblyFormat;
use rustc_hash::FxHashMap;
use scope::Scope;
use shape::{Shape, TokenSpan};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use text::{Frame, Hole, Removed, Rule, Text};
use ty::Signature;

pub use locate::{locate, resolve_labels};

/// Parses a text. The module contains everything that could be parsed, even if there are errors.
pub fn parse(source: &Source) -> (Module, Diagnostics) {
    let mut parser = Parser::new(source);
    // The lowering adds about as many ops as the text has.
    parser.module.reserve(2 * source.scan().statements.len());
    if parser.is_text() {
        parser.report_problems();
        parser.prepare();
        parser.top_level();
        parser.resolve_locations();
        parser.place_faults();
    }
    // Later, passes read only literals, one at a time, and diagnostics read little.
    source.forget(0..source.bytes().len());
    (parser.module, parser.diagnostics)
}

/// Aliases of attributes and types that represent each other deeper than this are refused.
const ALIAS_LIMIT: usize = 64;

/// Limits the nesting of regions of unparsed ops. The scan refuses deeper nesting, including that of such ops.
const LENIENT_LIMIT: usize = 16;

/// The state of parsing one text.
struct Parser<'s> {
    source: &'s Source,
    module: Module,
    diagnostics: Diagnostics,
    scope: Scope,
    /// The type of poison.
    none: TypeId,
    /// The result type in a statement whose op is unknown.
    stated: Option<TypeId>,
    types: FxHashMap<Box<str>, TypeId>,
    /// How many types a tuple or a function type is written as.
    type_parts: FxHashMap<TypeId, usize>,
    signatures: FxHashMap<Box<str>, Rc<Signature>>,
    locations: FxHashMap<Box<str>, LocationId>,
    attributes: FxHashMap<Box<str>, Attribute>,
    /// Clauses of custom forms by their text: `[0, 1]` as an `array<i64>`, and so on.
    clauses: FxHashMap<clauses::ClauseKind, FxHashMap<Box<str>, Attribute>>,
    /// Tokens of statements by their shape, and room for the next shape.
    shapes: FxHashMap<Box<str>, Rc<[TokenSpan]>>,
    shape: Shape,
    /// Names of ops in custom form.
    mnemonics: FxHashMap<&'s str, &'static AssemblyFormat>,
    /// Statements that define aliases, by name with `#` or `!`.
    aliases: FxHashMap<&'s str, u32>,
    /// The values of aliases of attributes, by the statements that define them.
    alias_values: FxHashMap<u32, Attribute>,
    location_aliases: FxHashMap<&'s str, LocationId>,
    pending_locations: Vec<(LocationId, u32)>,
    alias_depth: usize,
    /// The first literal that does not start before the last statement.
    next_literal: usize,
    /// Digits of the resources at the end of the file.
    resources: FxHashMap<Box<str>, Range<usize>>,
    /// The locations of faulty statements, with the diagnostics about them.
    places: Vec<(LocationId, Range<usize>)>,
    /// How many regions of unparsed ops are being read: names of their arguments may be unknown.
    lenient: usize,
    /// The prefix of the names of functions in the current module.
    module_prefix: String,
    /// The number of unnamed modules so far.
    unnamed_modules: u32,
    /// Whether the text is cut off, so that definitions at its end are missing.
    truncated: bool,
    /// Whether the module's name and attributes have been read.
    named: bool,
}

impl<'s> Parser<'s> {
    fn new(source: &'s Source) -> Self {
        let mut module = Module::new();
        let none = module.types.intern(Type::None);
        Self {
            source,
            module,
            diagnostics: Diagnostics::new(),
            scope: Scope::default(),
            none,
            stated: None,
            types: FxHashMap::default(),
            type_parts: FxHashMap::default(),
            signatures: FxHashMap::default(),
            locations: FxHashMap::default(),
            attributes: FxHashMap::default(),
            clauses: FxHashMap::default(),
            shapes: FxHashMap::default(),
            shape: Shape::default(),
            next_literal: 0,
            mnemonics: FxHashMap::default(),
            aliases: FxHashMap::default(),
            alias_values: FxHashMap::default(),
            location_aliases: FxHashMap::default(),
            pending_locations: Vec::new(),
            alias_depth: 0,
            resources: FxHashMap::default(),
            places: Vec::new(),
            lenient: 0,
            module_prefix: String::new(),
            unnamed_modules: 0,
            truncated: false,
            named: false,
        }
    }

    /// Whether the bytes can be StableHLO text at all; if not, that is the only error.
    fn is_text(&mut self) -> bool {
        if let Some(UnreadableBytecode { why, cause, offset, shown, producer }) = self.source.fault() {
            let (why, offset, at) = (why.as_str(), *offset, Span::from(shown.clone()));
            self.diagnostics.push(catalog::UnreadableBytecode { why, cause, offset, producer, at });
            return false;
        }
        let Some(Foreign { what, remedy, at }) = self.source.foreign() else { return true };
        let at = Span::new(*at, (at + 1).min(self.source.bytes().len()));
        self.diagnostics.push(NotStableHlo { what, remedy: *remedy, at });
        false
    }

    /// Reports the errors of the scan.
    fn report_problems(&mut self) {
        let bytes = self.source.bytes();
        let is_end = |end: Span| end.start == bytes.len();
        let problems = &self.source.scan().problems;
        self.truncated =
            problems.iter().any(|problem| matches!(problem, Problem::Unclosed { end, .. } if is_end(*end)));
        for problem in &self.source.scan().problems {
            match *problem {
                Problem::Unclosed { open, end } => {
                    let delimiter = String::from_utf8_lossy(&bytes[open.range()]);
                    let ends = is_end(end);
                    // The end of a text has no character of its own.
                    let end = if ends { Span::new(end.start.saturating_sub(1), end.end) } else { end };
                    self.diagnostics.push(UnclosedDelimiter { delimiter: &delimiter, at: open, end, ends });
                }
                Problem::Unopened { close } => {
                    let found = format!("`{}`", String::from_utf8_lossy(&bytes[close.range()]));
                    let expected = "an opening bracket before the closing one";
                    self.diagnostics.push(SyntaxError { expected, found: &found, at: close });
                }
                // The text that breaks off in a string has been reported.
                Problem::UnfinishedString { open }
                    if self.truncated && memchr::memchr(b'\n', &bytes[open.start..]).is_none() => {}
                Problem::UnfinishedString { open } => {
                    let end = Span::NONE;
                    self.diagnostics.push(UnclosedDelimiter { delimiter: "\"", at: open, end, ends: false });
                }
                Problem::NotHexadecimal { digits } => {
                    let why = "a character that is not a hexadecimal digit";
                    let bad =
                        bytes[digits.range()].iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(0);
                    let at = Span::new(digits.start + bad, digits.start + bad + 1);
                    self.diagnostics.push(BadLiteral { why, at, ty_at: Span::NONE });
                }
                Problem::TooDeep { open } => {
                    self.diagnostics.push(NestingTooDeep { limit: NESTING_LIMIT, at: open });
                }
            }
        }
    }

    /// The statement at an index of the scan.
    fn statement_at(&self, index: u32) -> Statement {
        self.source.scan().statements[index as usize]
    }

    /// The text of a statement without its regions and large literals, and with MLIR's spaces. Bytes that are not a
    /// text are reported.
    fn frame(&mut self, index: u32) -> Option<Frame<'s>> {
        let statement = self.statement_at(index);
        let scan = self.source.scan();
        let span = statement.span;
        let bytes = self.source.bytes();
        let mut holes: SmallVec<[Hole; 2]> = SmallVec::new();
        let first = self.first_literal(span.start);
        let mut literals =
            scan.literals[first..].iter().take_while(|literal| literal.end <= span.end).peekable();
        if statement.first_region == statement.regions_end && literals.peek().is_none() {
            let text = self.utf8(&bytes[span.range()], span.start)?;
            return Some(self.framed(statement, Cow::Borrowed(text), holes));
        }
        let mut cuts: Vec<(Span, Removed)> = Vec::new();
        let mut region = statement.first_region;
        while region < statement.regions_end {
            let here = &scan.regions[region as usize];
            cuts.push((here.span, Removed::Region(region)));
            region = here.next;
        }
        let regions = cuts.len();
        for literal in literals {
            let inside = cuts[..regions]
                .iter()
                .any(|(span, _)| span.start <= literal.start && literal.end <= span.end);
            if !inside {
                cuts.push((literal.clone().into(), Removed::Literal(literal.clone())));
            }
        }
        cuts.sort_by_key(|(span, _)| span.start);
        let mut text = String::new();
        let mut at = span.start;
        for (cut, kind) in cuts {
            text.push_str(self.utf8(&bytes[at..cut.start], at)?);
            holes.push(Hole { at: text.len(), length: cut.len(), cut: kind });
            at = cut.end;
        }
        text.push_str(self.utf8(&bytes[at.min(span.end)..span.end], at)?);
        // A region cut off by the end of the file has been reported; its parents are parsed as if it ended there.
        if at >= span.end && holes.last().is_some_and(|hole| matches!(hole.cut, Removed::Region(_))) {
            text.push('}');
        }
        Some(self.framed(statement, Cow::Owned(text), holes))
    }

    /// The first literal from this offset on. Statements are read nearly in order, so it is near the last one.
    fn first_literal(&mut self, offset: usize) -> usize {
        const NEAR: usize = 8;

        let literals = &self.source.scan().literals;
        let is_before = |index: usize| literals.get(index).is_some_and(|literal| literal.start < offset);
        let known = self.next_literal;
        let near = (known == 0 || is_before(known - 1))
            .then(|| (known..=known + NEAR).find(|&index| !is_before(index)))
            .flatten();
        self.next_literal =
            near.unwrap_or_else(|| literals.partition_point(|literal| literal.start < offset));
        self.next_literal
    }

    fn framed(&self, statement: Statement, text: Cow<'s, str>, holes: SmallVec<[Hole; 2]>) -> Frame<'s> {
        let Span { start, end } = statement.span;
        let mut frame = Frame { text, start, end, holes, gaps: Vec::new() };
        if statement.loose {
            spaces::tighten(&mut frame);
        }
        frame
    }

    fn utf8(&mut self, bytes: &'s [u8], start: usize) -> Option<&'s str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let at = start + error.valid_up_to();
                let (what, remedy) = ("text with a byte that is not UTF-8", FileRemedy::WriteUtf8);
                self.diagnostics.push(NotStableHlo { what, remedy, at: Span::new(at, at + 1) });
                None
            }
        }
    }

    /// The bytes of the source that a name covers; names never contain a cut.
    fn source_text(&self, span: Span) -> &'s str {
        std::str::from_utf8(&self.source.bytes()[span.range()]).unwrap_or_default()
    }

    /// The part of an alias definition that a rule covers.
    fn alias_body<'t>(&mut self, frame: &'t Frame<'_>, rule: Rule) -> Option<Text<'t>> {
        let text = frame.whole();
        let start = text.text.find('=').map_or(text.text.len(), |at| at + 1);
        let start = start + text.text[start..].len() - text.text[start..].trim_start().len();
        let body = text.part(start..text.text.len());
        // What is after the `=` is left to its own rule where its kind is clear.
        if rule == Rule::attribute_alias || rule == Rule::location_alias && body.text.starts_with("loc(") {
            return Some(body);
        }
        for pair in self.run(Rule::alias_entry, text)? {
            if pair.as_rule() == rule {
                return Some(text.of(&pair));
            }
        }
        let wanted = if rule == Rule::type_alias { "a type" } else { "a location" };
        self.expected(&format!("{wanted} after this alias"), text);
        None
    }

    /// Runs `read` on the definition of an alias, unless aliases form a cycle.
    fn nested<T>(&mut self, at: Span, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.alias_depth == ALIAS_LIMIT {
            self.diagnostics.push(NestingTooDeep { limit: ALIAS_LIMIT, at });
            return None;
        }
        self.alias_depth += 1;
        let result = read(self);
        self.alias_depth -= 1;
        result
    }

    /// Reports an alias that no statement defines, unless the part of the text that may define it is missing.
    fn undefined_alias(&mut self, name: Text<'_>) {
        if !self.truncated {
            let nearest = nearest(name.text, self.alias_names());
            self.diagnostics.push(UndefinedAlias { name: name.text, nearest, at: name.span() });
        }
    }

    /// The names of all aliases in the order of the text, for suggestions.
    fn alias_names(&self) -> Vec<&'s str> {
        let mut names: Vec<_> = self.aliases.iter().map(|(&name, &index)| (index, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    fn report_empty(&mut self) {
        let end = self.source.bytes().len().min(1);
        self.diagnostics.push(EmptyInput { at: Span::new(0, end) });
    }
}
