//! An op for all iterations of a loop at once: operands and result get a new first dimension, one index per iteration.

use crate::ir::{
    Attribute, Class, Dim, Dims, Element, Module, OpId, Rewriter, Type, TypeId, ValueId, hlo2onnx, stablehlo,
};
use crate::ops::{DotDimensionNumbers, GatherDimensionNumbers};
use rustc_hash::FxHashSet;

/// An operand of a vectorized op.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stacked {
    /// The values of all iterations, along a new first dimension.
    Each(ValueId),
    /// The value of all iterations.
    Same(ValueId),
}

impl Stacked {
    fn value(self) -> ValueId {
        match self {
            Stacked::Each(value) | Stacked::Same(value) => value,
        }
    }

    fn is_each(self) -> bool {
        matches!(self, Stacked::Each(_))
    }
}

/// The operands of an op: `whole` makes the values of all iterations of those that differ between iterations.
pub(super) fn stacked(
    rewriter: &mut Rewriter,
    op: OpId,
    differs: impl Fn(ValueId) -> bool,
    mut whole: impl FnMut(&mut Rewriter, ValueId) -> Option<ValueId>,
) -> Option<Vec<Stacked>> {
    let operands = rewriter.module.op(op).operands.clone();
    operands
        .into_iter()
        .map(|operand| match differs(operand) {
            true => whole(rewriter, operand).map(Stacked::Each),
            false => Some(Stacked::Same(operand)),
        })
        .collect()
}

const PADDING: [&str; 3] = ["edge_padding_low", "edge_padding_high", "interior_padding"];

/// Whether an op has a vectorized form. `each` states which operands differ between iterations.
pub(super) fn is_vectorizable(module: &Module, op: OpId, each: &[bool]) -> bool {
    let operation = module.op(op);
    let (Some(&result), false) = (operation.results.first(), each.is_empty()) else { return false };
    // Both words of a generator have one type.
    if operation.results.len() > 1 && operation.name != hlo2onnx::THREEFRY2X32 {
        return false;
    }
    let Some(dims) = module.tensor(result).filter(|ty| ty.is_sized()).map(|ty| &ty.dims) else {
        return false;
    };
    let varies = |index: usize| each[index];
    match operation.name {
        stablehlo::BROADCAST_IN_DIM
        | stablehlo::RESHAPE
        | stablehlo::TRANSPOSE
        | stablehlo::SLICE
        | stablehlo::REVERSE => each.len() == 1,
        stablehlo::PAD => {
            let lists = PADDING
                .iter()
                .all(|name| module.attribute(op, name).is_some_and(|list| module.integers(list).is_some()));
            lists && each.len() == 2 && !varies(1)
        }
        stablehlo::CONCATENATE => true,
        stablehlo::REDUCE => each.len() == 2 && !varies(1) && is_closed(module, op),
        stablehlo::DOT_GENERAL => {
            let Ok(numbers) = DotDimensionNumbers::read(module, op) else { return false };
            each.len() == 2 && varies(0) && (varies(1) || numbers.batching.is_empty())
        }
        stablehlo::GATHER => each.len() == 2 && !varies(0) && varies(1),
        // One between types of different sizes changes the dimensions.
        stablehlo::BITCAST_CONVERT => module.tensor(operation.operands[0]).is_some_and(|ty| ty.dims == *dims),
        name if name.class() == Class::Elementwise => {
            // A scalar may stand for a tensor.
            let fits = |&operand: &ValueId| {
                module.tensor(operand).is_some_and(|ty| ty.dims == *dims || ty.rank() == 0)
            };
            let is_plain =
                operation.regions.is_empty() && module.attribute(op, "broadcast_dimensions").is_none();
            is_plain && operation.operands.iter().all(fits)
        }
        _ => false,
    }
}

/// Whether the regions of an op use no values from outside of them but constants.
pub(super) fn is_closed(module: &Module, op: OpId) -> bool {
    let regions = || module.op(op).regions.iter().copied();
    let arguments = module.blocks_within(regions()).flat_map(|block| module.block(block).arguments.clone());
    let mut own: FxHashSet<ValueId> = arguments.collect();
    let ops: Vec<OpId> = module.ops_within(regions()).collect();
    ops.iter().for_each(|&op| own.extend(module.op(op).results.iter().copied()));
    let mut operands = ops.iter().flat_map(|&op| &module.op(op).operands);
    operands.all(|operand| own.contains(operand) || module.constant_of(*operand).is_some())
}

/// Whether an op moves or repeats elements without a kernel of its own in most places.
pub(super) fn is_free(module: &Module, op: OpId) -> bool {
    matches!(
        module.op(op).name,
        stablehlo::BROADCAST_IN_DIM | stablehlo::RESHAPE | stablehlo::CONSTANT | stablehlo::DYNAMIC_SLICE
    )
}

/// The type of a value for all iterations.
pub(super) fn stacked_type(module: &mut Module, value: ValueId, length: Dim) -> Option<TypeId> {
    let mut tensor = module.tensor(value)?.clone();
    tensor.dims.insert(0, length);
    Some(module.types.intern(Type::Tensor(tensor)))
}

