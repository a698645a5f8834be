//! Eigenvalues of symmetric and Hermitian matrices and singular values, by Jacobi's rotations.
//!
//! A rotation of two rows and columns makes the element at their crossing zero. Each round pairs all columns, those
//! of the first half with those of the second, and rotates them at once. Then they move as in a round-robin
//! tournament, with the first one fixed. After `n - 1` rounds, a sweep, each pair has met, and all are back in place.
//! Off-diagonal elements vanish quadratically in the number of sweeps.
//!
//! It is computed in `f64`, for `f32` too. The order of the values is LAPACK's; the signs of the vectors, which are
//! not unique, are not.

use super::householder;
use super::matrix::{Iteration, Matrix, of_batch};
use crate::ir::{Element, SCALAR, ValueId, onnx};
use crate::ops::{Lower, LowerError};

/// The maximum number of sweeps; few matrices need ten.
const SWEEPS: i64 = 30;

/// Larger matrices are refused: the cost is the cube of the size, some ten times.
pub(super) const LARGEST: i64 = 256;

/// The pairing of a round.
struct Pairing {
    /// For each position after the round, the earlier position of its column.
    own: Vec<i64>,
    /// Where the column was that it is paired with.
    other: Vec<i64>,
    /// For each position after the round, the position of its partner in the first half. Both partners must make the
    /// same decision, bit for bit.
    first: Vec<i64>,
    /// 1 for the columns of the first half, -1 for the others: the sign of rotations by 45 degrees.
    side: Matrix,
}

impl Pairing {
    /// Of an even number of columns.
    fn of(cx: &mut Lower, n: i64) -> Self {
        let half = n / 2;
        // Places 0, 1, ..., half - 1 and back from n - 1 to half are a circle, on which all but the first move on.
        let circle: Vec<i64> = (0..half).chain((half..n).rev()).collect();
        let mut own = vec![0; n as usize];
        for index in 1..n as usize {
            let next = if index + 1 == n as usize { 1 } else { index + 1 };
            own[circle[next] as usize] = circle[index];
        }
        let other: Vec<i64> = own.iter().map(|&place| (place + half) % n).collect();
        let place_of = |column: i64| own.iter().position(|&other| other == column).unwrap_or(0) as i64;
        let first = own.iter().map(|&column| place_of(column % half)).collect();
        let sides: Vec<i64> = own.iter().map(|&place| if place < half { 1 } else { -1 }).collect();
        let sides = cx.integers(Element::I64, &[1, 1, n], &sides);
        let side = cx.cast(sides, Element::F64).into();
        Self { own, other, first, side }
    }

    /// The cosines and sines with which the pairs are rotated: `own * cos - other * sin` is the new column. They are
    /// made from the diagonal elements of the pair and the one at their crossing. Where it is complex, the other
    /// column is given the phase first that makes it real.
    fn rotation(&self, cx: &mut Lower, own: Matrix, other: Matrix, crossing: Matrix) -> (Matrix, Matrix) {
        let length = if crossing.is_complex() {
            cx.numbers([crossing], |[crossing]| crossing.magnitude())
        } else {
            crossing
        };
        let tangent = cx.numbers([own, other, length, self.side], |[own, other, crossing, side]| {
            let (own, other) = (own.re(), other.re());
            let nothing = crossing.equal(0.0);
            let ratio = (other - own) / (nothing.select(1.0, crossing) * 2.0);
            let sign = ratio.greater(0.0).select(1.0, ratio.less(0.0).select(-1.0, side));
            nothing.select(0.0, sign / (ratio.abs() + (ratio * ratio + 1.0).sqrt()))
        });
        let cosine = cx.numbers([tangent], |[tangent]| 1.0 / (tangent * tangent + 1.0).sqrt());
        let sine = cx.numbers([tangent, cosine], |[tangent, cosine]| tangent * cosine);
        if !crossing.is_complex() {
            return (cosine, sine);
        }
        let sine = cx.numbers([sine, crossing, length], |[sine, crossing, length]| {
            crossing.conj() / length.equal(0.0).select(1.0, length) * sine
        });
        (cosine, sine)
    }

