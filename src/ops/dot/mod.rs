//! Sums of products: `dot_general` and its predecessor `dot`.
//!
//! Everything becomes `MatMul`, never `Einsum`, which is slower in ONNX Runtime and supports fewer element types.
//! Precision attributes (`precision_config`, `algorithm`) state a minimum: like XLA on CPUs, products use the full
//! precision of the operands.

mod arithmetic;
mod contraction;
mod ragged;

use crate::ops::row::{Row, row};
use crate::ops::type_inference::{self, rule};
pub(super) use arithmetic::Arithmetic;

use super::elementwise::before_conversion;
use super::{DotDimensionNumbers, Elements, Lower, Lowered};
use crate::ir::{Dim, DimExprs, OpId, chlo, stablehlo};

/// Element types of sums of products.
pub(super) const SUMMED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::INT4);

pub(super) const ROWS: &[Row] = &[
    row(
        chlo::RAGGED_DOT,
        rule(3, type_inference::contraction::ragged_dot),
        Elements::FLOAT.or(Elements::INTEGER),
        ragged::lower,
    )
    .note("multiplies each row by every group's matrix and keeps the matching product"),
    row(stablehlo::DOT, rule(2, type_inference::contraction::dot), SUMMED, dot)
        .note("MatMul, in floats where that is exact for small integers"),
    row(stablehlo::DOT_GENERAL, rule(2, type_inference::contraction::dot_general), SUMMED, dot_general)
        .note("MatMul with as few transposes as possible, in floats where that is exact for small integers"),
];

/// The product of vectors and matrices: the last dimension of the left and the first of the right are contracted.
fn dot(cx: &mut Lower, op: OpId) -> Lowered {
    let last = cx.operand_type(op, 0)?.rank() - 1;
    lower(cx, op, &DotDimensionNumbers { batching: Vec::new(), contracting: vec![(last, 0)] })
}

fn dot_general(cx: &mut Lower, op: OpId) -> Lowered {
    let numbers = DotDimensionNumbers::read(cx.module, op)?;
    lower(cx, op, &numbers)
}

fn lower(cx: &mut Lower, op: OpId, pairs: &DotDimensionNumbers) -> Lowered {
    let (left_sizes, right_sizes) = (cx.operand_dims(op, 0)?, cx.operand_dims(op, 1)?);
    let (element, sizes) = cx.result_dims(op, 0)?;
    if sizes.contains(&Dim::Known(0)) {
        // A result without elements comes from an operand without elements.
        let empty = cx.full(op, usize::from(!left_sizes.contains(&Dim::Known(0))))?;
        let empty = cx.cast(empty, element);
        return Ok(cx.reshape(empty, &sizes).into());
    }
    let terms = most_terms(&cx.module.dim_exprs, pairs.contracting.iter().map(|pair| left_sizes[pair.0]));
    let (left_element, right_element) = (cx.operand_type(op, 0)?.element, cx.operand_type(op, 1)?.element);
    let arithmetic = Arithmetic::of(left_element, right_element, element, terms)?;
    if terms == 0 {
        return Ok(cx.scalar(element, 0.0).into());
    }
    let (left_summed, right_summed): (Vec<_>, Vec<_>) = pairs.contracting.iter().copied().unzip();
    let mut values = [cx.operand(op, 0)?, cx.operand(op, 1)?];
    for (value, (sizes, summed)) in
        values.iter_mut().zip([(&left_sizes, left_summed), (&right_sizes, right_summed)])
    {
        // Only contracted dimensions must be expanded; `MatMul` broadcasts the batch, and others can be broadcast
        // later.
        let ranked = cx.ranked(*value, sizes.len());
        let mut own = cx.dims(ranked);
        summed.iter().for_each(|&dim| own[dim] = sizes[dim]);
        // An integer sum does not depend on the signs of zeros.
        let float = element.is_integer().then(|| before_conversion(cx, ranked, arithmetic.compute)).flatten();
        let cast = float.unwrap_or_else(|| cx.cast(ranked, arithmetic.compute));
        *value = cx.broadcast_to(cast, &own);
    }
    let sums = cx.contract(values[0], values[1], pairs);
    Ok(cx.finish_sum(sums, &arithmetic).into())
}

/// The largest number of products that a sum over these dimensions can have.
fn most_terms(sizes: &DimExprs, mut summed: impl Iterator<Item = Dim>) -> i64 {
    summed.try_fold(1i64, |terms, dim| terms.checked_mul(sizes.bounds(dim).1?)).unwrap_or(i64::MAX)
}
