//! How often values are read.

use super::{Module, ValueId, use_counts_by_block};

/// The number of reads of each value, for passes that join an op with the only one that reads its result. A read in another
/// block than that of the definition counts twice, so that a value computed outside a loop never seems to belong to its
/// body.
pub struct Uses {
    counts: Vec<u32>,
}

impl Uses {
    /// Counts the reads of all values.
    pub fn of(module: &Module) -> Self {
        Self { counts: use_counts_by_block(module) }
    }

    /// Whether only one op reads a value, once and in the block of its definition.
    pub fn is_single(&self, value: ValueId) -> bool {
        self.counts.get(value.index()) == Some(&1)
    }

    /// Notes that one op reads a new value.
    pub fn note_single(&mut self, value: ValueId) {
        self.set(value, 1);
    }

    /// Notes that a new value replaces another.
    pub fn inherit(&mut self, old: ValueId, new: ValueId) {
        let count = self.counts.get(old.index()).copied().unwrap_or(0);
        self.set(new, count);
    }

    fn set(&mut self, value: ValueId, count: u32) {
        if self.counts.len() <= value.index() {
            self.counts.resize(value.index() + 1, 0);
        }
        self.counts[value.index()] = count;
    }
}
