//! The logarithm of the gamma function and its derivative, by Lanczos' approximation with g = 7 and 9 terms
//! ("A Precision Approximation of the Gamma Function", SIAM J. Numer. Anal. B 1, 1964), which XLA uses too. The terms
//! cancel near the zeros, so that results there are as exact as those of XLA in the same type.

use crate::ir::chlo;
use crate::ir::onnx;
use crate::ops::Elements;
use crate::ops::elementwise::precise;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;
use std::f64::consts::PI;

pub(super) const ROWS: &[Row] = &[
    row(chlo::DIGAMMA, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, digamma))
        .note("Lanczos approximation"),
    row(chlo::LGAMMA, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, lgamma)).note("Lanczos approximation"),
];

const G: f64 = 7.0;
const CONSTANT: f64 = 0.9999999999998099;
const TERMS: [f64; 8] = [
    676.5203681218851,
    -1259.1392167224028,
    771.3234287776531,
    -176.6150291621406,
    12.507343278686905,
    -0.13857109526572012,
    9.984369578019572e-06,
    1.5056327351493116e-07,
];

/// Below a half both functions are reflected: `z + 1` is the argument or 1 less it.
fn reflected<'f>(x: Term<'f>) -> (Term<'f>, Term<'f>) {
    let reflect = x.less(0.5);
    (reflect, reflect.select(-x, x - 1.0))
}

/// `log |gamma(x)|`, by `log gamma(z + 1) = log(2 pi) / 2 + (z + 1/2) log t - t + log a`, with `t = z + g + 1/2` and the
/// series `a`.
pub(super) fn lgamma(x: Term) -> Term {
    let (reflect, z) = reflected(x);
    let mut series = x.beside(CONSTANT);
    for (index, &term) in TERMS.iter().enumerate() {
        series = series + term / (z + (index + 1) as f64);
    }
    let t = z + (G + 0.5);
    let log_t = t.log();
    // In this order `t` may be large without an overflow.
    let power = (z + 0.5 - t / log_t) * log_t;
    let right = power + (0.5 * (2.0 * PI).ln()) + series.log();
    // log |gamma(x)| = log(pi / |sin(pi x)|) - log gamma(1 - x). The sine needs the distance from an integer only,
    // and at one the pole wins.
    let magnitude = x.abs();
    let fraction = magnitude - magnitude.floor();
    let distance = fraction.min(1.0 - fraction);
    let sine = (distance * PI).sin();
    let left = PI.ln() - sine.log() - right;
    let left = sine.equal(0.0).select(f64::INFINITY, left);
    let value = reflect.select(left, right);
    magnitude.equal(f64::INFINITY).select(f64::INFINITY, value)
}

/// The logarithmic derivative of the gamma function: `log t + a' / a - g / t`, the derivative of [`lgamma`].
pub(super) fn digamma(x: Term) -> Term {
    let (reflect, z) = reflected(x);
    let mut series = x.beside(CONSTANT);
    let mut slope = x.beside(0.0);
    for (index, &term) in TERMS.iter().enumerate() {
        let place = z + (index + 1) as f64;
        let quotient = term / place;
        series = series + quotient;
        slope = slope - quotient / place;
    }
    let t = z + (G + 0.5);
    let right = t.log() + slope / series - G / t;
    // digamma(x) = digamma(1 - x) - pi cot(pi x), where the cotangent needs the distance from an integer only.
    let distance = x - x.unary(onnx::ROUND);
    let angle = distance * PI;
    let left = right - PI * angle.cos() / angle.sin();
    let value = reflect.select(left, right);
    // At a pole the limits from both sides differ.
    let pole = distance.equal(0.0) & x.less_equal(0.0);
    pole.select(f64::NAN, value)
}
