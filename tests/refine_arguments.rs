//! `--dim`: a symbolic export with fixed dimensions becomes the model of the static export, and without them it has the
//! same nodes.

mod support;

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use support::graph_text;

/// As `jax.export` prints a program of two arguments of symbolic sizes, the second of twice as many rows.
const SYMBOLIC: &str = r#"
module @jit_f attributes {jax.uses_shape_polymorphism = true, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<?x4xf32> loc(unknown), %arg1: tensor<?x4xf32> loc(unknown)) -> (tensor<?x4xf32> {jax.result_info = "result"}) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %c_0 = stablehlo.constant dense<2> : tensor<i32>
    %0 = stablehlo.get_dimension_size %arg0, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
    %1 = stablehlo.get_dimension_size %arg1, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
    %2 = stablehlo.compare GE, %0, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.custom_call @shape_assertion(%2, %0) {api_version = 2 : i32, error_message = "b >= 1", has_side_effect = true} : (tensor<i1>, tensor<i32>) -> ()
    %3 = stablehlo.multiply %0, %c_0 : tensor<i32>
    %4 = stablehlo.compare EQ, %1, %3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.custom_call @shape_assertion(%4, %1, %3) {api_version = 2 : i32, error_message = "2*b", has_side_effect = true} : (tensor<i1>, tensor<i32>, tensor<i32>) -> ()
    %5 = call @_wrapped_jax_export_main(%0, %arg0, %arg1) : (tensor<i32>, tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    return %5 : tensor<?x4xf32>
  }
  func.func private @_wrapped_jax_export_main(%arg0: tensor<i32> {jax.global_constant = "b"} loc(unknown), %arg1: tensor<?x4xf32> loc("x"), %arg2: tensor<?x4xf32> loc("y")) -> tensor<?x4xf32> {
    %c = stablehlo.constant dense<2> : tensor<i32>
    %c_0 = stablehlo.constant dense<4> : tensor<1xi32>
    %cst = stablehlo.constant dense<3.0> : tensor<f32>
    %0 = stablehlo.concatenate %arg1, %arg1, dim = 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %1 = stablehlo.multiply %c, %arg0 : tensor<i32>
    %2 = stablehlo.reshape %1 : (tensor<i32>) -> tensor<1xi32>
    %3 = stablehlo.concatenate %2, %c_0, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
    %4 = stablehlo.dynamic_broadcast_in_dim %cst, %3, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<?x4xf32>
    %5 = stablehlo.add %0, %arg2 : tensor<?x4xf32>
    %6 = stablehlo.multiply %5, %4 : tensor<?x4xf32>
    return %6 : tensor<?x4xf32>
  }
}
"#;

const STATIC: &str = r#"
module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x4xf32> loc("x"), %arg1: tensor<16x4xf32> loc("y")) -> (tensor<16x4xf32> {jax.result_info = "result"}) {
    %cst = stablehlo.constant dense<3.0> : tensor<f32>
    %0 = stablehlo.concatenate %arg0, %arg0, dim = 0 : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
    %1 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<16x4xf32>
    %2 = stablehlo.add %0, %arg1 : tensor<16x4xf32>
    %3 = stablehlo.multiply %2, %1 : tensor<16x4xf32>
    return %3 : tensor<16x4xf32>
  }
}
"#;

fn graph(text: &str, dims: &[(&str, i64)]) -> Result<String, Vec<String>> {
    let source = Source::from_bytes("test", text.as_bytes().to_vec());
    let dims = dims.iter().map(|&(name, size)| (name.to_owned(), size)).collect();
    let conversion = convert(&source, &Options { dims, ..Options::default() });
    let codes =
        || conversion.diagnostics.iter().map(|diagnostic| diagnostic.code().to_string()).collect::<Vec<_>>();
    let model = conversion.model.as_ref().ok_or_else(codes)?;
    let bytes = encode(model).expect("the model is small");
    Ok(graph_text::print(&bytes, false).expect("the model decodes"))
}

#[test]
fn fixed_dimensions_make_the_static_model() {
    let specialized = graph(SYMBOLIC, &[("b", 8)]);
    assert!(specialized.as_ref().is_ok_and(|graph| graph.contains("float[16,4] y")), "{specialized:?}");
    assert_eq!(specialized, graph(STATIC, &[]));
}

#[test]
fn an_unknown_name_is_an_error() {
    assert_eq!(graph(SYMBOLIC, &[("c", 8)]), Err(vec!["E0303".to_owned()]));
    assert_eq!(graph(STATIC, &[("b", 8)]), Err(vec!["E0303".to_owned()]));
}

#[test]
fn without_numbers_the_dimensions_keep_their_names() {
    let symbolic = graph(SYMBOLIC, &[]).expect("sizes may be symbolic");
    let signature = symbolic.lines().next().unwrap_or_default();
    assert_eq!(signature, "graph (float[b,4] x, float[2*b,4] y) => (float[2*b,4] result)");
    // The same nodes as with numbers: nothing is computed from a shape.
    let nodes = |graph: &str| graph.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(nodes(&symbolic), nodes(&graph(STATIC, &[]).expect("all sizes are numbers")));
}
