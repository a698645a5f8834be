//! The nodes of a model as a picture that folds by module.
//!
//! [`Graph`] holds the nodes, the `tree` of modules that they are in, and the edges between them, which `flows` splits at
//! the borders of modules. `layout` places what is unfolded, one module after the other, and `svg` draws it. `check --html`
//! and the page in the browser show the same picture.

mod flows;
mod layout;
mod svg;
#[cfg(test)]
mod tests;
mod tree;

pub use svg::{Picture, Sheet};

use super::contents::{Contents, module_of};
use super::tensor::{self, weight_module};
use crate::diagnostic::PythonFrame;
use crate::ir::{Definition, FunctionId, Module, OpId, RegionId, ValueId, func, onnx, provenance};
use crate::pass;
use crate::source::Span;
use flows::Flows;
use rustc_hash::{FxHashMap, FxHashSet};
use tree::{Group, Item, NODE, Tree};

/// How many boxes a picture has before anyone unfolds more.
const BOXES_AT_FIRST: usize = 40;

/// Modules deeper than this are not groups.
const DEEPEST: usize = 32;

/// The graph of a model.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The nodes in the order of the model; those of a body follow the node that it belongs to.
    pub nodes: Vec<Node>,
    /// Names and types of the inputs, without weights.
    inputs: Vec<(String, String)>,
    /// Names and types of the outputs.
    outputs: Vec<(String, String)>,
    tree: Tree,
    flows: Flows,
}

/// A node of a model.
#[derive(Clone, Debug)]
pub struct Node {
    /// The ONNX op, or the name of the function that it calls.
    pub op: String,
    /// Its name, which is that of its first output.
    pub name: String,
    /// The path of the module that it is in; empty for none.
    pub module: String,
    /// The type of its first output, such as `f32[1, 28]`.
    pub ty: String,
    /// The op of the text that it comes from; [`Span::NONE`] if that is not known.
    pub span: Span,
    /// The name of that op.
    pub source: String,
    /// The line of that op in the user's program.
    pub python: Option<PythonFrame>,
}

impl Graph {
    /// The graph of a lowered module.
    pub(super) fn of(module: &Module, contents: &Contents) -> Self {
        let mut builder = Builder {
            module,
            contents,
            graph: Graph {
                nodes: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                tree: Tree::new(),
                flows: Flows::default(),
            },
            items: FxHashMap::default(),
            edges: Vec::new(),
        };
        let entry = pass::entry(module);
        if let Some(entry) = entry {
            builder.entry(entry);
        }
        // Functions that the graph calls are beside it: a function has one body for all of its calls.
        for function in module.functions().filter(|&function| Some(function) != entry) {
            let name = module.symbols.get(module.function(function).name);
            let group = builder.graph.tree.child(Tree::ROOT, &format!("function {name}"));
            builder.region(module.function(function).body, group, None);
        }
        let Builder { mut graph, edges, .. } = builder;
        let used: FxHashSet<Item> = edges.iter().map(|&(from, _)| from).collect();
        let inputs = (0..graph.inputs.len()).map(Item::Input).filter(|input| used.contains(input));
        let outputs = (0..graph.outputs.len()).map(Item::Output);
        graph.tree.split();
        graph.tree.surround(inputs.collect(), outputs.collect());
        graph.tree.count();
        graph.flows = flows::flows(&graph.tree, &edges);
        graph
    }

    /// The paths of the modules that are unfolded at first: the outer ones, until the picture is full.
    pub fn unfolded_at_first(&self) -> Vec<String> {
        let unfolded = self.unfolded_in(Tree::ROOT).into_iter();
        unfolded.map(|group| self.tree.group(group).path.clone()).collect()
    }

    /// The groups in a group that are unfolded at first.
    fn unfolded_in(&self, group: usize) -> Vec<usize> {
        let mut boxes = self.tree.group(group).children.len();
        let (mut unfolded, mut next) = (vec![group], 0);
        while let Some(&group) = unfolded.get(next) {
            let siblings = &self.tree.group(group).children;
            for inner in siblings.iter().filter_map(Item::group) {
                let Group { children, noun, .. } = self.tree.group(inner);
                let children = children.len();
                // Who looks at many inputs asks for them.
                if *noun != NODE {
                    continue;
                }
                // A picture of one box shows nothing.
                if siblings.len() == 1 || boxes + children <= BOXES_AT_FIRST {
                    boxes += children;
                    unfolded.push(inner);
                }
            }
            next += 1;
        }
        unfolded.remove(0);
        unfolded
    }

    /// The paths of the groups that a node is in, outermost first: unfolded, they show it.
    pub fn groups_of(&self, node: usize) -> Vec<&str> {
        self.tree
            .above(Item::Node(node))
            .into_iter()
            .map(|group| self.tree.group(group).path.as_str())
            .collect()
    }
}

