//! Linear algebra: decompositions and triangular systems, as ops and as the calls of libraries that JAX prints for
//! CPUs, GPUs, and TPUs.
//!
//! ONNX has no op for any of them, so each is a `Loop` over columns, or over sweeps of rotations, whose iterations
//! work on whole matrices and whole batches. ONNX Runtime makes a few passes over the matrix per column.
//!
//! Complex matrices come as the pass `complex` leaves them, packed, and go through the same algorithms, which are
//! written on numbers of one part or of two ([`number`]).
//!
//! - Cholesky, LU and triangular systems compute in the operand's type, as LAPACK does, and in `f32` where it is
//!   narrower.
//! - QR, eigenvalues and singular values compute in `f64`, so that an `f32` result is off by its own rounding alone.
//! - Refused are eigenvalues of symmetric matrices and singular values of more than [`jacobi::LARGEST`] columns, and
//!   eigenvalues of other matrices of more than [`schur::LARGEST`].

mod balance;
mod cholesky;
mod eigenvectors;
mod hessenberg;
mod householder;
mod jacobi;
mod lapack;
mod library;
mod lu;
mod matrix;
mod number;
mod routines;
mod schur;
mod standard;
mod triangular;
mod tridiagonal;
mod updates;

use crate::ops::row::{Row, row, untyped};
use crate::ops::type_inference::{linear, rule};
pub(super) use lapack::is_batched_routine;

use super::{Elements, Lower, LowerError, Lowered, Values};
use crate::ir::{Dim, Element, OpId, hlo2onnx, stablehlo};
use matrix::Matrix;
use number::Number;
use triangular::System;

pub(super) const ROWS: &[Row] = &[
    untyped(hlo2onnx::CHOLESKY, Elements::FLOAT, |cx, op| with_free_zeros(cx, |cx| cholesky(cx, op, true)))
        .note("of packed complex numbers"),
    untyped(hlo2onnx::TRIANGULAR_SOLVE, Elements::FLOAT, |cx, op| {
        with_free_zeros(cx, |cx| triangular_solve(cx, op, true))
    })
    .note("of packed complex numbers"),
    row(stablehlo::CHOLESKY, rule(1, linear::cholesky), Elements::FLOAT, |cx, op| {
        with_free_zeros(cx, |cx| cholesky(cx, op, false))
    })
    .note("Loop over columns; NaN where not positive definite"),
    row(stablehlo::TRIANGULAR_SOLVE, rule(2, linear::triangular_solve), Elements::FLOAT, |cx, op| {
        with_free_zeros(cx, |cx| triangular_solve(cx, op, false))
    })
    .note("Loop over rows"),
];

/// The results of a LAPACK custom call; see [`lapack::call`].
///
/// # Errors
/// If it is a LAPACK routine without a lowering in this form.
pub(super) fn call(cx: &mut Lower, op: OpId, target: &str) -> Result<Option<Values>, LowerError> {
    with_free_zeros(cx, |cx| lapack::call(cx, op, target))
}

/// Lowers to ops whose zeros may have either sign, because LAPACK does not specify it.
fn with_free_zeros<T>(cx: &mut Lower, lower: impl FnOnce(&mut Lower) -> T) -> T {
    let count = cx.module.op_count();
    let lowered = lower(cx);
    cx.module.free_zeros_since(count);
    lowered
}

/// The element type to compute in: ONNX Runtime multiplies matrices of 16 bits with their roundings.
fn computed(element: Element) -> Element {
    if element == Element::F64 { Element::F64 } else { Element::F32 }
}

/// An operand of one of the ops as matrices `[batch, m, n]`, in the type to compute in.
fn matrices(cx: &mut Lower, op: OpId, index: usize, complex: bool) -> Result<Matrix, LowerError> {
    let value = cx.full(op, index)?;
    let value = cx.cast(value, computed(cx.element(value)));
    let value = if complex { cx.unpacked(value) } else { value.into() };
    Ok(value.map(cx, |cx, part| cx.batched(part, 2)))
}

/// Refuses operands that the type rules allow but that are not matrices.
fn demand_matrix(cx: &Lower, op: OpId, index: usize, complex: bool) -> Result<(), LowerError> {
    if cx.operand_dims(op, index)?.len() < 2 + usize::from(complex) {
        return Err(LowerError::form(format!("operand {index} is not a matrix")));
    }
    Ok(())
}

/// A matrix as the op's result.
fn result(cx: &mut Lower, op: OpId, value: Matrix) -> Lowered {
    let (element, sizes) = cx.result_dims(op, 0)?;
    let value = value.map(cx, |cx, part| cx.cast(part, element));
    Ok(cx.packed(value, &sizes).into())
}

fn cholesky(cx: &mut Lower, op: OpId, complex: bool) -> Lowered {
    let lower = cx.attributes(op).flag("lower");
    demand_matrix(cx, op, 0, complex)?;
    if cx.result_dims(op, 0)?.1.contains(&Dim::Known(0)) {
        return Ok(cx.full(op, 0)?.into());
    }
    let a = matrices(cx, op, 0, complex)?;
    let a = if lower { a } else { cx.adjoint(a) };
    let (factor, info) = cholesky::factor(cx, a)?;
    // XLA returns NaN for a matrix that is not positive definite.
    let factor = cx.numbers([info, factor], |[info, factor]| {
        let nan = factor.beside(f64::NAN);
        let nan = if factor.is_complex() { Number::complex(nan, nan) } else { nan };
        info.equal(0i64).select(factor, nan)
    });
    let factor = if lower { factor } else { cx.adjoint(factor) };
    result(cx, op, factor)
}

fn triangular_solve(cx: &mut Lower, op: OpId, complex: bool) -> Lowered {
    let (transpose, conjugate) = match cx.module.attribute(op, "transpose_a") {
        None => return Err(LowerError::missing("transpose_a")),
        Some(_) => match cx.attributes(op).word("transpose_a")? {
            "NO_TRANSPOSE" => (false, false),
            "TRANSPOSE" => (true, false),
            "ADJOINT" => (true, true),
            other => {
                let why = format!("`{other}` is not a transposition");
                return Err(LowerError::attribute("transpose_a", why));
            }
        },
    };
    let system = System {
        left: cx.attributes(op).flag("left_side"),
        lower: cx.attributes(op).flag("lower"),
        transpose,
        conjugate,
        unit: cx.attributes(op).flag("unit_diagonal"),
    };
    demand_matrix(cx, op, 0, complex)?;
    demand_matrix(cx, op, 1, complex)?;
    if cx.result_dims(op, 0)?.1.contains(&Dim::Known(0)) {
        return Ok(cx.full(op, 1)?.into());
    }
    let (a, b) = (matrices(cx, op, 0, complex)?, matrices(cx, op, 1, complex)?);
    let x = triangular::solve(cx, system, a, b)?;
    result(cx, op, x)
}
