//! Replaces tuples by their elements.
//!
//! XLA's programs and older front ends use tuples, for example for results. Models have no tuples.

use crate::ir::{
    Attribute, BlockId, Definition, FunctionId, FunctionResult, Module, Op, OpId, Type, TypeId, ValueId,
    stablehlo,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Removes the tuples from all functions that have any.
pub(super) fn flatten(module: &mut Module) {
    let is_tuple = |&value: &ValueId| matches!(module.types.get(module.value_type(value)), Type::Tuple(_));
    let bodies = module.functions().map(|id| module.function(id).body);
    let found = module.blocks_within(bodies).any(|block| {
        let block = module.block(block);
        block.arguments.iter().any(is_tuple)
            || block.ops.iter().any(|&op| module.op(op).results.iter().any(is_tuple))
    });
    if !found {
        return;
    }
    for function in module.functions() {
        let body = module.function(function).body;
        let mut flatten = Flatten { module, parts: FxHashMap::default() };
        let blocks: Vec<BlockId> = flatten.module.blocks_within([body]).collect();
        blocks.into_iter().for_each(|block| flatten.block(block));
        flatten.signature(function);
    }
}

struct Flatten<'m> {
    module: &'m mut Module,
    /// Replacements of values that were tuples or came from one.
    parts: FxHashMap<ValueId, Vec<ValueId>>,
}

impl Flatten<'_> {
    /// The leaf types of a type.
    fn leaves(&self, ty: TypeId) -> Vec<TypeId> {
        let (mut leaves, mut pending) = (Vec::new(), vec![ty]);
        while let Some(ty) = pending.pop() {
            match self.module.types.get(ty) {
                Type::Tuple(inner) => pending.extend(inner.iter().rev()),
                _ => leaves.push(ty),
            }
        }
        leaves
    }

    fn is_tuple(&self, value: ValueId) -> bool {
        matches!(self.module.types.get(self.module.value_type(value)), Type::Tuple(_))
    }

    /// The values that replace a value. Unknown values replace a tuple that could not be parsed.
    fn values(&mut self, value: ValueId) -> Vec<ValueId> {
        if let Some(parts) = self.parts.get(&value) {
            return parts.clone();
        }
        if !self.is_tuple(value) {
            return vec![value];
        }
        let types = self.leaves(self.module.value_type(value));
        types.into_iter().map(|ty| self.module.add_poison(ty)).collect()
    }

    fn block(&mut self, block: BlockId) {
        let arguments = std::mem::take(&mut self.module.block_mut(block).arguments);
        for argument in arguments {
            if self.is_tuple(argument) {
                let types = self.leaves(self.module.value_type(argument));
                let parts = types.into_iter().map(|ty| self.module.add_argument(block, ty)).collect();
                self.parts.insert(argument, parts);
            } else {
                let index = self.module.block(block).arguments.len() as u32;
                self.module.value_mut(argument).definition = Definition::Argument(block, index);
                self.module.block_mut(block).arguments.push(argument);
            }
        }
        let ops = std::mem::take(&mut self.module.block_mut(block).ops);
        let ops = ops.into_iter().filter_map(|op| self.op(op)).collect();
        self.module.block_mut(block).ops = ops;
    }

    /// The op that replaces an op, if any.
    fn op(&mut self, op: OpId) -> Option<OpId> {
        let Op { name: _, operands, results, attributes: _, regions: _ } = self.module.op(op).clone();
        let flat: Vec<Vec<ValueId>> = operands.iter().map(|&operand| self.values(operand)).collect();
        match (self.module.op(op).name, &results[..], &operands[..]) {
            (stablehlo::TUPLE, &[result], _) => {
                self.parts.insert(result, flat.concat());
                return None;
            }
            (stablehlo::GET_TUPLE_ELEMENT, &[result], &[tuple]) => {
                let index = self.module.attribute(op, "index").and_then(Attribute::as_integer);
                let Type::Tuple(inner) = self.module.types.get(self.module.value_type(tuple)).clone() else {
                    return Some(op);
                };
                // A type rule keeps the index within bounds.
                let index = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(0).min(inner.len());
                let before: usize = inner[..index].iter().map(|&ty| self.leaves(ty).len()).sum();
                let count = self.leaves(self.module.value_type(result)).len();
                let parts = flat.concat().into_iter().skip(before).take(count).collect();
                self.parts.insert(result, parts);
                return None;
            }
            _ => {}
        }
        let operands: SmallVec<[ValueId; 3]> = flat.concat().into_iter().collect();
        if !results.iter().any(|&result| self.is_tuple(result)) {
            self.module.op_mut(op).operands = operands;
            return Some(op);
        }
        let types: Vec<Vec<TypeId>> =
            results.iter().map(|&result| self.leaves(self.module.value_type(result))).collect();
        let new = self.module.create_like(op, &operands).results(&types.concat());
        let mut values = self.module.op(new).results.clone().into_iter();
        for (result, types) in results.into_iter().zip(types) {
            let parts = values.by_ref().take(types.len()).collect();
            self.parts.insert(result, parts);
        }
        Some(new)
    }

    /// Splits a tuple argument or result into one per element, without the attributes that name the whole.
    fn signature(&mut self, id: FunctionId) {
        let function = self.module.function(id).clone();
        let (mut arguments, mut argument_types) = (Vec::new(), Vec::new());
        for (index, &ty) in function.argument_types.iter().enumerate() {
            let leaves = self.leaves(ty);
            let mut argument = function.arguments.get(index).cloned().unwrap_or_default();
            if leaves != [ty] {
                (argument.attributes, argument.location) = (Vec::new(), None);
            }
            arguments.extend(std::iter::repeat_n(argument, leaves.len()));
            argument_types.extend(leaves);
        }
        let results = function.results.iter().flat_map(|result| {
            let leaves = self.leaves(result.ty);
            let whole = leaves == [result.ty];
            let attributes = if whole { result.attributes.clone() } else { Vec::new() };
            leaves.into_iter().map(move |ty| FunctionResult { ty, attributes: attributes.clone() })
        });
        let results = results.collect();
        let function = self.module.function_mut(id);
        (function.arguments, function.argument_types, function.results) =
            (arguments, argument_types, results);
    }
}
