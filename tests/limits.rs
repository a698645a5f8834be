//! Texts of extreme size or with inconsistent types: each is refused with a code, quickly and in little memory.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};

/// Far more than any of these texts takes, and far less than processing one in full would take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The codes of the errors, in the order of the text, each once; empty if the text converts.
fn errors(text: &str, options: &Options) -> Vec<String> {
    let source = Source::from_bytes("limits.mlir", text.as_bytes().to_vec());
    let started = Instant::now();
    let conversion = convert(&source, options);
    assert!(started.elapsed() < PATIENCE, "took {:?}:\n{text:.400}", started.elapsed());
    let mut codes: Vec<String> =
        conversion.diagnostics.errors().map(|error| error.code().as_str().to_owned()).collect();
    codes.dedup();
    assert_eq!(conversion.model.is_none(), !codes.is_empty(), "{text:.400}");
    codes
}

/// A function of these arguments that returns `%0`.
fn function(arguments: &str, ops: &str, result: &str) -> String {
    format!("func.func public @main({arguments}) -> {result} {{\n  {ops}\n  return %0 : {result}\n}}\n")
}

fn expect(cases: &[(&str, String)]) {
    for (code, text) in cases {
        let codes = errors(text, &Options::default());
        let expected: Vec<String> = (!code.is_empty()).then(|| (*code).to_owned()).into_iter().collect();
        assert_eq!(codes, expected, "{text:.600}");
    }
}

const WIDE: &str = "tensor<4294967296x4294967296xf32>";

#[test]
fn sizes_whose_product_overflows() {
    let most = i64::MAX;
    expect(&[
        ("E0116", function(&format!("%x: {WIDE}"), &format!("%0 = stablehlo.abs %x : {WIDE}"), WIDE)),
        (
            "E0116",
            function(
                "%x: tensor<f32>",
                &format!("%0 = stablehlo.broadcast_in_dim %x, dims = [] : (tensor<f32>) -> {WIDE}"),
                WIDE,
            ),
        ),
        // The number of elements fits in 64 bits, the number of bytes does not.
        (
            "E0116",
            function(
                "%x: tensor<f32>",
                &format!(
                    "%0 = stablehlo.broadcast_in_dim %x, dims = [] : (tensor<f32>) -> tensor<{most}xf32>"
                ),
                &format!("tensor<{most}xf32>"),
            ),
        ),
        (
            "E0116",
            function(
                &format!("%x: {WIDE}"),
                &format!("%0 = stablehlo.reshape %x : ({WIDE}) -> tensor<0xf32>"),
                "tensor<0xf32>",
            ),
        ),
        (
            "E0007",
            function(
                "%x: tensor<99999999999999999999xf32>",
                "%0 = stablehlo.abs %x : tensor<99999999999999999999xf32>",
                "tensor<99999999999999999999xf32>",
            ),
        ),
        (
            "E0109",
            function(
                "%x: tensor<4xf32>, %c: tensor<f32>",
                &format!(
                    "%0 = stablehlo.pad %x, %c, low = [{most}], high = [{most}], interior = [0] : \
                 (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>"
                ),
                "tensor<4xf32>",
            ),
        ),
        (
            "E0109",
            function(
                "%x: tensor<4xf32>",
                &format!("%0 = stablehlo.slice %x [0:{most}:{most}] : (tensor<4xf32>) -> tensor<4xf32>"),
                "tensor<4xf32>",
            ),
        ),
        (
            "E0111",
            function(
                "%x: tensor<6000000000000000000xi8>",
                "%0 = stablehlo.concatenate %x, %x, dim = 0 : (tensor<6000000000000000000xi8>, \
             tensor<6000000000000000000xi8>) -> tensor<4xi8>",
                "tensor<4xi8>",
            ),
        ),
    ]);
}

