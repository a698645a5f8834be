//! The calls to LAPACK that JAX prints for the CPU: `lapack_spotrf_ffi` and so on, `s` for `f32` and `d` for `f64`.
//!
//! Matrices are the last two dimensions, the others a batch. A layout that has the rows densest is how LAPACK wants
//! the bytes and says nothing of the values; any other layout of a matrix would have LAPACK read the transpose, and is
//! refused. Options are characters in the backend's configuration.

use super::jacobi::{self, LARGEST};
use super::triangular::{self, System};
use super::{cholesky, householder, lu, matrices, tridiagonal};
use crate::ir::{Attribute, Element, OpId, ValueId};
use crate::ops::{Lower, Lowered, Lowering, Refusal, Values};

/// A routine of LAPACK.
struct Routine {
    /// Its name without the letter for the element type.
    name: &'static str,
    /// What each operand is: a matrix, `m`, or a list, `l`.
    operands: &'static str,
    results: usize,
    lower: Lowering,
}

const ROUTINES: &[Routine] = &[
    Routine { name: "geqrf", operands: "m", results: 2, lower: geqrf },
    Routine { name: "gesdd", operands: "m", results: 5, lower: gesdd },
    Routine { name: "gesvd", operands: "m", results: 5, lower: gesdd },
    Routine { name: "getrf", operands: "m", results: 3, lower: getrf },
    Routine { name: "gtsv", operands: "lllm", results: 5, lower: gtsv },
    Routine { name: "orgqr", operands: "ml", results: 1, lower: orgqr },
    Routine { name: "ormqr", operands: "mlm", results: 1, lower: ormqr },
    Routine { name: "potrf", operands: "m", results: 2, lower: potrf },
    Routine { name: "syevd", operands: "m", results: 3, lower: syevd },
    Routine { name: "trsm", operands: "mm", results: 1, lower: trsm },
];

/// Routines that are known and have no lowering, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("gees", "Schur forms have no ONNX form here"),
    ("geev", "eigenvalues of matrices that are not symmetric have no ONNX form here"),
    ("gehrd", "Hessenberg forms have no ONNX form here"),
    ("geqp3", "QR with pivots has no ONNX form here"),
    ("sytrd", "tridiagonal forms have no ONNX form here"),
];

/// The lowering of a call target, when it is a routine of LAPACK on the operand's element type.
///
/// # Errors
/// When it is one of LAPACK's that has no lowering.
pub(in crate::ops) fn target(cx: &Lower, op: OpId, target: &str) -> Result<Option<Lowering>, Refusal> {
    let Some(routine) = target.strip_prefix("lapack_").and_then(|name| name.strip_suffix("_ffi")) else {
        return Ok(None);
    };
    if routine.starts_with(['c', 'z']) {
        return Err(Refusal::form(format!("`{target}` is on complex matrices")));
    }
    let (element, name) = match routine.split_at_checked(1) {
        Some(("s", name)) => (Element::F32, name),
        Some(("d", name)) => (Element::F64, name),
        _ => return Ok(None),
    };
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(Refusal::form(*why));
    }
    let Some(routine) = ROUTINES.iter().find(|routine| routine.name == name) else { return Ok(None) };
    if cx.operand_count(op) != routine.operands.len() || cx.module.op(op).results.len() != routine.results {
        return Err(Refusal::form(format!("`{target}` with another number of operands or results")));
    }
    let mut batch: Option<Vec<i64>> = None;
    for (index, kind) in routine.operands.chars().enumerate() {
        if cx.operand_type(op, index)?.element != element {
            return Err(Refusal::form(format!("`{target}` on another element type")));
        }
        let mut sizes = cx.operand_sizes(op, index)?;
        let own = if kind == 'm' { 2 } else { 1 };
        let rest = sizes.len().checked_sub(own).ok_or_else(|| Refusal::form("operands of too low a rank"))?;
        sizes.truncate(rest);
        if batch.get_or_insert_with(|| sizes.clone()) != &sizes {
            return Err(Refusal::form("operands of different batches"));
        }
    }
    check_layouts(cx, op, "operand_layouts", &operand_ranks(cx, op)?)?;
    check_layouts(cx, op, "result_layouts", &result_ranks(cx, op)?)?;
    Ok(Some(routine.lower))
}

