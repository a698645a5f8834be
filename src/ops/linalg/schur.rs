//! Schur forms, `A = Z * T * Z^H`, by the QR algorithm.
//!
//! Each step takes a shift from the last rows of the active part, reflects the first column of the shifted matrix,
//! and restores the Hessenberg form, which pushes the reflection out at the bottom: the implicit steps of LAPACK's
//! `lahqr`, single ones for complex matrices, and double ones for real matrices, whose form keeps 2x2 blocks for
//! conjugate eigenvalues. A batch runs in step, with an active part per matrix.
//!
//! It is computed in `f64`. Rounding errors are relative to the largest element of the matrix.

use super::balance;
use super::hessenberg::{Basis, reduce};
use super::householder::Reflector;
use super::jacobi::{any_above, scaled};
use super::matrix::{Iteration, Matrix, of_batch};
use super::number::Number;
use super::standard::{self, earlier};
use crate::ir::{Element, onnx};
use crate::ops::{Lower, LowerError};

/// Larger matrices are refused: the cost is the fourth power of the size.
pub(super) const LARGEST: i64 = 128;

/// What is computed besides the eigenvalues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Values,
    Vectors,
}

/// Whether rows and columns may be scaled first, which keeps the eigenvalues but is not a unitary change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Balance {
    Order,
    OrderAndScale,
}

/// The Schur forms of matrices `[batch, n, n]`.
pub(super) struct Schur {
    /// The form, divided by `scale`.
    pub t: Matrix,
    /// The matrices with `A * Z = Z * T`; unitary, unless rows and columns were scaled.
    pub z: Option<Matrix>,
    /// The factors by which the rows of `z` were scaled, `[batch, n, 1]`.
    pub factors: Option<Matrix>,
    /// `[batch, 1, 1]`.
    pub scale: Matrix,
    /// For each matrix, `[batch, 1, 1]`, 0, or -4 if an element was infinite or NaN, or the number of rows that have
    /// not converged.
    pub info: Matrix,
}

/// The form of matrices of `f64`.
pub(super) fn decompose(
    cx: &mut Lower,
    a: Matrix,
    balance: Balance,
    wanted: Wanted,
) -> Result<Schur, LowerError> {
    let (batch, n, _) = a.extents(cx)?;
    // A number times zero is zero, which infinity and NaN are not. Such a matrix is computed as zeros.
    let zeros = cx.numbers([a], |[a]| a.size() * 0.0);
    let zeros = cx.reduce_along(onnx::REDUCE_SUM, zeros, &[1, 2]);
    let a = cx.numbers([zeros, a], |[zeros, a]| zeros.equal(0.0).select(a, 0.0));
    let (a, scale) = scaled(cx, a);
    let identity = cx.identity_matrix(Element::F64, n, n);
    let z = (wanted == Wanted::Vectors).then(|| {
        let z = identity.map(cx, |cx, part| cx.broadcast_to(part, &of_batch(batch, &[n, n])));
        if a.is_complex() { cx.complexified(z) } else { z }
    });
    let mut basis = Basis { a, z };
    let mut unfinished = cx.integer_each(batch, 0);
    let mut factors = None;
    if n > 1 {
        let rest;
        (basis, rest) = balance::permute(cx, basis)?;
        // Scaling does not change 2x2 matrices.
        if balance == Balance::OrderAndScale && n > 2 {
            let (a, d) = balance::scale(cx, basis.a, rest)?;
            if let Some(order) = basis.z {
                let upright = standard::upright(cx, d)?;
                let order = Matrix { im: None, ..order };
                factors = Some(cx.matrix_product(order, upright));
            }
            let z = basis.z.map(|z| cx.numbers([z, d], |[z, d]| z * d));
            basis = Basis { a, z };
        }
        basis = reduce(cx, basis)?;
    }
    // Two real rows are a block, which comes to its form below.
    if n > if a.is_complex() { 1 } else { 2 } {
        (basis, unfinished) = iterate(cx, basis)?;
    }
    if !a.is_complex() && n > 1 {
        basis = standard::blocks(cx, basis)?;
    }
    let info =
        cx.numbers([zeros, unfinished], |[zeros, unfinished]| zeros.equal(0.0).select(unfinished, -4i64));
    Ok(Schur { t: basis.a, z: basis.z, factors, scale, info })
}

