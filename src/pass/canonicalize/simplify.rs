//! Simplifies ops that return an operand, or an operand of an operand.

use super::only_operand;
use crate::ir::{Dim, Element, Module, OpId, ValueId, stablehlo};
use crate::ops::OpAttributes;
use crate::ops::fold::Tensor;
use crate::source::Source;

/// The value that the op's only result equals.
pub(super) fn simplify(module: &Module, source: &Source, op: OpId) -> Option<ValueId> {
    let value = candidate(module, source, op)?;
    let [result] = module.op(op).results[..] else { return None };
    let same = module.value_type(result) == module.value_type(value) && !module.is_poison(value);
    same.then_some(value)
}

fn candidate(module: &Module, source: &Source, op: OpId) -> Option<ValueId> {
    let operands = &module.op(op).operands[..];
    let known = |value: ValueId| scalar(module, source, value);
    let value = match (module.op(op).name, operands) {
        (stablehlo::ADD, &[x, y]) => neutral(&known, x, y, is_negative_zero),
        (stablehlo::SUBTRACT, &[x, y]) => known(y).filter(|&y| is_positive_zero(y)).map(|_| x),
        (stablehlo::MULTIPLY, &[x, y]) => {
            neutral(&known, x, y, is_one).or_else(|| absorbing(&known, x, y, is_integer_zero))
        }
        (stablehlo::DIVIDE, &[x, y]) => known(y).filter(|&y| is_one(y)).map(|_| x),
        (stablehlo::AND, &[x, y]) => same(x, y)
            .or_else(|| neutral(&known, x, y, is_all_ones))
            .or_else(|| absorbing(&known, x, y, is_integer_zero)),
        (stablehlo::OR, &[x, y]) => same(x, y)
            .or_else(|| neutral(&known, x, y, is_integer_zero))
            .or_else(|| absorbing(&known, x, y, is_all_ones)),
        (stablehlo::XOR, &[x, y]) => neutral(&known, x, y, is_integer_zero),
        (stablehlo::MAXIMUM, &[x, y]) => same(x, y).or_else(|| neutral(&known, x, y, is_lowest)),
        (stablehlo::MINIMUM, &[x, y]) => same(x, y).or_else(|| neutral(&known, x, y, is_highest)),
        (
            stablehlo::SHIFT_LEFT | stablehlo::SHIFT_RIGHT_LOGICAL | stablehlo::SHIFT_RIGHT_ARITHMETIC,
            &[x, y],
        ) => known(y).filter(|&y| is_integer_zero(y)).map(|_| x),
        (stablehlo::NEGATE | stablehlo::NOT, &[x]) => {
            only_operand(module, module.defined_by(x, module.op(op).name)?)
        }
        (stablehlo::SELECT, &[predicate, x, y]) => same(x, y)
            .or_else(|| {
                let (_, chosen) = known(predicate)?;
                Some(if chosen != 0 { x } else { y })
            })
            .or_else(|| {
                let is = |value: ValueId, bit: i64| known(value) == Some((Element::Bool, bit));
                (is(x, 1) && is(y, 0)).then_some(predicate)
            }),
        (stablehlo::COMPARE, &[x, y]) => tested_again(module, op, x, known(y)?),
        (stablehlo::REAL, &[x]) => module.defining_operands(x, stablehlo::COMPLEX).map(|[re, _]| re),
        (stablehlo::IMAG, &[x]) => module.defining_operands(x, stablehlo::COMPLEX).map(|[_, im]| im),
        // Equal types suffice here; a slice of the same size starts at the first element.
        (stablehlo::CONVERT | stablehlo::RESHAPE | stablehlo::SLICE, &[x]) => Some(x),
        (stablehlo::DYNAMIC_SLICE, &[x, ..]) => Some(x),
        (stablehlo::DYNAMIC_UPDATE_SLICE, &[x, update, ..]) => {
            (module.value_type(x) == module.value_type(update)).then_some(update)
        }
        (stablehlo::TRANSPOSE, &[x]) => {
            is_ascending(&OpAttributes::of(module, op).positions("permutation").ok()?).then_some(x)
        }
        (stablehlo::BROADCAST_IN_DIM, &[x]) => {
            is_ascending(&OpAttributes::of(module, op).positions("broadcast_dimensions").ok()?).then_some(x)
        }
        (stablehlo::REVERSE, &[x]) => {
            let sizes = &module.tensor(x)?.dims;
            let short = |dim: Option<&Dim>| dim.is_some_and(|dim| dim.known().is_some_and(|size| size <= 1));
            OpAttributes::of(module, op)
                .positions("dimensions")
                .ok()?
                .into_iter()
                .all(|dim| short(sizes.get(dim)))
                .then_some(x)
        }
        (stablehlo::PAD, &[x, _]) => {
            let names = ["edge_padding_low", "edge_padding_high", "interior_padding"];
            let nothing = |name| {
                OpAttributes::of(module, op)
                    .integers(name)
                    .ok()
                    .is_some_and(|all| all.iter().all(|&one| one == 0))
            };
            names.into_iter().all(nothing).then_some(x)
        }
        (stablehlo::CONCATENATE, operands) => only_filled(module, operands),
        _ => None,
    };
    value.filter(|&value| is_sized_tensor(module, value))
}

