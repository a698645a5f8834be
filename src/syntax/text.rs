//! The text of a statement without its regions and large literals, and how its rules are run over it.

use super::Parser;
use crate::diagnostic::catalog::SyntaxError;
use crate::source::Span;
use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::{Pair, Pairs};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mlir.pest"]
pub(super) struct Grammar;

/// What was cut out of a statement's text.
#[derive(Clone, Debug)]
pub(super) enum Removed {
    /// The inside of a region, by its index in the scan.
    Region(u32),
    /// The digits of a literal.
    Literal(Range<usize>),
}

/// A cut and its place.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// Offset in the remaining text.
    pub at: usize,
    /// How many bytes were cut out.
    pub length: usize,
    pub cut: Removed,
}

/// A statement's text and where it comes from.
pub(super) struct Frame<'s> {
    pub text: Cow<'s, str>,
    pub start: usize,
    /// Offset in the file after the statement.
    pub end: usize,
    pub holes: SmallVec<[Hole; 2]>,
    /// Offsets in the text before which bytes were removed, with the total number of bytes in holes and spaces up to
    /// there. Empty if no spaces were removed: then the holes suffice.
    pub gaps: Vec<(usize, usize)>,
}

impl Frame<'_> {
    /// Offset in the file of an offset in the text.
    fn to_file(&self, at: usize) -> usize {
        let cut: usize = if self.gaps.is_empty() {
            self.holes.iter().take_while(|hole| hole.at <= at).map(|hole| hole.length).sum()
        } else {
            let before = self.gaps.partition_point(|&(gap, _)| gap <= at);
            before.checked_sub(1).map_or(0, |last| self.gaps[last].1)
        };
        (self.start + at + cut).min(self.end)
    }

    pub fn whole(&self) -> Text<'_> {
        Text { text: &self.text, base: 0, frame: self }
    }
}

/// A part of a statement's text.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub text: &'t str,
    base: usize,
    frame: &'t Frame<'t>,
}

impl<'t> Text<'t> {
    /// The part of it at `range`.
    pub fn part(&self, range: Range<usize>) -> Text<'t> {
        Text { text: &self.text[range.clone()], base: self.base + range.start, frame: self.frame }
    }

    /// The part of it that a pair covers; the pair must come from parsing this text.
    pub fn of(&self, pair: &Pair<'_, Rule>) -> Text<'t> {
        let span = pair.as_span();
        self.part(span.start()..span.end())
    }

    /// Where it is in the file.
    pub fn span(&self) -> Span {
        if self.text.is_empty() {
            let at = self.frame.to_file(self.base);
            return Span::new(at, at);
        }
        let last = self.base + self.text.len() - 1;
        Span::new(self.frame.to_file(self.base), (self.frame.to_file(last) + 1).min(self.frame.end))
    }

    /// What was cut out right at the start of this text.
    pub fn cut(&self) -> Option<&'t Removed> {
        self.frame.holes.iter().find(|hole| hole.at == self.base).map(|hole| &hole.cut)
    }

    /// Whether nothing was cut out, so that equal texts mean the same.
    pub fn is_complete(&self) -> bool {
        let end = self.base + self.text.len();
        !self.frame.holes.iter().any(|hole| self.base < hole.at && hole.at < end)
    }
}

impl<'s> Parser<'s> {
    /// Runs a rule over a text; a failure is reported.
    pub(super) fn run<'t>(&mut self, rule: Rule, text: Text<'t>) -> Option<Pairs<'t, Rule>> {
        match Grammar::parse(rule, text.text) {
            Ok(pairs) => Some(pairs),
            Err(error) => {
                let at = match error.location {
                    InputLocation::Pos(at) => at,
                    InputLocation::Span((start, _)) => start,
                };
                let expected = match &error.variant {
                    ErrorVariant::ParsingError { positives, .. } => expectation(positives),
                    // The parser's own guard against deep recursion.
                    ErrorVariant::CustomError { .. } => "less nesting".to_owned(),
                };
                self.unexpected(text, at, &expected);
                None
            }
        }
    }

    /// Reports that `expected` is not at `at`.
    pub(super) fn unexpected(&mut self, text: Text<'_>, at: usize, expected: &str) {
        let at = at + text.text[at..].len() - text.text[at..].trim_start().len();
        let rest = &text.text[at..];
        let length = word_length(rest);
        let found = match length {
            0 => "the end of the statement".to_owned(),
            _ => format!("`{}`", &rest[..length]),
        };
        let mut span = text.part(at..at + length).span();
        if length == 0 {
            let end = text.span().end;
            span = Span::new(end.saturating_sub(1), end);
        }
        self.diagnostics.push(SyntaxError { expected, found: &found, at: span });
    }

    /// Reports an unexpected part of a statement.
    pub(super) fn expected(&mut self, expected: &str, text: Text<'_>) {
        self.unexpected(text, 0, expected);
    }
}

