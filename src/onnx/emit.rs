//! `onnx.*` ops become ONNX's messages.

use super::element::data_type;
use super::file::{Initializer, Model, Payload};
use super::function::{self, DOMAIN};
use super::initializer::{Elements, small_tensor};
use super::metadata;
use super::proto::attribute_proto::AttributeType;
use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};
use crate::ir::{
    Attribute, BlockId, ConstantId, Dim, FunctionId, Module, OpId, RegionId, Type, ValueId, func, onnx,
};
use crate::source::Source;
use rustc_hash::FxHashSet;

/// Constants of fewer bytes are in the graph's message; others are streamed into the file.
const SMALL: u64 = 1024;

/// Why a module cannot be written. The passes never leave such a module.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// An op that is not `onnx.*` is left.
    #[error("`{0}` is not an ONNX op")]
    ForeignOp(String),
    /// A value has an element type that ONNX lacks, or is not a tensor.
    #[error("`{0}` has a type that ONNX does not have")]
    ForeignType(String),
    /// An attribute is of a kind that ONNX lacks.
    #[error("attribute `{0}` has no ONNX form")]
    ForeignAttribute(String),
    /// The module has no opset.
    #[error("the module has no opset")]
    NoOpset,
}

/// Estimated bytes of the types of intermediate values from which a model leaves them out.
const MOST_VALUE_INFO: usize = 10 << 20;

/// What a model contains that runtimes do not need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Details {
    /// The Python line and the module path of each node.
    pub debug_info: bool,
    /// The types of intermediate values, unless they would need 10 MiB or more.
    pub value_info: bool,
}

/// The domain of the ops that ONNX Runtime adds to ONNX.
const CONTRIBUTED: &str = "com.microsoft";

/// The model of a function whose ops are all `onnx.*`, and whose values all have unique names.
///
/// # Errors
/// If something in the module has no ONNX form.
pub fn emit<'a>(
    module: &Module,
    entry: FunctionId,
    source: &'a Source,
    details: Details,
) -> Result<Model<'a>, EmitError> {
    let opset = module.opset().ok_or(EmitError::NoOpset)?;
    let function = module.function(entry);
    let value_info = details.value_info && value_info_size(module, function.body) < MOST_VALUE_INFO;
    let details = Details { value_info, ..details };
    let mut emitter = Emitter { module, source, large: Vec::new(), in_function: false, details };
    let block = module.entry_block(function.body);
    let name = module.name.unwrap_or(function.name);
    let graph = match block {
        Some(block) => emitter.graph(block, module.symbols.get(name))?,
        None => GraphProto::default(),
    };
    let functions = function::all(&mut emitter, entry, i64::from(opset))?;
    let mut imports = vec![import("", i64::from(opset))];
    imports.extend(contributed(module, function.body));
    if !functions.is_empty() {
        imports.push(import(DOMAIN, function::VERSION));
    }
    let proto = ModelProto {
        ir_version: Some(super::ir_version(opset)),
        producer_name: Some(env!("CARGO_PKG_NAME").into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(format!("Converted from the StableHLO module `{}`", module.symbols.get(name))),
        opset_import: imports,
        graph: Some(graph),
        functions,
        metadata_props: metadata::of_model(module),
        ..Default::default()
    };
    Ok(Model::new(proto, emitter.large))
}

/// The domain of the ops that ONNX Runtime adds to ONNX, if a region has one of them.
pub(super) fn contributed(module: &Module, region: RegionId) -> Option<OperatorSetIdProto> {
    let is_used = module.ops_within([region]).any(|op| module.op(op).name.is_contributed());
    is_used.then(|| import(CONTRIBUTED, 1))
}

/// The version of the operators of a domain that is relied on.
pub(super) fn import(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: Some(domain.into()), version: Some(version) }
}

/// About the bytes of the types of all values in a region.
fn value_info_size(module: &Module, region: RegionId) -> usize {
    let results = module.ops_within([region]).flat_map(|op| module.op(op).results.iter());
    let size = |&value: &ValueId| {
        let name = module.value(value).name.map_or(8, |name| module.symbols.get(name).len());
        16 + name + 6 * module.tensor(value).map_or(0, |tensor| tensor.dims.len())
    };
    results.map(size).sum()
}

