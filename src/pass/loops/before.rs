//! The ops of a body that depend on slices and the counter alone: they run before the loop, for all iterations at once.

use super::counted::Scan;
use super::vectorize::{is_free, is_vectorizable, stacked, vectorize};
use super::worth;
use crate::ir::{Module, OpId, Rewriter, ValueId, stablehlo};
use rustc_hash::{FxHashMap, FxHashSet};

/// A value that depends on slices alone, and whether the first iteration has its last slice.
type Sliced = FxHashMap<ValueId, bool>;

/// Moves the ops of a loop that only depend on slices before it.
pub(super) fn distribute(rewriter: &mut Rewriter, op: OpId) {
    let Some(scan) = Scan::of(rewriter.module, op) else { return };
    let Some(plan) = Plan::of(rewriter.module, &scan) else { return };
    let mut whole = Whole { scan: &scan, sliced: &plan.sliced, known: FxHashMap::default() };
    let stacked: Option<Vec<ValueId>> =
        plan.frontier.iter().map(|&value| whole.of(rewriter, value)).collect();
    let Some(stacked) = stacked else { return };
    let mut reads = Vec::new();
    for (&value, whole) in plan.frontier.iter().zip(stacked) {
        let along = (whole, plan.sliced[&value]);
        if let Some(read) = scan.read(rewriter.module, &mut reads, along, value) {
            rewriter.replace(value, read);
        }
    }
    let body = &mut rewriter.module.block_mut(scan.body).ops;
    body.retain(|op| !plan.moved.contains(op));
    body.splice(0..0, reads);
}

/// Which ops move.
struct Plan {
    /// The values that depend on slices alone.
    sliced: Sliced,
    /// The ops that move.
    moved: FxHashSet<OpId>,
    /// The results of moved ops that the rest of the body reads.
    frontier: Vec<ValueId>,
}

impl Plan {
    fn of(module: &Module, scan: &Scan) -> Option<Self> {
        let mut sliced: Sliced = [(scan.argument, false)].into_iter().collect();
        for read in &scan.slices.reads {
            sliced.insert(module.op(read.op).results[0], read.backward);
        }
        let pinned = pinned(module, scan);
        let mut movable = Vec::new();
        let (_, ops) = module.block(scan.body).ops.split_last()?;
        for &op in ops {
            let operands = &module.op(op).operands;
            let mut directions = operands.iter().filter_map(|operand| sliced.get(operand));
            let Some(&backward) = directions.next() else { continue };
            let each: Vec<bool> = operands.iter().map(|operand| sliced.contains_key(operand)).collect();
            let depends =
                operands.iter().zip(&each).any(|(operand, &each)| !each && scan.own.contains(operand));
            if depends
                || directions.any(|&other| other != backward)
                || backward && scan.length.known().is_none()
                || !is_vectorizable(module, op, &each)
                || !worth::fits(module, op, &each, scan.length)
            {
                continue;
            }
            sliced.extend(module.op(op).results.iter().map(|&result| (result, backward)));
            if !pinned.contains(&op) {
                movable.push(op);
            }
        }
        let mut moved: FxHashSet<OpId> = movable.iter().copied().collect();
        let mut frontier = Vec::new();
        for &op in movable.iter().rev() {
            for &result in module.op(op).results.iter().rev() {
                if scan.users(result).iter().all(|user| moved.contains(user)) {
                    continue;
                }
                if is_free(module, op) {
                    // It would be repeated for each iteration.
                    moved.remove(&op);
                } else {
                    frontier.push(result);
                }
            }
        }
        frontier.reverse();
        // Free ops move if all of their users do, but not alone.
        let costs = |op: &&OpId| !is_free(module, **op);
        let gain = moved.iter().filter(costs).count();
        let is_unread =
            |read: OpId| scan.users(module.op(read).results[0]).iter().all(|user| moved.contains(user));
        let unread = scan.slices.reads.iter().filter(|read| is_unread(read.op)).count();
        let large = moved.iter().any(|&op| worth::is_large(module, op));
        let pays = gain > 0 && (large || gain + unread > frontier.len());
        pays.then_some(Self { sliced, moved, frontier })
    }
}

/// The ops that count, and those that compute where slices begin.
fn pinned(module: &Module, scan: &Scan) -> FxHashSet<OpId> {
    let slices = &scan.slices;
    let starts = slices.reads.iter().map(|read| (read.op, 1));
    let starts = starts.chain(slices.writes.iter().map(|write| (write.op, 2)));
    let mut open: Vec<ValueId> =
        starts.flat_map(|(op, first)| module.op(op).operands[first..].iter().copied()).collect();
    open.push(module.op(scan.terminator).operands[scan.counter]);
    let mut pinned = FxHashSet::default();
    while let Some(value) = open.pop() {
        let op = module.defining_op(value).filter(|_| scan.own.contains(&value));
        if let Some(op) = op.filter(|&op| pinned.insert(op)) {
            open.extend_from_slice(&module.op(op).operands);
        }
    }
    pinned
}

/// Computes values for all iterations.
pub(super) struct Whole<'s> {
    pub scan: &'s Scan,
    pub sliced: &'s Sliced,
    /// Those computed so far.
    pub known: FxHashMap<ValueId, ValueId>,
}

impl Whole<'_> {
    /// The stacked values of one that depends on slices alone.
    pub fn of(&mut self, rewriter: &mut Rewriter, value: ValueId) -> Option<ValueId> {
        if let Some(&known) = self.known.get(&value) {
            return Some(known);
        }
        let whole = if value == self.scan.argument {
            self.scan.counters(rewriter)
        } else {
            let op = rewriter.module.defining_op(value)?;
            if rewriter.module.op(op).name == stablehlo::DYNAMIC_SLICE {
                all_slices(rewriter, self.scan, op)?
            } else {
                let sliced = self.sliced;
                let is_sliced = |value| sliced.contains_key(&value);
                let operands = stacked(rewriter, op, is_sliced, |rewriter, value| self.of(rewriter, value))?;
                let all = vectorize(rewriter, op, &operands, self.scan.length)?;
                self.known.extend(rewriter.module.op(op).results.iter().copied().zip(all));
                return self.known.get(&value).copied();
            }
        };
        self.known.insert(value, whole);
        Some(whole)
    }
}

/// The slices that a `dynamic_slice` reads in all iterations: its operand, with a dimension of size 1.
pub(super) fn all_slices(rewriter: &mut Rewriter, scan: &Scan, op: OpId) -> Option<ValueId> {
    let (operand, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let ty = super::vectorize::stacked_type(rewriter.module, result, scan.length)?;
    Some(rewriter.create(stablehlo::RESHAPE, &[operand]).at_op(op).of(ty))
}
