//! Rules of reductions, windows and sorts.

use super::elementwise::common;
use super::typing::{Typing, attribute, dims_fit, element_fits, tensor, types, without};
use super::{Inferred, Violation};
use crate::ir::{Dim, Dims, Element, TensorType};
use crate::ops::WindowDimension;

/// The inputs, of one shape, of an op with one initial value per input.
fn inputs<'a>(t: &Typing<'a>) -> Result<(Vec<&'a TensorType>, Dims), Violation> {
    let count = t.operand_count() / 2;
    if t.operand_count() != 2 * count || t.result_count() != count {
        return types("expected equal numbers of inputs, initial values and results");
    }
    let inputs: Vec<&TensorType> = (0..count).map(|index| t.operand(index)).collect::<Result<_, _>>()?;
    for index in 0..count {
        t.scalar(count + index)?;
        t.same_element(index, count + index)?;
    }
    let dims = common(t, &inputs)?;
    Ok((inputs, dims))
}

/// The element types that a body returns, which are those of the results (StableHLO spec, reduce, C3 and C8).
fn results(t: &Typing, inputs: &[&TensorType], dims: &Dims) -> Inferred {
    t.regions(1)?;
    t.combines(0, inputs.len())?;
    let (_, returned) = t.region(0)?;
    let element = |index: usize, input: &TensorType| {
        t.module.tensor_type(returned[index]).map_or(input.element, |ty| ty.element)
    };
    let all = inputs.iter().enumerate();
    Ok(all.map(|(index, input)| tensor(element(index, input), dims.iter().copied())).collect())
}

pub(in crate::ops) fn reduce(t: &Typing) -> Inferred {
    let (inputs, dims) = inputs(t)?;
    let reduced = t.attributes().dimensions("dimensions", dims.len())?;
    results(t, &inputs, &without(&dims, &reduced))
}

pub(in crate::ops) fn reduce_window(t: &Typing) -> Inferred {
    let (inputs, dims) = inputs(t)?;
    let counts = counts(t, &dims)?;
    results(t, &inputs, &counts)
}

/// The number of windows along each dimension of an operand.
fn counts(t: &Typing, dims: &[Dim]) -> Result<Dims, Violation> {
    let windows = WindowDimension::read(t.module, t.op, dims.len())?;
    let mut counts = Dims::new();
    for (axis, window) in windows.iter().enumerate() {
        let Some(count) = window.count(&t.module.dim_exprs, dims[axis]) else {
            return attribute(
                "padding",
                format!("dimension {axis} does not have a valid size after padding"),
            );
        };
        counts.push(count);
    }
    Ok(counts)
}

/// The source has one element per window (StableHLO spec, select_and_scatter, C1 to C11).
pub(in crate::ops) fn select_and_scatter(t: &Typing) -> Inferred {
    let (operand, source) = (t.operand(0)?, t.operand(1)?);
    t.scalar(2)?;
    t.same_element(0, 1)?;
    t.same_element(0, 2)?;
    let counts = counts(t, &operand.dims)?;
    if !dims_fit(&counts, &source.dims) {
        let why = format!("`{}` does not have one element for each window", t.describe(source));
        return Err(t.disagreeing(0, 1, why));
    }
    t.regions(2)?;
    t.combines(1, 1)?;
    let (arguments, returned) = t.region(0)?;
    let boolean = |ty| t.module.tensor_type(ty).is_some_and(|ty| ty.element == Element::Bool);
    t.scalars(0, arguments.iter().chain(&returned))?;
    if arguments.len() != 2 || returned.len() != 1 || !boolean(returned[0]) {
        return types("region 0 must take two scalars and return an i1");
    }
    super::typing::one(tensor(operand.element, operand.dims.clone()))
}

pub(in crate::ops) fn sort(t: &Typing) -> Inferred {
    let inputs = t.operands()?;
    if t.result_count() != inputs.len() {
        return types("expected as many results as operands");
    }
    let dims = common(t, &inputs)?;
    // -1 is the last dimension and the default.
    let dimension = t.attributes().integer_or("dimension", -1)?;
    let rank = dims.len() as i64;
    if dimension < -rank || dimension >= rank {
        return attribute("dimension", format!("{dimension} is not a dimension of a tensor of rank {rank}"));
    }
    t.regions(1)?;
    let (arguments, returned) = t.region(0)?;
    t.scalars(0, arguments.iter().chain(&returned))?;
    let types_of = arguments.iter().filter_map(|&ty| t.module.tensor_type(ty));
    let pairs = inputs.iter().flat_map(|input| [input, input]);
    let fits = types_of.zip(pairs).all(|(argument, input)| element_fits(argument.element, input.element));
    let boolean = |ty| t.module.tensor_type(ty).is_some_and(|ty| ty.element == Element::Bool);
    if arguments.len() != 2 * inputs.len() || returned.len() != 1 || !boolean(returned[0]) || !fits {
        return types("region 0 must take two scalars for each operand and return an i1");
    }
    Ok(inputs.iter().map(|input| tensor(input.element, dims.iter().copied())).collect())
}

pub(in crate::ops) fn map(t: &Typing) -> Inferred {
    let inputs = t.operands()?;
    let dims = common(t, &inputs)?;
    t.attributes().dimensions("dimensions", dims.len())?;
    t.regions(1)?;
    let (arguments, returned) = t.region(0)?;
    t.scalars(0, arguments.iter().chain(&returned))?;
    if arguments.len() != inputs.len() || returned.len() != 1 {
        return types("region 0 must take and return one scalar for each operand");
    }
    let element = t.module.tensor_type(returned[0]).map_or(Element::Bool, |ty| ty.element);
    super::typing::one(tensor(element, dims))
}
