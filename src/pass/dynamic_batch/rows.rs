//! Propagates rows from an argument through a function.

use super::control;
use super::relation::{OpView, relation};
use super::row_axis::{Obstacle, RowAxis, Slot};
use crate::ir::{BlockId, Definition, FunctionId, Module, OpId, ValueId, builtin};
use crate::ops;
use crate::source::Source;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};

/// The users of values, and the op that owns each block.
pub(super) struct UseGraph {
    users: FxHashMap<ValueId, SmallVec<[OpId; 2]>>,
    owners: FxHashMap<BlockId, OpId>,
}

impl UseGraph {
    pub(super) fn new(module: &Module, function: FunctionId) -> Self {
        let mut owners = FxHashMap::default();
        let blocks: Vec<BlockId> = module.blocks_within([module.function(function).body]).collect();
        for &op in blocks.iter().flat_map(|&block| &module.block(block).ops) {
            for &region in &module.op(op).regions {
                module.region(region).blocks.iter().for_each(|&block| {
                    owners.insert(block, op);
                });
            }
        }
        let mut users: FxHashMap<ValueId, SmallVec<[OpId; 2]>> = FxHashMap::default();
        for &block in &blocks {
            for &op in &module.block(block).ops {
                // A value that a region returns is used by the op that owns the region.
                let is_end = module.op(op).name.is_terminator();
                let Some(user) = (if is_end { owners.get(&block).copied() } else { Some(op) }) else {
                    continue;
                };
                for &operand in &module.op(op).operands {
                    let list = users.entry(operand).or_default();
                    if list.last() != Some(&user) {
                        list.push(user);
                    }
                }
            }
        }
        Self { users, owners }
    }

    /// The op that defines a value or owns the block that it is an argument of.
    fn definer(&self, module: &Module, value: ValueId) -> Option<OpId> {
        match module.value(value).definition {
            Definition::Result(op, _) => Some(op),
            Definition::Argument(block, _) => self.owners.get(&block).copied(),
            Definition::Poison => None,
        }
    }
}

/// The values that have rows, and the ops that mix rows.
pub(super) struct RowPropagation<'a> {
    module: &'a Module,
    graph: &'a UseGraph,
    source: &'a Source,
    /// The values that depend only on constants.
    constant: &'a FxHashSet<ValueId>,
    /// How many rows there are.
    rows: i64,
    pub(super) row_axes: BTreeMap<ValueId, RowAxis>,
    /// In the order found, at most one per op.
    pub(super) obstacles: Vec<(OpId, Obstacle)>,
    refused: FxHashSet<OpId>,
    queue: VecDeque<OpId>,
    queued: FxHashSet<OpId>,
}

impl<'a> RowPropagation<'a> {
    pub(super) fn new(
        module: &'a Module,
        graph: &'a UseGraph,
        constant: &'a FxHashSet<ValueId>,
        source: &'a Source,
        rows: i64,
    ) -> Self {
        Self {
            module,
            graph,
            source,
            constant,
            rows,
            row_axes: BTreeMap::new(),
            obstacles: Vec::new(),
            refused: FxHashSet::default(),
            queue: VecDeque::new(),
            queued: FxHashSet::default(),
        }
    }

    /// Starts with a dimension of an argument.
    pub(super) fn begin(&mut self, argument: ValueId, axis: usize) {
        self.add(argument, RowAxis::alone(axis));
    }

    /// Propagates until nothing changes.
    pub(super) fn spread(&mut self) {
        while let Some(op) = self.queue.pop_front() {
            self.queued.remove(&op);
            // An obstacle is reported once; do not continue from it.
            if !self.refused.contains(&op)
                && let Err(why) = self.visit(op)
            {
                self.refused.insert(op);
                self.obstacles.push((op, why));
            }
        }
    }

    /// With a single row, a merged dimension does not show where many rows would be. Inside the program any
    /// consistent choice is right, but arguments and results have an order that users know.
    pub(super) fn demand_known_places(&mut self, block: BlockId) {
        if self.rows > 1 {
            return;
        }
        let block = self.module.block(block);
        let returned = block.ops.last().map(|&last| self.module.op(last).operands.iter());
        for &value in block.arguments.iter().chain(returned.into_iter().flatten()) {
            let is_merged = self.row_axes.get(&value).is_some_and(|rows| !rows.is_alone());
            let users = self.graph.users.get(&value).and_then(|users| users.first().copied());
            let op = self.module.defining_op(value).or(users);
            if let Some(op) = op.filter(|&op| is_merged && self.refused.insert(op)) {
                self.obstacles.push((
                    op,
                    "with one row, a dropped and a merged dimension look the same here; export with two rows"
                        .into(),
                ));
            }
        }
    }

