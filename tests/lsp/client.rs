//! An editor, for the tests.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The longest wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const URI: &str = "file:///models/model.mlir";

/// An editor.
pub struct Client {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    asked: i64,
}

impl Client {
    /// Starts a server and states the client's capabilities.
    pub fn new() -> Self {
        let text = json!({
            "publishDiagnostics": { "relatedInformation": true },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        });
        Self::with(json!({ "textDocument": text }))
    }

    pub fn with(capabilities: Value) -> Self {
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
    pub fn silent() -> Self {
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

    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    pub fn tell(&mut self, method: &str, parameters: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    /// Sends a request and returns its number.
    pub fn request(&mut self, method: &str, parameters: Value) -> i64 {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        id
    }

    /// The first message for which `is_wanted` returns true; earlier ones are skipped.
    pub fn wait(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers in time");
            if is_wanted(&message) {
                return message;
            }
        }
    }

    pub fn answer(&mut self, id: i64) -> Value {
        self.wait(|message| message["id"] == id)
    }

    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.request(method, parameters);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "mlir", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub fn change(&mut self, version: i32, changes: Value) {
        let document = json!({ "uri": URI, "version": version });
        let parameters = json!({ "textDocument": document, "contentChanges": changes });
        self.tell("textDocument/didChange", parameters);
    }

    /// The next published diagnostics of a text.
    pub fn published(&mut self) -> Value {
        self.published_on(".mlir")
    }

    /// The next published diagnostics of a file whose name ends so.
    pub fn published_on(&mut self, extension: &str) -> Value {
        let is_wanted = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"].as_str().is_some_and(|uri| uri.ends_with(extension))
        };
        self.wait(is_wanted)["params"].clone()
    }

    /// A question about `part` of a text, at an offset in characters from its start.
    pub fn at(&mut self, method: &str, text: &str, part: &str, offset: usize) -> Value {
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

    pub fn hover(&mut self, text: &str, part: &str) -> String {
        let answer = self.at("textDocument/hover", text, part, 1);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The text that the definition of the name at the start of `part` covers, with its line from 1.
    pub fn definition(&mut self, text: &str, part: &str) -> (usize, String) {
        let answer = self.at("textDocument/definition", text, part, 1);
        covered(text, &answer["range"])
    }

    pub fn exit(mut self) -> ExitStatus {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.leave()
    }

    pub fn leave(mut self) -> ExitStatus {
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
pub fn place(text: &str, part: &str, offset: usize) -> Value {
    let at = text.find(part).unwrap_or_else(|| panic!("{part:?} is in the text"));
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let character = text[line..at].encode_utf16().count() + offset;
    json!({ "line": before.matches('\n').count(), "character": character })
}

/// The line (from 1) and the text of a range within one line.
pub fn covered(text: &str, range: &Value) -> (usize, String) {
    assert_eq!(range["start"]["line"], range["end"]["line"], "{range}");
    let line = range["start"]["line"].as_u64().unwrap() as usize;
    let column = |end: &str| range[end]["character"].as_u64().unwrap() as usize;
    let units: Vec<u16> = text.lines().nth(line).unwrap().encode_utf16().collect();
    (line + 1, String::from_utf16(&units[column("start")..column("end")]).unwrap())
}

/// The text after the edits of an answer.
pub fn edited(text: &str, edits: &Value) -> String {
    let offset = |place: &Value| {
        let (line, column) = (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap());
        let start: usize = text.split_inclusive('\n').take(line as usize).map(str::len).sum();
        start + column as usize
    };
    let mut edits: Vec<&Value> = edits.as_array().unwrap().iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(&edit["range"]["start"])));
    let mut text = text.to_owned();
    for edit in edits {
        let (start, end) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
        text.replace_range(start..end, edit["newText"].as_str().unwrap());
    }
    text
}

pub const TEXT: &str = r#"#loc1 = loc("inputs['x']")
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
