//! Moves runs of ops of one module out of their block into functions.

use super::groups::{ModuleGroups, groups};
use super::schedule::{BlockGraph, schedule};
use super::share::SharedFunctions;
use crate::ir::{
    Attribute, BlockId, Definition, Function, FunctionResult, Location, LocationId, Module, OpId, OpSpan,
    RegionId, ValueId, func, onnx,
};
use crate::pass::insert_casts::is_movement;
use crate::pass::module_tree::{PathId, Paths};
use crate::source::Span;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Creates functions for a program's modules.
pub(super) struct Outliner<'m> {
    module: &'m mut Module,
    paths: Paths,
    /// The constants that are copied into functions.
    small: FxHashSet<ValueId>,
    shared: SharedFunctions,
}

/// Consecutive ops of one module.
struct OpRun {
    path: PathId,
    ops: Vec<OpId>,
    /// The values used from outside, in the order of first use, without constants that are copied.
    inputs: Vec<ValueId>,
    /// The results used outside.
    outputs: Vec<ValueId>,
}

/// An item of a block in its new order.
enum Item {
    Op(OpId),
    Run(OpRun),
}

impl<'m> Outliner<'m> {
    pub(super) fn new(module: &'m mut Module, paths: Paths, small: FxHashSet<ValueId>) -> Self {
        let shared = SharedFunctions::new(module);
        Self { module, paths, small, shared }
    }

    /// Outlines the modules directly within `outer` in a block, then the modules within those, and nested graphs. The
    /// recursion is bounded by the depth of paths and of regions.
    pub(super) fn block(&mut self, block: BlockId, outer: PathId) {
        let ops = std::mem::take(&mut self.module.block_mut(block).ops);
        let (mut placed, mut ops): (Vec<OpId>, Vec<OpId>) =
            ops.into_iter().partition(|&op| self.module.op(op).name == onnx::CONSTANT);
        let Some(terminator) = ops.pop() else {
            self.module.block_mut(block).ops = placed;
            return;
        };
        let results = self.module.op(terminator).operands.to_vec();
        self.place(&ops, &results, outer, &mut placed);
        placed.push(terminator);
        self.module.block_mut(block).ops = placed;
    }

    /// Arranges calls of the modules directly within `outer`, and the ops of no module. `results` are used after the
    /// ops.
    fn place(&mut self, ops: &[OpId], results: &[ValueId], outer: PathId, placed: &mut Vec<OpId>) {
        for item in self.arrange(ops, results, outer) {
            match item {
                Item::Run(run) if self.is_trivial(&run) || self.only_forwards_narrow(&run) => {
                    self.place(&run.ops, &run.outputs, run.path, placed);
                }
                Item::Run(run) => placed.push(self.call(run)),
                Item::Op(op) => {
                    for region in self.module.op(op).regions.clone() {
                        for inner in self.module.region(region).blocks.clone() {
                            self.block(inner, outer);
                        }
                    }
                    placed.push(op);
                }
            }
        }
    }

    /// Whether a run belongs to a JAX function that is no clearer than its ops, such as `relu`, or the
    /// `dynamic_index_in_dim` of a scan: at most one op computes. Nested modules are kept.
    fn is_trivial(&self, run: &OpRun) -> bool {
        let computes = |&&op: &&OpId| !is_movement(self.module, op);
        let has_regions = |&op: &OpId| !self.module.op(op).regions.is_empty();
        self.paths.is_called(run.path)
            && run.ops.iter().filter(computes).count() < 2
            && !run.ops.iter().any(has_regions)
    }

    /// Whether a run only passes a small-type argument on to functions in it. ONNX Runtime 1.31 infers the types that
    /// a function's argument may have from the nodes of the function, and fails if there are only calls.
    fn only_forwards_narrow(&mut self, run: &OpRun) -> bool {
        let is_narrow = |&value: &ValueId| {
            let element = self.module.tensor(value).map(|tensor| tensor.element);
            element
                .is_some_and(|element| element.is_small_float() || element.is_integer() && element.bits() < 8)
        };
        let mut narrow: FxHashSet<ValueId> = run.inputs.iter().copied().filter(is_narrow).collect();
        if narrow.is_empty() {
            return false;
        }
        for &op in &run.ops {
            let path = self.paths.of(self.module, op);
            if self.paths.within(path, run.path).is_none() {
                self.module.op(op).operands.iter().for_each(|operand| {
                    narrow.remove(operand);
                });
            }
        }
        !narrow.is_empty()
    }

