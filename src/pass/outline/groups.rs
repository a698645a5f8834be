//! Assigns each op of a block to a module.

use crate::ir::{Module, OpId};
use crate::pass::module_tree::{PathId, Paths, times};
use rustc_hash::FxHashMap;

/// The groups of a block's ops.
pub(super) struct ModuleGroups {
    /// For each op, its group; `None` for an op of the enclosing module itself.
    pub(super) of: Vec<Option<u32>>,
    /// The module of each group. Each application of a module is its own group.
    pub(super) paths: Vec<PathId>,
}

/// Groups the ops of a block by the modules directly within `outer`.
pub(super) fn groups(module: &Module, paths: &mut Paths, ops: &[OpId], outer: PathId) -> ModuleGroups {
    let mut within = |&op: &OpId| {
        let path = paths.of(module, op);
        paths.within(path, outer)
    };
    let within: Vec<Option<PathId>> = ops.iter().map(&mut within).collect();
    let (mut numbers, mut groups) = (FxHashMap::default(), Vec::new());
    let number = |(path, time): (&Option<PathId>, u32)| {
        path.map(|path| {
            *numbers.entry((path, time)).or_insert_with(|| {
                groups.push(path);
                groups.len() as u32 - 1
            })
        })
    };
    let of = within.iter().zip(times(module, ops, &within)).map(number).collect();
    ModuleGroups { of, paths: groups }
}
