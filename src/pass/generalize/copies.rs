//! What fills a tensor becomes a copy for each of its uses, as the rows of one use say nothing of another.
//!
//! `zeros((8, 8))` may be eight rows for one op, and weights for another. `canonicalize` makes one of those that stay
//! equal.

use crate::ir::{FunctionId, Module, NewOp, Op, OpId, Rewriter, ValueId};
use rustc_hash::FxHashSet;

/// Copies all that fills a tensor so that it has one use.
pub(super) fn separate(module: &mut Module, function: FunctionId) {
    let mut used: FxHashSet<ValueId> = FxHashSet::default();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        for index in 0..rewriter.module.op(op).operands.len() {
            let operand = rewriter.module.op(op).operands[index];
            let Some(source) = rewriter.module.defining_op(operand) else { continue };
            if fills(rewriter.module, source) && !used.insert(operand) {
                let copy = copy(rewriter, source);
                rewriter.module.op_mut(op).operands[index] = copy;
            }
        }
        true
    };
    Rewriter::new(module).function(function, &mut visit);
}

/// Whether an op gives a constant, or a scalar for all elements.
fn fills(module: &Module, op: OpId) -> bool {
    let rank = |value: Option<&ValueId>| value.and_then(|&value| module.tensor(value)).map(|ty| ty.rank());
    let operation = module.op(op);
    match module.op_name(op) {
        "stablehlo.constant" => rank(operation.results.first()) > Some(0),
        "stablehlo.broadcast_in_dim" => rank(operation.operands.first()) == Some(0),
        _ => false,
    }
}

fn copy(rewriter: &mut Rewriter, op: OpId) -> ValueId {
    let Op { name, operands, results, attributes, regions } = rewriter.module.op(op).clone();
    let result_types = results.iter().map(|&result| rewriter.module.value_type(result)).collect();
    let (span, location) = (rewriter.module.span(op), rewriter.module.op_location(op));
    let copy = rewriter.insert(NewOp { name, operands, result_types, attributes, regions, span, location });
    rewriter.module.op(copy).results[0]
}