    /// What each pair has at its crossing, which has been taken at `own` and `other`: the same for both, or for the
    /// second one the conjugate.
    fn shared(&self, cx: &mut Lower, crossing: Matrix) -> Matrix {
        let crossing = cx.arrange(crossing, &self.first, 2);
        let Some(im) = crossing.im else { return crossing };
        let im = cx.numbers([im.into(), self.side], |[im, side]| im * side);
        Matrix { re: crossing.re, im: Some(im.re) }
    }

    /// The columns after the round.
    fn columns(&self, cx: &mut Lower, value: Matrix, (cosine, sine): (Matrix, Matrix)) -> Matrix {
        let own = cx.arrange(value, &self.own, 2);
        let other = cx.arrange(value, &self.other, 2);
        cx.numbers([own, other, cosine, sine], |[own, other, cosine, sine]| own * cosine - other * sine)
    }
}

/// The matrix with as many columns, and rows where it is `square`, as are even.
fn even(cx: &mut Lower, value: Matrix, square: bool) -> Result<Matrix, LowerError> {
    let odd = value.size(cx, 2)? % 2;
    let zero = cx.scalar(Element::F64, 0.0);
    Ok(value.map(cx, |cx, part| cx.pad(part, &[0; 3], &[0, if square { odd } else { 0 }, odd], zero)))
}

/// The values divided by the largest, so that squares do not overflow, and the largest, `[batch, 1, 1]`.
pub(super) fn scaled(cx: &mut Lower, value: Matrix) -> (Matrix, Matrix) {
    let magnitudes = cx.numbers([value], |[value]| value.size());
    let largest = cx.reduce_along(onnx::REDUCE_MAX, magnitudes, &[1, 2]);
    // ONNX Runtime's ReduceMax may pass over NaN; the sum does not.
    let sum = cx.reduce_along(onnx::REDUCE_SUM, magnitudes, &[1, 2]);
    let largest = cx.numbers([largest, sum], |[largest, sum]| {
        let none = largest.equal(0.0).select(1.0, largest);
        sum.is_nan().select(sum, none)
    });
    (cx.numbers([value, largest], |[value, largest]| value / largest), largest)
}

/// Whether any value exceeds a limit, where all dimensions except the batch are 1.
pub(super) fn any_above(cx: &mut Lower, value: Matrix, limit: f64) -> ValueId {
    let above = cx.numbers([value], |[value]| value.greater(limit).cast(Element::F64));
    let most = cx.reduce_along(onnx::REDUCE_MAX, above, &[0, 1, 2]);
    let most = cx.reshape(most.re, SCALAR).into();
    cx.numbers([most], |[most]| most.greater(0.0)).re
}

/// Repeats sweeps as long as the last value of the state, a measure for each matrix, is above the limit.
fn sweeps(
    cx: &mut Lower,
    state: &[Matrix],
    limit: f64,
    sweep: impl FnOnce(&mut Lower, &[Matrix]) -> Result<Vec<Matrix>, LowerError>,
) -> Result<Vec<Matrix>, LowerError> {
    let first = any_above(cx, state[state.len() - 1], limit);
    cx.repeat(SWEEPS, first, state, |cx, _, _, state| {
        let next = sweep(cx, state)?;
        let again = any_above(cx, next[next.len() - 1], limit);
        Ok((again, Iteration { state: next, left: Vec::new() }))
    })
}

/// Sorts values, `[batch, 1, n]`, and returns the permutation.
fn sorted(cx: &mut Lower, values: Matrix, largest: bool) -> (Matrix, Matrix) {
    let sizes = values.dims(cx).to_vec();
    let count = cx.shape(&sizes[2..]);
    let node = cx.node(onnx::TOP_K, &[values.re, count]).int("axis", 2).int("largest", i64::from(largest));
    let outs = node.outs(&[(Element::F64, sizes.clone()), (Element::I64, sizes)]);
    (outs[0].into(), outs[1].into())
}

