//! Quick fixes.

use crate::client::{Client, URI, edited};
use serde_json::{Value, json};

/// The actions for all diagnostics of a text, each as its title and the text after it.
fn fixes(client: &mut Client, text: &str) -> Vec<(String, String)> {
    client.open(URI, text);
    let diagnostics = client.published()["diagnostics"].clone();
    let asked = json!({
        "textDocument": { "uri": URI },
        "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } },
        "context": { "diagnostics": diagnostics },
    });
    let actions = client.ask("textDocument/codeAction", asked);
    let action = |action: &Value| {
        assert_eq!(action["kind"], "quickfix", "{action}");
        (action["title"].as_str().unwrap().to_owned(), edited(text, &action["edit"]["changes"][URI]))
    };
    actions.as_array().unwrap().iter().map(action).collect()
}

/// The codes of the errors of a text.
fn errors(client: &mut Client, text: &str) -> Vec<Value> {
    client.open(URI, text);
    let published = client.published();
    let is_error = |item: &&Value| item["severity"] == 1;
    let found = published["diagnostics"].as_array().unwrap().iter().filter(is_error);
    found.map(|item| item["code"].clone()).collect()
}

#[test]
fn faults_are_fixed() {
    let mut client = Client::new();
    let ty = "tensor<4xf32>";
    for (fault, title, fixed) in [
        // Names that are not defined.
        (
            format!("stablehlo.ad %argument0, %argument0 : {ty}"),
            "Change to `stablehlo.add`",
            "stablehlo.add %arg",
        ),
        (
            format!("stablehlo.add %argument0, %argumnet0 : {ty}"),
            "Change to `%argument0`",
            "%argument0, %argument0 :",
        ),
        (
            format!("call @relu_functoin(%argument0) : ({ty}) -> {ty}"),
            "Change to `@relu_function`",
            "call @relu_function(",
        ),
        (
            format!("stablehlo.abs %argument0 : {ty} loc(#locations)"),
            "Change to `#location`",
            "loc(#location)",
        ),
        // The name of a clause, and the word of an enumeration in both forms.
        (
            format!("stablehlo.reverse %argument0, dim = [0] : {ty}"),
            "Change to `dims`",
            "%argument0, dims = [0]",
        ),
        (
            format!(
                "stablehlo.select %p, %argument0, %argument0 : tensor<4xi1>, {ty}\n  \
                     %1 = stablehlo.compare EQ, %0, %0, FLOT : ({ty}, {ty}) -> tensor<4xi1>"
            ),
            "Change to `FLOAT`",
            "%0, FLOAT :",
        ),
        (
            format!(
                "stablehlo.abs %argument0 : {ty}\n  %1 = \"stablehlo.fft\"(%c) {{fft_length = array<i64: 4>, \
                     fft_type = #stablehlo<fft_type IFTF>}} : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>"
            ),
            "Change to `IFFT`",
            "#stablehlo<fft_type IFFT>",
        ),
        // A type that is not that of the value.
        (
            "stablehlo.abs %argument0 : tensor<5xf32>".to_owned(),
            "Change to `tensor<4xf32>`",
            "abs %argument0 : tensor<4xf32>",
        ),
        // An attribute that is written twice.
        (
            format!("stablehlo.reverse %argument0, dims = [0], dims = [] : {ty}"),
            "Delete this `dims`",
            "%argument0, dims = [0] : tensor",
        ),
        (
            format!("stablehlo.abs %argument0 {{a.b = 1 : i32, a.b = 2 : i32, a.c = 1 : i32}} : {ty}"),
            "Delete this `a.b`",
            "{a.b = 1 : i32, a.c = 1 : i32}",
        ),
        // The terminator of another dialect.
        (
            format!(
                "\"stablehlo.if\"(%q) ({{\n    func.return %argument0 : {ty}\n  }}, {{\n    \
                     stablehlo.return %argument0 : {ty}\n  }}) : (tensor<i1>) -> {ty}"
            ),
            "Change to `stablehlo.return`",
            "    stablehlo.return %argument0 : tensor<4xf32>\n  }, {",
        ),
    ] {
        let text = format!(
            "func.func public @main(%argument0: {ty}, %p: tensor<4xi1>, %q: tensor<i1>, %c: \
             tensor<4xcomplex<f32>>) -> {ty} {{\n  %0 = {fault}\n  return %0 : {ty}\n}}\nfunc.func private \
             @relu_function(%x: {ty}) -> {ty} {{\n  return %x : {ty}\n}}\n#location = loc(\"x\")\n"
        );
        let found = fixes(&mut client, &text);
        assert_eq!(found.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), [title], "{fault}");
        let text = &found[0].1;
        assert!(text.contains(fixed), "{fault}: {text}");
        assert_eq!(errors(&mut client, text), [json!(null); 0], "{text}");
    }
    assert!(client.exit().success());
}

#[test]
fn faults_of_the_whole_text_are_fixed() {
    let mut client = Client::new();
    let function = |name: &str| {
        format!(
            "func.func public @{name}(%x: tensor<f32>) -> tensor<f32> {{\n  return %x : tensor<f32>\n}}\n"
        )
    };
    // The text is cut off.
    let text = format!("module @m {{\n{}", function("main").trim_end().trim_end_matches('}'));
    let found = fixes(&mut client, &text);
    assert_eq!(found[0].0, "Close with `} }` at the end");
    assert_eq!(errors(&mut client, &found[0].1), [json!(null); 0], "{}", found[0].1);
    // No function is the entry.
    let text = format!("{}{}", function("encode"), function("decode"));
    let found = fixes(&mut client, &text);
    let titles: Vec<&str> = found.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles, ["Change `@encode` to `@main`", "Change `@decode` to `@main`"]);
    for (_, text) in &found {
        assert_eq!(errors(&mut client, text), [json!(null); 0], "{text}");
    }
    assert!(client.exit().success());
}

#[test]
fn what_no_one_can_know_has_no_fix() {
    let mut client = Client::new();
    let ty = "tensor<4xf32>";
    for op in [
        format!("\"stablehlo.absolut\"(%x) : ({ty}) -> {ty}"),
        format!("stablehlo.abs %y : {ty}"),
        format!("\"stablehlo.add\"(%x) : ({ty}) -> {ty}"),
        "\"stablehlo.iota\"() : () -> tensor<4xf32>".to_owned(),
        format!("stablehlo.constant {{value = dense<2.0> : {ty}}} dense<1.0> : {ty}"),
    ] {
        let text = format!("func.func @main(%x: {ty}) -> {ty} {{\n  %0 = {op}\n  return %0 : {ty}\n}}\n");
        assert_eq!(fixes(&mut client, &text), [], "{op}");
    }
    assert!(client.exit().success());
}
