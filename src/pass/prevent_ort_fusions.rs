//! Rewrites patterns that ONNX Runtime's optimizers would fuse incorrectly when they load the model.
//!
//! - `PadFusion` turns the zeros of a Pad into padding of the pool after it, without checking that they are neutral
//!   or that the pool allows so much padding. It skips a Pad with explicit axes, which came with opset 18, and does not
//!   see through a Reshape.
//! - `MatMulScaleFusion` turns a scale of an operand or result into an `f32` attribute, whatever type the product
//!   has. It only matches scales with one element.
//! - `MatMulTransposeFusion` fuses a Transpose that moves the first dimension into the matrices; the fused kernel
//!   divides by zero for empty tensors. It also fuses a Transpose of the matrices; then the kernel fails for empty
//!   tensors if an operand is broadcast. It moves a Cast before a Transpose of the first kind, and if it does not fuse
//!   the two then, ONNX Runtime crashes. Releases before 1.26 have no fused kernel of `f64`. It does not see through a
//!   Reshape or a Tile.
//! - `FuseReluClip` refuses the model if a Relu and the Clip after it are neither `f32` nor `f16`.
//! - `ExpandElimination` takes a size of 0 for one that keeps the size of the operand.
//!
//! Runs when the order of dimensions is final.

use super::Context;
use crate::ir::{Data, Dim, Dims, Element, Module, OpId, Rewriter, ValueId, onnx};
use crate::ops::OpAttributes;
use crate::target::Capability;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// The first opset in which a Pad has axes.
const PAD_AXES: u32 = 18;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let runtime = module.opset().and_then(|opset| cx.options.runtime(opset));
    let fuses_doubles = runtime.is_none_or(|target| target.can(Capability::TransposedDoubles));
    let found = find(module, !cx.options.dynamic.is_empty(), fuses_doubles);
    if found.is_empty() {
        return;
    }
    for function in module.functions() {
        Rewriter::new(module)
            .function(function, &mut |rewriter, op| !found.contains(&op) || change(rewriter, op));
    }
}

/// The ops that would be fused. Symbolic sizes may be 0 if the user made them dynamic.
fn find(module: &Module, is_dynamic: bool, fuses_doubles: bool) -> FxHashSet<OpId> {
    let mut found = FxHashSet::default();
    for op in module.reachable_ops() {
        let operation = module.op(op);
        match module.op(op).name {
            onnx::MAX_POOL | onnx::AVERAGE_POOL => {
                let origin = operation.operands.first().and_then(|&value| origin(module, value));
                found.extend(origin.filter(|&pad| is_pad(module, pad)));
            }
            onnx::MAT_MUL => {
                let is_double = is_double(module, operation.results[0]);
                let origins = operation.operands.iter().filter_map(|&value| origin(module, value));
                found.extend(origins.filter(|&scale| is_double && factor(module, scale).is_some()));
                let may_be_empty =
                    |&dim: &Dim| !module.dim_exprs.is_at_least(dim, 1) || is_dynamic && dim.known().is_none();
                let is_empty =
                    |value: ValueId| module.tensor(value).is_some_and(|ty| ty.dims.iter().any(may_be_empty));
                let fails = |&value: &ValueId| moves_first(module, value) && is_empty(value);
                let any_empty = operation.operands.iter().any(|&value| is_empty(value));
                let fails_to_broadcast = any_empty && broadcasts_transposed(module, &operation.operands);
                let mut operands = operation.operands.iter();
                let is_refused =
                    operands.any(|value| fails(value) || moves_first_before_cast(module, *value));
                let is_transposed =
                    |&value: &ValueId| moves_first(module, value) || swaps_last(module, value);
                let has_no_kernel =
                    is_double && !fuses_doubles && operation.operands.iter().any(is_transposed);
                found.extend((is_refused || fails_to_broadcast || has_no_kernel).then_some(op));
            }
            onnx::CLIP if is_double(module, operation.results[0]) => {
                let origin = operation.operands.first().and_then(|&value| origin(module, value));
                found.extend(origin.filter(|&relu| module.op(relu).name == onnx::RELU));
            }
            onnx::EXPAND => {
                let zeros = sizes(module, op).is_some_and(|sizes| sizes.contains(&0));
                let operand = operation.operands.first().and_then(|&value| module.tensor(value));
                let has_elements = operand.is_some_and(|ty| !ty.dims.contains(&Dim::Known(0)));
                found.extend((zeros && has_elements).then_some(op));
            }
            onnx::MUL | onnx::DIV if is_double(module, operation.results[0]) => {
                let mut origins = operation.operands.iter().filter_map(|&value| origin(module, value));
                let after_product = origins.any(|product| module.op(product).name == onnx::MAT_MUL);
                found.extend((after_product && factor(module, op).is_some()).then_some(op));
            }
            _ => {}
        }
    }
    found
}

