//! Convolutions as one `MatMul`: a `Gather` with constant indices splits each spatial dimension of the input into
//! window index and offset in the window. Then the kernel's dimensions are contracted.

use super::geometry::{Geometry, SpatialAxis};
use super::{dilated_and_cropped, order, reversed, zero};
use crate::ir::{Dim, Element, ValueId, onnx};
use crate::ops::start_indices::StridedAxis;
use crate::ops::{DotDimensionNumbers, Lower};

/// Lowers to a product of matrices, in any element type that `MatMul` has.
pub(super) fn lower(
    cx: &mut Lower,
    geometry: &Geometry,
    input: ValueId,
    kernel: ValueId,
    sizes: &[Dim],
) -> ValueId {
    let input = padded(cx, geometry, input);
    let rank = cx.rank(input);
    let mut input_dims = Places::of(rank);
    let mut input = input;
    for axis in &geometry.spatial {
        input = windows(cx, axis, input, &mut input_dims);
    }
    let kernel = reversed(cx, geometry, kernel, |axis| axis.reversed);
    // A kernel dimension of size 1 has no counterpart in the input.
    let mut kernel_dims = Places::of(cx.rank(kernel));
    let mut kernel_sizes = cx.dims(kernel);
    for axis in geometry.spatial.iter().filter(|axis| axis.window == 1) {
        kernel_sizes.remove(kernel_dims.remove(axis.kernel));
    }
    let mut kernel = cx.reshape(kernel, &kernel_sizes);

    let mut pairs = DotDimensionNumbers::default();
    let groups = geometry.feature_groups.max(geometry.batch_groups);
    if groups > 1 {
        let grouped = if geometry.batch_groups > 1 {
            geometry.numbers.input_batch_dimension
        } else {
            geometry.numbers.input_feature_dimension
        };
        input = split(cx, input, &mut input_dims, grouped, groups);
        kernel =
            split(cx, kernel, &mut kernel_dims, geometry.numbers.kernel_output_feature_dimension, groups);
        pairs.batching.push((
            input_dims.at(grouped) - 1,
            kernel_dims.at(geometry.numbers.kernel_output_feature_dimension) - 1,
        ));
    }
    pairs.contracting.push((
        input_dims.at(geometry.numbers.input_feature_dimension),
        kernel_dims.at(geometry.numbers.kernel_input_feature_dimension),
    ));
    for axis in geometry.spatial.iter().filter(|axis| axis.window != 1) {
        pairs.contracting.push((input_dims.at(axis.input) + 1, kernel_dims.at(axis.kernel)));
    }
    let sums = cx.contract(input, kernel, &pairs);

    // The sums have the group, then the input's batch and positions as they are there, then the kernel's features.
    let first = pairs.batching.len();
    let mut free = vec![geometry.numbers.input_batch_dimension];
    free.extend(geometry.spatial.iter().map(|axis| axis.input));
    free.sort_unstable();
    let place = |dim: usize| first + free.iter().take_while(|&&other| other < dim).count();
    let mut places = vec![0; sizes.len()];
    places[geometry.numbers.output_batch_dimension] = place(geometry.numbers.input_batch_dimension);
    places[geometry.numbers.output_feature_dimension] = first + free.len();
    geometry.spatial.iter().for_each(|axis| places[axis.output] = place(axis.input));
    if groups > 1 {
        places.insert(geometry.numbers.output_feature_dimension, 0);
    }
    let moved = cx.transpose(sums, &order(places));
    cx.reshape(moved, sizes)
}

/// The input after dilation and padding.
fn padded(cx: &mut Lower, geometry: &Geometry, input: ValueId) -> ValueId {
    let input = dilated_and_cropped(cx, geometry, input);
    let (mut low, mut high) = (vec![0; cx.rank(input)], vec![0; cx.rank(input)]);
    for axis in &geometry.spatial {
        if let (Some(before), Some(after)) = (axis.low.known(), axis.high.known()) {
            (low[axis.input], high[axis.input]) = (before.max(0), after.max(0));
        }
    }
    if low.iter().chain(&high).all(|&amount| amount == 0) {
        return input;
    }
    let zero = zero(cx, input);
    cx.pad(input, &low, &high, zero)
}

/// Splits a spatial dimension of the input into the positions of the window and, if a window has more than one
/// element, the elements within it.
fn windows(cx: &mut Lower, axis: &SpatialAxis, input: ValueId, dims: &mut Places) -> ValueId {
    let at = dims.at(axis.input);
    let mut sizes = cx.dims(input);
    if axis.window == 1 {
        let (starts, mut steps) = (vec![0; sizes.len()], vec![1; sizes.len()]);
        let known = &cx.module.dim_exprs;
        let last = known.multiply(known.subtract(axis.positions, Dim::Known(1)), Dim::Known(axis.stride));
        sizes[at] = known.add(last, Dim::Known(1));
        steps[at] = axis.stride;
        return cx.slice(input, &starts, &sizes, &steps);
    }
    let indices = if let Dim::Known(positions) = axis.positions {
        let indices: Vec<i64> = (0..positions)
            .flat_map(|position| {
                (0..axis.window).map(move |inside| position * axis.stride + inside * axis.kernel_dilation)
            })
            .collect();
        cx.integers(Element::I64, &[positions, axis.window], &indices)
    } else {
        let count = |size: Dim, by: i64| StridedAxis { size, stride: Dim::Known(by) };
        let first = cx.integer(Element::I64, 0);
        let inside = (1, count(Dim::Known(axis.window), axis.kernel_dilation));
        cx.add_counts(first, 2, &[(0, count(axis.positions, axis.stride)), inside])
    };
    sizes[at] = axis.positions;
    sizes.insert(at + 1, Dim::Known(axis.window));
    dims.insert_after(axis.input);
    let element = cx.element(input);
    cx.node(onnx::GATHER, &[input, indices]).int("axis", at as i64).out(element, &sizes)
}

/// Splits a dimension into groups and the elements of a group.
fn split(cx: &mut Lower, value: ValueId, dims: &mut Places, dim: usize, groups: i64) -> ValueId {
    let at = dims.at(dim);
    let mut sizes = cx.dims(value);
    sizes[at] = cx.module.dim_exprs.quotient(sizes[at], Dim::Known(groups));
    sizes.insert(at, Dim::Known(groups));
    dims.insert_before(dim);
    cx.reshape(value, &sizes)
}

/// The current indices of the original dimensions of a tensor, while other dimensions are inserted and removed.
struct Places(Vec<usize>);

impl Places {
    fn of(rank: usize) -> Self {
        Self((0..rank).collect())
    }

    fn at(&self, dim: usize) -> usize {
        self.0[dim]
    }

    fn insert_after(&mut self, dim: usize) {
        let at = self.0[dim];
        self.0.iter_mut().filter(|place| **place > at).for_each(|place| *place += 1);
    }

    fn insert_before(&mut self, dim: usize) {
        let at = self.0[dim];
        self.0.iter_mut().filter(|place| **place >= at).for_each(|place| *place += 1);
    }

    /// Removes a dimension and returns its index.
    fn remove(&mut self, dim: usize) -> usize {
        let at = self.0[dim];
        self.0.iter_mut().filter(|place| **place > at).for_each(|place| *place -= 1);
        at
    }
}