fn operand_ranks(cx: &Lower, op: OpId) -> Result<Vec<usize>, Refusal> {
    (0..cx.operand_count(op)).map(|index| Ok(cx.operand_type(op, index)?.rank())).collect()
}

fn result_ranks(cx: &Lower, op: OpId) -> Result<Vec<usize>, Refusal> {
    (0..cx.module.op(op).results.len()).map(|index| Ok(cx.result_type(op, index)?.rank())).collect()
}

/// Values of the highest rank are matrices, whose rows have to be densest; the others are lists, the last dimension
/// densest.
fn check_layouts(cx: &Lower, op: OpId, name: &'static str, ranks: &[usize]) -> Result<(), Refusal> {
    let highest = operand_ranks(cx, op)?.into_iter().max().unwrap_or(0);
    let Some(attribute) = cx.module.attribute(op, name) else {
        return Err(Refusal::form(format!("no `{name}`, so that LAPACK reads the transpose")));
    };
    let Attribute::Array(layouts) = attribute else {
        return Err(Refusal::Attribute { name, why: "a list of layouts is expected".into() });
    };
    if layouts.len() != ranks.len() {
        return Err(Refusal::Attribute { name, why: "a layout for each value is expected".into() });
    }
    for (layout, &rank) in layouts.iter().zip(ranks) {
        let mut expected: Vec<i64> = (0..rank as i64).rev().collect();
        if rank == highest && rank >= 2 {
            expected.swap(0, 1);
        }
        if cx.module.integers(layout).as_deref() != Some(expected.as_slice()) {
            return Err(Refusal::Attribute { name, why: format!("{expected:?} is expected") });
        }
    }
    Ok(())
}

/// A field of the backend's configuration.
fn option<'m>(cx: &'m Lower, op: OpId, name: &str) -> Option<&'m Attribute> {
    let of = |key: &str| cx.module.attribute(op, key).and_then(|config| cx.module.field(config, name));
    of("mhlo.backend_config").or_else(|| of("backend_config"))
}

/// An option that is one of these characters.
fn letter(cx: &Lower, op: OpId, name: &'static str, allowed: &str) -> Result<char, Refusal> {
    let value = option(cx, op, name).ok_or(Refusal::Missing(name))?.as_integer();
    let letter = value.and_then(|value| u8::try_from(value).ok()).map(char::from);
    letter.filter(|&letter| allowed.contains(letter)).ok_or_else(|| Refusal::Attribute {
        name,
        why: format!("one of the characters {allowed} is expected"),
    })
}

/// The values in the sizes and element types of the results.
fn results(cx: &mut Lower, op: OpId, values: &[ValueId]) -> Lowered {
    let mut results = Values::default();
    for (index, &value) in values.iter().enumerate() {
        let (element, sizes) = cx.result(op, index)?;
        let value = cx.cast(value, element);
        if cx.sizes(value).iter().product::<i64>() != sizes.iter().product::<i64>() {
            return Err(Refusal::form(format!("result {index} has sizes that do not fit")));
        }
        results.0.push(cx.reshape(value, &sizes));
    }
    Ok(results)
}

/// The sizes of the matrices of an operand, none of which is empty, and the last two of them.
fn sizes(cx: &Lower, op: OpId, index: usize) -> Result<(i64, i64), Refusal> {
    let sizes = super::demand_matrix(cx, op, index)?;
    if sizes.contains(&0) {
        return Err(Refusal::form("an empty matrix"));
    }
    Ok((sizes[sizes.len() - 2], sizes[sizes.len() - 1]))
}

fn square(cx: &Lower, op: OpId, index: usize) -> Result<i64, Refusal> {
    let (rows, columns) = sizes(cx, op, index)?;
    if rows != columns {
        return Err(Refusal::form(format!("operand {index} is not square")));
    }
    Ok(rows)
}

