//! Rendered diagnostics against the text they should give.

use super::catalogue::*;
use super::excerpt::Text;
use super::render::render_text;
use super::{Diagnostic, Diagnostics, PythonFrame, Style};
use crate::source::Span;
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
    drawn(&Text::unscanned("model.mlir", text.as_bytes()), diagnostics, Style::PLAIN)
}

fn drawn(text: &Text<'_>, diagnostics: Vec<Diagnostic>, style: Style) -> String {
    render_text(&Diagnostics::from(diagnostics), text, &|_| None, style)
}

#[test]
fn nothing_to_say() {
    assert_eq!(plain(PROGRAM, Vec::new()), "");
}


#[test]
fn probe() {
    let show = |s: String| eprintln!("{s}\n=====");
    let at = find(PROGRAM, "\"stablehlo.infeed\"", 0);
    show(plain(PROGRAM, vec![UnsupportedOp { op: "stablehlo.infeed", at }.into()]));
    let (first, again) = (find(PROGRAM, "%0", 0), find(PROGRAM, "%0 =", 1));
    show(plain(PROGRAM, vec![RedefinedValue { name: "%0", at: Span::new(again.start, again.start + 2), first }.into()]));
    let near = find(PROGRAM, "%1", 0);
    show(plain(PROGRAM, vec![RedefinedValue { name: "%0", at: near, first }.into()]));
    // same line
    show(plain(PROGRAM, vec![RedefinedValue { name: "%0", at: find(PROGRAM, "%arg0", 1), first }.into()]));
    // multi-line
    show(plain(PROGRAM, vec![UnsupportedOp { op: "func.func", at: Span::new(18, PROGRAM.len() - 3) }.into()]));
    // no place, advice, end of file
    show(plain(PROGRAM, vec![NoLocations {}.into(), UnclosedDelimiter { delimiter: "{", at: Span::new(14, 15), end: Span::new(PROGRAM.len(), PROGRAM.len()) }.into(), CannotRead { path: "w.npz", why: "no such file" }.into()]));
    show(plain(&PROGRAM[..PROGRAM.len()-1], vec![UnclosedDelimiter { delimiter: "{", at: Span::new(14, 15), end: Span::new(PROGRAM.len()-1, PROGRAM.len()-1) }.into()]));
    // repeats
    let mut ds: Vec<Diagnostic> = (0..4).map(|i| { let mut s = find(PROGRAM, "stablehlo.negate", i); s.end = s.start + 16; UnsupportedOp { op: "stablehlo.negate", at: s }.into() }).collect();
    ds.push(UnsupportedOp { op: "stablehlo.infeed", at }.into());
    ds.push(UnsupportedOp { op: "stablehlo.infeed", at }.into());
    ds.push(ReducedPrecision { op: "stablehlo.abs", ty: "f64", via: "f32", at: find(PROGRAM, "stablehlo.abs", 0) }.into());
    show(plain(PROGRAM, ds));
    // many
    let ds: Vec<Diagnostic> = (0..40).map(|i| UndefinedValue { name: &format!("%{i}"), nearest: Some("%arg0"), at: Span::new(20 + i, 21 + i) }.into()).collect();
    show(plain(PROGRAM, ds));
    // long line
    let mut t = "a".repeat(5_000_000); t.push_str("%bad"); t.push_str(&"b".repeat(5_000_000));
    show(plain(&t, vec![UndefinedValue { name: "%bad", nearest: None, at: Span::new(5_000_000, 5_000_004) }.into()]));
    t.push_str("\n%0 = x");
    let two = RedefinedValue { name: "%bad", at: Span::new(5_000_000, 5_000_004), first: Span::new(10, 12) };
    show(plain(&t, vec![two.into()]));
    let edge = RedefinedValue { name: "%bad", at: Span::new(0, 4_000_000), first: Span::new(10_000_000, 10_000_004) };
    show(plain(&t, vec![edge.into()]));
    // literal
    let t = format!("  %c = stablehlo.constant dense<\"0x{}\"> : tensor<1152xf32> loc(#loc7)\n", "457E".repeat(2304));
    let s = t.find("457E").unwrap();
    let literals = [s..s + 4 * 2304];
    let text = Text { literals: &literals, ..Text::unscanned("model.mlir", t.as_bytes()) };
    let d = || vec![Diagnostic::from(UndefinedAlias { name: "#loc7", nearest: None, at: find(&t, "#loc7", 0) })];
    show(drawn(&text, d(), Style::PLAIN));
    show(drawn(&text, d(), Style { color: false, unicode: true, width: 80 }));
    show(drawn(&text, d(), Style { color: true, unicode: true, width: 80 }));
    show(drawn(&text, vec![BadLiteral { why: "`Z` is not a hexadecimal digit", at: Span::new(s + 5000, s + 5001), ty_at: find(&t, "tensor<1152xf32>", 0) }.into()], Style::PLAIN));
    show(drawn(&text, vec![BadLiteral { why: "9 216 digits", at: Span::new(s - 9, s + 4 * 2304 + 2), ty_at: find(&t, "tensor<1152xf32>", 0) }.into()], Style::PLAIN));
    // tabs & wide
    let t = "\t%名前 =\tstablehlo.abs %é : \u{1b}[31m \u{202e} bad\r\n";
    show(plain(t, vec![UndefinedValue { name: "%é", nearest: None, at: find(t, "%é", 0) }.into()]));
    show(plain(t, vec![UndefinedValue { name: "%名前", nearest: None, at: find(t, "%名前", 0) }.into()]));
    show(plain(t, vec![UndefinedValue { name: "bad", nearest: None, at: find(t, "bad", 0) }.into()]));
    // python
    let mut d: Diagnostic = UnsupportedOp { op: "stablehlo.infeed", at }.into();
    d.python = Some(PythonFrame { file: "model.py".into(), line: 2, column: 12, end_column: Some(25), function: Some("Block.__call__".into()), library_frames: 3 });
    d.module_path = Some("Encoder/Block_3/Dense_0".into());
    d.notes.push("a note that is long enough to have to be wrapped somewhere in the middle of its many words, which it is".into());
    let ds = Diagnostics::from(vec![d]);
    let text = Text::unscanned("model.mlir", PROGRAM.as_bytes());
    show(render_text(&ds, &text, &|_| Some("def f(x):\n    return infeed(x + 1)\n".into()), Style::PLAIN));
    show(render_text(&ds, &text, &|_| None, Style::PLAIN));
    show(render_text(&ds, &text, &|_| Some("x".into()), Style { color: false, unicode: true, width: 60 }));
}
