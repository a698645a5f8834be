//! Groups of changes that are made together or not at all.

/// Disjoint sets of changes (union-find), with what each set gains.
#[derive(Default)]
pub(super) struct Groups {
    parents: Vec<usize>,
    gains: Vec<i64>,
    marks: Vec<bool>,
}

impl Groups {
    /// A new group, which may have a mark.
    pub(super) fn add(&mut self, mark: bool) -> usize {
        self.parents.push(self.parents.len());
        self.gains.push(0);
        self.marks.push(mark);
        self.parents.len() - 1
    }

    fn find(&mut self, mut group: usize) -> usize {
        while self.parents[group] != group {
            self.parents[group] = self.parents[self.parents[group]];
            group = self.parents[group];
        }
        group
    }

    /// Makes two groups one, which has the gains of both, and the mark of either.
    pub(super) fn join(&mut self, first: usize, second: usize) -> usize {
        let (first, second) = (self.find(first), self.find(second));
        if first != second {
            self.parents[second] = first;
            self.gains[first] += self.gains[second];
            self.marks[first] |= self.marks[second];
        }
        first
    }

    /// Adds to what a group gains; a loss is negative.
    pub(super) fn gain(&mut self, group: usize, amount: i64) {
        let group = self.find(group);
        self.gains[group] += amount;
    }

    /// What a group gains.
    pub(super) fn total(&mut self, group: usize) -> i64 {
        let group = self.find(group);
        self.gains[group]
    }

    /// Whether a group has a mark.
    pub(super) fn is_marked(&mut self, group: usize) -> bool {
        let group = self.find(group);
        self.marks[group]
    }
}
