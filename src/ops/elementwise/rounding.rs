//! Rounding that ONNX does not have.

use super::Term;
use crate::ir::{onnx, stablehlo};
use crate::ops::Elements;
use crate::ops::elementwise::{precise, simple, unary};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::CEIL, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::CEIL)),
    row(stablehlo::FLOOR, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::FLOOR)),
    row(stablehlo::ROUND_NEAREST_AFZ, UNARY, Elements::FLOAT, |cx, op| unary(cx, op, away_from_zero))
        .note("Round rounds to even"),
    row(stablehlo::ROUND_NEAREST_EVEN, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::ROUND)),
    row(stablehlo::SIGN, UNARY, Elements::NUMERIC, |cx, op| precise(cx, op, |x| x.sign()))
        .note("ONNX Runtime's Sign returns 0 for a 16-bit NaN"),
];

/// Rounds to nearest, halves away from zero. `Floor(|x| + 0.5)` would be wrong just below a half, and for large odd
/// numbers that absorb a half; the remainder after the floor is exact.
pub(super) fn away_from_zero(x: Term) -> Term {
    let magnitude = x.abs();
    let floor = magnitude.floor();
    let up = (magnitude - floor).greater_equal(0.5).cast(x.element());
    (floor + up) * x.sign()
}
