//! Inverse trigonometric functions. ONNX Runtime has them in `f32`; in `f64` that result is corrected by rotating the
//! exact vector back by it: the remaining angle has the size of an `f32` rounding error, so its sine or tangent needs
//! only one or two terms. `Sin` and `Cos` have kernels for `f64`.

use super::NO_F64;
use crate::ir::chlo;
use crate::ir::{Element, OpName, onnx};
use crate::ops::Elements;
use crate::ops::elementwise::{self, precise};
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;

pub(super) const ROWS: &[Row] = &[
    row(chlo::ACOS, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, acos)).note(NO_F64),
    row(chlo::ASIN, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, asin)).note(NO_F64),
    row(chlo::ATAN, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, atan)).note(NO_F64),
    row(chlo::TAN, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, elementwise::tan)).note(NO_F64),
];

/// The angle computed in `f32`, as an `f64`.
fn near<'f>(x: Term<'f>, name: OpName) -> Term<'f> {
    x.cast(Element::F32).unary(name).cast(Element::F64)
}

/// The angle of a small sine.
fn small(sine: Term) -> Term {
    sine + sine * sine * sine * (1.0 / 6.0)
}

/// The arc tangent.
pub(super) fn atan(x: Term) -> Term {
    if x.element() != Element::F64 {
        return x.unary(onnx::ATAN);
    }
    // From here on the arc tangent is a right angle to the last bit.
    let x = x.clip(-1e17, 1e17);
    let start = near(x, onnx::ATAN);
    let (sin, cos) = (start.sin(), start.cos());
    // The difference is +0 at both zeros, and so leaves the sign of `start`.
    start - (sin - x * cos) / (x * sin + cos)
}

/// The arc sine.
pub(super) fn asin(x: Term) -> Term {
    if x.element() != Element::F64 {
        return x.unary(onnx::ASIN);
    }
    let start = near(x, onnx::ASIN);
    // As in `atan`.
    start - small(leg(x) * start.sin() - x * start.cos())
}

/// The arc cosine.
pub(super) fn acos(x: Term) -> Term {
    if x.element() != Element::F64 {
        return x.unary(onnx::ACOS);
    }
    let start = near(x, onnx::ACOS);
    start + small(leg(x) * start.cos() - x * start.sin())
}

/// The other leg of a right triangle with a hypotenuse of 1; NaN if there is none.
fn leg(x: Term) -> Term {
    ((1.0 - x) * (x + 1.0)).sqrt()
}
