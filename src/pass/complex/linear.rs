//! Linear algebra: `stablehlo.cholesky` and `stablehlo.triangular_solve` become ops with the same attributes on
//! packed matrices, which `ops::linalg` lowers.

use super::{LowerError, Rewrite, RewriteRow, Splitter, packed_type};
use crate::ir::{OpId, OpName, ValueId, hlo2onnx, stablehlo};

pub(super) const ROWS: &[RewriteRow] = &[
    (stablehlo::CHOLESKY, Rewrite::Own(|cx, op| packed(cx, op, hlo2onnx::CHOLESKY))),
    (stablehlo::TRIANGULAR_SOLVE, Rewrite::Own(|cx, op| packed(cx, op, hlo2onnx::TRIANGULAR_SOLVE))),
];

/// The op of this name on the packed operands.
fn packed(cx: &mut Splitter, op: OpId, name: OpName) -> Result<(), LowerError> {
    let operands: Vec<ValueId> = cx
        .module
        .op(op)
        .operands
        .clone()
        .into_iter()
        .map(|operand| cx.whole(operand))
        .collect::<Result<_, _>>()?;
    let result = cx.module.op(op).results.first().copied().ok_or(LowerError::Reported)?;
    let ty = cx.module.value_type(result);
    let ty = packed_type(cx.module, ty).ok_or_else(|| LowerError::form("its result is not complex"))?;
    let attributes = cx.module.op(op).attributes.clone();
    let value = cx.create(name, &operands).attributes(attributes).of(ty);
    cx.define_whole(op, 0, value)
}
