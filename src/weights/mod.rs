//! Files of weights: safetensors, npz, and Flax's msgpack.
//!
//! A file is a list of tensors, each with its path in the saved tree, its element type and its sizes. The elements stay
//! in the file, as ranges of its mapping; only compressed or reordered elements are copied into memory. A malformed
//! file is an [`Error`], and no range exceeds the file.

mod dtype;
mod foreign;
mod msgpack;
mod npz;
mod safetensors;
#[cfg(test)]
mod tests;

use crate::ir::Element;
use crate::source::{Limit, Mapping, Pieces, TooLarge};
use std::io;
use std::iter;
use std::path::Path;
use std::sync::Arc;

/// What the arguments of the entry function are bound to, and how.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// The files; without files nothing is bound.
    pub files: Vec<WeightsFile>,
    /// Use only the tensors below this path, and drop it from their paths.
    pub prefix: Option<String>,
    /// Replacements of the beginning of paths; the first pair that matches counts.
    pub renames: Vec<(String, String)>,
    /// Bind the sorted tensors to the first arguments, whatever their names.
    pub by_order: bool,
    /// The arrays that the program's placeholders represent.
    pub captured: Vec<Captured>,
    /// Ids and names of the placeholders that become inputs of the model, in the order of the inputs.
    pub inputs: Vec<(String, String)>,
}

/// An array that the program closes over. The text has a placeholder instead, `stablehlo.custom_call
/// @hlo2onnx.weight() {backend_config = "ID"}`, so no elements pass through text.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its id in the placeholder.
    pub id: String,
    /// The array; its name becomes that of the initializer.
    pub tensor: Tensor,
}

/// The tensors of one file.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    /// The file's name for diagnostics: the path as it was given.
    pub name: String,
    /// The tensors; their paths are unique.
    pub tensors: Vec<Tensor>,
}

/// A tensor in a file.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its path, parts separated by `/` or `.` as the file has it.
    pub name: String,
    /// The element types that its bytes can represent, the file's own first; empty for a type that StableHLO lacks.
    /// NumPy has no bf16, so an npz may use another two-byte type for it.
    pub elements: Vec<Element>,
    /// The file's name of its element type.
    pub dtype: String,
    /// Sizes, outermost first.
    pub sizes: Vec<usize>,
    /// The elements in row-major order and little-endian bytes; meaningless if `elements` is empty.
    pub data: Pieces,
}

/// Why a file cannot be read as weights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system cannot read the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The format is unknown, or the file is invalid.
    #[error("{0}")]
    Malformed(String),
}

impl Error {
    fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}

impl WeightsFile {
    /// Maps a file and finds its tensors. The content determines the format.
    ///
    /// # Errors
    /// When the file cannot be opened, is of no known format, is malformed, or exceeds [`Limit`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_within(path, Limit::default())
    }

    /// Like [`open`](Self::open), with another limit.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(path: &Path, limit: Limit) -> Result<Self, Error> {
        if path.is_dir() {
            return Err(Error::malformed(foreign::directory(path)));
        }
        Self::within(path.display().to_string(), Mapping::open(path)?, limit)
    }

    /// Finds the tensors in bytes; `name` is shown in diagnostics.
    ///
    /// # Errors
    /// When they are of no known format, or malformed.
    pub fn read(name: impl Into<String>, mapping: Mapping) -> Result<Self, Error> {
        Self::within(name, mapping, Limit::default())
    }

    fn within(name: impl Into<String>, mapping: Mapping, limit: Limit) -> Result<Self, Error> {
        if mapping.bytes().len() as u64 > limit.of_files() {
            return Err(Error::Io(TooLarge { limit: limit.of_files() }.into()));
        }
        let mapping = Arc::new(mapping);
        let bytes = mapping.bytes();
        let mut tensors = match bytes {
            [b'P', b'K', ..] => npz::tensors(&mapping, limit)?,
            // The header's length is far below 4 GiB, and the header is a JSON object.
            [_, _, _, _, 0, 0, 0, 0, b'{', ..] => safetensors::tensors(&mapping)?,
            // HDF5 and pickles, whose first byte may also begin a msgpack map.
            [0x89, b'H', b'D', b'F', ..] | [0x80, 2..=5, ..] => {
                return Err(Error::malformed(foreign::file(bytes)));
            }
            [0x80..=0x8f | 0xde | 0xdf, ..] => msgpack::tensors(&mapping)?,
            _ => return Err(Error::malformed(foreign::file(bytes))),
        };
        tensors.sort_by(|x, y| x.name.cmp(&y.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::malformed(format!("it holds `{}` twice", pair[0].name)));
        }
        Ok(Self { name: name.into(), tensors })
    }
}

impl Tensor {
    /// A tensor in memory, with its elements in row-major order and little-endian bytes. An element narrower
    /// than a byte takes a byte; one of `i1` is 0 or 1.
    ///
    /// # Errors
    /// When the number of bytes is not that of the elements.
    pub fn in_memory(
        name: impl Into<String>,
        element: Element,
        sizes: Vec<usize>,
        bytes: Mapping,
    ) -> Result<Self, Error> {
        let dtype = element.name().unwrap_or_default().to_owned();
        let length = bytes.bytes().len();
        let data = Pieces::new(&Arc::new(bytes), iter::once(0..length));
        // A range of all bytes is within them.
        let data = data.ok_or_else(|| Error::malformed("its bytes cannot be read"))?;
        Self::new(name.into(), dtype, vec![element], sizes, data)
    }

    /// A tensor; its bytes must be those of its elements in number.
    fn new(
        name: String,
        dtype: String,
        elements: Vec<Element>,
        sizes: Vec<usize>,
        data: Pieces,
    ) -> Result<Self, Error> {
        let Some(element) = elements.first() else {
            return Ok(Self { name, elements, dtype, sizes, data });
        };
        let expected = byte_count(&sizes, element.bytes());
        if expected != Some(data.len()) {
            return Err(Error::malformed(format!(
                "`{name}` has {} bytes, which are not what `{dtype}` of sizes {sizes:?} takes",
                data.len()
            )));
        }
        Ok(Self { name, elements, dtype, sizes, data })
    }
}

/// How many bytes a tensor takes; `None` when that overflows.
fn byte_count(sizes: &[usize], width: usize) -> Option<usize> {
    sizes.iter().try_fold(width, |product, &size| product.checked_mul(size))
}
