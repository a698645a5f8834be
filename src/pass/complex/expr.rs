//! A DSL for complex formulas.

use super::Splitter;
use crate::ir::{Attribute, OpName, ValueId, stablehlo};
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// Emits the ops of a formula.
pub(super) trait Emit {
    /// An op whose result has the type of its first operand.
    fn like(&self, name: OpName, operands: &[ValueId]) -> ValueId;
    /// A constant with the type of `like`.
    fn number(&self, like: ValueId, number: f64) -> ValueId;
    /// A comparison.
    fn compare(&self, direction: &str, left: ValueId, right: ValueId) -> ValueId;
    /// `yes` where the predicate holds, else `no`.
    fn select(&self, predicate: ValueId, yes: ValueId, no: ValueId) -> ValueId;
    /// The splat value of a constant.
    fn known(&self, value: ValueId) -> Option<f64>;
}

impl Emit for RefCell<&mut Splitter<'_, '_>> {
    fn like(&self, name: OpName, operands: &[ValueId]) -> ValueId {
        let cx = &mut *self.borrow_mut();
        let ty = cx.module.value_type(operands[0]);
        cx.create(name, operands).of(ty)
    }

    fn number(&self, like: ValueId, number: f64) -> ValueId {
        let cx = &mut *self.borrow_mut();
        let ty = cx.module.value_type(like);
        cx.splat(ty, number)
    }

    fn compare(&self, direction: &str, left: ValueId, right: ValueId) -> ValueId {
        let cx = &mut *self.borrow_mut();
        let ty = cx.module.value_type(left);
        let ty = cx.truth(ty);
        let mut word = |kind: &str, value: &str| Attribute::Enum {
            dialect: cx.module.symbols.intern("stablehlo"),
            kind: cx.module.symbols.intern(kind),
            value: cx.module.symbols.intern(value),
        };
        let attributes = [
            ("comparison_direction", word("comparison_direction", direction)),
            ("compare_type", word("comparison_type", "FLOAT")),
        ];
        cx.create(stablehlo::COMPARE, &[left, right]).attrs(attributes).of(ty)
    }

    fn select(&self, predicate: ValueId, yes: ValueId, no: ValueId) -> ValueId {
        let cx = &mut *self.borrow_mut();
        let ty = cx.module.value_type(yes);
        cx.create(stablehlo::SELECT, &[predicate, yes, no]).of(ty)
    }

    fn known(&self, value: ValueId) -> Option<f64> {
        let cx = &*self.borrow();
        let constant = cx.module.constant(cx.module.constant_of(value)?);
        let bytes = constant.data.splat()?;
        match bytes.len() {
            4 => Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
            8 => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        }
    }
}

/// A real tensor in a formula.
#[derive(Clone, Copy)]
pub(super) struct Real<'f> {
    cx: &'f dyn Emit,
    pub(super) value: ValueId,
}

/// A tensor of `i1` in a formula.
#[derive(Clone, Copy)]
pub(super) struct Truth<'f> {
    cx: &'f dyn Emit,
    pub(super) value: ValueId,
}

/// A complex tensor in a formula.
#[derive(Clone, Copy)]
pub(super) struct Complex<'f> {
    pub(super) re: Real<'f>,
    pub(super) im: Real<'f>,
}

/// A term, or a number converted to one.
pub(super) trait IntoReal<'f> {
    fn beside(self, like: Real<'f>) -> Real<'f>;
}

impl<'f> IntoReal<'f> for Real<'f> {
    fn beside(self, _: Real<'f>) -> Real<'f> {
        self
    }
}

impl<'f> IntoReal<'f> for f64 {
    fn beside(self, like: Real<'f>) -> Real<'f> {
        Real { cx: like.cx, value: like.cx.number(like.value, self) }
    }
}

impl<'f> Real<'f> {
    /// A unary op.
    pub(super) fn unary(self, name: OpName) -> Self {
        Self { cx: self.cx, value: self.cx.like(name, &[self.value]) }
    }

    /// A binary op.
    pub(super) fn binary(self, name: OpName, other: impl IntoReal<'f>) -> Self {
        let other = other.beside(self);
        Self { cx: self.cx, value: self.cx.like(name, &[self.value, other.value]) }
    }

