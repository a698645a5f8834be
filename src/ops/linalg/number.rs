//! Formulas over matrices that may be complex: arithmetic on numbers of one part or of two.
//!
//! Algorithms are written once for real and complex matrices. On real matrices a formula emits real arithmetic.
//! Values without an imaginary part, such as row numbers, truth values and magnitudes, stay real beside complex
//! numbers.

use super::matrix::Matrix;
use crate::ir::Element;
use crate::ops::Lower;
use crate::ops::formula::Term;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// A matrix in a formula.
#[derive(Clone, Copy)]
pub(super) struct Number<'f> {
    re: Term<'f>,
    im: Option<Term<'f>>,
}

/// What can be combined with a number: another one, or a real constant.
pub(super) trait IntoTerm<'f>: Copy {
    /// The operand as a number of the same element type as `like`.
    fn beside(self, like: Number<'f>) -> Number<'f>;
    /// The number, unless it is a literal that takes its type from the other operand.
    fn number(self) -> Option<Number<'f>> {
        None
    }
}

impl<'f> IntoTerm<'f> for Number<'f> {
    fn beside(self, _: Number<'f>) -> Number<'f> {
        self
    }
    fn number(self) -> Option<Number<'f>> {
        Some(self)
    }
}

impl<'f> IntoTerm<'f> for f64 {
    fn beside(self, like: Number<'f>) -> Number<'f> {
        Number { re: like.re.beside(self), im: None }
    }
}

impl<'f> IntoTerm<'f> for i64 {
    fn beside(self, like: Number<'f>) -> Number<'f> {
        Number { re: like.re.beside(self), im: None }
    }
}

impl Lower<'_> {
    /// Emits a formula of these matrices.
    pub(super) fn numbers<const N: usize>(
        &mut self,
        matrices: [Matrix; N],
        formula: impl for<'f> FnOnce([Number<'f>; N]) -> Number<'f>,
    ) -> Matrix {
        let [matrix] = self.number_lists(matrices, |numbers| [formula(numbers)]);
        matrix
    }

    /// Emits a formula of these matrices that has several results.
    pub(super) fn number_lists<const N: usize, const M: usize>(
        &mut self,
        matrices: [Matrix; N],
        formula: impl for<'f> FnOnce([Number<'f>; N]) -> [Number<'f>; M],
    ) -> [Matrix; M] {
        let values: Vec<_> = matrices.iter().flat_map(|matrix| matrix.parts()).collect();
        self.with_terms(&values, |terms| {
            let mut rest = 0;
            let numbers = matrices.map(|matrix| {
                let (re, im) = (terms[rest], matrix.im.map(|_| terms[rest + 1]));
                rest += matrix.parts().count();
                Number { re, im }
            });
            formula(numbers).map(|number| Matrix { re: number.re.value(), im: number.im.map(Term::value) })
        })
    }
}

impl<'f> Number<'f> {
    fn real(re: Term<'f>) -> Self {
        Self { re, im: None }
    }

    /// Both parts; creates the imaginary one if it is missing.
    fn parts(self) -> (Term<'f>, Term<'f>) {
        (self.re, self.im.unwrap_or_else(|| self.re.beside(0.0)))
    }

    /// A number of two parts.
    pub(super) fn complex(re: Self, im: Self) -> Self {
        Self { re: re.re, im: Some(im.re) }
    }

    pub(super) fn is_complex(self) -> bool {
        self.im.is_some()
    }

    /// The real part.
    pub(super) fn re(self) -> Self {
        Self::real(self.re)
    }

    /// The imaginary part.
    pub(super) fn im(self) -> Self {
        Self::real(self.parts().1)
    }

    /// The complex conjugate.
    pub(super) fn conj(self) -> Self {
        Self { re: self.re, im: self.im.map(|im| -im) }
    }

    /// A constant of the same element type.
    pub(super) fn beside(self, number: impl IntoTerm<'f>) -> Self {
        number.beside(self)
    }

    /// The square of the magnitude.
    pub(super) fn square(self) -> Self {
        let re = self.re * self.re;
        Self::real(self.im.map_or(re, |im| re + im * im))
    }

    /// The magnitude, by way of its square.
    pub(super) fn magnitude(self) -> Self {
        if self.im.is_some() { self.square().sqrt() } else { self.size() }
    }

    /// `|re| + |im|`, by which LAPACK compares complex numbers.
    pub(super) fn size(self) -> Self {
        let re = self.re.abs();
        Self::real(self.im.map_or(re, |im| re + im.abs()))
    }

    /// The square root of a real number.
    pub(super) fn sqrt(self) -> Self {
        Self::real(self.re.sqrt())
    }

    /// `|self|` of a real number.
    pub(super) fn abs(self) -> Self {
        Self::real(self.re.abs())
    }

    /// The natural logarithm of a real number.
    pub(super) fn log(self) -> Self {
        Self::real(self.re.log())
    }

    /// The largest integer that is not greater, of a real number.
    pub(super) fn floor(self) -> Self {
        Self::real(self.re.floor())
    }

    /// Two to the power of a real number.
    pub(super) fn power_of_two(self) -> Self {
        Self::real(self.re.beside(2.0).pow(self.re))
    }

