//! Hessenberg forms, `A = Q * H * Q^H` with zeros below the first subdiagonal, by reflections, with LAPACK's signs;
//! and the steps of iterations on them.

use super::householder::{Reflector, factors_of};
use super::matrix::{Iteration, Matrix};
use crate::ir::Dim;
use crate::ops::{Lower, LowerError};

impl Reflector {
    /// The one for a column and a row that may differ from matrix to matrix, so that its element is found by a sum.
    pub(super) fn below(cx: &mut Lower, column: Matrix, first: Matrix) -> Result<Self, LowerError> {
        let rows = column.size(cx, 1)?;
        let rows = cx.row_numbers(rows);
        let alpha =
            cx.numbers([rows, first, column], |[rows, first, column]| rows.equal(first).select(column, 0.0));
        let alpha = cx.sum_along(alpha, 1);
        Self::of(cx, column, first, alpha)
    }

    /// The product of matrices and the reflection.
    fn applied_right(&self, cx: &mut Lower, a: Matrix) -> Matrix {
        let along = cx.matrix_product(a, self.vector);
        let adjoint = cx.adjoint(self.vector);
        cx.numbers([a, along, adjoint, self.tau], |[a, along, adjoint, tau]| a - along * (adjoint * tau))
    }

    /// The matrices `H^H * A * H`, and `Z * H` to transform back.
    pub(super) fn similar(&self, cx: &mut Lower, basis: Basis) -> Basis {
        let adjoint = cx.adjoint(self.vector);
        let along = cx.matrix_product(adjoint, basis.a);
        let a = cx.numbers([basis.a, self.vector, along, self.tau], |[a, vector, along, tau]| {
            a - vector * (along * tau.conj())
        });
        Basis { a: self.applied_right(cx, a), z: basis.z.map(|z| self.applied_right(cx, z)) }
    }
}

/// Matrices `Z^H * A * Z`, and `Z` where it is wanted.
#[derive(Clone, Copy)]
pub(super) struct Basis {
    pub a: Matrix,
    pub z: Option<Matrix>,
}

impl Basis {
    /// Both as loop-carried values.
    pub(super) fn state(self) -> Vec<Matrix> {
        std::iter::once(self.a).chain(self.z).collect()
    }

    /// From the first loop-carried values.
    pub(super) fn of_state(state: &[Matrix], with_z: bool) -> Self {
        Self { a: state[0], z: with_z.then(|| state[1]) }
    }
}

/// Makes column `number` zero below the row after its own.
fn round(cx: &mut Lower, basis: Basis, number: Matrix) -> Result<(Basis, Reflector), LowerError> {
    let (_, m, n) = basis.a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(m), cx.column_numbers(n));
    let column = cx.pick(basis.a, number, 2);
    let next = cx.numbers([number], |[number]| number + 1i64);
    let reflector = Reflector::below(cx, column, next)?;
    let new = reflector.similar(cx, basis);
    let beta = reflector.beta;
    let cleared = cx.numbers([rows, next, column, beta], |[rows, next, column, beta]| {
        let inner = rows.equal(next).select(beta, column);
        rows.greater(next).select(0.0, inner)
    });
    let a = cx.numbers([columns, number, cleared, new.a], |[columns, number, cleared, a]| {
        columns.equal(number).select(cleared, a)
    });
    Ok((Basis { a, ..new }, reflector))
}

/// Replaces the matrices by the Hessenberg form.
pub(super) fn reduce(cx: &mut Lower, basis: Basis) -> Result<Basis, LowerError> {
    let n = basis.a.size(cx, 1)?;
    // The last subdiagonal element has nothing below it; a complex one is made real.
    let count = if basis.a.is_complex() { n - 1 } else { n - 2 };
    if count < 1 {
        return Ok(basis);
    }
    let with_z = basis.z.is_some();
    let results = cx.rounds(count, &basis.state(), |cx, number, state| {
        let (basis, _) = round(cx, Basis::of_state(state, with_z), number)?;
        Ok(Iteration { state: basis.state(), left: Vec::new() })
    })?;
    Ok(Basis::of_state(&results, with_z))
}

/// The outputs of `gehrd`: the form with the vectors below it, and the factors, `[batch, n - 1]`. Requires at least
/// two rows.
pub(super) fn factor(cx: &mut Lower, a: Matrix) -> Result<(Matrix, Matrix), LowerError> {
    let (batch, n, _) = a.extents(cx)?;
    let results = cx.rounds(n - 1, &[a], |cx, number, state| {
        let (basis, reflector) = round(cx, Basis { a: state[0], z: None }, number)?;
        Ok(Iteration { state: vec![basis.a], left: vec![reflector.vector, reflector.tau] })
    })?;
    let zero = cx.scalar(a.element(cx), 0.0);
    let vectors = results[1].map(cx, |cx, part| {
        let part = cx.reshape(part, &[Dim::Known(n - 1), batch, Dim::Known(n)]);
        let part = cx.transpose(part, &[1, 2, 0]);
        cx.pad(part, &[0; 3], &[0, 0, 1], zero)
    });
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let stored = cx.numbers([rows, columns, vectors, results[0]], |[rows, columns, vectors, h]| {
        rows.greater(columns + 1i64).select(vectors, h)
    });
    let tau = factors_of(cx, results[2]);
    Ok((stored, tau))
}
