//! Rewriting a function in one forward walk.

use super::{
    Attribute, Block, BlockId, Data, Definition, Dim, Dims, Element, FunctionId, Module, OpBuilder, OpId,
    OpName, Place, RegionId, Type, ValueId, onnx,
};

/// Rewrites functions op by op in dominance order.
///
/// The visitor sees each op with its operands already replaced. It may insert ops before it, replace its results, or
/// change it in place, and returns whether it stays. Definitions come before uses, so one walk settles all
/// replacements.
pub struct Rewriter<'m> {
    /// The module that is rewritten.
    pub module: &'m mut Module,
    replaced: Vec<Option<ValueId>>,
    pending: Vec<OpId>,
    /// The visited op.
    visited: Option<OpId>,
}

impl<'m> Rewriter<'m> {
    /// A rewriter without replacements.
    pub fn new(module: &'m mut Module) -> Self {
        Self { module, replaced: Vec::new(), pending: Vec::new(), visited: None }
    }

    /// Walks the body of a function; `visit` returns whether the op stays.
    pub fn function(&mut self, function: FunctionId, visit: &mut dyn FnMut(&mut Rewriter, OpId) -> bool) {
        let body = self.module.function(function).body;
        self.region(body, visit);
    }

    /// Walks all functions of a module; `replace` returns `Some` if it replaced the op, which then goes. Returns whether it
    /// replaced any.
    pub fn replace_ops(
        module: &mut Module,
        replace: &mut dyn FnMut(&mut Rewriter, OpId) -> Option<()>,
    ) -> bool {
        let mut changed = false;
        for function in module.functions() {
            Rewriter::new(module).function(function, &mut |rewriter, op| {
                let is_replaced = replace(rewriter, op).is_some();
                changed |= is_replaced;
                !is_replaced
            });
        }
        changed
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
            self.visited = Some(op);
            if !visit(self, op) {
                continue;
            }
            for region in self.module.regions_of(op).to_vec() {
                self.region(region, visit);
            }
            self.pending.push(op);
        }
        self.module.block_mut(block).ops = std::mem::replace(&mut self.pending, outer);
    }

    /// Replaces ops by blocks, in all functions. `body` returns the block that replaces an op: its arguments become
    /// the op's operands, and the operands of its terminator become the op's results. The next walk updates the
    /// users.
    pub fn splice(&mut self, body: &mut dyn FnMut(&Module, OpId) -> Option<BlockId>) {
        let bodies = self.module.functions().map(|id| self.module.function(id).body);
        let blocks: Vec<BlockId> = self.module.blocks_within(bodies).collect();
        for block in blocks {
            let mut pending = std::mem::take(&mut self.module.block_mut(block).ops);
            pending.reverse();
            let mut ops = Vec::with_capacity(pending.len());
            while let Some(op) = pending.pop() {
                let Some(inner) = body(self.module, op) else {
                    ops.push(op);
                    continue;
                };
                let Block { arguments, ops: mut spliced } = self.module.block(inner).clone();
                let outer = self.module.op(op).clone();
                let returned =
                    spliced.pop().map(|end| self.module.op(end).operands.clone()).unwrap_or_default();
                arguments
                    .iter()
                    .zip(&outer.operands)
                    .for_each(|(&argument, &value)| self.replace(argument, value));
                outer.results.iter().zip(&returned).for_each(|(&result, &value)| self.replace(result, value));
                pending.extend(spliced.into_iter().rev());
            }
            self.module.block_mut(block).ops = ops;
        }
    }

    fn resolve_operands(&mut self, op: OpId) {
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            let resolved = self.resolve(operand);
            if resolved != operand {
                self.module.operands_mut(op)[index] = resolved;
            }
        }
    }

    /// Starts an op before the visited one, in its place unless the builder gets another one.
    pub fn create(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        let place = self.visited.map_or_else(Place::default, |op| self.module.place(op));
        self.module.create(name, operands).at(place).push_to(&mut self.pending)
    }

    /// Starts a copy of an op before the visited one; see [`Module::create_like`].
    pub fn create_like(&mut self, other: OpId, operands: &[ValueId]) -> OpBuilder<'_> {
        self.module.create_like(other, operands).push_to(&mut self.pending)
    }

    /// Inserts an ONNX constant of these bytes.
    pub fn bytes(&mut self, element: Element, sizes: &[i64], bytes: &[u8]) -> ValueId {
        let ty = self.module.tensor_of(element, sizes);
        self.create(onnx::CONSTANT, &[]).data(ty, Data::Bytes(bytes.into()))
    }

    /// Inserts an ONNX Transpose: dimension `i` of the result is dimension `order[i]` of the value. `None` if the value
    /// lacks one of them.
    pub fn transpose(&mut self, value: ValueId, order: &[usize]) -> Option<ValueId> {
        let tensor = self.module.tensor(value)?;
        let element = tensor.element;
        let dims: Dims = order.iter().map(|&axis| tensor.dims.get(axis).copied()).collect::<Option<_>>()?;
        let perm: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
        Some(self.create(onnx::TRANSPOSE, &[value]).ints("perm", &perm).out(element, &dims))
    }

    /// Inserts an ONNX Reshape with the location of an op. At most one dimension may be unknown, and none may be 0. A constant
    /// gets the new type instead.
    pub fn reshape(&mut self, place: OpId, value: ValueId, dims: &[Dim]) -> ValueId {
        let element = self.module.tensor(value).map_or(Element::F32, |ty| ty.element);
        let ty = self.module.tensor_of(element, dims);
        let constant = self.module.constant_of(value).map(|id| self.module.constant(id).data.clone());
        if let (Some(data), Some(origin)) = (constant, self.module.defining_op(value)) {
            return self.create(onnx::CONSTANT, &[]).at_op(origin).data(ty, data);
        }
        let sizes: Vec<i64> = dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
        let shape = self.create(onnx::CONSTANT, &[]).at_op(place).integers(&sizes);
        self.create(onnx::RESHAPE, &[value, shape]).at_op(place).of(ty)
    }

    /// Sets an integer attribute of an op.
    pub fn set_integer(&mut self, op: OpId, name: &str, value: i64) {
        let module = &mut *self.module;
        let (name, ty) = (module.symbols.intern(name), module.types.intern(Type::Scalar(Element::I64)));
        let attributes = &mut module.op_mut(op).attributes;
        attributes.retain(|(other, _)| *other != name);
        attributes.push((name, Attribute::Integer(value, ty)));
    }

    /// Inserts an ONNX constant that is a list of `i64`.
    pub fn integers(&mut self, values: &[i64]) -> ValueId {
        self.create(onnx::CONSTANT, &[]).integers(values)
    }

    /// Inserts a detached op before the visited one.
    pub fn insert_existing(&mut self, op: OpId) {
        self.pending.push(op);
    }

    /// Replaces the results of the visited op by unknown values. Returns the pairs.
    pub fn forget(&mut self, op: OpId) -> Vec<(ValueId, ValueId)> {
        let results = self.module.op(op).results.to_vec();
        let pairs = results.into_iter().map(|result| {
            let unknown = self.module.add_poison(self.module.value_type(result));
            self.replace(result, unknown);
            (result, unknown)
        });
        pairs.collect()
    }

    /// Replaces all later uses of `old` with `new`.
    pub fn replace(&mut self, old: ValueId, new: ValueId) {
        if self.replaced.len() <= old.index() {
            self.replaced.resize(old.index() + 1, None);
        }
        if old != new {
            self.replaced[old.index()] = Some(new);
            self.module.inherit_origin(old, new);
            if self.module.value(new).name.is_none() {
                self.module.value_mut(new).name = self.module.value(old).name;
            }
        }
    }

    /// The current replacement of a value.
    pub fn resolve(&self, mut value: ValueId) -> ValueId {
        while let Some(Some(next)) = self.replaced.get(value.index()) {
            value = *next;
        }
        value
    }
}

