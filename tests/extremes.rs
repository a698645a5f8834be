//! ONNX Runtime never crashes on a converted model, whatever the input values: extreme numbers for every integer op and
//! extreme positions for every indexing op. The fixtures check the results; here a model that converts must load and
//! run. A crash of the process fails the test.

#![allow(clippy::panic, reason = "a test fails by it")]

mod support;

use support::compile::{Finding, Settings, compile};
use support::runtime;
use support::value::{Tensor, parse};

const INTEGERS: [&str; 8] = ["i8", "i16", "i32", "i64", "ui8", "ui16", "ui32", "ui64"];
const FLOATS: [&str; 4] = ["f16", "bf16", "f32", "f64"];

/// Positions near the ends of a short dimension, and far from it.
const POSITIONS: [i64; 8] = [0, 1, -1, 2, 3, 7, i32::MIN as i64, i32::MAX as i64];

/// Numbers at the limits of an integer type, and shift amounts near its width.
fn borders(element: &str) -> Vec<String> {
    let bits: u32 = element.trim_start_matches(['u', 'i']).parse().expect("an integer type");
    let (low, high) = match element.starts_with("ui") {
        true => (0i128, (1i128 << bits) - 1),
        false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
    };
    let width = i128::from(bits);
    let mut numbers =
        vec![0, 1, 2, 3, 5, width - 1, width, width + 1, low, low + 1, high, high - 1, high / 2];
    if low < 0 {
        numbers.extend([-1, -2, -width]);
    }
    numbers.iter().filter(|&&number| (low..=high).contains(&number)).map(i128::to_string).collect()
}

const NUMBERS: [&str; 14] = [
    "0.0", "-0.0", "1.0", "-1.0", "0.5", "-0.5", "nan", "inf", "-inf", "65504.0", "-65504.0", "300.7",
    "-1.5", "1e-7",
];

