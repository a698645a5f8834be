//! The routines of LAPACK, each by its algorithm, with its options.

use super::jacobi::{self, LARGEST};
use super::lapack::Call;
use super::matrix::{Matrix, of_batch};
use super::schur::{self, Balance, Band, Wanted};
use super::triangular::{self, System};
use super::{cholesky, eigenvectors, hessenberg, householder, lu, tridiagonal};
use crate::ir::{Dim, Element};
use crate::ops::{Lower, LowerError, Lowered};

pub(super) fn potrf(cx: &mut Lower, call: &Call) -> Lowered {
    let lower = call.letter(cx, "uplo", "LU")? == 'L';
    let n = call.square(cx, 0)?;
    let operand = call.matrix(cx, 0, call.element)?;
    let a = if lower { operand } else { cx.adjoint(operand) };
    let (factor, info) = cholesky::factor(cx, a)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    // LAPACK leaves the other triangle as it is.
    let factor = cx.numbers([rows, columns, factor, a], |[rows, columns, factor, a]| {
        rows.less(columns).select(a, factor)
    });
    let factor = if lower { factor } else { cx.adjoint(factor) };
    call.results(cx, &[factor, info])
}

pub(super) fn trsm(cx: &mut Lower, call: &Call) -> Lowered {
    let operation = call.letter(cx, "trans_x", "NTC")?;
    let system = System {
        left: call.letter(cx, "side", "LR")? == 'L',
        lower: call.letter(cx, "uplo", "LU")? == 'L',
        transpose: operation != 'N',
        conjugate: operation == 'C',
        unit: call.letter(cx, "diag", "NU")? == 'U',
    };
    let n = call.square(cx, 0)?;
    let (rows, columns) = call.sizes(cx, 1)?;
    if n != if system.left { rows } else { columns } {
        return Err(LowerError::form("matrices with incompatible sizes"));
    }
    let (a, mut b) = (call.matrix(cx, 0, call.element)?, call.matrix(cx, 1, call.element)?);
    if let Some(factor) = call.factor(cx)? {
        b = cx.numbers([b, factor], |[b, factor]| b * factor);
    }
    let x = triangular::solve(cx, system, a, b)?;
    call.results(cx, &[x])
}

pub(super) fn getrf(cx: &mut Lower, call: &Call) -> Lowered {
    call.sizes(cx, 0)?;
    let a = call.matrix(cx, 0, call.element)?;
    let lu::LuFactors { factors, pivots, info } = lu::factor(cx, a)?;
    call.results(cx, &[factors, pivots, info])
}

/// Factors with the row exchanges, from 0, and the final row order, as on TPUs.
pub(super) fn lu(cx: &mut Lower, call: &Call) -> Lowered {
    let (rows, _) = call.sizes(cx, 0)?;
    let a = call.matrix(cx, 0, call.element)?;
    let lu::LuFactors { factors, pivots, .. } = lu::factor(cx, a)?;
    let pivots = cx.numbers([pivots], |[pivots]| pivots - 1i64);
    let order = lu::permutation(cx, pivots, rows)?;
    call.results(cx, &[factors, pivots, order])
}

pub(super) fn lu_pivots_to_permutation(cx: &mut Lower, call: &Call) -> Lowered {
    let Some(Dim::Known(rows)) = cx.result_dims(call.op, 0)?.1.last().copied() else {
        return Err(LowerError::form("a dynamic number of rows"));
    };
    let pivots = call.list(cx, 0, Element::I32)?;
    let order = lu::permutation(cx, pivots, rows)?;
    call.results(cx, &[order])
}

pub(super) fn geqrf(cx: &mut Lower, call: &Call) -> Lowered {
    call.sizes(cx, 0)?;
    let a = call.matrix(cx, 0, Element::F64)?;
    let (factors, tau) = householder::factor(cx, a)?;
    call.results(cx, &[factors, tau])
}

pub(super) fn geqp3(cx: &mut Lower, call: &Call) -> Lowered {
    call.sizes(cx, 0)?;
    let first = call.operand(cx, 1)?;
    let known = cx.known_integers(first);
    if !known.is_some_and(|known| known.iter().all(|&number| number == 0)) {
        return Err(LowerError::form("a QR decomposition with preselected pivot columns"));
    }
    let a = call.matrix(cx, 0, Element::F64)?;
    let (factors, pivots, tau) = householder::factor_with_pivots(cx, a)?;
    call.results(cx, &[factors, pivots, tau])
}

