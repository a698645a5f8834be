//! Balances matrices before their eigenvalues are computed, like LAPACK's `gebal`.
//!
//! Permutes rows and columns to expose isolated eigenvalues. A row that is zero except for its diagonal element has
//! that eigenvalue; it moves last, and the search continues in the rest. The same holds for columns, which move
//! first. This keeps zeros and exposed eigenvalues exact.
//!
//! The remaining rows and columns are scaled by powers of two to similar norms.

use super::hessenberg::Basis;
use super::jacobi::any_above;
use super::matrix::{Iteration, Matrix, of_batch};
use crate::ir::{Element, onnx};
use crate::ops::{Lower, LowerError};

/// What the search looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    Row,
    Column,
}

/// The matrices in that order, and the columns of `z` in the same, and the numbers of the first and of the last row
/// of the rest, `[batch, 1, 1]`.
pub(super) fn permute(cx: &mut Lower, basis: Basis) -> Result<(Basis, [Matrix; 2]), LowerError> {
    let (batch, n, _) = basis.a.extents(cx)?;
    let low = cx.integer_each(batch, 0);
    let high = cx.integer_each(batch, n - 1);
    let (basis, high) = search(cx, basis, low, high, Alone::Row)?;
    let (basis, low) = search(cx, basis, low, high, Alone::Column)?;
    Ok((basis, [low, high]))
}

/// The maximum number of passes over all rows.
const PASSES: i64 = 10;

/// How large the factors become, as powers of two: their squares are numbers.
const BOUND: f64 = (1_u128 << 120) as f64;

/// The matrices `D^-1 * A * D`, and the diagonals `D`, `[batch, 1, n]`.
pub(super) fn scale(
    cx: &mut Lower,
    a: Matrix,
    [low, high]: [Matrix; 2],
) -> Result<(Matrix, Matrix), LowerError> {
    let (batch, n, _) = a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let one = cx.scalar(Element::F64, 1.0);
    let ones = cx.broadcast_to(one, &of_batch(batch, &[1, n])).into();
    let nothing = cx.zeros(ones, &of_batch(batch, &[1, 1]));
    let yes = cx.truth();
    let results = cx.repeat(PASSES, yes, &[a, ones], |cx, _, _, state| {
        let passed = cx.rounds(n, &[state[0], state[1], nothing], |cx, number, state| {
            let (column, row) = (cx.pick(state[0], number, 2), cx.pick(state[0], number, 1));
            let column = cx.numbers([rows, low, high, column], |[rows, low, high, column]| {
                (rows.greater_equal(low) & rows.less_equal(high)).select(column.square(), 0.0)
            });
            let row = cx.numbers([columns, low, high, row], |[columns, low, high, row]| {
                (columns.greater_equal(low) & columns.less_equal(high)).select(row.square(), 0.0)
            });
            let (column, row) = (cx.sum_along(column, 1), cx.sum_along(row, 2));
            let own = cx.pick(state[1], number, 2);
            let factor =
                cx.numbers([number, low, high, column, row, own], |[number, low, high, column, row, own]| {
                    let (c, r) = (column.sqrt(), row.sqrt());
                    let ratio = (r.log() - c.log()) / (2.0 * std::f64::consts::LN_2);
                    // LAPACK doubles the column and halves the row while the column is less than half of the row, and
                    // vice versa.
                    let up = -(-(ratio - 0.5)).floor();
                    let down = (-ratio - 0.5).floor() + 1.0;
                    let power = ratio.greater(0.0).select(up.max(0.0), -down.max(0.0));
                    let factor = power.power_of_two();
                    let total = own * factor;
                    let worth = (c * factor + r / factor).less((c + r) * 0.95);
                    let bounded = total.less(BOUND) & total.greater(1.0 / BOUND);
                    let inside = low.less_equal(number) & high.greater_equal(number);
                    let there = c.greater(0.0) & r.greater(0.0);
                    (inside & there & worth & bounded).select(factor, 1.0)
                });
            let a = cx.numbers(
                [rows, columns, number, factor, state[0]],
                |[rows, columns, number, factor, a]| {
                    let a = rows.equal(number).select(a / factor, a);
                    columns.equal(number).select(a * factor, a)
                },
            );
            let d = cx.numbers([columns, number, factor, state[1]], |[columns, number, factor, d]| {
                columns.equal(number).select(d * factor, d)
            });
            let changed =
                cx.numbers([factor, state[2]], |[factor, changed]| factor.equal(1.0).select(changed, 1.0));
            Ok(Iteration { state: vec![a, d, changed], left: Vec::new() })
        })?;
        let again = any_above(cx, passed[2], 0.0);
        Ok((again, Iteration { state: passed[..2].to_vec(), left: Vec::new() }))
    })?;
    Ok((results[0], results[1]))
}

