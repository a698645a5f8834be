//! Finds the parts of an op in the text: its operands, types and attribute values.
//!
//! Parsing does not keep these places. A diagnostic parses the statement again, which costs the same for any file
//! size.

use super::Parser;
use super::assembly::{self, AssemblyFormat, CustomForm, TypeSuffix};
use super::clauses::Token;
use super::forms::Clauses;
use super::shape::Tokens;
use super::text::{Rule, Text};
use crate::diagnostic::{Diagnostics, Label, Part};
use crate::source::{Source, Span};
use pest::iterators::Pair;

/// The place of a part of the op whose name, or a part of it, is at `at`; `None` if the text does not show it.
pub fn locate(source: &Source, at: Span, part: &Part) -> Option<Span> {
    Parser::new(source).locate(at, part)
}

/// Moves the labels that are about a part of an op to where the text has it.
///
/// If the first label's part has no place, it stays at the op's name; other labels are dropped.
pub fn resolve_labels(source: &Source, diagnostics: &mut Diagnostics) {
    let mut parser = Parser::new(source);
    for diagnostic in diagnostics.iter_mut() {
        if diagnostic.labels.iter().all(|label| label.part == Part::Span) {
            continue;
        }
        let mut kept: Vec<Label> = Vec::new();
        for mut label in std::mem::take(&mut diagnostic.labels) {
            let part = std::mem::take(&mut label.part);
            let place = if part == Part::Span { Some(label.span) } else { parser.locate(label.span, &part) };
            let shown = place.is_some_and(|place| kept.iter().all(|label| label.span != place));
            if shown || kept.is_empty() {
                label.span = place.unwrap_or(label.span);
                kept.push(label);
            }
        }
        diagnostic.labels = kept;
    }
}

/// An op's statement, parsed for places.
enum Reading<'t> {
    Generic { operands: Vec<Text<'t>>, dictionaries: Vec<Text<'t>>, signature: Option<Text<'t>> },
    Custom { row: &'static AssemblyFormat, clauses: Box<Clauses<'t>> },
}

/// The types of a signature on both sides of its arrow.
struct Sides<'t> {
    inputs: Vec<Text<'t>>,
    outputs: Option<Vec<Text<'t>>>,
}

