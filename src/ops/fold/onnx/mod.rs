//! Folds ONNX ops, which passes and lowerings apply to constants.
//!
//! Where ONNX leaves a result open, such as an integer division by zero, the op stays.

use crate::ir::{Attribute, Element, OpName, axis_index, onnx, stablehlo};
use crate::ops::fold::arithmetic::{float_maximum, float_minimum, map, pairs, zip};
use crate::ops::fold::compare::shape_count;
use crate::ops::fold::number::{float, float_bits, integer, is_computed_float, wrap};
use crate::ops::fold::reduce::product;
use crate::ops::fold::{Fold, Folding, Tensor};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use std::cmp::Ordering;

/// ONNX ops that mean the same as an op of StableHLO, apart from broadcasting.
pub(super) const COUNTERPARTS: &[(OpName, OpName)] = &[
    (onnx::ABS, stablehlo::ABS),
    (onnx::ADD, stablehlo::ADD),
    (onnx::AND, stablehlo::AND),
    (onnx::BITWISE_AND, stablehlo::AND),
    (onnx::BITWISE_NOT, stablehlo::NOT),
    (onnx::BITWISE_OR, stablehlo::OR),
    (onnx::BITWISE_XOR, stablehlo::XOR),
    (onnx::CEIL, stablehlo::CEIL),
    (onnx::COS, stablehlo::COSINE),
    (onnx::EXP, stablehlo::EXPONENTIAL),
    (onnx::FLOOR, stablehlo::FLOOR),
    (onnx::LOG, stablehlo::LOG),
    (onnx::MUL, stablehlo::MULTIPLY),
    (onnx::NEG, stablehlo::NEGATE),
    (onnx::NOT, stablehlo::NOT),
    (onnx::OR, stablehlo::OR),
    (onnx::ROUND, stablehlo::ROUND_NEAREST_EVEN),
    (onnx::SIGMOID, stablehlo::LOGISTIC),
    (onnx::SIGN, stablehlo::SIGN),
    (onnx::SIN, stablehlo::SINE),
    (onnx::SQRT, stablehlo::SQRT),
    (onnx::SUB, stablehlo::SUBTRACT),
    (onnx::TAN, stablehlo::TAN),
    (onnx::TANH, stablehlo::TANH),
    (onnx::XOR, stablehlo::XOR),
];

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (onnx::ARG_MAX, Fold::Computes(|cx| arg_extremum(cx, Ordering::Greater))),
    (onnx::ARG_MIN, Fold::Computes(|cx| arg_extremum(cx, Ordering::Less))),
    (onnx::CLIP, Fold::Computes(clip)),
    (onnx::CONCAT, Fold::Computes(concat)),
    (onnx::CONV, Fold::Computes(conv)),
    (onnx::DIV, Fold::Computes(|cx| numbers(cx, divide, |x, y| Some(x / y)))),
    (onnx::EQUAL, Fold::Computes(|cx| compare(cx, |order| order == Some(Ordering::Equal)))),
    (onnx::ERF, Fold::Computes(|cx| float_function(cx, libm::erf))),
    (onnx::GATHER, Fold::Computes(gather)),
    (onnx::GREATER, Fold::Computes(|cx| compare(cx, |order| order == Some(Ordering::Greater)))),
    (onnx::GREATER_OR_EQUAL, Fold::Computes(|cx| compare(cx, |order| order.is_some_and(Ordering::is_ge)))),
    (onnx::IS_INF, Fold::Computes(is_infinite)),
    (onnx::IS_NAN, Fold::Computes(|cx| test(cx, f64::is_nan))),
    (onnx::LESS, Fold::Computes(|cx| compare(cx, |order| order == Some(Ordering::Less)))),
    (onnx::LESS_OR_EQUAL, Fold::Computes(|cx| compare(cx, |order| order.is_some_and(Ordering::is_le)))),
    (onnx::MAT_MUL, Fold::Computes(matmul)),
    (onnx::MAX, Fold::Computes(|cx| extremum(cx, |x, y| Some(x.max(y)), float_maximum))),
    (onnx::MIN, Fold::Computes(|cx| extremum(cx, |x, y| Some(x.min(y)), float_minimum))),
    (onnx::MOD, Fold::Computes(modulo)),
    (onnx::POW, Fold::Computes(power)),
    (onnx::RECIPROCAL, Fold::Computes(|cx| float_function(cx, f64::recip))),
    (onnx::REDUCE_MAX, Fold::Computes(|cx| reduce(cx, |x, y| Some(x.max(y)), float_maximum))),
    (onnx::REDUCE_MIN, Fold::Computes(|cx| reduce(cx, |x, y| Some(x.min(y)), float_minimum))),
    (onnx::REDUCE_PROD, Fold::Computes(|cx| reduce(cx, |x, y| Some(x.wrapping_mul(y)), |x, y| Some(x * y)))),
    (onnx::REDUCE_SUM, Fold::Computes(|cx| reduce(cx, |x, y| x.checked_add(y), |x, y| Some(x + y)))),
    (onnx::SLICE, Fold::Computes(slice)),
    (onnx::TRANSPOSE, Fold::Computes(transpose)),
    (onnx::WHERE, Fold::Computes(choose)),
];

