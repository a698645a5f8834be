//! `Conv` and `ConvTranspose`: input `[N, C, ...]`, kernel `[O, I, ...]` or `[C, O, ...]`, output `[N, O, ...]`.
//!
//! Batch groups become feature groups: `[g * n, C]` becomes `[n, g * C]`, whose group `i` uses the kernel's output
//! feature group `i`.
//!
//! A dilated input with stride 1 is a `ConvTranspose`: it adds each element times the kernel to the output at the
//! distance of the dilation. So the kernel is reversed, and padding counts from the full overlap: `(window - 1) *
//! dilation - padding`. Otherwise zeros are inserted between the elements, followed by `Conv`.

use super::geometry::{Geometry, SpatialAxis};
use super::{dilated_and_cropped, inverse, order, reversed};
use crate::ir::{Dim, DimExprs, Dims, OpBuilder, ValueId, onnx};
use crate::ops::Lower;
use crate::ops::kernel_attributes::{KernelAttributes, Pads};

/// Lowers to `Conv` or `ConvTranspose`.
pub(super) fn lower(
    cx: &mut Lower,
    geometry: &Geometry,
    input: ValueId,
    kernel: ValueId,
    sizes: &[Dim],
) -> ValueId {
    let transposed = geometry.spatial.iter().any(|axis| axis.input_dilation > 1)
        && geometry.spatial.iter().all(|axis| axis.stride == 1 || axis.positions == Dim::Known(1))
        && geometry.spatial.iter().all(|axis| is_transposed(&cx.module.dim_exprs, axis));
    let same = geometry.auto_pad(&cx.module.dim_exprs);
    let as_it_is = transposed || same.is_some();
    let mut padded = geometry.clone();
    if !as_it_is {
        for axis in &mut padded.spatial {
            if let Some((more, positions)) = axis.beyond(&cx.module.dim_exprs) {
                axis.high = cx.module.dim_exprs.add(axis.high, Dim::Known(more));
                axis.positions = positions;
            }
        }
    }
    let geometry = &padded;
    let input = if as_it_is { input } else { dilated_and_cropped(cx, geometry, input) };
    let input = features_first(cx, geometry, input);
    let groups = geometry.feature_groups.max(geometry.batch_groups);

    let result_order = order(
        [geometry.numbers.output_batch_dimension, geometry.numbers.output_feature_dimension]
            .into_iter()
            .chain(geometry.spatial.iter().map(|axis| axis.output)),
    );
    let mut all: Dims = sizes.iter().copied().collect();
    geometry.spatial.iter().for_each(|axis| all[axis.output] = axis.positions);
    let moved: Dims = result_order.iter().map(|&dim| all[dim as usize]).collect();
    let sums = if transposed {
        conv_transpose(cx, geometry, input, kernel, groups, &moved)
    } else {
        conv(cx, geometry, input, kernel, groups, same, &moved)
    };
    let sums = cx.transpose(sums, &inverse(&result_order));
    cx.slice(sums, &vec![0; sizes.len()], sizes, &vec![1; sizes.len()])
}

/// The input as `[N, C, ...]`, with the groups of the batch, if any, among the features.
fn features_first(cx: &mut Lower, geometry: &Geometry, input: ValueId) -> ValueId {
    let groups = geometry.batch_groups;
    let spatial = geometry.spatial.iter().map(|axis| axis.input);
    if groups == 1 {
        let order = order(
            [geometry.numbers.input_batch_dimension, geometry.numbers.input_feature_dimension]
                .into_iter()
                .chain(spatial),
        );
        return cx.transpose(input, &order);
    }
    let batch = geometry.numbers.input_batch_dimension;
    let mut split = cx.dims(input);
    split[batch] = cx.module.dim_exprs.quotient(split[batch], Dim::Known(groups));
    split.insert(batch, Dim::Known(groups));
    let apart = cx.reshape(input, &split);
    let order = order(
        [batch + 1, batch, after_insertion(batch, geometry.numbers.input_feature_dimension)]
            .into_iter()
            .chain(spatial.map(|dim| after_insertion(batch, dim))),
    );
    let apart = cx.transpose(apart, &order);
    let mut joined = cx.dims(apart);
    joined[1] = cx.module.dim_exprs.multiply(joined[1], joined[2]);
    joined.remove(2);
    cx.reshape(apart, &joined)
}

