//! Elementwise ops.

mod arithmetic;
mod bits;
mod canonical;
mod compare;
mod convert;
mod float_bits;
mod floor_division;
mod power;
mod powers;
mod reinterpret;
mod rounding;
mod small_float;
mod transcendental;

use crate::ops::row::{Row, row, unlowered};
use crate::ops::type_inference::{Exactly, elementwise, rule, variadic, window};
pub(super) use arithmetic::{add, divide, maximum, minimum, multiply, remainder, subtract};
pub(super) use bits::{Right, bitwise_and, bitwise_or, bitwise_xor, multiply_high, shift_left, shift_right};
pub(super) use compare::{compare, select};
pub(super) use convert::{before_conversion, truncate};
pub(super) use power::power;
pub(super) use reinterpret::{bits_are_negative, next_after};
pub use small_float::{FORMAT, ROUND};
pub(super) use transcendental::{atan2, expm1, log1p, tan};

use super::formula::{self, Term};
use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, Element, OpId, OpName, ValueId, stablehlo};

/// The tables of the family.
pub(super) const TABLES: &[&[Row]] = &[
    arithmetic::ROWS,
    bits::ROWS,
    compare::ROWS,
    convert::ROWS,
    small_float::ROWS,
    power::ROWS,
    reinterpret::ROWS,
    rounding::ROWS,
    transcendental::ROWS,
    ROWS,
];

const ROWS: &[Row] = &[
    unlowered(stablehlo::COMPLEX, rule(2, elementwise::complex)),
    row(stablehlo::IMAG, rule(1, elementwise::part), Elements::FLOAT, zero).note("of a real number: zero"),
    row(stablehlo::MAP, variadic(1, Exactly(1), window::map), Elements::PLAIN, map)
        .note("its body applied to whole tensors"),
    row(stablehlo::REAL, rule(1, elementwise::part), Elements::FLOAT, |cx, op| unary(cx, op, |x| x))
        .note("of a real number: itself"),
];

/// The ONNX op of one operand that has the same meaning.
pub(super) fn simple(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let operand = cx.operand(op, 0)?;
    Ok(cx.elementwise(name, &[operand]).into())
}

/// The imaginary part of real numbers. It broadcasts to their sizes.
fn zero(cx: &mut Lower, op: OpId) -> Lowered {
    let element = cx.result_type(op, 0)?.element;
    Ok(cx.scalar(element, 0.0).into())
}

/// A function of scalars, applied to all elements.
fn map(cx: &mut Lower, op: OpId) -> Lowered {
    let (_, sizes) = cx.result_dims(op, 0)?;
    let region = cx.region(op, 0)?;
    let vectorized = cx.vectorize_region(region, &sizes)?;
    let mut operands = Vec::with_capacity(cx.operand_count(op));
    for index in 0..cx.operand_count(op) {
        operands.push(cx.operand(op, index)?);
    }
    Ok(cx.inline(vectorized, &operands)?.into_iter().collect())
}

/// A formula of one operand.
pub(super) fn unary(cx: &mut Lower, op: OpId, formula: impl for<'f> FnOnce(Term<'f>) -> Term<'f>) -> Lowered {
    let operand = cx.operand(op, 0)?;
    Ok(cx.formula([operand], |[x]| formula(x)).into())
}

/// The operands, their dimensions where ONNX's broadcasting expects them.
///
/// Without `broadcast_dimensions` the last dimensions of the shorter operand meet the last ones of the other, as in
/// ONNX; the attribute names the dimensions of the result that they represent.
pub(super) fn binary_operands(cx: &mut Lower, op: OpId) -> Result<(ValueId, ValueId), LowerError> {
    let (mut lhs, mut rhs) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    let Some(dimensions) = cx.attributes(op).optional_integers("broadcast_dimensions")? else {
        return Ok((lhs, rhs));
    };
    let (lhs_sizes, rhs_sizes) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, 1)?);
    if lhs_sizes.len() == rhs_sizes.len() {
        return Ok((lhs, rhs));
    }
    let (shorter, index) = if lhs_sizes.len() < rhs_sizes.len() { (&mut lhs, 0) } else { (&mut rhs, 1) };
    let rank = lhs_sizes.len().max(rhs_sizes.len());
    let own = if index == 0 { lhs_sizes } else { rhs_sizes };
    let ascending = dimensions.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = dimensions.iter().all(|&dimension| (0..rank as i64).contains(&dimension));
    if dimensions.len() != own.len() || !ascending || !inside {
        return Err(LowerError::attribute(
            "broadcast_dimensions",
            "expected a result dimension for each dimension of the operand of lower rank",
        ));
    }
    let trailing =
        dimensions.iter().zip(rank - own.len()..).all(|(&dimension, last)| dimension == last as i64);
    if !trailing {
        let full = cx.full(op, index)?;
        let mut sizes = vec![Dim::Known(1); rank];
        for (&dimension, &size) in dimensions.iter().zip(&own) {
            sizes[dimension as usize] = size;
        }
        *shorter = cx.reshape(full, &sizes);
    }
    Ok((lhs, rhs))
}

/// A lowering of two operands, which broadcast.
pub(super) fn binary(
    cx: &mut Lower,
    op: OpId,
    lower: impl FnOnce(&mut Lower, ValueId, ValueId) -> ValueId,
) -> Lowered {
    let (lhs, rhs) = binary_operands(cx, op)?;
    Ok(lower(cx, lhs, rhs).into())
}

/// A formula of one float operand, in `f32` where the type is narrower, as XLA computes such functions.
pub(super) fn precise(
    cx: &mut Lower,
    op: OpId,
    formula: impl for<'f> FnOnce(Term<'f>) -> Term<'f>,
) -> Lowered {
    unary(cx, op, |x| formula(widened(x)).cast(x.element()))
}

/// A formula of two float operands, in `f32` where the type is narrower.
pub(super) fn precise_binary(
    cx: &mut Lower,
    op: OpId,
    formula: impl for<'f> FnOnce(Term<'f>, Term<'f>) -> Term<'f>,
) -> Lowered {
    let (lhs, rhs) = binary_operands(cx, op)?;
    Ok(cx.formula([lhs, rhs], |[x, y]| formula(widened(x), widened(y)).cast(x.element())).into())
}

fn widened(x: Term) -> Term {
    match x.element() {
        Element::F16 | Element::BF16 => x.cast(Element::F32),
        _ => x,
    }
}
