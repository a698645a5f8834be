//! Recognizes files that hold no program, or not in a form that is read.

use super::protobuf::Fields;
use super::{saved_model, text};
use std::borrow::Cow;
use std::ops::Range;

/// A file that is not StableHLO, or not as it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, such as `HLO text`, for a sentence that begins with `it is`.
    pub what: Cow<'static, str>,
    /// What that is good for.
    pub kind: Kind,
    /// The offset of the first byte that shows it.
    pub at: usize,
}

/// What a file is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HLO, as text or as a protocol buffer.
    Hlo,
    /// A jaxpr.
    Jaxpr,
    /// A program in Python.
    Python,
    /// How Python prints an object.
    Printed,
    /// Bytes in the form of text: base64, hexadecimal, a literal of Python.
    Encoded,
    /// A text in UTF-16.
    Utf16,
    /// A text with bytes that are not UTF-8.
    NotUtf8,
    /// A compressed file.
    Compressed,
    /// A file of files.
    Archive,
    /// A Python pickle.
    Pickle,
    /// Weights that `--weights` takes.
    Weights,
    /// One array without a name.
    Array,
    /// Weights in another format.
    OtherWeights,
    /// An ONNX model.
    Onnx,
    /// A model for another runtime.
    OtherModel,
    /// More than one program.
    SeveralPrograms,
    /// Bytecode that was damaged.
    Damaged,
    /// Bytecode that was read as text, by which bytes were lost.
    Decoded,
    /// A binary file of an unknown format.
    Binary,
    /// A folder.
    Folder,
    /// Another file without a program.
    Other,
}

const UTF16: (&str, Kind) = ("UTF-16 text", Kind::Utf16);
const PICKLE: (&str, Kind) = ("a Python pickle", Kind::Pickle);

/// The first bytes of files, and what they are.
const HEADS: &[(&[u8], (&str, Kind))] = &[
    (b"\xFF\xFE", UTF16),
    (b"\xFE\xFF", UTF16),
    (b"\x1F\x8B", ("a gzip file", Kind::Compressed)),
    (b"\x28\xB5\x2F\xFD", ("a Zstandard file", Kind::Compressed)),
    (b"BZh", ("a bzip2 file", Kind::Compressed)),
    (b"\xFD7zXZ\0", ("an xz file", Kind::Compressed)),
    (b"\x04\x22\x4D\x18", ("an LZ4 file", Kind::Compressed)),
    (b"7z\xBC\xAF\x27\x1C", ("a 7z archive", Kind::Archive)),
    (b"\x93NUMPY", ("a NumPy array", Kind::Array)),
    (b"\x89HDF\r\n\x1A\n", ("an HDF5 file", Kind::OtherWeights)),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x7FELF", ("a program for Linux", Kind::Other)),
    (b"BC\xC0\xDE", ("LLVM bitcode", Kind::Other)),
];

/// Names of members of zip archives, and what the archives are.
const MEMBERS: &[(&[u8], (&str, Kind))] = &[
    (b".npy", ("an npz file of arrays", Kind::Weights)),
    (b"data.pkl", ("a PyTorch file", Kind::OtherWeights)),
    (b"model.weights.h5", ("a Keras model", Kind::OtherModel)),
];

/// What a file is, if it cannot be StableHLO text.
pub fn foreign(file: &[u8]) -> Option<Foreign> {
    let head = &file[..file.len().min(1 << 14)];
    let found = |(what, kind): (&'static str, Kind), at| Some(Foreign { what: what.into(), kind, at });
    if let Some((_, what)) = HEADS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return found(*what, 0);
    }
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    if head.starts_with(b"PK\x03\x04") {
        let member = MEMBERS.iter().find(|(name, _)| has(name));
        return found(member.map_or(("a zip archive", Kind::Archive), |(_, what)| *what), 0);
    }
    if let Some((what, at)) = text::foreign(head) {
        return found(what, at);
    }
    if is_msgpack(head) {
        return found(("a msgpack file of weights", Kind::Weights), 0);
    }
    if is_onnx(head) && !saved_model::is_saved_model(file) {
        return found(("an ONNX model", Kind::Onnx), 0);
    }
    memchr::memchr(0, head)?;
    let printed = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let at = head.iter().position(|byte| !printed(byte)).unwrap_or(0);
    let what = if is_safetensors(head) {
        ("a safetensors file of weights", Kind::Weights)
    } else if saved_model::is_saved_model(file) {
        ("a TensorFlow SavedModel without a program of JAX", Kind::OtherModel)
    } else if head.get(4..8) == Some(b"TFL3") {
        ("a LiteRT model", Kind::OtherModel)
    } else if head.get(257..262) == Some(b"ustar") {
        ("a tar archive", Kind::Archive)
    } else if is_hlo(file, 0..file.len()) {
        ("an HLO protocol buffer", Kind::Hlo)
    } else if is_utf16(head) {
        UTF16
    } else if has("ML\u{FFFD}R".as_bytes()) {
        ("bytecode that was read as text", Kind::Decoded)
    } else if has(b"StableHLO_v") {
        ("bytecode that was damaged", Kind::Damaged)
    } else {
        ("a binary file of an unknown format", Kind::Binary)
    };
    found(what, at)
}

