//! Evaluates ops whose operands are constants, on [`ndarray`] arrays.
//!
//! Integers are exact. Floats are computed in `f64` and rounded once. NaN results and integer conversions out of range are
//! not folded. Splats stay one element, so folding them costs the same at any size.

mod arithmetic;
mod compare;
mod index;
mod movement;
mod number;
mod onnx;
mod program;
mod random;
mod reduce;
mod tensor;

pub(crate) use number::float;
pub(crate) use onnx::{AxisSlice, axis_slices};
pub use program::{evaluate, evaluate_op, evaluate_value};
pub use tensor::Tensor;

use crate::ir::{Constant, ConstantId, Module, OpId, OpName, TensorType, ValueId};
use crate::ops::OpAttributes;
use crate::source::Source;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cell::Cell;
use std::sync::LazyLock;

/// Results of up to this many elements are materialized even if no operand becomes unused.
const SMALL: usize = 1024;
/// Constants of more elements are not read: they are weights, and stay where they are until they are written.
const READ: usize = 1 << 16;

/// How an op is folded.
#[derive(Clone, Copy)]
pub enum Fold {
    /// The result has the operand's bytes, whatever they are and however many; only the type changes.
    Shares,
    /// The elements are computed from operands that are all constants.
    Computes(fn(&Folding) -> Option<Tensor>),
    /// The elements follow from the types of the operands, which need not be constants.
    Infers(fn(&Folding) -> Option<Tensor>),
}

/// One op with its known operands.
pub struct Folding<'a> {
    /// The module of the op.
    pub module: &'a Module,
    /// The op.
    pub op: OpId,
    /// Its operands; empty for [`Fold::Infers`].
    pub operands: SmallVec<[Tensor; 3]>,
    /// The type of its result, which is static.
    pub result: TensorType,
    limit: usize,
    /// Whether iotas and broadcasts are materialized, because results computed from them may be small.
    spreads: bool,
    /// Elements that were visited beyond those of the operands and the result.
    work: Cell<usize>,
}

impl Folding<'_> {
    /// The sizes of the result; `None` when they are not sizes.
    pub fn sizes(&self) -> Option<Vec<usize>> {
        tensor::sizes(&self.result)
    }

    /// Continues if that many elements may be materialized.
    pub fn allow(&self, count: usize) -> Option<()> {
        (count <= self.limit).then_some(())
    }

    /// The attributes of the op.
    pub fn attributes(&self) -> OpAttributes<'_> {
        OpAttributes::of(self.module, self.op)
    }
}

const FOLDS: &[&[(OpName, Fold)]] =
    &[arithmetic::FOLDS, compare::FOLDS, index::FOLDS, movement::FOLDS, onnx::FOLDS, reduce::FOLDS];

static INDEX: LazyLock<FxHashMap<OpName, Fold>> = LazyLock::new(|| {
    let mut index: FxHashMap<OpName, Fold> = FOLDS.iter().flat_map(|folds| folds.iter().copied()).collect();
    for &(op, counterpart) in onnx::COUNTERPARTS {
        index.extend(index.get(&counterpart).copied().map(|fold| (op, fold)));
    }
    index
});

/// How the op of that name is folded, when it is.
pub fn folder(name: OpName) -> Option<Fold> {
    INDEX.get(&name).copied()
}

/// The constant that an op with one result folds to, if it is known and does not enlarge the model.
///
/// `is_last_use` returns whether an operand has no other use, so that the model no longer contains its bytes.
pub fn fold(
    module: &mut Module,
    source: &Source,
    op: OpId,
    is_last_use: impl Fn(ValueId) -> bool,
) -> Option<ConstantId> {
    let fold = folder(module.op(op).name)?;
    let [value] = module.op(op).results[..] else { return None };
    let ty = module.value_type(value);
    let result = module.tensor_type(ty).filter(|result| result.encoding.is_none())?.clone();
    if !result.is_static() {
        return None;
    }
    let constants: Option<SmallVec<[ConstantId; 3]>> =
        module.op(op).operands.iter().map(|&operand| module.constant_of(operand)).collect();
    let (operands, evaluate) = match fold {
        Fold::Shares => {
            // The other operands state the shape, which the result's type has.
            let constant = *constants?.first()?;
            let data = shared(module, constant, &result)?;
            return Some(module.add_constant(Constant { ty, data }));
        }
        Fold::Computes(evaluate) => {
            (constants?.iter().map(|&id| Tensor::read(module, source, id)).collect::<Option<_>>()?, evaluate)
        }
        Fold::Infers(evaluate) => (SmallVec::<[Tensor; 3]>::new(), evaluate),
    };
    let dying = module.op(op).operands.iter().zip(&operands).filter(|&(&operand, _)| is_last_use(operand));
    let dying: usize = dying.map(|(_, tensor)| tensor.bits.len()).sum();
    let limit = SMALL.max(dying.min(READ));
    let folding = Folding { module, op, operands, result, limit, spreads: false, work: Cell::new(0) };
    let tensor = evaluate(&folding)?;
    // The type rules report ops with wrong types.
    let expected = (folding.result.element, folding.sizes()?);
    if (tensor.element, &tensor.sizes) != (expected.0, &expected.1) {
        return None;
    }
    // A splat of ONNX has all of its elements.
    if module.op(op).name.is_onnx() && tensor.sizes.iter().product::<usize>() > limit {
        return None;
    }
    Some(module.add_constant(Constant { ty, data: tensor.data() }))
}

/// The operand's data as data of the result's type.
fn shared(module: &Module, constant: ConstantId, result: &TensorType) -> Option<crate::ir::Data> {
    let constant = module.constant(constant);
    let operand = module.tensor_type(constant.ty)?;
    let (from, to) = (operand.element, result.element);
    // A type narrower than a byte has its own byte for each element, so its bytes mean something else as another type.
    let same_bytes = from == to || (from.bits() % 8 == 0 && to.bits() % 8 == 0);
    let total = |ty: &TensorType| ty.count()?.checked_mul(ty.element.bytes() as i64);
    if !same_bytes || total(operand)? != total(result)? {
        return None;
    }
    if constant.data.splat().is_some() && from.bytes() != to.bytes() {
        return None;
    }
    Some(constant.data.clone())
}

#[cfg(test)]
mod tests;
