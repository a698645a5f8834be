//! Prints a model similar to ONNX's text syntax, for people to read and compare.
//!
//! It reads the model with `onnx-protobuf`, which shares no code with the writer. Names of nodes, documentation and
//! metadata are omitted; long tensors show their first elements and a hash of all.

use std::fmt::{Display, Write};

use half::{bf16, f16};
use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{
    AttributeProto, FunctionProto, GraphProto, Message, ModelProto, NodeProto, TensorProto, TypeProto,
    ValueInfoProto, type_proto,
};
use protobuf::Enum;

/// The opset that is not printed.
const DEFAULT_OPSET: i64 = 18;
/// Tensors of more elements are shortened to half as many.
const SHOWN_ELEMENTS: usize = 16;

/// Decodes and prints a model.
pub fn print(model: &[u8], node_names: bool) -> Result<String, String> {
    let model =
        ModelProto::parse_from_bytes(model).map_err(|error| format!("the model does not decode: {error}"))?;
    let graph = model.graph.as_ref().ok_or("the model has no graph")?;
    let mut printer = Printer { text: String::new(), node_names };
    let opset = model.opset_import.iter().find(|import| import.domain.is_empty());
    let opset = opset.ok_or("the model imports no opset")?.version;
    printer.text += "graph ";
    if opset != DEFAULT_OPSET {
        printer.text += &format!("<opset = {opset}> ");
    }
    printer.signature(graph);
    printer.text.push('\n');
    printer.body(graph, 1);
    for function in &model.functions {
        printer.function(function);
    }
    Ok(printer.text.trim_end().to_owned())
}

struct Printer {
    text: String,
    node_names: bool,
}

impl Printer {
    /// A graph's inputs and outputs.
    fn signature(&mut self, graph: &GraphProto) {
        let values = |values: &[ValueInfoProto]| list(values.iter().map(value_info));
        self.text += &format!("({}) => ({})", values(&graph.input), values(&graph.output));
    }

    /// A graph's initializers and nodes, each on a line.
    fn body(&mut self, graph: &GraphProto, depth: usize) {
        for tensor in &graph.initializer {
            self.indent(depth);
            self.text += &format!("{} {} = {}\n", tensor_type(tensor), tensor.name, elements(tensor));
        }
        for tensor in &graph.sparse_initializer {
            self.indent(depth);
            self.text += &format!("sparse {:?}\n", tensor.dims);
        }
        self.nodes(&graph.node, depth);
    }

    fn function(&mut self, function: &FunctionProto) {
        let name = qualified(&function.domain, &function.name);
        let (input, output) = (function.input.join(", "), function.output.join(", "));
        self.text += &format!("function {name} ({input}) => ({output})\n");
        self.nodes(&function.node, 1);
    }

    fn nodes(&mut self, nodes: &[NodeProto], depth: usize) {
        for node in nodes {
            self.indent(depth);
            if self.node_names && !node.name.is_empty() {
                self.text += &format!("[{}] ", node.name);
            }
            self.text += &format!("{} = {}", node.output.join(", "), qualified(&node.domain, &node.op_type));
            if !node.overload.is_empty() {
                self.text += &format!(":{}", node.overload);
            }
            self.attributes(&node.attribute, depth);
            self.text += &format!(" ({})\n", node.input.join(", "));
        }
    }

    fn attributes(&mut self, attributes: &[AttributeProto], depth: usize) {
        if attributes.is_empty() {
            return;
        }
        let mut attributes: Vec<&AttributeProto> = attributes.iter().collect();
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        for (i, attribute) in attributes.into_iter().enumerate() {
            self.text += if i == 0 { " <" } else { ", " };
            self.text += &format!("{} = ", attribute.name);
            self.attribute(attribute, depth);
        }
        self.text.push('>');
    }

    fn attribute(&mut self, attribute: &AttributeProto, depth: usize) {
        if !attribute.ref_attr_name.is_empty() {
            self.text += &format!("@{}", attribute.ref_attr_name);
            return;
        }
        let text = match attribute.type_.enum_value() {
            Ok(AttributeType::FLOAT) => format!("{:?}", attribute.f),
            Ok(AttributeType::INT) => attribute.i.to_string(),
            Ok(AttributeType::STRING) => string(&attribute.s),
            Ok(AttributeType::FLOATS) => format!("{:?}", attribute.floats),
            Ok(AttributeType::INTS) => format!("{:?}", attribute.ints),
            Ok(AttributeType::STRINGS) => format!("[{}]", list(attribute.strings.iter().map(|s| string(s)))),
            Ok(AttributeType::TENSOR) => format!("{} {}", tensor_type(&attribute.t), elements(&attribute.t)),
            Ok(AttributeType::TYPE_PROTO) => type_text(&attribute.tp),
            Ok(AttributeType::GRAPH) => {
                self.text += "graph ";
                self.signature(&attribute.g);
                self.text += " {\n";
                self.body(&attribute.g, depth + 1);
                self.indent(depth);
                self.text.push('}');
                return;
            }
            other => format!("{other:?}"),
        };
        self.text += &text;
    }

