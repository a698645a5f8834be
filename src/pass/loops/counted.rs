//! A counted loop of static start, its slices, and how its body reads and writes more of them.

use super::vectorize::stacked_type;
use crate::ir::{
    Attribute, BlockId, Data, Dim, Dims, Element, Module, OpId, Rewriter, TypeId, ValueId, stablehlo,
};
use crate::ops::{CountedLoop, InductionVariable, Slices, WhileLoop, integer_bytes};
use rustc_hash::{FxHashMap, FxHashSet};

/// A counted loop whose number of iterations is a size.
pub(super) struct Scan {
    /// The `while`.
    pub op: OpId,
    /// Its body.
    pub body: BlockId,
    /// The last op of the body.
    pub terminator: OpId,
    /// The position of the counter.
    pub counter: usize,
    /// The element type of the counter.
    pub element: Element,
    /// The counter in the body.
    pub argument: ValueId,
    /// The counter of the first iteration.
    pub start: i64,
    /// The number of iterations.
    pub length: Dim,
    /// The slices that the body reads and writes.
    pub slices: Slices,
    /// The values that the body defines, but not those of nested regions.
    pub own: FxHashSet<ValueId>,
    /// The ops of the body that use each value, themselves or in a nested region, each once.
    pub users: FxHashMap<ValueId, Vec<OpId>>,
}

impl Scan {
    /// Reads a loop.
    pub fn of(module: &Module, op: OpId) -> Option<Self> {
        let WhileLoop { body, terminator, .. } = WhileLoop::of(module, op)?;
        let start = |index: usize| match module.known_integers(module.op(op).operands[index]).as_deref() {
            Some(&[start]) => Some(start),
            _ => None,
        };
        let count = CountedLoop::of(module, op, start)?;
        let start = count.start?;
        let length = count.length().filter(|&length| length != Dim::Dynamic)?;
        let argument = module.block(body).arguments[count.counter];
        let slices = Slices::of(module, body, InductionVariable { argument, start, length });
        let mut own: FxHashSet<ValueId> = module.block(body).arguments.iter().copied().collect();
        let mut users: FxHashMap<ValueId, Vec<OpId>> = FxHashMap::default();
        for &op in &module.block(body).ops {
            own.extend(module.op(op).results.iter().copied());
            let nested = module.ops_within(module.op(op).regions.iter().copied());
            for user in std::iter::once(op).chain(nested) {
                for &operand in &module.op(user).operands {
                    let users = users.entry(operand).or_default();
                    if users.last() != Some(&op) {
                        users.push(op);
                    }
                }
            }
        }
        let (counter, element) = (count.counter, count.element);
        Some(Self { op, body, terminator, counter, element, argument, start, length, slices, own, users })
    }

    /// The ops of the body that use a value.
    pub fn users(&self, value: ValueId) -> &[OpId] {
        self.users.get(&value).map_or(&[], |users| users)
    }

    /// The counters of all iterations, computed before the loop.
    pub fn counters(&self, rewriter: &mut Rewriter) -> ValueId {
        let sizes = [self.length];
        let numbers = rewriter.create(stablehlo::IOTA, &[]).at_op(self.op).int("iota_dimension", 0);
        let numbers = numbers.out(self.element, &sizes);
        if self.start == 0 {
            return numbers;
        }
        let ty = rewriter.module.tensor_of(self.element, &sizes);
        let starts = self.splat(rewriter, ty, self.start);
        rewriter.create(stablehlo::ADD, &[numbers, starts]).at_op(self.op).like(numbers)
    }

