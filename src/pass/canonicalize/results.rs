//! Makes the results of each ONNX graph distinct values that the graph computes.

use crate::ir::{BlockId, Element, Module, OpId, OpName, ValueId, func, onnx};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// Adds an Identity to each result of a graph that the graph does not compute, or returns twice. ONNX tools refuse or
/// rename results that are inputs, constants, other results, or values from outside a nested graph. Other rules may
/// merge values, fold them and remove Identities without checking for results.
pub(super) fn separate(module: &mut Module) {
    // Before lowering there are no ONNX ops, and a function may return any values.
    if module.opset().is_none() {
        return;
    }
    let blocks: Vec<BlockId> =
        module.blocks_within(module.functions().map(|id| module.function(id).body)).collect();
    for block in blocks {
        let returned = module.block(block).ops.last().copied();
        if let Some(terminator) =
            returned.filter(|&op| matches!(module.op(op).name, func::RETURN | onnx::RETURN))
        {
            separate_operands(module, block, terminator);
        }
    }
}

fn separate_operands(module: &mut Module, block: BlockId, terminator: OpId) {
    let operands = module.op(terminator).operands.clone();
    let wanted: FxHashSet<ValueId> = operands.iter().copied().collect();
    let ops = module.block(block).ops.iter().map(|&op| module.op(op));
    let computed = ops.filter(|op| op.name != onnx::CONSTANT).flat_map(|op| op.results.iter().copied());
    let mut own: FxHashSet<ValueId> = computed.filter(|value| wanted.contains(value)).collect();
    let mut returned: SmallVec<[ValueId; 3]> = SmallVec::new();
    for operand in operands {
        let is_own = own.remove(&operand) || module.is_poison(operand);
        returned.push(if is_own { operand } else { copy(module, block, terminator, operand) });
    }
    module.op_mut(terminator).operands = returned;
}

/// An Identity of the value before the terminator. ONNX Runtime has no Identity for 4-bit integers, so they are cast
/// to eight bits and back.
fn copy(module: &mut Module, block: BlockId, terminator: OpId, value: ValueId) -> ValueId {
    let element = module.tensor(value).map(|tensor| tensor.element);
    let wide = match element {
        Some(Element::I4) => Element::I8,
        Some(Element::U4) => Element::U8,
        _ => return insert(module, block, terminator, onnx::IDENTITY, value, None),
    };
    let wide = insert(module, block, terminator, onnx::CAST, value, Some(wide));
    insert(module, block, terminator, onnx::CAST, wide, element)
}

/// Inserts an op before the terminator, with a cast if an element type is given.
fn insert(
    module: &mut Module,
    block: BlockId,
    terminator: OpId,
    name: OpName,
    operand: ValueId,
    to: Option<Element>,
) -> ValueId {
    let ty = module.value_type(operand);
    let op = match to {
        Some(element) => {
            let ty = module.with_element(ty, element);
            module.create(name, &[operand]).element("to", element).at_op(terminator).results(&[ty])
        }
        None => module.create(name, &[operand]).at_op(terminator).results(&[ty]),
    };
    let ops = &mut module.block_mut(block).ops;
    ops.insert(ops.len() - 1, op);
    module.op(op).results[0]
}
