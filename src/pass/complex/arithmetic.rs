//! Products, quotients, magnitudes and comparisons.

use super::expr::{Complex, Real};
use super::{LowerError, Rewrite, RewriteRow, Splitter};
use crate::ir::{OpId, chlo, stablehlo};

pub(super) const ROWS: &[RewriteRow] = &[
    (chlo::CONJ, Rewrite::Unary(|z| z.conj())),
    (chlo::SQUARE, Rewrite::Unary(square)),
    (stablehlo::ABS, Rewrite::Measure(|z| z.abs())),
    (stablehlo::ATAN2, Rewrite::Binary(atan2)),
    (stablehlo::COMPARE, Rewrite::Own(compare)),
    (stablehlo::DIVIDE, Rewrite::Binary(|a, b| a.over(b))),
    (stablehlo::MAXIMUM, Rewrite::Binary(maximum)),
    (stablehlo::MINIMUM, Rewrite::Binary(minimum)),
    (stablehlo::MULTIPLY, Rewrite::Binary(|a, b| a * b)),
    (stablehlo::SIGN, Rewrite::Unary(sign)),
];

impl<'f> Complex<'f> {
    /// The larger magnitude of the two parts, and the quotient of the smaller by the larger, with 0/0 = 0.
    pub(super) fn scale(self) -> (Real<'f>, Real<'f>) {
        let (re, im) = (self.re.abs(), self.im.abs());
        let (large, small) = (re.max(im), re.min(im));
        // The quotient of equal magnitudes is 1, also of zeros and infinities.
        (large, small.equal(large).select(large.beside(1.0), small / large))
    }

    /// The magnitude, computed without overflow of squares.
    pub(super) fn abs(self) -> Real<'f> {
        let (large, ratio) = self.scale();
        large * (ratio * ratio + 1.0).sqrt()
    }

    /// The argument.
    pub(super) fn angle(self) -> Real<'f> {
        self.im.atan2(self.re)
    }

    /// The quotient, with infinities as in C99 (Annex G.5.1): an infinite number next to a finite one counts as the
    /// unit of its direction, and the quotient is infinite or zero in the resulting direction.
    pub(super) fn over(self, other: Self) -> Self {
        // A finite constant divisor that is real or imaginary needs no guard.
        let is_number = |part: Option<f64>| part.is_some_and(|part| part != 0.0 && part.is_finite());
        let (re, im) = (other.re.known(), other.im.known());
        if im == Some(0.0) && is_number(re) {
            return Self { re: self.re / other.re, im: self.im / other.re };
        }
        if re == Some(0.0) && is_number(im) {
            return Self { re: self.im / other.im, im: -(self.re / other.im) };
        }
        let (infinite, by_infinite) = (self.is_infinite(), other.is_infinite());
        let (is_large, is_small) = (infinite & !by_infinite, by_infinite & !infinite);
        let above = is_large.choose(self.unit(), self);
        let quotient = above.smith(is_small.choose(other.unit(), other), is_large);
        let one = self.re.beside(1.0);
        let factor = is_large.select(one.beside(f64::INFINITY), is_small.select(one.beside(0.0), one));
        quotient * factor
    }

    fn is_infinite(self) -> Real<'f> {
        self.re.is_infinite() | self.im.is_infinite()
    }

    /// The direction of an infinite number: finite parts count as zero.
    fn unit(self) -> Self {
        let part = |x: Real<'f>| x.is_infinite().select(x.sign(), 0.0);
        Self { re: part(self.re), im: part(self.im) }
    }

    /// The quotient by Smith's method, whose squares do not overflow; division by zero divides each part. If only the
    /// direction counts, avoids scaling to zero.
    fn smith(self, other: Self, direction: Real<'f>) -> Self {
        let (c, d) = (other.re, other.im);
        let by_real = d.abs().less_equal(c.abs());
        let (large, small) = (by_real.select(c, d), by_real.select(d, c));
        let ratio = large.equal(0.0).select(small, small / large);
        let bottom = large + small * ratio;
        let bottom = direction.select(bottom.sign(), bottom);
        let (x, y) = (by_real.select(self.re, self.im), by_real.select(self.im, self.re));
        let difference = y - x * ratio;
        let im = by_real.select(difference, -difference) / bottom;
        Self { re: (x + y * ratio) / bottom, im }
    }
}

impl Splitter<'_, '_> {
    /// The magnitude of which an op is the square, if nothing else reads it.
    pub(super) fn magnitude_squared_by(&self, op: OpId) -> Option<OpId> {
        let operation = self.module.op(op);
        let &value = match (operation.name, &operation.operands[..]) {
            (chlo::SQUARE, [value]) => value,
            (stablehlo::MULTIPLY, [value, other]) if value == other => value,
            _ => return None,
        };
        let magnitude = self.module.defined_by(value, stablehlo::ABS)?;
        let &number = self.module.op(magnitude).operands.first()?;
        let reads = u32::try_from(operation.operands.len()).ok()?;
        let is_alone = self.uses.get(value.index()) == Some(&reads);
        (is_alone && self.forms.contains_key(&number)).then_some(magnitude)
    }

    /// The square of a magnitude is the sum of the squares of the parts. It overflows exactly where the square does.
    pub(super) fn sum_of_squares(&mut self, op: OpId, magnitude: OpId) -> Result<(), LowerError> {
        let number = self.operand(magnitude, 0)?;
        let value = self.formula([number], |[z]| (z.re * z.re + z.im * z.im).value());
        self.define_real(op, 0, value)
    }
}

/// XLA's product rounds differences of squares the same way: +0 if they are equal.
fn square(z: Complex) -> Complex {
    let twice = z.re * z.im;
    Complex { re: z.re * z.re - z.im * z.im, im: twice + twice }
}

/// `-i log((x + iy) / √(x² + y²))`, which is the angle.
fn atan2<'f>(y: Complex<'f>, x: Complex<'f>) -> Complex<'f> {
    let size = (x * x + y * y).sqrt();
    (x + y.times_i()).over(size).log().times_minus_i()
}

/// Normalizes to magnitude 1; zero stays zero, and NaN in one part becomes NaN in both.
fn sign(z: Complex) -> Complex {
    let size = z.abs();
    let is_zero = size.equal(0.0);
    let unit = Complex { re: z.re / size, im: z.im / size };
    is_zero.choose(z, unit)
}

/// The maximum in lexicographic order.
fn maximum<'f>(a: Complex<'f>, b: Complex<'f>) -> Complex<'f> {
    (a.re.greater(b.re) | (a.re.equal(b.re) & a.im.greater(b.im))).choose(a, b)
}

/// The minimum in lexicographic order.
fn minimum<'f>(a: Complex<'f>, b: Complex<'f>) -> Complex<'f> {
    (a.re.less(b.re) | (a.re.equal(b.re) & a.im.less(b.im))).choose(a, b)
}

fn compare(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let direction = cx.module.attribute(op, "comparison_direction");
    let equal = match direction.and_then(|direction| cx.module.word(direction)) {
        Some("EQ") => true,
        Some("NE") => false,
        _ => return Err(LowerError::form("complex numbers are not ordered")),
    };
    let operands = [cx.operand(op, 0)?, cx.operand(op, 1)?];
    let value = cx.formula(operands, |[left, right]| {
        let both = left.re.equal(right.re) & left.im.equal(right.im);
        if equal { both.value() } else { (!both).value() }
    });
    cx.define_real(op, 0, value)
}
