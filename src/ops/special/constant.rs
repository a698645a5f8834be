//! Constants in CHLO.

use super::{Lower, LowerError, Lowered, OpId};
use crate::ir::chlo;
use crate::ir::{Attribute, Data, Dim};
use crate::ops::Elements;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Inferred, Typing, movement, one, rule, tensor};

pub(super) const ROWS: &[Row] = &[
    row(chlo::CONSTANT, rule(0, movement::constant), Elements::PLAIN, constant),
    row(chlo::CONSTANT_LIKE, rule(1, constant_like_type), Elements::PLAIN, constant_like),
];

/// `chlo.constant`, as `stablehlo.constant`; a splat stays one element.
pub(super) fn constant(cx: &mut Lower, op: OpId) -> Lowered {
    let Some(Attribute::Dense(id)) = cx.module.attribute(op, "value") else {
        return Err(LowerError::missing("value"));
    };
    let constant = cx.module.constant(*id).clone();
    let (element, sizes) = cx.result(op, 0)?;
    Ok(match constant.data {
        Data::Splat(bytes) if !sizes.contains(&0) => cx.constant(element, &[], &bytes),
        _ => cx.data_constant(constant),
    }
    .into())
}

fn constant_like_type(t: &Typing) -> Inferred {
    t.attributes().get("value")?;
    one(tensor(t.result(0)?.element, t.operand(0)?.dims.clone()))
}

/// `chlo.constant_like`: one number with the shape of the operand, which ONNX broadcasts.
pub(super) fn constant_like(cx: &mut Lower, op: OpId) -> Lowered {
    let (element, sizes) = cx.result_dims(op, 0)?;
    let number = match cx.module.attribute(op, "value") {
        Some(Attribute::Integer(number, _)) => {
            let number = *number;
            cx.integer(element, number)
        }
        Some(&Attribute::Float(number, _)) => cx.scalar(element, number),
        Some(&Attribute::Bool(truth)) => cx.integer(element, i64::from(truth)),
        Some(_) => {
            return Err(LowerError::attribute("value", "expected a number"));
        }
        None => return Err(LowerError::missing("value")),
    };
    Ok(if sizes.contains(&Dim::Known(0)) { cx.broadcast_to(number, &sizes) } else { number }.into())
}
