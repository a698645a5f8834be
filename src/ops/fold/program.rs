//! Evaluates the parts of a program that depend on constants alone, loops and branches included.
//!
//! Evaluates a whole constant part of the program, then decides which values become constants: those that the rest of
//! the program uses. So a mask may be small although its iotas and broadcasts are not.

use super::{Fold, Folding, Tensor, folder, random, tensor};
use crate::ir::{Module, OpId, RegionId, ValueId, hlo2onnx, onnx, stablehlo};
use crate::source::Source;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::cell::Cell;

/// A value of more elements is not evaluated.
const LARGEST: usize = 1 << 18;
/// Limits the cost of all evaluations of a module, in elements read or written: some tenths of a second.
const MOST_WORK: usize = 1 << 24;
/// Limits the number of elements in memory at a time, of 8 bytes each.
const MOST_HELD: usize = 1 << 22;
/// Larger constants are not written into the model: the ops that compute them are shorter.
const MOST_BYTES: usize = 1 << 18;
/// Limits how many ops compute a value that is evaluated alone.
const MOST_OPS: usize = 64;
/// A longer iota is not materialized.
const COUNTED: usize = 256;

type Results = SmallVec<[Tensor; 1]>;

/// Values by their handles. A value inside of a loop changes in each iteration.
type KnownTensors = FxHashMap<ValueId, Tensor>;

struct Evaluator<'a> {
    module: &'a Module,
    source: &'a Source,
    known: KnownTensors,
    work: usize,
    held: usize,
}

/// The values that become constants: those that depend only on constants and have other users.
pub fn evaluate(module: &Module, source: &Source) -> FxHashMap<ValueId, Tensor> {
    let mut evaluator = Evaluator { module, source, known: KnownTensors::default(), work: 0, held: 0 };
    let mut evaluated = FxHashSet::default();
    for op in module.reachable_ops() {
        if is_constant(module, op) {
            continue;
        }
        let Some(results) = evaluator.op(op, None) else { continue };
        evaluated.insert(op);
        for (&value, tensor) in module.op(op).results.iter().zip(results) {
            evaluator.hold(value, tensor);
        }
    }
    let mut frontier = Frontier { module, evaluated, values: evaluator.known, read: FxHashSet::default() };
    let mut kept = FxHashMap::default();
    for function in module.functions() {
        frontier.region(module.function(function).body, &mut kept);
    }
    kept
}

/// The elements of a value that depends on constants alone, however many bytes they are. It is computed by few ops.
pub fn evaluate_value(module: &Module, source: &Source, value: ValueId) -> Option<Tensor> {
    let (mut order, mut seen) = (Vec::new(), FxHashSet::default());
    let mut pending = vec![(value, false)];
    while let Some((value, is_after)) = pending.pop() {
        let op = module.defining_op(value)?;
        if is_after {
            order.push(op);
        } else if !is_constant(module, op) && seen.insert(op) {
            if seen.len() > MOST_OPS {
                return None;
            }
            pending.push((value, true));
            pending.extend(module.op(op).operands.iter().map(|&operand| (operand, false)));
        }
    }
    let mut evaluator = Evaluator { module, source, known: KnownTensors::default(), work: 0, held: 0 };
    for op in order {
        let results = evaluator.op(op, None)?;
        for (&value, tensor) in module.op(op).results.iter().zip(results) {
            evaluator.hold(value, tensor);
        }
    }
    evaluator.known.remove(&value)
}

/// The only result of an op without regions, for these elements of its operands.
pub fn evaluate_op(module: &Module, op: OpId, operands: SmallVec<[Tensor; 3]>) -> Option<Tensor> {
    computed(module, op, operands).map(|(tensor, _)| tensor)
}

/// The only result of an op, and how many elements were visited to compute it.
fn computed(module: &Module, op: OpId, operands: SmallVec<[Tensor; 3]>) -> Option<(Tensor, usize)> {
    let fold = folder(module.op(op).name)?;
    let [result] = module.op(op).results[..] else { return None };
    let ty = module.tensor(result).filter(|ty| ty.encoding.is_none() && ty.is_static())?;
    let cx = Folding {
        module,
        op,
        operands,
        result: ty.clone(),
        limit: LARGEST,
        spreads: true,
        work: Cell::new(0),
    };
    let tensor = match fold {
        Fold::Shares => cx.operands.first()?.shared(ty)?,
        Fold::Computes(evaluate) | Fold::Infers(evaluate) => evaluate(&cx)?,
    };
    let fits = tensor.element == ty.element && tensor.sizes == tensor::sizes(ty)?;
    let work = tensor.bits.len().saturating_add(cx.work.get());
    fits.then_some((tensor, work))
}

