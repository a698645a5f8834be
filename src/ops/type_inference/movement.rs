//! Rules of ops that create and move elements.

use super::typing::{Typing, attribute, dim_fits, dims_fit, element_fits, one, tensor, types};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Attribute, Dim, Dims, Element};

pub(in crate::ops) fn constant(t: &Typing) -> Inferred {
    match t.attributes().get("value")? {
        Attribute::Dense(id) => match t.module.tensor_type(t.module.constant(*id).ty) {
            Some(ty) if ty.is_static() => one(ty.clone()),
            _ => attribute("value", "expected a literal of static shape"),
        },
        _ => attribute("value", "expected a literal"),
    }
}

pub(in crate::ops) fn iota(t: &Typing) -> Inferred {
    let result = t.result(0)?;
    t.attributes().dimension("iota_dimension", result.rank())?;
    one(result.clone())
}

pub(in crate::ops) fn reshape(t: &Typing) -> Inferred {
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    let counts = operand.count().zip(result.count());
    if counts.is_some_and(|(from, to)| from != to) {
        let (from, to) = (t.describe(operand), t.describe(result));
        let why = format!("`{from}` and `{to}` differ in their number of elements");
        let (count, wanted) = counts.unwrap_or_default();
        return Err(Violation::types(why)
            .showing(Part::ResultType(0), format!("this has {wanted} elements"))
            .showing(Part::OperandType(0), format!("this has {count} elements")));
    }
    one(tensor(operand.element, result.dims.clone()))
}

/// Reinterprets bits: a wider type merges the last dimension, a narrower one adds one (StableHLO spec,
/// bitcast_convert, C1).
pub(in crate::ops) fn bitcast_convert(t: &Typing) -> Inferred {
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    let (from, to) = (operand.element.bits(), result.element.bits());
    if from == 0 || to == 0 {
        return one(result.clone());
    }
    if from == to {
        return one(tensor(result.element, operand.dims.clone()));
    }
    let (wide, narrow) = (from.max(to), from.min(to));
    let ratio = Dim::Known(i64::from(wide / narrow));
    let mut dims = operand.dims.clone();
    if from > to {
        dims.push(ratio);
        return one(tensor(result.element, dims));
    }
    match dims.pop() {
        Some(last) if wide % narrow == 0 && dim_fits(last, ratio) => one(tensor(result.element, dims)),
        _ => types(format!("`{}` has no last dimension to merge into wider elements", t.describe(operand))),
    }
}

pub(in crate::ops) fn broadcast_in_dim(t: &Typing) -> Inferred {
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    broadcasts(t, result.rank())?;
    one(tensor(operand.element, result.dims.clone()))
}

/// Requires that `broadcast_dimensions` has one result dimension per dimension of operand 0, of equal size unless
/// that is 1.
pub(super) fn broadcasts(t: &Typing, rank: usize) -> Result<(), Violation> {
    const NAME: &str = "broadcast_dimensions";
    let (operand, result) = (t.operand(0)?, t.result(0)?);
    let dims = t.attributes().dimensions(NAME, rank)?;
    if dims.len() != operand.rank() {
        return Err(t.one_each(NAME, dims.len(), 0, operand.rank()));
    }
    for (axis, (&dim, own)) in dims.iter().zip(&operand.dims).enumerate() {
        let whole = result.dims[dim].known();
        if own.known().is_some_and(|own| own != 1 && whole.is_some_and(|whole| own != whole)) {
            let (from, to) = (t.describe(operand), t.describe(result));
            let say = |axis: usize, size: Dim| format!("dimension {axis} of this is {}", t.spell(size));
            let why = format!("`{from}` does not broadcast to `{to}`: dimension {dim} differs");
            return Err(Violation::types(why)
                .showing(Part::OperandType(0), say(axis, *own))
                .showing(Part::ResultType(0), say(dim, result.dims[dim])));
        }
    }
    Ok(())
}

pub(in crate::ops) fn transpose(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let permutation = t.attributes().dimensions("permutation", operand.rank())?;
    if permutation.len() != operand.rank() {
        return Err(t.one_each("permutation", permutation.len(), 0, operand.rank()));
    }
    one(tensor(operand.element, permutation.iter().map(|&dim| operand.dims[dim])))
}

pub(in crate::ops) fn reverse(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    t.attributes().dimensions("dimensions", operand.rank())?;
    one(operand.clone())
}

