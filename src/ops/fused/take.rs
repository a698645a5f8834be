//! Rows or elements at positions along an axis, or a number where a position is out of range.

use crate::ir::{Data, Dim, Element, OpId, ValueId, onnx, provenance};
use crate::ops::elementwise::select;
use crate::ops::{Lower, LowerError, Lowered};

/// The most bytes of a table that is stored twice to save a comparison and a selection.
const LARGEST_DOUBLED_TABLE: usize = 1 << 16;

/// The operands are a tensor, positions that count from the end where they are negative, and what stands for an
/// element that the tensor does not have.
pub(super) fn take(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = super::axis(cx, op)?;
    let (element, dims) = cx.result_dims(op, 0)?;
    if dims.contains(&Dim::Known(0)) {
        return Ok(cx.empty_tensor(element, &dims).into());
    }
    let (x, fill) = (cx.full(op, 0)?, cx.operand(op, 2)?);
    let (positions, size) = positions(cx, op, x, axis)?;
    let range = cx.range(positions);
    if range.low >= -size && range.high < size {
        return Ok(gather(cx, x, positions, axis, &dims).into());
    }
    if let Some(table) = doubled(cx, x, fill, axis as usize) {
        let positions = within(cx, positions, -size - 1, size);
        return Ok(gather(cx, table, positions, axis, &dims).into());
    }
    let inside = within(cx, positions, -size, size - 1);
    let gathered = gather(cx, x, inside, axis, &dims);
    let is_inside = cx.formula([inside, positions], |[inside, position]| inside.equal(position));
    let trailing = cx.rank(x) - 1 - axis as usize;
    let mut places = cx.dims(positions);
    places.extend(std::iter::repeat_n(Dim::Known(1), trailing));
    let is_inside = cx.reshape(is_inside, &places);
    Ok(select(cx, is_inside, gathered, fill).into())
}

/// The operands are a tensor, positions along an axis for each element of the result, which count from the end where they are
/// negative, and what stands for an element that the tensor does not have.
pub(super) fn take_along_axis(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = super::axis(cx, op)?;
    let (element, dims) = cx.result_dims(op, 0)?;
    if dims.contains(&Dim::Known(0)) {
        return Ok(cx.empty_tensor(element, &dims).into());
    }
    let (x, fill) = (cx.full(op, 0)?, cx.operand(op, 2)?);
    let (positions, size) = positions(cx, op, x, axis)?;
    let range = cx.range(positions);
    let fits = range.low >= -size && range.high < size;
    let inside = if fits { positions } else { within(cx, positions, -size, size - 1) };
    // Not all runtimes count from the end here.
    let counted = if range.low < 0 {
        let modulus = cx.integer(cx.element(positions), size);
        cx.elementwise(onnx::MOD, &[inside, modulus])
    } else {
        inside
    };
    let gathered = cx.node(onnx::GATHER_ELEMENTS, &[x, counted]).int("axis", axis).out(element, &dims);
    if fits {
        return Ok(gathered.into());
    }
    let is_inside = cx.formula([inside, positions], |[inside, position]| inside.equal(position));
    Ok(select(cx, is_inside, gathered, fill).into())
}

/// The positions as `i32` or `i64`, and the size of the axis.
fn positions(cx: &mut Lower, op: OpId, x: ValueId, axis: i64) -> Result<(ValueId, i64), LowerError> {
    let size = cx.dims(x)[axis as usize].known();
    let size = size.ok_or_else(|| LowerError::form("an axis of unknown size"))?;
    let positions = cx.full(op, 1)?;
    let is_index = matches!(cx.element(positions), Element::I32 | Element::I64);
    Ok((if is_index { positions } else { cx.cast(positions, Element::I32) }, size))
}

fn within(cx: &mut Lower, positions: ValueId, low: i64, high: i64) -> ValueId {
    let [low, high] = [low, high].map(|bound| cx.integer(cx.element(positions), bound));
    cx.bounded(positions, low, high)
}

fn gather(cx: &mut Lower, x: ValueId, positions: ValueId, axis: i64, dims: &[Dim]) -> ValueId {
    let element = cx.element(x);
    cx.node(onnx::GATHER, &[x, positions]).int("axis", axis).out(element, dims)
}

/// The constant, the number, and the constant again, along an axis. One step past either end is the number.
fn doubled(cx: &mut Lower, x: ValueId, fill: ValueId, axis: usize) -> Option<ValueId> {
    let element = cx.element(x);
    let sizes = cx.sizes(x).ok()?;
    let data = &cx.module.constant(cx.module.constant_of(x)?).data;
    let fill = &cx.module.constant(cx.module.constant_of(fill)?).data;
    let count: i64 = sizes.iter().product();
    let width = element.bytes();
    // What is in a file of weights stays there. Bytes in a file of bytecode are treated as those of a text.
    let is_weight = matches!(data, Data::Mapped(_))
        && cx.module.defining_op(x).is_some_and(|op| provenance::weight_name(cx.module, op).is_some());
    if count as usize * width > LARGEST_DOUBLED_TABLE || is_weight {
        return None;
    }
    let (table, fill) = (data.bytes(cx.source, count as usize, width), fill.bytes(cx.source, 1, width));
    let block = sizes[axis..].iter().product::<i64>() as usize * width;
    let row = fill[..width].repeat(block / width / sizes[axis] as usize);
    let mut bytes = Vec::with_capacity(2 * table.len() + table.len() / block * row.len());
    for block in table.chunks_exact(block) {
        bytes.extend_from_slice(block);
        bytes.extend_from_slice(&row);
        bytes.extend_from_slice(block);
    }
    let mut dims = sizes;
    dims[axis] = 2 * dims[axis] + 1;
    let table = cx.constant(element, &dims, &bytes);
    cx.module.inherit_origin(x, table);
    Some(table)
}
