//! The results of an ONNX model, each of which is a value of its own.

use crate::ir::{BlockId, Module, NewOp, OpId, ValueId};
use smallvec::{SmallVec, smallvec};

/// Lets each result that is an argument, a constant or another result pass through an Identity: readers of ONNX refuse
/// or rename such outputs. The rules make values one and remove Identities without a look at the results.
pub(super) fn separate(module: &mut Module) {
    // Before the lowering there are no ONNX ops, and a function may return what it likes.
    if !module.attributes.iter().any(|(name, _)| module.symbols.get(*name) == "onnx.opset") {
        return;
    }
    let entries: Vec<BlockId> =
        module.functions().filter_map(|id| module.entry_block(module.function(id).body)).collect();
    for block in entries {
        let returned = module.block(block).ops.last().copied();
        if let Some(terminator) = returned.filter(|&op| module.op_name(op) == "func.return") {
            separate_operands(module, block, terminator);
        }
    }
}

fn separate_operands(module: &mut Module, block: BlockId, terminator: OpId) {
    let mut returned: SmallVec<[ValueId; 3]> = SmallVec::new();
    for operand in module.op(terminator).operands.clone() {
        let computed = module.defining_op(operand).is_some_and(|op| module.op_name(op) != "onnx.Constant");
        let own = module.is_poison(operand) || (computed && !returned.contains(&operand));
        returned.push(if own { operand } else { copy(module, block, terminator, operand) });
    }
    module.op_mut(terminator).operands = returned;
}

/// The value as an Identity gives it, in front of the terminator.
fn copy(module: &mut Module, block: BlockId, terminator: OpId, value: ValueId) -> ValueId {
    let name = module.symbols.intern("onnx.Identity");
    let op = module.add_op(NewOp {
        name,
        operands: smallvec![value],
        result_types: smallvec![module.value_type(value)],
        attributes: Vec::new(),
        regions: SmallVec::new(),
        span: module.span(terminator),
        location: module.op_location(terminator),
    });
    let ops = &mut module.block_mut(block).ops;
    ops.insert(ops.len() - 1, op);
    module.op(op).results[0]
}
