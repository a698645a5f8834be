//! Sorts with an arbitrary comparator: compares all pairs of elements; an element's rank is the number of elements
//! before it.

use crate::ir::{Element, RegionId, ValueId, onnx};
use crate::ops::{Lower, LowerError};

/// Pairs are compared up to this many.
const MOST_PAIRS: i64 = 1 << 22;

/// The indices of the elements along `axis` in their order, of the operands' sizes.
///
/// The later of two elements comes first if the comparator returns true, as in stable sorts. If the comparator is not a
/// strict weak order, the result is unspecified; here every element still occurs once, because the ranks are sorted
/// too.
///
/// # Errors
/// If a size is symbolic or there are too many pairs, and if the comparator is not elementwise.
pub(super) fn order(
    cx: &mut Lower,
    region: RegionId,
    operands: &[ValueId],
    axis: usize,
) -> Result<ValueId, LowerError> {
    let Some(&first) = operands.first() else { return Err(LowerError::form("no operands")) };
    if cx.parameters(region)?.len() != 2 * operands.len() {
        return Err(LowerError::form("a comparator that does not match the number of operands"));
    }
    let sizes = cx.sizes(first)?;
    let (rank, size) = (sizes.len(), sizes[axis]);
    let pairs = sizes.iter().try_fold(size, |pairs, &size| pairs.checked_mul(size));
    if pairs.is_none_or(|pairs| pairs > MOST_PAIRS) {
        return Err(LowerError::form(format!(
            "a comparator that is not a lexicographic order, with more than {MOST_PAIRS} pairs to compare"
        )));
    }
    let last: Vec<i64> = (0..rank).filter(|&dim| dim != axis).chain([axis]).map(|dim| dim as i64).collect();
    let mut moved: Vec<i64> = last.iter().map(|&dim| sizes[dim as usize]).collect();
    let (mut rows, mut columns) = (moved.clone(), moved.clone());
    rows.push(1);
    columns.insert(rank - 1, 1);
    let mut arguments = Vec::with_capacity(2 * operands.len());
    for &operand in operands {
        let operand = cx.transpose(operand, &last);
        arguments.extend([cx.reshape(operand, &rows), cx.reshape(operand, &columns)]);
    }
    moved.push(size);
    let vectorized = cx.vectorize_region(region, &moved)?;
    let before = cx.inline(vectorized, &arguments)?;
    let &[before] = before.as_slice() else {
        return Err(LowerError::form("a comparator without one result"));
    };
    moved.pop();
    // Only the lower triangle remains: whether the later element, the row, passes the earlier one, the column.
    let below = cx.integer(Element::I64, -1);
    let passes = cx.node(onnx::TRILU, &[before, below]).int("upper", 0).like(before);
    let passes = cx.cast(passes, Element::I64);
    let count = |cx: &mut Lower, axis: i64| {
        let axes = cx.int64s(&[axis]);
        cx.node(onnx::REDUCE_SUM, &[passes, axes]).int("keepdims", 0).out(Element::I64, &moved)
    };
    let (passed, passed_by) = (count(cx, -1), count(cx, -2));
    let own = cx.iota(Element::I64, 1, 0, size);
    let place = cx.elementwise(onnx::SUB, &[own, passed]);
    let place = cx.elementwise(onnx::ADD, &[place, passed_by]);
    let (_, order) = cx.top(place, rank - 1, size, false);
    let mut back: Vec<i64> = (0..rank as i64 - 1).collect();
    back.insert(axis, rank as i64 - 1);
    Ok(cx.transpose(order, &back))
}
