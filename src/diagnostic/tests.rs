//! Rendered diagnostics against expected text.

use super::catalog::*;
use super::excerpt::ExcerptSource;
use super::render::render_text;
use super::{Diagnostic, Diagnostics, Label, Part, PythonFrame, Style, json};
use crate::source::{Source, Span};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const PROGRAM: &str = "\
module @jit_f {
  func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.abs %arg0 : tensor<4xf32>
    %1 = \"stablehlo.infeed\"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = stablehlo.negate %1 : tensor<4xf32>
    %3 = stablehlo.negate %2 : tensor<4xf32>
    %4 = stablehlo.negate %3 : tensor<4xf32>
    %0 = stablehlo.negate %4 : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
";

/// The place of the `nth` occurrence of `what`.
fn find(text: &str, what: &str, nth: usize) -> Span {
    let (start, _) = text.match_indices(what).nth(nth).expect("the test's text holds the place it marks");
    Span::new(start, start + what.len())
}

fn plain(text: &str, diagnostics: Vec<Diagnostic>) -> String {
    drawn(&ExcerptSource::unscanned("model.mlir", text.as_bytes()), diagnostics, Style::PLAIN)
}

fn drawn(text: &ExcerptSource<'_>, diagnostics: Vec<Diagnostic>, style: Style) -> String {
    render_text(&Diagnostics::from(diagnostics), text, &|_| None, style)
}

#[test]
fn no_diagnostics_no_output() {
    assert_eq!(plain(PROGRAM, Vec::new()), "");
}

/// A diagnostic with one label and no help.
fn undefined(name: &str, at: Span) -> Diagnostic {
    UndefinedValue { name, nearest: None, at }.into()
}

#[test]
fn an_op_with_its_place() {
    let at = find(PROGRAM, "\"stablehlo.infeed\"", 0);
    let expected = r#"
error[E0201]: `stablehlo.infeed` is not supported
   ,-[model.mlir:4:10]
 4 |     %1 = "stablehlo.infeed"(%0) : (tensor<4xf32>) -> tensor<4xf32>
   :          ^^^^^^^^^|^^^^^^^^
   :                   `-- no lowering for this op
   `----
  note: it exchanges data with the host while the program runs; `jax.lax.infeed` and
        `jax.lax.outfeed` in older releases print it
  help: take the fed values as arguments of the function, and return what is sent out

model.mlir: 1 error
"#;
    assert_eq!(plain(PROGRAM, vec![UnsupportedOp { op: "stablehlo.infeed", at }.into()]), &expected[1..]);
}

#[test]
fn labels_far_apart_get_a_window_each_and_the_primary_one_is_first() {
    let expected = r#"
error[E0102]: `%0` is defined twice
   ,-[model.mlir:8:5]
 8 |     %0 = stablehlo.negate %4 : tensor<4xf32>
   :     ^|
   :      `-- defined again here
   `----
   ,-[model.mlir:3:5]
 3 |     %0 = stablehlo.abs %arg0 : tensor<4xf32>
   :     ^|
   :      `-- first defined here
   `----
  help: rename one of them, and its uses

model.mlir: 1 error
"#;
    let redefined = RedefinedValue { name: "%0", at: find(PROGRAM, "%0", 2), first: find(PROGRAM, "%0", 0) };
    assert_eq!(plain(PROGRAM, vec![redefined.into()]), &expected[1..]);
}

#[test]
fn empty_places_far_apart_keep_their_windows() {
    let redefined = RedefinedValue { name: "%a", at: Span::new(7, 7), first: Span::new(2, 2) };
    let out = plain("a\n\n\n\n\n\n\n", vec![redefined.into()]);
    assert!(out.contains("[model.mlir:7:1]") && out.contains("[model.mlir:2:1]"), "{out}");
}