/// Length of the word, or of the one character, at the start of a text.
fn word_length(text: &str) -> usize {
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '$');
    let mut characters = text.char_indices();
    let Some((_, first)) = characters.next() else { return 0 };
    if !is_word(first) && !matches!(first, '%' | '@' | '#' | '^' | '!') {
        return first.len_utf8();
    }
    let end = characters.find(|&(_, character)| !is_word(character)).map_or(text.len(), |(at, _)| at);
    end.min(text.char_indices().nth(40).map_or(end, |(at, _)| at))
}

/// What was expected, in words.
fn expectation(rules: &[Rule]) -> String {
    // Nearly anything can follow an operand; what is missing is a separator.
    if rules.contains(&Rule::EOI) && rules.contains(&Rule::word) {
        return "`,`, `:` or the end of the statement".to_owned();
    }
    let mut words: Vec<&str> = Vec::new();
    for &rule in rules {
        // Few ops have these, none of them StableHLO's.
        if matches!(rule, Rule::number_clause | Rule::result_list) {
            continue;
        }
        let word = describe(rule);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A rule in the words of those who read MLIR.
fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::EOI => "the end of the statement",
        Rule::value | Rule::result => "a value such as `%0`",
        Rule::symbol | Rule::symbol_ref => "a symbol such as `@main`",
        Rule::mnemonic | Rule::quoted_name => "the name of an op",
        Rule::string | Rule::text => "a string",
        Rule::braces | Rule::region | Rule::attributes | Rule::dictionary | Rule::curlies => "`{`",
        Rule::body => "a body in `{` `}`",
        Rule::brackets | Rule::array | Rule::dense_list | Rule::dimensions => "`[`",
        Rule::angled | Rule::properties => "`<`",
        Rule::location | Rule::location_alias => "a location `loc(...)`",
        Rule::open => "`(`",
        Rule::close => "`)`",
        Rule::bound => "`=`",
        Rule::init => "`init:`",
        Rule::arrow => "`->`",
        Rule::word => "a keyword",
        Rule::raw | Rule::hash | Rule::opaque | Rule::enumeration | Rule::structure | Rule::hash_name => {
            "an attribute"
        }
        Rule::signature
        | Rule::ty
        | Rule::type_attribute
        | Rule::named_type
        | Rule::tensor
        | Rule::tuple
        | Rule::function_type => "a type",
        Rule::element_type => "an element type",
        Rule::dim => "a size such as `4x`",
        Rule::number | Rule::numeral | Rule::element | Rule::position => "a number",
        Rule::name => "a name",
        Rule::successor => "a block such as `^bb0`",
        Rule::parameter => "a function argument",
        Rule::outcome | Rule::single_outcome => "a result type",
        Rule::alias | Rule::alias_name | Rule::place_alias => "an alias such as `#loc1`",
        Rule::boolean => "`true` or `false`",
        Rule::dense | Rule::elements | Rule::resource => "a literal",
        Rule::visibility => "`public` or `private`",
        Rule::unknown | Rule::file_place | Rule::named_place | Rule::callsite | Rule::fused => "a location",
        Rule::place_opaque => "a location",
        Rule::dimension => "a dimension",
        Rule::range => "a range such as `0:4`",
        Rule::entry | Rule::field => "a name and a value",
        Rule::unit => "`unit`",
        Rule::complex => "`(`",
        _ => "something else",
    }
}
