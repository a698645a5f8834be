//! Shared by the test binaries: values, fixture files, the compiler's entry point, ONNX Runtime.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod annotation;
pub mod case;
pub mod compare;
pub mod compile;
pub mod graph_text;
pub mod library;
pub mod runtime;
pub mod value;