impl Parser<'_> {
    fn locate(&mut self, at: Span, part: &Part) -> Option<Span> {
        if at.is_none() {
            return None;
        }
        // Statements are sorted by their start, and those of a region come after the name of the op that owns it.
        let statements = &self.source.scan().statements;
        let index =
            statements.partition_point(|statement| statement.span.start <= at.start).checked_sub(1)?;
        if at.end > statements[index].span.end {
            return None;
        }
        let frame = self.frame(index as u32)?;
        let text = frame.whole();
        if text.text.starts_with("func") && !text.text.starts_with("func.call") {
            return self.parameter_type(text, at, part);
        }
        let tokens = self.tokens(text)?;
        let reading = self.reading(&tokens)?;
        let found = match part {
            Part::Span => return Some(at),
            Part::Operand(index) => reading.operand(*index),
            Part::Attribute { name, field, item } => {
                self.attribute_place(&reading, name, field.as_deref(), *item)
            }
            _ => self.type_place(&reading, part),
        };
        found.map(|text| text.span())
    }

    /// The type of the function's argument at `at`.
    fn parameter_type(&mut self, text: Text<'_>, at: Span, part: &Part) -> Option<Span> {
        let Part::Elements(_) = part else { return None };
        let parameters = self.run(Rule::function, text)?.filter(|pair| pair.as_rule() == Rule::parameter);
        for parameter in parameters {
            let mut inner = parameter.into_inner();
            if inner.next().is_some_and(|name| text.of(&name).span() == at) {
                return inner.find(|pair| pair.as_rule() == Rule::ty).map(|ty| text.of(&ty).span());
            }
        }
        None
    }

    /// Where an op in a statement of these tokens, from the first on, has an attribute of that name.
    pub(super) fn places_of_attribute(&mut self, tokens: &[Token<'_>], name: &str) -> Vec<Span> {
        let mut places = Vec::new();
        match self.reading(tokens) {
            Some(Reading::Generic { dictionaries, .. }) => {
                for dictionary in dictionaries {
                    places.extend(self.entry(dictionary, name));
                }
            }
            Some(Reading::Custom { row, clauses }) => {
                places.extend(self.clause_of(row, &clauses, name, None, None));
                places.extend(clauses.dictionary.and_then(|dictionary| self.entry(dictionary, name)));
            }
            None => {}
        }
        places.iter().map(Text::span).collect()
    }

    fn reading<'t>(&mut self, tokens: &[Token<'t>]) -> Option<Reading<'t>> {
        let head = tokens.iter().position(|token| token.rule != Rule::result)?;
        let (name, rest) = (tokens[head], &tokens[head + 1..]);
        if name.rule != Rule::quoted_name {
            let rest: Tokens<'t> =
                rest.iter().copied().filter(|token| token.rule != Rule::location).collect();
            let row = assembly::find(name.text.text)?;
            return Some(Reading::Custom { row, clauses: Box::new(self.collect(&rest)?) });
        }
        let of = |rules: &[Rule]| -> Vec<Text<'t>> {
            rest.iter().filter(|token| rules.contains(&token.rule)).map(|token| token.text).collect()
        };
        Some(Reading::Generic {
            operands: of(&[Rule::value]),
            dictionaries: of(&[Rule::properties, Rule::braces]),
            signature: of(&[Rule::signature]).pop(),
        })
    }

    fn sides<'t>(&mut self, signature: Text<'t>) -> Option<Sides<'t>> {
        let mut sides = Sides { inputs: Vec::new(), outputs: None };
        for pair in self.run(Rule::signature_entry, signature)? {
            match pair.as_rule() {
                Rule::ty => {
                    sides.outputs.as_mut().unwrap_or(&mut sides.inputs).push(signature.of(&pair));
                }
                Rule::arrow => sides.outputs = Some(Vec::new()),
                _ => {}
            }
        }
        Some(sides)
    }

    fn type_place<'t>(&mut self, reading: &Reading<'t>, part: &Part) -> Option<Text<'t>> {
        let (signature, row) = match reading {
            Reading::Generic { signature, .. } => (*signature, None),
            Reading::Custom { row, clauses } => (clauses.signature, Some(row)),
        };
        let Sides { inputs, outputs } = self.sides(signature?)?;
        let mut all = inputs.iter().chain(outputs.iter().flatten());
        match (part, row) {
            (Part::Elements(element), _) => all.find(|ty| has_elements(ty.text, element)).copied(),
            (Part::UnknownSize, _) => all.find(|ty| ty.text.contains('?')).copied(),
            (Part::OperandType(index), None) => inputs.get(*index).copied(),
            (Part::ResultType(index), None) => outputs?.get(*index).copied(),
            (Part::OperandType(index), Some(_)) if outputs.is_some() => inputs.get(*index).copied(),
            (Part::OperandType(index), Some(row)) => stated(row.types, &inputs, *index, true),
            (Part::ResultType(index), Some(row)) => match outputs {
                Some(outputs) => outputs.get(*index).copied(),
                None => stated(row.types, &inputs, *index, false),
            },
            _ => None,
        }
    }

    fn attribute_place<'t>(
        &mut self,
        reading: &Reading<'t>,
        name: &str,
        field: Option<&str>,
        item: Option<usize>,
    ) -> Option<Text<'t>> {
        let value = match reading {
            Reading::Generic { dictionaries, .. } => {
                let mut found = None;
                for &dictionary in dictionaries {
                    found = found.or_else(|| self.entry(dictionary, name));
                }
                self.narrowed_to_field(found?, field)
            }
            Reading::Custom { row, clauses } => match self.clause_of(row, clauses, name, field, item) {
                Some(place) => place,
                None => {
                    let value = self.entry(clauses.dictionary?, name)?;
                    self.narrowed_to_field(value, field)
                }
            },
        };
        Some(item.and_then(|item| list_item(value, item)).unwrap_or(value))
    }

    /// The value of an entry of a dictionary, or of one in it.
    fn entry<'t>(&mut self, dictionary: Text<'t>, name: &str) -> Option<Text<'t>> {
        let rule =
            if dictionary.text.starts_with('<') { Rule::properties_entry } else { Rule::attribute_entry };
        let pairs = self.run(rule, dictionary)?;
        pairs.into_iter().find_map(|pair| value_of(dictionary, pair, name))
    }

    fn narrowed_to_field<'t>(&mut self, value: Text<'t>, field: Option<&str>) -> Text<'t> {
        let Some(field) = field else { return value };
        if !value.text.starts_with('#') {
            return value;
        }
        let structure = self.run(Rule::attribute_entry, value).and_then(|mut pairs| pairs.next());
        structure.and_then(|pair| value_of(value, pair, field)).unwrap_or(value)
    }

    /// The clause of a custom form that an attribute is written as.
    fn clause_of<'t>(
        &mut self,
        row: &AssemblyFormat,
        clauses: &Clauses<'t>,
        name: &str,
        field: Option<&str>,
        item: Option<usize>,
    ) -> Option<Text<'t>> {
        let named =
            |key: &str| clauses.named.iter().find(|(name, _)| name.text == key).map(|(_, text)| *text);
        match (row.form, name) {
            (CustomForm::Constant, "value") => return clauses.words.last().copied(),
            (CustomForm::Call, "callee") | (CustomForm::CustomCall, "call_target_name") => {
                return clauses.symbol;
            }
            (CustomForm::Composite, "name") => return clauses.string,
            (CustomForm::GetTupleElement, "index") => return clauses.brackets,
            (CustomForm::Slice, "start_indices" | "limit_indices" | "strides") => {
                let brackets = clauses.brackets?;
                let range = item.and_then(|item| self.range_part(brackets, item, name));
                return Some(range.unwrap_or(brackets));
            }
            (CustomForm::Reduce | CustomForm::Scan, _) if named(name).is_some() => return named(name),
            (CustomForm::ReducePrecision, "exponent_bits" | "mantissa_bits") => return named("format"),
            (CustomForm::DotGeneral, "precision_config") => return named("precision"),
            (CustomForm::DotGeneral, "algorithm") => return named("algorithm"),
            (CustomForm::DotGeneral, "dot_dimension_numbers") => {
                let field = field.unwrap_or("lhs_contracting_dimensions");
                let kind = if field.contains("batching") { "batching_dims" } else { "contracting_dims" };
                return named(kind).map(|lists| side_of(lists, field.starts_with("lhs")));
            }
            (CustomForm::Convolution, "dimension_numbers") => return named("dim_numbers"),
            (CustomForm::Convolution, _) => {
                if let Some(key) = window_key(name) {
                    return named("window").map(|window| self.window_field(window, key));
                }
            }
            _ => {}
        }
        if let Some((key, ..)) = row.named.iter().find(|(_, attribute, _)| *attribute == name) {
            return named(key);
        }
        let word = row.words.iter().position(|(attribute, _)| *attribute == name)?;
        clauses.words.get(word).copied()
    }

    /// The start, limit or stride of one of the ranges `[0:4, 1:9:2]`.
    fn range_part<'t>(&mut self, brackets: Text<'t>, item: usize, name: &str) -> Option<Text<'t>> {
        let mut ranges = self.run(Rule::ranges_entry, brackets)?.filter(|pair| pair.as_rule() == Rule::range);
        let range = ranges.nth(item)?;
        let whole = brackets.of(&range);
        let part = ["start_indices", "limit_indices", "strides"].iter().position(|part| *part == name)?;
        Some(range.into_inner().nth(part).map_or(whole, |number| brackets.of(&number)))
    }

    fn window_field<'t>(&mut self, window: Text<'t>, key: &str) -> Text<'t> {
        let fields = self.run(Rule::window_entry, window).into_iter().flatten();
        fields
            .filter(|pair| pair.as_rule() == Rule::field)
            .find_map(|field| {
                let mut inner = field.into_inner();
                inner.next().filter(|name| name.as_str() == key)?;
                inner.next().map(|value| window.of(&value))
            })
            .unwrap_or(window)
    }
}

