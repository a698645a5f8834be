//! Windows that become ONNX pools.
//!
//! The window's dimensions become spatial ones, all others batch and channel. ONNX Runtime refuses padding as wide as
//! the kernel, so it becomes a `Pad`. Its `MaxPool` ignores NaN: [`super::slices`] is exact.

use super::Window;
use crate::ir::{Dim, DimExprs, Dims, Element, ValueId, onnx};
use crate::ops::Lower;
use crate::ops::kernel_attributes::{KernelAttributes, Pads};
use crate::ops::padding::{self, Along};
use crate::ops::region::Combiner;

/// ONNX Runtime pools over one to three dimensions.
const SPATIAL: usize = 3;

/// The first opset with an `AveragePool` that has dilations.
const DILATED_AVERAGE: u32 = 19;

/// Longer sums are split.
const LONG_SUM: i64 = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pool {
    Max,
    Min,
    Sum,
}

/// The windows, without the initial value; `None` if no pool computes them.
pub(super) fn lower(
    cx: &mut Lower,
    op: crate::ir::OpId,
    combiner: Combiner,
    value: ValueId,
    neutral: ValueId,
    window: &Window,
    out: &[Dim],
) -> Option<ValueId> {
    let element = cx.element(value);
    let pool = match combiner {
        Combiner::Maximum => Pool::Max,
        Combiner::Minimum => Pool::Min,
        Combiner::Add => Pool::Sum,
        _ => return None,
    };
    let sizes = cx.dims(value);
    let pooled: Vec<usize> = (0..window.rank()).filter(|&axis| !window.is_trivial(axis)).collect();
    let dilated = pooled.iter().any(|&axis| window.sizes[axis] > 1 && window.dilations[axis] > 1);
    if !element.is_float() || pooled.len() > SPATIAL || window.base.iter().any(|&base| base > 1) {
        return None;
    }
    let same = auto_pad(cx, value, window, out);
    match pool {
        // There is no f64 kernel, and dilations came later. The kernel adds one element after the other, so its
        // error grows with their number.
        Pool::Sum
            if element == Element::F64
                || (dilated && cx.opset() < DILATED_AVERAGE)
                || window.count() > LONG_SUM =>
        {
            return None;
        }
        Pool::Max | Pool::Min if cx.options.strict_nan => return None,
        Pool::Max | Pool::Min
            if same.is_none()
                && pooled
                    .iter()
                    .any(|&axis| misses(&cx.module.dim_exprs, window, axis, sizes[axis], out[axis])) =>
        {
            return None;
        }
        _ => {}
    }
    // A window over everything is a reduction.
    let whole = |&axis: &usize| {
        let whole = sizes[axis] == Dim::Known(window.sizes[axis]) && out[axis] == Dim::Known(1);
        whole && (window.low[axis], window.high[axis]) == (Dim::Known(0), Dim::Known(0))
    };
    if pooled.iter().all(whole) {
        return None;
    }
    // The kernels start at the lowest finite number, except for windows over two dimensions inside of the operand.
    let begins_finite = pool != Pool::Sum && element == Element::F32;
    let loses_infinity = begins_finite && !(pool == Pool::Max && is_finite_below(cx, value));
    if loses_infinity && pooled.len() == SPATIAL {
        return None;
    }
    let (mut window, mut value, mut places) = (window.clone(), value, out.to_vec());
    for &axis in pooled.iter().filter(|_| same.is_none()) {
        reach_beyond(&cx.module.dim_exprs, &mut window, axis, sizes[axis], &mut places[axis]);
    }
    window.dilations.iter_mut().zip(&window.sizes).for_each(|(dilation, &size)| {
        if size == 1 {
            *dilation = 1;
        }
    });
    let fits = |axis: usize, amount: Dim| {
        amount.known().is_some_and(|amount| (0..window.sizes[axis]).contains(&amount))
    };
    let narrow = pooled.iter().all(|&axis| fits(axis, window.low[axis]) && fits(axis, window.high[axis]));
    let none = Dim::Known(0);
    let is_padded = pooled.iter().any(|&axis| window.low[axis] != none || window.high[axis] != none);
    // From opset 19 on, releases of ONNX Runtime before 1.26 do not count padding that is only at the end.
    let miscounts = pool == Pool::Sum
        && cx.opset() >= DILATED_AVERAGE
        && same.is_none()
        && pooled.iter().any(|&axis| window.low[axis] != window.high[axis]);
    if !narrow && same.is_none() || loses_infinity && is_padded || miscounts {
        value = cx.pad(value, &window.low, &window.high, neutral);
        window = window.without_padding();
    }
    if pool != Pool::Sum {
        cx.report_nan(op);
    }
    let all = if loses_infinity && pooled.len() == 1 {
        beside_one(cx, pool, value, &window, pooled[0], &places)
    } else {
        emit(cx, pool, value, &window, &pooled, &places)
    };
    let starts = vec![0; places.len()];
    Some(cx.slice(all, &starts, out, &vec![1; places.len()]))
}

