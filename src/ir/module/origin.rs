//! Tracks which value of an earlier program each value represents.

use super::{Module, ValueId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A value of the earlier program, and how dimensions map to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The value of the earlier program.
    pub value: ValueId,
    /// The permutation, if any: dimension `i` of the earlier value is dimension `order[i]`.
    pub order: Option<SmallVec<[usize; 6]>>,
    /// The part of a complex earlier value: 0 for real, 1 for imaginary.
    pub part: Option<usize>,
}

/// The recorded origins of values.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Values below this number belong to the earlier program.
    count: usize,
    of: FxHashMap<ValueId, Origin>,
}

impl Module {
    /// Starts recording: the current values become the earlier program.
    pub fn record_origins(&mut self) {
        self.origins = Some(Box::new(Origins { count: self.value_count(), of: FxHashMap::default() }));
    }

    /// The recorded origin of a value.
    pub fn origin(&self, value: ValueId) -> Option<Origin> {
        let origins = self.origins.as_ref()?;
        if let Some(origin) = origins.of.get(&value) {
            return Some(origin.clone());
        }
        let is_own = value.index() < origins.count && value != self.absent();
        is_own.then_some(Origin { value, order: None, part: None })
    }

    /// Records that `new` has the origin of `old`; the first record of a value wins.
    pub fn inherit_origin(&mut self, old: ValueId, new: ValueId) {
        if self.origins.is_some()
            && let Some(origin) = self.origin(old)
        {
            self.set_origin(new, origin);
        }
    }

    /// Records that `new` is one part of the complex `old`.
    pub fn inherit_part(&mut self, old: ValueId, new: ValueId, part: usize) {
        if self.origins.is_some()
            && let Some(origin) = self.origin(old)
            && origin.part.is_none()
        {
            self.set_origin(new, Origin { part: Some(part), ..origin });
        }
    }

    /// Records that `old` is `twin` transposed: dimension `i` of `old` is dimension `order[i]`.
    pub fn inherit_permuted(&mut self, old: ValueId, twin: ValueId, order: &[usize]) {
        if self.origins.is_none() {
            return;
        }
        let Some(origin) = self.origin(old) else { return };
        let order: Option<SmallVec<_>> = match &origin.order {
            None => Some(order.iter().copied().collect()),
            Some(outer) => outer.iter().map(|&axis| order.get(axis).copied()).collect(),
        };
        if order.is_some() {
            self.set_origin(twin, Origin { order, ..origin });
        }
    }

    fn set_origin(&mut self, value: ValueId, origin: Origin) {
        let absent = self.absent();
        if let Some(origins) = self.origins.as_mut()
            && value.index() >= origins.count
            && value != absent
        {
            origins.of.entry(value).or_insert(origin);
        }
    }
}
