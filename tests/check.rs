//! `hlo2onnx check`: the schema of its JSON, its text, and the structure of its page.

use hlo2onnx::Options;
use hlo2onnx::report::{self, FileReport, Report, Verdict, html};
use hlo2onnx::source::Source;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

/// The limit on the length of a page.
const LONGEST_PAGE: usize = 2_000_000;

const ADDS: &str = r#"module {
  func.func public @main(%x: tensor<4xf32> loc("x")) -> (tensor<4xf32> {jax.result_info = "result['sum']"}) {
    %0 = stablehlo.add %x, %x : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
"#;

const WITH_MODULES: &str = r#"module {
  func.func public @main(%k: tensor<3x2xf32> loc("variables['params']['Dense_0']['kernel']"), %x: tensor<5x3xf32> loc("x")) -> tensor<5x2xf32> {
    %b = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
    %0 = stablehlo.dot_general %x, %k, contracting_dims = [1] x [0] : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32> loc("jit(f)/Model/Dense_0/dot_general")
    %1 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<2xf32>) -> tensor<5x2xf32> loc("jit(f)/Model/Dense_1/add")
    %2 = stablehlo.add %0, %1 : tensor<5x2xf32> loc("jit(f)/Model/Dense_1/add")
    return %2 : tensor<5x2xf32>
  }
}
"#;

/// Names that try to inject markup into the page.
const HOSTILE: &str = r#"module {
  func.func public @main(%x: tensor<4xf32> loc("<script>alert('in')</script>")) -> (tensor<4xf32> {jax.result_info = "result['</style><img src=x onerror=alert(1)>']"}) {
    %0 = stablehlo.custom_call @"<script>alert(1)</script>\" onload=\"alert(2)"(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("jit(f)/<b>Model</b>/<iframe srcdoc='x'>/add"("</pre><script>alert(3)</script>.py":1:1))
    return %0 : tensor<4xf32>
  }
}
"#;

fn check_named(name: &str, text: &str, options: &Options) -> FileReport {
    let source = Source::from_bytes(name, text.into());
    let (mut report, conversion) = report::convert(&source, options);
    report.diagnose(&conversion.diagnostics, &source, &|_| None);
    report
}

fn check(text: &str) -> FileReport {
    check_named("model.mlir", text, &Options::default())
}

fn page(texts: &[&str]) -> String {
    html::page(&Report::new(texts.iter().map(|text| check(text)).collect()))
}

fn fixture(path: &str) -> String {
    let path = format!("{}/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("the fixture exists")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hlo2onnx"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the command runs")
}

#[test]
fn an_exact_model_is_reported_with_its_lowered_ops() {
    let report = check(ADDS);
    assert_eq!((report.verdict, report.opset), (Verdict::Exact, Some(18)));
    let add = report.source_ops.iter().find(|op| op.op == "stablehlo.add").expect("the op is listed");
    assert!(add.supported && add.refused == 0 && add.count == 1);
    let becomes: Vec<(&str, usize)> = add.becomes.iter().map(|node| (&*node.op, node.count)).collect();
    assert_eq!(becomes, [("Add", 1)]);
    assert_eq!((report.inputs[0].name.as_str(), report.inputs[0].size.bytes), ("x", Some(16)));
    assert_eq!((report.outputs[0].name.as_str(), report.outputs[0].ty().as_str()), ("sum", "f32[4]"));
    assert!(report.weights.is_empty() && report.problems.iter().all(|problem| problem.count == 1));
}

#[test]
fn nan_and_excess_precision_are_differences() {
    let pooled = check(&fixture("models/demo/model.debug.mlir"));
    assert_eq!(pooled.verdict, Verdict::Approximate);
    assert!(pooled.differences.iter().all(|difference| difference.kind == "nan"), "{:?}", pooled.differences);
    let options = Options { strict_nan: true, ..Options::default() };
    let strict = check_named("model.mlir", &fixture("models/demo/model.debug.mlir"), &options);
    assert_eq!((strict.verdict, strict.differences.len()), (Verdict::Exact, 0));
    let narrow = check(&fixture("models/dense_bf16/model.mlir"));
    let kinds: Vec<&str> = narrow.differences.iter().map(|difference| difference.kind).collect();
    assert_eq!((narrow.verdict, kinds), (Verdict::Approximate, vec!["excess_precision"]));
}

#[test]
fn narrower_and_wider_floats_are_differences() {
    let kinds = |text: &str, options: &Options| {
        let report = check_named("floats.mlir", text, options);
        (report.verdict, report.differences.iter().map(|difference| difference.kind).collect::<Vec<_>>())
    };
    let product = fixture("ops/dot/float16.mlir");
    let product = product.split("// -----").next().unwrap_or_default();
    let halved = Options { float16: true, ..Options::default() };
    assert_eq!(kinds(product, &halved), (Verdict::Approximate, vec!["precision"]));
    assert_eq!(kinds(product, &Options::default()), (Verdict::Exact, vec![]));

    let narrow = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
        %0 = stablehlo.convert %x : (tensor<4xf32>) -> tensor<4xbf16>
        %1 = stablehlo.add %0, %0 : tensor<4xbf16>
        %2 = stablehlo.convert %1 : (tensor<4xbf16>) -> tensor<4xf32>
        return %2 : tensor<4xf32>
    }";
    let tract = Options { target: "tract".parse().ok(), ..Options::default() };
    assert!(tract.target.is_some());
    assert_eq!(kinds(narrow, &tract), (Verdict::Approximate, vec!["excess_precision"]));
}

