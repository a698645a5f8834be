//! Custom forms that the table cannot describe.

use super::Parser;
use super::clauses::ClauseKind;
use super::forms::Clauses;
use super::statement::{Body, Parts, region_of};
use super::text::{Rule, Text};
use crate::ir::{Attribute, Attributes, Element, SCALAR, Type, stablehlo};
use crate::source::Span;

impl<'s> Parser<'s> {
    pub(super) fn constant(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        if let Some(alias) = clauses.alias.take() {
            let value = self.attribute_alias(alias)?;
            let Attribute::Dense(constant) = value else {
                self.expected("the alias of a literal such as `dense<0>`", alias);
                return None;
            };
            if parts.result_types.is_empty() {
                parts.result_types.push(self.module.constant(constant).ty);
            }
            self.set(&mut parts.attributes, "value", value);
            return Some(());
        }
        let literal = self.need(clauses.words.pop(), "a literal such as `dense<0>`", name)?;
        let &[ty] = parts.result_types.as_slice() else {
            self.lacks("one type", name.span());
            return None;
        };
        if let Type::Scalar(element) = *self.module.types.get(ty) {
            let value = match literal.text {
                "true" | "false" => Attribute::Bool(literal.text == "true"),
                _ if element.is_float() => Attribute::Float(self.float_value(literal, element)?, ty),
                _ => Attribute::Integer(self.integer(literal, element)?, ty),
            };
            self.set(&mut parts.attributes, "value", value);
            return Some(());
        }
        let value = if let Some(key) = literal.text.strip_prefix("dense_resource<") {
            let start = literal.text.len() - key.len();
            self.resource_of(literal.part(start..literal.text.len() - 1), ty, Span::NONE)?
        } else {
            let body = self.run(Rule::dense_entry, literal)?.find(|pair| pair.as_rule() != Rule::EOI);
            self.dense_of(literal, body, ty, Span::NONE)?
        };
        self.set(&mut parts.attributes, "value", value);
        Some(())
    }

    pub(super) fn dot_general(&mut self, clauses: &mut Clauses<'_>, parts: &mut Parts<'s>) -> Option<()> {
        let mut fields = Attributes::new();
        for kind in ["batching", "contracting"] {
            let Some(lists) = Self::take(clauses, &format!("{kind}_dims")) else { continue };
            let (left, right) = self.both_sides(lists)?;
            for (side, list) in [("lhs", left), ("rhs", right)] {
                if !matches!(&list, Attribute::Integers(_, values) if values.is_empty()) {
                    self.set(&mut fields, &format!("{side}_{kind}_dimensions"), list);
                }
            }
        }
        let name = stablehlo::DOT.symbol();
        self.set(&mut parts.attributes, "dot_dimension_numbers", Attribute::Struct(name, fields));
        if let Some(precision) = Self::take(clauses, "precision") {
            let precision = self.clause(ClauseKind::Words("precision"), precision)?;
            self.set(&mut parts.attributes, "precision_config", precision);
        }
        if let Some(algorithm) = Self::take(clauses, "algorithm") {
            let fields = self.fields(Rule::fields_entry, algorithm)?;
            let name = self.module.symbols.intern("stablehlo.dot_algorithm");
            self.set(&mut parts.attributes, "algorithm", Attribute::Struct(name, fields));
        }
        Some(())
    }

    pub(super) fn convolution(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let dimensions = Self::take(clauses, "dim_numbers");
        let dimensions = self.need(dimensions, "`dim_numbers =`", name)?;
        let dimensions = self.convolution_dimensions(dimensions)?;
        self.set(&mut parts.attributes, "dimension_numbers", dimensions);
        let Some(window) = Self::take(clauses, "window") else { return Some(()) };
        for (key, value) in self.fields(Rule::window_entry, window)? {
            let key = self.module.symbols.get(key).to_owned();
            let (attribute, value) = match key.as_str() {
                "stride" => ("window_strides", value),
                "pad" => ("padding", self.integer_matrix(value, window)?),
                "lhs_dilate" => ("lhs_dilation", value),
                "rhs_dilate" => ("rhs_dilation", value),
                "reverse" => ("window_reversal", booleans_of(value)),
                _ => {
                    self.expected("`stride`, `pad`, `lhs_dilate`, `rhs_dilate` or `reverse`", window);
                    return None;
                }
            };
            if matches!(value, Attribute::Array(_)) {
                self.expected("a list of numbers for each field", window);
                return None;
            }
            self.set(&mut parts.attributes, attribute, value);
        }
        Some(())
    }

