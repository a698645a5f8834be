//! The error function, its complement and its inverse.

use super::NO_F64;
use super::elementwise::log1p;
use crate::ir::chlo;
use crate::ir::{Element, onnx};
use crate::ops::Elements;
use crate::ops::elementwise::precise;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;

pub(super) const ROWS: &[Row] = &[
    row(chlo::ERF, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, erf)).note(NO_F64),
    row(chlo::ERF_INV, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, erf_inv)).note("Giles' polynomials"),
    row(chlo::ERFC, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, erfc)).note("1 - Erf(x) would cancel"),
];

/// The error function.
pub(super) fn erf(x: Term) -> Term {
    if x.element() != Element::F64 {
        return x.unary(onnx::ERF);
    }
    // Beyond 6.5 the complement is less than half a unit in the last place of 1.
    let magnitude = x.abs().min(6.5);
    let tail = 1.0 - tail(magnitude);
    let signed = x.less(0.0).select(-tail, tail);
    x.abs().less(1.0).select(near_zero(x), signed)
}

/// `1 - erf(x)`, accurate where that is small.
pub(super) fn erfc(x: Term) -> Term {
    if x.element() != Element::F64 {
        return narrow_erfc(x);
    }
    // From 28 on it underflows; at infinity the quotient is undefined.
    let magnitude = x.abs().min(28.0);
    let exponential = (-(magnitude * magnitude)).exp();
    let far = exponential * magnitude.polynomial(&FAR_ABOVE) / magnitude.polynomial(&FAR_BELOW);
    let positive = magnitude.less(8.0).select(tail(magnitude), far);
    let signed = x.less(0.0).select(2.0 - positive, positive);
    x.abs().less(1.0).select(1.0 - near_zero(x), signed)
}

/// The complement to the precision of an `f32`, relative to its value everywhere: with `t = 3 / (3 + |x|)` it is
/// `t exp(p(t) - x^2)`, where the polynomial `p` was fitted on Chebyshev points; its error is 2e-8. The exponent's
/// rounding grows with it, as in XLA.
fn narrow_erfc(x: Term) -> Term {
    const FITTED: [f64; 10] = [
        -0.317971820087508,
        1.60044507638577,
        -3.16189423525197,
        3.2016891353078,
        -2.08829043625913,
        0.975770668229801,
        -0.0214676934287064,
        0.486699225910536,
        0.995817318263126,
        -1.67079725624497,
    ];
    let magnitude = x.abs();
    let t = 3.0 / (magnitude + 3.0);
    let positive = t * (t.polynomial(&FITTED) - magnitude * magnitude).exp();
    x.less(0.0).select(2.0 - positive, positive)
}

// Rational approximations in f64 (Cephes, `ndtr.c`), the highest power first.

const NEAR_ABOVE: [f64; 5] =
    [9.604973739870516, 90.02601972038427, 2232.005345946843, 7003.325141128051, 55592.30130103949];
const NEAR_BELOW: [f64; 6] =
    [1.0, 33.56171416475031, 521.3579497801527, 4594.323829709801, 22629.000061389095, 49267.39426086359];
const TAIL_ABOVE: [f64; 9] = [
    2.461969814735305e-10,
    0.5641895648310689,
    7.463210564422699,
    48.63719709856814,
    196.5208329560771,
    526.4451949954773,
    934.5285271719576,
    1027.5518868951572,
    557.5353353693994,
];
const TAIL_BELOW: [f64; 9] = [
    1.0,
    13.228195115474499,
    86.70721408859897,
    354.9377788878199,
    975.7085017432055,
    1823.9091668790973,
    2246.3376081871097,
    1656.6630919416134,
    557.5353408177277,
];
const FAR_ABOVE: [f64; 6] = [
    0.5641895835477551,
    1.275366707599781,
    5.019050422511805,
    6.160210979930536,
    7.4097426995044895,
    2.9788666537210022,
];
const FAR_BELOW: [f64; 7] = [
    1.0,
    2.2605286322011726,
    9.396035249380015,
    12.048953980809666,
    17.08144507475659,
    9.608968090632859,
    3.369076451000815,
];

/// The error function from -1 to 1.
fn near_zero(x: Term) -> Term {
    let square = x * x;
    x * square.polynomial(&NEAR_ABOVE) / square.polynomial(&NEAR_BELOW)
}

