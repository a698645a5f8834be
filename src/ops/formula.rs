//! A DSL that emits ONNX ops for arithmetic on terms.
//!
//! `x.abs().less(0.5).select(a, b * 2.0 + 1.0)` reads like mathematics and emits one ONNX op per operation, in the
//! order of evaluation. A plain number becomes a scalar constant of the other term's element type.

use super::Lower;
use crate::ir::{Element, OpName, ValueId, onnx};
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// Emits the ops of a formula.
trait Emitter {
    fn emit(&self, build: &mut dyn FnMut(&mut Lower) -> ValueId) -> ValueId;
}

impl Emitter for RefCell<&mut Lower<'_>> {
    fn emit(&self, build: &mut dyn FnMut(&mut Lower) -> ValueId) -> ValueId {
        build(&mut self.borrow_mut())
    }
}

/// A value in a formula.
#[derive(Clone, Copy)]
pub(super) struct Term<'f> {
    context: &'f dyn Emitter,
    value: ValueId,
    element: Element,
}

/// An operand of a term: another term, or a number.
pub(super) trait IntoTerm<'f>: Copy {
    /// The operand as a term with the element type of `like`.
    fn beside(self, like: Term<'f>) -> Term<'f>;
    /// The term, unless it is a literal that takes its type from the other operand.
    fn term(self) -> Option<Term<'f>> {
        None
    }
}

impl<'f> IntoTerm<'f> for Term<'f> {
    fn beside(self, _: Term<'f>) -> Term<'f> {
        self
    }
    fn term(self) -> Option<Term<'f>> {
        Some(self)
    }
}

impl<'f> IntoTerm<'f> for f64 {
    fn beside(self, like: Term<'f>) -> Term<'f> {
        let element = like.element;
        like.emit(element, |cx| cx.scalar(element, self))
    }
}

impl<'f> IntoTerm<'f> for i64 {
    fn beside(self, like: Term<'f>) -> Term<'f> {
        let element = like.element;
        like.emit(element, |cx| cx.integer(element, self))
    }
}

impl Lower<'_> {
    /// Emits a formula of these values.
    pub(super) fn formula<const N: usize>(
        &mut self,
        values: [ValueId; N],
        formula: impl for<'f> FnOnce([Term<'f>; N]) -> Term<'f>,
    ) -> ValueId {
        let [value] = self.formulas(values, |terms| [formula(terms)]);
        value
    }

    /// Emits a formula with several results.
    pub(super) fn formulas<const N: usize, const M: usize>(
        &mut self,
        values: [ValueId; N],
        formula: impl for<'f> FnOnce([Term<'f>; N]) -> [Term<'f>; M],
    ) -> [ValueId; M] {
        let elements = values.map(|value| self.element(value));
        let context = RefCell::new(&mut *self);
        let mut elements = elements.into_iter();
        let terms = values.map(|value| {
            let element = elements.next().unwrap_or(Element::Bool);
            Term { context: &context, value, element }
        });
        formula(terms).map(|term| term.value)
    }
}

impl Lower<'_> {
    /// Lets `build` emit ops on any number of values, and returns its result.
    pub(super) fn with_terms<T>(
        &mut self,
        values: &[ValueId],
        build: impl for<'f> FnOnce(&[Term<'f>]) -> T,
    ) -> T {
        let elements: Vec<Element> = values.iter().map(|&value| self.element(value)).collect();
        let context = RefCell::new(&mut *self);
        let terms: Vec<Term> = values
            .iter()
            .zip(elements)
            .map(|(&value, element)| Term { context: &context, value, element })
            .collect();
        build(&terms)
    }
}

impl<'f> Term<'f> {
    /// The value that the term represents.
    pub(super) fn value(self) -> ValueId {
        self.value
    }

    /// The element type.
    pub(super) fn element(self) -> Element {
        self.element
    }

    /// A value in the same formula.
    pub(super) fn beside(self, number: impl IntoTerm<'f>) -> Self {
        number.beside(self)
    }

    fn emit(self, element: Element, mut build: impl FnMut(&mut Lower) -> ValueId) -> Self {
        Self { context: self.context, value: self.context.emit(&mut build), element }
    }

    /// A unary ONNX op.
    pub(super) fn unary(self, name: OpName) -> Self {
        self.emit(self.element, |cx| cx.elementwise(name, &[self.value]))
    }

