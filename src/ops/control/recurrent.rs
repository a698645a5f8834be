//! The recurrent cells that the pass `loops` makes of loops: LSTM, GRU, RNN.

use super::super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Attribute, Data, Dim, OpId, OpName, ValueId, hlo2onnx, onnx};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, Inferred, Typing, rule, tensor};
use smallvec::smallvec;

pub(super) const ROWS: &[Row] = &[
    row(hlo2onnx::GRU, rule(5, types).results(Exactly(2)), Elements::FLOAT, |cx, op| {
        lower(cx, op, onnx::GRU)
    }),
    row(hlo2onnx::LSTM, rule(6, types).results(Exactly(3)), Elements::FLOAT, |cx, op| {
        lower(cx, op, onnx::LSTM)
    }),
    row(hlo2onnx::RNN, rule(5, types).results(Exactly(2)), Elements::FLOAT, |cx, op| {
        lower(cx, op, onnx::RNN)
    }),
];

/// The operands are those of ONNX but the lengths of sequences: the input, the weights of the input and of the state,
/// the biases, the initial states. The results are the hidden states of all iterations, and the final states.
fn types(t: &Typing) -> Inferred {
    let (input, state) = (t.operand(0)?, t.operand(4)?);
    let rank = |index: usize| t.operand(index).map(|ty| ty.rank());
    if input.rank() != 3 || state.rank() != 3 || rank(1)? != 3 || rank(2)? != 3 || rank(3)? != 2 {
        return Err(crate::ops::Violation::types("operands of other ranks than ONNX's"));
    }
    let all = [input.dims[0], Dim::Known(1), input.dims[1], state.dims[2]];
    let final_state = tensor(input.element, [Dim::Known(1), input.dims[1], state.dims[2]]);
    let mut results = smallvec![tensor(input.element, all)];
    results.extend((4..t.operand_count()).map(|_| final_state.clone()));
    Ok(results)
}

fn lower(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let mut operands = cx.fulls(op)?;
    let width = operands.get(4).and_then(|&state| cx.dims(state).last()?.known());
    let width = width.ok_or_else(|| LowerError::form("a state of unknown width"))?;
    // Zeros are the default. ONNX Runtime loses NaN where it adds biases.
    let absent = cx.absent();
    for (index, value) in operands.iter_mut().enumerate().skip(3) {
        // Before its broadcast, which a symbolic batch leaves to an Expand.
        let part = cx.operand(op, index)?;
        if is_zero(cx, part) {
            *value = absent;
        }
    }
    let lengths = absent;
    operands.insert(4, lengths);
    while operands.last() == Some(&absent) {
        operands.pop();
    }
    let results: Vec<_> = (0..cx.module.op(op).results.len())
        .map(|index| cx.result_dims(op, index).map(|(element, dims)| (element, dims.to_vec())))
        .collect::<Result<_, _>>()?;
    let direction = cx.attributes(op).word("direction")?.to_owned();
    let after = cx.attributes(op).integer_or("linear_before_reset", 0)?;
    let function = match cx.attributes(op).has("activation") {
        true => Some(cx.attributes(op).word("activation")?.to_owned()).filter(|function| function != "Tanh"),
        false => None,
    };
    let mut node = cx.node(name, &operands).int("hidden_size", width);
    if direction != "forward" {
        node = node.string("direction", &direction);
    }
    if after != 0 {
        node = node.int("linear_before_reset", after);
    }
    if let Some(function) = function {
        node = node.attr("activations", Attribute::Array(Box::new([Attribute::String(function.into())])));
    }
    Ok(node.outs(&results).into_iter().collect())
}

/// Whether all elements are zeros.
fn is_zero(cx: &Lower, value: ValueId) -> bool {
    let Some(constant) = cx.module.constant_of(value) else { return false };
    let bytes: &[u8] = match &cx.module.constant(constant).data {
        Data::Splat(bytes) => bytes,
        Data::Bytes(bytes) => bytes,
        _ => return false,
    };
    bytes.iter().all(|&byte| byte == 0)
}
