//! Solutions of triangular systems by substitution, row by row.

use super::matrix::{Iteration, Matrix};
use crate::ops::{Lower, LowerError};

/// Which system is solved: `op(A) * X = B`, or `X * op(A) = B`.
#[derive(Clone, Copy)]
pub(super) struct System {
    /// Whether `A` is to the left of `X`.
    pub left: bool,
    /// Whether the lower triangle of `A` is read, or else the upper one.
    pub lower: bool,
    /// Whether `op` transposes.
    pub transpose: bool,
    /// Whether `op` takes complex conjugates.
    pub conjugate: bool,
    /// Whether the diagonal is taken for ones, and not read.
    pub unit: bool,
}

/// `X`, of matrices `[batch, n, n]` and `[batch, n, k]`, or `[batch, k, n]` where `A` is on the right.
pub(super) fn solve(cx: &mut Lower, system: System, a: Matrix, b: Matrix) -> Result<Matrix, LowerError> {
    let System { left, mut lower, transpose, conjugate, unit } = system;
    let mut a = if conjugate { cx.conjugate(a) } else { a };
    // X * op(A) = B is op(A)^T * X^T = B^T.
    if transpose == left {
        a = cx.transposed(a);
        lower = !lower;
    }
    let b = if left { b } else { cx.transposed(b) };
    let x = substitute(cx, lower, unit, a, b)?;
    Ok(if left { x } else { cx.transposed(x) })
}

fn substitute(cx: &mut Lower, lower: bool, unit: bool, a: Matrix, b: Matrix) -> Result<Matrix, LowerError> {
    let n = b.size(cx, 1)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    // The other triangle may contain anything, even NaN.
    let strict = cx.numbers([rows, columns, a], |[rows, columns, a]| {
        let inside = if lower { rows.greater(columns) } else { rows.less(columns) };
        inside.select(a, 0.0)
    });
    let start = cx.zeros(b, &b.dims(cx));
    let results = cx.rounds(n, &[start], |cx, number, state| {
        let number = if lower { number } else { cx.numbers([number], |[number]| -number + (n - 1)) };
        let factors = cx.pick(strict, number, 1);
        let known = cx.matrix_product(factors, state[0]);
        let right = cx.pick(b, number, 1);
        let mut new = cx.numbers([right, known], |[right, known]| right - known);
        if !unit {
            let row = cx.pick(a, number, 1);
            let pivot = cx.pick(row, number, 2);
            new = cx.numbers([new, pivot], |[new, pivot]| new / pivot);
        }
        let x = cx.numbers([rows, number, new, state[0]], |[rows, number, new, x]| {
            rows.equal(number).select(new, x)
        });
        Ok(Iteration { state: vec![x], left: Vec::new() })
    })?;
    Ok(results[0])
}