/// A large tensor that a short text describes is never materialized.
#[test]
fn large_sizes_take_no_memory() {
    expect(&[
        (
            "",
            function(
                "",
                "%0 = stablehlo.iota dim = 0 : tensor<4000000000000xi32>",
                "tensor<4000000000000xi32>",
            ),
        ),
        (
            "",
            function(
                "",
                "%1 = stablehlo.iota dim = 0 : tensor<3000000000xi32>\n  \
             %0 = stablehlo.add %1, %1 : tensor<3000000000xi32>",
                "tensor<3000000000xi32>",
            ),
        ),
        (
            "",
            function(
                "",
                "%0 = stablehlo.constant dense<1.0> : tensor<3000000000xf32>",
                "tensor<3000000000xf32>",
            ),
        ),
    ]);
}

#[test]
fn literals_whose_length_does_not_match_their_type() {
    let constant = |literal: &str, ty: &str| {
        function("", &format!("%0 = stablehlo.constant dense<{literal}> : {ty}"), ty)
    };
    expect(&[
        ("E0006", constant("0.0", WIDE)),
        ("E0006", constant("\"0x00\"", "tensor<9223372036854775807xf32>")),
        ("E0006", constant("\"0x000000000000\"", "tensor<2xf32>")),
        ("E0006", constant("\"0x000000000000000000\"", "tensor<2xf32>")),
        ("E0006", constant("[1.0, 2.0, 3.0]", "tensor<2xf32>")),
        ("E0006", constant("[[1.0], [2.0]]", "tensor<2xf32>")),
        ("E0006", constant("[[1.0, 2.0], [3.0]]", "tensor<2x2xf32>")),
        ("E0006", constant("\"0x0000000\"", "tensor<1xf32>")),
        ("E0006", constant("[]", "tensor<1xf32>")),
    ]);
}

#[test]
fn nesting_of_every_kind_is_limited() {
    let towers = [
        format!("func.func @main(%x: {}tensor<f32>{})", "tuple<".repeat(5000), ">".repeat(5000)),
        "(".repeat(100_000),
        format!("func.func @main() attributes {{a = {}1{}}}", "[".repeat(5000), "]".repeat(5000)),
        "module {\n".repeat(5000),
        format!("#loc = {}\"f\"{}", "loc(".repeat(5000), ")".repeat(5000)),
    ];
    for tower in towers {
        let codes = errors(&tower, &Options::default());
        assert!(codes.contains(&"E0004".to_owned()), "{codes:?}: {tower:.80}");
    }
}

/// Functions that each call the next one twice: `2^(count + 1) - 1` calls.
fn doubling(count: usize) -> String {
    let call = |function: usize, of: &str| format!("call @f{function}({of}) : (tensor<f32>) -> tensor<f32>");
    let mut text = function("%x: tensor<f32>", &format!("%0 = {}", call(0, "%x")), "tensor<f32>");
    for index in 0..count {
        text += &format!(
            "func.func private @f{index}(%x: tensor<f32>) -> tensor<f32> {{\n  %0 = {}\n  %1 = {}\n  return %1 : tensor<f32>\n}}\n",
            call(index + 1, "%x"),
            call(index + 1, "%0")
        );
    }
    text + &format!(
        "func.func private @f{count}(%x: tensor<f32>) -> tensor<f32> {{\n  %0 = stablehlo.sine %x : tensor<f32>\n  \
         return %0 : tensor<f32>\n}}\n"
    )
}

#[test]
fn calls_that_multiply_are_counted_before_they_are_inlined() {
    assert_eq!(errors(&doubling(3), &Options::default()), [] as [&str; 0]);
    assert_eq!(errors(&doubling(40), &Options::default()), ["E0304"]);
    // The count overflows 64 bits.
    assert_eq!(errors(&doubling(100), &Options::default()), ["E0304"]);
    let limited = |max_ops| Options { max_ops: Some(max_ops), ..Options::default() };
    let text = function("%x: tensor<f32>", "%0 = stablehlo.sine %x : tensor<f32>", "tensor<f32>");
    assert_eq!(errors(&text, &limited(2)), [] as [&str; 0]);
    assert_eq!(errors(&text, &limited(1)), ["E0304"]);
}

