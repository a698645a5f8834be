//! Where a name is defined.
//!
//! It is found from the text alone, so that it works in a text with errors: values among the statements of the regions
//! around, up to the function; functions next to the enclosing one; aliases at the top.

use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens, type_span};
use super::tree::{self, PathStep};
use crate::source::{Source, Span, Statement};

/// What a name is defined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The given result of the op of a statement.
    Result { statement: u32, index: u32 },
    /// An argument of a block or a function, declared in a statement, with the span of its type.
    Argument { statement: u32, index: u32, ty: Span },
    /// A function or another op with a name.
    Symbol { statement: u32 },
    /// An alias of an attribute, a type or a location.
    Alias { statement: u32 },
    /// A block of the region.
    Block,
}

/// A definition: the span of its name, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The name where it is defined.
    pub(super) name: Span,
    /// What defines it.
    pub(super) target: Target,
    /// The text in which the name can be used: the region, or the whole text.
    pub(super) visible: Span,
}

/// The name at an offset.
pub(super) fn name_at(document: &Document, offset: usize) -> Option<SyntaxToken> {
    let source = document.source();
    let step = *document.path(offset).last()?;
    let statement = tree::at(source.scan(), step.statement);
    let mut best = None;
    for token in tree::tokens(source, statement) {
        if token.span.start > offset {
            break;
        }
        // Between two tokens that touch, a name is meant rather than a mark.
        let is_name = !matches!(token.kind, TokenKind::Mark(_));
        if token.span.end >= offset && (is_name || best.is_none()) {
            best = Some(token);
        }
    }
    best.filter(|token| !matches!(token.kind, TokenKind::Mark(_)))
}

/// The definition of a name.
pub(super) fn definition(document: &Document, token: SyntaxToken) -> Option<Definition> {
    let source = document.source();
    let text = source.bytes().get(token.span.range())?;
    match token.kind {
        TokenKind::Value => value(document, token.span),
        TokenKind::Symbol => symbol(document, token.span),
        TokenKind::Block => block(document, token.span),
        TokenKind::Attribute | TokenKind::Type => {
            let statement = document.alias(text)?;
            let start = tree::at(source.scan(), statement).span.start;
            let name = Span::new(start, start + text.len());
            Some(Definition { name, target: Target::Alias { statement }, visible: whole(source) })
        }
        TokenKind::Word | TokenKind::String | TokenKind::Mark(_) => None,
    }
}

fn whole(source: &Source) -> Span {
    Span::new(0, source.bytes().len())
}

/// A use such as `%0#1` as its name and the number of the result.
fn split(text: &[u8]) -> (&[u8], u32) {
    let Some(hash) = memchr::memchr(b'#', text) else { return (text, 0) };
    let index = std::str::from_utf8(&text[hash + 1..]).ok().and_then(|digits| digits.parse().ok());
    (&text[..hash], index.unwrap_or(u32::MAX))
}

fn value(document: &Document, used: Span) -> Option<Definition> {
    let source = document.source();
    let scan = source.scan();
    let (name, index) = split(&source.bytes()[used.range()]);
    let path = document.path(used.start);
    for (depth, step) in path.iter().enumerate().rev() {
        let statement = tree::at(scan, step.statement);
        if let Some(found) = argument_of(source, step.statement, name) {
            return Some(found);
        }
        if tree::is_function(source, statement) {
            return None;
        }
        let visible = match depth.checked_sub(1).and_then(|outer| path[outer].region) {
            Some(region) => scan.regions[region as usize].span,
            None => whole(source),
        };
        for sibling in tree::siblings(scan, step.list) {
            let found = match source.bytes()[tree::at(scan, sibling).span.start] {
                b'%' if may_define(source, sibling, name) => result_of(source, sibling, name, index),
                b'^' => argument_of(source, sibling, name),
                _ => None,
            };
            if let Some(found) = found {
                return Some(Definition { visible, ..found });
            }
        }
    }
    None
}

/// Whether a statement that begins with `%` can define a name: nearly all begin with `%other = `, which is quick to
/// check.
fn may_define(source: &Source, index: u32, name: &[u8]) -> bool {
    let text = &source.bytes()[tree::at(source.scan(), index).span.range()];
    let first = 1 + text[1..].iter().take_while(|&&byte| !ends_name(Some(byte))).count();
    text[..first] == *name || text[first..].iter().find(|byte| **byte != b' ') != Some(&b'=')
}

