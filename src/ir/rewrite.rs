//! Rewriting a function in one forward walk.

use super::{
    Attribute, BlockId, Definition, FunctionId, LocationId, Module, NewOp, Op, OpId, OpSpan, RegionId,
    TypeId, ValueId,
};
use smallvec::SmallVec;

/// Rewrites functions op by op in dominance order.
///
/// The visitor sees each op with its operands already replaced. It may insert ops before it, replace results by
/// other values, change it in place, and says whether it stays. Definitions come before uses, so one walk settles
/// all replacements.
pub struct Rewriter<'m> {
    /// The module that is rewritten.
    pub module: &'m mut Module,
    replaced: Vec<Option<ValueId>>,
    pending: Vec<OpId>,
}

impl<'m> Rewriter<'m> {
    /// A rewriter without replacements.
    pub fn new(module: &'m mut Module) -> Self {
        Self { module, replaced: Vec::new(), pending: Vec::new() }
    }

    /// Walks the body of a function; `visit` returns whether the op stays.
    pub fn function(&mut self, function: FunctionId, visit: &mut dyn FnMut(&mut Rewriter, OpId) -> bool) {
        let body = self.module.function(function).body;
        self.region(body, visit);
    }

    fn region(&mut self, region: RegionId, visit: &mut dyn FnMut(&mut Rewriter, OpId) -> bool) {
        for block in self.module.region(region).blocks.clone() {
            self.block(block, visit);
        }
    }

    /// Walks one block.
    pub fn block(&mut self, block: BlockId, visit: &mut dyn FnMut(&mut Rewriter, OpId) -> bool) {
        let ops = std::mem::take(&mut self.module.block_mut(block).ops);
        let outer = std::mem::replace(&mut self.pending, Vec::with_capacity(ops.len()));
        for op in ops {
            self.resolve_operands(op);
            if !visit(self, op) {
                continue;
            }
            for region in self.module.op(op).regions.clone() {
                self.region(region, visit);
            }
            self.pending.push(op);
        }
        self.module.block_mut(block).ops = std::mem::replace(&mut self.pending, outer);
    }

    fn resolve_operands(&mut self, op: OpId) {
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            let resolved = self.resolve(operand);
            if resolved != operand {
                self.module.op_mut(op).operands[index] = resolved;
            }
        }
    }

    /// Inserts an op before the visited one.
    pub fn insert(&mut self, new: NewOp) -> OpId {
        let op = self.module.add_op(new);
        self.pending.push(op);
        op
    }

    /// Inserts an op with one result, made for another one or for several, and gives the result.
    pub fn insert_at(
        &mut self,
        (span, location): (OpSpan, LocationId),
        name: &str,
        operands: &[ValueId],
        ty: TypeId,
        attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
    ) -> ValueId {
        let symbols = &mut self.module.symbols;
        let attributes = attributes.into_iter().map(|(key, value)| (symbols.intern(key), value)).collect();
        let name = symbols.intern(name);
        let op = self.insert(NewOp {
            name,
            operands: SmallVec::from_slice(operands),
            result_types: SmallVec::from_slice(&[ty]),
            attributes,
            regions: SmallVec::new(),
            span,
            location,
        });
        self.module.op(op).results[0]
    }

    /// Inserts before an op the same one on other operands and with results of other types. The regions are those of
    /// the op, which has to leave.
    pub fn insert_as(
        &mut self,
        op: OpId,
        operands: SmallVec<[ValueId; 3]>,
        result_types: SmallVec<[TypeId; 1]>,
    ) -> OpId {
        let Op { name, attributes, regions, .. } = self.module.op(op).clone();
        let (span, location) = (self.module.span(op), self.module.op_location(op));
        self.insert(NewOp { name, operands, result_types, attributes, regions, span, location })
    }

    /// Inserts an op that is in no block yet before the visited one.
    pub fn insert_existing(&mut self, op: OpId) {
        self.pending.push(op);
    }

    /// Lets all later uses of `old` read `new`.
    pub fn replace(&mut self, old: ValueId, new: ValueId) {
        if self.replaced.len() <= old.index() {
            self.replaced.resize(old.index() + 1, None);
        }
        if old != new {
            self.replaced[old.index()] = Some(new);
            if self.module.value(new).name.is_none() {
                self.module.value_mut(new).name = self.module.value(old).name;
            }
        }
    }

    /// The value that is read where the text reads `value`.
    pub fn resolve(&self, mut value: ValueId) -> ValueId {
        while let Some(Some(next)) = self.replaced.get(value.index()) {
            value = *next;
        }
        value
    }
}

/// How often each value is read, by the position of the value; only ops that a block holds count.
pub fn use_counts(module: &Module) -> Vec<u32> {
    let mut counts = vec![0u32; module.value_count()];
    for op in module.reachable_ops() {
        module.op(op).operands.iter().for_each(|operand| counts[operand.index()] += 1);
    }
    counts
}

impl Module {
    /// Whether the definition of a value was faulty and has been reported.
    pub fn is_poison(&self, value: ValueId) -> bool {
        value != self.absent() && self.value(value).definition == Definition::Poison
    }
}
