//! Type rules: what the StableHLO specification demands of each op, as far as types and attributes tell.
//!
//! A rule reads an op's operands, attributes and regions, and gives the types that its results have. [`check`]
//! holds these against the types that the text states, so that no lowering meets an axis out of range or a shape
//! that does not fit; [`infer`] gives them to whoever knows more of the operands than the text does. An unknown size
//! fits every size.

mod collective;
mod contraction;
mod control;
mod dynamic;
mod elementwise;
mod fused;
mod index;
mod linear;
mod movement;
mod typing;
mod window;

use crate::diagnostic::{Diagnostic, Diagnostics, Part, catalog};
use crate::ir::{Class, Module, OpId, OpName, TensorType, stablehlo};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::LazyLock;
use typing::Typing;
pub(super) use typing::{dim_fits, dims_fit};

/// What an op breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    kind: Kind,
    /// What is wrong, in words.
    why: String,
    /// The parts of the op that show it, and what is to be said of each; none where the whole op does.
    parts: Vec<(Part, String)>,
}

/// What a violation is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An attribute that is missing.
    Missing(&'static str),
    /// An attribute with a value that is not allowed.
    Attribute(&'static str),
    /// Types that do not go together.
    Types,
    /// A type whose bytes are more than can be counted.
    TooLarge,
}

impl Violation {
    fn missing(name: &'static str) -> Self {
        Self { kind: Kind::Missing(name), why: String::new(), parts: Vec::new() }
    }

    fn attribute(name: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        let parts = vec![(Part::attribute(name), why.clone())];
        Self { kind: Kind::Attribute(name), why, parts }
    }

    fn types(why: impl Into<String>) -> Self {
        Self { kind: Kind::Types, why: why.into(), parts: Vec::new() }
    }

    /// Says of a part of the op what it has to do with it; the first part is where a reader looks first.
    fn showing(mut self, part: Part, text: impl Into<String>) -> Self {
        self.parts.push((part, text.into()));
        self
    }

    /// The same violation by an element of the attribute's list, or by a field of it.
    fn within(mut self, narrow: impl FnOnce(Part) -> Part) -> Self {
        if let Some((part, _)) = self.parts.first_mut() {
            *part = narrow(std::mem::take(part));
        }
        self
    }
}

/// The types of the results, or nothing where the rule does not say.
type Inferred = Result<SmallVec<[TensorType; 1]>, Violation>;

/// How many operands or results there are.
#[derive(Clone, Copy)]
enum Count {
    Exactly(usize),
    AtLeast(usize),
}

impl Count {
    fn holds(self, found: usize) -> bool {
        match self {
            Count::Exactly(count) => found == count,
            Count::AtLeast(count) => found >= count,
        }
    }

    fn describe(self) -> String {
        match self {
            Count::Exactly(count) => count.to_string(),
            Count::AtLeast(count) => format!("at least {count}"),
        }
    }
}

/// The rule of one op.
#[derive(Clone, Copy)]
struct Rule {
    name: OpName,
    operands: Count,
    results: Count,
    infer: fn(&Typing) -> Inferred,
}

/// A rule of an op with this many operands and one result.
const fn rule(name: OpName, operands: usize, infer: fn(&Typing) -> Inferred) -> Rule {
    Rule { name, operands: Count::Exactly(operands), results: Count::Exactly(1), infer }
}

/// A rule of an op with at least this many operands, and at least one result.
const fn variadic(name: OpName, operands: usize, results: Count, infer: fn(&Typing) -> Inferred) -> Rule {
    Rule { name, operands: Count::AtLeast(operands), results, infer }
}

const RULES: &[&[Rule]] = &[
    collective::RULES,
    contraction::RULES,
    control::RULES,
    dynamic::RULES,
    elementwise::RULES,
    fused::RULES,
    index::RULES,
    linear::RULES,
    movement::RULES,
    window::RULES,
];

static INDEX: LazyLock<FxHashMap<OpName, &'static Rule>> =
    LazyLock::new(|| RULES.iter().flat_map(|rules| rules.iter()).map(|rule| (rule.name, rule)).collect());

/// The names of all ops that have a rule, in the order of the tables.
pub fn names() -> impl Iterator<Item = OpName> {
    RULES.iter().flat_map(|rules| rules.iter()).map(|rule| rule.name)
}

/// Reports what an op breaks of its rule; an op without a rule breaks none.
pub fn check(module: &Module, op: OpId, diagnostics: &mut Diagnostics) {
    let Some(rule) = INDEX.get(&module.op(op).name) else { return };
    let operation = module.op(op);
    // A faulty definition has been reported, and what follows from it would repeat that.
    if operation.operands.iter().any(|&operand| module.is_error_value(operand)) {
        return;
    }
    let (name, at) = (rule.name.text(), module.span(op).name);
    if !rule.operands.holds(operation.operands.len()) {
        let (expected, found) = (&*rule.operands.describe(), operation.operands.len());
        diagnostics.push(catalog::WrongOperandCount { op: name, expected, found, at });
        return;
    }
    if !rule.results.holds(operation.results.len()) {
        let (expected, found) = (&*rule.results.describe(), operation.results.len());
        diagnostics.push(catalog::WrongResultCount { op: name, expected, found, at });
        return;
    }
    if let Err(violation) = broken(module, op, rule) {
        diagnostics.push(diagnostic(module, op, violation));
    }
}

fn diagnostic(module: &Module, op: OpId, violation: Violation) -> Diagnostic {
    let (op, at) = (module.op_name(op), module.span(op).name);
    let why = &*violation.why;
    let mut diagnostic: Diagnostic = match violation.kind {
        Kind::Missing(attribute) => catalog::MissingAttribute { op, attribute, at }.into(),
        Kind::Attribute(attribute) => catalog::InvalidAttribute { op, attribute, why, at }.into(),
        Kind::Types => catalog::InvalidType { op, why, at }.into(),
        Kind::TooLarge => catalog::TensorTooLarge { ty: why, at }.into(),
    };
    let mut parts = violation.parts.into_iter();
    if let Some((part, text)) = parts.next()
        && let Some(first) = diagnostic.labels.first_mut()
    {
        (first.part, first.text) = (part, text);
    }
    parts.fold(diagnostic, |diagnostic, (part, text)| diagnostic.beside(part, text))
}

fn broken(module: &Module, op: OpId, rule: &Rule) -> Result<(), Violation> {
    let typing = Typing { module, op };
    let operands = module.op(op).operands.iter().enumerate();
    let results = module.op(op).results.iter().enumerate();
    let values = operands
        .map(|(index, value)| (Part::OperandType(index), value))
        .chain(results.map(|(index, value)| (Part::ResultType(index), value)));
    for (part, &value) in values {
        let Some(ty) = module.tensor(value) else { continue };
        let negative = ty.dims.iter().any(|dim| dim.known().is_some_and(|size| size < 0));
        if negative {
            let why = format!("`{}` has a negative size", typing.describe(ty));
            return Err(Violation::types(why).showing(part, "it has a negative size"));
        }
        let width = i64::try_from(ty.element.bytes()).unwrap_or(i64::MAX);
        if ty.is_static() && ty.count().and_then(|count| count.checked_mul(width)).is_none() {
            let why = typing.describe(ty);
            let violation = Violation { kind: Kind::TooLarge, why, parts: Vec::new() };
            return Err(violation.showing(part, "it has more than 2^63 - 1 bytes"));
        }
    }
    let inferred = (rule.infer)(&typing)?;
    for (index, expected) in inferred.iter().enumerate() {
        let found = typing.result(index)?;
        if !typing::fits(expected, found) {
            let (expected, found) = (typing.describe(expected), typing.describe(found));
            let why = format!("the result is `{found}`, but `{expected}` follows from the operands");
            let label = format!("`{expected}` follows from the operands");
            return Err(Violation::types(why).showing(Part::ResultType(index), label));
        }
    }
    Ok(())
}

/// The types that follow from an op's operands for its results; `None` where the op has no rule, breaks it, or the
/// rule does not say. A size that does not follow is unknown.
pub fn infer(module: &Module, op: OpId) -> Option<SmallVec<[TensorType; 1]>> {
    let rule = INDEX.get(&module.op(op).name)?;
    let operation = module.op(op);
    if !rule.operands.holds(operation.operands.len()) || !rule.results.holds(operation.results.len()) {
        return None;
    }
    let inferred = (rule.infer)(&Typing { module, op }).ok()?;
    (inferred.len() == operation.results.len()).then_some(inferred)
}

/// Whether an op is there for its results alone. Of what is not known, nothing is assumed.
pub fn is_pure(module: &Module, op: OpId) -> bool {
    let name = module.op(op).name;
    if name == stablehlo::CUSTOM_CALL {
        let effect = module.attribute(op, "has_side_effect");
        return effect.is_none_or(|effect| effect.as_bool() == Some(false));
    }
    name.is_onnx() || (INDEX.contains_key(&name) && name.class() != Class::Acts)
}

#[cfg(test)]
mod tests;
