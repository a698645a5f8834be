//! Rules of linear algebra, transforms, normalization, random numbers and selection.

use super::typing::{Typing, attribute, dim_fits, dims_fit, one, tensor, types};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Attribute, Dim, Element, TensorType};
use smallvec::smallvec;

/// Requires two trailing dimensions of equal size.
fn square(t: &Typing, ty: &TensorType) -> Result<(), Violation> {
    match ty.dims[..] {
        [.., rows, columns] if dim_fits(rows, columns) => Ok(()),
        _ => Err(Violation::types(format!("`{}` does not contain square matrices", t.describe(ty)))
            .showing(Part::OperandType(0), "these are not square matrices")),
    }
}

pub(in crate::ops) fn cholesky(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    square(t, operand)?;
    one(operand.clone())
}

/// `op(a) * x = b`, or `x * op(a) = b` (StableHLO spec, triangular_solve, C1 to C4).
pub(in crate::ops) fn triangular_solve(t: &Typing) -> Inferred {
    let (a, b) = (t.operand(0)?, t.operand(1)?);
    t.same_element(0, 1)?;
    square(t, a)?;
    let left = t.module.attribute(t.op, "left_side").and_then(|left| left.as_bool()).unwrap_or(false);
    let rank = a.rank();
    let fits = b.rank() == rank
        && dims_fit(&a.dims[..rank - 2], &b.dims[..rank - 2])
        && dim_fits(a.dims[rank - 1], b.dims[if left { rank - 2 } else { rank - 1 }]);
    if !fits {
        return types(format!("`{}` is not a right-hand side for `{}`", t.describe(b), t.describe(a)));
    }
    if t.module.attribute(t.op, "transpose_a").is_some() {
        t.attributes()
            .word_of("transpose_a", &["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT", "TRANSPOSE_INVALID"])?;
    }
    one(b.clone())
}

/// StableHLO spec, fft, C1 to C5.
pub(in crate::ops) fn fft(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let kind = t.attributes().word_of("fft_type", &["FFT", "IFFT", "RFFT", "IRFFT"])?;
    let lengths = t.attributes().integers("fft_length")?;
    if !(1..=3).contains(&lengths.len()) || lengths.len() > operand.rank() {
        return attribute("fft_length", format!("{} lengths do not match the operand", lengths.len()));
    }
    if let Some(length) = lengths.iter().find(|&&length| length < 0) {
        return attribute("fft_length", format!("{length} is negative"));
    }
    let element = match (kind, operand.element) {
        ("FFT" | "IFFT", Element::C64 | Element::C128) => operand.element,
        ("RFFT", Element::F32) => Element::C64,
        ("RFFT", Element::F64) => Element::C128,
        ("IRFFT", Element::C64 | Element::C128) => operand.element.part(),
        _ => {
            let why = format!("{kind} does not take `{}`", t.describe(operand));
            let label = format!("{kind} does not take these elements");
            return Err(Violation::types(why).showing(Part::OperandType(0), label));
        }
    };
    let mut dims = operand.dims.clone();
    let first = operand.rank() - lengths.len();
    for (index, &length) in lengths.iter().enumerate() {
        let axis = first + index;
        let last = index + 1 == lengths.len();
        let half = if length == 0 { 0 } else { length / 2 + 1 };
        let takes = if last && kind == "IRFFT" { half } else { length };
        if !dim_fits(dims[axis], Dim::Known(takes)) {
            return attribute(
                "fft_length",
                format!("dimension {axis} of the operand does not have {takes} elements"),
            );
        }
        dims[axis] = Dim::Known(if last && kind == "RFFT" { half } else { length });
    }
    one(tensor(element, dims))
}

/// All operands except the first and the gradient, which has its shape, have the features' size.
pub(in crate::ops) fn batch_norm(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let feature = t.attributes().dimension("feature_index", operand.rank())?;
    t.attributes().get("epsilon")?;
    let vectors = if t.result_count() == 3 && t.operand_count() == 5 { 1..4 } else { 1..t.operand_count() };
    for index in vectors {
        let vector = t.operand(index)?;
        if !dims_fit(&vector.dims, &[operand.dims[feature]]) {
            return types(format!(
                "operand {index} is `{}`, which does not have one element per feature",
                t.describe(vector)
            ));
        }
    }
    if t.operand_count() == 5 && t.result_count() == 3 && !dims_fit(&t.operand(4)?.dims, &operand.dims) {
        return types("the gradient does not have the operand's shape");
    }
    let whole = tensor(operand.element, operand.dims.clone());
    let vector = tensor(t.operand(1)?.element, [operand.dims[feature]]);
    if t.result_count() == 1 {
        return one(whole);
    }
    Ok(smallvec![whole, vector.clone(), vector])
}

pub(in crate::ops) fn rng(t: &Typing) -> Inferred {
    t.scalar(0)?;
    t.scalar(1)?;
    t.same_element(0, 1)?;
    let result = t.result(0)?;
    t.list(2, result.rank())?;
    t.attributes().word_of("rng_distribution", &["UNIFORM", "NORMAL"])?;
    one(tensor(t.operand(0)?.element, result.dims.clone()))
}

pub(in crate::ops) fn rng_bit_generator(t: &Typing) -> Inferred {
    let state = t.operand(0)?;
    t.attributes().word_of("rng_algorithm", &["DEFAULT", "THREE_FRY", "PHILOX"])?;
    if state.rank() != 1 {
        return types("the state must have rank 1");
    }
    Ok(smallvec![state.clone(), t.result(1)?.clone()])
}

/// The `k` largest elements along the last dimension, and their indices.
pub(in crate::ops) fn top_k(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let k = match t.attributes().get("k")? {
        Attribute::Dims(_) => t.attributes().sizes_of("k", 1)?[0],
        _ => Dim::Known(t.attributes().integer("k")?),
    };
    let mut dims = operand.dims.clone();
    let Some(last) = dims.last_mut() else { return types("the operand must not be a scalar") };
    let size = last.known().unwrap_or(i64::MAX);
    if k.known().is_some_and(|k| !(0..=size).contains(&k)) {
        let (k, operand) = (t.spell(k), t.describe(operand));
        return attribute("k", format!("{k} elements cannot be taken from `{operand}`"));
    }
    *last = k;
    let indices = t.result(1)?.element;
    if !indices.is_integer() {
        return types("the second result must contain integers");
    }
    Ok(smallvec![tensor(operand.element, dims.clone()), tensor(indices, dims)])
}
