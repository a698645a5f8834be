//! Group normalization of images with channels last.

use super::normalization::{inverse_deviation, is_variance, scale_and_row};
use super::pattern::{Pattern, RowAxes};
use super::{Fused, FusionRule};
use crate::ir::{Dim, Element, OpId, OpName, ValueId, hlo2onnx, stablehlo};

pub(super) const RULES: &[FusionRule] =
    &[FusionRule::new(stablehlo::MULTIPLY, group_norm), FusionRule::new(stablehlo::ADD, with_offset)];

const GROUP_NORM: OpName = hlo2onnx::GROUP_NORM;
/// Larger groups are normalized in parts.
const LONGEST_GROUP: i64 = 65_536;

/// `(x - mean(x)) / sqrt(variance(x) + epsilon) * scale`, with an optional scale, and mean and variance over a group
/// of channels in one image (Wu and He, "Group Normalization"), or over each channel.
fn group_norm(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let factors = p.operands_of(op)?;
    p.either(factors, |p, centered, factor| {
        let [x, mean] = p.operands(centered, stablehlo::SUBTRACT)?;
        let rows = p.is_of(x, &[Element::F32]).then(|| images(p, x))??;
        let mean = p.row(mean, &rows)?;
        let count = channels(&rows)?;
        let (scale, inverse) = scale_and_row(p, factor, &rows, |p, scale| p.of_channels(scale, count))?;
        let (variance, epsilon) = inverse_deviation(p, inverse, &rows)?;
        let of_groups = p.attempt(|p| {
            let (mean, groups) = ungrouped(p, mean, &rows)?;
            let (variance, same) = ungrouped(p, variance, &rows)?;
            let rows = grouped(&rows, groups)?;
            let own = p.mean(mean, &rows)?;
            let [whole] = p.operands(own, stablehlo::RESHAPE)?;
            let found = groups == same && whole == x && is_variance(p, variance, own, &rows);
            found.then_some(groups)
        });
        let groups = of_groups.or_else(|| {
            let of_channels = p.mean(mean, &rows)? == x && is_variance(p, variance, x, &rows);
            of_channels.then_some(count)
        })?;
        // The kernel adds one element after the other: its result is off by 6e-4 for groups of 16,384 elements near
        // 1000 and by 6e-1 for 262,144, while XLA's is off by 3e-4.
        let elements = rows.dims[1..].iter().try_fold(1i64, |count, dim| count.checked_mul(dim.known()?));
        if elements.is_some_and(|elements| elements / groups > LONGEST_GROUP) {
            return None;
        }
        let operands: Vec<ValueId> = [x].into_iter().chain(scale).collect();
        Some(Fused::new(GROUP_NORM, &operands).int("groups", groups as usize).float("epsilon", epsilon))
    })
}

/// A group norm with a scale and an offset.
fn with_offset(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let addends = p.operands_of(op)?;
    p.either(addends, |p, value, offset| {
        let norm = p.module.defined_by(value, GROUP_NORM)?;
        let [x, scale] = p.operands(value, GROUP_NORM)?;
        let rows = images(p, x)?;
        let offset = p.of_channels(offset, channels(&rows)?)?;
        let (groups, epsilon) = (p.integer(norm, "groups")?, p.float(norm, "epsilon")?);
        Some(Fused::new(GROUP_NORM, &[x, scale, offset]).int("groups", groups).float("epsilon", epsilon))
    })
}

/// The axes of an image except its channels.
fn images(p: &Pattern, x: ValueId) -> Option<RowAxes> {
    let dims = p.tensor(x)?.dims.clone();
    (dims.len() >= 3).then(|| RowAxes { axes: (1..dims.len() - 1).collect(), dims })
}

fn channels(rows: &RowAxes) -> Option<i64> {
    rows.dims.last()?.known()
}

/// The axes of the tensor with channels split into groups.
fn grouped(rows: &RowAxes, groups: i64) -> Option<RowAxes> {
    let channels = channels(rows)?;
    if groups <= 0 || channels % groups != 0 {
        return None;
    }
    let rank = rows.dims.len();
    let mut dims = rows.dims.clone();
    dims[rank - 1] = Dim::Known(groups);
    dims.push(Dim::Known(channels / groups));
    Some(RowAxes { axes: (1..rank - 1).chain([rank]).collect(), dims })
}

/// A value with one element per group, broadcast to the group's channels, and the number of groups.
fn ungrouped(p: &mut Pattern, value: ValueId, rows: &RowAxes) -> Option<(ValueId, i64)> {
    let [spread] = p.operands(value, stablehlo::RESHAPE)?;
    let [of_groups] = p.operands(spread, stablehlo::BROADCAST_IN_DIM)?;
    let (spread, own) = (&p.tensor(spread)?.dims, &p.tensor(of_groups)?.dims);
    let (&[batch, groups, members], &[of_batch, of_group]) = (&spread[..], &own[..]) else { return None };
    let groups = groups.known()?;
    let fits = batch == rows.dims[0]
        && of_batch == batch
        && of_group == Dim::Known(groups)
        && members.known()?.checked_mul(groups) == channels(rows);
    fits.then_some((of_groups, groups))
}
