//! Cholesky factors, column by column.
//!
//! Column `j` of `L` is that of `A` less `L` times row `j` of `L`, divided by the root of its diagonal element. Only
//! the lower triangle of `A` is read. A diagonal element that is not positive is where the matrix is found not to be
//! positive definite; the columns from there on mean nothing.

use super::matrix::Round;
use crate::ir::{Element, ValueId};
use crate::ops::{Lower, Refusal};

/// `L` with zeros above its diagonal, and for each matrix, `[batch, 1, 1]`, the number of the first column, from 1,
/// at which it is not positive definite, or 0.
pub(super) fn factor(cx: &mut Lower, a: ValueId) -> Result<(ValueId, ValueId), Refusal> {
    let (element, sizes) = (cx.element(a), cx.sizes(a));
    let n = sizes[1];
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let zero = cx.scalar(element, 0.0);
    let start = cx.broadcast_to(zero, &sizes);
    let fine = cx.integer(Element::I64, 0);
    let fine = cx.broadcast_to(fine, &[sizes[0], 1, 1]);
    let results = cx.rounds(n, &[start, fine], |cx, number, state| {
        let (l, info) = (state[0], state[1]);
        let row = cx.pick(l, number, 1);
        let row = cx.transposed(row);
        let known = cx.matrix_product(l, row);
        let column = cx.pick(a, number, 2);
        let rest = cx.elementwise("Sub", &[column, known]);
        let pivot = cx.pick(rest, number, 1);
        let new = cx.formula([rest, pivot, rows, number], |[rest, pivot, rows, number]| {
            rows.less(number).select(0.0, rest / pivot.sqrt())
        });
        let l = cx.formula([columns, number, new, l], |[columns, number, new, l]| {
            columns.equal(number).select(new, l)
        });
        let info = cx.formula([info, pivot, number], |[info, pivot, number]| {
            (info.equal(0i64) & !pivot.greater(0.0)).select(number + 1i64, info)
        });
        Ok(Round { state: vec![l, info], left: Vec::new() })
    })?;
    Ok((results[0], results[1]))
}