/// A function of integers, wrapped into the type of the result.
type Integers = fn(i128, i128) -> Option<i128>;
/// A function of floats, computed in `f64` and rounded once.
type Floats = fn(f64, f64) -> Option<f64>;

fn is_integer(element: Element) -> bool {
    element.is_integer() || element == Element::Bool
}

/// The result of a function for two elements, as bits.
fn combined(element: Element, x: i64, y: i64, integers: Integers, floats: Floats) -> Option<i64> {
    if is_computed_float(element) {
        return float_bits(element, floats(float(element, x)?, float(element, y)?)?);
    }
    is_integer(element).then_some(())?;
    Some(wrap(element, integers(integer(element, x), integer(element, y))? as i64))
}

fn numbers(cx: &Folding, integers: Integers, floats: Floats) -> Option<Tensor> {
    let element = cx.result.element;
    (cx.operands.first()?.element == element).then_some(())?;
    zip(cx, |x, y| combined(element, x, y, integers, floats))
}

fn divide(x: i128, y: i128) -> Option<i128> {
    x.checked_div(y)
}

/// With `fmod` the sign of the dividend, else that of the divisor.
fn modulo(cx: &Folding) -> Option<Tensor> {
    let truncates = cx.module.attribute(cx.op, "fmod").and_then(Attribute::as_integer) == Some(1);
    if truncates {
        return numbers(cx, i128::checked_rem, |x, y| Some(x % y));
    }
    let floored = |x: i128, y: i128| {
        let rest = x.checked_rem(y)?;
        Some(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })
    };
    numbers(cx, floored, |_, _| None)
}

/// Of floats; the exponent may have another type.
fn power(cx: &Folding) -> Option<Tensor> {
    let [base, exponent] = &cx.operands[..] else { return None };
    let (element, of) = (base.element, exponent.element);
    (element == cx.result.element && is_computed_float(element)).then_some(())?;
    let number = |bits: i64| if is_integer(of) { Some(integer(of, bits) as f64) } else { float(of, bits) };
    pairs(cx, base, exponent, |x, y| {
        float_bits(element, crate::ops::fold::arithmetic::power(float(element, x)?, number(y)?)?)
    })
}

fn compare(cx: &Folding, holds: fn(Option<Ordering>) -> bool) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    if is_computed_float(element) {
        return zip(cx, |x, y| Some(i64::from(holds(float(element, x)?.partial_cmp(&float(element, y)?)))));
    }
    is_integer(element).then_some(())?;
    zip(cx, |x, y| Some(i64::from(holds(Some(integer(element, x).cmp(&integer(element, y)))))))
}

fn float_function(cx: &Folding, function: fn(f64) -> f64) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    (element == cx.result.element && is_computed_float(element)).then_some(())?;
    map(cx, |x| float_bits(element, function(float(element, x)?)))
}

