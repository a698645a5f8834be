//! The text to compile: its bytes, its name, and what one scan over the bytes finds.

mod span;

pub use span::Span;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A text held in memory or mapped from a file.
pub struct Source {
    name: String,
    bytes: Bytes,
    line_starts: Vec<usize>,
    literals: Vec<Range<usize>>,
}

enum Bytes {
    Owned(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl Source {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is private and read-only; a file that another process changes while we read it can
        // give wrong text, which the parser treats as it treats any text, but is never written through.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::new(path.display().to_string(), Bytes::Mapped(map)))
    }

    /// Takes a text that is already in memory; `name` is shown in diagnostics.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self::new(name.into(), Bytes::Owned(bytes))
    }

    fn new(name: String, bytes: Bytes) -> Self {
        Self { name, bytes, line_starts: Vec::new(), literals: Vec::new() }
    }

    /// The name shown in diagnostics: the path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }

    /// Offsets of the first byte of each line, in order.
    pub fn line_starts(&self) -> &[usize] {
        &self.line_starts
    }

    /// Ranges of the literals that the scan lifted out: the hexadecimal digits between the quotes, in order.
    pub fn literals(&self) -> &[Range<usize>] {
        &self.literals
    }

    /// The line (from 1) and column (from 1, in bytes) of an offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        (line, offset - start + 1)
    }
}