    /// Reorders the ops of a block so that those of a module are consecutive.
    fn arrange(&mut self, ops: &[OpId], results: &[ValueId], outer: PathId) -> Vec<Item> {
        let ModuleGroups { of, paths } = groups(self.module, &mut self.paths, ops, outer);
        let order = schedule(&BlockGraph { groups: &of, group_count: paths.len(), reads: self.reads(ops) });
        let group = |&position: &u32| of[position as usize];
        let runs: Vec<&[u32]> = order.chunk_by(|x, y| group(x).is_some() && group(x) == group(y)).collect();
        let members = |run: &[u32]| run.iter().map(|&position| ops[position as usize]).collect::<Vec<_>>();

        let mut run_of: FxHashMap<ValueId, usize> = FxHashMap::default();
        for (index, run) in runs.iter().enumerate() {
            for op in members(run) {
                run_of.extend(self.module.op(op).results.iter().map(|&result| (result, index)));
            }
        }
        let mut read_outside: FxHashSet<ValueId> = results.iter().copied().collect();
        for (index, run) in runs.iter().enumerate() {
            for op in members(run) {
                let reads = self.read_by(op).into_iter();
                read_outside.extend(reads.filter(|value| run_of.get(value).is_some_and(|&run| run != index)));
            }
        }
        let item = |run: &&[u32]| {
            let ops = members(run);
            let Some(group) = run.first().and_then(group) else {
                return ops.into_iter().map(Item::Op).collect();
            };
            let results = ops.iter().flat_map(|&op| self.module.op(op).results.iter().copied());
            let outputs = results.filter(|value| read_outside.contains(value)).collect();
            let inputs = self.inputs(&ops);
            vec![Item::Run(OpRun { path: paths[group as usize], ops, inputs, outputs })]
        };
        runs.iter().flat_map(item).collect()
    }

    /// For each op, the indices of the ops whose results it uses, once each.
    fn reads(&self, ops: &[OpId]) -> Vec<Vec<u32>> {
        let mut definitions: FxHashMap<ValueId, u32> = FxHashMap::default();
        for (&op, position) in ops.iter().zip(0..) {
            definitions.extend(self.module.op(op).results.iter().map(|&result| (result, position)));
        }
        let reads = |&op: &OpId| {
            let mut reads: Vec<u32> =
                self.read_by(op).iter().filter_map(|value| definitions.get(value).copied()).collect();
            reads.sort_unstable();
            reads.dedup();
            reads
        };
        ops.iter().map(reads).collect()
    }

    /// The values that an op uses, including captures of nested graphs.
    fn read_by(&self, op: OpId) -> SmallVec<[ValueId; 4]> {
        let module = &*self.module;
        let operation = module.op(op);
        let mut values: SmallVec<[ValueId; 4]> = operation.operands.iter().copied().collect();
        if !operation.regions.is_empty() {
            let regions = || operation.regions.iter().copied();
            let mut own: FxHashSet<ValueId> = FxHashSet::default();
            for block in module.blocks_within(regions()) {
                own.extend(&module.block(block).arguments);
            }
            for inner in module.ops_within(regions()) {
                own.extend(&module.op(inner).results);
            }
            for inner in module.ops_within(regions()) {
                values.extend(module.op(inner).operands.iter().copied().filter(|value| !own.contains(value)));
            }
        }
        values
    }