/// The reflections of an operand and their factors, in `f64`.
fn reflections(cx: &mut Lower, call: &Call) -> Result<(Matrix, Matrix), LowerError> {
    let (rows, columns) = call.sizes(cx, 0)?;
    let vectors = call.matrix(cx, 0, Element::F64)?;
    let tau = call.list(cx, 1, Element::F64)?;
    if tau.size(cx, 1)? > rows.min(columns) {
        return Err(LowerError::form("factors with incompatible sizes"));
    }
    Ok((vectors, tau))
}

pub(super) fn orgqr(cx: &mut Lower, call: &Call) -> Lowered {
    let (rows, columns) = call.sizes(cx, 0)?;
    if columns > rows {
        return Err(LowerError::form("more columns than rows"));
    }
    let (vectors, tau) = reflections(cx, call)?;
    let q = householder::product(cx, vectors, tau, columns)?;
    call.results(cx, &[q])
}

pub(super) fn ormqr(cx: &mut Lower, call: &Call) -> Lowered {
    // For complex numbers, `transpose` selects the adjoint.
    let (left, adjoint) = (call.number(cx, "left")? != 0, call.number(cx, "transpose")? != 0);
    let ((order, _), (rows, columns)) = (call.sizes(cx, 0)?, call.sizes(cx, 2)?);
    if order != if left { rows } else { columns } {
        return Err(LowerError::form("matrices with incompatible sizes"));
    }
    let (vectors, tau) = reflections(cx, call)?;
    let c = call.matrix(cx, 2, Element::F64)?;
    // C * Q is the adjoint of Q^H * C^H.
    let c = if left { c } else { cx.adjoint(c) };
    let product = householder::apply(cx, vectors, tau, c, adjoint == left)?;
    let product = if left { product } else { cx.adjoint(product) };
    call.results(cx, &[product])
}

/// Refuses more columns than [`LARGEST`].
fn limit(columns: i64) -> Result<(), LowerError> {
    if columns > LARGEST {
        return Err(LowerError::form(format!(
            "a decomposition of {columns} columns; up to {LARGEST} are supported"
        )));
    }
    Ok(())
}

/// How exact the decomposition has to be, relative to the matrix, for results of an element type.
fn precision(element: Element) -> f64 {
    if element == Element::F64 { 2.3e-16 } else { 1e-10 }
}

/// The symmetric or Hermitian matrices from one triangle.
fn mirrored(cx: &mut Lower, a: Matrix, lower: bool) -> Result<Matrix, LowerError> {
    let n = a.size(cx, 1)?;
    let mirror = cx.adjoint(a);
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    Ok(cx.numbers([rows, columns, a, mirror], |[rows, columns, a, mirror]| {
        let other = if lower { rows.less(columns) } else { rows.greater(columns) };
        let full = other.select(mirror, a);
        // The diagonal of a Hermitian matrix is real, whatever is given.
        if full.is_complex() { rows.equal(columns).select(full.re(), full) } else { full }
    }))
}

pub(super) fn syevd(cx: &mut Lower, call: &Call) -> Lowered {
    let lower = call.letter(cx, "uplo", "LU")? == 'L';
    if call.optional(cx, "mode")?.is_some() {
        call.letter(cx, "mode", "V")?;
    }
    limit(call.square(cx, 0)?)?;
    let a = call.matrix(cx, 0, Element::F64)?;
    let a = mirrored(cx, a, lower)?;
    let (values, vectors) = jacobi::eigen(cx, a, precision(call.element))?;
    let info = jacobi::failed(cx, values);
    call.results(cx, &[vectors, values, info])
}

/// Which vectors a singular value decomposition returns: all (`A`), as many as values (`S`), or none (`N`).
fn svd_mode(cx: &Lower, call: &Call) -> Result<char, LowerError> {
    if call.optional(cx, "mode")?.is_some() {
        return call.letter(cx, "mode", "ANS");
    }
    Ok(match (call.number(cx, "compute_uv")?, call.number(cx, "full_matrices")?) {
        (0, _) => 'N',
        (_, 0) => 'S',
        _ => 'A',
    })
}

/// The operand, the singular values, `U`, `V`, and whether it failed.
fn svd(cx: &mut Lower, call: &Call, mode: char) -> Result<[Matrix; 5], LowerError> {
    let (m, n) = call.sizes(cx, 0)?;
    let (small, large) = (m.min(n), m.max(n));
    limit(small)?;
    let operand = call.matrix(cx, 0, Element::F64)?;
    let wide = m < n;
    let a = if wide { cx.adjoint(operand) } else { operand };
    let columns = if mode == 'S' { small } else { large };
    let svd = jacobi::singular(cx, a, columns, precision(call.element).max(1e-15))?;
    let info = jacobi::failed(cx, svd.values);
    // The adjoint of U * S * V^H is V * S * U^H.
    let (u, v) = if wide { (svd.right, svd.left) } else { (svd.left, svd.right) };
    Ok([operand, svd.values, u, v, info])
}