/// The elements on and next to the diagonal, `[batch, 1, n]` each: at index `k` those of rows and columns `k - 1` and
/// `k`, and zeros at index 0.
pub(super) struct Band {
    pub diagonal: Matrix,
    /// The diagonal element before.
    pub before: Matrix,
    /// Row `k`, column `k - 1`.
    pub below: Matrix,
    /// Row `k - 1`, column `k`.
    pub above: Matrix,
}

impl Band {
    pub(super) fn of(cx: &mut Lower, a: Matrix) -> Result<Self, LowerError> {
        let (batch, n, _) = a.extents(cx)?;
        let zero = cx.scalar(Element::F64, 0.0);
        let flat = a.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[1, n * n])));
        let mut at = |first: i64, count: i64, low: i64| {
            let places: Vec<i64> = (0..count).map(|index| first + index * (n + 1)).collect();
            let values = cx.arrange(flat, &places, 2);
            values.map(cx, |cx, part| cx.pad(part, &[0, 0, low], &[0; 3], zero))
        };
        Ok(Self {
            diagonal: at(0, n, 0),
            before: at(0, n - 1, 1),
            below: at(n, n - 1, 1),
            above: at(1, n - 1, 1),
        })
    }
}

/// Where a subdiagonal element counts as zero: it is below the rounding of the diagonal elements, and, as Ahues and
/// Tisseur require (LAPACK Working Note 122), it does not change the eigenvalues of its two rows by more than that.
fn small(cx: &mut Lower, band: &Band) -> Matrix {
    cx.numbers([band.above, band.below, band.diagonal, band.before], |[above, below, diagonal, before]| {
        let (b, c) = (above.size(), below.size());
        let (d, gap) = (diagonal.size(), (before - diagonal).size());
        let larger = b.max(c);
        let smaller = b.less(c).select(b, c);
        let wide = d.max(gap);
        let narrow = d.less(gap).select(d, gap);
        let sum = wide + larger;
        let sum = sum.equal(0.0).select(1.0, sum);
        let is_rounding = c.less_equal((d + before.size()) * f64::EPSILON);
        let bound = (narrow * (wide / sum) * f64::EPSILON).max(NOTHING);
        let changes_nothing = (smaller * (larger / sum)).less_equal(bound);
        c.less_equal(NOTHING) | is_rounding & changes_nothing
    })
}

/// The element of a row, `[batch, 1, n]`, at an index, `[batch, 1, 1]`, clamped to the range.
fn at(cx: &mut Lower, row: Matrix, place: Matrix, offset: i64) -> Result<Matrix, LowerError> {
    let n = row.size(cx, 2)?;
    let place = cx.numbers([place], |[place]| {
        let place = (place + offset).max(0i64);
        place.less(n - 1).select(place, n - 1)
    });
    Ok(cx.reordered(row, place, 2))
}

/// The last index up to `high` where the subdiagonal element is small.
fn start(cx: &mut Lower, small: Matrix, high: Matrix) -> Result<Matrix, LowerError> {
    let n = small.size(cx, 2)?;
    let places = cx.column_numbers(n);
    let starts = cx.numbers([places, small, high], |[places, small, high]| {
        (small & places.less_equal(high)).select(places, 0i64)
    });
    Ok(cx.reduce_along(onnx::REDUCE_MAX, starts, &[2]))
}

