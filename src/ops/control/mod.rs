//! Control flow: `while`, `case`, `if` and `scan`.

mod counted_loop;
mod loop_builder;
mod recurrent;
mod repeat;
mod scan;
mod slices;
mod weight;
mod while_loop;

use crate::ops::row::{Row, row};
use crate::ops::type_inference::{AtLeast, control, rule, variadic};
pub(crate) use counted_loop::{CountedLoop, InductionVariable};
pub(super) use loop_builder::{Input, Length, LoopBuilder};
pub(crate) use slices::{SliceWrite, Slices};
pub(crate) use while_loop::WhileLoop;

use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, Element, OpId, RegionId, SCALAR, ValueId, chlo, onnx, stablehlo};
use crate::target::Capability;

/// Control flow carries all types that its regions can compute.
const CARRIED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::COMPLEX);

pub(super) const TABLES: &[&[Row]] = &[ROWS, recurrent::ROWS];

const ROWS: &[Row] = &[
    row(chlo::SCAN, variadic(0, AtLeast(0), control::scan), CARRIED, scan::lower)
        .note("Scan; Loop where the number of slices may be 0"),
    row(stablehlo::CASE, rule(1, control::case).results(AtLeast(0)), CARRIED, case)
        .note("nested Ifs; an index out of range selects the last branch"),
    row(stablehlo::IF, rule(1, control::branch).results(AtLeast(0)), CARRIED, conditional),
    row(stablehlo::WHILE, variadic(0, AtLeast(0), control::repeat), CARRIED, repeat::lower)
        .note("Loop, or Scan if each iteration reads a slice; short loops over few ops are unrolled"),
];

fn conditional(cx: &mut Lower, op: OpId) -> Lowered {
    let predicate = cx.full(op, 0)?;
    let (then, otherwise) = (cx.region(op, 0)?, cx.region(op, 1)?);
    match cx.known_integers(predicate).as_deref() {
        Some([0]) => Ok(cx.inline(otherwise, &[])?.into_iter().collect()),
        Some([_]) => Ok(cx.inline(then, &[])?.into_iter().collect()),
        _ => {
            let types = result_types(cx, op)?;
            branch(cx, predicate, &types, |cx| cx.inline(then, &[]), |cx| cx.inline(otherwise, &[]))
                .map(|values| values.into_iter().collect())
        }
    }
}

fn case(cx: &mut Lower, op: OpId) -> Lowered {
    let branches = cx.module.op(op).regions.to_vec();
    let last = branches.len().checked_sub(1).ok_or_else(|| LowerError::form("no branches"))?;
    let index = cx.full(op, 0)?;
    if let Some(&[known]) = cx.known_integers(index).as_deref() {
        let taken = usize::try_from(known).map_or(last, |known| known.min(last));
        return Ok(cx.inline(branches[taken], &[])?.into_iter().collect());
    }
    if last == 0 {
        return Ok(cx.inline(branches[0], &[])?.into_iter().collect());
    }
    let types = result_types(cx, op)?;
    // JAX computes the index from a boolean condition.
    let convert = cx.module.defining_op(cx.module.op(op).operands[0]);
    let converted = convert.filter(|&convert| {
        cx.module.op(convert).name == stablehlo::CONVERT
            && cx.operand_type(convert, 0).is_ok_and(|ty| ty.element == Element::Bool)
    });
    if let (Some(convert), 1) = (converted, last) {
        let predicate = cx.full(convert, 0)?;
        let (then, otherwise) = (branches[1], branches[0]);
        return branch(cx, predicate, &types, |cx| cx.inline(then, &[]), |cx| cx.inline(otherwise, &[]))
            .map(|values| values.into_iter().collect());
    }
    if last < 3 {
        return Ok(chain(cx, index, &branches, 0, &types)?.into_iter().collect());
    }
    // Indices out of range select the last branch, so halves can be selected by comparison.
    let (zero, limit) = (cx.integer(Element::I32, 0), cx.integer(Element::I32, last as i64));
    let negative = cx.elementwise_to(onnx::LESS, &[index, zero], Element::Bool);
    let bounded = cx.elementwise(onnx::MIN, &[index, limit]);
    let index = cx.node(onnx::WHERE, &[negative, limit, bounded]).out(Element::I32, SCALAR);
    Ok(search(cx, index, &branches, 0, &types)?.into_iter().collect())
}

type TensorTypes = [(Element, Vec<Dim>)];

/// Few branches: a chain of comparisons, the last branch without one.
fn chain(
    cx: &mut Lower,
    index: ValueId,
    branches: &[RegionId],
    first: i64,
    types: &TensorTypes,
) -> Result<Vec<ValueId>, LowerError> {
    let [taken, rest @ ..] = branches else { return Err(LowerError::form("no branches")) };
    if rest.is_empty() {
        return cx.inline(*taken, &[]);
    }
    let number = cx.integer(Element::I32, first);
    let is_first = cx.elementwise_to(onnx::EQUAL, &[index, number], Element::Bool);
    branch(cx, is_first, types, |cx| cx.inline(*taken, &[]), |cx| chain(cx, index, rest, first + 1, types))
}

/// Many branches: binary search.
fn search(
    cx: &mut Lower,
    index: ValueId,
    branches: &[RegionId],
    first: i64,
    types: &TensorTypes,
) -> Result<Vec<ValueId>, LowerError> {
    if let [taken] = branches {
        return cx.inline(*taken, &[]);
    }
    let (lower, upper) = branches.split_at(branches.len() / 2);
    let middle = first + lower.len() as i64;
    let number = cx.integer(Element::I32, middle);
    let is_lower = cx.elementwise_to(onnx::LESS, &[index, number], Element::Bool);
    let then = |cx: &mut Lower| search(cx, index, lower, first, types);
    branch(cx, is_lower, types, then, |cx| search(cx, index, upper, middle, types))
}

fn branch(
    cx: &mut Lower,
    predicate: ValueId,
    types: &TensorTypes,
    then: impl FnOnce(&mut Lower) -> Result<Vec<ValueId>, LowerError>,
    otherwise: impl FnOnce(&mut Lower) -> Result<Vec<ValueId>, LowerError>,
) -> Result<Vec<ValueId>, LowerError> {
    if !cx.options.can(Capability::SeveralIfs) {
        // Both are computed. Both end: the loops of such a target have a constant number of rounds.
        let (then, otherwise) = (then(cx), otherwise(cx));
        let values = then?.into_iter().zip(otherwise?).zip(types);
        return Ok(values
            .map(|((then, otherwise), (element, dims))| {
                cx.node(onnx::WHERE, &[predicate, then, otherwise]).out(*element, dims)
            })
            .collect());
    }
    // Lowers both even if the first is refused, to report all errors.
    let then = cx.graph::<Dim>(&[], |cx, _| then(cx));
    let otherwise = cx.graph::<Dim>(&[], |cx, _| otherwise(cx));
    let (then, otherwise) = (then?, otherwise?);
    if types.is_empty() {
        return Ok(Vec::new());
    }
    Ok(cx.node(onnx::IF, &[predicate]).region(then).region(otherwise).outs(types))
}

fn result_types(cx: &Lower, op: OpId) -> Result<Vec<(Element, Vec<Dim>)>, LowerError> {
    let result = |index| cx.result_dims(op, index).map(|(element, dims)| (element, dims.to_vec()));
    (0..cx.module.op(op).results.len()).map(result).collect()
}
