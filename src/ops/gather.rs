//! `gather`: windows of an operand at computed positions.
//!
//! With `B` the axes of `start_indices` but `index_vector_dim`, the result contains for each position of `B` the window
//! of `slice_sizes` that starts at the clamped `start_indices[B, :]`, whose columns belong to the dimensions in
//! `start_index_map` (StableHLO, `gather`). A dimension that the map lacks starts at 0; a batching dimension starts at
//! the position's own coordinate. Only dimensions whose window is smaller than they are move: the others are always
//! whole. ONNX's forms, the cheapest first:
//!
//! * no moving dimension: the operand itself, broadcast;
//! * one position: `Slice`, or `Gather` of a single index;
//! * one moving dimension: `Gather`, of a window by adding `0, 1, ...` to the index;
//! * one moving dimension and otherwise only batching ones: `GatherElements`;
//! * moving dimensions that lead: `GatherND`, with `batch_dims` for batching ones, unless the components of the positions are
//!   separate values;
//! * other moving dimensions: `Gather` in those dimensions joined into one.
//!
//! ONNX counts negative indices from the end and ONNX Runtime stops at others out of range, so that positions are
//! clamped unless their range is known.

use super::start_indices::{StartIndices, StridedAxis, strides};
use super::{Elements, GatherDimensionNumbers, Lower, LowerError, Lowered};
use crate::ir::{Dim, Dims, Element, OpId, ValueId, onnx, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{index, rule};

pub(super) const ROWS: &[Row] = &[row(stablehlo::GATHER, rule(2, index::gather), Elements::PLAIN, gather)
    .note(
        "Gather, GatherND, GatherElements or Slice, by the indexed dimensions; indices are clamped as in XLA",
    )];

/// What an axis of an intermediate result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AxisKind {
    /// The window's extent in a dimension of the operand.
    Window(usize),
    /// An axis of the positions.
    Batch(usize),
}

/// The dimension numbers with the types that they are for.
#[derive(Debug)]
struct GatherShape {
    /// For each dimension of the result.
    layout: Vec<AxisKind>,
    /// Pairs of a dimension of the operand and an axis of the positions, of sizes above 1.
    batching: Vec<(usize, usize)>,
    /// The dimension of the operand that each column is for.
    map: Vec<usize>,
    window: Dims,
    vector_dim: usize,
}

fn gather(cx: &mut Lower, op: OpId) -> Lowered {
    let numbers = numbers(cx, op)?;
    let (element, result) = cx.result_dims(op, 0)?;
    if result.contains(&Dim::Known(0)) {
        return Ok(cx.empty_tensor(element, &result).into());
    }
    let operand = cx.full(op, 0)?;
    let starts = cx.starts(op, 1, numbers.vector_dim)?;
    let operand = still(cx, operand, &numbers);
    let sizes = cx.dims(operand);
    let mut moving: Vec<(usize, usize)> =
        numbers.map.iter().enumerate().map(|(column, &dim)| (dim, column)).collect();
    moving.retain(|&(dim, _)| sizes[dim] != numbers.window[dim]);
    moving.sort_unstable();
    let columns: Vec<usize> = moving.iter().map(|&(_, column)| column).collect();
    let moving: Vec<usize> = moving.iter().map(|&(dim, _)| dim).collect();
    let limits: Dims =
        moving.iter().map(|&dim| cx.module.dim_exprs.subtract(sizes[dim], numbers.window[dim])).collect();

    let mut starts = cx.select_columns(&starts, &columns);
    let (value, axes) = if moving.is_empty() {
        let batch = |dim: usize| numbers.batching.iter().find(|pair| pair.0 == dim).map(|pair| pair.1);
        let axis = |dim: usize| batch(dim).map_or(AxisKind::Window(dim), AxisKind::Batch);
        (operand, (0..sizes.len()).map(axis).collect())
    } else if starts.count(&cx.module.dim_exprs) == Dim::Known(1) {
        (
            at_one_position(cx, operand, &starts, &moving, &numbers),
            (0..sizes.len()).map(AxisKind::Window).collect(),
        )
    } else {
        if !reads_short(cx, operand, &moving, &numbers) {
            starts.value = cx.int64(starts.value);
        }
        // One moving dimension without batching ones is a `Gather`.
        let counts = moving.len() == 1 && numbers.batching.is_empty();
        let sizes = wrapped_sizes(&sizes, &moving, &numbers);
        let wrapped = sizes.and_then(|sizes| cx.wrapped_positions(&starts, &sizes, counts));
        starts = wrapped.unwrap_or_else(|| cx.clamp_columns(&starts, &limits));
        at_positions(cx, operand, &starts, &moving, &numbers)?
    };
    Ok(arrange(cx, value, &axes, &numbers, &result).into())
}

