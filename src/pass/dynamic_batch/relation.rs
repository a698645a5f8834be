//! What a relation can query about an op.

use super::row_axis::{Partners, RowAxis, Slot};
use super::{calls, contraction, index, movement, reduction};
use crate::ir::{Class, Module, OpId, OpName, TensorType, ValueId};
use crate::ops::OpAttributes;
use crate::source::Source;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// The relation of an op: given rows in one operand or result, returns where the others have them, or why the op
/// mixes rows.
///
/// If an operand has rows, the relation must name a result or an obstacle: otherwise the op would silently merge
/// rows.
pub(super) type Relation = fn(&OpView, Slot, RowAxis) -> Partners;

/// The relation of an op.
pub(super) fn relation(view: &OpView) -> Option<Relation> {
    relation_of(view.module.op(view.op).name).or_else(|| calls::relation(view))
}

/// The relation of an op by name.
pub(super) fn relation_of(name: OpName) -> Option<Relation> {
    if name.class() == Class::Elementwise {
        return Some(elementwise);
    }
    movement::relation(name)
        .or_else(|| index::relation(name))
        .or_else(|| contraction::relation(name))
        .or_else(|| reduction::relation(name))
}

/// All operands and results have the same shape, except scalars, which are the same for all rows.
pub(super) fn elementwise(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let own = view.tensor(slot).map(|ty| &ty.dims);
    let slots: Vec<Slot> = view.slots().filter(|&other| view.rank(other) > 0).collect();
    if slots.iter().any(|&other| view.tensor(other).map(|ty| &ty.dims) != own) {
        return Err("its operands differ in shape".into());
    }
    Ok(slots.into_iter().map(|other| (other, rows)).collect())
}

/// An op.
pub(super) struct OpView<'a> {
    pub(super) module: &'a Module,
    pub(super) op: OpId,
    pub(super) source: &'a Source,
    /// How many rows there are.
    pub(super) rows: i64,
    /// The values that depend only on constants, and so are the same for all rows.
    pub(super) constant: &'a FxHashSet<ValueId>,
    /// The rows found so far.
    pub(super) row_axes: &'a BTreeMap<ValueId, RowAxis>,
}

impl<'a> OpView<'a> {
    /// The operands and the results.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let operands = (0..self.operand_count()).map(Slot::Operand);
        operands.chain((0..self.result_count()).map(Slot::Result))
    }

    pub(super) fn operand_count(&self) -> usize {
        self.module.op(self.op).operands.len()
    }

    pub(super) fn result_count(&self) -> usize {
        self.module.op(self.op).results.len()
    }

    pub(super) fn value(&self, slot: Slot) -> Option<ValueId> {
        let op = self.module.op(self.op);
        match slot {
            Slot::Operand(index) => op.operands.get(index).copied(),
            Slot::Result(index) => op.results.get(index).copied(),
        }
    }

    pub(super) fn tensor(&self, slot: Slot) -> Option<&'a TensorType> {
        self.module.tensor(self.value(slot)?)
    }

    pub(super) fn rank(&self, slot: Slot) -> usize {
        self.tensor(slot).map_or(0, TensorType::rank)
    }

    /// The static sizes of an operand or result, if all are known.
    pub(super) fn sizes(&self, slot: Slot) -> Option<Vec<i64>> {
        self.tensor(slot)?.sizes()
    }

    /// The size of one dimension.
    pub(super) fn size(&self, slot: Slot, axis: usize) -> Option<i64> {
        self.tensor(slot)?.dims.get(axis)?.known()
    }

    /// The rows of an operand or result, if found.
    pub(super) fn rows(&self, slot: Slot) -> Option<RowAxis> {
        self.row_axes.get(&self.value(slot)?).copied()
    }

    /// Whether an operand or result depends only on constants.
    pub(super) fn is_constant(&self, slot: Slot) -> bool {
        self.value(slot).is_some_and(|value| self.constant.contains(&value))
    }

    pub(super) fn attributes(&self) -> OpAttributes<'a> {
        OpAttributes::of(self.module, self.op)
    }

    /// The dimensions that an attribute lists; none where there is no such attribute.
    pub(super) fn axes(&self, name: &'static str) -> Vec<usize> {
        self.attributes().positions(name).unwrap_or_default()
    }
}
