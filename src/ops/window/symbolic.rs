//! Windows of symbolic size.
//!
//! - A single window over a whole dimension is a reduction.
//! - A window as long as the dimension, padded to start or end at each element, is cumulative.
//! - Any other is a `Loop` over the window's offsets, in row-major order, as in [`super::fold`].

use super::{Window, cumulative, reach, windows};
use crate::ir::{Dim, DimExprs, Dims, Element, OpId, RegionId, ValueId, onnx};
use crate::ops::reduce::pairs;
use crate::ops::{Lower, LowerError, Lowered, WindowDimension};

pub(super) fn lower(
    cx: &mut Lower,
    op: OpId,
    region: RegionId,
    mut window: Vec<WindowDimension>,
    out: &[Dim],
) -> Lowered {
    if pairs(cx, op)? != 1 {
        return Err(LowerError::form("several operands with a window of symbolic size"));
    }
    let (value, init) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let combiners = cx.named_combiners(region);
    let Some(&[combiner]) = combiners.as_deref() else {
        return of_region(cx, region, value, init, &window, out);
    };
    let neutral =
        cx.neutral(combiner, cx.element(value)).ok_or_else(|| LowerError::form("the reduction body"))?;
    let mut dims = cx.dims(value);
    let mut value = value;
    let whole: Vec<usize> = (0..dims.len()).filter(|&axis| is_whole(&window[axis], dims[axis])).collect();
    if !whole.is_empty() {
        let axes: Vec<i64> = whole.iter().map(|&axis| axis as i64).collect();
        let reduced = cx.reduce_elements(combiner, value, &axes, op)?;
        whole.iter().for_each(|&axis| dims[axis] = Dim::Known(1));
        value = cx.reshape(reduced, &dims);
        whole.iter().for_each(|&axis| window[axis] = WindowDimension::TRIVIAL);
    }
    for (axis, &size) in dims.iter().enumerate() {
        if let Some(reverse) = is_running(&cx.module.dim_exprs, &window[axis], size) {
            value = cumulative::total(cx, combiner, value, axis, reverse)?;
            window[axis] = WindowDimension::TRIVIAL;
        }
    }
    let combined = match Window::in_numbers(&window) {
        Some(window) => windows(cx, op, combiner, value, neutral, &window, out)?,
        None => repeat(cx, region, value, neutral, &window, out)?,
    };
    Ok(cx.combine_init(combiner, init, combined).into())
}

/// Windows with an arbitrary region.
fn of_region(
    cx: &mut Lower,
    region: RegionId,
    value: ValueId,
    init: ValueId,
    window: &[WindowDimension],
    out: &[Dim],
) -> Lowered {
    let dims = cx.dims(value);
    let mut long = (0..dims.len()).filter(|&axis| !window[axis].is_trivial());
    let running = match (long.next(), long.next()) {
        (Some(axis), None) => {
            is_running(&cx.module.dim_exprs, &window[axis], dims[axis]).map(|reverse| (axis, reverse))
        }
        _ => None,
    };
    let Some((axis, reverse)) = running else {
        return Ok(repeat(cx, region, value, init, window, out)?.into());
    };
    // The order of a reduction is unspecified, so a region should be associative, and XLA also regroups cumulative
    // ones. The order of elements is kept.
    let vectorized = cx.vectorize_region(region, &dims)?;
    let combine = |cx: &mut Lower, first: ValueId, second: ValueId| {
        cx.inline(vectorized, &[first, second])?.first().copied().ok_or(LowerError::Reported)
    };
    let total = cumulative::double_in_loop(cx, value, axis, reverse, combine)?;
    Ok(combine(cx, init, total)?.into())
}

