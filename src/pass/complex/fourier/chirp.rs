//! Long transforms by Bluestein's algorithm.
//!
//! With the chirp `w_j = e^(∓πi j²/n)`, `X_k = w_k Σ_j (x_j w_j) conj(w_(k-j))`, as `2jk = j² + k² - (k - j)²`: a
//! convolution, which transforms of a power of two compute.

use super::super::build::integers;
use super::{FftDirection, LowerError, ONE, Splitter, TWO, dft};
use crate::ir::{Data, Dim, Element, SCALAR, ValueId, stablehlo};
use std::f64::consts::PI;

/// Numbers as their two parts.
type ComplexNumbers = Vec<[f64; 2]>;

/// The transform of all elements of an axis, real or complex.
pub(super) fn transform(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    length: i64,
    direction: FftDirection,
) -> Result<ValueId, LowerError> {
    let mut sizes = cx.dims(value);
    let trailing = sizes.len() - 1;
    let is_real = sizes[trailing] == ONE;
    let padded = usize::try_from(2 * length - 1).map_or(1, usize::next_power_of_two);
    let (sign, scale) = match direction {
        FftDirection::Forward => (-1.0, 1.0),
        FftDirection::Inverse => (1.0, 1.0 / length as f64),
    };
    let chirp: ComplexNumbers = (0..i128::from(length))
        .map(|j| {
            let (sin, cos) = (PI * (j * j % (2 * i128::from(length))) as f64 / length as f64).sin_cos();
            [cos, sign * sin]
        })
        .collect();
    let mut kernel = vec![[0.0; 2]; padded];
    for (j, &[re, im]) in chirp.iter().enumerate() {
        kernel[j] = [re, -im];
        kernel[(padded - j) % padded] = [re, -im];
    }
    radix2(&mut kernel);

    let last: ComplexNumbers = chirp.iter().map(|&[re, im]| [re * scale, im * scale]).collect();
    sizes[trailing] = TWO;
    let signal = if is_real {
        let chirp = along(cx, value, chirp.iter().flatten().copied(), [length, 2], &sizes, axis);
        let ty = cx.module.value_type(chirp);
        let signal = cx.broadcast(value, ty, 0..sizes.len());
        cx.create(stablehlo::MULTIPLY, &[signal, chirp]).of(ty)
    } else {
        rotate(cx, value, &chirp, axis)
    };
    let signal = pad(cx, signal, axis, padded as i64 - length);
    sizes[axis] = Dim::Known(padded as i64);
    let spectrum = dft(cx, signal, axis, &sizes, FftDirection::Forward, false);
    let spectrum = rotate(cx, spectrum, &kernel, axis);
    let convolved = dft(cx, spectrum, axis, &sizes, FftDirection::Inverse, false);
    let convolved = cx.cut(convolved, axis, 0, length);
    Ok(rotate(cx, convolved, &last, axis))
}

/// The products of packed elements along an axis with known numbers: `(x, y) a + (y, x) (-b, b)`.
fn rotate(cx: &mut Splitter, value: ValueId, numbers: &ComplexNumbers, axis: usize) -> ValueId {
    let (ty, sizes) = (cx.module.value_type(value), cx.dims(value));
    let count = numbers.len() as i64;
    let re = along(cx, value, numbers.iter().map(|&[re, _]| re), [count, 1], &sizes, axis);
    let im = along(cx, value, numbers.iter().flat_map(|&[_, im]| [-im, im]), [count, 2], &sizes, axis);
    let trailing = integers(&[sizes.len() as i64 - 1]);
    let turned = cx.create(stablehlo::REVERSE, &[value]).attr("dimensions", trailing).of(ty);
    let straight = cx.create(stablehlo::MULTIPLY, &[value, re]).of(ty);
    let crossed = cx.create(stablehlo::MULTIPLY, &[turned, im]).of(ty);
    cx.create(stablehlo::ADD, &[straight, crossed]).of(ty)
}

/// A packed value with this many zeros after it along an axis.
fn pad(cx: &mut Splitter, packed: ValueId, axis: usize, zeros: i64) -> ValueId {
    let mut sizes = cx.dims(packed);
    let (none, mut high) = (vec![0; sizes.len()], vec![0; sizes.len()]);
    high[axis] = zeros;
    sizes[axis] = cx.module.dim_exprs.add(sizes[axis], Dim::Known(zeros));
    let scalar = cx.resized(packed, SCALAR);
    let zero = cx.splat(scalar, 0.0);
    let ty = cx.resized(packed, &sizes);
    let attributes = [
        ("edge_padding_low", integers(&none)),
        ("edge_padding_high", integers(&high)),
        ("interior_padding", integers(&none)),
    ];
    cx.create(stablehlo::PAD, &[packed, zero]).attrs(attributes).of(ty)
}

/// Numbers as a constant of the element type of `like`, with its two dimensions being an axis and the trailing one,
/// broadcast to these sizes.
fn along(
    cx: &mut Splitter,
    like: ValueId,
    numbers: impl Iterator<Item = f64>,
    own: [i64; 2],
    sizes: &[Dim],
    axis: usize,
) -> ValueId {
    let bytes: Vec<u8> = if cx.element(like) == Element::F64 {
        numbers.flat_map(f64::to_le_bytes).collect()
    } else {
        numbers.flat_map(|number| (number as f32).to_le_bytes()).collect()
    };
    let ty = cx.resized(like, &own);
    let constant = cx.constant(ty, Data::Bytes(bytes.into()));
    let ty = cx.resized(like, sizes);
    let dims = integers(&[axis as i64, sizes.len() as i64 - 1]);
    cx.create(stablehlo::BROADCAST_IN_DIM, &[constant]).attr("broadcast_dimensions", dims).of(ty)
}

/// The forward transform of a power of two, in place (Cooley and Tukey).
fn radix2(values: &mut [[f64; 2]]) {
    let count = values.len();
    let bits = count.trailing_zeros();
    for index in 0..count {
        let other = if bits == 0 { 0 } else { index.reverse_bits() >> (usize::BITS - bits) };
        if index < other {
            values.swap(index, other);
        }
    }
    let mut half = 1;
    while half < count {
        for start in (0..count).step_by(2 * half) {
            for offset in 0..half {
                let (sin, cos) = (-PI * offset as f64 / half as f64).sin_cos();
                let ([a, b], [c, d]) = (values[start + offset], values[start + offset + half]);
                let (re, im) = (c * cos - d * sin, c * sin + d * cos);
                values[start + offset] = [a + re, b + im];
                values[start + offset + half] = [a - re, b - im];
            }
        }
        half *= 2;
    }
}
