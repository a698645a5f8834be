// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use super::number::{float, float_bits};
use super::*;
use crate::ir::{Data, Element, Rewriter, stablehlo};

/// Folds the ops of a function's body and returns the constant value of `%r`, which has the given type.
fn folded(body: &str, ty: &str) -> Option<Tensor> {
    let text = format!("func.func @main() -> {ty} {{\n{body}\n  return %r : {ty}\n}}\n");
    let source = Source::from_bytes("test.mlir", text.into_bytes());
    let (mut module, diagnostics) = crate::parse(&source);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let function = module.functions().next().unwrap();
    Rewriter::new(&mut module).function(function, &mut |rewriter, op| {
        let Some(constant) = fold(rewriter.module, &source, op, |_| false) else { return true };
        let value = rewriter.module.symbols.intern("value");
        let op = rewriter.module.op_mut(op);
        (op.name, op.operands) = (stablehlo::CONSTANT, SmallVec::new());
        op.attributes = vec![(value, crate::ir::Attribute::Dense(constant))];
        true
    });
    let block = module.entry_block(module.function(function).body).unwrap();
    let returned = module.op(*module.block(block).ops.last().unwrap()).operands[0];
    Tensor::read(&module, &source, module.constant_of(returned)?)
}

pub(super) fn integers(body: &str, ty: &str) -> Option<Vec<i64>> {
    folded(body, ty).map(|tensor| tensor.view().unwrap().iter().copied().collect())
}

pub(super) fn floats(body: &str, ty: &str) -> Option<Vec<f64>> {
    let tensor = folded(body, ty)?;
    tensor.view().unwrap().iter().map(|&bits| float(tensor.element, bits)).collect()
}

fn binary(op: &str, x: &str, y: &str, ty: &str) -> String {
    format!(
        "  %x = stablehlo.constant dense<{x}> : {ty}\n  %y = stablehlo.constant dense<{y}> : {ty}\n  \
         %r = stablehlo.{op} %x, %y : {ty}"
    )
}

#[track_caller]
fn expect(op: &str, x: &str, y: &str, ty: &str, expected: &[i64]) {
    assert_eq!(integers(&binary(op, x, y, ty), ty).as_deref(), Some(expected));
}

#[test]
fn integers_wrap() {
    expect("add", "[127, -128]", "[1, -1]", "tensor<2xi8>", &[-128, 127]);
    expect("multiply", "[200, 3]", "[2, 3]", "tensor<2xui8>", &[144, 9]);
    expect("subtract", "[0, 5]", "[1, 3]", "tensor<2xui64>", &[-1, 2]);
}

#[test]
fn integer_division_is_that_of_xla() {
    expect("divide", "[7, -7, 7, -2147483648]", "[2, 2, 0, -1]", "tensor<4xi32>", &[3, -3, -1, -2147483648]);
    expect("remainder", "[7, -7, 7, -2147483648]", "[2, 2, 0, -1]", "tensor<4xi32>", &[1, -1, 7, 0]);
    expect("divide", "[7, 200]", "[0, 3]", "tensor<2xui8>", &[255, 66]);
}

#[test]
fn unsigned_64_bits_compare_as_unsigned() {
    expect("maximum", "[18446744073709551615, 1]", "[1, 2]", "tensor<2xui64>", &[-1, 2]);
}

#[test]
fn shifts_beyond_the_width() {
    expect("shift_left", "[1, -1, 1]", "[31, 32, -1]", "tensor<3xi32>", &[-2147483648, 0, 0]);
    expect("shift_right_logical", "[-1, -1]", "[31, 32]", "tensor<2xi32>", &[1, 0]);
    expect("shift_right_arithmetic", "[-8, -8, 8]", "[1, 40, 40]", "tensor<3xi32>", &[-4, -1, 0]);
}

#[test]
fn truth_values_add_as_or() {
    expect("add", "[true, true, false]", "[true, false, false]", "tensor<3xi1>", &[1, 1, 0]);
    expect("multiply", "[true, true, false]", "[true, false, false]", "tensor<3xi1>", &[1, 0, 0]);
}