/// Functions that each call the next one, in `body` at `CALL`.
fn chain(count: usize, body: &str) -> String {
    let call = |function: usize, of: &str| format!("call @f{function}({of}) : (tensor<f32>) -> tensor<f32>");
    let mut text = function("%x: tensor<f32>", &format!("%0 = {}", call(0, "%x")), "tensor<f32>");
    for index in 0..count {
        text += &format!("func.func private @f{index}(%x: tensor<f32>) -> tensor<f32> {{\n  ");
        text += &body.replace("CALL", &call(index + 1, "%x"));
        text += "\n  return %0 : tensor<f32>\n}\n";
    }
    text + &format!(
        "func.func private @f{count}(%x: tensor<f32>) -> tensor<f32> {{\n  %0 = stablehlo.sine %x : tensor<f32>\n  \
         return %0 : tensor<f32>\n}}\n"
    )
}

/// A level of nesting that contains a call.
const BRANCH: &str = "%z = stablehlo.constant dense<0.0> : tensor<f32>\n  \
    %c = stablehlo.compare LT, %x, %z : (tensor<f32>, tensor<f32>) -> tensor<i1>\n  \
    %0 = \"stablehlo.if\"(%c) ({\n  %1 = CALL\n  stablehlo.return %1 : tensor<f32>\n  }, {\n  \
    stablehlo.return %x : tensor<f32>\n  }) : (tensor<i1>) -> tensor<f32>";

/// The regions of a program are as deep as those of its functions together. This thread has 2 MB of stack.
#[test]
fn nesting_adds_up_through_calls() {
    assert_eq!(errors(&chain(120, BRANCH), &Options::default()), [] as [&str; 0]);
    assert_eq!(errors(&chain(130, BRANCH), &Options::default()), ["E0004"]);
    assert_eq!(errors(&chain(5000, BRANCH), &Options::default()), ["E0004"]);
    let composite = BRANCH.replace(
        "CALL",
        "stablehlo.composite \"a.b\" %x {decomposition = @NEXT} : (tensor<f32>) -> tensor<f32>",
    );
    let mut text = chain(130, &composite);
    for index in 0..130 {
        text = text.replacen("@NEXT", &format!("@f{}", index + 1), 1);
    }
    assert_eq!(errors(&text, &Options::default()), ["E0004"]);
}

/// A chain of calls makes as many ops and locations as it has lines, whether the ops come before or after the calls.
#[test]
fn chains_of_calls_cost_their_ops() {
    const COUNT: usize = 4000;
    for body in [
        "%1 = stablehlo.sine %x : tensor<f32>\n  %0 = CALL",
        "%1 = CALL\n  %0 = stablehlo.sine %1 : tensor<f32>",
        "%0 = CALL",
    ] {
        let source = Source::from_bytes("limits.mlir", chain(COUNT, body).into_bytes());
        let started = Instant::now();
        let conversion = convert(&source, &Options::default());
        assert!(started.elapsed() < PATIENCE, "took {:?}:\n{body}", started.elapsed());
        assert!(conversion.model.is_some(), "{body}");
        assert!(conversion.module.op_count() < 10 * COUNT, "{} ops:\n{body}", conversion.module.op_count());
        assert!(conversion.module.location_count() < 10 * COUNT, "{body}");
    }
}

/// What a conversion takes: the bytes that are held at a time, those of all allocations, and seconds of this thread.
struct Cost {
    held: f64,
    allocated: f64,
    seconds: f64,
}

fn cost(text: &str) -> Cost {
    let source = Source::from_bytes("limits.mlir", text.as_bytes().to_vec());
    let mut seconds = f64::INFINITY;
    let memory = allocation_counter::measure(|| {
        let conversion = convert(&source, &Options::default());
        assert!(conversion.model.is_some(), "{text:.400}");
    });
    for _ in 0..2 {
        let started = thread_seconds();
        drop(convert(&source, &Options::default()));
        seconds = seconds.min(thread_seconds() - started);
    }
    Cost { held: memory.bytes_max as f64, allocated: memory.bytes_total as f64, seconds }
}

/// The time that this thread has run, which does not count the work of others on the same processor.
#[cfg(unix)]
fn thread_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(not(unix))]
fn thread_seconds() -> f64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

