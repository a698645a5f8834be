//! The modules of the user's program that statements belong to, from their locations.
//!
//! JAX's `loc("jit(apply)/Model/Dense_0/dot_general"(#loc5))` names the path of modules and then the call stack. Only
//! the names are read: the stack is most of the locations' text, and the path does not depend on it.

use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens};
use super::tree;
use crate::ir::{Location, LocationId, Module, Symbol, provenance};
use crate::source::{Source, Span, Statement};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Locations within locations that are read; a text can nest them deeper, or in a circle.
const DEEPEST: u32 = 64;

/// A module of a path, or a function that JAX calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPart {
    pub(super) name: Box<str>,
    pub(super) is_function: bool,
}

/// The paths of the statements of a text. Each alias and each name is read once.
pub(super) struct ModulePaths<'a> {
    document: &'a Document,
    /// Has the locations that were read, and nothing else.
    module: Module,
    names: FxHashMap<Symbol, LocationId>,
    /// By the statement that defines the alias.
    aliases: FxHashMap<u32, LocationId>,
    paths: FxHashMap<LocationId, Option<Rc<[PathPart]>>>,
}

impl<'a> ModulePaths<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            module: Module::new(),
            names: FxHashMap::default(),
            aliases: FxHashMap::default(),
            paths: FxHashMap::default(),
        }
    }

    /// The modules around the op of a statement, outermost first. `None` if its location has no path.
    pub(super) fn of(&mut self, statement: &Statement) -> Option<Rc<[PathPart]>> {
        let written = location_text(self.document.source(), statement)?;
        let location = self.place(&mut Tokens::new(self.document.source(), written), DEEPEST)?;
        if let Some(known) = self.paths.get(&location) {
            return known.clone();
        }
        let path = provenance::has_path(&self.module, location).then(|| {
            let (scopes, _) = provenance::scopes(&self.module, location);
            let part = |scope: &provenance::Scope| PathPart {
                name: scope.name.into(),
                is_function: scope.call.is_some(),
            };
            scopes.iter().map(part).collect()
        });
        self.paths.insert(location, path.clone());
        path
    }

    /// Reads a location; of the call stack under a name, nothing.
    fn place(&mut self, tokens: &mut Tokens, deepest: u32) -> Option<LocationId> {
        let deeper = deepest.checked_sub(1)?;
        let document = self.document;
        let token = tokens.next()?;
        let text = document.slice(token.span.range());
        match token.kind {
            TokenKind::Attribute => self.alias(text, deeper),
            // A file and a line.
            TokenKind::String if document.source().bytes().get(token.span.end) == Some(&b':') => {
                Some(LocationId::UNKNOWN)
            }
            TokenKind::String => {
                // JAX wraps a path in the kind of its op: `loc("io_callback:"("jit(f)/M/io_callback"(...)))`.
                if text.ends_with(":\"") && is_mark(tokens.next(), b'(') {
                    let name = self.module.symbols.intern(text.trim_matches('"'));
                    let child = self.place(tokens, deeper)?;
                    return Some(self.module.add_location(Location::Name(name, child)));
                }
                Some(self.name(text.trim_matches('"')))
            }
            TokenKind::Word if text == "loc" => {
                is_mark(tokens.next(), b'(').then(|| self.place(tokens, deeper))?
            }
            TokenKind::Word if text == "callsite" => {
                is_mark(tokens.next(), b'(').then_some(())?;
                let callee = self.place(tokens, deeper)?;
                let mut depth = 0_u32;
                tokens.find(|token| {
                    match token.kind {
                        TokenKind::Mark(b'(' | b'[') => depth += 1,
                        TokenKind::Mark(b')' | b']') => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    depth == 0 && document.slice(token.span.range()) == "at"
                })?;
                let caller = self.place(tokens, deeper)?;
                Some(self.module.add_location(Location::CallSite { callee, caller }))
            }
            TokenKind::Word if text == "fused" => {
                // The first part has the path.
                tokens.find(|token| token.kind == TokenKind::Mark(b'['))?;
                self.place(tokens, deeper)
            }
            _ => Some(LocationId::UNKNOWN),
        }
    }

    fn name(&mut self, name: &str) -> LocationId {
        let module = &mut self.module;
        let name = module.symbols.intern(name);
        let add = || module.add_location(Location::Name(name, LocationId::UNKNOWN));
        *self.names.entry(name).or_insert_with(add)
    }

    fn alias(&mut self, name: &str, deeper: u32) -> Option<LocationId> {
        let document = self.document;
        let index = document.alias(name.as_bytes())?;
        if let Some(&known) = self.aliases.get(&index) {
            return Some(known);
        }
        let source = document.source();
        let definition = &source.bytes()[tree::at(source.scan(), index).span.range()];
        if let Some(path) = plain_name(definition, name) {
            let location = self.name(path);
            self.aliases.insert(index, location);
            return Some(location);
        }
        // Within itself, an alias is unknown.
        self.aliases.insert(index, LocationId::UNKNOWN);
        let mut tokens = Tokens::new(source, tree::at(source.scan(), index).span);
        let value = tokens.find(|token| token.kind == TokenKind::Mark(b'='));
        let location = value.and_then(|_| self.place(&mut tokens, deeper));
        match location {
            Some(location) => self.aliases.insert(index, location),
            // It was reached too deep, or is not finished.
            None => self.aliases.remove(&index),
        };
        location
    }
}

/// The name in `#loc3 = loc("name"(...` of the alias `#loc3`, as nearly all are written.
fn plain_name<'t>(definition: &'t [u8], alias: &str) -> Option<&'t str> {
    let rest = definition.strip_prefix(alias.as_bytes())?.strip_prefix(b" = loc(\"")?;
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    let is_plain = rest[end] == b'"' && matches!(rest.get(end + 1), Some(b'(' | b')'));
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    (is_plain && !name.ends_with(':')).then_some(name)
}

fn is_mark(token: Option<SyntaxToken>, mark: u8) -> bool {
    token.is_some_and(|token| token.kind == TokenKind::Mark(mark))
}

/// What a statement's `loc(...)`, which is at its end, has in its brackets.
fn location_text(source: &Source, statement: &Statement) -> Option<Span> {
    let bytes = source.bytes();
    let last = tree::regions(source.scan(), statement).last();
    let start = last.map_or(statement.span.start, |last| source.scan().regions[last as usize].span.end);
    let tail = bytes.get(start..statement.span.end)?.trim_ascii_end();
    let (end, tail) = (start + tail.len() - 1, tail.strip_suffix(b")")?);
    // Nearly all are `loc(#loc3)`.
    let open = memchr::memrchr(b'(', tail)?;
    if tail[..open].ends_with(b" loc") && tail.get(open + 1) == Some(&b'#') {
        return Some(Span::new(start + open + 1, end));
    }
    memchr::memmem::find(tail, b"loc")?;
    let (mut depth, mut found, mut is_location) = (0_usize, None, false);
    for SyntaxToken { kind, span } in Tokens::new(source, Span::new(start, end)) {
        match kind {
            TokenKind::Mark(b'(' | b'[' | b'{') => {
                if depth == 0 && is_location {
                    found = Some(span.end);
                }
                depth += 1;
            }
            TokenKind::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_location = kind == TokenKind::Word && bytes[span.range()] == *b"loc";
    }
    found.map(|start| Span::new(start, end))
}
