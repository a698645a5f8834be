//! Rules of ops between devices: what is needed where there is one.

use super::typing::{Typing, one};
use super::{Count, Inferred, Rule, rule, variadic};
use crate::ir::{sdy, stablehlo};

pub(super) const RULES: &[Rule] = &[
    rule(sdy::ALL_GATHER, 1, same),
    rule(sdy::ALL_REDUCE, 1, same),
    rule(sdy::ALL_SLICE, 1, same),
    rule(sdy::ALL_TO_ALL, 1, same),
    rule(sdy::COLLECTIVE_PERMUTE, 1, same),
    rule(sdy::CONSTANT, 0, |t| t.stated()),
    rule(sdy::DATA_FLOW_EDGE, 1, same),
    rule(sdy::PROPAGATION_BARRIER, 1, same),
    rule(sdy::REDUCE_SCATTER, 1, same),
    rule(sdy::REPLICATED_TO_UNREDUCED, 1, same),
    rule(sdy::RESHARD, 1, same),
    rule(sdy::SHARDED_TO_UNREDUCED, 1, same),
    rule(sdy::SHARDING_CONSTRAINT, 1, same),
    variadic(stablehlo::ALL_GATHER, 1, Count::AtLeast(1), gathers),
    variadic(stablehlo::ALL_REDUCE, 1, Count::AtLeast(1), one_each),
    variadic(stablehlo::ALL_TO_ALL, 1, Count::AtLeast(1), one_each),
    variadic(stablehlo::COLLECTIVE_BROADCAST, 1, Count::Exactly(1), one_each),
    variadic(stablehlo::COLLECTIVE_PERMUTE, 1, Count::Exactly(1), one_each),
    variadic(stablehlo::CROSS_REPLICA_SUM, 1, Count::Exactly(1), one_each),
    variadic(stablehlo::REDUCE_SCATTER, 1, Count::Exactly(1), gathers),
];

/// A value of Shardy is the whole, however it is sharded.
fn same(t: &Typing) -> Inferred {
    one(t.operand(0)?.clone())
}

/// As many results as operands, all tensors; their sizes depend on the number of devices.
fn one_each(t: &Typing) -> Inferred {
    t.operands()?;
    if t.operand_count() != t.result_count() {
        return super::typing::types("expected as many results as operands");
    }
    t.stated()
}

fn gathers(t: &Typing) -> Inferred {
    let attribute =
        if t.module.op(t.op).name == stablehlo::ALL_GATHER { "all_gather_dim" } else { "scatter_dimension" };
    for operand in t.operands()? {
        t.dimension(attribute, operand.rank())?;
    }
    one_each(t)
}
