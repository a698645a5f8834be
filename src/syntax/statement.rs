//! Ops, in generic and in custom form, and the regions that they own.

use super::assembly;
use super::clauses::Token;
use super::scope::Binding;
use super::text::{Frame, Removed, Rule, Text};
use super::{LENIENT_LIMIT, Parser, spaces};
use crate::diagnostic::catalog::{
    DuplicateAttribute, SyntaxError, TypeMismatch, WrongOperandCount, WrongResultCount,
};
use crate::diagnostic::{Diagnostic, Fix, Part};
use crate::ir::{
    Attributes, BlockId, LocationId, OpId, OpName, OpSpan, RegionId, Symbol, TypeId, ValueId, provenance,
    stablehlo,
};
use crate::source::{Span, skip_space};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// The parsed parts of an op, for both forms.
pub(super) struct Parts<'s> {
    pub name: OpName,
    pub operands: SmallVec<[(ValueId, Span); 3]>,
    /// The operand types in the text; empty if there are none.
    pub operand_types: SmallVec<[TypeId; 3]>,
    pub result_types: SmallVec<[TypeId; 1]>,
    pub attributes: Attributes,
    pub regions: SmallVec<[Body<'s>; 1]>,
}

/// A region that has not been read yet.
pub(super) struct Body<'s> {
    /// Its index in the scan; `None` for one without statements.
    pub region: Option<u32>,
    /// The arguments of its first block that the op's own form names.
    pub arguments: Vec<(&'s str, Span, TypeId)>,
    /// The op that a reduction applies, instead of statements.
    pub applies: Option<OpName>,
}

impl Body<'_> {
    pub(super) fn plain(region: Option<u32>) -> Self {
        Self { region, arguments: Vec::new(), applies: None }
    }
}

/// Names on the left side of an op, with their place, first result and count.
type ResultNames<'s> = SmallVec<[(&'s str, Span, u32, u32); 1]>;