fn test(cx: &Folding, holds: fn(f64) -> bool) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    map(cx, |x| Some(i64::from(holds(float(element, x)?))))
}

fn is_infinite(cx: &Folding) -> Option<Tensor> {
    let detects = |name| cx.module.attribute(cx.op, name).and_then(Attribute::as_integer) != Some(0);
    match (detects("detect_negative"), detects("detect_positive")) {
        (true, true) => test(cx, f64::is_infinite),
        (true, false) => test(cx, |x| x == f64::NEG_INFINITY),
        (false, true) => test(cx, |x| x == f64::INFINITY),
        (false, false) => None,
    }
}

/// Any number of operands.
fn extremum(cx: &Folding, integers: Integers, floats: Floats) -> Option<Tensor> {
    let (element, sizes) = (cx.result.element, cx.sizes()?);
    let (first, others) = cx.operands.split_first()?;
    if cx.operands.iter().any(|operand| operand.element != element) {
        return None;
    }
    if cx.operands.iter().all(Tensor::is_splat) {
        let bits = others
            .iter()
            .try_fold(first.scalar()?, |x, other| combined(element, x, other.scalar()?, integers, floats));
        return Some(Tensor::splat(element, sizes, bits?));
    }
    cx.allow(shape_count(&sizes)?)?;
    let mut all: Vec<i64> = first.broadcast(&sizes)?.iter().copied().collect();
    for other in others {
        for (x, &y) in all.iter_mut().zip(&other.broadcast(&sizes)?) {
            *x = combined(element, *x, y, integers, floats)?;
        }
    }
    Tensor::from_elements(element, sizes, all)
}

/// With both bounds, which are scalars.
fn clip(cx: &Folding) -> Option<Tensor> {
    let [operand, low, high] = &cx.operands[..] else { return None };
    let element = operand.element;
    if low.element != element || high.element != element || cx.result.element != element {
        return None;
    }
    let (low, high) = (low.scalar()?, high.scalar()?);
    map_first(cx, |x| {
        let raised = combined(element, x, low, |x, y| Some(x.max(y)), float_maximum)?;
        combined(element, raised, high, |x, y| Some(x.min(y)), float_minimum)
    })
}

/// Applies a function of bits to each element of the first operand.
fn map_first(cx: &Folding, f: impl Fn(i64) -> Option<i64>) -> Option<Tensor> {
    let (operand, element) = (cx.operands.first()?, cx.result.element);
    if operand.is_splat() {
        return Some(Tensor::splat(element, operand.sizes.clone(), f(operand.scalar()?)?));
    }
    cx.allow(operand.bits.len())?;
    let bits = operand.bits.iter().map(|&bits| f(bits)).collect::<Option<Vec<_>>>()?;
    Tensor::from_elements(element, operand.sizes.clone(), bits)
}

fn choose(cx: &Folding) -> Option<Tensor> {
    let [predicate, on_true, on_false] = &cx.operands[..] else { return None };
    let (element, sizes) = (cx.result.element, cx.sizes()?);
    if on_true.element != element || on_false.element != element {
        return None;
    }
    if let (true, Some(chosen)) = (predicate.is_splat(), predicate.scalar()) {
        let chosen = if chosen != 0 { on_true } else { on_false };
        if chosen.is_splat() {
            return Some(Tensor::splat(element, sizes, chosen.scalar()?));
        }
    }
    cx.allow(shape_count(&sizes)?)?;
    let (on_true, on_false) = (on_true.broadcast(&sizes)?, on_false.broadcast(&sizes)?);
    let choices = predicate.broadcast(&sizes)?;
    let choices = choices.iter().zip(&on_true).zip(&on_false);
    let bits = choices.map(|((&chosen, &x), &y)| if chosen != 0 { x } else { y }).collect();
    Tensor::from_elements(element, sizes, bits)
}

/// A dimension from an attribute that may count from the last one.
fn dimension(cx: &Folding, default: i64, rank: usize) -> Option<usize> {
    let axis = cx.module.attribute(cx.op, "axis").and_then(Attribute::as_integer).unwrap_or(default);
    axis_index(axis, rank)
}

