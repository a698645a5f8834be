//! One run reports all faults of a text, whatever their kind, and the cost of a report does not grow with the text.

use hlo2onnx::diagnostic::{Style, render};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Checks the code and span of each error of a text, in the order of the text.
fn check(text: &str, expected: &[(&str, &str)]) {
    let source = Source::from_bytes("test.mlir", text.as_bytes().to_vec());
    let conversion = convert(&source, &Options::default());
    assert!(conversion.model.is_none());
    let found: Vec<(&str, &str)> = conversion
        .diagnostics
        .sorted()
        .into_iter()
        .filter(|diagnostic| diagnostic.code().as_str().starts_with('E'))
        .map(|diagnostic| (diagnostic.code().as_str(), &text[diagnostic.span().range()]))
        .collect();
    assert_eq!(found, expected, "{:#?}", conversion.diagnostics);
}

#[test]
fn a_syntax_error_does_not_hide_other_functions() {
    let text = "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x %x : tensor<4xf32>
  %1 = call @f(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = \"a.b\"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
";
    check(text, &[("E0002", "%x"), ("E0201", "a.b")]);
}

#[test]
fn operands_of_faulty_statements_are_live() {
    let text = "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = \"a.b\"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = stablehlo.add %0 %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}
";
    check(text, &[("E0201", "a.b"), ("E0002", "%0")]);
}

#[test]
fn faults_of_three_stages() {
    let text = "func.func public @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = stablehlo.transpose %x, dims = [0, 2] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = \"a.b\"(%0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = stablehlo.add %1 %1 : tensor<2x3xf32>
  %3 = call @gone(%2) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = stablehlo.negate %3 : tensor<2x3xf32>
  return %4 : tensor<2x3xf32>
}
";
    check(text, &[("E0109", "2"), ("E0201", "a.b"), ("E0002", "%1"), ("E0107", "@gone")]);
}

#[test]
fn the_body_of_a_function_with_a_faulty_signature_is_checked() {
    let text = "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = \"a.b\"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func private @f(%x: tensor<4xf33>) -> tensor<4xf32> {
  %0 = \"c.d\"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = stablehlo.add %0 %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}
";
    check(text, &[("E0201", "a.b"), ("E0002", "f33"), ("E0201", "c.d"), ("E0002", "%0")]);
    let main =
        text.replace("@main", "@g").replace("private @f", "public @main").replace("public @g", "private @g");
    check(&main, &[("E0107", "@f"), ("E0201", "a.b"), ("E0002", "f33"), ("E0201", "c.d"), ("E0002", "%0")]);
}

#[test]
fn the_regions_of_a_faulty_op_are_checked() {
    let text = "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.while(%a %x) : tensor<4xf32>
  cond {
    %1 = \"a.b\"(%a) : (tensor<4xf32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %2 = \"c.d\"(%a) : (tensor<4xf32>) -> tensor<4xf32>
    stablehlo.return %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
";
    check(text, &[("E0002", "%x"), ("E0201", "a.b"), ("E0201", "c.d")]);
}

#[test]
fn a_faulty_end_of_a_region_or_function_is_one_fault() {
    let text = "func.func public @main(%x: tensor<4xf32>, %p: tensor<i1>) -> tensor<4xf32> {
  %0 = \"stablehlo.if\"(%p) ({
    %1 = \"a.b\"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    stablehlo.return %1 tensor<4xf32>
  }, {
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  %2 = stablehlo.negate %0 : tensor<4xf32>
  return %2 tensor<4xf32>
}
";
    let found = |text: &str| {
        let source = Source::from_bytes("test.mlir", text.as_bytes().to_vec());
        let diagnostics = convert(&source, &Options::default()).diagnostics;
        diagnostics
            .sorted()
            .iter()
            .map(|one| one.code().as_str())
            .filter(|code| code.starts_with('E'))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(text), ["E0201", "E0002", "E0002"]);
}

