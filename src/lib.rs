//! A compiler from StableHLO text, as JAX prints it, to ONNX.

pub mod ir;
pub mod source;
