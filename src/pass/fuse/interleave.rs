//! Interleaved tensors, as `jax.lax.associative_scan` prints them: the sum of two tensors of which each has zeros in place of
//! the other's elements.
//!
//! The halves are stacked along a new dimension, which is then merged. Unlike the sum, this keeps -0.

use super::pattern::Pattern;
use super::{Fused, FusedOperand, FusionRule};
use crate::ir::{Dim, Dims, OpId, ValueId, stablehlo};
use crate::ops::OpAttributes;

pub(super) const RULES: &[FusionRule] =
    &[FusionRule::new(stablehlo::ADD, interleaved), FusionRule::new(stablehlo::OR, interleaved)];

/// A tensor whose elements have gaps of one element between them.
struct Spread {
    value: ValueId,
    padding: ValueId,
    axis: usize,
    /// The padding before the first element and after the last.
    edges: [i64; 2],
}

fn interleaved(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let result = p.result_of(op)?;
    let [x, y] = p.operands_of(op)?;
    let (x, y) = (spread(p, x)?, spread(p, y)?);
    let (first, second) = if x.edges[0] == 0 { (x, y) } else { (y, x) };
    let (of_first, of_second) = (&p.tensor(first.value)?.dims, &p.tensor(second.value)?.dims);
    let axis = first.axis;
    let [count, other] = [of_first, of_second].map(|dims| dims.get(axis).and_then(|dim| dim.known()));
    let (count, missing) = (count?, count? - other?);
    // The first tensor has as many elements as the second or one more.
    let fits = second.axis == axis
        && [first.edges, second.edges] == [[0, 1 - missing], [1, missing]]
        && (missing == 0 || missing == 1)
        && count > missing;
    fits.then_some(())?;

    let element = p.tensor(result)?.element;
    let mut second_value = FusedOperand::Value(second.value);
    if missing == 1 {
        let padded = Fused::of(stablehlo::PAD, [second_value, FusedOperand::Value(second.padding)]);
        let (none, mut one) = (vec![0; of_first.len()], vec![0; of_first.len()]);
        one[axis] = 1;
        let padded = padded
            .positions("edge_padding_low", &none)
            .positions("edge_padding_high", &one)
            .positions("interior_padding", &none);
        second_value = FusedOperand::made_of(padded, element, of_first.clone());
    }
    let apart = |axis_size: i64| -> Dims {
        let mut dims = of_first.clone();
        dims.insert(axis + 1, Dim::Known(axis_size));
        dims
    };
    let parts = [FusedOperand::Value(first.value), second_value];
    let parts =
        parts.map(|part| FusedOperand::made_of(Fused::of(stablehlo::RESHAPE, [part]), element, apart(1)));
    let pairs = Fused::of(stablehlo::CONCATENATE, parts).int("dimension", axis + 1);
    let joined = Fused::of(stablehlo::RESHAPE, [FusedOperand::made_of(pairs, element, apart(2))]);
    if missing == 0 {
        return Some(joined);
    }
    let mut whole = of_first.clone();
    whole[axis] = Dim::Known(2 * count);
    let limits: Vec<usize> = p.tensor(result)?.sizes()?.iter().map(|&size| size as usize).collect();
    let slice = Fused::of(stablehlo::SLICE, [FusedOperand::made_of(joined, element, whole)])
        .positions("start_indices", &vec![0; limits.len()])
        .positions("limit_indices", &limits)
        .positions("strides", &vec![1; limits.len()]);
    Some(slice)
}

/// Reads a Pad with zeros along one dimension. One element has no gaps.
fn spread(p: &mut Pattern, value: ValueId) -> Option<Spread> {
    let [x, padding] = p.operands(value, stablehlo::PAD)?;
    let is_zero = p.is(padding, 0.0) || p.module.known_integers(padding).as_deref() == Some(&[0]);
    let attributes = OpAttributes::of(p.module, p.module.defining_op(value)?);
    let interior = attributes.integers("interior_padding").ok()?;
    let around = ["edge_padding_low", "edge_padding_high"].map(|name| {
        let amounts = attributes.sizes(name).ok()?;
        amounts.iter().map(|amount| amount.known()).collect::<Option<Vec<i64>>>()
    });
    let [low, high] = [around[0].as_ref()?, around[1].as_ref()?];
    let sizes = p.tensor(x)?.sizes()?;
    let mut padded = (0..sizes.len())
        .filter(|&axis| low[axis] != 0 || high[axis] != 0 || sizes[axis] > 1 && interior[axis] != 0);
    let (Some(axis), None) = (padded.next(), padded.next()) else { return None };
    let has_gaps = interior[axis] == 1 || sizes[axis] == 1;
    (is_zero && has_gaps).then_some(Spread { value: x, padding, axis, edges: [low[axis], high[axis]] })
}
