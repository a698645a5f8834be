//! The forms of diagnostics, as the command line writes them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Two unsupported ops, one of them a file of Python; an attribute and a type that are wrong.
const TEXT: &str = r#"
#loc1 = loc("/elsewhere/project/pkg/model.py":3:11 to 3:22)
#loc2 = loc("/usr/lib/python3/site-packages/flax/linen/module.py":9:1)
#loc3 = loc("Net.__call__"(#loc1))
#loc4 = loc(callsite(#loc2 at #loc3))
#loc5 = loc("jit(apply)/Net/Dense_0/infeed"(#loc4))
module @jit_f {
  func.func public @main(%arg0: tensor<4xf32>, %t: !stablehlo.token) -> tensor<4xf32> {
    %0 = "stablehlo.foo"(%arg0) : (tensor<4xf32>) -> tensor<4xf32> loc(#loc5)
    return %0 : tensor<4xf32>
  }
}
"#;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hlo2onnx"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .output()
        .expect("the binary runs")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("model.mlir"), TEXT).expect("it is written");
    let package = folder.path().join("src/pkg");
    fs::create_dir_all(&package).expect("a folder");
    fs::write(package.join("model.py"), "class Net:\n  def __call__(self, x):\n    return x + infeed(x)\n")
        .expect("it is written");
    // Of the same name, and nearer to the root.
    fs::write(folder.path().join("src/model.py"), "\n\nwrong\n").expect("it is written");
    folder
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_line_of_python_is_found_below_the_source_root() {
    let folder = folder();
    for command in ["check", "convert"] {
        let output = run(folder.path(), &[command, "model.mlir", "--source-root", "src"]);
        assert_eq!(output.status.code(), Some(1));
        let text = utf8(&output.stderr);
        assert!(text.contains("[src/pkg/model.py:3:12]"), "{text}");
        assert!(text.contains("return x + infeed(x)"), "{text}");
        assert!(text.contains("in Net.__call__"), "{text}");
        assert!(text.contains("python: through 1 frame of flax"), "{text}");
        assert!(text.contains("module: Net/Dense_0"), "{text}");
        // Away from a terminal there is neither colour nor a frame of lines.
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
    }
    let output = run(folder.path(), &["check", "model.mlir"]);
    let text = utf8(&output.stderr);
    assert!(
        text.contains(
            "python: /elsewhere/project/pkg/model.py:3:12 in Net.__call__, through 1 frame of flax"
        )
    );
}

#[test]
fn a_file_of_that_name_deeper_down_is_found() {
    let folder = folder();
    let output = run(folder.path(), &["check", "model.mlir", "--source-root", "."]);
    let text = utf8(&output.stderr);
    assert!(
        text.contains("src/pkg/model.py:3:12]"),
        "the longest suffix counts, not the nearest file: {text}"
    );
}

#[test]
fn json_names_the_same_places() {
    let folder = folder();
    let output = run(folder.path(), &["convert", "model.mlir", "--format", "json", "--source-root", "src"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["schema"], 1);
    let fault = report["diagnostics"].as_array().expect("a list").iter().find(|item| item["code"] == "E0201");
    let fault = fault.expect("the op is not supported");
    assert_eq!(fault["python"]["file"], "src/pkg/model.py");
    assert_eq!(fault["python"]["libraries"], serde_json::json!(["flax"]));
    assert_eq!(fault["labels"][0]["line"], 9);
}

#[test]
fn sarif_is_one_log_for_all_files() {
    let folder = folder();
    let arguments =
        ["check", "model.mlir", "model.mlir", "absent.mlir", "--format", "sarif", "--source-root", "src"];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let log: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let of = |code: &str| results.iter().filter(|result| result["ruleId"] == code).collect::<Vec<_>>();
    assert_eq!(of("E0201").len(), 2);
    assert_eq!(of("E0402").len(), 1, "a file that cannot be read is a result as well: {log}");
    let python = &of("E0201")[0]["relatedLocations"][0];
    assert_eq!(python["physicalLocation"]["artifactLocation"]["uri"], "src/pkg/model.py");
    assert_eq!(of("E0201")[0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "Net/Dense_0");
}

#[test]
fn github_commands_are_lines() {
    let folder = folder();
    let arguments = ["convert", "model.mlir", "--format", "github", "--source-root", "src"];
    let output = run(folder.path(), &arguments);
    let text = utf8(&output.stdout);
    assert!(text.lines().all(|line| line.starts_with("::")), "{text}");
    assert!(text.contains(
        "::error file=model.mlir,line=9,endLine=9,col=11,endColumn=24,title=E0201 UnsupportedOp::"
    ));
    assert!(
        text.contains("::notice file=src/pkg/model.py,line=3,col=12,title=E0201 UnsupportedOp::"),
        "{text}"
    );
}

#[test]
fn a_model_on_standard_output_is_alone_there() {
    let folder = folder();
    let identity = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n";
    fs::write(folder.path().join("identity.mlir"), identity).expect("it is written");
    let plain = run(folder.path(), &["convert", "identity.mlir", "-o", "-"]);
    assert_eq!(plain.status.code(), Some(0));
    for format in ["json", "sarif", "github"] {
        let output = run(folder.path(), &["convert", "identity.mlir", "-o", "-", "--format", format]);
        assert_eq!(output.stdout, plain.stdout, "{format}");
    }
}

#[test]
fn a_dynamic_dimension_of_another_form_is_an_error_of_the_command_line() {
    let folder = folder();
    for option in ["x", "x:0", "x=batch", "x:a=batch", "x:0=2b"] {
        let output = run(folder.path(), &["convert", "model.mlir", "--dynamic", option]);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(utf8(&output.stderr).contains("--dynamic <INPUT:DIM=NAME>"), "{output:?}");
    }
}

#[test]
fn what_mixes_rows_is_shown_with_its_line_of_python() {
    let folder = folder();
    let text = r##"
module {
  func.func public @main(%arg0: tensor<2x3xf32> loc("x")) -> tensor<2x3xf32> {
    %0 = stablehlo.reverse %arg0, dims = [0] : tensor<2x3xf32> loc(#loc3)
    return %0 : tensor<2x3xf32>
  }
}
#loc2 = loc("pkg/model.py":3:11 to :24)
#loc3 = loc("jit(apply)/Net/rev"(#loc2))
"##;
    fs::write(folder.path().join("rows.mlir"), text).expect("it is written");
    for command in ["check", "convert"] {
        let output =
            run(folder.path(), &[command, "rows.mlir", "--dynamic", "x:0=batch", "--source-root", "src"]);
        assert_eq!(output.status.code(), Some(1));
        let text = utf8(&output.stderr);
        assert!(text.contains("[src/pkg/model.py:3:12]"), "{text}");
        assert!(text.contains("its dimension 0 is asked for"), "{text}");
    }
    let output = run(folder.path(), &["opt", "rows.mlir", "--passes", "generalize", "--dynamic", "x:1=n"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(utf8(&output.stdout).contains("tensor<2x?xf32>"), "{output:?}");
}
