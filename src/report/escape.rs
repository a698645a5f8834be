//! Text that comes from outside, made safe for markup.

use crate::diagnostic::one_line;
use std::borrow::Cow;

/// At most `limit` characters of a text as content of an element or value of a quoted attribute. Characters that turn
/// the direction of a text or are not seen are replaced, as they could make it look like another.
pub(super) fn escape(text: &str, limit: usize) -> String {
    markup(&one_line(text, limit)).into_owned()
}

/// Text that is showable already.
pub(super) fn markup(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'', '`']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '`' => safe.push_str("&#96;"),
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

/// A diagnostic's sentence, with text between backticks as code.
pub(super) fn sentence(text: &str, limit: usize) -> String {
    let shown = one_line(text, limit);
    let parts: Vec<&str> = shown.split('`').collect();
    // A backtick without its partner is only a character.
    if parts.len().is_multiple_of(2) {
        return markup(&shown).into_owned();
    }
    let mut out = String::with_capacity(shown.len() + 16);
    for (index, part) in parts.iter().enumerate() {
        if index % 2 == 1 {
            out.push_str("<code>");
            out.push_str(&markup(part));
            out.push_str("</code>");
        } else {
            out.push_str(&markup(part));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<b a=\"1\" c='2'>&`", 99), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;&#96;");
        assert_eq!(escape("a\u{202e}b\nc\0", 99), "a\u{fffd}b c\u{fffd}");
        assert_eq!(escape("abcdef", 3), "abc…");
    }

    #[test]
    fn code_in_sentences_is_escaped() {
        assert_eq!(sentence("`a<b` is not", 99), "<code>a&lt;b</code> is not");
        assert_eq!(sentence("`a<b is not", 99), "&#96;a&lt;b is not");
    }
}
