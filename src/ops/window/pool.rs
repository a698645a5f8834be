//! Windows that are ONNX's pools.
//!
//! The dimensions that the window covers become the spatial ones, all others batch and channel. ONNX Runtime refuses
//! padding as wide as the kernel, so such padding is a `Pad` before it. Its `MaxPool` passes over NaN, and begins at
//! the lowest finite number where XLA begins at minus infinity: exactness is the slices' ([`super::slices`]).

use super::Window;
use crate::ir::{Dim, Dims, Element, Sizes, ValueId};
use crate::ops::Lower;
use crate::ops::padding::{self, Along};
use crate::ops::region::Combiner;

/// ONNX Runtime pools over one to three dimensions.
const SPATIAL: usize = 3;

/// Longer sums are made from shorter ones.
const LONG_SUM: i64 = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pool {
    Max,
    Min,
    Sum,
}

/// The windows, without the initial value; `None` where no pool computes them.
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
        // No kernel for f64, and dilations came with opset 19. The kernel adds one element after the other, and its error
        // grows with their number.
        Pool::Sum if element == Element::F64 || (dilated && cx.opset() < 19) || window.count() > LONG_SUM => {
            return None;
        }
        Pool::Max | Pool::Min if cx.settings.strict_nan => return None,
        Pool::Max | Pool::Min
            if same.is_none()
                && pooled
                    .iter()
                    .any(|&axis| misses(&cx.module.sizes, window, axis, sizes[axis], out[axis])) =>
        {
            return None;
        }
        _ => {}
    }
    // A window over all there is, is a reduction.
    let whole = |&axis: &usize| {
        let whole = sizes[axis] == Dim::Known(window.sizes[axis]) && out[axis] == Dim::Known(1);
        whole && (window.low[axis], window.high[axis]) == (Dim::Known(0), Dim::Known(0))
    };
    if pooled.iter().all(whole) {
        return None;
    }
    let mut window = window.clone();
    let mut value = value;
    let fits = |axis: usize, amount: Dim| {
        amount.known().is_some_and(|amount| (0..window.sizes[axis]).contains(&amount))
    };
    let narrow = pooled.iter().all(|&axis| fits(axis, window.low[axis]) && fits(axis, window.high[axis]));
    if !narrow && same.is_none() {
        value = cx.pad(value, &window.low, &window.high, neutral);
        window = window.without_padding();
    }
    if pool != Pool::Sum {
        cx.report_nan(op);
    }
    Some(emit(cx, pool, value, &window, &pooled, dilated, out))
}

/// The padding that the pool computes, where it is not numbers.
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
    pooled.iter().all(is_plain).then(|| padding::auto_pad(&cx.module.sizes, &axes))?
}

/// Whether some window along the dimension may have no element of the operand.
fn misses(known: &Sizes, window: &Window, axis: usize, size: Dim, out: Dim) -> bool {
    let (Dim::Known(low), Dim::Known(high)) = (window.low[axis], window.high[axis]) else { return true };
    let extent = window.extent(axis);
    let (Dim::Known(size), Dim::Known(out)) = (size, out) else {
        // Windows inside of the operand have elements. Those that reach out of it do where the padding is shorter
        // than they are, unless dilation steps over the only element.
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
    dilated: bool,
    out: &[Dim],
) -> ValueId {
    let (element, sizes) = (cx.element(value), cx.dims(value));
    let others: Vec<usize> = (0..window.rank()).filter(|axis| !pooled.contains(axis)).collect();
    let order: Vec<i64> = others.iter().chain(pooled).map(|&axis| axis as i64).collect();
    let moved = cx.transpose(value, &order);
    // Batch and channel, whatever the number of dimensions that they come from. A channel that is no number would
    // have to be computed beside the batch, and ONNX Runtime refuses one of size 0.
    let apart = others.split_last().filter(|(last, _)| sizes[**last].known().is_some());
    let (channel, batch) = apart.map_or((Dim::Known(1), &others[..]), |(&last, rest)| (sizes[last], rest));
    let batch = cx.module.sizes.product(batch.iter().map(|&axis| sizes[axis]));
    let pick = |list: &[i64]| pooled.iter().map(|&axis| list[axis]).collect::<Vec<i64>>();
    let shape = |sizes: &[Dim]| -> Dims {
        [batch, channel].into_iter().chain(pooled.iter().map(|&axis| sizes[axis])).collect()
    };
    let (input, output) = (shape(&sizes), shape(out));
    let mut pooling = cx.reshape(moved, &input);
    if pool == Pool::Min {
        pooling = cx.elementwise("Neg", &[pooling]);
    }
    let name = if pool == Pool::Sum { "AveragePool" } else { "MaxPool" };
    let same = auto_pad(cx, value, window, out);
    let mut node = cx.node(name, &[pooling]).ints("kernel_shape", &pick(&window.sizes));
    if pick(&window.strides).iter().any(|&stride| stride != 1) {
        node = node.ints("strides", &pick(&window.strides));
    }
    let numbers =
        |list: &[Dim]| -> Vec<i64> { pooled.iter().filter_map(|&axis| list[axis].known()).collect() };
    let pads = [numbers(&window.low), numbers(&window.high)].concat();
    if let Some(same) = same {
        node = node.string("auto_pad", same);
        if pool == Pool::Sum {
            node = node.int("count_include_pad", 1);
        }
    } else if pads.iter().any(|&amount| amount != 0) {
        node = node.ints("pads", &pads);
        if pool == Pool::Sum {
            node = node.int("count_include_pad", 1);
        }
    }
    if dilated {
        node = node.ints("dilations", &pick(&window.dilations));
    }
    let mut result = node.out(element, &output);
    match pool {
        Pool::Max => {}
        Pool::Min => result = cx.elementwise("Neg", &[result]),
        Pool::Sum => {
            let count = cx.scalar(element, window.count() as f64);
            result = cx.elementwise("Mul", &[result, count]);
        }
    }
    let apart: Dims = order.iter().map(|&axis| out[axis as usize]).collect();
    let result = cx.reshape(result, &apart);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(index, &axis)| back[axis as usize] = index as i64);
    cx.transpose(result, &back)
}
