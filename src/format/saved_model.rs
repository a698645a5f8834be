//! Finds the bytecode in a TensorFlow SavedModel that `jax2tf` wrote.
//!
//! `jax2tf.convert` makes one op of a function, `XlaCallModule`, whose attribute `module` is a portable artifact. The numbers
//! of the fields are those of TensorFlow's `saved_model.proto`, `meta_graph.proto`, `graph.proto`, `function.proto` and
//! `node_def.proto`.

use super::protobuf::Fields;
use super::{BYTECODE, Foreign, Kind, Program};
use std::ops::Range;

/// `SavedModel.meta_graphs`.
const META_GRAPHS: u32 = 2;
/// `MetaGraphDef.graph_def`.
const GRAPH: u32 = 2;
/// `GraphDef.node`.
const NODES: u32 = 1;
/// `GraphDef.library`.
const LIBRARY: u32 = 2;
/// `FunctionDefLibrary.function`.
const FUNCTIONS: u32 = 1;
/// `FunctionDef.node_def`.
const FUNCTION_NODES: u32 = 3;
/// `NodeDef.name`, `NodeDef.op` and `NodeDef.attr`.
const NAME: u32 = 1;
const OP: u32 = 2;
const ATTRIBUTES: u32 = 5;
/// The key and the value of an entry of a map.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// `AttrValue.s`.
const STRING: u32 = 2;

/// The nodes with this prefix compute gradients.
const GRADIENT: &[u8] = b"jax2tf_vjp";

/// Whether a file begins like a SavedModel: with version 1 of the schema and a `MetaGraphDef` that begins with its
/// `MetaInfoDef`.
pub(super) fn is_saved_model(file: &[u8]) -> bool {
    let mut fields = Fields::new(file, 0..file.len());
    let starts = file.starts_with(&[1 << 3, 1, 2 << 3 | 2]) && fields.next().is_some();
    let graph = fields.next().map_or(0..0, |(_, range)| range);
    starts && file[graph].starts_with(&[1 << 3 | 2])
}

/// The program of a SavedModel.
pub(super) fn program(file: &[u8]) -> Result<Option<Program>, Foreign> {
    if !is_saved_model(file) {
        return Ok(None);
    }
    let mut modules: Vec<Range<usize>> = Vec::new();
    for node in nodes(file) {
        if let Some(module) = module_of(file, node)
            && !modules.iter().any(|known| file[known.clone()] == file[module.clone()])
        {
            modules.push(module);
        }
    }
    match &modules[..] {
        [module] => Ok(Some(Program::at(module.clone()))),
        [] => Ok(None),
        several => {
            let what = format!("a TensorFlow SavedModel with {} programs of JAX", several.len());
            Err(Foreign { what: what.into(), kind: Kind::SeveralPrograms, at: several[0].start })
        }
    }
}

/// The nodes of the graphs and of their functions.
fn nodes(file: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let fields = |message: Range<usize>, number| Fields::new(file, message).numbered(number);
    let graphs = fields(0..file.len(), META_GRAPHS).flat_map(move |meta_graph| fields(meta_graph, GRAPH));
    graphs.flat_map(move |graph| {
        let functions = fields(graph.clone(), LIBRARY).flat_map(move |library| fields(library, FUNCTIONS));
        fields(graph, NODES).chain(functions.flat_map(move |function| fields(function, FUNCTION_NODES)))
    })
}

/// The bytecode of a node that calls a program and does not compute a gradient.
fn module_of(file: &[u8], node: Range<usize>) -> Option<Range<usize>> {
    let field = |message: &Range<usize>, number| Fields::new(file, message.clone()).numbered(number).next();
    let is_gradient = field(&node, NAME).is_some_and(|name| file[name].starts_with(GRADIENT));
    if is_gradient || &file[field(&node, OP)?] != b"XlaCallModule" {
        return None;
    }
    let mut attributes = Fields::new(file, node).numbered(ATTRIBUTES);
    let entry = attributes.find(|entry| field(entry, KEY).is_some_and(|key| &file[key] == b"module"))?;
    let module = field(&field(&entry, VALUE)?, STRING)?;
    file[module.clone()].starts_with(BYTECODE).then_some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 128);
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn node(name: &str, module: &[u8]) -> Vec<u8> {
        let value = message(2, &message(2, module));
        let attribute = message(5, &[message(1, b"module"), value].concat());
        message(1, &[message(1, name.as_bytes()), message(2, b"XlaCallModule"), attribute].concat())
    }

    fn saved_model(nodes: &[Vec<u8>]) -> Vec<u8> {
        let graph = message(2, &nodes.concat());
        [vec![8, 1], message(2, &[message(1, b""), graph].concat())].concat()
    }

    #[test]
    fn the_program_is_found() {
        let file = saved_model(&[node("XlaCallModule", b"ML\xEFRa"), node("jax2tf_vjp/X", b"ML\xEFRb")]);
        let program = program(&file).expect("one program").expect("a program");
        assert_eq!(&file[program.bytes], b"ML\xEFRa");
    }

    #[test]
    fn several_programs_are_an_error() {
        let same = saved_model(&[node("a", b"ML\xEFRa"), node("b", b"ML\xEFRa")]);
        assert!(program(&same).expect("one program").is_some());
        let other = saved_model(&[node("a", b"ML\xEFRa"), node("b", b"ML\xEFRb")]);
        assert_eq!(program(&other).expect_err("two programs").kind, Kind::SeveralPrograms);
    }

    #[test]
    fn a_model_without_a_program_is_none() {
        let file = saved_model(&[node("a", b"text")]);
        assert!(is_saved_model(&file));
        assert_eq!(program(&file), Ok(None));
        // A truncated file.
        for length in 0..file.len() {
            let _ = program(&file[..length]);
        }
    }
}