/// Searches between rows and columns `low` and `high`, `[batch, 1, 1]`, and returns the new bound.
fn search(
    cx: &mut Lower,
    basis: Basis,
    low: Matrix,
    high: Matrix,
    alone: Alone,
) -> Result<(Basis, Matrix), LowerError> {
    let (batch, n, _) = basis.a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let with_z = basis.z.is_some();
    let moving = if alone == Alone::Row { high } else { low };
    let state = [basis.state(), vec![moving]].concat();
    let yes = cx.truth();
    let results = cx.repeat(n - 1, yes, &state, |cx, _, _, state| {
        let (basis, moving) = (Basis::of_state(state, with_z), state[state.len() - 1]);
        let (low, high) = if alone == Alone::Row { (low, moving) } else { (moving, high) };
        let others = cx.numbers([rows, columns, low, high, basis.a], |[rows, columns, low, high, a]| {
            let across = if alone == Alone::Row { columns } else { rows };
            let inside = across.greater_equal(low) & across.less_equal(high) & !rows.equal(columns);
            inside.select(a.size(), 0.0)
        });
        let sums = cx.sum_along(others, if alone == Alone::Row { 2 } else { 1 });
        let along = if alone == Alone::Row { rows } else { columns };
        // LAPACK takes the last row, and the first column.
        let found = cx.numbers([along, low, high, sums], |[along, low, high, sums]| {
            let fits = along.greater_equal(low) & along.less_equal(high) & sums.equal(0.0);
            // The last one is already in its place.
            let fits = fits & low.less(high);
            if alone == Alone::Row { fits.select(along, -1i64) } else { fits.select(-along, -n) }
        });
        let found = cx.reduce_along(onnx::REDUCE_MAX, found, &[1, 2]);
        let missing = if alone == Alone::Row { -1 } else { -n };
        let there = cx.numbers([found], |[found]| !found.equal(missing));
        let place = cx.numbers([found, there, moving], |[found, there, moving]| {
            there.select(if alone == Alone::Row { found } else { -found }, moving)
        });
        let order = cx.numbers([columns, place, moving], |[columns, place, moving]| {
            columns.equal(place).select(moving, columns.equal(moving).select(place, columns))
        });
        let row_order = order.map(cx, |cx, order| cx.reshape(order, &of_batch(batch, &[n, 1])));
        let a = cx.reordered(basis.a, row_order, 1);
        let a = cx.reordered(a, order, 2);
        let z = basis.z.map(|z| cx.reordered(z, order, 2));
        let moved = cx.numbers([there, moving], |[there, moving]| {
            there.select(if alone == Alone::Row { moving - 1i64 } else { moving + 1i64 }, moving)
        });
        let measure = cx.numbers([there], |[there]| there.cast(Element::F64));
        let again = any_above(cx, measure, 0.0);
        let next = [Basis { a, z }.state(), vec![moved]].concat();
        Ok((again, Iteration { state: next, left: Vec::new() }))
    })?;
    Ok((Basis::of_state(&results, with_z), results[results.len() - 1]))
}
