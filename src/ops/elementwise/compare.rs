//! Comparisons, selection, bounds.

use super::floor_division::natural_quotient;
use super::reinterpret::ordered;
use super::{LowerError, Term, canonical};
use crate::ir::{Element, OpId, SCALAR, ValueId, onnx, stablehlo};
use crate::ops::elementwise::unary;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{PREDICATE, elementwise, rule};
use crate::ops::{Elements, Lower, Lowered};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::CLAMP, rule(3, elementwise::clamp), Elements::PLAIN, clamp)
        .note("Clip for scalar bounds that are not NaN"),
    row(stablehlo::COMPARE, rule(2, elementwise::compare), Elements::PLAIN, lower)
        .note("NE is Not(Equal), total order compares bits unless zeros and NaN are canonical"),
    row(stablehlo::IS_FINITE, PREDICATE, Elements::FLOAT_BOOL, |cx, op| {
        unary(cx, op, |x| x.abs().less(f64::INFINITY))
    })
    .note("|x| < inf, which is false for NaN"),
    row(stablehlo::SELECT, rule(3, elementwise::select), Elements::PLAIN, |cx, op| {
        let (predicate, yes, no) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
        if let Some(holds) = cx.known_truth(predicate) {
            return Ok(if holds { yes } else { no }.into());
        }
        if let Some(quotient) = natural_quotient(cx, op) {
            return Ok(quotient.into());
        }
        Ok(select(cx, predicate, yes, no).into())
    }),
];

/// The attributes of a comparison, and the comparison.
///
/// # Errors
/// If the direction is invalid.
pub(in crate::ops) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let (mut lhs, mut rhs) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    let sources = before_canonical(cx, op);
    // The order of numbers with one zero and one NaN is that of the numbers before.
    if let Some([a, b]) = sources
        && let (Some(a), Some(b)) = (cx.lowered_of(a), cx.lowered_of(b))
    {
        (lhs, rhs) = (a, b);
    }
    Ok(ordered_as(cx, op, [lhs, rhs], sources.is_some())?.into())
}

/// The operands of a comparison in the total order before they became canonical; `None` if one is not canonical.
fn before_canonical(cx: &Lower, op: OpId) -> Option<[ValueId; 2]> {
    cx.module.attribute(op, "compare_type")?;
    (cx.attributes(op).word("compare_type").ok()? == "TOTALORDER").then_some(())?;
    let &[lhs, rhs] = &cx.module.op(op).operands[..] else { return None };
    Some([canonical::before_canonical(cx, lhs)?, canonical::before_canonical(cx, rhs)?])
}

/// Compares two values as the attributes of `op` state.
///
/// # Errors
/// If the direction is invalid.
pub(in crate::ops) fn compare(
    cx: &mut Lower,
    op: OpId,
    lhs: ValueId,
    rhs: ValueId,
) -> Result<ValueId, LowerError> {
    let canonical = before_canonical(cx, op).is_some();
    ordered_as(cx, op, [lhs, rhs], canonical)
}

/// The same, of operands of which it is known whether they are `canonical`: their zeros and NaN have one form.
fn ordered_as(
    cx: &mut Lower,
    op: OpId,
    [lhs, rhs]: [ValueId; 2],
    canonical: bool,
) -> Result<ValueId, LowerError> {
    let direction = Comparison::of(cx.attributes(op).word("comparison_direction")?)?;
    let total = match cx.module.attribute(op, "compare_type") {
        Some(_) => cx.attributes(op).word("compare_type")? == "TOTALORDER",
        None => false,
    };
    let element = cx.element(lhs);
    let total = total && element.is_float();
    let by_bits = total && !canonical && cx.reads_nan_sign();
    Ok(cx.formula([lhs, rhs], |[a, b]| match element {
        Element::Bool => direction.of_bools(a, b),
        _ if by_bits => direction.of_numbers(ordered(a), ordered(b)),
        _ if total => direction.of_total(a, b, !canonical),
        _ => direction.of_numbers(a, b),
    }))
}

