//! Short transforms as products with a real matrix, which takes and returns both parts at once.

use super::super::build::integers;
use super::{FftDirection, ONE, Splitter};
use crate::ir::{Data, Dim, Element, ValueId, stablehlo};
use crate::ops::DotDimensionNumbers;
use std::f64::consts::TAU;

/// The transform of all elements of an axis, real or complex.
pub(super) fn transform(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    length: i64,
    direction: FftDirection,
) -> ValueId {
    let parts = if cx.dims(value).last() == Some(&ONE) { 1 } else { 2 };
    let (sign, scale) = match direction {
        FftDirection::Forward => (-1.0, 1.0),
        FftDirection::Inverse => (1.0, 1.0 / length as f64),
    };
    let entry = |[from, part, to, result]: [i64; 4]| {
        let (sin, cos) = angle(from, to, length).sin_cos();
        // (x + yi)(cos + i sin): the rows are x and y, the columns the two parts.
        scale
            * match (part, result) {
                (0, 0) | (1, 1) => cos,
                (0, _) => sign * sin,
                _ => -sign * sin,
            }
    };
    multiply(cx, value, axis, [length, parts, length, 2], entry)
}

/// One half of the spectrum of a real signal.
pub(super) fn half_spectrum(cx: &mut Splitter, real: ValueId, axis: usize, length: i64) -> ValueId {
    let entry = |[from, _, to, result]: [i64; 4]| {
        let (sin, cos) = angle(from, to, length).sin_cos();
        if result == 0 { cos } else { -sin }
    };
    multiply(cx, real, axis, [length, 1, length / 2 + 1, 2], entry)
}

/// The real signal of one half of its spectrum, of which each element counts twice, but for the first and, for an
/// even length, the last.
pub(super) fn real_signal(cx: &mut Splitter, half: ValueId, axis: usize, length: i64) -> ValueId {
    let entry = |[from, part, to, _]: [i64; 4]| {
        let (sin, cos) = angle(from, to, length).sin_cos();
        let weight = if from == 0 || 2 * from == length { 1.0 } else { 2.0 };
        weight / length as f64 * if part == 0 { cos } else { -sin }
    };
    multiply(cx, half, axis, [length / 2 + 1, 2, length, 1], entry)
}

/// `2π ab / n`, from the remainder of the product, as large angles lose digits.
fn angle(a: i64, b: i64, n: i64) -> f64 {
    TAU * (a * b % n) as f64 / n as f64
}

/// Contracts an axis and the trailing dimension with the first two dimensions of a matrix, and puts the others in
/// their places.
fn multiply(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    [rows, parts, columns, results]: [i64; 4],
    entry: impl Fn([i64; 4]) -> f64,
) -> ValueId {
    let is_double = cx.element(value) == Element::F64;
    let mut bytes = Vec::new();
    for row in 0..rows {
        for part in 0..parts {
            for column in 0..columns {
                for result in 0..results {
                    let number = entry([row, part, column, result]);
                    if is_double {
                        bytes.extend_from_slice(&number.to_le_bytes());
                    } else {
                        bytes.extend_from_slice(&(number as f32).to_le_bytes());
                    }
                }
            }
        }
    }
    let ty = cx.resized(value, &[rows, parts, columns, results]);
    let matrix = cx.constant(ty, Data::Bytes(bytes.into()));
    let sizes = cx.dims(value);
    let trailing = sizes.len() - 1;
    let mut product_sizes: Vec<Dim> =
        (0..trailing).filter(|&other| other != axis).map(|other| sizes[other]).collect();
    product_sizes.extend([columns, results].map(Dim::Known));
    let numbers = DotDimensionNumbers { batching: Vec::new(), contracting: vec![(axis, 0), (trailing, 1)] };
    let numbers = numbers.attribute(cx.module);
    let ty = cx.resized(value, &product_sizes);
    let product = cx.create(stablehlo::DOT_GENERAL, &[value, matrix]).attrs([numbers]).of(ty);
    if axis + 1 == trailing {
        return product;
    }
    // The transformed axis is after the others.
    let mut order: Vec<i64> = (0..trailing as i64 - 1).collect();
    order.insert(axis, trailing as i64 - 1);
    order.push(trailing as i64);
    let sizes: Vec<Dim> = order.iter().map(|&from| product_sizes[from as usize]).collect();
    let ty = cx.resized(value, &sizes);
    cx.create(stablehlo::TRANSPOSE, &[product]).attr("permutation", integers(&order)).of(ty)
}
