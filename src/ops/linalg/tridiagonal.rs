//! Tridiagonal systems by elimination with row exchanges, as LAPACK's `gtsv`.
//!
//! Each iteration compares a held row (its diagonal element, the element to the right, and its right side) with the
//! next row of the matrix. The one with the larger subdiagonal magnitude stays; the other one, minus a multiple of
//! it, is held for the next iteration. `U` then has two diagonals above its own, and back substitution solves the
//! rows.

use super::householder::factors_of;
use super::matrix::{Iteration, Matrix, of_batch};
use crate::ir::Dim;
use crate::ops::{Lower, LowerError};

/// The solution, and the diagonals as `gtsv` leaves them.
pub(super) struct TridiagonalSolution {
    /// `[batch, n, k]`.
    pub x: Matrix,
    /// The diagonal of `U`, `[batch, n]`.
    pub diagonal: Matrix,
    /// The diagonal above it, with 0 at the end.
    pub first: Matrix,
    /// The one above that.
    pub second: Matrix,
    /// The number of the first row, from 1, with a zero diagonal element, or 0: `[batch, 1, 1]`.
    pub info: Matrix,
}

/// Solves with the diagonals below, on and above the middle, `[batch, n]`; the first element below and the last one
/// above are not read.
pub(super) fn solve(
    cx: &mut Lower,
    below: Matrix,
    middle: Matrix,
    above: Matrix,
    b: Matrix,
) -> Result<TridiagonalSolution, LowerError> {
    let (element, (batch, n, k)) = (b.element(cx), b.extents(cx)?);
    let zero = cx.scalar(element, 0.0);
    // Rows as [batch, n, 1], with a row of zeros after the last.
    let mut rows = [below, middle, above, b];
    for value in &mut rows {
        if cx.rank(value.re) == 2 {
            *value = value.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[n, 1])));
        }
    }
    let last = cx.row_numbers(n);
    rows[2] = cx.numbers([last, rows[2]], |[row, above]| row.equal(n - 1).select(0.0, above));
    for value in &mut rows {
        *value = value.map(cx, |cx, part| cx.pad(part, &[0; 3], &[0, 1, 0], zero));
    }
    let first = |cx: &mut Lower, value: Matrix| cx.range_of(value, 1, 0, 1);
    let held = [first(cx, rows[1]), first(cx, rows[2]), first(cx, rows[3])];
    let fine = cx.integer_each(batch, 0);
    let eliminated = cx.rounds(n, &[held[0], held[1], held[2], fine], |cx, number, state| {
        let (d, u, right, info) = (state[0], state[1], state[2], state[3]);
        let next = cx.numbers([number], |[number]| number + 1i64);
        let mut rows = rows;
        rows.iter_mut().for_each(|value| *value = cx.pick(*value, next, 1));
        let [low, next_d, next_u, next_right] = rows;
        let stays = cx.numbers([d, low], |[d, low]| d.size().greater_equal(low.size()));
        let factor = cx.numbers([stays, d, low], |[stays, d, low]| {
            let pivot = stays.select(d, low);
            stays.select(low, d) / pivot.equal(0.0).select(1.0, pivot)
        });
        let pivot = cx.numbers([stays, d, low], |[stays, d, low]| stays.select(d, low));
        let one = cx.numbers([stays, u, next_d], |[stays, u, next_d]| stays.select(u, next_d));
        let two = cx.numbers([stays, next_u], |[stays, next_u]| stays.select(0.0, next_u));
        let kept = cx.numbers([stays, right, next_right], |[stays, a, b]| stays.select(a, b));
        let held_d = cx.numbers([stays, u, next_d, factor], |[stays, u, next_d, factor]| {
            stays.select(next_d - factor * u, u - factor * next_d)
        });
        let held_u = cx.numbers([stays, next_u, factor], |[stays, next_u, factor]| {
            stays.select(next_u, -(factor * next_u))
        });
        let held_right = cx.numbers([stays, right, next_right, factor], |[stays, a, b, factor]| {
            stays.select(b - factor * a, a - factor * b)
        });
        let info = cx.numbers([info, pivot, number], |[info, pivot, number]| {
            (info.equal(0i64) & pivot.equal(0.0)).select(number + 1i64, info)
        });
        Ok(Iteration { state: vec![held_d, held_u, held_right, info], left: vec![pivot, one, two, kept] })
    })?;
    let [diagonal, first, second, right] = [eliminated[4], eliminated[5], eliminated[6], eliminated[7]];
    let nothing = cx.zeros(b, &of_batch(batch, &[1, k]));
    let solved = cx.rounds(n, &[nothing, nothing], |cx, number, state| {
        let place = cx.numbers([number], |[number]| -number + (n - 1));
        let mut row = [diagonal, first, second, right];
        for value in &mut row {
            let sizes = value.dims(cx)[1..].to_vec();
            let picked = cx.pick(*value, place, 0);
            *value = picked.map(cx, |cx, part| cx.reshape(part, &sizes));
        }
        let x = cx.numbers([row[0], row[1], row[2], row[3], state[0], state[1]], |[d, u, v, b, x, y]| {
            (b - u * x - v * y) / d
        });
        Ok(Iteration { state: vec![x, state[0]], left: vec![x] })
    })?;
    let x = solved[2].map(cx, |cx, part| {
        let part = cx.reverse(part, &[0]);
        let part = cx.reshape(part, &[Dim::Known(n), batch, Dim::Known(k)]);
        cx.transpose(part, &[1, 0, 2])
    });
    let [diagonal, first, second] = [diagonal, first, second].map(|value| factors_of(cx, value));
    Ok(TridiagonalSolution { x, diagonal, first, second, info: eliminated[3] })
}