    pub(super) fn reduce_precision(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let format = Self::take(clauses, "format");
        let format = self.need(format, "`format =`", name)?;
        let bits = format.text.strip_prefix('e').and_then(|rest| rest.split_once('m'));
        let bits =
            bits.and_then(|(exponent, mantissa)| Some((exponent.parse().ok()?, mantissa.parse().ok()?)));
        let Some((exponent, mantissa)) = bits else {
            self.expected("a format such as `e8m23`", format);
            return None;
        };
        let ty = self.scalar_type(Element::I32);
        self.set(&mut parts.attributes, "exponent_bits", Attribute::Integer(exponent, ty));
        self.set(&mut parts.attributes, "mantissa_bits", Attribute::Integer(mantissa, ty));
        Some(())
    }

    pub(super) fn reduce(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let dimensions = Self::take(clauses, "dimensions");
        let dimensions = self.need(dimensions, "`across dimensions =`", name)?;
        let dimensions = self.clause(ClauseKind::Integers, dimensions)?;
        self.set(&mut parts.attributes, "dimensions", dimensions);
        let words = std::mem::take(&mut clauses.words);
        let applies = words.iter().position(|word| word.text == "applies");
        if let Some(applies) = applies {
            let op = words.get(applies + 1).copied();
            let op = self.need(op, "an op to apply", name)?;
            let applied = self.mnemonic(op)?.op;
            let Some(element) = parts.operand_types.first().and_then(|&ty| self.module.tensor_type(ty))
            else {
                self.lacks("a tensor to reduce", name.span());
                return None;
            };
            let element = element.element;
            let scalar = self.module.tensor_of(element, SCALAR);
            let argument = ("", op.span(), scalar);
            let arguments = vec![argument, argument];
            parts.regions.push(Body { region: None, arguments, applies: Some(applied) });
            return Some(());
        }
        self.exactly(clauses, 1, name)?;
        // The text pairs the two arguments of each operand; the block has the first of all, then the second.
        let mut arguments = Vec::new();
        for side in 0..2 {
            for pair in clauses.parameters.chunks(2) {
                let Some(&(_, argument, ty)) = pair.get(side) else {
                    self.expected("two arguments for each operand", pair[0].1);
                    return None;
                };
                let span = argument.span();
                arguments.push((self.source_text(span), span, self.ty(ty)?));
            }
        }
        clauses.parameters.clear();
        let region = clauses.regions.pop().and_then(region_of);
        parts.regions.push(Body { region, arguments, applies: None });
        Some(())
    }

    pub(super) fn scan(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
        inits: usize,
    ) -> Option<()> {
        self.exactly(clauses, 1, name)?;
        let (operands, results) = (parts.operands.len(), parts.result_types.len());
        let Some(outputs) = results.checked_sub(inits) else {
            self.lacks("a result for each initial value", name.span());
            return None;
        };
        clauses.words.retain(|word| word.text != "attributes");
        for (key, value) in std::mem::take(&mut clauses.named) {
            let kind = if key.text == "dimension" { ClauseKind::Integer } else { ClauseKind::Plain };
            let value = self.clause(kind, value)?;
            self.set(&mut parts.attributes, key.text, value);
        }
        for (name, sizes) in
            [("operandSegmentSizes", [operands - inits, inits]), ("resultSegmentSizes", [outputs, inits])]
        {
            let sizes = sizes.map(|size| size as i64);
            self.set(&mut parts.attributes, name, Attribute::Integers(Element::I32, sizes.into()));
        }
        parts.regions.extend(clauses.regions.pop().map(|braces| Body::plain(region_of(braces))));
        Some(())
    }
}

/// A list of booleans as an `array<i1>`; older texts write them as numbers.
fn booleans_of(attribute: Attribute) -> Attribute {
    let values: Option<Vec<i64>> = match &attribute {
        Attribute::Array(items) => items.iter().map(Attribute::as_integer).collect(),
        Attribute::Integers(_, values) => Some(values.to_vec()),
        _ => None,
    };
    match values {
        Some(values) => Attribute::Integers(Element::Bool, values.into()),
        None => attribute,
    }
}