fn concat(cx: &Folding) -> Option<Tensor> {
    let axis = dimension(cx, 0, cx.result.rank())?;
    cx.allow(shape_count(&cx.sizes()?)?)?;
    let views = cx.operands.iter().map(Tensor::view).collect::<Option<Vec<_>>>()?;
    let joined = ndarray::concatenate(Axis(axis), &views).ok()?;
    Some(Tensor::from_array(cx.result.element, joined))
}

fn transpose(cx: &Folding) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, cx.sizes()?, operand.scalar()?));
    }
    let order = cx.attributes().positions("perm").ok()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    sorted.into_iter().eq(0..operand.sizes.len()).then_some(())?;
    cx.allow(operand.bits.len())?;
    Some(Tensor::from_array(operand.element, operand.bits.view().permuted_axes(IxDyn(&order)).to_owned()))
}

/// The elements of a list of integers, such as axes.
fn list(tensor: &Tensor) -> Option<Vec<i64>> {
    Some(tensor.view()?.iter().copied().collect())
}

fn slice(cx: &Folding) -> Option<Tensor> {
    let (operand, lists) = cx.operands.split_first()?;
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, cx.sizes()?, operand.scalar()?));
    }
    let lists = lists.iter().map(list).collect::<Option<Vec<_>>>()?;
    let slices = axis_slices(&operand.sizes, &lists)?;
    cx.allow(shape_count(&cx.sizes()?)?)?;
    let mut view = operand.bits.view();
    for (axis, slice) in slices.into_iter().enumerate().filter(|(_, slice)| slice.count > 0) {
        let last = slice.first as isize + (slice.count as isize - 1) * slice.step;
        let (first, last) = (last.min(slice.first as isize), last.max(slice.first as isize));
        view.slice_axis_inplace(Axis(axis), Slice::new(first, Some(last + 1), slice.step));
    }
    (view.shape() == cx.sizes()?).then(|| Tensor::from_array(operand.element, view.to_owned()))
}

fn gather(cx: &Folding) -> Option<Tensor> {
    let [operand, indices] = &cx.operands[..] else { return None };
    let sizes = cx.sizes()?;
    if operand.is_splat() {
        return Some(Tensor::splat(operand.element, sizes, operand.scalar()?));
    }
    let axis = dimension(cx, 0, operand.sizes.len())?;
    cx.allow(shape_count(&sizes)?)?;
    let size = operand.sizes[axis];
    let positions = indices.view()?;
    let positions = positions.iter().map(|&position| axis_index(position, size));
    let picked = operand.bits.select(Axis(axis), &positions.collect::<Option<Vec<_>>>()?);
    // The selection is not in row-major order in memory; its iteration is.
    let picked = ArrayD::from_shape_vec(IxDyn(&sizes), picked.iter().copied().collect()).ok()?;
    Some(Tensor::from_array(operand.element, picked))
}

