//! Computes on matrices between products with matrices.
//!
//! ONNX Runtime computes a product of a tensor of rank 3 and a matrix, plus a bias, as a Gemm between two Reshapes. A
//! Reshape of a tensor that other nodes also read copies it. Where all ops between two products work on the last dimension
//! only, the other dimensions are merged before the first product and split after the last. Other runtimes compute the same
//! with two Reshapes more.
//!
//! Ops that read each other's results form a group. A group becomes flat if that saves Reshapes.

use super::Context;
use super::canonicalize::remove_dead;
use super::groups::Groups;
use super::products::product_and_bias;
use crate::ir::{
    Attribute, BlockId, Class, Dim, Dims, Element, Module, OpId, Rewriter, TensorType, ValueId, axis_index,
    is_reshape_target, microsoft, onnx,
};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Runs the pass on all blocks.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    // Shared functions must keep the types of their arguments.
    if cx.options.keep_functions {
        return;
    }
    let bodies: Vec<_> = module.functions().map(|function| module.function(function).body).collect();
    let blocks: Vec<BlockId> = module.blocks_within(bodies).collect();
    let mut changed = false;
    for block in blocks {
        let flat = plan(module, block);
        if !flat.is_empty() {
            apply(module, block, &flat);
            changed = true;
        }
    }
    if changed {
        remove_dead(module);
    }
}

/// Which operands of an op are read as matrices. Only ops that can work on matrices have this.
type FlatOperands = SmallVec<[bool; 3]>;

/// How many Reshapes ONNX Runtime adds to a product with a bias.
const RESHAPES_PER_PRODUCT: i64 = 2;

/// The ops that become flat.
fn plan(module: &Module, block: BlockId) -> FxHashMap<OpId, FlatOperands> {
    let ops = &module.block(block).ops;
    if !ops.iter().any(|&op| biased_product(module, op).is_some()) {
        return FxHashMap::default();
    }
    let mut flat: FxHashMap<OpId, FlatOperands> =
        ops.iter().filter_map(|&op| Some((op, flat_operands(module, op)?))).collect();
    let (mut groups, by_op) = grouped(module, ops, &flat);
    let (readers, own) = (Readers::of(module, ops), ops.iter().copied().collect::<FxHashSet<OpId>>());
    let mut entered = FxHashSet::default();
    for &op in ops {
        let Some(operands) = flat.get(&op) else { continue };
        let result = module.op(op).results[0];
        if let Some(product) = biased_product(module, op).filter(|product| flat.contains_key(product)) {
            let value = module.op(product).results[0];
            groups.gain(by_op[&op], if readers.count(value) == 1 { RESHAPES_PER_PRODUCT } else { 0 });
        }
        let leaves = |&reader: &OpId| !flat.contains_key(&reader) && !takes_any_shape(module, reader);
        groups.gain(by_op[&op], if readers.any(result, leaves) { -1 } else { 0 });
        for (&value, _) in module.op(op).operands.iter().zip(operands).filter(|(_, is_flat)| **is_flat) {
            let is_inside = module.defining_op(value).is_some_and(|origin| flat.contains_key(&origin));
            if is_inside || module.constant_of(value).is_some() || !entered.insert(value) {
                continue;
            }
            let is_reshaped = module.defined_by(value, onnx::RESHAPE).is_some_and(|op| own.contains(&op))
                && !readers.any(value, |reader| !flat.contains_key(reader));
            groups.gain(by_op[&op], if is_reshaped { 0 } else { -1 });
        }
    }
    flat.retain(|&op, _| groups.total(by_op[&op]) > 0);
    flat
}

/// The product in a sum with a bias, if the product has more dimensions than a matrix.
fn biased_product(module: &Module, op: OpId) -> Option<OpId> {
    let [product, _] = product_and_bias(module, op)?;
    module.defining_op(product).filter(|_| module.tensor(product).is_some_and(|ty| ty.rank() > 2))
}

/// Whether an op is a Reshape, which can read the matrix directly.
fn takes_any_shape(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    let result = operation.results.first().and_then(|&result| module.tensor(result));
    operation.name == onnx::RESHAPE && result.is_some_and(|ty| is_reshape_target(&ty.dims))
}

/// All dimensions but the last, if there are several and a Reshape can merge them.
fn rows(ty: &TensorType) -> Option<&[Dim]> {
    let (last, rows) = ty.dims.split_last()?;
    let merges = rows.len() > 1 && !rows.contains(&Dim::Dynamic) && is_reshape_target(&ty.dims);
    (merges && last.known().is_some()).then_some(rows)
}