struct Builder<'m> {
    module: &'m Module,
    contents: &'m Contents,
    graph: Graph,
    /// What defines a value: a node or an input.
    items: FxHashMap<ValueId, Item>,
    /// From what to what values flow.
    edges: Vec<(Item, Item)>,
}

impl Builder<'_> {
    fn entry(&mut self, entry: FunctionId) {
        let module = self.module;
        let body = module.function(entry).body;
        let Some(block) = module.entry_block(body).map(|block| module.block(block)) else { return };
        for &argument in &block.arguments {
            let name = self.name(argument);
            // A weight that is not bound is drawn no more than one that is.
            if weight_module(&name.split('/').collect::<Vec<_>>()).is_some() {
                continue;
            }
            self.items.insert(argument, Item::Input(self.graph.inputs.len()));
            self.graph.inputs.push((name, self.ty(argument)));
        }
        self.region(body, Tree::ROOT, None);
        let results = block.ops.last().map(|&op| module.op(op).operands.as_slice()).unwrap_or_default();
        for (index, &result) in results.iter().enumerate() {
            self.graph.outputs.push((self.name(result), self.ty(result)));
            if let Some(&from) = self.items.get(&result) {
                self.edges.push((from, Item::Output(index)));
            }
        }
    }

    /// The nodes of a region. If it is the body of a node, `above` is that node's module path, in parts.
    fn region(&mut self, region: RegionId, group: usize, above: Option<&[&str]>) {
        let module = self.module;
        let Some(block) = module.entry_block(region) else { return };
        for &op in &module.block(block).ops {
            let is_call = module.callee(op).is_some();
            if !is_call && (!module.op(op).name.is_node() || module.op(op).name == func::RETURN) {
                continue;
            }
            let path = module_of(module, op).unwrap_or_default();
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            let below = parts.strip_prefix(above.unwrap_or_default()).unwrap_or(&parts);
            // The node of a loop stands for these parts of the path.
            let skipped = match above {
                Some(_) => below.iter().take_while(|part| is_control_flow(part)).count(),
                None => 0,
            };
            // Deeper modules are drawn with the one above them.
            let shown = below[skipped..].iter().take(DEEPEST);
            let own = shown.fold(group, |group, part| self.graph.tree.child(group, part));
            self.node(op, own, path.clone());
            for (index, &inner) in module.op(op).regions.iter().enumerate() {
                let name = match (module.op(op).name, index) {
                    (onnx::IF, 0) => "then",
                    (onnx::IF, _) => "else",
                    _ => "body",
                };
                let title = format!("{name} of {}", self.name(module.op(op).results[0]));
                let body = self.graph.tree.child(own, &title);
                if let Some(&node) = self.items.get(&module.op(op).results[0]) {
                    self.edges.push((node, Item::Group(body)));
                }
                self.region(inner, body, Some(&parts));
            }
        }
    }

    fn node(&mut self, op: OpId, group: usize, path: String) {
        let module = self.module;
        let operation = module.op(op);
        let item = Item::Node(self.graph.nodes.len());
        let first = operation.results.first().copied();
        let start = module.span(op).name;
        self.graph.nodes.push(Node {
            op: match module.callee(op) {
                Some(callee) => module.symbols.get(module.function(callee).name).to_owned(),
                None => operation.name.mnemonic().to_owned(),
            },
            name: first.map(|result| self.name(result)).unwrap_or_default(),
            module: path,
            ty: first.map(|result| self.ty(result)).unwrap_or_default(),
            span: start,
            source: self.contents.op_at(start.start).unwrap_or_default().to_owned(),
            python: provenance::python_frame(module, module.op_location(op)),
        });
        self.graph.tree.add(group, item);
        for &result in &operation.results {
            self.items.insert(result, item);
        }
        for operand in &operation.operands {
            if let Some(from) = self.source_of(*operand) {
                self.edges.push((from, item));
            }
        }
    }

    /// What a value comes from. An argument of a body comes from the node of that body, which is around it.
    fn source_of(&self, value: ValueId) -> Option<Item> {
        match self.module.value(value).definition {
            Definition::Result(..) | Definition::Argument(..) => self.items.get(&value).copied(),
            _ => None,
        }
    }

    fn name(&self, value: ValueId) -> String {
        match self.module.value(value).name {
            Some(name) => self.module.symbols.get(name).to_owned(),
            None => format!("v{}", value.index()),
        }
    }

    fn ty(&self, value: ValueId) -> String {
        self.module.tensor(value).map(|ty| tensor::spelled(self.module, ty)).unwrap_or_default()
    }
}

/// Whether a part of a path is JAX's name of a loop or of a part of one.
fn is_control_flow(part: &str) -> bool {
    matches!(part, "while" | "scan" | "cond" | "body" | "closed_call") || part.starts_with("branch_")
}
