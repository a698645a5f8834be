//! Convolutions over any number of spatial dimensions.
//!
//! With `x` the input after `lhs_dilation` (zeros between elements) and `padding` (zeros around it, or cropping),
//! output `j` of a spatial dimension is the sum over kernel offsets `k` and input features of `x[j * stride + k *
//! rhs_dilation] * kernel[k]`; `window_reversal` reverses `kernel`. Features or the batch may be grouped; each group
//! uses its part of the kernel's output features (StableHLO spec, `convolution`).
//!
//! - `Conv` and `ConvTranspose` have kernels for `f32`, and widened to it `f16` and `bf16`: see [`direct`].
//! - Other element types, and convolutions without spatial dimensions, gather the windows and multiply them with the
//!   kernel as a matrix: see [`gathered`].
//!
//! Refuses sums of floats as integers, and what the specification does not allow.

mod direct;
mod gathered;
mod geometry;

use super::dot::{Arithmetic, SUMMED};
use super::{Lower, Lowered};
use crate::ir::{Dim, Dims, Element, OpId, ValueId, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{contraction, rule};
use geometry::{Geometry, SpatialAxis};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::CONVOLUTION, rule(2, contraction::convolution), SUMMED, convolution)
        .note("Conv or ConvTranspose; MatMul of gathered windows for other element types"),
    row(stablehlo::DYNAMIC_CONV, rule(3, contraction::dynamic_conv), SUMMED, dynamic_conv)
        .note("the `refine_shapes` pass turns it into a convolution"),
];

fn convolution(cx: &mut Lower, op: OpId) -> Lowered {
    lower(cx, op, None)
}

fn dynamic_conv(cx: &mut Lower, op: OpId) -> Lowered {
    let padding = cx.full(op, 2)?;
    let padding = cx.static_integers(padding, "the padding")?;
    lower(cx, op, Some(padding.into_iter().map(Dim::Known).collect()))
}

fn lower(cx: &mut Lower, op: OpId, padding: Option<Dims>) -> Lowered {
    let geometry = Geometry::read(cx, op, padding)?;
    let (element, sizes) = cx.result_dims(op, 0)?;
    if sizes.contains(&Dim::Known(0)) {
        let input = cx.full(op, 0)?;
        return Ok(emptied(cx, input, element, &sizes).into());
    }
    let (input, kernel) = (cx.operand_type(op, 0)?.element, cx.operand_type(op, 1)?.element);
    let arithmetic = Arithmetic::of(input, kernel, element, geometry.terms())?;
    if geometry.sees_only_padding(&cx.module.dim_exprs) {
        return Ok(cx.scalar(element, 0.0).into());
    }
    let (input, kernel) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let input = cx.cast(input, arithmetic.compute);
    let kernel = cx.cast(kernel, arithmetic.compute);
    let has_kernel = matches!(arithmetic.compute, Element::F32 | Element::F16 | Element::BF16);
    let sums = if has_kernel && (1..=MOST_SPATIAL_DIMENSIONS).contains(&geometry.spatial.len()) {
        direct::lower(cx, &geometry, input, kernel, &sizes)
    } else {
        gathered::lower(cx, &geometry, input, kernel, &sizes)
    };
    Ok(cx.finish_sum(sums, &arithmetic).into())
}

/// ONNX Runtime's kernels were found correct up to this many spatial dimensions; convolutions with more are gathered.
const MOST_SPATIAL_DIMENSIONS: usize = 4;

/// An empty slice of the input, reshaped to these sizes: `Conv` fails at run time if its output is empty.
fn emptied(cx: &mut Lower, input: ValueId, element: Element, sizes: &[Dim]) -> ValueId {
    let mut limits = cx.dims(input);
    let (starts, steps) = (vec![0; limits.len()], vec![1; limits.len()]);
    if !limits.contains(&Dim::Known(0)) {
        limits[0] = Dim::Known(0);
    }
    let nothing = cx.slice(input, &starts, &limits, &steps);
    let nothing = cx.cast(nothing, element);
    cx.reshape(nothing, sizes)
}

/// The kernel with these spatial dimensions reversed.
fn reversed(
    cx: &mut Lower,
    geometry: &Geometry,
    kernel: ValueId,
    which: fn(&SpatialAxis) -> bool,
) -> ValueId {
    cx.reverse(kernel, &order(geometry.spatial.iter().filter(|axis| which(axis)).map(|axis| axis.kernel)))
}

/// The input with zeros between its elements, and without the elements that negative padding cuts off. Padding that
/// is not a number, and so no attribute of an ONNX op, is there already.
fn dilated_and_cropped(cx: &mut Lower, geometry: &Geometry, input: ValueId) -> ValueId {
    let mut interior = vec![0; cx.rank(input)];
    geometry.spatial.iter().for_each(|axis| interior[axis.input] = axis.input_dilation - 1);
    let spread = if interior.iter().any(|&amount| amount != 0) {
        let zero = zero(cx, input);
        cx.spread(input, &interior, zero)
    } else {
        input
    };
    let mut limits = cx.dims(spread);
    let (mut starts, steps) = (vec![0; limits.len()], vec![1; limits.len()]);
    let (mut low, mut high) = (vec![Dim::Known(0); limits.len()], vec![Dim::Known(0); limits.len()]);
    for axis in &geometry.spatial {
        if let (Some(before), Some(after)) = (axis.low.known(), axis.high.known()) {
            starts[axis.input] = (-before).max(0);
            let cut = Dim::Known((-after).max(0));
            limits[axis.input] = cx.module.dim_exprs.subtract(limits[axis.input], cut);
        } else {
            (low[axis.input], high[axis.input]) = (axis.low, axis.high);
        }
    }
    let cut = cx.slice(spread, &starts, &limits, &steps);
    if geometry.spatial.iter().all(SpatialAxis::has_known_padding) {
        return cut;
    }
    let zero = zero(cx, input);
    cx.pad(cut, &low, &high, zero)
}

fn zero(cx: &mut Lower, like: ValueId) -> ValueId {
    let element = cx.element(like);
    cx.scalar(element, 0.0)
}

/// The order of dimensions that puts the one named first in place 0 and so on.
fn order(dims: impl IntoIterator<Item = usize>) -> Vec<i64> {
    dims.into_iter().map(|dim| dim as i64).collect()
}

/// The inverse of a permutation.
fn inverse(order: &[i64]) -> Vec<i64> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| inverse[from as usize] = to as i64);
    inverse
}
