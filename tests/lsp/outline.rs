//! Outlines: functions, modules of the program, and control flow.

use crate::client::{Client, TEXT, URI};
use serde_json::{Value, json};

fn asked(client: &mut Client) -> Value {
    client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": URI } }))
}

/// The names of symbols with those of their children, and the number of ops of a module.
fn outline(symbols: &Value) -> String {
    let names = symbols.as_array().unwrap().iter().map(|symbol| {
        let name = symbol["name"].as_str().unwrap();
        let ops = symbol["detail"].as_str().and_then(|detail| detail.strip_suffix(['s']).or(Some(detail)));
        let ops = ops.and_then(|ops| ops.strip_suffix(" op")).map(|ops| format!(":{ops}"));
        let children = symbol.get("children").map(|children| format!("[{}]", outline(children)));
        format!("{name}{}{}", ops.unwrap_or_default(), children.unwrap_or_default())
    });
    names.collect::<Vec<_>>().join(" ")
}

/// Siblings are in order and do not overlap, and a symbol contains its children and its selection.
fn check_ranges(symbols: &Value, whole: (u64, u64, u64, u64)) {
    let range = |range: &Value| {
        let number = |end: &str, part: &str| range[end][part].as_u64().unwrap();
        (
            number("start", "line"),
            number("start", "character"),
            number("end", "line"),
            number("end", "character"),
        )
    };
    let mut before = (whole.0, whole.1);
    for symbol in symbols.as_array().unwrap() {
        let own = range(&symbol["range"]);
        assert!(before <= (own.0, own.1), "{symbol} begins after {before:?}");
        before = (own.2, own.3);
        assert!(before <= (whole.2, whole.3), "{symbol} ends in {whole:?}");
        let selection = range(&symbol["selectionRange"]);
        assert!((own.0, own.1) <= (selection.0, selection.1), "{symbol}");
        assert!((selection.2, selection.3) <= before, "{symbol}");
        if let Some(children) = symbol.get("children") {
            check_ranges(children, own);
        }
    }
}

#[test]
fn functions_have_their_modules_and_control_flow() {
    let mut client = Client::new();
    client.open(URI, TEXT);
    let found = asked(&mut client);
    assert_eq!(outline(&found), "model[main[%0[cond do[Model:1[Dense_0:1]]]] inner]");
    check_ranges(&found, (0, 0, 99, 0));
    // Without locations there are no modules.
    client.open(URI, &TEXT.replace(" loc(#loc7)", ""));
    assert_eq!(outline(&asked(&mut client)), "model[main[%0[cond do]] inner]");
    assert!(client.exit().success());

    // A client that does not support trees gets a list.
    let mut client = Client::with(json!({}));
    client.open(URI, TEXT);
    let found = asked(&mut client);
    assert_eq!(outline(&found), "model main %0 cond do Model Dense_0 inner");
    assert_eq!(found[2]["containerName"], "main");
    assert!(client.exit().success());
}

#[test]
fn runs_of_ops_are_modules() {
    let mut client = Client::new();
    for (locations, wanted) in [
        // A module is listed again where it goes on.
        (
            vec!["\"jit(f)/M/A/add\"", "\"jit(f)/M/A/mul\"", "\"jit(f)/M/B/sin\"", "\"jit(f)/M/A/add\""],
            "M:4[A:2 B:1 A:1]",
        ),
        // A module's own ops are between those of its parts.
        (vec!["\"jit(f)/M/A/add\"", "\"jit(f)/M/mul\"", "\"jit(f)/M/A/sin\""], "M:3[A:1 A:1]"),
        // An op outside of modules ends a module; one without a path does not.
        (vec!["\"jit(f)/M/add\"", "\"jit(f)/mul\"", "\"jit(f)/M/sin\""], "M:1 M:1"),
        (vec!["\"jit(f)/M/add\"", "unknown", "\"a.py\":1:2", "\"jit(f)/M/sin\"", "unknown"], "M:4"),
        (vec!["unknown", "\"jit(f)/M/A/add\"", "unknown", "\"jit(f)/M/B/sin\""], "M:3[A:1 B:1]"),
        // What else a location can be.
        (vec!["#a"], "M:1[A:1]"),
        (vec!["#fused"], "M:1[A:1]"),
        (vec!["#call"], "M:1[A:1[silu:1]]"),
        (vec!["callsite(\"neg\"(#file at x) at \"jit(f)/M/jit(silu)\"(#file))"], "M:1[silu:1]"),
        (vec!["fused<\"x\">[\"jit(f)/M/B/add\"(#file), #a]"], "M:1[B:1]"),
        (vec!["\"io_callback:\"(#a)"], "M:1[A:1]"),
        (vec!["\"jit(f)/M/while/body/closed_call/Cell_0/add\"(#file)"], "M:1[Cell_0:1]"),
        (vec!["#circle"], ""),
        (vec!["#missing"], ""),
        (vec!["\"jit(f)/M/"], ""),
    ] {
        let mut text = "func.func @f(%0: tensor<f32>) -> tensor<f32> {\n".to_owned();
        for (number, location) in locations.iter().enumerate() {
            let next = number + 1;
            text.push_str(&format!(
                "  %{next} = \"stablehlo.sine\"(%{number}) : (tensor<f32>) -> (tensor<f32>) loc({location})\n"
            ));
        }
        text.push_str("  return %0 : tensor<f32> loc(#loc)\n} loc(#loc)\n#loc = loc(unknown)\n");
        text.push_str("#file = loc(\"a.py\":1:2 to :9)\n#frame = loc(\"M.__call__\"(#file))\n");
        text.push_str(
            "#a = loc(\"jit(f)/M/A/add\"(#frame))\n#silu = loc(\"jit(f)/M/A/jit(silu)\"(#frame))\n",
        );
        text.push_str("#fused = loc(fused[#a, #file])\n#call = loc(callsite(\"neg\"(#file) at #silu))\n");
        text.push_str("#circle = loc(fused[#circle])\n");
        client.open(URI, &text);
        let found = asked(&mut client);
        let wanted = if wanted.is_empty() { "f".to_owned() } else { format!("f[{wanted}]") };
        assert_eq!(outline(&found), wanted, "{text}");
        check_ranges(&found, (0, 0, 99, 0));
    }
    assert!(client.exit().success());
}

#[test]
fn modules_are_in_the_regions_where_their_ops_are() {
    let text = "func.func @f(%0: tensor<f32>, %p: tensor<i1>) -> tensor<f32> {
  %1 = stablehlo.sine %0 : tensor<f32> loc(\"jit(f)/M/sin\")
  %2 = \"stablehlo.if\"(%p) ({
    %3 = stablehlo.sine %1 : tensor<f32> loc(\"jit(f)/M/cond/branch_0_fun/A/sin\")
    stablehlo.return %3 : tensor<f32> loc(#loc)
  }, {
    %3 = stablehlo.sine %1 : tensor<f32> loc(\"jit(f)/N/cond/branch_1_fun/A/sin\")
    stablehlo.return %3 : tensor<f32> loc(#loc)
  }) : (tensor<i1>) -> tensor<f32> loc(\"jit(f)/M/cond\")
  return %2 : tensor<f32> loc(#loc)
}
#loc = loc(unknown)
";
    let mut client = Client::new();
    client.open(URI, text);
    let found = asked(&mut client);
    assert_eq!(outline(&found), "f[M:2[%2[true[A:1] false[N:1[A:1]]]]]");
    check_ranges(&found, (0, 0, 99, 0));
    assert!(client.exit().success());
}
