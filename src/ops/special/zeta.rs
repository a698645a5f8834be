//! The Hurwitz zeta function and the derivatives of digamma.

use super::gamma::{digamma, lgamma};
use crate::ir::chlo;
use crate::ops::Elements;
use crate::ops::elementwise::precise_binary;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::BINARY;

pub(super) const ROWS: &[Row] = &[
    row(chlo::POLYGAMMA, BINARY, Elements::FLOAT, |cx, op| precise_binary(cx, op, polygamma)),
    row(chlo::ZETA, BINARY, Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta))
        .note("Euler-Maclaurin formula"),
];

/// Terms that are summed one by one.
const SUMMED: u32 = 10;

/// `(2k)! / B(2k)` for k from 12 down to 1, the terms of Euler and Maclaurin's formula.
const BERNOULLI: [f64; 12] = [
    -7.166165256175667e+18,
    1.8152105401943546e+17,
    -4597978722407473.0,
    116467828143500.67,
    -2950130727918.164,
    74724249600.0,
    -1892437580.3183792,
    47900160.0,
    -1209600.0,
    30240.0,
    -720.0,
    12.0,
];

/// `sum over k >= 0 of 1 / (q + k)^x`: the first terms, and the rest by Euler and Maclaurin's formula (F. Johansson,
/// "Rigorous high-precision computation of the Hurwitz zeta function and its derivatives", 2015, formula 5). It is
/// computed in the type of its operands, as XLA does, so that it overflows where XLA's does.
pub(super) fn zeta<'f>(x: Term<'f>, q: Term<'f>) -> Term<'f> {
    let minus_x = -x;
    let mut sum = q.pow(minus_x);
    for index in 1..SUMMED {
        sum = sum + (q + f64::from(index)).pow(minus_x);
    }
    let end = q + f64::from(SUMMED);
    let last = end.pow(minus_x);
    let integral = last * end / (x - 1.0);
    let inverse_square = (end * end).reciprocal();
    // The products of x + 1, x + 2, ... and the powers of the end go into the sum from its far end.
    let mut tail = x.beside(0.0);
    for (index, &term) in BERNOULLI[..11].iter().enumerate() {
        let high = 22.0 - 2.0 * index as f64;
        tail = (tail + 1.0 / term) * inverse_square * ((x + high) * (x + (high - 1.0)));
    }
    let rest = last * (x / end * (tail + 1.0 / BERNOULLI[11]) + 0.5);
    let value = sum + integral + rest;
    let value = x.less(1.0).select(f64::NAN, value);
    // Left of zero the powers need an integer, and each pole is an infinity of one sign for even ones only.
    let left = q.less_equal(0.0);
    let whole_x = x.equal(x.floor());
    let value = (left & !whole_x).select(f64::NAN, value);
    let even = x.truncated_mod(2.0).equal(0.0);
    let at_pole = even.select(x.beside(f64::INFINITY), f64::NAN);
    let value = (left & q.equal(q.floor())).select(at_pole, value);
    x.equal(1.0).select(f64::INFINITY, value)
}

/// The `n`th derivative of digamma: `(-1)^(n + 1) n! zeta(n + 1, x)`; NaN where `n` is not a natural number.
pub(super) fn polygamma<'f>(n: Term<'f>, x: Term<'f>) -> Term<'f> {
    let sign = n.truncated_mod(2.0) * 2.0 - 1.0;
    let next = n + 1.0;
    let value = sign * lgamma(next).exp() * zeta(next, x);
    let value = n.equal(0.0).select(digamma(x), value);
    let natural = n.equal(n.floor()) & n.greater_equal(0.0);
    natural.select(value, f64::NAN)
}
