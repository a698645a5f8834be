//! The language server as an editor uses it: the program itself, over pipes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod diagnostics;
mod editing;
mod fixes;
mod navigation;
mod outline;
mod tokens;

use client::{Client, TEXT, URI};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn ends_with_shutdown_and_exit() {
    assert!(Client::new().exit().success());
    // The protocol requires another status if the client has not sent `shutdown`.
    assert_eq!(Client::new().leave().code(), Some(1));
    assert_eq!(Client::silent().leave().code(), Some(1));
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
