//! Which module each op of a block goes into.

use crate::ir::{Module, OpId};
use crate::pass::module_tree::{PathId, Paths, times};
use rustc_hash::FxHashMap;

/// What the ops of a block are divided into.
pub(super) struct ModuleGroups {
    /// By the position of an op, the group that it is in; `None` for an op of the enclosing module itself.
    pub(super) of: Vec<Option<u32>>,
    /// The module that each group is. One that is applied several times is as many groups.
    pub(super) paths: Vec<PathId>,
}

/// Divides ops of a block by the modules directly within `outer` that they are in.
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
