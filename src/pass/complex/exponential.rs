//! Exponentials, logarithms, powers, trigonometric and hyperbolic functions.

use super::expr::{Complex, Real};
use super::{Rewrite, RewriteRow};
use crate::ir::{chlo, stablehlo};

pub(super) const ROWS: &[RewriteRow] = &[
    (chlo::COSH, Rewrite::Unary(cosh)),
    (chlo::SINH, Rewrite::Unary(sinh)),
    (chlo::TAN, Rewrite::Unary(tan)),
    (stablehlo::CBRT, Rewrite::Unary(cbrt)),
    (stablehlo::COSINE, Rewrite::Unary(cos)),
    (stablehlo::EXPONENTIAL, Rewrite::Unary(exp)),
    (stablehlo::EXPONENTIAL_MINUS_ONE, Rewrite::Unary(expm1)),
    (stablehlo::LOG, Rewrite::Unary(|z| z.log())),
    (stablehlo::LOG_PLUS_ONE, Rewrite::Unary(log1p)),
    (stablehlo::LOGISTIC, Rewrite::Unary(logistic)),
    (stablehlo::POWER, Rewrite::Binary(power)),
    (stablehlo::RSQRT, Rewrite::Unary(rsqrt)),
    (stablehlo::SINE, Rewrite::Unary(sin)),
    (stablehlo::SQRT, Rewrite::Unary(|z| z.sqrt())),
    (stablehlo::TAN, Rewrite::Unary(tan)),
    (stablehlo::TANH, Rewrite::Unary(tanh)),
];

/// A product that is +0 if the second factor is zero, even for infinity times zero: real numbers stay real.
fn zero_or<'f>(factor: Real<'f>, zero: Real<'f>) -> Real<'f> {
    zero.equal(0.0).select(zero.beside(0.0), factor * zero)
}

/// `e^x (cos y + i sin y)`, using two factors `e^(x/2)`, because `e^x` may overflow when the product does not.
fn exp(z: Complex) -> Complex {
    let half = (z.re * 0.5).exp();
    let (sin, cos) = (z.im.sin(), z.im.cos());
    let im = sin.equal(0.0).select(sin.beside(0.0), (sin * half) * half);
    Complex { re: (cos * half) * half, im }
}

/// `e^x cos y - 1 = (e^x - 1) cos y - 2 sin²(y/2)`, which does not cancel near zero.
fn expm1(z: Complex) -> Complex {
    let half = (z.im * 0.5).sin();
    // Both zeros return +0, like 1 - 1 in XLA.
    let re = 0.0 - (half * half * 2.0 - z.re.expm1() * z.im.cos());
    Complex { re, im: zero_or(z.re.exp(), z.im.sin()) }
}

/// The logarithm of the magnitude, computed without overflow of the square.
fn log_abs(z: Complex) -> Real {
    let (large, ratio) = z.scale();
    large.log() + (ratio * ratio).log1p() * 0.5
}

/// Near zero `|1 + z|² - 1 = x (2 + x) + y²` keeps the digits that `1 + x` loses.
fn log1p(z: Complex) -> Complex {
    let moved = Complex { re: z.re + 1.0, im: z.im };
    let near = (z.re * (z.re + 2.0) + z.im * z.im).log1p() * 0.5;
    let is_near = z.re.abs().less(0.5) & z.im.abs().less(0.5);
    Complex { re: is_near.select(near, log_abs(moved)), im: moved.angle() }
}

fn logistic(z: Complex) -> Complex {
    z.beside(1.0).over(exp(-z) + z.beside(1.0))
}

impl<'f> Complex<'f> {
    pub(super) fn log(self) -> Self {
        Complex { re: log_abs(self), im: self.angle() }
    }

    /// `w = √((|x| + |z|) / 2)` is the larger part, and `y / 2w` the smaller.
    pub(super) fn sqrt(self) -> Self {
        let (x, y) = (self.re, self.im);
        let large = (x.abs() * 0.5 + self.abs() * 0.5).sqrt();
        let is_zero = large.equal(0.0);
        let small = is_zero.select(y.abs(), y.abs() / (large * 2.0));
        // If the imaginary part is infinite, both results are.
        let small = y.is_infinite().select(y.abs(), small);
        let is_left = x.less(0.0);
        let re = is_left.select(small, large);
        let im = is_left.select(large, small).with_sign_of(y);
        Self { re, im }
    }
}

