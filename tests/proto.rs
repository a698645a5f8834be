//! Checks that `proto/onnx.rs` is what `proto/onnx.proto` generates.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, fs, path::Path};

const HEADER: &str = "// @generated from proto/onnx.proto by tests/proto.rs (BLESS=1).\n\n";

/// The messages that an attribute may contain. Inline they would make every attribute, even an integer, 1,640 bytes
/// long, and a large graph has a hundred thousand attributes.
const BOXED: [&str; 4] = ["t", "g", "sparse_tensor", "tp"];

fn generate(proto: &Path) -> String {
    let folder = proto.parent().unwrap();
    let descriptors = protox::compile([proto], [folder]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    for field in BOXED {
        config.boxed(format!(".onnx.AttributeProto.{field}"));
    }
    config.out_dir(out.path()).compile_fds(descriptors).unwrap();
    HEADER.to_owned() + &fs::read_to_string(out.path().join("onnx.rs")).unwrap()
}

#[test]
fn generated_messages_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("proto/onnx.rs");
    let expected = generate(&root.join("proto/onnx.proto"));
    if env::var_os("BLESS").is_some() {
        fs::write(&file, &expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&file).unwrap();
    // Not assert_eq!: `git diff` shows the difference of such long files better.
    assert!(found == expected, "proto/onnx.rs is stale: run `BLESS=1 cargo test --test proto`");
}
