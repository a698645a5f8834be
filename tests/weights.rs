//! Binding arguments to weights, and its diagnostics, beyond what `tests/models.rs` covers.

use hlo2onnx::onnx::file::encode;
use hlo2onnx::source::{Mapping, Source};
use hlo2onnx::weights::{Weights, WeightsFile};
use hlo2onnx::{Options, convert};
use onnx_protobuf::{Message, ModelProto, NodeProto};
use safetensors::tensor::{Dtype, TensorView, serialize};

type Failure = Box<dyn std::error::Error>;

/// The outcome of a conversion.
struct Result {
    /// The codes of the diagnostics, sorted.
    codes: Vec<String>,
    messages: String,
    bound: usize,
    model: ModelProto,
}

/// A file of `f32` tensors whose elements count from the position of the tensor.
fn file(name: &str, tensors: &[(&str, &[usize])]) -> std::result::Result<WeightsFile, Failure> {
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .enumerate()
        .map(|(index, (_, sizes))| {
            let count = sizes.iter().product::<usize>();
            (0..count).flat_map(|element| ((index * 100 + element) as f32).to_le_bytes()).collect()
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, sizes), data)| Ok((*name, TensorView::new(Dtype::F32, sizes.to_vec(), data)?)));
    let views: Vec<_> = views.collect::<std::result::Result<_, Failure>>()?;
    Ok(WeightsFile::read(name, Mapping::from_bytes(serialize(views, None)?))?)
}

/// A function of these arguments (name and type) that returns the double of each.
fn text(arguments: &[(&str, &str)]) -> String {
    let mut text = String::from("func.func @main(");
    let (mut ops, mut names, mut types) = (String::new(), Vec::new(), Vec::new());
    for (index, (name, ty)) in arguments.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let place = if name.is_empty() { String::new() } else { format!(" loc(\"{name}\")") };
        text += &format!("{comma}%arg{index}: {ty}{place}");
        ops += &format!("  %{index} = stablehlo.add %arg{index}, %arg{index} : {ty}\n");
        names.push(format!("%{index}"));
        types.push(*ty);
    }
    let (names, types) = (names.join(", "), types.join(", "));
    format!("{text}) -> ({types}) {{\n{ops}  return {names} : {types}\n}}\n")
}

fn bind(arguments: &[(&str, &str)], weights: Weights) -> std::result::Result<Result, Failure> {
    bind_in(&text(arguments), weights)
}

fn bind_in(text: &str, weights: Weights) -> std::result::Result<Result, Failure> {
    let source = Source::from_bytes("test.mlir", text.into());
    let options = Options { weights, ..Options::default() };
    let conversion = convert(&source, &options);
    let listed = conversion.diagnostics.sorted();
    let mut codes: Vec<String> = listed.iter().map(|d| d.code().as_str().to_owned()).collect();
    codes.sort();
    let messages = listed.iter().map(|d| format!("{}: {}\n", d.code(), d.message)).collect();
    let bytes = conversion.model.map(|model| encode(&model)).transpose()?.unwrap_or_default();
    Ok(Result { codes, messages, bound: conversion.bound, model: ModelProto::parse_from_bytes(&bytes)? })
}

fn of(files: Vec<WeightsFile>) -> Weights {
    Weights { files, ..Weights::default() }
}

const KERNEL: &str = "variables['params']['Dense_0']['kernel']";
const F: &str = "tensor<2xf32>";

/// The names of the remaining inputs.
fn inputs(result: &Result) -> Vec<&str> {
    result.model.graph.input.iter().map(|input| input.name.as_str()).collect()
}

#[test]
fn paths_match_with_and_without_root_and_collection() -> std::result::Result<(), Failure> {
    let names = [
        (KERNEL, "variables/params/Dense_0/kernel"),
        (KERNEL, "params/Dense_0/kernel"),
        (KERNEL, "params.Dense_0.kernel"),
        (KERNEL, "Dense_0/kernel"),
        ("state['layers'][0]['kernel'].value", "layers.0.kernel"),
        ("state['layers'][0]['kernel'].value", "layers/0/kernel/value"),
        ("args[0]['params']['w']", "params/w"),
        ("params['mlp/~/linear_0']['w']", "mlp/~/linear_0/w"),
        ("['w']", "w"),
    ];
    for (argument, tensor) in names {
        let result = bind(&[(argument, F), ("x", F)], of(vec![file("w", &[(tensor, &[2])])?]))?;
        assert_eq!((result.bound, inputs(&result)), (1, vec!["x"]), "{tensor}: {}", result.messages);
        assert!(result.codes.is_empty(), "{}", result.messages);
    }
    Ok(())
}

