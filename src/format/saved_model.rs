//! Finds the bytecode in a TensorFlow SavedModel that `jax2tf` wrote.
//!
//! `jax2tf.convert` makes one op of a function, `XlaCallModule`, whose attribute `module` is a portable artifact. The numbers
//! of the fields are those of TensorFlow's `saved_model.proto`, `meta_graph.proto`, `graph.proto`, `function.proto` and
//! `node_def.proto`.

use super::protobuf::{Damage, Fields};
use super::{BYTECODE, FileRemedy, Foreign, Program};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// `SavedModel.meta_graphs`.
const META_GRAPHS: u32 = 2;
/// `MetaGraphDef.graph_def`.
const GRAPH: u32 = 2;
/// `GraphDef.node` and `GraphDef.library`.
const NODES: u32 = 1;
const LIBRARY: u32 = 2;
/// `FunctionDefLibrary.function`.
const FUNCTIONS: u32 = 1;
/// `FunctionDef.signature` and `FunctionDef.node_def`.
const SIGNATURE: u32 = 1;
const FUNCTION_NODES: u32 = 3;
/// `OpDef.name`, `NodeDef.name` and `NameAttrList.name`.
const NAME: u32 = 1;
/// `NodeDef.op` and `NodeDef.attr`.
const OP: u32 = 2;
const ATTRIBUTES: u32 = 5;
/// The key and the value of an entry of a map.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// `AttrValue.list`, `AttrValue.s` and `AttrValue.func`.
const LIST: u32 = 1;
const STRING: u32 = 2;
const FUNCTION: u32 = 10;
/// `AttrValue.ListValue.s`.
const STRINGS: u32 = 2;

/// The scope of the nodes that compute gradients.
const GRADIENT: &[u8] = b"jax2tf_vjp";

/// Ops that compute nothing: they pass values to a program and back.
const TRANSPARENT: [&[u8]; 11] = [
    b"Identity",
    b"IdentityN",
    b"NoOp",
    b"PartitionedCall",
    b"Placeholder",
    b"PreventGradient",
    b"ReadVariableOp",
    b"StatefulPartitionedCall",
    b"StopGradient",
    b"VarHandleOp",
    b"XlaCallModule",
];

/// A function of the model, or its graph, which has no name.
#[derive(Default)]
struct Function<'a> {
    name: &'a [u8],
    nodes: Vec<Node<'a>>,
}

impl Function<'_> {
    fn has_program(&self) -> bool {
        self.nodes.iter().any(|node| node.program.is_some())
    }
}

struct Node<'a> {
    op: &'a [u8],
    /// The functions that it calls.
    callees: Vec<&'a [u8]>,
    /// The program that it calls, but for one that computes a gradient.
    program: Option<Program>,
}

/// Whether a file begins like a SavedModel: with version 1 of the schema and a `MetaGraphDef` that begins with its
/// `MetaInfoDef`.
fn is_saved_model(file: &[u8]) -> bool {
    let Some(length) = file.strip_prefix(&[1 << 3, 1, 2 << 3 | 2]) else { return false };
    let end_of_length = length.iter().position(|byte| byte & 0x80 == 0);
    end_of_length.is_some_and(|end| length.get(end + 1) == Some(&(1 << 3 | 2)))
}

/// The program of a SavedModel.
///
/// # Errors
/// If the file is a SavedModel that is not one program.
pub(super) fn program(file: &[u8]) -> Result<Option<Program>, Foreign> {
    if !is_saved_model(file) {
        return Ok(None);
    }
    let refused = |what: &str, remedy, at| {
        Err(Foreign { what: format!("a TensorFlow SavedModel {what}").into(), remedy, at })
    };
    let functions = match functions(file) {
        Ok(functions) => functions,
        Err(Damage(at)) => {
            let at = at.min(file.len() - 1);
            return refused("that is damaged or was cut off", FileRemedy::WriteAgain, at);
        }
    };
    if let Some(more) = more_than_a_program(&functions) {
        return refused(&more, FileRemedy::MoveIntoJax, 0);
    }
    let programs =
        functions.iter().flat_map(|function| &function.nodes).filter_map(|node| node.program.as_ref());
    let mut seen = FxHashSet::default();
    let mut programs = programs.filter(|program| seen.insert(&file[program.bytes.clone()]));
    match (programs.next(), programs.count()) {
        (Some(program), 0) => Ok(Some(program.clone())),
        (Some(program), others) => {
            let what = format!("with {} programs of JAX", others + 1);
            refused(&what, FileRemedy::SplitSavedModel, program.bytes.start)
        }
        (None, _) => refused("without a program of JAX", FileRemedy::UseJax2tf, 0),
    }
}

