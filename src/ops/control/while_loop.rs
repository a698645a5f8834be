//! The parts of a `stablehlo.while`.

use super::super::{Lower, LowerError};
use crate::ir::{BlockId, Module, OpId, RegionId, ValueId, stablehlo};

/// A well-formed `while`.
#[derive(Clone, Copy)]
pub(crate) struct WhileLoop {
    /// The block that computes whether to go on.
    pub condition: BlockId,
    /// The block that computes the next values.
    pub body: BlockId,
    /// The last op of the body.
    pub terminator: OpId,
}

impl WhileLoop {
    /// The parts of an op.
    pub fn of(module: &Module, op: OpId) -> Option<Self> {
        if module.op(op).name != stablehlo::WHILE {
            return None;
        }
        let [condition, body] = module.op(op).regions[..] else { return None };
        let ([condition], [body]) = (&module.region(condition).blocks[..], &module.region(body).blocks[..])
        else {
            return None;
        };
        let terminator = *module.block(*body).ops.last()?;
        let count = module.op(op).operands.len();
        let lengths = [
            module.op(op).results.len(),
            module.block(*condition).arguments.len(),
            module.block(*body).arguments.len(),
            module.op(terminator).operands.len(),
        ];
        let fits = module.op(terminator).name == stablehlo::RETURN && lengths == [count; 4];
        fits.then_some(Self { condition: *condition, body: *body, terminator })
    }
}

impl Lower<'_> {
    /// The block of a region.
    pub(super) fn block_of(&self, region: RegionId) -> Result<BlockId, LowerError> {
        self.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))
    }

    /// The arguments of a region.
    pub(in crate::ops) fn parameters(&self, region: RegionId) -> Result<Vec<ValueId>, LowerError> {
        Ok(self.module.block(self.block_of(region)?).arguments.clone())
    }

    /// The values that a region returns.
    pub(in crate::ops) fn returned(&self, region: RegionId) -> Result<Vec<ValueId>, LowerError> {
        let terminator = self.terminator(region)?;
        Ok(self.module.op(terminator).operands.to_vec())
    }

    /// The last op of a region.
    pub(super) fn terminator(&self, region: RegionId) -> Result<OpId, LowerError> {
        let last = self.module.block(self.block_of(region)?).ops.last().copied();
        last.ok_or_else(|| LowerError::form("an empty region"))
    }
}