/// Runs the steps, and returns how many rows of each matrix have not converged.
fn iterate(cx: &mut Lower, basis: Basis) -> Result<(Basis, Matrix), LowerError> {
    let (batch, n, _) = basis.a.extents(cx)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let with_z = basis.z.is_some();
    // Real matrices leave blocks of two rows.
    let width = i64::from(!basis.a.is_complex());
    let high = cx.integer_each(batch, n - 1);
    let stalled = cx.integer_each(batch, 0);
    let state = [basis.state(), vec![high, stalled]].concat();
    let going = cx.numbers([high], |[high]| high.cast(Element::F64));
    let going = any_above(cx, going, 0.0);
    let results = cx.repeat(30 * n.max(10), going, &state, |cx, _, _, state| {
        let Basis { a, z } = Basis::of_state(state, with_z);
        let (high, stalled) = (state[state.len() - 2], state[state.len() - 1]);
        let band = Band::of(cx, a)?;
        let small = small(cx, &band);
        let small_rows = small.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[n, 1])));
        let a = cx.numbers([rows, columns, small_rows, a], |[rows, columns, small, a]| {
            (rows.equal(columns + 1i64) & small).select(0.0, a)
        });
        let low = start(cx, small, high)?;
        let done = cx.numbers([low, high], |[low, high]| low.greater_equal(high - width));
        let high = cx.numbers([done, low, high], |[done, low, high]| done.select(low - 1i64, high));
        let stalled = cx.numbers([done, stalled], |[done, stalled]| {
            (done | stalled.equal(20i64)).select(0i64, stalled + 1i64)
        });
        let low = start(cx, small, high)?;
        let active = cx.numbers([low, high], |[low, high]| low.less(high - width));
        let window = ActiveWindow { low, high, stalled };
        let columns_by_start =
            if a.is_complex() { window.single(cx, &band)? } else { window.double(cx, &band)? };
        let first_row = window.start(cx, &band, columns_by_start)?;
        let [first, second, third] = columns_by_start;
        let first = at(cx, first, first_row, 0)?;
        let second = at(cx, second, first_row, 0)?;
        let third = at(cx, third, first_row, 0)?;
        let column = cx.numbers(
            [rows, first_row, active, first, second, third],
            |[rows, first_row, active, first, second, third]| {
                let rest = rows.equal(first_row + 2i64).select(third, 0.0);
                let rest = rows.equal(first_row + 1i64).select(second, rest);
                active.select(rows.equal(first_row).select(first, rest), 0.0)
            },
        );
        let reflector = Reflector::below(cx, column, first_row)?;
        let mut basis = reflector.similar(cx, Basis { a, z });
        // In the column before, the reflection leaves nothing below the subdiagonal, or the start would be different.
        basis.a = cx.numbers([rows, columns, first_row, basis.a], |[rows, columns, first_row, a]| {
            (columns.less(first_row) & rows.greater(columns + 1i64)).select(0.0, a)
        });
        let basis = reduce(cx, basis)?;
        let going = cx.numbers([high], |[high]| high.cast(Element::F64));
        let going = any_above(cx, going, -0.5);
        let state = [basis.state(), vec![high, stalled]].concat();
        Ok((going, Iteration { state, left: Vec::new() }))
    })?;
    let high = results[results.len() - 2];
    let unfinished = cx.numbers([high], |[high]| high + 1i64);
    Ok((Basis::of_state(&results, with_z), unfinished))
}

/// Zero relative to a matrix whose largest element is 1.
const NOTHING: f64 = 1e-300;

/// The active part of each matrix, rows and columns `low` to `high`, and for how many steps its end has not moved.
struct ActiveWindow {
    low: Matrix,
    high: Matrix,
    stalled: Matrix,
}

impl ActiveWindow {
    /// The start row: the last one where the subdiagonal element before it and the reflection are so small that their
    /// product is negligible; else the first. Takes what the reflection would be in each row.
    fn start(
        &self,
        cx: &mut Lower,
        band: &Band,
        [first, second, third]: [Matrix; 3],
    ) -> Result<Matrix, LowerError> {
        let columns = band.diagonal.size(cx, 2)?;
        let columns = cx.column_numbers(columns);
        let next = earlier(cx, band.diagonal, 0.0)?;
        let nothing = cx.numbers(
            [band.below, band.before, band.diagonal, next, first, second, third],
            |[below, before, diagonal, next, first, second, third]| {
                let beside = diagonal.size() + next.size();
                let beside = if first.is_complex() { beside } else { before.size() + beside };
                let reflected = below.size() * (second.size() + third.size());
                reflected.less_equal(first.size() * beside * f64::EPSILON)
            },
        );
        let width = if first.is_complex() { 1 } else { 2 };
        let starts = cx.numbers([columns, nothing, self.low, self.high], |[columns, nothing, low, high]| {
            let inside = columns.greater(low) & columns.less_equal(high - width);
            (inside & nothing).select(columns, low)
        });
        Ok(cx.reduce_along(onnx::REDUCE_MAX, starts, &[2]))
    }