impl<'t> Reading<'t> {
    fn operand(&self, index: usize) -> Option<Text<'t>> {
        match self {
            Reading::Generic { operands, .. } => operands.get(index).copied(),
            Reading::Custom { clauses, .. } => {
                let bound = clauses.bound.iter().map(|(_, value)| value);
                clauses.values.iter().chain(bound).chain(&clauses.inits).nth(index).copied()
            }
        }
    }
}

/// The type, of those without an arrow, that is an operand's or a result's.
fn stated<'t>(types: TypeSuffix, written: &[Text<'t>], index: usize, of_operand: bool) -> Option<Text<'t>> {
    let position = match types {
        TypeSuffix::Same | TypeSuffix::Complex => 0,
        TypeSuffix::Each => index,
        TypeSuffix::Operands if of_operand => index,
        TypeSuffix::Result if !of_operand => 0,
        TypeSuffix::Select => usize::from(!of_operand || index > 0),
        TypeSuffix::Arrow | TypeSuffix::Operands | TypeSuffix::Result => return None,
    };
    written.get(position).copied()
}

/// Whether a tensor type's text names these elements.
fn has_elements(ty: &str, element: &str) -> bool {
    ty.match_indices(element).any(|(at, _)| {
        let before = ty[..at].trim_end().bytes().last();
        let after = ty[at + element.len()..].trim_start().bytes().next();
        matches!(before, Some(b'x' | b'<')) && matches!(after, Some(b'>' | b','))
    })
}

