//! Rows and columns in an order that shows eigenvalues that stand alone, as LAPACK's `gebal` with its option `P`.
//!
//! A row that is zero but for its diagonal element has an eigenvalue there; it goes last, and the search goes on in
//! the rest. The same with columns, which go first. Zeros that a matrix has so stay zeros, and eigenvalues that can be
//! read off stay exact.

use super::hessenberg::Basis;
use super::jacobi::any_above;
use super::matrix::{Matrix, Round};
use crate::ir::Element;
use crate::ops::{Lower, Refusal};

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    Row,
    Column,
}

/// The matrices in that order, and the columns of `z` in the same.
pub(super) fn permute(cx: &mut Lower, basis: Basis) -> Result<Basis, Refusal> {
    let sizes = basis.a.sizes(cx);
    let low = cx.integer_each(sizes[0], 0);
    let high = cx.integer_each(sizes[0], sizes[1] - 1);
    let (basis, high) = search(cx, basis, low, high, Alone::Row)?;
    Ok(search(cx, basis, low, high, Alone::Column)?.0)
}

/// Searches between rows and columns `low` and `high`, `[batch, 1, 1]`, and gives the bound that has moved.
fn search(
    cx: &mut Lower,
    basis: Basis,
    low: Matrix,
    high: Matrix,
    alone: Alone,
) -> Result<(Basis, Matrix), Refusal> {
    let sizes = basis.a.sizes(cx);
    let (batch, n) = (sizes[0], sizes[1]);
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let with_z = basis.z.is_some();
    let moving = if alone == Alone::Row { high } else { low };
    let state = [basis.state(), vec![moving]].concat();
    let yes = cx.integer(Element::I64, 1);
    let yes = cx.numbers([yes.into()], |[yes]| yes.greater(0i64)).re;
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
            // One that is left is in its place.
            let fits = fits & low.less(high);
            if alone == Alone::Row { fits.select(along, -1i64) } else { fits.select(-along, -n) }
        });
        let found = cx.reduce_along("ReduceMax", found, &[1, 2]);
        let missing = if alone == Alone::Row { -1 } else { -n };
        let there = cx.numbers([found], |[found]| !found.equal(missing));
        let place = cx.numbers([found, there, moving], |[found, there, moving]| {
            there.select(if alone == Alone::Row { found } else { -found }, moving)
        });
        let order = cx.numbers([columns, place, moving], |[columns, place, moving]| {
            columns.equal(place).select(moving, columns.equal(moving).select(place, columns))
        });
        let row_order = order.map(cx, |cx, order| cx.reshape(order, &[batch, n, 1]));
        let a = cx.reordered(basis.a, row_order, 1);
        let a = cx.reordered(a, order, 2);
        let z = basis.z.map(|z| cx.reordered(z, order, 2));
        let moved = cx.numbers([there, moving], |[there, moving]| {
            there.select(if alone == Alone::Row { moving - 1i64 } else { moving + 1i64 }, moving)
        });
        let measure = cx.numbers([there], |[there]| there.cast(Element::F64));
        let again = any_above(cx, measure, 0.0);
        let next = [Basis { a, z }.state(), vec![moved]].concat();
        Ok((again, Round { state: next, left: Vec::new() }))
    })?;
    Ok((Basis::of_state(&results, with_z), results[results.len() - 1]))
}
