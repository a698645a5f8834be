//! Renames and completions.

use crate::client::{Client, TEXT, URI, covered, edited, place};
use serde_json::json;

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
        ("%5 = stablehlo.add %cst, %cst, ", vec![], vec!["stablehlo.tan"]),
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

#[test]
fn attributes_are_completed() {
    let mut client = Client::new();
    let dot = "%5 = stablehlo.dot_general %cst, %cst, ";
    for (typed, wanted) in [
        // Clauses of custom form, and their words.
        (dot.to_owned(), "batching_dims = |contracting_dims = |precision = |algorithm = "),
        (format!("{dot}contracting_dims = [1] x [0], "), "batching_dims = |precision = |algorithm = "),
        (format!("{dot}con"), "contracting_dims = "),
        (format!("{dot}precision = "), "[DEFAULT, DEFAULT]|[HIGH, HIGH]|[HIGHEST, HIGHEST]"),
        (format!("{dot}precision = [DEFAULT, HI"), "HIGH|HIGHEST"),
        (format!("{dot}contracting_dims = "), ""),
        (format!("{dot}contracting_dims = [1] x [0] : "), ""),
        ("%5 = stablehlo.compare ".into(), "EQ|NE|GE|GT|LE|LT"),
        ("%5 = stablehlo.compare L".into(), "LE|LT"),
        ("%5 = stablehlo.compare LT, %cst, %cst, F".into(), "FLOAT"),
        ("%5 = stablehlo.iota ".into(), "dim = "),
        ("%5 = stablehlo.transpose ".into(), ""),
        ("%5 = stablehlo.transpose %cst, ".into(), "dims = "),
        ("%5 = stablehlo.pad %cst, %cst, low = [0], ".into(), "high = |interior = "),
        ("%5 = stablehlo.fft %cst, type = ".into(), "FFT|IFFT|RFFT|IRFFT"),
        ("%5 = stablehlo.cholesky %cst, lower = ".into(), "true|false"),
        ("%5 = stablehlo.reduce(%cst init: %c) applies stablehlo.add across ".into(), "dimensions = "),
        ("%5 = stablehlo.convolution(%cst, %cst) ".into(), "dim_numbers = |window = "),
        ("%5 = stablehlo.convolution(%cst, %cst) window = {".into(), ""),
        (
            "%5 = stablehlo.convolution(%cst, %cst) window = {stride = [1]} {feature_group_count = 1 : i64, "
                .into(),
            "batch_group_count = |precision_config = ",
        ),
        // Braces of generic form, and values in them.
        ("%5 = \"stablehlo.compare\"(%cst, %cst) {".into(), "compare_type = |comparison_direction = "),
        ("%5 = \"stablehlo.compare\"(%cst, %cst) <{com".into(), "compare_type = |comparison_direction = "),
        (
            "\"stablehlo.compare\"(%cst, %cst) <{compare_type = #stablehlo<comparison_type FLOAT>, ".into(),
            "comparison_direction = ",
        ),
        (
            "\"stablehlo.compare\"(%cst, %cst) {comparison_direction = G".into(),
            "#stablehlo<comparison_direction GE>|#stablehlo<comparison_direction GT>",
        ),
        (
            "\"stablehlo.compare\"(%cst, %cst) {comparison_direction = #stablehlo<comparison_direction N"
                .into(),
            "NE",
        ),
        (
            "\"stablehlo.dot\"(%cst, %cst) <{precision_config = [#stablehlo<precision DEFAULT>, ".into(),
            "#stablehlo<precision DEFAULT>|#stablehlo<precision HIGH>|#stablehlo<precision HIGHEST>",
        ),
        (
            "\"stablehlo.dot_general\"(%cst, %cst) {dot_dimension_numbers = #stablehlo.dot<\
             lhs_contracting_dimensions = [0], "
                .into(),
            "lhs_batching_dimensions = |rhs_batching_dimensions = |rhs_contracting_dimensions = ",
        ),
        (
            "\"stablehlo.triangular_solve\"(%cst, %cst) {transpose_a = NO".into(),
            "#stablehlo<transpose NO_TRANSPOSE>",
        ),
        // In the next line of a statement.
        (
            "%5 = \"stablehlo.gather\"(%cst, %cst) {\n        indices_are_sorted = false,\n        |\n      }".into(),
            "dimension_numbers = |slice_sizes = ",
        ),
    ] {
        let line = "      %4 = stablehlo.add %iterArg, %cst : tensor<4xf32> loc(#loc7)\n";
        let (typed, rest) = typed.split_once('|').unwrap_or((&typed, ""));
        let text = TEXT.replace(line, &format!("      {typed}{rest}\n{line}"));
        client.open(URI, &text);
        let after = &text[text.find(typed).unwrap() + typed.len()..];
        let place = place(&text, after, 0);
        let asked = json!({ "textDocument": { "uri": URI }, "position": place });
        let answer = client.ask("textDocument/completion", asked);
        let texts: Vec<&str> = answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["textEdit"]["newText"].as_str().unwrap())
            .collect();
        assert_eq!(texts.join("|"), wanted, "{typed}");
    }
    assert!(client.exit().success());
}
