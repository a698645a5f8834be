//! Recognizes files without a program that the compiler can read.

use super::protobuf::Fields;
use super::text;
use std::borrow::Cow;
use std::ops::Range;

/// A file that is not StableHLO, or not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, such as `HLO text`, for a sentence that begins with `it is`.
    pub what: Cow<'static, str>,
    /// The way out.
    pub remedy: FileRemedy,
    /// The offset of the first byte that shows it.
    pub at: usize,
}

/// Which help a diagnostic shows for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRemedy {
    /// For HLO: write StableHLO.
    WriteStableHlo,
    /// For Python: run it.
    RunPython,
    /// For the printed form of an object: write its program.
    WriteProgram,
    /// For base64, hexadecimal, and literals of Python: write the bytes.
    WriteBytes,
    /// For UTF-16 and UTF-32.
    ConvertUtf16,
    /// For a text with bytes that are not UTF-8.
    WriteUtf8,
    /// For a compressed file.
    Decompress,
    /// For an archive.
    Unpack,
    /// For a folder.
    PassFile,
    /// For a Python pickle, which runs code.
    LoadPickle,
    /// For weights that `--weights` takes.
    PassWeights,
    /// For an array without a name.
    NameArray,
    /// For weights in another format.
    SaveWeights,
    /// For an ONNX model.
    NoConversion,
    /// For a SavedModel of several programs.
    SplitSavedModel,
    /// For a SavedModel that computes more than its program.
    MoveIntoJax,
    /// For a SavedModel without a program.
    UseJax2tf,
    /// For a file without contents.
    FindFailure,
    /// For a pointer of Git LFS.
    PullLfs,
    /// For a file that was damaged.
    WriteAgain,
    /// For bytecode that was decoded as text, which lost bytes.
    WriteBinary,
    /// For a binary file of an unknown format.
    CheckBinary,
    /// For other models and other files.
    Export,
}

const UTF16: (&str, FileRemedy) = ("UTF-16 text", FileRemedy::ConvertUtf16);
const PICKLE: (&str, FileRemedy) = ("a Python pickle", FileRemedy::LoadPickle);

/// The first bytes of files, and what they are.
const HEADS: &[(&[u8], (&str, FileRemedy))] = &[
    (b"\xFF\xFE\0\0", ("UTF-32 text", FileRemedy::ConvertUtf16)),
    (b"\xFF\xFE", UTF16),
    (b"\xFE\xFF", UTF16),
    (b"\x1F\x8B", ("a gzip file", FileRemedy::Decompress)),
    (b"\x28\xB5\x2F\xFD", ("a Zstandard file", FileRemedy::Decompress)),
    (b"BZh", ("a bzip2 file", FileRemedy::Decompress)),
    (b"\xFD7zXZ\0", ("an xz file", FileRemedy::Decompress)),
    (b"\x04\x22\x4D\x18", ("an LZ4 file", FileRemedy::Decompress)),
    (b"7z\xBC\xAF\x27\x1C", ("a 7z archive", FileRemedy::Unpack)),
    (b"\x93NUMPY", ("a NumPy array", FileRemedy::NameArray)),
    (b"\x89HDF\r\n\x1A\n", ("an HDF5 file", FileRemedy::SaveWeights)),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x7FELF", ("an ELF file", FileRemedy::Export)),
    (b"BC\xC0\xDE", ("LLVM bitcode", FileRemedy::Export)),
];

/// Names of members of zip archives, and what the archives are.
const MEMBERS: &[(&[u8], (&str, FileRemedy))] = &[
    (b".npy", ("an npz file of arrays", FileRemedy::PassWeights)),
    (b"data.pkl", ("a PyTorch file", FileRemedy::SaveWeights)),
    (b"model.weights.h5", ("a Keras model", FileRemedy::Export)),
];