/// Pads the end of a symbolic dimension that may be shorter than the window: there is no window then, but ONNX
/// Runtime finds one, or fails. The extra windows must be sliced off.
fn reach_beyond(known: &DimExprs, window: &mut Window, axis: usize, size: Dim, places: &mut Dim) {
    let extent = window.extent(axis);
    let padded = known.sum([size, window.low[axis], window.high[axis]]);
    if let Some((more, all)) = padding::beyond(known, padded, extent, window.strides[axis]) {
        window.high[axis] = known.add(window.high[axis], Dim::Known(more));
        *places = all;
    }
}

/// A pool along one dimension, with an extra dimension of size 1.
fn beside_one(
    cx: &mut Lower,
    pool: Pool,
    value: ValueId,
    window: &Window,
    axis: usize,
    out: &[Dim],
) -> ValueId {
    let (mut window, mut sizes, mut places) = (window.clone(), cx.dims(value), out.to_vec());
    sizes.insert(axis, Dim::Known(1));
    places.insert(axis, Dim::Known(1));
    for list in [&mut window.sizes, &mut window.strides, &mut window.base, &mut window.dilations] {
        list.insert(axis, 1);
    }
    window.low.insert(axis, Dim::Known(0));
    window.high.insert(axis, Dim::Known(0));
    let flat = cx.reshape(value, &sizes);
    let result = emit(cx, pool, flat, &window, &[axis, axis + 1], &places);
    cx.reshape(result, out)
}

/// Whether all elements of a value are known to be above minus infinity, usually after a ReLU.
fn is_finite_below(cx: &Lower, value: ValueId) -> bool {
    let mut values = vec![value];
    let mut steps = 0;
    while let Some(value) = values.pop() {
        steps += 1;
        let Some(op) = cx.module.defining_op(value).filter(|_| steps < STEPS) else { return false };
        let operands = &cx.module.op(op).operands;
        let is_bound =
            |&bound: &ValueId| cx.known_number(bound).is_some_and(|bound| bound > f64::NEG_INFINITY);
        match cx.module.op(op).name {
            onnx::RELU | onnx::SIGMOID | onnx::TANH | onnx::ABS | onnx::EXP | onnx::SQRT | onnx::SOFTMAX => {}
            onnx::MAX if operands.iter().any(is_bound) => {}
            onnx::CLIP if operands.get(1).is_some_and(is_bound) => {}
            onnx::CONSTANT if is_bound(&value) => {}
            onnx::TRANSPOSE | onnx::RESHAPE | onnx::SLICE | onnx::MAX_POOL => values.push(operands[0]),
            onnx::PAD if operands.get(2).is_none_or(is_bound) => values.push(operands[0]),
            onnx::CONCAT => values.extend_from_slice(operands),
            _ => return false,
        }
    }
    true
}

/// Limits how many ops are searched for a bound.
const STEPS: usize = 64;

/// The `auto_pad` for symbolic padding.
pub(super) fn auto_pad(cx: &Lower, value: ValueId, window: &Window, out: &[Dim]) -> Option<&'static str> {
    let sizes = cx.dims(value);
    let pooled: Vec<usize> = (0..window.rank()).filter(|&axis| !window.is_trivial(axis)).collect();
    let along = |&axis: &usize| Along {
        size: sizes[axis],
        places: out[axis],
        window: window.sizes[axis],
        stride: window.strides[axis],
        low: window.low[axis],
        high: window.high[axis],
    };
    let is_plain = |&axis: &usize| window.extent(axis) == window.sizes[axis] && window.base[axis] == 1;
    let axes: Vec<Along> = pooled.iter().map(along).collect();
    pooled.iter().all(is_plain).then(|| padding::auto_pad(&cx.module.dim_exprs, &axes))?
}

