//! Image resizing: `jax.image.resize` and `jnp.repeat`.
//!
//! For nearest elements JAX uses a gather with constant indices along each dimension, and for repeats a broadcast and
//! a reshape. All other methods multiply by a matrix of weights along each dimension and transpose the dimensions
//! back.

use super::pattern::Pattern;
use super::{Fused, FusionRule};
use crate::ir::{Dim, Element, OpId, ValueId, hlo2onnx, stablehlo};
use crate::pass::refine_shapes::counted::RESIZED;

pub(super) const RULES: &[FusionRule] = &[
    FusionRule::new(stablehlo::GATHER, repeated),
    FusionRule::new(stablehlo::RESHAPE, repeated),
    FusionRule::new(stablehlo::DOT_GENERAL, resampled),
    FusionRule::new(stablehlo::TRANSPOSE, resampled),
];

/// Repeats along rows and columns. Along one dimension a gather or a broadcast is as fast.
fn repeated(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let result = p.result_of(op)?;
    let ty = p.tensor(result).filter(|ty| RESIZED.contains(&ty.element))?;
    let mut scales = vec![1; ty.rank()];
    let (mut axis, mut times, mut value) = repeat(p, op)?;
    scales[axis] *= times;
    while let Some(inner) = p.module.defining_op(value)
        && let Some(found) = p.attempt(|p| repeat(p, inner))
    {
        p.enter(inner);
        (axis, times, value) = found;
        scales[axis] *= times;
    }
    image(&scales)?;
    Some(Fused::new(hlo2onnx::REPEAT, &[value]).positions("scales", &scales))
}

/// The dimension along which an op repeats elements, the factor, and the operand.
fn repeat(p: &mut Pattern, op: OpId) -> Option<(usize, usize, ValueId)> {
    match p.name(op) {
        stablehlo::GATHER => {
            let [x, indices] = p.operands_of(op)?;
            let axis = p.gathered(op)?;
            let size = usize::try_from(p.tensor(x)?.dims[axis].known()?).ok()?;
            let positions = p.integers(indices)?;
            let times = positions.len().checked_div(size).filter(|&times| times > 1)?;
            let counts = (0..size as i64).flat_map(|position| std::iter::repeat_n(position, times));
            positions.into_iter().eq(counts).then_some((axis, times, x))
        }
        stablehlo::RESHAPE => {
            let [spread] = p.operands_of(op)?;
            let broadcast = p.module.defined_by(spread, stablehlo::BROADCAST_IN_DIM)?;
            let [x] = p.operands(spread, stablehlo::BROADCAST_IN_DIM)?;
            let kept = p.positions(broadcast, "broadcast_dimensions")?;
            let (from, wide, to) =
                (&p.tensor(x)?.dims, &p.tensor(spread)?.dims, &p.tensor(p.result_of(op)?)?.dims);
            let new = (0..wide.len()).find(|axis| !kept.contains(axis))?;
            let axis = new.checked_sub(1)?;
            let times = usize::try_from(wide[new].known()?).ok().filter(|&times| times > 1)?;
            let whole = |dim: Dim, times: i64| Some(Dim::Known(dim.known()?.checked_mul(times)?));
            let fits = kept.is_sorted()
                && wide.len() == from.len() + 1
                && to.len() == from.len()
                && kept.iter().zip(from).all(|(&axis, &dim)| wide[axis] == dim)
                && (0..to.len()).all(|other| other == axis || to[other] == from[other])
                && Some(to[axis]) == whole(from[axis], times as i64);
            fits.then_some((axis, times, x))
        }
        _ => None,
    }
}

/// The first of two adjacent scaled dimensions, which are the rows and columns of an image.
fn image(scales: &[usize]) -> Option<usize> {
    let scaled: Vec<usize> = (0..scales.len()).filter(|&axis| scales[axis] != 1).collect();
    let &[first, second] = &scaled[..] else { return None };
    ((3..=4).contains(&scales.len()) && second == first + 1).then_some(first)
}

/// Two products, with transposes before, between and after.
const MOST_OPS: usize = 5;

/// A tensor multiplied along some of its dimensions.
struct Products {
    of: ValueId,
    /// For each dimension, the dimension of `of`.
    places: Vec<usize>,
    /// Dimensions of `of`, with the matrices of old and new elements.
    matrices: Vec<(usize, ValueId)>,
}

