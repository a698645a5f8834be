//! Windows of symbolic size.
//!
//! - A single window over a whole dimension is a reduction.
//! - A window as long as the dimension, padded to start or end at each element, is cumulative.
//! - Any other is a `Loop` over the window's offsets, in row-major order, as in [`super::fold`].

use super::{Window, cumulative, reach, windows};
use crate::ir::{Dim, DimExprs, Dims, Element, OpId, RegionId, ValueId, onnx};
use crate::ops::reduce::pairs;
use crate::ops::{Lower, LowerError, Lowered};

/// Like [`Window`], with symbolic sizes and strides.
struct Symbolic {
    sizes: Dims,
    strides: Dims,
    base: Vec<i64>,
    dilations: Vec<i64>,
    low: Dims,
    high: Dims,
}

pub(super) fn lower(cx: &mut Lower, op: OpId, region: RegionId, out: &[Dim]) -> Lowered {
    if pairs(cx, op)? != 1 {
        return Err(LowerError::form("several operands with a window of symbolic size"));
    }
    let mut window = Symbolic::of(cx, op, out.len())?;
    let (value, init) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let combiners = cx.named_combiners(region);
    let Some(&[combiner]) = combiners.as_deref() else {
        return of_region(cx, region, value, init, &window, out);
    };
    let neutral =
        cx.neutral(combiner, cx.element(value)).ok_or_else(|| LowerError::form("the reduction body"))?;
    let mut dims = cx.dims(value);
    let mut value = value;
    let whole: Vec<usize> = (0..dims.len()).filter(|&axis| window.is_whole(axis, dims[axis])).collect();
    if !whole.is_empty() {
        let axes: Vec<i64> = whole.iter().map(|&axis| axis as i64).collect();
        let reduced = cx.reduce_elements(combiner, value, &axes, op);
        whole.iter().for_each(|&axis| dims[axis] = Dim::Known(1));
        value = cx.reshape(reduced, &dims);
        whole.iter().for_each(|&axis| window.pass(axis));
    }
    for (axis, &size) in dims.iter().enumerate() {
        if let Some(reverse) = window.is_running(&cx.module.dim_exprs, axis, size) {
            value = cumulative::total(cx, combiner, value, axis, reverse)?;
            window.pass(axis);
        }
    }
    let combined = match window.in_numbers() {
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
    window: &Symbolic,
    out: &[Dim],
) -> Lowered {
    let dims = cx.dims(value);
    let mut long = (0..dims.len()).filter(|&axis| !window.is_trivial(axis));
    let running = match (long.next(), long.next()) {
        (Some(axis), None) => {
            window.is_running(&cx.module.dim_exprs, axis, dims[axis]).map(|reverse| (axis, reverse))
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
    window: &Symbolic,
    out: &[Dim],
) -> Result<ValueId, LowerError> {
    let element = cx.element(value);
    if out.contains(&Dim::Known(0)) {
        return Ok(cx.empty_tensor(element, out));
    }
    let strides: Option<Vec<i64>> = window.strides.iter().map(|stride| stride.known()).collect();
    let strides = strides.ok_or_else(|| LowerError::Dynamic("the stride of a window".into()))?;
    let vectorized = cx.vectorize_region(region, out)?;
    let interior: Vec<i64> = window.base.iter().map(|&base| base - 1).collect();
    let spread = cx.spread(value, &interior, init);
    let padded = cx.pad(spread, &window.low, &window.high, init);
    let axes: Vec<usize> =
        (0..out.len()).filter(|&axis| window.sizes[axis] != Dim::Known(1) || strides[axis] != 1).collect();
    let pick = |dims: &[Dim]| axes.iter().map(|&axis| dims[axis]).collect::<Dims>();
    let pick_numbers = |list: &[i64]| axes.iter().map(|&axis| list[axis]).collect::<Vec<i64>>();
    let known = &cx.module.dim_exprs;
    let within: Dims =
        (0..out.len()).map(|axis| known.product(window.sizes[axis + 1..].iter().copied())).collect();
    let reaches: Dims = (0..out.len()).map(|axis| reach(known, out[axis], strides[axis])).collect();
    let count = known.product(window.sizes.iter().copied());
    let (within, sizes, reaches) =
        (cx.shape(&pick(&within)), cx.shape(&pick(&window.sizes)), cx.shape(&pick(&reaches)));
    let (steps, dilations) = (cx.int64s(&pick_numbers(&strides)), pick_numbers(&window.dilations));
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

impl Symbolic {
    fn of(cx: &Lower, op: OpId, rank: usize) -> Result<Self, LowerError> {
        let list = |name: &'static str, least: i64, length: usize| -> Result<Dims, LowerError> {
            let all = match cx.module.attribute(op, name) {
                Some(_) => cx.attributes(op).sizes(name)?,
                None => std::iter::repeat_n(Dim::Known(least), length).collect(),
            };
            if all.len() != length {
                let why = format!("expected {length} numbers");
                return Err(LowerError::attribute(name, why));
            }
            Ok(all)
        };
        let numbers = |name: &'static str, what: &str| -> Result<Vec<i64>, LowerError> {
            let all = list(name, 1, rank)?.into_iter().map(|number| number.known()).collect::<Option<_>>();
            all.ok_or_else(|| LowerError::Dynamic(format!("the {what} of a window")))
        };
        let padding = list("padding", 0, 2 * rank)?;
        Ok(Self {
            sizes: list("window_dimensions", 1, rank)?,
            strides: list("window_strides", 1, rank)?,
            base: numbers("base_dilations", "base dilation")?,
            dilations: numbers("window_dilations", "dilation")?,
            low: padding.iter().copied().step_by(2).collect(),
            high: padding.iter().copied().skip(1).step_by(2).collect(),
        })
    }

    /// The window, if it is static.
    fn in_numbers(&self) -> Option<Window> {
        let numbers = |list: &[Dim]| list.iter().map(|dim| dim.known()).collect::<Option<Vec<i64>>>();
        Some(Window {
            sizes: numbers(&self.sizes)?,
            strides: numbers(&self.strides)?,
            base: self.base.clone(),
            dilations: self.dilations.clone(),
            low: self.low.clone(),
            high: self.high.clone(),
        })
    }

    fn is_padded(&self, axis: usize) -> bool {
        (self.low[axis], self.high[axis]) != (Dim::Known(0), Dim::Known(0))
    }

    /// Whether the dimension is unchanged.
    fn is_trivial(&self, axis: usize) -> bool {
        let one = Dim::Known(1);
        (self.sizes[axis], self.strides[axis], self.base[axis]) == (one, one, 1) && !self.is_padded(axis)
    }

    /// Leaves the dimension unchanged.
    fn pass(&mut self, axis: usize) {
        (self.sizes[axis], self.strides[axis]) = (Dim::Known(1), Dim::Known(1));
        (self.base[axis], self.dilations[axis]) = (1, 1);
        (self.low[axis], self.high[axis]) = (Dim::Known(0), Dim::Known(0));
    }

    /// Whether the window is all of a symbolic dimension.
    fn is_whole(&self, axis: usize, size: Dim) -> bool {
        let is_plain = self.base[axis] == 1 && self.dilations[axis] == 1 && !self.is_padded(axis);
        is_plain && size.known().is_none() && self.sizes[axis] == size
    }

    /// Whether the window is cumulative along a symbolic dimension, and if so, whether from its end.
    fn is_running(&self, known: &DimExprs, axis: usize, size: Dim) -> Option<bool> {
        let is_plain = (self.strides[axis], self.base[axis], self.dilations[axis]) == (Dim::Known(1), 1, 1);
        if !is_plain || size.known().is_some() || self.sizes[axis] != size {
            return None;
        }
        let (none, rest) = (Dim::Known(0), known.subtract(size, Dim::Known(1)));
        match (self.low[axis], self.high[axis]) {
            (low, high) if (low, high) == (rest, none) => Some(false),
            (low, high) if (low, high) == (none, rest) => Some(true),
            _ => None,
        }
    }
}
