//! Inverse trigonometric and hyperbolic functions, by Kahan's formulas (Branch Cuts for Complex Elementary Functions),
//! which neither overflow nor cancel and hold on the cuts.

use super::expr::{Complex, Real};
use super::{Rewrite, RewriteRow};
use crate::ir::chlo;

pub(super) const ROWS: &[RewriteRow] = &[
    (chlo::ACOS, Rewrite::Unary(acos)),
    (chlo::ACOSH, Rewrite::Unary(acosh)),
    (chlo::ASIN, Rewrite::Unary(asin)),
    (chlo::ASINH, Rewrite::Unary(|z| asin(z.times_i()).times_minus_i())),
    (chlo::ATAN, Rewrite::Unary(|z| atanh(z.times_i()).times_minus_i())),
    (chlo::ATANH, Rewrite::Unary(atanh)),
];

fn asinh(x: Real) -> Real {
    x.unary(chlo::ASINH)
}

/// The real part of a product.
fn real_product<'f>(a: Complex<'f>, b: Complex<'f>) -> Real<'f> {
    a.re * b.re - a.im * b.im
}

/// The imaginary part of a product.
fn imaginary_product<'f>(a: Complex<'f>, b: Complex<'f>) -> Real<'f> {
    a.re * b.im + a.im * b.re
}

/// Computes `√(1 - z)` and `√(1 + z)`.
fn roots(z: Complex) -> (Complex, Complex) {
    let below = Complex { re: 1.0 - z.re, im: -z.im };
    let above = Complex { re: z.re + 1.0, im: z.im };
    (below.sqrt(), above.sqrt())
}

/// Combines a real part and the magnitude of an imaginary part whose sign is that of `z`. For infinite `z`, the
/// imaginary part is infinite and the real part `limit`.
fn on_side_of<'f>(z: Complex<'f>, re: Real<'f>, im: Real<'f>, limit: Real<'f>) -> Complex<'f> {
    let is_infinite = z.re.is_infinite() | z.im.is_infinite();
    let im = is_infinite.select(im.beside(f64::INFINITY), im.abs());
    Complex { re: is_infinite.select(limit, re), im: im.with_sign_of(z.im) }
}

fn asin(z: Complex) -> Complex {
    let (below, above) = roots(z);
    let re = z.re.atan2(real_product(below, above));
    let im = asinh(imaginary_product(below.conj(), above));
    on_side_of(z, re, im, z.re.atan2(z.im.abs()))
}

/// The imaginary part has the opposite sign of the operand's.
fn acos(z: Complex) -> Complex {
    let (below, above) = roots(z);
    let re = below.re.atan2(above.re) * 2.0;
    let im = asinh(imaginary_product(above.conj(), below));
    on_side_of(z, re, im, z.im.abs().atan2(z.re)).conj()
}

fn acosh(z: Complex) -> Complex {
    let below = Complex { re: z.re - 1.0, im: z.im }.sqrt();
    let above = Complex { re: z.re + 1.0, im: z.im }.sqrt();
    let re = asinh(real_product(below.conj(), above));
    let value = Complex { re, im: below.im.atan2(above.re) * 2.0 };
    let infinite = Complex { re: z.re.beside(f64::INFINITY), im: z.im.abs().atan2(z.re).with_sign_of(z.im) };
    (z.re.is_infinite() | z.im.is_infinite()).choose(infinite, value)
}

/// `¼ log1p(4x / ((1 - x)² + y²)) + ½ i atan2(2y, (1 - x)(1 + x) - y²)`, for `x ≥ 0`; the function is odd.
fn atanh(z: Complex) -> Complex {
    let (x, y) = (z.re.abs(), z.im);
    let gap = 1.0 - x;
    // Far from zero the quotient is 4x / |z|², whose square would overflow.
    let is_far = x.greater(1e8) | y.abs().greater(1e8);
    let size = z.abs();
    let far = size.is_infinite().select(x.beside(0.0), (x / size) / size * 4.0);
    let ratio = is_far.select(far, x * 4.0 / (gap * gap + y * y));
    let re = (ratio.log1p() * 0.25).with_sign_of(z.re);
    let angle = (y * 2.0).atan2(gap * (x + 1.0) - y * y) * 0.5;
    let right = y.beside(std::f64::consts::FRAC_PI_2).with_sign_of(y);
    Complex { re, im: is_far.select(right, angle) }
}