/// Reductions of integers wrap, those of floats are computed in `f64` and rounded once. Sums and products in `f64`
/// depend on the order, and stay.
fn reduce(cx: &Folding, integers: Integers, floats: Floats) -> Option<Tensor> {
    let (operand, axes) = cx.operands.split_first()?;
    let (element, sizes) = (operand.element, cx.sizes()?);
    let rank = operand.sizes.len();
    let axes = match axes {
        [axes] => list(axes)?,
        _ => cx.attributes().integers("axes").ok()?,
    };
    let axes: Vec<usize> = axes.iter().map(|&axis| axis_index(axis, rank)).collect::<Option<_>>()?;
    let selects = matches!(cx.module.op(cx.op).name, onnx::REDUCE_MAX | onnx::REDUCE_MIN);
    if element != cx.result.element || element == Element::F64 && !selects || axes.is_empty() {
        return None;
    }
    let count = shape_count(&operand.sizes)
        .filter(|&count| count > 0 && count <= crate::ops::fold::READ.max(cx.limit))?;
    cx.allow(shape_count(&sizes)?)?;
    cx.work.set(count);
    let keeps = cx.module.attribute(cx.op, "keepdims").and_then(Attribute::as_integer) != Some(0);
    // Integers as they are, floats as `f64`.
    let is_float = is_computed_float(element);
    let mut found: ArrayD<Option<i128>> = ArrayD::from_elem(IxDyn(&sizes), None);
    for (place, &bits) in operand.view()?.indexed_iter() {
        let at = (0..rank).filter_map(|axis| match (axes.contains(&axis), keeps) {
            (true, true) => Some(0),
            (true, false) => None,
            (false, _) => Some(place[axis]),
        });
        let slot = found.get_mut(IxDyn(&at.collect::<Vec<_>>()))?;
        let number = |bits: i128| f64::from_bits(bits as u64);
        let next =
            if is_float { i128::from(float(element, bits)?.to_bits()) } else { integer(element, bits) };
        *slot = Some(match *slot {
            None => next,
            Some(before) if is_float => i128::from(floats(number(before), number(next))?.to_bits()),
            Some(before) => integer(element, wrap(element, integers(before, next)? as i64)),
        });
    }
    let bits = found.iter().map(|&found| match found? {
        found if is_float => float_bits(element, f64::from_bits(found as u64)),
        found => Some(found as i64),
    });
    let bits = bits.collect::<Option<Vec<_>>>()?;
    Tensor::from_elements(element, sizes, bits)
}

/// The first index of the extremum along a dimension.
fn arg_extremum(cx: &Folding, better: Ordering) -> Option<Tensor> {
    let [operand] = &cx.operands[..] else { return None };
    let (element, sizes) = (operand.element, cx.sizes()?);
    let axis = dimension(cx, 0, operand.sizes.len())?;
    let selects_last = cx.module.attribute(cx.op, "select_last_index").and_then(Attribute::as_integer);
    cx.allow(shape_count(&operand.sizes)?)?;
    if operand.sizes[axis] == 0 || selects_last == Some(1) {
        return None;
    }
    let order = |x: i64, y: i64| match float(element, x).zip(float(element, y)) {
        Some((x, y)) => x.partial_cmp(&y),
        None => is_integer(element).then(|| integer(element, x).cmp(&integer(element, y))),
    };
    let view = operand.view()?;
    let places = view.lanes(Axis(axis)).into_iter().map(|lane| {
        let mut best = 0;
        for index in 1..lane.len() {
            if order(lane[index], lane[best])? == better {
                best = index;
            }
        }
        Some(best as i64)
    });
    Tensor::from_elements(cx.result.element, sizes, places.collect::<Option<Vec<_>>>()?)
}

/// Products of matrices with one batch shape, or with one matrix for all.
fn matmul(cx: &Folding) -> Option<Tensor> {
    let [lhs, rhs] = &cx.operands[..] else { return None };
    let element = cx.result.element;
    if let Some(zeros) = of_zeros(cx, &[lhs, rhs]) {
        return Some(zeros);
    }
    let (&[ref batch @ .., rows, terms], &[ref batches @ .., inner, columns]) =
        (&lhs.sizes[..], &rhs.sizes[..])
    else {
        return None;
    };
    if lhs.element != element || rhs.element != element || inner != terms || element == Element::F64 {
        return None;
    }
    let (sizes, count) = (cx.sizes()?, shape_count(batch)?);
    (batches.is_empty() || batches == batch).then_some(())?;
    cx.allow(shape_count(&sizes)?)?;
    let work = shape_count(&sizes)?.checked_mul(terms)?;
    (work <= crate::ops::fold::reduce::MOST_PRODUCTS).then_some(())?;
    cx.work.set(work);
    let left: Vec<i64> = lhs.view()?.iter().copied().collect();
    let mut order: Vec<usize> = (0..rhs.sizes.len()).collect();
    order.swap(batches.len(), batches.len() + 1);
    let right: Vec<i64> = rhs.view()?.permuted_axes(IxDyn(&order)).iter().copied().collect();
    let mut bits = Vec::with_capacity(shape_count(&sizes)?);
    for index in 0..count * rows {
        let row = &left[index * terms..][..terms];
        let matrix = if batches.is_empty() { 0 } else { index / rows };
        for column in 0..columns {
            let column = &right[(matrix * columns + column) * terms..][..terms];
            bits.push(product(element, row, column)?);
        }
    }
    Tensor::from_elements(element, sizes, bits)
}

