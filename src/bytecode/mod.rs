//! Disassembles MLIR's bytecode of the dialect VHLO, in which StableHLO serializes programs ("portable artifacts"), to
//! text.
//!
//! The parser, the diagnostics and the other stages read the text. Ops are in the form of the newest StableHLO, whatever
//! version of VHLO the file has. Large constants are not copied, unless their elements have less than a byte: the text
//! refers to them as `dense_resource<blob0>`, and their bytes stay ranges of the file.
//!
//! `container` reads the sections of the file, `ty` and `attribute` what the tables have, `vhlo` is the table of ops,
//! `structs` that of structs, `body` walks over the ops, and `function` over functions. `print`, `elements` and
//! `op_attributes` write the text. A file may lie: all indices, counts and lengths are checked, nesting and the length of
//! the text are limited, and a fault names the offset of its byte.

mod attribute;
mod body;
mod container;
mod elements;
mod function;
mod op_attributes;
mod print;
mod reader;
mod shardy;
mod structs;
mod ty;
mod vhlo;

pub use attribute::enumeration_words;
pub use op_attributes::attribute_names;
pub use structs::struct_fields;

use std::fmt::Write;
use std::ops::Range;

/// The text of a program, and the constants that stayed in its file.
#[derive(Debug, Default)]
pub struct Disassembly {
    /// The program; if there was a fault, the bytes around it in hexadecimal.
    pub text: Vec<u8>,
    /// The bytes of `blob0`, `blob1` and so on, as ranges of the file.
    pub blobs: Vec<Range<usize>>,
    /// Why the file could not be read.
    pub fault: Option<UnreadableBytecode>,
}

/// Why bytecode could not be read.
#[derive(Debug)]
pub struct UnreadableBytecode {
    /// What is wrong.
    pub why: String,
    /// The kind of fault.
    pub cause: Cause,
    /// The offset of the byte in the file.
    pub offset: usize,
    /// The byte in the text of the disassembly.
    pub shown: Range<usize>,
    /// What wrote the file, such as `StableHLO_v1.13.0`; empty if that is not known.
    pub producer: String,
}

/// The kind of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The bytes contradict each other, or end early.
    Damage,
    /// A version of the format that is not known yet.
    Newer,
    /// The file is valid, but what it contains is not supported.
    Unsupported,
    /// The encoding of this other dialect.
    Foreign(String),
}

/// The newest version of VHLO that is read.
pub const NEWEST_VHLO: &str = vhlo::NEWEST;

/// What is wrong, and where.
#[derive(Debug)]
struct Fault {
    /// The offset from the first byte of the bytecode.
    offset: usize,
    why: String,
    cause: Cause,
}

impl Fault {
    fn new(offset: usize, why: impl Into<String>) -> Self {
        Self { offset, why: why.into(), cause: Cause::Damage }
    }

    /// The fault is that the file is newer than this reader.
    fn newer(self) -> Self {
        Self { cause: Cause::Newer, ..self }
    }

    /// The fault is that this reader does not support what the file contains.
    fn unsupported(self) -> Self {
        Self { cause: Cause::Unsupported, ..self }
    }

    fn foreign(offset: usize, why: String, dialect: &str) -> Self {
        Self { offset, why, cause: Cause::Foreign(dialect.to_owned()) }
    }
}

/// Disassembles the bytecode at a range of a file. If it has no names for arguments, those of `main` get these.
pub fn disassemble(file: &[u8], range: Range<usize>, argument_names: &[String]) -> Disassembly {
    let (start, bytes) = (range.start, &file[range]);
    let mut producer = String::new();
    let read = container::Container::read(bytes).and_then(|container| {
        producer = String::from_utf8_lossy(container.producer).into_owned();
        let printer = body::Body::print(&container, argument_names)?;
        Ok((printer.out, printer.blobs))
    });
    match read {
        Ok((text, blobs)) => {
            let blobs = blobs.into_iter().map(|blob| blob.start + start..blob.end + start).collect();
            Disassembly { text, blobs, fault: None }
        }
        Err(Fault { offset, why, cause }) => {
            let offset = start + offset;
            let (text, shown) = hexadecimal(file, offset);
            let fault = UnreadableBytecode { why, cause, offset, shown, producer };
            Disassembly { text: text.into(), blobs: Vec::new(), fault: Some(fault) }
        }
    }
}

/// The rows of bytes around an offset, and where its byte is in this text.
fn hexadecimal(file: &[u8], offset: usize) -> (String, Range<usize>) {
    const ROW: usize = 16;
    const ROWS: usize = 2;

    // At the end of the file, the last byte is shown.
    let offset = offset.min(file.len().saturating_sub(1));
    let row = offset / ROW;
    let (mut text, mut shown) = (String::new(), 0..0);
    for row in row.saturating_sub(ROWS)..=row + ROWS {
        let Some(bytes) = file.get(row * ROW..file.len().min((row + 1) * ROW)).filter(|row| !row.is_empty())
        else {
            break;
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{:08x} ", row * ROW);
        for (column, byte) in bytes.iter().enumerate() {
            let _ = write!(text, " {byte:02x}");
            if row * ROW + column == offset {
                shown = text.len() - 2..text.len();
            }
        }
        text.push_str(&" ".repeat(3 * (ROW - bytes.len()) + 2));
        text.extend(bytes.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '.' }));
        text.push('\n');
    }
    (text, shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_show_their_bytes() {
        let file: Vec<u8> = (0..100).collect();
        for offset in [0, 15, 16, 50, 99, 100] {
            let (text, shown) = hexadecimal(&file, offset);
            assert_eq!(text[shown], format!("{:02x}", offset.min(99)), "{text}");
        }
        assert_eq!(hexadecimal(&[], 3), (String::new(), 0..0));
    }
}
