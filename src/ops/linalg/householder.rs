//! QR factors by Householder reflections, with LAPACK's signs: `H = I - tau * v * v^T`, where `v` is 1 at the diagonal
//! and the diagonal of `R` has the opposite sign of the element that it takes the place of.

use super::matrix::Round;
use crate::ir::ValueId;
use crate::ops::{Lower, Refusal};

/// What `geqrf` gives of matrices `[batch, m, n]`: `R` with the vectors below its diagonal, and the factors `tau`,
/// `[batch, min(m, n)]`.
pub(super) fn factor(cx: &mut Lower, a: ValueId) -> Result<(ValueId, ValueId), Refusal> {
    let sizes = cx.sizes(a);
    let (batch, m, n) = (sizes[0], sizes[1], sizes[2]);
    let (rows, columns) = (cx.row_numbers(m), cx.column_numbers(n));
    let results = cx.rounds(m.min(n), &[a], |cx, number, state| {
        let a = state[0];
        let column = cx.pick(a, number, 2);
        let alpha = cx.pick(column, number, 1);
        let squares = cx.formula([rows, number, column], |[rows, number, column]| {
            rows.greater(number).select(column * column, 0.0)
        });
        let below = cx.sum_along(squares, 1);
        let beta = cx.formula([alpha, below], |[alpha, below]| {
            let norm = (alpha * alpha + below).sqrt();
            // LAPACK leaves a column alone that is zero below the diagonal.
            below.equal(0.0).select(alpha, alpha.less(0.0).select(norm, -norm))
        });
        let tau = cx.formula([alpha, beta, below], |[alpha, beta, below]| {
            below.equal(0.0).select(0.0, (beta - alpha) / beta)
        });
        let vector = cx.formula(
            [rows, number, column, alpha, beta, below],
            |[rows, number, column, alpha, beta, below]| {
                let scale = below.equal(0.0).select(1.0, alpha - beta);
                let one = rows.equal(number).select(column.beside(1.0), 0.0);
                rows.greater(number).select(column / scale, one)
            },
        );
        let transposed = cx.transposed(vector);
        let along = cx.matrix_product(transposed, a);
        let reflected = cx.formula(
            [columns, number, tau, vector, along, a],
            |[columns, number, tau, vector, along, a]| {
                a - vector * (columns.greater(number).select(along, 0.0) * tau)
            },
        );
        let stored =
            cx.formula([rows, number, column, vector, beta], |[rows, number, column, vector, beta]| {
                let above = rows.equal(number).select(beta, column);
                rows.greater(number).select(vector, above)
            });
        let a = cx.formula([columns, number, stored, reflected], |[columns, number, stored, reflected]| {
            columns.equal(number).select(stored, reflected)
        });
        Ok(Round { state: vec![a], left: vec![tau] })
    })?;
    let tau = cx.reshape(results[1], &[m.min(n), batch]);
    let tau = cx.transpose(tau, &[1, 0]);
    Ok((results[0], tau))
}

/// `Q * C` or `Q^T * C` for the product `Q` of the reflections that `geqrf` left in `vectors` and `tau`,
/// `[batch, m, k]` or more columns, and `[batch, k]`.
pub(super) fn apply(
    cx: &mut Lower,
    vectors: ValueId,
    tau: ValueId,
    c: ValueId,
    transpose: bool,
) -> Result<ValueId, Refusal> {
    let (batch, m) = (cx.sizes(vectors)[0], cx.sizes(vectors)[1]);
    let count = cx.sizes(tau)[1];
    if count == 0 {
        return Ok(c);
    }
    let rows = cx.row_numbers(m);
    let tau = cx.reshape(tau, &[batch, 1, count]);
    let results = cx.rounds(count, &[c], |cx, number, state| {
        // The first reflection of the product is the last that is applied.
        let number = if transpose { number } else { cx.formula([number], |[number]| -number + (count - 1)) };
        let column = cx.pick(vectors, number, 2);
        let vector = cx.formula([rows, number, column], |[rows, number, column]| {
            let one = rows.equal(number).select(column.beside(1.0), 0.0);
            rows.greater(number).select(column, one)
        });
        let factor = cx.pick(tau, number, 2);
        let transposed = cx.transposed(vector);
        let along = cx.matrix_product(transposed, state[0]);
        let c = cx.formula([state[0], vector, along, factor], |[c, vector, along, factor]| {
            c - vector * (along * factor)
        });
        Ok(Round { state: vec![c], left: Vec::new() })
    })?;
    Ok(results[0])
}

/// The first `columns` columns of the product of the reflections.
pub(super) fn product(
    cx: &mut Lower,
    vectors: ValueId,
    tau: ValueId,
    columns: i64,
) -> Result<ValueId, Refusal> {
    let (element, sizes) = (cx.element(vectors), cx.sizes(vectors));
    let identity = cx.identity_matrix(element, sizes[1], columns);
    let identity = cx.broadcast_to(identity, &[sizes[0], sizes[1], columns]);
    apply(cx, vectors, tau, identity, false)
}
