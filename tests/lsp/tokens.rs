//! What the words of a text are.

use crate::client::{Client, TEXT, URI, place};
use serde_json::{Value, json};

#[test]
fn tokens_have_their_kinds() {
    let mut client = Client::with(json!({}));
    let text = "#loc0 = loc(unknown)\n#loc = loc(\"é\"(#loc0))\nfunc.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  \
                %0 = \"stablehlo.abs\"(%x) {a = 1} : (tensor<4xf32>) -> tensor<4xf32> loc(#loc)\n}\n";
    client.open(URI, text);
    let legend =
        ["variable", "function", "macro", "type", "label", "keyword", "number", "property", "string"];
    let whole = client.ask("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": URI } }));
    let decode = |answer: &Value| {
        let data: Vec<usize> = answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_u64().unwrap() as usize)
            .collect();
        let (mut line, mut column, mut found) = (0, 0, Vec::new());
        for token in data.chunks_exact(5) {
            (line, column) =
                if token[0] > 0 { (line + token[0], token[1]) } else { (line, column + token[1]) };
            let units: Vec<u16> = text.lines().nth(line).unwrap().encode_utf16().collect();
            let word = String::from_utf16(&units[column..column + token[2]]).unwrap();
            found.push(format!("{} {word}", legend[token[3]]));
        }
        found
    };
    let found = decode(&whole);
    for wanted in [
        "macro #loc",
        "string \"é\"",
        "keyword func.func",
        "function @f",
        "variable %x",
        "type tensor",
        "type 4xf32",
        "keyword \"stablehlo.abs\"",
        "property a",
        "number 1",
    ] {
        assert!(found.iter().any(|token| token == wanted), "{wanted} is in {found:?}");
    }
    let range = json!({ "start": { "line": 3, "character": 5 }, "end": { "line": 3, "character": 30 } });
    let part = json!({ "textDocument": { "uri": URI }, "range": range });
    let part = decode(&client.ask("textDocument/semanticTokens/range", part));
    assert_eq!(part[..2], ["variable %0", "keyword \"stablehlo.abs\""]);
    assert!(part.len() < found.len());
    assert!(client.exit().success());
}

/// The numbers of an answer.
fn numbers(data: &Value) -> Vec<u64> {
    data.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

#[test]
fn changes_of_tokens_are_small() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let text_document = json!({ "uri": URI });
    let asked = json!({ "textDocument": text_document });
    let first = client.ask("textDocument/semanticTokens/full", asked.clone());
    let (mut tokens, mut id) = (numbers(&first["data"]), first["resultId"].clone());
    for (version, (part, length, inserted)) in [
        // A name grows, a line comes, a line goes, the text ends earlier, and nothing changes but a space.
        ("%iterArg, %cst :", 0, "%a"),
        ("    %c_1 = ", 0, "    %new = stablehlo.abs %cst : tensor<4xf32>\n"),
        ("    %c, %c_0", 66, ""),
        ("#loc5 = loc", 31, ""),
        ("#mapping", 0, " "),
        ("%cst = ", 5, "%cst ="),
    ]
    .into_iter()
    .enumerate()
    {
        let range = json!({ "start": place(TEXT, part, 0), "end": place(TEXT, part, length) });
        let edit = json!([{ "range": range, "text": inserted }]);
        for (step, change) in [edit, json!([{ "text": TEXT }])].into_iter().enumerate() {
            client.change((2 * version + step) as i32 + 2, change);
            let asked = json!({ "textDocument": text_document, "previousResultId": id });
            let answer = client.ask("textDocument/semanticTokens/full/delta", asked);
            assert_ne!(answer["resultId"], id);
            id = answer["resultId"].clone();
            for edit in answer["edits"].as_array().unwrap() {
                let number = |name: &str| edit[name].as_u64().unwrap() as usize;
                let (start, end) = (number("start"), number("start") + number("deleteCount"));
                let data = numbers(&edit["data"]);
                assert!(data.len() <= 100, "{part}: {answer}");
                tokens.splice(start..end, data);
            }
            // The tokens of the same text, not as a change.
            let whole = json!({ "start": place(TEXT, "#loc1", 0), "end": { "line": 999, "character": 0 } });
            let asked = json!({ "textDocument": text_document, "range": whole });
            let all = client.ask("textDocument/semanticTokens/range", asked);
            assert_eq!(tokens, numbers(&all["data"]), "{part}");
        }
    }
    // Tokens that the server does not have.
    let asked = json!({ "textDocument": text_document, "previousResultId": "none" });
    let answer = client.ask("textDocument/semanticTokens/full/delta", asked);
    assert_eq!(answer["data"], first["data"]);
    assert!(client.exit().success());
}
