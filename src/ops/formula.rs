//! Expressions that emit ONNX ops.

use super::Lower;
use super::expr::{Emitter, Expr, Operand};
use crate::ir::{Element, OpName, ValueId, onnx};
use std::cell::RefCell;

/// A value in a formula of a lowering.
pub(super) type Term<'f> = Expr<&'f dyn Emit>;

/// Access to the lowering in which a formula emits its ops.
pub(super) trait Emit {
    fn emit(&self, build: &mut dyn FnMut(&mut Lower) -> ValueId) -> ValueId;

    fn ask(&self, question: &mut dyn FnMut(&mut Lower) -> bool) -> bool;
}

impl Emit for RefCell<&mut Lower<'_>> {
    fn emit(&self, build: &mut dyn FnMut(&mut Lower) -> ValueId) -> ValueId {
        build(&mut self.borrow_mut())
    }

    fn ask(&self, question: &mut dyn FnMut(&mut Lower) -> bool) -> bool {
        question(&mut self.borrow_mut())
    }
}

impl Emitter for &dyn Emit {
    fn name(onnx: OpName, _: OpName) -> OpName {
        onnx
    }

    fn elementwise(self, name: OpName, operands: &[ValueId], element: Element) -> ValueId {
        self.emit(&mut |cx| cx.elementwise_to(name, operands, element))
    }

    fn compare(self, onnx: OpName, _: &str, operands: [ValueId; 2]) -> ValueId {
        self.elementwise(onnx, &operands, Element::Bool)
    }

    fn number(self, number: f64, like: ValueId) -> ValueId {
        self.emit(&mut |cx| cx.scalar(cx.element(like), number))
    }
}

impl<'f> Operand<Term<'f>> for i64 {
    fn beside(self, like: Term<'f>) -> Term<'f> {
        like.emit(like.element, |cx| cx.integer(like.element, self))
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

    /// A float in f32, if its type is narrower.
    pub(super) fn single(&mut self, value: ValueId) -> ValueId {
        let is_narrow = self.element(value).bits() < Element::F32.bits();
        if is_narrow { self.cast(value, Element::F32) } else { value }
    }

    /// An intermediate result as a float of the program's type. It keeps the digits of f32 for ops that compute in it,
    /// as XLA's `allow_excess_precision` does.
    pub(super) fn narrowed(&mut self, value: ValueId, element: Element) -> ValueId {
        if self.element(value) == element {
            return value;
        }
        let dims = self.dims(value);
        let cast = self.node(onnx::CAST, &[value]).element("to", element);
        cast.int(EXCESS_PRECISION, 1).out(element, &dims)
    }

    /// Emits a formula with several results.
    pub(super) fn formulas<const N: usize, const M: usize>(
        &mut self,
        values: [ValueId; N],
        formula: impl for<'f> FnOnce([Term<'f>; N]) -> [Term<'f>; M],
    ) -> [ValueId; M] {
        self.with_terms(|term| formula(values.map(term)).map(|term| term.value))
    }

    /// Lets `build` emit ops on any values, which it turns into terms.
    pub(super) fn with_terms<T>(
        &mut self,
        build: impl for<'f> FnOnce(&dyn Fn(ValueId) -> Term<'f>) -> T,
    ) -> T {
        let cell = RefCell::new(self);
        build(&|value| Expr::new(&cell, value, cell.borrow().element(value)))
    }
}

impl<'f> Term<'f> {
    fn emit(self, element: Element, mut build: impl FnMut(&mut Lower) -> ValueId) -> Self {
        self.with(self.emitter.emit(&mut build), element)
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

    /// Asks the lowering.
    pub(super) fn ask(self, mut question: impl FnMut(&mut Lower) -> bool) -> bool {
        self.emitter.ask(&mut question)
    }

    /// Whether the elements are NaN.
    pub(super) fn is_nan(self) -> Self {
        self.emit(Element::Bool, |cx| cx.elementwise_to(onnx::IS_NAN, &[self.value], Element::Bool))
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

    /// Clamps to two bounds, NaN if it is.
    pub(super) fn clip(self, low: f64, high: f64) -> Self {
        let (low, high) = (self.beside(low), self.beside(high));
        self.emit(self.element, |cx| cx.elementwise(onnx::CLIP, &[self.value, low.value, high.value]))
    }

    /// Shifts an unsigned integer left; ONNX does not define the result for amounts of its width and more.
    pub(super) fn shift_left(self, amount: impl Operand<Self>) -> Self {
        self.shift(amount, "LEFT")
    }

    /// Shifts an unsigned integer right; ONNX does not define the result for amounts of its width and more.
    pub(super) fn shift_right(self, amount: impl Operand<Self>) -> Self {
        self.shift(amount, "RIGHT")
    }

    fn shift(self, amount: impl Operand<Self>, direction: &str) -> Self {
        let amount = amount.beside(self);
        self.emit(self.element, |cx| {
            let sizes = cx.module.broadcast_dims(&[self.value, amount.value]);
            let node = cx.node(onnx::BIT_SHIFT, &[self.value, amount.value]);
            node.string("direction", direction).out(self.element, &sizes)
        })
    }

    /// `Mod` with the sign of the dividend, like StableHLO's remainder.
    pub(super) fn truncated_mod(self, other: impl Operand<Self>) -> Self {
        let other = other.beside(self);
        self.emit(self.element, |cx| {
            let sizes = cx.module.broadcast_dims(&[self.value, other.value]);
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
    if let (Some(known), Ok(sizes)) = (known, cx.sizes(value)) {
        return cx.integers(element, &sizes, &known);
    }
    cx.cast(value, element)
}

/// Marks a Cast of an intermediate result to a narrower float until the pass `insert_casts`.
pub const EXCESS_PRECISION: &str = "excess_precision";

/// Larger constants are converted at run time.
const SMALL: i64 = 256;
