//! Factors and products that are updated, as the libraries of GPUs do it.

use super::lapack::Call;
use super::matrix::{Iteration, Matrix, of_batch};
use crate::ops::{Lower, LowerError, Lowered};

/// `alpha * A * A^T + beta * C` below the diagonal and on it. What is above stays as it is in `C`.
pub(super) fn syrk(cx: &mut Lower, call: &Call) -> Lowered {
    if call.complex {
        return Err(LowerError::form("a symmetric product of complex numbers"));
    }
    let transpose = call.number(cx, "transpose")? != 0;
    let n = call.square(cx, 1)?;
    let (a, c) = (call.matrix(cx, 0, call.element)?, call.matrix(cx, 1, call.element)?);
    let (alpha, beta) = (call.scalar(cx, 2)?, call.scalar(cx, 3)?);
    let other = cx.transposed(a);
    let (left, right) = if transpose { (other, a) } else { (a, other) };
    if left.size(cx, 1)? != n {
        return Err(LowerError::form("matrices with incompatible sizes"));
    }
    let product = cx.matrix_product(left, right);
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let updated = cx
        .numbers([rows, columns, product, c, alpha, beta], |[rows, columns, product, c, alpha, beta]| {
            rows.less(columns).select(c, product * alpha + c * beta)
        });
    call.results(cx, &[updated])
}

/// The upper Cholesky factor of `R^T * R + w * w^T`, and the rest of `w` after the rotations.
pub(super) fn cholesky_update(cx: &mut Lower, call: &Call) -> Lowered {
    if call.complex {
        return Err(LowerError::form("an update of complex numbers"));
    }
    let n = call.square(cx, 0)?;
    let r = call.matrix(cx, 0, call.element)?;
    let w = call.list(cx, 1, call.element)?;
    let batch = r.dims(cx)[0];
    let w: Matrix = w.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[1, n])));
    let rows = cx.row_numbers(n);
    let results = cx.rounds(n, &[r, w], |cx, number, state| {
        let row = cx.pick(state[0], number, 1);
        let (x, y) = (cx.pick(row, number, 2), cx.pick(state[1], number, 2));
        // Divided by the larger one, whose square may overflow.
        let [cosine, sine] = cx.number_lists([x, y], |[x, y]| {
            let larger = x.abs().max(y.abs());
            let larger = larger.equal(0.0).select(1.0, larger);
            let (x, y) = (x / larger, y / larger);
            let length = (x * x + y * y).sqrt();
            let none = y.equal(0.0);
            [none.select(x.beside(1.0), x / length), none.select(0.0, y / length)]
        });
        let new = cx.numbers([row, state[1], cosine, sine], |[row, w, c, s]| c * row + s * w);
        let w = cx.numbers([row, state[1], cosine, sine], |[row, w, c, s]| c * w - s * row);
        let r = cx.numbers([rows, number, new, state[0]], |[rows, number, new, r]| {
            rows.equal(number).select(new, r)
        });
        Ok(Iteration { state: vec![r, w], left: Vec::new() })
    })?;
    call.results(cx, &results[..2])
}