/// `1 / √z = conj(√z) / |z|`; infinity for zero. The imaginary part has the opposite sign of that of `z`, including
/// minus zero.
fn rsqrt<'f>(z: Complex<'f>) -> Complex<'f> {
    let (root, size) = (z.sqrt(), z.abs());
    let is_below = z.im.less(0.0) | (1.0 / z.im).less(0.0);
    let opposite = |magnitude: Real<'f>| is_below.select(magnitude, -magnitude);
    let quotient = Complex { re: root.re / size, im: opposite(root.im.abs() / size) };
    let infinite = Complex { re: size.beside(f64::INFINITY), im: size.beside(f64::NAN) };
    let quotient = size.equal(0.0).choose(infinite, quotient);
    let zero = z.re.beside(0.0);
    size.is_infinite().choose(Complex { re: zero, im: opposite(zero) }, quotient)
}

fn polar<'f>(size: Real<'f>, angle: Real<'f>) -> Complex<'f> {
    Complex { re: size * angle.cos(), im: size * angle.sin() }
}

fn cbrt(z: Complex) -> Complex {
    polar(z.abs().unary(stablehlo::CBRT), z.angle() * (1.0 / 3.0))
}

/// `a^b = |a|^c e^(-dθ) (cos φ + i sin φ)` with `b = c + di`, `θ = arg a` and `φ = cθ + d log |a|`. Zero to a
/// positive real power is zero, and to the power zero is one; one to any power is one.
fn power<'f>(a: Complex<'f>, b: Complex<'f>) -> Complex<'f> {
    let (size, angle) = (a.abs(), a.angle());
    let is_zero = size.equal(0.0);
    let is_one = b.re.equal(0.0) & b.im.equal(0.0);
    let general = if b.im.known() == Some(0.0) {
        polar(size.pow(b.re), b.re * angle)
    } else {
        polar(size.pow(b.re) * (-(b.im * angle)).exp(), b.re * angle + b.im * log_abs(a))
    };
    let (zero, one) = (a.beside(0.0), a.beside(1.0));
    let is_one = is_one | (a.re.equal(1.0) & a.im.equal(0.0));
    let general = (is_zero & b.re.greater(0.0) & b.im.equal(0.0)).choose(zero, general);
    is_one.choose(one, general)
}

/// Turns -0 into +0, like the difference of exponentials with which XLA computes hyperbolic sines. ONNX Runtime
/// simplifies a sum with zero.
fn unsigned_zero(x: Real) -> Real {
    0.0 - (0.0 - x)
}

fn sinh(z: Complex) -> Complex {
    let (sin, cos) = (z.im.sin(), z.im.cos());
    Complex { re: cos * unsigned_zero(z.re.unary(chlo::SINH)), im: zero_or(z.re.unary(chlo::COSH), sin) }
}

fn cosh(z: Complex) -> Complex {
    let (sin, cos) = (z.im.sin(), z.im.cos());
    let im = unsigned_zero(zero_or(z.re.unary(chlo::SINH), sin));
    Complex { re: z.re.unary(chlo::COSH) * cos, im }
}

fn sin(z: Complex) -> Complex {
    let (sin, cos) = (z.re.sin(), z.re.cos());
    Complex { re: sin * z.im.unary(chlo::COSH), im: cos * unsigned_zero(z.im.unary(chlo::SINH)) }
}

fn cos(z: Complex) -> Complex {
    let (sin, cos) = (z.re.sin(), z.re.cos());
    Complex { re: cos * z.im.unary(chlo::COSH), im: sin * (0.0 - z.im.unary(chlo::SINH)) }
}

/// With `e = e^(-2|x|)` and `m = 1 - e`:
/// `tanh z = (± m (1 + e) + i 4e sin y cos y) / (m² + 4e cos² y)`, in which nothing overflows or cancels.
fn tanh(z: Complex) -> Complex {
    let twice = z.re.abs() * -2.0;
    let (e, m) = (twice.exp(), -twice.expm1());
    let (sin, cos) = (z.im.sin(), z.im.cos());
    let bottom = m * m + e * 4.0 * cos * cos;
    let re = m * (e + 1.0) / bottom * z.re.sign();
    let im = e * 4.0 * sin * cos / bottom;
    let im = z.im.equal(0.0).select(z.im.beside(0.0), im);
    // At an infinite real part, a NaN or infinite imaginary part is ignored.
    let is_infinite = z.re.is_infinite();
    let im = (is_infinite & !z.im.abs().less(f64::INFINITY)).select(z.im.beside(0.0), im);
    let re = is_infinite.select(z.re.sign(), re);
    Complex { re, im }
}

fn tan(z: Complex) -> Complex {
    tanh(z.times_i()).times_minus_i()
}