fn own(cx: &Lower, op: OpId) -> Result<Element, Refusal> {
    Ok(cx.operand_type(op, 0)?.element)
}

fn potrf(cx: &mut Lower, op: OpId) -> Lowered {
    let lower = letter(cx, op, "uplo", "LU")? == 'L';
    let (n, element) = (square(cx, op, 0)?, own(cx, op)?);
    let operand = matrices(cx, op, 0, element)?;
    let a = if lower { operand } else { cx.transposed(operand) };
    let (factor, info) = cholesky::factor(cx, a)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    // LAPACK leaves the other triangle as it is.
    let factor = cx.formula([rows, columns, factor, a], |[rows, columns, factor, a]| {
        rows.less(columns).select(a, factor)
    });
    let factor = if lower { factor } else { cx.transposed(factor) };
    results(cx, op, &[factor, info])
}

fn trsm(cx: &mut Lower, op: OpId) -> Lowered {
    let system = System {
        left: letter(cx, op, "side", "LR")? == 'L',
        lower: letter(cx, op, "uplo", "LU")? == 'L',
        transpose: letter(cx, op, "trans_x", "NTC")? != 'N',
        unit: letter(cx, op, "diag", "NU")? == 'U',
    };
    let (n, element) = (square(cx, op, 0)?, own(cx, op)?);
    let (rows, columns) = sizes(cx, op, 1)?;
    if n != if system.left { rows } else { columns } {
        return Err(Refusal::form("matrices that do not fit"));
    }
    let (a, b) = (matrices(cx, op, 0, element)?, matrices(cx, op, 1, element)?);
    let x = triangular::solve(cx, system, a, b)?;
    results(cx, op, &[x])
}

fn getrf(cx: &mut Lower, op: OpId) -> Lowered {
    sizes(cx, op, 0)?;
    let element = own(cx, op)?;
    let a = matrices(cx, op, 0, element)?;
    let lu::Factors { factors, pivots, info } = lu::factor(cx, a)?;
    results(cx, op, &[factors, pivots, info])
}

fn geqrf(cx: &mut Lower, op: OpId) -> Lowered {
    sizes(cx, op, 0)?;
    let a = matrices(cx, op, 0, Element::F64)?;
    let (factors, tau) = householder::factor(cx, a)?;
    results(cx, op, &[factors, tau])
}

/// The reflections of an operand and their factors, in `f64`.
fn reflections(cx: &mut Lower, op: OpId) -> Result<(ValueId, ValueId), Refusal> {
    let (rows, columns) = sizes(cx, op, 0)?;
    let vectors = matrices(cx, op, 0, Element::F64)?;
    let tau = cx.full(op, 1)?;
    let tau = cx.cast(tau, Element::F64);
    let tau = cx.batched(tau, 1);
    let (batch, count) = (cx.sizes(tau)[0], cx.sizes(tau)[1]);
    if batch != cx.sizes(vectors)[0] || count > rows.min(columns) {
        return Err(Refusal::form("factors that do not fit"));
    }
    Ok((vectors, tau))
}

fn orgqr(cx: &mut Lower, op: OpId) -> Lowered {
    let (rows, columns) = sizes(cx, op, 0)?;
    if columns > rows {
        return Err(Refusal::form("more columns than rows"));
    }
    let (vectors, tau) = reflections(cx, op)?;
    let q = householder::product(cx, vectors, tau, columns)?;
    results(cx, op, &[q])
}

