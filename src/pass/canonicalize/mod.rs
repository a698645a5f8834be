//! Constant folding, simplification, common subexpressions, loop invariants and dead code.
//!
//! Works on any dialect at any stage. One forward walk sees each op with its operands already replaced and folds it,
//! simplifies it, or finds an equal one; one backward walk removes unused ops. Every rewrite preserves bits, except
//! for NaN payloads and the last digits of folded transcendental functions. Each folded value adds at most a constant
//! of bounded size (`fold::evaluate`).

mod compose;
mod conversion;
mod cse;
mod dce;
mod hoist;
mod liveness;
mod loops;
pub(super) mod lowered;
mod origin;
mod rearrange;
mod results;
pub(super) mod simplify;

use super::Context;
use crate::diagnostic::catalog;
use crate::ir::{
    Attribute, BlockId, Constant, ConstantId, Data, Module, OpId, RegionId, Rewriter, ValueId, onnx,
    stablehlo, use_counts,
};
use crate::ops::fold::{self, Tensor};
use crate::source::Source;
use cse::AvailableOps;
pub(super) use cse::{Piece, encode_attributes};
pub(super) use dce::{remove as remove_dead, remove_unused};
pub(super) use hoist::constants as hoist_constants;
pub(super) use liveness::Liveness;
use rearrange::Arranging;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cell::Cell;

/// The default byte limit of folded constants. Those of JAX's programs take some thousands: shapes and indices.
const MAX_FOLDED: u64 = 1 << 30;

/// The outcome of a rule.
enum Simplified {
    /// No change.
    No,
    /// The op changed in place; other rules may apply now.
    Changed,
    /// The op's only result is replaced by this value.
    To(ValueId),
}

pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let uses = use_counts(module);
    let arranging = Arranging::new(module, &uses, cx.options.references_weights);
    let mut repeated = AvailableOps::new(module, cx.options.keep_functions);
    let mut evaluated = fold::evaluate(module, cx.source);
    let limit = cx.options.max_folded.unwrap_or(MAX_FOLDED);
    let folded = Folded { bytes: Cell::new(cx.folded), limit, stopped: Cell::new(false) };
    for function in module.functions() {
        let mut visit = |rewriter: &mut Rewriter, op: OpId| {
            let visitor = Visitor { source: cx.source, uses: &uses, arranging: &arranging, folded: &folded };
            if visitor.become_constants(rewriter, op, &mut evaluated, &mut repeated) {
                return false;
            }
            visitor.visit(rewriter, op, &mut repeated)
        };
        Rewriter::new(module).function(function, &mut visit);
    }
    hoist::constants(module);
    results::separate(module);
    dce::remove(module);
    // All runs of the pass share one limit, and the first to reach it reports it.
    if folded.stopped.get() && cx.folded <= limit {
        cx.diagnostics.push(catalog::FoldingStopped { limit });
        cx.folded = u64::MAX;
    } else {
        cx.folded = folded.bytes.get();
    }
}

/// The bytes of folded constants.
struct Folded {
    bytes: Cell<u64>,
    limit: u64,
    stopped: Cell<bool>,
}

impl Folded {
    /// Whether a constant fits the limit.
    fn add(&self, data: &Data) -> bool {
        // Other data is shared with the text, or is a splat.
        let Data::Bytes(bytes) = data else { return true };
        let total = self.bytes.get().saturating_add(bytes.len() as u64);
        if total > self.limit {
            self.stopped.set(true);
            return false;
        }
        self.bytes.set(total);
        true
    }
}

struct Visitor<'a> {
    source: &'a Source,
    uses: &'a [u32],
    arranging: &'a Arranging,
    folded: &'a Folded,
}

