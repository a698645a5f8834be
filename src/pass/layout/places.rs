//! Ops with indices along dimensions, on an operand without its Transpose: Gather, Pad, Resize, Slice.

use super::transparent::{NewOperand, Order, Transposed, remaining, unpermuted};
use crate::ir::{Attribute, Data, Dims, Module, OpId, ValueId, axis_index, onnx};

/// Such an op when its first operand is read without its Transpose.
pub(super) fn step(module: &Module, op: OpId, order: Order) -> Option<Transposed> {
    let operation = module.op(op);
    let [result] = operation.results[..] else { return None };
    let dims = &module.tensor(result)?.dims;
    match module.op(op).name {
        onnx::GATHER => gather(module, op, dims, order),
        onnx::PAD => pad(module, &operation.operands, dims, order),
        onnx::RESIZE => resize(module, op, dims, order),
        onnx::SLICE => slice(module, &operation.operands, dims, order),
        _ => None,
    }
}

/// A single index removes the dimension, a list keeps it.
fn gather(module: &Module, op: OpId, dims: &Dims, order: Order) -> Option<Transposed> {
    let [_, indices] = module.op(op).operands[..] else { return None };
    let axis = axis_index(module.attribute(op, "axis").map_or(Some(0), Attribute::as_integer)?, order.len())?;
    let place = order[axis] as i64;
    let order = match module.tensor(indices)?.rank() {
        0 => remaining(&order, &[axis]),
        1 => order,
        _ => return None,
    };
    let operands = vec![NewOperand::Base, NewOperand::Same];
    Some(Transposed { operands, axis: Some(("axis", place)), dims: unpermuted(dims, &order)?, order })
}

fn slice(module: &Module, operands: &[ValueId], dims: &Dims, order: Order) -> Option<Transposed> {
    let [_, _, _, axes, ref steps @ ..] = operands[..] else { return None };
    let axes = module.known_integers(axes)?;
    let moved = axes.into_iter().map(|value| Some(order[axis_index(value, order.len())?] as i64));
    let mut operands = vec![NewOperand::Base, NewOperand::Same, NewOperand::Same];
    operands.push(NewOperand::Integers(moved.collect::<Option<_>>()?));
    operands.extend(steps.iter().map(|_| NewOperand::Same));
    Some(Transposed { operands, axis: None, dims: unpermuted(dims, &order)?, order })
}

/// The amounts before all dimensions, then those after.
fn pad(module: &Module, operands: &[ValueId], dims: &Dims, order: Order) -> Option<Transposed> {
    let [_, pads, ref padding @ ..] = operands[..] else { return None };
    let pads = module.known_integers(pads)?;
    let rank = order.len();
    if pads.len() != 2 * rank || padding.len() > 1 {
        return None;
    }
    let mut moved = vec![0; 2 * rank];
    for (to, &from) in order.iter().enumerate() {
        (moved[from], moved[from + rank]) = (pads[to], pads[to + rank]);
    }
    let mut operands = vec![NewOperand::Base, NewOperand::Integers(moved)];
    operands.extend(padding.iter().map(|_| NewOperand::Same));
    Some(Transposed { operands, axis: None, dims: unpermuted(dims, &order)?, order })
}

fn resize(module: &Module, op: OpId, dims: &Dims, order: Order) -> Option<Transposed> {
    let [_, region, scales] = module.op(op).operands[..] else { return None };
    let constant = module.constant(module.constant_of(scales)?);
    let Data::Bytes(bytes) = &constant.data else { return None };
    if region != module.absent() || bytes.len() != 4 * order.len() || module.attribute(op, "axes").is_some() {
        return None;
    }
    let mut moved = vec![1.0; order.len()];
    for (chunk, &from) in bytes.chunks_exact(4).zip(&order) {
        moved[from] = f32::from_le_bytes(chunk.try_into().ok()?);
    }
    let is_nearest =
        matches!(module.attribute(op, "mode"), Some(Attribute::String(mode)) if &**mode == "nearest");
    if !is_nearest && !interpolates(&moved) {
        return None;
    }
    let operands = vec![NewOperand::Base, NewOperand::Same, NewOperand::Floats(moved)];
    Some(Transposed { operands, axis: None, dims: unpermuted(dims, &order)?, order })
}

/// Whether ONNX Runtime can interpolate images along these dimensions: rows and columns, with channels before or
/// after.
fn interpolates(scales: &[f32]) -> bool {
    matches!(scales, [batch, first, _, last] if *batch == 1.0 && (*first == 1.0 || *last == 1.0))
}
