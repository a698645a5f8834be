//! LU factors with the pivots that LAPACK's `getrf` takes: the first of the largest in each column.

use super::matrix::{Iteration, Matrix, of_batch};
use crate::ir::{Element, onnx};
use crate::ops::{Lower, LowerError};

/// The outputs of `getrf` for matrices `[batch, m, n]`.
pub(super) struct LuFactors {
    /// `L` below the diagonal, without its ones, and `U` from the diagonal on.
    pub factors: Matrix,
    /// The row that each row was exchanged with, from 1: `i32`, `[batch, min(m, n)]`.
    pub pivots: Matrix,
    /// The number of the first column, from 1, with a pivot that is zero, or 0: `[batch, 1, 1]`.
    pub info: Matrix,
}

pub(super) fn factor(cx: &mut Lower, a: Matrix) -> Result<LuFactors, LowerError> {
    let (batch, m, n) = a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(m), cx.column_numbers(n));
    let fine = cx.integer_each(batch, 0);
    let results = cx.rounds(m.min(n), &[a, fine], |cx, number, state| {
        let (a, info) = (state[0], state[1]);
        let column = cx.pick(a, number, 2);
        let candidates = cx.numbers([rows, number, column], |[rows, number, column]| {
            rows.less(number).select(-1.0, column.size())
        });
        let place = cx.place_of_largest(candidates, 1);
        // If all candidates are NaN none is the largest, and an earlier row would be wrong.
        let place = cx.numbers([place, number], |[place, number]| place.less(number).select(number, place));
        let upper = cx.pick(a, number, 1);
        let lower = a.map(cx, |cx, part| {
            let (element, index) = (cx.element(part), cx.reshape(place.re, &of_batch(batch, &[1])));
            let row = cx
                .node(onnx::GATHER_ND, &[part, index])
                .int("batch_dims", 1)
                .out(element, &of_batch(batch, &[n]));
            cx.reshape(row, &of_batch(batch, &[1, n]))
        });
        // Row `number` from now on is `lower`, and the one it came from is `upper`.
        let pivot = cx.pick(lower, number, 2);
        let first = cx.pick(upper, number, 2);
        let exchanged =
            cx.numbers([rows, place, upper, a], |[rows, place, upper, a]| rows.equal(place).select(upper, a));
        let multipliers = cx.numbers(
            [rows, number, place, first, column, pivot],
            |[rows, number, place, first, column, pivot]| {
                let below = rows.equal(place).select(first, column);
                let scaled = pivot.equal(0.0).select(below, below / pivot);
                rows.greater(number).select(scaled, 0.0)
            },
        );
        let rest = cx.numbers([columns, number, lower], |[columns, number, lower]| {
            columns.greater(number).select(lower, 0.0)
        });
        let updated =
            cx.numbers([exchanged, multipliers, rest], |[a, multipliers, rest]| a - multipliers * rest);
        let a = cx.numbers(
            [rows, columns, number, lower, multipliers, updated],
            |[rows, columns, number, lower, multipliers, updated]| {
                let kept = (rows.greater(number) & columns.equal(number)).select(multipliers, updated);
                rows.equal(number).select(lower, kept)
            },
        );
        let info = cx.numbers([info, pivot, number], |[info, pivot, number]| {
            (info.equal(0i64) & pivot.equal(0.0)).select(number + 1i64, info)
        });
        let chosen = cx.numbers([place], |[place]| place + 1i64);
        let chosen = cx.reshape(chosen.re, &[batch]).into();
        Ok(Iteration { state: vec![a, info], left: vec![chosen] })
    })?;
    let pivots = cx.transpose(results[2].re, &[1, 0]);
    let pivots = cx.cast(pivots, Element::I32).into();
    Ok(LuFactors { factors: results[0], pivots, info: results[1] })
}

/// The permutation of `rows` rows for the exchanges in `pivots`, `[batch, k]` from 0: `[batch, 1, rows]`.
pub(super) fn permutation(cx: &mut Lower, pivots: Matrix, rows: i64) -> Result<Matrix, LowerError> {
    let (batch, count) = (pivots.dims(cx)[0], pivots.size(cx, 1)?);
    let pivots = pivots.map(cx, |cx, part| {
        let part = cx.cast(part, Element::I64);
        cx.reshape(part, &of_batch(batch, &[1, count]))
    });
    let columns = cx.column_numbers(rows);
    let order = columns.map(cx, |cx, order| cx.broadcast_to(order, &of_batch(batch, &[1, rows])));
    let results = cx.rounds(count, &[order], |cx, number, state| {
        let place = cx.pick(pivots, number, 2);
        let exchange = cx.numbers([columns, place, number], |[columns, place, number]| {
            // A row that is not there is read as the last one, as JAX does on a CPU.
            let last = place.beside(rows - 1);
            let read = last.less(place).select(last, place);
            columns.equal(place).select(number, columns.equal(number).select(read, columns))
        });
        let order = cx.reordered(state[0], exchange, 2);
        Ok(Iteration { state: vec![order], left: Vec::new() })
    })?;
    Ok(results[0])
}