/// Where the words of a statement are.
struct Heads<'s> {
    /// The names of the results, each with how many it names.
    results: SmallVec<[(&'s str, Span, u32); 1]>,
    /// The first of them, with its count.
    first: Span,
    name: Span,
    whole: Span,
    location: LocationId,
}

impl<'s> Parser<'s> {
    /// Parses one op and puts it at the end of a block. What is faulty is reported, and its results are poison.
    pub(super) fn operation(&mut self, index: u32, block: Option<BlockId>) -> Option<OpId> {
        let statement = self.statement_at(index);
        let known = self.diagnostics.len();
        let read = if statement.faulty { None } else { self.read(index, statement.span) };
        // The regions are parsed with as little as possible on the stack: they nest.
        let op = read.and_then(|(parts, heads)| self.finish(parts, heads));
        let Some(op) = op else {
            self.place_of_faults(index, known);
            let op = self.unread(index);
            self.poison_results(index);
            if let Some(block) = block {
                self.module.block_mut(block).ops.push(op);
            }
            return None;
        };
        if let Some(block) = block {
            self.module.block_mut(block).ops.push(op);
        }
        Some(op)
    }

    /// Reads an op but for its regions.
    #[inline(never)]
    fn read(&mut self, index: u32, whole: Span) -> Option<(Parts<'s>, Heads<'s>)> {
        let frame = self.frame(index)?;
        let text = frame.whole();
        let known = self.diagnostics.len();
        let Some(mut tokens) = self.tokens(text) else {
            // A statement outside of the grammar is not an error in the text if the op's dialect is unknown.
            let is_unknown =
                |name: &Text<'_>| name.text.starts_with("arith.") || assembly::find(name.text).is_none();
            if let Some(name) = op_name(text).filter(is_unknown) {
                self.diagnostics.truncate(known);
                self.unknown_op(name.text, name.span());
            }
            return None;
        };
        let (results, first) =
            (SmallVec::new(), tokens.first().map_or(Span::NONE, |first| first.text.span()));
        let mut heads = Heads { results, first, name: Span::NONE, whole, location: LocationId::UNKNOWN };
        if let Some(last) = tokens.last().copied().filter(|last| last.rule == Rule::location) {
            heads.location = self.location(last.text);
            tokens.pop();
        }
        let head = tokens.iter().position(|token| token.rule != Rule::result)?;
        for token in &tokens[..head] {
            let text = token.text.text;
            let (name, count) = match text.split_once(':') {
                Some((name, count)) => (name, count.parse().unwrap_or(u32::MAX)),
                None => (text, 1),
            };
            let span = token.text.part(0..name.len()).span();
            heads.results.push((self.source_text(span), span, count));
        }
        let name = tokens[head].text;
        heads.name = name.span();
        let rest = &tokens[head + 1..];
        let parts = if tokens[head].rule == Rule::quoted_name {
            heads.name = Span::new(heads.name.start + 1, heads.name.end - 1);
            self.generic(&name.text[1..name.text.len() - 1], rest)?
        } else {
            self.custom(name, rest)?
        };
        self.check_attributes(&parts.attributes, &tokens, &heads)?;
        Some((parts, heads))
    }

    /// Reports a duplicate attribute that MLIR would reject.
    fn check_attributes(
        &mut self,
        attributes: &Attributes,
        tokens: &[Token<'_>],
        heads: &Heads<'s>,
    ) -> Option<()> {
        let mut names: SmallVec<[Symbol; 16]> = attributes.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) else { return Some(()) };
        let name = self.module.symbols.get(twice[0]).to_owned();
        let mut places = self.places_of_attribute(tokens, &name);
        places.sort_by_key(|place| place.start);
        let at = places.get(1).copied().unwrap_or(heads.name);
        let first = places.first().copied().unwrap_or(Span::NONE);
        self.diagnostics.push(DuplicateAttribute { name: &name, at, first });
        None
    }

    fn generic(&mut self, name: &str, tokens: &[Token<'_>]) -> Option<Parts<'s>> {
        let mut parts = Parts {
            name: self.module.symbols.op_name(&OpName::current(name)),
            operands: SmallVec::new(),
            operand_types: SmallVec::new(),
            result_types: SmallVec::new(),
            attributes: Attributes::new(),
            regions: SmallVec::new(),
        };
        for token in tokens {
            match token.rule {
                Rule::value => parts.operands.push(self.operand(token.text)),
                Rule::successor => {
                    self.expected("no successor (StableHLO has no control flow between blocks)", token.text);
                    return None;
                }
                Rule::properties | Rule::braces => {
                    let further = self.dictionary(token.text)?;
                    add_missing(&mut parts.attributes, further);
                }
                Rule::region => {
                    let region = region_of(token.text);
                    if region.is_none() && !token.text.text[1..token.text.text.len() - 1].trim().is_empty() {
                        self.unexpected(token.text, 1, "an op");
                        return None;
                    }
                    parts.regions.push(Body::plain(region));
                }
                Rule::signature => {
                    let signature = self.signature(token.text)?;
                    let Some(outputs) = &signature.outputs else {
                        self.unexpected(token.text, token.text.text.len(), "`->` and the result types");
                        return None;
                    };
                    parts.operand_types = signature.inputs.iter().copied().collect();
                    parts.result_types = outputs.iter().copied().collect();
                }
                _ => {}
            }
        }
        Some(parts)
    }

    /// The value of an operand.
    pub(super) fn operand(&mut self, text: Text<'_>) -> (ValueId, Span) {
        let span = text.span();
        (self.lookup(text.text, span), span)
    }

    fn finish(&mut self, mut parts: Parts<'s>, heads: Heads<'s>) -> Option<OpId> {
        self.check_operands(&parts, &heads)?;
        let results = self.check_results(&parts, &heads)?;
        self.resolve_callees(&mut parts.attributes);
        let mut regions: SmallVec<[RegionId; 1]> = SmallVec::new();
        for body in parts.regions.drain(..) {
            regions.push(self.region(body));
        }
        if parts.attributes.len() > 1 {
            let symbols = &self.module.symbols;
            parts.attributes.sort_by(|(left, _), (right, _)| symbols.get(*left).cmp(symbols.get(*right)));
        }
        let operands: SmallVec<[ValueId; 3]> = parts.operands.iter().map(|(value, _)| *value).collect();
        let op = self
            .module
            .create(parts.name, &operands)
            .attributes(parts.attributes)
            .regions(regions)
            .at((OpSpan { name: heads.name, whole: heads.whole }, heads.location))
            .results(&parts.result_types);
        for (name, span, first, count) in results {
            let binding = match count {
                1 => Binding::Value(self.module.op(op).results[first as usize]),
                _ => Binding::Results { op, first, count },
            };
            self.define(name, binding, span);
        }
        Some(op)
    }

    /// Compares the stated types of operands with the types of their values.
    fn check_operands(&mut self, parts: &Parts<'s>, heads: &Heads<'s>) -> Option<()> {
        let (found, stated) = (parts.operands.len(), parts.operand_types.len());
        if found != stated {
            let op = self.module.symbols.get(parts.name.symbol()).to_owned();
            let expected = stated.to_string();
            self.diagnostics.push(WrongOperandCount { op: &op, expected: &expected, found, at: heads.name });
            return None;
        }
        let mut right = Some(());
        for (&(value, _), &ty) in parts.operands.iter().zip(&parts.operand_types) {
            // Each unparsed use is a value of its own, with the type that the use states.
            if self.module.is_error_value(value) {
                self.module.value_mut(value).ty = ty;
            }
        }
        for (index, (&(value, at), &ty)) in parts.operands.iter().zip(&parts.operand_types).enumerate() {
            if self.module.value_type(value) == ty || self.known_type(value).is_none() {
                continue;
            }
            let (expected, found) = (self.type_text(ty), self.type_text(self.module.value_type(value)));
            let what = format!("`{}`", self.source_text(at));
            let mismatch =
                TypeMismatch { what: &what, expected: &expected, found: &found, at, because: heads.name };
            let mut diagnostic = Diagnostic::from(mismatch);
            if let Some(label) = diagnostic.labels.get_mut(1) {
                label.part = Part::OperandType(index);
            }
            let fix = Fix { label: 1, old: expected, new: found };
            self.diagnostics.push(diagnostic.fixed_by(Some(fix)));
            right = None;
        }
        right
    }

    /// Distributes the op's results over the names on its left side.
    fn check_results(&mut self, parts: &Parts<'s>, heads: &Heads<'s>) -> Option<ResultNames<'s>> {
        let mut names = SmallVec::new();
        let mut total: u32 = 0;
        for &(name, span, count) in &heads.results {
            names.push((name, span, total, count));
            total = total.saturating_add(count);
        }
        if total as usize != parts.result_types.len() && total != 0 {
            let op = self.module.symbols.get(parts.name.symbol()).to_owned();
            let expected = parts.result_types.len().to_string();
            let at = if heads.results.is_empty() { heads.name } else { heads.first };
            self.diagnostics.push(WrongResultCount {
                op: &op,
                expected: &expected,
                found: total as usize,
                at,
            });
            return None;
        }
        Some(names)
    }

    /// Parses a region; its names are its own.
    pub(super) fn region(&mut self, body: Body<'s>) -> RegionId {
        let region = self.module.add_region();
        if let Some(op) = body.applies {
            self.applied(region, op, &body.arguments);
            return region;
        }
        let mark = self.enter();
        let mut entry = None;
        if !body.arguments.is_empty() {
            let block = self.module.add_block(region);
            self.block_arguments(block, &body.arguments);
            entry = Some(block);
        }
        self.blocks(region, body.region, entry);
        self.leave(mark);
        region
    }

    /// Parses the blocks of a region; `block` is the first one if it has no label.
    pub(super) fn blocks(&mut self, region: RegionId, scanned: Option<u32>, mut block: Option<BlockId>) {
        let Some(scanned) = scanned else { return };
        let scanned = self.source.scan().regions[scanned as usize];
        let mut index = scanned.first;
        while index < scanned.end {
            let statement = self.statement_at(index);
            if self.source.bytes()[statement.span.start] == b'^' {
                // Without arguments, the first block of a function may have a label.
                let unused = block.filter(|&block| {
                    let block = self.module.block(block);
                    block.arguments.is_empty() && block.ops.is_empty()
                });
                block = self.label(index, region, unused.filter(|_| index == scanned.first)).or(block);
            } else {
                let block = *block.get_or_insert_with(|| self.module.add_block(region));
                self.operation(index, Some(block));
            }
            index = statement.next;
        }
    }

    fn label(&mut self, index: u32, region: RegionId, unused: Option<BlockId>) -> Option<BlockId> {
        let frame = self.frame(index)?;
        let text = frame.whole();
        let mut arguments = Vec::new();
        for pair in self.run(Rule::label, text)? {
            if pair.as_rule() == Rule::parameter {
                let parameter = self.parameter(text, pair)?;
                let Some((name, span)) = parameter.name else {
                    self.expected("a name such as `%arg0`", text);
                    return None;
                };
                arguments.push((name, span, parameter.ty));
            }
        }
        let unused = unused.filter(|_| arguments.is_empty());
        let block = unused.unwrap_or_else(|| self.module.add_block(region));
        self.block_arguments(block, &arguments);
        Some(block)
    }

    /// Adds named arguments to a block.
    pub(super) fn block_arguments(&mut self, block: BlockId, arguments: &[(&'s str, Span, TypeId)]) {
        for &(name, span, ty) in arguments {
            let value = self.module.add_argument(block, ty);
            self.define(name, Binding::Value(value), span);
        }
    }

    /// The region of a reduction that applies one op to its two scalar arguments.
    fn applied(&mut self, region: RegionId, name: OpName, arguments: &[(&'s str, Span, TypeId)]) {
        let block = self.module.add_block(region);
        let operands: SmallVec<[ValueId; 3]> =
            arguments.iter().map(|&(_, _, ty)| self.module.add_argument(block, ty)).collect();
        let Some(&(_, at, ty)) = arguments.first() else { return };
        let place = (OpSpan { name: at, whole: at }, LocationId::UNKNOWN);
        let result = self.module.create(name, &operands).at(place).end_of(block).of(ty);
        self.module.create(stablehlo::RETURN, &[result]).at(place).end_of(block).results(&[]);
    }

    /// What replaces a statement that could not be parsed: it reads the values that the statement names, and has the
    /// regions that can be read.
    pub(super) fn unread(&mut self, index: u32) -> OpId {
        let statement = self.statement_at(index);
        let scan = self.source.scan();
        let (mut regions, mut region) = (SmallVec::new(), statement.first_region);
        self.lenient += 1;
        while region < statement.regions_end && self.lenient <= LENIENT_LIMIT {
            regions.push(self.region(Body::plain(Some(region))));
            region = scan.regions[region as usize].next;
        }
        self.lenient -= 1;
        let operands = self.named_values(index);
        let name = Span::new(statement.span.start, statement.span.start);
        self.module.add_error_op(&operands, regions, OpSpan { name, whole: statement.span })
    }

    /// The values that a statement names before its first region.
    fn named_values(&self, index: u32) -> SmallVec<[ValueId; 3]> {
        const LONGEST: usize = 1 << 16;
        let statement = self.statement_at(index);
        let scan = self.source.scan();
        let mut span = statement.span;
        if statement.first_region < statement.regions_end {
            span.end = scan.regions[statement.first_region as usize].span.start;
        }
        span.end = span.end.min(span.start + LONGEST);
        let bytes = &self.source.bytes()[span.range()];
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-');
        let mut values = SmallVec::new();
        for at in memchr::memchr_iter(b'%', bytes) {
            let length = bytes[at + 1..].iter().position(|byte| !is_name(byte));
            let end = length.map_or(bytes.len(), |length| at + 1 + length);
            let name = self.source_text(Span::new(span.start + at, span.start + end));
            values.extend(self.values_named(name).into_iter().filter(|&value| !self.module.is_poison(value)));
        }
        values
    }

    /// Remembers the location of a statement for its diagnostics.
    fn place_of_faults(&mut self, index: u32, known: usize) {
        let reported = known..self.diagnostics.len();
        let span = self.statement_at(index).span;
        let bytes = &self.source.bytes()[span.range()];
        let tail = &bytes[bytes.len().saturating_sub(1 << 12)..];
        let Some(at) = memchr::memmem::rfind(tail, b"loc(") else { return };
        let start = span.end - tail.len() + at;
        let text = self.source_text(Span::new(start, span.end));
        if reported.is_empty() || !text.ends_with(')') {
            return;
        }
        let (holes, gaps) = (SmallVec::new(), Vec::new());
        let mut frame = Frame { text: text.into(), start, end: span.end, holes, gaps };
        spaces::tighten(&mut frame);
        let location = self.location(frame.whole());
        // What may be wrong with the location itself is not the fault of the statement.
        self.diagnostics.truncate(reported.end);
        self.places.push((location, reported));
    }

    /// Adds locations to the diagnostics of faulty statements.
    pub(super) fn place_faults(&mut self) {
        for (location, reported) in std::mem::take(&mut self.places) {
            for diagnostic in self.diagnostics.iter_mut().skip(reported.start).take(reported.len()) {
                provenance::complete(&self.module, location, diagnostic);
            }
        }
    }

    /// Defines the results of a statement that could not be parsed, so that their uses stay silent.
    fn poison_results(&mut self, index: u32) {
        let span = self.statement_at(index).span;
        let bytes = self.source.bytes();
        let mut at = span.start;
        let mut stated = self.stated.take();
        while bytes.get(at) == Some(&b'%') && at < span.end {
            let is_name =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-');
            let length = bytes[at + 1..span.end].iter().position(|byte| !is_name(byte));
            let end = length.map_or(span.end, |length| at + 1 + length);
            let name = Span::new(at, end);
            let mut next = skip_space(bytes, end);
            // One of several results would need to know which of the types is its own.
            let stated = stated.take().filter(|_| bytes.get(next) == Some(&b'='));
            let value = stated.map(|ty| Binding::Value(self.module.add_poison(ty)));
            self.define(self.source_text(name), value.unwrap_or(Binding::Poison), name);
            while next < span.end && matches!(bytes[next], b':' | b',' | b'0'..=b'9') {
                next = skip_space(bytes, next + 1);
            }
            at = next;
        }
    }

    /// A type as its text.
    pub(super) fn type_text(&self, ty: TypeId) -> String {
        let names = self.types.iter().filter(|(_, id)| **id == ty).map(|(text, _)| text);
        names.min().map_or_else(|| "none".to_owned(), ToString::to_string)
    }

    /// Reports a clause or value that an op's form lacks.
    pub(super) fn lacks(&mut self, expected: &str, at: Span) {
        self.diagnostics.push(SyntaxError { expected, found: "none", at });
    }
}

/// Adds the attributes whose names are new. In MLIR, properties take precedence over the dictionary of the generic
/// form, and the dictionary over the clauses of a custom form.
pub(super) fn add_missing(attributes: &mut Attributes, further: Attributes) {
    let known: FxHashSet<Symbol> = attributes.iter().map(|(name, _)| *name).collect();
    attributes.extend(further.into_iter().filter(|(name, _)| !known.contains(name)));
}

/// The name of an op in custom form.
fn op_name<'t>(text: Text<'t>) -> Option<Text<'t>> {
    let mut start = 0;
    if text.text.starts_with('%') {
        start = text.text.find('=')? + 1;
        start += text.text[start..].len() - text.text[start..].trim_start().len();
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    let length = text.text[start..].find(|c| !is_name(c)).unwrap_or(text.text.len() - start);
    (length > 0).then(|| text.part(start..start + length))
}

/// The region that is within braces.
pub(super) fn region_of(braces: Text<'_>) -> Option<u32> {
    match braces.part(1..braces.text.len()).cut() {
        Some(Removed::Region(region)) => Some(*region),
        _ => None,
    }
}