#[derive(Clone, Copy)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn of(word: &str) -> Result<Self, LowerError> {
        Ok(match word {
            "EQ" => Self::Equal,
            "NE" => Self::NotEqual,
            "LT" => Self::Less,
            "LE" => Self::LessOrEqual,
            "GT" => Self::Greater,
            "GE" => Self::GreaterOrEqual,
            other => {
                let why = format!("`{other}` is not a direction");
                return Err(LowerError::attribute("comparison_direction", why));
            }
        })
    }

    fn of_numbers<'f>(self, a: Term<'f>, b: Term<'f>) -> Term<'f> {
        match self {
            Self::Equal => a.equal(b),
            // NaN differs from everything.
            Self::NotEqual => !a.equal(b),
            Self::Less => a.less(b),
            Self::LessOrEqual => a.less_equal(b),
            Self::Greater => a.greater(b),
            Self::GreaterOrEqual => a.greater_equal(b),
        }
    }

    /// The total order of numbers, with one NaN after all others. The reciprocals order the two zeros.
    fn of_total<'f>(self, a: Term<'f>, b: Term<'f>, signed_zeros: bool) -> Term<'f> {
        let less = |a: Term<'f>, b: Term<'f>| {
            let less = a.less(b) | (!a.is_nan() & b.is_nan());
            if signed_zeros { less | (a.equal(b) & a.reciprocal().less(b.reciprocal())) } else { less }
        };
        let equal = || {
            let equal = a.equal(b);
            let equal = if signed_zeros { equal & a.reciprocal().equal(b.reciprocal()) } else { equal };
            equal | (a.is_nan() & b.is_nan())
        };
        match self {
            Self::Equal => equal(),
            Self::NotEqual => !equal(),
            Self::Less => less(a, b),
            Self::LessOrEqual => !less(b, a),
            Self::Greater => less(b, a),
            Self::GreaterOrEqual => !less(a, b),
        }
    }

    /// False is less than true; ONNX orders numbers only.
    fn of_bools<'f>(self, a: Term<'f>, b: Term<'f>) -> Term<'f> {
        match self {
            Self::Equal => a.equal(b),
            Self::NotEqual => a ^ b,
            Self::Less => !a & b,
            Self::LessOrEqual => !a | b,
            Self::Greater => a & !b,
            Self::GreaterOrEqual => a | !b,
        }
    }
}

/// `yes` where the predicate holds and `no` elsewhere.
pub(in crate::ops) fn select(cx: &mut Lower, predicate: ValueId, yes: ValueId, no: ValueId) -> ValueId {
    // ONNX Runtime has no Where of bool.
    if cx.element(yes) == Element::Bool {
        let known = |value| cx.known_number(value).map(|number| number != 0.0);
        let (known_yes, known_no) = (known(yes), known(no));
        return cx.formula([predicate, yes, no], |[p, yes, no]| match (known_yes, known_no) {
            (Some(true), _) => p | no,
            (Some(false), _) => !p & no,
            (_, Some(true)) => !p | yes,
            (_, Some(false)) => p & yes,
            _ => (p & yes) | (!p & no),
        });
    }
    // Swapped integers spare the negation; which float comes first decides the sign of its zeros in ONNX Runtime.
    if let Some([opposite]) = cx.module.defining_operands(predicate, onnx::NOT)
        && !cx.element(yes).is_float()
    {
        return cx.formula([opposite, yes, no], |[p, yes, no]| p.select(no, yes));
    }
    cx.formula([predicate, yes, no], |[p, yes, no]| p.select(yes, no))
}

/// `min(max(x, low), high)`. Clip is that where both bounds are scalars, except that it drops a bound that is NaN.
pub(super) fn clamp(cx: &mut Lower, op: OpId) -> Lowered {
    let (low, x, high) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
    let element = cx.element(x);
    if element == Element::Bool {
        return Ok(cx.formula([low, x, high], |[low, x, high]| (x | low) & high).into());
    }
    let scalar = |value: ValueId| {
        let one = cx.count(value) == Some(1) && cx.rank(value) <= cx.rank(x);
        one && (element.is_integer() || cx.known_number(value).is_some_and(|bound| !bound.is_nan()))
    };
    if scalar(low) && scalar(high) {
        let (low, high) = (cx.reshape(low, SCALAR), cx.reshape(high, SCALAR));
        return Ok(cx.bounded(x, low, high).into());
    }
    let raised = cx.larger(x, low);
    Ok(cx.smaller(raised, high).into())
}
