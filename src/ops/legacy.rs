//! Expands StableHLO's legacy ops, and MHLO ops that StableHLO lacks, into current ones.

use super::{Elements, Expand, Expanded, LowerError};
use crate::ir::{Attribute, Dim, Element, ValueId, chlo, mhlo, stablehlo};
use crate::ops::row::{Row, expanded};
use crate::ops::type_inference::{
    AtLeast, Exactly, STATED, UNARY, broadcasting, control, movement, rule, variadic,
};
use crate::ops::{DotDimensionNumbers, GatherDimensionNumbers};

const NUMBERS: Elements = Elements::PLAIN.or(Elements::COMPLEX);

pub(super) const ROWS: &[Row] = &[
    expanded(chlo::BROADCAST_COMPLEX, Elements::FLOAT, broadcast_complex).typed(broadcasting(2)),
    expanded(chlo::CONJ, Elements::PLAIN, conj).typed(UNARY).note("of real numbers: the operand"),
    expanded(mhlo::ADD_DEPENDENCY, Elements::ANY, operands)
        .typed(variadic(1, Exactly(1), control::nothing))
        .note("ONNX orders nodes by data flow"),
    expanded(mhlo::COPY, Elements::ANY, operands).typed(rule(1, control::nothing)),
    expanded(stablehlo::BROADCAST, Elements::ANY, broadcast)
        .typed(rule(1, movement::broadcast))
        .note("`broadcast_in_dim`"),
    expanded(stablehlo::EINSUM, NUMBERS, einsum).typed(rule(2, STATED)).note("`reduce` and `dot_general`"),
    expanded(stablehlo::TORCH_INDEX_SELECT, NUMBERS, torch_index_select)
        .typed(rule(2, STATED))
        .note("`gather`"),
    expanded(stablehlo::TRACE, Elements::ANY, operands)
        .typed(variadic(0, AtLeast(0), control::nothing))
        .note("an op that only logs at run time"),
    expanded(stablehlo::UNARY_EINSUM, NUMBERS, unary_einsum)
        .typed(rule(1, STATED))
        .note("`reduce` and `transpose`"),
];

fn operands(cx: &mut Expand) -> Expanded {
    cx.operands_as_results()
}

fn conj(cx: &mut Expand) -> Expanded {
    if cx.operand_type(0)?.element.is_complex() { Ok(None) } else { cx.operands_as_results() }
}

/// The operands, each broadcast to the sizes of the result, as in `chlo.broadcast_add`.
fn broadcast_complex(cx: &mut Expand) -> Expanded {
    let result = cx.result_type()?;
    let mut parts = Vec::new();
    for index in 0..2 {
        let operand = cx.operand_type(index)?;
        if operand.dims == result.dims {
            parts.push(cx.operand(index)?);
            continue;
        }
        if !result.is_static() || operand.rank() > result.rank() {
            return Err(cx.dynamic());
        }
        let leading = result.rank() - operand.rank();
        let dims = match cx.module().attribute(cx.op, "broadcast_dimensions") {
            Some(_) if leading > 0 => cx.attributes().integers("broadcast_dimensions")?,
            _ => (leading..result.rank()).map(|axis| axis as i64).collect(),
        };
        let ty = cx.rewriter.module.tensor_of(operand.element, &result.dims);
        let dims = Attribute::Integers(Element::I64, dims.into());
        let operand = cx.operand(index)?;
        parts.push(
            cx.create(stablehlo::BROADCAST_IN_DIM, &[operand]).attr("broadcast_dimensions", dims).of(ty),
        );
    }
    cx.becomes(stablehlo::COMPLEX, &parts, [])
}

/// Prepends dimensions to the operand.
fn broadcast(cx: &mut Expand) -> Expanded {
    let (operand, result) = (cx.operand_type(0)?, cx.result_type()?);
    if !result.is_static() {
        return Err(cx.dynamic());
    }
    let dims = Attribute::positions(result.rank() - operand.rank()..result.rank());
    let operand = cx.operand(0)?;
    cx.becomes(stablehlo::BROADCAST_IN_DIM, &[operand], [("broadcast_dimensions", dims)])
}

/// The rows of an operand along `dim` that a tensor of indices selects, separately for each of the leading
/// `batch_dims`.
fn torch_index_select(cx: &mut Expand) -> Expanded {
    let number = |name: &'static str| {
        let value = cx.attributes().integer(name)?;
        usize::try_from(value).map_err(|_| LowerError::attribute(name, "expected a dimension"))
    };
    let (dim, batch) = (number("dim")?, number("batch_dims")?);
    let (operand, index) = (cx.operand_type(0)?, cx.operand_type(1)?);
    let result = cx.result_type()?;
    if dim >= operand.rank() || batch > dim || batch > index.rank() {
        return Err(LowerError::form("`dim` and `batch_dims` do not match its operands"));
    }
    let expected = [&operand.dims[..dim], &index.dims[batch..], &operand.dims[dim + 1..]].concat();
    if !super::type_inference::dims_fit(&expected, &result.dims)
        || operand.dims[..batch] != index.dims[..batch]
    {
        return Err(LowerError::form("its result type does not match its operands"));
    }
    let Some(mut sizes) = operand.sizes() else { return Err(cx.dynamic()) };
    sizes[..batch].fill(1);
    sizes[dim] = 1;
    let names = index.rank() - batch;
    let numbers = GatherDimensionNumbers {
        offset_dims: (batch..dim).chain(dim + names..result.rank()).collect(),
        collapsed_slice_dims: vec![dim],
        operand_batching_dims: (0..batch).collect(),
        start_indices_batching_dims: (0..batch).collect(),
        start_index_map: vec![dim],
        index_vector_dim: index.rank(),
    };
    let numbers = numbers.attribute(cx.rewriter.module, stablehlo::GATHER);
    let (operand, index) = (cx.operand(0)?, cx.operand(1)?);
    let sizes = Attribute::Integers(Element::I64, sizes.into());
    cx.becomes(stablehlo::GATHER, &[operand, index], [numbers, ("slice_sizes", sizes)])
}

