//! Binary ops with implicit broadcasting.

use super::{elementwise, zeta};
use crate::ir::chlo;
use crate::ops::Elements;
use crate::ops::elementwise::{Right, binary, binary_operands, precise_binary};
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
        let (lhs, rhs) = binary_operands(cx, op)?;
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
        let (base, exponent) = binary_operands(cx, op)?;
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
