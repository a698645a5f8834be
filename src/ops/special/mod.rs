//! CHLO: special functions, and the elementwise ops that broadcast by themselves.

mod bessel;
mod broadcast;
mod constant;
mod error;
mod gamma;
mod hyperbolic;
mod trigonometric;
mod zeta;

use super::elementwise::{self, Infinity, Right, is_infinite};
use super::{Elements, Lower, LowerError, Lowered, Row, noted, row};
use crate::ir::{OpId, chlo};
use broadcast::{binary, precise_binary};
use elementwise::{precise, unary};

const BITS: Elements = Elements::INTEGER.or(Elements::BOOL);
/// Floats with a `bool` result.
const FLOAT_BOOL: Elements = Elements::FLOAT.or(Elements::BOOL);

/// Why formulas are used where ONNX has an op.
const NO_F64: &str = "f64: a formula, as ONNX Runtime has no kernel";

pub(super) const ROWS: &[Row] = &[
    noted(chlo::ACOS, Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::acos), NO_F64),
    noted(chlo::ACOSH, Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::acosh), NO_F64),
    noted(chlo::ASIN, Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::asin), NO_F64),
    noted(chlo::ASINH, Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::asinh), NO_F64),
    noted(chlo::ATAN, Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::atan), NO_F64),
    noted(chlo::ATANH, Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::atanh), NO_F64),
    noted(chlo::BESSEL_I1E, Elements::FLOAT, |cx, op| precise(cx, op, bessel::i1e), "two Chebyshev series"),
    row(chlo::BROADCAST_ADD, Elements::PLAIN, |cx, op| binary(cx, op, elementwise::add)),
    row(chlo::BROADCAST_AND, BITS, |cx, op| binary(cx, op, elementwise::bitwise_and)),
    row(chlo::BROADCAST_ATAN2, Elements::FLOAT, |cx, op| precise_binary(cx, op, elementwise::atan2)),
    row(chlo::BROADCAST_COMPARE, Elements::PLAIN, |cx, op| {
        let (lhs, rhs) = broadcast::operands(cx, op)?;
        Ok(elementwise::compare(cx, op, lhs, rhs)?.into())
    }),
    row(chlo::BROADCAST_DIVIDE, Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::divide)),
    row(chlo::BROADCAST_MAXIMUM, Elements::PLAIN, |cx, op| binary(cx, op, elementwise::maximum)),
    row(chlo::BROADCAST_MINIMUM, Elements::PLAIN, |cx, op| binary(cx, op, elementwise::minimum)),
    row(chlo::BROADCAST_MULTIPLY, Elements::PLAIN, |cx, op| binary(cx, op, elementwise::multiply)),
    row(chlo::BROADCAST_NEXT_AFTER, Elements::FLOAT, |cx, op| binary(cx, op, elementwise::next_after)),
    row(chlo::BROADCAST_OR, BITS, |cx, op| binary(cx, op, elementwise::bitwise_or)),
    row(chlo::BROADCAST_POLYGAMMA, Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::polygamma)),
    row(chlo::BROADCAST_POWER, Elements::NUMERIC, |cx, op| {
        let (base, exponent) = broadcast::operands(cx, op)?;
        Ok(elementwise::power(cx, base, exponent)?.into())
    }),
    row(chlo::BROADCAST_REMAINDER, Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::remainder)),
    row(chlo::BROADCAST_SELECT, Elements::PLAIN, |cx, op| {
        let (predicate, yes, no) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
        Ok(elementwise::select(cx, predicate, yes, no).into())
    }),
    row(chlo::BROADCAST_SHIFT_LEFT, Elements::INTEGER, |cx, op| binary(cx, op, elementwise::shift_left)),
    row(chlo::BROADCAST_SHIFT_RIGHT_ARITHMETIC, Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Arithmetic))
    }),
    row(chlo::BROADCAST_SHIFT_RIGHT_LOGICAL, Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Logical))
    }),
    row(chlo::BROADCAST_SUBTRACT, Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::subtract)),
    row(chlo::BROADCAST_XOR, BITS, |cx, op| binary(cx, op, elementwise::bitwise_xor)),
    row(chlo::BROADCAST_ZETA, Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::zeta)),
    noted(chlo::CONJ, Elements::FLOAT, |cx, op| unary(cx, op, |x| x), "of a real number: itself"),
    row(chlo::CONSTANT, Elements::PLAIN, constant::constant),
    row(chlo::CONSTANT_LIKE, Elements::PLAIN, constant::constant_like),
    noted(chlo::COSH, Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::cosh), NO_F64),
    noted(
        chlo::DIGAMMA,
        Elements::FLOAT,
        |cx, op| precise(cx, op, gamma::digamma),
        "Lanczos approximation in f64",
    ),
    noted(chlo::ERF, Elements::FLOAT, |cx, op| precise(cx, op, error::erf), NO_F64),
    noted(chlo::ERF_INV, Elements::FLOAT, |cx, op| precise(cx, op, error::erf_inv), "Giles' polynomials"),
    noted(chlo::ERFC, Elements::FLOAT, |cx, op| precise(cx, op, error::erfc), "1 - Erf(x) would cancel"),
    row(chlo::IS_INF, FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Any))),
    row(chlo::IS_NEG_INF, FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Negative))),
    row(chlo::IS_POS_INF, FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Positive))),
    noted(
        chlo::LGAMMA,
        Elements::FLOAT,
        |cx, op| precise(cx, op, gamma::lgamma),
        "Lanczos approximation in f64",
    ),
    noted(
        chlo::MULHI,
        Elements::INTEGER,
        |cx, op| binary(cx, op, elementwise::multiply_high),
        "computed in twice the width; 64 bits in halves",
    ),
    noted(
        chlo::NEXT_AFTER,
        Elements::FLOAT,
        |cx, op| binary(cx, op, elementwise::next_after),
        "by a step that rounds to it: bit patterns would need BitCast",
    ),
    row(chlo::POLYGAMMA, Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::polygamma)),
    noted(chlo::SINH, Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::sinh), NO_F64),
    row(chlo::SQUARE, Elements::NUMERIC, |cx, op| unary(cx, op, |x| x * x)),
    noted(chlo::TAN, Elements::FLOAT, |cx, op| precise(cx, op, elementwise::tan), NO_F64),
    noted(
        chlo::ZETA,
        Elements::FLOAT,
        |cx, op| precise_binary(cx, op, zeta::zeta),
        "Euler-Maclaurin formula",
    ),
];
