//! Changes that the server proposes.

use crate::client::{Client, TEXT, URI, covered, place};
use serde_json::{Value, json};

/// The text after the edits of an answer.
fn edited(text: &str, edits: &Value) -> String {
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

#[test]
fn names_are_changed_everywhere() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    for (part, name, uses) in [
        ("%0#0)", "%loop", vec!["%loop:2 = stablehlo.while", "@inner(%loop#0)", "%1, %loop#1 :"]),
        ("%iterArg_1 = ", "count", vec!["%count = %c_1", "LT, %count,", "%4, %count :"]),
        ("@inner(%0", "@block", vec!["call @block(", "private @block("]),
        ("#loc5))", "line", vec!["(#line))", "#line = loc("]),
    ] {
        let place = json!({ "textDocument": { "uri": URI }, "position": place(TEXT, part, 1) });
        let renamed = client.ask("textDocument/prepareRename", place.clone());
        let marked = part.trim_start_matches(['%', '@', '#']);
        let (_, old) = covered(TEXT, &renamed);
        assert!(marked.starts_with(&old), "{part}: {old}");
        let mut asked = place;
        asked["newName"] = json!(name);
        let answer = client.ask("textDocument/rename", asked);
        let text = edited(TEXT, &answer["changes"][URI]);
        for wanted in uses {
            assert!(text.contains(wanted), "{part}: {wanted:?} is in {text}");
        }
    }
    for (part, name, why) in [
        ("%cst : tensor", "%arg0", "`%arg0` is another name here"),
        ("%cst : tensor", "a b", "`%a b` is not a name in MLIR"),
        ("%cst : tensor", "1x", "`%1x` is not a name in MLIR"),
        ("SIGNED", "x", "there is no name that can be changed"),
    ] {
        let asked = json!({
            "textDocument": { "uri": URI }, "position": place(TEXT, part, 1), "newName": name,
        });
        let id = client.request("textDocument/rename", asked);
        assert_eq!(client.answer(id)["error"]["message"], why, "{part}");
    }
    assert!(client.exit().success());
}

#[test]
fn proposed_names_are_quick_fixes() {
    for (fault, fixed) in [
        ("stablehlo.ad %argument0, %argument0 :", "stablehlo.add %argument0"),
        ("stablehlo.add %argument0, %argumnet0 :", "%argument0, %argument0 :"),
        ("call @relu_functoin(%argument0) :", "call @relu_function("),
        ("\"stablehlo.absolut\"(%argument0) :", ""),
    ] {
        let ty = "tensor<4xf32>";
        let (operands, results) =
            if fault.contains('(') { (format!("({ty}) ->"), ty) } else { (String::new(), ty) };
        let text = format!(
            "func.func public @main(%argument0: {ty}) -> {ty} {{\n  %0 = {fault} {operands} {results}\n  \
             return %0 : {ty}\n}}\nfunc.func private @relu_function(%x: {ty}) -> {ty} {{\n  return %x : {ty}\n}}\n"
        );
        let mut client = Client::new();
        client.open(URI, &text);
        let diagnostics = client.published()["diagnostics"].clone();
        let asked = json!({
            "textDocument": { "uri": URI },
            "range": diagnostics[0]["range"],
            "context": { "diagnostics": diagnostics },
        });
        let actions = client.ask("textDocument/codeAction", asked);
        if fixed.is_empty() {
            assert_eq!(actions, json!([]), "{fault}");
            continue;
        }
        assert_eq!(actions[0]["kind"], "quickfix", "{fault}: {diagnostics}");
        let text = edited(&text, &actions[0]["edit"]["changes"][URI]);
        assert!(text.contains(fixed), "{fault}: {text}");
        let lines = text.split_inclusive('\n').count();
        let end = json!({ "line": lines, "character": 0 });
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": end });
        client.change(2, json!([{ "range": range, "text": text }]));
        let codes: Vec<Value> = client.published()["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["severity"].clone())
            .collect();
        assert!(!codes.contains(&json!(1)), "{fault}: {codes:?}");
        assert!(client.exit().success());
    }
}

#[test]
fn names_and_ops_are_completed() {
    let mut client = Client::new();
    // The text after `|` is not written yet.
    for (typed, wanted, unwanted) in [
        ("%5 = stablehlo.ta", vec!["stablehlo.tan", "stablehlo.tanh"], vec!["stablehlo.add"]),
        ("\"chlo.er", vec!["chlo.erf", "chlo.erf_inv"], vec!["chlo.sinh"]),
        ("%5 = stablehlo.add %iter", vec!["%iterArg", "%iterArg_1"], vec!["%cst"]),
        ("%5 = stablehlo.add %", vec!["%iterArg", "%cst", "%arg0", "%c_0"], vec!["%4", "%1", "%0"]),
        ("%5 = call @in", vec!["@inner"], vec!["@main"]),
        ("stablehlo.return %cst loc(#loc", vec!["#loc1", "#loc7"], vec!["#mapping"]),
        ("%5 = stablehlo.add %cst, %cst : ten", vec![], vec!["stablehlo.tan"]),
    ] {
        let line = "      %4 = stablehlo.add %iterArg, %cst : tensor<4xf32> loc(#loc7)\n";
        let text = TEXT.replace(line, &format!("      {typed}\n{line}"));
        client.open(URI, &text);
        let place = place(&text, typed, typed.len());
        let asked = json!({ "textDocument": { "uri": URI }, "position": place });
        let answer = client.ask("textDocument/completion", asked);
        let labels: Vec<&str> =
            answer["items"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
        for label in wanted {
            assert!(labels.contains(&label), "{typed}: {label} is in {labels:?}");
        }
        for label in unwanted {
            assert!(!labels.contains(&label), "{typed}: {label} is not in {labels:?}");
        }
        if let Some(first) = answer["items"].as_array().unwrap().first() {
            let (_, replaced) = covered(&text, &first["textEdit"]["range"]);
            assert!(typed.ends_with(&replaced), "{replaced}");
            assert!(first["label"].as_str().unwrap().starts_with(&replaced), "{first}");
        }
    }
    assert!(client.exit().success());
}