#[test]
fn floats_round_to_their_type() {
    let ty = "tensor<2xf32>";
    let sum = floats(&binary("add", "[16777216.0, 0.1]", "[1.0, 0.2]", ty), ty).unwrap();
    assert_eq!(sum, [16777216.0, f64::from(0.1f32 + 0.2f32)]);
    let ty = "tensor<1xbf16>";
    assert_eq!(floats(&binary("add", "[256.0]", "[1.0]", ty), ty).unwrap(), [256.0]);
}

#[test]
fn not_a_number_is_not_folded() {
    let ty = "tensor<1xf32>";
    assert_eq!(floats(&binary("divide", "[0.0]", "[0.0]", ty), ty), None);
    assert_eq!(floats(&binary("maximum", "[0.0]", "[-0.0]", ty), ty), None);
}

#[test]
fn rounding_twice_is_rounding_once() {
    // Just above the middle of two neighbors: rounding to f32 first would make it a tie.
    let above = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
    assert_eq!(float_bits(Element::F16, above), Some(0x3C01));
    assert_eq!(float_bits(Element::F16, 1.0 + 2f64.powi(-11)), Some(0x3C00));
    assert_eq!(float_bits(Element::BF16, 1.0 + 2f64.powi(-8) + 2f64.powi(-40)), Some(0x3F81));
    assert_eq!(float_bits(Element::F16, 1e30), Some(0x7C00));
}

fn convert(from: &str, x: &str, to: &str) -> String {
    format!("  %x = stablehlo.constant dense<{x}> : {from}\n  %r = stablehlo.convert %x : ({from}) -> {to}")
}

#[test]
fn conversions() {
    let int = |from, x, to| integers(&convert(from, x, to), to);
    assert_eq!(int("tensor<2xi32>", "[300, -1]", "tensor<2xui8>"), Some(vec![44, 255]));
    assert_eq!(int("tensor<2xf32>", "[2.9, -2.9]", "tensor<2xi32>"), Some(vec![2, -2]));
    assert_eq!(int("tensor<2xf32>", "[0.0, 0.5]", "tensor<2xi1>"), Some(vec![0, 1]));
    // XLA saturates these, which is left to the lowering.
    assert_eq!(int("tensor<1xf32>", "[3.0e9]", "tensor<1xi32>"), None);
    assert_eq!(int("tensor<1xf32>", "[-1.0]", "tensor<1xui8>"), None);
}

#[test]
fn compare_select_clamp() {
    let body = "  %x = stablehlo.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %y = stablehlo.constant dense<2.0> : tensor<3xf32>
  %p = stablehlo.compare LT, %x, %y, FLOAT : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
  %s = stablehlo.select %p, %x, %y : tensor<3xi1>, tensor<3xf32>
  %low = stablehlo.constant dense<1.5> : tensor<f32>
  %high = stablehlo.constant dense<9.0> : tensor<f32>
  %r = stablehlo.clamp %low, %s, %high : (tensor<f32>, tensor<3xf32>, tensor<f32>) -> tensor<3xf32>";
    assert_eq!(floats(body, "tensor<3xf32>"), Some(vec![1.5, 2.0, 2.0]));
}

#[test]
fn splats_stay_splats() {
    let body = "  %x = stablehlo.constant dense<2> : tensor<1000000xi32>
  %y = stablehlo.constant dense<3> : tensor<1000000xi32>
  %r = stablehlo.multiply %x, %y : tensor<1000000xi32>";
    let tensor = folded(body, "tensor<1000000xi32>").unwrap();
    assert!(tensor.is_splat());
    assert_eq!(tensor.scalar(), Some(6));
    assert!(matches!(tensor.data(), Data::Splat(_)));
}

#[test]
fn folding_never_grows_the_model() {
    let body = "  %r = stablehlo.iota dim = 0 : tensor<1000xi32>";
    assert_eq!(integers(body, "tensor<1000xi32>"), None);
    let body = "  %x = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %r = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<2xi32>) -> tensor<3x2xi32>";
    assert_eq!(integers(body, "tensor<3x2xi32>"), None);
}