/// Adds the vectorized form of an op, which takes over the op's regions, and returns its results. `None` if it has none.
pub(super) fn vectorize(
    rewriter: &mut Rewriter,
    op: OpId,
    operands: &[Stacked],
    length: Dim,
) -> Option<Vec<ValueId>> {
    let each: Vec<bool> = operands.iter().map(|operand| operand.is_each()).collect();
    if !is_vectorizable(rewriter.module, op, &each) {
        return None;
    }
    let results = rewriter.module.op(op).results.clone();
    let name = rewriter.module.op(op).name;
    let ty = stacked_type(rewriter.module, results[0], length)?;
    let attributes = attributes(rewriter.module, op, operands, length)?;
    let mut values: Vec<ValueId> = operands.iter().map(|operand| operand.value()).collect();
    let is_elementwise = name.class() == Class::Elementwise;
    if is_elementwise || name == stablehlo::CONCATENATE {
        let dims: Dims = rewriter.module.tensor_type(ty)?.dims.clone();
        for (value, operand) in values.iter_mut().zip(operands) {
            let own = rewriter.module.tensor(*value)?.dims.clone();
            let (axes, wanted) = match operand {
                // A scalar bound or predicate stands for all elements.
                Stacked::Same(_) if own.is_empty() && dims.len() > 1 => continue,
                Stacked::Each(_) if own.len() > 1 || dims.len() == 1 => continue,
                Stacked::Each(_) => (0..1, dims.clone()),
                Stacked::Same(_) => {
                    (1..own.len() + 1, std::iter::once(length).chain(own.iter().copied()).collect())
                }
            };
            *value = broadcast(rewriter, op, *value, axes, &wanted)?;
        }
    }
    let new = rewriter.create_like(op, &values).values(&vec![ty; results.len()]);
    for (name, attribute) in attributes {
        let vectorized = rewriter.module.defining_op(*new.first()?)?;
        rewriter.module.set_attribute(vectorized, name, attribute);
    }
    Some(new)
}

/// Repeats a value whose dimensions become those in `axes`.
fn broadcast(
    rewriter: &mut Rewriter,
    op: OpId,
    value: ValueId,
    axes: std::ops::Range<usize>,
    dims: &Dims,
) -> Option<ValueId> {
    let element = rewriter.module.tensor(value)?.element;
    let builder = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[value]).at_op(op);
    Some(builder.attr("broadcast_dimensions", Attribute::positions(axes)).out(element, dims))
}

/// The attributes that change with the new dimension.
fn attributes(
    module: &mut Module,
    op: OpId,
    operands: &[Stacked],
    length: Dim,
) -> Option<Vec<(&'static str, Attribute)>> {
    let list = |module: &Module, name: &str| module.integers(module.attribute(op, name)?);
    let shifted = |values: Vec<i64>| -> Vec<i64> { values.into_iter().map(|axis| axis + 1).collect() };
    let all = |first: i64, rest: Vec<i64>| {
        Attribute::Integers(Element::I64, std::iter::once(first).chain(rest).collect())
    };
    let of_list = |values: Vec<i64>| Attribute::Integers(Element::I64, values.into());
    Some(match module.op(op).name {
        stablehlo::BROADCAST_IN_DIM => {
            vec![("broadcast_dimensions", all(0, shifted(list(module, "broadcast_dimensions")?)))]
        }
        stablehlo::TRANSPOSE => vec![("permutation", all(0, shifted(list(module, "permutation")?)))],
        stablehlo::REVERSE => vec![("dimensions", of_list(shifted(list(module, "dimensions")?)))],
        stablehlo::REDUCE => vec![("dimensions", of_list(shifted(list(module, "dimensions")?)))],
        stablehlo::SLICE => {
            let sizes = |name: &str| match module.attribute(op, name)? {
                Attribute::Dims(dims) => Some(dims.clone()),
                other => Some(module.integers(other)?.into_iter().map(Dim::Known).collect()),
            };
            let with = |first: Dim, rest: Dims| {
                Attribute::of_sizes(&std::iter::once(first).chain(rest).collect::<Dims>())
            };
            vec![
                ("start_indices", with(Dim::Known(0), sizes("start_indices")?)),
                ("limit_indices", with(length, sizes("limit_indices")?)),
                ("strides", all(1, list(module, "strides")?)),
            ]
        }
        stablehlo::PAD => PADDING
            .into_iter()
            .map(|name| Some((name, all(0, list(module, name)?))))
            .collect::<Option<_>>()?,
        stablehlo::CONCATENATE => {
            let axis = module.attribute(op, "dimension")?.as_integer()?;
            let ty = module.types.intern(Type::Scalar(Element::I64));
            vec![("dimension", Attribute::Integer(axis + 1, ty))]
        }
        stablehlo::DOT_GENERAL => {
            let mut numbers = DotDimensionNumbers::read(module, op).ok()?;
            let both = operands[1].is_each();
            let shift = |(left, right): &mut (usize, usize)| {
                *left += 1;
                *right += usize::from(both);
            };
            numbers.batching.iter_mut().for_each(shift);
            numbers.contracting.iter_mut().for_each(shift);
            if both {
                numbers.batching.insert(0, (0, 0));
            }
            vec![numbers.attribute(module)]
        }
        stablehlo::GATHER => {
            let mut numbers = GatherDimensionNumbers::read(module, op).ok()?;
            numbers.offset_dims.iter_mut().for_each(|dim| *dim += 1);
            numbers.start_indices_batching_dims.iter_mut().for_each(|dim| *dim += 1);
            numbers.index_vector_dim += 1;
            vec![numbers.attribute(module, stablehlo::GATHER)]
        }
        _ => Vec::new(),
    })
}