/// The complement from 1 to 8.
fn tail(x: Term) -> Term {
    (-(x * x)).exp() * x.polynomial(&TAIL_ABOVE) / x.polynomial(&TAIL_BELOW)
}

/// The inverse of the error function (M. Giles, "Approximating the erfinv function", 2012): polynomials in
/// `w = -log(1 - x^2)` or its square root.
pub(super) fn erf_inv(x: Term) -> Term {
    let inverse = if x.element() == Element::F64 { wide_erf_inv(x) } else { narrow_erf_inv(x) };
    x.abs().equal(1.0).select(x * f64::INFINITY, inverse * x)
}

/// The quotient of the inverse by `x`, in `f32`.
fn narrow_erf_inv(x: Term) -> Term {
    const CENTER: [f64; 9] = [
        2.81022636e-08,
        3.43273939e-07,
        -3.5233877e-06,
        -4.39150654e-06,
        0.00021858087,
        -0.00125372503,
        -0.00417768164,
        0.246640727,
        1.50140941,
    ];
    const TAIL: [f64; 9] = [
        -0.000200214257,
        0.000100950558,
        0.00134934322,
        -0.00367342844,
        0.00573950773,
        -0.0076224613,
        0.00943887047,
        1.00167406,
        2.83297682,
    ];
    // Near 1 and -1 one of the factors is exact, where `1 - x^2` would cancel.
    let w = -((1.0 - x) * (x + 1.0)).log();
    let center = w.less(5.0);
    let w = center.select(w - 2.5, w.sqrt() - 3.0);
    CENTER
        .iter()
        .zip(&TAIL)
        .map(|(&near, &far)| center.select(x.beside(near), x.beside(far)))
        .reduce(|sum, coefficient| sum * w + coefficient)
        .unwrap_or(w)
}

/// The quotient of the inverse by `x`, in `f64`.
fn wide_erf_inv(x: Term) -> Term {
    const CENTER: [f64; 23] = [
        -3.64441206401782e-21,
        -1.6850591381820166e-19,
        1.28584807152564e-18,
        1.1157877678025181e-17,
        -1.333171662854621e-16,
        2.0972767875968562e-17,
        6.637638134358324e-15,
        -4.054566272975207e-14,
        -8.151934197605472e-14,
        2.6335093153082323e-12,
        -1.2975133253453532e-11,
        -5.415412054294628e-11,
        1.0512122733215323e-09,
        -4.112633980346984e-09,
        -2.9070369957882005e-08,
        4.2347877827932404e-07,
        -1.3654692000834679e-06,
        -1.3882523362786469e-05,
        0.00018673420803405714,
        -0.000740702534166267,
        -0.006033670871430149,
        0.24015818242558962,
        1.6536545626831027,
    ];
    const MIDDLE: [f64; 19] = [
        2.2137376921775787e-09,
        9.075656193888539e-08,
        -2.7517406297064545e-07,
        1.8239629214389228e-08,
        1.5027403968909828e-06,
        -4.013867526981546e-06,
        2.9234449089955446e-06,
        1.2475304481671779e-05,
        -4.7318229009055734e-05,
        6.828485145957318e-05,
        2.4031110387097894e-05,
        -0.0003550375203628475,
        0.0009532893797373805,
        -0.0016882755560235047,
        0.002491442096107851,
        -0.003751208507569241,
        0.005370914553590064,
        1.0052589676941592,
        3.0838856104922208,
    ];
    const TAIL: [f64; 17] = [
        -2.7109920616438573e-11,
        -2.555641816996525e-10,
        1.5076572693500548e-09,
        -3.789465440126737e-09,
        7.61570120807834e-09,
        -1.496002662714924e-08,
        2.914795345090108e-08,
        -6.771199775845234e-08,
        2.2900482228026655e-07,
        -9.9298272942317e-07,
        4.526062597223154e-06,
        -1.968177810553167e-05,
        7.599527703001776e-05,
        -0.00021503011930044477,
        -0.00013871931833623122,
        1.0103004648645344,
        4.849906401408584,
    ];
    let w = -log1p(-(x * x));
    let root = w.sqrt();
    let center = (w - 3.125).polynomial(&CENTER);
    let middle = (root - 3.25).polynomial(&MIDDLE);
    let tail = (root - 5.0).polynomial(&TAIL);
    w.less(6.25).select(center, w.less(16.0).select(middle, tail))
}
