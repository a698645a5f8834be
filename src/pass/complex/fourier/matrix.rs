//! A transform as products with its matrix: `C x - S y` and `C y + S x`, of cosines and signed sines.

use super::{Signal, Splitter, Transform, floats};
use crate::ir::{Dim, ValueId, stablehlo};
use crate::ops::DotDimensionNumbers;

pub(super) fn transform(cx: &mut Splitter, signal: Signal, axis: usize, transform: Transform) -> Signal {
    let [cos, sin] = [0, 1].map(|part| matrix(cx, signal.re, axis, transform, part));
    let product = |cx: &mut Splitter, part, matrix| product(cx, part, axis, matrix, transform.outputs);
    let re = product(cx, signal.re, cos);
    let ty = cx.module.value_type(re);
    let re = match signal.im {
        Some(im) => {
            let crossed = product(cx, im, sin);
            cx.create(stablehlo::SUBTRACT, &[re, crossed]).of(ty)
        }
        None => re,
    };
    if transform.to_real {
        return Signal { re, im: None };
    }
    let im = product(cx, signal.re, sin);
    let im = match signal.im {
        Some(own) => {
            let straight = product(cx, own, cos);
            cx.create(stablehlo::ADD, &[straight, im]).of(ty)
        }
        None => im,
    };
    Signal { re, im: Some(im) }
}

/// Whether the axis is the last, so that the matrix is the right factor.
fn is_last(cx: &Splitter, value: ValueId, axis: usize) -> bool {
    axis + 1 == cx.dims(value).len()
}

/// The cosines or sines, with a row for each input if the matrix is the right factor, else for each output.
fn matrix(cx: &mut Splitter, like: ValueId, axis: usize, transform: Transform, part: usize) -> ValueId {
    let (inputs, outputs) = (transform.inputs, transform.outputs);
    let entry = |from, to| transform.scale * transform.weight(from) * transform.root(from, to)[part];
    let numbers: Vec<f64>;
    let sizes = if is_last(cx, like, axis) {
        numbers = (0..inputs).flat_map(|from| (0..outputs).map(move |to| entry(from, to))).collect();
        [inputs, outputs]
    } else {
        numbers = (0..outputs).flat_map(|to| (0..inputs).map(move |from| entry(from, to))).collect();
        [outputs, inputs]
    };
    let ty = cx.resized(like, &sizes);
    floats(cx, ty, numbers.into_iter())
}

/// The product of a value and a matrix along an axis, which stays where it is.
fn product(cx: &mut Splitter, value: ValueId, axis: usize, matrix: ValueId, outputs: i64) -> ValueId {
    let mut sizes = cx.dims(value);
    let inputs = std::mem::replace(&mut sizes[axis], Dim::Known(outputs));
    let ty = cx.resized(value, &sizes);
    if axis + 1 == sizes.len() {
        let numbers = DotDimensionNumbers { batching: Vec::new(), contracting: vec![(axis, 0)] };
        let numbers = numbers.attribute(cx.module);
        return cx.create(stablehlo::DOT_GENERAL, &[value, matrix]).attrs([numbers]).of(ty);
    }
    // The dimensions before the axis are those of a batch, for which the matrix is broadcast.
    let batched = [&sizes[..=axis], &[inputs]].concat();
    let batched = cx.resized(value, &batched);
    let matrix = cx.broadcast(matrix, batched, axis..axis + 2);
    let numbers = DotDimensionNumbers {
        batching: (0..axis).map(|dim| (dim, dim)).collect(),
        contracting: vec![(axis + 1, axis)],
    };
    let numbers = numbers.attribute(cx.module);
    cx.create(stablehlo::DOT_GENERAL, &[matrix, value]).attrs([numbers]).of(ty)
}
