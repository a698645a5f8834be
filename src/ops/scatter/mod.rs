//! `scatter`: windows of updates written into an operand at computed positions.
//!
//! The dimension numbers are those of `gather` reversed (StableHLO, `scatter`). The operand's dimensions up to the
//! last one whose window is smaller are merged into rows, so that the operand is never transposed. Each window
//! becomes a set of rows at `sum of start * stride`, which `ScatterND` writes. Windows that are not entirely inside
//! of the operand are dropped, like in XLA, in one of three ways:
//!
//! * a reduction of few updates: they become the neutral element, at the nearest position;
//! * one window: it is replaced by the current elements;
//! * otherwise: the operand gets an extra row for them, which is dropped.
//!
//! Regions that are not a single [`Combiner`] of each input with its update, and bitwise ones on integers, which ONNX
//! cannot reduce, are computed window by window: see [`general`]. Regions that are not elementwise are refused.

mod general;
mod rows;

use crate::ops::row::{Row, row};
use crate::ops::type_inference::{AtLeast, index, variadic};
pub(super) use rows::{RowUpdate, RowView};

use super::start_indices::{StartIndices, StridedAxis, strides};
use super::{Combiner, Elements, GatherDimensionNumbers, Lower, LowerError, Lowered, Values};
use crate::ir::{Dim, Dims, Element, OpId, ValueId, onnx, stablehlo};

pub(super) const ROWS: &[Row] = &[row(
    stablehlo::SCATTER,
    variadic(3, AtLeast(1), index::scatter),
    Elements::PLAIN,
    scatter,
)
.note(
    "ScatterND of rows, window by window for other regions; windows not fully in range are dropped as in XLA",
)];

/// The dimension numbers with the types that they are for.
#[derive(Debug)]
struct ScatterShape {
    /// Sizes of the operand.
    sizes: Dims,
    /// Sizes of the window, 1 in inserted and batching dimensions.
    window: Dims,
    /// For each dimension of the operand, the dimension of the updates that its window is.
    window_dims: Vec<Option<usize>>,
    /// The other dimensions of the updates.
    batch_dims: Vec<usize>,
    /// Pairs of a dimension of the operand and an axis of the positions, of sizes above 1.
    batching: Vec<(usize, usize)>,
    /// The dimension of the operand that each column is for.
    map: Vec<usize>,
    vector_dim: usize,
}

/// Where the windows go, for all inputs alike.
struct ScatterPlan {
    /// Row numbers, of the sizes of the positions and of the window in the joined dimensions.
    positions: ValueId,
    /// How many dimensions are joined.
    joined: usize,
    rows: RowView,
    /// Whether each position of a window is in range, of the rank of `positions`; `None` when all are known to be.
    valid: Option<ValueId>,
    /// Whether there is one window.
    single: bool,
    /// Whether no two updates have the same row.
    distinct: bool,
}

fn scatter(cx: &mut Lower, op: OpId) -> Lowered {
    let count = cx.module.op(op).results.len();
    let region = cx.region(op, 0)?;
    let numbers = numbers(cx, op, count)?;
    let updates = cx.operand_dims(op, count + 1)?;
    if updates.iter().chain(&numbers.sizes).any(|&size| size == Dim::Known(0)) {
        return (0..count).map(|input| cx.full(op, input)).collect::<Result<Values, _>>();
    }
    let mut starts = cx.starts(op, count, numbers.vector_dim)?;
    starts.value = cx.int64(starts.value);
    let plan = plan(cx, &starts, &numbers, cx.attributes(op).flag("unique_indices"));
    let combiners = cx.combiners(region).filter(|all| all.len() == count);
    let Some(combiners) = combiners.filter(|all| have_reductions(cx, op, all)) else {
        return general::scatter(cx, op, region, &plan, &numbers);
    };
    let mut results = Vec::with_capacity(count);
    for (input, &combiner) in combiners.iter().enumerate() {
        let (operand, updates) = (cx.full(op, input)?, cx.full(op, count + 1 + input)?);
        results.push(write(cx, operand, updates, combiner, &plan, &numbers)?);
    }
    Ok(results.into_iter().collect())
}

/// Whether ONNX can combine the inputs like this in the opset.
fn have_reductions(cx: &Lower, op: OpId, combiners: &[Combiner]) -> bool {
    combiners.iter().enumerate().all(|(input, &combiner)| {
        let boolean = cx.operand_type(op, input).is_ok_and(|ty| ty.element == Element::Bool);
        rows::reduction(combiner, boolean).is_some_and(|(_, since)| since <= cx.opset())
    })
}

