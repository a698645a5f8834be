//! Expressions that emit StableHLO ops, and complex numbers made of two of them.

use super::Splitter;
use crate::ir::{Attribute, Element, OpName, ValueId, stablehlo};
use crate::ops::{Emitter, Expr, known_number};
use std::cell::RefCell;
use std::ops::{Add, Mul, Neg};

/// A real tensor, or one of `i1`, in a formula.
pub(super) type Real<'f> = Expr<&'f dyn Emit>;

/// Access to the pass, in which a formula emits its ops.
pub(super) trait Emit {
    fn emit(&self, build: &mut dyn FnMut(&mut Splitter) -> ValueId) -> ValueId;
    /// The splat value of a constant.
    fn known(&self, value: ValueId) -> Option<f64>;
}

impl Emit for RefCell<&mut Splitter<'_, '_>> {
    fn emit(&self, build: &mut dyn FnMut(&mut Splitter) -> ValueId) -> ValueId {
        build(&mut self.borrow_mut())
    }

    fn known(&self, value: ValueId) -> Option<f64> {
        let cx = &*self.borrow();
        known_number(cx.module, cx.source, value)
    }
}

impl Emitter for &dyn Emit {
    fn name(_: OpName, stablehlo: OpName) -> OpName {
        stablehlo
    }

    fn elementwise(self, name: OpName, operands: &[ValueId], element: Element) -> ValueId {
        self.emit(&mut |cx| {
            let ty = cx.module.value_type(operands[0]);
            let ty = cx.module.with_element(ty, element);
            cx.create(name, operands).of(ty)
        })
    }

    fn compare(self, _: OpName, direction: &str, operands: [ValueId; 2]) -> ValueId {
        self.emit(&mut |cx| {
            let ty = cx.module.value_type(operands[0]);
            let ty = cx.module.with_element(ty, Element::Bool);
            let mut word = |kind: &str, value: &str| Attribute::Enum {
                dialect: cx.module.symbols.intern("stablehlo"),
                kind: cx.module.symbols.intern(kind),
                value: cx.module.symbols.intern(value),
            };
            let attributes = [
                ("comparison_direction", word("comparison_direction", direction)),
                ("compare_type", word("comparison_type", "FLOAT")),
            ];
            cx.create(stablehlo::COMPARE, &operands).attrs(attributes).of(ty)
        })
    }

    fn number(self, number: f64, like: ValueId) -> ValueId {
        self.emit(&mut |cx| {
            let ty = cx.module.value_type(like);
            cx.splat(ty, number)
        })
    }
}

impl<'f> Real<'f> {
    /// This magnitude with the sign of another term; minus zero counts as zero, as on XLA's branch cuts.
    pub(super) fn with_sign_of(self, other: Self) -> Self {
        other.less(0.0).select(-self, self)
    }

    /// For an `i1` tensor: the first complex number where the condition holds, else the second.
    pub(super) fn choose(self, yes: Complex<'f>, no: Complex<'f>) -> Complex<'f> {
        Complex { re: self.select(yes.re, no.re), im: self.select(yes.im, no.im) }
    }

    /// The known splat value.
    pub(super) fn known(self) -> Option<f64> {
        self.emitter.known(self.value())
    }

    pub(super) fn sign(self) -> Self {
        self.unary(stablehlo::SIGN)
    }

    pub(super) fn expm1(self) -> Self {
        self.unary(stablehlo::EXPONENTIAL_MINUS_ONE)
    }

    pub(super) fn log1p(self) -> Self {
        self.unary(stablehlo::LOG_PLUS_ONE)
    }

    pub(super) fn atan2(self, other: Self) -> Self {
        self.binary(stablehlo::ATAN2, other)
    }
}

/// A complex tensor in a formula.
#[derive(Clone, Copy)]
pub(super) struct Complex<'f> {
    pub(super) re: Real<'f>,
    pub(super) im: Real<'f>,
}

impl Complex<'_> {
    /// The values of both parts.
    pub(super) fn parts(self) -> [ValueId; 2] {
        [self.re.value(), self.im.value()]
    }

    pub(super) fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// The number times `i`.
    pub(super) fn times_i(self) -> Self {
        Self { re: -self.im, im: self.re }
    }

    /// The number times `-i`.
    pub(super) fn times_minus_i(self) -> Self {
        Self { re: self.im, im: -self.re }
    }

    /// A real number beside this one.
    pub(super) fn beside(self, re: f64) -> Self {
        Self { re: self.re.beside(re), im: self.re.beside(0.0) }
    }
}

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
