//! Binary ops with implicit broadcasting.

use super::{Lower, LowerError, Lowered, OpId, elementwise, zeta};
use crate::ir::{Dim, ValueId, chlo};
use crate::ops::Elements;
use crate::ops::elementwise::Right;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::broadcasting;

pub(super) const ROWS: &[Row] = &[
    row(chlo::BROADCAST_ADD, broadcasting(2), Elements::PLAIN, |cx, op| binary(cx, op, elementwise::add)),
    row(chlo::BROADCAST_AND, broadcasting(2), Elements::BITS, |cx, op| {
        binary(cx, op, elementwise::bitwise_and)
    }),
    row(chlo::BROADCAST_ATAN2, broadcasting(2), Elements::FLOAT, |cx, op| {
        precise_binary(cx, op, elementwise::atan2)
    }),
    row(chlo::BROADCAST_COMPARE, broadcasting(2), Elements::PLAIN, |cx, op| {
        let (lhs, rhs) = operands(cx, op)?;
        Ok(elementwise::compare(cx, op, lhs, rhs)?.into())
    }),
    row(chlo::BROADCAST_DIVIDE, broadcasting(2), Elements::NUMERIC, |cx, op| {
        binary(cx, op, elementwise::divide)
    }),
    row(chlo::BROADCAST_MAXIMUM, broadcasting(2), Elements::PLAIN, |cx, op| {
        binary(cx, op, elementwise::maximum)
    }),
    row(chlo::BROADCAST_MINIMUM, broadcasting(2), Elements::PLAIN, |cx, op| {
        binary(cx, op, elementwise::minimum)
    }),
    row(chlo::BROADCAST_MULTIPLY, broadcasting(2), Elements::PLAIN, |cx, op| {
        binary(cx, op, elementwise::multiply)
    }),
    row(chlo::BROADCAST_NEXT_AFTER, broadcasting(2), Elements::FLOAT, |cx, op| {
        binary(cx, op, elementwise::next_after)
    }),
    row(chlo::BROADCAST_OR, broadcasting(2), Elements::BITS, |cx, op| {
        binary(cx, op, elementwise::bitwise_or)
    }),
    row(chlo::BROADCAST_POLYGAMMA, broadcasting(2), Elements::FLOAT, |cx, op| {
        precise_binary(cx, op, zeta::polygamma)
    }),
    row(chlo::BROADCAST_POWER, broadcasting(2), Elements::NUMERIC, |cx, op| {
        let (base, exponent) = operands(cx, op)?;
        Ok(elementwise::power(cx, base, exponent)?.into())
    }),
    row(chlo::BROADCAST_REMAINDER, broadcasting(2), Elements::NUMERIC, |cx, op| {
        binary(cx, op, elementwise::remainder)
    }),
    row(chlo::BROADCAST_SELECT, broadcasting(3), Elements::PLAIN, |cx, op| {
        let (predicate, yes, no) = (cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?);
        Ok(elementwise::select(cx, predicate, yes, no).into())
    }),
    row(chlo::BROADCAST_SHIFT_LEFT, broadcasting(2), Elements::INTEGER, |cx, op| {
        binary(cx, op, elementwise::shift_left)
    }),
    row(chlo::BROADCAST_SHIFT_RIGHT_ARITHMETIC, broadcasting(2), Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Arithmetic))
    }),
    row(chlo::BROADCAST_SHIFT_RIGHT_LOGICAL, broadcasting(2), Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| elementwise::shift_right(cx, x, n, Right::Logical))
    }),
    row(chlo::BROADCAST_SUBTRACT, broadcasting(2), Elements::NUMERIC, |cx, op| {
        binary(cx, op, elementwise::subtract)
    }),
    row(chlo::BROADCAST_XOR, broadcasting(2), Elements::BITS, |cx, op| {
        binary(cx, op, elementwise::bitwise_xor)
    }),
    row(chlo::BROADCAST_ZETA, broadcasting(2), Elements::FLOAT, |cx, op| precise_binary(cx, op, zeta::zeta)),
];

/// The operands, their dimensions where ONNX's broadcasting expects them.
///
/// Without `broadcast_dimensions` the last dimensions of the shorter operand meet the last ones of the other, as in
/// ONNX; the attribute names the dimensions of the result that they represent.
pub(super) fn operands(cx: &mut Lower, op: OpId) -> Result<(ValueId, ValueId), LowerError> {
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

/// A lowering of two operands.
pub(super) fn binary(
    cx: &mut Lower,
    op: OpId,
    lower: impl FnOnce(&mut Lower, ValueId, ValueId) -> ValueId,
) -> Lowered {
    let (lhs, rhs) = operands(cx, op)?;
    Ok(lower(cx, lhs, rhs).into())
}

/// A formula of two float operands, in `f32` where the type is narrower.
pub(super) fn precise_binary(
    cx: &mut Lower,
    op: OpId,
    formula: impl for<'f> FnOnce(Term<'f>, Term<'f>) -> Term<'f>,
) -> Lowered {
    let (lhs, rhs) = operands(cx, op)?;
    Ok(elementwise::precise_values(cx, lhs, rhs, formula).into())
}