fn is_constant(module: &Module, op: OpId) -> bool {
    matches!(module.op(op).name, stablehlo::CONSTANT | onnx::CONSTANT)
}

/// Whether an op reorders or slices a constant of more elements, which needs no copy of them.
fn rearranges_constant(module: &Module, op: OpId, elements: usize) -> bool {
    let operand = module.op(op).operands.first().copied();
    let constant = operand.filter(|&operand| module.constant_of(operand).is_some());
    let count = constant.and_then(|constant| module.tensor(constant)?.count());
    let larger = |count: i64| usize::try_from(count).is_ok_and(|count| count > elements);
    matches!(module.op(op).name, onnx::SLICE | onnx::TRANSPOSE) && count.is_some_and(larger)
}

impl Evaluator<'_> {
    fn hold(&mut self, value: ValueId, tensor: Tensor) {
        self.held += tensor.bits.len();
        self.known.insert(value, tensor);
    }

    /// Continues while work and memory are within their limits.
    fn charge(&mut self, elements: usize) -> Option<()> {
        self.work = self.work.saturating_add(elements.max(1));
        (self.work <= MOST_WORK && self.held <= MOST_HELD).then_some(())
    }

    fn is_known(&self, value: ValueId, locals: Option<&KnownTensors>) -> bool {
        locals.is_some_and(|locals| locals.contains_key(&value))
            || self.known.contains_key(&value)
            || self.module.constant_of(value).is_some()
    }

    fn value(&mut self, value: ValueId, locals: Option<&KnownTensors>) -> Option<Tensor> {
        if let Some(tensor) = locals.and_then(|locals| locals.get(&value)) {
            return Some(tensor.clone());
        }
        if let Some(tensor) = self.known.get(&value) {
            return Some(tensor.clone());
        }
        let tensor = Tensor::read(self.module, self.source, self.module.constant_of(value)?)?;
        self.hold(value, tensor.clone());
        Some(tensor)
    }

    fn values(&mut self, values: &[ValueId], locals: Option<&KnownTensors>) -> Option<SmallVec<[Tensor; 3]>> {
        if !values.iter().all(|&value| self.is_known(value, locals)) {
            return None;
        }
        values.iter().map(|&value| self.value(value, locals)).collect()
    }

    /// The results of an op, in a loop or branch with the values of that.
    fn op(&mut self, op: OpId, mut locals: Option<&mut KnownTensors>) -> Option<Results> {
        let module = self.module;
        let name = module.op(op).name;
        if matches!(name, stablehlo::WHILE | stablehlo::IF | stablehlo::CASE) {
            let operands = self.values(&module.op(op).operands, locals.as_deref())?;
            let mut own = KnownTensors::default();
            let locals = locals.as_deref_mut().unwrap_or(&mut own);
            return match name {
                stablehlo::WHILE => self.repeat(op, operands, locals),
                _ => self.branch(op, &operands, locals),
            };
        }
        if name == hlo2onnx::THREEFRY2X32 {
            let operands = self.values(&module.op(op).operands, locals.as_deref())?;
            let words = random::threefry2x32(&operands, LARGEST)?;
            self.charge(words.iter().map(|word| word.bits.len() * random::WORK).sum())?;
            return Some(words.into_iter().collect());
        }
        let fold = folder(name)?;
        if rearranges_constant(module, op, super::SMALL) {
            return None;
        }
        let operands = match fold {
            Fold::Infers(_) => SmallVec::new(),
            _ => self.values(&module.op(op).operands, locals.as_deref())?,
        };
        let read: usize = operands.iter().map(|tensor| tensor.bits.len()).sum();
        self.charge(read)?;
        let (tensor, work) = computed(module, op, operands)?;
        self.charge(work)?;
        Some(SmallVec::from_iter([tensor]))
    }

    fn repeat(
        &mut self,
        op: OpId,
        operands: SmallVec<[Tensor; 3]>,
        locals: &mut KnownTensors,
    ) -> Option<Results> {
        let [condition, body] = self.module.op(op).regions[..] else { return None };
        let mut state: Results = operands.into_iter().collect();
        loop {
            self.charge(1)?;
            let goes_on = self.region(condition, &state, locals)?;
            let [goes_on] = &goes_on[..] else { return None };
            if goes_on.scalar()? == 0 {
                return Some(state);
            }
            state = self.region(body, &state, locals)?;
        }
    }

    /// The branch that an index selects, the last one if it is out of range; a boolean selects the first if true.
    fn branch(&mut self, op: OpId, operands: &[Tensor], locals: &mut KnownTensors) -> Option<Results> {
        let [chosen] = operands else { return None };
        let regions = &self.module.op(op).regions;
        let index = match self.module.op(op).name {
            stablehlo::IF => usize::from(chosen.scalar()? == 0),
            _ => {
                let last = regions.len().checked_sub(1)?;
                usize::try_from(chosen.scalar()?).map_or(last, |index| index.min(last))
            }
        };
        self.region(*regions.get(index)?, &[], locals)
    }

    /// What a region of one block returns for these arguments.
    fn region(
        &mut self,
        region: RegionId,
        arguments: &[Tensor],
        locals: &mut KnownTensors,
    ) -> Option<Results> {
        let module = self.module;
        let [block] = module.region(region).blocks[..] else { return None };
        let block = module.block(block);
        if block.arguments.len() != arguments.len() {
            return None;
        }
        locals.extend(block.arguments.iter().copied().zip(arguments.iter().cloned()));
        for &op in &block.ops {
            if module.op(op).name.is_terminator() {
                return Some(self.values(&module.op(op).operands, Some(locals))?.into_iter().collect());
            }
            if !is_constant(module, op) {
                let results = self.op(op, Some(locals))?;
                locals.extend(module.op(op).results.iter().copied().zip(results));
            }
        }
        None
    }
}

