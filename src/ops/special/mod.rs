//! CHLO: special functions, and elementwise ops with implicit broadcasting.

mod bessel;
mod broadcast;
mod constant;
mod error;
mod gamma;
mod hyperbolic;
mod trigonometric;
mod zeta;

use super::elementwise;
use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{OpId, chlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{BINARY, PREDICATE, UNARY};
use elementwise::{binary, unary};

/// Why formulas are used where ONNX has an op.
const NO_F64: &str = "f64: a formula, as ONNX Runtime has no kernel";

/// The tables of the family.
pub(super) const TABLES: &[&[Row]] = &[
    bessel::ROWS,
    broadcast::ROWS,
    constant::ROWS,
    error::ROWS,
    gamma::ROWS,
    hyperbolic::ROWS,
    trigonometric::ROWS,
    zeta::ROWS,
    ROWS,
];

const ROWS: &[Row] = &[
    row(chlo::IS_INF, PREDICATE, Elements::FLOAT_BOOL, |cx, op| unary(cx, op, |x| x.is_infinite())),
    row(chlo::IS_NEG_INF, PREDICATE, Elements::FLOAT_BOOL, |cx, op| {
        unary(cx, op, |x| x.equal(f64::NEG_INFINITY))
    }),
    row(chlo::IS_POS_INF, PREDICATE, Elements::FLOAT_BOOL, |cx, op| {
        unary(cx, op, |x| x.equal(f64::INFINITY))
    }),
    row(chlo::MULHI, BINARY, Elements::INTEGER, |cx, op| binary(cx, op, elementwise::multiply_high))
        .note("computed in twice the width; 64 bits in halves"),
    row(chlo::NEXT_AFTER, BINARY, Elements::FLOAT, |cx, op| binary(cx, op, elementwise::next_after))
        .note("adds a step that rounds to the neighbor: bit patterns would need BitCast"),
    row(chlo::SQUARE, UNARY, Elements::NUMERIC, |cx, op| unary(cx, op, |x| x * x)),
];