/// The results of a decomposition whose third and fourth are the vectors.
fn svd_results(
    cx: &mut Lower,
    call: &Call,
    mode: char,
    [operand, values, mut u, mut v, info]: [Matrix; 5],
) -> Lowered {
    if mode == 'N' {
        // Without vectors their places are unspecified.
        let (u_sizes, v_sizes) = (call.result_sizes(cx, 2)?, call.result_sizes(cx, 3)?);
        (u, v) = (cx.zeros(u, &u_sizes), cx.zeros(v, &v_sizes));
    }
    // The operand is destroyed, so any values will do for the first result.
    call.results(cx, &[operand, values, u, v, info])
}

pub(super) fn gesdd(cx: &mut Lower, call: &Call) -> Lowered {
    let mode = svd_mode(cx, call)?;
    let [operand, values, u, v, info] = svd(cx, call, mode)?;
    let vt = cx.adjoint(v);
    svd_results(cx, call, mode, [operand, values, u, vt, info])
}

/// As `gesdd`, with `V` and not its adjoint, as the routines of GPUs by rotations and by polar decomposition have it.
pub(super) fn gesvdj(cx: &mut Lower, call: &Call) -> Lowered {
    let mode = svd_mode(cx, call)?;
    let results = svd(cx, call, mode)?;
    svd_results(cx, call, mode, results)
}

pub(super) fn gtsv(cx: &mut Lower, call: &Call) -> Lowered {
    let (n, _) = call.sizes(cx, 3)?;
    let [below, middle, above] = [0, 1, 2].map(|index| call.list(cx, index, call.element));
    let (below, middle, above) = (below?, middle?, above?);
    for diagonal in [below, middle, above] {
        if diagonal.size(cx, 1)? != n {
            return Err(LowerError::form("diagonals with incompatible sizes"));
        }
    }
    let b = call.matrix(cx, 3, call.element)?;
    let solution = tridiagonal::solve(cx, below, middle, above, b)?;
    let x = solution.x;
    call.results(cx, &[solution.second, solution.diagonal, solution.first, x, solution.info])
}

pub(super) fn gehrd(cx: &mut Lower, call: &Call) -> Lowered {
    let n = call.square(cx, 0)?;
    for (name, whole) in [("low", 1), ("high", n)] {
        if call.number(cx, name)? != whole {
            let why = format!("expected {whole}: the whole matrix");
            return Err(LowerError::attribute(name, why));
        }
    }
    let a = call.matrix(cx, 0, Element::F64)?;
    let batch = a.dims(cx)[0];
    let (form, tau) =
        if n > 1 { hessenberg::factor(cx, a)? } else { (a, cx.zeros(a, &of_batch(batch, &[0]))) };
    let info = cx.integer_each(batch, 0);
    call.results(cx, &[form, tau, info])
}

/// The reduction of `gehrd`, for a matrix given by one triangle. For the upper one it runs from the last column to
/// the first.
pub(super) fn sytrd(cx: &mut Lower, call: &Call) -> Lowered {
    let lower = call.letter(cx, "uplo", "LU")? == 'L';
    let n = call.square(cx, 0)?;
    let operand = call.matrix(cx, 0, Element::F64)?;
    let batch = operand.dims(cx)[0];
    let info = cx.integer_each(batch, 0);
    let turned = |cx: &mut Lower, value: Matrix, axes: &[i64]| {
        if lower { value } else { value.map(cx, |cx, part| cx.reverse(part, axes)) }
    };
    let a = mirrored(cx, operand, lower)?;
    if n == 1 {
        let diagonal = Matrix { im: None, ..a };
        let (beside, tau) = (cx.zeros(diagonal, &of_batch(batch, &[0])), cx.zeros(a, &of_batch(batch, &[0])));
        return call.results(cx, &[a, diagonal, beside, tau, info]);
    }
    let a = turned(cx, a, &[1, 2]);
    let (form, tau) = hessenberg::factor(cx, a)?;
    let band = Band::of(cx, form)?;
    let beside = cx.range_of(band.below, 2, 1, n);
    let (diagonal, beside) = (turned(cx, band.diagonal, &[2]), turned(cx, beside, &[2]));
    let (form, tau) = (turned(cx, form, &[1, 2]), turned(cx, tau, &[1]));
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    // LAPACK leaves the other triangle as it is.
    let form = cx.numbers([rows, columns, form, operand], |[rows, columns, form, operand]| {
        let other = if lower { rows.less(columns) } else { rows.greater(columns) };
        other.select(operand, form)
    });
    let [diagonal, beside] = [diagonal, beside].map(|value| Matrix { im: None, ..value });
    call.results(cx, &[form, diagonal, beside, tau, info])
}