#[test]
fn weights_are_listed_in_the_modules_of_their_ops() {
    let report = check(WITH_MODULES);
    let rows: Vec<(&str, usize, u64)> =
        report.modules.iter().map(|row| (&*row.path, row.depth, row.parameters)).collect();
    assert_eq!(rows, [("Model", 0, 8), ("Model/Dense_0", 1, 6), ("Model/Dense_1", 1, 2)]);
    assert_eq!((report.parameters, report.weight_bytes), (8, 32));
    // A weight that is an argument is not also listed as an input.
    assert_eq!(report.inputs.iter().map(|input| &*input.name).collect::<Vec<_>>(), ["x"]);
}

#[test]
fn symbolic_sizes_have_their_names() {
    let text = fixture("ops/dynamic/symbolic.mlir");
    let part = text.split("// -----").next().unwrap_or_default();
    let report = check(part);
    let symbolic =
        report.inputs.iter().chain(&report.outputs).filter_map(|tensor| tensor.size.symbolic_bytes.as_ref());
    let found: Vec<&String> = symbolic.collect();
    assert!(
        !found.is_empty() && found.iter().all(|size| size.contains(|c: char| c.is_ascii_alphabetic())),
        "{found:?}"
    );
}

#[test]
fn ops_with_errors_are_counted() {
    let report = check(HOSTILE);
    assert_eq!((report.verdict, report.opset, report.counts.error), (Verdict::Refused, None, 1));
    let call =
        report.source_ops.iter().find(|op| op.op == "stablehlo.custom_call").expect("the op is listed");
    assert_eq!((call.count, call.refused), (1, 1));
}