fn numbers(cx: &Lower, op: OpId, inputs: usize) -> Result<ScatterShape, LowerError> {
    let numbers = GatherDimensionNumbers::read(cx.module, op)?;
    let (sizes, indices) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, inputs)?);
    let updates = cx.operand_dims(op, inputs + 1)?;
    let mut window_dims = vec![None; sizes.len()];
    let mut window: Dims = sizes.iter().map(|_| Dim::Known(1)).collect();
    for (dim, of_updates) in numbers.window_dims(sizes.len()) {
        (window_dims[dim], window[dim]) = (Some(of_updates), updates[of_updates]);
    }
    let batch_dims = numbers.batch_dims(indices.len()).into_iter().map(|pair| pair.1).collect();
    let batching = numbers.batching_axes(&sizes);
    let (map, vector_dim) = (numbers.start_index_map, numbers.index_vector_dim);
    Ok(ScatterShape { sizes, window, window_dims, batch_dims, batching, map, vector_dim })
}

fn plan(cx: &mut Lower, starts: &StartIndices, numbers: &ScatterShape, unique: bool) -> ScatterPlan {
    let ScatterShape { sizes, window, .. } = numbers;
    let partial = |dim: usize| window[dim] != sizes[dim];
    let joined = (0..sizes.len()).rev().find(|&dim| partial(dim)).map_or(0, |dim| dim + 1);
    let known = &cx.module.dim_exprs;
    let count = known.product(sizes[..joined].iter().copied());
    let rows = RowView { count, inner: Dims::from_slice(&sizes[joined..]) };
    let steps = strides(known, &sizes[..joined]);
    let limit = |dim: usize| known.subtract(sizes[dim], window[dim]);
    let guarded = |column: usize| !starts.ranges[column].within(known, limit(numbers.map[column]));
    let used: Vec<usize> =
        (0..numbers.map.len()).filter(|&column| partial(numbers.map[column]) || guarded(column)).collect();
    let step = |column: usize| steps.get(numbers.map[column]).copied().unwrap_or(Dim::Known(0));
    let stride: Dims = used.iter().map(|&column| step(column)).collect();
    let limits: Dims = used.iter().map(|&column| limit(numbers.map[column])).collect();
    let guard = used.iter().any(|&column| guarded(column));
    let used = cx.select_columns(starts, &used);
    let (position, valid) =
        if guard { checked(cx, &used, &limits, &stride) } else { (cx.linear(&used, &stride), None) };

    let mut counts: Vec<(usize, StridedAxis)> = numbers
        .batching
        .iter()
        .map(|&(dim, axis)| (axis, StridedAxis { size: sizes[dim], stride: steps[dim] }))
        .collect();
    let batch = starts.batch.len();
    counts.extend(
        (0..joined)
            .filter(|&dim| numbers.window_dims[dim].is_some())
            .enumerate()
            .map(|(index, dim)| (batch + index, StridedAxis { size: window[dim], stride: steps[dim] })),
    );
    let rank = batch + (0..joined).filter(|&dim| numbers.window_dims[dim].is_some()).count();
    let positions = cx.add_counts(position, rank, &counts);
    let valid = valid.map(|valid| {
        let mut aligned = starts.batch.clone();
        aligned.resize(rank, Dim::Known(1));
        cx.reshape(valid, &aligned)
    });
    let paired = cx.module.dim_exprs.product(numbers.batching.iter().map(|&(_, axis)| starts.batch[axis]));
    let count = starts.count(&cx.module.dim_exprs);
    let single = count == Dim::Known(1);
    let distinct = unique || count == paired || all_differ(cx, positions);
    ScatterPlan { positions, joined, rows, valid, single, distinct }
}

/// The row of each window, the nearest for one that is not all inside of the operand, and whether it is.
fn checked(
    cx: &mut Lower,
    starts: &StartIndices,
    limits: &[Dim],
    stride: &[Dim],
) -> (ValueId, Option<ValueId>) {
    let clamped = cx.clamp_columns(starts, limits);
    let equal = cx.elementwise_to(onnx::EQUAL, &[clamped.value, starts.value], Element::Bool);
    let valid = if limits.len() == 1 {
        equal
    } else {
        // Counts the columns in range, because a reduction of `bool` has no kernel before opset 20.
        let held = cx.cast(equal, Element::I64);
        let held = cx.sum_columns(held, &starts.batch);
        let all = cx.integer(Element::I64, limits.len() as i64);
        cx.elementwise_to(onnx::EQUAL, &[held, all], Element::Bool)
    };
    (cx.linear(&clamped, stride), Some(valid))
}