fn numbers(cx: &Lower, op: OpId) -> Result<GatherShape, LowerError> {
    let numbers = GatherDimensionNumbers::read(cx.module, op)?;
    let window = cx.attributes(op).sizes("slice_sizes")?;
    let (operand, indices) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, 1)?);
    let (_, result) = cx.result_dims(op, 0)?;
    let mut gone = numbers.collapsed_slice_dims.iter().chain(&numbers.operand_batching_dims);
    if !result.contains(&Dim::Known(0)) && gone.any(|&dim| window[dim] != Dim::Known(1)) {
        return Err(LowerError::attribute("slice_sizes", "a collapsed dimension must have one element"));
    }
    let mut layout = vec![AxisKind::Batch(0); result.len()];
    for (dim, place) in numbers.window_dims(operand.len()) {
        layout[place] = AxisKind::Window(dim);
    }
    for (axis, (_, place)) in numbers.batch_dims(indices.len()).into_iter().enumerate() {
        layout[place] = AxisKind::Batch(axis);
    }
    let batching = numbers.batching_axes(&operand);
    Ok(GatherShape {
        layout,
        batching,
        map: numbers.start_index_map,
        window,
        vector_dim: numbers.index_vector_dim,
    })
}

/// The operand cut to the window where it does not move.
fn still(cx: &mut Lower, operand: ValueId, numbers: &GatherShape) -> ValueId {
    let sizes = cx.dims(operand);
    let moves = |dim: usize| numbers.map.contains(&dim) || numbers.batching.iter().any(|pair| pair.0 == dim);
    let high: Dims =
        (0..sizes.len()).map(|dim| if moves(dim) { sizes[dim] } else { numbers.window[dim] }).collect();
    cx.slice(operand, &vec![0; sizes.len()], &high, &vec![1; sizes.len()])
}

/// The only window.
fn at_one_position(
    cx: &mut Lower,
    operand: ValueId,
    starts: &StartIndices,
    moving: &[usize],
    numbers: &GatherShape,
) -> ValueId {
    let sizes = cx.dims(operand);
    let mut at = vec![super::dynamic_slice::Start::Known(Dim::Known(0)); sizes.len()];
    for (column, &dim) in moving.iter().enumerate() {
        let start = cx.select_columns(starts, &[column]);
        let limit = cx.module.dim_exprs.subtract(sizes[dim], numbers.window[dim]);
        at[dim] = cx.start(start.value, limit);
    }
    cx.window(operand, &at, &numbers.window)
}

/// Whether every dimension that is not one of the moving ones is of a batch or has one element.
fn are_elements(sizes: &[Dim], moving: &[usize], numbers: &GatherShape) -> bool {
    let batched = |dim: usize| numbers.batching.iter().any(|pair| pair.0 == dim);
    (0..sizes.len()).all(|dim| batched(dim) || moving.contains(&dim) || sizes[dim] == Dim::Known(1))
}

/// Whether the positions are those of elements along one dimension, as `Gather` and `GatherElements` read them. Other
/// forms compute with them in `i64`, or need it.
fn reads_short(cx: &Lower, operand: ValueId, moving: &[usize], numbers: &GatherShape) -> bool {
    let &[dim] = moving else { return false };
    let is_apart = || are_elements(&cx.dims(operand), moving, numbers);
    numbers.window[dim] == Dim::Known(1) && (numbers.batching.is_empty() || is_apart())
}

