//! What the text of an op can have, for editors: the tables that the parser and the reader of bytecode use.

use super::assembly::{self, AssemblyFormat, CustomForm, TypeSuffix};
use super::clauses::ClauseKind;
use crate::bytecode;
use crate::ir::OpName;

/// The words that a value can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The kind of the enumeration, such as `fft_type`.
    pub kind: &'static str,
    /// The words, such as `RFFT`.
    pub words: Vec<&'static str>,
    /// Whether the value is a list of them.
    pub are_listed: bool,
}

impl Words {
    fn of(kind: &'static str, are_listed: bool) -> Option<Self> {
        Some(Self { kind, words: bytecode::enumeration_words(kind)?.collect(), are_listed })
    }
}

/// The names of the clauses that an op has in custom form after its operands, such as `contracting_dims`.
pub fn clause_names(op: &str) -> Vec<&'static str> {
    row(op).map(|row| row.keywords().collect()).unwrap_or_default()
}

/// Whether an op's clauses begin right after its name: it has no operands.
pub fn begins_with_clauses(op: &str) -> bool {
    row(op).is_some_and(|row| row.types == TypeSuffix::Result && row.form == CustomForm::Plain)
}

/// The words that the clause of that name has as its value. Without a name, the word without a name at that place.
pub fn clause_words(op: &str, name: Option<&str>, place: usize) -> Option<Words> {
    let row = row(op)?;
    let Some(name) = name else { return Words::of(row.words.get(place)?.1, false) };
    let named = row.named.iter().find(|(known, ..)| *known == name).map(|(.., kind)| *kind);
    match named {
        Some(kind) => words_of(kind),
        None if row.form.keywords().contains(&name) => {
            Words::of("precision", true).filter(|_| name == "precision")
        }
        None => None,
    }
}

/// The attributes that an op has in braces: all of them in generic form, those that are not clauses in custom form.
pub fn attribute_names(op: &str, in_custom_form: bool) -> Vec<&'static str> {
    let op = OpName::current(op);
    let mut names = op.strip_prefix("stablehlo.").map(bytecode::attribute_names).unwrap_or_default();
    let Some(row) = assembly::find(&op) else { return names };
    let tabled: Vec<&str> = row
        .named
        .iter()
        .map(|(_, attribute, _)| *attribute)
        .chain(row.words.iter().map(|(attribute, _)| *attribute))
        .collect();
    if in_custom_form {
        names.retain(|name| !tabled.contains(name) && !row.form.attributes().contains(name));
    } else {
        let more = tabled.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>();
        names.extend(more);
    }
    names
}

/// The words that an attribute has as its value in generic form.
pub fn attribute_words(op: &str, attribute: &str) -> Option<Words> {
    let row = row(op);
    let named = row.into_iter().flat_map(|row| row.named).find(|(_, name, _)| *name == attribute);
    if let Some((.., kind)) = named {
        return words_of(*kind);
    }
    let word = row.into_iter().flat_map(|row| row.words).find(|(name, _)| *name == attribute);
    match (word, attribute) {
        (Some((_, kind)), _) => Words::of(kind, false),
        (None, "precision_config") => Words::of("precision", true),
        (None, "transpose_a") => Words::of("transpose", false),
        (None, _) => None,
    }
}

/// The words of a kind of enumeration, as in `#stablehlo<fft_type RFFT>`.
pub fn enumeration_words(kind: &str) -> Vec<&'static str> {
    bytecode::enumeration_words(kind).map(Iterator::collect).unwrap_or_default()
}

/// The fields of a struct, such as `gather` of `#stablehlo.gather<offset_dims = [0]>`.
pub fn struct_fields(name: &str) -> &'static [&'static str] {
    bytecode::struct_fields(name).unwrap_or_default()
}

fn row(op: &str) -> Option<&'static AssemblyFormat> {
    assembly::find(&OpName::current(op))
}

fn words_of(kind: ClauseKind) -> Option<Words> {
    match kind {
        ClauseKind::Word(kind) => Words::of(kind, false),
        ClauseKind::Words(kind) => Words::of(kind, true),
        ClauseKind::Boolean => Some(Words { kind: "", words: vec!["true", "false"], are_listed: false }),
        ClauseKind::EnumNumber(words) => Some(Words { kind: "", words: words.to_vec(), are_listed: false }),
        ClauseKind::Integer | ClauseKind::Integers | ClauseKind::Plain | ClauseKind::Opaque(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Dialect, stablehlo};

    #[test]
    fn attributes_are_those_of_stablehlo() {
        assert_eq!(
            attribute_names("stablehlo.dot_general", false),
            ["algorithm", "dot_dimension_numbers", "precision_config"]
        );
        assert_eq!(attribute_names("stablehlo.dot_general", true), [""; 0]);
        assert_eq!(
            attribute_names("stablehlo.convolution", true),
            ["batch_group_count", "feature_group_count", "precision_config"]
        );
        assert_eq!(
            attribute_names("stablehlo.gather", false),
            ["dimension_numbers", "indices_are_sorted", "slice_sizes"]
        );
        assert_eq!(
            attribute_names("stablehlo.all_reduce", false),
            ["channel_handle", "replica_groups", "use_global_device_ids"]
        );
        assert_eq!(attribute_names("chlo.top_k", false), ["k", "largest"]);
        // A form writes attributes that its op has.
        for op in OpName::all().filter(|op| op.dialect() == Dialect::StableHlo && *op != stablehlo::CONSTANT)
        {
            let Some(row) = assembly::find(op.text()) else { continue };
            let known = attribute_names(op.text(), false);
            assert!(
                row.form.attributes().iter().all(|name| known.contains(name)),
                "{}: {known:?}",
                op.text()
            );
        }
    }

    #[test]
    fn enumerations_have_words() {
        // Every kind that the table of forms has is known.
        for op in OpName::all() {
            let Some(row) = assembly::find(op.text()) else { continue };
            for place in 0..row.words.len() {
                assert!(clause_words(op.text(), None, place).is_some(), "{}", op.text());
            }
            for (name, _, kind) in row.named {
                let is_word = matches!(kind, ClauseKind::Word(_) | ClauseKind::Words(_));
                assert!(!is_word || clause_words(op.text(), Some(name), 0).is_some(), "{} {name}", op.text());
            }
        }
        let direction = attribute_words("stablehlo.compare", "comparison_direction");
        assert_eq!(direction.map(|words| words.words.len()), Some(6));
    }
}
