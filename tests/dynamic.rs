//! `--dynamic`: valid names, and the model at other sizes than those of the text.

mod support;

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use support::value::{self, Tensor};
use support::{graph_text, runtime};

/// The model of a text with these dimensions dynamic, or the codes and messages of the errors.
fn model(text: &str, dynamic: &[&str], input_names: &[&str]) -> Result<Vec<u8>, Vec<String>> {
    let source = Source::from_bytes("test", text.as_bytes().to_vec());
    let dynamic = dynamic.iter().map(|text| text.parse().expect("the option is well-formed")).collect();
    let input_names = input_names.iter().map(|&name| name.to_owned()).collect();
    let conversion = convert(&source, &Options { dynamic, input_names, ..Options::default() });
    match &conversion.model {
        Some(model) => Ok(encode(model).expect("the model is small")),
        None => Err(conversion
            .diagnostics
            .errors()
            .map(|error| format!("{}: {}", error.code(), error.message))
            .collect()),
    }
}

fn head(model: &[u8]) -> String {
    let text = graph_text::print(model, false).expect("the model decodes");
    text.lines().next().unwrap_or_default().to_owned()
}

fn run(model: &[u8], inputs: &[&str]) -> Vec<Tensor> {
    let inputs: Vec<Tensor> =
        inputs.iter().map(|text| value::parse(text).expect("the input is a value")).collect();
    runtime::run(model, &inputs).expect("the model runs")
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor
        .bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect()
}

/// Attention over three positions, whose rows are merged for a product with weights, and a bias shared by all rows.
const TEXT: &str = r#"
module {
  func.func public @main(%arg0: tensor<2x3x2xf32> loc("x"), %arg1: tensor<2x3xi1> loc("mask")) -> (tensor<2x3x2xf32> {jax.result_info = "y"}) {
    %w = stablehlo.constant dense<[[1.0, 2.0], [3.0, -1.0]]> : tensor<2x2xf32>
    %bias = stablehlo.constant dense<[[[0.5, 1.5]], [[0.5, 1.5]]]> : tensor<2x1x2xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<2x3x3xf32>
    %0 = stablehlo.reshape %arg0 : (tensor<2x3x2xf32>) -> tensor<6x2xf32>
    %1 = stablehlo.dot_general %0, %w, contracting_dims = [1] x [0] : (tensor<6x2xf32>, tensor<2x2xf32>) -> tensor<6x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<6x2xf32>) -> tensor<2x3x2xf32>
    %3 = stablehlo.dot_general %2, %arg0, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x3xf32>
    %4 = stablehlo.broadcast_in_dim %arg1, dims = [0, 2] : (tensor<2x3xi1>) -> tensor<2x3x3xi1>
    %5 = stablehlo.select %4, %3, %zero : tensor<2x3x3xi1>, tensor<2x3x3xf32>
    %6 = stablehlo.dot_general %5, %arg0, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x3x3xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
    %7 = stablehlo.broadcast_in_dim %bias, dims = [0, 1, 2] : (tensor<2x1x2xf32>) -> tensor<2x3x2xf32>
    %8 = stablehlo.add %6, %7 : tensor<2x3x2xf32>
    return %8 : tensor<2x3x2xf32>
  }
}
"#;

#[test]
fn each_row_equals_the_static_model() {
    let fixed = model(TEXT, &[], &[]).expect("it converts");
    let dynamic = model(TEXT, &["x:0=batch"], &[]).expect("its rows are independent");
    assert_eq!(head(&dynamic), "graph (float[batch,3,2] x, bool[batch,3] mask) => (float[batch,3,2] y)");
    let x = ["1 2 3 4 5 6", "-1 0.5 2 -2 0 1", "0.25 3 1 1 -4 2"];
    let mask = ["true false true", "true true false", "false true true"];
    let rows = |chosen: &[usize]| {
        let join = |all: &[&str]| chosen.iter().map(|&row| all[row]).collect::<Vec<_>>().join(" ");
        (format!("f32[{},3,2] {}", chosen.len(), join(&x)), format!("i1[{},3] {}", chosen.len(), join(&mask)))
    };
    let of = |model: &[u8], chosen: &[usize]| {
        let (x, mask) = rows(chosen);
        numbers(&run(model, &[&x, &mask])[0])
    };
    let (first, second) = (of(&fixed, &[0, 1]), of(&fixed, &[2, 0]));
    assert_eq!(of(&dynamic, &[0, 1]), first);
    assert_eq!(of(&dynamic, &[2]), second[..6]);
    assert_eq!(of(&dynamic, &[2, 0, 1]), [&second[..], &first[6..]].concat());
    assert_ne!(first[..6], first[6..]);
}

