//! Questions about places in a text.

use crate::client::{Client, TEXT, URI, covered, place};
use serde_json::{Value, json};

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
fn highlights_tell_the_definition_from_its_uses() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let found = client.at("textDocument/documentHighlight", TEXT, "%iterArg_1, %c_2", 1);
    let kinds: Vec<(u64, u64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|place| (place["range"]["start"]["line"].as_u64().unwrap() + 1, place["kind"].as_u64().unwrap()))
        .collect();
    // 3 is a write, 2 a read.
    assert_eq!(kinds, [(8, 3), (11, 2), (15, 2)]);
    assert!(client.exit().success());
}

#[test]
fn regions_and_aliases_fold() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let found = client.ask("textDocument/foldingRange", json!({ "textDocument": { "uri": URI } }));
    let lines = |range: &Value| {
        let line = |end: &str| range[end].as_u64().unwrap() + 1;
        (line("startLine"), line("endLine"), range["kind"].as_str().unwrap().to_owned())
    };
    let mut folds: Vec<_> = found.as_array().unwrap().iter().map(lines).collect();
    folds.sort();
    let region = |start, end| (start, end, "region".to_owned());
    let imports = |start, end| (start, end, "imports".to_owned());
    let expected = [
        imports(1, 2),
        region(3, 28),
        region(4, 23),
        region(9, 12),
        region(13, 15),
        region(19, 21),
        region(25, 27),
        imports(30, 32),
    ];
    assert_eq!(folds, expected);
    assert!(client.exit().success());
}

#[test]
fn lines_show_the_ops_that_they_become() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 40, "character": 0 } });
    let asked = json!({ "textDocument": { "uri": URI }, "range": range });
    let hints = client.ask("textDocument/inlayHint", asked);
    let hints: Vec<(u64, &str)> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|hint| (hint["position"]["line"].as_u64().unwrap() + 1, hint["label"].as_str().unwrap()))
        .collect();
    for wanted in [(8, "→ Loop"), (11, "→ Less"), (14, "→ Add"), (20, "→ Max"), (26, "→ Tanh")] {
        assert!(
            hints.iter().any(|(line, label)| *line == wanted.0 && label.starts_with(wanted.1)),
            "{hints:?}"
        );
    }
    // Constants, calls and returns become no op.
    assert!(hints.iter().all(|(line, _)| ![5, 7, 10, 17, 23].contains(line)), "{hints:?}");
    assert!(client.exit().success());
}

#[test]
fn calls_are_found_in_both_directions() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let place = json!({ "textDocument": { "uri": URI }, "position": place(TEXT, "@inner(%0", 1) });
    let items = client.ask("textDocument/prepareCallHierarchy", place);
    assert_eq!(items[0]["name"], "inner");
    assert_eq!(covered(TEXT, &items[0]["selectionRange"]), (25, "@inner".to_owned()));
    let incoming = client.ask("callHierarchy/incomingCalls", json!({ "item": items[0] }));
    assert_eq!(incoming[0]["from"]["name"], "main");
    assert_eq!(covered(TEXT, &incoming[0]["fromRanges"][0]), (17, "@inner".to_owned()));
    let outgoing = client.ask("callHierarchy/outgoingCalls", json!({ "item": incoming[0]["from"] }));
    assert_eq!(outgoing[0]["to"]["name"], "inner");
    assert_eq!(client.ask("callHierarchy/outgoingCalls", json!({ "item": items[0] })), json!([]));
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
