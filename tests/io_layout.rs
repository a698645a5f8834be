//! `--inputs-as-nchw` and `--outputs-as-nchw`: the model's images are channels-first, and its results are the same.

mod support;

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use support::graph_text;

/// A convolution over a channels-last image, as Flax prints it, and the ReLU after it.
const CONVOLUTION: &str = r#"
module {
  func.func public @main(%arg0: tensor<2x5x4x3xf32> loc("x"), %arg1: tensor<3x3x3x6xf32> loc("w")) -> (tensor<2x5x4x6xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x5x4x3xf32>, tensor<3x3x3x6xf32>) -> tensor<2x5x4x6xf32>
    return %0 : tensor<2x5x4x6xf32>
  }
}
"#;

fn graph(inputs: &[&str], outputs: &[&str]) -> Result<String, Vec<String>> {
    let source = Source::from_bytes("test", CONVOLUTION.as_bytes().to_vec());
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let options = Options { nchw_inputs: owned(inputs), nchw_outputs: owned(outputs), ..Options::default() };
    let conversion = convert(&source, &options);
    let codes =
        || conversion.diagnostics.iter().map(|diagnostic| diagnostic.code().to_string()).collect::<Vec<_>>();
    let model = conversion.model.as_ref().ok_or_else(codes)?;
    let bytes = encode(model).expect("the model is small");
    Ok(graph_text::print(&bytes, false).expect("the model decodes"))
}

fn transposes(graph: &str) -> usize {
    graph.matches("= Transpose").count()
}

#[test]
fn channels_first_images_need_no_transpose() {
    let last = graph(&[], &[]).expect("it converts");
    assert!(
        last.starts_with("graph (float[2,5,4,3] x, float[3,3,3,6] w) => (float[2,5,4,6] result)"),
        "{last}"
    );
    assert_eq!(transposes(&last), 3);
    let first = graph(&["x"], &["result"]).expect("it converts");
    assert!(
        first.starts_with("graph (float[2,3,5,4] x, float[3,3,3,6] w) => (float[2,6,5,4] result)"),
        "{first}"
    );
    // The transpose of the weights remains.
    assert_eq!(transposes(&first), 1, "{first}");
}

#[test]
fn an_unknown_name_is_an_error() {
    assert_eq!(graph(&["y"], &[]), Err(vec!["E0404".to_owned()]));
    assert_eq!(graph(&[], &["x"]), Err(vec!["E0404".to_owned()]));
}