/// The op that defines a value, looking through ops that the optimizers move or remove.
fn origin(module: &Module, value: ValueId) -> Option<OpId> {
    let mut op = module.defining_op(value)?;
    while matches!(module.op(op).name, onnx::TRANSPOSE | onnx::RESHAPE | onnx::CAST | onnx::IDENTITY) {
        op = module.defining_op(*module.op(op).operands.first()?)?;
    }
    Some(op)
}

/// Whether a value is a Transpose that moves the first dimension into the matrices.
fn moves_first(module: &Module, value: ValueId) -> bool {
    let transpose = module.defined_by(value, onnx::TRANSPOSE);
    let order = transpose.and_then(|op| OpAttributes::of(module, op).positions("perm").ok());
    order.is_some_and(|order| order.len() > 2 && order[order.len() - 2..].contains(&0))
}

/// Whether a value is a Cast of such a Transpose.
fn moves_first_before_cast(module: &Module, value: ValueId) -> bool {
    module.defining_operands(value, onnx::CAST).is_some_and(|[source]| moves_first(module, source))
}

/// Whether a value is a Transpose of the matrices only.
fn swaps_last(module: &Module, value: ValueId) -> bool {
    let transpose = module.defined_by(value, onnx::TRANSPOSE);
    let order = transpose.and_then(|op| OpAttributes::of(module, op).positions("perm").ok());
    order.is_some_and(|order| {
        let rank = order.len();
        rank >= 2
            && order[rank - 2..] == [rank - 1, rank - 2]
            && order[..rank - 2].iter().enumerate().all(|(index, &dim)| index == dim)
    })
}

/// Whether a product has a transposed operand and broadcast matrices. A single transposed matrix on the right is
/// multiplied with all rows at once.
fn broadcasts_transposed(module: &Module, operands: &[ValueId]) -> bool {
    let &[left, right] = operands else { return false };
    let matrices =
        |value: ValueId| module.tensor(value).map(|tensor| &tensor.dims[..tensor.rank().saturating_sub(2)]);
    let single = matrices(right).is_some_and(|dims| dims.iter().all(|&dim| dim == Dim::Known(1)));
    let fuses = swaps_last(module, left) || swaps_last(module, right) && !single;
    fuses && matrices(left) != matrices(right)
}

fn is_double(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|tensor| tensor.element == Element::F64)
}

/// Whether an op is a Pad with zeros and without axes.
fn is_pad(module: &Module, op: OpId) -> bool {
    let operands = &module.op(op).operands;
    let constant = operands.get(2).and_then(|&value| module.constant_of(value));
    let is_other = constant.is_some_and(|id| match &module.constant(id).data {
        Data::Splat(bytes) => bytes.iter().any(|&byte| byte != 0),
        Data::Bytes(bytes) => bytes.iter().any(|&byte| byte != 0),
        _ => false,
    });
    module.op(op).name == onnx::PAD && operands.len() < 4 && !is_other
}

/// The sizes that an Expand names, if they are constant.
fn sizes(module: &Module, expand: OpId) -> Option<Vec<i64>> {
    module.known_integers(*module.op(expand).operands.get(1)?)
}

