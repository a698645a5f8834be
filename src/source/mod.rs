//! The text to compile: its bytes, its name, and what one scan over the bytes finds.

mod scan;
mod span;

pub use scan::{NESTING_LIMIT, Problem, Region, Scan, Statement};
pub use span::Span;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A text held in memory or mapped from a file.
pub struct Source {
    name: String,
    bytes: Bytes,
    scan: Scan,
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
        let scan = match &bytes {
            Bytes::Owned(text) => scan::scan(text, &|_| {}),
            Bytes::Mapped(map) => scan::scan(map, &|range| give_back(map, range)),
        };
        Self { name, bytes, scan }
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

    /// What the scan found: the statements and regions of the text, and what is wrong with its brackets.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Offsets of the first byte of each line, in order.
    pub fn line_starts(&self) -> &[usize] {
        &self.scan.line_starts
    }

    /// Ranges of the literals that the scan lifted out: the hexadecimal digits between the quotes, in order.
    pub fn literals(&self) -> &[Range<usize>] {
        &self.scan.literals
    }

    /// Says that these bytes will not be read again soon, so that a mapped file's pages need not stay in memory.
    pub fn release(&self, range: Range<usize>) {
        if let Bytes::Mapped(map) = &self.bytes {
            give_back(map, range);
        }
    }

    /// The line (from 1) and column (from 1, in bytes) of an offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.scan.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.scan.line_starts.get(line - 1).copied().unwrap_or(0);
        (line, offset - start + 1)
    }
}

/// Lets the system drop the pages of a range that was read; the next reading maps them again.
#[cfg(target_os = "linux")]
fn give_back(map: &memmap2::Mmap, range: Range<usize>) {
    const PAGE: usize = 4096;
    let (start, end) = (range.start.next_multiple_of(PAGE), range.end / PAGE * PAGE);
    if start < end {
        // SAFETY: the mapping is of a file, private and never written through, so that dropped pages come back
        // with the same contents. Failing only costs memory.
        #[allow(unsafe_code)]
        let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
    }
}

#[cfg(not(target_os = "linux"))]
fn give_back(_: &memmap2::Mmap, _: Range<usize>) {}
