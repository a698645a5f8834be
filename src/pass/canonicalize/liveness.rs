//! Liveness: the values that results of the program or side effects need.
//!
//! A loop-carried value can keep itself alive: one that only computes its own next value has a use and is dead. So
//! needed values are found backward from the function's results. A carried value is needed if its argument in the
//! body or condition, or its result, is.

use super::loops;
use crate::ir::{BlockId, Definition, Module, OpId, RegionId, ValueId, onnx, stablehlo};
use crate::ops::{WhileLoop, type_inference};
use rustc_hash::FxHashMap;

/// The needed ops and values of a module.
pub(in crate::pass) struct Liveness {
    values: Vec<bool>,
    ops: Vec<bool>,
    /// Ops that pass values through by position.
    carriers: Vec<OpId>,
}

/// A worklist of needed values.
struct LivenessSearch<'m> {
    module: &'m Module,
    live: Liveness,
    /// The op around each block, and that op's block.
    owners: FxHashMap<BlockId, (OpId, BlockId)>,
    next: Vec<ValueId>,
}

impl Liveness {
    /// Considers reachable effects; an effect that is `dropped` needs nothing.
    pub(in crate::pass) fn new(module: &Module, dropped: impl Fn(&Module, OpId) -> bool) -> Self {
        let live = Self {
            values: vec![false; module.value_count()],
            ops: vec![false; module.op_count()],
            carriers: Vec::new(),
        };
        let mut search = LivenessSearch { module, live, owners: FxHashMap::default(), next: Vec::new() };
        let bodies: Vec<RegionId> = module.functions().map(|id| module.function(id).body).collect();
        bodies.iter().flat_map(|&body| &module.region(body).blocks).for_each(|&block| search.returned(block));
        for block in module.blocks_within(bodies) {
            for &op in &module.block(block).ops {
                if is_carrier(module, op) {
                    search.live.carriers.push(op);
                }
                for &region in &module.op(op).regions {
                    let blocks = &module.region(region).blocks;
                    search.owners.extend(blocks.iter().map(|&inner| (inner, (op, block))));
                }
                let is_terminator = module.op(op).name.is_terminator();
                if !is_terminator && !type_inference::is_pure(module, op) && !dropped(module, op) {
                    search.effect(op, block);
                }
            }
        }
        search.run();
        search.live
    }

    /// Whether something needs the op.
    pub(in crate::pass) fn has(&self, op: OpId) -> bool {
        self.ops[op.index()]
    }

    /// Removes unneeded values that loops carry and branches return. Values that become unused stay.
    pub(in crate::pass) fn cut(&self, module: &mut Module) {
        for &op in self.carriers.iter().filter(|&&op| self.has(op)) {
            let dead: Vec<bool> =
                module.op(op).results.iter().map(|result| !self.values[result.index()]).collect();
            if !dead.contains(&true) {
                continue;
            }
            if module.op(op).name == stablehlo::WHILE {
                loops::remove_arguments(module, op, &dead);
            } else if let Some(it) = loops::lowered(module, op) {
                loops::remove_lowered(module, op, it, &dead);
            } else {
                loops::remove_results(module, op, &dead);
            }
        }
    }
}

impl LivenessSearch<'_> {
    fn run(&mut self) {
        loop {
            while let Some(value) = self.next.pop() {
                self.definition(value);
            }
            // A loop carries at least one value, even if only an effect inside needs it.
            let is_live = |value: &ValueId| self.live.values[value.index()];
            let bare = |&op: &OpId| {
                let results = &self.module.op(op).results;
                let is_loop = matches!(self.module.op(op).name, stablehlo::WHILE | onnx::LOOP);
                if is_loop && self.live.has(op) && !results.iter().any(is_live) {
                    results.first()
                } else {
                    None
                }
            };
            let kept: Vec<ValueId> = self.live.carriers.iter().filter_map(bare).copied().collect();
            if kept.is_empty() {
                return;
            }
            kept.into_iter().for_each(|value| self.value(value));
        }
    }

    fn value(&mut self, value: ValueId) {
        if !std::mem::replace(&mut self.live.values[value.index()], true) {
            self.next.push(value);
        }
    }

    /// Marks the operands that define a value.
    fn definition(&mut self, value: ValueId) {
        match self.module.value(value).definition {
            Definition::Result(op, index) => {
                self.op(op);
                if is_carrier(self.module, op) {
                    self.position(op, index as usize);
                }
            }
            Definition::Argument(block, index) => {
                let owner = self.owners.get(&block).map(|&(op, _)| op);
                if let Some(op) = owner.filter(|&op| is_carrier(self.module, op)) {
                    // A lowered loop passes the iteration number and its condition first.
                    let first = if self.module.op(op).name == onnx::LOOP { 2 } else { 0 };
                    if let Some(index) = (index as usize).checked_sub(first) {
                        self.position(op, index);
                    }
                }
            }
            Definition::Poison => {}
        }
    }

    /// Marks an op with effects and all ops around it.
    fn effect(&mut self, op: OpId, block: BlockId) {
        self.op(op);
        let mut block = block;
        while let Some(&(owner, outer)) = self.owners.get(&block) {
            self.op(owner);
            block = outer;
        }
    }

    /// Marks what the op needs regardless of which result is used.
    fn op(&mut self, op: OpId) {
        if std::mem::replace(&mut self.live.ops[op.index()], true) {
            return;
        }
        let module = self.module;
        if let Some(WhileLoop { condition, .. }) = WhileLoop::of(module, op) {
            self.returned(condition);
            return;
        }
        if let Some(it) = loops::lowered(module, op) {
            module.op(op).operands[..2].iter().for_each(|&operand| self.value(operand));
            self.value(module.op(it.terminator).operands[0]);
            return;
        }
        module.op(op).operands.iter().for_each(|&operand| self.value(operand));
        if !is_carrier(module, op) {
            for &region in &module.op(op).regions {
                module.region(region).blocks.iter().for_each(|&block| self.returned(block));
            }
        }
    }

    /// The arguments and results for a carried position.
    fn position(&mut self, op: OpId, index: usize) {
        let module = self.module;
        self.value(module.op(op).results[index]);
        if let Some(WhileLoop { condition, body, terminator }) = WhileLoop::of(module, op) {
            self.value(module.op(op).operands[index]);
            self.value(module.block(condition).arguments[index]);
            self.value(module.block(body).arguments[index]);
            self.value(module.op(terminator).operands[index]);
            return;
        }
        if let Some(it) = loops::lowered(module, op) {
            if index < it.carried {
                self.value(module.op(op).operands[2 + index]);
                self.value(module.block(it.body).arguments[2 + index]);
            }
            self.value(module.op(it.terminator).operands[1 + index]);
            return;
        }
        for terminator in loops::branches(module, op).unwrap_or_default() {
            self.value(module.op(terminator).operands[index]);
        }
    }

    /// What the block returns.
    fn returned(&mut self, block: BlockId) {
        let module = self.module;
        let Some(&terminator) = module.block(block).ops.last() else { return };
        module.op(terminator).operands.iter().for_each(|&operand| self.value(operand));
    }
}

/// Whether the op passes values through by position.
fn is_carrier(module: &Module, op: OpId) -> bool {
    WhileLoop::of(module, op).is_some()
        || loops::lowered(module, op).is_some()
        || loops::branches(module, op).is_some()
}