/// What a function computes besides one program. The model would lack it.
fn more_than_a_program(functions: &[Function<'_>]) -> Option<String> {
    let mut callers_of: FxHashMap<&[u8], Vec<&Function>> = FxHashMap::default();
    for function in functions.iter().filter(|function| !function.name.is_empty()) {
        for callee in function.nodes.iter().flat_map(|node| &node.callees) {
            callers_of.entry(callee).or_default().push(function);
        }
    }
    // The functions that call a program, also through others.
    let mut callers: FxHashSet<&[u8]> = FxHashSet::default();
    let mut left: Vec<&Function> = functions.iter().filter(|function| function.has_program()).collect();
    while let Some(function) = left.pop() {
        if !function.name.is_empty() && callers.insert(function.name) {
            left.extend(callers_of.get(function.name).into_iter().flatten());
        }
    }
    let calls =
        |node: &Node| node.program.is_some() || node.callees.iter().any(|callee| callers.contains(callee));
    functions.iter().find_map(|function| {
        // The graph itself also saves and restores variables, and calls each signature.
        let is_program = match function.name.is_empty() {
            true => function.has_program(),
            false => callers.contains(function.name),
        };
        let name = String::from_utf8_lossy(function.name);
        let other = function.nodes.iter().find(|node| !TRANSPARENT.contains(&node.op)).filter(|_| is_program);
        if let Some(node) = other {
            let op = String::from_utf8_lossy(node.op);
            return Some(format!("whose function `{name}` computes more than its JAX program: `{op}`"));
        }
        let count = function.nodes.iter().filter(|node| calls(node)).count();
        (is_program && count > 1)
            .then(|| format!("whose function `{name}` calls programs of JAX {count} times"))
    })
}

/// The graphs and their functions.
fn functions(file: &[u8]) -> Result<Vec<Function<'_>>, Damage> {
    let fields = |message: Range<usize>, number| Fields::new(file, message).numbered(number);
    let mut functions = Vec::new();
    for meta_graph in fields(0..file.len(), META_GRAPHS) {
        for graph in fields(meta_graph?, GRAPH) {
            let graph = graph?;
            let nodes = fields(graph.clone(), NODES).map(|node| Node::read(file, node?));
            functions.push(Function { name: b"", nodes: nodes.collect::<Result<_, _>>()? });
            for library in fields(graph, LIBRARY) {
                for function in fields(library?, FUNCTIONS) {
                    let function = function?;
                    let signature = Fields::new(file, function.clone()).first(SIGNATURE)?.unwrap_or_default();
                    let name = Fields::new(file, signature).first(NAME)?.unwrap_or_default();
                    let nodes = fields(function, FUNCTION_NODES).map(|node| Node::read(file, node?));
                    functions.push(Function { name: &file[name], nodes: nodes.collect::<Result<_, _>>()? });
                }
            }
        }
    }
    Ok(functions)
}

