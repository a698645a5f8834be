//! Eigenvalues and eigenvectors of matrices of any kind, from their Schur forms, as LAPACK's `geev`.
//!
//! Computes the vectors of the triangle by substitution, all at once, and normalizes them; the largest element of
//! those that are not real becomes real. The left vectors are those of the adjoint. The blocks of a real form first
//! become triangles, by unitary 2x2 matrices, so that one substitution serves all.

use super::matrix::{Iteration, Matrix};
use super::schur::{Band, Schur};
use super::standard::{earlier, upright};
use crate::ir::{Dim, Element};
use crate::ops::{Lower, LowerError};

/// The eigenvalues of a form, `[batch, 1, n]`, of the scaled matrix: real and imaginary parts, exact conjugates one
/// after the other, that with the positive imaginary part first.
pub(super) fn values(cx: &mut Lower, schur: &Schur) -> Result<Matrix, LowerError> {
    let diagonal = cx.diagonal(schur.t)?;
    if diagonal.is_complex() {
        return Ok(diagonal);
    }
    if diagonal.size(cx, 2)? == 1 {
        return Ok(cx.complexified(diagonal));
    }
    let band = Band::of(cx, schur.t)?;
    let height = height(cx, &band);
    let next = earlier(cx, height, 0.0)?;
    let im = cx.numbers([next, height], |[next, height]| next - height);
    Ok(Matrix { re: diagonal.re, im: Some(im.re) })
}

/// The magnitude of the imaginary parts of a block's eigenvalues, at its second row.
fn height(cx: &mut Lower, band: &Band) -> Matrix {
    cx.numbers([band.above, band.below], |[b, c]| {
        let height = b.abs().sqrt() * c.abs().sqrt();
        c.equal(0.0).select(0.0, height)
    })
}

/// The complex form of a real one, and `Z` with it.
fn triangle(cx: &mut Lower, t: Matrix, z: Matrix) -> Result<(Matrix, Matrix), LowerError> {
    if t.is_complex() {
        return Ok((t, z));
    }
    let n = t.size(cx, 1)?;
    if n == 1 {
        return Ok((cx.complexified(t), cx.complexified(z)));
    }
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let band = Band::of(cx, t)?;
    let height = height(cx, &band);
    // The vector of a block [[a, b], [c, a]] and a + ih is (b, ih); LAPACK chooses one of two signs.
    let [real, imaginary] = cx.number_lists([band.above, band.below, height], |[b, c, height]| {
        let nothing = c.equal(0.0);
        let length = (b * b + height * height).sqrt();
        let length = nothing.select(1.0, length);
        let opposite = b.less(0.0) & b.abs().greater_equal(c.abs());
        let length = opposite.select(-length, length);
        [nothing.select(1.0, b / length), nothing.select(0.0, height / length)]
    });
    let next = earlier(cx, real, 1.0)?;
    let low = upright(cx, imaginary)?;
    let re = cx.numbers([rows, columns, real, next], |[rows, columns, real, next]| {
        rows.equal(columns).select(real * next, 0.0)
    });
    let im = cx.numbers([rows, columns, imaginary, low], |[rows, columns, imaginary, low]| {
        let below = rows.equal(columns + 1i64).select(low, 0.0);
        columns.equal(rows + 1i64).select(imaginary, below)
    });
    let unitary = Matrix { re: re.re, im: Some(im.re) };
    let back = cx.adjoint(unitary);
    let t = cx.matrix_product(t, unitary);
    let t = cx.matrix_product(back, t);
    Ok((t, cx.matrix_product(z, unitary)))
}

/// The vectors of triangles, one per column, of any nonzero length. Only reads the elements above the diagonal; the
/// eigenvalues `w` replace the diagonal.
fn substitute(cx: &mut Lower, t: Matrix, w: Matrix) -> Result<Matrix, LowerError> {
    let n = t.size(cx, 1)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let start = cx.zeros(t, &t.dims(cx));
    let results = cx.rounds(n, &[start], |cx, number, state| {
        let number = cx.numbers([number], |[number]| -number + (n - 1));
        let row = cx.pick(t, number, 1);
        let row = cx.numbers([columns, number, row], |[columns, number, row]| {
            columns.greater(number).select(row, 0.0)
        });
        let known = cx.matrix_product(row, state[0]);
        let own = cx.pick(w, number, 2);
        let new = cx.numbers([columns, number, own, w, known], |[columns, number, own, w, known]| {
            let gap = own - w;
            // Equal eigenvalues count as different by a rounding, as they do for LAPACK.
            let least = (w.size() * f64::EPSILON).max(LEAST);
            let gap = gap.size().less(least).select(least, gap);
            let inner = columns.greater(number).select(-known / gap, 0.0);
            columns.equal(number).select(inner.re().beside(1.0), inner)
        });
        let x = cx.numbers([rows, number, new, state[0]], |[rows, number, new, x]| {
            let growth = new.size().max(1.0);
            rows.equal(number).select(new, x) / growth
        });
        Ok(Iteration { state: vec![x], left: Vec::new() })
    })?;
    Ok(results[0])
}

