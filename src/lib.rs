//! A compiler from StableHLO, as JAX prints and serializes it, to ONNX.
//!
//! ```
//! use hlo2onnx::{Options, convert_file};
//!
//! # let folder = tempfile::tempdir()?;
//! # let (input, output) = (folder.path().join("model.mlir"), folder.path().join("model.onnx"));
//! # std::fs::write(&input, "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
//! #   %0 = stablehlo.tanh %x : tensor<4xf32>
//! #   return %0 : tensor<4xf32>
//! # }")?;
//! let options = Options { opset: Some(18), ..Options::default() };
//! match convert_file(&input, &output, &options) {
//!     Ok((written, notes)) => println!("{} bytes, {} notes", written.bytes, notes.len()),
//!     Err(error) => eprintln!("{error}"),
//! }
//! # assert!(output.exists());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`convert`] does the same in memory: it takes a [`source::Source`] and returns a [`Conversion`] with the model and
//! every [`diagnostic`]. [`onnx::file`] writes the model, [`weights`] binds arguments to files of weights, and
//! [`report`] describes the contents of a text.
//!
//! Inside, [`source`] reads and scans the text, `syntax` parses it into the `ir`, and the passes of `pass` rewrite it
//! to `onnx.*` ops (`ops` defines the lowering of each op). [`onnx`] writes the model. `syntax`, `ir`, `pass`, `ops` and
//! `target` are public only for the tests and tools of the project, and change without notice.
//!
//! # Features
//!
//! - `cli` (default): the command line, as the function [`cli::run`] and as the binary.
//! - `lsp` (default): the language server, [`lsp`].

mod bytecode;
#[cfg(feature = "cli")]
pub mod cli;
mod compile;
mod coverage;
pub mod diagnostic;
#[doc(hidden)]
pub mod failure;
mod format;
#[doc(hidden)]
pub mod ir;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod onnx;
#[doc(hidden)]
pub mod ops;
mod options;
#[doc(hidden)]
pub mod pass;
pub mod report;
pub mod source;
#[doc(hidden)]
pub mod syntax;
#[doc(hidden)]
pub mod target;
pub mod value_map;
pub mod weights;

pub use compile::{
    Conversion, Error, convert, convert_file, convert_observed, optimize, optimize_observed, parse,
};
pub use coverage::{Covered, coverage, coverage_markdown};
pub use options::{DynamicDimension, Options, parse_dimension};
pub use target::Target;
