// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ops::fold::tests::{floats, integers};

fn constant(name: &str, elements: &str, ty: &str) -> String {
    format!("  %{name} = \"onnx.Constant\"() {{value = dense<{elements}> : {ty}}} : () -> {ty}\n")
}

/// The op `%r` of some constants, each with its elements and type.
fn of(op: &str, operands: &[(&str, &str)], ty: &str) -> String {
    let names: Vec<String> = (0..operands.len()).map(|index| format!("c{index}")).collect();
    let constants: String =
        names.iter().zip(operands).map(|(name, (elements, ty))| constant(name, elements, ty)).collect();
    let (op, attributes) = op.split_once(' ').unwrap_or((op, ""));
    let values: Vec<String> = names.iter().map(|name| format!("%{name}")).collect();
    let types: Vec<&str> = operands.iter().map(|(_, ty)| *ty).collect();
    let (values, types) = (values.join(", "), types.join(", "));
    format!("{constants}  %r = \"onnx.{op}\"({values}) {attributes} : ({types}) -> {ty}")
}

const ROW: (&str, &str) = ("[7, -7, 5]", "tensor<3xi32>");
const COLUMN: (&str, &str) = ("[[1], [-2]]", "tensor<2x1xi32>");

#[track_caller]
fn expect(op: &str, operands: &[(&str, &str)], ty: &str, expected: &[i64]) {
    assert_eq!(integers(&of(op, operands, ty), ty).as_deref(), Some(expected));
}

#[track_caller]
fn stays(op: &str, operands: &[(&str, &str)], ty: &str) {
    assert_eq!(integers(&of(op, operands, ty), ty), None);
}

#[test]
fn operands_are_broadcast() {
    expect("Add", &[ROW, COLUMN], "tensor<2x3xi32>", &[8, -6, 6, 5, -9, 3]);
    expect("Less", &[COLUMN, ROW], "tensor<2x3xi1>", &[1, 0, 1, 1, 0, 1]);
    expect("Max", &[ROW, COLUMN, ("6", "tensor<i32>")], "tensor<2x3xi32>", &[7, 6, 6, 7, 6, 6]);
    let test = ("[[true], [false]]", "tensor<2x1xi1>");
    expect("Where", &[test, ROW, ("0", "tensor<i32>")], "tensor<2x3xi32>", &[7, -7, 5, 0, 0, 0]);
}

#[test]
fn divisions_and_remainders_are_those_of_onnx() {
    let two = ("[2, 2, -3]", "tensor<3xi32>");
    expect("Div", &[ROW, two], "tensor<3xi32>", &[3, -3, -1]);
    expect("Mod", &[ROW, two], "tensor<3xi32>", &[1, 1, -1]);
    expect("Mod {fmod = 1 : i64}", &[ROW, two], "tensor<3xi32>", &[1, -1, 2]);
    stays("Div", &[ROW, ("[1, 0, 1]", "tensor<3xi32>")], "tensor<3xi32>");
    stays("Mod", &[ROW, ("0", "tensor<i32>")], "tensor<3xi32>");
}

#[test]
fn parts_are_taken() {
    let table = ("[[1, 2, 3], [4, 5, 6]]", "tensor<2x3xi32>");
    let list = |elements: &'static str| (elements, "tensor<1xi64>");
    let slice = |starts, ends, axes, steps| [table, list(starts), list(ends), list(axes), list(steps)];
    expect("Slice", &slice("[1]", "[9]", "[-1]", "[1]"), "tensor<2x2xi32>", &[2, 3, 5, 6]);
    expect("Slice", &slice("[-1]", "[-9]", "[1]", "[-2]"), "tensor<2x2xi32>", &[3, 1, 6, 4]);
    expect("Slice", &slice("[0]", "[1]", "[0]", "[1]"), "tensor<1x3xi32>", &[1, 2, 3]);
    expect("Gather {axis = 1 : i64}", &[table, list("[-1]")], "tensor<2x1xi32>", &[3, 6]);
    let two = ("[2, 0]", "tensor<2xi64>");
    expect("Gather {axis = 1 : i64}", &[table, two], "tensor<2x2xi32>", &[3, 1, 6, 4]);
    stays("Gather {axis = 1 : i64}", &[table, list("[3]")], "tensor<2x1xi32>");
    expect("Concat {axis = -1 : i64}", &[table, COLUMN], "tensor<2x4xi32>", &[1, 2, 3, 1, 4, 5, 6, -2]);
}

#[test]
fn slices_are_clamped() {
    let slice = |start, end, step| axis_slices(&[5], &[vec![start], vec![end], vec![0], vec![step]]);
    let kept = |first, count, step| Some(vec![AxisSlice { first, count, step }]);
    assert_eq!(slice(-2, i64::MAX, 1), kept(3, 2, 1));
    assert_eq!(slice(9, -9, -1), kept(4, 5, -1));
    assert_eq!(slice(3, i64::MIN, -2), kept(3, 2, -2));
    assert_eq!(slice(4, 2, 1), kept(4, 0, 1));
    assert_eq!(slice(0, 1, 0), None);
    assert_eq!(axis_slices(&[0], &[vec![-1], vec![-9], vec![0], vec![-1]]), kept(0, 0, -1));
    assert_eq!(axis_slices(&[5], &[vec![0], vec![1], vec![1]]), None);
}

#[test]
fn elements_are_summed_and_multiplied() {
    let table = ("[[1, 2, 3], [4, 5, 6]]", "tensor<2x3xi32>");
    let axis = ("[1]", "tensor<1xi64>");
    expect("ReduceSum", &[table, axis], "tensor<2x1xi32>", &[6, 15]);
    expect("ReduceMin {keepdims = 0 : i64}", &[table, axis], "tensor<2xi32>", &[1, 4]);
    expect(
        "ArgMax {axis = 1 : i64}",
        &[("[[1, 3, 3], [6, 5, 4]]", "tensor<2x3xi32>")],
        "tensor<2x1xi64>",
        &[1, 0],
    );
    expect("ArgMin {axis = 0 : i64, keepdims = 0 : i64}", &[table], "tensor<3xi64>", &[0, 0, 0]);
    expect("MatMul", &[table, ("[[1], [0], [-1]]", "tensor<3x1xi32>")], "tensor<2x1xi32>", &[-2, -2]);
    let zeros = ("0.0", "tensor<1x2xf32>");
    let zero = |weights| of("MatMul", &[zeros, (weights, "tensor<2x1xf32>")], "tensor<1x1xf32>");
    assert_eq!(floats(&zero("[[3.0], [1.0]]"), "tensor<1x1xf32>"), Some(vec![0.0]));
    assert_eq!(floats(&zero("[[3.0], [0x7F800000]]"), "tensor<1x1xf32>"), None);
}

#[test]
fn floats_are_rounded_once() {
    let ty = "tensor<2xf32>";
    let erf = floats(&of("Erf", &[("[0.5, -3.0]", ty)], ty), ty);
    assert_eq!(erf, Some(vec![f64::from(libm::erf(0.5) as f32), f64::from(libm::erf(-3.0) as f32)]));
    let power = of("Pow", &[("[2.0, 9.0]", ty), ("[3, -1]", "tensor<2xi64>")], ty);
    assert_eq!(floats(&power, ty), Some(vec![8.0, f64::from((1.0f64 / 9.0) as f32)]));
    let clip = of("Clip", &[("[2.0, -9.0]", ty), ("-1.0", "tensor<f32>"), ("1.0", "tensor<f32>")], ty);
    assert_eq!(floats(&clip, ty), Some(vec![1.0, -1.0]));
}
