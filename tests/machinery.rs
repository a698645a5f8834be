//! Tests of the test support: values, tolerances, fixture files, annotations, and ONNX Runtime on hand-made models.

mod support;

use std::fs;

use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};
use support::case::{FixtureFile, Part};
use support::compare::{Tolerance, compare};
use support::compile::Finding;
use support::value::{self, Element, Number, Tensor, splitmix64};
use support::{annotation, graph_text, runtime};

fn parse(text: &str) -> Tensor {
    value::parse(text).unwrap_or_else(|error| unreadable(text, &error))
}

fn unreadable(text: &str, error: &str) -> Tensor {
    assert!(text.is_empty(), "{text}: {error}");
    Tensor { element: Element::I1, dims: vec![0], bytes: Vec::new() }
}

#[test]
fn values_are_little_endian_bytes() {
    assert_eq!(parse("f32[2] 1.0 -inf").bytes, [1.0f32, f32::NEG_INFINITY].map(f32::to_le_bytes).concat());
    assert_eq!(parse("i1[2] true false").bytes, [1, 0]);
    assert_eq!(parse("i16[] -2").bytes, [0xfe, 0xff]);
    assert_eq!(parse("bf16[1] 1.0").bytes, [0x80, 0x3f]);
    assert_eq!(parse("f16[1] 1.0").bytes, [0x00, 0x3c]);
    assert_eq!(parse("ui64[1] 18446744073709551615").bytes, [0xff; 8]);
    assert!(parse("f64[0,3]").bytes.is_empty());
    let complex = parse("complex<f32>[1] (1.0,-2.0)").with_real_parts();
    assert_eq!(complex, parse("f32[1,2] 1.0 -2.0"));
}

#[test]
fn values_that_do_not_fit_are_refused() {
    for text in ["f32[2] 1.0", "i8[1] 128", "ui8[1] -1", "i1[1] 1", "f8[1] 1.0", "f32 1.0", "i32[1] 1.5"] {
        assert!(value::parse(text).is_err(), "{text}");
    }
}

/// The hashes that `fixtures/values.py` checks too, so that both compute the same inputs.
#[test]
fn generators_agree_with_the_script() {
    let hash = |index: u64| splitmix64((7 << 32) + index);
    assert_eq!([hash(0), hash(1)], [0xbcda_4680_438a_5951, 0x1a3e_aa3c_25c3_a340]);
    assert_eq!(parse("i32[2,2] range"), parse("i32[2,2] 0 1 2 3"));
    assert_eq!(parse("f32[2] uniform(3)"), parse("f32[2] -0.37751675 0.008046508"));
    assert_eq!(parse("bf16[2] uniform(1,0,1e-5)"), parse("bf16[2] 7.688999e-06 1.2591481e-06"));
    for i in 0..64 {
        assert!(matches!(parse("i8[64] uniform(5)").get(i), Number::Int(-8..8)));
        assert!(matches!(parse("ui32[64] uniform(5,3,5)").get(i), Number::Int(3..5)));
    }
}

#[test]
fn comparison_is_exact_for_integers_and_handles_nan() {
    let equal = |actual: &str, expected: &str| {
        let expected = parse(expected);
        compare(&parse(actual), &expected, Tolerance::of_op(expected.element)).is_ok()
    };
    assert!(equal("f32[3] nan inf 1.00001", "f32[3] nan inf 1.0"));
    assert!(!equal("f32[1] 1.001", "f32[1] 1.0"));
    assert!(!equal("f32[1] 1.0", "f32[1] nan"));
    assert!(!equal("f32[1] inf", "f32[1] -inf"));
    assert!(!equal("f32[1] 3e38", "f32[1] inf"));
    assert!(!equal("i64[1] 9007199254740993", "i64[1] 9007199254740992"));
    assert!(!equal("f32[1] 1.0", "f64[1] 1.0"));
    assert!(!equal("f32[1,1] 1.0", "f32[1] 1.0"));
    assert!(equal("bf16[1] 1.02", "bf16[1] 1.0"));
}

const TWO_CASES: &str = "\
//! rtol = 0.5
func.func private @helper() {
}
func.func @first(%a: tensor<2xf32>) -> tensor<2xf32> {
}
// in: f32[2] 1.0 2.0
// out: f32[2] 2.0 4.0
// in: f32[2] 3.0 4.0
// out: f32[2] 6.0 8.0
//
// graph (float[2] arg0) => (float[2] result)
//   result = Add (arg0, arg0)
// -----
func.func public @second() -> tensor<i32> {
}
// out: i32[] 1
";

