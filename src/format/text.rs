//! Recognizes texts that are not MLIR's.

use super::Kind;

/// What a text is.
type What = (&'static str, Kind);

const JAXPR: What = ("a jaxpr", Kind::Jaxpr);
const PYTHON: What = ("Python", Kind::Python);
const BYTES: What = ("the printed form of bytes in Python", Kind::Encoded);
const JSON: What = ("JSON", Kind::Other);
const PAGE: What = ("a web page", Kind::Other);
const PICKLE: What = ("a Python pickle", Kind::Pickle);

/// The first words of texts, and what they are.
const WORDS: &[(&str, What)] = &[
    ("HloModule", ("HLO text", Kind::Hlo)),
    ("ENTRY ", ("HLO text", Kind::Hlo)),
    ("{ lambda", JAXPR),
    ("{lambda", JAXPR),
    ("let ", JAXPR),
    ("import ", PYTHON),
    ("from ", PYTHON),
    ("def ", PYTHON),
    ("class ", PYTHON),
    ("@jax", PYTHON),
    ("\"\"\"", PYTHON),
    ("#!", ("a script", Kind::Python)),
    ("Exported(", ("the printed form of a `jax.export.Exported`", Kind::Printed)),
    ("<jax._src.stages.Lowered", ("the printed form of a `jax.stages.Lowered`", Kind::Printed)),
    ("<jax", ("the printed form of an object of JAX", Kind::Printed)),
    ("<function", ("the printed form of a Python function", Kind::Printed)),
    ("ExportedProgram", ("the printed form of a program of PyTorch", Kind::Other)),
    ("b'", BYTES),
    ("b\"", BYTES),
    ("bytearray(b", BYTES),
    ("{\"", JSON),
    ("{}", JSON),
    ("[", JSON),
    ("<!", PAGE),
    ("<html", PAGE),
    ("<?xml", ("XML", Kind::Other)),
    ("; ModuleID", ("LLVM IR", Kind::Other)),
    ("node {", ("a TensorFlow graph", Kind::OtherModel)),
    ("ir_version:", ("an ONNX model as text", Kind::Onnx)),
    ("(dp0", PICKLE),
    ("(lp0", PICKLE),
    ("ccopy_reg\n", PICKLE),
];

/// Bytes of a text that tell whether it is base64 or hexadecimal: texts of MLIR have no word of that length.
const LONGEST_WORD: usize = 64;

/// What a text is that begins like this, and the offset that shows it.
pub(super) fn foreign(head: &[u8]) -> Option<(What, usize)> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(text.len());
    let at = head.len() - text.len() + start;
    let text = &text[start..];
    // In Python, a comment begins with `#`, as an alias of MLIR does.
    let code = after_comments(text);
    if let Some((_, what)) =
        WORDS.iter().find(|(word, _)| [text, code].iter().any(|text| text.starts_with(word.as_bytes())))
    {
        return Some((*what, at));
    }
    let mut characters = text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).take(LONGEST_WORD);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_long = characters.clone().count() == LONGEST_WORD;
    if is_long && characters.clone().all(u8::is_ascii_hexdigit) {
        return Some((("bytes in hexadecimal", Kind::Encoded), at));
    }
    (is_long && characters.all(is_base64)).then_some((("bytes in base64", Kind::Encoded), at))
}

/// The text after the comments of MLIR and of Python with which it begins.
fn after_comments(mut text: &[u8]) -> &[u8] {
    while text.starts_with(b"//") || text.starts_with(b"# ") {
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        text = text[end..].trim_ascii_start();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn texts_are_recognized() {
        let encoded = "TUzvUg1TdGFibGVITE9fdjEuMTAuNgABJwUBBQEXAQ8LAwcHBwcHCwMHBwsHBwsLC0sL".to_owned();
        let cases = [
            ("HloModule jit_f\n", "HLO text"),
            ("\u{feff} { lambda ; a:f32[3]. let\n", "a jaxpr"),
            ("import jax\n", "Python"),
            ("# The model.\n\nimport jax\n", "Python"),
            ("<jax._src.stages.Lowered object at 0x7f>", "the printed form of a `jax.stages.Lowered`"),
            ("Exported(fun_name=apply, ...)", "the printed form of a `jax.export.Exported`"),
            ("b'ML\\xefR'", "the printed form of bytes in Python"),
            ("{\"a\": 1}", "JSON"),
            (&encoded, "bytes in base64"),
            (&"4d4cef52".repeat(9), "bytes in hexadecimal"),
        ];
        for (text, expected) in cases {
            assert_eq!(foreign(text.as_bytes()).map(|((what, _), _)| what), Some(expected), "{text}");
        }
    }

    #[test]
    fn programs_are_not() {
        let texts = [
            "",
            " \n",
            "module {}",
            "#loc = loc(unknown)\n",
            "// from MLIR\nmodule {}",
            "\"builtin.module\"() ({",
            "%0 = x",
        ];
        for text in texts {
            assert_eq!(foreign(text.as_bytes()), None, "{text}");
        }
    }
}
