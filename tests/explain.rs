//! `hlo2onnx explain`, and suggestions for mistyped names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hlo2onnx::diagnostic::Code;
use std::process::Command;

/// Runs the program; returns the status, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hlo2onnx")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn each_code_has_its_page() {
    for code in Code::all() {
        let (status, page, _) = run(&["explain", code.as_str()]);
        assert_eq!((status, page), (Some(0), code.explanation()));
    }
}

#[test]
fn without_a_code_all_are_listed() {
    let (status, list, _) = run(&["explain"]);
    assert_eq!(status, Some(0));
    assert_eq!(list.lines().count(), Code::all().count());
    for (line, code) in list.lines().zip(Code::all()) {
        assert!(line.starts_with(code.as_str()) && line.ends_with(code.summary()), "{line}");
    }
}

#[test]
fn a_mistyped_code_suggests_the_nearest() {
    for (typed, meant) in [("E0021", "E0001"), ("E020", "E0201"), ("e99", "")] {
        let (status, _, error) = run(&["explain", typed]);
        assert_eq!(status, Some(2));
        assert!(error.contains("did you mean") != meant.is_empty() && error.contains(meant), "{error}");
    }
    let (_, _, error) = run(&["explain", "unsuportedop"]);
    assert!(error.contains("did you mean E0201 (UnsupportedOp)?"), "{error}");
    let (_, page, _) = run(&["explain", "UnsupportedOp"]);
    assert!(page.starts_with("# E0201"), "{page}");
}

#[test]
fn mistyped_options_and_commands_suggest_the_nearest() {
    for (arguments, meant) in [
        (&["convert", "model.mlir", "--opst", "23"][..], "'--opset'"),
        (&["convert", "model.mlir", "--weight", "w.npz"], "'--weights'"),
        (&["check", "model.mlir", "--strict-nans"], "'--strict-nan'"),
        (&["conver", "model.mlir"], "'convert'"),
        (&["convert", "model.mlir", "--print-after", "inlin"], "`inline`"),
        (&["convert", "model.mlir", "--explain-fusion", "atention"], "`attention`"),
    ] {
        let (status, _, error) = run(arguments);
        assert_eq!(status, Some(2), "{error}");
        assert!(error.contains(meant), "{error}");
    }
}
