//! Rules of the ops that the pass `fuse` makes.

use super::Inferred;
use super::typing::{Typing, attribute, one, tensor};
use crate::ir::Dim;

/// The result has the type of the first operand.
pub(in crate::ops) fn first(t: &Typing) -> Inferred {
    one(t.operand(0)?.clone())
}

/// One weighted sum of values for each query.
pub(in crate::ops) fn attention(t: &Typing) -> Inferred {
    let [queries, keys, values] = [t.operand(0)?, t.operand(1)?, t.operand(2)?];
    for (index, ty) in [queries, keys, values].into_iter().enumerate() {
        if ty.rank() < 4 || ty.rank() != queries.rank() {
            return Err(t.wrong_operand(index, ty, "have at least four dimensions, as many as the others"));
        }
        t.same_element(0, index)?;
    }
    let mut dims = queries.dims.clone();
    if let (Some(depth), Some(&features)) = (dims.last_mut(), values.dims.last()) {
        *depth = features;
    }
    one(tensor(queries.element, dims))
}

/// Each dimension is scaled.
pub(in crate::ops) fn repeat(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let scales = t.attributes().integers_of("scales", operand.rank())?;
    if scales.iter().any(|&scale| scale < 1) {
        return attribute("scales", "a scale must be at least 1");
    }
    let dims = operand.dims.iter().zip(scales);
    let sizes = dims.map(|(&dim, scale)| t.module.dim_exprs.multiply(dim, Dim::Known(scale)));
    one(tensor(operand.element, sizes))
}

/// Two dimensions get the sizes of their matrices.
pub(in crate::ops) fn resample(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let [axis] = t.attributes().integers_of("axis", 1)?[..] else {
        return attribute("axis", "expected one dimension");
    };
    let mut dims = operand.dims.clone();
    for (axis, matrix) in (axis..).zip([t.operand(1)?, t.operand(2)?]) {
        let size = usize::try_from(axis).ok().and_then(|axis| dims.get_mut(axis));
        let (Some(size), [from, to]) = (size, &matrix.dims[..]) else {
            return attribute("axis", "it and the next dimension need a matrix each");
        };
        if size != from {
            return attribute("axis", "its size is not the first size of its matrix");
        }
        *size = *to;
    }
    one(tensor(operand.element, dims))
}

/// One element for each position.
pub(in crate::ops) fn take_along_axis(t: &Typing) -> Inferred {
    let (operand, positions) = (t.operand(0)?, t.operand(1)?);
    one(tensor(operand.element, positions.dims.clone()))
}

/// An axis becomes the dimensions of the positions.
pub(in crate::ops) fn take(t: &Typing) -> Inferred {
    let (operand, positions) = (t.operand(0)?, t.operand(1)?);
    let axis = t.attributes().integer("axis")?;
    let Some(axis) = usize::try_from(axis).ok().filter(|&axis| axis < operand.rank()) else {
        return attribute("axis", "it is not a dimension of the operand");
    };
    let dims = [&operand.dims[..axis], &positions.dims[..], &operand.dims[axis + 1..]].concat();
    one(tensor(operand.element, dims))
}