/// Of zeros: the bias, or zeros.
fn conv(cx: &Folding) -> Option<Tensor> {
    let zeros = of_zeros(cx, &[cx.operands.first()?, cx.operands.get(1)?])?;
    match &cx.operands[2..] {
        [] => Some(zeros),
        [bias] => {
            let mut shape = vec![1; zeros.sizes.len()];
            *shape.get_mut(1)? = bias.sizes.first().copied()?;
            cx.allow(shape_count(&zeros.sizes)?)?;
            let bias: Vec<i64> = bias.view()?.iter().copied().collect();
            let bias = ArrayD::from_shape_vec(IxDyn(&shape), bias).ok()?;
            let all: ArrayViewD<i64> = bias.broadcast(IxDyn(&zeros.sizes))?;
            Some(Tensor::from_array(zeros.element, all.to_owned()))
        }
        _ => None,
    }
}

/// The sums of products with zeros: zeros, if all other factors are finite.
fn of_zeros(cx: &Folding, factors: &[&Tensor; 2]) -> Option<Tensor> {
    let element = cx.result.element;
    let is_zero = |tensor: &Tensor| tensor.is_splat() && tensor.scalar() == Some(0);
    let is_finite = |tensor: &Tensor| {
        let finite = |&bits: &i64| float(element, bits).is_some_and(f64::is_finite);
        tensor.element == element && (is_integer(element) || tensor.bits.iter().all(finite))
    };
    let found =
        factors.iter().any(|factor| is_zero(factor)) && factors.iter().all(|factor| is_finite(factor));
    found.then(|| Some(Tensor::splat(element, cx.sizes()?, 0)))?
}

/// The elements that a Slice keeps of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AxisSlice {
    /// The index of the first.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// The distance from each to the next.
    pub step: isize,
}

/// What a Slice keeps of each dimension. `lists` are its operands after the data: starts, ends, and if there are any
/// axes and steps. `None` if they are not valid.
pub(crate) fn axis_slices(sizes: &[usize], lists: &[Vec<i64>]) -> Option<Vec<AxisSlice>> {
    let (starts, ends) = (lists.first()?, lists.get(1)?);
    let mut slices: Vec<AxisSlice> =
        sizes.iter().map(|&size| AxisSlice { first: 0, count: size, step: 1 }).collect();
    for (index, (&start, &end)) in starts.iter().zip(ends).enumerate() {
        let axis = lists.get(2).map_or(Some(index as i64), |axes| axes.get(index).copied())?;
        let axis = axis_index(axis, sizes.len())?;
        let step = lists.get(3).map_or(Some(1), |steps| steps.get(index).copied())?;
        let size = i64::try_from(*sizes.get(axis)?).ok()?;
        // Negative positions count from the end; then all are clamped (ONNX, Slice).
        let place = |position: i64| if position < 0 { position.saturating_add(size) } else { position };
        let (first, distance) = match step {
            0 => return None,
            1.. => {
                let first = place(start).clamp(0, size);
                (first, place(end).clamp(0, size) - first)
            }
            _ => {
                let first = place(start).clamp(0, (size - 1).max(0));
                (first, first - place(end).clamp(-1, (size - 1).max(0)))
            }
        };
        let count = (distance.max(0) as u64).div_ceil(step.unsigned_abs());
        slices[axis] = AxisSlice {
            first: usize::try_from(first).ok()?,
            count: if size == 0 { 0 } else { usize::try_from(count).ok()? },
            step: isize::try_from(step).ok()?,
        };
    }
    Some(slices)
}

#[cfg(test)]
mod tests;
