//! Simplifies and merges ONNX ops.

use super::simplify::is_ascending;
use super::{Simplified, conversion, only_operand};
use crate::ir::{Attribute, Data, Dim, Module, OpId, ValueId, axis_index, onnx};
use crate::ops::OpAttributes;
use crate::ops::fold::{AxisSlice, axis_slices};

/// Simplifies an op after lowering.
pub(super) fn simplify(module: &mut Module, op: OpId) -> Simplified {
    match module.op(op).name {
        onnx::IDENTITY => identity(module, op),
        onnx::CAST => match identity(module, op) {
            Simplified::No => conversion::join(module, op, onnx::CAST),
            done => done,
        },
        onnx::CONCAT => concat(module, op),
        onnx::RESHAPE => reshape(module, op),
        onnx::TRANSPOSE => transpose(module, op),
        onnx::EXPAND => identity(module, op),
        onnx::AND | onnx::OR | onnx::WHERE => chosen(module, op),
        _ => Simplified::No,
    }
}

/// The operand that a constant predicate selects, if it has the type of the result.
fn chosen(module: &Module, op: OpId) -> Simplified {
    let operation = module.op(op);
    let known = |value: ValueId| predicate(module, value);
    let selected = match (operation.name, &operation.operands[..]) {
        (onnx::WHERE, &[test, x, y]) => known(test).map(|holds| if holds { x } else { y }),
        (name, &[x, y]) => {
            // What leaves the other operand of And and Or unchanged.
            let neutral = name == onnx::AND;
            let select = |x: ValueId, y: ValueId| known(x).map(|holds| if holds == neutral { y } else { x });
            select(x, y).or_else(|| select(y, x))
        }
        _ => None,
    };
    let same = |value: &ValueId| module.value_type(*value) == module.value_type(operation.results[0]);
    let sized = |value: &ValueId| module.tensor(*value).is_some_and(|ty| ty.is_sized());
    selected.filter(same).filter(sized).map_or(Simplified::No, Simplified::To)
}

/// The only element of a boolean constant.
fn predicate(module: &Module, value: ValueId) -> Option<bool> {
    let constant = module.constant(module.constant_of(value)?);
    let is_one = module.tensor_type(constant.ty).is_some_and(|ty| ty.count() == Some(1));
    match &constant.data {
        Data::Splat(bytes) => bytes.first().map(|&byte| byte != 0),
        Data::Bytes(bytes) if is_one => bytes.first().map(|&byte| byte != 0),
        _ => None,
    }
}

/// The first operand, if it has the type of the result without unknown sizes.
fn identity(module: &Module, op: OpId) -> Simplified {
    let operation = module.op(op);
    let (Some(&operand), [result]) = (operation.operands.first(), &operation.results[..]) else {
        return Simplified::No;
    };
    let is_same = module.value_type(operand) == module.value_type(*result)
        && module.tensor(operand).is_some_and(|ty| ty.is_sized());
    if is_same { Simplified::To(operand) } else { Simplified::No }
}

/// Whether a Reshape can read another operand. A 0 in the shape copies a size of the operand (ONNX, Reshape), so both
/// operands must agree there.
fn reads_any(module: &Module, op: OpId, shape: ValueId, source: ValueId) -> bool {
    let Some(sizes) = module.known_integers(shape) else {
        return false;
    };
    let result = module.op(op).results.first().and_then(|&result| module.tensor(result));
    let (Some(result), Some(source)) = (result, module.tensor(source)) else { return false };
    let copied = sizes.iter().enumerate().filter(|&(_, &size)| size == 0);
    let mut dims = copied.map(|(axis, _)| (source.dims.get(axis), result.dims.get(axis)));
    dims.all(|(own, wanted)| own == wanted && own.is_some_and(|dim| matches!(dim, Dim::Symbolic(_))))
}

fn reshape(module: &mut Module, op: OpId) -> Simplified {
    if let Simplified::To(operand) = identity(module, op) {
        return Simplified::To(operand);
    }
    let [operand, shape] = module.op(op).operands[..] else { return Simplified::No };
    let Some(inner) = module.defined_by(operand, onnx::RESHAPE) else { return Simplified::No };
    let Some(&source) = module.op(inner).operands.first() else { return Simplified::No };
    if !reads_any(module, op, shape, source) {
        return Simplified::No;
    }
    module.op_mut(op).operands[0] = source;
    Simplified::Changed
}

/// A Concat of neighboring parts of one value.
fn concat(module: &mut Module, op: OpId) -> Simplified {
    match neighbors(module, op) {
        Some(value) if module.value_type(value) == module.value_type(module.op(op).results[0]) => {
            Simplified::To(value)
        }
        _ => Simplified::No,
    }
}

/// The value of which the operands of a Concat are Slices, one after the other.
fn neighbors(module: &Module, op: OpId) -> Option<ValueId> {
    let axis = module.attribute(op, "axis")?.as_integer()?;
    let mut found: Option<(ValueId, usize)> = None;
    for &operand in &module.op(op).operands {
        let slice = module.defined_by(operand, onnx::SLICE)?;
        let (&value, lists) = module.op(slice).operands.split_first()?;
        let sizes = module.tensor(value)?.sizes()?;
        let sizes: Vec<usize> =
            sizes.into_iter().map(|size| usize::try_from(size).ok()).collect::<Option<_>>()?;
        let axis = axis_index(axis, sizes.len())?;
        let lists: Vec<Vec<i64>> =
            lists.iter().map(|&list| module.known_integers(list)).collect::<Option<_>>()?;
        let slices = axis_slices(&sizes, &lists)?;
        let is_whole = |(other, slice): (usize, &AxisSlice)| {
            other == axis || slice.first == 0 && slice.count == sizes[other] && slice.step == 1
        };
        let own = slices.get(axis).filter(|slice| slice.step == 1)?;
        let follows = found.map_or(own.first == 0, |(before, end)| before == value && end == own.first);
        if !follows || !slices.iter().enumerate().all(is_whole) {
            return None;
        }
        found = Some((value, own.first + own.count));
    }
    found.map(|(value, _)| value)
}

fn transpose(module: &mut Module, op: OpId) -> Simplified {
    let Some(second) = OpAttributes::of(module, op).positions("perm").ok() else { return Simplified::No };
    if is_ascending(&second) {
        return identity(module, op);
    }
    let joined = only_operand(module, op).and_then(|operand| {
        let inner = module.defined_by(operand, onnx::TRANSPOSE)?;
        let first = OpAttributes::of(module, inner).positions("perm").ok()?;
        Some((only_operand(module, inner)?, joined(&first, &second)?))
    });
    let Some((source, both)) = joined else { return Simplified::No };
    module.op_mut(op).operands[0] = source;
    module.set_attribute(op, "perm", Attribute::positions(both));
    Simplified::Changed
}

/// The composition of two Transposes.
pub(in crate::pass) fn joined(first: &[usize], second: &[usize]) -> Option<Vec<usize>> {
    second.iter().map(|&axis| first.get(axis).copied()).collect()
}
