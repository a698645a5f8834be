//! Rewrites gathers and scatters indexed by `arange(n)`, such as `x[jnp.arange(n), i]`, to use batching dimensions.
//!
//! The program stays the same, because all n rows exist. Without the explicit row numbers it works for any number of
//! rows.

use crate::ir::{
    Attribute, Attributes, Dim, Element, FunctionId, Module, OpId, Rewriter, TensorType, Type, ValueId,
    stablehlo,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// The names of an op's dimension numbers.
struct AttributeNames {
    numbers: &'static str,
    /// The tensor dimensions that the windows drop.
    dropped: &'static str,
    map: &'static str,
    batching: &'static str,
    index_batching: &'static str,
}

const GATHER: AttributeNames = AttributeNames {
    numbers: "dimension_numbers",
    dropped: "collapsed_slice_dims",
    map: "start_index_map",
    batching: "operand_batching_dims",
    index_batching: "start_indices_batching_dims",
};

const SCATTER: AttributeNames = AttributeNames {
    numbers: "scatter_dimension_numbers",
    dropped: "inserted_window_dims",
    map: "scatter_dims_to_operand_dims",
    batching: "input_batching_dims",
    index_batching: "scatter_indices_batching_dims",
};

/// Rewrites the gathers and scatters of a function.
pub(super) fn batch(module: &mut Module, function: FunctionId) {
    let mut numbers = IotaFacts::default();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        numbers.note(rewriter.module, op);
        let (names, indices) = match rewriter.module.op(op).name {
            stablehlo::GATHER => (GATHER, 1),
            stablehlo::SCATTER => (SCATTER, rewriter.module.op(op).results.len()),
            _ => return true,
        };
        // Each iteration removes one index column.
        while let Some(found) = find(rewriter.module, op, &names, indices, &numbers) {
            rewrite(rewriter, op, &names, indices, found);
        }
        true
    };
    Rewriter::new(module).function(function, &mut visit);
}

/// An index column that holds the row number.
struct RowNumberColumn {
    /// Its position among the operands of the concatenation.
    column: usize,
    /// The tensor dimension that it indexes.
    own: usize,
    /// The dimension of the indices along which it counts.
    axis: usize,
}

fn list(module: &Module, op: OpId, names: &AttributeNames, field: &str) -> Vec<i64> {
    let numbers = module.attribute(op, names.numbers).and_then(|numbers| module.field(numbers, field));
    numbers.and_then(|list| module.integers(list)).unwrap_or_default()
}

fn find(
    module: &Module,
    op: OpId,
    names: &AttributeNames,
    indices: usize,
    numbers: &IotaFacts,
) -> Option<RowNumberColumn> {
    let operands = &module.op(op).operands;
    let places = module.defining_op(*operands.get(indices)?)?;
    let vector = list(module, op, names, "index_vector_dim").first().copied().unwrap_or(0);
    if !matches!(module.attribute(op, names.numbers), Some(Attribute::Struct(..)))
        || module.op(places).name != stablehlo::CONCATENATE
        || module.attribute(places, "dimension")?.as_integer() != Some(vector)
    {
        return None;
    }
    let vector = usize::try_from(vector).ok()?;
    let columns = &module.op(places).operands;
    let (map, dropped) = (list(module, op, names, names.map), list(module, op, names, names.dropped));
    let taken = list(module, op, names, names.index_batching);
    let sizes = module.tensor(operands[0])?.sizes()?;
    let is_single =
        |&column: &ValueId| module.tensor(column).is_some_and(|ty| ty.dims[vector].known() == Some(1));
    if columns.len() < 2 || columns.len() != map.len() || !columns.iter().all(is_single) {
        return None;
    }
    columns.iter().zip(&map).enumerate().find_map(|(column, (&value, own))| {
        let size = *sizes.get(usize::try_from(*own).ok()?)?;
        let axis = *numbers.along.get(&value)?;
        let counts = module.tensor(value)?.dims[axis].known() == Some(size);
        if axis == vector || taken.contains(&(axis as i64)) || !counts || !dropped.contains(own) {
            return None;
        }
        Some(RowNumberColumn { column, own: usize::try_from(*own).ok()?, axis })
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
    names: &AttributeNames,
    indices: usize,
    found: RowNumberColumn,
) {
    let module = &mut *rewriter.module;
    let of = |module: &Module, field: &str| list(module, op, names, field);
    let mut map = of(module, names.map);
    map.remove(found.column);
    let dropped: Vec<i64> =
        of(module, names.dropped).into_iter().filter(|&axis| axis != found.own as i64).collect();
    let (batching, index_batching) = (of(module, names.batching), of(module, names.index_batching));
    let mut pairs: Vec<(i64, i64)> = batching.into_iter().zip(index_batching).collect();
    pairs.push((found.own as i64, found.axis as i64));
    pairs.sort_unstable();
    let (batching, index_batching) = pairs.into_iter().unzip();
    let changed = [
        (names.map, map),
        (names.dropped, dropped),
        (names.batching, batching),
        (names.index_batching, index_batching),
    ];
    let fields: Attributes = changed
        .into_iter()
        .map(|(name, list)| (module.symbols.intern(name), Attribute::Integers(Element::I64, list.into())))
        .collect();
    let key = module.symbols.intern(names.numbers);
    for (name, attribute) in &mut module.op_mut(op).attributes {
        if let Attribute::Struct(_, own) = attribute
            && *name == key
        {
            own.retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
            own.extend(fields.iter().cloned());
        }
    }
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
