//! Keys and values that are repeated for several heads of queries.

use super::super::axes::{Axes, Label, Labeled, Labels};
use super::super::pattern::Pattern;
use crate::ir::{Dim, stablehlo};

/// Heads of which each stands for several adjacent heads of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeated {
    /// The heads of queries.
    pub heads: Label,
    /// The heads before they were repeated.
    pub own: Label,
}

/// The value before `jnp.repeat`, which prints a broadcast with a new dimension after the heads, and a reshape that
/// merges both.
pub(super) fn before(p: &mut Pattern, labels: &mut Labels, at: &Labeled) -> Option<(Labeled, Repeated)> {
    before_reshape(p, labels, at).or_else(|| before_broadcast(p, labels, at))
}

/// A single head: the reshape only drops its dimension.
fn before_broadcast(p: &mut Pattern, labels: &mut Labels, at: &Labeled) -> Option<(Labeled, Repeated)> {
    let [value] = p.module.defining_operands(at.value, stablehlo::BROADCAST_IN_DIM)?;
    let to = p.positions(p.module.defining_op(at.value)?, "broadcast_dimensions")?;
    let [spread, dims] =
        [at.value, value].map(|value| p.tensor(value).filter(|ty| ty.is_sized()).map(|ty| ty.dims.clone()));
    let (spread, dims) = (spread?, dims?);
    let mut new = (0..spread.len()).filter(|axis| !to.contains(axis) && spread[*axis] != Dim::Known(1));
    let heads = new.next().filter(|_| new.next().is_none())?;
    let is_whole = to.iter().zip(&dims).all(|(&to, &size)| spread.get(to) == Some(&size));
    let axes: Option<Axes> = to.iter().map(|&axis| at.axes.get(axis).copied()).collect();
    let (axes, own) = (axes.filter(|_| is_whole)?, labels.add(Dim::Known(1)));
    let repeated = Repeated { heads: *at.axes.get(heads)?, own };
    p.pass(at.value);
    Some((Labeled { value, axes }, repeated))
}

fn before_reshape(p: &mut Pattern, labels: &mut Labels, at: &Labeled) -> Option<(Labeled, Repeated)> {
    let [spread] = p.module.defining_operands(at.value, stablehlo::RESHAPE)?;
    let [value] = p.module.defining_operands(spread, stablehlo::BROADCAST_IN_DIM)?;
    let to = p.positions(p.module.defining_op(spread)?, "broadcast_dimensions")?;
    let [merged, middle, dims] = [at.value, spread, value]
        .map(|value| p.tensor(value).filter(|ty| ty.is_sized()).map(|ty| ty.dims.clone()));
    let (merged, middle, dims) = (merged?, middle?, dims?);
    if middle.len() != merged.len() + 1 || dims.len() != merged.len() {
        return None;
    }
    // The dimension that is new, behind the one that it is merged with.
    let new = (0..middle.len()).find(|axis| !to.contains(axis)).filter(|&axis| axis > 0)?;
    let heads = new - 1;
    let is_repeated = |axis: usize| {
        let size = p.module.dim_exprs.multiply(middle[heads], middle[new]);
        match axis {
            _ if axis == heads => merged[axis] == size,
            _ if axis < heads => merged[axis] == middle[axis],
            _ => merged[axis] == middle[axis + 1],
        }
    };
    let others = (0..middle.len()).filter(|&axis| axis != new);
    let is_whole =
        to.iter().copied().eq(others) && to.iter().zip(&dims).all(|(&to, &size)| middle[to] == size);
    if !is_whole || !(0..merged.len()).all(is_repeated) || middle[new] == Dim::Known(1) {
        return None;
    }
    let mut axes: Axes = at.axes.clone();
    let repeated = Repeated { heads: axes[heads], own: labels.add(dims[heads]) };
    axes[heads] = repeated.own;
    p.pass(at.value);
    p.pass(spread);
    Some((Labeled { value, axes }, repeated))
}
