//! The `hlo2onnx` command line.

fn main() {}
