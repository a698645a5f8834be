//! Decides which Transposes to move: groups that together transpose less, or equally much and no longer separate a
//! convolution from ops that fuse with it.

use super::shuffle::{Shuffle, shuffle};
use super::transparent::{Order, Transposed, order_of, shuffled, step};
use crate::ir::{BlockId, Dim, Module, OpId, ValueId, is_reshape_target, onnx, use_counts};
use crate::pass::canonicalize::{lowered::joined, simplify::is_ascending};
use crate::pass::groups::Groups;
use rustc_hash::{FxHashMap, FxHashSet};

/// The assumed size of a symbolic dimension.
const UNKNOWN_SIZE: u64 = 64;

/// Moves channels from second to last.
const TO_LAST: [usize; 4] = [0, 2, 3, 1];

/// What to do with the ops of a block.
#[derive(Default)]
pub(super) struct LayoutPlan {
    /// Delayed Transposes: users read the operand instead where possible.
    pub waiting: FxHashMap<OpId, Order>,
    /// Ops that read operands without their Transposes.
    pub steps: FxHashMap<OpId, Transposed>,
    /// The last ops of shuffles that become one op; those in `steps` read an image without its Transpose.
    pub shuffles: FxHashMap<OpId, Shuffle>,
}

impl LayoutPlan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.shuffles.is_empty()
    }
}

/// A value with a delayed Transpose. A group is marked if a Transpose belongs to a convolution, which runtimes fuse with
/// later ops.
struct PendingTranspose {
    order: Order,
    group: usize,
}

/// Plans a block; nested blocks keep their Transposes.
pub(super) fn plan(module: &Module, block: BlockId) -> LayoutPlan {
    let (mut groups, mut plan) = (Groups::default(), LayoutPlan::default());
    let mut pending: FxHashMap<ValueId, PendingTranspose> = FxHashMap::default();
    let mut done: FxHashSet<ValueId> = FxHashSet::default();
    let mut owners: FxHashMap<OpId, usize> = FxHashMap::default();
    let (mut shuffles, mut inside) = shuffles(module, block);
    for &op in &module.block(block).ops {
        if let Some(end) = inside.get(&op) {
            let Shuffle { of, channels_last, .. } = shuffles[end];
            let moves = pending.get(&of).is_some_and(|pending| pending.order[..] == TO_LAST);
            if !channels_last || moves {
                continue;
            }
            for op in shuffles.remove(end).into_iter().flat_map(|shuffle| shuffle.inside) {
                inside.remove(&op);
            }
        }
        if let Some((order, group)) = waiting(module, op, &pending, &mut groups) {
            let result = module.op(op).results[0];
            // A Reshape copies no data.
            let copied = module.op(op).name == onnx::TRANSPOSE;
            groups.gain(group, if copied { elements(module, result) } else { 0 });
            owners.insert(op, group);
            pending.insert(result, PendingTranspose { order: order.clone(), group });
            plan.waiting.insert(op, order);
            continue;
        }
        if let Some(shuffle) = shuffles.get(&op) {
            let of = shuffle.of;
            if shuffle.channels_last
                && let Some(PendingTranspose { order, group }) = pending.get(&of)
                && let Some(step) = shuffled(module, op, order.clone())
            {
                let (order, group) = (order.clone(), *group);
                owners.insert(op, group);
                pending.insert(module.op(op).results[0], PendingTranspose { order, group });
                plan.steps.insert(op, step);
            } else {
                put_in_order(module, of, &pending, &mut done, &mut groups);
            }
            continue;
        }
        let order = |value: ValueId| pending.get(&value).map(|pending| pending.order.clone());
        if let Some(step) = step(module, op, order) {
            let of = module.op(op).operands.iter().filter_map(|operand| Some(pending.get(operand)?.group));
            let Some(group) = of.collect::<Vec<_>>().into_iter().reduce(|a, b| groups.join(a, b)) else {
                continue;
            };
            owners.insert(op, group);
            pending.insert(module.op(op).results[0], PendingTranspose { order: step.order.clone(), group });
            plan.steps.insert(op, step);
            continue;
        }
        for value in module.reads(op) {
            put_in_order(module, value, &pending, &mut done, &mut groups);
        }
    }
    let mut pays = |op: &OpId| {
        let gain = groups.total(owners[op]);
        // A convolution no longer separated from what fuses with it is a gain, too.
        gain > 0 || gain == 0 && groups.is_marked(owners[op])
    };
    plan.waiting.retain(|op, _| pays(op));
    plan.steps.retain(|op, _| pays(op));
    shuffles.retain(|op, shuffle| !shuffle.channels_last || plan.steps.contains_key(op));
    plan.shuffles = shuffles;
    plan
}

