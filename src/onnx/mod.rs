//! ONNX: its messages and files.
//!
//! `proto` is ONNX's schema. `file` writes a model and streams large initializers to disk without loading them.
//! Neither knows StableHLO or the compiler's IR.

mod blocks;
mod element;
mod emit;
pub mod file;
mod function;
mod initializer;
mod inventory;
mod metadata;

pub use element::{data_type, ir_version};
pub use emit::{Details, EmitError, emit};
pub use inventory::{inventory, parameters};

/// ONNX's messages, generated from `proto/onnx.proto` into `proto/onnx.rs` by `BLESS=1 cargo test --test proto`.
#[allow(missing_docs, unused_qualifications, clippy::all, rustdoc::all)]
#[rustfmt::skip]
#[path = "../../proto/onnx.rs"]
pub mod proto;
