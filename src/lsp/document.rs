//! One version of an open text.
//!
//! A version never changes: an edit makes the next one, which shares all of its text but the edited leaves of the rope.
//! What takes time to find out of a text, its contiguous bytes and their scan, is made by the first thread that asks,
//! and never by the one that reads edits.

use super::position;
use super::semantic_tokens::Delivered;
use super::tree::{Parents, PathStep};
use crate::source::{Source, Span};
use gen_lsp_types::{Position, Range, TextDocumentContentChangeEvent, Uri};
use ropey::Rope;
use rustc_hash::FxHashMap;
use std::io;
use std::ops;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One version of an open text.
pub(super) struct Document {
    /// The name by which the client calls it.
    pub(super) uri: Uri,
    /// The client's number of this version.
    pub(super) version: i32,
    /// The text.
    pub(super) text: Rope,
    source: OnceLock<Source>,
    parents: OnceLock<Parents>,
    aliases: OnceLock<FxHashMap<Box<[u8]>, u32>>,
    /// The tokens that the client has last got, of this version or one before.
    delivered: Arc<Mutex<Option<Delivered>>>,
    /// Whether the version is outdated or closed. Locked while publishing for this version, so that its diagnostics
    /// never arrive after those of a newer one.
    superseded: Mutex<bool>,
}

impl Document {
    /// The version that the client opened.
    pub(super) fn new(uri: Uri, version: i32, text: &str) -> Self {
        Self::of(uri, version, Rope::from_str(text), Arc::default())
    }

    fn of(uri: Uri, version: i32, text: Rope, delivered: Arc<Mutex<Option<Delivered>>>) -> Self {
        Self {
            uri,
            version,
            text,
            source: OnceLock::new(),
            parents: OnceLock::new(),
            aliases: OnceLock::new(),
            delivered,
            superseded: Mutex::new(false),
        }
    }

    /// The next version, after edits in order.
    ///
    /// # Errors
    /// When the rope refuses an edit, which takes a position that it does not have.
    pub(super) fn edited(
        &self,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Result<Self, ropey::Error> {
        let mut text = self.text.clone();
        for change in changes {
            let (Range { start, end }, inserted) = match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(change) => {
                    (change.range, change.text)
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(change) => {
                    text = Rope::from_str(&change.text);
                    continue;
                }
            };
            let (start, end) = (position::character(&text, start), position::character(&text, end));
            text.try_remove(start.min(end)..start.max(end))?;
            text.try_insert(start.min(end), &inserted)?;
        }
        Ok(Self::of(self.uri.clone(), version, text, Arc::clone(&self.delivered)))
    }

    /// The bytes with their scan.
    pub(super) fn source(&self) -> &Source {
        self.source.get_or_init(|| {
            let mut bytes = Vec::with_capacity(self.text.len_bytes());
            self.text.chunks().for_each(|chunk| bytes.extend_from_slice(chunk.as_bytes()));
            Source::from_bytes(&self.uri.0, bytes)
        })
    }

    /// The statements around an offset, outermost first.
    pub(super) fn path(&self, offset: usize) -> Vec<PathStep> {
        let scan = self.source().scan();
        self.parents.get_or_init(|| Parents::of(scan)).path(scan, offset)
    }

    /// The statement that defines an alias of an attribute, a location or a type, by its name with `#` or `!`.
    pub(super) fn alias(&self, name: &[u8]) -> Option<u32> {
        let aliases = self.aliases.get_or_init(|| {
            let source = self.source();
            let (bytes, statements) = (source.bytes(), &source.scan().statements);
            let mut aliases = FxHashMap::default();
            let mut index = 0;
            while let Some(statement) = statements.get(index as usize) {
                let text = &bytes[statement.span.range()];
                if let [b'#' | b'!', ..] = text {
                    let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'=';
                    let end = text.iter().position(is_end).unwrap_or(text.len());
                    aliases.entry(text[..end].into()).or_insert(index);
                }
                index = statement.next;
            }
            aliases
        });
        aliases.get(name).copied()
    }

    /// The offset of a position.
    pub(super) fn offset(&self, position: Position) -> usize {
        position::offset(&self.text, position)
    }

    /// The range of a span.
    pub(super) fn range(&self, span: Span) -> Range {
        position::range(&self.text, span)
    }

    /// The bytes of a range, as text.
    pub(super) fn slice(&self, range: ops::Range<usize>) -> &str {
        // A rope holds UTF-8, and the ranges of tokens and statements end between characters.
        self.source().bytes().get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The tokens that the client has last got.
    pub(super) fn delivered(&self) -> MutexGuard<'_, Option<Delivered>> {
        // They are replaced as a whole.
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the version as outdated, because there is a newer one or the text was closed.
    pub(super) fn supersede(&self) {
        *self.state() = true;
    }

    /// Whether there is a newer version.
    pub(super) fn is_superseded(&self) -> bool {
        *self.state()
    }

    /// Runs `publish` unless there is a newer version, which cannot appear meanwhile.
    ///
    /// # Errors
    /// Those of `publish`.
    pub(super) fn publish(&self, publish: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let superseded = self.state();
        if *superseded { Ok(()) } else { publish() }
    }

    fn state(&self) -> MutexGuard<'_, bool> {
        // A flag is right whatever happened to a thread that held it.
        self.superseded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Document;
    use gen_lsp_types::{
        Position, Range, TextDocumentContentChangeEvent, TextDocumentContentChangePartial,
        TextDocumentContentChangeWholeDocument,
    };

    fn change(range: Option<[u32; 4]>, text: &str) -> TextDocumentContentChangeEvent {
        let range = range.map(|[line, character, end_line, end_character]| Range {
            start: Position { line, character },
            end: Position { line: end_line, character: end_character },
        });
        let text = text.to_owned();
        match range {
            Some(range) => TextDocumentContentChangePartial::new(range, None, text).into(),
            None => TextDocumentContentChangeWholeDocument { text }.into(),
        }
    }

    fn edited(text: &str, changes: Vec<TextDocumentContentChangeEvent>) -> String {
        let uri = "file:///model.mlir".into();
        let document = Document::new(uri, 1, text);
        document.edited(2, changes).unwrap().text.to_string()
    }

    #[test]
    fn edits_apply_in_order() {
        let changes = vec![change(Some([0, 1, 0, 1]), "x\ny"), change(Some([1, 0, 1, 1]), "z")];
        assert_eq!(edited("ab", changes), "ax\nzb");
    }

    #[test]
    fn edits_count_in_utf_16() {
        assert_eq!(edited("😀é|x", vec![change(Some([0, 3, 0, 4]), "")]), "😀éx");
    }

    #[test]
    fn edit_over_lines_and_past_the_end() {
        assert_eq!(edited("ab\r\ncd\r\nef", vec![change(Some([0, 1, 2, 1]), "-")]), "a-f");
        assert_eq!(edited("ab", vec![change(Some([9, 0, 9, 9]), "c")]), "abc");
    }

    #[test]
    fn edit_without_a_range_replaces_all() {
        assert_eq!(edited("ab", vec![change(None, "c"), change(Some([0, 1, 0, 1]), "d")]), "cd");
    }
}
