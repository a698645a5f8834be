//! Which value of an earlier program a value represents.

use super::{Module, ValueId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A value of the earlier program, and how its dimensions map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The value of the earlier program.
    pub value: ValueId,
    /// Where the dimensions are in another order: dimension `i` of the earlier value is dimension `order[i]`.
    pub order: Option<SmallVec<[usize; 6]>>,
    /// Which part of the earlier value it is, where that is complex: 0 for the real one, 1 for the imaginary one.
    pub part: Option<usize>,
}

/// The origins of values, as far as they are known.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Values below this number are those of the earlier program.
    count: usize,
    of: FxHashMap<ValueId, Origin>,
}

impl Module {
    /// Remembers from here on which of today's values each new value represents.
    pub fn record_origins(&mut self) {
        self.origins = Some(Box::new(Origins { count: self.value_count(), of: FxHashMap::default() }));
    }

    /// What a value represents, where that is recorded and known.
    pub fn origin(&self, value: ValueId) -> Option<Origin> {
        let origins = self.origins.as_ref()?;
        if let Some(origin) = origins.of.get(&value) {
            return Some(origin.clone());
        }
        let is_own = value.index() < origins.count && value != self.absent();
        is_own.then_some(Origin { value, order: None, part: None })
    }

    /// Records that `new` means what `old` means; the first origin of a value counts.
    pub fn inherit_origin(&mut self, old: ValueId, new: ValueId) {
        if self.origins.is_some()
            && let Some(origin) = self.origin(old)
        {
            self.set_origin(new, origin);
        }
    }

    /// Records that `new` is a part of the complex numbers of `old`.
    pub fn inherit_part(&mut self, old: ValueId, new: ValueId, part: usize) {
        if self.origins.is_some()
            && let Some(origin) = self.origin(old)
            && origin.part.is_none()
        {
            self.set_origin(new, Origin { part: Some(part), ..origin });
        }
    }

    /// Records that `old` is `twin` with its dimensions in another order: dimension `i` of `old` is dimension
    /// `order[i]`.
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
