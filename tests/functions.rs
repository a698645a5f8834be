//! `--keep-functions`: modules become functions of the model, and equal modules share one. `tests/models.rs` compares
//! the results of such models with JAX.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::{Message, ModelProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};
use support::compile::{Settings, compile};

const DOMAIN: &str = "hlo2onnx.modules";

fn convert(form: &str, keep_functions: bool) -> ModelProto {
    let path = format!("{}/fixtures/models/blocks/{form}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let settings = Settings { keep_functions, ..Settings::default() };
    let compiled = compile(form, &text, &settings).unwrap();
    ModelProto::parse_from_bytes(&compiled.model.expect("the model converts")).unwrap()
}

/// All nodes, including those of subgraphs.
fn all<'a>(nodes: &'a [NodeProto], into: &mut Vec<&'a NodeProto>) {
    for node in nodes {
        into.push(node);
        for attribute in &node.attribute {
            if attribute.type_.enum_value() == Ok(AttributeType::GRAPH) {
                all(&attribute.g.node, into);
            }
        }
    }
}

/// How often nodes call each function.
fn calls(nodes: &[NodeProto]) -> BTreeMap<&str, usize> {
    let (mut found, mut calls) = (Vec::new(), BTreeMap::new());
    all(nodes, &mut found);
    for node in found.into_iter().filter(|node| node.domain == DOMAIN) {
        *calls.entry(node.op_type.as_str()).or_default() += 1;
    }
    calls
}

#[test]
fn equal_modules_are_one_function() {
    for form in ["model.debug.mlir", "model.args.mlir"] {
        let model = convert(form, true);
        let graph = calls(&model.graph.node);
        // Three blocks with their own weights, and one that is applied three times.
        assert_eq!((graph["Block"], graph["shared"]), (3, 3), "{form}: {graph:?}");
        // The module in the body of the scan is called there.
        assert_eq!(graph["ScanScannedBlock"], 1, "{form}: {graph:?}");
        let function = |name: &str| model.functions.iter().find(|function| function.name == name).unwrap();
        let block = calls(&function("Block").node);
        let expected = [("Dense", 2), ("LayerNorm", 2), ("MultiHeadDotProductAttention", 1), ("silu", 1)];
        assert_eq!(block, BTreeMap::from(expected), "{form}");
        let attention = calls(&function("MultiHeadDotProductAttention").node);
        assert_eq!(attention.keys().copied().collect::<Vec<_>>(), ["key", "out", "query", "value"]);
        // Blocks differ only in their weights, which the calls pass.
        let (first, rest) = {
            let blocks: Vec<_> = model.graph.node.iter().filter(|node| node.op_type == "Block").collect();
            (blocks[0].input.clone(), blocks[1].input.clone())
        };
        assert!(first.iter().filter(|&name| rest.contains(name)).count() <= 2, "{first:?} {rest:?}");
    }
}

#[test]
fn functions_are_self_contained() {
    let model = convert("model.args.mlir", true);
    assert!(model.ir_version >= 8, "functions came with IR 8");
    assert_well_formed(&model);
}

/// ONNX's rules for functions: names are unique, functions import the opsets they use, and see only their own values.
fn assert_well_formed(model: &ModelProto) {
    let imported = |domain: &str| model.opset_import.iter().any(|import| import.domain == domain);
    assert!(imported("") && imported(DOMAIN));
    let known: BTreeSet<&str> = model.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(known.len(), model.functions.len(), "two functions have one name");
    for function in &model.functions {
        assert_eq!(function.domain, DOMAIN);
        let called = calls(&function.node);
        assert!(called.keys().all(|name| known.contains(name)), "{}: {called:?}", function.name);
        let imports = function.opset_import.iter().any(|import| import.domain == DOMAIN);
        assert_eq!(imports, !called.is_empty(), "{}", function.name);
        // Every value is an input or defined before its use, and none is defined twice.
        let mut defined: BTreeSet<&str> = function.input.iter().map(String::as_str).collect();
        assert_eq!(defined.len(), function.input.len(), "{}", function.name);
        for node in &function.node {
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                assert!(defined.contains(input.as_str()), "{}: `{input}` is not defined", function.name);
            }
            for output in &node.output {
                assert!(defined.insert(output), "{}: `{output}` is defined twice", function.name);
            }
        }
        assert!(!defined.contains(""), "{}: a value has no name", function.name);
        assert!(function.output.iter().all(|output| defined.contains(output.as_str())), "{}", function.name);
    }
}

