//! Images: sizes of two dimensions are scaled.

use super::axis;
use crate::ir::{Dim, Element, OpId, onnx};
use crate::ops::{Lower, LowerError, Lowered};

/// The element at `i` is the one at `i / scale`, rounded down.
pub(super) fn repeat(cx: &mut Lower, op: OpId) -> Lowered {
    let scales = cx.attributes(op).integers("scales")?;
    let (x, (element, dims)) = (cx.full(op, 0)?, cx.result_dims(op, 0)?);
    let bytes: Vec<u8> = scales.iter().flat_map(|&scale| (scale as f32).to_le_bytes()).collect();
    let scales = cx.constant(Element::F32, &[scales.len() as i64], &bytes);
    let absent = cx.module.absent();
    let node = cx.node(onnx::RESIZE, &[x, absent, scales]).string("mode", "nearest");
    let node = node.string("coordinate_transformation_mode", "asymmetric").string("nearest_mode", "floor");
    Ok(node.out(element, &dims).into())
}

/// Interpolates linearly. ONNX Runtime only interpolates images: batches of rows and columns, with channels before or
/// after.
pub(super) fn interpolate(cx: &mut Lower, op: OpId) -> Lowered {
    let scales = cx.attributes(op).integers("scales")?;
    let (x, (element, dims)) = (cx.full(op, 0)?, cx.result_dims(op, 0)?);
    let scaled: Vec<usize> = (0..dims.len()).filter(|&axis| scales[axis] != 1).collect();
    let &[first, second] = &scaled[..] else {
        return Err(LowerError::form("scales for more or fewer than two dimensions"));
    };
    if second != first + 1 {
        return Err(LowerError::form("scaled dimensions that are not adjacent"));
    }
    let own = cx.dims(x);
    let is_image = dims.len() == 4 && first > 0;
    let image = |cx: &Lower, dims: &[Dim]| {
        let product = |dims: &[Dim]| cx.module.dim_exprs.product(dims.iter().copied());
        [product(&dims[..first]), dims[first], dims[second], product(&dims[second + 1..])]
    };
    let (read, factors, sizes) = if is_image {
        (x, scales, dims.to_vec())
    } else {
        let (before, after) = (image(cx, &own), image(cx, &dims));
        (cx.reshape(x, &before), vec![1, scales[first], scales[second], 1], after.to_vec())
    };
    let bytes: Vec<u8> = factors.iter().flat_map(|&scale| (scale as f32).to_le_bytes()).collect();
    let factors = cx.constant(Element::F32, &[4], &bytes);
    let absent = cx.module.absent();
    let node = cx.node(onnx::RESIZE, &[read, absent, factors]).string("mode", "linear");
    let node = node.string("coordinate_transformation_mode", "half_pixel");
    let resized = node.out(element, &sizes);
    Ok(cx.reshape(resized, &dims).into())
}

/// Multiplies the dimension `axis` and the next one by a matrix each.
pub(super) fn resample(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = axis(cx, op)?;
    let operands = cx.fulls(op)?;
    let [x, rows, columns] = operands[..] else {
        return Err(LowerError::form("more or fewer than two matrices"));
    };
    let (element, dims) = (cx.element(x), cx.result_dims(op, 0)?.1);
    let rank = dims.len() as i64;
    let last: Vec<i64> = (0..axis).chain(axis + 2..rank).chain([axis, axis + 1]).collect();
    let back: Vec<i64> = (0..axis).chain([rank - 2, rank - 1]).chain(axis..rank - 2).collect();
    let image = cx.transpose(x, &last);
    let mut sizes = cx.dims(image);
    sizes[rank as usize - 1] = dims[axis as usize + 1];
    let wide = cx.node(onnx::MAT_MUL, &[image, columns]).out(element, &sizes);
    let may_be_empty = |&dim: &Dim| cx.module.dim_exprs.bounds(dim).0.is_none_or(|least| least < 1);
    if sizes[..rank as usize - 2].iter().any(may_be_empty) {
        // ONNX Runtime does not broadcast a matrix on the left to an empty batch of images.
        let rows = cx.operand(op, 1)?;
        let turned: Vec<i64> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
        let tall = cx.transpose(wide, &turned);
        let mut sizes = cx.dims(tall);
        sizes[rank as usize - 1] = dims[axis as usize];
        let resampled = cx.node(onnx::MAT_MUL, &[tall, rows]).out(element, &sizes);
        let back: Vec<i64> = (0..axis).chain([rank - 1, rank - 2]).chain(axis..rank - 2).collect();
        return Ok(cx.transpose(resampled, &back).into());
    }
    sizes[rank as usize - 2] = dims[axis as usize];
    let rows = cx.transpose(rows, &[1, 0]);
    let resampled = cx.node(onnx::MAT_MUL, &[rows, wide]).out(element, &sizes);
    Ok(cx.transpose(resampled, &back).into())
}
