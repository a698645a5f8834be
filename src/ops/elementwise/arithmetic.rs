//! Sums, differences, products, quotients, remainders, absolute values, minima and maxima.

use super::Term;
use crate::ir::stablehlo;
use crate::ir::{Element, OpName, ValueId, onnx};
use crate::ops::Elements;
use crate::ops::constant::integer_limits;
use crate::ops::elementwise::{binary, unary};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{BINARY, UNARY, elementwise, rule};
use crate::ops::{Combiner, Lower};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::ABS, rule(1, elementwise::part), Elements::NUMERIC, |cx, op| unary(cx, op, abs))
        .note("unsigned: the operand"),
    row(stablehlo::ADD, BINARY, Elements::PLAIN_OR_INT4, |cx, op| binary(cx, op, add)).note("bool: Or"),
    row(stablehlo::DIVIDE, BINARY, Elements::NUMERIC, |cx, op| binary(cx, op, divide))
        .note("integers: guarded, as ONNX Runtime errors on x / 0 and crashes on MIN / -1"),
    row(stablehlo::MAXIMUM, BINARY, Elements::PLAIN_OR_INT4, |cx, op| binary(cx, op, maximum))
        .note("bool: Or"),
    row(stablehlo::MINIMUM, BINARY, Elements::PLAIN_OR_INT4, |cx, op| binary(cx, op, minimum))
        .note("bool: And"),
    row(stablehlo::MULTIPLY, BINARY, Elements::PLAIN_OR_INT4, |cx, op| binary(cx, op, multiply))
        .note("bool: And"),
    row(stablehlo::NEGATE, UNARY, Elements::NUMERIC.or(Elements::INT4), |cx, op| unary(cx, op, |x| -x))
        .note("unsigned: 0 - x"),
    row(stablehlo::REMAINDER, BINARY, Elements::NUMERIC, |cx, op| binary(cx, op, remainder))
        .note("the sign of the dividend; integers guarded as in divide"),
    row(stablehlo::SUBTRACT, BINARY, Elements::NUMERIC.or(Elements::INT4), |cx, op| binary(cx, op, subtract)),
];

/// ONNX has no arithmetic on `bool`: uses the logical op with the same truth table.
fn logical_or(cx: &mut Lower, operands: [ValueId; 2], logical: OpName, other: OpName) -> ValueId {
    let name = if cx.element(operands[0]) == Element::Bool { logical } else { other };
    cx.elementwise(name, &operands)
}

pub(in crate::ops) fn add(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    logical_or(cx, [lhs, rhs], onnx::OR, onnx::ADD)
}

pub(in crate::ops) fn multiply(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    logical_or(cx, [lhs, rhs], onnx::AND, onnx::MUL)
}

pub(in crate::ops) fn maximum(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    cx.combine(Combiner::Maximum, lhs, rhs)
}

pub(in crate::ops) fn minimum(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    cx.combine(Combiner::Minimum, lhs, rhs)
}

pub(in crate::ops) fn subtract(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    cx.elementwise(onnx::SUB, &[lhs, rhs])
}

pub(super) fn abs(x: Term) -> Term {
    if x.element().is_unsigned() { x } else { x.abs() }
}

/// What is known of an integer divisor at compile time.
struct Divisor {
    may_be_zero: bool,
    /// Whether the quotient may not fit: the lowest number by -1.
    may_overflow: bool,
}

impl Divisor {
    fn of(cx: &Lower, lhs: ValueId, rhs: ValueId) -> Self {
        let element = cx.element(rhs);
        let (lowest, _) = integer_limits(element);
        let divisors = cx.known_integers(rhs);
        let can_be = |number: i64| divisors.as_ref().is_none_or(|all| all.contains(&number));
        let dividends = cx.known_integers(lhs);
        let lowest_dividend = dividends.is_none_or(|all| all.contains(&lowest));
        Self { may_be_zero: can_be(0), may_overflow: element.is_signed() && can_be(-1) && lowest_dividend }
    }

    /// The divisor with 1 in place of numbers that ONNX Runtime fails on.
    fn guarded<'f>(&self, divisor: Term<'f>) -> Term<'f> {
        let unsafe_ones = match (self.may_be_zero, self.may_overflow) {
            (false, false) => return divisor,
            (true, false) => divisor.equal(0i64),
            (false, true) => divisor.equal(-1i64),
            (true, true) => divisor.equal(0i64) | divisor.equal(-1i64),
        };
        unsafe_ones.select(1i64, divisor)
    }
}

/// XLA's integer quotients: `x / 0` has all bits set, and the lowest number by -1 is itself.
pub(in crate::ops) fn divide(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    if !cx.element(lhs).is_integer() {
        return cx.elementwise(onnx::DIV, &[lhs, rhs]);
    }
    let divisor = Divisor::of(cx, lhs, rhs);
    cx.formula([lhs, rhs], |[a, b]| {
        let mut quotient = a / divisor.guarded(b);
        if divisor.may_overflow {
            quotient = b.equal(-1i64).select(-a, quotient);
        }
        if divisor.may_be_zero {
            quotient = b.equal(0i64).select(-1i64, quotient);
        }
        quotient
    })
}

/// The remainder with the sign of the dividend. XLA's `x % 0` is `x` in integers.
pub(in crate::ops) fn remainder(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    let element = cx.element(lhs);
    if !element.is_integer() {
        return cx.formula([lhs, rhs], |[a, b]| a.truncated_mod(b));
    }
    let divisor = Divisor::of(cx, lhs, rhs);
    cx.formula([lhs, rhs], |[a, b]| {
        let safe = divisor.guarded(b);
        let rest = match element {
            // `fmod` goes through f64, which does not hold these; the quotient does not overflow any more.
            Element::I64 => a - a / safe * safe,
            signed if signed.is_signed() => a.truncated_mod(safe),
            _ => a.binary(onnx::MOD, safe),
        };
        if divisor.may_be_zero { b.equal(0i64).select(a, rest) } else { rest }
    })
}
