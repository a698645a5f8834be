//! Recognizes files that are often mistaken for StableHLO text.

/// What a file is that is not StableHLO text.
pub(super) struct Other {
    pub why: &'static str,
    /// What to do; empty where writing the text is.
    pub cure: &'static str,
    /// The first byte that shows it.
    pub at: usize,
}

const UTF16: &str = "convert it to UTF-8: `iconv -f UTF-16 -t UTF-8 model.mlir > utf8.mlir`, or write it with \
                     `open(\"model.mlir\", \"w\", encoding=\"utf-8\")`";
const BINARY: &str = "if it is bytecode or a serialized `jax.export.Exported`, it is damaged: write it in binary mode, with \
                      `open(\"model.bin\", \"wb\").write(exported.serialize())`";
const WEIGHTS: &str = "pass the program as text, and this file with `--weights`";

/// The first bytes of a file, its format, and what to do.
const HEADS: &[(&[u8], &str, &str)] = &[
    (b"\xFF\xFE", "it is UTF-16 text", UTF16),
    (b"\xFE\xFF", "it is UTF-16 text", UTF16),
    (b"\x1F\x8B", "it is a compressed file", ""),
    (b"\x93NUMPY", "it is a NumPy array", ""),
    (b"\x89HDF", "it is an HDF5 file", ""),
    (b"\x80\x02", "it is a Python pickle", ""),
    (b"\x80\x03", "it is a Python pickle", ""),
    (b"\x80\x04", "it is a Python pickle", ""),
    (b"\x80\x05", "it is a Python pickle", ""),
];

/// The first words of other texts, their format, and what to do.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "HloModule",
        "it is HLO text",
        "write StableHLO text: `jax.jit(f).lower(x).as_text(debug_info=True)`, without `.compile()` and `dialect=\"hlo\"`",
    ),
    ("{ lambda", "it is a jaxpr", ""),
    ("{lambda", "it is a jaxpr", ""),
    ("let ", "it is a jaxpr", ""),
    ("import ", "it is Python", PYTHON),
    ("from ", "it is Python", PYTHON),
    ("def ", "it is Python", PYTHON),
    ("#!", "it is a script", PYTHON),
];

const PYTHON: &str = "let the script write the text: `open(\"model.mlir\", \"w\").write(jax.jit(f).lower(x).as_text(debug_info=True))`";

/// What a file is, when it cannot be StableHLO text.
pub(super) fn other(bytes: &[u8]) -> Option<Other> {
    let head = &bytes[..bytes.len().min(1 << 14)];
    let other = |why, cure, at| Some(Other { why, cure, at });
    if let Some((_, why, cure)) = HEADS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return other(*why, *cure, 0);
    }
    if head.starts_with(b"PK\x03\x04") {
        return match memchr::memmem::find(head, b".npy") {
            Some(_) => other("it is an npz file of arrays", WEIGHTS, 0),
            None => other("it is a zip archive", "", 0),
        };
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let start = crate::source::skip_space(text, 0);
    if let Some((_, why, cure)) = WORDS.iter().find(|(word, ..)| text[start..].starts_with(word.as_bytes())) {
        return other(*why, *cure, head.len() - text.len() + start);
    }
    memchr::memchr(0, head)?;
    let printed = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let at = head.iter().position(|byte| !printed(byte)).unwrap_or(0);
    if is_safetensors(head) {
        return other("it is a safetensors file of weights", WEIGHTS, at);
    }
    // The version of the IR and the name of the producer.
    if matches!(head, [8, 1..=32, 0x12 | 0x1A | 0x22 | 0x2A | 0x32 | 0x3A | 0x42, ..]) {
        return other("it is an ONNX model", "", at);
    }
    if is_utf16(head) {
        return other("it is UTF-16 text", UTF16, at);
    }
    if memchr::memmem::find(head, b"StableHLO_v").is_some() {
        return other("it is bytecode that was damaged", BINARY, at);
    }
    other("it contains NUL bytes", BINARY, at)
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

#[cfg(test)]
mod tests {
    use super::other;

    fn why(bytes: &[u8]) -> Option<&'static str> {
        other(bytes).map(|other| other.why)
    }

    #[test]
    fn other_formats() {
        assert_eq!(why(b"HloModule jit_f\n"), Some("it is HLO text"));
        assert_eq!(why(b"\xEF\xBB\xBF { lambda ; a:f32[3]. let\n"), Some("it is a jaxpr"));
        assert_eq!(why(b"import jax\n"), Some("it is Python"));
        assert_eq!(why(b"\xFF\xFEm\0o\0d\0"), Some("it is UTF-16 text"));
        assert_eq!(why(b"m\0o\0d\0u\0"), Some("it is UTF-16 text"));
        assert_eq!(why(b"\0m\0o\0d\0u"), Some("it is UTF-16 text"));
        assert_eq!(why(b"\x80\x04\x95\0"), Some("it is a Python pickle"));
        assert_eq!(why(b"\x10\0\0\0\0\0\0\0{\"w\":{}}"), Some("it is a safetensors file of weights"));
        assert_eq!(why(b"PK\x03\x04\0\0w.npy"), Some("it is an npz file of arrays"));
        assert_eq!(why(b"ML?R\x0D\0StableHLO_v1.0.0\0"), Some("it is bytecode that was damaged"));
        assert_eq!(why(b"\x48\0\0\0\0\0\x3E\0\x48"), Some("it contains NUL bytes"));
        assert_eq!(why(b"\x08\x0A\x12\x08hlo2onnx\0"), Some("it is an ONNX model"));
    }

    #[test]
    fn texts() {
        assert_eq!(why(b"module {}"), None);
        assert_eq!(why(b"// HloModule\nfunc.func @import() { return }"), None);
        assert_eq!(why(b""), None);
    }
}
