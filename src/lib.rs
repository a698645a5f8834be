//! A compiler from StableHLO text, as JAX prints it, to ONNX.

pub mod diagnostic;
pub mod ir;
pub mod onnx;
pub mod source;
pub mod syntax;