#[test]
fn unread_values_cause_no_further_errors() {
    // A pad needs a constant, and a slice needs sizes: neither is reported as missing if the text could not be read.
    let text = "func.func public @main(%x: tensor<4xf32>) -> tensor<6xf32> {
  %c = stablehlo.constant dense<0.0 : tensor<f32>
  %i = stablehlo.add %j %j : tensor<i32>
  %0 = stablehlo.pad %x, %c, low = [1], high = [1], interior = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<6xf32>
  %1 = stablehlo.dynamic_slice %0, %i, sizes = [6] : (tensor<6xf32>, tensor<i32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}
";
    check(text, &[("E0003", "<"), ("E0002", "%j")]);
}

#[test]
fn both_sides_of_a_mismatch_are_shown() {
    let text = "func.func public @main(%x: tensor<2x3x4xf32>) -> tensor<2x3x4x5xf32> {
  %0 = stablehlo.broadcast_in_dim %x, dims = [0, 1] : (tensor<2x3x4xf32>) -> tensor<2x3x4x5xf32>
  return %0 : tensor<2x3x4x5xf32>
}
";
    let source = Source::from_bytes("test.mlir", text.as_bytes().to_vec());
    let diagnostics = convert(&source, &Options::default()).diagnostics;
    let labels: Vec<(&str, &str)> = diagnostics
        .errors()
        .flat_map(|error| &error.labels)
        .map(|label| (&text[label.span.range()], label.text.as_str()))
        .collect();
    assert_eq!(labels, [("[0, 1]", "this has 2 numbers"), ("tensor<2x3x4xf32>", "this has 3 dimensions")]);
}

/// A text of about `bytes` bytes, most of them in one literal and the others in ops, with a syntax error, an
/// unsupported op and a type error at its end.
fn large(bytes: usize) -> Vec<u8> {
    let mut text = String::from("func.func public @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n");
    let elements = bytes / 16 / 4;
    let _ = writeln!(
        text,
        "  %c = stablehlo.constant dense<\"0x{}\"> : tensor<{elements}xf32>",
        "0123ABCD".repeat(elements)
    );
    let mut last = "%x".to_owned();
    for index in 0.. {
        if text.len() > bytes {
            break;
        }
        let _ = writeln!(text, "  %n{index} = stablehlo.add {last}, %x : tensor<2x3xf32>");
        last = format!("%n{index}");
    }
    let _ = write!(
        text,
        "  %a = stablehlo.add {last} {last} : tensor<2x3xf32>
  %b = \"a.b\"({last}) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %d = stablehlo.transpose %b, dims = [1, 1] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %a : tensor<2x3xf32>\n}}\n"
    );
    text.into_bytes()
}

/// The least time of several runs to locate the parts and show the diagnostics of a text.
fn cost(bytes: usize) -> Duration {
    let source = Source::from_bytes("large.mlir", large(bytes));
    let diagnostics = convert(&source, &Options::default()).diagnostics;
    let codes: Vec<&str> = diagnostics
        .sorted()
        .iter()
        .map(|one| one.code().as_str())
        .filter(|code| code.starts_with('E'))
        .collect();
    assert_eq!(codes, ["E0002", "E0201", "E0109"]);
    let spans: Vec<_> = diagnostics.errors().map(|error| error.span()).collect();
    let one = || {
        let start = Instant::now();
        for &span in &spans {
            let part = hlo2onnx::diagnostic::Part::Operand(0);
            hlo2onnx::syntax::locate(&source, span, &part);
        }
        let out = render(&diagnostics, &source, &|_| None, Style::PLAIN);
        let elapsed = start.elapsed();
        assert!(out.lines().count() < 60 && out.len() < 10_000, "{out}");
        elapsed
    };
    (0..5).map(|_| one()).min().unwrap_or_default()
}

#[test]
fn a_diagnostic_costs_the_same_in_a_large_file() {
    let (small, large) = (cost(1 << 16), cost(1 << 21));
    assert!(large < Duration::from_millis(150), "three diagnostics took {large:?}");
    // The text is 32 times as large; the rest is a binary search and noise.
    assert!(
        large < 8 * small + Duration::from_millis(5),
        "{small:?} in the small text, {large:?} in the large one"
    );
}