#[test]
fn json_is_one_object_with_a_summary() {
    let output = run(&[
        "check",
        "--format",
        "json",
        "fixtures/models/pytree/model.debug.mlir",
        "fixtures/errors/E0007.mlir",
        "no_such_file.mlir",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    assert_eq!(json["schema"], report::SCHEMA);
    let summary = &json["summary"];
    assert_eq!(
        (&summary["files"], &summary["exact"], &summary["refused"]),
        (&3.into(), &1.into(), &2.into())
    );
    let files = json["files"].as_array().expect("files are a list");
    let verdicts: Vec<&str> = files.iter().filter_map(|file| file["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["exact", "refused", "refused"]);
    assert_eq!(files[0]["inputs"][0]["dims"], serde_json::json!(["2", "5", "4"]));
    assert_eq!(files[0]["inputs"][0]["size"]["bytes"], 160);
    assert_eq!(files[1]["diagnostics"]["diagnostics"][0]["code"], "E0007");
    assert_eq!(files[2]["diagnostics"]["diagnostics"][0]["code"], "E0402");
}

#[test]
fn the_text_ends_with_a_summary_of_all_files() {
    let output =
        run(&["check", "fixtures/models/pytree/model.debug.mlir", "fixtures/models/demo/model.debug.mlir"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("model.debug.mlir: converts exactly, opset 18\n"), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("2 files: "), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn weights_are_checked_against_the_arguments() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/models/transformer");
    let (text, weights) = (format!("{folder}/model.args.mlir"), format!("{folder}/weights.safetensors"));
    let bound = run(&["check", &text, "--weights", &weights]);
    let said = String::from_utf8_lossy(&bound.stdout);
    assert!(bound.status.success() && said.contains("inputs     args/0: i32[2, 7] ("), "{said}");
    let report = |arguments: &[&str]| {
        let output = run(arguments).stdout;
        let json: serde_json::Value = serde_json::from_slice(&output).expect("the report is JSON");
        let file = &json["files"][0];
        let weights = file["weights"].as_array().expect("a list").iter();
        let origins: std::collections::BTreeSet<String> =
            weights.map(|weight| weight["origin"].to_string()).collect();
        (file["parameters"].as_u64(), origins)
    };
    let alone = report(&["check", &text, "--format", "json"]);
    let with_file = report(&["check", &text, "--weights", &weights, "--format", "json"]);
    assert_eq!(alone.0, with_file.0);
    assert!(alone.1.contains("\"argument\"") && !alone.1.contains("\"bound\""), "{alone:?}");
    assert!(with_file.1.contains("\"bound\"") && !with_file.1.contains("\"argument\""), "{with_file:?}");
    // Another file contains none of them.
    let other = format!("{folder}/io.safetensors");
    let unbound = run(&["check", &text, "--weights", &other]);
    assert_eq!(unbound.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unbound.stderr).contains("E0409"));
    let missing = run(&["check", &text, "--weights", "nowhere.npz"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("E0402"));
    assert!(missing.stdout.is_empty());
}

#[test]
fn the_page_is_written_to_the_requested_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.html");
    let shown = path.to_string_lossy().into_owned();
    let output = run(&["check", "fixtures/models/pytree/model.debug.mlir", "--html", &shown]);
    assert_eq!(output.status.code(), Some(0));
    assert_well_formed(&fs::read_to_string(&path).expect("the page exists"));
    let nowhere = folder.path().join("none/report.html");
    let output =
        run(&["check", "fixtures/models/pytree/model.debug.mlir", "--html", &nowhere.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("E04"), "{output:?}");
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    let demo = fixture("models/demo/model.debug.mlir");
    let refused = fixture("errors/E0201_ten_at_once.mlir");
    for page in [page(&[ADDS]), page(&[&demo]), page(&[&demo, &refused, WITH_MODULES]), page(&[""])] {
        assert_well_formed(&page);
        // The one exception is the policy that forbids every load.
        assert_eq!(page.matches("http").count(), 1);
        assert!(page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
        for loading in [" src=", "url(", "@import", "<link", "fetch(", "import("] {
            assert!(!page.contains(loading), "the page contains {loading}");
        }
        let targets = page.split("href=\"").skip(1);
        assert!(targets.into_iter().all(|rest| rest.starts_with('#')));
    }
}

#[test]
fn hostile_names_are_text() {
    let page = page(&[HOSTILE]);
    assert_well_formed(&page);
    assert_eq!(page.matches("<script").count(), 1, "only the page's own script");
    for tag in ["<img", "<iframe", "<b>Model"] {
        assert!(!page.contains(tag), "{tag} is not escaped");
    }
    for shown in ["&lt;script&gt;alert(1)", "&lt;b&gt;Model", "&lt;img src=x onerror"] {
        assert!(page.contains(shown), "{shown} is not shown");
    }
}

#[test]
fn large_texts_make_small_pages() {
    let mut body = String::new();
    for index in 0..2500 {
        let operand = if index == 0 { "x".to_owned() } else { (index - 1).to_string() };
        let _ = writeln!(
            body,
            "    %{index} = stablehlo.custom_call @kernel_{index}(%{operand}) : (tensor<4xf32>) -> tensor<4xf32> \
             loc(\"jit(f)/Model_{index}/Block/add\")"
        );
    }
    let text = format!(
        "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {{\n{body}    return %2499 : tensor<4xf32>\n}}\n"
    );
    let refused = check(&text);
    assert!(refused.problems.len() > 2000);
    let many: Vec<FileReport> = (0..40).map(|_| refused.clone()).collect();
    for files in [vec![refused], many] {
        let page = html::page(&Report::new(files));
        assert!(page.len() < LONGEST_PAGE, "{} bytes", page.len());
        assert!(page.contains("not shown; <code>--format json</code>"));
        assert_well_formed(&page);
    }
}

#[test]
fn the_same_texts_make_the_same_page() {
    let demo = fixture("models/demo/model.debug.mlir");
    assert!(page(&[&demo, HOSTILE]) == page(&[&demo, HOSTILE]));
}

#[test]
fn unreadable_inputs_are_refused() {
    let source = Source::from_bytes("gone.mlir", Vec::new());
    let report = report::alone(&source);
    assert_eq!((report.verdict, report.problems.len()), (Verdict::Refused, 0));
}

/// Elements are closed in order, a tag has no attribute twice, and the page no id twice.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 5] = ["meta", "input", "br", "rect", "path"];
    let mut ids = std::collections::BTreeSet::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("the page begins with its type");
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray `>` before {}", cut(&rest[start..]));
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {}", cut(rest));
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "<{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        if let Some(id) = tag.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            assert!(ids.insert(id.to_owned()), "the id {id} occurs twice");
        }
        if matches!(name, "script" | "style") {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).expect("it is closed") + close.len()..];
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Shows the page in a real browser: its console is empty, and its script has run. It needs Chromium, in `CHROMIUM` or
/// on the path: `cargo test --test check -- --ignored`. `SCREENSHOTS=folder` keeps screenshots.
#[test]
#[ignore = "wants a Chromium"]
fn a_browser_shows_the_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.html");
    let demo = fixture("models/demo/model.debug.mlir");
    fs::write(&path, page(&[&demo, HOSTILE, WITH_MODULES])).expect("the page can be written");
    let address = format!("file://{}", path.display());
    let output = chromium(&["--dump-dom", &address]);
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{log}");
    // The script counts the problems that it shows.
    assert!(dom.contains("role=\"status\">") && dom.contains(" problems</p>"), "{log}");
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:#?}");
    let Some(kept) = env::var_os("SCREENSHOTS").map(PathBuf::from) else { return };
    for (name, scheme, size) in
        [("light", "1", "1280,2400"), ("dark", "0", "1280,2400"), ("narrow", "1", "500,2400")]
    {
        let shot = format!("--screenshot={}", kept.join(format!("{name}.png")).display());
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let output = chromium(&[&shot, &scheme, &format!("--window-size={size}"), &address]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn chromium(arguments: &[&str]) -> Output {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let program = env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
    Command::new(program)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .output()
        .expect("Chromium runs; CHROMIUM is its path")
}

/// Two shifts, which CUDA has no kernel for, and a sum.
const SHIFTS: &str = r#"func.func public @main(%x: tensor<4xui32> loc("x")) -> tensor<4xui32> {
  %c = stablehlo.constant dense<9> : tensor<4xui32>
  %0 = stablehlo.shift_left %x, %c : tensor<4xui32>
  %1 = stablehlo.shift_left %0, %c : tensor<4xui32>
  %2 = stablehlo.add %1, %x : tensor<4xui32>
  return %2 : tensor<4xui32>
}
"#;

#[test]
fn nodes_that_the_target_does_not_run_are_counted() {
    let on = |target: &str| {
        let options = Options { target: target.parse().ok(), ..Options::default() };
        assert!(options.target.is_some(), "{target}");
        check_named("model.mlir", SHIFTS, &options)
    };
    let falls = on("onnxruntime-cuda:1.23");
    let placement = falls.placement.as_ref().expect("a target is named");
    assert_eq!((placement.fallback, placement.nodes, placement.missing), (Some("cpu"), 3, 2));
    let kinds: Vec<_> =
        placement.kinds.iter().map(|kind| (&*kind.op, kind.element.as_deref(), kind.count)).collect();
    assert_eq!(kinds, [("BitShift", Some("ui32"), 2)]);
    assert_ne!(falls.verdict, Verdict::Refused);
    assert!(report::text::file(&falls).contains("2 of 3 nodes run on the CPU"));
    let page = html::page(&Report::new(vec![falls]));
    assert!(page.contains("2 of 3 nodes run on the CPU"));
    let whole = on("onnxruntime:1.31").placement.expect("a target is named");
    assert_eq!((whole.missing, whole.kinds.len()), (0, 0));
    assert!(check(SHIFTS).placement.is_none());
}

#[test]
fn each_release_reads_the_ir_versions_of_its_opsets() {
    for row in hlo2onnx::target::ROWS {
        for release in row.releases {
            let highest = release.opset.min(hlo2onnx::target::HIGHEST_OPSET);
            assert!(hlo2onnx::onnx::ir_version(highest) <= release.ir, "{} {}", row.name, release.number);
        }
    }
}

#[test]
fn targets_are_listed() {
    let text = run(&["targets"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("onnxruntime-cuda") && text.contains("1.18 to 1.20"), "{text}");
    let rows: serde_json::Value =
        serde_json::from_slice(&run(&["targets", "--json"]).stdout).expect("it is JSON");
    let first = &rows[0];
    assert_eq!(
        (&first["target"], &first["releases"][0]["highest_opset"]),
        (&"onnxruntime".into(), &20.into())
    );
}
