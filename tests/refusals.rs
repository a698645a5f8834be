//! One run reports everything that is not supported, once each.

use std::collections::BTreeSet;
use std::fs;

use hlo2onnx::ir::{Dialect, OpName, stablehlo};
use hlo2onnx::ops;
use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert, coverage};

/// Ops of StableHLO and CHLO that are refused.
const REFUSED: &[OpName] = &[
    stablehlo::ASYNC_DONE,
    stablehlo::ASYNC_START,
    stablehlo::INFEED,
    stablehlo::OUTFEED,
    stablehlo::RECV,
    stablehlo::RNG,
    stablehlo::SEND,
    stablehlo::SET_DIMENSION_SIZE,
];

/// Every op in the table of names has a row, or is refused on purpose.
#[test]
fn ops_are_covered_or_refused() {
    let covered: BTreeSet<&str> = coverage().into_iter().map(|row| row.op).collect();
    let of_dialect = |op: &OpName| matches!(op.dialect(), Dialect::StableHlo | Dialect::Chlo);
    let is_taken = |op: &OpName| covered.contains(op.text()) || ops::is_structural(*op);
    let missing: Vec<&str> =
        OpName::all().filter(of_dialect).filter(|op| !is_taken(op)).map(OpName::text).collect();
    let refused: Vec<&str> = REFUSED.iter().map(|op| op.text()).collect();
    assert_eq!(missing, refused);
}

#[test]
fn repeated_faults_are_reported_once() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/errors/E0201_ten_at_once.mlir");
    let text = fs::read_to_string(path).expect("the fixture exists");
    let case = text.split("// -----").next().unwrap_or_default();
    let source = Source::from_bytes("ten.mlir", case.as_bytes().to_vec());
    let conversion = convert(&source, &Options::default());
    assert!(conversion.model.is_none());
    let groups = conversion.diagnostics.grouped();
    let faults: Vec<_> = groups
        .iter()
        .filter(|group| group[0].code().as_str().starts_with('E'))
        .map(|group| group[0])
        .collect();
    let named: BTreeSet<_> = faults.iter().map(|fault| (fault.code(), &fault.message)).collect();
    assert_eq!((faults.len(), named.len()), (10, 10), "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.span().is_none()));
    let repeats: Vec<usize> = groups.iter().map(Vec::len).filter(|&count| count > 1).collect();
    assert_eq!(repeats, [2], "`my_kernel` is called twice");
}