impl Visitor<'_> {
    /// Returns whether the op stays.
    fn visit(&self, rewriter: &mut Rewriter, op: OpId, repeated: &mut AvailableOps) -> bool {
        if rewriter.module.op(op).name == stablehlo::WHILE {
            loops::hoist_invariant(rewriter, op);
            return true;
        }
        loop {
            if let Some(constant) = self.fold(rewriter.module, op) {
                let value = shared_constant(rewriter, op, constant, repeated);
                rewriter.replace(rewriter.module.op(op).results[0], value);
                return false;
            }
            match self.simplify(rewriter.module, op) {
                Simplified::No => break,
                Simplified::Changed => {}
                Simplified::To(value) => {
                    rewriter.replace(rewriter.module.op(op).results[0], value);
                    return false;
                }
            }
        }
        let Some(known) = repeated.find_or_add(rewriter.module, op, op) else { return true };
        let pairs: SmallVec<[(ValueId, ValueId); 1]> = {
            let module = &rewriter.module;
            module.op(op).results.iter().copied().zip(module.op(known).results.iter().copied()).collect()
        };
        pairs.into_iter().for_each(|(old, new)| rewriter.replace(old, new));
        false
    }

    /// Whether the results of an op were folded to constants.
    fn become_constants(
        &self,
        rewriter: &mut Rewriter,
        op: OpId,
        evaluated: &mut FxHashMap<ValueId, Tensor>,
        repeated: &mut AvailableOps,
    ) -> bool {
        let results = rewriter.module.op(op).results.clone();
        let tensors: Option<SmallVec<[Tensor; 1]>> =
            results.iter().map(|result| evaluated.remove(result)).collect();
        let Some(tensors) = tensors.filter(|tensors| !tensors.is_empty()) else { return false };
        if self.folded.stopped.get() {
            return false;
        }
        let data: SmallVec<[Data; 1]> = tensors.iter().map(Tensor::data).collect();
        if !data.iter().all(|data| self.folded.add(data)) {
            return false;
        }
        for ((&result, tensor), data) in results.iter().zip(tensors).zip(data) {
            let full = rewriter.module.value_type(result);
            let narrow = !tensor.is_splat() && tensor.bits.shape() != tensor.sizes;
            let ty = if narrow {
                let sizes: Vec<i64> = tensor.bits.shape().iter().map(|&size| size as i64).collect();
                rewriter.module.tensor_of(tensor.element, &sizes)
            } else {
                full
            };
            let constant = rewriter.module.add_constant(Constant { ty, data });
            let mut value = shared_constant(rewriter, op, constant, repeated);
            if narrow {
                let dims = Attribute::positions(0..tensor.sizes.len());
                let broadcast = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[value]);
                value = broadcast.attr("broadcast_dimensions", dims).of(full);
            }
            rewriter.replace(result, value);
        }
        true
    }

    fn fold(&self, module: &mut Module, op: OpId) -> Option<ConstantId> {
        if matches!(module.op(op).name, onnx::TRANSPOSE | onnx::SLICE) {
            return self.arranging.fold(module, op);
        }
        // Avoids repeating a failed evaluation for each op that follows.
        if self.folded.stopped.get() {
            return None;
        }
        let constant = fold::fold(module, self.source, op, |operand| {
            self.uses.get(operand.index()).is_none_or(|&uses| uses <= 1)
        })?;
        self.folded.add(&module.constant(constant).data).then_some(constant)
    }

    fn simplify(&self, module: &mut Module, op: OpId) -> Simplified {
        if module.op(op).name.is_onnx() {
            return lowered::simplify(module, op);
        }
        if let Some(value) = simplify::simplify(module, self.source, op) {
            return Simplified::To(value);
        }
        match compose::simplify(module, op) {
            Some(()) => Simplified::Changed,
            None => conversion::simplify(module, op),
        }
    }
}

/// Replaces the visited op with a constant, reusing an equal one.
fn shared_constant(
    rewriter: &mut Rewriter,
    op: OpId,
    constant: ConstantId,
    repeated: &mut AvailableOps,
) -> ValueId {
    let origin = origin::of(rewriter.module, op, constant);
    let constant = constant_op(rewriter.module, origin, constant);
    match repeated.find_or_add(rewriter.module, constant, op) {
        Some(known) => rewriter.module.op(known).results[0],
        None => {
            rewriter.insert_existing(constant);
            rewriter.module.op(constant).results[0]
        }
    }
}

/// Inserts a constant in place of the visited op, and returns its value.
pub(super) fn insert_constant(rewriter: &mut Rewriter, op: OpId, constant: ConstantId) -> ValueId {
    let origin = origin::of(rewriter.module, op, constant);
    let constant = constant_op(rewriter.module, origin, constant);
    rewriter.insert_existing(constant);
    rewriter.module.op(constant).results[0]
}

/// A detached `stablehlo.constant` to replace an op.
fn constant_op(module: &mut Module, op: OpId, constant: ConstantId) -> OpId {
    let is_lowered = module.op(op).name.is_onnx();
    let name = if is_lowered { onnx::CONSTANT } else { stablehlo::CONSTANT };
    let ty = module.constant(constant).ty;
    module.create(name, &[]).attr("value", Attribute::Dense(constant)).at_op(op).results(&[ty])
}

/// The operand of a unary op.
fn only_operand(module: &Module, op: OpId) -> Option<ValueId> {
    match module.op(op).operands[..] {
        [operand] => Some(operand),
        _ => None,
    }
}

/// The nesting of blocks: a block encloses those whose numbers are in its range.
#[derive(Clone, Copy, Default)]
struct Nesting {
    first: u32,
    last: u32,
}

/// The nesting of all blocks, and the block of each op.
fn nesting(module: &Module) -> (Vec<Nesting>, Vec<Option<BlockId>>) {
    fn enter(
        module: &Module,
        region: RegionId,
        next: &mut u32,
        blocks: &mut Vec<Nesting>,
        owners: &mut [Option<BlockId>],
    ) {
        for &block in &module.region(region).blocks {
            let first = *next;
            *next += 1;
            for &op in &module.block(block).ops {
                owners[op.index()] = Some(block);
                for &region in &module.op(op).regions {
                    enter(module, region, next, blocks, owners);
                }
            }
            if blocks.len() <= block.index() {
                blocks.resize(block.index() + 1, Nesting::default());
            }
            blocks[block.index()] = Nesting { first, last: *next };
        }
    }
    let (mut blocks, mut owners, mut next) = (Vec::new(), vec![None; module.op_count()], 0);
    for function in module.functions() {
        enter(module, module.function(function).body, &mut next, &mut blocks, &mut owners);
    }
    (blocks, owners)
}