/// The least distance between two eigenvalues of a matrix whose largest element is 1.
const LEAST: f64 = 1e-290;

/// The right vectors of a form with its eigenvalues.
pub(super) fn right(cx: &mut Lower, schur: &Schur, z: Matrix, w: Matrix) -> Result<Matrix, LowerError> {
    let (t, basis) = triangle(cx, schur.t, z)?;
    let x = substitute(cx, t, w)?;
    let vectors = cx.matrix_product(basis, x);
    normalized(cx, vectors, w, schur.t.is_complex())
}

/// The left vectors: those of `T^H`, which is a triangle as well when rows and columns are in reverse order.
pub(super) fn left(cx: &mut Lower, schur: &Schur, z: Matrix, w: Matrix) -> Result<Matrix, LowerError> {
    // `Z` with factors has an inverse that is its adjoint with their inverses.
    let z = match schur.factors {
        Some(factors) => cx.numbers([z, factors], |[z, factors]| z / (factors * factors)),
        None => z,
    };
    let (t, basis) = triangle(cx, schur.t, z)?;
    let adjoint = cx.adjoint(t);
    let t = adjoint.map(cx, |cx, part| cx.reverse(part, &[1, 2]));
    let conjugate = cx.conjugate(w);
    let reversed = conjugate.map(cx, |cx, part| cx.reverse(part, &[2]));
    let x = substitute(cx, t, reversed)?;
    let x = x.map(cx, |cx, part| cx.reverse(part, &[1, 2]));
    let vectors = cx.matrix_product(basis, x);
    normalized(cx, vectors, w, schur.t.is_complex())
}

/// The vectors with length 1. Those of real eigenvalues of real matrices are real; the largest element of any other is.
fn normalized(cx: &mut Lower, vectors: Matrix, w: Matrix, complex: bool) -> Result<Matrix, LowerError> {
    let rows = vectors.size(cx, 1)?;
    let rows = cx.row_numbers(rows);
    let vectors = if complex {
        vectors
    } else {
        cx.numbers([w, vectors], |[w, vectors]| w.im().equal(0.0).select(vectors.re(), vectors))
    };
    let squares = cx.numbers([vectors], |[vectors]| vectors.square());
    let place = cx.place_of_largest(squares, 1);
    let total = cx.sum_along(squares, 1);
    let vectors = cx.numbers([vectors, total], |[vectors, total]| vectors / total.sqrt());
    let largest = cx.reordered(vectors, place, 1);
    let vectors = cx.numbers([rows, place, vectors, largest, w], |[rows, place, vectors, largest, w]| {
        let length = largest.magnitude();
        let phase = largest.conj() / length;
        let turned = vectors * phase;
        let turned = rows.equal(place).select(turned.re(), turned);
        if complex {
            return turned;
        }
        // LAPACK turns by less than a right angle here.
        let turned = largest.less(0.0).select(-turned, turned);
        w.im().equal(0.0).select(vectors.re(), turned)
    });
    if complex {
        return Ok(vectors);
    }
    // Conjugate eigenvalues have conjugate vectors, to the bit.
    let before: Vec<i64> = (0..vectors.size(cx, 2)?).map(|column| (column - 1).max(0)).collect();
    let before = cx.arrange(vectors, &before, 2);
    Ok(cx.numbers([w, before, vectors], |[w, before, vectors]| {
        w.im().less(0.0).select(before.conj(), vectors)
    }))
}

/// The eigenvalues of the matrix itself.
pub(super) fn unscaled(cx: &mut Lower, schur: &Schur, value: Matrix) -> Matrix {
    cx.numbers([value, schur.scale], |[value, scale]| value * scale)
}

/// A real splat in place of vectors that are not requested or not defined.
pub(super) fn constant(cx: &mut Lower, sizes: &[Dim], number: f64, complex: bool) -> Matrix {
    let number = cx.scalar(Element::F64, number);
    let value = cx.broadcast_to(number, sizes).into();
    if complex { cx.complexified(value) } else { value }
}
