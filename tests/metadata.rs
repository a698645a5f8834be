//! The metadata of a model about its program.

use std::path::Path;

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use onnx_protobuf::{Message, ModelProto, StringStringEntryProto};

const CONSTRAINED: &str = r#"
func.func public @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %four = stablehlo.constant dense<4> : tensor<i32>
  %eight = stablehlo.constant dense<8> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
  %1 = stablehlo.compare GE, %0, %four, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.custom_call @shape_assertion(%1, %0) {has_side_effect = true} : (tensor<i1>, tensor<i32>) -> ()
  %2 = stablehlo.remainder %0, %eight : tensor<i32>
  %3 = stablehlo.compare EQ, %2, %zero, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.custom_call @shape_assertion(%3, %0) {has_side_effect = true} : (tensor<i1>, tensor<i32>) -> ()
  %4 = call @wrapped(%0, %x) : (tensor<i32>, tensor<?xf32>) -> tensor<?xf32>
  return %4 : tensor<?xf32>
}
func.func private @wrapped(%b: tensor<i32> {jax.global_constant = "b"}, %x: tensor<?xf32>) -> tensor<?xf32> {
  %0 = stablehlo.abs %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}
"#;

fn model(source: &Source, options: &Options) -> ModelProto {
    let model = convert(source, options).model.expect("it converts");
    ModelProto::parse_from_bytes(&encode(&model).expect("the file is written")).expect("it is read")
}

fn pairs(entries: &[StringStringEntryProto]) -> Vec<(&str, &str)> {
    entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect()
}

#[test]
fn size_assertions_are_in_the_model() {
    let source = Source::from_bytes("model.mlir", CONSTRAINED.as_bytes().to_vec());
    let symbolic = model(&source, &Options::default());
    assert_eq!(pairs(&symbolic.metadata_props), [("hlo2onnx.constraints", "b >= 4; mod(b, 8) == 0")]);
    // Static sizes leave nothing to assert.
    let dims = vec![("b".to_owned(), 16)];
    let fixed = model(&source, &Options { dims, ..Options::default() });
    assert_eq!(pairs(&fixed.metadata_props), []);
}

#[test]
fn nodes_have_their_origin_if_requested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models/demo/model.debug.mlir");
    let source = Source::open(&path).expect("the file exists");
    let plain = model(&source, &Options::default()).graph;
    assert!(plain.node.iter().all(|node| node.metadata_props.is_empty()));

    let options = Options { debug_info: true, ..Options::default() };
    let graph = model(&source, &options).graph;
    let conv = graph.node.iter().find(|node| node.op_type == "Conv").expect("a convolution");
    let found = pairs(&conv.metadata_props);
    assert_eq!(found.iter().map(|pair| pair.0).collect::<Vec<_>>(), ["hlo2onnx.python", "hlo2onnx.scope"]);
    let (line, path) = (found[0].1, found[1].1);
    assert!(line.starts_with("registry.py:") && line.ends_with(" in Demo.__call__"), "{line}");
    assert_eq!(path, "Demo/Conv_0/conv_general_dilated");
    // Functions keep it.
    let options = Options { keep_functions: true, ..options };
    let model = model(&source, &options);
    let call = model.graph.node.iter().find(|node| !node.domain.is_empty());
    assert!(!call.expect("a call").metadata_props.is_empty());
    assert!(
        model
            .functions
            .iter()
            .flat_map(|function| &function.node)
            .all(|node| !node.metadata_props.is_empty())
    );
}

#[test]
fn intermediate_values_have_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models/demo/model.debug.mlir");
    let source = Source::open(&path).expect("the file exists");
    let graph = model(&source, &Options::default()).graph;
    let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    let made = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
    let inner: Vec<&str> = made.filter(|name| !outputs.contains(name)).collect();
    let typed: Vec<&str> = graph.value_info.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(typed, inner);
    assert!(graph.value_info.iter().all(|info| info.type_.tensor_type().shape.is_some()));

    let options = Options { no_value_info: true, ..Options::default() };
    assert!(model(&source, &options).graph.value_info.is_empty());
}
