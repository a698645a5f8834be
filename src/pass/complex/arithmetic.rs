//! Products, quotients, magnitudes and comparisons.

use super::term::{Complex, Real};
use super::{Refusal, Rewrite, Row, Splitter};
use crate::ir::OpId;
use std::ops::{Add, Mul, Neg};

pub(super) const ROWS: &[Row] = &[
    ("chlo.conj", Rewrite::Unary(|z| z.conj())),
    ("chlo.square", Rewrite::Unary(square)),
    ("stablehlo.abs", Rewrite::Measure(|z| z.abs())),
    ("stablehlo.compare", Rewrite::Own(compare)),
    ("stablehlo.divide", Rewrite::Binary(|a, b| a.over(b))),
    ("stablehlo.maximum", Rewrite::Binary(maximum)),
    ("stablehlo.minimum", Rewrite::Binary(minimum)),
    ("stablehlo.multiply", Rewrite::Binary(|a, b| a * b)),
    ("stablehlo.sign", Rewrite::Unary(sign)),
];

impl<'f> Mul for Complex<'f> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

impl<'f> Mul<Real<'f>> for Complex<'f> {
    type Output = Self;
    fn mul(self, factor: Real<'f>) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }
}

impl<'f> Add for Complex<'f> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Neg for Complex<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

impl<'f> Complex<'f> {
    /// The larger magnitude of the two parts, and the quotient of the smaller by the larger, 0 for 0 by 0.
    pub(super) fn scale(self) -> (Real<'f>, Real<'f>) {
        let (re, im) = (self.re.abs(), self.im.abs());
        let (large, small) = (re.max(im), re.min(im));
        // Of two equal magnitudes, zeros and infinities among them, the quotient is 1.
        (large, small.equal(large).select(large.beside(1.0), small / large))
    }

    /// The magnitude, whose square would overflow where it does not.
    pub(super) fn abs(self) -> Real<'f> {
        let (large, ratio) = self.scale();
        large * (ratio * ratio + 1.0).sqrt()
    }

    /// The argument.
    pub(super) fn angle(self) -> Real<'f> {
        self.im.atan2(self.re)
    }

    /// The quotient by Smith's method, whose squares do not overflow; what it makes NaN of is as C99 has it
    /// (Annex G.5.1): a number by zero, infinity by a number, a number by infinity.
    pub(super) fn over(self, other: Self) -> Self {
        // A constant divisor that is real and finite leaves nothing to guard.
        if let (Some(re), Some(im)) = (other.re.known(), other.im.known()) {
            if im == 0.0 && re != 0.0 && re.is_finite() {
                return Self { re: self.re / other.re, im: self.im / other.re };
            }
        }
        let (a, b, c, d) = (self.re, self.im, other.re, other.im);
        let by_real = d.abs().less(c.abs());
        let (large, small) = (by_real.select(c, d), by_real.select(d, c));
        let ratio = small / large;
        let bottom = large + small * ratio;
        let turned = Self { re: by_real.select(a, b), im: by_real.select(b, a) };
        let re = (turned.re + turned.im * ratio) / bottom;
        let difference = turned.im - turned.re * ratio;
        let im = by_real.select(difference, -difference) / bottom;
        let smith = Self { re, im };

        let is_zero = c.equal(0.0) & d.equal(0.0);
        let by_zero = a.beside(f64::INFINITY).with_sign_of(c);
        let by_zero = Self { re: by_zero * a, im: by_zero * b };
        // An infinite number counts as the unit of its direction, and a finite one beside it as zero.
        let unit = |x: Real<'f>| {
            let one = x.is_infinite().select(x.beside(1.0), 0.0);
            one.with_sign_of(x)
        };
        let infinite = a.is_infinite() | b.is_infinite();
        let by_infinite = c.is_infinite() | d.is_infinite();
        let is_finite = c.is_finite() & d.is_finite();
        let scaled = |n: Self, d: Self, factor: f64| {
            let re = n.re * d.re + n.im * d.im;
            let im = n.im * d.re - n.re * d.im;
            Self { re: re * factor, im: im * factor }
        };
        let of_infinite = scaled(Self { re: unit(a), im: unit(b) }, other, f64::INFINITY);
        let to_infinite = scaled(self, Self { re: unit(c), im: unit(d) }, 0.0);
        let special = (infinite & is_finite).choose(of_infinite, smith);
        let special = (by_infinite & a.is_finite() & b.is_finite()).choose(to_infinite, special);
        let has_number = !(a.is_nan() & b.is_nan());
        (is_zero & has_number).choose(by_zero, special)
    }
}

fn square(z: Complex) -> Complex {
    let twice = z.re * z.im;
    Complex { re: (z.re - z.im) * (z.re + z.im), im: twice + twice }
}

/// The number of the same direction and magnitude 1; zero stays zero, and NaN in one part is NaN in both.
fn sign(z: Complex) -> Complex {
    let size = z.abs();
    let is_zero = size.equal(0.0);
    let unit = Complex { re: z.re / size, im: z.im / size };
    is_zero.choose(z, unit)
}

/// The larger in the order of pairs.
fn maximum<'f>(a: Complex<'f>, b: Complex<'f>) -> Complex<'f> {
    (a.re.greater(b.re) | (a.re.equal(b.re) & a.im.greater(b.im))).choose(a, b)
}

/// The smaller in the order of pairs.
fn minimum<'f>(a: Complex<'f>, b: Complex<'f>) -> Complex<'f> {
    (a.re.less(b.re) | (a.re.equal(b.re) & a.im.less(b.im))).choose(a, b)
}

fn compare(cx: &mut Splitter, op: OpId) -> Result<(), Refusal> {
    let direction = cx.module.attribute(op, "comparison_direction");
    let equal = match direction.and_then(|direction| cx.module.word(direction)) {
        Some("EQ") => true,
        Some("NE") => false,
        _ => return Err(Refusal::form("complex numbers have no order")),
    };
    let (left, right) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    let value = cx.formula(|cx| {
        let (left, right) = (Complex::of(cx, left), Complex::of(cx, right));
        let both = left.re.equal(right.re) & left.im.equal(right.im);
        if equal { both.value } else { (!both).value }
    });
    cx.define_real(op, 0, value)
}