#[test]
fn other_paths_do_not_match() -> std::result::Result<(), Failure> {
    for tensor in ["kernel", "Dense_1/kernel", "params/Dense/kernel", "opt/params/Dense_0/kernel", "Dense_0"]
    {
        let result = bind(&[(KERNEL, F)], of(vec![file("w", &[(tensor, &[2])])?]))?;
        assert_eq!(result.codes, ["E0409"], "{tensor}: {}", result.messages);
    }
    Ok(())
}

#[test]
fn the_longer_path_wins_and_the_rest_is_reported() -> std::result::Result<(), Failure> {
    let tensors: [(&str, &[usize]); 3] =
        [("Dense_0/kernel", &[2]), ("params/Dense_0/kernel", &[2]), ("opt", &[1])];
    let bias = "variables['params']['Dense_0']['bias']";
    let result = bind(&[(KERNEL, F), (bias, F), ("x", F)], of(vec![file("w", &tensors)?]))?;
    assert_eq!((result.bound, inputs(&result)), (1, vec!["params/Dense_0/bias", "x"]));
    assert_eq!(result.codes, ["A0605", "W0503"], "{}", result.messages);
    assert!(
        result.messages.contains("2 unused tensors in `w`: `Dense_0/kernel`, `opt`"),
        "{}",
        result.messages
    );
    Ok(())
}

#[test]
fn ambiguous_weights_are_an_error() -> std::result::Result<(), Failure> {
    let one = |name| file(name, &[("params/Dense_0/kernel", &[2])]);
    let result = bind(&[(KERNEL, F)], of(vec![one("a")?, one("b")?]))?;
    assert_eq!(result.codes, ["E0407"], "{}", result.messages);
    let result = bind(&[("a['w']", F), ("b['w']", F)], of(vec![file("w", &[("w", &[2])])?]))?;
    assert_eq!(result.codes, ["E0407"], "{}", result.messages);
    Ok(())
}

#[test]
fn types_must_be_equal() -> std::result::Result<(), Failure> {
    let cases: [(&str, &[usize], bool); 8] = [
        ("tensor<2x3xf32>", &[2, 3], true),
        ("tensor<2x3xf32>", &[3, 2], false),
        ("tensor<2x3xf32>", &[6], false),
        ("tensor<2xf16>", &[2], false),
        ("tensor<1xi32>", &[1], false),
        ("tensor<f32>", &[], true),
        ("tensor<f32>", &[1], true),
        ("tensor<1xf32>", &[], false),
    ];
    for (ty, sizes, fits) in cases {
        let result = bind(&[("w", ty)], of(vec![file("w", &[("w", sizes)])?]))?;
        let expected: &[&str] = if fits { &[] } else { &["E0406"] };
        assert_eq!(result.codes, expected, "{ty} from {sizes:?}: {}", result.messages);
    }
    Ok(())
}

#[test]
fn a_prefix_and_renames_change_paths() -> std::result::Result<(), Failure> {
    let with = |prefix: Option<&str>, renames: &[(&str, &str)]| -> std::result::Result<Result, Failure> {
        let files = vec![file("w", &[("ema/net/w", &[2]), ("now/net/w", &[2])])?];
        let renames = renames.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect();
        let prefix = prefix.map(str::to_owned);
        bind(&[("p['enc']['w']", F)], Weights { files, prefix, renames, ..Weights::default() })
    };
    assert_eq!(with(None, &[])?.codes, ["E0409"]);
    assert_eq!(with(Some("ema"), &[("net", "enc")])?.bound, 1);
    assert_eq!(with(None, &[("ema/net", "enc")])?.bound, 1);
    assert_eq!(with(None, &[("now.net", "p/enc"), ("now", "x")])?.codes, ["A0605", "E0411"]);
    assert_eq!(with(Some("em"), &[])?.codes, ["E0411"]);
    Ok(())
}

