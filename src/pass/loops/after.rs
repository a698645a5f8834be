//! The ops of a body that only compute written slices: they run after the loop, for all iterations at once.

use super::before::all_slices;
use super::counted::Scan;
use super::vectorize::{is_free, is_vectorizable, stacked, vectorize};
use super::worth;
use crate::ir::{Module, OpId, Rewriter, ValueId, stablehlo};
use crate::ops::SliceWrite;
use rustc_hash::{FxHashMap, FxHashSet};

/// Inserts the loop, and after it the ops that only compute written slices.
pub(super) fn distribute(rewriter: &mut Rewriter, op: OpId) {
    let plan = Scan::of(rewriter.module, op)
        .and_then(|scan| Plan::of(rewriter.module, &scan).map(|plan| (scan, plan)));
    let Some((scan, plan)) = plan else { return rewriter.insert_existing(op) };
    let mut known = FxHashMap::default();
    for &value in &plan.recorded {
        let Some(whole) = scan.write(rewriter, value, plan.backward) else { continue };
        known.insert(value, whole);
    }
    rewriter.module.block_mut(scan.body).ops.retain(|op| !plan.moved.contains(op) && !plan.is_write(*op));
    for write in &plan.writes {
        let argument = rewriter.module.block(scan.body).arguments[write.carried];
        rewriter.module.op_mut(scan.terminator).operands[write.carried] = argument;
    }
    rewriter.insert_existing(op);
    let mut whole = Whole { scan: &scan, plan: &plan, known };
    for write in &plan.writes {
        let (result, row) =
            (rewriter.module.op(op).results[write.carried], rewriter.module.op(write.op).operands[1]);
        let Some(stacked) = whole.of(rewriter, row) else { continue };
        let new = rewriter.create(stablehlo::RESHAPE, &[stacked]).at_op(write.op).like(result);
        rewriter.replace(result, new);
    }
}

/// Which ops move.
struct Plan {
    /// The ops that move.
    moved: FxHashSet<OpId>,
    /// The writes of slices that they compute.
    writes: Vec<SliceWrite>,
    /// Whether the last slice is written first.
    backward: bool,
    /// The values that the moved ops read from the iterations.
    recorded: Vec<ValueId>,
}

impl Plan {
    fn of(module: &Module, scan: &Scan) -> Option<Self> {
        let slices = &scan.slices;
        let backward = slices.writes.first()?.backward;
        if slices.writes.iter().any(|write| write.backward != backward)
            || backward && scan.length.known().is_none()
        {
            return None;
        }
        let given: FxHashSet<ValueId> = slices
            .reads
            .iter()
            .filter(|read| read.backward == backward)
            .map(|read| module.op(read.op).results[0])
            .collect();
        let mut plan = Self {
            moved: FxHashSet::default(),
            writes: slices.writes.clone(),
            backward,
            recorded: Vec::new(),
        };
        let (_, ops) = module.block(scan.body).ops.split_last()?;
        for &op in ops.iter().rev() {
            let &[result] = &module.op(op).results[..] else { continue };
            let operands = &module.op(op).operands;
            let each: Vec<bool> = operands.iter().map(|operand| scan.own.contains(operand)).collect();
            let users = scan.users(result);
            let only_written =
                users.iter().all(|user| plan.moved.contains(user) || plan.is_write_of(module, *user, result));
            if only_written
                && !users.is_empty()
                && each.contains(&true)
                && is_vectorizable(module, op, &each)
                && worth::fits(module, op, &each, scan.length)
            {
                plan.moved.insert(op);
            }
        }
        plan.drop_copies(module, scan, &given);
        let gains = |op: &&OpId| !is_free(module, **op);
        let gain = plan.moved.iter().filter(gains).count();
        plan.recorded = plan.read_from(module, scan, &given);
        let count = |values: &mut dyn Iterator<Item = ValueId>| {
            values.map(|value| worth::known_count(module, value)).fold(0, i64::saturating_add)
        };
        let recorded = count(&mut plan.recorded.iter().copied());
        let written = count(&mut plan.writes.iter().map(|write| module.op(write.op).operands[1]));
        let large = plan.moved.iter().any(|&op| worth::is_large(module, op));
        let pays = large || gain + plan.writes.len() > plan.recorded.len();
        let copies = plan.recorded.is_empty() && !plan.writes.is_empty();
        (copies || gain > 0 && pays && worth::may_grow(recorded, written, scan.length)).then_some(plan)
    }

    fn is_write(&self, op: OpId) -> bool {
        self.writes.iter().any(|write| write.op == op)
    }

    /// Whether an op writes a value as a slice.
    fn is_write_of(&self, module: &Module, op: OpId, value: ValueId) -> bool {
        let operands = &module.op(op).operands;
        self.is_write(op)
            && operands[1] == value
            && operands.iter().filter(|&&operand| operand == value).count() == 1
    }

    /// Leaves the writes of values that only change their shape: moving them would record the same values again.
    fn drop_copies(&mut self, module: &Module, scan: &Scan, given: &FxHashSet<ValueId>) {
        let mut kept = Vec::new();
        for write in std::mem::take(&mut self.writes) {
            let (mut value, mut chain) = (module.op(write.op).operands[1], Vec::new());
            let is_copy = loop {
                let Some(op) = module.defining_op(value).filter(|op| self.moved.contains(op)) else {
                    break !given.contains(&value);
                };
                if !is_free(module, op) {
                    break false;
                }
                chain.push(op);
                value = module.op(op).operands[0];
            };
            if is_copy {
                let is_shared = |op: &OpId| scan.users(module.op(*op).results[0]).len() > 1;
                if !chain.iter().any(is_shared) {
                    chain.iter().for_each(|op| _ = self.moved.remove(op));
                    continue;
                }
            }
            kept.push(write);
        }
        self.writes = kept;
    }

    /// The values of the iterations that moved ops read, and that are not slices themselves.
    fn read_from(&self, module: &Module, scan: &Scan, given: &FxHashSet<ValueId>) -> Vec<ValueId> {
        let mut read = Vec::new();
        let rows = self.writes.iter().map(|write| module.op(write.op).operands[1]);
        let ops = module.block(scan.body).ops.iter().filter(|op| self.moved.contains(op));
        let operands = ops.flat_map(|&op| module.op(op).operands.iter().copied());
        for value in operands.chain(rows) {
            let is_moved = module.defining_op(value).is_some_and(|op| self.moved.contains(&op));
            let is_known = value == scan.argument && !self.backward || given.contains(&value);
            if scan.own.contains(&value) && !is_moved && !is_known && !read.contains(&value) {
                read.push(value);
            }
        }
        read
    }
}

/// Computes values of all iterations.
struct Whole<'s> {
    scan: &'s Scan,
    plan: &'s Plan,
    /// Those computed so far.
    known: FxHashMap<ValueId, ValueId>,
}

impl Whole<'_> {
    fn of(&mut self, rewriter: &mut Rewriter, value: ValueId) -> Option<ValueId> {
        if let Some(&known) = self.known.get(&value) {
            return Some(known);
        }
        let whole = if value == self.scan.argument {
            self.scan.counters(rewriter)
        } else {
            let op = rewriter.module.defining_op(value)?;
            if self.plan.moved.contains(&op) {
                let scan = self.scan;
                let is_own = |value| scan.own.contains(&value);
                let operands = stacked(rewriter, op, is_own, |rewriter, value| self.of(rewriter, value))?;
                *vectorize(rewriter, op, &operands, self.scan.length)?.first()?
            } else {
                all_slices(rewriter, self.scan, op)?
            }
        };
        self.known.insert(value, whole);
        Some(whole)
    }
}
