//! Ops that read sizes, and ops with size operands.
//!
//! The `refine_shapes` pass has turned the latter into static forms where it knows their sizes. The remaining ones
//! break a rule, or depend on data.

use super::size::{SizePart, SymbolSource};
use super::{Elements, Lower, LowerError, Lowered, Values};
use crate::ir::{Attribute, Definition, Dim, OpId, hlo2onnx, stablehlo};
use crate::ops::row::{Row, row, unlowered, untyped};
use crate::ops::type_inference::{dynamic, index, rule};

const NOTE: &str = "the `refine_shapes` pass turns it into the op with static sizes";
pub(super) const ROWS: &[Row] = &[
    untyped(hlo2onnx::SIZE, Elements::ANY, define).note("binds a symbolic size to its value"),
    row(
        stablehlo::DYNAMIC_BROADCAST_IN_DIM,
        rule(2, dynamic::dynamic_broadcast_in_dim),
        Elements::PLAIN,
        unknown,
    )
    .note(NOTE),
    row(stablehlo::DYNAMIC_GATHER, rule(3, index::dynamic_gather), Elements::PLAIN, unknown).note(NOTE),
    row(stablehlo::DYNAMIC_IOTA, rule(1, dynamic::dynamic_iota), Elements::PLAIN, unknown).note(NOTE),
    row(stablehlo::DYNAMIC_PAD, rule(5, dynamic::dynamic_pad), Elements::PLAIN, unknown).note(NOTE),
    row(stablehlo::DYNAMIC_RESHAPE, rule(2, dynamic::dynamic_reshape), Elements::PLAIN, unknown).note(NOTE),
    row(
        stablehlo::GET_DIMENSION_SIZE,
        rule(1, dynamic::get_dimension_size),
        Elements::ANY,
        get_dimension_size,
    )
    .note("a constant, or Shape"),
    row(stablehlo::REAL_DYNAMIC_SLICE, rule(4, dynamic::real_dynamic_slice), Elements::PLAIN, unknown)
        .note(NOTE),
    unlowered(stablehlo::SET_DIMENSION_SIZE, rule(2, dynamic::set_dimension_size)),
];

fn unknown(cx: &mut Lower, op: OpId) -> Lowered {
    Err(LowerError::Dynamic(format!("the result of `{}`", cx.module.op_name(op))))
}

/// Records where a symbol gets its value. Emits nothing until a size is needed.
fn define(cx: &mut Lower, op: OpId) -> Lowered {
    let Some(name) = cx.module.attribute(op, "symbol").and_then(Attribute::as_str).map(str::to_owned) else {
        return Err(LowerError::missing("symbol"));
    };
    let name = cx.module.symbols.intern(&name);
    let position =
        |index: i64| usize::try_from(index).map_err(|_| LowerError::attribute("dimension", "negative"));
    let part = match cx.module.attribute(op, "element").and_then(Attribute::as_integer) {
        Some(index) => SizePart::Element(position(index)?),
        None => SizePart::Dimension(position(cx.attributes(op).integer("dimension")?)?),
    };
    let times =
        if cx.module.attribute(op, "times").is_some() { cx.attributes(op).integer("times")? } else { 1 };
    let plus = match cx.module.attribute(op, "plus") {
        Some(_) => cx.attributes(op).sizes("plus")?.first().copied().unwrap_or(Dim::Known(0)),
        None => Dim::Known(0),
    };
    let value = cx.full(op, 0)?;
    let is_argument =
        matches!(cx.module.value(value).definition, Definition::Argument(..)) && !cx.is_nested();
    if cx.origins.insert(name, SymbolSource { value, part, is_argument, times, plus }).is_some() {
        // The body of an unrolled loop has its own sizes in each iteration.
        cx.forget_sizes();
    }
    Ok(Values::default())
}

fn get_dimension_size(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.attributes(op).integer("dimension")?;
    let dims = cx.operand_dims(op, 0)?;
    let size = usize::try_from(axis).ok().and_then(|axis| dims.get(axis).copied());
    let size = size.ok_or_else(|| LowerError::attribute("dimension", "not a dimension of the operand"))?;
    let (element, _) = cx.result_dims(op, 0)?;
    Ok(cx.size_scalar(size, element).into())
}
