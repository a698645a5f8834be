//! QR factors by Householder reflections, with LAPACK's signs: `H = I - tau * v * v^H`, where `v` is 1 at the
//! diagonal. The diagonal of `R` is real, with the opposite sign of the real part of the element that it replaces.

use super::matrix::{Iteration, Matrix, of_batch};
use crate::ops::{Lower, LowerError};

/// A reflection that makes the elements of a column below one of them zero, like LAPACK's `larfg`.
pub(super) struct Reflection {
    /// The new value of that element, a real number.
    pub beta: Matrix,
    /// The factor, 0 if there is nothing to do.
    pub tau: Matrix,
    /// What the elements below are divided by to be those of the vector.
    pub scale: Matrix,
}

/// Of the element, and the sum of the squares below it.
pub(super) fn reflection(cx: &mut Lower, alpha: Matrix, below: Matrix) -> Reflection {
    // LAPACK leaves a column alone that is zero below the diagonal, unless the element has an imaginary part.
    let nothing = cx.numbers([alpha, below], |[alpha, below]| {
        let zero = below.equal(0.0);
        if alpha.is_complex() { zero & alpha.im().equal(0.0) } else { zero }
    });
    let beta = cx.numbers([alpha, below, nothing], |[alpha, below, nothing]| {
        let norm = (alpha.square() + below).sqrt();
        nothing.select(alpha.re(), alpha.less(0.0).select(norm, -norm))
    });
    let tau = cx
        .numbers([alpha, beta, nothing], |[alpha, beta, nothing]| nothing.select(0.0, (beta - alpha) / beta));
    let scale =
        cx.numbers([alpha, beta, nothing], |[alpha, beta, nothing]| nothing.select(1.0, alpha - beta));
    Reflection { beta, tau, scale }
}

/// `I - tau * v * v^H`.
pub(super) struct Reflector {
    /// `[batch, m, 1]`, zero above its first row.
    pub vector: Matrix,
    pub tau: Matrix,
    /// What becomes of the column's element in the first row.
    pub beta: Matrix,
}

impl Reflector {
    /// The one that makes the elements of a column, `[batch, m, 1]`, zero below row `first`, a list of one or one for
    /// each matrix, in which the column has `alpha`.
    pub(super) fn of(
        cx: &mut Lower,
        column: Matrix,
        first: Matrix,
        alpha: Matrix,
    ) -> Result<Self, LowerError> {
        let rows = column.size(cx, 1)?;
        let rows = cx.row_numbers(rows);
        let squares = cx.numbers([rows, first, column], |[rows, first, column]| {
            rows.greater(first).select(column.square(), 0.0)
        });
        let below = cx.sum_along(squares, 1);
        let Reflection { beta, tau, scale } = reflection(cx, alpha, below);
        let vector = cx.numbers([rows, first, column, scale], |[rows, first, column, scale]| {
            let one = rows.equal(first).select(column.beside(1.0), 0.0);
            rows.greater(first).select(column / scale, one)
        });
        Ok(Self { vector, tau, beta })
    }
}

/// The factors `[batch, count]` collected from the iterations.
pub(super) fn factors_of(cx: &mut Lower, left: Matrix) -> Matrix {
    let sizes = left.dims(cx);
    left.map(cx, |cx, part| {
        let part = cx.reshape(part, &sizes[..2]);
        cx.transpose(part, &[1, 0])
    })
}

/// Makes column `number` zero below the diagonal, stores the vector there, and returns the factor.
fn eliminate(cx: &mut Lower, a: Matrix, number: Matrix) -> Result<(Matrix, Matrix), LowerError> {
    let (_, m, n) = a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(m), cx.column_numbers(n));
    let column = cx.pick(a, number, 2);
    let alpha = cx.pick(column, number, 1);
    let Reflector { vector, tau, beta } = Reflector::of(cx, column, number, alpha)?;
    let adjoint = cx.adjoint(vector);
    let along = cx.matrix_product(adjoint, a);
    let reflected =
        cx.numbers([columns, number, tau, vector, along, a], |[columns, number, tau, vector, along, a]| {
            a - vector * (columns.greater(number).select(along, 0.0) * tau.conj())
        });
    let stored = cx.numbers([rows, number, column, vector, beta], |[rows, number, column, vector, beta]| {
        let above = rows.equal(number).select(beta, column);
        rows.greater(number).select(vector, above)
    });
    let a = cx.numbers([columns, number, stored, reflected], |[columns, number, stored, reflected]| {
        columns.equal(number).select(stored, reflected)
    });
    Ok((a, tau))
}

