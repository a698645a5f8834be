//! The parser on real text: everything parses, and the printed module parses to the same module.

use hlo2onnx::ir;
use hlo2onnx::source::Source;
use hlo2onnx::syntax;
use std::path::{Path, PathBuf};

fn mlir_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            // The files in `errors` are faulty on purpose.
            if path.is_dir() {
                folders.extend(Some(path).filter(|path| !path.ends_with("errors")));
            } else if path.extension().is_some_and(|extension| extension == "mlir") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Parses a file without diagnostics, and compares the module with its printed form, parsed again.
fn round_trip(path: &Path) -> Result<(), String> {
    let source = Source::open(path).map_err(|error| error.to_string())?;
    let (module, diagnostics) = syntax::parse(&source);
    if let Some(first) = diagnostics.sorted().first() {
        let (line, column) = source.line_column(first.span().start);
        return Err(format!("{line}:{column}: {} {}", first.code(), first.message));
    }
    let printed = ir::print(&module, &source, None);
    let again = Source::from_bytes("printed", printed.clone().into_bytes());
    let (module, diagnostics) = syntax::parse(&again);
    if let Some(first) = diagnostics.sorted().first() {
        let (line, column) = again.line_column(first.span().start);
        let text = printed.lines().nth(line - 1).unwrap_or_default();
        return Err(format!("printed {line}:{column}: {} {}: {text:.300}", first.code(), first.message));
    }
    let twice = ir::print(&module, &again, None);
    let without_numbers = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("#loc"));
        lines.map(|line| line.split(" loc(#loc").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    let (once, twice) = (without_numbers(&printed), without_numbers(&twice));
    match once.iter().zip(&twice).find(|(left, right)| left != right) {
        Some((left, right)) => Err(format!("printed {left:.300}\nagain   {right:.300}")),
        None if once.len() == twice.len() => Ok(()),
        None => Err("texts of different lengths".to_owned()),
    }
}

fn round_trip_all(root: &Path) -> usize {
    let files = mlir_files(root);
    let failures: Vec<String> = files
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), round_trip(path).err()?)))
        .collect();
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {} failed:\n{shown}", failures.len(), files.len());
    files.len()
}

/// `HLO2ONNX_CORPUS=folder` adds other texts.
#[test]
fn corpus_round_trips() {
    let Some(root) = std::env::var_os("HLO2ONNX_CORPUS") else { return };
    assert!(round_trip_all(Path::new(&root)) > 0, "the corpus is empty");
}

