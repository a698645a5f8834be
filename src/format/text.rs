//! Recognizes texts that are not MLIR.

use super::FileRemedy;

/// What a text is.
type What = (&'static str, FileRemedy);

const JAXPR: What = ("a jaxpr", FileRemedy::Export);
const PYTHON: What = ("Python", FileRemedy::RunPython);
const BYTES: What = ("the printed form of bytes in Python", FileRemedy::WriteBytes);
const JSON: What = ("JSON", FileRemedy::Export);
const PAGE: What = ("a web page", FileRemedy::Export);
const PICKLE: What = ("a Python pickle", FileRemedy::LoadPickle);

/// The first words of texts, and what they are.
const WORDS: &[(&str, What)] = &[
    ("HloModule", ("HLO text", FileRemedy::WriteStableHlo)),
    ("ENTRY ", ("HLO text", FileRemedy::WriteStableHlo)),
    ("{ lambda", JAXPR),
    ("{lambda", JAXPR),
    ("let ", JAXPR),
    ("import ", PYTHON),
    ("from ", PYTHON),
    ("def ", PYTHON),
    ("class ", PYTHON),
    ("@jax", PYTHON),
    ("\"\"\"", PYTHON),
    ("#!/", ("a script", FileRemedy::Export)),
    ("Exported(", ("the printed form of a `jax.export.Exported`", FileRemedy::WriteProgram)),
    ("<jax._src.stages.Lowered", ("the printed form of a `jax.stages.Lowered`", FileRemedy::WriteProgram)),
    ("<jax", ("the printed form of an object of JAX", FileRemedy::WriteProgram)),
    ("<bound method", ("the printed form of a method that was not called", FileRemedy::WriteProgram)),
    ("<PjitFunction", ("the printed form of a function", FileRemedy::WriteProgram)),
    ("version https://git-lfs", ("a pointer of Git LFS", FileRemedy::PullLfs)),
    ("Traceback (most", ("an error message of Python", FileRemedy::FindFailure)),
    ("<function", ("the printed form of a Python function", FileRemedy::WriteProgram)),
    ("ExportedProgram", ("the printed form of a program of PyTorch", FileRemedy::Export)),
    ("b'", BYTES),
    ("b\"", BYTES),
    ("bytearray(b", BYTES),
    ("{\"", JSON),
    ("{}", JSON),
    ("<!", PAGE),
    ("<html", PAGE),
    ("<?xml", ("XML", FileRemedy::Export)),
    ("; ModuleID", ("LLVM IR", FileRemedy::Export)),
    ("node {", ("a TensorFlow graph", FileRemedy::Export)),
    ("ir_version:", ("an ONNX model as text", FileRemedy::NoConversion)),
    ("(dp0", PICKLE),
    ("(lp0", PICKLE),
    ("ccopy_reg\n", PICKLE),
];

/// The bytes without a space that tell whether a text is base64 or hexadecimal: MLIR's statements have spaces.
const LONGEST_WORD: usize = 64;

/// What a text is that begins like this, and the offset that shows it.
pub(super) fn foreign(head: &[u8]) -> Option<(What, usize)> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let code = after_comments(text);
    let at = head.len() - code.len();
    if text.is_empty() {
        return Some((("empty", FileRemedy::FindFailure), 0));
    }
    // A line of Python or a script may look like a comment.
    let starts = |word: &str| code.starts_with(word.as_bytes()) || text.starts_with(word.as_bytes());
    if let Some((_, what)) = WORDS.iter().find(|(word, _)| starts(word)) {
        return Some((*what, at));
    }
    let mut characters = code.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).take(LONGEST_WORD);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_long = characters.clone().count() == LONGEST_WORD;
    if is_long && characters.clone().all(u8::is_ascii_hexdigit) {
        return Some((("bytes in hexadecimal", FileRemedy::WriteBytes), at));
    }
    (is_long && characters.all(is_base64)).then_some((("bytes in base64", FileRemedy::WriteBytes), at))
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
            ("", "empty"),
            (" \n", "empty"),
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
            "module {}",
            "#loc = loc(unknown)\n",
            "// from MLIR\nmodule {}",
            "\"builtin.module\"() ({",
            "%0 = x",
        ];
        for text in texts {
            assert_eq!(foreign(text.as_bytes()), None, "{text}");
        }
        let banner = format!("{}\n// A model\nmodule {{}}", "/".repeat(100));
        assert_eq!(foreign(banner.as_bytes()), None);
    }
}