/// The outputs of `geqrf` for matrices `[batch, m, n]`: `R` with the vectors below its diagonal, and the factors
/// `tau`, `[batch, min(m, n)]`.
pub(super) fn factor(cx: &mut Lower, a: Matrix) -> Result<(Matrix, Matrix), LowerError> {
    let (_, m, n) = a.extents(cx)?;
    let results = cx.rounds(m.min(n), &[a], |cx, number, state| {
        let (a, tau) = eliminate(cx, state[0], number)?;
        Ok(Iteration { state: vec![a], left: vec![tau] })
    })?;
    let tau = factors_of(cx, results[1]);
    Ok((results[0], tau))
}

/// The outputs of `geqp3`: like [`factor`], with columns permuted so that each is the longest of the rest, and the
/// column numbers from 1, `[batch, 1, n]`.
pub(super) fn factor_with_pivots(cx: &mut Lower, a: Matrix) -> Result<(Matrix, Matrix, Matrix), LowerError> {
    let (batch, m, n) = a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(m), cx.column_numbers(n));
    let order = cx.numbers([columns], |[columns]| columns + 1i64);
    let order = order.map(cx, |cx, order| cx.broadcast_to(order, &of_batch(batch, &[1, n])));
    let results = cx.rounds(m.min(n), &[a, order], |cx, number, state| {
        let squares = cx
            .numbers([rows, number, state[0]], |[rows, number, a]| rows.less(number).select(0.0, a.square()));
        let squares = cx.sum_along(squares, 1);
        let candidates = cx.numbers([columns, number, squares], |[columns, number, squares]| {
            columns.less(number).select(-1.0, squares)
        });
        let place = cx.place_of_largest(candidates, 2);
        // If all candidates are NaN none is the largest, and an earlier column would be wrong.
        let exchange = cx.numbers([columns, place, number], |[columns, place, number]| {
            let place = place.less(number).select(number, place);
            columns.equal(place).select(number, columns.equal(number).select(place, columns))
        });
        let (a, order) = (cx.reordered(state[0], exchange, 2), cx.reordered(state[1], exchange, 2));
        let (a, tau) = eliminate(cx, a, number)?;
        Ok(Iteration { state: vec![a, order], left: vec![tau] })
    })?;
    let tau = factors_of(cx, results[2]);
    Ok((results[0], results[1], tau))
}

/// `Q * C` or `Q^H * C` for the product `Q` of the reflections that `geqrf` left in `vectors` and `tau`,
/// `[batch, m, k]` or more columns, and `[batch, k]`.
pub(super) fn apply(
    cx: &mut Lower,
    vectors: Matrix,
    tau: Matrix,
    c: Matrix,
    adjoint: bool,
) -> Result<Matrix, LowerError> {
    let (batch, m, _) = vectors.extents(cx)?;
    let count = tau.size(cx, 1)?;
    if count == 0 {
        return Ok(c);
    }
    let rows = cx.row_numbers(m);
    let tau = tau.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[1, count])));
    let results = cx.rounds(count, &[c], |cx, number, state| {
        // The first reflection of the product is the last that is applied.
        let number = if adjoint { number } else { cx.numbers([number], |[number]| -number + (count - 1)) };
        let column = cx.pick(vectors, number, 2);
        let vector = cx.numbers([rows, number, column], |[rows, number, column]| {
            let one = rows.equal(number).select(column.beside(1.0), 0.0);
            rows.greater(number).select(column, one)
        });
        let factor = cx.pick(tau, number, 2);
        let conjugate = cx.adjoint(vector);
        let along = cx.matrix_product(conjugate, state[0]);
        let c = cx.numbers([state[0], vector, along, factor], |[c, vector, along, factor]| {
            c - vector * (along * if adjoint { factor.conj() } else { factor })
        });
        Ok(Iteration { state: vec![c], left: Vec::new() })
    })?;
    Ok(results[0])
}

/// The first `columns` columns of the product of the reflections.
pub(super) fn product(
    cx: &mut Lower,
    vectors: Matrix,
    tau: Matrix,
    columns: i64,
) -> Result<Matrix, LowerError> {
    let (element, (batch, m, _)) = (vectors.element(cx), vectors.extents(cx)?);
    let identity = cx.identity_matrix(element, m, columns);
    let identity = identity.map(cx, |cx, part| cx.broadcast_to(part, &of_batch(batch, &[m, columns])));
    let identity = if vectors.is_complex() { cx.complexified(identity) } else { identity };
    apply(cx, vectors, tau, identity, false)
}
