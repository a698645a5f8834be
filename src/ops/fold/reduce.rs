//! Folds reductions and products of matrices.
//!
//! Integers wrap in any order. Sums of floats are taken in `f64` and rounded once, which is as exact as any order in
//! the type itself; sums in `f64` depend on the order, which is the runtime's, and stay.

use super::compare::shape_count;
use super::number::{float, float_bits, integer, wrap};
use super::{Fold, Folding, Tensor};
use crate::ir::{Definition, Dim, Element, OpName, stablehlo};
use crate::ops::{DotDimensionNumbers, WindowDimension};
use ndarray::{ArrayD, Axis, IxDyn};

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (stablehlo::DOT_GENERAL, Fold::Computes(dot_general)),
    (stablehlo::REDUCE, Fold::Computes(reduce)),
    (stablehlo::REDUCE_WINDOW, Fold::Computes(reduce_window)),
];

/// One operand, and a body of one op on its two arguments.
fn reduce(cx: &Folding) -> Option<Tensor> {
    let [operand, initial] = &cx.operands[..] else { return None };
    let element = operand.element;
    cx.work.set(shape_count(&operand.sizes)?);
    if is_summed(element) {
        return reduce_floats(cx, operand, initial);
    }
    if !(element.is_integer() || element == Element::Bool) || initial.element != element {
        return None;
    }
    let combine: fn(i128, i128) -> i128 = match body(cx)? {
        stablehlo::ADD => |x, y| x + y,
        stablehlo::MULTIPLY => i128::wrapping_mul,
        stablehlo::MAXIMUM => i128::max,
        stablehlo::MINIMUM => i128::min,
        stablehlo::AND => |x, y| x & y,
        stablehlo::OR => |x, y| x | y,
        _ => return None,
    };
    let mut dims = cx.attributes().positions("dimensions").ok()?;
    dims.sort_unstable();
    dims.dedup();
    if dims.last().is_some_and(|&dim| dim >= operand.sizes.len()) {
        return None;
    }
    let sizes = cx.sizes()?;
    cx.allow(shape_count(&sizes)?)?;
    // A splat can represent any number of elements, and each is visited here.
    if shape_count(&operand.sizes)? > super::READ {
        return None;
    }
    let start = initial.scalar()?;
    let mut array = operand.view()?.to_owned();
    for &dim in dims.iter().rev() {
        array = array.fold_axis(Axis(dim), neutral_start(element, body(cx)?)?, |&x, &y| {
            wrap(element, combine(integer(element, x), integer(element, y)) as i64)
        });
    }
    array.mapv_inplace(|x| wrap(element, combine(integer(element, x), integer(element, start)) as i64));
    if array.shape() != sizes.as_slice() {
        return None;
    }
    Some(Tensor::from_array(element, array))
}

/// Whether sums of these are taken in a wider type.
fn is_summed(element: Element) -> bool {
    matches!(element, Element::F32 | Element::F16 | Element::BF16)
}

/// A sum or an extremum; a NaN in it is not folded.
fn reduce_floats(cx: &Folding, operand: &Tensor, initial: &Tensor) -> Option<Tensor> {
    let element = operand.element;
    let combine: fn(f64, f64) -> Option<f64> = match body(cx)? {
        stablehlo::ADD => |x, y| Some(x + y),
        stablehlo::MAXIMUM => super::arithmetic::float_maximum,
        stablehlo::MINIMUM => super::arithmetic::float_minimum,
        _ => return None,
    };
    let sizes = cx.sizes()?;
    cx.allow(shape_count(&sizes)?)?;
    if initial.element != element || shape_count(&operand.sizes)? > super::READ.max(cx.limit) {
        return None;
    }
    let dims = cx.attributes().positions("dimensions").ok()?;
    let kept: Vec<usize> = (0..operand.sizes.len()).filter(|axis| !dims.contains(axis)).collect();
    let mut sums = ArrayD::from_elem(IxDyn(&sizes), float(element, initial.scalar()?)?);
    for (place, &bits) in operand.view()?.indexed_iter() {
        let at: Vec<usize> = kept.iter().map(|&axis| place[axis]).collect();
        let sum = sums.get_mut(IxDyn(&at))?;
        *sum = combine(*sum, float(element, bits)?)?;
    }
    let bits: Option<Vec<i64>> = sums.iter().map(|&sum| float_bits(element, sum)).collect();
    Tensor::from_elements(element, sizes, bits?)
}

