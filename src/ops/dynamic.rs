//! Ops whose sizes are operands.
//!
//! Where these are numbers, the `shapes` pass has made them the ops whose sizes are attributes. What is left has a size
//! that is known only when the model runs.

use super::{Elements, Lower, Lowered, Refusal, Row, noted};
use crate::ir::OpId;

const NOTE: &str = "where the sizes are numbers, or become numbers by `--dim`";

pub(super) const ROWS: &[Row] = &[
    noted("stablehlo.dynamic_broadcast_in_dim", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.dynamic_gather", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.dynamic_iota", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.dynamic_pad", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.dynamic_reshape", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.get_dimension_size", Elements::PLAIN, unknown, NOTE),
    noted("stablehlo.real_dynamic_slice", Elements::PLAIN, unknown, NOTE),
];

fn unknown(cx: &mut Lower, op: OpId) -> Lowered {
    Err(Refusal::Dynamic(format!("what `{}` gives", cx.module.op_name(op))))
}