/// The sizes of the moving dimensions, if the positions are those of single elements and go to ONNX's op as they are.
fn wrapped_sizes(sizes: &[Dim], moving: &[usize], numbers: &GatherShape) -> Option<Vec<i64>> {
    let points = moving.iter().all(|&dim| numbers.window[dim] == Dim::Known(1));
    let lead = moving.iter().enumerate().all(|(index, &dim)| index == dim);
    let direct = points && (moving.len() == 1 || lead || !numbers.batching.is_empty());
    moving.iter().map(|&dim| sizes[dim].known().filter(|_| direct)).collect()
}

fn at_positions(
    cx: &mut Lower,
    operand: ValueId,
    starts: &StartIndices,
    moving: &[usize],
    numbers: &GatherShape,
) -> Result<(ValueId, Vec<AxisKind>), LowerError> {
    let sizes = cx.dims(operand);
    let points = moving.iter().all(|&dim| numbers.window[dim] == Dim::Known(1));
    if !numbers.batching.is_empty() {
        return Ok(match *moving {
            [dim] if points && are_elements(&sizes, moving, numbers) => {
                elements(cx, operand, starts, dim, numbers)
            }
            _ => nd(cx, operand, starts, moving, numbers)?,
        });
    }
    let lead = moving.iter().enumerate().all(|(index, &dim)| index == dim);
    // Vectors need no strides, which would have to be computed.
    let inner = &sizes[moving[0] + 1..=moving[moving.len() - 1]];
    let strided = inner.iter().any(|size| size.known().is_none())
        && moving.iter().all(|&dim| numbers.window[dim].known().is_some());
    // Separate columns are summed with two ops each, and Gather is faster than GatherND.
    let are_apart =
        points && cx.columns(starts).is_some() && moving.iter().all(|&dim| sizes[dim].known().is_some());
    if (points || strided) && lead && moving.len() > 1 && !are_apart {
        return nd(cx, operand, starts, moving, numbers);
    }
    Ok(joined(cx, operand, starts, moving, numbers))
}

/// `Gather` in the dimensions from the first moving one to the last, joined into one. Dimensions between them
/// that do not move are windows of their whole size.
fn joined(
    cx: &mut Lower,
    operand: ValueId,
    starts: &StartIndices,
    moving: &[usize],
    numbers: &GatherShape,
) -> (ValueId, Vec<AxisKind>) {
    let sizes = cx.dims(operand);
    let (first, last) = (moving[0], moving[moving.len() - 1]);
    let joined = &sizes[first..=last];
    let steps = strides(&cx.module.dim_exprs, joined);
    let own: Dims = moving.iter().map(|&dim| steps[dim - first]).collect();
    let position = cx.scaled_sum(starts, &own);
    let position = position.unwrap_or_else(|| cx.linear(starts, &own));
    let batch = starts.batch.len();
    let windows: Vec<usize> = (first..=last).filter(|&dim| numbers.window[dim] != Dim::Known(1)).collect();
    let counts: Vec<(usize, StridedAxis)> = windows
        .iter()
        .enumerate()
        .map(|(index, &dim)| {
            (batch + index, StridedAxis { size: numbers.window[dim], stride: steps[dim - first] })
        })
        .collect();
    let positions = cx.add_counts(position, batch + windows.len(), &counts);
    let mut flat = Dims::from_slice(&sizes[..first]);
    flat.push(cx.module.dim_exprs.product(joined.iter().copied()));
    flat.extend_from_slice(&sizes[last + 1..]);
    let operand = cx.reshape(operand, &flat);
    let mut out = Dims::from_slice(&sizes[..first]);
    out.extend(cx.dims(positions));
    out.extend_from_slice(&sizes[last + 1..]);
    let element = cx.element(operand);
    let value = cx.node(onnx::GATHER, &[operand, positions]).int("axis", first as i64).out(element, &out);
    let mut axes: Vec<AxisKind> = (0..first).map(AxisKind::Window).collect();
    axes.extend((0..batch).map(AxisKind::Batch));
    axes.extend(windows.into_iter().map(AxisKind::Window));
    axes.extend((last + 1..sizes.len()).map(AxisKind::Window));
    (value, axes)
}