/// The index of the operand that is a scale or divisor with one element. Powers of two are exact in `f32` and
/// excluded.
fn factor(module: &Module, op: OpId) -> Option<usize> {
    let is_scale = |value: ValueId| {
        let constant = module.constant_of(value).map(|id| module.constant(id));
        let single = module.tensor(value).is_some_and(|tensor| tensor.count() == Some(1));
        let bytes = constant.filter(|_| single).and_then(|constant| match &constant.data {
            Data::Splat(bytes) => <[u8; 8]>::try_from(&bytes[..]).ok(),
            Data::Bytes(bytes) => <[u8; 8]>::try_from(&bytes[..]).ok(),
            _ => None,
        });
        bytes.is_some_and(|bytes| f64::from_le_bytes(bytes).to_bits() & ((1 << 52) - 1) != 0)
    };
    let operands = &module.op(op).operands;
    match module.op(op).name {
        onnx::MUL => operands.iter().position(|&value| is_scale(value)),
        onnx::DIV => operands.get(1).is_some_and(|&value| is_scale(value)).then_some(1),
        _ => None,
    }
}

/// Rewrites a matched op. Returns whether it stays.
fn change(rewriter: &mut Rewriter, op: OpId) -> bool {
    if is_pad(rewriter.module, op) {
        if rewriter.module.opset().is_some_and(|opset| opset < PAD_AXES) {
            hide_pad(rewriter, op);
            return false;
        }
        name_axes(rewriter, op);
        return true;
    }
    match rewriter.module.op(op).name {
        onnx::MAT_MUL => hide_transposes(rewriter, op),
        onnx::RELU => {
            let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
            let ty = rewriter.module.tensor_of::<i64>(Element::F64, &[]);
            let zero =
                rewriter.create(onnx::CONSTANT, &[]).data(ty, Data::Splat(SmallVec::from_slice(&[0; 8])));
            let larger = rewriter.create(onnx::MAX, &[value, zero]).like(value);
            rewriter.replace(result, larger);
            return false;
        }
        onnx::EXPAND => return expand_to_nothing(rewriter, op).is_none(),
        _ => return factor(rewriter.module, op).and_then(|index| scale(rewriter, op, index)).is_none(),
    }
    true
}

fn hide_transposes(rewriter: &mut Rewriter, op: OpId) {
    for index in 0..2 {
        let value = rewriter.module.op(op).operands[index];
        let module = &*rewriter.module;
        if moves_first(module, value) || swaps_last(module, value) || moves_first_before_cast(module, value) {
            let rank = rewriter.module.tensor(value).map_or(0, |tensor| tensor.rank());
            // Releases that fuse a product of `f64` incorrectly remove a Reshape to known sizes.
            let (name, sizes) = if is_double(module, value) { (onnx::TILE, 1) } else { (onnx::RESHAPE, 0) };
            let same = rewriter.integers(&vec![sizes; rank]);
            let hidden = rewriter.create(name, &[value, same]).like(value);
            rewriter.module.op_mut(op).operands[index] = hidden;
        }
    }
}

/// Replaces an Expand with one to sizes of 1 instead of 0, whose elements a Slice leaves out.
fn expand_to_nothing(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let mut sizes = sizes(rewriter.module, op)?;
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let ty = rewriter.module.tensor(result)?.clone();
    let skipped = ty.rank().checked_sub(sizes.len())?;
    let mut axes = Vec::new();
    for (axis, size) in (skipped as i64..).zip(&mut sizes).filter(|(_, size)| **size == 0) {
        axes.push(axis);
        *size = 1;
    }
    let mut dims = ty.dims.clone();
    axes.iter().for_each(|&axis| dims[axis as usize] = Dim::Known(1));
    let ones = rewriter.integers(&sizes);
    let expanded = rewriter.module.tensor_of(ty.element, &dims);
    let expanded = rewriter.create(onnx::EXPAND, &[value, ones]).of(expanded);
    let (none, axes) = (rewriter.integers(&vec![0; axes.len()]), rewriter.integers(&axes));
    let ty = rewriter.module.value_type(result);
    let empty = rewriter.create(onnx::SLICE, &[expanded, none, none, axes]).of(ty);
    rewriter.replace(result, empty);
    Some(())
}

