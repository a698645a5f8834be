//! Nested graphs: the bodies of Loop, If and Scan, and regions that are inlined into the current block.

use super::lower::BlockCache;
use super::{Lower, LowerError};
use crate::ir::{Element, OpId, RegionId, Size, ValueId, onnx, stablehlo};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

impl Lower<'_> {
    /// Whether a graph of a Loop, If or Scan is being built.
    pub(super) fn is_nested(&self) -> bool {
        self.scopes.len() > 1
    }

    /// Builds ops before all others, visible to all blocks.
    pub(super) fn before_all<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.pending);
        let built = build(self);
        let mut ops = std::mem::replace(&mut self.pending, outer);
        self.prelude.append(&mut ops);
        built
    }

    /// Builds the graph of a Loop, If or Scan: `build` gets the new block's arguments, of the given types, and
    /// returns the values that the graph returns.
    ///
    /// ONNX Runtime refuses graphs that return a value from outside, so such values pass through Identity.
    ///
    /// # Errors
    /// Errors of `build`.
    pub fn graph<S: Size>(
        &mut self,
        arguments: &[(Element, Vec<S>)],
        build: impl FnOnce(&mut Self, &[ValueId]) -> Result<Vec<ValueId>, LowerError>,
    ) -> Result<RegionId, LowerError> {
        let region = self.module.add_region();
        let block = self.module.add_block(region);
        let mut values = Vec::with_capacity(arguments.len());
        for (element, sizes) in arguments {
            let ty = self.module.tensor_of(*element, sizes);
            values.push(self.module.add_argument(block, ty));
        }
        let outer = std::mem::take(&mut self.pending);
        self.scopes.push(BlockCache::default());
        let results = build(self, &values);
        self.scopes.pop();
        let ops = match results {
            Ok(results) => {
                let returned = self.own_values(results);
                self.terminate(returned);
                Ok(std::mem::replace(&mut self.pending, outer))
            }
            Err(refusal) => {
                self.pending = outer;
                Err(refusal)
            }
        };
        self.module.block_mut(block).ops = ops?;
        Ok(region)
    }

    /// The values that the current graph returns: distinct, and defined in it. ONNX tools refuse or rename outputs
    /// that are inputs, initializers, other outputs, or values from outside of a subgraph.
    pub(super) fn own_values(&mut self, results: Vec<ValueId>) -> SmallVec<[ValueId; 3]> {
        let inside: FxHashSet<ValueId> =
            self.pending.iter().flat_map(|&op| self.module.op(op).results.iter().copied()).collect();
        let mut returned: SmallVec<[ValueId; 3]> = SmallVec::new();
        for result in results {
            let own = inside.contains(&result) && !returned.contains(&result);
            returned.push(if own { result } else { self.node(onnx::IDENTITY, &[result]).like(result) });
        }
        returned
    }

    fn terminate(&mut self, operands: SmallVec<[ValueId; 3]>) {
        let place = self.place();
        self.module.create(onnx::RETURN, &operands).at(place).push_to(&mut self.pending).results(&[]);
    }

    /// Lowers some ops of a StableHLO block into the current one, with their operands bound.
    pub(super) fn lower_ops(&mut self, bound: &[(ValueId, ValueId)], ops: &[OpId]) {
        bound.iter().for_each(|&(old, new)| self.set(old, new));
        ops.iter().for_each(|&op| self.op(op));
    }

    /// Lowers a StableHLO region into the current block with its arguments bound, and returns its results in full.
    /// Errors inside are reported.
    ///
    /// # Errors
    /// If an op inside was refused.
    pub fn inline(&mut self, region: RegionId, arguments: &[ValueId]) -> Result<Vec<ValueId>, LowerError> {
        let block = self.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))?;
        for (parameter, &argument) in self.module.block(block).arguments.clone().into_iter().zip(arguments) {
            self.set(parameter, argument);
        }
        self.ops(block, stablehlo::RETURN)
    }
}
