//! Lookahead of the scan, to find where statements and regions begin.
//!
//! MLIR's grammar has no end mark for ops: an op ends where its grammar does. Tokens that can begin a statement never
//! occur inside one, and these functions recognize them. None of them looks further than one list of results.

/// Names of ops without a dialect. Every other name of an op has a dot, which no other word of a custom form has.
const DOTLESS_OPS: [&[u8]; 4] = [b"module", b"func", b"return", b"call"];

/// Words at the start of a line that continue the previous statement.
const CONTINUATIONS: [&[u8]; 16] = [
    b"cond",
    b"do",
    b"reducer",
    b"attributes",
    b"inits",
    b"applies",
    b"across",
    b"loc",
    b"else",
    b"ins",
    b"outs",
    b"to",
    b"into",
    b"from",
    b"step",
    b"iter_args",
];

/// Whether the text at `at` reads `%name =`, `%name:2 =` or `%a, %b =`, and then an op.
pub(super) fn defines_results(bytes: &[u8], at: usize) -> bool {
    end_of_results(bytes, at).is_some()
}

/// Where the `=` after a list of results is.
pub(super) fn end_of_results(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        if bytes.get(at) != Some(&b'%') {
            return None;
        }
        at = skip_space(bytes, at + 1 + name(&bytes[at + 1..]).len());
        if bytes.get(at) == Some(&b':') {
            at = skip_space(bytes, at + 1);
            let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            at = skip_space(bytes, at + digits);
        }
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b'=') => {
                // A `while` and a `scf.for` have `%iterArg = %0`: there no op follows.
                let next = bytes.get(skip_space(bytes, at + 1));
                let op =
                    next.is_some_and(|byte| *byte == b'"' || *byte == b'_' || byte.is_ascii_alphabetic());
                return op.then_some(at);
            }
            _ => return None,
        }
    }
}

/// Whether the text at `at` reads `#name =` or `!name =`.
pub(super) fn defines_alias(bytes: &[u8], at: usize) -> bool {
    let end = at + 1 + name(&bytes[at + 1..]).len();
    let equals = skip_space(bytes, end);
    end > at + 1 && bytes.get(equals) == Some(&b'=') && bytes.get(equals + 1) != Some(&b'=')
}

/// Whether the string at `at` is the name of an op in generic form: operands follow it.
pub(super) fn is_generic_name(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at + 1..];
    match memchr::memchr2(b'"', b'\n', rest) {
        Some(end) if rest[end] == b'"' => bytes.get(skip_space(bytes, at + end + 2)) == Some(&b'('),
        _ => false,
    }
}

/// Whether a word is the name of an op in custom form.
pub(super) fn is_op_name(word: &[u8]) -> bool {
    memchr::memchr(b'.', word).is_some() || DOTLESS_OPS.contains(&word)
}

/// Whether a word at the start of a line continues the statement of the line before.
pub(super) fn continues(word: &[u8]) -> bool {
    CONTINUATIONS.contains(&word)
}

/// Distinguishes a region from an attribute dictionary by the text after the brace at `brace`.
pub(super) fn is_region(bytes: &[u8], brace: usize) -> bool {
    let at = skip_space(bytes, brace + 1);
    match bytes.get(at) {
        None | Some(b'%' | b'^') => true,
        Some(b'"') => is_generic_name(bytes, at),
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
            let word = word(bytes, at);
            match bytes.get(skip_space(bytes, at + word.len())) {
                Some(b'=' | b',' | b':') => false,
                Some(b'}') => word == b"return" || word.ends_with(b".return"),
                _ => true,
            }
        }
        Some(_) => false,
    }
}

/// The word at `at`: letters, digits, `_`, `$` and `.`.
pub(super) fn word(bytes: &[u8], at: usize) -> &[u8] {
    let rest = &bytes[at..];
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let end = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
    &rest[..end]
}

/// The name after a `%`, `#` or `!`.
fn name(bytes: &[u8]) -> &[u8] {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-');
    let end = bytes.iter().position(|byte| !is_name(byte)).unwrap_or(bytes.len());
    &bytes[..end]
}

/// The first byte from `at` on that is neither space nor comment.
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
            Some(b'/') if bytes.get(at + 1) == Some(&b'/') => {
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
            }
            _ => return at,
        }
    }
}