/// Puts a Reshape to the same sizes after a Pad.
fn hide_pad(rewriter: &mut Rewriter, op: OpId) {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let padded = rewriter.create_like(op, &operands).like(result);
    let rank = rewriter.module.tensor(result).map_or(0, |tensor| tensor.rank());
    let same = rewriter.integers(&vec![0; rank]);
    let view = rewriter.create(onnx::RESHAPE, &[padded, same]).like(result);
    rewriter.replace(result, view);
}

fn name_axes(rewriter: &mut Rewriter, op: OpId) {
    let operands = &rewriter.module.op(op).operands;
    let rank = rewriter.module.tensor(operands[0]).map_or(0, |tensor| tensor.rank());
    let axes: Vec<i64> = (0..rank as i64).collect();
    let axes = rewriter.integers(&axes);
    let absent = rewriter.module.absent();
    let operands = &mut rewriter.module.op_mut(op).operands;
    operands.resize(3, absent);
    operands.push(axes);
}

/// Replaces a one-element scale with several equal elements, and recreates the op.
fn scale(rewriter: &mut Rewriter, op: OpId, index: usize) -> Option<()> {
    let module = &mut *rewriter.module;
    let mut operands = module.op(op).operands.clone();
    let result = module.op(op).results[0];
    let constant = module.constant_of(operands[index])?;
    let splat: SmallVec<[u8; 16]> = match &module.constant(constant).data {
        Data::Splat(bytes) => bytes.clone(),
        Data::Bytes(bytes) => bytes.iter().copied().collect(),
        _ => return None,
    };
    let dims: Dims = module.tensor(result)?.dims.iter().copied().collect();
    let several = |dim: &Dim| dim.known().is_some_and(|size| size > 1);
    let constant = |rewriter: &mut Rewriter, sizes: &[i64]| {
        let ty = rewriter.module.tensor_of(Element::F64, sizes);
        rewriter.create(onnx::CONSTANT, &[]).data(ty, Data::Splat(splat.clone()))
    };
    if let Some(axis) = dims.iter().rposition(several) {
        let mut sizes = vec![1; dims.len() - axis];
        sizes[0] = dims[axis].known()?;
        operands[index] = constant(rewriter, &sizes);
        rewriter.module.op_mut(op).operands = operands;
        return None;
    }
    if dims.iter().any(|dim| dim.known().is_none()) {
        // Their number is computed at run time.
        let single = constant(rewriter, &[]);
        let list = rewriter.module.tensor_of(Element::I64, &[dims.len() as i64]);
        let of = operands.iter().enumerate().find(|&(other, _)| other != index).map(|(_, &value)| value)?;
        let shape = rewriter.create(onnx::SHAPE, &[of]).of(list);
        let ty = rewriter.module.value_type(result);
        operands[index] = rewriter.create(onnx::EXPAND, &[single, shape]).of(ty);
        rewriter.module.op_mut(op).operands = operands;
        return None;
    }
    // One of two optional results.
    let mut sizes = vec![1; dims.len().max(1)];
    sizes[0] = 2;
    operands[index] = constant(rewriter, &sizes);
    let ty = rewriter.module.tensor_of(Element::F64, &sizes);
    let name = rewriter.module.op(op).name;
    let both = rewriter.create(name, &operands).of(ty);
    let ty = rewriter.module.tensor_of::<i64>(Element::I64, if dims.is_empty() { &[] } else { &[1] });
    let first = rewriter.create(onnx::CONSTANT, &[]).data(ty, Data::Splat(SmallVec::from_slice(&[0; 8])));
    let ty = rewriter.module.value_type(result);
    let one = rewriter.create(onnx::GATHER, &[both, first]).int("axis", 0).of(ty);
    rewriter.replace(result, one);
    Some(())
}
