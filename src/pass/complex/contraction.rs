//! Contractions: sums of products.

use super::{LowerError, Rewrite, RewriteRow, Splitter};
use crate::ir::{Data, OpId, ValueId, stablehlo};

pub(super) const ROWS: &[RewriteRow] = &[
    (stablehlo::CONVOLUTION, Rewrite::Own(contract)),
    (stablehlo::DOT, Rewrite::Own(contract)),
    (stablehlo::DOT_GENERAL, Rewrite::Own(contract)),
];

/// `(a + bi)(c + di) = (ac - bd) + (ad + bc)i` for contractions. Omits products with a constant zero part, such as
/// those of converted real matrices.
fn contract(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let ([a, b], [c, d]) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    let ty = cx.result_part(op, 0)?;
    let product = |cx: &mut Splitter, left: ValueId, right: ValueId| {
        if is_zero(cx, left) || is_zero(cx, right) {
            return None;
        }
        Some(cx.again(op, &[left, right]).of(ty))
    };
    let (ac, bd) = (product(cx, a, c), product(cx, b, d));
    let re = match (ac, bd) {
        (Some(ac), Some(bd)) => cx.create(stablehlo::SUBTRACT, &[ac, bd]).of(ty),
        (Some(ac), None) => ac,
        (None, Some(bd)) => cx.create(stablehlo::NEGATE, &[bd]).of(ty),
        (None, None) => cx.splat(ty, 0.0),
    };
    // A real result is the real part of the complex one.
    if !cx.is_complex(cx.module.op(op).results[0]) {
        return cx.define_real(op, 0, re);
    }
    let (ad, bc) = (product(cx, a, d), product(cx, b, c));
    let im = match (ad, bc) {
        (Some(ad), Some(bc)) => cx.create(stablehlo::ADD, &[ad, bc]).of(ty),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => cx.splat(ty, 0.0),
    };
    cx.define_parts(op, 0, [re, im])
}

/// Whether a value is the constant zero.
pub(super) fn is_zero(cx: &Splitter, value: ValueId) -> bool {
    let constant = cx.module.constant_of(value).map(|constant| &cx.module.constant(constant).data);
    matches!(constant, Some(Data::Splat(bytes)) if bytes.iter().all(|&byte| byte == 0))
}