fn all_differ(cx: &Lower, positions: ValueId) -> bool {
    let Some(mut known) = cx.known_integers(positions) else { return false };
    let count = known.len();
    known.sort_unstable();
    known.dedup();
    known.len() == count
}

impl ScatterPlan {
    /// The updates as rows for the positions.
    fn updates(&self, cx: &mut Lower, updates: ValueId, numbers: &ScatterShape) -> ValueId {
        let (joined, inner) = numbers.window_dims.split_at(self.joined);
        let order = numbers.batch_dims.iter().copied();
        let order = order.chain(joined.iter().chain(inner).filter_map(|dim| *dim));
        let order: Vec<i64> = order.map(|dim| dim as i64).collect();
        let updates = cx.transpose(updates, &order);
        let mut sizes = cx.dims(self.positions);
        sizes.extend_from_slice(&self.rows.inner);
        cx.reshape(updates, &sizes)
    }
}

fn write(
    cx: &mut Lower,
    operand: ValueId,
    updates: ValueId,
    combiner: Combiner,
    plan: &ScatterPlan,
    numbers: &ScatterShape,
) -> Result<ValueId, LowerError> {
    let updates = plan.updates(cx, updates, numbers);
    let sizes = cx.dims(updates);
    let rank = cx.rank(plan.positions);
    let element = cx.element(operand);
    let mut write = RowUpdate { positions: plan.positions, updates, combiner, distinct: plan.distinct };
    let whole = numbers.sizes.clone();
    let Some(valid) = plan.valid else {
        let written = cx.write_rows(operand, &plan.rows, &write)?;
        return Ok(cx.reshape(written, &whole));
    };

    let mut aligned = cx.dims(valid);
    aligned.extend(plan.rows.inner.iter().map(|_| Dim::Known(1)));
    let known = &cx.module.dim_exprs;
    let more = known.subtract(known.product(sizes.iter().copied()), known.product(whole.iter().copied()));
    // Symbolic sizes may mean many more elements, but this form takes fewer ops.
    let few = !known.is_at_least(more, 1);
    let instead = match combiner {
        Combiner::Second if plan.single => {
            let data = plan.rows.of(cx, operand);
            let mut at = cx.dims(plan.positions);
            at.push(Dim::Known(1));
            let at = cx.reshape(plan.positions, &at);
            Some(cx.node(onnx::GATHER_ND, &[data, at]).out(element, &sizes))
        }
        _ if few || plan.single => cx.neutral(combiner, element),
        _ => None,
    };
    if let Some(instead) = instead {
        let valid = cx.reshape(valid, &aligned);
        write.updates = cx.node(onnx::WHERE, &[valid, updates, instead]).out(element, &sizes);
        // A dropped window shares rows with others, and writing current elements back must not race with them.
        write.distinct = plan.single;
        let written = cx.write_rows(operand, &plan.rows, &write)?;
        return Ok(cx.reshape(written, &whole));
    }
    let beyond = cx.size_scalar(plan.rows.count, Element::I64);
    let positions = cx.dims(plan.positions);
    write.positions = cx.node(onnx::WHERE, &[valid, plan.positions, beyond]).out(Element::I64, &positions);
    debug_assert_eq!(positions.len(), rank);
    let data = plan.rows.of(cx, operand);
    let (mut low, mut high) = (vec![0; plan.rows.inner.len() + 1], plan.rows.sizes());
    let steps = vec![1; high.len()];
    high[0] = Dim::Known(1);
    // Any row will do, and the first has the right type and sizes.
    let spare = cx.slice(data, &low, &high, &steps);
    let data = cx.concat(&[data, spare], 0);
    let count = cx.module.dim_exprs.add(plan.rows.count, Dim::Known(1));
    let more = RowView { count, inner: plan.rows.inner.clone() };
    let written = cx.write_rows(data, &more, &write)?;
    (low[0], high[0]) = (0, plan.rows.count);
    let kept = cx.slice(written, &low, &high, &steps);
    Ok(cx.reshape(kept, &whole))
}