/// As many copies of `block` as `count`, each on the result of the one before; `%i` is its operand and `%o` its result.
fn copies(count: usize, block: &str) -> String {
    let mut ops = String::new();
    for copy in 0..count {
        let (operand, result) =
            (if copy == 0 { "%x".to_owned() } else { format!("%r{}", copy - 1) }, format!("%r{copy}"));
        ops += &block.replace("%i", &operand).replace("%o", &result).replace('#', &format!("_{copy}"));
    }
    ops + &format!("%0 = stablehlo.sine %r{} : tensor<f32>", count - 1)
}

/// Branches within each other, to this depth, around an op; `%i` and `%o` are the operand and the result.
fn tower(depth: usize) -> String {
    let mut inner = format!("%t{depth}# = stablehlo.sine %i : tensor<f32>\n");
    for level in (0..depth).rev() {
        inner = format!(
            "%t{level}# = \"stablehlo.if\"(%c#) ({{\n{inner}stablehlo.return %t{}# : tensor<f32>\n}}, {{\n\
             stablehlo.return %i : tensor<f32>\n}}) : (tensor<i1>) -> tensor<f32>\n",
            level + 1
        );
    }
    format!(
        "%c# = stablehlo.compare LT, %i, %i : (tensor<f32>, tensor<f32>) -> tensor<i1>\n{inner}\
         %o = stablehlo.tanh %t0# : tensor<f32>\n"
    )
}

/// Four times the text takes about four times the memory and the time: what is quadratic takes sixteen times as much.
#[test]
fn chains_and_nesting_cost_in_proportion() {
    const MEMORY: f64 = 6.0;
    const TIME: f64 = 9.0;
    let main = |count: usize, block: &str| function("%x: tensor<f32>", &copies(count, block), "tensor<f32>");
    let call = "%o = call @f0(%i) : (tensor<f32>) -> tensor<f32>\n";
    let without_main = |text: String| text[text.find("func.func private").unwrap_or(0)..].to_owned();
    let deep = without_main(chain(60, BRANCH));
    let long = without_main(chain(50, "%1 = stablehlo.sine %x : tensor<f32>\n  %0 = CALL"));
    let texts: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("ops before a call", &|count| {
            chain(20 * count, "%1 = stablehlo.sine %x : tensor<f32>\n  %0 = CALL")
        }),
        ("ops after a call", &|count| chain(20 * count, "%1 = CALL\n  %0 = stablehlo.sine %1 : tensor<f32>")),
        ("towers of branches", &|count| main(count, &tower(60))),
        ("calls of towers", &|count| main(count, call) + &deep),
        ("calls of chains", &|count| main(count, call) + &long),
        ("calls of one op", &|count| main(20 * count, call) + &without_main(chain(0, ""))),
    ];
    for (name, text) in texts {
        let (small, large) = (cost(&text(15)), cost(&text(60)));
        for (what, small, large, most) in [
            ("bytes held", small.held, large.held, MEMORY),
            ("bytes allocated", small.allocated, large.allocated, MEMORY),
            ("seconds", small.seconds, large.seconds, TIME),
        ] {
            assert!(large < most * small, "{name}: {large} {what} for four times what takes {small}");
        }
    }
}

/// The limit leaves ops to the runtime, and is reported once.
#[test]
fn folded_constants_are_limited() {
    let ops = "%1 = stablehlo.iota dim = 0 : tensor<64xi32>\n  %2 = stablehlo.multiply %1, %1 : tensor<64xi32>\n  \
               %3 = stablehlo.add %2, %1 : tensor<64xi32>\n  %0 = stablehlo.add %3, %x : tensor<64xi32>";
    let text = function("%x: tensor<64xi32> loc(\"x\")", ops, "tensor<64xi32>");
    let nodes = |max_folded| {
        let source = Source::from_bytes("limits.mlir", text.clone().into_bytes());
        let conversion = convert(&source, &Options { max_folded, ..Options::default() });
        assert!(conversion.model.is_some());
        let codes: Vec<&str> =
            conversion.diagnostics.iter().map(|diagnostic| diagnostic.code().as_str()).collect();
        let nodes: usize = hlo2onnx::onnx::inventory(&conversion.module).iter().map(|(_, count)| count).sum();
        (nodes, codes)
    };
    assert_eq!(nodes(None), (1, vec![]));
    let (more, codes) = nodes(Some(100));
    assert!(more > 1, "{more}");
    assert_eq!(codes, ["A0608"]);
}

