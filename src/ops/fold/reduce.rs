//! Folds reductions whose result does not depend on the order of the elements.

use super::compare::shape_count;
use super::number::{integer, wrap};
use super::{Fold, Folding, Tensor};
use crate::ir::{Definition, Element};
use ndarray::Axis;

pub(super) const FOLDS: &[(&str, Fold)] = &[("stablehlo.reduce", Fold::Computes(reduce))];

/// One operand, and a body of one integer op on its two arguments. Sums of floats depend on the order in which they
/// are taken, which is the runtime's.
fn reduce(cx: &Folding) -> Option<Tensor> {
    let [operand, initial] = &cx.operands[..] else { return None };
    let element = operand.element;
    if !(element.is_integer() || element == Element::Bool) || initial.element != element {
        return None;
    }
    let combine: fn(i128, i128) -> i128 = match body(cx)? {
        "stablehlo.add" => |x, y| x + y,
        "stablehlo.multiply" => i128::wrapping_mul,
        "stablehlo.maximum" => i128::max,
        "stablehlo.minimum" => i128::min,
        "stablehlo.and" => |x, y| x & y,
        "stablehlo.or" => |x, y| x | y,
        _ => return None,
    };
    let mut dims = cx.positions("dimensions")?;
    dims.sort_unstable();
    dims.dedup();
    if dims.last().is_some_and(|&dim| dim >= operand.sizes.len()) {
        return None;
    }
    let sizes = cx.sizes()?;
    cx.allow(shape_count(&sizes)?)?;
    // A splat can stand for any number of elements, and each is visited here.
    if shape_count(&operand.sizes)? > super::READ {
        return None;
    }
    let start = initial.scalar()?;
    let mut array = operand.view()?.to_owned();
    for &dim in dims.iter().rev() {
        array = array.fold_axis(Axis(dim), neutral_start(element, body(cx)?)?, |&x, &y| {
            wrap(element, combine(integer(element, x), integer(element, y)) as i64)
        });
    }
    array.mapv_inplace(|x| wrap(element, combine(integer(element, x), integer(element, start)) as i64));
    if array.shape() != sizes.as_slice() {
        return None;
    }
    Some(Tensor::from_array(element, array))
}

/// The element that changes nothing; the reduction's own start is taken in once, at the end.
fn neutral_start(element: Element, op: &str) -> Option<i64> {
    let (low, high) = crate::ops::integer_limits(element);
    Some(match op {
        "stablehlo.add" | "stablehlo.or" => 0,
        "stablehlo.multiply" => 1,
        "stablehlo.maximum" => low,
        "stablehlo.minimum" => high,
        "stablehlo.and" if element == Element::Bool => 1,
        "stablehlo.and" => wrap(element, -1),
        _ => return None,
    })
}

/// The name of the one op of the body, when it reads both arguments and gives what the body returns.
fn body<'a>(cx: &'a Folding) -> Option<&'a str> {
    let module = cx.module;
    let region = *module.op(cx.op).regions.first()?;
    let block = module.block(module.entry_block(region)?);
    let ([op, terminator], [x, y]) = (&block.ops[..], &block.arguments[..]) else { return None };
    let operands = &module.op(*op).operands[..];
    let reads_both = operands == [*x, *y] || operands == [*y, *x];
    let returns = module.op(*terminator).operands == module.op(*op).results;
    // The arguments are of rank 0 and of the operand's element type, or the body computes in another type.
    let plain =
        |value| module.tensor(value).is_some_and(|ty| ty.rank() == 0 && ty.element == cx.result.element);
    let plain = plain(*x) && plain(*y) && module.value(*x).definition != Definition::Poison;
    (reads_both && returns && plain).then(|| module.op_name(*op))
}