    fn visit(&mut self, op: OpId) -> Result<(), Obstacle> {
        if let Some(classes) = control::classes(self.module, op) {
            for class in classes {
                let Some(rows) = class.iter().find_map(|value| self.row_axes.get(value)).copied() else {
                    continue;
                };
                class.into_iter().try_for_each(|value| self.tie(value, rows))?;
            }
            return Ok(());
        }
        if self.is_silent(op) {
            return Ok(());
        }
        if self.has_rows_inside(op) {
            return Err("its region takes or returns the rows".into());
        }
        let view = self.view(op);
        let marked: Vec<Slot> = view.slots().filter(|&slot| view.rows(slot).is_some()).collect();
        if marked.is_empty() {
            return Ok(());
        }
        let Some(relation) = relation(&view) else {
            return Err("the effect of the op on rows is unknown".into());
        };
        // The relation of a slot also determines its partners.
        let mut settled = FxHashSet::default();
        for slot in marked {
            let view = self.view(op);
            let Some(rows) = view.rows(slot).filter(|_| !settled.contains(&slot)) else { continue };
            let partners = relation(&view, slot, rows)?;
            for (other, rows) in partners {
                if let Some(value) = self.view(op).value(other) {
                    self.tie(value, rows)?;
                }
                settled.insert(other);
            }
        }
        Ok(())
    }

    /// Whether a region of an op takes or returns values with rows. [`control`] relates the values of control flow to
    /// those of its regions. All other ops have regions on scalars or are unknown.
    fn has_rows_inside(&self, op: OpId) -> bool {
        let regions = self.module.op(op).regions.iter();
        let blocks = regions.flat_map(|&region| &self.module.region(region).blocks);
        blocks.map(|&block| self.module.block(block)).any(|block| {
            let returned = block.ops.last().into_iter().flat_map(|&last| &self.module.op(last).operands);
            block.arguments.iter().chain(returned).any(|value| self.row_axes.contains_key(value))
        })
    }

    fn view(&self, op: OpId) -> OpView<'_> {
        OpView {
            module: self.module,
            op,
            source: self.source,
            rows: self.rows,
            constant: self.constant,
            row_axes: &self.row_axes,
        }
    }

    /// Whether an op was reported before, or is a Python call that is dropped.
    fn is_silent(&self, op: OpId) -> bool {
        let operation = self.module.op(op);
        let unread = self.module.op(op).name == builtin::ERROR
            || operation.operands.iter().any(|&operand| self.module.is_error_value(operand));
        let unused = || {
            let mut results =
                operation.results.iter().filter(|&&result| self.module.tensor(result).is_some());
            results.all(|result| !self.graph.users.contains_key(result))
        };
        unread || ops::host_callback(self.module, op).is_some() && unused()
    }

    /// Records the rows of a value.
    fn tie(&mut self, value: ValueId, rows: RowAxis) -> Result<(), Obstacle> {
        let Some(ty) = self.module.tensor(value) else { return Ok(()) };
        match self.row_axes.get(&value) {
            Some(known) if *known == rows => return Ok(()),
            Some(known) if known.axis != rows.axis => {
                return Err("rows are combined with each other".into());
            }
            Some(_) => return Err("rows are combined with rows in another order".into()),
            None => {}
        }
        let size = rows.left.checked_mul(self.rows).and_then(|size| size.checked_mul(rows.right));
        if size.is_none() || ty.dims.get(rows.axis).and_then(|dim| dim.known()) != size {
            return Err("the rows do not match its sizes".into());
        }
        self.add(value, rows);
        Ok(())
    }

    fn add(&mut self, value: ValueId, rows: RowAxis) {
        self.row_axes.insert(value, rows);
        let users = self.graph.users.get(&value).into_iter().flatten().copied();
        for op in users.chain(self.graph.definer(self.module, value)) {
            if self.queued.insert(op) {
                self.queue.push_back(op);
            }
        }
    }
}