/// The result with that name in a statement: `%0 = `, `%0:2 = ` or `%a, %b:2 = `.
fn result_of(source: &Source, index: u32, name: &[u8], number: u32) -> Option<Definition> {
    let statement = tree::at(source.scan(), index);
    let (mut before, mut found) = (0u32, None);
    for (name_of_group, count) in results(source, statement) {
        if &source.bytes()[name_of_group.range()] == name {
            let index = (number < count).then(|| before.saturating_add(number))?;
            found = Some((name_of_group, index));
        }
        before = before.saturating_add(count);
    }
    let (name, number) = found?;
    let target = Target::Result { statement: index, index: number };
    Some(Definition { name, target, visible: statement.span })
}

/// The names that a statement defines, each with the number of its results.
pub(super) fn results<'a>(
    source: &'a Source,
    statement: &Statement,
) -> impl Iterator<Item = (Span, u32)> + 'a {
    let mut tokens = Tokens::new(source, tree::head(source.scan(), statement)).peekable();
    std::iter::from_fn(move || {
        let name = tokens.next().filter(|token| token.kind == TokenKind::Value)?;
        let mut count = 1;
        if tokens.next_if(|token| token.kind == TokenKind::Mark(b':')).is_some() {
            let digits = tokens.next()?;
            count = std::str::from_utf8(&source.bytes()[digits.span.range()]).ok()?.parse().ok()?;
        }
        let end = tokens.next()?;
        matches!(end.kind, TokenKind::Mark(b',' | b'=')).then_some((name.span, count))
    })
}

/// The argument with that name that a statement declares for its regions or its block.
fn argument_of(source: &Source, index: u32, name: &[u8]) -> Option<Definition> {
    let statement = tree::at(source.scan(), index);
    let (number, (name, ty)) = arguments(source, statement)
        .into_iter()
        .enumerate()
        .find(|(_, (declared, _))| &source.bytes()[declared.range()] == name)?;
    let target = Target::Argument { statement: index, index: number as u32, ty };
    Some(Definition { name, target, visible: statement.span })
}

/// The arguments that a statement declares, with the spans of their types: those of a function, a block label, a
/// `while`, or a `reducer`.
pub(super) fn arguments(source: &Source, statement: &Statement) -> Vec<(Span, Span)> {
    let head = tree::head(source.scan(), statement);
    let is_label = source.bytes().get(head.start) == Some(&b'^');
    match tree::op_name(source, statement) {
        Some((name, _)) if name.ends_with("while") => while_arguments(source, head),
        Some(("func.func" | "func", _)) => declared(source, head, |token| token.kind == TokenKind::Symbol),
        Some(_) if head.end < statement.span.end => {
            declared(source, head, |token| source.bytes()[token.span.range()] == *b"reducer")
        }
        None if is_label => declared(source, head, |token| token.kind == TokenKind::Block),
        _ => Vec::new(),
    }
}

/// The names with types (`%a: tensor<f32>`) in the lists in brackets that follow the first token for which `opens`
/// holds.
fn declared(source: &Source, head: Span, opens: impl Fn(&SyntaxToken) -> bool) -> Vec<(Span, Span)> {
    let mut tokens = Tokens::new(source, head).skip_while(|token| !opens(token)).skip(1).peekable();
    let (mut depth, mut found) = (0usize, Vec::new());
    while let Some(token) = tokens.next() {
        match token.kind {
            TokenKind::Mark(b'(') => depth += 1,
            TokenKind::Mark(b')') => depth = depth.saturating_sub(1),
            TokenKind::Value if depth == 1 => {
                if let Some(colon) = tokens.next_if(|token| token.kind == TokenKind::Mark(b':')) {
                    found.push((token.span, type_span(source, colon.span.end, head.end)));
                }
            }
            _ if depth == 0 => break,
            _ => {}
        }
    }
    found
}

