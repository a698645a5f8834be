//! Rules of collectives: the parts that matter on one device.

use super::Inferred;
use super::typing::{Typing, one};
use crate::ir::stablehlo;

/// A Shardy value is the whole value, however it is sharded.
pub(in crate::ops) fn same(t: &Typing) -> Inferred {
    one(t.operand(0)?.clone())
}

/// As many results as operands, all tensors; their sizes depend on the number of devices.
pub(in crate::ops) fn one_each(t: &Typing) -> Inferred {
    t.operands()?;
    if t.operand_count() != t.result_count() {
        return super::typing::types("expected as many results as operands");
    }
    t.stated()
}

pub(in crate::ops) fn gathers(t: &Typing) -> Inferred {
    let attribute =
        if t.module.op(t.op).name == stablehlo::ALL_GATHER { "all_gather_dim" } else { "scatter_dimension" };
    for operand in t.operands()? {
        t.attributes().dimension(attribute, operand.rank())?;
    }
    one_each(t)
}
