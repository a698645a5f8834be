//! Moves constants out of nested graphs.

use crate::ir::{BlockId, Module, OpId, onnx};

/// Moves the constants in graphs of Loop, Scan and If to the start of the function, where the lowering puts those that
/// it makes: every graph sees them, and they are initializers of the main graph.
pub(in crate::pass) fn constants(module: &mut Module) {
    for function in module.functions() {
        let body = module.function(function).body;
        let Some(entry) = module.entry_block(body) else { continue };
        let nested: Vec<BlockId> = module.blocks_within([body]).filter(|&block| block != entry).collect();
        let mut moved: Vec<OpId> = Vec::new();
        for block in nested {
            let ops = std::mem::take(&mut module.block_mut(block).ops);
            let (constants, kept): (Vec<OpId>, Vec<OpId>) =
                ops.into_iter().partition(|&op| module.op(op).name == onnx::CONSTANT);
            module.block_mut(block).ops = kept;
            moved.extend(constants);
        }
        if !moved.is_empty() {
            module.block_mut(entry).ops.splice(0..0, moved);
        }
    }
}
