//! Completion of the attributes of an op and of their values, in custom form and in generic form.

use super::document::Document;
use super::token::{SyntaxToken, TokenKind, Tokens};
use super::tree;
use crate::source::Span;
use crate::syntax::vocabulary::{self, Words};

/// Dialects whose attributes have the structs and enumerations of StableHLO.
const DIALECTS: [&str; 3] = ["#stablehlo", "#chlo", "#mhlo"];

/// What can be at a place.
pub(super) struct Candidate {
    /// What is typed of it.
    pub(super) label: String,
    /// The text that it becomes.
    pub(super) text: String,
    pub(super) detail: Option<&'static str>,
    /// Whether it is the name of an attribute, and not a value.
    pub(super) is_name: bool,
}

/// The attributes or values that can begin at an offset in a line that begins at another.
pub(super) fn candidates(document: &Document, line: usize, offset: usize) -> Option<Vec<Candidate>> {
    let source = document.source();
    // A statement may have begun in a line before.
    let step = document.path(offset).last().copied().filter(|step| step.region.is_none());
    let begin = step.map(|step| tree::at(source.scan(), step.statement).span.start);
    let begin = begin.filter(|&begin| begin < line).unwrap_or(line);
    let mut tokens = Tokens::new(source, Span::new(begin, offset));
    let mut token = tokens.next()?;
    if token.kind == TokenKind::Value {
        tokens.by_ref().find(|token| token.kind == TokenKind::Mark(b'='))?;
        token = tokens.next()?;
    }
    let is_custom = token.kind == TokenKind::Word;
    if !is_custom && token.kind != TokenKind::String {
        return None;
    }
    let op = document.slice(token.span.range()).trim_matches('"');
    let mut place = Place { document, levels: vec![Level::default()] };
    tokens.for_each(|token| place.take(token));
    let found = place.in_attribute().or_else(|| place.in_dictionary(op, is_custom)).or_else(|| {
        let found = || place.in_clauses(op);
        is_custom.then(found).flatten()
    })?;
    Some(found).filter(|found| !found.is_empty())
}

/// The brackets around a place in a statement, outermost first.
struct Place<'a> {
    document: &'a Document,
    levels: Vec<Level<'a>>,
}

/// What was read within a pair of brackets that is still open, or outside of all.
#[derive(Default)]
struct Level<'a> {
    /// The bracket; 0 outside of all.
    open: u8,
    /// The token before the bracket.
    before: Option<SyntaxToken>,
    last: Option<SyntaxToken>,
    /// The name whose value is being written.
    key: Option<&'a str>,
    used: Vec<&'a str>,
    /// Words that are no names.
    words: usize,
    has_types: bool,
}