/// What a file is, if it cannot be StableHLO text.
pub fn foreign(file: &[u8]) -> Option<Foreign> {
    let head = &file[..file.len().min(1 << 14)];
    let found =
        |(what, remedy): (&'static str, FileRemedy), at| Some(Foreign { what: what.into(), remedy, at });
    if let Some((_, what)) = HEADS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return found(*what, 0);
    }
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    if head.starts_with(b"PK\x03\x04") {
        let member = MEMBERS.iter().find(|(name, _)| has(name));
        return found(member.map_or(("a zip archive", FileRemedy::Unpack), |(_, what)| *what), 0);
    }
    if let Some((what, at)) = text::foreign(head) {
        return found(what, at);
    }
    if is_msgpack(head) {
        return found(("a msgpack file of weights", FileRemedy::PassWeights), 0);
    }
    let printed = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let at = head.iter().position(|byte| !printed(byte)).unwrap_or(0);
    let what = if is_safetensors(head) {
        ("a safetensors file of weights", FileRemedy::PassWeights)
    } else if is_onnx(head) {
        ("an ONNX model", FileRemedy::NoConversion)
    } else if head.get(4..8) == Some(b"TFL3") {
        ("a LiteRT model", FileRemedy::Export)
    } else if head.get(257..262) == Some(b"ustar") {
        ("a tar archive", FileRemedy::Unpack)
    } else if is_hlo(file, 0..file.len()) {
        ("an HLO protocol buffer", FileRemedy::WriteStableHlo)
    } else if !head.contains(&0) {
        return None;
    } else if let Some(text) = utf16(head) {
        text
    } else if has("ML\u{FFFD}R".as_bytes()) {
        ("bytecode that was decoded as text", FileRemedy::WriteBinary)
    } else if has(b"StableHLO_v") {
        ("bytecode that was damaged", FileRemedy::WriteAgain)
    } else {
        ("a binary file of an unknown format", FileRemedy::CheckBinary)
    };
    found(what, at)
}

/// ASCII characters in UTF-16 without a mark: every second byte is zero.
fn utf16(head: &[u8]) -> Option<(&'static str, FileRemedy)> {
    let start = &head[..head.len().min(64) & !1];
    let is_ascii = |&byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let halves = |even: usize| {
        let mut characters = start.iter().skip(even).step_by(2);
        let mut zeros = start.iter().skip(1 - even).step_by(2);
        characters.all(is_ascii) && zeros.all(|&byte| byte == 0)
    };
    match (start.len() >= 4, halves(0), halves(1)) {
        (true, true, _) => Some(("UTF-16LE text", FileRemedy::ConvertUtf16)),
        (true, _, true) => Some(("UTF-16BE text", FileRemedy::ConvertUtf16)),
        _ => None,
    }
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
        // A file that was cut off has an error at its end.
        let mut fields = Fields::new(file, message).map_while(Result::ok);
        let mut is_name = |wanted: u32| {
            let name = fields.next().filter(|(number, _)| *number == wanted);
            name.is_some_and(|(_, name)| !name.is_empty() && file[name].iter().all(u8::is_ascii_graphic))
        };
        is_name(1) && is_name(2) && fields.next().is_some_and(|(number, _)| number == 3)
    };
    let first = Fields::new(file, message.clone()).find_map(Result::ok);
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
            (b"m\0o\0d\0u\0", "UTF-16LE text"),
            (b"\0m\0o\0d\0u", "UTF-16BE text"),
            (b"BZh91AY", "a bzip2 file"),
            (b"\x80\x04\x95\0", "a Python pickle"),
            (b"\x10\0\0\0\0\0\0\0{\"w\":{}}", "a safetensors file of weights"),
            (b"\x81\xA6params\x82\xA6kernel\xC7\x3E", "a msgpack file of weights"),
            (b"PK\x03\x04\0\0w.npy", "an npz file of arrays"),
            (b"PK\x03\x04\0\0model/data.pkl", "a PyTorch file"),
            (b"PK\x03\x04\0\0model.mlir", "a zip archive"),
            (b"ML?R\x0D\0StableHLO_v1.0.0\0", "bytecode that was damaged"),
            (b"ML\xEF\xBF\xBDR\x0D\0StableHLO_v1.0.0\0", "bytecode that was decoded as text"),
            (b"\x48\0\0\0\0\0\x3E\0\x48", "a binary file of an unknown format"),
            (b"\x08\x0A\x12\x08hlo2onnx\0", "an ONNX model"),
            (b"\x20\0\0\0TFL3\0\0", "a LiteRT model"),
            (b"\x0A\x05jit_f\x12\x04main\x1A\x01x", "an HLO protocol buffer"),
            (b"\x0A\x10\x0A\x05jit_f\x12\x04main\x1A\x01x", "an HLO protocol buffer"),
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
        assert_eq!(what("module @\"\u{e9}t\u{e9}\" {}".as_bytes()), None);
    }
}
