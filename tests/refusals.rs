//! One run names everything that is not supported, each thing once.

use std::collections::BTreeSet;
use std::fs;

use hlo2onnx::source::Source;
use hlo2onnx::{Options, convert};

#[test]
fn faults_that_follow_each_other_are_named_once() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/errors/E0201_ten_at_once.mlir");
    let text = fs::read_to_string(path).expect("the fixture is there");
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