/// The arguments of `while(%a = %0, %b = %1) : T, U`.
fn while_arguments(source: &Source, head: Span) -> Vec<(Span, Span)> {
    let mut tokens =
        Tokens::new(source, head).skip_while(|token| token.kind != TokenKind::Mark(b'(')).skip(1).peekable();
    let mut names = Vec::new();
    while let Some(token) = tokens.next() {
        match token.kind {
            TokenKind::Value if tokens.next_if(|token| token.kind == TokenKind::Mark(b'=')).is_some() => {
                names.push(token.span);
            }
            TokenKind::Mark(b')') => break,
            _ => {}
        }
    }
    let mut at =
        tokens.next().filter(|token| token.kind == TokenKind::Mark(b':')).map(|colon| colon.span.end);
    let mut next_type = || {
        let ty = type_span(source, at?, head.end);
        let comma = source.bytes()[ty.end..head.end].iter().position(|byte| !byte.is_ascii_whitespace());
        at =
            comma.map(|space| ty.end + space).filter(|&comma| source.bytes()[comma] == b',').map(|at| at + 1);
        Some(ty)
    };
    names.into_iter().map(|name| (name, next_type().unwrap_or(Span::NONE))).collect()
}

fn symbol(document: &Document, used: Span) -> Option<Definition> {
    let source = document.source();
    let scan = source.scan();
    let name = symbol_text(&source.bytes()[used.range()]);
    let path = document.path(used.start);
    let is_outside = |step: &&PathStep| !tree::is_function(source, tree::at(scan, step.statement));
    // The lists of statements down to the function's; nested ones define no symbols.
    let lists = path.iter().take_while(is_outside).count() + 1;
    for step in path.iter().take(lists).rev() {
        for sibling in tree::siblings(scan, step.list) {
            if let Some(own) = symbol_of(source, tree::at(scan, sibling))
                && symbol_text(&source.bytes()[own.range()]) == name
            {
                let target = Target::Symbol { statement: sibling };
                return Some(Definition { name: own, target, visible: whole(source) });
            }
        }
    }
    None
}

/// A name without its mark and quotes.
fn symbol_text(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"@").unwrap_or(text);
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// The span of the name of a function or another symbol op: the first symbol, or the attribute `sym_name` in generic
/// form.
pub(super) fn symbol_of(source: &Source, statement: &Statement) -> Option<Span> {
    if source.bytes().get(statement.span.start) == Some(&b'%') {
        return None;
    }
    tree::op_name(source, statement)?;
    let mut tokens = tree::tokens(source, statement);
    if source.bytes()[statement.span.start] != b'"' {
        return tokens.find(|token| token.kind == TokenKind::Symbol).map(|token| token.span);
    }
    tokens.find(|token| source.bytes()[token.span.range()] == *b"sym_name")?;
    tokens.find(|token| token.kind == TokenKind::String).map(|token| token.span)
}

fn block(document: &Document, used: Span) -> Option<Definition> {
    let source = document.source();
    let scan = source.scan();
    let name = &source.bytes()[used.range()];
    let step = *document.path(used.start).last()?;
    tree::siblings(scan, step.list).find_map(|sibling| {
        let statement = tree::at(scan, sibling);
        let label = Tokens::new(source, statement.span).next()?;
        let is_label = label.kind == TokenKind::Block && &source.bytes()[label.span.range()] == name;
        let list = Span::new(
            tree::at(scan, step.list.0).span.start,
            tree::at(scan, step.list.1.saturating_sub(1)).span.end,
        );
        is_label.then_some(Definition { name: label.span, target: Target::Block, visible: list })
    })
}

/// Every use of a name, including its definition, in the order of the text. All results of an op share one name, so
/// `%0#1` and `%0#0` are uses of the same.
pub(super) fn references(document: &Document, token: SyntaxToken) -> Vec<Span> {
    let source = document.source();
    let Some(definition) = definition(document, token) else { return Vec::new() };
    let bytes = source.bytes();
    let (name, _) = split_name(token.kind, &bytes[token.span.range()]);
    let visible = definition.visible;
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(&bytes[visible.range()], name) {
        let start = visible.start + at;
        // Most candidates are longer names, and many texts have none but these.
        if !ends_name(bytes.get(start + name.len()).copied()) {
            continue;
        }
        let Some(own) = name_at(document, start + 1).filter(|own| own.span.start == start) else { continue };
        if split_name(own.kind, &bytes[own.span.range()]).0 == name {
            found.push(own.span);
        }
    }
    // In generic form a function's own name is a string.
    if !found.contains(&definition.name) && matches!(definition.target, Target::Symbol { .. }) {
        found.push(definition.name);
        found.sort_unstable();
    }
    found
}

/// A name without the number of a result, and that number.
pub(super) fn split_name(kind: TokenKind, text: &[u8]) -> (&[u8], u32) {
    if kind == TokenKind::Value { split(text) } else { (text, 0) }
}

fn ends_name(byte: Option<u8>) -> bool {
    !byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-'))
}