    fn compare(self, direction: &str, other: impl IntoReal<'f>) -> Truth<'f> {
        let other = other.beside(self);
        Truth { cx: self.cx, value: self.cx.compare(direction, self.value, other.value) }
    }

    pub(super) fn at_most(self, other: impl IntoReal<'f>) -> Truth<'f> {
        self.compare("LE", other)
    }

    pub(super) fn equal(self, other: impl IntoReal<'f>) -> Truth<'f> {
        self.compare("EQ", other)
    }

    pub(super) fn less(self, other: impl IntoReal<'f>) -> Truth<'f> {
        self.compare("LT", other)
    }

    pub(super) fn greater(self, other: impl IntoReal<'f>) -> Truth<'f> {
        self.compare("GT", other)
    }

    pub(super) fn is_infinite(self) -> Truth<'f> {
        self.abs().equal(f64::INFINITY)
    }

    /// This magnitude with the sign of another term; minus zero counts as zero, as on XLA's branch cuts.
    pub(super) fn with_sign_of(self, other: Real<'f>) -> Self {
        other.less(0.0).select(-self, self)
    }

    pub(super) fn beside(self, number: f64) -> Self {
        number.beside(self)
    }

    /// The known splat value.
    pub(super) fn known(self) -> Option<f64> {
        self.cx.known(self.value)
    }

    pub(super) fn abs(self) -> Self {
        self.unary(stablehlo::ABS)
    }

    pub(super) fn sign(self) -> Self {
        self.unary(stablehlo::SIGN)
    }

    pub(super) fn exp(self) -> Self {
        self.unary(stablehlo::EXPONENTIAL)
    }

    pub(super) fn expm1(self) -> Self {
        self.unary(stablehlo::EXPONENTIAL_MINUS_ONE)
    }

    pub(super) fn log(self) -> Self {
        self.unary(stablehlo::LOG)
    }

    pub(super) fn log1p(self) -> Self {
        self.unary(stablehlo::LOG_PLUS_ONE)
    }

    pub(super) fn sqrt(self) -> Self {
        self.unary(stablehlo::SQRT)
    }

    pub(super) fn sin(self) -> Self {
        self.unary(stablehlo::SINE)
    }

    pub(super) fn cos(self) -> Self {
        self.unary(stablehlo::COSINE)
    }

    pub(super) fn max(self, other: impl IntoReal<'f>) -> Self {
        self.binary(stablehlo::MAXIMUM, other)
    }

    pub(super) fn min(self, other: impl IntoReal<'f>) -> Self {
        self.binary(stablehlo::MINIMUM, other)
    }

    pub(super) fn atan2(self, other: Real<'f>) -> Self {
        self.binary(stablehlo::ATAN2, other)
    }

    pub(super) fn pow(self, other: Real<'f>) -> Self {
        self.binary(stablehlo::POWER, other)
    }
}

impl<'f> Truth<'f> {
    /// The first where the condition holds, else the second.
    pub(super) fn select(self, yes: Real<'f>, no: impl IntoReal<'f>) -> Real<'f> {
        let no = no.beside(yes);
        Real { cx: self.cx, value: self.cx.select(self.value, yes.value, no.value) }
    }

    /// The first complex number where the condition holds, else the second.
    pub(super) fn choose(self, yes: Complex<'f>, no: Complex<'f>) -> Complex<'f> {
        Complex { re: self.select(yes.re, no.re), im: self.select(yes.im, no.im) }
    }

    fn binary(self, name: OpName, other: Self) -> Self {
        Self { cx: self.cx, value: self.cx.like(name, &[self.value, other.value]) }
    }
}

impl BitAnd for Truth<'_> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.binary(stablehlo::AND, other)
    }
}

impl BitOr for Truth<'_> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.binary(stablehlo::OR, other)
    }
}

impl Not for Truth<'_> {
    type Output = Self;
    fn not(self) -> Self {
        Self { cx: self.cx, value: self.cx.like(stablehlo::NOT, &[self.value]) }
    }
}

impl<'f> Complex<'f> {
    /// A pair of values as a term.
    pub(super) fn of(cx: &'f dyn Emit, [re, im]: [ValueId; 2]) -> Self {
        Self { re: Real { cx, value: re }, im: Real { cx, value: im } }
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

/// Implements the operators for a real term and another operand.
macro_rules! operators {
    ($($trait:ident $method:ident $name:expr;)*) => {$(
        impl<'f, O: IntoReal<'f>> $trait<O> for Real<'f> {
            type Output = Real<'f>;
            fn $method(self, other: O) -> Real<'f> {
                self.binary($name, other)
            }
        }
        impl<'f> $trait<Real<'f>> for f64 {
            type Output = Real<'f>;
            fn $method(self, other: Real<'f>) -> Real<'f> {
                other.beside(self).$method(other)
            }
        }
    )*};
}

operators! {
    Add add stablehlo::ADD;
    Sub sub stablehlo::SUBTRACT;
    Mul mul stablehlo::MULTIPLY;
    Div div stablehlo::DIVIDE;
}

impl Neg for Real<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(stablehlo::NEGATE)
    }
}