    /// The greater of two real numbers, NaN if one is.
    pub(super) fn max(self, other: impl IntoTerm<'f>) -> Self {
        Self::real(self.re.max(other.beside(self).re))
    }

    /// Another element type, of a number of one part.
    pub(super) fn cast(self, element: Element) -> Self {
        Self::real(self.re.cast(element))
    }

    /// Whether a real number is NaN.
    pub(super) fn is_nan(self) -> Self {
        Self::real(self.re.is_nan())
    }

    /// `self < other`, of the real parts.
    pub(super) fn less(self, other: impl IntoTerm<'f>) -> Self {
        Self::real(self.re.less(other.beside(self).re))
    }

    /// `self > other`, of the real parts.
    pub(super) fn greater(self, other: impl IntoTerm<'f>) -> Self {
        Self::real(self.re.greater(other.beside(self).re))
    }

    /// `self >= other`, of the real parts.
    pub(super) fn greater_equal(self, other: impl IntoTerm<'f>) -> Self {
        Self::real(self.re.greater_equal(other.beside(self).re))
    }

    /// `self <= other`, of the real parts.
    pub(super) fn less_equal(self, other: impl IntoTerm<'f>) -> Self {
        Self::real(self.re.less_equal(other.beside(self).re))
    }

    /// `self == other`, in both parts.
    pub(super) fn equal(self, other: impl IntoTerm<'f>) -> Self {
        let other = other.beside(self);
        let same = self.re.equal(other.re);
        if self.im.is_none() && other.im.is_none() {
            return Self::real(same);
        }
        Self::real(same & self.parts().1.equal(other.parts().1))
    }

    /// For a truth value: `yes` where it holds, else `no`. At least one of them is a number.
    pub(super) fn select(self, yes: impl IntoTerm<'f>, no: impl IntoTerm<'f>) -> Self {
        let like = yes.number().or(no.number()).unwrap_or(self);
        let (yes, no) = (yes.beside(like), no.beside(like));
        let re = self.re.select(yes.re, no.re);
        if yes.im.is_none() && no.im.is_none() {
            return Self::real(re);
        }
        Self { re, im: Some(self.re.select(yes.parts().1, no.parts().1)) }
    }
}

impl<'f, O: IntoTerm<'f>> Add<O> for Number<'f> {
    type Output = Self;
    fn add(self, other: O) -> Self {
        let other = other.beside(self);
        let im = match (self.im, other.im) {
            (Some(own), Some(other)) => Some(own + other),
            (own, other) => own.or(other),
        };
        Self { re: self.re + other.re, im }
    }
}

impl<'f, O: IntoTerm<'f>> Sub<O> for Number<'f> {
    type Output = Self;
    fn sub(self, other: O) -> Self {
        let other = other.beside(self);
        let im = match (self.im, other.im) {
            (Some(own), Some(other)) => Some(own - other),
            (own, other) => own.or(other.map(|other| -other)),
        };
        Self { re: self.re - other.re, im }
    }
}

impl<'f, O: IntoTerm<'f>> Mul<O> for Number<'f> {
    type Output = Self;
    fn mul(self, other: O) -> Self {
        let other = other.beside(self);
        let re = self.re * other.re;
        match (self.im, other.im) {
            (None, None) => Self::real(re),
            (Some(im), None) => Self { re, im: Some(im * other.re) },
            (None, Some(im)) => Self { re, im: Some(self.re * im) },
            (Some(im), Some(other_im)) => {
                Self { re: re - im * other_im, im: Some(self.re * other_im + im * other.re) }
            }
        }
    }
}

impl<'f, O: IntoTerm<'f>> Div<O> for Number<'f> {
    type Output = Self;
    fn div(self, other: O) -> Self {
        let other = other.beside(self);
        let Some(other_im) = other.im else {
            return Self { re: self.re / other.re, im: self.im.map(|im| im / other.re) };
        };
        // Divided by the larger part, the squares of the divisor neither overflow nor vanish.
        let scale = other.re.abs().max(other_im.abs());
        let (re, im) = (other.re / scale, other_im / scale);
        let square = re * re + im * im;
        let quotient = self * Self { re, im: Some(-im) };
        let (quotient_re, quotient_im) = quotient.parts();
        Self { re: quotient_re / square / scale, im: Some(quotient_im / square / scale) }
    }
}

impl<'f> Mul<Number<'f>> for f64 {
    type Output = Number<'f>;
    fn mul(self, other: Number<'f>) -> Number<'f> {
        other.beside(self) * other
    }
}

impl<'f> Div<Number<'f>> for f64 {
    type Output = Number<'f>;
    fn div(self, other: Number<'f>) -> Number<'f> {
        other.beside(self) / other
    }
}

impl<'f> Sub<Number<'f>> for f64 {
    type Output = Number<'f>;
    fn sub(self, other: Number<'f>) -> Number<'f> {
        other.beside(self) - other
    }
}

impl Neg for Number<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { re: -self.re, im: self.im.map(|im| -im) }
    }
}

impl BitAnd for Number<'_> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self::real(self.re & other.re)
    }
}

impl BitOr for Number<'_> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self::real(self.re | other.re)
    }
}

impl Not for Number<'_> {
    type Output = Self;
    fn not(self) -> Self {
        Self::real(!self.re)
    }
}
