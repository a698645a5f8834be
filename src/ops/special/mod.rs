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
use super::{Elements, Lower, Lowered, Refusal, Row, noted, row};
use crate::ir::OpId;
use broadcast::{binary, precise_binary};
use elementwise::{precise, unary};

const BITS: Elements = Elements::INTEGER.or(Elements::BOOL);
/// Floats with a `bool` result.
const FLOAT_BOOL: Elements = Elements::FLOAT.or(Elements::BOOL);

/// Why formulas stand where ONNX has an op.
const NO_F64: &str = "f64: a formula, as ONNX Runtime has no kernel";

pub(super) const ROWS: &[Row] = &[
    noted("chlo.acos", Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::acos), NO_F64),
    noted("chlo.acosh", Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::acosh), NO_F64),
    noted("chlo.asin", Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::asin), NO_F64),
    noted("chlo.asinh", Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::asinh), NO_F64),
    noted("chlo.atan", Elements::FLOAT, |cx, op| precise(cx, op, trigonometric::atan), NO_F64),
    noted("chlo.atanh", Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::atanh), NO_F64),
    noted("chlo.bessel_i1e", Elements::FLOAT, |cx, op| precise(cx, op, bessel::i1e), "two Chebyshev series"),
    row("chlo.broadcast_add", Elements::PLAIN, |cx, op| binary(cx, op, elementwise::add)),
    row("chlo.broadcast_and", BITS, |cx, op| binary(cx, op, elementwise::bitwise_and)),
    row("chlo.broadcast_atan2", Elements::FLOAT, |cx, op| precise_binary(cx, op, elementwise::atan2)),
    row("chlo.broadcast_compare", Elements::PLAIN, |cx, op| {
        let (lhs, rhs) = broadcast::operands(cx, op)?;
        Ok(elementwise::compare(cx, op, lhs, rhs)?.into())
    }),
    row("chlo.broadcast_divide", Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::divide)),
    row("chlo.broadcast_maximum", Elements::PLAIN, |cx, op| binary(cx, op, elementwise::maximum)),
    row("chlo.broadcast_minimum", Elements::PLAIN, |cx, op| binary(cx, op, elementwise::minimum)),
    row("chlo.broadcast_multiply", Elements::PLAIN, |cx, op| binary(cx, op, elementwise::multiply)),
    row("chlo.broadcast_next_after", Elements::FLOAT, |cx, op| binary(cx, op, elementwise::next_after)),
    row("chlo.broadcast_or", BITS, |cx, op| binary(cx, op, elementwise::bitwise_or)),
    row("chlo.broadcast_polygamma", Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::polygamma)),
    row("chlo.broadcast_power", Elements::NUMERIC, |cx, op| {
        let (base, exponent) = broadcast::operands(cx, op)?;
        Ok(elementwise::power(cx, base, exponent)?.into())
    }),
    row("chlo.broadcast_remainder", Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::remainder)),
    row("chlo.broadcast_select", Elements::PLAIN, |cx, op| {
        let (predicate, yes, no) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
        Ok(elementwise::select(cx, predicate, yes, no).into())
    }),
    row("chlo.broadcast_shift_left", Elements::INTEGER, |cx, op| binary(cx, op, elementwise::shift_left)),
    row("chlo.broadcast_shift_right_arithmetic", Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Arithmetic))
    }),
    row("chlo.broadcast_shift_right_logical", Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Logical))
    }),
    row("chlo.broadcast_subtract", Elements::NUMERIC, |cx, op| binary(cx, op, elementwise::subtract)),
    row("chlo.broadcast_xor", BITS, |cx, op| binary(cx, op, elementwise::bitwise_xor)),
    row("chlo.broadcast_zeta", Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::zeta)),
    noted("chlo.conj", Elements::FLOAT, |cx, op| unary(cx, op, |x| x), "of a real number: itself"),
    row("chlo.constant", Elements::PLAIN, constant::constant),
    row("chlo.constant_like", Elements::PLAIN, constant::constant_like),
    noted("chlo.cosh", Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::cosh), NO_F64),
    noted(
        "chlo.digamma",
        Elements::FLOAT,
        |cx, op| precise(cx, op, gamma::digamma),
        "Lanczos' approximation in f64",
    ),
    noted("chlo.erf", Elements::FLOAT, |cx, op| precise(cx, op, error::erf), NO_F64),
    noted("chlo.erf_inv", Elements::FLOAT, |cx, op| precise(cx, op, error::erf_inv), "Giles' polynomials"),
    noted("chlo.erfc", Elements::FLOAT, |cx, op| precise(cx, op, error::erfc), "1 - Erf(x) would cancel"),
    row("chlo.is_inf", FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Any))),
    row("chlo.is_neg_inf", FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Negative))),
    row("chlo.is_pos_inf", FLOAT_BOOL, |cx, op| unary(cx, op, |x| is_infinite(x, Infinity::Positive))),
    noted(
        "chlo.lgamma",
        Elements::FLOAT,
        |cx, op| precise(cx, op, gamma::lgamma),
        "Lanczos' approximation in f64",
    ),
    noted(
        "chlo.mulhi",
        Elements::INTEGER,
        |cx, op| binary(cx, op, elementwise::multiply_high),
        "in twice the width; 64 bits by halves",
    ),
    noted(
        "chlo.next_after",
        Elements::FLOAT,
        |cx, op| binary(cx, op, elementwise::next_after),
        "a step that rounds to it: the bits would need BitCast",
    ),
    row("chlo.polygamma", Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::polygamma)),
    noted("chlo.sinh", Elements::FLOAT, |cx, op| precise(cx, op, hyperbolic::sinh), NO_F64),
    row("chlo.square", Elements::NUMERIC, |cx, op| unary(cx, op, |x| x * x)),
    noted("chlo.tan", Elements::FLOAT, |cx, op| precise(cx, op, elementwise::tan), NO_F64),
    noted(
        "chlo.zeta",
        Elements::FLOAT,
        |cx, op| precise_binary(cx, op, zeta::zeta),
        "Euler and Maclaurin's formula",
    ),
];
