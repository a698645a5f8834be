//! Rules of ops between devices: what is needed where there is one.

use super::typing::Typing;
use super::{Count, Inferred, Rule, variadic};

pub(super) const RULES: &[Rule] = &[
    variadic("stablehlo.all_gather", 1, Count::AtLeast(1), gathers),
    variadic("stablehlo.all_reduce", 1, Count::AtLeast(1), one_each),
    variadic("stablehlo.all_to_all", 1, Count::AtLeast(1), one_each),
    variadic("stablehlo.collective_broadcast", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.collective_permute", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.cross-replica-sum", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.reduce_scatter", 1, Count::Exactly(1), gathers),
];

/// As many results as operands, all tensors; their sizes depend on the number of devices.
fn one_each(t: &Typing) -> Inferred {
    t.operands()?;
    if t.operand_count() != t.result_count() {
        return super::typing::types("as many results as operands are expected");
    }
    t.stated()
}

fn gathers(t: &Typing) -> Inferred {
    let attribute =
        if t.module.op_name(t.op) == "stablehlo.all_gather" { "all_gather_dim" } else { "scatter_dimension" };
    for operand in t.operands()? {
        t.dimension(attribute, operand.rank())?;
    }
    one_each(t)
}
