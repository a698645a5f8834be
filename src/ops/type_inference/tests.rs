use crate::source::Source;

/// The codes that the rules report of a function's ops.
fn codes(body: &str, arguments: &str) -> Vec<String> {
    let text = format!("func.func @main({arguments}) {{\n{body}\n  return\n}}\n");
    let source = Source::from_bytes("test.mlir", text.into_bytes());
    let (_, diagnostics) = crate::parse(&source);
    diagnostics.iter().map(|diagnostic| diagnostic.code().to_string()).collect()
}

const X: &str = "%x: tensor<2x3xf32>";

#[test]
fn operand_count() {
    let body = r#"  %0 = "stablehlo.add"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>"#;
    assert_eq!(codes(body, X), ["E0104"]);
}

#[test]
fn missing_attribute() {
    let body = r#"  %0 = "stablehlo.iota"() : () -> tensor<4xi32>"#;
    assert_eq!(codes(body, ""), ["E0110"]);
}

#[test]
fn dimension_out_of_range() {
    for dims in ["0, 2", "0, 0", "0, -1"] {
        let body = format!(
            r#"  %0 = "stablehlo.transpose"(%x) <{{permutation = array<i64: {dims}>}}> : (tensor<2x3xf32>) -> tensor<2x3xf32>"#
        );
        assert_eq!(codes(&body, X), ["E0109"], "{dims}");
    }
}

#[test]
fn result_that_does_not_follow() {
    let body = "  %0 = stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<7xf32>";
    assert_eq!(codes(body, X), ["E0111"]);
    let body = "  %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>";
    assert_eq!(codes(body, X), ["E0111"]);
}

#[test]
fn unknown_sizes_fit() {
    let body = "  %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<?x3xf32>) -> tensor<3x8xf32>";
    assert_eq!(codes(body, "%x: tensor<?x3xf32>"), [""; 0]);
}

#[test]
fn slice_beyond_the_end() {
    let body = "  %0 = stablehlo.slice %x [0:3, 0:3] : (tensor<2x3xf32>) -> tensor<3x3xf32>";
    assert_eq!(codes(body, X), ["E0109"]);
}

#[test]
fn contracted_sizes_differ() {
    let body = "  %0 = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>";
    assert_eq!(codes(body, X), ["E0111"]);
}

#[test]
fn reduction_without_a_body() {
    let body = r#"  %i = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce"(%x, %i) <{dimensions = array<i64: 0>}> : (tensor<2x3xf32>, tensor<f32>) -> tensor<3xf32>"#;
    assert_eq!(codes(body, X), ["E0111"]);
}

#[test]
fn constant_that_is_not_as_its_type_says() {
    let body = r#"  %s = "stablehlo.constant"() <{value = dense<1> : tensor<1xi64>}> : () -> tensor<2xi64>
  %0 = stablehlo.real_dynamic_slice %x, %s, %s, %s : (tensor<2x3xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>"#;
    assert_eq!(codes(body, X), ["E0111"]);
}