fn conv(
    cx: &mut Lower,
    geometry: &Geometry,
    input: ValueId,
    kernel: ValueId,
    groups: i64,
    same: Option<&'static str>,
    sizes: &[Dim],
) -> ValueId {
    let axes = &geometry.spatial;
    let kernel_order = order(
        [geometry.numbers.kernel_output_feature_dimension, geometry.numbers.kernel_input_feature_dimension]
            .into_iter()
            .chain(axes.iter().map(|axis| axis.kernel)),
    );
    let kernel = reversed(cx, geometry, kernel, |axis| axis.reversed);
    let kernel = cx.transpose(kernel, &kernel_order);
    let padding = |axis: &SpatialAxis| axis.low.known().zip(axis.high.known()).unwrap_or((0, 0));
    let pads =
        axes.iter().map(|axis| padding(axis).0.max(0)).chain(axes.iter().map(|axis| padding(axis).1.max(0)));
    let pads = same.map_or_else(|| Pads::Numbers(pads.collect()), Pads::Auto);
    let element = cx.element(input);
    let node = cx.node(onnx::CONV, &[input, kernel]);
    attributes(node, axes, groups, |axis| axis.stride, pads).out(element, sizes)
}

fn conv_transpose(
    cx: &mut Lower,
    geometry: &Geometry,
    input: ValueId,
    kernel: ValueId,
    groups: i64,
    sizes: &[Dim],
) -> ValueId {
    let axes = &geometry.spatial;
    let kernel = reversed(cx, geometry, kernel, |axis| !axis.reversed);
    let kernel = grouped_kernel(cx, geometry, kernel, groups);
    let high_seen = |axis: &SpatialAxis| axis.high_seen(&cx.module.dim_exprs).unwrap_or(0);
    let high: Vec<i64> = axes.iter().map(|axis| axis.reach() - high_seen(axis)).collect();
    let low = axes.iter().map(|axis| axis.reach() - axis.low.known().unwrap_or(0));
    let pads: Vec<i64> = low.chain(high.iter().map(|&high| high.max(0))).collect();
    let extra: Vec<i64> = high.iter().map(|&high| (-high).max(0)).collect();
    let element = cx.element(input);
    let node = cx.node(onnx::CONV_TRANSPOSE, &[input, kernel]);
    let node = attributes(node, axes, groups, |axis| axis.input_dilation, Pads::Numbers(pads));
    node.optional("output_padding", &extra).out(element, sizes)
}

/// Whether `ConvTranspose` supports the padding of this dimension: not beyond the full overlap before the input, and
/// after it at most what `output_padding` can add, which ONNX Runtime requires to be less than the stride.
fn is_transposed(sizes: &DimExprs, axis: &SpatialAxis) -> bool {
    let padding = axis.low.known().zip(axis.high_seen(sizes));
    let fits = axis.beyond(sizes).is_none();
    padding
        .is_some_and(|(low, high)| fits && low <= axis.reach() && high - axis.reach() < axis.input_dilation)
}

/// The kernel as `[C, O / groups, ...]`: its output features are those of the groups in turn.
fn grouped_kernel(cx: &mut Lower, geometry: &Geometry, kernel: ValueId, groups: i64) -> ValueId {
    let spatial = geometry.spatial.iter().map(|axis| axis.kernel);
    let made = geometry.numbers.kernel_output_feature_dimension;
    if groups == 1 {
        return cx.transpose(
            kernel,
            &order([geometry.numbers.kernel_input_feature_dimension, made].into_iter().chain(spatial)),
        );
    }
    let mut split = cx.dims(kernel);
    split[made] = cx.module.dim_exprs.quotient(split[made], Dim::Known(groups));
    split.insert(made, Dim::Known(groups));
    let apart = cx.reshape(kernel, &split);
    let order = order(
        [made, after_insertion(made, geometry.numbers.kernel_input_feature_dimension), made + 1]
            .into_iter()
            .chain(spatial.map(|dim| after_insertion(made, dim))),
    );
    let apart = cx.transpose(apart, &order);
    let mut joined = cx.dims(apart);
    joined[0] = cx.module.dim_exprs.multiply(joined[0], joined[1]);
    joined.remove(1);
    cx.reshape(apart, &joined)
}

/// The index of a dimension once another one is inserted at `at`.
fn after_insertion(at: usize, dim: usize) -> usize {
    if dim >= at { dim + 1 } else { dim }
}

/// Sets the attributes that `Conv` and `ConvTranspose` share.
fn attributes<'c>(
    node: OpBuilder<'c>,
    axes: &[SpatialAxis],
    groups: i64,
    stride: fn(&SpatialAxis) -> i64,
    pads: Pads,
) -> OpBuilder<'c> {
    let node = if groups == 1 { node } else { node.int("group", groups) };
    let kernel = KernelAttributes {
        kernel_shape: axes.iter().map(|axis| axis.window).collect(),
        strides: axes.iter().map(stride).collect(),
        dilations: Some(axes.iter().map(|axis| axis.kernel_dilation).collect()),
        pads,
    };
    kernel.write(node)
}
