//! Hyperbolic functions and their inverses. ONNX Runtime has them in `f32`, accurate to the last bits; in `f64` they
//! are made of exponentials and logarithms that do not cancel.

use super::NO_F64;
use super::elementwise::{expm1, log1p};
use crate::ir::chlo;
use crate::ir::{Element, onnx};
use crate::ops::Elements;
use crate::ops::elementwise::precise;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;
use std::f64::consts::LN_2;

pub(super) const ROWS: &[Row] = &[
    row(chlo::ACOSH, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, acosh)).note(NO_F64),
    row(chlo::ASINH, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, asinh)).note(NO_F64),
    row(chlo::ATANH, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, atanh)).note(NO_F64),
    row(chlo::COSH, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, cosh)).note(NO_F64),
    row(chlo::SINH, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, sinh)).note(NO_F64),
];

fn has_kernel(x: Term) -> bool {
    x.element() != Element::F64
}

/// With the sign of `x`, where a zero `x` has the magnitude zero.
fn with_sign<'f>(magnitude: Term<'f>, x: Term<'f>) -> Term<'f> {
    magnitude * x.sign()
}

/// The hyperbolic sine.
pub(super) fn sinh(x: Term) -> Term {
    if has_kernel(x) {
        return x.unary(onnx::SINH);
    }
    let magnitude = x.abs();
    let less_one = expm1(magnitude);
    let small = (less_one + less_one / (less_one + 1.0)) * 0.5;
    // Half the exponent, twice: the exponential may overflow where its half does not.
    let root = (magnitude * 0.5).exp();
    let large = root * 0.5 * root - 0.5 / root / root;
    with_sign(magnitude.less(1.0).select(small, large), x)
}

/// The hyperbolic cosine.
pub(super) fn cosh(x: Term) -> Term {
    if has_kernel(x) {
        return x.unary(onnx::COSH);
    }
    let root = (x.abs() * 0.5).exp();
    root * 0.5 * root + 0.5 / root / root
}

/// From here on the square root of `x * x + 1` is `x`.
const LARGE: f64 = 1e9;

/// The inverse of the hyperbolic sine.
pub(super) fn asinh(x: Term) -> Term {
    if has_kernel(x) {
        return x.unary(onnx::ASINH);
    }
    let magnitude = x.abs();
    let bounded = magnitude.min(LARGE);
    let square = bounded * bounded;
    let small = log1p(bounded + square / ((square + 1.0).sqrt() + 1.0));
    let large = magnitude.log() + LN_2;
    with_sign(magnitude.greater(LARGE).select(large, small), x)
}

/// The inverse of the hyperbolic cosine; NaN below 1.
pub(super) fn acosh(x: Term) -> Term {
    if has_kernel(x) {
        return x.unary(onnx::ACOSH);
    }
    let over = x.min(LARGE) - 1.0;
    let small = log1p(over + (over * (over + 2.0)).sqrt());
    let small = x.less(1.0).select(f64::NAN, small);
    x.greater(LARGE).select(x.log() + LN_2, small)
}

/// The inverse of the hyperbolic tangent; NaN beyond -1 and 1.
pub(super) fn atanh(x: Term) -> Term {
    if has_kernel(x) {
        return x.unary(onnx::ATANH);
    }
    let magnitude = x.abs();
    let half = log1p(magnitude * 2.0 / (1.0 - magnitude)) * 0.5;
    with_sign(half, x)
}
