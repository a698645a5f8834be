//! The tree of modules, with the parameters of each.

use super::tensor::Weight;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Modules deeper than this are counted with the one above them.
const DEEPEST: usize = 12;

/// A module of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleRow {
    /// Its path, such as `Encoder/Block_3/Dense_0`; empty for the root.
    pub path: String,
    /// How many modules are above it.
    pub depth: usize,
    /// Ops of the text in it and below it.
    pub ops: usize,
    /// Elements of the weights in it and below it.
    pub parameters: u64,
    /// Bytes of these weights.
    pub bytes: u64,
    /// Its own weights, as indices into the list of weights.
    pub weights: Vec<usize>,
}

/// The modules of ops and weights in the order of their paths, each before those below it.
pub(super) fn rows(ops: &BTreeMap<String, usize>, weights: &[Weight]) -> Vec<ModuleRow> {
    let known: BTreeSet<&str> = ops.keys().flat_map(|path| prefixes(path)).collect();
    let mut tree: BTreeMap<Vec<&str>, ModuleRow> = BTreeMap::new();
    for (path, &count) in ops {
        add(&mut tree, path, |row| row.ops += count);
    }
    let paths: Vec<String> = weights.iter().map(|weight| place(&weight.module, &known)).collect();
    let mut own: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for ((index, weight), path) in weights.iter().enumerate().zip(&paths) {
        let size = &weight.tensor.size;
        add(&mut tree, path, |row| {
            row.parameters = row.parameters.saturating_add(size.elements.unwrap_or(0));
            row.bytes = row.bytes.saturating_add(size.bytes.unwrap_or(0));
        });
        own.entry(parts(path).into_iter().map(str::to_owned).collect()).or_default().push(index);
    }
    let mut rows: Vec<ModuleRow> = Vec::with_capacity(tree.len());
    for (path, mut row) in tree {
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        row.weights = own.remove(&path).unwrap_or_default();
        rows.push(row);
    }
    rows
}

/// Adds to the rows of a path and of all paths above it, which are made where they are missing.
fn add<'p>(tree: &mut BTreeMap<Vec<&'p str>, ModuleRow>, path: &'p str, change: impl Fn(&mut ModuleRow)) {
    let parts = parts(path);
    for depth in 1..=parts.len() {
        let row = tree.entry(parts[..depth].to_vec()).or_insert_with(|| ModuleRow {
            path: parts[..depth].join("/"),
            depth: depth - 1,
            ops: 0,
            parameters: 0,
            bytes: 0,
            weights: Vec::new(),
        });
        change(row);
    }
}

/// A path and all paths above it.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').take(DEEPEST).collect()
}

/// Where a weight's module is among those of the ops.
///
/// Linen's variables omit the outermost module, which op paths begin with: the weight of `Dense_0/kernel` belongs to
/// `Model/Dense_0`.
fn place(path: &str, known: &BTreeSet<&str>) -> String {
    if path.is_empty() || known.contains(path) {
        return path.to_owned();
    }
    let roots = known.iter().filter(|known| !known.contains('/'));
    let mut found =
        roots.map(|root| format!("{root}/{path}")).filter(|placed| known.contains(placed.as_str()));
    // With two candidates it would be a guess.
    match (found.next(), found.next()) {
        (Some(placed), None) => placed,
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_belongs_to_the_outermost_module_of_its_ops() {
        let known = BTreeSet::from(["Model", "Model/Dense_0", "Model/Block", "Model/Block/Dense_1"]);
        assert_eq!(place("Dense_0", &known), "Model/Dense_0");
        assert_eq!(place("Block", &known), "Model/Block");
        assert_eq!(place("Model/Dense_0", &known), "Model/Dense_0");
        assert_eq!(place("Other", &known), "Other");
        assert_eq!(place("", &known), "");
    }

    #[test]
    fn an_ambiguous_weight_stays_where_it_is() {
        let known = BTreeSet::from(["A", "A/Dense_0", "B", "B/Dense_0"]);
        assert_eq!(place("Dense_0", &known), "Dense_0");
    }

    #[test]
    fn counts_go_to_all_modules_above() {
        let ops = BTreeMap::from([("M/A".to_owned(), 2), ("M/A/B".to_owned(), 3), ("M/AB".to_owned(), 5)]);
        let rows = rows(&ops, &[]);
        let found: Vec<(&str, usize, usize)> =
            rows.iter().map(|row| (row.path.as_str(), row.depth, row.ops)).collect();
        assert_eq!(found, [("M", 0, 10), ("M/A", 1, 5), ("M/A/B", 2, 3), ("M/AB", 1, 5)]);
    }
}
