//! A compiler from StableHLO text, as JAX prints it, to ONNX.
//!
//! [`source`] reads and scans the text, [`syntax`] parses it into the [`ir`], the passes of [`pass`] rewrite it until
//! only `onnx.*` ops are left (what each op becomes stands in [`ops`]), and [`onnx`] writes the model. Whatever is
//! wrong on the way is a [`diagnostic`] with its place in the text.

#[cfg(feature = "cli")]
pub mod cli;
mod compile;
mod coverage;
pub mod diagnostic;
pub mod ir;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod onnx;
pub mod ops;
pub mod pass;
pub mod report;
pub mod source;
pub mod syntax;
pub mod value_map;
pub mod weights;

pub use compile::{Conversion, Options, convert, convert_observed, optimize, parse};
pub use coverage::{Covered, coverage, coverage_markdown};
