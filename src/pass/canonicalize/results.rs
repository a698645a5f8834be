//! Makes the results of an ONNX model distinct values.

use crate::ir::{
    Attribute, BlockId, Element, Module, NewOp, OpId, OpName, TensorType, Type, ValueId, func, onnx,
};
use smallvec::{SmallVec, smallvec};

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
    let mut ty = module.value_type(operand);
    let mut attributes = Vec::new();
    if let Some((element, tensor)) = to.zip(module.tensor(operand).cloned()) {
        ty = module.types.intern(Type::Tensor(TensorType { element, ..tensor }));
        let scalar = module.types.intern(Type::Scalar(element));
        attributes.push((module.symbols.intern("to"), Attribute::Type(scalar)));
    }
    let op = module.add_op(NewOp {
        name,
        operands: smallvec![operand],
        result_types: smallvec![ty],
        attributes,
        regions: SmallVec::new(),
        span: module.span(terminator),
        location: module.op_location(terminator),
    });
    let ops = &mut module.block_mut(block).ops;
    ops.insert(ops.len() - 1, op);
    module.op(op).results[0]
}