#[test]
fn inconsistent_types() {
    let relu = "func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n";
    let body = |ty: &str| {
        format!(
            "%0 = stablehlo.while(%c = %x) : tensor<4xf32>\n  cond {{\n    %t = stablehlo.constant dense<true> : tensor<i1>\n    \
             stablehlo.return %t : tensor<i1>\n  }} do {{\n    %1 = stablehlo.constant dense<0.0> : {ty}\n    \
             stablehlo.return %1 : {ty}\n  }}"
        )
    };
    let four = |ops: &str| function("%x: tensor<4xf32>", ops, "tensor<4xf32>");
    expect(&[
        // A use that states another type than the value has.
        ("E0103", four("%0 = stablehlo.abs %x : tensor<5xf32>")),
        // A call that states another signature than the function has.
        (
            "E0103",
            four(
                "%1 = call @f(%x) : (tensor<4xf32>) -> tensor<5xf32>\n  %0 = stablehlo.abs %x : tensor<4xf32>",
            ) + relu,
        ),
        // A function that returns another type than its signature states.
        (
            "E0103",
            "func.func public @main(%x: tensor<4xf32>) -> tensor<5xf32> {\n  return %x : tensor<4xf32>\n}\n"
                .into(),
        ),
        // A result of another type than the op's rule infers.
        (
            "E0111",
            four(
                "%1 = \"stablehlo.abs\"(%x) : (tensor<4xf32>) -> tensor<5xf32>\n  %0 = stablehlo.abs %x : tensor<4xf32>",
            ),
        ),
        (
            "E0111",
            four(
                "%1 = \"stablehlo.abs\"(%x) : (tensor<4xf32>) -> tensor<4xi32>\n  %0 = stablehlo.abs %x : tensor<4xf32>",
            ),
        ),
        (
            "E0111",
            four(
                "%1 = stablehlo.reshape %x : (tensor<4xf32>) -> tensor<5xf32>\n  %0 = stablehlo.abs %x : tensor<4xf32>",
            ),
        ),
        // A region that returns another type than its op expects.
        ("E0111", four(&body("tensor<5xf32>"))),
        ("", four(&body("tensor<4xf32>"))),
        // A negative size.
        ("E0002", four("%0 = stablehlo.abs %x : tensor<-4xf32>")),
    ]);
}

#[test]
fn indices_after_a_chain_of_selects() {
    let links: String = (0..500)
        .map(|link| {
            format!(
                "%c{link} = stablehlo.compare LT, %s{link}, %z : (tensor<4x1xi32>, tensor<4x1xi32>) -> tensor<4x1xi1>\n  \
                 %s{} = stablehlo.select %c{link}, %z, %s{link} : tensor<4x1xi1>, tensor<4x1xi32>\n  ",
                link + 1
            )
        })
        .collect();
    let ops = format!(
        "%z = stablehlo.constant dense<0> : tensor<4x1xi32>\n  %s0 = stablehlo.iota dim = 0 : tensor<4x1xi32>\n  {links}\
         %p = stablehlo.concatenate %s500, %i, dim = 1 : (tensor<4x1xi32>, tensor<4x1xi32>) -> tensor<4x2xi32>\n  \
         %0 = \"stablehlo.gather\"(%x, %p) <{{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], \
         start_index_map = [0, 1], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 1>}}> : \
         (tensor<4x3xf32>, tensor<4x2xi32>) -> tensor<4xf32>"
    );
    let text = function("%x: tensor<4x3xf32>, %i: tensor<4x1xi32>", &ops, "tensor<4xf32>");
    let dynamic = vec!["arg0:0=batch".parse().expect("the option is well-formed")];
    assert!(errors(&text, &Options { dynamic, ..Options::default() }).is_empty());
}
