//! Transposes move toward each other and cancel.
//!
//! ONNX's convolutions and pools have channels before rows and columns, JAX's have them after, so the lowering adds a
//! Transpose on either side. A Transpose moves past ops that ignore the order of dimensions or can be adapted, until
//! an opposite Transpose cancels it. Transposes move only if this reduces the number of transposed elements. ONNX
//! Runtime does much of this when it loads a model; other runtimes do not. It also enables fusions with the
//! convolution.

mod places;
mod plan;
mod shuffle;
mod transparent;

use super::Context;
use super::canonicalize::simplify::is_ascending;
use crate::ir::{Attribute, BlockId, Element, Module, OpId, Rewriter, ValueId, onnx};
use plan::{LayoutPlan, plan};
use rustc_hash::{FxHashMap, FxHashSet};
use shuffle::Shuffle;
use smallvec::SmallVec;
use transparent::{NewOperand, Order, Transposed};

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    let Some(entry) = super::entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let plan = plan(module, block);
    if !plan.is_empty() {
        apply(module, block, plan);
    }
}

/// A value with permuted dimensions.
#[derive(Clone)]
struct Base {
    value: ValueId,
    order: Order,
}

fn apply(module: &mut Module, block: BlockId, mut plan: LayoutPlan) {
    let mut bases: FxHashMap<ValueId, Base> = FxHashMap::default();
    let inside: FxHashSet<OpId> = plan.shuffles.values().flat_map(|shuffle| shuffle.inside).collect();
    let own: FxHashSet<OpId> = module.block(block).ops.iter().copied().collect();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        // Values used by nested ops are transposed before the outer op.
        if !own.contains(&op) {
            return true;
        }
        if inside.contains(&op) {
            return false;
        }
        if let Some(shuffle) = plan.shuffles.remove(&op) {
            let step = plan.steps.remove(&op);
            shuffled(rewriter, op, &shuffle, step, &mut bases);
            return false;
        }
        if let Some(order) = plan.waiting.remove(&op) {
            let (operand, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
            let value = bases.get(&operand).map_or(operand, |base| base.value);
            rewriter.module.inherit_permuted(result, value, &order);
            bases.insert(result, Base { value, order });
            return false;
        }
        if let Some(step) = plan.steps.remove(&op) {
            let result = rewriter.module.op(op).results[0];
            let base = take(rewriter, op, step, &bases);
            rewriter.module.inherit_permuted(result, base.value, &base.order);
            bases.insert(result, base);
            return false;
        }
        for value in rewriter.module.reads(op) {
            if let Some(base) = bases.get(&value).cloned() {
                let ordered = in_order(rewriter, value, &base);
                bases.insert(ordered, base);
                for operand in &mut rewriter.module.op_mut(op).operands {
                    if *operand == value {
                        *operand = ordered;
                    }
                }
            }
        }
        true
    };
    Rewriter::new(module).block(block, &mut visit);
}

/// One op for the three ops of a shuffle, on the image without its Transpose if `step` is given.
fn shuffled(
    rewriter: &mut Rewriter,
    op: OpId,
    shuffle: &Shuffle,
    step: Option<Transposed>,
    bases: &mut FxHashMap<ValueId, Base>,
) {
    let result = rewriter.module.op(op).results[0];
    let of = rewriter.resolve(shuffle.of);
    let base = bases.get(&of).cloned();
    let (image, ty) = match (&step, base) {
        (Some(step), base) => {
            let element = rewriter.module.tensor(result).map_or(Element::F32, |ty| ty.element);
            (base.map_or(of, |base| base.value), rewriter.module.tensor_of(element, &step.dims))
        }
        (None, Some(base)) => {
            let ordered = in_order(rewriter, of, &base);
            bases.insert(ordered, base);
            (ordered, rewriter.module.value_type(result))
        }
        (None, None) => (of, rewriter.module.value_type(result)),
    };
    let mode = shuffle.mode.map(|mode| ("mode", Attribute::String(mode.into())));
    let new = rewriter.create(shuffle.name, &[image]).int("blocksize", shuffle.block).attrs(mode).of(ty);
    match step {
        Some(step) => {
            bases.insert(result, Base { value: new, order: step.order });
        }
        None => rewriter.replace(result, new),
    }
}

/// The op without the Transposes of its operands.
fn take(rewriter: &mut Rewriter, op: OpId, step: Transposed, bases: &FxHashMap<ValueId, Base>) -> Base {
    let mut operands: SmallVec<[ValueId; 3]> = SmallVec::new();
    for (index, operand) in step.operands.into_iter().enumerate() {
        let value = rewriter.module.op(op).operands[index];
        operands.push(match operand {
            NewOperand::Base => bases.get(&value).map_or(value, |base| base.value),
            NewOperand::Same => value,
            NewOperand::Reshaped(dims) => rewriter.reshape(op, value, &dims),
            NewOperand::Permuted(dims, order) => {
                let aligned = rewriter.reshape(op, value, &dims);
                rewriter.transpose(aligned, &order).unwrap_or(aligned)
            }
            NewOperand::Integers(values) => rewriter.integers(&values),
            NewOperand::Floats(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                rewriter.bytes(Element::F32, &[values.len() as i64], &bytes)
            }
        });
    }
    let module = &mut *rewriter.module;
    let result = module.op(op).results[0];
    let element = module.tensor(result).map_or(Element::F32, |ty| ty.element);
    let ty = module.tensor_of(element, &step.dims);
    if let Some((name, axis)) = step.axis {
        rewriter.set_integer(op, name, axis);
    }
    Base { value: rewriter.create_like(op, &operands).of(ty), order: step.order }
}

/// Restores the original order of a value for all later users.
fn in_order(rewriter: &mut Rewriter, value: ValueId, base: &Base) -> ValueId {
    let ordered = if is_ascending(&base.order) {
        base.value
    } else {
        let order: Vec<i64> = base.order.iter().map(|&from| from as i64).collect();
        let ty = rewriter.module.value_type(value);
        let dims = rewriter.module.tensor(value).map(|ty| ty.dims.clone()).unwrap_or_default();
        match rewriter.module.defining_op(value) {
            // A Reshape copies no data.
            Some(origin) if plan::moves_ones(&dims, &base.order) => {
                rewriter.reshape(origin, base.value, &dims)
            }
            Some(origin) => {
                rewriter.create(onnx::TRANSPOSE, &[base.value]).at_op(origin).ints("perm", &order).of(ty)
            }
            None => return value,
        }
    };
    rewriter.replace(value, ordered);
    ordered
}