    /// A binary ONNX op with an operand of the same type.
    pub(super) fn binary(self, name: OpName, other: impl IntoTerm<'f>) -> Self {
        let other = other.beside(self);
        self.emit(self.element, |cx| cx.elementwise(name, &[self.value, other.value]))
    }

    fn compare(self, name: OpName, other: impl IntoTerm<'f>) -> Self {
        let other = other.beside(self);
        self.emit(Element::Bool, |cx| cx.elementwise_to(name, &[self.value, other.value], Element::Bool))
    }

    /// Casts with ONNX's `Cast`; small integer constants are converted here.
    pub(super) fn cast(self, element: Element) -> Self {
        self.emit(element, |cx| cast(cx, self.value, element))
    }

    /// Reinterprets the bits with ONNX's `BitCast`.
    pub(super) fn bit_cast(self, element: Element) -> Self {
        if self.element == element {
            return self;
        }
        self.emit(element, |cx| {
            let sizes = cx.dims(self.value);
            cx.node(onnx::BIT_CAST, &[self.value]).element("to", element).out(element, &sizes)
        })
    }

    /// `self < other`.
    pub(super) fn less(self, other: impl IntoTerm<'f>) -> Self {
        self.compare(onnx::LESS, other)
    }

    /// `self >= other`.
    pub(super) fn greater_equal(self, other: impl IntoTerm<'f>) -> Self {
        self.compare(onnx::GREATER_OR_EQUAL, other)
    }

    /// `self > other`.
    pub(super) fn greater(self, other: impl IntoTerm<'f>) -> Self {
        self.compare(onnx::GREATER, other)
    }

    /// `self <= other`.
    pub(super) fn less_equal(self, other: impl IntoTerm<'f>) -> Self {
        self.compare(onnx::LESS_OR_EQUAL, other)
    }

    /// `self == other`.
    pub(super) fn equal(self, other: impl IntoTerm<'f>) -> Self {
        self.compare(onnx::EQUAL, other)
    }

    /// Whether the elements are NaN.
    pub(super) fn is_nan(self) -> Self {
        self.emit(Element::Bool, |cx| cx.elementwise_to(onnx::IS_NAN, &[self.value], Element::Bool))
    }

    /// For a `bool` term: `yes` where it holds, else `no`. At least one of them is a term.
    pub(super) fn select(self, yes: impl IntoTerm<'f>, no: impl IntoTerm<'f>) -> Self {
        let like = yes.term().or(no.term()).unwrap_or(self);
        let (yes, no) = (yes.beside(like), no.beside(like));
        self.emit(like.element, |cx| {
            cx.elementwise_to(onnx::WHERE, &[self.value, yes.value, no.value], like.element)
        })
    }

    /// `|self|`.
    pub(super) fn abs(self) -> Self {
        self.unary(onnx::ABS)
    }

    /// `e` to the power of `self`.
    pub(super) fn exp(self) -> Self {
        self.unary(onnx::EXP)
    }

    /// The natural logarithm.
    pub(super) fn log(self) -> Self {
        self.unary(onnx::LOG)
    }

    /// The square root.
    pub(super) fn sqrt(self) -> Self {
        self.unary(onnx::SQRT)
    }

    /// The floor.
    pub(super) fn floor(self) -> Self {
        self.unary(onnx::FLOOR)
    }

    /// The sine.
    pub(super) fn sin(self) -> Self {
        self.unary(onnx::SIN)
    }

    /// The cosine.
    pub(super) fn cos(self) -> Self {
        self.unary(onnx::COS)
    }

    /// -1, 0 or 1.
    pub(super) fn sign(self) -> Self {
        // ONNX Runtime only reads the lower half of an `i64`.
        if self.element == Element::I64 {
            return self.greater(0i64).cast(Element::I64) - self.less(0i64).cast(Element::I64);
        }
        self.unary(onnx::SIGN)
    }

    /// `1 / self`.
    pub(super) fn reciprocal(self) -> Self {
        self.unary(onnx::RECIPROCAL)
    }

    /// The maximum, NaN if one is.
    pub(super) fn max(self, other: impl IntoTerm<'f>) -> Self {
        self.binary(onnx::MAX, other)
    }

    /// The minimum, NaN if one is.
    pub(super) fn min(self, other: impl IntoTerm<'f>) -> Self {
        self.binary(onnx::MIN, other)
    }

    /// Clamps to two bounds, NaN if it is.
    pub(super) fn clip(self, low: f64, high: f64) -> Self {
        let (low, high) = (low.beside(self), high.beside(self));
        self.emit(self.element, |cx| cx.elementwise(onnx::CLIP, &[self.value, low.value, high.value]))
    }

