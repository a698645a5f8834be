//! Loops compute only what depends on the iteration before.
//!
//! What is the same in all iterations moves out of the loop. Of a counted loop that reads and writes slices, as
//! `lax.scan` prints it, the ops before the recurrence are computed for all iterations at once, and so are the ops
//! after it: one product of matrices is several times faster than one per iteration, and each op in the body of a loop
//! costs a microsecond per iteration in ONNX Runtime.

mod after;
mod before;
mod counted;
mod induction;
mod invariants;
mod recurrence;
mod vectorize;
mod worth;

use super::{Context, canonicalize};
use crate::ir::{BlockId, Module, OpId, RegionId, Rewriter, hlo2onnx, stablehlo};
use crate::options::Options;
use crate::source::Source;

pub(super) fn run(module: &mut Module, cx: &mut Context) {
    // A module that becomes a function stays in one place.
    if cx.options.keep_functions {
        return;
    }
    let bodies: Vec<RegionId> = module.functions().map(|id| module.function(id).body).collect();
    if !module.ops_within(bodies.iter().copied()).any(|op| module.op(op).name == stablehlo::WHILE) {
        return;
    }
    let blocks: Vec<_> = bodies.iter().filter_map(|&body| module.entry_block(body)).collect();
    blocks.into_iter().for_each(|block| invariants::hoist(module, block));
    let pass = Loops { source: cx.source, options: cx.options };
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| pass.visit(rewriter, op));
    }
    canonicalize::run(module, cx);
}

struct Loops<'a> {
    source: &'a Source,
    options: &'a Options,
}

impl Loops<'_> {
    fn visit(&self, rewriter: &mut Rewriter, op: OpId) -> bool {
        if rewriter.module.op(op).name != stablehlo::WHILE || defines_sizes(rewriter.module, op) {
            return true;
        }
        _ = induction::count(rewriter, op);
        induction::eliminate(rewriter, op);
        settle(rewriter, op);
        before::distribute(rewriter, op);
        for block in blocks(rewriter.module, op) {
            rewriter.block(block, &mut |rewriter, op| self.visit(rewriter, op));
        }
        while recurrence::extract(rewriter, op, self.source, self.options) {
            settle(rewriter, op);
            // What read the hidden state may run for all iterations now.
            before::distribute(rewriter, op);
            settle(rewriter, op);
        }
        after::distribute(rewriter, op);
        false
    }
}

/// The blocks of an op's regions.
fn blocks(module: &Module, op: OpId) -> Vec<BlockId> {
    module.op(op).regions.iter().flat_map(|&region| module.region(region).blocks.clone()).collect()
}

/// Whether a loop defines the symbol of a size. Its attributes and types then depend on the iteration, too.
fn defines_sizes(module: &Module, op: OpId) -> bool {
    let regions = module.op(op).regions.iter().copied();
    module.ops_within(regions).any(|op| module.op(op).name == hlo2onnx::SIZE)
}

/// Updates the operands in the blocks of an op.
fn settle(rewriter: &mut Rewriter, op: OpId) {
    for block in blocks(rewriter.module, op) {
        rewriter.block(block, &mut |_, _| true);
    }
}
