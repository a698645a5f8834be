//! A transform of a length that is a product, by Cooley and Tukey.
//!
//! With `length = n m`, `j = m j₁ + j₂` and `k = k₁ + n k₂`, `X_k` is a transform of length `m` over `j₂` of the
//! transforms of length `n` over `j₁`, which are multiplied by the roots of unity `e^(± 2πi j₂ k₁ / length)` between them.

use super::{Plan, Signal, Splitter, Transform, matrix, transform_by};
use crate::ir::{Dim, stablehlo};

pub(super) fn transform(
    cx: &mut Splitter,
    signal: Signal,
    axis: usize,
    transform: Transform,
    first: i64,
    rest: &Plan,
) -> Signal {
    let second = transform.length / first;
    let rows = (transform.inputs + second - 1) / second;
    let signal = signal.weighted(cx, axis, transform);
    let signal = signal.padded(cx, axis, rows * second - transform.inputs);
    // The axis is split into rows of `j₁`, which then come after the `j₂`.
    let signal = signal.map(cx, |cx, part, _| {
        let mut sizes = cx.dims(part);
        sizes.splice(axis..=axis, [Dim::Known(rows), Dim::Known(second)]);
        let split = cx.reshape(part, &sizes);
        sizes.swap(axis, axis + 1);
        let ty = cx.resized(split, &sizes);
        let mut order: Vec<i64> = (0..sizes.len() as i64).collect();
        order.swap(axis, axis + 1);
        cx.create(stablehlo::TRANSPOSE, &[split]).ints("permutation", &order).of(ty)
    });
    let inner = Transform { sign: transform.sign, inputs: rows, ..Transform::forward(first) };
    let signal = matrix::transform(cx, signal, axis + 1, inner);
    let roots: Vec<[f64; 2]> =
        (0..second).flat_map(|j| (0..first).map(move |k| transform.root(j, k))).collect();
    let signal = signal.times(cx, &roots, &[axis, axis + 1], false);
    let columns = (transform.outputs + first - 1) / first;
    let outer = Transform { length: second, inputs: second, outputs: columns, is_half: false, ..transform };
    let signal = transform_by(cx, signal, axis, outer, rest);
    signal.map(cx, |cx, part, _| {
        let mut sizes = cx.dims(part);
        sizes.splice(axis..=axis + 1, [Dim::Known(columns * first)]);
        let joined = cx.reshape(part, &sizes);
        if columns * first == transform.outputs {
            return joined;
        }
        cx.cut(joined, axis, 0, transform.outputs)
    })
}