/// The operands that an op reads as matrices, if it can work on matrices.
fn flat_operands(module: &Module, op: OpId) -> Option<FlatOperands> {
    let operation = module.op(op);
    let (operands, [result]) = (&operation.operands[..], &operation.results[..]) else { return None };
    let result = module.tensor(*result)?;
    let own = rows(result)?;
    let has_rows = |value: ValueId| module.tensor(value).and_then(rows) == Some(own);
    let first_only = || -> Option<FlatOperands> {
        let (&first, others) = operands.split_first()?;
        let is_vector = |&value: &ValueId| {
            value == module.absent() || module.tensor(value).is_some_and(|ty| ty.rank() < 2)
        };
        let fits = operation.name == onnx::MAT_MUL || others.iter().all(is_vector);
        (fits && has_rows(first)).then(|| (0..operands.len()).map(|index| index == 0).collect())
    };
    let is_last =
        |axis: Option<i64>| axis.and_then(|axis| axis_index(axis, own.len() + 1)) == Some(own.len());
    let axis = || module.attribute(op, "axis").map_or(Some(-1), Attribute::as_integer);
    match operation.name {
        // ONNX Runtime 1.17 has no kernel for an activation after a Gemm of `f64`.
        onnx::MAT_MUL => {
            let is_matrix = module.tensor(*operands.get(1)?)?.rank() == 2;
            // ONNX Runtime computes products of quantized tensors in integers, if no Reshape is between.
            let is_quantized =
                operands.iter().any(|&value| module.defined_by(value, onnx::DEQUANTIZE_LINEAR).is_some());
            let is_flat = is_matrix && !is_quantized && result.element == Element::F32;
            first_only().filter(|_| is_flat)
        }
        onnx::LAYER_NORMALIZATION | onnx::SOFTMAX | onnx::LOG_SOFTMAX => {
            first_only().filter(|_| is_last(axis()))
        }
        onnx::REDUCE_MEAN => {
            let keeps = module.attribute(op, "keepdims").and_then(Attribute::as_integer) != Some(0);
            let &[axis] = &module.known_integers(*operands.get(1)?)?[..] else { return None };
            first_only().filter(|_| keeps && is_last(Some(axis)))
        }
        microsoft::BIAS_GELU | microsoft::FAST_GELU => first_only(),
        name if name.class() == Class::Elementwise => {
            let matrix = matrix_dims(module, result);
            let of = |&value: &ValueId| {
                if value == module.absent() {
                    return Some(false);
                }
                let ty = module.tensor(value)?;
                let broadcasts = ty.rank() < 2 || ty.dims == matrix;
                if has_rows(value) { Some(true) } else { broadcasts.then_some(false) }
            };
            let operands = operands.iter().map(of).collect::<Option<FlatOperands>>()?;
            operands.contains(&true).then_some(operands)
        }
        _ => None,
    }
}

/// Which ops read a value.
struct Readers {
    by_value: FxHashMap<ValueId, Vec<OpId>>,
}

impl Readers {
    /// An op of a nested block counts as the op that contains it.
    fn of(module: &Module, ops: &[OpId]) -> Self {
        let mut by_value: FxHashMap<ValueId, Vec<OpId>> = FxHashMap::default();
        for &op in ops {
            module.reads(op).into_iter().for_each(|value| by_value.entry(value).or_default().push(op));
        }
        Self { by_value }
    }

    fn count(&self, value: ValueId) -> usize {
        self.by_value.get(&value).map_or(0, Vec::len)
    }

    fn any(&self, value: ValueId, holds: impl Fn(&OpId) -> bool) -> bool {
        self.by_value.get(&value).is_some_and(|readers| readers.iter().any(holds))
    }
}

/// The group of each op that could become flat. Ops that read a value as a matrix belong together, also with the op that
/// computes it.
fn grouped(
    module: &Module,
    ops: &[OpId],
    flat: &FxHashMap<OpId, FlatOperands>,
) -> (Groups, FxHashMap<OpId, usize>) {
    let (mut groups, mut by_op) = (Groups::default(), FxHashMap::default());
    let mut by_value: FxHashMap<ValueId, usize> = FxHashMap::default();
    for &op in ops {
        let Some(operands) = flat.get(&op) else { continue };
        let group = groups.add(false);
        let read = module.op(op).operands.iter().zip(operands).filter(|(_, is_flat)| **is_flat);
        for (&value, _) in read {
            let other = *by_value.entry(value).or_insert(group);
            groups.join(other, group);
        }
        by_value.insert(module.op(op).results[0], group);
        by_op.insert(op, group);
    }
    (groups, by_op)
}

fn apply(module: &mut Module, block: BlockId, flat: &FxHashMap<OpId, FlatOperands>) {
    let mut matrices = Matrices::default();
    let own: FxHashSet<OpId> = module.block(block).ops.iter().copied().collect();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        // Values that nested ops read are restored before the outer op.
        if !own.contains(&op) {
            return true;
        }
        if let Some(operands) = flat.get(&op) {
            matrices.compute(rewriter, op, operands);
            return false;
        }
        matrices.restore(rewriter, op);
        true
    };
    Rewriter::new(module).block(block, &mut visit);
}

