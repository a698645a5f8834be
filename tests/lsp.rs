//! The language server as an editor uses it: the program itself, over pipes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
const URI: &str = "file:///models/model.mlir";

/// An editor.
struct Client {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    asked: i64,
}

impl Client {
    /// Starts a server and states the client's capabilities.
    fn new() -> Self {
        let text = json!({
            "publishDiagnostics": { "relatedInformation": true },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        });
        Self::with(json!({ "textDocument": text }))
    }

    fn with(capabilities: Value) -> Self {
        let mut client = Self::silent();
        let parameters =
            json!({ "processId": null, "rootUri": "file:///program", "capabilities": capabilities });
        let answer = client.ask("initialize", parameters);
        assert_eq!(answer["serverInfo"]["name"], "hlo2onnx");
        assert_eq!(answer["capabilities"]["textDocumentSync"]["change"], 2, "edits are incremental");
        client.tell("initialized", json!({}));
        client
    }

    /// Starts a server without `initialize`.
    fn silent() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_hlo2onnx"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (server.stdin.take(), server.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self { server, input, messages, asked: 0 }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, parameters: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    /// Sends a request and returns its number.
    fn request(&mut self, method: &str, parameters: Value) -> i64 {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        id
    }

    /// The first message for which `is_wanted` returns true; earlier ones are skipped.
    fn wait(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers in time");
            if is_wanted(&message) {
                return message;
            }
        }
    }

    fn answer(&mut self, id: i64) -> Value {
        self.wait(|message| message["id"] == id)
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.request(method, parameters);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "mlir", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, version: i32, changes: Value) {
        let document = json!({ "uri": URI, "version": version });
        let parameters = json!({ "textDocument": document, "contentChanges": changes });
        self.tell("textDocument/didChange", parameters);
    }

    /// The next published diagnostics.
    fn published(&mut self) -> Value {
        self.wait(|message| message["method"] == "textDocument/publishDiagnostics")["params"].clone()
    }

    /// A question about `part` of a text, at an offset in characters from its start.
    fn at(&mut self, method: &str, text: &str, part: &str, offset: usize) -> Value {
        let place = place(text, part, offset);
        self.ask(
            method,
            json!({
                "textDocument": { "uri": URI },
                "position": place,
                "context": { "includeDeclaration": true },
            }),
        )
    }

    fn hover(&mut self, text: &str, part: &str) -> String {
        let answer = self.at("textDocument/hover", text, part, 1);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The text that the definition of the name at the start of `part` covers, with its line from 1.
    fn definition(&mut self, text: &str, part: &str) -> (usize, String) {
        let answer = self.at("textDocument/definition", text, part, 1);
        covered(text, &answer["range"])
    }

    fn exit(mut self) -> ExitStatus {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.leave()
    }

    fn leave(mut self) -> ExitStatus {
        self.tell("exit", Value::Null);
        self.input = None;
        self.server.wait().unwrap()
    }
}