/// The shuffles of a block by their last op, and their last ops by the other ops.
fn shuffles(module: &Module, block: BlockId) -> (FxHashMap<OpId, Shuffle>, FxHashMap<OpId, OpId>) {
    let (mut shuffles, mut inside) = (FxHashMap::default(), FxHashMap::default());
    let mut uses = Vec::new();
    for &op in &module.block(block).ops {
        if module.op(op).name != onnx::RESHAPE {
            continue;
        }
        if uses.is_empty() {
            uses = use_counts(module);
        }
        if let Some(shuffle) = shuffle(module, &uses, op) {
            inside.extend(shuffle.inside.map(|inner| (inner, op)));
            shuffles.insert(op, shuffle);
        }
    }
    (shuffles, inside)
}

/// Restores the order of an operand with a delayed Transpose.
fn put_in_order(
    module: &Module,
    value: ValueId,
    pending: &FxHashMap<ValueId, PendingTranspose>,
    done: &mut FxHashSet<ValueId>,
    groups: &mut Groups,
) {
    if let Some(pending) = pending.get(&value)
        && !is_ascending(&pending.order)
        && done.insert(value)
    {
        let dims = module.tensor(value).map(|ty| ty.dims.clone()).unwrap_or_default();
        let copied = !moves_ones(&dims, &pending.order);
        groups.gain(pending.group, if copied { -elements(module, value) } else { 0 });
    }
}

/// The permutation of a Transpose that can be delayed, and its group. One of a constant is excluded: the runtime
/// folds it.
fn waiting(
    module: &Module,
    op: OpId,
    pending: &FxHashMap<ValueId, PendingTranspose>,
    groups: &mut Groups,
) -> Option<(Order, usize)> {
    let &operand = module.op(op).operands.first()?;
    let order = order_of(module, op)?;
    match pending.get(&operand) {
        Some(pending) => Some((joined(&pending.order, &order)?.into(), pending.group)),
        None if module.constant_of(operand).is_some() => None,
        None => {
            let producer = module.defining_op(operand).map(|op| module.op(op).name);
            let convolved = matches!(producer, Some(onnx::CONV | onnx::CONV_TRANSPOSE));
            Some((order, groups.add(convolved)))
        }
    }
}

/// Whether a Transpose only moves dimensions of size 1, so that a Reshape replaces it.
pub(super) fn moves_ones(dims: &[Dim], order: &Order) -> bool {
    let others = order.iter().zip(dims).filter(|(_, dim)| **dim != Dim::Known(1)).map(|(&from, _)| from);
    is_reshape_target(dims) && others.is_sorted()
}

fn elements(module: &Module, value: ValueId) -> i64 {
    let dims = module.tensor(value).map(|ty| ty.dims.clone()).unwrap_or_default();
    let size = |dim: &Dim| dim.known().map_or(UNKNOWN_SIZE, |size| size.max(1) as u64);
    let count = dims.iter().map(size).fold(1u64, u64::saturating_mul);
    i64::try_from(count >> 8).unwrap_or(i64::MAX >> 8).clamp(1, i64::MAX >> 24)
}