    /// `self` to the power of `other`.
    pub(super) fn pow(self, other: impl IntoTerm<'f>) -> Self {
        self.binary(onnx::POW, other)
    }

    /// Shifts an unsigned integer left; ONNX does not define the result for amounts of its width and more.
    pub(super) fn shift_left(self, amount: impl IntoTerm<'f>) -> Self {
        self.shift(amount, "LEFT")
    }

    /// Shifts an unsigned integer right; ONNX does not define the result for amounts of its width and more.
    pub(super) fn shift_right(self, amount: impl IntoTerm<'f>) -> Self {
        self.shift(amount, "RIGHT")
    }

    fn shift(self, amount: impl IntoTerm<'f>, direction: &str) -> Self {
        let amount = amount.beside(self);
        self.emit(self.element, |cx| {
            let sizes = cx.broadcast_dims(&[self.value, amount.value]);
            let node = cx.node(onnx::BIT_SHIFT, &[self.value, amount.value]);
            node.string("direction", direction).out(self.element, &sizes)
        })
    }

    /// `Mod` with the sign of the dividend, like StableHLO's remainder.
    pub(super) fn truncated_mod(self, other: impl IntoTerm<'f>) -> Self {
        let other = other.beside(self);
        self.emit(self.element, |cx| {
            let sizes = cx.broadcast_dims(&[self.value, other.value]);
            cx.node(onnx::MOD, &[self.value, other.value]).int("fmod", 1).out(self.element, &sizes)
        })
    }

    /// The polynomial with these coefficients, highest power first, in Horner form.
    pub(super) fn polynomial(self, coefficients: &[f64]) -> Self {
        let mut rest = coefficients.iter();
        let Some(&first) = rest.next() else { return self.beside(0.0) };
        let mut sum: Option<Self> = None;
        for &coefficient in rest {
            sum = Some(sum.map_or_else(|| self * first, |sum| sum * self) + coefficient);
        }
        sum.unwrap_or_else(|| self.beside(first))
    }
}

/// Casts; converts small integer constants here, because integers wrap in both.
pub(super) fn cast(cx: &mut Lower, value: ValueId, element: Element) -> ValueId {
    if cx.element(value) == element {
        return value;
    }
    let small = cx.count(value).is_some_and(|count| count <= SMALL);
    let known = if small && element.is_integer() { cx.known_integers(value) } else { None };
    if let Some(known) = known {
        let sizes = cx.sizes(value);
        return cx.integers(element, &sizes, &known);
    }
    cx.cast(value, element)
}

/// Larger constants are converted at run time.
const SMALL: i64 = 256;

/// Implements the operators for a term and another operand.
macro_rules! operators {
    ($($trait:ident $method:ident $name:expr;)*) => {$(
        impl<'f, O: IntoTerm<'f>> $trait<O> for Term<'f> {
            type Output = Term<'f>;
            fn $method(self, other: O) -> Term<'f> {
                let name: fn(Element) -> OpName = $name;
                self.binary(name(self.element), other)
            }
        }
        impl<'f> $trait<Term<'f>> for f64 {
            type Output = Term<'f>;
            fn $method(self, other: Term<'f>) -> Term<'f> {
                other.beside(self).$method(other)
            }
        }
    )*};
}

operators! {
    Add add |_| onnx::ADD;
    Sub sub |_| onnx::SUB;
    Mul mul |_| onnx::MUL;
    Div div |_| onnx::DIV;
    BitAnd bitand |element| if element == Element::Bool { onnx::AND } else { onnx::BITWISE_AND };
    BitOr bitor |element| if element == Element::Bool { onnx::OR } else { onnx::BITWISE_OR };
    BitXor bitxor |element| if element == Element::Bool { onnx::XOR } else { onnx::BITWISE_XOR };
}

impl<'f> Neg for Term<'f> {
    type Output = Term<'f>;
    fn neg(self) -> Term<'f> {
        // ONNX has no Neg of unsigned integers, and ONNX Runtime no kernel for i16.
        if self.element.is_unsigned() || self.element == Element::I16 {
            return self.beside(0i64) - self;
        }
        self.unary(onnx::NEG)
    }
}

impl<'f> Not for Term<'f> {
    type Output = Term<'f>;
    fn not(self) -> Term<'f> {
        self.unary(if self.element == Element::Bool { onnx::NOT } else { onnx::BITWISE_NOT })
    }
}
