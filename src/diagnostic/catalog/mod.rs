//! The catalog: every diagnostic, one entry each, sorted by code.
//!
//! An entry has the code, the name of the fault, the payload, and the texts; its doc comment is the manual page that
//! `hlo2onnx explain` prints. A code is never reused and never renumbered. To add one, write the entry in the file of
//! its range:
//!
//! | codes | file | about |
//! | --- | --- | --- |
//! | E00 | `text.rs` | the text itself |
//! | E01 | `structure.rs` | structure and types |
//! | E02 | `unsupported.rs` | valid programs that cannot be converted |
//! | E03 | `target.rs` | limits of the target, and options that the program does not allow |
//! | E04 | `output.rs` | files, weights, and names in the model |
//! | W05 | `risk.rs` | models that can differ from the program |
//! | A06 | `advice.rs` | advice |
//!
//! ```text
//! /// One line that states the fault.
//! ///
//! /// What it means, an example that triggers it, what to do.
//! E0201 UnsupportedOp<'a> { op: &'a str, at: Span }
//!     => "`{op}` is not supported"
//!     group "{op}"                     what repeats are grouped by; by default the message
//!     label at "no lowering for this"  the first label is the primary one
//!     note "..."
//!     help "..."
//!     fix { Fix::to(op, nearest) };    a change of the text at the primary label, if one is known
//! ```
//!
//! Texts are format strings over the payload. A label, note or help can also be a block that returns an
//! `Option<String>`. A label whose span is [`Span::NONE`](crate::source::Span::NONE) is omitted.

use super::Severity;
use std::fmt;

/// What the catalog knows about a code, apart from how to build the diagnostic.
#[derive(Debug)]
struct Entry {
    code: &'static str,
    name: &'static str,
    /// The lines of the doc comment, as the compiler passes them to a macro: each with a leading space.
    doc: &'static [&'static str],
}

/// A diagnostic's stable code, as `E0201`.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

