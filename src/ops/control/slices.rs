//! Finds the slices that the body of a counted loop reads and writes, one per iteration: JAX's `scan` prints its
//! inputs and outputs as `dynamic_slice` and `dynamic_update_slice` at the counter.

use super::super::type_inference;
use super::counted_loop::{DEPTH, InductionVariable, IterationIndex, at_iteration};
use crate::ir::{BlockId, Dim, Module, OpId, ValueId, stablehlo};
use rustc_hash::{FxHashMap, FxHashSet};

/// A `dynamic_slice` of an outside value that takes each slice once, in order.
#[derive(Clone, Copy)]
pub(crate) struct SliceRead {
    /// The op.
    pub op: OpId,
    /// Whether it starts with the last slice.
    pub backward: bool,
}

/// A `dynamic_update_slice` of a carried value that writes each slice once, in order, and is the only use of the
/// value. So the initial value does not matter.
#[derive(Clone, Copy)]
pub(crate) struct SliceWrite {
    /// The op.
    pub op: OpId,
    /// Which of the carried values it updates.
    pub carried: usize,
    /// Whether it starts with the last slice.
    pub backward: bool,
}

/// The slices of a loop's body.
#[derive(Default)]
pub(crate) struct Slices {
    /// The slices that it reads.
    pub reads: Vec<SliceRead>,
    /// The slices that it writes.
    pub writes: Vec<SliceWrite>,
}

/// The live part of a body.
pub(crate) struct Live {
    /// The live ops, in order.
    pub ops: Vec<OpId>,
    /// The live values.
    pub values: FxHashSet<ValueId>,
}

impl Slices {
    /// The slices of a body with a known counter.
    pub fn of(module: &Module, body: BlockId, counter: InductionVariable) -> Self {
        let parameters = &module.block(body).arguments;
        let returned = module.block(body).ops.last().map(|&end| &module.op(end).operands[..]);
        let returned = returned.unwrap_or_default();
        let mut inside = Inside::default();
        inside.block(module, body);
        let mut slices = Self::default();
        for &op in &module.block(body).ops {
            match module.op(op).name {
                stablehlo::DYNAMIC_SLICE if !inside.defined.contains(&module.op(op).operands[0]) => {
                    let read = backward(module, op, module.op(op).results[0], 1, counter);
                    slices.reads.extend(read.map(|backward| SliceRead { op, backward }));
                }
                stablehlo::DYNAMIC_UPDATE_SLICE => {
                    let (target, result) = (module.op(op).operands[0], module.op(op).results[0]);
                    let carried = parameters.iter().position(|&parameter| parameter == target);
                    let Some(carried) = carried.filter(|&carried| returned.get(carried) == Some(&result))
                    else {
                        continue;
                    };
                    if inside.uses(target) != 1 || inside.uses(result) != 1 {
                        continue;
                    }
                    let written = backward(module, op, module.op(op).operands[1], 2, counter);
                    slices.writes.extend(written.map(|backward| SliceWrite { op, carried, backward }));
                }
                _ => {}
            }
        }
        slices
    }

    /// The part of the body that computes the returned values at the positions `carried` and the written slices,
    /// given the read slices.
    pub fn live(&self, module: &Module, body: BlockId, carried: &[usize]) -> Live {
        let all = &module.block(body).ops;
        let returned = all.last().map(|&end| &module.op(end).operands[..]).unwrap_or_default();
        let given: FxHashSet<OpId> =
            self.reads.iter().map(|read| read.op).chain(self.writes.iter().map(|write| write.op)).collect();
        let mut values: FxHashSet<ValueId> = carried.iter().map(|&index| returned[index]).collect();
        values.extend(self.writes.iter().map(|write| module.op(write.op).operands[1]));
        let mut ops = Vec::new();
        for &op in all[..all.len().saturating_sub(1)].iter().rev() {
            let is_needed = module.op(op).results.iter().any(|result| values.contains(result));
            if given.contains(&op) || !(is_needed || has_effect(module, op)) {
                continue;
            }
            let mut inside = Inside::default();
            inside.op(module, op);
            values.extend(inside.used.into_keys().filter(|value| !inside.defined.contains(value)));
            ops.push(op);
        }
        ops.reverse();
        Live { ops, values }
    }
}

/// Whether an op visits each slice along the first dimension once, and if so, whether from the last one. `window` is
/// the slice, and the start indices are the operands from `first` on.
fn backward(
    module: &Module,
    op: OpId,
    window: ValueId,
    first: usize,
    counter: InductionVariable,
) -> Option<bool> {
    let operands = &module.op(op).operands;
    let (all, window) = (&module.tensor(operands[0])?.dims, &module.tensor(window)?.dims);
    // A start is clamped to 0 if the window spans the dimension.
    let is_slice = all.len() == window.len()
        && *window.first()? == Dim::Known(1)
        && window[1..] == all[1..]
        && all[0] == counter.length;
    let place = at_iteration(module, *operands.get(first)?, Some(counter), DEPTH).filter(|_| is_slice)?;
    let last = module.dim_exprs.subtract(counter.length, Dim::Known(1));
    match place {
        IterationIndex::Forward(Dim::Known(0)) => Some(false),
        IterationIndex::Backward(place) if place == last => Some(true),
        _ => None,
    }
}

/// Whether an op, or a nested one, has side effects.
fn has_effect(module: &Module, op: OpId) -> bool {
    let name = module.op(op).name;
    let own = !type_inference::is_pure(module, op) && !name.is_terminator();
    own || module.op(op).regions.iter().any(|&region| {
        module
            .region(region)
            .blocks
            .iter()
            .any(|&block| module.block(block).ops.iter().any(|&op| has_effect(module, op)))
    })
}

/// The values defined and used in a block, at any depth.
#[derive(Default)]
struct Inside {
    defined: FxHashSet<ValueId>,
    used: FxHashMap<ValueId, usize>,
}

impl Inside {
    fn block(&mut self, module: &Module, block: BlockId) {
        self.defined.extend(module.block(block).arguments.iter().copied());
        module.block(block).ops.iter().for_each(|&op| self.op(module, op));
    }

    fn op(&mut self, module: &Module, op: OpId) {
        let operation = module.op(op);
        self.defined.extend(operation.results.iter().copied());
        for &operand in &operation.operands {
            *self.used.entry(operand).or_default() += 1;
        }
        for &region in &operation.regions {
            module.region(region).blocks.iter().for_each(|&block| self.block(module, block));
        }
    }

    fn uses(&self, value: ValueId) -> usize {
        self.used.get(&value).copied().unwrap_or(0)
    }
}
