//! What is in a module of `onnx.*` ops.

use crate::ir::{Module, onnx};
use std::collections::BTreeMap;

/// The nodes by kind, most frequent first, those of subgraphs included. A call is a node of its function's name, and
/// the nodes of a function count once, however often it is called.
pub fn inventory(module: &Module) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for op in module.reachable_ops() {
        if let Some(callee) = module.callee(op) {
            *counts.entry(module.symbols.get(module.function(callee).name)).or_default() += 1;
        } else if module.op(op).name.is_node() {
            *counts.entry(module.op(op).name.mnemonic()).or_default() += 1;
        }
    }
    let mut rows: Vec<(String, usize)> =
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    rows.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    rows
}

/// Number of elements of all constants.
pub fn parameters(module: &Module) -> u64 {
    module
        .reachable_ops()
        .into_iter()
        .filter(|&op| module.op(op).name == onnx::CONSTANT)
        .filter_map(|op| module.tensor(module.op(op).results[0])?.count())
        .map(|count| count as u64)
        .sum()
}
