//! `stablehlo.map`: a function of scalars, applied to all elements.

use super::LowerError;
use crate::ir::{Class, OpId, OpName, chlo, stablehlo};
use crate::ops::Elements;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, variadic, window};
use crate::ops::{Lower, Lowered};

pub(super) const ROWS: &[Row] =
    &[row(stablehlo::MAP, variadic(1, Exactly(1), window::map), Elements::PLAIN, map)
        .note("its body applied to whole tensors")];

/// Lowers the body on whole tensors: each value gets the sizes of the operands.
pub(super) fn map(cx: &mut Lower, op: OpId) -> Lowered {
    let (_, sizes) = cx.result_dims(op, 0)?;
    let region = cx.module.op(op).regions.first().copied();
    let region = region.ok_or_else(|| LowerError::form("an op without a body"))?;
    let block = cx.module.entry_block(region).ok_or_else(|| LowerError::form("an empty body"))?;
    let body = cx.module.block(block).clone();
    let mut values = body.arguments;
    for inner in body.ops {
        let name = cx.module.op(inner).name;
        if matches!(name, stablehlo::RETURN | stablehlo::CONSTANT) {
            continue;
        }
        if !is_elementwise(name) {
            return Err(LowerError::form(format!("`{}` in its body", cx.module.op_name(inner))));
        }
        values.extend(cx.module.op(inner).results.iter().copied());
    }
    for value in values {
        let Some(element) = cx.module.tensor(value).map(|tensor| tensor.element) else {
            return Err(LowerError::form("its body has a value that is not a tensor"));
        };
        let ty = cx.module.tensor_of(element, &sizes);
        cx.module.value_mut(value).ty = ty;
    }
    let arguments: Result<Vec<_>, _> = (0..cx.operand_count(op)).map(|index| cx.operand(op, index)).collect();
    let results = cx.inline(region, &arguments?)?;
    Ok(results.into_iter().map(|result| cx.broadcast_to(result, &sizes)).collect())
}

/// Whether the op means the same on scalars and tensors.
fn is_elementwise(name: OpName) -> bool {
    name.class() == Class::Elementwise
        || matches!(name, chlo::CONSTANT | chlo::CONSTANT_LIKE | stablehlo::BITCAST_CONVERT | stablehlo::MAP)
}
