//! The tree of modules that ops belong to.

mod times;

use crate::ir::provenance::{self, Scope};
use crate::ir::{LocationId, Module, OpId};
use crate::options::Options;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;
use std::hash::BuildHasher;
pub(in crate::pass) use times::times;

/// Deeper modules belong to the one at this depth. Nested functions are walked recursively, here and in every reader
/// of the model; JAX models have about ten levels.
const DEEPEST: usize = 32;

/// Handle of a module in the tree of all paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::pass) struct PathId(u32);

impl PathId {
    /// Its index among the paths.
    pub(in crate::pass) fn index(self) -> usize {
        self.0 as usize
    }

    /// The root: the program itself.
    pub(in crate::pass) const ROOT: PathId = PathId(0);
}

struct ModuleNode {
    parent: PathId,
    depth: u32,
    name: Box<str>,
    /// For a function that JAX calls, the location of the call; `None` for a module.
    call: Option<LocationId>,
}

/// Where modules of the program end, if they become functions: passes do not join ops across that.
pub(in crate::pass) struct Boundaries {
    paths: Option<Paths>,
}

impl Boundaries {
    /// The boundaries that the options of a conversion ask for.
    pub(in crate::pass) fn of(options: &Options) -> Self {
        Self { paths: options.keep_functions.then(Paths::new) }
    }

    /// Whether modules become functions.
    pub(in crate::pass) fn exist(&self) -> bool {
        self.paths.is_some()
    }

    /// Whether two ops belong to different modules.
    pub(in crate::pass) fn part(&mut self, module: &Module, first: OpId, second: OpId) -> bool {
        self.paths.as_mut().is_some_and(|paths| paths.of(module, first) != paths.of(module, second))
    }
}

/// The interned paths of locations.
pub(in crate::pass) struct Paths {
    nodes: Vec<ModuleNode>,
    /// Paths by the hash of parent, name and call.
    children: FxHashMap<u64, SmallVec<[PathId; 1]>>,
    known: FxHashMap<LocationId, PathId>,
}

impl Paths {
    pub(in crate::pass) fn new() -> Self {
        let root = ModuleNode { parent: PathId::ROOT, depth: 0, name: "".into(), call: None };
        Self { nodes: vec![root], children: FxHashMap::default(), known: FxHashMap::default() }
    }

    /// The path of an op; the root for an op without a location.
    pub(in crate::pass) fn of(&mut self, module: &Module, op: OpId) -> PathId {
        let location = module.op_location(op);
        if let Some(&path) = self.known.get(&location) {
            return path;
        }
        let mut path = PathId::ROOT;
        for scope in provenance::scopes(module, location).0.into_iter().take(DEEPEST) {
            path = self.child(path, scope);
        }
        self.known.insert(location, path);
        path
    }

    fn child(&mut self, parent: PathId, scope: Scope) -> PathId {
        let hash = FxBuildHasher.hash_one((parent, scope.name, scope.call));
        let known = self.children.entry(hash).or_default();
        let is_it =
            |node: &ModuleNode| node.parent == parent && *node.name == *scope.name && node.call == scope.call;
        if let Some(&path) = known.iter().find(|path| is_it(&self.nodes[path.0 as usize])) {
            return path;
        }
        let depth = self.nodes[parent.0 as usize].depth + 1;
        let path = PathId(self.nodes.len() as u32);
        self.nodes.push(ModuleNode { parent, depth, name: scope.name.into(), call: scope.call });
        known.push(path);
        path
    }

    fn node(&self, path: PathId) -> &ModuleNode {
        &self.nodes[path.0 as usize]
    }

    /// The module directly within `outer` that contains `path`, if any.
    pub(in crate::pass) fn within(&self, path: PathId, outer: PathId) -> Option<PathId> {
        let depth = self.node(outer).depth;
        if self.node(path).depth <= depth {
            return None;
        }
        let mut inner = path;
        while self.node(inner).depth > depth + 1 {
            inner = self.node(inner).parent;
        }
        (self.node(inner).parent == outer).then_some(inner)
    }

    /// Whether it is a function that JAX calls instead of a module.
    pub(in crate::pass) fn is_called(&self, path: PathId) -> bool {
        self.node(path).call.is_some()
    }

    /// The full path: `Model/Block_0/Dense_1`.
    pub(in crate::pass) fn spell(&self, path: PathId) -> String {
        let (mut names, mut current) = (Vec::new(), path);
        while current != PathId::ROOT {
            names.push(&*self.node(current).name);
            current = self.node(current).parent;
        }
        names.reverse();
        names.join("/")
    }

    /// The name of a module's function, an identifier as ONNX requires: `Dense` for `Dense_0`, `Embed_attend` for
    /// `Embed_3.attend`.
    pub(in crate::pass) fn class(&self, path: PathId) -> String {
        let (name, called) = (&*self.node(path).name, self.is_called(path));
        let (first, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        let class = match first.rsplit_once('_') {
            Some((class, number))
                if !called
                    && !class.is_empty()
                    && !number.is_empty()
                    && number.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                class
            }
            _ => first,
        };
        format!("{class}{}", rest.replace('.', "_"))
    }
}
