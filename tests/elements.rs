//! Every elementwise op on all pairs of special points against XLA's results.
//!
//! `fixtures/elements.py` writes the programs and values in `fixtures/elements`. A result must be NaN, an infinity or a
//! zero of the same sign where XLA's is, and otherwise within a few units in the last place. XLA on the CPU treats
//! subnormal numbers as zeros, but ONNX Runtime computes with them: points with a subnormal operand are omitted, and a
//! subnormal result counts as zero. `fixtures/elements/differences.toml` lists how many other points may differ for an
//! op and a type, and why; docs/elements.md shows that list, which `BLESS=1` writes.

#![allow(clippy::panic, reason = "a test fails by it")]

mod support;

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Read;
use std::{env, fs};
use support::compile::{Settings, compile};
use support::runtime;
use support::value::{Element, Number, Tensor};

const POINTS: usize = 77;

/// Points at which an op differs from XLA.
#[derive(Deserialize)]
struct Difference {
    ops: Vec<String>,
    /// The number of points that may differ, by element type.
    types: BTreeMap<String, usize>,
    /// A description of the points.
    points: String,
    why: String,
}

#[derive(Deserialize)]
struct Differences {
    difference: Vec<Difference>,
}

fn path(file: &str) -> String {
    format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn differences() -> Vec<Difference> {
    let text = fs::read_to_string(path("fixtures/elements/differences.toml")).expect("the list exists");
    toml::from_str::<Differences>(&text).expect("the list can be read").difference
}

/// The tensor type `tensor<77xf32>`.
fn shape(text: &str) -> (Element, usize) {
    let inner = text.trim().strip_prefix("tensor<").and_then(|rest| rest.strip_suffix('>'));
    let (count, element) =
        inner.and_then(|inner| inner.split_once('x')).expect("a tensor type of one dimension");
    (Element::parse(element).expect("an element type"), count.parse().expect("a size"))
}

/// The types in a list between parentheses; complex types contain no comma.
fn shapes(list: &str) -> Vec<(Element, usize)> {
    list.split(", ").map(|part| shape(part.rsplit(": ").next().unwrap_or(part))).collect()
}

/// Takes the next tensor off the values: the first bytes of all elements, then their second bytes, and so on.
fn take(values: &mut &[u8], element: Element, count: usize) -> Tensor {
    let width = element.size();
    let (planes, rest) = values.split_at(width * count);
    *values = rest;
    let bytes = (0..width * count).map(|at| planes[at % width * count + at / width]).collect();
    Tensor { element, dims: vec![count], bytes }
}

/// The tensor of the elements that `index` picks.
fn picked(points: &Tensor, index: impl Fn(usize) -> usize) -> Tensor {
    let width = points.element.size();
    let bytes =
        (0..POINTS * POINTS).flat_map(|at| points.bytes[width * index(at)..][..width].iter().copied());
    Tensor { element: points.element, dims: vec![POINTS * POINTS], bytes: bytes.collect() }
}

/// The arguments `x`, `a`, `b`, `x2` and `p` of the programs.
fn arguments(points: &Tensor) -> Vec<Tensor> {
    let pairs = POINTS * POINTS;
    let left = picked(points, |at| at / POINTS);
    let right = picked(points, |at| at % POINTS);
    let middle = picked(points, |at| (at + pairs - pairs / 3) % pairs / POINTS);
    let third = Tensor {
        element: Element::I1,
        dims: vec![pairs],
        bytes: (0..pairs).map(|at| u8::from(at % 3 == 0)).collect(),
    };
    vec![points.clone(), left, right, middle, third]
}

/// The smallest normal number, for types whose subnormal numbers XLA flushes, and the allowed difference of results.
fn precision(element: Element) -> (f64, f64) {
    match element {
        Element::F16 => (0.0, 2e-3),
        Element::Bf16 => (f64::from(f32::MIN_POSITIVE), 1.6e-2),
        Element::F32 => (f64::from(f32::MIN_POSITIVE), 1e-5),
        _ => (f64::MIN_POSITIVE, 1e-9),
    }
}

/// Whether a number is the expected one, or close enough.
fn agrees(actual: Number, expected: Number, element: Element) -> bool {
    let (Number::Float(actual), Number::Float(expected)) = (actual, expected) else {
        return actual == expected;
    };
    if actual.is_nan() || expected.is_nan() {
        return actual.is_nan() && expected.is_nan();
    }
    let (smallest, relative) = precision(element);
    // XLA also flushes results.
    let flushed = |number: f64| if number.abs() < 4.0 * smallest { number * 0.0 } else { number };
    let (actual, expected) = (flushed(actual), flushed(expected));
    let near = (actual - expected).abs() <= relative * expected.abs();
    (expected.is_finite() && expected != 0.0 && near)
        || (actual == expected && actual.is_sign_negative() == expected.is_sign_negative())
}

/// Whether XLA treats the number as zero.
fn is_subnormal(number: Number, element: Element) -> bool {
    matches!(number, Number::Float(number) if number != 0.0 && number.abs() < precision(element).0)
}

/// The op of a statement: `compare LT TOTALORDER`, `convert f16`.
fn label(statement: &str) -> String {
    let (name, rest) = statement.split_once(' ').unwrap_or((statement, ""));
    let name = name.trim_start_matches("stablehlo.");
    match name {
        "compare" => {
            let direction = rest.split(',').next().unwrap_or_default();
            let kind = if rest.contains("TOTALORDER") { " TOTALORDER" } else { "" };
            format!("{name} {direction}{kind}")
        }
        "reduce_precision" => {
            format!(
                "{name} {}",
                rest.split("format = ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("")
            )
        }
        "convert" => {
            let to = rest.rsplit_once('x').map_or("", |(_, to)| to);
            format!("{name} {}", to.strip_suffix('>').unwrap_or(to))
        }
        _ => name.to_owned(),
    }
}

/// Runs the program of a type, and counts the points that differ for each op.
fn run(file: &str, allowed: &[Difference], used: &mut BTreeSet<(usize, String)>, wrong: &mut String) {
    let name = file.replace(['<', '>'], "_").trim_end_matches('_').to_owned();
    let text =
        fs::read_to_string(path(&format!("fixtures/elements/{name}.mlir"))).expect("the program exists");
    let packed = fs::read(path(&format!("fixtures/elements/{name}.values"))).expect("the values exist");
    let mut values = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut values).expect("the values can be read");
    let mut values = &values[..];

    let head = text.lines().next().expect("a function");
    let (inputs, results) = head.split_once(") -> (").expect("arguments and results");
    let inputs = shapes(inputs.split_once('(').expect("arguments").1);
    let results = shapes(results.trim_end_matches(") {"));
    // A result of eight bits or fewer is widened by a second statement, `%w`.
    let statements: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('%'))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .filter_map(|line| line.split_once(" = ").map(|(_, statement)| statement))
        .collect();
    assert_eq!(statements.len(), results.len(), "{name}");

    let points = take(&mut values, inputs[0].0, inputs[0].1);
    let given = arguments(&points);
    let compiled =
        compile(&name, &text, &Settings::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let model = compiled.model.unwrap_or_else(|| panic!("{name}: {:?}", compiled.findings));
    let real: Vec<Tensor> = given.iter().cloned().map(Tensor::with_real_parts).collect();
    let outputs = runtime::run(&model, &real).unwrap_or_else(|error| panic!("{name}: {error}"));

    for ((statement, &(element, count)), output) in statements.iter().zip(&results).zip(&outputs) {
        let op = label(statement);
        let operands: Vec<&Tensor> = ["%x ", "%x,", "%a", "%b", "%x2", "%p"]
            .iter()
            .zip([0, 0, 1, 2, 3, 4])
            .filter(|(operand, _)| statement.contains(**operand))
            .map(|(_, at)| &real[at])
            .collect();
        let expected = take(&mut values, element, count).with_real_parts();
        assert_eq!((expected.element, &expected.dims), (output.element, &output.dims), "{name} {op}");
        let parts = expected.len() / count;
        let mut differing = Vec::new();
        for at in 0..count {
            let own = |tensor: &Tensor| tensor.len() / tensor.dims[0];
            let skipped = operands.iter().any(|tensor| {
                (0..own(tensor)).any(|part| is_subnormal(tensor.get(at * own(tensor) + part), tensor.element))
            });
            let same = (0..parts).all(|part| {
                let index = at * parts + part;
                agrees(output.get(index), expected.get(index), expected.element)
            });
            if !skipped && !same {
                differing.push(at);
            }
        }
        let entries = allowed.iter().enumerate();
        let found = entries.filter_map(|(index, entry)| {
            let count = *entry.types.get(file).filter(|_| entry.ops.contains(&op))?;
            Some((index, count))
        });
        let found: Vec<(usize, usize)> = found.collect();
        let limit: usize = found.iter().map(|(_, count)| count).sum();
        if !differing.is_empty() {
            used.extend(found.iter().map(|&(index, _)| (index, file.to_owned())));
        }
        if differing.len() <= limit {
            continue;
        }
        let _ = writeln!(wrong, "{op} of {file}: {} points differ, {limit} may:", differing.len());
        for &at in differing.iter().take(12) {
            let show = |tensor: &Tensor| {
                let parts = tensor.len() / tensor.dims[0];
                let parts: Vec<String> =
                    (0..parts).map(|part| tensor.get(at * parts + part).to_string()).collect();
                parts.join("+i")
            };
            let operands: Vec<String> = operands.iter().map(|tensor| show(tensor)).collect();
            let _ =
                writeln!(wrong, "    {}: {}, expected {}", operands.join(" "), show(output), show(&expected));
        }
    }
    assert!(values.is_empty(), "{name}: unused values remain");
}

const TYPES: [&str; 15] = [
    "bf16",
    "complex<f32>",
    "complex<f64>",
    "f16",
    "f32",
    "f64",
    "i1",
    "i16",
    "i32",
    "i64",
    "i8",
    "ui16",
    "ui32",
    "ui64",
    "ui8",
];

#[test]
fn elements() {
    let allowed = differences();
    let (mut used, mut wrong) = (BTreeSet::new(), String::new());
    for file in TYPES {
        run(file, &allowed, &mut used, &mut wrong);
    }
    for (index, entry) in allowed.iter().enumerate() {
        for file in entry.types.keys() {
            if !used.contains(&(index, file.clone())) {
                let _ = writeln!(wrong, "{:?} of {file}: no point differs any more", entry.ops);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// docs/elements.md contains the list.
#[test]
fn documented() {
    let mut table = String::from("| ops | types | points | why |\n| --- | --- | --- | --- |\n");
    for Difference { ops, types, points, why } in differences() {
        let ops: Vec<String> = ops.iter().map(|op| format!("`{op}`")).collect();
        let types: Vec<&str> = types.keys().map(String::as_str).collect();
        let _ = writeln!(table, "| {} | {} | {points} | {why} |", ops.join(", "), types.join(", "));
    }
    let file = path("docs/elements.md");
    let text = fs::read_to_string(&file).expect("the page exists");
    let (open, close) = ("<!-- differences -->\n", "<!-- /differences -->");
    let start = text.find(open).expect("the opening marker exists") + open.len();
    let end = start + text[start..].find(close).expect("the closing marker exists");
    if text[start..end] == table {
        return;
    }
    assert!(
        env::var_os("BLESS").is_some(),
        "the list has changed; BLESS=1 cargo test --test elements writes it"
    );
    fs::write(&file, format!("{}{table}{}", &text[..start], &text[end..])).expect("the page can be written");
}
