//! Functions of the module that a graph calls become ONNX's model-local functions.
//!
//! A `FunctionProto` is a list of nodes between names of inputs and outputs. It has no types and no initializers, and
//! cannot capture values (ONNX `docs/IR.md`, "Functions").

use super::emit::{EmitError, Emitter, contributed, import};
use super::proto::{FunctionProto, NodeProto};
use crate::ir::{FunctionId, OpId, RegionId, func};

/// The domain of the functions. That of the operators is taken, and a runtime looks for no kernel in this one.
pub(super) const DOMAIN: &str = "hlo2onnx.modules";

/// The version of the domain: a model brings its functions along, so there is one.
pub(super) const VERSION: i64 = 1;

/// The functions that are called from `entry`, directly or through others, in the order of the module.
pub(super) fn all(
    emitter: &mut Emitter,
    entry: FunctionId,
    opset: i64,
) -> Result<Vec<FunctionProto>, EmitError> {
    let module = emitter.module;
    let mut reached = vec![false; module.functions().len()];
    let mut pending: Vec<RegionId> = vec![module.function(entry).body];
    while let Some(region) = pending.pop() {
        for callee in module.ops_within([region]).filter_map(|op| module.callee(op)) {
            if !std::mem::replace(&mut reached[callee.index()], true) {
                pending.push(module.function(callee).body);
            }
        }
    }
    emitter.in_function = true;
    let called = module.functions().filter(|id| reached[id.index()]);
    called.map(|id| emitter.function(id, opset)).collect()
}

impl Emitter<'_, '_> {
    fn function(&mut self, id: FunctionId, opset: i64) -> Result<FunctionProto, EmitError> {
        let module = self.module;
        let function = module.function(id);
        let mut proto = FunctionProto {
            name: Some(module.symbols.get(function.name).into()),
            domain: Some(DOMAIN.into()),
            opset_import: vec![import("", opset)],
            ..Default::default()
        };
        proto.opset_import.extend(contributed(module, function.body));
        let Some(block) = module.entry_block(function.body) else { return Ok(proto) };
        let block = module.block(block);
        proto.input = block.arguments.iter().map(|&argument| self.name(argument)).collect();
        for &op in &block.ops {
            if module.op(op).name == func::RETURN {
                proto.output = module.op(op).operands.iter().map(|&result| self.name(result)).collect();
            } else {
                proto.node.push(self.node(op)?);
            }
        }
        if module.ops_within([function.body]).any(|op| module.callee(op).is_some()) {
            proto.opset_import.push(import(DOMAIN, VERSION));
        }
        Ok(proto)
    }

    /// A node that calls a function.
    pub(super) fn call(&self, op: OpId, callee: FunctionId) -> NodeProto {
        let module = self.module;
        let output: Vec<String> = module.op(op).results.iter().map(|&result| self.name(result)).collect();
        NodeProto {
            // The path of the module, in which `name_values` sees to it that no two calls have one name: ONNX Runtime refuses that.
            name: output.first().cloned(),
            op_type: Some(module.symbols.get(module.function(callee).name).into()),
            domain: Some(DOMAIN.into()),
            input: module.op(op).operands.iter().map(|&operand| self.name(operand)).collect(),
            output,
            metadata_props: self.metadata(op),
            ..Default::default()
        }
    }
}
