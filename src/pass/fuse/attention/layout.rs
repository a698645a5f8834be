//! What each dimension is for.

use super::super::axes::{Axes, Label, Labeled, Labels};

/// The dimensions of attention by role, each in the order of the queries.
#[derive(Debug)]
pub(super) struct Layout {
    /// In all operands, and independent.
    pub batch: Axes,
    /// The queries of one batch element and head.
    pub rows: Axes,
    /// In all operands, next to the features.
    pub heads: Axes,
    /// Heads of queries that share keys and values.
    pub groups: Axes,
    /// The keys, over which the weights add up to one.
    pub key: Label,
    /// What queries and keys are multiplied along.
    pub depth: Axes,
    /// Only of values.
    pub features: Axes,
}

/// The operands, and the labels of the result.
pub(super) struct Operands<'a> {
    pub queries: &'a Labeled,
    pub keys: &'a Labeled,
    pub values: &'a Labeled,
    pub result: &'a [Label],
    pub key: Label,
    pub depth: &'a Axes,
}

impl Layout {
    /// The roles of all dimensions. `masked` are those on which a mask depends.
    pub fn find(labels: &Labels, operands: &Operands, masked: &[Label]) -> Result<Self, String> {
        let Operands { queries, keys, values, result, key, depth } = *operands;
        let mut all = Axes::new();
        for &label in queries.axes.iter().chain(&keys.axes).chain(&values.axes).chain(result) {
            if !all.contains(&label) {
                all.push(label);
            }
        }
        let (mut shared, mut rows, mut features) = (Axes::new(), Axes::new(), Axes::new());
        for &label in &all {
            let of = [&queries.axes[..], &keys.axes, &values.axes, result].map(|axes| axes.contains(&label));
            match of {
                _ if label == key || depth.contains(&label) => {}
                [true, true, true, true] => shared.push(label),
                [true, false, false, true] => rows.push(label),
                [false, false, true, true] => features.push(label),
                // It does not matter where a dimension of size 1 is.
                _ if labels.is_one(label) => {}
                [false, ..] => {
                    return Err("the queries are the same in a dimension of keys and values".into());
                }
                _ => return Err("queries, keys and values do not have the same dimensions".into()),
            }
        }
        let place = |label: Label| queries.axes.iter().position(|&own| own == label);
        shared.sort_by_key(|&label| place(label));
        rows.sort_by_key(|&label| place(label));
        let (rows, groups) = split_rows(&shared, &rows, masked, place);
        let first_row = rows.iter().filter_map(|&row| place(row)).min();
        let is_after = |label: Label| first_row.is_some_and(|row| place(label).is_some_and(|own| own > row));
        let mut heads: Axes = shared.iter().copied().filter(|&label| is_after(label)).collect();
        if heads.is_empty() && shared.len() > 1 {
            heads.extend(shared.last().copied());
        }
        let batch: Axes = shared.iter().copied().filter(|label| !heads.contains(label)).collect();
        Ok(Self { batch, rows, heads, groups, key, depth: depth.clone(), features })
    }

    /// The dimensions of queries: each of the batch, rows, heads, depth.
    pub fn queries(&self) -> Vec<Axes> {
        self.behind_batch([self.rows.clone(), self.all_heads(), self.depth.clone()])
    }

    /// The dimensions of the result.
    pub fn result(&self) -> Vec<Axes> {
        self.behind_batch([self.rows.clone(), self.all_heads(), self.features.clone()])
    }

    /// The dimensions of keys, whose heads may be fewer.
    pub fn keys(&self, heads: &Axes) -> Vec<Axes> {
        self.behind_batch([only(self.key), heads.clone(), self.depth.clone()])
    }

    /// The dimensions of values.
    pub fn values(&self, heads: &Axes) -> Vec<Axes> {
        self.behind_batch([only(self.key), heads.clone(), self.features.clone()])
    }

    /// The dimensions of a mask: each of the batch, heads, rows, keys.
    pub fn masks(&self) -> Vec<Axes> {
        self.behind_batch([self.all_heads(), self.rows.clone(), only(self.key)])
    }

    fn all_heads(&self) -> Axes {
        self.heads.iter().chain(&self.groups).copied().collect()
    }

    /// At least one dimension is of the batch.
    fn behind_batch(&self, parts: [Axes; 3]) -> Vec<Axes> {
        let batch = if self.batch.is_empty() { vec![Axes::new()] } else { Vec::new() };
        batch.into_iter().chain(self.batch.iter().map(|&label| only(label))).chain(parts).collect()
    }
}

/// One dimension.
fn only(label: Label) -> Axes {
    [label].into_iter().collect()
}

/// The dimensions that only queries have: rows of one head, and heads that share keys. Rows come before the heads; if none
/// does, the mask depends on them.
fn split_rows(
    shared: &[Label],
    only: &[Label],
    masked: &[Label],
    place: impl Fn(Label) -> Option<usize>,
) -> (Axes, Axes) {
    let last_shared = shared.iter().filter_map(|&label| place(label)).max();
    let is_before = |label: Label| last_shared.is_some_and(|last| place(label).is_some_and(|own| own < last));
    let mut rows: Axes = only.iter().copied().filter(|&label| is_before(label)).collect();
    if rows.is_empty() {
        let of_mask: Axes = only.iter().copied().filter(|label| masked.contains(label)).collect();
        let likely = if of_mask.len() == 1 { &of_mask[..] } else { only };
        // Heads before rows, or, without heads in the keys, either.
        let row = if shared.len() > 1 { likely.last() } else { likely.first() };
        rows.extend(row.copied());
    }
    let groups = only.iter().copied().filter(|label| !rows.contains(label)).collect();
    (rows, groups)
}
