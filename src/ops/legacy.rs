//! Expands StableHLO's legacy ops, and MHLO ops that StableHLO lacks, into current ones.

use super::{Elements, Expand, Expanded, Violation};
use crate::ir::{Attribute, Dim, Element, chlo, mhlo, stablehlo};
use crate::ops::row::{Row, expanded};
use crate::ops::type_inference::{
    AtLeast, Exactly, Inferred, Typing, UNARY, broadcasting, control, one, rule, tensor, variadic,
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