/// Refuses more rows than [`schur::LARGEST`].
fn limit_general(call: &Call, rows: i64) -> Result<(), LowerError> {
    if rows > schur::LARGEST {
        return Err(LowerError::form(format!(
            "eigenvalues of a {} matrix of {rows} rows; up to {} are supported, and more where it is symmetric \
             (`jnp.linalg.eigh`)",
            if call.complex { "complex" } else { "general" },
            schur::LARGEST
        )));
    }
    Ok(())
}

/// The eigenvalues as the results that they are: of real matrices two lists.
fn eigenvalues(call: &Call, values: Matrix) -> Vec<Matrix> {
    if call.complex { vec![values] } else { values.parts().map(Matrix::from).collect() }
}

/// Eigenvalues, left and right eigenvectors, and whether it failed.
fn eigen(cx: &mut Lower, call: &Call) -> Result<[Matrix; 4], LowerError> {
    let left = call.letter(cx, "compute_left", "NV")? == 'V';
    let right = call.letter(cx, "compute_right", "NV")? == 'V';
    let n = call.square(cx, 0)?;
    limit_general(call, n)?;
    let a = call.matrix(cx, 0, Element::F64)?;
    let sizes = a.dims(cx);
    // A 1x1 matrix is its own eigenvalue, with the vector 1.
    let wanted = if n > 1 && (left || right) { Wanted::Vectors } else { Wanted::Values };
    let form = schur::decompose(cx, a, Balance::OrderAndScale, wanted)?;
    let w = eigenvectors::values(cx, &form)?;
    let fill = if n == 1 { 1.0 } else { 0.0 };
    let mut vectors = [eigenvectors::constant(cx, &sizes, fill, true); 2];
    if let Some(z) = form.z {
        if left {
            vectors[0] = eigenvectors::left(cx, &form, z, w)?;
        }
        if right {
            vectors[1] = eigenvectors::right(cx, &form, z, w)?;
        }
    }
    let w = eigenvectors::unscaled(cx, &form, w);
    Ok([w, vectors[0], vectors[1], form.info])
}

pub(super) fn geev(cx: &mut Lower, call: &Call) -> Lowered {
    let [w, left, right, info] = eigen(cx, call)?;
    let mut results = eigenvalues(call, w);
    results.extend([left, right, info]);
    call.results(cx, &results)
}

/// As `geev`, with complex eigenvalues, and eigenvectors of real matrices in real ones: of a pair of conjugates the
/// real part and then the imaginary part of the first.
pub(super) fn packed_geev(cx: &mut Lower, call: &Call) -> Lowered {
    let [w, left, right, info] = eigen(cx, call)?;
    let operand = call.matrix(cx, 0, call.element)?;
    let w = cx.complexified(w);
    let mut vectors = [left, right];
    if !call.complex {
        let sign = w.im.map_or(w, Matrix::from);
        let sign = sign.map(cx, |cx, part| {
            let sizes = cx.dims(part);
            cx.reshape(part, &[sizes[0], Dim::Known(1), sizes[sizes.len() - 1]])
        });
        vectors = vectors.map(|vectors| {
            cx.numbers([sign, vectors], |[sign, vectors]| sign.less(0.0).select(-vectors.im(), vectors.re()))
        });
    }
    call.results(cx, &[operand, w, vectors[0], vectors[1], info])
}

pub(super) fn gees(cx: &mut Lower, call: &Call) -> Lowered {
    let wanted = if call.letter(cx, "mode", "NV")? == 'V' { Wanted::Vectors } else { Wanted::Values };
    if call.letter(cx, "sort", "NS")? == 'S' {
        return Err(LowerError::form("a Schur form with sorted eigenvalues"));
    }
    let n = call.square(cx, 0)?;
    limit_general(call, n)?;
    let a = call.matrix(cx, 0, Element::F64)?;
    let sizes = a.dims(cx);
    let form = schur::decompose(cx, a, Balance::Order, wanted)?;
    let w = eigenvectors::values(cx, &form)?;
    let w = eigenvectors::unscaled(cx, &form, w);
    let t = eigenvectors::unscaled(cx, &form, form.t);
    let z = form.z.unwrap_or_else(|| eigenvectors::constant(cx, &sizes, 0.0, call.complex));
    let chosen = cx.integer_each(sizes[0], 0);
    let mut results = vec![t, z];
    results.extend(eigenvalues(call, w));
    results.extend([chosen, form.info]);
    call.results(cx, &results)
}