#[test]
fn cases_are_read_and_blessed_without_touching_values() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("two.mlir");
    fs::write(&path, TWO_CASES).map_err(|error| error.to_string())?;
    let file = FixtureFile::read(&path)?;
    let [first, second] = &file.cases[..] else {
        return Err(format!("{} cases", file.cases.len()));
    };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("first", "second"));
    assert!(file.header.wants(Part::Graph) && file.header.rtol == Some(0.5));
    assert_eq!(first.block(), "graph (float[2] arg0) => (float[2] result)\n  result = Add (arg0, arg0)");
    assert_eq!(second.block(), "");
    assert_eq!((first.runs()?.len(), second.runs()?.len()), (2, 1));
    assert_eq!(first.runs()?[1].outputs, [parse("f32[2] 6.0 8.0")]);
    // Positions in the source of a case are positions in the file.
    let line_of = |text: &str| text.lines().position(|line| line.contains("@second"));
    assert_eq!(line_of(&second.source()), line_of(TWO_CASES));

    file.rewrite(second, second.with_block("graph () => (int32 result)\n  result = Constant ()"))?;
    file.rewrite(first, first.with_block("graph one"))?;
    let blessed = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let graph_of_first = "// graph (float[2] arg0) => (float[2] result)\n//   result = Add (arg0, arg0)\n";
    let graph_of_second = "//\n// graph () => (int32 result)\n//   result = Constant ()\n";
    assert_eq!(blessed, TWO_CASES.replace(graph_of_first, "// graph one\n") + graph_of_second);
    Ok(())
}

#[test]
fn annotations_mark_the_fault() {
    let clean = "func.func @f() {\n  %0 = bad.op %a\n}\n";
    let finding = |code: &str, span| Finding { code: code.into(), message: String::new(), span };
    let at = |text: &str| clean.find(text).map(|start| start..start + text.len());
    let findings = [
        finding("E0201", at("bad.op")),
        finding("E0001", at("func.func")),
        finding("A0601", None),
        finding("E0101", at("%a")),
    ];
    let expected = "\
func.func @f() {
//@1-9 E0001
  %0 = bad.op %a
  //   ^^^^^^ E0201
  //          ^^ E0101
}
//@none A0601
";
    assert_eq!(annotation::annotate(clean, 0, &findings), expected);
    let (stripped, mut codes) = annotation::strip(expected);
    codes.sort();
    assert_eq!(stripped, clean);
    assert_eq!(codes, ["A0601", "E0001", "E0101", "E0201"]);
    assert_eq!(annotation::strip("// ^ E0201\n// in: f32[]\n").1, ["E0201"]);
}

fn value_info(name: &str, element: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = |&size: &i64| Dimension { value: Some(dimension::Value::DimValue(size)), ..Default::default() };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect(), ..Default::default() };
    let tensor = type_proto::Tensor { elem_type: element, shape: Some(shape).into(), ..Default::default() };
    let ty = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), type_: Some(ty).into(), ..Default::default() }
}

fn model(node: NodeProto, inputs: Vec<ValueInfoProto>, outputs: Vec<ValueInfoProto>) -> ModelProto {
    let graph = GraphProto {
        name: "machinery".into(),
        node: vec![node],
        input: inputs,
        output: outputs,
        ..Default::default()
    };
    let opset = OperatorSetIdProto { version: 18, ..Default::default() };
    ModelProto { ir_version: 10, opset_import: vec![opset], graph: Some(graph).into(), ..Default::default() }
}

fn bytes(model: &ModelProto) -> Result<Vec<u8>, String> {
    model.write_to_bytes().map_err(|error| error.to_string())
}

