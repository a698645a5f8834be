//! Rules of ops with size operands.

use super::Inferred;
use super::movement::{broadcasts, padded, size_scalar};
use super::typing::{Typing, one, tensor, types};
use crate::ir::{Dim, Dims};

/// The sizes in a constant operand; otherwise unknown ones.
fn sizes_from(t: &Typing, index: usize, rank: usize) -> Result<Dims, super::Violation> {
    let unknown = std::iter::repeat_n(Dim::Dynamic, rank).collect();
    let Some(values) = constant(t, index, rank)? else { return Ok(unknown) };
    if values.iter().any(|&size| size < 0) {
        return types(format!("operand {index} contains a negative size"));
    }
    Ok(values.into_iter().map(Dim::Known).collect())
}

/// The elements of a constant operand. A constant of the wrong length violates a rule of its own.
fn constant(t: &Typing, index: usize, length: usize) -> Result<Option<Vec<i64>>, super::Violation> {
    let constant = t.module.constant_of(t.operand_value(index)?);
    let values = constant.and_then(|constant| t.module.constant_integers(constant));
    Ok(values.filter(|values| values.len() == length))
}

pub(in crate::ops) fn get_dimension_size(t: &Typing) -> Inferred {
    t.attributes().dimension("dimension", t.operand(0)?.rank())?;
    one(size_scalar())
}

pub(in crate::ops) fn set_dimension_size(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    t.attributes().dimension("dimension", operand.rank())?;
    t.scalar(1)?;
    t.integer_operand(1)?;
    one(tensor(operand.element, t.result(0)?.dims.clone()))
}

pub(in crate::ops) fn dynamic_reshape(t: &Typing) -> Inferred {
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    t.list(1, result.rank())?;
    let ty = tensor(operand.element, sizes_from(t, 1, result.rank())?);
    let counts = operand.count().zip(ty.count().or(result.count()));
    if counts.is_some_and(|(from, to)| from != to) {
        return types(format!("`{}` and the result differ in their number of elements", t.describe(operand)));
    }
    one(ty)
}

pub(in crate::ops) fn dynamic_broadcast_in_dim(t: &Typing) -> Inferred {
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    t.list(1, result.rank())?;
    broadcasts(t, result.rank())?;
    one(tensor(operand.element, sizes_from(t, 1, result.rank())?))
}

pub(in crate::ops) fn dynamic_iota(t: &Typing) -> Inferred {
    let result = t.result(0)?;
    t.list(0, result.rank())?;
    t.attributes().dimension("iota_dimension", result.rank())?;
    one(tensor(result.element, sizes_from(t, 0, result.rank())?))
}

pub(in crate::ops) fn real_dynamic_slice(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    (1..4).try_for_each(|index| t.list(index, operand.rank()))?;
    let known =
        (constant(t, 1, operand.rank())?, constant(t, 2, operand.rank())?, constant(t, 3, operand.rank())?);
    let mut dims: Dims = std::iter::repeat_n(Dim::Dynamic, operand.rank()).collect();
    if let (Some(starts), Some(limits), Some(strides)) = known {
        for (axis, dim) in dims.iter_mut().enumerate() {
            let (start, limit, stride) = (starts[axis], limits[axis], strides[axis]);
            let beyond = operand.dims[axis].known().is_some_and(|size| limit > size);
            if start < 0 || start > limit || stride < 1 || beyond {
                return types(format!(
                    "dimension {axis} cannot be sliced from {start} to {limit} by {stride}"
                ));
            }
            *dim = Dim::Known((limit - start) / stride + i64::from((limit - start) % stride != 0));
        }
    }
    one(tensor(operand.element, dims))
}

pub(in crate::ops) fn dynamic_pad(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    t.same_element(0, 1)?;
    t.scalar(1)?;
    (2..5).try_for_each(|index| t.list(index, operand.rank()))?;
    let mut dims: Dims = std::iter::repeat_n(Dim::Dynamic, operand.rank()).collect();
    if let (Some(low), Some(high), Some(interior)) =
        (constant(t, 2, operand.rank())?, constant(t, 3, operand.rank())?, constant(t, 4, operand.rank())?)
    {
        for (axis, dim) in dims.iter_mut().enumerate() {
            if interior[axis] < 0 {
                return types(format!("the interior padding of dimension {axis} is negative"));
            }
            let edges = [Dim::Known(low[axis]), Dim::Known(high[axis])];
            match padded(t, operand.dims[axis], edges, interior[axis]) {
                Some(size) => *dim = size,
                None => return types(format!("dimension {axis} does not have a valid size after padding")),
            }
        }
    }
    one(tensor(operand.element, dims))
}
