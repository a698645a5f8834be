//! The blocks and ops of regions, at any depth.

use super::{BlockId, Module, OpId, RegionId, ValueId};
use std::slice;

/// Iterates over nested blocks; see [`Module::blocks_within`].
pub struct Blocks<'m> {
    module: &'m Module,
    regions: Vec<RegionId>,
    current: slice::Iter<'m, BlockId>,
}

impl Iterator for Blocks<'_> {
    type Item = BlockId;

    fn next(&mut self) -> Option<BlockId> {
        loop {
            if let Some(&block) = self.current.next() {
                for &op in &self.module.block(block).ops {
                    self.regions.extend_from_slice(self.module.regions_of(op));
                }
                return Some(block);
            }
            self.current = self.module.region(self.regions.pop()?).blocks.iter();
        }
    }
}

impl Module {
    /// The blocks of these regions and of all nested regions, in pre-order.
    pub fn blocks_within(&self, regions: impl IntoIterator<Item = RegionId>) -> Blocks<'_> {
        Blocks { module: self, regions: regions.into_iter().collect(), current: [].iter() }
    }

    /// The ops of these regions and of all nested regions; ops of one block in order, and parents before children.
    pub fn ops_within(&self, regions: impl IntoIterator<Item = RegionId>) -> impl Iterator<Item = OpId> {
        self.blocks_within(regions).flat_map(|block| self.block(block).ops.iter().copied())
    }

    /// The values that an op reads, with those that its regions read.
    pub fn reads(&self, op: OpId) -> Vec<ValueId> {
        let operation = self.op(op);
        let within = self.ops_within(operation.regions.iter().copied());
        let inner = within.flat_map(|inner| self.op(inner).operands.iter().copied());
        operation.operands.iter().copied().chain(inner).collect()
    }

    /// The arguments and results within these regions and all nested regions.
    pub fn values_within(&self, regions: impl IntoIterator<Item = RegionId>) -> Vec<ValueId> {
        let mut values = Vec::new();
        for block in self.blocks_within(regions) {
            let block = self.block(block);
            values.extend_from_slice(&block.arguments);
            block.ops.iter().for_each(|&op| values.extend_from_slice(&self.op(op).results));
        }
        values
    }

    /// The ops of all functions at any depth; ops of one block in order, and parents before children.
    pub fn reachable_ops(&self) -> Vec<OpId> {
        self.ops_within(self.functions().map(|id| self.function(id).body)).collect()
    }
}