impl Drop for Client {
    /// Stops the server if the test fails.
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn receive(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok()?
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// The position of a part of a text, as an editor counts.
fn place(text: &str, part: &str, offset: usize) -> Value {
    let at = text.find(part).unwrap_or_else(|| panic!("{part:?} is in the text"));
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let character = text[line..at].encode_utf16().count() + offset;
    json!({ "line": before.matches('\n').count(), "character": character })
}

/// The line (from 1) and the text of a range within one line.
fn covered(text: &str, range: &Value) -> (usize, String) {
    assert_eq!(range["start"]["line"], range["end"]["line"], "{range}");
    let line = range["start"]["line"].as_u64().unwrap() as usize;
    let column = |end: &str| range[end]["character"].as_u64().unwrap() as usize;
    let units: Vec<u16> = text.lines().nth(line).unwrap().encode_utf16().collect();
    (line + 1, String::from_utf16(&units[column("start")..column("end")]).unwrap())
}

const TEXT: &str = r#"#loc1 = loc("inputs['x']")
#mapping = 1 : i64
module @model {
  func.func public @main(%arg0: tensor<4xf32> loc("inputs['x']")) -> (tensor<4xf32>, tensor<i32>) {
    %cst = stablehlo.constant dense<[1.0, -2.5, 3.0, 0.5]> : tensor<4xf32>
    %c, %c_0 = "test.pair"() : () -> (tensor<i32>, tensor<i64>)
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %0:2 = stablehlo.while(%iterArg = %arg0, %iterArg_1 = %c_1) : tensor<4xf32>, tensor<i32>
    cond {
      %c_2 = stablehlo.constant dense<3> : tensor<i32>
      %4 = stablehlo.compare LT, %iterArg_1, %c_2, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %4 : tensor<i1>
    } do {
      %4 = stablehlo.add %iterArg, %cst : tensor<4xf32> loc(#loc7)
      stablehlo.return %4, %iterArg_1 : tensor<4xf32>, tensor<i32>
    }
    %1 = call @inner(%0#0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = stablehlo.reduce(%1 init: %cst_9) across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
     reducer(%a: tensor<f32>, %b: tensor<f32>) {
      %4 = stablehlo.maximum %a, %b : tensor<f32>
      stablehlo.return %4 : tensor<f32>
    }
    return %1, %0#1 : tensor<4xf32>, tensor<i32>
  }
  func.func private @inner(%arg0: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.tanh %arg0 : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
#loc5 = loc("model.py":42:8 to :20)
#loc6 = loc("Block.__call__"(#loc5))
#loc7 = loc("jit(apply)/Model/Dense_0/add"(#loc6))
"#;

#[test]
fn ends_with_shutdown_and_exit() {
    assert!(Client::new().exit().success());
    // The protocol requires another status if the client has not sent `shutdown`.
    assert_eq!(Client::new().leave().code(), Some(1));
    assert_eq!(Client::silent().leave().code(), Some(1));
}

#[test]
fn definitions() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    for (part, line, name) in [
        ("%arg0, %iterArg_1 = ", 4, "%arg0"),
        ("%iterArg, %cst :", 8, "%iterArg"),
        ("%iterArg_1, %c_2", 8, "%iterArg_1"),
        ("%cst : tensor", 5, "%cst"),
        ("%4 : tensor<i1>", 11, "%4"),
        ("%4, %iterArg_1", 14, "%4"),
        ("%4 : tensor<f32>", 20, "%4"),
        ("%a, %b", 19, "%a"),
        ("%0#0)", 8, "%0"),
        ("%0#1 :", 8, "%0"),
        ("%c_0 = ", 6, "%c_0"),
        ("@inner(%0", 25, "@inner"),
        ("#loc7)", 32, "#loc7"),
        ("#loc5))", 30, "#loc5"),
        ("%arg0 : tensor<4xf32>\n    return", 25, "%arg0"),
    ] {
        assert_eq!(client.definition(TEXT, part), (line, name.to_owned()), "{part}");
    }
    // Neither is defined: one nowhere, one only outside the function.
    for part in ["%cst_9)", "tensor<4xf32>"] {
        assert_eq!(client.at("textDocument/definition", TEXT, part, 1), Value::Null, "{part}");
    }
    assert!(client.exit().success());
}

#[test]
fn references_are_those_of_the_function() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let lines = |found: Value| -> Vec<u64> {
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|place| place["range"]["start"]["line"].as_u64().unwrap() + 1).collect()
    };
    for (part, used) in [
        ("%0#0)", vec![8, 17, 23]),
        ("%arg0: tensor<4xf32> loc", vec![4, 8]),
        ("%iterArg_1 = ", vec![8, 11, 15]),
        ("%4 : tensor<i1>", vec![11, 12]),
        ("@inner(%0", vec![17, 25]),
        ("#loc5))", vec![30, 31]),
    ] {
        assert_eq!(lines(client.at("textDocument/references", TEXT, part, 1)), used, "{part}");
    }
    assert!(client.exit().success());
}

#[test]
fn hovers() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    for (part, wanted) in [
        ("%arg0: tensor<4xf32> loc", vec!["%arg0 : tensor<4xf32>", "inputs['x']"]),
        ("%cst = ", vec!["%cst : tensor<4xf32>", "4 elements, min -2.5, max 3.0", "[1.0, -2.5, 3.0, 0.5]"]),
        ("%c_1 = ", vec!["tensor<i32>", "every element is 0"]),
        ("%iterArg_1, %c_2", vec!["%iterArg_1 : tensor<i32>"]),
        ("%0:2", vec!["%0:2 : tensor<4xf32>, tensor<i32>", "onnx.Loop"]),
        ("%0#1 :", vec!["%0#1 : tensor<i32>", "`stablehlo.while` in line 8"]),
        ("%4 = stablehlo.add", vec!["onnx.Add", "`model.py:42`", "`Block.__call__`", "`Model/Dense_0`"]),
        ("stablehlo.maximum", vec!["(tensor<f32>, tensor<f32>) -> (tensor<f32>)", "onnx.Max"]),
        ("%1 = call", vec!["%1 : tensor<4xf32>", "called function"]),
        ("@inner(%0", vec!["func.func private @inner(%arg0: tensor<4xf32>)"]),
        ("#loc7)", vec!["jit(apply)/Model/Dense_0/add", "`model.py:42`"]),
    ] {
        let said = client.hover(TEXT, part);
        for wanted in wanted {
            assert!(said.contains(wanted), "{part}: {wanted:?} is in {said}");
        }
    }
    assert_eq!(client.at("textDocument/hover", TEXT, "SIGNED", 1), Value::Null);
    assert!(client.exit().success());
}

#[test]
fn symbols_are_functions_with_their_control_flow() {
    fn outline(symbols: &Value) -> String {
        let names = symbols.as_array().unwrap().iter().map(|symbol| {
            let children = symbol.get("children").map(|children| format!("[{}]", outline(children)));
            format!("{}{}", symbol["name"].as_str().unwrap(), children.unwrap_or_default())
        });
        names.collect::<Vec<_>>().join(" ")
    }
    let parameters = json!({ "textDocument": { "uri": URI } });
    let mut client = Client::new();
    client.open(URI, TEXT);
    let found = client.ask("textDocument/documentSymbol", parameters.clone());
    assert_eq!(outline(&found), "model[main[%0[cond do]] inner]");
    assert!(client.exit().success());

    // A client that does not support trees gets a list.
    let mut client = Client::with(json!({}));
    client.open(URI, TEXT);
    let found = client.ask("textDocument/documentSymbol", parameters);
    assert_eq!(outline(&found), "model main %0 cond do inner");
    assert_eq!(found[2]["containerName"], "main");
    assert!(client.exit().success());
}

const FAULTY: &str = "func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %arg0, %arg0 : tensor<4xf32>
  %1 = \"stablehlo.infeed\"(%0) : (tensor<4xf32>) -> tensor<4xf32> loc(\"jit(f)/Net/x\"(\"net.py\":7:4))
  return %1 : tensor<4xf32>
}
";

#[test]
fn diagnostics_follow_the_text() {
    let mut client = Client::new();
    client.open(URI, FAULTY);
    let published = client.published();
    assert_eq!((&published["uri"], &published["version"]), (&json!(URI), &json!(1)));
    let list = published["diagnostics"].as_array().unwrap();
    let fault = list.iter().find(|item| item["severity"] == 1).unwrap();
    assert_eq!((&fault["code"], &fault["source"]), (&json!("E0201"), &json!("hlo2onnx")));
    assert!(fault["message"].as_str().unwrap().contains("help: "), "{fault}");
    assert_eq!(covered(FAULTY, &fault["range"]).0, 3);
    let python = &fault["relatedInformation"][0];
    assert_eq!(python["location"]["uri"], "file:///program/net.py");
    assert_eq!(python["location"]["range"]["start"], json!({ "line": 6, "character": 4 }));
    assert!(python["message"].as_str().unwrap().contains("`Net`"), "{python}");

    // An edit fixes it, after a comment of wide characters on the same line; saving publishes again.
    let name = place(FAULTY, "\"stablehlo.infeed\"", 0);
    let end = place(FAULTY, "\"stablehlo.infeed\"", "\"stablehlo.infeed\"".len());
    client.change(2, json!([{ "range": { "start": name, "end": end }, "text": "\"stablehlo.tanh\"" }]));
    let mended = client.published();
    assert_eq!(mended["version"], 2);
    let is_error = |item: &Value| item["severity"] == 1;
    assert!(!mended["diagnostics"].as_array().unwrap().iter().any(is_error), "{mended}");
    client.tell("textDocument/didSave", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(client.published(), mended);

    // A closed text has no diagnostics.
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(client.published()["diagnostics"], json!([]));
    assert!(client.exit().success());
}

#[test]
fn client_without_related_places_gets_them_in_the_message() {
    let mut client = Client::with(json!({}));
    client.open(URI, FAULTY);
    let published = client.published();
    let fault = published["diagnostics"].as_array().unwrap().iter().find(|item| item["code"] == "E0201");
    let fault = fault.unwrap();
    assert!(fault.get("relatedInformation").is_none(), "{fault}");
    assert!(fault["message"].as_str().unwrap().contains("net.py:7"), "{fault}");
    assert!(client.exit().success());
}

#[test]
fn every_error_fixture_matches_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/errors");
    let mut client = Client::new();
    let mut texts = 0;
    for entry in fs::read_dir(folder).unwrap() {
        // The protocol's texts are Unicode, so other files never reach the server.
        let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
        let source = Source::from_bytes("fixture", text.clone().into_bytes());
        let conversion = convert(&source, &Options::default());
        let wanted: Vec<String> =
            conversion.diagnostics.sorted().iter().map(|found| found.code().to_string()).collect();
        client.open(URI, &text);
        let published = client.published();
        let codes: Vec<&str> = published["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, wanted, "{text}");
        texts += 1;
    }
    assert!(texts > 30, "{texts} fixtures");
    assert!(client.exit().success());
}

#[test]
fn text_with_errors_has_answers() {
    // The function is not closed, a statement is incomplete, and a name is not defined.
    let text = "func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %arg0, %arg0 : tensor<4xf32>
  %1 = stablehlo.
  %2 = stablehlo.multiply %0, %missing : tensor<4xf32>
  %3 = stablehlo.tanh %2 : tensor<4x
  return %2 : tensor<4xf32>
";
    let mut client = Client::new();
    client.open(URI, text);
    assert!(client.published()["diagnostics"].as_array().unwrap().len() > 2);
    assert_eq!(client.definition(text, "%0, %missing"), (2, "%0".to_owned()));
    assert_eq!(client.definition(text, "%2 : tensor"), (4, "%2".to_owned()));
    assert!(client.hover(text, "%2 = ").contains("%2 : tensor<4xf32>"));
    // A statement that cannot be parsed is quoted.
    assert!(client.hover(text, "%1 = ").contains("%1 = stablehlo."));
    let parameters = json!({ "textDocument": { "uri": URI } });
    assert_eq!(client.ask("textDocument/documentSymbol", parameters)[0]["name"], "main");
    assert!(client.exit().success());
}

#[test]
fn positions_count_in_utf_16() {
    let text = "func.func @main(%x: tensor<f32>) -> tensor<f32> {
\t%0 = stablehlo.custom_call @f(%x) {n = \"😀漢é\"} : (tensor<f32>) -> tensor<f32> loc(#loc1)
\treturn %0 : tensor<f32>
}
#loc1 = loc(\"😀\") // 😀 %0
";
    let mut client = Client::new();
    client.open(URI, text);
    assert_eq!(client.definition(text, "#loc1)"), (5, "#loc1".to_owned()));
    assert_eq!(client.definition(text, "%x)"), (1, "%x".to_owned()));
    assert!(client.hover(text, "#loc1)").contains("loc(\"😀\")"));
    // A name in a comment or a string is not a name.
    assert_eq!(client.at("textDocument/definition", text, "😀 %0", 4), Value::Null);
    // After the emoji on the same line, a position counts it as two units.
    let (start, end) = (place(text, "#loc1)", 1), place(text, "#loc1)", 5));
    client.change(2, json!([{ "range": { "start": start, "end": end }, "text": "loc2" }]));
    let text = text.replace("loc(#loc1)", "loc(#loc2)").replace("#loc1 =", "#loc2 =");
    let (start, end) = (json!({ "line": 4, "character": 0 }), json!({ "line": 4, "character": 5 }));
    client.change(3, json!([{ "range": { "start": start, "end": end }, "text": "#loc2" }]));
    assert_eq!(client.definition(&text, "#loc2)"), (5, "#loc2".to_owned()));
    assert!(client.exit().success());
}

#[test]
fn invalid_requests_are_refused_and_the_server_continues() {
    let mut client = Client::new();
    let code = |answer: Value| answer["error"]["code"].as_i64();
    let id = client.request("textDocument/formatting", json!({}));
    assert_eq!(code(client.answer(id)), Some(-32601), "the method does not exist");
    let unknown = json!({ "textDocument": { "uri": URI }, "position": { "line": 0, "character": 0 } });
    let id = client.request("textDocument/hover", unknown);
    assert_eq!(code(client.answer(id)), Some(-32602), "the text is not open");
    let id = client.request("textDocument/hover", json!({ "position": 1 }));
    assert_eq!(code(client.answer(id)), Some(-32602), "the parameters are invalid");
    client.change(2, json!([{ "text": "x" }]));
    let logged = client.wait(|message| message["method"] == "window/logMessage");
    assert!(logged["params"]["message"].as_str().unwrap().contains("is not open"), "{logged}");
    client.tell("$/unknown", json!({}));
    client.open(URI, TEXT);
    let far = json!({ "textDocument": { "uri": URI }, "position": { "line": 9999, "character": 9999 } });
    assert_eq!(client.ask("textDocument/hover", far), Value::Null);
    assert!(client.exit().success());
}

/// A text of about `bytes` bytes, nearly all of them in a constant, with some ops and locations after it.
fn large(bytes: usize) -> String {
    let count = bytes / 8;
    let mut text = format!(
        "func.func @main(%arg0: tensor<{count}xf32>) -> tensor<{count}xf32> {{\n  %cst = stablehlo.constant \
         dense<\"0x"
    );
    text.push_str(&"0000803F000000C0".repeat(count / 2));
    text.push_str(&format!(
        "\"> : tensor<{count}xf32>\n  %0 = stablehlo.add %arg0, %cst : tensor<{count}xf32>\n"
    ));
    for index in 1..500 {
        text.push_str(&format!(
            "  %{index} = stablehlo.tanh %{} : tensor<{count}xf32> loc(#loc{index})\n",
            index - 1
        ));
    }
    text.push_str(&format!("  return %499 : tensor<{count}xf32>\n}}\n"));
    for index in 1..500 {
        text.push_str(&format!("#loc{index} = loc(\"m.py\":{index}:1)\n"));
    }
    text
}

#[test]
fn large_text() {
    let text = large(20 << 20);
    let mut client = Client::new();
    client.open(URI, &text);
    let first = client.published();
    assert_eq!(first["version"], 1);
    assert!(!first["diagnostics"].as_array().unwrap().iter().any(|item| item["severity"] == 1), "{first}");
    assert!(client.hover(&text, "%cst :").contains("min -2.0, max 1.0"));

    // Edits arrive faster than the text can be checked. Only the last version gets diagnostics, unless a check finished
    // between two edits.
    let started = Instant::now();
    let end = json!({ "line": 2, "character": 4 });
    for version in 2..=40 {
        let (range, text) = match version % 2 {
            0 => (json!({ "start": end, "end": end }), "x"),
            _ => (json!({ "start": end, "end": { "line": 2, "character": 5 } }), ""),
        };
        client.change(version, json!([{ "range": range, "text": text }]));
    }
    // The last edit made a name `%0x`, so that `%0` is not defined.
    let found = client.at("textDocument/definition", &text, "%499 : ", 1);
    assert_eq!(found["range"]["start"]["character"], 2);
    let last = client.wait(|message| message["params"]["version"] == 40);
    let last = last["params"]["diagnostics"].as_array().unwrap().clone();
    assert!(last.iter().any(|item| item["code"] == "E0101"), "{last:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(client.hover(&text, "%400 = ").contains("`m.py:400`"));
    assert!(client.exit().success());
}