/// Sums or extrema of windows; padding is neutral.
fn reduce_window(cx: &Folding) -> Option<Tensor> {
    let [operand, initial] = &cx.operands[..] else { return None };
    let element = operand.element;
    let rank = operand.sizes.len();
    let windows = WindowDimension::read(cx.module, cx.op, rank).ok()?;
    let numbers = |of: fn(&WindowDimension) -> Dim| -> Option<Vec<i64>> {
        windows.iter().map(|window| of(window).known()).collect()
    };
    let (window, strides) = (numbers(|window| window.size)?, numbers(|window| window.stride)?);
    let low = numbers(|window| window.padding_low)?;
    let sizes = cx.sizes()?;
    if sizes.len() != rank || initial.element != element {
        return None;
    }
    let count = window.iter().try_fold(1usize, |count, &size| count.checked_mul(size as usize))?;
    let work = shape_count(&sizes)?.checked_mul(count).filter(|&work| work <= MOST_PRODUCTS)?;
    cx.allow(shape_count(&sizes)?)?;
    cx.work.set(work);
    let name = body(cx)?;
    let is_integer = element.is_integer();
    let combine = |x: i64, y: i64| -> Option<i64> {
        if is_integer {
            let (x, y) = (integer(element, x), integer(element, y));
            return Some(match name {
                stablehlo::ADD => wrap(element, (x + y) as i64),
                stablehlo::MAXIMUM => x.max(y) as i64,
                stablehlo::MINIMUM => x.min(y) as i64,
                _ => return None,
            });
        }
        let (x, y) = (f64::from_bits(x as u64), f64::from_bits(y as u64));
        let combined = match name {
            stablehlo::ADD => x + y,
            stablehlo::MAXIMUM => super::arithmetic::float_maximum(x, y)?,
            stablehlo::MINIMUM => super::arithmetic::float_minimum(x, y)?,
            _ => return None,
        };
        Some(combined.to_bits() as i64)
    };
    if !is_integer && !is_summed(element) {
        return None;
    }
    // Floats are combined as `f64`.
    let taken =
        |bits: i64| if is_integer { Some(bits) } else { Some(float(element, bits)?.to_bits() as i64) };
    let start = taken(initial.scalar()?)?;
    let view = operand.view()?;
    let mut result = Vec::with_capacity(shape_count(&sizes)?);
    let inner: Vec<usize> = window.iter().map(|&size| size as usize).collect();
    for place in ndarray::indices(IxDyn(&sizes)) {
        let mut all = start;
        'window: for offset in ndarray::indices(IxDyn(&inner)) {
            let mut at = Vec::with_capacity(rank);
            for axis in 0..rank {
                let position = (place[axis] as i64).checked_mul(strides[axis])?
                    + (offset[axis] as i64).checked_mul(windows[axis].window_dilation)?
                    - low[axis];
                let base = windows[axis].base_dilation;
                let index = position.div_euclid(base);
                if position.rem_euclid(base) != 0 || !(0..operand.sizes[axis] as i64).contains(&index) {
                    continue 'window;
                }
                at.push(index as usize);
            }
            all = combine(all, taken(*view.get(IxDyn(&at))?)?)?;
        }
        result.push(if is_integer { all } else { float_bits(element, f64::from_bits(all as u64))? });
    }
    Tensor::from_elements(element, sizes, result)
}