    fn indent(&mut self, depth: usize) {
        self.text += &"  ".repeat(depth);
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn string(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

fn qualified(domain: &str, name: &str) -> String {
    if domain.is_empty() { name.to_owned() } else { format!("{domain}.{name}") }
}

fn value_info(value: &ValueInfoProto) -> String {
    format!("{} {}", type_text(&value.type_), value.name)
}

fn type_text(ty: &TypeProto) -> String {
    let Some(type_proto::Value::TensorType(tensor)) = &ty.value else {
        return format!("{:?}", ty.value);
    };
    let element = element_name(tensor.elem_type);
    let Some(shape) = tensor.shape.as_ref() else {
        return format!("{element}[?...]");
    };
    if shape.dim.is_empty() {
        return element;
    }
    let dims = shape.dim.iter().map(|dim| match &dim.value {
        Some(dimension::Value::DimValue(size)) => size.to_string(),
        Some(dimension::Value::DimParam(name)) => name.clone(),
        _ => "?".to_owned(),
    });
    format!("{element}[{}]", dims.collect::<Vec<_>>().join(","))
}

fn tensor_type(tensor: &TensorProto) -> String {
    let element = element_name(tensor.data_type);
    if tensor.dims.is_empty() {
        return element;
    }
    let dims: Vec<String> = tensor.dims.iter().map(i64::to_string).collect();
    format!("{element}[{}]", dims.join(","))
}

fn element_name(code: i32) -> String {
    // Types newer than this crate are printed as numbers.
    match DataType::from_i32(code) {
        Some(known) => format!("{known:?}").to_lowercase(),
        None => format!("type{code}"),
    }
}

/// The elements between braces; a scalar without braces.
fn elements(tensor: &TensorProto) -> String {
    if !tensor.external_data.is_empty() {
        let pairs = tensor.external_data.iter().map(|pair| format!("{} = {}", pair.key, pair.value));
        return format!("external({})", list(pairs));
    }
    let shown = match DataType::from_i32(tensor.data_type) {
        Some(DataType::FLOAT) => numbers(&tensor.raw_data, f32::from_le_bytes, &tensor.float_data),
        Some(DataType::DOUBLE) => numbers(&tensor.raw_data, f64::from_le_bytes, &tensor.double_data),
        Some(DataType::INT64) => numbers(&tensor.raw_data, i64::from_le_bytes, &tensor.int64_data),
        Some(DataType::UINT64) => numbers(&tensor.raw_data, u64::from_le_bytes, &tensor.uint64_data),
        Some(DataType::INT32) => numbers(&tensor.raw_data, i32::from_le_bytes, &tensor.int32_data),
        // ONNX has no separate field for unsigned 32-bit data: unpacked, they are in uint64_data.
        Some(DataType::UINT32) => {
            let unpacked: Vec<u32> = tensor.uint64_data.iter().map(|&value| value as u32).collect();
            numbers(&tensor.raw_data, u32::from_le_bytes, &unpacked)
        }
        Some(DataType::INT16) => numbers(&tensor.raw_data, i16::from_le_bytes, &unpack(tensor, |v| v as i16)),
        Some(DataType::UINT16) => {
            numbers(&tensor.raw_data, u16::from_le_bytes, &unpack(tensor, |v| v as u16))
        }
        Some(DataType::INT8) => numbers(&tensor.raw_data, i8::from_le_bytes, &unpack(tensor, |v| v as i8)),
        Some(DataType::UINT8) => numbers(&tensor.raw_data, u8::from_le_bytes, &unpack(tensor, |v| v as u8)),
        Some(DataType::BOOL) => {
            numbers(&tensor.raw_data, |[byte]: [u8; 1]| byte != 0, &unpack(tensor, |v| v != 0))
        }
        Some(DataType::FLOAT16) => {
            let read = |bytes| f16::from_le_bytes(bytes).to_f32();
            numbers(&tensor.raw_data, read, &unpack(tensor, |v| f16::from_bits(v as u16).to_f32()))
        }
        Some(DataType::BFLOAT16) => {
            let read = |bytes| bf16::from_le_bytes(bytes).to_f32();
            numbers(&tensor.raw_data, read, &unpack(tensor, |v| bf16::from_bits(v as u16).to_f32()))
        }
        _ => tensor.raw_data.iter().map(|byte| format!("0x{byte:02x}")).collect(),
    };
    match (shown.as_slice(), tensor.dims.is_empty()) {
        ([scalar], true) => scalar.clone(),
        (all, _) if all.len() <= SHOWN_ELEMENTS => format!("{{{}}}", all.join(", ")),
        (all, _) => {
            let first = all[..SHOWN_ELEMENTS / 2].join(", ");
            format!("{{{first}, ... {} elements, hash {:08x}}}", all.len(), fnv1a(all))
        }
    }
}

fn unpack<T>(tensor: &TensorProto, convert: impl Fn(i32) -> T) -> Vec<T> {
    tensor.int32_data.iter().map(|&value| convert(value)).collect()
}

/// The elements of the raw bytes, or the typed field's when there are none.
fn numbers<T: Display + Copy + std::fmt::Debug, const N: usize>(
    raw: &[u8],
    read: impl Fn([u8; N]) -> T,
    typed: &[T],
) -> Vec<String> {
    if raw.is_empty() {
        return typed.iter().map(|value| format!("{value:?}")).collect();
    }
    let (chunks, _) = raw.as_chunks::<N>();
    chunks.iter().map(|&chunk| format!("{:?}", read(chunk))).collect()
}

/// FNV-1a over the printed elements, so that a changed weight changes the text.
fn fnv1a(elements: &[String]) -> u32 {
    let mut text = String::new();
    elements.iter().for_each(|element| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{element}");
    });
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
