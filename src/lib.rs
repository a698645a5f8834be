//! A compiler from StableHLO text, as JAX prints it, to ONNX.

pub mod onnx;
pub mod source;
