//! The map from values of a model to values of its program.

use hlo2onnx::onnx::file::write_stream;
use hlo2onnx::source::Source;
use hlo2onnx::value_map::{Representation, ValueMap};
use hlo2onnx::{Options, convert, parse};
use std::fs;
use std::path::Path;

fn map(source: &Source) -> ValueMap {
    let options = Options { value_map: true, ..Options::default() };
    convert(source, &options).values.expect("the text converts, and the options request a map")
}

fn source(text: &str) -> Source {
    Source::from_bytes("program.mlir", text.into())
}

fn forms(map: &ValueMap) -> Vec<(&str, Representation, Vec<Option<usize>>)> {
    map.values.iter().map(|value| (&*value.onnx, value.form, value.axes.clone())).collect()
}

#[test]
fn values_keep_their_origins_in_any_form() {
    let text = source(
        "func.func @main(%x: tensor<4xf32>, %y: tensor<3x4xbf16>) -> (tensor<3x4xf32>, tensor<3x4xbf16>) {
           %0 = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
           %1 = stablehlo.tanh %0 : tensor<3x4xf32>
           %2 = stablehlo.add %y, %y : tensor<3x4xbf16>
           return %1, %2 : tensor<3x4xf32>, tensor<3x4xbf16>
         }",
    );
    let map = map(&text);
    let both = vec![Some(0), Some(1)];
    assert_eq!(
        forms(&map),
        [
            ("arg0", Representation::Same, vec![Some(0)]),
            ("arg1", Representation::Same, both.clone()),
            ("Tanh", Representation::Broadcast, vec![Some(1)]),
            ("Add", Representation::Widened, both.clone()),
            ("result0", Representation::Same, both.clone()),
            ("result1", Representation::Same, both),
        ]
    );
}

#[test]
fn complex_numbers_are_mapped_to_their_parts() {
    let text = source(
        "func.func @main(%x: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
           %0 = stablehlo.multiply %x, %x : tensor<4xcomplex<f32>>
           return %0 : tensor<4xcomplex<f32>>
         }",
    );
    let found: Vec<Representation> = map(&text).values.iter().map(|value| value.form).collect();
    for form in [Representation::Parts, Representation::Real, Representation::Imaginary] {
        assert!(found.contains(&form), "{form:?} is not among {found:?}");
    }
}

#[test]
fn a_map_does_not_change_the_model_and_its_program_is_text() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models");
    for name in ["cnn/model.mlir", "transformer/model.mlir", "symbolic_cnn/model.symbolic.mlir"] {
        let text = Source::open(&models.join(name)).expect("the fixture exists");
        let bytes = |value_map| {
            let conversion = convert(&text, &Options { value_map, ..Options::default() });
            assert_eq!(conversion.values.is_some(), value_map);
            let mut bytes = Vec::new();
            let model = conversion.model.expect("the fixture converts");
            write_stream(&model, &mut bytes, &mut |_| {}).expect("writing to memory succeeds");
            bytes
        };
        assert!(bytes(false) == bytes(true), "{name}: the models differ");
        let map = map(&text);
        let all: Vec<usize> = (0..map.values.len()).collect();
        for double in [false, true] {
            let program = map.program(&text, &all, double).expect("the values exist");
            let (printed, own) =
                (source(&program.text), fs::metadata(models.join(name)).map_or(0, |file| file.len()));
            let (module, diagnostics) = parse(&printed);
            assert!(!diagnostics.has_errors(), "{name}: {}", program.text);
            let entry = module.functions().next().expect("the program has a function");
            assert!(module.function(entry).results.len() > all.len());
            assert!((program.text.len() as u64) < own * 3, "large arrays are arguments");
            assert_eq!(program.text.contains("xf32>"), !double, "{name}");
        }
        assert!(map.program(&text, &[all.len()], false).is_none());
    }
}
