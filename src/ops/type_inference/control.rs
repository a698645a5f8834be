//! Rules of control flow and of ops that pass values through.

use super::typing::{Typing, attribute, fits, types};
use super::{Inferred, Violation};
use crate::ir::{Dim, Element, Type, TypeId};
use crate::ops::attributes::in_range;
use smallvec::SmallVec;

/// The types are free.
pub(in crate::ops) fn nothing(_: &Typing) -> Inferred {
    Ok(SmallVec::new())
}

/// Whether two types are compatible.
fn type_fits(t: &Typing, x: TypeId, y: TypeId) -> bool {
    match (t.module.tensor_type(x), t.module.tensor_type(y)) {
        (Some(x), Some(y)) => fits(x, y),
        _ => x == y,
    }
}

fn all_fit(t: &Typing, x: &[TypeId], y: &[TypeId]) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| type_fits(t, x, y))
}

fn operand_types(t: &Typing) -> Vec<TypeId> {
    t.module.value_types(&t.module.op(t.op).operands)
}

fn result_types(t: &Typing) -> Vec<TypeId> {
    t.module.value_types(&t.module.op(t.op).results)
}

/// Whether the types are a single `tensor<i1>`.
fn is_condition(t: &Typing, types: &[TypeId]) -> bool {
    let [ty] = types else { return false };
    t.module.tensor_type(*ty).is_some_and(|ty| ty.element == Element::Bool && ty.rank() == 0)
}

/// StableHLO spec, while, C1 to C3: condition and body take the carried values, and the body returns them.
pub(in crate::ops) fn repeat(t: &Typing) -> Inferred {
    t.regions(2)?;
    let carried = operand_types(t);
    let (condition, holds) = t.region(0)?;
    let (body, returned) = t.region(1)?;
    let places = [
        (&condition, "the condition takes"),
        (&body, "the body takes"),
        (&returned, "the body returns"),
        (&result_types(t), "the results are"),
    ];
    for (found, what) in places {
        if !all_fit(t, &carried, found) {
            return types(format!("{what} not the carried types"));
        }
    }
    if !is_condition(t, &holds) {
        return types("the condition must return one `tensor<i1>`");
    }
    nothing(t)
}

/// Requires that a branch takes no arguments and returns the op's results.
fn returns_results(t: &Typing, index: usize) -> Result<(), Violation> {
    let (arguments, returned) = t.region(index)?;
    if !arguments.is_empty() {
        return types(format!("region {index} takes arguments"));
    }
    if !all_fit(t, &returned, &result_types(t)) {
        return types(format!("region {index} does not return the op's result types"));
    }
    Ok(())
}

pub(in crate::ops) fn branch(t: &Typing) -> Inferred {
    if !is_condition(t, &operand_types(t)) {
        return types("the condition must be a `tensor<i1>`");
    }
    t.regions(2)?;
    returns_results(t, 0)?;
    returns_results(t, 1)?;
    nothing(t)
}

pub(in crate::ops) fn case(t: &Typing) -> Inferred {
    t.scalar(0)?;
    let index = t.integer_operand(0)?;
    if index.element != Element::I32 {
        return Err(t.wrong_operand(0, index, "be an `i32`"));
    }
    let regions = t.module.op(t.op).regions.len();
    if regions == 0 {
        return types("the op has no branches");
    }
    (0..regions).try_for_each(|index| returns_results(t, index))?;
    nothing(t)
}

pub(in crate::ops) fn barrier(t: &Typing) -> Inferred {
    if !all_fit(t, &operand_types(t), &result_types(t)) {
        return types("the results do not have the operands' types");
    }
    nothing(t)
}

pub(in crate::ops) fn tuple(t: &Typing) -> Inferred {
    match t.module.types.get(result_types(t)[0]) {
        Type::Tuple(inner) if all_fit(t, inner, &operand_types(t)) => nothing(t),
        _ => types("the result is not a tuple of the operands' types"),
    }
}

pub(in crate::ops) fn get_tuple_element(t: &Typing) -> Inferred {
    let Type::Tuple(inner) = t.module.types.get(operand_types(t)[0]) else {
        return types("the operand is not a tuple");
    };
    let index = t.attributes().integer("index")?;
    match usize::try_from(index).ok().and_then(|index| inner.get(index)) {
        None => attribute("index", format!("{index} is out of range for a tuple of {}", inner.len())),
        Some(&ty) if !type_fits(t, ty, result_types(t)[0]) => {
            types("the result does not have the type of that element")
        }
        Some(_) => nothing(t),
    }
}

pub(in crate::ops) fn composite(t: &Typing) -> Inferred {
    t.attributes().get("name")?;
    nothing(t)
}

pub(in crate::ops) fn custom_call(t: &Typing) -> Inferred {
    t.attributes().get("call_target_name")?;
    nothing(t)
}

/// A scan slices its inputs along `dimension`, carries the initial values, and concatenates its outputs;
/// `operandSegmentSizes` and `resultSegmentSizes` both end with the number of carried values.
pub(in crate::ops) fn scan(t: &Typing) -> Inferred {
    t.regions(1)?;
    let operands = t.attributes().integers_of("operandSegmentSizes", 2)?;
    let results = t.attributes().integers_of("resultSegmentSizes", 2)?;
    for (name, sizes, count) in [
        ("operandSegmentSizes", &operands, t.operand_count()),
        ("resultSegmentSizes", &results, t.result_count()),
    ] {
        let total = sizes[0].checked_add(sizes[1]);
        if sizes.iter().any(|&size| size < 0) || total != Some(count as i64) {
            return attribute(name, format!("{} and {} are not {count} values", sizes[0], sizes[1]));
        }
    }
    if operands[1] != results[1] {
        return types("the numbers of carried operands and results must be equal");
    }
    let (inputs, outputs, carried) = (operands[0] as usize, results[0] as usize, operands[1] as usize);
    let (arguments, returned) = t.region(0)?;
    if arguments.len() != inputs + carried || returned.len() != outputs + carried {
        return types("the body must take and return one value for each scanned or carried value");
    }
    let dimension = t.attributes().integer("dimension")?;
    for index in 0..inputs {
        let input = t.operand(index)?;
        in_range("dimension", dimension, input.rank())?;
    }
    for index in 0..outputs {
        let output = t.result(index)?;
        in_range("dimension", dimension, output.rank())?;
    }
    let (all, found) = (operand_types(t), result_types(t));
    let carries = [&arguments[inputs..], &returned[outputs..], &found[outputs..]];
    if carries.iter().any(|types| !all_fit(t, &all[inputs..], types)) {
        return types("the carried values differ in type");
    }
    let length = if inputs > 0 { t.operand(0)?.dims[dimension as usize] } else { Dim::Dynamic };
    let joined = |index: usize| {
        let slice = t.module.tensor_type(returned[index]).filter(|ty| ty.rank() >= dimension as usize);
        let Some(mut joined) = slice.cloned() else {
            return types(format!("the rank of output {index} is too low for dimension {dimension}"));
        };
        joined.dims.insert(dimension as usize, length);
        Ok(joined)
    };
    let carried = (inputs..inputs + carried).map(|index| t.operand(index).cloned());
    (0..outputs).map(joined).chain(carried).collect()
}
