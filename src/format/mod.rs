//! What a file is, by its bytes and never by its name.
//!
//! [`program`] finds MLIR's bytecode: a file of its own, or a part of a serialized `jax.export.Exported` (`export`) or of a
//! TensorFlow SavedModel (`saved_model`). [`foreign`] recognizes files without a program that the compiler can read;
//! `text` has the texts among them.

mod export;
mod foreign;
mod protobuf;
mod saved_model;
mod text;

pub use foreign::{FileRemedy, Foreign, foreign};

use std::ops::Range;

/// The first bytes of MLIR's bytecode.
pub const BYTECODE: &[u8] = b"ML\xEFR";

/// Bytecode in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub bytes: Range<usize>,
    /// The names of its arguments, if the file has them outside of the bytecode: paths in the tree of the arguments, such as
    /// `args[0]['params']`.
    pub arguments: Vec<String>,
    /// The platforms that it is for, such as `cpu`, in the order of their index; empty if the file does not tell.
    pub platforms: Vec<String>,
}

impl Program {
    fn at(bytes: Range<usize>) -> Self {
        Self { bytes, ..Self::default() }
    }
}

/// The bytecode in a file.
///
/// # Errors
/// If the file may hold bytecode, but not one program.
pub fn program(file: &[u8]) -> Result<Option<Program>, Foreign> {
    if file.starts_with(BYTECODE) {
        return Ok(Some(Program::at(0..file.len())));
    }
    match export::program(file)? {
        Some(program) => Ok(Some(program)),
        None => saved_model::program(file),
    }
}