impl<'a> Place<'a> {
    fn text(&self, token: Option<SyntaxToken>) -> &'a str {
        token.map_or("", |token| self.document.slice(token.span.range()))
    }

    fn take(&mut self, token: SyntaxToken) {
        let nested = self.levels.len() > 1;
        let Some(level) = self.levels.last_mut() else { return };
        let last = level.last.replace(token);
        match token.kind {
            TokenKind::Mark(open @ (b'(' | b'[' | b'{' | b'<')) => {
                self.levels.push(Level { open, before: last, ..Level::default() });
            }
            TokenKind::Mark(b'>') if last.is_some_and(|last| last.kind == TokenKind::Mark(b'-')) => {}
            TokenKind::Mark(b')' | b']' | b'}' | b'>') if nested => {
                self.levels.pop();
                if let Some(level) = self.levels.last_mut() {
                    level.last = Some(token);
                }
            }
            TokenKind::Mark(b',') => level.key = None,
            TokenKind::Mark(b':') => level.has_types = true,
            TokenKind::Mark(b'=') => {
                let name = self.document.slice(last.map_or(Span::NONE, |last| last.span).range());
                level.key = Some(name.trim_matches('"'));
                level.used.extend(level.key);
                level.words = level.words.saturating_sub(1);
            }
            TokenKind::Word if level.key.is_none() => level.words += 1,
            _ => {}
        }
    }

    /// In `#stablehlo<fft_type RFFT>` or `#stablehlo.gather<offset_dims = [0]>`.
    fn in_attribute(&self) -> Option<Vec<Candidate>> {
        let level = self.levels.last().filter(|level| level.open == b'<')?;
        let before = self.text(level.before);
        let (dialect, name) = before.split_once('.').unwrap_or((before, ""));
        if !DIALECTS.contains(&dialect) || level.key.is_some() {
            return None;
        }
        let names = if name.is_empty() {
            let words = vocabulary::enumeration_words(self.text(level.last));
            return Some(words.into_iter().map(|word| value(word, word.to_owned(), None)).collect());
        } else {
            vocabulary::struct_fields(name)
        };
        Some(unused(names, level))
    }

    /// In the braces of an op, or in a list that is a value there.
    fn in_dictionary(&self, op: &str, is_custom: bool) -> Option<Vec<Candidate>> {
        let (dictionary, list) = match self.levels.as_slice() {
            [_, dictionary] => (dictionary, None),
            [_, dictionary, list] if list.open == b'[' => (dictionary, Some(list)),
            [_, properties, dictionary] if properties.open == b'<' => (dictionary, None),
            [_, properties, dictionary, list] if properties.open == b'<' && list.open == b'[' => {
                (dictionary, Some(list))
            }
            _ => return None,
        };
        // What follows a name and `=` is its value, and what follows a word is a region.
        let before = dictionary.before.map(|token| token.kind);
        let is_region = matches!(self.text(dictionary.before), "cond" | "do");
        if dictionary.open != b'{' || is_region || before == Some(TokenKind::Mark(b'=')) {
            return None;
        }
        let Some(name) = dictionary.key else {
            return Some(unused(&vocabulary::attribute_names(op, is_custom), dictionary));
        };
        let words = vocabulary::attribute_words(op, name)?;
        let is_begun = dictionary.last.map(|token| token.kind) != Some(TokenKind::Mark(b'='));
        if list.is_some() != is_begun {
            return None;
        }
        let text = |word: &str| match words.kind {
            "" => word.to_owned(),
            kind => format!("#stablehlo<{kind} {word}>"),
        };
        Some(values(&words, list.is_some(), text))
    }

    /// After the name of an op in custom form, outside of brackets or in a list that is a value there.
    fn in_clauses(&self, op: &str) -> Option<Vec<Candidate>> {
        let (level, is_in_list) = match self.levels.as_slice() {
            [level] => (level, false),
            [level, list] if list.open == b'[' => (level, true),
            _ => return None,
        };
        if level.has_types {
            return None;
        }
        if let Some(name) = level.key {
            let is_begun = level.last.map(|token| token.kind) != Some(TokenKind::Mark(b'='));
            let words = vocabulary::clause_words(op, Some(name), 0).filter(|_| is_begun == is_in_list)?;
            return Some(values(&words, is_in_list, str::to_owned));
        }
        let last = level.last.map(|token| token.kind);
        let is_between = matches!(last, Some(TokenKind::Mark(b',' | b')')));
        let is_across = self.text(level.last) == "across";
        let is_first = last.is_none();
        if is_in_list || !(is_between || is_across || is_first) {
            return None;
        }
        let words = vocabulary::clause_words(op, None, level.words);
        let mut found = words.map(|words| values(&words, false, str::to_owned)).unwrap_or_default();
        let mut names = vocabulary::clause_names(op);
        names.retain(|name| match (*name == "dimensions", is_first) {
            // `across dimensions = [0]`
            (true, _) => is_across,
            (false, true) => vocabulary::begins_with_clauses(op),
            (false, false) => is_between,
        });
        found.extend(unused(&names, level));
        Some(found)
    }
}

fn unused(names: &[&'static str], level: &Level) -> Vec<Candidate> {
    let unused = names.iter().filter(|name| !level.used.contains(name));
    let name = |name: &&str| Candidate {
        label: (*name).to_owned(),
        text: format!("{name} = "),
        detail: None,
        is_name: true,
    };
    unused.map(name).collect()
}

/// The words of a value. A list of them has one for each of two operands.
fn values(words: &Words, is_in_list: bool, text: impl Fn(&str) -> String) -> Vec<Candidate> {
    let one = |word: &&'static str| {
        let written = text(word);
        let is_whole_list = words.are_listed && !is_in_list;
        let written = if is_whole_list { format!("[{written}, {written}]") } else { written };
        value(word, written, Some(words.kind).filter(|kind| !kind.is_empty()))
    };
    words.words.iter().map(one).collect()
}

fn value(word: &str, text: String, detail: Option<&'static str>) -> Candidate {
    Candidate { label: word.to_owned(), text, detail, is_name: false }
}