impl<'a> Node<'a> {
    fn read(file: &'a [u8], node: Range<usize>) -> Result<Self, Damage> {
        let first = |message: &Range<usize>, number| Fields::new(file, message.clone()).first(number);
        let op = &file[first(&node, OP)?.unwrap_or_default()];
        let name = first(&node, NAME)?.unwrap_or_default();
        let (mut program, mut callees) = (Program::default(), Vec::new());
        for entry in Fields::new(file, node).numbered(ATTRIBUTES) {
            let entry = entry?;
            let (Some(key), Some(value)) = (first(&entry, KEY)?, first(&entry, VALUE)?) else { continue };
            if let Some(function) = first(&value, FUNCTION)? {
                callees.push(&file[first(&function, NAME)?.unwrap_or_default()]);
            }
            match &file[key] {
                b"module" => program.bytes = first(&value, STRING)?.unwrap_or_default(),
                b"platforms" => {
                    let Some(list) = first(&value, LIST)? else { continue };
                    for platform in Fields::new(file, list).numbered(STRINGS) {
                        program.platforms.push(String::from_utf8_lossy(&file[platform?]).to_lowercase());
                    }
                }
                _ => {}
            }
        }
        let is_gradient = file[name].split(|&byte| byte == b'/').any(|scope| scope == GRADIENT);
        let is_program = op == b"XlaCallModule" && !is_gradient;
        if is_program && !file[program.bytes.clone()].starts_with(BYTECODE) {
            return Err(Damage(program.bytes.start));
        }
        Ok(Self { op, callees, program: is_program.then_some(program) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, content: &[u8]) -> Vec<u8> {
        let mut message = vec![number << 3 | 2];
        prost::encode_length_delimiter(content.len(), &mut message).expect("memory");
        [&message, content].concat()
    }

    /// A node of a graph that calls a program.
    fn node(name: &str, module: &[u8]) -> Vec<u8> {
        let value = message(2, &message(2, module));
        let attribute = message(5, &[message(1, b"module"), value].concat());
        message(1, &[message(1, name.as_bytes()), message(2, b"XlaCallModule"), attribute].concat())
    }

    fn saved_model(nodes: &[Vec<u8>]) -> Vec<u8> {
        let graph = message(2, &nodes.concat());
        [vec![8, 1], message(2, &[message(1, b""), graph].concat())].concat()
    }

    /// A function of a graph with these nodes.
    fn function(name: &str, nodes: &[Vec<u8>]) -> Vec<u8> {
        let mut content = message(1, &message(1, name.as_bytes()));
        for node in nodes {
            // The same fields, with the number that nodes have in functions.
            content.extend([&[3 << 3 | 2], &node[1..]].concat());
        }
        message(2, &message(1, &content))
    }

    fn op(name: &str) -> Vec<u8> {
        message(1, &message(2, name.as_bytes()))
    }

    #[test]
    fn the_program_is_found() {
        let call = node("XlaCallModule", b"ML\xEFRa");
        let gradient = function("grad", &[node("scope/jax2tf_vjp/X", b"ML\xEFRb")]);
        for call in [call.clone(), function("f", &[op("ReadVariableOp"), call])] {
            let file = saved_model(&[call, gradient.clone()]);
            let program = program(&file).expect("one program").expect("a program");
            assert_eq!(&file[program.bytes], b"ML\xEFRa");
        }
    }

    #[test]
    fn several_programs_are_refused() {
        let functions = |second| {
            [("f", &b"ML\xEFRa"[..]), ("g", second)].map(|(name, bytes)| function(name, &[node("a", bytes)]))
        };
        assert!(program(&saved_model(&functions(b"ML\xEFRa"))).expect("one program").is_some());
        let other = program(&saved_model(&functions(b"ML\xEFRb"))).expect_err("two programs");
        assert_eq!(other.remedy, FileRemedy::SplitSavedModel);
    }

    #[test]
    fn more_than_a_program_is_refused() {
        let call = node("a", b"ML\xEFRa");
        for nodes in [[call.clone(), op("Softmax")], [call.clone(), call]] {
            let error = program(&saved_model(&[function("f", &nodes)])).expect_err("more than a program");
            assert_eq!(error.remedy, FileRemedy::MoveIntoJax);
        }
    }

    #[test]
    fn a_model_without_a_program_is_refused() {
        let damaged = saved_model(&[node("a", b"text")]);
        assert_eq!(program(&damaged).expect_err("not bytecode").remedy, FileRemedy::WriteAgain);
        let file = saved_model(&[op("Softmax")]);
        assert_eq!(program(&file).expect_err("no program").remedy, FileRemedy::UseJax2tf);
        assert_eq!(program(b"\x08\x01\x12\x08hlo2onnx"), Ok(None));
    }

    #[test]
    fn a_model_that_was_cut_off_is_refused() {
        let file = saved_model(&[node("a", b"ML\xEFRa")]);
        for length in 5..file.len() {
            assert_eq!(
                program(&file[..length]).expect_err("a part").remedy,
                FileRemedy::WriteAgain,
                "{length}"
            );
        }
    }

    #[test]
    fn platforms_are_found() {
        let platforms = message(1, &[message(2, b"CUDA"), message(2, b"CPU")].concat());
        let attribute = message(5, &[message(1, b"platforms"), message(2, &platforms)].concat());
        let call = node("a", b"ML\xEFRa");
        let file = saved_model(&[message(1, &[&call[2..], &attribute].concat())]);
        let program = program(&file).expect("one program").expect("a program");
        assert_eq!(program.platforms, ["cuda", "cpu"]);
    }
}