/// The boolean that was converted to a number, if the op compares the number with 0.
fn tested_again(module: &Module, op: OpId, number: ValueId, other: Known) -> Option<ValueId> {
    let [predicate] = module.defining_operands(number, stablehlo::CONVERT)?;
    let direction = module.word(module.attribute(op, "comparison_direction")?);
    let is_zero = integer(other) == Some(0) || float(other) == Some(0.0);
    let is_bool = module.tensor(predicate)?.element == Element::Bool;
    (direction == Some("NE") && is_zero && is_bool).then_some(predicate)
}

/// Equal types only imply equal values if no size is unknown.
fn is_sized_tensor(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|ty| ty.is_sized() && ty.encoding.is_none())
}

/// The only operand of a concatenation that is not empty.
fn only_filled(module: &Module, operands: &[ValueId]) -> Option<ValueId> {
    let filled = |&&operand: &&ValueId| module.tensor(operand).is_none_or(|ty| ty.count() != Some(0));
    let mut filled = operands.iter().filter(filled);
    match (filled.next(), filled.next()) {
        (Some(&one), None) => Some(one),
        _ => None,
    }
}

/// The element type and bits of a splat constant.
pub(in crate::pass) type Known = (Element, i64);

/// The splat element of a value. With symbolic sizes a constant is broadcast.
pub(in crate::pass) fn scalar(module: &Module, source: &Source, value: ValueId) -> Option<Known> {
    let value = module.defining_operands(value, stablehlo::BROADCAST_IN_DIM).map_or(value, |[x]| x);
    let id = module.constant_of(value)?;
    let constant = module.constant(id);
    if constant.data.splat().is_none() && module.tensor_type(constant.ty)?.count() != Some(1) {
        return None;
    }
    let tensor = Tensor::read(module, source, id)?;
    Some((tensor.element, tensor.scalar()?))
}

/// The number of a splat float tensor, which may be broadcast.
pub(in crate::pass) fn float_number(module: &Module, source: &Source, value: ValueId) -> Option<f64> {
    float(scalar(module, source, value)?)
}

fn same(x: ValueId, y: ValueId) -> Option<ValueId> {
    (x == y).then_some(x)
}

/// The other operand, if one is neutral.
fn neutral(
    known: &dyn Fn(ValueId) -> Option<Known>,
    x: ValueId,
    y: ValueId,
    is: fn(Known) -> bool,
) -> Option<ValueId> {
    if known(y).is_some_and(is) {
        return Some(x);
    }
    known(x).is_some_and(is).then_some(y)
}

/// The operand that decides the result, whatever the other one is.
fn absorbing(
    known: &dyn Fn(ValueId) -> Option<Known>,
    x: ValueId,
    y: ValueId,
    is: fn(Known) -> bool,
) -> Option<ValueId> {
    [x, y].into_iter().find(|&operand| known(operand).is_some_and(is))
}

/// Whether a list contains all dimensions in order.
pub(in crate::pass) fn is_ascending(positions: &[usize]) -> bool {
    positions.iter().copied().eq(0..positions.len())
}

fn float(known: Known) -> Option<f64> {
    crate::ops::fold::float(known.0, known.1)
}

/// The bits of an integer or boolean.
fn integer(known: Known) -> Option<i64> {
    (known.0.is_integer() || known.0 == Element::Bool).then_some(known.1)
}

/// For floats only -0 is neutral in additions: 0 turns -0 into 0.
fn is_negative_zero(known: Known) -> bool {
    integer(known) == Some(0) || float(known).is_some_and(|value| value == 0.0 && value.is_sign_negative())
}

/// For floats only 0 is neutral in subtractions.
fn is_positive_zero(known: Known) -> bool {
    (known.0.is_integer() && known.1 == 0)
        || float(known).is_some_and(|value| value == 0.0 && value.is_sign_positive())
}

fn is_integer_zero(known: Known) -> bool {
    integer(known) == Some(0)
}

fn is_one(known: Known) -> bool {
    integer(known) == Some(1) || float(known) == Some(1.0)
}

fn is_all_ones(known: Known) -> bool {
    match known.0 {
        Element::Bool => known.1 == 1,
        signed if signed.is_signed() => known.1 == -1,
        unsigned => unsigned.is_unsigned() && known.1 == crate::ops::integer_limits(unsigned).1,
    }
}

/// `maximum(-inf, x)` is `x`, including NaN, because XLA's maximum propagates NaN.
fn is_lowest(known: Known) -> bool {
    match integer(known) {
        Some(value) => value == crate::ops::integer_limits(known.0).0,
        None => float(known) == Some(f64::NEG_INFINITY),
    }
}

fn is_highest(known: Known) -> bool {
    match integer(known) {
        Some(value) => value == crate::ops::integer_limits(known.0).1,
        None => float(known) == Some(f64::INFINITY),
    }
}