/// The matrices that stand for tensors.
#[derive(Default)]
struct Matrices {
    by_value: FxHashMap<ValueId, ValueId>,
    /// Tensors that no longer exist; only their matrices do.
    replaced: FxHashSet<ValueId>,
    /// Tensors that were made of their matrices again.
    restored: FxHashSet<ValueId>,
    /// Constants that are lists of integers.
    lists: FxHashMap<Vec<i64>, ValueId>,
}

impl Matrices {
    /// Computes an op on matrices.
    fn compute(&mut self, rewriter: &mut Rewriter, op: OpId, flat: &FlatOperands) {
        let mut operands: SmallVec<[ValueId; 3]> = rewriter.module.op(op).operands.iter().copied().collect();
        for (operand, _) in operands.iter_mut().zip(flat).filter(|(_, is_flat)| **is_flat) {
            *operand = self.matrix(rewriter, op, *operand);
        }
        let module = &mut *rewriter.module;
        let result = module.op(op).results[0];
        let Some((element, dims)) = module.tensor(result).map(|ty| (ty.element, matrix_dims(module, ty)))
        else {
            return;
        };
        let ty = module.tensor_of(element, &dims);
        if module.op(op).name == onnx::REDUCE_MEAN {
            operands[1] = self.list(rewriter, vec![1]);
        } else if module.attribute(op, "axis").is_some() {
            rewriter.set_integer(op, "axis", 1);
        }
        let matrix = rewriter.create_like(op, &operands).of(ty);
        self.by_value.insert(result, matrix);
        self.replaced.insert(result);
    }

    /// The matrix that stands for a tensor.
    fn matrix(&mut self, rewriter: &mut Rewriter, op: OpId, value: ValueId) -> ValueId {
        if let Some(&matrix) = self.by_value.get(&value) {
            return matrix;
        }
        let module = &*rewriter.module;
        let Some(dims) = module.tensor(value).map(|ty| matrix_dims(module, ty)) else { return value };
        // A Reshape of a Reshape is one.
        let origin = module.defining_operands(value, onnx::RESHAPE).map_or(value, |[origin, _]| origin);
        let matrix = self.reshape(rewriter, op, origin, &dims);
        self.by_value.insert(value, matrix);
        matrix
    }

    /// A value with other sizes.
    fn reshape(&mut self, rewriter: &mut Rewriter, op: OpId, value: ValueId, dims: &[Dim]) -> ValueId {
        if rewriter.module.constant_of(value).is_some() {
            return rewriter.reshape(op, value, dims);
        }
        let shape = self.shape(rewriter, dims);
        let element = rewriter.module.tensor(value).map_or(Element::F32, |ty| ty.element);
        rewriter.create(onnx::RESHAPE, &[value, shape]).out(element, dims)
    }

    fn shape(&mut self, rewriter: &mut Rewriter, dims: &[Dim]) -> ValueId {
        let sizes: Vec<i64> = dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
        self.list(rewriter, sizes)
    }

    fn list(&mut self, rewriter: &mut Rewriter, numbers: Vec<i64>) -> ValueId {
        *self.lists.entry(numbers).or_insert_with_key(|numbers| rewriter.integers(numbers))
    }

    /// Restores the tensors that an op reads. A Reshape reads the matrix.
    fn restore(&mut self, rewriter: &mut Rewriter, op: OpId) {
        let is_reshape = takes_any_shape(rewriter.module, op);
        for value in rewriter.module.reads(op) {
            let is_replaced = self.replaced.contains(&value);
            let is_known = is_replaced || is_reshape && self.restored.contains(&value);
            let Some(&matrix) = self.by_value.get(&value).filter(|_| is_known) else { continue };
            let dims = |value: ValueId| rewriter.module.tensor(value).map(|ty| ty.dims.clone());
            let tensor = if is_reshape {
                let result = rewriter.module.op(op).results[0];
                let dims = dims(result).unwrap_or_default();
                // A size of 0 copies that of the operand, which has other dimensions now.
                let shape = rewriter.module.op(op).operands[1];
                if rewriter.module.known_integers(shape).is_none_or(|sizes| sizes.contains(&0)) {
                    rewriter.module.operands_mut(op)[1] = self.shape(rewriter, &dims);
                }
                matrix
            } else {
                let dims = dims(value).unwrap_or_default();
                let tensor = self.reshape(rewriter, op, matrix, &dims);
                rewriter.replace(value, tensor);
                self.replaced.remove(&value);
                self.restored.insert(tensor);
                self.by_value.insert(tensor, matrix);
                tensor
            };
            for operand in rewriter.module.operands_mut(op) {
                if *operand == value {
                    *operand = tensor;
                }
            }
        }
    }
}

/// The sizes of the matrix that stands for a tensor.
fn matrix_dims(module: &Module, ty: &TensorType) -> Dims {
    let (last, rows) = ty.dims.split_last().unwrap_or((&Dim::Known(1), &[]));
    Dims::from_slice(&[module.dim_exprs.product(rows.iter().copied()), *last])
}