/// `GatherElements`: permutes the indices to the operand's order of dimensions, with the unpaired axes merged in
/// place of the moving dimension.
fn elements(
    cx: &mut Lower,
    operand: ValueId,
    starts: &StartIndices,
    moving: usize,
    numbers: &GatherShape,
) -> (ValueId, Vec<AxisKind>) {
    let sizes = cx.dims(operand);
    let paired = |axis: &usize| numbers.batching.iter().any(|pair| pair.1 == *axis);
    let free: Vec<usize> = (0..starts.batch.len()).filter(|axis| !paired(axis)).collect();
    let (mut order, mut flat, mut kept, mut place) = (Vec::new(), Dims::new(), Dims::new(), 0);
    for (dim, &size) in sizes.iter().enumerate() {
        if dim == moving {
            place = kept.len();
            order.extend(&free);
            flat.push(cx.module.dim_exprs.product(free.iter().map(|&axis| starts.batch[axis])));
            kept.push(size);
        } else if let Some(&(_, axis)) = numbers.batching.iter().find(|pair| pair.0 == dim) {
            order.push(axis);
            flat.push(starts.batch[axis]);
            kept.push(size);
        }
    }
    let permutation: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
    let positions = cx.transpose(starts.value, &permutation);
    let positions = cx.reshape(positions, &flat);
    let operand = cx.reshape(operand, &kept);
    let element = cx.element(operand);
    let node = cx.node(onnx::GATHER_ELEMENTS, &[operand, positions]).int("axis", place as i64);
    let value = node.out(element, &flat);
    let apart: Dims = order.iter().map(|&axis| starts.batch[axis]).collect();
    let value = cx.reshape(value, &apart);
    (value, order.into_iter().map(AxisKind::Batch).collect())
}

/// `GatherND`: batching dimensions first, then the moving ones.
fn nd(
    cx: &mut Lower,
    operand: ValueId,
    starts: &StartIndices,
    moving: &[usize],
    numbers: &GatherShape,
) -> Result<(ValueId, Vec<AxisKind>), LowerError> {
    let sizes = cx.dims(operand);
    let mut batching = numbers.batching.clone();
    batching.sort_unstable_by_key(|pair| pair.1);
    let mut order: Vec<usize> = batching.iter().map(|pair| pair.0).collect();
    order.extend(moving);
    let rest: Vec<usize> = (0..sizes.len()).filter(|dim| !order.contains(dim)).collect();
    order.extend(&rest);
    let permutation: Vec<i64> = order.iter().map(|&dim| dim as i64).collect();
    let operand = cx.transpose(operand, &permutation);

    let paired: Vec<usize> = batching.iter().map(|pair| pair.1).collect();
    let mut axes = paired.clone();
    axes.extend((0..starts.batch.len()).filter(|axis| !paired.contains(axis)));
    let mut permutation: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    permutation.push(starts.batch.len() as i64);
    let positions = cx.vectors(starts);
    let mut positions = cx.transpose(positions, &permutation);
    let windows: Vec<usize> =
        moving.iter().copied().filter(|&dim| numbers.window[dim] != Dim::Known(1)).collect();
    positions = window_vectors(cx, positions, moving, &windows, numbers)?;

    let mut out = cx.dims(positions);
    out.pop();
    out.extend(rest.iter().map(|&dim| sizes[dim]));
    let element = cx.element(operand);
    let counted = with_batch_columns(cx, positions, paired.len());
    let node = cx.node(onnx::GATHER_ND, &[operand, counted.unwrap_or(positions)]);
    let is_batched = counted.is_none() && !paired.is_empty();
    let node = if is_batched { node.int("batch_dims", paired.len() as i64) } else { node };
    let value = node.out(element, &out);
    let mut all: Vec<AxisKind> = axes.into_iter().map(AxisKind::Batch).collect();
    all.extend(windows.into_iter().chain(rest).map(AxisKind::Window));
    Ok((value, all))
}

