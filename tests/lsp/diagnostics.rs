//! Diagnostics, as they are published.

use crate::client::{Client, URI, covered, place};
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

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
#[cfg(unix)]
fn codes_lead_to_their_manual_pages() {
    let published = json!({ "codeDescriptionSupport": true });
    let mut client = Client::with(json!({ "textDocument": { "publishDiagnostics": published } }));
    client.open(URI, FAULTY);
    let published = client.published();
    let found = published["diagnostics"].as_array().unwrap();
    let fault = found.iter().find(|item| item["code"] == "E0201").unwrap();
    let page = fault["codeDescription"]["href"].as_str().unwrap();
    let path = Path::new(page.strip_prefix("file://").unwrap());
    assert!(path.ends_with("E0201.md"), "{page}");
    assert!(fs::read_to_string(path).unwrap().starts_with("# E0201: UnsupportedOp"));
    assert!(client.exit().success());
    assert!(!path.parent().unwrap().exists(), "the folder is removed");

    // A client that does not open pages gets none.
    let mut client = Client::new();
    client.open(URI, FAULTY);
    let published = client.published();
    let found = published["diagnostics"].as_array().unwrap();
    assert!(found.iter().all(|item| item.get("codeDescription").is_none()), "{published}");
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
fn lines_of_python_have_their_diagnostics() {
    let mut client = Client::new();
    client.open(URI, FAULTY);
    let python = client.published_on(".py");
    assert_eq!(python["uri"], "file:///program/net.py");
    let fault = &python["diagnostics"][0];
    assert_eq!((&fault["code"], &fault["range"]["start"]["line"]), (&json!("E0201"), &json!(6)));
    let place = &fault["relatedInformation"][0]["location"];
    assert_eq!((&place["uri"], &place["range"]["start"]["line"]), (&json!(URI), &json!(2)));

    // Another text of the same file has the same fault; the file shows both until one is closed.
    let other = "file:///models/other.mlir";
    client.open(other, FAULTY);
    assert_eq!(client.published_on(".py")["diagnostics"].as_array().unwrap().len(), 2);
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": other } }));
    assert_eq!(client.published_on(".py")["diagnostics"].as_array().unwrap().len(), 1);
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(client.published_on(".py")["diagnostics"], json!([]));
    assert!(client.exit().success());
}
