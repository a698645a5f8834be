//! Expands StableHLO's legacy ops, and MHLO ops that StableHLO lacks, into current ones.

use super::{Elements, Expand, Expanded, GatherDimensionNumbers, OpAttributes, Violation};
use crate::ir::{Attribute, Dim, Element, TensorType, chlo, mhlo, stablehlo};
use crate::ops::row::{Row, expanded};
use crate::ops::type_inference::{
    AtLeast, Exactly, Inferred, Typing, UNARY, broadcasting, control, dims_fit, one, rule, tensor, variadic,
};

pub(super) const ROWS: &[Row] = &[
    expanded(chlo::BROADCAST_COMPLEX, Elements::FLOAT, broadcast_complex).typed(broadcasting(2)),
    expanded(chlo::CONJ, Elements::PLAIN, conj).typed(UNARY).note("of real numbers: the operand"),
    expanded(mhlo::ADD_DEPENDENCY, Elements::ANY, operands)
        .typed(variadic(1, Exactly(1), control::nothing))
        .note("ONNX orders nodes by data flow"),
    expanded(mhlo::COPY, Elements::ANY, operands).typed(rule(1, control::nothing)),
    expanded(stablehlo::BROADCAST, Elements::ANY, broadcast)
        .typed(rule(1, broadcast_type))
        .note("`broadcast_in_dim`"),
    expanded(stablehlo::TORCH_INDEX_SELECT, Elements::PLAIN.or(Elements::COMPLEX), torch_index_select)
        .typed(rule(2, torch_index_select_type))
        .note("`gather`"),
    expanded(stablehlo::TRACE, Elements::ANY, operands)
        .typed(variadic(0, AtLeast(0), control::nothing))
        .note("an op that only logs at run time"),
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

/// The dimensions of `broadcast_sizes`, then those of the operand (StableHLO spec, broadcast, C1 to C3).
fn broadcast_type(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    let sizes = t.attributes().integers("broadcast_sizes")?;
    if let Some(index) = sizes.iter().position(|&size| size < 0) {
        let why = format!("{} is negative", sizes[index]);
        return Err(Violation::attribute("broadcast_sizes", why).within(|part| part.item(index)));
    }
    let leading = sizes.into_iter().map(Dim::Known);
    one(tensor(operand.element, leading.chain(operand.dims.iter().copied())))
}

fn broadcast(cx: &mut Expand) -> Expanded {
    let (operand, result) = (cx.operand_type(0)?, cx.result_type()?);
    if !result.is_static() {
        return Err(cx.dynamic());
    }
    let dims = Attribute::positions((0..result.rank()).skip(result.rank() - operand.rank()));
    let operand = cx.operand(0)?;
    cx.becomes(stablehlo::BROADCAST_IN_DIM, &[operand], [("broadcast_dimensions", dims)])
}

/// The dimension to select from, and the number of leading dimensions in which operand and indices go together.
fn torch_dims(attributes: OpAttributes, operand: &TensorType) -> Result<(usize, usize), Violation> {
    let dim = attributes.dimension("dim", operand.rank())?;
    let batch_dims = attributes.integer("batch_dims")?;
    match usize::try_from(batch_dims) {
        Ok(batch) if batch <= dim => Ok((dim, batch)),
        _ => {
            Err(Violation::attribute("batch_dims", format!("{batch_dims} is not between 0 and `dim`, {dim}")))
        }
    }
}

/// The operand's dimensions, with those of the indices in place of the dimension to select from.
fn torch_index_select_type(t: &Typing) -> Inferred {
    let (operand, index) = (t.operand(0)?, t.integer_operand(1)?);
    let (dim, batch) = torch_dims(t.attributes(), operand)?;
    if batch > index.rank() || !dims_fit(&operand.dims[..batch], &index.dims[..batch]) {
        return Err(t.disagreeing(0, 1, format!("the operands differ in their first {batch} dimensions")));
    }
    one(tensor(
        operand.element,
        [&operand.dims[..dim], &index.dims[batch..], &operand.dims[dim + 1..]].concat(),
    ))
}

fn torch_index_select(cx: &mut Expand) -> Expanded {
    let (operand, index) = (cx.operand_type(0)?, cx.operand_type(1)?);
    let (dim, batch) = torch_dims(cx.attributes(), &operand)?;
    let Some(mut sizes) = operand.sizes() else { return Err(cx.dynamic()) };
    sizes[..batch].fill(1);
    sizes[dim] = 1;
    let after = dim + index.rank() - batch;
    let numbers = GatherDimensionNumbers {
        offset_dims: (batch..dim).chain(after..cx.result_type()?.rank()).collect(),
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
