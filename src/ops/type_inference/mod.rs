//! Type rules: the StableHLO specification's constraints on types and attributes.
//!
//! A rule reads an op's operands, attributes and regions, and returns the types of its results. [`check`] compares
//! them with the types in the text, so lowerings never see an axis out of range or mismatched shapes; [`infer`]
//! returns them to passes that know more about the operands than the text. An unknown size is compatible with every
//! size.

pub(super) mod collective;
pub(super) mod contraction;
pub(super) mod control;
pub(super) mod dynamic;
pub(super) mod elementwise;
pub(super) mod fused;
pub(super) mod index;
pub(super) mod linear;
pub(super) mod movement;
mod typing;
pub(super) mod window;

use crate::diagnostic::{Diagnostics, Part};
use crate::ir::{Class, Module, OpId, OpName, TensorType, stablehlo};
use crate::ops::Violation;
pub(super) use Arity::{AtLeast, Exactly};
use smallvec::SmallVec;
pub(super) use typing::{Typing, dim_fits, dims_fit, one, tensor};

/// The types of the results; `None` if the rule does not determine them.
pub(super) type Inferred = Result<SmallVec<[TensorType; 1]>, Violation>;

/// A number of operands or results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

impl Arity {
    fn holds(self, found: usize) -> bool {
        match self {
            Exactly(count) => found == count,
            AtLeast(count) => found >= count,
        }
    }

    pub(super) fn describe(self) -> String {
        match self {
            Exactly(count) => count.to_string(),
            AtLeast(count) => format!("at least {count}"),
        }
    }
}

/// The type rule of an op.
#[derive(Clone, Copy)]
pub struct Rule {
    operands: Arity,
    results: Arity,
    infer: fn(&Typing) -> Inferred,
}

/// A rule of ops with this many operands and one result.
pub(super) const fn rule(operands: usize, infer: fn(&Typing) -> Inferred) -> Rule {
    Rule { operands: Exactly(operands), results: Exactly(1), infer }
}

/// A rule of ops with at least this many operands.
pub(super) const fn variadic(operands: usize, results: Arity, infer: fn(&Typing) -> Inferred) -> Rule {
    Rule { operands: AtLeast(operands), results, infer }
}

impl Rule {
    pub(super) const fn results(mut self, results: Arity) -> Self {
        self.results = results;
        self
    }
}

/// One operand, and a result of its type.
pub(super) const UNARY: Rule = rule(1, elementwise::same);
/// Two operands and a result of one type.
pub(super) const BINARY: Rule = rule(2, elementwise::same);
/// One operand, and a result of one `i1` per element.
pub(super) const PREDICATE: Rule = rule(1, elementwise::predicate);
/// Operands that broadcast.
pub(super) const fn broadcasting(operands: usize) -> Rule {
    rule(operands, elementwise::broadcasting)
}

/// The types in the text.
pub(super) const STATED: fn(&Typing) -> Inferred = |t| t.stated();

fn find(name: OpName) -> Option<&'static Rule> {
    super::INDEX.get(&name)?.rule.as_ref()
}

/// Reports violations of an op's rule.
pub fn check(module: &Module, op: OpId, diagnostics: &mut Diagnostics) {
    // A faulty definition has been reported, and what follows from it would repeat that.
    if module.op(op).operands.iter().any(|&operand| module.is_error_value(operand)) {
        return;
    }
    if let Err(violation) = verify(module, op) {
        diagnostics.push(violation.diagnostic(module, op));
    }
}

/// Checks that an op satisfies its rule; an op without a rule always does.
pub(super) fn verify(module: &Module, op: OpId) -> Result<(), Violation> {
    let Some(rule) = find(module.op(op).name) else { return Ok(()) };
    let operation = module.op(op);
    if !rule.operands.holds(operation.operands.len()) {
        return Err(Violation::operand_count(rule.operands));
    }
    if !rule.results.holds(operation.results.len()) {
        return Err(Violation::result_count(rule.results));
    }
    broken(module, op, rule)
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
            let violation = Violation::too_large(typing.describe(ty));
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

/// The result types that follow from an op's operands. `None` if the op has no rule, violates it, or the rule does
/// not determine them. Sizes that do not follow are unknown.
pub fn infer(module: &Module, op: OpId) -> Option<SmallVec<[TensorType; 1]>> {
    let rule = find(module.op(op).name)?;
    let operation = module.op(op);
    if !rule.operands.holds(operation.operands.len()) || !rule.results.holds(operation.results.len()) {
        return None;
    }
    let inferred = (rule.infer)(&Typing { module, op }).ok()?;
    (inferred.len() == operation.results.len()).then_some(inferred)
}

/// Whether an op has no side effects. Unknown ops may have some.
pub fn is_pure(module: &Module, op: OpId) -> bool {
    let name = module.op(op).name;
    if name == stablehlo::CUSTOM_CALL {
        let effect = module.attribute(op, "has_side_effect");
        return effect.is_none_or(|effect| effect.as_bool() == Some(false));
    }
    name.is_onnx() || (find(name).is_some() && name.class() != Class::Acts)
}

#[cfg(test)]
mod tests;
