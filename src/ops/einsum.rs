//! Expands `einsum` and `unary_einsum` into sums, one `dot_general` and a transpose.

use super::{DotDimensionNumbers, Elements, Expand, Expanded, LowerError, OpAttributes, Violation};
use crate::ir::{Attribute, Dim, ValueId, stablehlo};
use crate::ops::row::{Row, expanded};
use crate::ops::type_inference::{Inferred, Typing, dim_fits, one, rule, tensor};

const NUMBERS: Elements = Elements::PLAIN.or(Elements::COMPLEX);

pub(super) const ROWS: &[Row] = &[
    expanded(stablehlo::EINSUM, NUMBERS, einsum).typed(rule(2, infer)).note("`reduce` and `dot_general`"),
    expanded(stablehlo::UNARY_EINSUM, NUMBERS, unary_einsum)
        .typed(rule(1, infer))
        .note("`reduce` and `transpose`"),
];

/// The labels of each operand's dimensions, and those of the result's, as in `ab,bc->ac`.
struct Equation {
    operands: Vec<Vec<char>>,
    result: Vec<char>,
}

impl Equation {
    const NAME: &str = "einsum_config";

    fn read(attributes: OpAttributes, operands: usize) -> Result<Self, Violation> {
        let why = |why: &str| Violation::attribute(Self::NAME, why);
        let text = attributes.get(Self::NAME)?.as_str().ok_or_else(|| why("expected a string"))?;
        let text: String = text.split_whitespace().collect();
        let (inputs, output) = text.split_once("->").ok_or_else(|| why("expected `->`"))?;
        let equation = Self {
            operands: inputs.split(',').map(|labels| labels.chars().collect()).collect(),
            result: output.chars().collect(),
        };
        if equation.operands.len() != operands {
            return Err(why(&format!("expected the labels of {operands} operands before `->`")));
        }
        for labels in equation.operands.iter().chain([&equation.result]) {
            if labels.contains(&'.') {
                return Err(why("an ellipsis is not supported: label each dimension"));
            }
            if let Some(label) = labels.iter().find(|label| !label.is_ascii_alphabetic()) {
                return Err(why(&format!("`{label}` is not a letter")));
            }
            let mut seen = labels.iter().enumerate();
            if let Some((_, label)) = seen.find(|&(index, label)| labels[..index].contains(label)) {
                return Err(why(&format!(
                    "`{label}` labels two dimensions of one tensor, which is not supported"
                )));
            }
        }
        match equation.result.iter().find(|label| !equation.operands.concat().contains(label)) {
            Some(label) => Err(why(&format!("`{label}` of the result labels no dimension of the operands"))),
            None => Ok(equation),
        }
    }
}

fn infer(t: &Typing) -> Inferred {
    let equation = Equation::read(t.attributes(), t.operand_count())?;
    let mut sizes: Vec<(char, Dim, usize)> = Vec::new();
    for (index, labels) in equation.operands.iter().enumerate() {
        let operand = t.operand(index)?;
        if operand.rank() != labels.len() {
            return Err(t.one_each(Equation::NAME, labels.len(), index, operand.rank()));
        }
        for (&label, &dim) in labels.iter().zip(&operand.dims) {
            match sizes.iter().find(|(known, ..)| *known == label) {
                Some(&(_, size, first)) if !dim_fits(size, dim) => {
                    let (size, dim) = (t.spell(size), t.spell(dim));
                    return Err(t.disagreeing(
                        first,
                        index,
                        format!("`{label}` has the sizes {size} and {dim}"),
                    ));
                }
                Some(_) => {}
                None => sizes.push((label, dim, index)),
            }
        }
    }
    let size =
        |label: &char| sizes.iter().find(|(known, ..)| known == label).map_or(Dim::Dynamic, |found| found.1);
    one(tensor(t.result(0)?.element, equation.result.iter().map(size)))
}

/// A value with one label per dimension.
struct Labeled {
    value: ValueId,
    labels: Vec<char>,
}

impl Labeled {
    /// Sums along the labels that are not kept.
    fn summed(self, cx: &mut Expand, keep: impl Fn(char) -> bool) -> Result<Self, LowerError> {
        let axes: Vec<usize> = (0..self.labels.len()).filter(|&axis| !keep(self.labels[axis])).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let value = cx.sum(self.value, &axes)?;
        Ok(Self { value, labels: self.labels.into_iter().filter(|&label| keep(label)).collect() })
    }

    fn axis(&self, label: char) -> Option<usize> {
        self.labels.iter().position(|&own| own == label)
    }

    /// The dimensions in the order of the result.
    fn ordered(self, cx: &mut Expand, result: &[char]) -> Expanded {
        let order = result.iter().filter_map(|&label| self.axis(label));
        cx.becomes(stablehlo::TRANSPOSE, &[self.value], [("permutation", Attribute::positions(order))])
    }
}

fn unary_einsum(cx: &mut Expand) -> Expanded {
    let Equation { operands, result } = Equation::read(cx.attributes(), 1)?;
    let operand = Labeled { value: cx.operand(0)?, labels: operands.concat() };
    operand.summed(cx, |label| result.contains(&label))?.ordered(cx, &result)
}

fn einsum(cx: &mut Expand) -> Expanded {
    let Equation { operands, result } = Equation::read(cx.attributes(), 2)?;
    let lhs = Labeled { value: cx.operand(0)?, labels: operands[0].clone() };
    let rhs = Labeled { value: cx.operand(1)?, labels: operands[1].clone() };
    let lhs = lhs.summed(cx, |label| result.contains(&label) || operands[1].contains(&label))?;
    let rhs = rhs.summed(cx, |label| result.contains(&label) || operands[0].contains(&label))?;
    let shared = |batching: bool| -> Vec<(usize, usize)> {
        let labels = lhs.labels.iter().filter(|&label| result.contains(label) == batching);
        labels.filter_map(|&label| Some((lhs.axis(label)?, rhs.axis(label)?))).collect()
    };
    let numbers = DotDimensionNumbers { batching: shared(true), contracting: shared(false) };
    let free = |of: &Labeled, other: &Labeled| -> Vec<char> {
        of.labels.iter().copied().filter(|&label| other.axis(label).is_none()).collect()
    };
    let batch: Vec<char> = numbers.batching.iter().map(|pair| lhs.labels[pair.0]).collect();
    let labels = [batch, free(&lhs, &rhs), free(&rhs, &lhs)].concat();
    let ty = cx.result_type()?;
    let places = labels.iter().filter_map(|label| result.iter().position(|own| own == label));
    let dims: Vec<Dim> = places.map(|axis| ty.dims[axis]).collect();
    let ty = cx.rewriter.module.tensor_of(ty.element, &dims);
    let mut attributes = vec![numbers.attribute(cx.rewriter.module)];
    let precision = cx.attributes().find("precision_config").cloned();
    attributes.extend(precision.map(|precision| ("precision_config", precision)));
    let value = cx.create(stablehlo::DOT_GENERAL, &[lhs.value, rhs.value]).attrs(attributes).of(ty);
    Labeled { value, labels }.ordered(cx, &result)
}