/// The number of uses of each value, indexed by value, counting only attached ops.
pub fn use_counts(module: &Module) -> Vec<u32> {
    let mut counts = vec![0u32; module.value_count()];
    for op in module.reachable_ops() {
        module.op(op).operands.iter().for_each(|operand| counts[operand.index()] += 1);
    }
    counts
}

/// Like `use_counts`, but a use in another block than the definition counts twice, so that a value computed outside a
/// loop never seems to belong to its body. Constants count as usual.
pub fn use_counts_by_block(module: &Module) -> Vec<u32> {
    let mut counts = use_counts(module);
    let mut homes: Vec<Option<BlockId>> = vec![None; module.op_count()];
    let bodies = module.functions().map(|function| module.function(function).body);
    let blocks: Vec<BlockId> = module.blocks_within(bodies).collect();
    for &block in &blocks {
        module.block(block).ops.iter().for_each(|op| homes[op.index()] = Some(block));
    }
    let is_constant = |value: ValueId| module.constant_of(value).is_some();
    for &block in &blocks {
        for &op in &module.block(block).ops {
            for &operand in &module.op(op).operands {
                let Some(definition) = module.defining_op(operand) else { continue };
                let of_constants = module.op(definition).operands.iter().all(|&value| is_constant(value));
                if homes[definition.index()] != Some(block) && !of_constants {
                    counts[operand.index()] += 1;
                }
            }
        }
    }
    counts
}

impl Module {
    /// Whether a value is poison: its definition was faulty and has been reported.
    pub fn is_poison(&self, value: ValueId) -> bool {
        value != self.absent() && self.value(value).definition == Definition::Poison
    }
}