pub(in crate::ops) fn slice(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let rank = operand.rank();
    let starts = t.attributes().sizes_of("start_indices", rank)?;
    let limits = t.attributes().sizes_of("limit_indices", rank)?;
    let strides = t.attributes().integers_of("strides", rank)?;
    let mut dims = Dims::new();
    for axis in 0..rank {
        let (start, limit, stride) = (starts[axis], limits[axis], strides[axis]);
        let (first, last) = (start.known(), limit.known());
        if first.is_some_and(|first| first < 0 || last.is_some_and(|last| first > last)) {
            let why = format!("dimension {axis} begins at {} and ends at {}", t.spell(start), t.spell(limit));
            return Err(Violation::attribute("start_indices", why).in_item(axis));
        }
        if let (Some(last), Some(size)) = (last, operand.dims[axis].known())
            && last > size
        {
            let why = format!("{last} is out of range for dimension {axis}");
            return Err(Violation::attribute("limit_indices", why)
                .in_item(axis)
                .showing(Part::OperandType(0), format!("dimension {axis} of this is {size}")));
        }
        if stride < 1 {
            let why = format!("{stride} is less than 1");
            return Err(Violation::attribute("strides", why).in_item(axis));
        }
        let sizes = &t.module.dim_exprs;
        dims.push(sizes.quotient_up(sizes.subtract(limit, start), Dim::Known(stride)));
    }
    one(tensor(operand.element, dims))
}

pub(in crate::ops) fn concatenate(t: &Typing) -> Inferred {
    let operands = t.operands()?;
    let Some((first, rest)) = operands.split_first() else { return t.stated() };
    let axis = t.attributes().dimension("dimension", first.rank())?;
    let mut dims = first.dims.clone();
    for (index, other) in rest.iter().enumerate() {
        let mut expected = dims.clone();
        expected[axis] = Dim::Dynamic;
        if !element_fits(first.element, other.element) || !dims_fit(&expected, &other.dims) {
            let (first, other) = (t.describe(first), t.describe(other));
            let why = format!("`{first}` and `{other}` cannot be concatenated along dimension {axis}");
            return Err(t.disagreeing(0, index + 1, why));
        }
        let (left, right) = (dims[axis], other.dims[axis]);
        let sum = t.module.dim_exprs.add(left, right);
        for (dim, &own) in dims.iter_mut().zip(&other.dims) {
            *dim = super::typing::known_of(*dim, own);
        }
        if sum == Dim::Dynamic && left.known().is_some() && right.known().is_some() {
            return types("the result has no size");
        }
        dims[axis] = sum;
    }
    one(tensor(first.element, dims))
}

pub(in crate::ops) fn pad(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    t.same_element(0, 1)?;
    t.scalar(1)?;
    let rank = operand.rank();
    let low = t.attributes().sizes_of("edge_padding_low", rank)?;
    let high = t.attributes().sizes_of("edge_padding_high", rank)?;
    let interior = t.attributes().integers_of("interior_padding", rank)?;
    if let Some(index) = interior.iter().position(|&value| value < 0) {
        let why = format!("{} is negative", interior[index]);
        return Err(Violation::attribute("interior_padding", why).in_item(index));
    }
    let mut dims = Dims::new();
    for axis in 0..rank {
        let Some(size) = padded(t, operand.dims[axis], [low[axis], high[axis]], interior[axis]) else {
            return attribute(
                "edge_padding_low",
                format!("dimension {axis} does not have a valid size after padding"),
            );
        };
        dims.push(size);
    }
    one(tensor(operand.element, dims))
}

/// The size after padding, if valid.
pub(super) fn padded(t: &Typing, size: Dim, edges: [Dim; 2], interior: i64) -> Option<Dim> {
    let sizes = &t.module.dim_exprs;
    let between = sizes.larger(sizes.subtract(size, Dim::Known(1)), Dim::Known(0));
    let padded = sizes.sum([size, sizes.multiply(between, Dim::Known(interior)), edges[0], edges[1]]);
    let numbers = [size, edges[0], edges[1]].iter().all(|dim| dim.known().is_some());
    let fits = padded.known().map_or(!numbers, |size| size >= 0);
    fits.then_some(padded)
}

/// The result of an op that returns a size.
pub(super) fn size_scalar() -> crate::ir::TensorType {
    tensor(Element::I32, [])
}
