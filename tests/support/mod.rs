//! What the test binaries share: values, fixture files, the compiler's entry, ONNX Runtime.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod annotation;
pub mod case;
pub mod compare;
pub mod compile;
pub mod graph_text;
pub mod library;
pub mod runtime;
pub mod value;