    /// Turns a run of ops into a function, unless an equal one exists, and returns its call.
    ///
    /// The call takes over the results of the run, so nothing outside changes.
    fn call(&mut self, run: OpRun) -> OpId {
        let location = self.location(run.path);
        let (argument_types, result_types) =
            (self.module.value_types(&run.inputs), self.module.value_types(&run.outputs));
        let place = (OpSpan::default(), location);
        let call = self.module.create(func::CALL, &run.inputs).at(place).results(&result_types);

        let body = self.module.add_region();
        let block = self.module.add_block(body);
        let mut replaced: FxHashMap<ValueId, ValueId> = FxHashMap::default();
        for (&input, &ty) in run.inputs.iter().zip(&argument_types) {
            let argument = self.module.add_argument(block, ty);
            replaced.insert(input, argument);
        }
        let inner = self.module.op(call).results.clone();
        for (index, (&output, &inner)) in run.outputs.iter().zip(&inner).enumerate() {
            self.exchange(output, inner, call, index);
            replaced.insert(output, inner);
        }
        for &op in &run.ops {
            self.replace_within(op, &replaced);
        }
        let terminator = self.module.create(func::RETURN, &inner).results(&[]);
        self.module.block_mut(block).ops = run.ops.into_iter().chain([terminator]).collect();
        self.block(block, run.path);
        self.own_constants(body, block);

        let class = self.paths.class(run.path);
        let name = self.shared.find_or_add(self.module, &class, |name| Function {
            name,
            public: false,
            body,
            arguments: vec![Default::default(); argument_types.len()],
            argument_types,
            results: result_types.iter().map(|&ty| FunctionResult { ty, attributes: Vec::new() }).collect(),
            attributes: Vec::new(),
            span: Span::NONE,
            location,
        });
        let key = self.module.symbols.intern("callee");
        self.module.op_mut(call).attributes.push((key, Attribute::SymbolRef(Box::new([name]))));
        call
    }

    /// The location of a function and its calls: the path of the module.
    fn location(&mut self, path: PathId) -> LocationId {
        let spelled = self.paths.spell(path);
        let name = self.module.symbols.intern(&spelled);
        self.module.add_location(Location::Name(name, LocationId::UNKNOWN))
    }

    /// The values that ops use but do not define, without constants that are copied.
    fn inputs(&self, ops: &[OpId]) -> Vec<ValueId> {
        let mut known: FxHashSet<ValueId> = [self.module.absent()].into_iter().collect();
        for &op in ops {
            known.extend(&self.module.op(op).results);
        }
        let mut inputs = Vec::new();
        for &op in ops {
            for value in self.read_by(op) {
                if !self.small.contains(&value) && known.insert(value) {
                    inputs.push(value);
                }
            }
        }
        inputs
    }

    /// Makes an op in a function define `inner` instead of `output`, which the call now defines.
    fn exchange(&mut self, output: ValueId, inner: ValueId, call: OpId, index: usize) {
        let definition = self.module.value(output).definition;
        if let Definition::Result(op, position) = definition {
            self.module.op_mut(op).results[position as usize] = inner;
        }
        self.module.op_mut(call).results[index] = output;
        self.module.value_mut(inner).definition = definition;
        self.module.value_mut(output).definition = Definition::Result(call, index as u32);
    }

    /// Replaces the operands of an op and of nested ops.
    fn replace_within(&mut self, op: OpId, replaced: &FxHashMap<ValueId, ValueId>) {
        let regions: SmallVec<[RegionId; 1]> = self.module.op(op).regions.clone();
        let inner: Vec<OpId> = self.module.ops_within(regions).collect();
        for op in inner.into_iter().chain([op]) {
            for operand in &mut self.module.op_mut(op).operands {
                *operand = replaced.get(operand).copied().unwrap_or(*operand);
            }
        }
    }

    /// Copies constants into a function.
    fn own_constants(&mut self, body: RegionId, block: BlockId) {
        let ops: Vec<OpId> = self.module.ops_within([body]).collect();
        let (mut replaced, mut constants) = (FxHashMap::default(), Vec::new());
        for &op in &ops {
            for value in self.module.op(op).operands.clone() {
                if !self.small.contains(&value) || replaced.contains_key(&value) {
                    continue;
                }
                let Some(constant) = self.module.defining_op(value) else { continue };
                let place = (self.module.span(constant), self.module.op_location(op));
                let ty = self.module.value_type(value);
                let copy = self.module.create_like(constant, &[]).at(place).push_to(&mut constants).of(ty);
                replaced.insert(value, copy);
            }
        }
        for op in ops {
            for operand in &mut self.module.op_mut(op).operands {
                *operand = replaced.get(operand).copied().unwrap_or(*operand);
            }
        }
        constants.append(&mut self.module.block_mut(block).ops);
        self.module.block_mut(block).ops = constants;
    }
}
