//! The model's metadata about the program, in `metadata_props`.

use super::proto::StringStringEntryProto;
use crate::ir::{Module, OpId, provenance};

/// What the program constraints of its symbolic sizes: a reader cannot check it, and should not break it.
const CONSTRAINTS: &str = "hlo2onnx.constraints";
/// The Python line that a node comes from.
const PYTHON: &str = "hlo2onnx.python";
/// The path of modules and the primitive that a node comes from.
const SCOPE: &str = "hlo2onnx.scope";

/// The metadata of the whole model.
pub(super) fn of_model(module: &Module) -> Vec<StringStringEntryProto> {
    let constraints = module.dim_exprs.constraints(&module.symbols);
    if constraints.is_empty() { Vec::new() } else { vec![entry(CONSTRAINTS, constraints.join("; "))] }
}

/// The location of an op, as far as it is known.
pub(super) fn of_node(module: &Module, op: OpId) -> Vec<StringStringEntryProto> {
    let location = module.op_location(op);
    let python = provenance::python_frame(module, location).map(|frame| entry(PYTHON, frame.to_string()));
    let scope = provenance::scope(module, location).map(|scope| entry(SCOPE, scope));
    python.into_iter().chain(scope).collect()
}

fn entry(key: &str, value: String) -> StringStringEntryProto {
    StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) }
}