fn tensor(line: &str) -> Tensor {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// All pairs of the values, as two lists.
fn pairs(element: &str, values: &[String]) -> (Tensor, Tensor) {
    let count = values.len() * values.len();
    let left: Vec<&str> =
        values.iter().flat_map(|value| values.iter().map(move |_| value.as_str())).collect();
    let right: Vec<&str> = values.iter().flat_map(|_| values.iter().map(String::as_str)).collect();
    (
        tensor(&format!("{element}[{count}] {}", left.join(" "))),
        tensor(&format!("{element}[{count}] {}", right.join(" "))),
    )
}

/// The model, unless the text is refused.
fn model(name: &str, text: &str) -> Option<Vec<u8>> {
    let compiled =
        compile(name, text, &Settings::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    if compiled.model.is_none() {
        let refused = compiled.findings.iter().filter(|finding| finding.is_error());
        let other: Vec<&Finding> = refused.filter(|finding| !finding.code.starts_with("E02")).collect();
        assert!(other.is_empty(), "{name}: {other:?}\n{text}");
    }
    compiled.model
}

/// Converts and runs; a refusal is as good as a run.
fn runs(name: &str, text: &str, inputs: &[Tensor]) {
    if let Some(model) = model(name, text)
        && let Err(error) = runtime::run(&model, inputs)
    {
        panic!("{name}: {error}\n{text}");
    }
}

#[test]
fn binary_integer_ops() {
    const OPS: [&str; 14] = [
        "add",
        "subtract",
        "multiply",
        "divide",
        "remainder",
        "maximum",
        "minimum",
        "power",
        "and",
        "or",
        "xor",
        "shift_left",
        "shift_right_arithmetic",
        "shift_right_logical",
    ];
    for element in INTEGERS {
        let (left, right) = pairs(element, &borders(element));
        let ty = format!("tensor<{}x{element}>", left.dims[0]);
        for op in OPS {
            let text = format!(
                "func.func @main(%a: {ty}, %b: {ty}) -> {ty} {{\n  %0 = stablehlo.{op} %a, %b : {ty}\n  return %0 : {ty}\n}}"
            );
            runs(&format!("{op} {element}"), &text, &[left.clone(), right.clone()]);
        }
    }
}

#[test]
fn divisions_by_constants() {
    for element in INTEGERS {
        let values = borders(element);
        let ty = format!("tensor<{}x{element}>", values.len());
        let input = tensor(&format!("{element}[{}] {}", values.len(), values.join(" ")));
        for divisor in &values {
            for op in ["divide", "remainder"] {
                let text = format!(
                    "func.func @main(%a: {ty}) -> {ty} {{\n  %c = stablehlo.constant dense<{divisor}> : {ty}\n  \
                     %0 = stablehlo.{op} %a, %c : {ty}\n  return %0 : {ty}\n}}"
                );
                runs(&format!("{op} {element} by {divisor}"), &text, std::slice::from_ref(&input));
            }
        }
    }
}

#[test]
fn unary_integer_ops() {
    for element in INTEGERS {
        let values = borders(element);
        let ty = format!("tensor<{}x{element}>", values.len());
        let input = tensor(&format!("{element}[{}] {}", values.len(), values.join(" ")));
        for op in ["abs", "negate", "sign", "not", "popcnt", "count_leading_zeros"] {
            if element.starts_with('u') && matches!(op, "negate" | "abs" | "sign") {
                continue;
            }
            let text = format!(
                "func.func @main(%a: {ty}) -> {ty} {{\n  %0 = stablehlo.{op} %a : {ty}\n  return %0 : {ty}\n}}"
            );
            runs(&format!("{op} {element}"), &text, std::slice::from_ref(&input));
        }
    }
}

#[test]
fn conversions() {
    let floats = FLOATS.iter().map(|&element| (element, NUMBERS.map(str::to_owned).to_vec()));
    let integers = INTEGERS.iter().map(|&element| (element, borders(element)));
    for (from, values) in floats.chain(integers) {
        let count = values.len();
        let input = tensor(&format!("{from}[{count}] {}", values.join(" ")));
        for to in INTEGERS.iter().chain(&FLOATS).chain(&["i1"]) {
            let text = format!(
                "func.func @main(%a: tensor<{count}x{from}>) -> tensor<{count}x{to}> {{\n  %0 = stablehlo.convert %a : \
                 (tensor<{count}x{from}>) -> tensor<{count}x{to}>\n  return %0 : tensor<{count}x{to}>\n}}"
            );
            runs(&format!("convert {from} to {to}"), &text, std::slice::from_ref(&input));
        }
    }
}

#[test]
fn reductions_and_orders() {
    for element in INTEGERS {
        let values = borders(element);
        let count = values.len();
        let (ty, scalar) = (format!("tensor<{count}x{element}>"), format!("tensor<{element}>"));
        let input = tensor(&format!("{element}[{count}] {}", values.join(" ")));
        for op in ["add", "multiply", "maximum", "minimum", "and", "or"] {
            let text = format!(
                "func.func @main(%a: {ty}) -> {scalar} {{\n  %c = stablehlo.constant dense<1> : {scalar}\n  \
                 %0 = stablehlo.reduce(%a init: %c) applies stablehlo.{op} across dimensions = [0] : \
                 ({ty}, {scalar}) -> {scalar}\n  return %0 : {scalar}\n}}"
            );
            runs(&format!("reduce {op} {element}"), &text, std::slice::from_ref(&input));
        }
        let text = format!(
            "func.func @main(%a: {ty}) -> (tensor<2x{element}>, tensor<2xi32>) {{\n  %0, %1 = chlo.top_k(%a, k = 2) : \
             {ty} -> (tensor<2x{element}>, tensor<2xi32>)\n  return %0, %1 : tensor<2x{element}>, tensor<2xi32>\n}}"
        );
        runs(&format!("top_k {element}"), &text, &[input]);
    }
}

#[test]
fn positions() {
    const X: &str = "tensor<4x3xf32>";
    let operand = tensor("f32[4,3] range");
    for element in INTEGERS {
        for value in borders(element) {
            let scalar = format!("tensor<{element}>");
            let start = tensor(&format!("{element}[] {value}"));
            let list = tensor(&format!("{element}[2,1] {value} {value}"));
            let name = format!("{element} {value}");
            let slice = format!(
                "func.func @main(%x: {X}, %i: {scalar}) -> tensor<2x2xf32> {{\n  %0 = stablehlo.dynamic_slice %x, %i, %i, \
                 sizes = [2, 2] : ({X}, {scalar}, {scalar}) -> tensor<2x2xf32>\n  return %0 : tensor<2x2xf32>\n}}"
            );
            runs(&format!("dynamic_slice {name}"), &slice, &[operand.clone(), start.clone()]);
            let update = format!(
                "func.func @main(%x: {X}, %i: {scalar}) -> {X} {{\n  %u = stablehlo.constant dense<9.0> : tensor<2x2xf32>\n  \
                 %0 = stablehlo.dynamic_update_slice %x, %u, %i, %i : ({X}, tensor<2x2xf32>, {scalar}, {scalar}) -> {X}\n  \
                 return %0 : {X}\n}}"
            );
            runs(&format!("dynamic_update_slice {name}"), &update, &[operand.clone(), start]);
            let gather = format!(
                "func.func @main(%x: {X}, %i: tensor<2x1x{element}>) -> tensor<2x3xf32> {{\n  %0 = \"stablehlo.gather\"(%x, %i) \
                 <{{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], \
                 index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}}> : ({X}, tensor<2x1x{element}>) -> tensor<2x3xf32>\n  \
                 return %0 : tensor<2x3xf32>\n}}"
            );
            runs(&format!("gather {name}"), &gather, &[operand.clone(), list.clone()]);
            for combine in ["stablehlo.add %a, %b", "stablehlo.maximum %a, %b", "stablehlo.multiply %a, %b"] {
                let scatter = format!(
                    "func.func @main(%x: {X}, %i: tensor<2x1x{element}>) -> {X} {{\n  %u = stablehlo.constant dense<9.0> : \
                     tensor<2x3xf32>\n  %0 = \"stablehlo.scatter\"(%x, %i, %u) <{{scatter_dimension_numbers = \
                     #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], \
                     index_vector_dim = 1>}}> ({{\n  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n    %1 = {combine} : tensor<f32>\n    \
                     stablehlo.return %1 : tensor<f32>\n  }}) : ({X}, tensor<2x1x{element}>, tensor<2x3xf32>) -> {X}\n  \
                     return %0 : {X}\n}}"
                );
                runs(&format!("scatter {combine} {name}"), &scatter, &[operand.clone(), list.clone()]);
            }
            let case = "func.func @main(%i: tensor<i32>) -> tensor<i32> {\n  %0 = \"stablehlo.case\"(%i) ({\n    %a = \
                        stablehlo.constant dense<1> : tensor<i32>\n    stablehlo.return %a : tensor<i32>\n  }, {\n    %b = \
                        stablehlo.constant dense<2> : tensor<i32>\n    stablehlo.return %b : tensor<i32>\n  }) : \
                        (tensor<i32>) -> tensor<i32>\n  return %0 : tensor<i32>\n}";
            if element == "i32" {
                runs(&format!("case {name}"), case, &[tensor(&format!("i32[] {value}"))]);
            }
        }
    }
}

#[test]
fn clamps() {
    for element in INTEGERS {
        let values = borders(element);
        let (ty, scalar) = (format!("tensor<{}x{element}>", values.len()), format!("tensor<{element}>"));
        let input = tensor(&format!("{element}[{}] {}", values.len(), values.join(" ")));
        let text = format!(
            "func.func @main(%low: {scalar}, %a: {ty}, %high: {scalar}) -> {ty} {{\n  %0 = stablehlo.clamp %low, %a, %high : \
             ({scalar}, {ty}, {scalar}) -> {ty}\n  return %0 : {ty}\n}}"
        );
        // The lower bound may be above the upper one.
        for (low, high) in values.iter().zip(values.iter().rev()) {
            let bound = |value: &String| tensor(&format!("{element}[] {value}"));
            runs(&format!("clamp {element}"), &text, &[bound(low), input.clone(), bound(high)]);
        }
    }
}

#[test]
fn orders_of_floats() {
    for element in FLOATS {
        let count = NUMBERS.len();
        let ty = format!("tensor<{count}x{element}>");
        let input = tensor(&format!("{element}[{count}] {}", NUMBERS.join(" ")));
        for order in ["FLOAT", "TOTALORDER"] {
            let text = format!(
                "func.func @main(%x: {ty}) -> {ty} {{\n  %0 = \"stablehlo.sort\"(%x) <{{dimension = 0 : i64, is_stable = true}}> \
                 ({{\n  ^bb0(%a: tensor<{element}>, %b: tensor<{element}>):\n    %1 = stablehlo.compare LT, %a, %b, {order} : \
                 (tensor<{element}>, tensor<{element}>) -> tensor<i1>\n    stablehlo.return %1 : tensor<i1>\n  }}) : ({ty}) -> {ty}\n  \
                 return %0 : {ty}\n}}"
            );
            runs(&format!("sort {element} {order}"), &text, std::slice::from_ref(&input));
        }
        let text = format!(
            "func.func @main(%a: {ty}) -> (tensor<3x{element}>, tensor<3xi32>) {{\n  %0, %1 = chlo.top_k(%a, k = 3) : \
             {ty} -> (tensor<3x{element}>, tensor<3xi32>)\n  return %0, %1 : tensor<3x{element}>, tensor<3xi32>\n}}"
        );
        runs(&format!("top_k {element}"), &text, &[input]);
    }
}

/// Converts a function of `%x`, whose first dimension is symbolic, and of the position `%i`, and runs it with sizes of 0,
/// 1 and more at every position.
fn runs_at_sizes(name: &str, result: &str, body: &str) {
    let text = format!(
        "func.func @main(%x: {ROWS}, %i: tensor<i32>) -> {result} {{\n{body}\n  return %r : {result}\n}}"
    );
    let model = model(name, &text).unwrap_or_else(|| panic!("{name} does not convert:\n{text}"));
    for rows in [0, 1, 2, 5] {
        let x = tensor(&format!("f32[{rows},3] range"));
        for position in POSITIONS {
            let i = tensor(&format!("i32[] {position}"));
            // ONNX Runtime rejects a position in an empty tensor, even if the update there has no effect.
            let may_refuse = rows == 0 && name.starts_with("scatter");
            if let Err(error) = runtime::run(&model, &[x.clone(), i])
                && !may_refuse
            {
                panic!("{name}, {rows} rows, position {position}: {error}\n{text}");
            }
        }
    }
}

/// An operand with a symbolic number of rows.
const ROWS: &str = "tensor<?x3xf32>";

#[test]
fn positions_in_symbolic_sizes() {
    let list = "  %l = stablehlo.reshape %i : (tensor<i32>) -> tensor<1x1xi32>\n";
    let gather = |mode: &str, rows: i64| {
        format!(
            "{list}  %r = \"stablehlo.gather\"(%x, %l) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1, 2], \
             start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: {rows}, 3>{mode}}}> : ({ROWS}, \
             tensor<1x1xi32>) -> tensor<1x{rows}x3xf32>"
        )
    };
    runs_at_sizes("gather of no rows", "tensor<1x0x3xf32>", &gather("", 0));
    for combine in ["stablehlo.add %a, %b", "stablehlo.maximum %a, %b", "stablehlo.multiply %a, %b"] {
        let scatter = format!(
            "{list}  %u = stablehlo.constant dense<9.0> : tensor<1x3xf32>\n  %r = \"stablehlo.scatter\"(%x, %l, %u) \
             <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], \
             scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> ({{\n  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n    \
             %1 = {combine} : tensor<f32>\n    stablehlo.return %1 : tensor<f32>\n  }}) : ({ROWS}, tensor<1x1xi32>, \
             tensor<1x3xf32>) -> {ROWS}"
        );
        runs_at_sizes(&format!("scatter {combine}"), ROWS, &scatter);
    }
    let replace = format!(
        "{list}  %u = stablehlo.constant dense<9.0> : tensor<1x3xf32>\n  %r = \"stablehlo.scatter\"(%x, %l, %u) \
         <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], \
         scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> ({{\n  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n    \
         stablehlo.return %b : tensor<f32>\n  }}) : ({ROWS}, tensor<1x1xi32>, tensor<1x3xf32>) -> {ROWS}"
    );
    runs_at_sizes("scatter", ROWS, &replace);
    // The window has as many rows as the operand, or half as many.
    let update = format!(
        "  %r = stablehlo.dynamic_update_slice %x, %x, %i, %i : ({ROWS}, {ROWS}, tensor<i32>, tensor<i32>) -> {ROWS}"
    );
    runs_at_sizes("dynamic_update_slice", ROWS, &update);
    let window = format!(
        "  %z = stablehlo.constant dense<0> : tensor<1xi32>\n  %one = stablehlo.constant dense<1> : tensor<2xi32>\n  \
         %two = stablehlo.constant dense<2> : tensor<i32>\n  %three = stablehlo.constant dense<3> : tensor<1xi32>\n  \
         %n = stablehlo.get_dimension_size %x, dim = 0 : ({ROWS}) -> tensor<i32>\n  \
         %h = stablehlo.divide %n, %two : tensor<i32>\n  %m = stablehlo.subtract %n, %h : tensor<i32>\n  \
         %zs = stablehlo.constant dense<0> : tensor<i32>\n  \
         %c = stablehlo.clamp %zs, %i, %m : tensor<i32>\n  %s = stablehlo.reshape %c : (tensor<i32>) -> tensor<1xi32>\n  \
         %k = stablehlo.reshape %h : (tensor<i32>) -> tensor<1xi32>\n  %e = stablehlo.add %s, %k : tensor<1xi32>\n  \
         %from = stablehlo.concatenate %s, %z, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>\n  \
         %to = stablehlo.concatenate %e, %three, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>\n  \
         %r = stablehlo.real_dynamic_slice %x, %from, %to, %one : ({ROWS}, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> {ROWS}"
    );
    runs_at_sizes("real_dynamic_slice", ROWS, &window);
}

#[test]
fn ops_on_empty_and_single_elements() {
    let reduce = |op: &str| {
        format!(
            "  %c = stablehlo.constant dense<1.0> : tensor<f32>\n  %r = stablehlo.reduce(%x init: %c) applies stablehlo.{op} \
             across dimensions = [0] : ({ROWS}, tensor<f32>) -> tensor<3xf32>"
        )
    };
    for op in ["add", "multiply", "maximum", "minimum"] {
        runs_at_sizes(&format!("reduce {op}"), "tensor<3xf32>", &reduce(op));
    }
    let sort = format!(
        "  %r = \"stablehlo.sort\"(%x) <{{dimension = 0 : i64, is_stable = true}}> ({{\n  ^bb0(%a: tensor<f32>, %b: \
         tensor<f32>):\n    %1 = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>\n    \
         stablehlo.return %1 : tensor<i1>\n  }}) : ({ROWS}) -> {ROWS}"
    );
    runs_at_sizes("sort", ROWS, &sort);
    runs_at_sizes("reverse", ROWS, &format!("  %r = stablehlo.reverse %x, dims = [0] : {ROWS}"));
    let joined = format!("  %r = stablehlo.concatenate %x, %x, dim = 0 : ({ROWS}, {ROWS}) -> {ROWS}");
    runs_at_sizes("concatenate", ROWS, &joined);
    let transpose = format!("  %r = stablehlo.transpose %x, dims = [1, 0] : ({ROWS}) -> tensor<3x?xf32>");
    runs_at_sizes("transpose", "tensor<3x?xf32>", &transpose);
    let dot = format!(
        "  %r = stablehlo.dot_general %x, %x, contracting_dims = [0] x [0] : ({ROWS}, {ROWS}) -> tensor<3x3xf32>"
    );
    runs_at_sizes("dot_general over the rows", "tensor<3x3xf32>", &dot);
    let outer = format!(
        "  %r = stablehlo.dot_general %x, %x, contracting_dims = [1] x [1] : ({ROWS}, {ROWS}) -> tensor<?x?xf32>"
    );
    runs_at_sizes("dot_general of rows", "tensor<?x?xf32>", &outer);
    let pad = format!(
        "  %c = stablehlo.constant dense<1.0> : tensor<f32>\n  %r = stablehlo.pad %x, %c, low = [2, 0], high = [1, 1], \
         interior = [1, 0] : ({ROWS}, tensor<f32>) -> tensor<?x4xf32>"
    );
    runs_at_sizes("pad", "tensor<?x4xf32>", &pad);
}