pub(super) struct Emitter<'m, 'a> {
    pub(super) module: &'m Module,
    source: &'a Source,
    large: Vec<Initializer<'a>>,
    /// Whether constants are nodes, because functions have no initializers.
    pub(super) in_function: bool,
    details: Details,
}

impl<'a> Emitter<'_, 'a> {
    fn graph(&mut self, block: BlockId, name: &str) -> Result<GraphProto, EmitError> {
        let module = self.module;
        let mut graph = GraphProto { name: Some(name.into()), ..Default::default() };
        let mut inner: Vec<ValueId> = Vec::new();
        for &argument in &module.block(block).arguments {
            graph.input.push(self.value_info(argument)?);
        }
        for &op in &module.block(block).ops {
            match module.op(op).name {
                onnx::CONSTANT if !self.in_function => self.constant(op, &mut graph)?,
                onnx::RETURN | func::RETURN => {
                    for &result in &module.op(op).operands {
                        graph.output.push(self.value_info(result)?);
                    }
                }
                _ => {
                    graph.node.push(self.node(op)?);
                    inner.extend(&module.op(op).results);
                }
            }
        }
        if self.details.value_info {
            let outputs: FxHashSet<&String> =
                graph.output.iter().filter_map(|output| output.name.as_ref()).collect();
            let mut infos = Vec::with_capacity(inner.len());
            for value in inner {
                let info = self.value_info(value)?;
                if info.name.as_ref().is_some_and(|name| !name.is_empty() && !outputs.contains(name)) {
                    infos.push(info);
                }
            }
            graph.value_info = infos;
        }
        Ok(graph)
    }

    pub(super) fn name(&self, value: ValueId) -> String {
        if value == self.module.absent() {
            return String::new();
        }
        match self.module.value(value).name {
            Some(name) => self.module.symbols.get(name).to_owned(),
            None => format!("v{}", value.index()),
        }
    }

    fn value_info(&self, value: ValueId) -> Result<ValueInfoProto, EmitError> {
        let name = self.name(value);
        let tensor = self.module.tensor(value).ok_or_else(|| EmitError::ForeignType(name.clone()))?;
        let elem_type = data_type(tensor.element).ok_or_else(|| EmitError::ForeignType(name.clone()))?;
        let dimension = |dim: &Dim| tensor_shape_proto::Dimension {
            value: match dim {
                Dim::Known(size) => Some(tensor_shape_proto::dimension::Value::DimValue(*size)),
                Dim::Symbolic(_) => {
                    let expression = self.module.dim_exprs.spell(&self.module.symbols, *dim);
                    Some(tensor_shape_proto::dimension::Value::DimParam(expression))
                }
                Dim::Dynamic => None,
            },
            ..Default::default()
        };
        let shape = TensorShapeProto { dim: tensor.dims.iter().map(dimension).collect() };
        let tensor = type_proto::Tensor { elem_type: Some(elem_type as i32), shape: Some(shape) };
        let ty = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
        Ok(ValueInfoProto { name: Some(name), r#type: Some(ty), ..Default::default() })
    }

    fn constant(&mut self, op: OpId, graph: &mut GraphProto) -> Result<(), EmitError> {
        let module = self.module;
        let value = module.op(op).results[0];
        let name = self.name(value);
        let Some(constant) = module.constant_of(value) else { return Err(EmitError::ForeignAttribute(name)) };
        let elements = self.elements(constant, &name)?;
        if elements.len() < SMALL {
            graph.initializer.push(small_tensor(name, elements));
            return Ok(());
        }
        let (data_type, dims) = (elements.data_type(), elements.dims().to_vec());
        self.large.push(Initializer { name, data_type, dims, payload: Box::new(elements) });
        Ok(())
    }

    fn elements(&self, constant: ConstantId, name: &str) -> Result<Elements<'a>, EmitError> {
        let constant = self.module.constant(constant);
        let tensor = self.module.tensor_type(constant.ty);
        tensor
            .and_then(|tensor| {
                Elements::new(self.source, tensor.element, tensor.sizes()?, constant.data.clone())
            })
            .ok_or_else(|| EmitError::ForeignType(name.to_owned()))
    }

    pub(super) fn node(&mut self, id: OpId) -> Result<NodeProto, EmitError> {
        let module = self.module;
        let op = module.op(id);
        if let Some(callee) = module.callee(id) {
            return Ok(self.call(id, callee));
        }
        if !op.name.is_onnx() {
            return Err(EmitError::ForeignOp(module.op_name(id).to_owned()));
        }
        let op_type = op.name.mnemonic();
        let mut input: Vec<String> = op.operands.iter().map(|&operand| self.name(operand)).collect();
        // Operands left out at the end are simply not there.
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        let output: Vec<String> = op.results.iter().map(|&result| self.name(result)).collect();
        let mut attribute = Vec::with_capacity(op.attributes.len());
        for (name, value) in &op.attributes {
            attribute.push(self.attribute(module.symbols.get(*name), value)?);
        }
        for (index, &region) in op.regions.iter().enumerate() {
            let name = match (op.name, index) {
                (onnx::IF, 0) => "then_branch",
                (onnx::IF, _) => "else_branch",
                _ => "body",
            };
            attribute.push(self.subgraph(name, region)?);
        }
        Ok(NodeProto {
            name: output.first().cloned(),
            op_type: Some(op_type.into()),
            domain: op.name.is_contributed().then(|| CONTRIBUTED.into()),
            input,
            output,
            attribute,
            metadata_props: self.metadata(id),
            ..Default::default()
        })
    }

    /// Where a node comes from, if requested.
    pub(super) fn metadata(&self, op: OpId) -> Vec<StringStringEntryProto> {
        if self.details.debug_info { metadata::of_node(self.module, op) } else { Vec::new() }
    }

    fn subgraph(&mut self, name: &str, region: RegionId) -> Result<AttributeProto, EmitError> {
        let block = self.module.entry_block(region);
        let graph = match block {
            Some(block) => self.graph(block, name)?,
            None => GraphProto { name: Some(name.into()), ..Default::default() },
        };
        Ok(AttributeProto {
            name: Some(name.into()),
            r#type: Some(AttributeType::Graph as i32),
            g: Some(Box::new(graph)),
            ..Default::default()
        })
    }

    fn attribute(&self, name: &str, value: &Attribute) -> Result<AttributeProto, EmitError> {
        let mut proto = AttributeProto { name: Some(name.into()), ..Default::default() };
        let kind = match value {
            Attribute::Integer(value, _) => {
                proto.i = Some(*value);
                AttributeType::Int
            }
            Attribute::Bool(value) => {
                proto.i = Some(i64::from(*value));
                AttributeType::Int
            }
            Attribute::Float(value, _) => {
                proto.f = Some(*value as f32);
                AttributeType::Float
            }
            Attribute::String(text) => {
                proto.s = Some(text.as_bytes().to_vec());
                AttributeType::String
            }
            Attribute::Array(items) if items.iter().all(|item| item.as_str().is_some()) => {
                proto.strings =
                    items.iter().filter_map(Attribute::as_str).map(|text| text.as_bytes().to_vec()).collect();
                AttributeType::Strings
            }
            Attribute::Integers(_, values) => {
                proto.ints = values.to_vec();
                AttributeType::Ints
            }
            Attribute::Floats(_, values) => {
                proto.floats = values.iter().map(|&value| value as f32).collect();
                AttributeType::Floats
            }
            Attribute::Type(ty) => {
                let element = match self.module.types.get(*ty) {
                    Type::Scalar(element) => data_type(*element),
                    _ => None,
                };
                proto.i = Some(element.ok_or_else(|| EmitError::ForeignType(name.into()))? as i64);
                AttributeType::Int
            }
            Attribute::Dense(constant) => {
                let tensor: TensorProto = small_tensor(String::new(), self.elements(*constant, name)?);
                proto.t = Some(Box::new(tensor));
                AttributeType::Tensor
            }
            _ => return Err(EmitError::ForeignAttribute(name.into())),
        };
        proto.r#type = Some(kind as i32);
        Ok(proto)
    }
}