    /// A tensor of one number, before the loop.
    pub fn splat(&self, rewriter: &mut Rewriter, ty: TypeId, number: i64) -> ValueId {
        let Some(tensor) = rewriter.module.tensor_type(ty).cloned() else { return rewriter.module.absent() };
        let scalar = rewriter.module.tensor_of(tensor.element, &[] as &[i64]);
        let data = Data::Splat(integer_bytes(tensor.element, number).into());
        let number = rewriter.create(stablehlo::CONSTANT, &[]).at_op(self.op).data(scalar, data);
        let builder = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[number]).at_op(self.op);
        builder.attr("broadcast_dimensions", Attribute::positions([])).of(ty)
    }

    /// Reads in the body the slice of the iteration from `whole`, as a value like `like`. Adds the ops to a list.
    pub fn read(
        &self,
        module: &mut Module,
        ops: &mut Vec<OpId>,
        (whole, backward): (ValueId, bool),
        like: ValueId,
    ) -> Option<ValueId> {
        let tensor = module.tensor(whole)?.clone();
        let sizes: Dims = std::iter::once(Dim::Known(1)).chain(tensor.dims[1..].iter().copied()).collect();
        let operands = self.indices(module, ops, &[whole], tensor.rank(), backward)?;
        let slice = module.create(stablehlo::DYNAMIC_SLICE, &operands).at_op(self.op).push_to(ops);
        let slice = slice.attr("slice_sizes", Attribute::of_sizes(&sizes)).out(tensor.element, &sizes);
        Some(module.create(stablehlo::RESHAPE, &[slice]).at_op(self.op).push_to(ops).like(like))
    }

    /// Makes the loop return the values that `value` has in all iterations, stacked. Adds ops to the end of the body.
    pub fn write(&self, rewriter: &mut Rewriter, value: ValueId, backward: bool) -> Option<ValueId> {
        let ty = stacked_type(rewriter.module, value, self.length)?;
        let tensor = rewriter.module.tensor_type(ty)?.clone();
        let init = self.splat(rewriter, ty, 0);
        let module = &mut *rewriter.module;
        let WhileLoop { condition, body, terminator } = WhileLoop::of(module, self.op)?;
        module.op_mut(self.op).operands.push(init);
        module.add_argument(condition, ty);
        let argument = module.add_argument(body, ty);
        let sizes: Dims = std::iter::once(Dim::Known(1)).chain(tensor.dims[1..].iter().copied()).collect();
        let mut ops = Vec::new();
        let row = module.create(stablehlo::RESHAPE, &[value]).at_op(self.op).push_to(&mut ops);
        let row = row.out(tensor.element, &sizes);
        let operands = self.indices(module, &mut ops, &[argument, row], tensor.rank(), backward)?;
        let update = module.create(stablehlo::DYNAMIC_UPDATE_SLICE, &operands).at_op(self.op);
        let next = update.push_to(&mut ops).of(ty);
        let own = &mut module.block_mut(body).ops;
        own.splice(own.len() - 1..own.len() - 1, ops);
        module.op_mut(terminator).operands.push(next);
        Some(module.add_result(self.op, ty))
    }

    /// Operands followed by the start indices of the iteration's slice.
    fn indices(
        &self,
        module: &mut Module,
        ops: &mut Vec<OpId>,
        operands: &[ValueId],
        rank: usize,
        backward: bool,
    ) -> Option<Vec<ValueId>> {
        let scalar = module.value_type(self.argument);
        let integer = |module: &mut Module, ops: &mut Vec<OpId>, number: i64| {
            let data = Data::Splat(integer_bytes(self.element, number).into());
            module.create(stablehlo::CONSTANT, &[]).at_op(self.op).push_to(ops).data(scalar, data)
        };
        let index = match (backward, self.start) {
            (false, 0) => self.argument,
            (false, start) => {
                let start = integer(module, ops, start);
                let number = module.create(stablehlo::SUBTRACT, &[self.argument, start]).at_op(self.op);
                number.push_to(ops).of(scalar)
            }
            (true, start) => {
                let last = integer(module, ops, start + self.length.known()? - 1);
                let number = module.create(stablehlo::SUBTRACT, &[last, self.argument]).at_op(self.op);
                number.push_to(ops).of(scalar)
            }
        };
        let mut operands = operands.to_vec();
        operands.push(index);
        if rank > 1 {
            let zero = integer(module, ops, 0);
            operands.extend(std::iter::repeat_n(zero, rank - 1));
        }
        Some(operands)
    }
}
