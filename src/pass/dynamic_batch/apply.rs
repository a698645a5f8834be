//! Sets the sizes of the dimensions that become dynamic.

use super::request::Request;
use super::row_axis::RowAxis;
use crate::ir::{
    Attribute, Constant, Data, Dim, Dims, Element, FunctionId, Module, OpId, Rewriter, SCALAR, TensorType,
    Type, TypeId, ValueId, stablehlo,
};
use crate::ops::{GatherDimensionNumbers, OpAttributes};
use crate::pass::canonicalize::insert_constant;
use rustc_hash::FxHashSet;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The new sizes of all values that have rows.
pub(super) type SizesOf = BTreeMap<ValueId, Dims>;

/// Two requests that claim the same dimension of a value.
pub(super) struct Clash {
    pub(super) value: ValueId,
    /// Indices of the requests.
    pub(super) first: usize,
    pub(super) second: usize,
}

/// The new sizes of all values, from where each request found its rows.
pub(super) fn sizes(
    module: &Module,
    function: FunctionId,
    found: &[(Request, BTreeMap<ValueId, RowAxis>)],
) -> Result<SizesOf, Clash> {
    keep_order(module, function, found)?;
    let mut places: BTreeMap<(ValueId, usize), Vec<(usize, RowAxis)>> = BTreeMap::new();
    for (request, (_, row_axes)) in found.iter().enumerate() {
        for (&value, &row_axis) in row_axes {
            places.entry((value, row_axis.axis)).or_default().push((request, row_axis));
        }
    }
    let mut all = SizesOf::new();
    let mut clash: Option<Clash> = None;
    for ((value, axis), mut factors) in places {
        let Some(tensor) = module.tensor(value) else { continue };
        factors.sort_by_key(|(_, row_axis)| place(row_axis));
        // The rows of each request are nested within one element of the previous request.
        let (mut size, mut within) = (Dim::Known(1), 1);
        let mut last: Option<(usize, RowAxis)> = None;
        for &(index, row_axis) in &factors {
            let rows = found[index].0.size;
            let apart =
                last.is_none_or(|(_, other)| (other.left, other.right) != (row_axis.left, row_axis.right));
            if let Some((first, _)) = last.filter(|_| !apart || row_axis.left % within != 0) {
                // A clash at an op explains more than one at the argument.
                if clash.as_ref().is_none_or(|clash| module.defining_op(clash.value).is_none()) {
                    clash = Some(Clash { value, first, second: index });
                }
            }
            size = module.dim_exprs.multiply(size, Dim::Known(row_axis.left / within));
            size = module.dim_exprs.multiply(size, module.dim_exprs.symbol(found[index].0.symbol));
            (within, last) = (row_axis.left * rows, Some((index, row_axis)));
        }
        let right = last.map_or(1, |(_, row_axis)| row_axis.right);
        size = module.dim_exprs.multiply(size, Dim::Known(right));
        all.entry(value).or_insert_with(|| tensor.dims.clone())[axis] = size;
    }
    clash.map_or(Ok(all), Err)
}

/// Orders the rows of a value's requests from the outermost to the innermost.
fn place(row_axis: &RowAxis) -> (usize, i64, Reverse<i64>) {
    (row_axis.axis, row_axis.left, Reverse(row_axis.right))
}

/// A reshape keeps elements in order, and so also the rows of several requests. Each request treats the sizes of the
/// others as constants. If two of those are 1, it cannot see which comes first.
fn keep_order(
    module: &Module,
    function: FunctionId,
    found: &[(Request, BTreeMap<ValueId, RowAxis>)],
) -> Result<(), Clash> {
    if found.len() < 2 {
        return Ok(());
    }
    for op in module.ops_within([module.function(function).body]) {
        if module.op(op).name != stablehlo::RESHAPE {
            continue;
        }
        let operation = module.op(op);
        let (Some(operand), Some(&result)) = (operation.operands.first(), operation.results.first()) else {
            continue;
        };
        let mut pairs: Vec<_> = (0..found.len())
            .filter_map(|index| Some((index, *found[index].1.get(operand)?, *found[index].1.get(&result)?)))
            .collect();
        pairs.sort_by_key(|(_, own, _)| place(own));
        if let Some(pair) = pairs.windows(2).find(|pair| place(&pair[0].2) > place(&pair[1].2)) {
            return Err(Clash { value: result, first: pair[0].0, second: pair[1].0 });
        }
    }
    Ok(())
}

/// Updates the types of values, and the ops whose attributes state sizes.
pub(super) fn apply(module: &mut Module, function: FunctionId, sizes: &SizesOf) {
    let mut visit = |rewriter: &mut Rewriter, op: OpId| match sizes_of_result(rewriter.module, sizes, op) {
        Some((result, dims)) => rewrite(rewriter, op, result, dims, sizes),
        None => true,
    };
    Rewriter::new(module).function(function, &mut visit);
    for (&value, dims) in sizes {
        let ty = with_sizes(module, value, dims);
        module.value_mut(value).ty = ty;
    }
}

fn sizes_of_result<'a>(module: &Module, sizes: &'a SizesOf, op: OpId) -> Option<(ValueId, &'a Dims)> {
    let &result = module.op(op).results.first()?;
    Some((result, sizes.get(&result)?))
}

fn with_sizes(module: &mut Module, value: ValueId, dims: &[Dim]) -> TypeId {
    let Some(tensor) = module.tensor(value) else { return module.value_type(value) };
    let tensor = TensorType { dims: dims.into(), ..tensor.clone() };
    module.types.intern(Type::Tensor(tensor))
}

