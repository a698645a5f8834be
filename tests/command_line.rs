//! The forms of diagnostics, as the command line writes them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Two unsupported ops, one of them from a Python file; a wrong attribute and a wrong type.
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

/// Environment variables that change the output.
const VARIABLES: [&str; 9] = [
    "COLUMNS",
    "TERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "LC_ALL",
    "LC_CTYPE",
    "LANG",
];

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hlo2onnx"));
    command.args(arguments).current_dir(folder);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the binary runs")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("model.mlir"), TEXT).expect("the file is written");
    let package = folder.path().join("src/pkg");
    fs::create_dir_all(&package).expect("a folder");
    fs::write(package.join("model.py"), "class Net:\n  def __call__(self, x):\n    return x + infeed(x)\n")
        .expect("the file is written");
    // A file of the same name, nearer to the root.
    fs::write(folder.path().join("src/model.py"), "\n\nwrong\n").expect("the file is written");
    folder
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_python_line_is_found_below_the_source_root() {
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
        // Output that does not go to a terminal has neither color nor a frame of lines.
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
    assert!(text.contains("src/pkg/model.py:3:12]"), "the longest suffix wins, not the nearest file: {text}");
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
    assert_eq!(of("E0402").len(), 1, "a file that cannot be read is a result too: {log}");
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
fn only_the_model_goes_to_standard_output() {
    let folder = folder();
    let identity = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n";
    fs::write(folder.path().join("identity.mlir"), identity).expect("the file is written");
    let plain = run(folder.path(), &["convert", "identity.mlir", "-o", "-"]);
    assert_eq!(plain.status.code(), Some(0));
    for format in ["json", "sarif", "github"] {
        let output = run(folder.path(), &["convert", "identity.mlir", "-o", "-", "--format", format]);
        assert_eq!(output.stdout, plain.stdout, "{format}");
    }
}

#[test]
fn a_malformed_dynamic_dimension_is_a_usage_error() {
    let folder = folder();
    for option in ["x", "x:0", "x=batch", "x:a=batch", "x:0=2b"] {
        let output = run(folder.path(), &["convert", "model.mlir", "--dynamic", option]);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(utf8(&output.stderr).contains("--dynamic <INPUT:DIM=NAME>"), "{output:?}");
    }
}

#[test]
fn ops_that_mix_rows_are_shown_with_their_python_line() {
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
    fs::write(folder.path().join("rows.mlir"), text).expect("the file is written");
    for command in ["check", "convert"] {
        let output =
            run(folder.path(), &[command, "rows.mlir", "--dynamic", "x:0=batch", "--source-root", "src"]);
        assert_eq!(output.status.code(), Some(1));
        let text = utf8(&output.stderr);
        assert!(text.contains("[src/pkg/model.py:3:12]"), "{text}");
        assert!(text.contains("was requested for dimension 0"), "{text}");
    }
    let output = run(folder.path(), &["opt", "rows.mlir", "--passes", "dynamic_batch", "--dynamic", "x:1=n"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(utf8(&output.stdout).contains("tensor<2x?xf32>"), "{output:?}");
}

#[test]
fn opt_prints_the_module_after_passes() {
    let folder = folder();
    let text = "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = stablehlo.add %x, %x : tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}";
    fs::write(folder.path().join("add.mlir"), text).expect("the file is written");
    let all = run(
        folder.path(),
        &[
            "opt",
            "add.mlir",
            "--passes",
            "dynamic_batch,fuse",
            "--dynamic",
            "arg0:0=n",
            "--print-after",
            "all",
        ],
    );
    assert_eq!(all.status.code(), Some(0), "{all:?}");
    let after = utf8(&all.stderr);
    let modules: Vec<&str> = after.split("// -----// IR Dump After ").collect();
    assert!(modules[1].starts_with("dynamic_batch //----- //\nmodule {\n"), "{after}");
    assert!(modules[1].contains("tensor<?x3xf32>"), "{after}");
    assert_eq!(modules[2], format!("fuse //----- //\n{}", utf8(&all.stdout)));
    let one =
        run(folder.path(), &["opt", "add.mlir", "--passes", "fuse,canonicalize", "--print-after", "fuse"]);
    assert_eq!(utf8(&one.stderr).matches("IR Dump After").count(), 1, "{one:?}");
    let unknown = run(folder.path(), &["opt", "add.mlir", "--print-after", "fuze"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(utf8(&unknown.stderr).contains("unknown pass `fuze`; did you mean `fuse`?"), "{unknown:?}");
}

/// An input, two variables, and the advice that NaN may be lost.
const NET: &str = r#"
func.func public @main(%w: tensor<4xf32> loc("variables['params']['Dense_0']['kernel']"), %b: tensor<4xf32> loc("variables['params']['Dense_0']['bias']"), %x: tensor<4x4xf32> loc("x")) -> (tensor<4xf32> {jax.result_info = "result"}) {
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %0 = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = stablehlo.multiply %0, %w : tensor<4xf32>
  %2 = stablehlo.add %1, %b : tensor<4xf32>
  return %2 : tensor<4xf32>
}
"#;

/// A folder with `net.mlir`, and files of tensors of four elements.
fn net(files: &[(&str, &[&str])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("net.mlir"), NET).expect("the file is written");
    for (file, names) in files {
        let data: Vec<u8> =
            [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|element| element.to_le_bytes()).collect();
        let view = || safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![4], &data);
        let views = names.iter().map(|name| (*name, view().expect("four elements")));
        let bytes = safetensors::serialize(views, None).expect("safetensors");
        fs::write(folder.path().join(file), bytes).expect("the file is written");
    }
    folder
}

/// Both streams.
fn printed(output: &Output) -> String {
    format!("{}{}", utf8(&output.stdout), utf8(&output.stderr))
}

/// The lines of a diagnostic joined, without the frame.
fn joined(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

#[test]
fn options_decide_status_and_output() {
    let folder = net(&[
        ("both", &["params/Dense_0/kernel", "params/Dense_0/bias"]),
        ("one", &["params/Dense_0/kernel"]),
        ("below", &["model/params/Dense_0/kernel", "model/params/Dense_0/bias"]),
        ("two", &["a/Dense_0/kernel", "b/Dense_0/kernel"]),
    ]);
    // The arguments, the status, what is printed and what is not.
    let cases: &[(&str, i32, &[&str], &[&str])] = &[
        (
            "convert",
            0,
            &["A0604", "inputs x: f32[4, 4]", "variables 2 inputs, which `--weights` binds"],
            &["unbound", "params"],
        ),
        ("convert -q", 0, &[], &["A0604", "inputs"]),
        ("check", 0, &["A0604"], &[]),
        ("check -q", 0, &[], &["A0604", "x"]),
        ("convert --weights both", 0, &["2 arguments bound"], &["variables"]),
        ("convert --weights one", 0, &["W0503", "1 of 2 arguments bound", "variables 1 input outputs"], &[]),
        ("convert --weights one -q", 0, &["W0503"], &["A0604"]),
        ("convert --deny warnings", 0, &["inputs"], &["denied"]),
        (
            "convert --weights one --deny warnings",
            1,
            &["1 warning is denied by `--deny warnings`"],
            &["inputs"],
        ),
        ("check --weights one --deny warnings", 1, &["1 warning is denied by `--deny warnings`"], &[]),
        ("convert --weights one --require-weights", 1, &["1 weight stays an input"], &["inputs x"]),
        ("check --weights one --require-weights", 1, &["1 weight stays an input"], &[]),
        ("convert --weights both --require-weights", 0, &["2 arguments bound"], &[]),
        ("convert --require-weights", 2, &["--weights"], &[]),
        ("convert --weights below", 1, &["E0409", "pass `--weights-prefix model`:"], &[]),
        (
            "convert --weights below --weights-prefix mode",
            1,
            &["E0411", "pass `--weights-prefix model`:"],
            &[],
        ),
        ("convert --weights below --weights-prefix model", 0, &["2 arguments bound"], &[]),
        (
            "convert --weights both --weights-prefix model",
            1,
            &["E0411", "remove `--weights-prefix model`:"],
            &[],
        ),
        ("convert --weights two", 1, &["E0409", "`--weights-prefix P`"], &[]),
        ("convert --output-names x", 1, &["E0404", "`x` is already the name of an input"], &["twice"]),
        ("convert --input-names a,b,a", 1, &["E0404", "`a` appears twice"], &[]),
        ("convert --max-input-bytes 100", 1, &["E0413", "100"], &[]),
        ("check --max-input-bytes 100", 1, &["E0413", "100"], &[]),
        ("convert --weights both --max-input-bytes 1000", 0, &["2 arguments bound"], &[]),
    ];
    for (line, status, shown, hidden) in cases {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.insert(1, "net.mlir");
        let output = run(folder.path(), &arguments);
        let text = joined(&printed(&output));
        assert_eq!(output.status.code(), Some(*status), "{line}: {text}");
        for words in *shown {
            assert!(text.contains(words), "{line} does not print {words:?}: {text}");
        }
        for words in *hidden {
            assert!(!text.contains(words), "{line} prints {words:?}: {text}");
        }
        // A denied conversion writes nothing.
        let written = folder.path().join("net.onnx");
        assert_eq!(written.exists(), *status == 0 && line.starts_with("convert"), "{line}");
        let _ = fs::remove_file(written);
    }
}

#[test]
fn colors_follow_the_option_and_the_environment() {
    let folder = folder();
    for (option, variables, colored) in [
        ("auto", "", false),
        ("always", "", true),
        ("always", "NO_COLOR=1", true),
        ("always", "TERM=dumb", true),
        ("auto", "FORCE_COLOR=1", true),
        ("auto", "FORCE_COLOR=1 NO_COLOR=1", false),
        ("never", "FORCE_COLOR=1", false),
        ("auto", "TERM=dumb LC_ALL=C", false),
    ] {
        let mut command = command(folder.path(), &["check", "model.mlir", "--color", option]);
        command.envs(variables.split(' ').filter_map(|pair| pair.split_once('=')));
        let output = command.output().expect("the binary runs");
        let text = utf8(&output.stderr);
        assert_eq!(text.contains('\u{1b}'), colored, "{option} {variables}: {text}");
        assert!(text.is_ascii() && !utf8(&output.stdout).contains('\u{1b}'), "{option} {variables}: {text}");
    }
}

#[test]
fn a_compressed_text_becomes_a_model_of_its_name() {
    let folder = net(&[]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(NET.as_bytes()).expect("writing to memory succeeds");
    let packed = packed.finish().expect("writing to memory succeeds");
    fs::write(folder.path().join("net.mlir.gz"), packed).expect("the file is written");
    assert_eq!(run(folder.path(), &["convert", "net.mlir.gz"]).status.code(), Some(0));
    let bytes = fs::read(folder.path().join("net.onnx")).expect("net.onnx is written");
    assert_eq!(bytes, run(folder.path(), &["convert", "net.mlir", "-o", "-"]).stdout);
    // The limit applies to the decompressed bytes.
    let output = run(folder.path(), &["convert", "net.mlir.gz", "--max-input-bytes", "300"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(utf8(&output.stderr).contains("E0413"), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_ends_a_command_and_a_full_disk_is_an_error() {
    let folder = net(&[]);
    for arguments in [&["ops"][..], &["convert", "net.mlir", "-o", "-"], &["check", "net.mlir"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = command(folder.path(), arguments).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child.and_then(std::process::Child::wait_with_output).expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(!utf8(&output.stderr).contains("error"), "{arguments:?}: {output:?}");

        let full = File::options().write(true).open("/dev/full").expect("/dev/full opens");
        let output = command(folder.path(), arguments).stdout(full).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(utf8(&output.stderr).contains("No space left"), "{arguments:?}: {output:?}");
    }
}

/// A zip archive of one stored member.
fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(name, options).expect("writing to memory succeeds");
    archive.write_all(bytes).expect("writing to memory succeeds");
    archive.finish().expect("writing to memory succeeds").into_inner()
}

#[test]
fn files_that_are_not_weights_are_identified() {
    let folder = net(&[]);
    let mut damaged = b"\x93NUMPY\x01\0\x76\0".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }";
    damaged.extend(format!("{header:<117}\n").bytes());
    damaged.extend([1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|element| element.to_le_bytes()));
    let mut damaged = stored("Dense_0/kernel.npy", &damaged);
    let one = damaged.windows(4).position(|bytes| bytes == 1.0f32.to_le_bytes()).expect("the first element");
    damaged[one] ^= 1;
    let files: &[(&str, &[u8])] = &[
        ("its checksum does not match", &damaged),
        ("it is empty", b""),
        ("it is a NumPy array, which has no name", b"\x93NUMPY\x01\0"),
        ("it is an HDF5 file", b"\x89HDF\r\n\x1a\n"),
        ("it is a gzip file", &[0x1f, 0x8b, 8]),
        ("it is a Python pickle", &[0x80, 4, 0x95]),
        ("it is an ONNX model", &[8, 8, 0x12, 1]),
        ("it is an MLIR text", NET.as_bytes()),
        ("it is a text", b"weights"),
        ("it is not safetensors", &[0xff; 20]),
        ("it is a PyTorch checkpoint", &stored("archive/data.pkl", b"")),
        ("it is a Keras model", &stored("model.weights.h5", b"")),
        ("its member `a` is not an npy file", &stored("a", b"a")),
    ];
    fs::create_dir(folder.path().join("folder")).expect("a folder");
    let orbax = folder.path().join("orbax");
    fs::create_dir(&orbax).expect("a folder");
    fs::write(orbax.join("_METADATA"), "").expect("the file is written");
    let folders = [("it is a folder", "folder"), ("it is an Orbax checkpoint", "orbax")];
    let written = files.iter().map(|(words, bytes)| {
        fs::write(folder.path().join("weights"), bytes).expect("the file is written");
        (*words, "weights")
    });
    for (words, path) in written.chain(folders) {
        let output = run(folder.path(), &["convert", "net.mlir", "--weights", path]);
        let text = joined(utf8(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{words}: {text}");
        assert!(text.contains("error[E0405]") && text.contains(words), "{words}: {text}");
    }
}

#[test]
fn an_onnx_model_as_input_is_named() {
    let folder = folder();
    fs::write(folder.path().join("model.onnx"), b"\x08\x08\x12\x01a\0").expect("the file is written");
    let output = run(folder.path(), &["convert", "model.onnx"]);
    let text = joined(utf8(&output.stderr));
    assert!(text.contains("error[E0001]") && text.contains("it is an ONNX model"), "{text}");
}

#[test]
fn folders_without_a_program_are_named() {
    let folder = folder();
    let orbax = folder.path().join("orbax");
    fs::create_dir(&orbax).expect("a folder");
    fs::write(orbax.join("manifest.ocdbt"), "").expect("the file is written");
    for (path, words) in [(".", "it is a folder"), ("orbax", "it is an Orbax checkpoint")] {
        let output = run(folder.path(), &["convert", path]);
        let text = joined(utf8(&output.stderr));
        assert!(text.contains("error[E0402]") && text.contains(words), "{text}");
    }
}

#[test]
fn the_program_of_a_saved_model_is_found() {
    let folder = folder();
    let bytecode = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bytecode/relu.mlirbc");
    let bytecode = fs::read(bytecode).expect("a fixture");
    let message = |number: u8, content: &[u8]| {
        // Two bytes of length are enough here.
        let length = [content.len() as u8 | 0x80, (content.len() >> 7) as u8];
        [&[number << 3 | 2], &length[..], content].concat()
    };
    let value = message(2, &message(2, &bytecode));
    let attribute = message(5, &[message(1, b"module"), value].concat());
    let node = message(1, &[message(2, b"XlaCallModule"), attribute].concat());
    let graph = message(2, &[message(1, b""), message(2, &node)].concat());
    let saved = folder.path().join("saved");
    fs::create_dir(&saved).expect("a folder");
    fs::write(saved.join("saved_model.pb"), [&[8, 1], &graph[..]].concat()).expect("the file is written");
    for path in ["saved", "saved/saved_model.pb"] {
        let output = run(folder.path(), &["convert", path, "-o", "relu.onnx"]);
        assert!(output.status.success(), "{}", utf8(&output.stderr));
        assert!(folder.path().join("relu.onnx").exists());
    }
}

#[test]
fn verify_without_python_names_the_package() {
    let folder = folder();
    for arguments in
        [&["verify"][..], &["verify", "model.mlir", "model.onnx", "--inputs", "in.npz"], &["verify", "-h"]]
    {
        let output = run(folder.path(), arguments);
        let text = joined(utf8(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("part of the Python package") && text.contains("pip install"), "{text}");
    }
}