/// Each row is read and written at its own position, as `x[jnp.arange(2), i]` and `x.at[jnp.arange(2), i].add(1)`
/// print.
const OWN: &str = r#"
func.func public @main(%arg0: tensor<2x3xf32>, %arg1: tensor<2xi32>) -> (tensor<2xf32>, tensor<2x3xf32>) {
  %rows = stablehlo.iota dim = 0 : tensor<2xi32>
  %c = stablehlo.constant dense<0> : tensor<i32>
  %0 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<2xi32>
  %1 = stablehlo.compare LT, %rows, %0, SIGNED : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi1>
  %2 = stablehlo.constant dense<2> : tensor<2xi32>
  %3 = stablehlo.add %rows, %2 : tensor<2xi32>
  %4 = stablehlo.select %1, %3, %rows : tensor<2xi1>, tensor<2xi32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<2xi32>) -> tensor<2x1xi32>
  %6 = stablehlo.reshape %arg1 : (tensor<2xi32>) -> tensor<2x1xi32>
  %7 = stablehlo.concatenate %5, %6, dim = 1 : (tensor<2x1xi32>, tensor<2x1xi32>) -> tensor<2x2xi32>
  %8 = "stablehlo.gather"(%arg0, %7) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}> : (tensor<2x3xf32>, tensor<2x2xi32>) -> tensor<2xf32>
  %one = stablehlo.constant dense<1.0> : tensor<2xf32>
  %9 = "stablehlo.scatter"(%arg0, %7, %one) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0, 1], scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 1>, unique_indices = false}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %sum = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %sum : tensor<f32>
  }) : (tensor<2x3xf32>, tensor<2x2xi32>, tensor<2xf32>) -> tensor<2x3xf32>
  return %8, %9 : tensor<2xf32>, tensor<2x3xf32>
}
"#;

#[test]
fn positions_in_the_same_row_are_a_batch() {
    let fixed = model(OWN, &[], &[]).expect("it converts");
    let dynamic = model(OWN, &["arg0:0=batch"], &[]).expect("its rows are independent");
    for model in [&fixed, &dynamic] {
        let found = run(model, &["f32[2,3] 1 2 3 4 5 6", "i32[2] 2 0"]);
        assert_eq!(numbers(&found[0]), [3.0, 4.0]);
        assert_eq!(numbers(&found[1]), [1.0, 2.0, 4.0, 5.0, 5.0, 6.0]);
    }
    let found = run(&dynamic, &["f32[3,3] 1 2 3 4 5 6 7 8 9", "i32[3] 1 1 2"]);
    assert_eq!(numbers(&found[0]), [2.0, 5.0, 9.0]);
    assert_eq!(numbers(&found[1]), [1.0, 3.0, 3.0, 4.0, 6.0, 6.0, 7.0, 8.0, 10.0]);
}

#[test]
fn an_empty_batch_has_an_empty_result() {
    let dynamic = model(TEXT, &["x:0=batch"], &[]).expect("its rows are independent");
    assert_eq!(run(&dynamic, &["f32[0,3,2]", "i1[0,3]"])[0].dims, [0, 3, 2]);
}

#[test]
fn inputs_have_the_names_of_the_model() {
    assert!(model(TEXT, &["image:0=batch"], &["image", "valid"]).is_ok());
    let unknown = model(TEXT, &["x:0=batch"], &["image", "valid"]);
    assert_eq!(
        unknown.expect_err("x has another name"),
        [
            "E0404: `--dynamic` does not match the function: unknown input `x`; the inputs are `image`, `valid`"
        ]
    );
}

#[test]
fn missing_inputs_are_errors() {
    let refused = |dynamic: &[&str]| {
        let errors = model(TEXT, dynamic, &[]).expect_err("it does not match");
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].replacen("E0404: `--dynamic` does not match the function: ", "", 1)
    };
    assert_eq!(refused(&["mark:0=b"]), "unknown input `mark`: did you mean `mask`?");
    assert_eq!(refused(&["mask:2=b"]), "`mask` has 2 dimensions, so dimension 2 does not exist");
    assert_eq!(refused(&["x:0=b", "x:1=b"]), "`b` would have two sizes, 2 and 3");
}

#[test]
fn a_dimension_that_is_symbolic_stays_so() {
    let text = "func.func public @main(%x: tensor<?x4xf32>, %n: tensor<0xf32>) -> tensor<?x4xf32> {
      %0 = stablehlo.negate %x : tensor<?x4xf32>
      return %0 : tensor<?x4xf32>
    }";
    let why = |dynamic: &str| model(text, &[dynamic], &[]).expect_err("it does not match").concat();
    assert!(why("arg0:0=b").ends_with("dimension 0 of `arg0` is already symbolic"));
    assert!(why("arg1:0=b").contains("dimension 0 of `arg1` has size 0"));
    assert!(model(text, &["arg0:1=b"], &[]).is_ok());
}

/// Batch norms use statistics of the batch only in training, so the remedy is another mode of the layer.
#[test]
fn batch_norms_in_training_are_named() {
    let of = |place: &str| {
        format!(
            "func.func @main(%x: tensor<4x3xf32>) -> tensor<3xf32> {{
               %zero = stablehlo.constant dense<0.0> : tensor<f32>
               %0 = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4x3xf32>, tensor<f32>) -> tensor<3xf32>{place}
               return %0 : tensor<3xf32>
             }}"
        )
    };
    let help = |place: &str| {
        let source = Source::from_bytes("test", of(place).into_bytes());
        let dynamic = vec!["arg0:0=batch".parse().expect("the option is well-formed")];
        let conversion = convert(&source, &Options { dynamic, ..Options::default() });
        let errors: Vec<_> = conversion.diagnostics.errors().collect();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert_eq!(errors[0].code().as_str(), "E0305");
        errors[0].help.clone().unwrap_or_default()
    };
    for layer in ["BatchNorm_0", "batch_norm", "Encoder/BatchNorm_3"] {
        let help = help(&format!(" loc(\"jit(apply)/Model/{layer}/reduce_sum\")"));
        assert!(help.contains("`use_running_average=True` in Flax"), "{layer}: {help}");
    }
    let other = help(" loc(\"jit(apply)/Model/Pool_0/reduce_sum\")");
    assert!(!other.contains("batch norm"), "{other}");
}