/// An image multiplied along rows and columns. If the weights are those of linear interpolation, it becomes a Resize.
fn resampled(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let Products { of, places, mut matrices } = products(p, op, MOST_OPS)?;
    matrices.sort_unstable_by_key(|&(axis, _)| axis);
    let &[(first, rows), (second, columns)] = &matrices[..] else { return None };
    if !places.iter().copied().eq(0..places.len()) || second != first + 1 {
        return None;
    }
    let factors = [factor(p, rows), factor(p, columns)];
    if let [Some(height), Some(width)] = factors
        && p.is_of(of, &[Element::F16, Element::F32])
    {
        let mut scales = vec![1; places.len()];
        (scales[first], scales[second]) = (height, width);
        return Some(Fused::new(hlo2onnx::INTERPOLATE, &[of]).positions("scales", &scales));
    }
    let is_plain = |&value: &ValueId| p.is_constant(value) && p.is_of(value, &[Element::F32]);
    let are_plain = p.is_of(of, &[Element::F32]) && [rows, columns].iter().all(is_plain);
    are_plain.then(|| Fused::new(hlo2onnx::RESAMPLE, &[of, rows, columns]).int("axis", first))
}

fn products(p: &mut Pattern, op: OpId, depth: usize) -> Option<Products> {
    let depth = depth.checked_sub(1)?;
    if p.name(op) == stablehlo::TRANSPOSE {
        let [x] = p.operands_of(op)?;
        let order = p.permutation(op)?;
        let inner = producer(p, x, depth).filter(|inner| !inner.matrices.is_empty())?;
        let places = order.iter().map(|&from| inner.places.get(from).copied()).collect::<Option<_>>()?;
        return Some(Products { places, ..inner });
    }
    let [left, right] = p.operands_of(op)?;
    let [of_left, of_right] = p.contracted(op)?;
    let is_matrix = |p: &Pattern, value: ValueId, contracted: usize| {
        contracted == 0 && p.tensor(value).is_some_and(|ty| ty.rank() == 2)
    };
    let is_first = is_matrix(p, left, of_left);
    let (matrix, x, axis) = match is_first {
        true => (left, right, of_right),
        false => is_matrix(p, right, of_right).then_some((right, left, of_left))?,
    };
    let Products { of, mut places, mut matrices } = producer(p, x, depth)?;
    if !(3..=4).contains(&places.len()) || matrices.len() > 1 || axis >= places.len() {
        return None;
    }
    let place = places.remove(axis);
    places.insert(if is_first { 0 } else { places.len() }, place);
    matrices.push((place, matrix));
    Some(Products { of, places, matrices })
}

/// The product that defines a value, or the value itself.
fn producer(p: &mut Pattern, value: ValueId, depth: usize) -> Option<Products> {
    let is_one = |&op: &OpId| matches!(p.name(op), stablehlo::DOT_GENERAL | stablehlo::TRANSPOSE);
    if let Some(op) = p.module.defining_op(value).filter(is_one)
        && let Some(found) = p.attempt(|p| products(p, op, depth))
    {
        p.enter(op);
        return Some(found);
    }
    let rank = p.tensor(value)?.rank();
    Some(Products { of: value, places: (0..rank).collect(), matrices: Vec::new() })
}

/// The factor by which a matrix of weights enlarges a dimension with linear interpolation between pixel centers,
/// ONNX's `half_pixel`. A dimension of size 1 is repeated.
///
/// Factors that are powers of two have exact weights. For others JAX and ONNX Runtime round coordinates to f32
/// differently, and Resize is closer to the true weights.
fn factor(p: &Pattern, matrix: ValueId) -> Option<usize> {
    let ty = p.tensor(matrix)?;
    let size = |axis: usize| usize::try_from(ty.dims[axis].known()?).ok();
    let (from, to) = (size(0)?, size(1)?);
    let times = to.checked_div(from).filter(|times| *times > 1 && to % from == 0)?;
    let tolerance = match ty.element {
        Element::F32 => (from as f64 + 4.0) * f64::from(f32::EPSILON),
        Element::F16 => 0.5f64.powi(10),
        _ => return None,
    };
    // The weights of a large image are not a constant.
    let weights = p.floats(matrix).or_else(|| p.computed_floats(matrix))?;
    if weights.len() != from * to {
        return None;
    }
    let between = |row: usize, column: usize| {
        let place = ((column as f64 + 0.5) / times as f64 - 0.5).clamp(0.0, from as f64 - 1.0);
        (1.0 - (place - row as f64).abs()).max(0.0)
    };
    let fits = |(index, weight): (usize, &f64)| (weight - between(index / to, index % to)).abs() <= tolerance;
    weights.iter().enumerate().all(fits).then_some(times)
}