#[test]
fn everything_is_inlined_by_default() {
    let model = convert("model.args.mlir", false);
    assert!(model.functions.is_empty());
    assert_eq!(model.opset_import.len(), 1);
    assert!(calls(&model.graph.node).is_empty());
}

/// The model of a text, and the codes of its diagnostics.
fn convert_text(text: &str) -> (ModelProto, Vec<String>) {
    let settings = Settings { keep_functions: true, ..Settings::default() };
    let compiled = compile("test", text, &settings).unwrap();
    let codes = compiled.findings.iter().map(|finding| finding.code.as_str().to_owned()).collect();
    (ModelProto::parse_from_bytes(&compiled.model.expect("the text converts")).unwrap(), codes)
}

#[test]
fn texts_without_paths_have_no_functions() {
    let (model, codes) = convert_text(
        "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
           %0 = stablehlo.abs %x : tensor<4xf32>
           return %0 : tensor<4xf32>
         }",
    );
    assert_eq!(codes, ["A0601", "A0609"]);
    assert!(model.functions.is_empty());
}

#[test]
fn a_module_that_is_the_whole_program_is_not_a_function() {
    let (model, codes) = convert_text(
        r#"func.func public @main(%x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
             %0 = stablehlo.abs %x : tensor<4xf32> loc("jit(apply)/Model/abs")
             %1 = stablehlo.sine %0 : tensor<4xf32> loc("jit(apply)/Model/sin")
             return %1 : tensor<4xf32>
           }"#,
    );
    assert_eq!(codes, ["A0609"]);
    assert!(model.functions.is_empty());
}

#[test]
fn modules_that_occur_only_in_loops_are_functions() {
    let (model, codes) = convert_text(
        r#"func.func @main(%n: tensor<i32> loc("n"), %x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
             %one = stablehlo.constant dense<1> : tensor<i32>
             %zero = stablehlo.constant dense<0> : tensor<i32>
             %0:2 = stablehlo.while(%i = %n, %a = %x) : tensor<i32>, tensor<4xf32>
               cond {
                 %1 = stablehlo.compare GT, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1> loc("jit(f)/while/cond/gt")
                 stablehlo.return %1 : tensor<i1>
               } do {
                 %1 = stablehlo.sine %a : tensor<4xf32> loc("jit(f)/while/body/Cell_0/sin")
                 %2 = stablehlo.subtract %i, %one : tensor<i32> loc("jit(f)/while/body/sub")
                 stablehlo.return %2, %1 : tensor<i32>, tensor<4xf32>
               } loc("jit(f)/while")
             return %0#1 : tensor<4xf32>
           }"#,
    );
    assert_eq!(codes, Vec::<String>::new());
    assert_eq!(calls(&model.graph.node), BTreeMap::from([("Cell", 1)]));
}

#[test]
fn arguments_of_functions_have_names() {
    // The last key of a path may be empty, and so may all keys below a module.
    let (model, _) = convert_text(
        r#"func.func @main(%x: tensor<4xf32> loc("x"), %w: tensor<4xf32> loc("v['params']['A_0']['']")) -> tensor<4xf32> {
             %0 = stablehlo.add %x, %w : tensor<4xf32> loc("jit(f)/Model/A_0/add")
             %1 = stablehlo.sine %0 : tensor<4xf32> loc("jit(f)/Model/sin")
             return %1 : tensor<4xf32>
           }"#,
    );
    assert_eq!(model.functions.len(), 1);
    assert_well_formed(&model);
}