#[test]
fn order_binds_only_on_request() -> std::result::Result<(), Failure> {
    let arguments =
        [("", "tensor<1xf32>"), ("", "tensor<2xf32>"), ("", "tensor<3xf32>"), ("", "tensor<4xf32>")];
    let tensors: [(&str, &[usize]); 3] = [("a_b/c", &[3]), ("a/w/10", &[2]), ("a/w/9", &[1])];
    let result = bind(&arguments, of(vec![file("w", &tensors)?]))?;
    assert_eq!(result.codes, ["E0408"], "{}", result.messages);
    let by_order = |tensors: &[(&str, &[usize])]| -> std::result::Result<Result, Failure> {
        bind(&arguments, Weights { by_order: true, ..of(vec![file("w", tensors)?]) })
    };
    let result = by_order(&tensors)?;
    assert_eq!((result.bound, inputs(&result)), (3, vec!["arg0"]), "{}", result.messages);
    assert_eq!(by_order(&[("a", &[2]), ("b", &[1])])?.codes, ["E0406", "E0406"]);
    let many: [(&str, &[usize]); 5] = [("a", &[1]), ("b", &[1]), ("c", &[1]), ("d", &[1]), ("e", &[1])];
    assert_eq!(by_order(&many)?.codes, ["E0410"]);
    Ok(())
}

/// Large tensors are copied from one file to the other unchanged.
#[test]
fn large_tensors_keep_their_bytes_and_names() -> std::result::Result<(), Failure> {
    let tensors: [(&str, &[usize]); 2] =
        [("params/Dense_0/bias", &[2]), ("params/Dense_0/kernel", &[300, 200])];
    // With an input, because an op on constants alone is folded.
    let text = format!(
        "func.func @main(%kernel: tensor<300x200xf32> loc(\"{KERNEL}\"), %x: tensor<300x200xf32>) -> tensor<300x200xf32> {{
  %0 = stablehlo.add %kernel, %x : tensor<300x200xf32>
  return %0 : tensor<300x200xf32>
}}"
    );
    let result = bind_in(&text, of(vec![file("w", &tensors)?]))?;
    let initializers = &result.model.graph.initializer;
    let kernel =
        initializers.iter().find(|tensor| tensor.name == "params/Dense_0/kernel").ok_or("no kernel")?;
    let expected: Vec<u8> = (0..60_000).flat_map(|element| ((100 + element) as f32).to_le_bytes()).collect();
    assert!(kernel.raw_data == expected);
    Ok(())
}

/// A model that refers to the user's file needs the order of its elements, so a Transpose stays in it.
#[test]
fn weights_that_stay_in_their_file_keep_their_order() -> std::result::Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("weights.safetensors");
    let data: Vec<u8> = (0..80 * 16).flat_map(|element| (element as f32).to_le_bytes()).collect();
    let kernel = TensorView::new(Dtype::F32, vec![16, 80], &data)?;
    std::fs::write(&path, serialize([("kernel", kernel)], None)?)?;
    let text = "func.func @main(%kernel: tensor<16x80xf32> loc(\"kernel\"), %x: tensor<2x80xf32> loc(\"x\")) -> tensor<2x16xf32> {
        %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [1] : (tensor<2x80xf32>, tensor<16x80xf32>) -> tensor<2x16xf32>
        return %0 : tensor<2x16xf32>
      }";
    for (references_weights, transposes) in [(true, 1), (false, 0)] {
        let source = Source::from_bytes("test.mlir", text.into());
        let weights = of(vec![WeightsFile::open(&path)?]);
        let conversion = convert(&source, &Options { weights, references_weights, ..Options::default() });
        let model = conversion.model.ok_or("the text does not convert")?;
        assert!(model.is_referable() == references_weights);
        let model = ModelProto::parse_from_bytes(&encode(&model)?)?;
        // Gemm reads it transposed.
        let is_transposed =
            |node: &&NodeProto| node.attribute.iter().any(|attribute| attribute.name == "transB");
        let found = model.graph.node.iter().filter(is_transposed).count();
        assert_eq!(found, transposes, "references: {references_weights}");
        let [initializer] = model.graph.initializer.as_slice() else { return Err("one initializer".into()) };
        assert_eq!(initializer.dims, if references_weights { [16, 80] } else { [80, 16] });
    }
    Ok(())
}
