//! Products of tensors with labeled dimensions.

use super::super::axes::{Axes, Labeled, Labels};
use super::super::pattern::Pattern;
use crate::ops::DotDimensionNumbers;

/// The operands of a product.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub left: Labeled,
    pub right: Labeled,
    /// The dimensions that are summed over.
    pub summed: Axes,
}

/// The operands of a `dot_general` with a labeled result, with the labels of that result.
pub(super) fn read(p: &mut Pattern, labels: &mut Labels, at: &Labeled) -> Option<Product> {
    let op = p.module.defining_op(at.value)?;
    let numbers = DotDimensionNumbers::read(p.module, op).ok()?;
    let [left, right] = p.operands_of(op)?;
    let (mut left, mut right) = (labels.of(p, left)?, labels.of(p, right)?);
    let mut result = at.axes.iter().copied();
    for &(one, other) in &numbers.batching {
        let label = result.next()?;
        (left.axes[one], right.axes[other]) = (label, label);
    }
    for dim in numbers.lhs_free(left.axes.len()) {
        left.axes[dim] = result.next()?;
    }
    for dim in numbers.rhs_free(right.axes.len()) {
        right.axes[dim] = result.next()?;
    }
    let mut summed = Axes::new();
    for &(one, other) in &numbers.contracting {
        right.axes[other] = left.axes[one];
        summed.push(left.axes[one]);
    }
    Some(Product { left, right, summed })
}
