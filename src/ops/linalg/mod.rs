//! Linear algebra: decompositions and triangular systems, as ops and as the calls to LAPACK that JAX prints.
//!
//! ONNX has no op for any of them, so each is a `Loop` over columns, or over sweeps of rotations, whose rounds work on
//! whole matrices and on all of a batch at once. What ONNX Runtime spends is a few passes over the matrix a column.
//!
//! - Cholesky, LU and triangular systems compute in the operand's type, as LAPACK does, and in `f32` where it is
//!   narrower.
//! - QR, eigenvalues and singular values compute in `f64`, so that an `f32` result is off by its own rounding alone.
//! - Refused are complex matrices, eigenvalues and singular values of more than [`jacobi::LARGEST`] columns, and
//!   eigenvalues of matrices that are not symmetric.

mod cholesky;
mod householder;
mod jacobi;
mod lapack;
mod lu;
mod matrix;
mod triangular;
mod tridiagonal;

pub(super) use lapack::target;

use super::{Elements, Lower, Lowered, Refusal, Row, noted};
use crate::ir::{Element, OpId, ValueId};
use triangular::System;

pub(super) const ROWS: &[Row] = &[
    noted(
        "stablehlo.cholesky",
        Elements::FLOAT,
        cholesky,
        "Loop over columns; NaN where not positive definite",
    ),
    noted("stablehlo.triangular_solve", Elements::FLOAT, triangular_solve, "Loop over rows"),
];

/// The element type to compute in: ONNX Runtime multiplies matrices of 16 bits with their roundings.
fn computed(element: Element) -> Element {
    if element == Element::F64 { Element::F64 } else { Element::F32 }
}

/// An operand as matrices `[batch, m, n]` of an element type.
fn matrices(cx: &mut Lower, op: OpId, index: usize, element: Element) -> Result<ValueId, Refusal> {
    let value = cx.full(op, index)?;
    let value = cx.cast(value, element);
    Ok(cx.batched(value, 2))
}

/// Refuses what the type rules let pass: operands that are no matrices.
fn demand_matrix(cx: &Lower, op: OpId, index: usize) -> Result<Vec<i64>, Refusal> {
    let sizes = cx.operand_sizes(op, index)?;
    if sizes.len() < 2 {
        return Err(Refusal::form(format!("operand {index} is no matrix")));
    }
    Ok(sizes)
}

fn cholesky(cx: &mut Lower, op: OpId) -> Lowered {
    let lower = cx.flag(op, "lower");
    let (element, sizes) = cx.result(op, 0)?;
    demand_matrix(cx, op, 0)?;
    if sizes.contains(&0) {
        return Ok(cx.full(op, 0)?.into());
    }
    let a = matrices(cx, op, 0, computed(element))?;
    let a = if lower { a } else { cx.transposed(a) };
    let (factor, info) = cholesky::factor(cx, a)?;
    // XLA gives no number of a matrix that is not positive definite.
    let factor = cx.formula([info, factor], |[info, factor]| info.equal(0i64).select(factor, f64::NAN));
    let factor = if lower { factor } else { cx.transposed(factor) };
    let factor = cx.cast(factor, element);
    Ok(cx.reshape(factor, &sizes).into())
}

fn triangular_solve(cx: &mut Lower, op: OpId) -> Lowered {
    let transpose = match cx.module.attribute(op, "transpose_a") {
        None => return Err(Refusal::Missing("transpose_a")),
        Some(_) => match cx.word(op, "transpose_a")? {
            "NO_TRANSPOSE" => false,
            // The adjoint of real numbers is the transpose.
            "TRANSPOSE" | "ADJOINT" => true,
            other => {
                let why = format!("{other} is no transposition");
                return Err(Refusal::Attribute { name: "transpose_a", why });
            }
        },
    };
    let system = System {
        left: cx.flag(op, "left_side"),
        lower: cx.flag(op, "lower"),
        transpose,
        unit: cx.flag(op, "unit_diagonal"),
    };
    let (element, sizes) = cx.result(op, 0)?;
    demand_matrix(cx, op, 0)?;
    demand_matrix(cx, op, 1)?;
    if sizes.contains(&0) {
        return Ok(cx.full(op, 1)?.into());
    }
    let a = matrices(cx, op, 0, computed(element))?;
    let b = matrices(cx, op, 1, computed(element))?;
    let x = triangular::solve(cx, system, a, b)?;
    let x = cx.cast(x, element);
    Ok(cx.reshape(x, &sizes).into())
}
