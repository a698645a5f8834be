//! Formulas over matrices that may be complex: arithmetic on numbers of one part or of two.
//!
//! Algorithms are written once for real and complex matrices. On real matrices a formula emits real arithmetic. Values
//! without an imaginary part, such as row numbers, booleans and magnitudes, stay real next to complex numbers.

use super::matrix::Matrix;
use crate::ir::Element;
use crate::ops::formula::Term;
use crate::ops::{Lower, Operand};
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// A matrix in a formula.
#[derive(Clone, Copy)]
pub(super) struct Number<'f> {
    re: Term<'f>,
    im: Option<Term<'f>>,
}

impl<'f> Operand<Self> for Number<'f> {
    fn beside(self, _: Self) -> Self {
        self
    }
    fn expr(self) -> Option<Self> {
        Some(self)
    }
}

impl<'f, O: Operand<Term<'f>>> Operand<Number<'f>> for O {
    fn beside(self, like: Number<'f>) -> Number<'f> {
        Number::real(like.re.beside(self))
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
        self.with_terms(|term| {
            let numbers = matrices.map(|Matrix { re, im }| Number { re: term(re), im: im.map(term) });
            formula(numbers).map(|Number { re, im }| Matrix { re: re.value(), im: im.map(Term::value) })
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
    pub(super) fn beside(self, number: impl Operand<Self>) -> Self {
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

    /// Two to the power of a real number.
    pub(super) fn power_of_two(self) -> Self {
        Self::real(self.re.beside(2.0).pow(self.re))
    }

    /// Another element type, of a number of one part.
    pub(super) fn cast(self, element: Element) -> Self {
        Self::real(self.re.cast(element))
    }

    /// `self == other`, in both parts.
    pub(super) fn equal(self, other: impl Operand<Self>) -> Self {
        let other = other.beside(self);
        let same = self.re.equal(other.re);
        if self.im.is_none() && other.im.is_none() {
            return Self::real(same);
        }
        Self::real(same & self.parts().1.equal(other.parts().1))
    }

    /// For a boolean: `yes` where it holds, else `no`. At least one of them is a number.
    pub(super) fn select(self, yes: impl Operand<Self>, no: impl Operand<Self>) -> Self {
        let like = yes.expr().or(no.expr()).unwrap_or(self);
        let (yes, no) = (yes.beside(like), no.beside(like));
        let re = self.re.select(yes.re, no.re);
        if yes.im.is_none() && no.im.is_none() {
            return Self::real(re);
        }
        Self { re, im: Some(self.re.select(yes.parts().1, no.parts().1)) }
    }
}

impl<'f, O: Operand<Self>> Add<O> for Number<'f> {
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

impl<'f, O: Operand<Self>> Sub<O> for Number<'f> {
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

impl<'f, O: Operand<Self>> Mul<O> for Number<'f> {
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

impl<'f, O: Operand<Self>> Div<O> for Number<'f> {
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

/// Methods of [`Term`], of the real parts.
macro_rules! methods {
    (unary { $($unary:ident)* } binary { $($binary:ident)* }) => {
        impl<'f> Number<'f> {
            $(pub(super) fn $unary(self) -> Self {
                Self::real(self.re.$unary())
            })*
            $(pub(super) fn $binary(self, other: impl Operand<Self>) -> Self {
                Self::real(self.re.$binary(other.beside(self).re))
            })*
        }
    };
}

methods! {
    unary { abs floor is_nan log sqrt }
    binary { greater greater_equal less less_equal max }
}

/// Operators beside a number on the left.
macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {$(
        impl<'f> $trait<Number<'f>> for f64 {
            type Output = Number<'f>;
            fn $method(self, other: Number<'f>) -> Number<'f> {
                other.beside(self).$method(other)
            }
        }
    )*};
}

operators! {
    Sub sub;
    Mul mul;
    Div div;
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
