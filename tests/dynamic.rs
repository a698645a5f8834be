//! `--dynamic`: what the options may name, and what the model is for other sizes than those of the text.

mod support;

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use support::value::{self, Tensor};
use support::{graph_text, runtime};

/// The model of a text with these dimensions dynamic, or the codes and messages of what is wrong.
fn model(text: &str, dynamic: &[&str], input_names: &[&str]) -> Result<Vec<u8>, Vec<String>> {
    let source = Source::from_bytes("test", text.as_bytes().to_vec());
    let dynamic = dynamic.iter().map(|text| text.parse().expect("the option is of its form")).collect();
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

/// Attention over three places, whose rows are merged for a product with weights, and a bias that is the same for all.
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
fn each_row_is_what_the_static_model_gives_for_it() {
    let fixed = model(TEXT, &[], &[]).expect("it converts");
    let dynamic = model(TEXT, &["x:0=batch"], &[]).expect("its rows stay apart");
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

#[test]
fn no_rows_give_none() {
    let dynamic = model(TEXT, &["x:0=batch"], &[]).expect("its rows stay apart");
    assert_eq!(run(&dynamic, &["f32[0,3,2]", "i1[0,3]"])[0].dims, [0, 3, 2]);
}

#[test]
fn inputs_have_the_names_of_the_model() {
    assert!(model(TEXT, &["image:0=batch"], &["image", "valid"]).is_ok());
    let unknown = model(TEXT, &["x:0=batch"], &["image", "valid"]);
    assert_eq!(
        unknown.expect_err("x has another name"),
        ["E0404: `--dynamic` does not fit the function: there is no `x`; there are `image`, `valid`"]
    );
}

#[test]
fn what_is_not_there_is_an_error() {
    let refused = |dynamic: &[&str]| {
        let errors = model(TEXT, dynamic, &[]).expect_err("it does not fit");
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].replacen("E0404: `--dynamic` does not fit the function: ", "", 1)
    };
    assert_eq!(refused(&["mark:0=b"]), "there is no `mark`: did you mean `mask`?");
    assert_eq!(refused(&["mask:2=b"]), "`mask` has 2 dimensions, and no dimension 2");
    assert_eq!(refused(&["x:0=b", "x:1=b"]), "`b` would have two sizes, 2 and 3");
}

#[test]
fn a_dimension_that_is_symbolic_stays_so() {
    let text = "func.func public @main(%x: tensor<?x4xf32>, %n: tensor<0xf32>) -> tensor<?x4xf32> {
      %0 = stablehlo.negate %x : tensor<?x4xf32>
      return %0 : tensor<?x4xf32>
    }";
    let why = |dynamic: &str| model(text, &[dynamic], &[]).expect_err("it does not fit").concat();
    assert!(why("arg0:0=b").ends_with("dimension 0 of `arg0` is symbolic already"));
    assert!(why("arg1:0=b").contains("dimension 0 of `arg1` is empty"));
    assert!(model(text, &["arg0:1=b"], &[]).is_ok());
}