/// Finds the evaluated values that ops read which are not evaluated, from the last op to the first.
struct Frontier<'a> {
    module: &'a Module,
    evaluated: FxHashSet<OpId>,
    values: KnownTensors,
    read: FxHashSet<ValueId>,
}

impl Frontier<'_> {
    // Regions nest no deeper than `source::NESTING_LIMIT`.
    fn region(&mut self, region: RegionId, kept: &mut FxHashMap<ValueId, Tensor>) {
        let module = self.module;
        for &block in module.region(region).blocks.iter().rev() {
            for &op in module.block(block).ops.iter().rev() {
                self.op(op, kept);
            }
        }
    }

    fn op(&mut self, op: OpId, kept: &mut FxHashMap<ValueId, Tensor>) {
        let operation = self.module.op(op);
        if self.evaluated.contains(&op) {
            if !operation.results.iter().any(|result| self.read.contains(result)) {
                return;
            }
            if let Some(tensors) = self.tensors(op) {
                kept.extend(operation.results.iter().copied().zip(tensors));
                return;
            }
        }
        self.read.extend(operation.operands.iter().copied());
        operation.regions.iter().for_each(|&region| self.region(region, kept));
    }

    /// The results, if they become constants.
    fn tensors(&self, op: OpId) -> Option<Results> {
        let results = &self.module.op(op).results;
        let shares = matches!(folder(self.module.op(op).name), Some(Fold::Shares));
        if shares || rearranges_constant(self.module, op, 0) {
            // Its result can share the bytes of its operand, which are in the model anyway.
            return None;
        }
        let mut tensors: Results =
            results.iter().filter_map(|result| self.values.get(result).cloned()).collect();
        // Broadcasting is lazy until ops are lowered. An op that reads an Expand needs every element.
        let narrows = !self.module.op(op).name.is_onnx();
        let largest = match self.module.op(op).name {
            // ONNX broadcasts where the elements are used.
            stablehlo::BROADCAST_IN_DIM => 1,
            stablehlo::IOTA => COUNTED,
            _ => LARGEST,
        };
        for tensor in &mut tensors {
            let elements = tensor.bits.len();
            if elements > largest && !self.adds_no_element(op, elements) {
                return None;
            }
            if narrows && elements > super::SMALL {
                *tensor = tensor.narrowed();
            }
            // A splat of ONNX has all of its elements.
            let written = if narrows { tensor.bits.len() } else { tensor.sizes.iter().product() };
            if written.saturating_mul(tensor.element.bytes()) > MOST_BYTES {
                return None;
            }
        }
        (tensors.len() == results.len()).then_some(tensors)
    }

    fn adds_no_element(&self, op: OpId, elements: usize) -> bool {
        let operand = self.module.op(op).operands.first();
        operand
            .and_then(|operand| self.values.get(operand))
            .is_some_and(|tensor| tensor.bits.len() == elements)
    }
}