#[test]
fn labels_on_near_lines_share_a_window() {
    let expected = r#"
error[E0112]: the definition of `%1` does not dominate its use
   ,-[model.mlir:3:5]
 3 |     %0 = stablehlo.abs %arg0 : tensor<4xf32>
   :     ^|
   :      `-- used here
 4 |     %1 = "stablehlo.infeed"(%0) : (tensor<4xf32>) -> tensor<4xf32>
 5 |     %2 = stablehlo.negate %1 : tensor<4xf32>
   :                           ^|
   :                            `-- defined here
   `----
  help: move the definition up, or return the value from its region

model.mlir: 1 error
"#;
    let (at, definition) = (find(PROGRAM, "%0", 0), find(PROGRAM, "%1", 1));
    let out = plain(PROGRAM, vec![NotDominated { name: "%1", at, definition }.into()]);
    assert_eq!(out, &expected[1..]);
}

#[test]
fn a_span_of_many_lines_is_shown_by_its_first() {
    let expected = r#"
error[E0101]: `main` is not defined
   ,-[model.mlir:2:3]
 2 |   func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
   :   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^|^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   :                                  `-- not defined in this scope (up to line 10)
   `----
  help: the line that defines it may be missing or in another region

model.mlir: 1 error
"#;
    let at = Span::new(find(PROGRAM, "func.func", 0).start, find(PROGRAM, "  }", 0).end);
    assert_eq!(plain(PROGRAM, vec![undefined("main", at)]), &expected[1..]);
}

#[test]
fn the_end_of_the_text_can_be_marked() {
    let expected = r#"
error[E0003]: `{` is never closed
   ,-[model.mlir:1:11]
 1 | module @m {
   :           |
   :           `-- opened here
 2 |   a
   :    ^
   :    `-- still open here
   `----
  help: the file may be truncated: write the text again

model.mlir: 1 error
"#;
    let text = "module @m {\n  a";
    let unclosed =
        UnclosedDelimiter { delimiter: "{", at: find(text, "{", 0), end: Span::new(15, 15), ends: false };
    assert_eq!(plain(text, vec![unclosed.into()]), &expected[1..]);
}

#[test]
fn without_a_place_there_is_only_the_message() {
    let expected = "\
error[E0402]: cannot read `w.npz`: no such file

advice[A0601]: the text has no locations: Python names and lines are unknown
  help: print it with locations: `lowered.as_text(debug_info=True)`
model.mlir: 1 error, 1 advice
";
    let cannot = CannotRead { path: "w.npz", why: "no such file", remedy: None };
    assert_eq!(plain(PROGRAM, vec![NoLocations {}.into(), cannot.into()]), expected);
}

#[test]
fn repeats_are_shown_once_and_duplicates_not_counted() {
    let negate =
        |nth| UnsupportedOp { op: "stablehlo.negate", at: find(PROGRAM, "stablehlo.negate", nth) }.into();
    let expected = r#"
error[E0201]: `stablehlo.negate` is not supported
   ,-[model.mlir:5:10]
 5 |     %2 = stablehlo.negate %1 : tensor<4xf32>
   :          ^^^^^^^^|^^^^^^^
   :                  `-- no lowering for this op
   `----
  help: `hlo2onnx ops` lists the supported ops; see also `hlo2onnx explain E0201`
  and 3 more like this, at lines 6, 7, 8

model.mlir: 4 errors
"#;
    let out = plain(PROGRAM, vec![negate(3), negate(0), negate(2), negate(1), negate(0)]);
    assert_eq!(out, &expected[1..]);
}

#[test]
fn only_the_first_places_of_repeats_are_given() {
    let text = "%a\n".repeat(1200);
    let repeats = (0..1200).map(|line| undefined("%a", Span::new(3 * line, 3 * line + 2))).collect();
    let out = plain(&text, repeats);
    assert!(out.contains("\n  and 1 199 more like this, at lines 2, 3, 4 ...\n"), "{out}");
    assert!(out.ends_with("model.mlir: 1 200 errors\n"), "{out}");
}

#[test]
fn many_faults_of_one_code_give_a_page() {
    let text = "%a\n".repeat(1200);
    let faults =
        (0..1200).map(|line| undefined(&format!("%{line}"), Span::new(3 * line, 3 * line + 2))).collect();
    let out = plain(&text, faults);
    assert!(out.contains("\n  error[E0101]: `%5` is not defined, at line 6\n"), "{out}");
    assert!(out.contains("\n  and 1 180 more E0101 (UndefinedValue)\n"), "{out}");
    assert!(out.lines().count() < 60, "{out}");
}

#[test]
fn a_line_of_ten_megabytes_is_cut_round_its_marks() {
    let text = format!("{}%bad{}", "a".repeat(5_000_000), "b".repeat(5_000_000));
    let redefined =
        RedefinedValue { name: "%bad", at: Span::new(5_000_000, 5_000_004), first: Span::new(10, 12) };
    let window = ExcerptSource::unscanned("model.mlir", text.as_bytes());
    let begun = Instant::now();
    let out = drawn(&window, vec![redefined.into()], Style::PLAIN);
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    let expected = r#"
error[E0102]: `%bad` is defined twice
   ,-[model.mlir:1:5000001]
 1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaa%badbbbbbbbbbbbbbbbbbbbbbbbbbb...
   :           ^|                                                 ^^|^
   :            |                                                   `-- defined again here
   :            `-- first defined here
   `----
  help: rename one of them, and its uses

model.mlir: 1 error
"#;
    assert_eq!(out, &expected[1..]);
}

#[test]
fn a_span_of_megabytes_is_cut_too() {
    let text = "a".repeat(10_000_000);
    let out = plain(&text, vec![undefined("a", Span::new(1_000_000, 9_000_000))]);
    assert!(out.contains("[model.mlir:1:1000001]"), "{out}");
    assert!(out.lines().all(|line| line.len() < 110), "{out}");
}

/// A constant with a literal of 4,608 bytes, and the range of its digits.
fn constant() -> (String, std::ops::Range<usize>) {
    let text = format!(
        "  %c = stablehlo.constant dense<\"0x{}\"> : tensor<1152xf32> loc(#loc7)\n",
        "457E".repeat(2304)
    );
    let start = find(&text, "457E", 0).start;
    (text, start..start + 9216)
}

#[test]
fn a_literal_is_elided_and_labels_after_it_are_drawn() {
    let (text, digits) = constant();
    let literals = [digits];
    let scanned =
        ExcerptSource { literals: &literals, ..ExcerptSource::unscanned("model.mlir", text.as_bytes()) };
    let undefined = || UndefinedAlias { name: "#loc7", nearest: Some("#loc1"), at: find(&text, "#loc7", 0) };
    let expected = r#"
error[E0008]: the alias `#loc7` is not defined
   ,-[model.mlir:1:9278]
 1 |   %c = stablehlo.constant dense<"0x457E... 4 608 bytes"> : tensor<1152xf32> loc(#loc7)
   :                                                                                 ^^|^^
   :                                                                                   `-- no line defines it
   `----
  help: pass the whole text: aliases are defined at its beginning and end

model.mlir: 1 error
"#;
    assert_eq!(drawn(&scanned, vec![undefined().into()], Style::PLAIN), &expected[1..]);
    let expected = r#"
error[E0008]: the alias `#loc7` is not defined
   ╭─[model.mlir:1:9278]
 1 │ ….constant dense<"0x457E… 4 608 bytes"> : tensor<1152xf32> loc(#loc7)
   ·                                                                ──┬──
   ·                                                                  ╰── no line defines it
   ╰────
  help: pass the whole text: aliases are defined at its beginning and end

model.mlir: 1 error
"#;
    let narrow = Style { color: false, unicode: true, width: 80 };
    assert_eq!(drawn(&scanned, vec![undefined().into()], narrow), &expected[1..]);
}

#[test]
fn a_mark_within_a_literal_shows_its_digits() {
    let (text, digits) = constant();
    let at = Span::new(digits.start + 5000, digits.start + 5001);
    let literals = [digits];
    let scanned =
        ExcerptSource { literals: &literals, ..ExcerptSource::unscanned("model.mlir", text.as_bytes()) };
    let bad =
        BadLiteral { why: "`Z` is not a hexadecimal digit", at, ty_at: find(&text, "tensor<1152xf32>", 0) };
    let expected = r#"
error[E0006]: malformed literal: `Z` is not a hexadecimal digit
   ,-[model.mlir:1:5036]
 1 | ...7E457E457E457E457E457E457E457E457E457E457E45...457E457E457E"> : tensor<1152xf32> loc(#loc7)
   :                  |                                                 ^^^^^^^^|^^^^^^^
   :                  |                                                         `-- required by this type
   :                  `-- `Z` is not a hexadecimal digit
   `----
  help: correct the literal or its type; if JAX printed it, it was truncated or elided: print with
        `large_elements_limit=None`

model.mlir: 1 error
"#;
    assert_eq!(drawn(&scanned, vec![bad.into()], Style::PLAIN), &expected[1..]);
}

#[test]
fn tabs_and_wide_characters_stay_aligned() {
    let text = "\t%名前 =\tabs %é\r\n";
    let expected = r#"
error[E0103]: the operand has the type `i32`, expected `f32`
   ,-[model.mlir:1:16]
 1 |     %名前 = abs %é
   :     ^^|^^       ^|
   :       |          `-- this is `i32`
   :       `-- `f32` because of this
   `----
  help: correct the wrong type; if JAX printed the text, look for an edited or missing line

model.mlir: 1 error
"#;
    let mismatch = TypeMismatch {
        what: "the operand",
        expected: "f32",
        found: "i32",
        at: find(text, "%é", 0),
        because: find(text, "%名前", 0),
    };
    assert_eq!(plain(text, vec![mismatch.into()]), &expected[1..]);
}

#[test]
fn control_characters_are_escaped() {
    let text = "%a \u{1b}[31m \u{202e} \u{7} b\n";
    let out = plain(text, vec![undefined("\u{1b}]0;title\u{7}", find(text, "b", 0))]);
    assert!(out.contains("`?]0;title?` is not defined"), "{out}");
    assert!(out.contains(" 1 | %a ?[31m ? ? b\n"), "{out}");
}

#[test]
fn long_names_do_not_fill_the_screen() {
    let out = plain(PROGRAM, vec![undefined(&"x".repeat(1_000_000), Span::new(0, 6))]);
    assert!(out.len() < 2000, "{out}");
}

fn with_python(at: Span) -> Diagnostics {
    let mut diagnostic: Diagnostic = undefined("%0", at);
    diagnostic.python = Some(PythonFrame {
        file: "model.py".into(),
        line: 2,
        column: 12,
        end_column: Some(25),
        function: Some("Block.__call__".into()),
        library_frames: 3,
        libraries: vec!["flax".into(), "jax".into()],
    });
    diagnostic.module_path = Some("Encoder/Block_3/Dense_0".into());
    Diagnostics::from(vec![diagnostic])
}

#[test]
fn the_line_of_python_is_quoted() {
    let diagnostics = with_python(find(PROGRAM, "%0", 1));
    let text = ExcerptSource::unscanned("model.mlir", PROGRAM.as_bytes());
    let python =
        |file: &str| (file == "model.py").then(|| "def f(x):\n    return infeed(x + 1)\n".to_string());
    let expected = r#"
error[E0101]: `%0` is not defined
   ,-[model.mlir:4:29]
 4 |     %1 = "stablehlo.infeed"(%0) : (tensor<4xf32>) -> tensor<4xf32>
   :                             ^|
   :                              `-- not defined in this scope
   `----
   ,-[model.py:2:12]
 2 |     return infeed(x + 1)
   :            ^^^^^^|^^^^^^
   :                  `-- in Block.__call__
   `----
  python: through 3 frames of flax and jax
  module: Encoder/Block_3/Dense_0
  help: the line that defines it may be missing or in another region

model.mlir: 1 error
"#;
    assert_eq!(render_text(&diagnostics, &text, &python, Style::PLAIN), &expected[1..]);
}

#[test]
fn the_line_of_python_is_named_when_it_cannot_be_quoted() {
    let diagnostics = with_python(find(PROGRAM, "%0", 1));
    let text = ExcerptSource::unscanned("model.mlir", PROGRAM.as_bytes());
    for content in [None, Some("one line".to_string())] {
        let out = render_text(&diagnostics, &text, &|_| content.clone(), Style::PLAIN);
        let named = "\n  python: model.py:2:12 in Block.__call__, through 3 frames of flax and jax\n";
        assert!(out.contains(named), "{out}");
    }
}

#[test]
fn colors_only_if_requested() {
    let fault = || vec![undefined("%0", find(PROGRAM, "%0", 0))];
    let text = ExcerptSource::unscanned("model.mlir", PROGRAM.as_bytes());
    let colored = drawn(&text, fault(), Style { color: true, unicode: true, width: 100 });
    assert!(colored.contains("\u{1b}[31merror[E0101]:\u{1b}[0m"), "{colored:?}");
    let plain = drawn(&text, fault(), Style::PLAIN);
    assert!(plain.is_ascii() && !plain.contains('\u{1b}'), "{plain:?}");
}

proptest! {
    #[test]
    fn no_bytes_and_no_spans_break_the_renderer(
        pieces in prop::collection::vec(
            prop::sample::select(vec![&b"a"[..], b"\n", b"\r\n", b"\t", "é".as_bytes(), "名".as_bytes(), b"\xff",
                b"\xe5\x90", b"\x1b", b"0123456789012345678901234567890123456789", b" "]),
            0..120,
        ),
        spans in prop::collection::vec((0_usize..400, 0_usize..400), 1..4),
        literal in (0_usize..300, 0_usize..100),
        width in 0_usize..200,
        unicode in any::<bool>(),
    ) {
        let bytes = pieces.concat();
        let digits = std::iter::once(literal.0..literal.0 + literal.1);
        let literals: Vec<_> = digits.filter(|digits| digits.end <= bytes.len()).collect();
        let text = ExcerptSource { literals: &literals, ..ExcerptSource::unscanned("m", &bytes) };
        let mut diagnostic = undefined("%a", Span::new(1, 2));
        diagnostic.labels = spans
            .iter()
            .map(|&(start, end)| Label { span: Span::new(start, end), text: "here".into(), part: Part::Span })
            .collect();
        let out = drawn(&text, vec![diagnostic], Style { color: false, unicode, width });
        prop_assert!(!out.contains("Failed to read") && !out.contains('\u{1b}'), "{}", out);
        prop_assert_eq!(out.matches("here").count(), spans.len(), "{}", out);
    }
}

#[test]
fn json_lists_every_diagnostic_with_its_places() {
    let source = Source::from_bytes("model.mlir", b"%1 = abs %0 %2".to_vec());
    let mut diagnostics = with_python(Span::new(9, 11));
    diagnostics.push(UnsupportedOp { op: "abs", at: Span::new(5, 8) });
    diagnostics.push(NoLocations {});
    diagnostics.push(undefined("%0", Span::new(12, 14)));
    let value = serde_json::to_value(json::report(&diagnostics, &source)).expect("plain data serializes");
    assert_eq!(value["schema"], 1);
    assert_eq!(value["file"], "model.mlir");
    assert_eq!(value["counts"], serde_json::json!({ "error": 3, "warning": 0, "advice": 1 }));
    let codes: Vec<_> = (0..4).map(|index| value["diagnostics"][index]["code"].as_str()).collect();
    assert_eq!(codes, [Some("E0201"), Some("E0101"), Some("E0101"), Some("A0601")]);
    assert_eq!(value["diagnostics"][2]["python"], serde_json::Value::Null);
    assert_eq!(
        value["diagnostics"][1],
        serde_json::json!({
            "code": "E0101",
            "name": "UndefinedValue",
            "severity": "error",
            "message": "`%0` is not defined",
            "labels": [{
                "text": "not defined in this scope",
                "file": "model.mlir",
                "line": 1, "column": 10, "offset": 9,
                "end_line": 1, "end_column": 12, "end_offset": 11,
            }],
            "help": "the line that defines it may be missing or in another region",
            "notes": [],
            "python": {
                "file": "model.py", "line": 2, "column": 12, "end_column": 25,
                "function": "Block.__call__", "library_frames": 3,
                "libraries": ["flax", "jax"],
            },
            "module_path": "Encoder/Block_3/Dense_0",
            "group": "`%0` is not defined",
            "count": 2,
        })
    );
}

#[test]
fn errors_are_known_from_warnings() {
    let mut diagnostics = Diagnostics::new();
    assert!(diagnostics.is_empty());
    diagnostics.push(ReducedPrecision { op: "abs", ty: "f64", via: "f32", at: Span::NONE });
    assert!(!diagnostics.has_errors() && !diagnostics.is_empty());
    diagnostics.push(EmptyInput { at: Span::NONE });
    assert!(diagnostics.has_errors());
}
