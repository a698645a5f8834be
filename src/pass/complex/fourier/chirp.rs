//! Transforms of a length without small factors, by Bluestein's algorithm.
//!
//! With the chirp `w_j = e^(± πi j²/n)`, `X_k = w_k Σ_j (x_j w_j) conj(w_(k-j))`, as `2jk = j² + k² - (k - j)²`: a
//! convolution, which transforms of any length compute that has room for all `k - j`.

use super::{Plan, Signal, Splitter, Transform, transform_by};
use std::f64::consts::{PI, TAU};

pub(super) fn transform(
    cx: &mut Splitter,
    signal: Signal,
    axis: usize,
    transform: Transform,
    padded: i64,
    plan: &Plan,
) -> Signal {
    let (inputs, outputs) = (transform.inputs, transform.outputs);
    let length = i128::from(transform.length);
    let chirp = |j: i64| {
        let square = i128::from(j) * i128::from(j) % (2 * length);
        let (sin, cos) = (PI * square as f64 / length as f64).sin_cos();
        [cos, transform.sign * sin]
    };
    let mut kernel = vec![[0.0; 2]; padded as usize];
    for step in 1 - inputs..outputs {
        let [re, im] = chirp(step);
        kernel[step.rem_euclid(padded) as usize] = [re, -im];
    }
    let kernel = spectrum(&kernel);
    let before: Vec<[f64; 2]> = (0..inputs).map(chirp).collect();
    let after: Vec<[f64; 2]> = (0..outputs).map(|k| chirp(k).map(|part| part * transform.scale)).collect();

    let signal = signal.weighted(cx, axis, transform);
    let signal = signal.times(cx, &before, &[axis], false);
    let forward = Transform { inputs, ..Transform::forward(padded) };
    let signal = transform_by(cx, signal, axis, forward, plan);
    let signal = signal.times(cx, &kernel, &[axis], false);
    let inverse = Transform { outputs, ..Transform::inverse(padded) };
    let signal = transform_by(cx, signal, axis, inverse, plan);
    signal.times(cx, &after, &[axis], transform.to_real)
}

/// The forward transform of any length with small factors, by Cooley and Tukey.
fn spectrum(values: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let count = values.len();
    let Some(factor) = (2..=count).find(|factor| count.is_multiple_of(*factor)) else {
        return values.to_vec();
    };
    let rest = count / factor;
    let parts: Vec<Vec<[f64; 2]>> = (0..factor)
        .map(|start| {
            let part: Vec<[f64; 2]> = values.iter().skip(start).step_by(factor).copied().collect();
            spectrum(&part)
        })
        .collect();
    (0..count)
        .map(|k| {
            parts.iter().enumerate().fold([0.0; 2], |[re, im], (start, part)| {
                let (sin, cos) = (-TAU * (start * k % count) as f64 / count as f64).sin_cos();
                let [x, y] = part[k % rest];
                [re + x * cos - y * sin, im + x * sin + y * cos]
            })
        })
        .collect()
}
