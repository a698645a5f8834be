//! The edges of a graph, each split at the borders of the groups that it crosses.

use super::tree::{Item, Tree};
use rustc_hash::FxHashMap;

/// An edge between two children of a group; `None` is what is around the group.
pub(super) type Flow = (Option<Item>, Option<Item>);

/// The edges in each group, sorted, each once.
pub(super) type Flows = FxHashMap<usize, Vec<Flow>>;

/// Splits edges between nodes, inputs, outputs and groups. An edge from a node to the group around it, or the other way,
/// is nowhere.
pub(super) fn flows(tree: &Tree, edges: &[(Item, Item)]) -> Flows {
    let mut flows = Flows::default();
    for &(from, to) in edges {
        let (from, to) = (path(tree, from), path(tree, to));
        let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        let (Some(&start), Some(&end)) = (from.get(shared), to.get(shared)) else { continue };
        let around = shared.checked_sub(1).and_then(|last| from[last].group()).unwrap_or(Tree::ROOT);
        flows.entry(around).or_default().push((Some(start), Some(end)));
        for (path, outward) in [(&from, true), (&to, false)] {
            for pair in path[shared..].windows(2) {
                if let [Item::Group(group), child] = pair {
                    let flow = if outward { (Some(*child), None) } else { (None, Some(*child)) };
                    flows.entry(*group).or_default().push(flow);
                }
            }
        }
    }
    // Each list is changed on its own, so the order does not matter.
    #[allow(clippy::iter_over_hash_type)]
    for list in flows.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    flows
}

/// The groups that an item is in, outermost first, and the item.
fn path(tree: &Tree, item: Item) -> Vec<Item> {
    tree.above(item).into_iter().map(Item::Group).chain([item]).collect()
}
