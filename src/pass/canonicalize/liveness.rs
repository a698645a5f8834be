//! Liveness: which values a result of the program or an effect needs.
//!
//! What a loop carries can keep itself alive: a value that only its own next one is computed from has a use and is dead.
//! So the values that are needed are found from the results of the functions backwards, and a carried value is needed
//! when a place of it is that something needs: its argument of the body or of the condition, or its result.

use super::loops;
use crate::ir::{BlockId, Definition, Module, OpId, RegionId, ValueId, stablehlo};
use crate::ops::type_inference;
use rustc_hash::FxHashMap;

/// What of a module is needed.
pub(in crate::pass) struct Liveness {
    values: Vec<bool>,
    ops: Vec<bool>,
    /// Ops that hand on values by their position, in order.
    carriers: Vec<OpId>,
}

/// Values that are found to be needed, and what is needed for them.
struct LivenessSearch<'m> {
    module: &'m Module,
    live: Liveness,
    /// The op that has a block in its regions, and the block of that op.
    owners: FxHashMap<BlockId, (OpId, BlockId)>,
    next: Vec<ValueId>,
}

impl Liveness {
    /// Of what is reachable; an effect that is `dropped` needs nothing.
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

    /// Takes what is not needed out of what loops carry and branches give. A value that it leaves without a use stays.
    pub(in crate::pass) fn cut(&self, module: &mut Module) {
        for &op in self.carriers.iter().filter(|&&op| self.has(op)) {
            let dead: Vec<bool> =
                module.op(op).results.iter().map(|result| !self.values[result.index()]).collect();
            if !dead.contains(&true) {
                continue;
            }
            if module.op(op).name == stablehlo::WHILE {
                loops::remove_arguments(module, op, &dead);
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
            // A loop carries something: one that only an effect within it needs keeps a value.
            let is_live = |value: &ValueId| self.live.values[value.index()];
            let bare = |&op: &OpId| {
                let results = &self.module.op(op).results;
                let is_loop = self.module.op(op).name == stablehlo::WHILE;
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

    /// What the value needs.
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
                    self.position(op, index as usize);
                }
            }
            Definition::Poison => {}
        }
    }

    /// An op that does something, and all that it is within.
    fn effect(&mut self, op: OpId, block: BlockId) {
        self.op(op);
        let mut block = block;
        while let Some(&(owner, outer)) = self.owners.get(&block) {
            self.op(owner);
            block = outer;
        }
    }

    /// What the op needs whichever of its results is needed.
    fn op(&mut self, op: OpId) {
        if std::mem::replace(&mut self.live.ops[op.index()], true) {
            return;
        }
        let module = self.module;
        if let Some((condition, ..)) = loops::parts(module, op) {
            self.returned(condition);
            return;
        }
        module.op(op).operands.iter().for_each(|&operand| self.value(operand));
        if !is_carrier(module, op) {
            for &region in &module.op(op).regions {
                module.region(region).blocks.iter().for_each(|&block| self.returned(block));
            }
        }
    }

    /// The places of what is carried at a position.
    fn position(&mut self, op: OpId, index: usize) {
        let module = self.module;
        self.value(module.op(op).results[index]);
        if let Some((condition, body, terminator)) = loops::parts(module, op) {
            self.value(module.op(op).operands[index]);
            self.value(module.block(condition).arguments[index]);
            self.value(module.block(body).arguments[index]);
            self.value(module.op(terminator).operands[index]);
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

/// Whether the op hands on values by their position.
fn is_carrier(module: &Module, op: OpId) -> bool {
    loops::parts(module, op).is_some() || loops::branches(module, op).is_some()
}