/// Whether some window along the dimension may have no element of the operand.
fn misses(known: &DimExprs, window: &Window, axis: usize, size: Dim, out: Dim) -> bool {
    let (Dim::Known(low), Dim::Known(high)) = (window.low[axis], window.high[axis]) else { return true };
    let extent = window.extent(axis);
    let (Dim::Known(size), Dim::Known(out)) = (size, out) else {
        // Windows inside of the operand have elements. Those that extend beyond it do if the padding is shorter than
        // the window, unless dilation skips the only element.
        let inside = low <= 0 && high <= 0;
        let reaches_in = low < extent && high < extent && window.dilations[axis] == 1;
        return !(inside || reaches_in && known.is_at_least(size, 1));
    };
    let hit = |place: i64| {
        let first = place * window.strides[axis] - low;
        (0..window.sizes[axis]).any(|k| (0..size).contains(&(first + k * window.dilations[axis])))
    };
    !(0..out).all(hit)
}

fn emit(
    cx: &mut Lower,
    pool: Pool,
    value: ValueId,
    window: &Window,
    pooled: &[usize],
    out: &[Dim],
) -> ValueId {
    let (element, sizes) = (cx.element(value), cx.dims(value));
    let others: Vec<usize> = (0..window.rank()).filter(|axis| !pooled.contains(axis)).collect();
    // Under `vmap` a dimension of size 1 is between batch and image. Without it the Transposes on both sides are
    // those of an image, which cancel.
    let spare = others.iter().copied().filter(|&axis| sizes[axis] == Dim::Known(1));
    let spare: Vec<usize> = spare.take(others.len().saturating_sub(2)).collect();
    if !spare.is_empty() {
        let kept: Vec<usize> = (0..window.rank()).filter(|axis| !spare.contains(axis)).collect();
        let pick = |sizes: &[Dim]| -> Dims { kept.iter().map(|&axis| sizes[axis]).collect() };
        let pooled: Vec<usize> = (0..kept.len()).filter(|&index| pooled.contains(&kept[index])).collect();
        let value = cx.reshape(value, &pick(&sizes));
        let result = emit(cx, pool, value, &window.along(&kept), &pooled, &pick(out));
        return cx.reshape(result, out);
    }
    let order: Vec<i64> = others.iter().chain(pooled).map(|&axis| axis as i64).collect();
    let moved = cx.transpose(value, &order);
    // Merges other dimensions into batch and channel. A symbolic channel would have to be computed, and ONNX Runtime
    // refuses one of size 0.
    let apart = others.split_last().filter(|(last, _)| sizes[**last].known().is_some());
    let (channel, batch) = apart.map_or((Dim::Known(1), &others[..]), |(&last, rest)| (sizes[last], rest));
    let batch = cx.module.dim_exprs.product(batch.iter().map(|&axis| sizes[axis]));
    let pick = |list: &[i64]| pooled.iter().map(|&axis| list[axis]).collect::<Vec<i64>>();
    let shape = |sizes: &[Dim]| -> Dims {
        [batch, channel].into_iter().chain(pooled.iter().map(|&axis| sizes[axis])).collect()
    };
    let (input, output) = (shape(&sizes), shape(out));
    let mut pooling = cx.reshape(moved, &input);
    if pool == Pool::Min {
        pooling = cx.elementwise(onnx::NEG, &[pooling]);
    }
    let name = if pool == Pool::Sum { onnx::AVERAGE_POOL } else { onnx::MAX_POOL };
    let same = auto_pad(cx, value, window, out);
    let numbers =
        |list: &[Dim]| -> Vec<i64> { pooled.iter().filter_map(|&axis| list[axis].known()).collect() };
    let pads = [numbers(&window.low), numbers(&window.high)].concat();
    let is_padded = same.is_some() || pads.iter().any(|&amount| amount != 0);
    let kernel = KernelAttributes {
        kernel_shape: pick(&window.sizes),
        strides: pick(&window.strides),
        dilations: (pool != Pool::Sum || cx.opset() >= DILATED_AVERAGE).then(|| pick(&window.dilations)),
        pads: same.map_or(Pads::Numbers(pads), Pads::Auto),
    };
    let node = kernel.write(cx.node(name, &[pooling]));
    let node = if pool == Pool::Sum && is_padded { node.int("count_include_pad", 1) } else { node };
    let mut result = node.out(element, &output);
    match pool {
        Pool::Max => {}
        Pool::Min => result = cx.elementwise(onnx::NEG, &[result]),
        Pool::Sum => {
            let count = cx.scalar(element, window.count() as f64);
            result = cx.elementwise(onnx::MUL, &[result, count]);
        }
    }
    let apart: Dims = order.iter().map(|&axis| out[axis as usize]).collect();
    let result = cx.reshape(result, &apart);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(index, &axis)| back[axis as usize] = index as i64);
    cx.transpose(result, &back)
}