impl Code {
    /// The code as it is printed.
    pub const fn as_str(self) -> &'static str {
        self.0.code
    }

    /// The name of the fault, as `UnsupportedOp`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The severity that the letter means.
    pub const fn severity(self) -> Severity {
        match self.0.code.as_bytes() {
            [b'A', ..] => Severity::Advice,
            [b'W', ..] => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Whether an option asked for it, so that it is shown with all that is known.
    pub(super) fn is_requested(self) -> bool {
        self.0.name == "NearlyFused"
    }

    /// One line that states the fault: the first line of the manual page.
    pub fn summary(self) -> &'static str {
        self.0.doc.first().map_or("", |line| line.trim())
    }

    /// The manual page, in Markdown.
    pub fn explanation(self) -> String {
        let mut page = format!("# {}: {} ({})\n", self.as_str(), self.name(), self.severity().as_str());
        for line in self.0.doc {
            page.push('\n');
            page.push_str(line.strip_prefix(' ').unwrap_or(line));
        }
        page.push('\n');
        page.push_str(&remedies::table(self.as_str()));
        page
    }

    /// The manual pages of all codes as one document, in Markdown.
    pub fn manual() -> String {
        let mut text = String::from(
            "# Diagnostics\n\nEvery code that `hlo2onnx` prints, as `hlo2onnx explain CODE` explains it. The letter is the \
             severity:\nan error (E) means that no model is written, a warning (W) that the model can differ from the program, and\n\
             advice (A) that the model is correct.\n\n| code | name | |\n| --- | --- | --- |\n",
        );
        for code in Code::all() {
            let anchor = format!("{code}-{}-{}", code.name(), code.severity().as_str()).to_lowercase();
            text.push_str(&format!("| [{code}](#{anchor}) | {} | {} |\n", code.name(), code.summary()));
        }
        for code in Code::all() {
            text.push_str(&format!("\n#{}", code.explanation()));
        }
        text
    }

    /// The code that `text` names: `E0201`, in either case, or the name of the fault.
    pub fn parse(text: &str) -> Option<Code> {
        Code::all().find(|code| code.as_str().eq_ignore_ascii_case(text) || code.name() == text)
    }

    /// All codes in ascending order within each range: errors, warnings, advice.
    // The ranges' lists have one name, which the glob imports below make look unqualified.
    #[allow(unused_qualifications)]
    pub fn all() -> impl Iterator<Item = Code> {
        [
            text::CODES,
            structure::CODES,
            unsupported::CODES,
            target::CODES,
            output::CODES,
            risk::CODES,
            advice::CODES,
        ]
        .into_iter()
        .flatten()
        .copied()
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Code {}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Code {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Declares the entries of one range of codes: for each a struct of plain data that converts into a
/// [`Diagnostic`](super::Diagnostic).
macro_rules! diagnostics {
    ($(
        $(#[doc = $doc:literal])+
        $code:ident $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* $(,)? }
            => $message:tt
            $(group $group:literal)?
            $(label $at:ident $label:tt)*
            $(note $note:tt)*
            $(help $help:tt)?
            $(fix $fix:block)?
            ;
    )+) => {
        pub(super) const CODES: &[$crate::diagnostic::Code] = &[$($name::CODE),+];

        $(
            $(#[doc = $doc])+
            // The fields are the words of the message; a line on each would only repeat it.
            #[allow(missing_docs)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name $(<$life>)? { $(pub $field: $type),* }

            impl $(<$life>)? $name $(<$life>)? {
                /// The code of this entry.
                pub const CODE: $crate::diagnostic::Code = super::Code(&super::Entry {
                    code: stringify!($code),
                    name: stringify!($name),
                    doc: &[$($doc),+],
                });
            }

            impl $(<$life>)? From<$name $(<$life>)?> for $crate::diagnostic::Diagnostic {
                #[cold]
                #[allow(unused_variables, unused_mut)]
                fn from(payload: $name $(<$life>)?) -> Self {
                    let $name { $($field),* } = payload;
                    let message = diagnostics!(@message $message);
                    let group: Option<String> = None$(.or(Some(format!($group))))?;
                    let mut labels: Vec<$crate::diagnostic::Label> = Vec::new();
                    $(if !$at.is_none() {
                        let text: Option<String> = diagnostics!(@text $label);
                        labels.push($crate::diagnostic::Label {
                            span: $at,
                            text: text.unwrap_or_default(),
                            part: $crate::diagnostic::Part::Span,
                        });
                    })*
                    let mut notes: Vec<String> = Vec::new();
                    $(notes.extend(diagnostics!(@text $note));)*
                    let help: Option<String> = None$(.or(diagnostics!(@text $help)))?;
                    $crate::diagnostic::Diagnostic {
                        code: $name::CODE,
                        group: group.unwrap_or_else(|| message.clone()),
                        message,
                        labels,
                        help,
                        fix: None$(.or($fix))?,
                        notes,
                        python: None,
                        module_path: None,
                    }
                }
            }
        )+
    };
    (@message $text:literal) => { format!($text) };
    (@message $text:block) => { $text };
    (@text $text:literal) => { Some(format!($text)) };
    (@text $text:block) => { $text };
}

mod advice;
mod file_remedy;
mod output;
mod remedies;
mod risk;
mod structure;
mod target;
mod text;
mod unsupported;

pub use advice::*;
pub use output::*;
pub use risk::*;
pub use structure::*;
pub use target::*;
pub use text::*;
pub use unsupported::*;

/// The help for a name that is not defined, when a similar one is.
fn did_you_mean(nearest: Option<&str>) -> Option<String> {
    nearest.map(|name| format!("did you mean `{name}`?"))
}

/// Whether the name of a value or an alias (`%arg0`, `#map`) is probably a typo of another one. Short names all
/// resemble each other, and so do names that differ only in their numbers.
fn is_likely_typo(name: &str, other: &str) -> bool {
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '#').len();
    let (a, b) = (stem(name), stem(other));
    let numbered = a < name.len() && b < other.len() && name[..a] == other[..b];
    !numbered && a.min(b) > 3
}

/// Whether an op ends a block, though maybe one of another dialect.
fn is_terminator(op: &str) -> bool {
    op.rsplit('.').next() == Some("return")
}

/// The help for a broken rule of StableHLO: the op's section of the specification.
fn specification(op: &str) -> Option<String> {
    let mnemonic = op.strip_prefix("stablehlo.")?;
    Some(format!("see the rules of this op: https://openxla.org/stablehlo/spec#{mnemonic}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::source::Span;
    use std::collections::BTreeSet;

    #[test]
    fn codes_ascend_within_their_range_and_are_unique() {
        let codes: Vec<Code> = Code::all().collect();
        for pair in codes.windows(2) {
            if pair[0].as_str()[..3] == pair[1].as_str()[..3] {
                assert!(pair[0] < pair[1], "{} comes before {}", pair[0], pair[1]);
            }
        }
        assert_eq!(codes.iter().map(|code| code.as_str()).collect::<BTreeSet<_>>().len(), codes.len());
        assert_eq!(codes.iter().map(|code| code.name()).collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn a_code_is_a_letter_a_range_and_a_number() {
        for code in Code::all() {
            let text = code.as_str();
            let range = text.get(..3).unwrap_or_default();
            assert!(["E00", "E01", "E02", "E03", "E04", "W05", "A06"].contains(&range), "{text}");
            assert!(text.len() == 5 && text[1..].bytes().all(|byte| byte.is_ascii_digit()), "{text}");
        }
    }

    #[test]
    fn every_manual_page_has_a_cause_and_a_remedy() {
        for code in Code::all() {
            let page = code.explanation();
            let summary = code.summary();
            assert!(summary.ends_with('.') && summary.len() > 10, "{code}: {summary:?}");
            assert!(page.starts_with(&format!("# {code}: ")), "{page}");
            assert!(page.contains("What to do: "), "{page}");
            assert!(page.lines().all(|line| !line.starts_with(' ') || line.starts_with("  ")), "{page}");
            assert_eq!(page.matches("```").count() % 2, 0, "{page}");
        }
    }

    #[test]
    fn parse_takes_the_code_and_the_name() {
        for code in Code::all() {
            assert_eq!(Code::parse(code.as_str()), Some(code));
            assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(code));
            assert_eq!(Code::parse(code.name()), Some(code));
        }
        assert_eq!(Code::parse("E9999"), None);
        assert_eq!(Code::parse(""), None);
    }

    #[test]
    fn the_letter_determines_the_severity() {
        assert_eq!(UnsupportedOp::CODE.severity(), Severity::Error);
        assert_eq!(ReducedPrecision::CODE.severity(), Severity::Warning);
        assert_eq!(NoLocations::CODE.severity(), Severity::Advice);
    }

    #[test]
    fn payload_becomes_text() {
        let diagnostic: Diagnostic = UnsupportedOp { op: "stablehlo.infeed", at: Span::new(3, 9) }.into();
        assert_eq!(diagnostic.code(), UnsupportedOp::CODE);
        assert_eq!(diagnostic.message, "`stablehlo.infeed` is not supported");
        assert_eq!(diagnostic.group, "stablehlo.infeed");
        assert_eq!(diagnostic.span(), Span::new(3, 9));
        assert!(diagnostic.help.is_some() && diagnostic.notes.len() == 1);
    }

    #[test]
    fn a_label_without_a_span_is_omitted() {
        let diagnostic: Diagnostic =
            BadLiteral { why: "an odd number of digits", at: Span::new(1, 2), ty_at: Span::NONE }.into();
        assert_eq!(diagnostic.labels.len(), 1);
        assert_eq!(diagnostic.group, diagnostic.message);
    }

    #[test]
    fn long_lists_of_candidates_are_cut() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let diagnostic: Diagnostic = NoEntryFunction { candidates: &names, at: Span::NONE }.into();
        assert_eq!(
            diagnostic.notes,
            ["the candidates are `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h` and 2 more"]
        );
        let diagnostic: Diagnostic = NoEntryFunction { candidates: &[], at: Span::NONE }.into();
        assert!(diagnostic.notes.is_empty());
    }
}
