//! Cholesky factors, column by column.
//!
//! Column `j` of `L` is that of `A` minus `L` times the conjugate of row `j` of `L`, divided by the root of its
//! diagonal element. Only reads the lower triangle of `A`, and the real part of its diagonal. A diagonal element that
//! is not positive shows that the matrix is not positive definite; the following columns are meaningless.

use super::matrix::{Iteration, Matrix};
use crate::ops::{Lower, LowerError};

/// `L` with zeros above its diagonal, and for each matrix, `[batch, 1, 1]`, the number of the first column, from 1,
/// at which it is not positive definite, or 0.
pub(super) fn factor(cx: &mut Lower, a: Matrix) -> Result<(Matrix, Matrix), LowerError> {
    let (batch, n, _) = a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let start = cx.zeros(a, &a.dims(cx));
    let fine = cx.integer_each(batch, 0);
    let results = cx.rounds(n, &[start, fine], |cx, number, state| {
        let (l, info) = (state[0], state[1]);
        let row = cx.pick(l, number, 1);
        let row = cx.adjoint(row);
        let known = cx.matrix_product(l, row);
        let column = cx.pick(a, number, 2);
        let rest = cx.numbers([column, known], |[column, known]| column - known);
        let pivot = cx.pick(rest, number, 1);
        let new = cx.numbers([rest, pivot, rows, number], |[rest, pivot, rows, number]| {
            let pivot = pivot.re();
            let rest = if rest.is_complex() { rows.equal(number).select(pivot, rest) } else { rest };
            rows.less(number).select(0.0, rest / pivot.sqrt())
        });
        let l = cx.numbers([columns, number, new, l], |[columns, number, new, l]| {
            columns.equal(number).select(new, l)
        });
        let info = cx.numbers([info, pivot, number], |[info, pivot, number]| {
            (info.equal(0i64) & !pivot.greater(0.0)).select(number + 1i64, info)
        });
        Ok(Iteration { state: vec![l, info], left: Vec::new() })
    })?;
    Ok((results[0], results[1]))
}