/// Rewrites an op whose attributes state the size of its result. Returns whether the op stays.
fn rewrite(rewriter: &mut Rewriter, op: OpId, result: ValueId, dims: &Dims, sizes: &SizesOf) -> bool {
    let module = &mut *rewriter.module;
    let operand = module.op(op).operands.first().copied();
    let each = || (0..dims.len()).map(|axis| (axis, axis));
    match module.op(op).name {
        stablehlo::CONSTANT => return !fill(rewriter, op, result, dims),
        stablehlo::RESHAPE => {
            let Some(operand) = operand else { return true };
            return !insert_rows(rewriter, operand, result, dims, sizes);
        }
        stablehlo::SLICE => set_changed_sizes(module, op, "limit_indices", each(), result, dims),
        stablehlo::DYNAMIC_SLICE => set_changed_sizes(module, op, "slice_sizes", each(), result, dims),
        stablehlo::GATHER => {
            let rank = operand.and_then(|operand| module.tensor(operand)).map_or(0, TensorType::rank);
            if let Ok(numbers) = GatherDimensionNumbers::read(module, op) {
                set_changed_sizes(
                    module,
                    op,
                    "slice_sizes",
                    numbers.window_dims(rank).into_iter(),
                    result,
                    dims,
                );
            }
        }
        _ => {}
    }
    true
}

/// Updates an attribute with one number per dimension where the result's dimension has a new size.
fn set_changed_sizes(
    module: &mut Module,
    op: OpId,
    name: &'static str,
    pairs: impl Iterator<Item = (usize, usize)>,
    result: ValueId,
    dims: &Dims,
) {
    let Some(old) = module.tensor(result) else { return };
    let Ok(mut changed) = OpAttributes::of(module, op).sizes(name) else { return };
    for (own, axis) in pairs.filter(|&(_, axis)| old.dims[axis] != dims[axis]) {
        if let Some(size) = changed.get_mut(own) {
            *size = dims[axis];
        }
    }
    module.set_attribute(op, name, Attribute::of_sizes(&changed));
}

/// Replaces a constant of equal rows by a single row or element.
fn fill(rewriter: &mut Rewriter, op: OpId, result: ValueId, dims: &Dims) -> bool {
    let module = &mut *rewriter.module;
    let Some(old) = module.tensor(result).cloned() else { return false };
    let splat = match module.constant_of(result).map(|id| &module.constant(id).data) {
        Some(Data::Splat(element)) => Some(element.clone()),
        _ => None,
    };
    if let Some(element) = splat {
        let ty = module.tensor_of(old.element, SCALAR);
        let id = module.add_constant(Constant { ty, data: Data::Splat(element) });
        let scalar = insert_constant(rewriter, op, id);
        return spread(rewriter, scalar, &[], result, dims);
    }
    let changed = |(old, new): (&Dim, &Dim)| if old == new { *old } else { Dim::Known(1) };
    let one: Dims = old.dims.iter().zip(dims).map(changed).collect();
    let Some(id) = module.constant_of(result) else { return false };
    let whole = insert_constant(rewriter, op, id);
    let row = if one == old.dims { whole } else { first(rewriter, whole, &old, &one) };
    let axes: Vec<i64> = (0..dims.len() as i64).collect();
    spread(rewriter, row, &axes, result, dims)
}

/// Slices the first elements along each dimension.
fn first(rewriter: &mut Rewriter, whole: ValueId, old: &TensorType, sizes: &Dims) -> ValueId {
    let ty = rewriter.module.tensor_of(old.element, sizes);
    let list = |number: i64| Attribute::Integers(Element::I64, vec![number; sizes.len()].into());
    let attributes =
        [("start_indices", list(0)), ("limit_indices", Attribute::of_sizes(sizes)), ("strides", list(1))];
    rewriter.create(stablehlo::SLICE, &[whole]).attrs(attributes).of(ty)
}

/// Turns a reshape that creates the row dimension from one row into a broadcast. Returns whether it did.
fn insert_rows(
    rewriter: &mut Rewriter,
    operand: ValueId,
    result: ValueId,
    dims: &Dims,
    sizes: &SizesOf,
) -> bool {
    let module = &mut *rewriter.module;
    let (Some(old), Some(ty)) = (module.tensor(operand), module.tensor(result)) else { return false };
    // Row dimensions of the operand keep their symbols; this creates those that only the result has.
    let mut known = FxHashSet::default();
    let own = sizes.get(&operand).unwrap_or(&old.dims);
    own.iter().for_each(|&dim| module.dim_exprs.symbols(dim, &mut known));
    let is_made = |axis: &usize| {
        let symbol = module.dim_exprs.as_symbol(dims[*axis]);
        dims[*axis] != ty.dims[*axis] && symbol.is_some_and(|symbol| !known.contains(&symbol))
    };
    let made: Vec<usize> = (0..dims.len()).filter(is_made).collect();
    if made.is_empty() {
        return false;
    }
    let element = ty.element;
    let mut one = dims.clone();
    made.into_iter().for_each(|axis| one[axis] = Dim::Known(1));
    let ty = module.tensor_of(element, &one);
    let row = rewriter.create(stablehlo::RESHAPE, &[operand]).of(ty);
    let axes: Vec<i64> = (0..dims.len() as i64).collect();
    spread(rewriter, row, &axes, result, dims)
}

/// Replaces a result by a broadcast of a value.
fn spread(rewriter: &mut Rewriter, value: ValueId, axes: &[i64], result: ValueId, dims: &Dims) -> bool {
    let ty = with_sizes(rewriter.module, result, dims);
    let attributes = [("broadcast_dimensions", Attribute::Integers(Element::I64, axes.into()))];
    let value = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[value]).attrs(attributes).of(ty);
    rewriter.replace(result, value);
    true
}
