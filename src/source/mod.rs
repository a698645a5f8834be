//! The text to compile: its bytes, its name, and the result of one scan over the bytes. Bytecode becomes text here.

mod decompress;
mod digits;
mod folder;
mod limit;
mod lookahead;
mod mapping;
mod scan;
mod span;

pub use folder::{Folder, ForeignFolder, program_file};
pub use limit::{Limit, TooLarge};
pub use mapping::{Mapping, Pieces};
pub use scan::{NESTING_LIMIT, Problem, Region, Scan, Statement};
pub use span::Span;

pub(crate) use lookahead::skip_space;

use crate::bytecode::{self, UnreadableBytecode};
use crate::format::{self, Foreign};
use decompress::Compression;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A text held in memory or mapped from a file, or disassembled from the bytecode in one.
pub struct Source {
    name: String,
    mapping: Mapping,
    scan: Scan,
    foreign: Option<Foreign>,
    bytecode: Option<Bytecode>,
}

/// The file that a text was disassembled from.
struct Bytecode {
    file: Arc<Mapping>,
    /// The constants that the text refers to as `blob0`, `blob1` and so on.
    blobs: Vec<Range<usize>>,
    platforms: Vec<String>,
    fault: Option<UnreadableBytecode>,
}

impl Source {
    /// Maps the file at `path`, or the file of the program in the folder of a TensorFlow SavedModel. A file that gzip or
    /// Zstandard has compressed is decompressed into a temporary one first, and so is one that cannot be mapped, such as
    /// a pipe.
    ///
    /// # Errors
    /// If the file cannot be opened, decompressed or mapped, or exceeds the [`Limit`], or if a folder is not a SavedModel.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_within(path, Limit::default())
    }

    /// Like [`open`](Self::open), with another limit.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(path: &Path, limit: Limit) -> io::Result<Self> {
        let name = path.display().to_string();
        if path.is_dir() {
            return match Folder::of(path) {
                Folder::SavedModel(file) => Self::open_within(&file, limit),
                Folder::Foreign(folder) => Err(folder.into()),
            };
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Self::read_within(name, file, limit);
        }
        let mut head = [0; 4];
        let length = file.read(&mut head)?;
        file.rewind()?;
        match Compression::of(&head[..length]) {
            Some(_) => Self::read_within(name, file, limit),
            None if metadata.len() > limit.of_files() => Err(TooLarge { limit: limit.of_files() }.into()),
            None => Ok(Self::new(name, Mapping::of(&file)?)),
        }
    }

    /// Takes the text of a stream, which may be compressed; `name` is shown in diagnostics.
    ///
    /// # Errors
    /// If the stream cannot be read or decompressed, exceeds the [`Limit`], or there is no space in the temporary
    /// folder.
    pub fn read(name: impl Into<String>, stream: impl Read) -> io::Result<Self> {
        Self::read_within(name, stream, Limit::default())
    }

    /// Like [`read`](Self::read), with another limit.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_within(name: impl Into<String>, stream: impl Read, limit: Limit) -> io::Result<Self> {
        Ok(Self::new(name.into(), Mapping::of(&decompress::spool(stream, limit)?)?))
    }

    /// Takes the bytes of a whole file, which may be compressed; `name` is shown in diagnostics.
    ///
    /// # Errors
    /// If they cannot be decompressed, or exceed the [`Limit`].
    pub fn from_file_bytes(name: impl Into<String>, bytes: Vec<u8>, limit: Limit) -> io::Result<Self> {
        Ok(Self::from_bytes(name, decompress::in_memory(bytes, limit)?))
    }

    /// Takes a text that is already in memory; `name` is shown in diagnostics.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self::new(name.into(), Mapping::from_bytes(bytes))
    }

    fn new(name: String, mapping: Mapping) -> Self {
        let program = match format::program(mapping.bytes()) {
            Ok(Some(program)) => program,
            Ok(None) => {
                let foreign = format::foreign(mapping.bytes());
                return Self { foreign, ..Self::of_text(name, mapping, None) };
            }
            Err(foreign) => return Self { foreign: Some(foreign), ..Self::of_text(name, mapping, None) },
        };
        let bytecode::Disassembly { text, blobs, fault } =
            bytecode::disassemble(mapping.bytes(), program.bytes, &program.arguments);
        let bytecode = Bytecode { file: Arc::new(mapping), blobs, platforms: program.platforms, fault };
        Self::of_text(name, Mapping::from_bytes(text), Some(bytecode))
    }

    fn of_text(name: String, mapping: Mapping, bytecode: Option<Bytecode>) -> Self {
        let scan = scan::scan(mapping.bytes(), &|range| mapping.release(range));
        Self { name, mapping, scan, foreign: None, bytecode }
    }

    /// The name shown in diagnostics: the path of the file as it was passed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    /// The result of the scan: statements, regions, and errors of brackets.
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

    /// What the file is, if it cannot be StableHLO.
    pub fn foreign(&self) -> Option<&Foreign> {
        self.foreign.as_ref()
    }

    /// Whether the text was disassembled from bytecode.
    pub fn is_disassembled(&self) -> bool {
        self.bytecode.is_some()
    }

    /// Why the text is not that of the program, if it was to be disassembled from bytecode.
    pub fn fault(&self) -> Option<&UnreadableBytecode> {
        self.bytecode.as_ref()?.fault.as_ref()
    }

    /// The platforms that the program was exported for, in the order of their index; empty if that is not known.
    pub fn platforms(&self) -> &[String] {
        self.bytecode.as_ref().map_or(&[], |bytecode| &bytecode.platforms)
    }

    /// The bytes of a constant that stayed in the file of the bytecode, by the key of its resource in the text.
    pub fn blob(&self, key: &str) -> Option<Pieces> {
        let bytecode = self.bytecode.as_ref()?;
        let range = bytecode.blobs.get(key.strip_prefix("blob")?.parse::<usize>().ok()?)?;
        Pieces::new(&bytecode.file, [range.clone()])
    }

    /// Marks bytes as read by a forward reader, so that a mapped file's pages need not stay in memory.
    pub fn release(&self, range: Range<usize>) {
        self.mapping.release(range);
    }

    /// Marks bytes as read by a random-access reader; see [`Mapping::leave`].
    pub fn leave(&self, range: Range<usize>) {
        self.mapping.leave(range);
    }

    /// Releases the pages of a range at once; see [`Mapping::forget`].
    pub fn forget(&self, range: Range<usize>) {
        self.mapping.forget(range);
    }

    /// The line (from 1) and column (from 1, in bytes) of an offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.scan.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.scan.line_starts.get(line - 1).copied().unwrap_or(0);
        (line, offset - start + 1)
    }
}
