//! Rules of ops between devices: what is needed where there is one.

use super::typing::{Typing, one};
use super::{Count, Inferred, Rule, rule, variadic};

pub(super) const RULES: &[Rule] = &[
    rule("sdy.all_gather", 1, same),
    rule("sdy.all_reduce", 1, same),
    rule("sdy.all_slice", 1, same),
    rule("sdy.all_to_all", 1, same),
    rule("sdy.collective_permute", 1, same),
    rule("sdy.constant", 0, |t| t.stated()),
    rule("sdy.data_flow_edge", 1, same),
    rule("sdy.propagation_barrier", 1, same),
    rule("sdy.reduce_scatter", 1, same),
    rule("sdy.replicated_to_unreduced", 1, same),
    rule("sdy.reshard", 1, same),
    rule("sdy.sharded_to_unreduced", 1, same),
    rule("sdy.sharding_constraint", 1, same),
    variadic("stablehlo.all_gather", 1, Count::AtLeast(1), gathers),
    variadic("stablehlo.all_reduce", 1, Count::AtLeast(1), one_each),
    variadic("stablehlo.all_to_all", 1, Count::AtLeast(1), one_each),
    variadic("stablehlo.collective_broadcast", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.collective_permute", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.cross-replica-sum", 1, Count::Exactly(1), one_each),
    variadic("stablehlo.reduce_scatter", 1, Count::Exactly(1), gathers),
];

/// A value of Shardy is the whole, however it is sharded.
fn same(t: &Typing) -> Inferred {
    one(t.operand(0)?.clone())
}

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