/// Every element type passes through ONNX Runtime unchanged.
#[test]
fn runtime_passes_every_element_type_through() -> Result<(), String> {
    let values = [
        (1, "f32[2] 1.5 nan"),
        (2, "ui8[2] 0 255"),
        (3, "i8[2] -128 127"),
        (4, "ui16[2] 0 65535"),
        (5, "i16[2] -32768 32767"),
        (6, "i32[2,1] -7 7"),
        (7, "i64[] -9007199254740993"),
        (9, "i1[3] true false true"),
        (10, "f16[2] 0.5 -inf"),
        (11, "f64[1] 1e-300"),
        (12, "ui32[1] 4294967295"),
        (13, "ui64[1] 18446744073709551615"),
        (16, "bf16[2] 0.5 -3.0"),
        (1, "f32[0,2]"),
    ];
    for (element, text) in values {
        let tensor = parse(text);
        let dims: Vec<i64> = tensor.dims.iter().map(|&dim| dim as i64).collect();
        let node = NodeProto {
            op_type: "Identity".into(),
            input: vec!["x".into()],
            output: vec!["y".into()],
            ..Default::default()
        };
        let model = model(node, vec![value_info("x", element, &dims)], vec![value_info("y", element, &dims)]);
        let outputs = runtime::run(&bytes(&model)?, std::slice::from_ref(&tensor))?;
        assert_eq!(outputs, [tensor], "{text}");
    }
    Ok(())
}

#[test]
fn runtime_errors_have_a_reason() -> Result<(), String> {
    let node = NodeProto { op_type: "NoSuchOp".into(), output: vec!["y".into()], ..Default::default() };
    let refused = runtime::run(&bytes(&model(node, Vec::new(), vec![value_info("y", 1, &[1])]))?, &[]);
    assert!(refused.is_err_and(|error| error.contains("NoSuchOp")));
    assert!(runtime::run(b"not a model", &[]).is_err());
    Ok(())
}

#[test]
fn subgraphs_print_inside_their_node() -> Result<(), String> {
    let constant = NodeProto { op_type: "Shape".into(), output: vec!["s".into()], ..Default::default() };
    let branch = GraphProto {
        node: vec![NodeProto { input: vec!["x".into()], ..constant }],
        output: vec![value_info("s", 7, &[1])],
        ..Default::default()
    };
    let branch = onnx_protobuf::AttributeProto {
        name: "then_branch".into(),
        type_: onnx_protobuf::attribute_proto::AttributeType::GRAPH.into(),
        g: Some(branch).into(),
        ..Default::default()
    };
    let node = NodeProto {
        op_type: "If".into(),
        input: vec!["c".into()],
        output: vec!["y".into()],
        attribute: vec![branch],
        ..Default::default()
    };
    let inputs = vec![value_info("c", 9, &[]), value_info("x", 1, &[2])];
    let mut model = model(node, inputs, vec![value_info("y", 7, &[1])]);
    model.opset_import[0].version = 24;
    let expected = "\
graph <opset = 24> (bool c, float[2] x) => (int64[1] y)
  y = If <then_branch = graph () => (int64[1] s) {
    s = Shape (x)
  }> (c)";
    assert_eq!(graph_text::print(&bytes(&model)?, false)?, expected);
    Ok(())
}

#[test]
fn graphs_print_as_text() -> Result<(), String> {
    let node = NodeProto {
        op_type: "Concat".into(),
        input: vec!["x".into(), "w".into(), "long".into()],
        output: vec!["y".into()],
        attribute: vec![onnx_protobuf::AttributeProto {
            name: "axis".into(),
            type_: onnx_protobuf::attribute_proto::AttributeType::INT.into(),
            i: -1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut model = model(node, vec![value_info("x", 1, &[2])], vec![value_info("y", 1, &[24])]);
    let initializers = [("w", vec![1.0f32, -0.5]), ("long", vec![0.0; 20])];
    let initializers = initializers.map(|(name, data)| TensorProto {
        name: name.into(),
        data_type: 1,
        dims: vec![data.len() as i64],
        raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        ..Default::default()
    });
    model.graph.mut_or_insert_default().initializer = initializers.into();
    let expected = "\
graph (float[2] x) => (float[24] y)
  float[2] w = {1.0, -0.5}
  float[20] long = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ... 20 elements, hash 4daa8c45}
  y = Concat <axis = -1> (x, w, long)";
    assert_eq!(graph_text::print(&bytes(&model)?, false)?, expected);
    let outputs = runtime::run(&bytes(&model)?, &[parse("f32[2] 7.0 8.0")])?;
    assert_eq!(outputs[0].dims, [24]);
    assert!(graph_text::print(b"\xff", false).is_err());
    Ok(())
}
