//! Dimensions that keep their identity while a program transposes and reshapes a value.

use super::pattern::Pattern;
use crate::ir::{Dim, Dims, ValueId, stablehlo};
use smallvec::SmallVec;

/// A dimension, wherever it is in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// The labels of the dimensions of a value.
pub(super) type Axes = SmallVec<[Label; 6]>;

/// A value with the labels of its dimensions.
#[derive(Clone, Debug)]
pub(super) struct Labeled {
    pub value: ValueId,
    pub axes: Axes,
}

/// The sizes of labels.
#[derive(Default)]
pub(super) struct Labels {
    sizes: Vec<Dim>,
}

impl Labels {
    /// A new label.
    pub fn add(&mut self, size: Dim) -> Label {
        self.sizes.push(size);
        Label(self.sizes.len() - 1)
    }

    /// New labels for all dimensions of a value.
    pub fn of(&mut self, p: &Pattern, value: ValueId) -> Option<Labeled> {
        let dims = p.tensor(value).filter(|ty| ty.is_sized())?.dims.clone();
        Some(Labeled { value, axes: dims.into_iter().map(|size| self.add(size)).collect() })
    }

    /// The size of a label.
    pub fn size(&self, label: Label) -> Dim {
        self.sizes[label.0]
    }

    /// Whether a label has one element.
    pub fn is_one(&self, label: Label) -> bool {
        self.size(label) == Dim::Known(1)
    }

    /// The sizes of labels.
    pub fn sizes(&self, labels: &[Label]) -> Dims {
        labels.iter().map(|&label| self.size(label)).collect()
    }

    /// The product of the sizes of labels.
    pub fn count(&self, p: &Pattern, labels: &[Label]) -> Dim {
        p.module.dim_exprs.product(labels.iter().map(|&label| self.size(label)))
    }

    /// The operand of a transpose, or of a reshape that only adds or removes dimensions of size 1.
    pub fn before_view(&mut self, p: &mut Pattern, at: &Labeled) -> Option<Labeled> {
        if let Some([value]) = p.module.defining_operands(at.value, stablehlo::TRANSPOSE) {
            let order = p.permutation(p.module.defining_op(at.value)?)?;
            let mut axes = at.axes.clone();
            for (&label, from) in at.axes.iter().zip(order) {
                *axes.get_mut(from)? = label;
            }
            p.pass(at.value);
            return Some(Labeled { value, axes });
        }
        let [value] = p.module.defining_operands(at.value, stablehlo::RESHAPE)?;
        let dims = p.tensor(value).filter(|ty| ty.is_sized())?.dims.clone();
        let mut kept = at.axes.iter().copied().filter(|&label| !self.is_one(label));
        let mut axes: SmallVec<[Option<Label>; 6]> = SmallVec::new();
        for &size in &dims {
            axes.push(match size {
                Dim::Known(1) => None,
                _ => Some(kept.next().filter(|&label| self.size(label) == size)?),
            });
        }
        if kept.next().is_some() {
            return None;
        }
        p.pass(at.value);
        let axes = axes.into_iter().map(|label| label.unwrap_or_else(|| self.add(Dim::Known(1)))).collect();
        Some(Labeled { value, axes })
    }

    /// The value before transposes and reshapes.
    pub fn before_views(&mut self, p: &mut Pattern, at: Labeled) -> Labeled {
        let mut at = at;
        while let Some(before) = self.before_view(p, &at) {
            at = before;
        }
        at
    }

    /// The operand of a broadcast. A dimension that is repeated has no label, or a new one of size 1.
    pub fn before_broadcast(&mut self, p: &mut Pattern, at: &Labeled) -> Option<Labeled> {
        let [value] = p.module.defining_operands(at.value, stablehlo::BROADCAST_IN_DIM)?;
        let to = p.positions(p.module.defining_op(at.value)?, "broadcast_dimensions")?;
        let dims = p.tensor(value).filter(|ty| ty.is_sized())?.dims.clone();
        let mut axes = Axes::new();
        for (&size, to) in dims.iter().zip(to) {
            let label = *at.axes.get(to)?;
            axes.push(if self.size(label) == size { label } else { self.add(size) });
        }
        p.pass(at.value);
        (axes.len() == dims.len()).then_some(Labeled { value, axes })
    }
}