/// The value of that name within a dictionary or a struct attribute. The scan bounds how deep they nest.
fn value_of<'t>(text: Text<'t>, pair: Pair<'_, Rule>, name: &str) -> Option<Text<'t>> {
    if !matches!(pair.as_rule(), Rule::dictionary | Rule::structure) {
        return None;
    }
    let mut within = Vec::new();
    for entry in pair.into_inner().filter(|pair| matches!(pair.as_rule(), Rule::entry | Rule::field)) {
        let mut inner = entry.into_inner();
        let (Some(key), value) = (inner.next(), inner.next()) else { continue };
        if key.as_str().trim_matches('"') == name {
            return Some(text.of(value.as_ref().unwrap_or(&key)));
        }
        within.extend(value);
    }
    within.into_iter().find_map(|value| value_of(text, value, name))
}

/// An element of `[0, 1]`, `array<i64: 0, 1>` or `dense<[0, 1]>`; `None` for a list of lists.
fn list_item(list: Text<'_>, item: usize) -> Option<Text<'_>> {
    let text = list.text;
    let (start, end) = if text.starts_with('[') {
        (1, text.len() - 1)
    } else if text.starts_with("array<") {
        (text.find(':')? + 1, text.len() - 1)
    } else {
        (text.find("dense<[")? + 7, text.find("]>")?)
    };
    let inner = text.get(start..end).filter(|inner| !inner.contains(['[', '(']))?;
    let part = inner.split(',').nth(item)?;
    let before: usize = inner.split(',').take(item).map(|part| part.len() + 1).sum();
    let lead = part.len() - part.trim_start().len();
    let at = start + before + lead;
    Some(list.part(at..at + part.trim().len()))
}

/// One of the lists of `[1] x [0]`.
fn side_of(lists: Text<'_>, left: bool) -> Text<'_> {
    let Some(at) = lists.text.find('x') else { return lists };
    if left {
        return lists.part(0..lists.text[..at].trim_end().len());
    }
    let right = lists.text[at + 1..].trim_start();
    lists.part(lists.text.len() - right.len()..lists.text.len())
}

/// What a convolution's window calls an attribute.
fn window_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "window_strides" => "stride",
        "padding" => "pad",
        "lhs_dilation" => "lhs_dilate",
        "rhs_dilation" => "rhs_dilate",
        "window_reversal" => "reverse",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a part of the op that has `name` in it.
    fn shown(text: &str, name: &str, part: Part) -> Option<String> {
        let source = Source::from_bytes("test.mlir", text.as_bytes().to_vec());
        let at = text.find(name)?;
        let place = locate(&source, Span::new(at, at + name.len()), &part)?;
        Some(text[place.range()].to_owned())
    }

    fn check(text: &str, name: &str, parts: &[(Part, &str)]) {
        for (part, expected) in parts {
            assert_eq!(shown(text, name, part.clone()).as_deref(), Some(*expected), "{part:?} of {text}");
        }
    }

    #[test]
    fn generic_form() {
        let text = "%0 = \"stablehlo.pad\"(%a, %b) <{high = array<i64: 1, -22>, low = #x.y<p = [3, 4]>}> {mhlo.config = {lo = 7}} : (tensor<2x?xf32>, tensor<f32>) -> tensor<complex<f32>>";
        check(
            text,
            "stablehlo.pad",
            &[
                (Part::Operand(1), "%b"),
                (Part::OperandType(0), "tensor<2x?xf32>"),
                (Part::ResultType(0), "tensor<complex<f32>>"),
                (Part::Elements("complex<f32>".into()), "tensor<complex<f32>>"),
                (Part::UnknownSize, "tensor<2x?xf32>"),
                (Part::attribute("high"), "array<i64: 1, -22>"),
                (Part::attribute("high").item(1), "-22"),
                (Part::attribute("low").field("p"), "[3, 4]"),
                (Part::attribute("low").field("p").item(1), "4"),
                (Part::attribute("lo"), "7"),
            ],
        );
        assert_eq!(shown(text, "stablehlo.pad", Part::Operand(2)), None);
        assert_eq!(shown(text, "stablehlo.pad", Part::attribute("interior")), None);
    }

    #[test]
    fn custom_forms() {
        check(
            "%0 = stablehlo.transpose %x, dims = [0, 2] {a = 1} : (tensor<2x3xf32>) -> tensor<3x2xf32> loc(#l)",
            "stablehlo.transpose",
            &[
                (Part::attribute("permutation"), "[0, 2]"),
                (Part::attribute("permutation").item(1), "2"),
                (Part::attribute("a"), "1"),
                (Part::ResultType(0), "tensor<3x2xf32>"),
            ],
        );
        check(
            "%0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [1], contracting_dims = [2, 3] x [4, 5] : (tensor<1xf32>, tensor<2xf32>) -> tensor<f32>",
            "stablehlo.dot_general",
            &[
                (Part::attribute("dot_dimension_numbers").field("rhs_batching_dimensions"), "[1]"),
                (Part::attribute("dot_dimension_numbers").field("lhs_contracting_dimensions").item(1), "3"),
                (Part::OperandType(1), "tensor<2xf32>"),
            ],
        );
        check(
            "%0 = stablehlo.slice %a [0:4, 1:9:2] : (tensor<9x9xf32>) -> tensor<4x4xf32>",
            "stablehlo.slice",
            &[
                (Part::attribute("limit_indices").item(1), "9"),
                (Part::attribute("strides").item(1), "2"),
                (Part::attribute("strides").item(0), "0:4"),
            ],
        );
        check(
            "%0 = stablehlo.select %p, %a, %b : tensor<4xi1>, tensor<4xf32>",
            "stablehlo.select",
            &[(Part::OperandType(0), "tensor<4xi1>"), (Part::OperandType(2), "tensor<4xf32>")],
        );
        check(
            "%0 = stablehlo.compare  LT, %a, %b,  FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>",
            "stablehlo.compare",
            &[(Part::attribute("comparison_direction"), "LT"), (Part::attribute("compare_type"), "FLOAT")],
        );
        check(
            "%0 = stablehlo.convolution(%a, %b) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {stride = [2], pad = [[0, 1]]} {feature_group_count = 1 : i64} : (tensor<1xf32>, tensor<2xf32>) -> tensor<f32>",
            "stablehlo.convolution",
            &[
                (Part::attribute("window_strides"), "[2]"),
                (Part::attribute("window_strides").item(0), "2"),
                (Part::attribute("padding").item(0), "[[0, 1]]"),
                (Part::attribute("feature_group_count"), "1 : i64"),
                (Part::Operand(1), "%b"),
            ],
        );
        check(
            "%0 = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0, 3] : (tensor<1x2xf32>, tensor<f32>) -> tensor<f32>",
            "stablehlo.reduce",
            &[(Part::Operand(1), "%c"), (Part::attribute("dimensions").item(1), "3")],
        );
    }

    #[test]
    fn op_within_a_region() {
        let text = "func.func @f(%x: tensor<4xi2>) {\n  %0 = stablehlo.while(%i = %x) : tensor<4xi2>\n  cond {\n    %1 = stablehlo.abs %i : tensor<4xi2>\n  } do {\n    stablehlo.return %i : tensor<4xi2>\n  }\n}";
        check(text, "stablehlo.abs", &[(Part::Operand(0), "%i"), (Part::OperandType(0), "tensor<4xi2>")]);
        check(text, "stablehlo.while", &[(Part::Operand(0), "%x"), (Part::ResultType(0), "tensor<4xi2>")]);
        check(text, "%x", &[(Part::Elements("i2".into()), "tensor<4xi2>")]);
    }
}