/// 1 for each matrix, `[batch, 1, 1]`, with a NaN result, like LAPACK's code for no convergence.
pub(super) fn failed(cx: &mut Lower, values: Matrix) -> Matrix {
    // A number times zero is zero, which infinity and NaN are not.
    let zeros = cx.numbers([values], |[values]| values * 0.0);
    let sum = cx.sum_along(zeros, 2);
    cx.numbers([sum], |[sum]| sum.equal(0.0).select(sum.beside(0.0), 1.0).cast(Element::I64))
}

/// The eigenvalues, ascending, `[batch, 1, n]`, and the eigenvectors of symmetric or Hermitian matrices of `f64`, given
/// in full. `precision` is the size of the off-diagonal elements, relative to the matrix, that is small enough.
pub(super) fn eigen(cx: &mut Lower, a: Matrix, precision: f64) -> Result<(Matrix, Matrix), LowerError> {
    let own = a.size(cx, 2)?;
    let (a, scale) = scaled(cx, a);
    let a = even(cx, a, true)?;
    let (batch, _, n) = a.extents(cx)?;
    let pairing = Pairing::of(cx, n);
    let identity = cx.identity_matrix(Element::F64, n, n);
    let vectors = cx.broadcast_to(identity.re, &of_batch(batch, &[n, n])).into();
    let vectors = if a.is_complex() { cx.complexified(vectors) } else { vectors };
    let beside = |cx: &mut Lower, a: Matrix| {
        let squares = cx.numbers([identity, a], |[identity, a]| identity.equal(1.0).select(0.0, a.square()));
        cx.reduce_along(onnx::REDUCE_SUM, squares, &[1, 2])
    };
    let measure = beside(cx, a);
    let at = |rows: &[i64], columns: &[i64]| {
        rows.iter().zip(columns).map(|(row, column)| row * n + column).collect::<Vec<_>>()
    };
    let limit = (precision * n as f64).powi(2);
    let results = sweeps(cx, &[a, vectors, measure], limit, |cx, state| {
        let rotated = cx.rounds(n - 1, &state[..2], |cx, _, state| {
            let flat = state[0].map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[1, n * n])));
            let own = cx.arrange(flat, &at(&pairing.own, &pairing.own), 2);
            let other = cx.arrange(flat, &at(&pairing.other, &pairing.other), 2);
            let crossing = cx.arrange(flat, &at(&pairing.own, &pairing.other), 2);
            let crossing = pairing.shared(cx, crossing);
            let rotation = pairing.rotation(cx, own, other, crossing);
            let columns = pairing.columns(cx, state[0], rotation);
            let rows = cx.adjoint(columns);
            let a = pairing.columns(cx, rows, rotation);
            let vectors = pairing.columns(cx, state[1], rotation);
            Ok(Iteration { state: vec![a, vectors], left: Vec::new() })
        })?;
        // Roundings take the symmetry away, which the rotations rely on.
        let mirrored = cx.adjoint(rotated[0]);
        let a = cx.numbers([rotated[0], mirrored], |[a, mirrored]| (a + mirrored) * 0.5);
        let measure = beside(cx, a);
        Ok(vec![a, rotated[1], measure])
    })?;
    let n = own;
    let diagonal =
        cx.numbers([identity, results[0]], |[identity, a]| identity.equal(1.0).select(a.re(), 0.0));
    let values = cx.sum_along(diagonal, 1);
    let values = cx.range_of(values, 2, 0, n);
    let values = cx.numbers([values, scale], |[values, scale]| values * scale);
    let vectors = cx.range_of(results[1], 1, 0, n);
    let vectors = cx.range_of(vectors, 2, 0, n);
    let (values, order) = sorted(cx, values, false);
    Ok((values, cx.reordered(vectors, order, 2)))
}

/// The outputs of the singular value decomposition of `f64` matrices `[batch, m, n]`, where `m >= n`.
pub(super) struct Singular {
    /// `[batch, 1, n]`, descending.
    pub values: Matrix,
    /// `[batch, m, columns]`.
    pub left: Matrix,
    /// `[batch, n, n]`, a vector a column.
    pub right: Matrix,
}

