//! Finds the slices that the body of a counted loop reads and writes, one per iteration: JAX's `scan` prints its
//! inputs and outputs as `dynamic_slice` and `dynamic_update_slice` at the counter.

use super::super::{Lower, LowerError, type_inference};
use super::counted_loop::{DEPTH, InductionVariable, IterationIndex};
use crate::ir::{BlockId, Dim, OpId, RegionId, ValueId, stablehlo};
use rustc_hash::{FxHashMap, FxHashSet};

/// A `dynamic_slice` of an outside value that takes each slice once, in order.
#[derive(Clone, Copy)]
pub(super) struct SliceRead {
    /// The op.
    pub op: OpId,
    /// Whether it starts with the last slice.
    pub backward: bool,
}

/// A `dynamic_update_slice` of a carried value that writes each slice once, in order, and is the only use of the
/// value. So the initial value does not matter.
#[derive(Clone, Copy)]
pub(super) struct SliceWrite {
    /// The op.
    pub op: OpId,
    /// Which of the carried values it updates.
    pub carried: usize,
    /// Whether it starts with the last slice.
    pub backward: bool,
}

/// The slices of a loop's body.
#[derive(Default)]
pub(super) struct Slices {
    /// The slices that it reads.
    pub reads: Vec<SliceRead>,
    /// The slices that it writes.
    pub writes: Vec<SliceWrite>,
}

/// The live part of a body.
pub(super) struct Live {
    /// The live ops, in order.
    pub ops: Vec<OpId>,
    /// The live values.
    pub values: FxHashSet<ValueId>,
}

impl Slices {
    /// The slices of a body with a known counter.
    ///
    /// # Errors
    /// If the body is empty.
    pub fn of(cx: &Lower, body: RegionId, counter: InductionVariable) -> Result<Self, LowerError> {
        let block = block(cx, body)?;
        let (parameters, returned) = (cx.parameters(body)?, cx.returned(body)?);
        let mut inside = Inside::default();
        inside.block(cx, block);
        let mut slices = Self::default();
        for &op in &cx.module.block(block).ops {
            match cx.module.op(op).name {
                stablehlo::DYNAMIC_SLICE if !inside.defined.contains(&cx.module.op(op).operands[0]) => {
                    let read = backward(cx, op, cx.module.op(op).results[0], 1, counter);
                    slices.reads.extend(read.map(|backward| SliceRead { op, backward }));
                }
                stablehlo::DYNAMIC_UPDATE_SLICE => {
                    let (target, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
                    let carried = parameters.iter().position(|&parameter| parameter == target);
                    let Some(carried) = carried.filter(|&carried| returned.get(carried) == Some(&result))
                    else {
                        continue;
                    };
                    if inside.uses(target) != 1 || inside.uses(result) != 1 {
                        continue;
                    }
                    let written = backward(cx, op, cx.module.op(op).operands[1], 2, counter);
                    slices.writes.extend(written.map(|backward| SliceWrite { op, carried, backward }));
                }
                _ => {}
            }
        }
        Ok(slices)
    }

    /// The part of the body that computes the returned values at the positions `carried` and the written slices,
    /// given the read slices.
    ///
    /// # Errors
    /// If the body is empty.
    pub fn live(&self, cx: &Lower, body: RegionId, carried: &[usize]) -> Result<Live, LowerError> {
        let block = block(cx, body)?;
        let returned = cx.returned(body)?;
        let given: FxHashSet<OpId> =
            self.reads.iter().map(|read| read.op).chain(self.writes.iter().map(|write| write.op)).collect();
        let mut values: FxHashSet<ValueId> = carried.iter().map(|&index| returned[index]).collect();
        values.extend(self.writes.iter().map(|write| cx.module.op(write.op).operands[1]));
        let mut ops = Vec::new();
        let all = &cx.module.block(block).ops;
        for &op in all[..all.len().saturating_sub(1)].iter().rev() {
            let is_needed = cx.module.op(op).results.iter().any(|result| values.contains(result));
            if given.contains(&op) || !(is_needed || has_effect(cx, op)) {
                continue;
            }
            let mut inside = Inside::default();
            inside.op(cx, op);
            values.extend(inside.used.into_keys().filter(|value| !inside.defined.contains(value)));
            ops.push(op);
        }
        ops.reverse();
        Ok(Live { ops, values })
    }
}

/// Whether an op visits each slice along the first dimension once, and if so, whether from the last one. `window` is
/// the slice, and the start indices are the operands from `first` on.
fn backward(cx: &Lower, op: OpId, window: ValueId, first: usize, counter: InductionVariable) -> Option<bool> {
    let operands = &cx.module.op(op).operands;
    let (all, window) = (&cx.module.tensor(operands[0])?.dims, &cx.module.tensor(window)?.dims);
    // A start is clamped to 0 if the window spans the dimension.
    let is_slice = all.len() == window.len()
        && *window.first()? == Dim::Known(1)
        && window[1..] == all[1..]
        && all[0] == counter.length;
    let place = cx.at_iteration(*operands.get(first)?, Some(counter), DEPTH).filter(|_| is_slice)?;
    let last = cx.module.dim_exprs.subtract(counter.length, Dim::Known(1));
    match place {
        IterationIndex::Forward(Dim::Known(0)) => Some(false),
        IterationIndex::Backward(place) if place == last => Some(true),
        _ => None,
    }
}

fn block(cx: &Lower, region: RegionId) -> Result<BlockId, LowerError> {
    cx.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))
}

/// Whether an op, or a nested one, has side effects.
fn has_effect(cx: &Lower, op: OpId) -> bool {
    let name = cx.module.op(op).name;
    let own = !type_inference::is_pure(cx.module, op) && !name.is_terminator();
    own || cx.module.op(op).regions.iter().any(|&region| {
        cx.module
            .region(region)
            .blocks
            .iter()
            .any(|&block| cx.module.block(block).ops.iter().any(|&op| has_effect(cx, op)))
    })
}

/// The values defined and used in a block, at any depth.
#[derive(Default)]
struct Inside {
    defined: FxHashSet<ValueId>,
    used: FxHashMap<ValueId, usize>,
}

impl Inside {
    fn block(&mut self, cx: &Lower, block: BlockId) {
        self.defined.extend(cx.module.block(block).arguments.iter().copied());
        cx.module.block(block).ops.iter().for_each(|&op| self.op(cx, op));
    }

    fn op(&mut self, cx: &Lower, op: OpId) {
        let operation = cx.module.op(op);
        self.defined.extend(operation.results.iter().copied());
        for &operand in &operation.operands {
            *self.used.entry(operand).or_default() += 1;
        }
        for &region in &operation.regions {
            cx.module.region(region).blocks.iter().for_each(|&block| self.block(cx, block));
        }
    }

    fn uses(&self, value: ValueId) -> usize {
        self.used.get(&value).copied().unwrap_or(0)
    }
}