#[test]
fn movement() {
    let with =
        |op: &str| format!("  %x = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>\n{op}");
    let transposed =
        with("  %r = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xi32>) -> tensor<3x2xi32>");
    assert_eq!(integers(&transposed, "tensor<3x2xi32>"), Some(vec![1, 4, 2, 5, 3, 6]));
    let reshaped = with("  %r = stablehlo.reshape %x : (tensor<2x3xi32>) -> tensor<6xi32>");
    assert_eq!(integers(&reshaped, "tensor<6xi32>"), Some(vec![1, 2, 3, 4, 5, 6]));
    let sliced = with("  %r = stablehlo.slice %x [0:2, 0:3:2] : (tensor<2x3xi32>) -> tensor<2x2xi32>");
    assert_eq!(integers(&sliced, "tensor<2x2xi32>"), Some(vec![1, 3, 4, 6]));
    let reversed = with("  %r = stablehlo.reverse %x, dims = [1] : tensor<2x3xi32>");
    assert_eq!(integers(&reversed, "tensor<2x3xi32>"), Some(vec![3, 2, 1, 6, 5, 4]));
    let padded = "  %x = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = stablehlo.pad %x, %z, low = [-1], high = [2], interior = [1] : (tensor<3xi32>, tensor<i32>) -> tensor<6xi32>";
    assert_eq!(integers(padded, "tensor<6xi32>"), Some(vec![0, 2, 0, 3, 0, 0]));
    let joined = with(
        "  %r = stablehlo.concatenate %x, %x, dim = 1 : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x6xi32>",
    );
    assert_eq!(integers(&joined, "tensor<2x6xi32>"), Some(vec![1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]));
}

#[test]
fn slices_move_inside() {
    let body = "  %x = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %i = stablehlo.constant dense<9> : tensor<i32>
  %r = stablehlo.dynamic_slice %x, %i, sizes = [2] : (tensor<4xi32>, tensor<i32>) -> tensor<2xi32>";
    assert_eq!(integers(body, "tensor<2xi32>"), Some(vec![3, 4]));
    let body = "  %x = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %u = stablehlo.constant dense<[8, 9]> : tensor<2xi32>
  %i = stablehlo.constant dense<-5> : tensor<i32>
  %r = stablehlo.dynamic_update_slice %x, %u, %i : (tensor<4xi32>, tensor<2xi32>, tensor<i32>) -> tensor<4xi32>";
    assert_eq!(integers(body, "tensor<4xi32>"), Some(vec![8, 9, 3, 4]));
}

#[test]
fn gather_of_rows() {
    let body = r#"  %x = stablehlo.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi32>
  %i = stablehlo.constant dense<[[2], [0], [7]]> : tensor<3x1xi32>
  %r = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xi32>, tensor<3x1xi32>) -> tensor<3x2xi32>"#;
    assert_eq!(integers(body, "tensor<3x2xi32>"), Some(vec![5, 6, 1, 2, 5, 6]));
}

#[test]
fn reductions() {
    let reduce = |op: &str, initial: &str| {
        format!(
            "  %x = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %i = stablehlo.constant dense<{initial}> : tensor<i32>
  %r = stablehlo.reduce(%x init: %i) applies stablehlo.{op} across dimensions = [1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<2xi32>"
        )
    };
    assert_eq!(integers(&reduce("add", "10"), "tensor<2xi32>"), Some(vec![16, 25]));
    assert_eq!(integers(&reduce("multiply", "1"), "tensor<2xi32>"), Some(vec![6, 120]));
    assert_eq!(integers(&reduce("maximum", "5"), "tensor<2xi32>"), Some(vec![5, 6]));
    assert_eq!(integers(&reduce("minimum", "3"), "tensor<2xi32>"), Some(vec![1, 3]));
}

#[test]
fn bits_as_another_type() {
    let body = "  %x = stablehlo.constant dense<[1.0, -2.0]> : tensor<2xf32>
  %r = stablehlo.bitcast_convert %x : (tensor<2xf32>) -> tensor<2xi32>";
    assert_eq!(integers(body, "tensor<2xi32>"), Some(vec![0x3F80_0000, -0x4000_0000]));
}

#[test]
fn sizes_beyond_memory_beside_zero() {
    let ty = "tensor<0x4611686018427387904x4xi32>";
    assert_eq!(integers(&format!("  %r = stablehlo.iota dim = 0 : {ty}"), ty), None);
}
