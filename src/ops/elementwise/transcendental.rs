//! Exponentials, logarithms, roots and angles that ONNX does not have, or not with XLA's accuracy.
//!
//! Narrow floats come here as `f32`. The formulas avoid cancellation, rather than compute in `f64`: accelerators lack
//! its kernels.

use super::Term;
use crate::ir::stablehlo;
use crate::ir::{Element, onnx};
use crate::ops::Elements;
use crate::ops::elementwise::{precise, precise_binary, simple, unary};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{BINARY, UNARY};
use std::f64::consts::{FRAC_PI_2, PI};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::ATAN2, BINARY, Elements::FLOAT, |cx, op| precise_binary(cx, op, atan2))
        .note("ONNX has only Atan; Where selects the octant"),
    row(stablehlo::CBRT, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, cbrt))
        .note("Pow in f64, because f32 cannot represent 1/3"),
    row(stablehlo::COSINE, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::COS)),
    row(stablehlo::EXPONENTIAL, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::EXP)),
    row(stablehlo::EXPONENTIAL_MINUS_ONE, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, expm1))
        .note("without the cancellation of Exp(x) - 1"),
    row(stablehlo::LOG, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::LOG)),
    row(stablehlo::LOG_PLUS_ONE, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, log1p))
        .note("without the rounding of 1 + x"),
    row(stablehlo::LOGISTIC, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::SIGMOID))
        .note("ONNX Runtime's Sigmoid is off by up to 4e-8, and 0 below -18"),
    row(stablehlo::RSQRT, UNARY, Elements::FLOAT, |cx, op| unary(cx, op, |x| x.sqrt().reciprocal())),
    row(stablehlo::SINE, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::SIN)),
    row(stablehlo::SQRT, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::SQRT)),
    row(stablehlo::TAN, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, tan))
        .note("f64: sine divided by cosine, as ONNX Runtime has no kernel"),
    row(stablehlo::TANH, UNARY, Elements::FLOAT, |cx, op| simple(cx, op, onnx::TANH)),
];

fn is_f64(x: Term) -> bool {
    x.element() == Element::F64
}

/// `log(1 + x)`.
pub(in crate::ops) fn log1p(x: Term) -> Term {
    let largest = if is_f64(x) { f64::MAX } else { f64::from(f32::MAX) };
    let sum = x + 1.0;
    // The sum's rounding error, relative to it. The bounds keep the quotient defined at -1 and at infinity.
    let bounded = sum.clip(1e-30, largest);
    let correction = (x - (bounded - 1.0)) / bounded;
    // As a difference with +0, -0 keeps its sign.
    correction - (0.0 - sum.log())
}

/// `exp(x) - 1`.
pub(in crate::ops) fn expm1(x: Term) -> Term {
    if !is_f64(x) {
        // The identity tanh(x / 2) = (exp(x) - 1) / (exp(x) + 1) never cancels, and XLA's CPU code uses it. Below 1e-35
        // the polynomials of ONNX Runtime's Tanh are subnormal: the result is off by up to 1 in 1e5, or 0.
        return (x * 0.5).unary(onnx::TANH) * (x.exp() + 1.0);
    }
    let tanh = (x * 0.5).unary(onnx::TANH);
    let small = tanh * 2.0 / (1.0 - tanh);
    x.abs().greater_equal(0.5).select(x.exp() - 1.0, small)
}

/// The cube root.
pub(super) fn cbrt(x: Term) -> Term {
    let magnitude = x.cast(Element::F64).abs();
    let root = magnitude.pow(1.0 / 3.0);
    if !is_f64(x) {
        return root.cast(x.element()) * x.sign();
    }
    // A third is not an f64 either: Newton's step takes the error of the exponent out.
    let correction = (root - magnitude / (root * root)) / 3.0;
    let exact = magnitude.equal(0.0) | magnitude.equal(f64::INFINITY);
    exact.select(root, root - correction) * x.sign()
}

/// The tangent.
pub(in crate::ops) fn tan(x: Term) -> Term {
    if is_f64(x) { x.sin() / x.cos() } else { x.unary(onnx::TAN) }
}

/// The angle of the vector (x, y), from -pi to pi.
pub(in crate::ops) fn atan2<'f>(y: Term<'f>, x: Term<'f>) -> Term<'f> {
    if !is_f64(x) {
        return angle(y, x);
    }
    // Scales the vector into the range of f32, whose angle is then corrected: rotated back by it, the vector has an
    // angle so small that it equals its tangent.
    let largest = x.abs().max(y.abs());
    let zero = largest.equal(0.0);
    let scale = zero.select(1.0, largest);
    let infinite = largest.equal(f64::INFINITY);
    let part = |v: Term<'f>| {
        let at_infinity = v.abs().equal(f64::INFINITY).cast(Element::F64) * v.sign();
        infinite.select(at_infinity, v / scale)
    };
    // The angle of the zero vector depends on the signs of its zeros.
    let unit = has_sign(x).select(x.beside(-1.0), 1.0);
    let (x, y) = (zero.select(unit, part(x)), part(y));
    let near = angle(y.cast(Element::F32), x.cast(Element::F32)).cast(Element::F64);
    let (cos, sin) = (near.cos(), near.sin());
    // The difference is +0 where the angle is zero, and so leaves its sign.
    let correction = (x * sin - y * cos) / (x * cos + y * sin);
    near - correction
}

/// [`atan2`] of `f32`.
fn angle<'f>(y: Term<'f>, x: Term<'f>) -> Term<'f> {
    let (ax, ay) = (x.abs(), y.abs());
    let (longer, shorter) = (ax.max(ay), ax.min(ay));
    // 0 / 0 is an angle of zero, and inf / inf one of 45 degrees.
    let ratio = longer.equal(0.0).select(longer, shorter / longer);
    let ratio = shorter.equal(f64::INFINITY).select(1.0, ratio);
    let octant = ratio.unary(onnx::ATAN);
    let quadrant = ay.greater(ax).select(FRAC_PI_2 - octant, octant);
    let half_plane = has_sign(x).select(PI - quadrant, quadrant);
    has_sign(y).select(-half_plane, half_plane)
}

/// Whether the sign bit is set; for a zero, the sign of its reciprocal decides.
fn has_sign(x: Term) -> Term {
    x.equal(0.0).select(x.reciprocal(), x).less(0.0)
}
