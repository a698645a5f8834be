//! Sums of products: `dot_general` and its predecessor `dot`.
//!
//! Everything becomes `MatMul`, never `Einsum`, which is slower in ONNX Runtime and has fewer element types. Attributes
//! that ask for a precision (`precision_config`, `algorithm`) ask for a least one: as in XLA on processors, products are
//! made in the full precision of the operands.

mod arithmetic;
mod contraction;
mod ragged;

pub(super) use arithmetic::Arithmetic;
pub(super) use contraction::Pairs;

use super::{Elements, Lower, Lowered, Refusal, Row, noted};
use crate::ir::OpId;

/// Element types of sums of products.
pub(super) const SUMMED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::NIBBLE);

pub(super) const ROWS: &[Row] = &[
    noted(
        "chlo.ragged_dot",
        Elements::FLOAT.or(Elements::INTEGER),
        ragged::lower,
        "every row with the matrix of every group, of which its own is kept",
    ),
    noted("stablehlo.dot", SUMMED, dot, "MatMul, in floats where that is exact for small integers"),
    noted(
        "stablehlo.dot_general",
        SUMMED,
        dot_general,
        "MatMul with as few transposes as its operands allow, in floats where that is exact for small integers",
    ),
];

/// The product of vectors and matrices: the last dimension of the left and the first of the right are contracted.
fn dot(cx: &mut Lower, op: OpId) -> Lowered {
    let rank = cx.operand_type(op, 0)?.rank();
    let last = rank.checked_sub(1).ok_or_else(|| Refusal::form("the left operand is a scalar"))?;
    lower(cx, op, Pairs { batch: Vec::new(), contracting: vec![(last, 0)] })
}

fn dot_general(cx: &mut Lower, op: OpId) -> Lowered {
    let pairs = Pairs {
        batch: zip(cx, op, "lhs_batching_dimensions", "rhs_batching_dimensions")?,
        contracting: zip(cx, op, "lhs_contracting_dimensions", "rhs_contracting_dimensions")?,
    };
    lower(cx, op, pairs)
}

fn zip(cx: &Lower, op: OpId, lhs: &'static str, rhs: &'static str) -> Result<Vec<(usize, usize)>, Refusal> {
    const NAME: &str = "dot_dimension_numbers";
    let (left, right) = (cx.field_ints(op, NAME, lhs)?, cx.field_ints(op, NAME, rhs)?);
    if left.len() != right.len() {
        let why = format!("`{lhs}` and `{rhs}` are of different lengths");
        return Err(Refusal::Attribute { name: NAME, why });
    }
    let dim = |dim: i64| {
        usize::try_from(dim)
            .map_err(|_| Refusal::Attribute { name: NAME, why: format!("{dim} is no dimension") })
    };
    left.into_iter().zip(right).map(|(left, right)| Ok((dim(left)?, dim(right)?))).collect()
}

fn lower(cx: &mut Lower, op: OpId, pairs: Pairs) -> Lowered {
    let (left_sizes, right_sizes) = (cx.operand_sizes(op, 0)?, cx.operand_sizes(op, 1)?);
    let (element, sizes) = cx.result(op, 0)?;
    let expected = result_sizes(&left_sizes, &right_sizes, &pairs)?;
    if sizes != expected {
        return Err(Refusal::form(format!("the result should have the sizes {expected:?}")));
    }
    if sizes.contains(&0) {
        // A result without elements comes from an operand without elements.
        let empty = cx.full(op, usize::from(!left_sizes.contains(&0)))?;
        let empty = cx.cast(empty, element);
        return Ok(cx.reshape(empty, &sizes).into());
    }
    let terms = pairs.contracting.iter().fold(1i64, |terms, pair| terms.saturating_mul(left_sizes[pair.0]));
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
        // Only what is summed must be there; `MatMul` broadcasts the batch, and the rest can go on waiting.
        let ranked = cx.ranked(*value, sizes.len());
        let mut own = cx.sizes(ranked);
        summed.iter().for_each(|&dim| own[dim] = sizes[dim]);
        let cast = cx.cast(ranked, arithmetic.compute);
        *value = cx.broadcast_to(cast, &own);
    }
    let sums = cx.contract(values[0], values[1], &pairs);
    Ok(cx.finish_sum(sums, &arithmetic).into())
}

/// The sizes that the result has (StableHLO spec, `dot_general`, C12).
fn result_sizes(left: &[i64], right: &[i64], pairs: &Pairs) -> Result<Vec<i64>, Refusal> {
    let (mut left_used, mut right_used) = (vec![false; left.len()], vec![false; right.len()]);
    for &(one, other) in pairs.batch.iter().chain(&pairs.contracting) {
        let sizes = left.get(one).zip(right.get(other));
        if sizes.is_none_or(|(one, other)| one != other) {
            return Err(Refusal::form(format!("dimensions {one} and {other} of the operands do not agree")));
        }
        if std::mem::replace(&mut left_used[one], true) || std::mem::replace(&mut right_used[other], true) {
            return Err(Refusal::form("a dimension is named twice"));
        }
    }
    let free = |sizes: &[i64], used: &[bool]| -> Vec<i64> {
        sizes.iter().zip(used).filter(|(_, used)| !**used).map(|(&size, _)| size).collect()
    };
    let mut sizes: Vec<i64> = pairs.batch.iter().map(|pair| left[pair.0]).collect();
    sizes.extend(free(left, &left_used));
    sizes.extend(free(right, &right_used));
    Ok(sizes)
}
