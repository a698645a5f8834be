//! Ops that work on each element by itself.

use super::{Elements, Lower, Lowered, Row, row};
use crate::ir::OpId;

pub(super) const ROWS: &[Row] = &[
    row("stablehlo.add", Elements::PLAIN, |cx, op| logical_or(cx, op, "Or", "Add")),
    row("stablehlo.divide", Elements::FLOAT, |cx, op| binary(cx, op, "Div")),
    row("stablehlo.exponential", Elements::FLOAT, |cx, op| unary(cx, op, "Exp")),
    row("stablehlo.log", Elements::FLOAT, |cx, op| unary(cx, op, "Log")),
    row("stablehlo.maximum", Elements::PLAIN, |cx, op| logical_or(cx, op, "Or", "Max")),
    row("stablehlo.multiply", Elements::PLAIN, |cx, op| logical_or(cx, op, "And", "Mul")),
    row("stablehlo.subtract", Elements::NUMERIC, |cx, op| binary(cx, op, "Sub")),
];

fn unary(cx: &mut Lower, op: OpId, name: &'static str) -> Lowered {
    let operand = cx.operand(op, 0)?;
    Ok(cx.elementwise(name, &[operand]).into())
}

fn binary(cx: &mut Lower, op: OpId, name: &'static str) -> Lowered {
    let (lhs, rhs) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    Ok(cx.elementwise(name, &[lhs, rhs]).into())
}

/// ONNX has no arithmetic on `bool`: there the logical op of the same truth table stands for it.
fn logical_or(cx: &mut Lower, op: OpId, logical: &'static str, arithmetic: &'static str) -> Lowered {
    let boolean = cx.operand_type(op, 0)?.element == crate::ir::Element::Bool;
    binary(cx, op, if boolean { logical } else { arithmetic })
}
