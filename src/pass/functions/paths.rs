//! The modules that ops are in, as a tree.

use crate::ir::{LocationId, Module, OpId, Symbol, provenance};
use rustc_hash::FxHashMap;

/// Modules nested deeper belong to the one at this depth. Functions of functions are walked recursively, here and in
/// every reader of the model; the models of JAX have some ten levels.
const DEEPEST: usize = 32;

/// Handle of a module: a place in the tree of all paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PathId(u32);

impl PathId {
    /// The path of the program itself.
    pub(super) const ROOT: PathId = PathId(0);
}

struct Node {
    parent: PathId,
    depth: u32,
    name: Symbol,
    /// Whether it is a function that JAX calls, and no module.
    called: bool,
}

/// The paths of all ops.
pub(super) struct Paths {
    nodes: Vec<Node>,
    /// By the position of an op.
    of: Vec<PathId>,
}

impl Paths {
    pub(super) fn new(module: &mut Module) -> Self {
        let root = Node { parent: PathId::ROOT, depth: 0, name: module.symbols.intern(""), called: false };
        let mut paths = Self { nodes: vec![root], of: vec![PathId::ROOT; module.op_count()] };
        let mut children: FxHashMap<(PathId, Symbol, Option<LocationId>), PathId> = FxHashMap::default();
        let mut known: FxHashMap<LocationId, PathId> = FxHashMap::default();
        for op in module.reachable_ops() {
            let location = module.op_location(op);
            if let Some(&path) = known.get(&location) {
                paths.of[op.index()] = path;
                continue;
            }
            let (scopes, _) = provenance::scopes(module, location);
            let scopes: Vec<(String, Option<LocationId>)> =
                scopes.iter().take(DEEPEST).map(|scope| (scope.name.to_owned(), scope.call)).collect();
            let mut path = PathId::ROOT;
            for (name, call) in scopes {
                path = paths.child(module, &mut children, path, &name, call);
            }
            known.insert(location, path);
            paths.of[op.index()] = path;
        }
        paths
    }

    fn child(
        &mut self,
        module: &mut Module,
        children: &mut FxHashMap<(PathId, Symbol, Option<LocationId>), PathId>,
        parent: PathId,
        name: &str,
        call: Option<LocationId>,
    ) -> PathId {
        let name = module.symbols.intern(name);
        *children.entry((parent, name, call)).or_insert_with(|| {
            let depth = self.nodes[parent.0 as usize].depth + 1;
            self.nodes.push(Node { parent, depth, name, called: call.is_some() });
            PathId(self.nodes.len() as u32 - 1)
        })
    }

    fn node(&self, path: PathId) -> &Node {
        &self.nodes[path.0 as usize]
    }

    /// Whether no op is in a module.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// The path of an op; that of the program for one which no location places.
    pub(super) fn of(&self, op: OpId) -> PathId {
        self.of.get(op.index()).copied().unwrap_or(PathId::ROOT)
    }

    /// The module directly within `outer` that `path` lies in, when it lies in one.
    pub(super) fn within(&self, path: PathId, outer: PathId) -> Option<PathId> {
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

    /// Whether it is a function that JAX calls, and no module.
    pub(super) fn is_called(&self, path: PathId) -> bool {
        self.node(path).called
    }

    /// The path in full: `Model/Block_0/Dense_1`.
    pub(super) fn spell(&self, module: &Module, path: PathId) -> String {
        let (mut names, mut current) = (Vec::new(), path);
        while current != PathId::ROOT {
            names.push(module.symbols.get(self.node(current).name));
            current = self.node(current).parent;
        }
        names.reverse();
        names.join("/")
    }

    /// What a function is called that the module becomes: `Dense` for `Dense_0`, `Embed_attend` for `Embed_3.attend`,
    /// an identifier, as ONNX wants it.
    pub(super) fn class(&self, module: &Module, path: PathId) -> String {
        let Node { name, called, .. } = *self.node(path);
        let name = module.symbols.get(name);
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
