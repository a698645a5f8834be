//! Scatters with an arbitrary region: vectorizes the region to whole windows, which are read, combined and written
//! back. If updates may overlap, loops over the windows in order.
//!
//! Windows that are not inside of the operand go to an extra row at the end, which is dropped.

use super::super::control::{Input, Length, LoopBuilder};
use super::{RowUpdate, RowView, ScatterPlan, ScatterShape};
use crate::ir::{Dim, Dims, Element, OpId, RegionId, ValueId, onnx};
use crate::ops::{Combiner, Lower, LowerError, Lowered};

/// A scatter with an arbitrary region.
pub(super) fn scatter(
    cx: &mut Lower,
    op: OpId,
    region: RegionId,
    plan: &ScatterPlan,
    numbers: &ScatterShape,
) -> Lowered {
    let count = cx.module.op(op).results.len();
    if cx.parameters(region)?.len() != 2 * count || cx.returned(region)?.len() != count {
        return Err(LowerError::form("an update computation that does not match the number of results"));
    }
    let mut rows = plan.rows.clone();
    let mut positions = plan.positions;
    if let Some(valid) = plan.valid {
        let beyond = cx.size_scalar(rows.count, Element::I64);
        positions = cx.node(onnx::WHERE, &[valid, positions, beyond]).like(positions);
        rows.count = cx.module.dim_exprs.add(rows.count, Dim::Known(1));
    }
    let mut data = Vec::with_capacity(count);
    let mut updates = Vec::with_capacity(count);
    for input in 0..count {
        let operand = cx.full(op, input)?;
        let operand = plan.rows.of(cx, operand);
        data.push(if plan.valid.is_some() { with_spare_row(cx, operand, plan) } else { operand });
        let update = cx.full(op, count + 1 + input)?;
        updates.push(plan.updates(cx, update, numbers));
    }
    let written = if plan.distinct {
        write(cx, region, &rows, &data, positions, &updates)?
    } else {
        one_by_one(cx, region, &rows, data, positions, updates, numbers.batch_dims.len())?
    };
    let mut results = Vec::with_capacity(count);
    for value in written {
        let mut high = plan.rows.sizes();
        let low = vec![0; high.len()];
        high[0] = plan.rows.count;
        let kept = cx.slice(value, &low, &high, &vec![1; low.len()]);
        results.push(cx.reshape(kept, &numbers.sizes));
    }
    Ok(results.into_iter().collect())
}

/// The rows and one more. Any will do: the first, or zeros where there may be no row.
fn with_spare_row(cx: &mut Lower, data: ValueId, plan: &ScatterPlan) -> ValueId {
    let mut high = plan.rows.sizes();
    let low = vec![0; high.len()];
    let (fewest, _) = cx.module.dim_exprs.bounds(high[0]);
    high[0] = Dim::Known(1);
    let spare = if fewest.is_some_and(|fewest| fewest > 0) {
        cx.slice(data, &low, &high, &vec![1; low.len()])
    } else {
        let element = cx.element(data);
        let zero = cx.constant(element, &[], &vec![0; element.bytes()]);
        cx.broadcast_to(zero, &high)
    };
    cx.concat(&[data, spare], 0)
}

/// Reads the rows, combines them with the updates and writes them. No two updates have a row that is kept.
fn write(
    cx: &mut Lower,
    region: RegionId,
    rows: &RowView,
    data: &[ValueId],
    positions: ValueId,
    updates: &[ValueId],
) -> Result<Vec<ValueId>, LowerError> {
    let mut sizes: Dims = cx.dims(positions);
    sizes.extend(rows.inner.iter().copied());
    let vectorized = cx.vectorize_region(region, &sizes)?;
    let mut arguments = Vec::with_capacity(2 * data.len());
    for &value in data {
        let element = cx.element(value);
        arguments.push(cx.node(onnx::GATHER, &[value, positions]).int("axis", 0).out(element, &sizes));
    }
    arguments.extend_from_slice(updates);
    let combined = cx.inline(vectorized, &arguments)?;
    let mut written = Vec::with_capacity(data.len());
    for (&operand, updates) in data.iter().zip(combined) {
        let write = RowUpdate { positions, updates, combiner: Combiner::Second, distinct: true };
        written.push(cx.write_rows(operand, rows, &write)?);
    }
    Ok(written)
}

/// The same, window by window.
fn one_by_one(
    cx: &mut Lower,
    region: RegionId,
    rows: &RowView,
    data: Vec<ValueId>,
    positions: ValueId,
    updates: Vec<ValueId>,
    batch: usize,
) -> Result<Vec<ValueId>, LowerError> {
    let joined = |cx: &mut Lower, value: ValueId| {
        let sizes = cx.dims(value);
        let (batch, rest) = sizes.split_at(batch);
        let windows = cx.module.dim_exprs.product(batch.iter().copied());
        let value = cx.reshape(value, &[&[windows], rest].concat());
        (Input { value, axis: 0, backward: false }, windows)
    };
    let (input, windows) = joined(cx, positions);
    let mut inputs = vec![input];
    for update in updates {
        inputs.push(joined(cx, update).0);
    }
    let rounds = LoopBuilder {
        length: Length::Sized(windows),
        carried: data.iter().map(|&value| (cx.element(value), rows.sizes().to_vec())).collect(),
        inits: data,
        inputs,
        outputs: Vec::new(),
        numbered: false,
    };
    let (written, _) = rounds.emit(cx, |cx, round| {
        let [positions, updates @ ..] = round.slices else { return Err(LowerError::form("no windows")) };
        let written = write(cx, region, rows, round.carried, *positions, updates)?;
        Ok((written, Vec::new()))
    })?;
    Ok(written)
}