/// Makes the columns of `W = A * V` orthogonal; their lengths are the singular values. A QR decomposition of the sorted
/// `W`, whose `R` is diagonal, returns the left vectors, including those of zeros. `precision` is the cosine between
/// columns that is small enough; `columns` is the number of left vectors.
pub(super) fn singular(
    cx: &mut Lower,
    a: Matrix,
    columns: i64,
    precision: f64,
) -> Result<Singular, LowerError> {
    let n = a.size(cx, 2)?;
    let (a, scale) = scaled(cx, a);
    let a = even(cx, a, false)?;
    let (batch, _, width) = a.extents(cx)?;
    let pairing = Pairing::of(cx, width);
    let identity = cx.identity_matrix(Element::F64, width, width);
    let vectors = cx.broadcast_to(identity.re, &of_batch(batch, &[width, width])).into();
    let vectors = if a.is_complex() { cx.complexified(vectors) } else { vectors };
    let first = cx.scalar(Element::F64, 2.0);
    let first = cx.broadcast_to(first, &of_batch(batch, &[1, 1])).into();
    let nothing = cx.scalar(Element::F64, 0.0);
    let nothing = cx.broadcast_to(nothing, &of_batch(batch, &[1, 1])).into();
    let results = sweeps(cx, &[a, vectors, first], precision, |cx, state| {
        cx.rounds(width - 1, &[state[0], state[1], nothing], |cx, _, state| {
            let own = cx.arrange(state[0], &pairing.own, 2);
            let other = cx.arrange(state[0], &pairing.other, 2);
            let squares = cx.numbers([state[0]], |[w]| w.square());
            let squares = cx.sum_along(squares, 1);
            let own_square = cx.arrange(squares, &pairing.own, 2);
            let other_square = cx.arrange(squares, &pairing.other, 2);
            let products = cx.numbers([own, other], |[own, other]| own.conj() * other);
            let crossing = cx.sum_along(products, 1);
            let crossing = pairing.shared(cx, crossing);
            let cosines = cx.numbers([own_square, other_square, crossing], |[own, other, crossing]| {
                let lengths = own.sqrt() * other.sqrt();
                lengths.greater(f64::MIN_POSITIVE).select(crossing.magnitude() / lengths, 0.0)
            });
            let rotation = pairing.rotation(cx, own_square, other_square, crossing);
            let (cosine, sine) = rotation;
            let w = cx.numbers([own, other, cosine, sine], |[own, other, cosine, sine]| {
                own * cosine - other * sine
            });
            let vectors = pairing.columns(cx, state[1], rotation);
            let worst = cx.reduce_along(onnx::REDUCE_MAX, cosines, &[2]);
            let worst = cx.numbers([worst, state[2]], |[worst, before]| worst.max(before));
            Ok(Iteration { state: vec![w, vectors, worst], left: Vec::new() })
        })
    })?;
    let w = cx.range_of(results[0], 2, 0, n);
    let right = cx.range_of(results[1], 1, 0, n);
    let right = cx.range_of(right, 2, 0, n);
    let squares = cx.numbers([w], |[w]| w.square());
    let squares = cx.sum_along(squares, 1);
    let lengths = cx.numbers([squares], |[squares]| squares.sqrt());
    let (values, order) = sorted(cx, lengths, true);
    let (w, right) = (cx.reordered(w, order, 2), cx.reordered(right, order, 2));
    let values = cx.numbers([values, scale], |[values, scale]| values * scale);
    let (factors, tau) = householder::factor(cx, w)?;
    let left = householder::product(cx, factors, tau, columns)?;
    // R may be negative, where Q is the negative of the left vector.
    let upper = cx.range_of(factors, 1, 0, n);
    let diagonal = cx.identity_matrix(Element::F64, n, n);
    let diagonal = cx.numbers([diagonal, upper], |[diagonal, r]| diagonal.equal(1.0).select(r.re(), 0.0));
    let diagonal = cx.sum_along(diagonal, 1);
    let one = cx.scalar(Element::F64, 1.0);
    let diagonal = diagonal.map(cx, |cx, part| cx.pad(part, &[0; 3], &[0, 0, columns - n], one));
    let left = cx.numbers([diagonal, left], |[diagonal, left]| diagonal.less(0.0).select(-left, left));
    Ok(Singular { values, left, right })
}
