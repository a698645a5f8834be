//! Sizes as values, and ops whose sizes are operands.
//!
//! The `refine_shapes` pass has made the latter the ops whose sizes are attributes, wherever it knows a number or an
//! expression for them. What is left breaks a rule, or takes from data what must be known before.

use super::size::{Origin, Part};
use super::{Elements, Lower, LowerError, Lowered, Row, Values, noted};
use crate::ir::{Attribute, Definition, Dim, OpId, hlo2onnx, stablehlo};

const NOTE: &str = "the `refine_shapes` pass turns it into the op with static sizes";
const ANY: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::NIBBLE);

pub(super) const ROWS: &[Row] = &[
    noted(hlo2onnx::SIZE, ANY, define, "binds a symbolic size to its value"),
    noted(stablehlo::DYNAMIC_BROADCAST_IN_DIM, Elements::PLAIN, unknown, NOTE),
    noted(stablehlo::DYNAMIC_GATHER, Elements::PLAIN, unknown, NOTE),
    noted(stablehlo::DYNAMIC_IOTA, Elements::PLAIN, unknown, NOTE),
    noted(stablehlo::DYNAMIC_PAD, Elements::PLAIN, unknown, NOTE),
    noted(stablehlo::DYNAMIC_RESHAPE, Elements::PLAIN, unknown, NOTE),
    noted(stablehlo::GET_DIMENSION_SIZE, ANY, get_dimension_size, "a constant, or Shape"),
    noted(stablehlo::REAL_DYNAMIC_SLICE, Elements::PLAIN, unknown, NOTE),
];

fn unknown(cx: &mut Lower, op: OpId) -> Lowered {
    Err(LowerError::Dynamic(format!("the result of `{}`", cx.module.op_name(op))))
}

/// Notes where a symbol has its value from. Nothing is emitted before a size is requested.
fn define(cx: &mut Lower, op: OpId) -> Lowered {
    let Some(name) = cx.module.attribute(op, "symbol").and_then(Attribute::as_str).map(str::to_owned) else {
        return Err(LowerError::Missing("symbol"));
    };
    let name = cx.module.symbols.intern(&name);
    let position = |index: i64| {
        usize::try_from(index)
            .map_err(|_| LowerError::Attribute { name: "dimension", why: "negative".into() })
    };
    let part = match cx.module.attribute(op, "element").and_then(Attribute::as_integer) {
        Some(index) => Part::Element(position(index)?),
        None => Part::Dimension(position(cx.int(op, "dimension")?)?),
    };
    let times = if cx.module.attribute(op, "times").is_some() { cx.int(op, "times")? } else { 1 };
    let plus = match cx.module.attribute(op, "plus") {
        Some(_) => cx.size_list(op, "plus")?.first().copied().unwrap_or(Dim::Known(0)),
        None => Dim::Known(0),
    };
    let value = cx.full(op, 0)?;
    let is_argument =
        matches!(cx.module.value(value).definition, Definition::Argument(..)) && !cx.is_nested();
    if cx.origins.insert(name, Origin { value, part, is_argument, times, plus }).is_some() {
        // The body of a loop that is unrolled has its own sizes in each round.
        cx.forget_sizes();
    }
    Ok(Values::default())
}

fn get_dimension_size(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.int(op, "dimension")?;
    let dims = cx.operand_dims(op, 0)?;
    let size = usize::try_from(axis).ok().and_then(|axis| dims.get(axis).copied());
    let size = size.ok_or_else(|| LowerError::Attribute {
        name: "dimension",
        why: "not a dimension of the operand".into(),
    })?;
    let (element, _) = cx.result_dims(op, 0)?;
    Ok(cx.size_scalar(size, element).into())
}