/// The text with other whitespace: statements over several lines, several on one line, comments and tabs between
/// tokens.
fn respaced(text: &str, mut seed: u32) -> String {
    let mut spaces = |of: &[&'static str]| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        of[(seed >> 24) as usize % of.len()]
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let mut escaped = true;
                let end = rest.bytes().position(|byte| {
                    let end = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    end
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            '/' if rest.starts_with("//") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            _ => first.len_utf8(),
        };
        match first {
            ' ' | '\n' => out.push_str(spaces(&[" ", " ", "\n", "\t", " // %0 = \"a\"({\n", "\r\n  "])),
            '<' if out.ends_with("tensor") => out.push_str(spaces(&["<", " <", "\n< "])),
            '(' if out.ends_with("loc") => out.push_str(spaces(&["(", " (", "(\n"])),
            ',' | ')' | ']' => {
                out.push_str(spaces(&["", "", " ", "\n"]));
                out.push_str(&rest[..length]);
                out.push_str(spaces(&["", "", " // )\n"]));
            }
            _ => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out
}

#[test]
fn statements_end_where_their_grammar_ends_them() {
    let read = |name: &str, text: String| {
        let source = Source::from_bytes(name, text.into_bytes());
        let (module, diagnostics) = syntax::parse(&source);
        let first = diagnostics.sorted().first().map(|first| {
            let (line, column) = source.line_column(first.span().start);
            format!("{name}:{line}:{column}: {} {}", first.code(), first.message)
        });
        assert_eq!(first, None);
        // Attributes of unknown dialects are kept as written, with their spaces.
        ir::print(&module, &source, None).replace([' ', '\t', '\r'], "")
    };
    let files = mlir_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ops"));
    assert!(files.len() > 100);
    for (seed, path) in files.iter().enumerate().step_by(2) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let name = path.display().to_string();
        let other = respaced(&text, seed as u32);
        assert_eq!(read(&name, text), read(&name, other), "{name}");
    }
}

#[test]
fn a_type_after_to_may_be_on_the_next_line() {
    for space in [" ", "\t", "\n", "\r\n"] {
        let cast = format!("    %0 = arith.index_cast %arg1 : tensor<i32>{space}to\n  tensor<index>");
        assert_eq!(faults(&in_main(&cast)), [], "{space:?}");
    }
}

/// Codes and the text of their spans.
fn faults(text: &str) -> Vec<(String, String)> {
    let source = Source::from_bytes("test", text.as_bytes().to_vec());
    let (_, diagnostics) = syntax::parse(&source);
    let place =
        |span: hlo2onnx::source::Span| String::from_utf8_lossy(&source.bytes()[span.range()]).into_owned();
    diagnostics.sorted().iter().map(|fault| (fault.code().to_string(), place(fault.span()))).collect()
}

fn in_main(body: &str) -> String {
    format!(
        "module @m {{\n  func.func public @main(%arg0: tensor<4xf32>, %arg1: tensor<i32>) -> tensor<4xf32> {{\n\
         {body}\n    return %arg0 : tensor<4xf32>\n  }}\n}}\n"
    )
}

/// The generic form of the ops before the `return`.
fn generic(body: &str) -> String {
    let source = Source::from_bytes("test", in_main(body).into_bytes());
    let (module, diagnostics) = syntax::parse(&source);
    let faults: Vec<_> = diagnostics.iter().map(|fault| (&fault.message, fault.span())).collect();
    assert!(faults.is_empty(), "{body}: {faults:?}");
    let printed = ir::print(&module, &source, None);
    let lines = printed.lines().skip(2).take_while(|line| !line.contains("func.return"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn patterns_of_jax_round_trip() {
    assert!(round_trip_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")) > 300);
}

#[test]
fn custom_forms_parse_to_their_generic_forms() {
    let cases = [
        (
            "%0 = stablehlo.transpose %arg0, dims = [0] : (tensor<4xf32>) -> tensor<4xf32>",
            r#"%0 = "stablehlo.transpose"(%arg0) <{permutation = array<i64: 0>}> : (tensor<4xf32>) -> tensor<4xf32>"#,
        ),
        (
            "%0 = stablehlo.slice %arg0 [1:4:2] : (tensor<4xf32>) -> tensor<2xf32>",
            r#"%0 = "stablehlo.slice"(%arg0) <{limit_indices = array<i64: 4>, start_indices = array<i64: 1>, strides = array<i64: 2>}> : (tensor<4xf32>) -> tensor<2xf32>"#,
        ),
        (
            "%0 = stablehlo.compare LT, %arg0, %arg0, FLOAT {a} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>",
            r#"%0 = "stablehlo.compare"(%arg0, %arg0) <{compare_type = #stablehlo<comparison_type FLOAT>, comparison_direction = #stablehlo<comparison_direction LT>}> {a} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>"#,
        ),
        (
            "%0 = stablehlo.reduce_precision %arg0, format = e5m10 : tensor<4xf32>",
            r#"%0 = "stablehlo.reduce_precision"(%arg0) <{exponent_bits = 5 : i32, mantissa_bits = 10 : i32}> : (tensor<4xf32>) -> tensor<4xf32>"#,
        ),
        (
            "%0 = stablehlo.dot_general %arg0, %arg0, contracting_dims = [0] x [0], precision = [DEFAULT, HIGH], algorithm = <lhs_precision_type = tf32, allow_imprecise_accumulation = false> : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>",
            r#"%0 = "stablehlo.dot_general"(%arg0, %arg0) <{algorithm = #stablehlo.dot_algorithm<lhs_precision_type = tf32, allow_imprecise_accumulation = false>, dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision HIGH>]}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>"#,
        ),
        (
            "%c = stablehlo.constant dense<0.0> : tensor<1x4x4x2xf32>\n\
             %k = stablehlo.constant dense<0.0> : tensor<3x3x2x2xf32>\n\
             %0 = stablehlo.convolution(%c, %k) dim_numbers = [b, 0, 1, f]x[1, 0, i, o]->[b, 0, 1, f], window = {stride = [2, 1], pad = [[1, 1], [0, 2]], rhs_dilate = [1, 1], reverse = [false, true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x4x4x2xf32>, tensor<3x3x2x2xf32>) -> tensor<1x2x4x2xf32>",
            "%0 = \"stablehlo.constant\"() <{value = dense<0.0> : tensor<1x4x4x2xf32>}> : () -> tensor<1x4x4x2xf32>\n\
             %1 = \"stablehlo.constant\"() <{value = dense<0.0> : tensor<3x3x2x2xf32>}> : () -> tensor<3x3x2x2xf32>\n\
             %2 = \"stablehlo.convolution\"(%0, %1) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[1, 0, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, padding = dense<[[1, 1], [0, 2]]> : tensor<2x2xi64>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, window_strides = array<i64: 2, 1>}> : (tensor<1x4x4x2xf32>, tensor<3x3x2x2xf32>) -> tensor<1x2x4x2xf32>",
        ),
        (
            "%c = stablehlo.constant dense<0.0> : tensor<f32>\n\
             %0 = stablehlo.reduce(%arg0 init: %c) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>",
            "%0 = \"stablehlo.constant\"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>\n\
             %1 = \"stablehlo.reduce\"(%arg0, %0) <{dimensions = array<i64: 0>}> ({\n\
             ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n\
             %2 = \"stablehlo.add\"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>\n\
             \"stablehlo.return\"(%2) : (tensor<f32>) -> ()\n\
             }) : (tensor<4xf32>, tensor<f32>) -> tensor<f32>",
        ),
        (
            "%0:2 = stablehlo.while(%i = %arg1, %x = %arg0) : tensor<i32>, tensor<4xf32> attributes {a = 1 : i32}\n\
             cond {\n%p = stablehlo.constant dense<false> : tensor<i1>\nstablehlo.return %p : tensor<i1>\n\
             } do {\nstablehlo.return %i, %x : tensor<i32>, tensor<4xf32>\n}",
            "%0:2 = \"stablehlo.while\"(%arg1, %arg0) ({\n^bb0(%i: tensor<i32>, %x: tensor<4xf32>):\n\
             %p = \"stablehlo.constant\"() <{value = dense<false> : tensor<i1>}> : () -> tensor<i1>\n\
             \"stablehlo.return\"(%p) : (tensor<i1>) -> ()\n}, {\n^bb0(%j: tensor<i32>, %y: tensor<4xf32>):\n\
             \"stablehlo.return\"(%j, %y) : (tensor<i32>, tensor<4xf32>) -> ()\n\
             }) {a = 1 : i32} : (tensor<i32>, tensor<4xf32>) -> (tensor<i32>, tensor<4xf32>)",
        ),
        (
            "%0:2 = chlo.scan(%arg0) inits (%arg1) dimension=0 {\n^bb0(%x: tensor<f32>, %c: tensor<i32>):\n\
             stablehlo.return %x, %c : tensor<f32>, tensor<i32>\n} : (tensor<4xf32>, tensor<i32>) -> (tensor<4xf32>, tensor<i32>)",
            "%0:2 = \"chlo.scan\"(%arg0, %arg1) <{dimension = 0 : i64, operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1, 1>}> ({\n\
             ^bb0(%x: tensor<f32>, %c: tensor<i32>):\n\
             \"stablehlo.return\"(%x, %c) : (tensor<f32>, tensor<i32>) -> ()\n\
             }) : (tensor<4xf32>, tensor<i32>) -> (tensor<4xf32>, tensor<i32>)",
        ),
        (
            "%0 = stablehlo.composite \"a.b\" %arg0 {decomposition = @f, version = 1 : i32} : (tensor<4xf32>) -> tensor<4xf32>",
            r#"%0 = "stablehlo.composite"(%arg0) <{decomposition = @f, name = "a.b", version = 1 : i32}> : (tensor<4xf32>) -> tensor<4xf32>"#,
        ),
        (
            "%0 = stablehlo.custom_call @\"my target\"(%arg0) {backend_config = \"\\22x\\22\"} : (tensor<4xf32>) -> tensor<4xf32>",
            r#"%0 = "stablehlo.custom_call"(%arg0) <{backend_config = "\22x\22", call_target_name = "my target"}> : (tensor<4xf32>) -> tensor<4xf32>"#,
        ),
    ];
    for (custom, expected) in cases {
        assert_eq!(generic(custom), generic(expected));
    }
}

#[test]
fn literals_in_all_their_forms() {
    let element = |literal: &str, ty: &str| {
        let printed = generic(&format!("%0 = stablehlo.constant dense<{literal}> : tensor<{ty}>"));
        let start = printed.find("dense<").expect("a literal");
        let end = printed.find("> : tensor").expect("its type");
        printed[start + 6..end].to_owned()
    };
    assert_eq!(element("0xFF800000", "f32"), "0xFF800000");
    assert_eq!(element("1.000000e+00", "bf16"), "1.0");
    assert_eq!(element("1.500000e+00", "f8E4M3FN"), "0x3C");
    assert_eq!(element("-4.0", "f4E2M1FN"), "0x0E");
    assert_eq!(element("(1.0, -2.5)", "2xcomplex<f32>"), "(1.0, -2.5)");
    assert_eq!(element("[true, false]", "2xi1"), "[true, false]");
    assert_eq!(element("", "0x3xf32"), "");
    assert_eq!(element("-8", "i4"), "-8");
    assert_eq!(element("18446744073709551615", "ui64"), "18446744073709551615");
    assert_eq!(element("\"0x0100FFFF\"", "2xi16"), "[1, -1]");
    // Packed bits, lowest first, or one byte for each.
    assert_eq!(element("\"0x05\"", "3xi1"), "[true, false, true]");
    assert_eq!(element("\"0x010001\"", "3xi1"), "[true, false, true]");
    // A list of equal elements is the splat.
    assert_eq!(element("[[7, 7], [7, 7]]", "2x2xi32"), "7");
    // Digits that the scan lifted out.
    let digits: String = (0..80u8).map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(element(&format!("\"0x{digits}\""), "80xui8"), format!("\"0x{digits}\""));
}

#[test]
fn statements_of_one_shape_are_distinguished() {
    let printed = generic(
        "%0 = stablehlo.add %arg0, %arg0 : tensor<4xf32>\n%long_name = stablehlo.add %0, %arg0 : tensor<4xf32>\n\
         %2:2 = stablehlo.optimization_barrier %0, %long_name : tensor<4xf32>, tensor<4xf32>\n\
         %3 = stablehlo.add %2#1, %2#0 : tensor<4xf32>\n%4 = stablehlo.add %2#0, %long_name : tensor<4xf32>",
    );
    let operands: Vec<_> = printed
        .lines()
        .map(|line| &line[line.find('(').unwrap_or(0)..=line.find(')').unwrap_or(0)])
        .collect();
    assert_eq!(operands, ["(%arg0, %arg0)", "(%0, %arg0)", "(%0, %1)", "(%2#1, %2#0)", "(%2#0, %1)"]);
    let wrong = "%0 = stablehlo.abs %arg0 : tensor<4xf32>\n%10 = stablehlo.abs %undefined : tensor<4xf32>";
    assert_eq!(faults(&in_main(wrong)), [("E0101".to_owned(), "%undefined".to_owned())]);
}

#[test]
fn resources_aliases_and_modules_in_generic_form() {
    let text = "!t = tensor<2xf32>\n#m = affine_map<(d0) -> (d0)>\n\
        \"builtin.module\"() <{sym_name = \"m\"}> ({\n\
        \"func.func\"() <{function_type = (tensor<2xf32>) -> tensor<2xf32>, sym_name = \"f\", sym_visibility = \"private\"}> ({\n\
        ^bb0(%a: !t):\n%0 = stablehlo.constant dense_resource<w> : !t\n\
        %1 = \"stablehlo.add\"(%a, %0) {m = #m} : (!t, !t) -> !t\n\"func.return\"(%1) : (!t) -> ()\n}) : () -> ()\n\
        }) {a = 1 : i32} : () -> ()\n\
        {-#\n  dialect_resources: {\n    builtin: {\n      w: \"0x040000000000803F00000040\"\n    }\n  }\n#-}\n";
    let source = Source::from_bytes("test", text.as_bytes().to_vec());
    let (module, diagnostics) = syntax::parse(&source);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let printed = ir::print(&module, &source, None);
    for part in [
        "module @m attributes {a = 1 : i32}",
        "private @f(",
        "dense<[1.0, 2.0]>",
        "m = affine_map<(d0) -> (d0)>",
    ] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
}

#[test]
fn a_fault_is_reported_once_at_its_span() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("%0 = stablehlo.abs %argo : tensor<4xf32>", &[("E0101", "%argo")]),
        ("%0 = stablehlo.abs %arg1 : tensor<4xf32>", &[("E0103", "%arg1")]),
        ("%0 = stablehlo.add %arg0 %arg0 : tensor<4xf32>", &[("E0002", "%arg0")]),
        ("%0 = stablehlo.abs %arg0 : tensor<4xf33>", &[("E0002", "f33")]),
        // The statement after an unfinished one is parsed, and uses of the faulty result cause no reports.
        ("%0 = stablehlo.abs %arg0 :\n%1 = stablehlo.abs %0 : tensor<4xf32>", &[("E0002", ":")]),
        (
            "%0 = \"stablehlo.abs\"(%arg0 : tensor<4xf32>\n%1 = stablehlo.abs %x : tensor<4xf32>",
            &[("E0003", "("), ("E0101", "%x")],
        ),
        (
            "%0 = stablehlo.transpose %arg0, dimz = [0] : (tensor<4xf32>) -> tensor<4xf32>",
            &[("E0002", "dimz")],
        ),
        ("%0 = stablehlo.constant dense<[1.0, 2.0]> : tensor<3xf32>", &[("E0006", "[1.0, 2.0]")]),
        ("%0 = stablehlo.constant dense<256> : tensor<ui8>", &[("E0007", "256")]),
        ("%0 = stablehlo.abs %arg0 : tensor<4xf32> loc(#loc3)", &[("E0008", "#loc3")]),
        ("%0 = stablehlo.abz %arg0 : tensor<4xf32>", &[("E0208", "stablehlo.abz")]),
        ("%0:2 = stablehlo.abs %arg0 : tensor<4xf32>", &[("E0105", "%0:2")]),
        (
            "%0 = stablehlo.abs %1 : tensor<4xf32>\n%1 = stablehlo.abs %arg0 : tensor<4xf32>",
            &[("E0112", "%1")],
        ),
        (
            "%0 = stablehlo.abs %arg0 : tensor<4xf32>\n%0 = stablehlo.abs %arg0 : tensor<4xf32>",
            &[("E0102", "%0")],
        ),
        (
            "%c = stablehlo.constant dense<0.0> : tensor<f32>\n\
             %0 = stablehlo.reduce(%arg0 init: %c) across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>\n\
             reducer(%a: tensor<f32>, %b: tensor<f32>) {\n%1 = stablehlo.ad %a, %b : tensor<f32>\n\
             %2 = stablehlo.add %1, %z : tensor<f32>\nstablehlo.return %2 : tensor<f32>\n}\n\
             %3 = stablehlo.abs %a : tensor<f32>",
            &[("E0208", "stablehlo.ad"), ("E0101", "%z"), ("E0112", "%a")],
        ),
    ];
    for (body, expected) in cases {
        let expected: Vec<_> =
            expected.iter().map(|(code, place)| ((*code).to_owned(), (*place).to_owned())).collect();
        assert_eq!(faults(&in_main(body)), expected, "{body}");
    }
}

#[test]
fn files_that_are_not_programs() {
    let codes = |text: &str| faults(text).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(""), ["E0001"]);
    assert_eq!(codes("// nothing\n\n"), ["E0005"]);
    assert_eq!(codes("module {}"), ["E0005"]);
    assert_eq!(codes("ML\u{0}R\u{1}"), ["E0001"]);
    assert_eq!(codes("module {\n  func.func @f() {\n    return\n"), ["E0003"]);
    let bytecode = Source::from_bytes("test", b"ML\xEFR\x06StableHLO_v1".to_vec());
    assert_eq!(syntax::parse(&bytecode).1.sorted()[0].code().as_str(), "E0011");
    let latin = Source::from_bytes("test", b"func.func @f() { return } loc(\"caf\xE9\")".to_vec());
    assert_eq!(syntax::parse(&latin).1.sorted()[0].code().as_str(), "E0001");
}

#[test]
fn deep_and_long_texts_are_safe() {
    let deep = 100_000;
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("({", "})"), ("{\"a\"()", "}")] {
        let nested = format!("{}{}", open.repeat(deep), close.repeat(deep));
        for text in [in_main(&format!("%0 = \"a.b\"() {nested} : () -> ()")), nested, open.repeat(deep)] {
            assert!(faults(&text).iter().any(|(code, _)| code != "E0005"), "{open}");
        }
    }
    let regions = format!("{}{}", "\"a.b\"() ({\n".repeat(deep), "}) : () -> ()\n".repeat(deep));
    assert!(faults(&in_main(&regions)).iter().any(|(code, _)| code == "E0004"));
    // As deep as the limit allows, in regions and in attributes.
    let regions = format!("{}{}", "\"a.b\"() ({\n".repeat(120), "}) : () -> ()\n".repeat(120));
    assert_eq!(faults(&in_main(&regions)), []);
    let list = format!("\"a.b\"() {{x = {}{}}} : () -> ()", "[".repeat(120), "]".repeat(120));
    assert_eq!(faults(&in_main(&list)), []);
    let chain: String =
        (0..deep).map(|index| format!("#loc{index} = loc(\"a\"(#loc{}))\n", index + 1)).collect();
    let text = format!(
        "{}{chain}#loc{deep} = loc(unknown)\n",
        in_main("%0 = stablehlo.abs %arg0 : tensor<4xf32> loc(#loc0)")
    );
    assert_eq!(faults(&text), []);
    assert!(
        faults("#a = #b\n#b = #a\nmodule attributes {x = #a} {}").iter().any(|(code, _)| code == "E0004")
    );
    let line = format!("%0 = stablehlo.abs {} : tensor<4xf32>", "%arg0, ".repeat(deep));
    assert!(!faults(&in_main(&line)).is_empty());
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    fn survives(bytes: Vec<u8>) {
        let source = Source::from_bytes("arbitrary", bytes);
        let (module, diagnostics) = syntax::parse(&source);
        for diagnostic in &diagnostics {
            assert!(diagnostic.span().end <= source.bytes().len().max(1));
            assert!(!diagnostic.message.is_empty());
        }
        if diagnostics.is_empty() {
            let printed = ir::print(&module, &source, None);
            let again = Source::from_bytes("printed", printed.clone().into_bytes());
            assert!(syntax::parse(&again).1.is_empty(), "{printed}");
        }
    }

    const TEXT: &str = include_str!("syntax.mlir");

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            survives(bytes);
        }

        #[test]
        fn any_tokens(words in proptest::collection::vec(
            proptest::sample::select(TEXT.split_inclusive([' ', '(', '<', '\n', ',', '"']).collect::<Vec<_>>()), 0..60)) {
            survives(words.concat().into_bytes());
        }

        #[test]
        fn mutations(cuts in proptest::collection::vec((0..TEXT.len(), 0usize..12, any::<u8>(), any::<bool>()), 1..5)) {
            let mut bytes = TEXT.as_bytes().to_vec();
            for (at, length, byte, insert) in cuts {
                let start = at.min(bytes.len());
                let end = (start + length).min(bytes.len());
                let byte = b"(){}[]<>\"%#@:,=-x0 \n\\\xFF"[usize::from(byte) % 22];
                bytes.splice(start..end, insert.then_some(byte));
            }
            survives(bytes);
        }
    }
}
