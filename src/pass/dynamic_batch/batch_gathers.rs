//! Rewrites gathers and scatters indexed by `arange(n)`, such as `x[jnp.arange(n), i]`, to use batching dimensions.
//!
//! The program stays the same, because all n rows exist. Without the explicit row numbers it works for any number of
//! rows.

use crate::ir::{Attribute, Dim, FunctionId, Module, OpId, Rewriter, TensorType, Type, ValueId, stablehlo};
use crate::ops::GatherDimensionNumbers;
use rustc_hash::{FxHashMap, FxHashSet};

/// Rewrites the gathers and scatters of a function.
pub(super) fn batch(module: &mut Module, function: FunctionId) {
    let mut numbers = IotaFacts::default();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        numbers.note(rewriter.module, op);
        let indices = match rewriter.module.op(op).name {
            stablehlo::GATHER => 1,
            stablehlo::SCATTER => rewriter.module.op(op).results.len(),
            _ => return true,
        };
        // Each iteration removes one index column.
        while let Ok(own) = GatherDimensionNumbers::read(rewriter.module, op)
            && let Some(found) = find(rewriter.module, op, &own, indices, &numbers)
        {
            rewrite(rewriter, op, own, indices, &found);
        }
        true
    };
    Rewriter::new(module).function(function, &mut visit);
}

/// An index column of row numbers.
struct RowNumberColumn {
    /// Its position among the operands of the concatenation.
    column: usize,
    /// The tensor dimension that it indexes.
    own: usize,
    /// The dimension of the indices along which it counts.
    axis: usize,
}

fn find(
    module: &Module,
    op: OpId,
    own: &GatherDimensionNumbers,
    indices: usize,
    numbers: &IotaFacts,
) -> Option<RowNumberColumn> {
    let operands = &module.op(op).operands;
    let places = module.defining_op(*operands.get(indices)?)?;
    let vector = own.index_vector_dim;
    if module.op(places).name != stablehlo::CONCATENATE
        || module.attribute(places, "dimension")?.as_integer() != Some(vector as i64)
    {
        return None;
    }
    let columns = &module.op(places).operands;
    let sizes = module.tensor(operands[0])?.sizes()?;
    let is_single =
        |&column: &ValueId| module.tensor(column).is_some_and(|ty| ty.dims[vector].known() == Some(1));
    if columns.len() < 2 || columns.len() != own.start_index_map.len() || !columns.iter().all(is_single) {
        return None;
    }
    columns.iter().zip(&own.start_index_map).enumerate().find_map(|(column, (&value, &dim))| {
        let axis = *numbers.along.get(&value)?;
        let counts = module.tensor(value)?.dims[axis].known() == Some(sizes[dim]);
        let is_free = axis != vector && !own.start_indices_batching_dims.contains(&axis);
        (is_free && counts && own.collapsed_slice_dims.contains(&dim)).then_some(RowNumberColumn {
            column,
            own: dim,
            axis,
        })
    })
}

/// Facts about integer tensors, collected in one forward walk.
#[derive(Default)]
struct IotaFacts {
    /// The dimension with more than one element along which each element equals its index.
    along: FxHashMap<ValueId, usize>,
    /// All elements are zero.
    zero: FxHashSet<ValueId>,
    /// All elements are `false`: the result of testing row numbers for being negative.
    never: FxHashSet<ValueId>,
}

impl IotaFacts {
    /// Records the facts about an op's results from those about its operands.
    fn note(&mut self, module: &Module, op: OpId) {
        let Some(&result) = module.op(op).results.first() else { return };
        let operands = &module.op(op).operands;
        let first = operands.first();
        match module.op(op).name {
            stablehlo::CONSTANT => {
                let splat = module.constant_of(result).and_then(|id| module.constant(id).data.splat());
                if splat.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0)) {
                    self.zero.insert(result);
                }
            }
            stablehlo::BROADCAST_IN_DIM if first.is_some_and(|value| self.zero.contains(value)) => {
                self.zero.insert(result);
            }
            stablehlo::COMPARE => {
                let direction =
                    module.attribute(op, "comparison_direction").and_then(|word| module.word(word));
                let [left, right] = operands[..] else { return };
                if direction == Some("LT") && self.along.contains_key(&left) && self.zero.contains(&right) {
                    self.never.insert(result);
                }
            }
            _ => {
                // A small integer type cannot hold the numbers of many rows.
                let is_wide = |ty: &&TensorType| ty.element.is_integer() && ty.element.bits() >= 32;
                let ty = module.tensor(result).filter(is_wide);
                let axis = ty.and_then(|ty| self.axis(module, op, ty));
                self.along.extend(axis.map(|axis| (result, axis)));
            }
        }
    }

    /// The dimension of an op's result along which each element equals its index.
    fn axis(&self, module: &Module, op: OpId, ty: &TensorType) -> Option<usize> {
        let operands = &module.op(op).operands;
        let list = |name: &str| module.integers(module.attribute(op, name)?);
        let of = |index: usize| self.along.get(operands.get(index)?).copied();
        let axis = match module.op(op).name {
            stablehlo::IOTA => usize::try_from(*list("iota_dimension")?.first()?).ok()?,
            stablehlo::CONVERT => of(0)?,
            stablehlo::BROADCAST_IN_DIM => {
                usize::try_from(*list("broadcast_dimensions")?.get(of(0)?)?).ok()?
            }
            stablehlo::RESHAPE => {
                let size = module.tensor(operands[0])?.dims[of(0)?];
                let axis = ty.dims.iter().position(|&dim| dim == size)?;
                // All other dimensions have size 1, before and after.
                let is_vector =
                    |value: ValueId| module.tensor(value).and_then(TensorType::count) == size.known();
                (is_vector(operands[0]) && ty.count() == size.known()).then_some(axis)?
            }
            // JAX supports negative indices; row numbers are never negative.
            stablehlo::SELECT if self.never.contains(&operands[0]) => of(2)?,
            _ => return None,
        };
        ty.dims.get(axis)?.known().filter(|&size| size > 1).map(|_| axis)
    }
}

fn rewrite(
    rewriter: &mut Rewriter,
    op: OpId,
    mut numbers: GatherDimensionNumbers,
    indices: usize,
    found: &RowNumberColumn,
) {
    let module = &mut *rewriter.module;
    numbers.start_index_map.remove(found.column);
    numbers.collapsed_slice_dims.retain(|&dim| dim != found.own);
    let mut pairs: Vec<(usize, usize)> = numbers.batching_dims().collect();
    pairs.push((found.own, found.axis));
    pairs.sort_unstable();
    (numbers.operand_batching_dims, numbers.start_indices_batching_dims) = pairs.into_iter().unzip();
    let (name, attribute) = numbers.attribute(module, module.op(op).name);
    module.set_attribute(op, name, attribute);
    let Some(places) = module.defining_op(module.op(op).operands[indices]) else { return };
    let mut columns = module.op(places).operands.clone();
    columns.remove(found.column);
    let left = match columns.as_slice() {
        &[column] => column,
        _ => {
            let vector = module.attribute(places, "dimension").and_then(Attribute::as_integer).unwrap_or(0);
            let ty = module.tensor(module.op(places).results[0]).cloned();
            let Some(mut ty) = ty else { return };
            ty.dims[vector as usize] = Dim::Known(columns.len() as i64);
            let ty = module.types.intern(Type::Tensor(ty));
            let joined = rewriter.create_like(places, &columns).results(&[ty]);
            rewriter.module.op(joined).results[0]
        }
    };
    rewriter.module.op_mut(op).operands[indices] = left;
}