/// A matrix product with batch dimensions first, then the free ones of the left and right operands.
fn dot_general(cx: &Folding) -> Option<Tensor> {
    let [lhs, rhs] = &cx.operands[..] else { return None };
    let element = cx.result.element;
    if lhs.element != element || rhs.element != element || !(element.is_integer() || is_summed(element)) {
        return None;
    }
    let numbers = DotDimensionNumbers::read(cx.module, cx.op).ok()?;
    let (left_batch, right_batch): (Vec<_>, Vec<_>) = numbers.batching.iter().copied().unzip();
    let (left, right): (Vec<_>, Vec<_>) = numbers.contracting.iter().copied().unzip();
    let (left_free, right_free) = (numbers.lhs_free(lhs.sizes.len()), numbers.rhs_free(rhs.sizes.len()));
    let count = |axes: &[usize], sizes: &[usize]| {
        axes.iter().try_fold(1usize, |count, &axis| count.checked_mul(*sizes.get(axis)?))
    };
    let terms = count(&left, &lhs.sizes)?;
    let (batches, rows, columns) =
        (count(&left_batch, &lhs.sizes)?, count(&left_free, &lhs.sizes)?, count(&right_free, &rhs.sizes)?);
    if count(&right, &rhs.sizes)? != terms || count(&right_batch, &rhs.sizes)? != batches {
        return None;
    }
    let sizes = cx.sizes()?;
    cx.allow(shape_count(&sizes)?)?;
    let work = shape_count(&sizes)?.checked_mul(terms).filter(|&work| work <= MOST_PRODUCTS)?;
    cx.work.set(work);
    // As `[batch, row, term]` and `[batch, column, term]`.
    let arranged = |tensor: &Tensor, axes: [&[usize]; 3]| -> Option<Vec<i64>> {
        Some(tensor.view()?.permuted_axes(IxDyn(&axes.concat())).iter().copied().collect())
    };
    let lhs = arranged(lhs, [&left_batch, &left_free, &left])?;
    let rhs = arranged(rhs, [&right_batch, &right_free, &right])?;
    let mut bits = Vec::with_capacity(batches * rows * columns);
    for batch in 0..batches {
        for row in 0..rows {
            let row = &lhs[(batch * rows + row) * terms..][..terms];
            for column in 0..columns {
                let column = &rhs[(batch * columns + column) * terms..][..terms];
                bits.push(product(element, row, column)?);
            }
        }
    }
    Tensor::from_elements(element, sizes, bits)
}

/// More products than these are left to the runtime.
pub(super) const MOST_PRODUCTS: usize = 1 << 22;

/// The sum of the products of two lists.
pub(super) fn product(element: Element, row: &[i64], column: &[i64]) -> Option<i64> {
    let mut pairs = row.iter().zip(column);
    if element.is_integer() {
        return Some(wrap(element, pairs.fold(0i64, |sum, (&x, &y)| sum.wrapping_add(x.wrapping_mul(y)))));
    }
    let sum = pairs.try_fold(0.0, |sum, (&x, &y)| Some(sum + float(element, x)? * float(element, y)?));
    float_bits(element, sum?)
}

/// The neutral element; the initial value is combined once, at the end.
fn neutral_start(element: Element, op: OpName) -> Option<i64> {
    let (low, high) = crate::ops::integer_limits(element);
    Some(match op {
        stablehlo::ADD | stablehlo::OR => 0,
        stablehlo::MULTIPLY => 1,
        stablehlo::MAXIMUM => low,
        stablehlo::MINIMUM => high,
        stablehlo::AND if element == Element::Bool => 1,
        stablehlo::AND => wrap(element, -1),
        _ => return None,
    })
}

/// The only op in the body, if it combines both arguments into the result.
fn body(cx: &Folding) -> Option<OpName> {
    let module = cx.module;
    let region = *module.op(cx.op).regions.first()?;
    let block = module.block(module.entry_block(region)?);
    let ([op, terminator], [x, y]) = (&block.ops[..], &block.arguments[..]) else { return None };
    let operands = &module.op(*op).operands[..];
    let reads_both = operands == [*x, *y] || operands == [*y, *x];
    let returns = module.op(*terminator).operands == module.op(*op).results;
    // The arguments are of rank 0 and of the operand's element type, or the body computes in another type.
    let plain =
        |value| module.tensor(value).is_some_and(|ty| ty.rank() == 0 && ty.element == cx.result.element);
    let plain = plain(*x) && plain(*y) && module.value(*x).definition != Definition::Poison;
    (reads_both && returns && plain).then(|| module.op(*op).name)
}