/// Goes through the window's offsets, each as one strided slice of the padded operand.
fn repeat(
    cx: &mut Lower,
    region: RegionId,
    value: ValueId,
    init: ValueId,
    window: &[WindowDimension],
    out: &[Dim],
) -> Result<ValueId, LowerError> {
    let element = cx.element(value);
    if out.contains(&Dim::Known(0)) {
        return Ok(cx.empty_tensor(element, out));
    }
    let strides: Option<Vec<i64>> = window.iter().map(|window| window.stride.known()).collect();
    let strides = strides.ok_or_else(|| LowerError::Dynamic("the stride of a window".into()))?;
    let vectorized = cx.vectorize_region(region, out)?;
    let interior: Vec<i64> = window.iter().map(|window| window.base_dilation - 1).collect();
    let spread = cx.spread(value, &interior, init);
    let sizes: Dims = window.iter().map(|window| window.size).collect();
    let low: Dims = window.iter().map(|window| window.padding_low).collect();
    let high: Dims = window.iter().map(|window| window.padding_high).collect();
    let padded = cx.pad(spread, &low, &high, init);
    let axes: Vec<usize> =
        (0..out.len()).filter(|&axis| sizes[axis] != Dim::Known(1) || strides[axis] != 1).collect();
    let pick = |dims: &[Dim]| axes.iter().map(|&axis| dims[axis]).collect::<Dims>();
    let known = &cx.module.dim_exprs;
    let within: Dims = (0..out.len()).map(|axis| known.product(sizes[axis + 1..].iter().copied())).collect();
    let reaches: Dims = (0..out.len()).map(|axis| reach(known, out[axis], strides[axis])).collect();
    let count = known.product(sizes.iter().copied());
    let (within, sizes, reaches) =
        (cx.shape(&pick(&within)), cx.shape(&pick(&sizes)), cx.shape(&pick(&reaches)));
    let steps: Vec<i64> = axes.iter().map(|&axis| strides[axis]).collect();
    let dilations: Vec<i64> = axes.iter().map(|&axis| window[axis].window_dilation).collect();
    let steps = cx.int64s(&steps);
    let along: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let along = cx.int64s(&along);
    let state = (element, out.to_vec());
    let arguments = [(Element::I64, Vec::new()), (Element::Bool, Vec::new()), state.clone()];
    let body = cx.graph(&arguments, |cx, values| {
        let row = cx.elementwise(onnx::DIV, &[values[0], within]);
        let mut starts = cx.elementwise(onnx::MOD, &[row, sizes]);
        if dilations.iter().any(|&dilation| dilation != 1) {
            let dilations = cx.int64s(&dilations);
            starts = cx.elementwise(onnx::MUL, &[starts, dilations]);
        }
        let limits = cx.elementwise(onnx::ADD, &[starts, reaches]);
        let next = cx.node(onnx::SLICE, &[padded, starts, limits, along, steps]).out(element, out);
        let mut results = vec![values[1]];
        results.extend(cx.inline(vectorized, &[values[2], next])?);
        Ok(results)
    })?;
    let operands = [cx.size_scalar(count, Element::I64), cx.always(), cx.broadcast_to(init, out)];
    let results = cx.node(onnx::LOOP, &operands).region(body).outs(&[state]);
    results.first().copied().ok_or(LowerError::Reported)
}

/// Whether the window is all of a symbolic dimension.
fn is_whole(window: &WindowDimension, size: Dim) -> bool {
    let is_plain = (window.base_dilation, window.window_dilation) == (1, 1) && !window.is_padded();
    is_plain && size.known().is_none() && window.size == size
}

/// Whether the window is cumulative along a symbolic dimension, and if so, whether from its end.
fn is_running(known: &DimExprs, window: &WindowDimension, size: Dim) -> Option<bool> {
    let numbers = (window.stride, window.base_dilation, window.window_dilation);
    if numbers != (Dim::Known(1), 1, 1) || size.known().is_some() || window.size != size {
        return None;
    }
    let (none, rest) = (Dim::Known(0), known.subtract(size, Dim::Known(1)));
    match (window.padding_low, window.padding_high) {
        (low, high) if (low, high) == (rest, none) => Some(false),
        (low, high) if (low, high) == (none, rest) => Some(true),
        _ => None,
    }
}