/// ASCII characters in UTF-16 without a mark: every second byte is zero.
fn is_utf16(head: &[u8]) -> bool {
    let start = &head[..head.len().min(64) & !1];
    let is_ascii = |&byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let halves = |even: usize| {
        let mut characters = start.iter().skip(even).step_by(2);
        let mut zeros = start.iter().skip(1 - even).step_by(2);
        characters.all(is_ascii) && zeros.all(|&byte| byte == 0)
    };
    start.len() >= 4 && (halves(0) || halves(1))
}

/// The length of the header as eight bytes, and the header in JSON.
fn is_safetensors(head: &[u8]) -> bool {
    let length = head.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length < 1 << 32) && head.get(8) == Some(&b'{')
}

/// A map whose first key is a short string: the form of a tree of parameters.
fn is_msgpack(head: &[u8]) -> bool {
    let key = match head {
        [0x81..=0x8F, rest @ ..] | [0xDE, _, _, rest @ ..] | [0xDF, _, _, _, _, rest @ ..] => rest,
        _ => return false,
    };
    match key {
        [length @ 0xA1..=0xBF, rest @ ..] => {
            let key = rest.get(..usize::from(length & 0x1F));
            key.is_some_and(|key| key.iter().all(u8::is_ascii_graphic))
        }
        _ => false,
    }
}

/// The version of the IR and the name of the producer.
fn is_onnx(head: &[u8]) -> bool {
    matches!(head, [8, 1..=32, 0x12 | 0x1A | 0x22 | 0x2A | 0x32 | 0x3A | 0x42, ..])
}

/// An `HloModuleProto`, which begins with its name, that of its entry, and computations; or an `HloProto`, whose first
/// field is one (XLA's `hlo.proto`).
fn is_hlo(file: &[u8], message: Range<usize>) -> bool {
    let is_module = |message: Range<usize>| {
        let mut fields = Fields::new(file, message);
        let mut is_name = |wanted: u32| {
            let name = fields.next().filter(|(number, _)| *number == wanted);
            name.is_some_and(|(_, name)| !name.is_empty() && file[name].iter().all(u8::is_ascii_graphic))
        };
        is_name(1) && is_name(2) && fields.next().is_some_and(|(number, _)| number == 3)
    };
    let first = Fields::new(file, message.clone()).next();
    is_module(message) || first.is_some_and(|(number, range)| number == 1 && is_module(range))
}

#[cfg(test)]
mod tests {
    use super::foreign;

    fn what(bytes: &[u8]) -> Option<String> {
        foreign(bytes).map(|foreign| foreign.what.into_owned())
    }

    #[test]
    fn binary_formats() {
        let cases: &[(&[u8], &str)] = &[
            (b"\xFF\xFEm\0o\0d\0", "UTF-16 text"),
            (b"m\0o\0d\0u\0", "UTF-16 text"),
            (b"\0m\0o\0d\0u", "UTF-16 text"),
            (b"BZh91AY", "a bzip2 file"),
            (b"\x80\x04\x95\0", "a Python pickle"),
            (b"\x10\0\0\0\0\0\0\0{\"w\":{}}", "a safetensors file of weights"),
            (b"\x81\xA6params\x82\xA6kernel\xC7\x3E", "a msgpack file of weights"),
            (b"PK\x03\x04\0\0w.npy", "an npz file of arrays"),
            (b"PK\x03\x04\0\0model/data.pkl", "a PyTorch file"),
            (b"PK\x03\x04\0\0model.mlir", "a zip archive"),
            (b"ML?R\x0D\0StableHLO_v1.0.0\0", "bytecode that was damaged"),
            (b"ML\xEF\xBF\xBDR\x0D\0StableHLO_v1.0.0\0", "bytecode that was read as text"),
            (b"\x48\0\0\0\0\0\x3E\0\x48", "a binary file of an unknown format"),
            (b"\x08\x0A\x12\x08hlo2onnx\0", "an ONNX model"),
            (b"\x08\x01\x12\x04\x0A\x02ab\0", "a TensorFlow SavedModel without a program of JAX"),
            (b"\x20\0\0\0TFL3\0\0", "a LiteRT model"),
            (b"\x0A\x05jit_f\x12\x04main\x1A\x01\0", "an HLO protocol buffer"),
            (b"\x0A\x10\x0A\x05jit_f\x12\x04main\x1A\x01\0", "an HLO protocol buffer"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(what(bytes).as_deref(), Some(*expected), "{bytes:?}");
        }
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(what(&tar).as_deref(), Some("a tar archive"));
    }

    #[test]
    fn texts_of_programs() {
        assert_eq!(what(b"module {}"), None);
        assert_eq!(what(b"// HloModule\nfunc.func @import() { return }"), None);
        assert_eq!(what("module @\u{e9}t\u{e9} {}".as_bytes()), None);
    }
}