/// A value with one label per dimension.
struct Labeled {
    value: ValueId,
    labels: Vec<char>,
}

/// The operands with their labels, and the result's labels, from `einsum_config`.
fn labeled(cx: &Expand, count: usize) -> Result<(Vec<Labeled>, Vec<char>), LowerError> {
    const NAME: &str = "einsum_config";
    let config = cx.attributes().get(NAME)?;
    let config: String = config.as_str().unwrap_or_default().split_whitespace().collect();
    let why = |why: &str| LowerError::attribute(NAME, why);
    let (inputs, output) = config.split_once("->").ok_or_else(|| why("expected `->`"))?;
    let inputs: Vec<Vec<char>> = inputs.split(',').map(|labels| labels.chars().collect()).collect();
    let output: Vec<char> = output.chars().collect();
    let is_plain = |labels: &[char]| {
        let distinct = labels.iter().enumerate().all(|(index, label)| !labels[..index].contains(label));
        distinct && labels.iter().all(|label| label.is_ascii_alphabetic())
    };
    if inputs.len() != count || !output.iter().all(|label| inputs.iter().any(|input| input.contains(label))) {
        return Err(why("it does not match the operands"));
    }
    if !inputs.iter().chain([&output]).all(|labels| is_plain(labels)) {
        return Err(LowerError::form("an ellipsis, or a repeated label in one operand"));
    }
    let mut operands = Vec::new();
    let mut sizes: Vec<(char, Dim)> = Vec::new();
    for (index, labels) in inputs.into_iter().enumerate() {
        let dims = cx.operand_type(index)?.dims;
        if dims.len() != labels.len() {
            return Err(why("it does not match the operands"));
        }
        for (&label, &dim) in labels.iter().zip(&dims) {
            match sizes.iter().find(|(other, _)| *other == label) {
                Some(&(_, other)) if !super::type_inference::dims_fit(&[other], &[dim]) => {
                    return Err(why("one label has two sizes"));
                }
                Some(_) => {}
                None => sizes.push((label, dim)),
            }
        }
        operands.push(Labeled { value: cx.operand(index)?, labels });
    }
    let size =
        |label: &char| sizes.iter().find(|(other, _)| other == label).map_or(Dim::Dynamic, |&(_, dim)| dim);
    let expected: Vec<Dim> = output.iter().map(size).collect();
    if !super::type_inference::dims_fit(&expected, &cx.result_type()?.dims) {
        return Err(why("the result type does not match it"));
    }
    Ok((operands, output))
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

    /// The dimensions in the order of the result.
    fn ordered(self, cx: &mut Expand, output: &[char]) -> Expanded {
        let order = output.iter().filter_map(|label| self.labels.iter().position(|other| other == label));
        cx.becomes(stablehlo::TRANSPOSE, &[self.value], [("permutation", Attribute::positions(order))])
    }
}

fn unary_einsum(cx: &mut Expand) -> Expanded {
    let (mut operands, output) = labeled(cx, 1)?;
    let Some(operand) = operands.pop() else { return Ok(None) };
    operand.summed(cx, |label| output.contains(&label))?.ordered(cx, &output)
}

fn einsum(cx: &mut Expand) -> Expanded {
    let (mut operands, output) = labeled(cx, 2)?;
    let (Some(right), Some(left)) = (operands.pop(), operands.pop()) else { return Ok(None) };
    let (left_labels, right_labels) = (left.labels.clone(), right.labels.clone());
    let left = left.summed(cx, |label| output.contains(&label) || right_labels.contains(&label))?;
    let right = right.summed(cx, |label| output.contains(&label) || left_labels.contains(&label))?;
    let place = |of: &Labeled, label: char| of.labels.iter().position(|&other| other == label);
    let shared = |batching: bool| -> Vec<(usize, usize)> {
        let both = left.labels.iter().filter(|&label| output.contains(label) == batching);
        both.filter_map(|&label| Some((place(&left, label)?, place(&right, label)?))).collect()
    };
    let numbers = DotDimensionNumbers { batching: shared(true), contracting: shared(false) };
    let free = |of: &Labeled, other: &Labeled| -> Vec<char> {
        of.labels.iter().copied().filter(|label| !other.labels.contains(label)).collect()
    };
    let batch: Vec<char> = numbers.batching.iter().map(|pair| left.labels[pair.0]).collect();
    let labels = [batch, free(&left, &right), free(&right, &left)].concat();
    let result = cx.result_type()?;
    let dims: Vec<Dim> = labels
        .iter()
        .filter_map(|label| output.iter().position(|other| other == label))
        .map(|axis| result.dims[axis])
        .collect();
    let ty = cx.rewriter.module.tensor_of(result.element, &dims);
    let mut attributes = vec![numbers.attribute(cx.rewriter.module)];
    let precision = cx.module().attribute(cx.op, "precision_config").cloned();
    attributes.extend(precision.map(|precision| ("precision_config", precision)));
    let value = cx.create(stablehlo::DOT_GENERAL, &[left.value, right.value]).attrs(attributes).of(ty);
    Labeled { value, labels }.ordered(cx, &output)
}