/// Index vectors that start with their own places in the leading `batch` axes, instead of `batch_dims`, which ONNX
/// Runtime's symbolic shape inference ignores. `None` for more than a few.
fn with_batch_columns(cx: &mut Lower, positions: ValueId, batch: usize) -> Option<ValueId> {
    let mut sizes = cx.sizes(positions).ok()?;
    let last = sizes.len() - 1;
    sizes[last] = batch as i64;
    let count: i64 = sizes.iter().product();
    if !(1..=LARGEST_BATCH_COLUMNS).contains(&count) {
        return None;
    }
    let mut places = Vec::new();
    for vector in 0..count / batch as i64 {
        let mut rest = vector;
        let mut place: Vec<i64> =
            sizes[..last].iter().rev().map(|&size| (rest % size, rest /= size).0).collect();
        place.reverse();
        places.extend_from_slice(&place[..batch]);
    }
    let places = cx.integers(Element::I64, &sizes, &places);
    Some(cx.concat(&[places, positions], last))
}

/// Larger columns take `batch_dims`.
const LARGEST_BATCH_COLUMNS: i64 = 1024;

/// Index vectors with an axis before the last for each of `windows`, along which that dimension's column counts.
fn window_vectors(
    cx: &mut Lower,
    positions: ValueId,
    moving: &[usize],
    windows: &[usize],
    numbers: &GatherShape,
) -> Result<ValueId, LowerError> {
    if windows.is_empty() {
        return Ok(positions);
    }
    let sizes = cx.dims(positions);
    let batch = sizes.len() - 1;
    let mut apart = Dims::from_slice(&sizes[..batch]);
    apart.extend(windows.iter().map(|_| Dim::Known(1)));
    apart.push(Dim::Known(moving.len() as i64));
    let mut positions = cx.reshape(positions, &apart);
    for (index, &dim) in windows.iter().enumerate() {
        let mut offset_sizes = vec![1; apart.len()];
        let window = cx.number(numbers.window[dim])?;
        offset_sizes[batch + index] = window;
        offset_sizes[apart.len() - 1] = moving.len() as i64;
        let offsets: Vec<i64> = (0..window)
            .flat_map(|step| moving.iter().map(move |&other| if other == dim { step } else { 0 }))
            .collect();
        let offsets = cx.integers(Element::I64, &offset_sizes, &offsets);
        positions = cx.elementwise(onnx::ADD, &[positions, offsets]);
    }
    Ok(positions)
}

/// Rearranges a value with these axes to the result's layout. Axes that either side lacks have size 1; missing axes
/// of the indices are broadcast.
fn arrange(
    cx: &mut Lower,
    value: ValueId,
    axes: &[AxisKind],
    numbers: &GatherShape,
    result: &[Dim],
) -> ValueId {
    let sizes = cx.dims(value);
    let place = |axis: &AxisKind| numbers.layout.iter().position(|own| own == axis);
    let kept: Vec<(usize, Dim)> =
        axes.iter().zip(&sizes).filter_map(|(axis, &size)| Some((place(axis)?, size))).collect();
    let own: Dims = kept.iter().map(|&(_, size)| size).collect();
    let value = cx.reshape(value, &own);
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|&index| kept[index].0);
    let permutation: Vec<i64> = order.iter().map(|&index| index as i64).collect();
    let value = cx.transpose(value, &permutation);
    let mut aligned: Dims = result.iter().map(|_| Dim::Known(1)).collect();
    kept.iter().for_each(|&(place, size)| aligned[place] = size);
    let value = cx.reshape(value, &aligned);
    cx.broadcast_to(value, result)
}