fn ormqr(cx: &mut Lower, op: OpId) -> Lowered {
    let flag = |cx: &Lower, name: &'static str| {
        option(cx, op, name).ok_or(Refusal::Missing(name)).map(|value| value.as_bool() == Some(true))
    };
    let (left, transpose) = (flag(cx, "left")?, flag(cx, "transpose")?);
    let ((order, _), (rows, columns)) = (sizes(cx, op, 0)?, sizes(cx, op, 2)?);
    if order != if left { rows } else { columns } {
        return Err(Refusal::form("matrices that do not fit"));
    }
    let (vectors, tau) = reflections(cx, op)?;
    let c = matrices(cx, op, 2, Element::F64)?;
    // C * Q is the transpose of Q^T * C^T.
    let c = if left { c } else { cx.transposed(c) };
    let product = householder::apply(cx, vectors, tau, c, transpose == left)?;
    let product = if left { product } else { cx.transposed(product) };
    results(cx, op, &[product])
}

/// Refuses more columns than rotations are good for.
fn limit(columns: i64) -> Result<(), Refusal> {
    if columns > LARGEST {
        return Err(Refusal::form(format!(
            "a decomposition of {columns} columns; up to {LARGEST} are supported"
        )));
    }
    Ok(())
}

/// How exact the decomposition has to be, relative to the matrix, for results of an element type.
fn precision(element: Element) -> f64 {
    if element == Element::F64 { 2.3e-16 } else { 1e-10 }
}

fn syevd(cx: &mut Lower, op: OpId) -> Lowered {
    let lower = letter(cx, op, "uplo", "LU")? == 'L';
    letter(cx, op, "mode", "V")?;
    let (n, element) = (square(cx, op, 0)?, own(cx, op)?);
    limit(n)?;
    let a = matrices(cx, op, 0, Element::F64)?;
    let mirror = cx.transposed(a);
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let a = cx.formula([rows, columns, a, mirror], |[rows, columns, a, mirror]| {
        let other = if lower { rows.less(columns) } else { rows.greater(columns) };
        other.select(mirror, a)
    });
    let (values, vectors) = jacobi::eigen(cx, a, precision(element))?;
    let info = jacobi::failed(cx, values);
    results(cx, op, &[vectors, values, info])
}

fn gesdd(cx: &mut Lower, op: OpId) -> Lowered {
    let mode = letter(cx, op, "mode", "ANS")?;
    let ((m, n), element) = (sizes(cx, op, 0)?, own(cx, op)?);
    let (small, large) = (m.min(n), m.max(n));
    limit(small)?;
    let operand = matrices(cx, op, 0, Element::F64)?;
    let wide = m < n;
    let a = if wide { cx.transposed(operand) } else { operand };
    let columns = if mode == 'S' { small } else { large };
    let svd = jacobi::singular(cx, a, columns, precision(element).max(1e-15))?;
    let info = jacobi::failed(cx, svd.values);
    // The transpose of U * S * V^T is V * S * U^T.
    let (u, v) = if wide { (svd.right, svd.left) } else { (svd.left, svd.right) };
    let vt = cx.transposed(v);
    let (mut u, mut vt) = (u, vt);
    if mode == 'N' {
        // Without vectors LAPACK leaves their places alone.
        let zero = cx.scalar(element, 0.0);
        let (u_sizes, vt_sizes) = (cx.result(op, 2)?.1, cx.result(op, 3)?.1);
        (u, vt) = (cx.broadcast_to(zero, &u_sizes), cx.broadcast_to(zero, &vt_sizes));
    }
    // LAPACK destroys the operand, so any values will do for the first result.
    results(cx, op, &[operand, svd.values, u, vt, info])
}

fn gtsv(cx: &mut Lower, op: OpId) -> Lowered {
    let (n, _) = sizes(cx, op, 3)?;
    let element = own(cx, op)?;
    let mut diagonals = [cx.absent(); 3];
    for (index, diagonal) in diagonals.iter_mut().enumerate() {
        let value = cx.full(op, index)?;
        *diagonal = cx.batched(value, 1);
        if cx.sizes(*diagonal)[1] != n {
            return Err(Refusal::form("diagonals that do not fit"));
        }
    }
    let b = matrices(cx, op, 3, element)?;
    let [below, middle, above] = diagonals;
    let solution = tridiagonal::solve(cx, below, middle, above, b)?;
    let x = solution.x;
    results(cx, op, &[solution.second, solution.diagonal, solution.first, x, solution.info])
}
