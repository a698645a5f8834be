//! Which ops a Transpose can move past, and how they change.

use super::places;
use crate::ir::{
    Attribute, Class, Data, Dim, Dims, Module, OpId, OpName, ValueId, axis_index, is_reshape_target, onnx,
};
use crate::ops::OpAttributes;
use smallvec::SmallVec;

/// A permutation: dimension `i` of a permuted tensor is dimension `order[i]` of the original.
pub(super) type Order = SmallVec<[usize; 6]>;

/// How an op uses its dimensions.
enum TransposeClass {
    /// Elementwise with broadcasting.
    Elementwise,
    /// Along the dimension in this attribute.
    Along(&'static str),
    /// Along the dimensions in its second operand, which are removed or keep size 1.
    Reduction,
    /// At indices along dimensions, which other operands state.
    Places,
}

const REDUCTIONS: &[OpName] =
    &[onnx::REDUCE_MAX, onnx::REDUCE_MEAN, onnx::REDUCE_MIN, onnx::REDUCE_PROD, onnx::REDUCE_SUM];

fn kind(name: OpName) -> Option<TransposeClass> {
    match name {
        onnx::CONCAT | onnx::LOG_SOFTMAX | onnx::SOFTMAX => Some(TransposeClass::Along("axis")),
        onnx::GATHER | onnx::PAD | onnx::RESIZE | onnx::SLICE => Some(TransposeClass::Places),
        _ if name.class() == Class::Elementwise => Some(TransposeClass::Elementwise),
        _ if REDUCTIONS.contains(&name) => Some(TransposeClass::Reduction),
        _ => None,
    }
}

/// An op rewritten to run before the Transpose of its operand.
pub(super) struct Transposed {
    /// The new operands.
    pub operands: Vec<NewOperand>,
    /// The new dimension attribute, with its name.
    pub axis: Option<(&'static str, i64)>,
    /// The permutation from the new result to the old one.
    pub order: Order,
    /// Sizes of the new result.
    pub dims: Dims,
}

/// A new operand.
pub(super) enum NewOperand {
    /// The operand of the Transpose.
    Base,
    /// Unchanged, because it broadcasts in either order.
    Same,
    /// Reshaped to these sizes.
    Reshaped(Dims),
    /// A constant that is reshaped to these sizes and then permuted, so that it needs no Transpose at run time.
    Permuted(Dims, Order),
    /// It becomes a list of these integers.
    Integers(Vec<i64>),
    /// It becomes a list of these floats.
    Floats(Vec<f32>),
}

/// The op when permuted operands are read without their Transposes; `None` if they must be transposed.
pub(super) fn step(
    module: &Module,
    op: OpId,
    order: impl Fn(ValueId) -> Option<Order>,
) -> Option<Transposed> {
    let kind = kind(module.op(op).name)?;
    let operation = module.op(op);
    let [result] = operation.results[..] else { return None };
    let common = operation.operands.iter().find_map(|&operand| order(operand))?;
    let rank = |operand: ValueId| module.tensor(operand).map(|ty| ty.rank());
    let agrees = |&operand: &ValueId| {
        order(operand).is_none_or(|order| order == common && rank(operand) == Some(common.len()))
    };
    if !operation.operands.iter().all(agrees) {
        return None;
    }
    let is_based = |operand: ValueId| order(operand).is_some();
    let dims = &module.tensor(result)?.dims;
    match kind {
        TransposeClass::Elementwise => {
            let operands = operation.operands.iter().map(|&operand| {
                if is_based(operand) {
                    return (module.tensor(operand)?.rank() == dims.len()).then_some(NewOperand::Base);
                }
                beside(module, operand, &common)
            });
            let operands = operands.collect::<Option<Vec<NewOperand>>>()?;
            Some(Transposed { operands, axis: None, dims: unpermuted(dims, &common)?, order: common })
        }
        TransposeClass::Along(name) => {
            if !operation.operands.iter().all(|&operand| is_based(operand)) {
                return None;
            }
            let axis = axis_index(module.attribute(op, name)?.as_integer()?, common.len())?;
            let operands = operation.operands.iter().map(|_| NewOperand::Base).collect();
            let axis = Some((name, common[axis] as i64));
            Some(Transposed { operands, axis, dims: unpermuted(dims, &common)?, order: common })
        }
        TransposeClass::Reduction => {
            let [_, axes] = operation.operands[..] else { return None };
            let axes = module.known_integers(axes)?;
            let axes: Option<Vec<usize>> =
                axes.into_iter().map(|value| axis_index(value, common.len())).collect();
            let axes = axes.filter(|axes| !axes.is_empty())?;
            let mut moved: Vec<i64> = axes.iter().map(|&axis| common[axis] as i64).collect();
            moved.sort_unstable();
            let keeps = module.attribute(op, "keepdims").and_then(Attribute::as_integer) != Some(0);
            let order = if keeps { common } else { remaining(&common, &axes) };
            let operands = vec![NewOperand::Base, NewOperand::Integers(moved)];
            Some(Transposed { operands, axis: None, dims: unpermuted(dims, &order)?, order })
        }
        TransposeClass::Places => {
            let mut operands = operation.operands.iter().map(|&operand| is_based(operand));
            let alone = operands.next() == Some(true) && !operands.any(|is_based| is_based);
            alone.then(|| places::step(module, op, common))?
        }
    }
}

/// The last op of a shuffle when the image is read without its Transpose.
pub(super) fn shuffled(module: &Module, op: OpId, order: Order) -> Option<Transposed> {
    let &[result] = &module.op(op).results[..] else { return None };
    let dims = unpermuted(&module.tensor(result)?.dims, &order)?;
    Some(Transposed { operands: Vec::new(), axis: None, dims, order })
}

/// An operand without a Transpose next to permuted ones: its dimensions other than 1 must keep their positions, unless it is a
/// constant.
fn beside(module: &Module, operand: ValueId, order: &Order) -> Option<NewOperand> {
    if operand == module.absent() {
        return Some(NewOperand::Same);
    }
    let own = &module.tensor(operand)?.dims;
    let first = order.len().checked_sub(own.len())?;
    let mut aligned: Dims = order.iter().map(|_| Dim::Known(1)).collect();
    aligned[first..].copy_from_slice(own);
    let dims = unpermuted(&aligned, order)?;
    let is_long = |axis: &usize| aligned[*axis] != Dim::Known(1);
    let places: Vec<usize> = (first..order.len()).filter(is_long).map(|axis| order[axis]).collect();
    if !is_reshape_target(own) {
        return None;
    }
    if !places.is_sorted() {
        let places = (0..order.len()).map(|place| order.iter().position(|&from| from == place));
        return is_movable(module, operand, &mut { FOLDED_OPS })
            .then_some(NewOperand::Permuted(aligned, places.collect::<Option<_>>()?));
    }
    let same = dims.ends_with(own) && dims[..first].iter().all(|&dim| dim == Dim::Known(1));
    Some(if same || places.is_empty() { NewOperand::Same } else { NewOperand::Reshaped(dims) })
}

/// How many ops may compute a constant.
const FOLDED_OPS: u32 = 16;
/// Larger constants are not permuted: what also reads them unpermuted would store them twice.
const LARGEST_PERMUTED: i64 = 1 << 16;

/// Whether a value is a constant whose elements may be stored in another order, or ops that fold to one. Weights in external
/// files keep their order.
fn is_movable(module: &Module, value: ValueId, left: &mut u32) -> bool {
    let is_small =
        module.tensor(value).and_then(|ty| ty.count()).is_some_and(|count| count <= LARGEST_PERMUTED);
    if let Some(constant) = module.constant_of(value).map(|id| module.constant(id)) {
        let base = match &constant.data {
            Data::View(view) if view.factors.is_none() => &view.base,
            data => data,
        };
        let is_external = matches!(base, Data::Mapped(pieces) if pieces.place().is_some());
        return is_small && !is_external && !matches!(base, Data::View(_));
    }
    let Some(op) = module.defining_op(value).filter(|_| is_small && *left > 0) else { return false };
    *left -= 1;
    module.op(op).name.class() == Class::Elementwise
        && module.op(op).operands.iter().all(|&operand| is_movable(module, operand, left))
}

/// The sizes before a Transpose.
pub(super) fn unpermuted(dims: &[Dim], order: &Order) -> Option<Dims> {
    if dims.len() != order.len() {
        return None;
    }
    let mut before: Dims = dims.iter().copied().collect();
    order.iter().zip(dims).for_each(|(&from, &dim)| before[from] = dim);
    Some(before)
}

/// The permutation of the remaining dimensions after some are removed on both sides.
pub(super) fn remaining(order: &Order, axes: &[usize]) -> Order {
    let kept: Vec<usize> =
        (0..order.len()).filter(|axis| !axes.contains(axis)).map(|axis| order[axis]).collect();
    kept.iter().map(|from| kept.iter().filter(|other| *other < from).count()).collect()
}

/// The permutation that a Reshape applies to the dimensions of its operand, if those other than 1 stay in order.
fn moved_ones(module: &Module, op: OpId) -> Option<Order> {
    let &operand = module.op(op).operands.first()?;
    let [result] = module.op(op).results[..] else { return None };
    let (before, after) = (&module.tensor(operand)?.dims, &module.tensor(result)?.dims);
    let places = |dims: &Dims, ones: bool| -> Vec<usize> {
        (0..dims.len()).filter(|&axis| (dims[axis] == Dim::Known(1)) == ones).collect()
    };
    let (from, to) = (places(before, false), places(after, false));
    let is_sized = |dim: &Dim| matches!(dim, Dim::Known(_) | Dim::Symbolic(_));
    let same = before.len() == after.len()
        && from.len() == to.len()
        && from.iter().zip(&to).all(|(&from, &to)| before[from] == after[to] && is_sized(&before[from]));
    if !same || before == after {
        return None;
    }
    let mut order: Order = SmallVec::from_elem(0, before.len());
    let ones = places(before, true).into_iter().zip(places(after, true));
    from.into_iter().zip(to).chain(ones).for_each(|(from, to)| order[to] = from);
    Some(order)
}

/// The permutation of a valid Transpose. A Reshape that moves dimensions of size 1 counts too.
pub(super) fn order_of(module: &Module, op: OpId) -> Option<Order> {
    match module.op(op).name {
        onnx::RESHAPE => return moved_ones(module, op),
        onnx::TRANSPOSE => {}
        _ => return None,
    }
    let order = Order::from_vec(OpAttributes::of(module, op).positions("perm").ok()?);
    let operation = module.op(op);
    let ([_], [_]) = (&operation.operands[..], &operation.results[..]) else { return None };
    let ranks = operation.operands.iter().chain(&operation.results);
    let fits = ranks.copied().all(|value| module.tensor(value).is_some_and(|ty| ty.rank() == order.len()));
    let complete = (0..order.len()).all(|axis| order.contains(&axis));
    (fits && complete).then_some(order)
}
