//! Makes the results of an ONNX model distinct values.

use crate::ir::{BlockId, Element, Module, OpId, OpName, ValueId, func, onnx};
use smallvec::SmallVec;

/// Adds an Identity to each result that is an argument, a constant or another result: ONNX tools refuse or rename
/// such outputs. Other rules may merge values and remove Identities without checking for results.
pub(super) fn separate(module: &mut Module) {
    // Before lowering there are no ONNX ops, and a function may return any values.
    if module.opset().is_none() {
        return;
    }
    let entries: Vec<BlockId> =
        module.functions().filter_map(|id| module.entry_block(module.function(id).body)).collect();
    for block in entries {
        let returned = module.block(block).ops.last().copied();
        if let Some(terminator) = returned.filter(|&op| module.op(op).name == func::RETURN) {
            separate_operands(module, block, terminator);
        }
    }
}

fn separate_operands(module: &mut Module, block: BlockId, terminator: OpId) {
    let mut returned: SmallVec<[ValueId; 3]> = SmallVec::new();
    for operand in module.op(terminator).operands.clone() {
        let computed = module.defining_op(operand).is_some_and(|op| module.op(op).name != onnx::CONSTANT);
        let own = module.is_poison(operand) || (computed && !returned.contains(&operand));
        returned.push(if own { operand } else { copy(module, block, terminator, operand) });
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
