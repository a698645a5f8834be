//! Joins evaluations of Threefry-2x32 that do not depend on each other.
//!
//! An evaluation takes more than 100 nodes, and a model with dropout has two for each layer: one derives a key, the other makes
//! bits. Small evaluations are dominated by the cost of nodes, so all of one rank become one, on the concatenation of their
//! counters. The rank of an evaluation is the number of evaluations that it waits for.

use super::Context;
use crate::ir::{
    Attribute, BlockId, Data, Element, Module, OpBuilder, OpId, OpName, Place, ValueId, hlo2onnx, stablehlo,
};
use crate::ops::GatherDimensionNumbers;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Larger evaluations are not joined: copying their elements would cost more than their nodes.
const LARGEST: i64 = 1 << 14;

/// Runs the pass.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    let bodies = module.functions().map(|id| module.function(id).body);
    let blocks: Vec<BlockId> = module.blocks_within(bodies).collect();
    for block in blocks {
        let groups = groups(module, block);
        if groups.is_empty() {
            continue;
        }
        let mut replaced = FxHashMap::default();
        for group in groups {
            join(module, block, &group, &mut replaced);
        }
        replace(module, block, &replaced);
        sort(module, block);
    }
}

/// The evaluations of a block that can be joined.
fn groups(module: &Module, block: BlockId) -> Vec<Vec<OpId>> {
    let mut ranks: FxHashMap<ValueId, usize> = FxHashMap::default();
    let mut groups: BTreeMap<usize, Vec<OpId>> = BTreeMap::new();
    for &op in &module.block(block).ops {
        let rank = reads(module, op).filter_map(|value| ranks.get(&value)).copied().max().unwrap_or(0);
        let is_small = module.op(op).name == hlo2onnx::THREEFRY2X32
            && count(module, module.op(op).results[0]).is_some_and(|count| (1..=LARGEST).contains(&count));
        if is_small {
            groups.entry(rank).or_default().push(op);
        }
        let rank = if is_small { rank + 1 } else { rank };
        if rank > 0 {
            ranks.extend(module.op(op).results.iter().map(|&result| (result, rank)));
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// The values that an op and its regions read.
fn reads(module: &Module, op: OpId) -> impl Iterator<Item = ValueId> {
    let inner = module.ops_within(module.op(op).regions.iter().copied());
    let inner = inner.flat_map(|inner| module.op(inner).operands.iter().copied());
    module.op(op).operands.iter().copied().chain(inner)
}

fn count(module: &Module, value: ValueId) -> Option<i64> {
    module.tensor(value)?.count()
}

/// Evaluates all of a group at once, at the end of the block.
fn join(module: &mut Module, block: BlockId, group: &[OpId], replaced: &mut FxHashMap<ValueId, ValueId>) {
    let mut builder = Builder { place: module.place(group[0]), ops: Vec::new(), module };
    let counts: Vec<i64> =
        group.iter().filter_map(|&op| count(builder.module, builder.module.op(op).results[0])).collect();
    let total: i64 = counts.iter().sum();
    let word = |module: &Module, index: usize| -> Vec<ValueId> {
        group.iter().map(|&op| module.op(op).operands[index]).collect()
    };
    let counters = [2, 3].map(|index| {
        let parts = word(builder.module, index);
        builder.joined(&parts, &counts)
    });
    let keys = [0, 1].map(|index| {
        let keys = word(builder.module, index);
        builder.keys(&keys, &counts)
    });
    let ty = builder.module.tensor_of(Element::U32, &[total]);
    let words = builder
        .create(hlo2onnx::THREEFRY2X32, &[keys[0], keys[1], counters[0], counters[1]])
        .values(&[ty, ty]);
    let mixed = mixed(builder.module, block, group);
    let bits = (!mixed.is_empty()).then(|| builder.create(stablehlo::XOR, &words).of(ty));
    let mut start = 0;
    for (&op, &count) in group.iter().zip(&counts) {
        let results = builder.module.op(op).results.clone();
        let parts: Vec<(ValueId, ValueId)> = match (mixed.get(&op), bits) {
            (Some(&result), Some(bits)) => vec![(result, bits)],
            _ => results.into_iter().zip(words.iter().copied()).collect(),
        };
        for (result, word) in parts {
            let ty = builder.module.value_type(result);
            let part = builder.cut(word, start, count);
            let part = builder.create(stablehlo::RESHAPE, &[part]).of(ty);
            builder.module.inherit_origin(result, part);
            replaced.insert(result, part);
        }
        start += count;
    }
    let ops = builder.ops;
    let replaced_ops: Vec<OpId> = mixed.values().filter_map(|&result| module.defining_op(result)).collect();
    let block = module.block_mut(block);
    block.ops.retain(|op| !group.contains(op) && !replaced_ops.contains(op));
    let terminator = block.ops.pop();
    block.ops.extend(ops);
    block.ops.extend(terminator);
}

/// The exclusive or of both words of an evaluation, if nothing else reads them: all of a group are made together.
fn mixed(module: &Module, block: BlockId, group: &[OpId]) -> FxHashMap<OpId, ValueId> {
    let owners: FxHashMap<ValueId, OpId> =
        group.iter().flat_map(|&op| module.op(op).results.iter().map(move |&word| (word, op))).collect();
    let mut mixed: FxHashMap<OpId, Option<ValueId>> = FxHashMap::default();
    for &user in &module.block(block).ops {
        let read: Vec<OpId> = reads(module, user).filter_map(|value| owners.get(&value)).copied().collect();
        let is_mix = module.op(user).name == stablehlo::XOR && read.len() == 2 && read[0] == read[1];
        for op in read {
            let result = is_mix.then(|| module.op(user).results[0]);
            // A second reader leaves both words.
            mixed
                .entry(op)
                .and_modify(|known| *known = known.filter(|&known| Some(known) == result))
                .or_insert(result);
        }
    }
    // Each word is read once.
    let both = |op: OpId, result: ValueId| {
        let [a, b] = module.defining_operands(result, stablehlo::XOR)?;
        (a != b && owners.get(&a) == Some(&op)).then_some(result)
    };
    mixed.into_iter().filter_map(|(op, result)| Some((op, both(op, result?)?))).collect()
}

/// Replaces operands in a block and all blocks in it.
fn replace(module: &mut Module, block: BlockId, replaced: &FxHashMap<ValueId, ValueId>) {
    let own = module.block(block).ops.clone();
    let regions: Vec<_> = own.iter().flat_map(|&op| module.op(op).regions.iter().copied()).collect();
    let inner: Vec<OpId> = module.ops_within(regions).collect();
    for op in own.into_iter().chain(inner) {
        for operand in &mut module.op_mut(op).operands {
            *operand = replaced.get(operand).copied().unwrap_or(*operand);
        }
    }
}

struct Builder<'m> {
    module: &'m mut Module,
    place: Place,
    ops: Vec<OpId>,
}

impl Builder<'_> {
    fn create(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        self.module.create(name, operands).at(self.place).push_to(&mut self.ops)
    }

    /// The elements of values in one dimension, one value after the other.
    fn joined(&mut self, values: &[ValueId], counts: &[i64]) -> ValueId {
        let flat: Vec<ValueId> = values
            .iter()
            .zip(counts)
            .map(|(&value, &count)| {
                let ty = self.module.tensor_of(Element::U32, &[count]);
                match self.module.tensor(value).map_or(0, |tensor| tensor.rank()) {
                    0 => self
                        .create(stablehlo::BROADCAST_IN_DIM, &[value])
                        .ints("broadcast_dimensions", &[])
                        .of(ty),
                    _ => self.create(stablehlo::RESHAPE, &[value]).of(ty),
                }
            })
            .collect();
        let ty = self.module.tensor_of(Element::U32, &[counts.iter().sum::<i64>()]);
        self.create(stablehlo::CONCATENATE, &flat).int("dimension", 0).of(ty)
    }

    /// A word of each key, for each element; one key for all stays a scalar.
    fn keys(&mut self, keys: &[ValueId], counts: &[i64]) -> ValueId {
        if keys.iter().any(|&key| self.module.tensor(key).is_none_or(|tensor| tensor.rank() > 0)) {
            return self.joined(keys, counts);
        }
        let mut distinct: Vec<ValueId> = Vec::new();
        let mut positions: Vec<u8> = Vec::new();
        for (&key, &count) in keys.iter().zip(counts) {
            let known = distinct.iter().position(|&other| other == key);
            let position = known.unwrap_or_else(|| {
                distinct.push(key);
                distinct.len() - 1
            });
            for _ in 0..count {
                positions.extend_from_slice(&(position as i32).to_le_bytes());
            }
        }
        if let [only] = distinct[..] {
            return only;
        }
        let ones = vec![1; distinct.len()];
        let table = self.joined(&distinct, &ones);
        let total = counts.iter().sum::<i64>();
        let ty = self.module.tensor_of(Element::I32, &[total, 1]);
        let positions = self.create(stablehlo::CONSTANT, &[]).data(ty, Data::Bytes(positions.into()));
        let numbers = GatherDimensionNumbers {
            collapsed_slice_dims: vec![0],
            start_index_map: vec![0],
            index_vector_dim: 1,
            ..GatherDimensionNumbers::default()
        };
        let numbers = numbers.attribute(self.module, stablehlo::GATHER);
        let ty = self.module.tensor_of(Element::U32, &[total]);
        let sizes = Attribute::Integers(Element::I64, [1].into());
        let attributes = [numbers, ("slice_sizes", sizes)];
        self.create(stablehlo::GATHER, &[table, positions]).attrs(attributes).of(ty)
    }

    /// Some elements of a vector.
    fn cut(&mut self, value: ValueId, start: i64, count: i64) -> ValueId {
        let ty = self.module.tensor_of(Element::U32, &[count]);
        self.create(stablehlo::SLICE, &[value])
            .ints("start_indices", &[start])
            .ints("limit_indices", &[start + count])
            .ints("strides", &[1])
            .of(ty)
    }
}

/// Puts the ops of a block behind those that they depend on, and otherwise in the order they have.
fn sort(module: &mut Module, block: BlockId) {
    let ops = std::mem::take(&mut module.block_mut(block).ops);
    let mut homes: FxHashMap<ValueId, usize> = FxHashMap::default();
    for (index, &op) in ops.iter().enumerate() {
        homes.extend(module.op(op).results.iter().map(|&result| (result, index)));
    }
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); ops.len()];
    let mut missing: Vec<usize> = vec![0; ops.len()];
    for (index, &op) in ops.iter().enumerate() {
        let mut needed: Vec<usize> = reads(module, op)
            .filter_map(|value| homes.get(&value))
            .copied()
            .filter(|&home| home != index)
            .collect();
        // The terminator stays last.
        if index + 1 == ops.len() {
            needed.extend(0..index);
        }
        needed.sort_unstable();
        needed.dedup();
        missing[index] = needed.len();
        needed.into_iter().for_each(|home| users[home].push(index));
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..ops.len()).filter(|&index| missing[index] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(ops.len());
    while let Some(Reverse(index)) = ready.pop() {
        sorted.push(ops[index]);
        for &user in &users[index] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    module.block_mut(block).ops = sorted;
}