    /// In each row, the first column of the rest of the matrix minus a shift: the eigenvalue of the last two rows that
    /// is nearest to the last diagonal element. If that does not converge, LAPACK uses an exceptional shift.
    fn single(&self, cx: &mut Lower, band: &Band) -> Result<[Matrix; 3], LowerError> {
        let (d, before) = (at(cx, band.diagonal, self.high, 0)?, at(cx, band.before, self.high, 0)?);
        let (b, c) = (at(cx, band.above, self.high, 0)?, at(cx, band.below, self.high, 0)?);
        let (first, below) = (at(cx, band.diagonal, self.low, 0)?, at(cx, band.below, self.low, 1)?);
        let shift = cx.numbers(
            [d, before, b, c, first, below, self.stalled],
            |[d, before, b, c, first, below, stalled]| {
                let (half, product) = ((before - d) * 0.5, b * c);
                let root = complex_root(half * half + product);
                let opposite = (half.conj() * root).re().less(0.0);
                let sum = half + opposite.select(-root, root);
                let nothing = sum.size().equal(0.0);
                let sum = nothing.select(Number::complex(sum.re().beside(1.0), sum.re().beside(0.0)), sum);
                let usual = d - product / sum;
                let at_start = first + below.re().abs() * 0.75;
                let at_end = d + c.re().abs() * 0.75;
                stalled.equal(10i64).select(at_start, stalled.equal(20i64).select(at_end, usual))
            },
        );
        let leading = cx.numbers([band.diagonal, shift], |[diagonal, shift]| diagonal - shift);
        let below = earlier(cx, band.below, 0.0)?;
        let nothing = cx.zeros(below, &below.dims(cx));
        Ok([leading, below, nothing])
    }

    /// In each row, the first column of the product of the rest of the matrix minus each of two shifts: the eigenvalues
    /// of the last two rows if they are conjugates, and else twice the one that is nearer to the last diagonal element.
    fn double(&self, cx: &mut Lower, band: &Band) -> Result<[Matrix; 3], LowerError> {
        let (d, before) = (at(cx, band.diagonal, self.high, 0)?, at(cx, band.before, self.high, 0)?);
        let (b, c) = (at(cx, band.above, self.high, 0)?, at(cx, band.below, self.high, 0)?);
        let above_last = at(cx, band.below, self.high, -1)?;
        let first = at(cx, band.diagonal, self.low, 0)?;
        let (below, third) = (at(cx, band.below, self.low, 1)?, at(cx, band.below, self.low, 2)?);
        let last = cx.number_lists(
            [d, before, b, c, above_last, first, below, third, self.stalled],
            |[d, before, b, c, above_last, first, below, third, stalled]| {
                let at_start = below.abs() + third.abs();
                let at_end = c.abs() + above_last.abs();
                let (early, late) = (stalled.equal(10i64), stalled.equal(20i64));
                let diagonal = early.select(at_start * 0.75 + first, at_end * 0.75 + d);
                let strange = early | late;
                let size = early.select(at_start, at_end);
                [
                    strange.select(diagonal, before),
                    strange.select(size * -0.4375, b),
                    strange.select(size, c),
                    strange.select(diagonal, d),
                ]
            },
        );
        let [center, spread] = cx.number_lists(last, |[a, b, c, d]| {
            let middle = (a + d) * 0.5;
            let determinant = (a - middle) * (d - middle) - b * c;
            let root = determinant.abs().sqrt();
            let (one, other) = (middle + root, middle - root);
            let nearer = (one - d).abs().less_equal((other - d).abs()).select(one, other);
            let conjugates = determinant.greater_equal(0.0);
            [conjugates.select(middle, nearer), conjugates.select(determinant, 0.0)]
        });
        let [next, above, below] =
            [earlier(cx, band.diagonal, 0.0)?, earlier(cx, band.above, 0.0)?, earlier(cx, band.below, 0.0)?];
        let third = earlier(cx, below, 0.0)?;
        Ok(cx.number_lists(
            [band.diagonal, next, above, below, third, center, spread],
            |[first, next, above, below, third, center, spread]| {
                let distance = first - center;
                [
                    distance * distance + spread + above * below,
                    below * (distance + next - center),
                    below * third,
                ]
            },
        ))
    }
}

/// The square root with a real part that is not negative.
fn complex_root(z: Number<'_>) -> Number<'_> {
    let (re, im) = (z.re(), z.im());
    let larger = ((z.magnitude() + re.abs()) * 0.5).sqrt();
    let nothing = larger.equal(0.0);
    let smaller = im.abs() / (nothing.select(1.0, larger) * 2.0);
    let right = re.greater_equal(0.0);
    let height = right.select(smaller, larger);
    Number::complex(right.select(larger, smaller), im.less(0.0).select(-height, height))
}
