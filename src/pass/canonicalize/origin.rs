//! Finds the op that a folded constant comes from, which determines its location and name.

use crate::ir::{ConstantId, Module, OpId, OpName, Symbol, TensorType, ValueId, onnx, provenance, stablehlo};

/// Limits how far the computation of a constant is followed.
const MOST_STEPS: usize = 32;

/// Ops whose result has the elements of their first operand, in another shape, order or type.
const REARRANGEMENTS: &[OpName] = &[
    onnx::CAST,
    onnx::RESHAPE,
    onnx::SQUEEZE,
    onnx::TRANSPOSE,
    onnx::UNSQUEEZE,
    stablehlo::BROADCAST_IN_DIM,
    stablehlo::CONVERT,
    stablehlo::RESHAPE,
    stablehlo::REVERSE,
    stablehlo::TRANSPOSE,
];

/// The op whose location a folded constant takes: the only weight in it, or the constant that it rearranges.
pub(super) fn of(module: &Module, op: OpId, constant: ConstantId) -> OpId {
    let is_splat = module.constant(constant).data.splat().is_some();
    weight(module, op, is_splat).unwrap_or_else(|| rearranged(module, op))
}

/// The only weight that a constant is computed from elementwise, even reordered, cast, scaled or normalized.
///
/// Smaller operands, such as the scale of a weight, do not count, unless the result is a splat.
fn weight(module: &Module, op: OpId, is_splat: bool) -> Option<OpId> {
    if module.weight_names.is_empty() {
        return None;
    }
    let mut found: Option<(OpId, Symbol)> = None;
    let (mut pending, mut steps) = (vec![op], 0);
    while let Some(op) = pending.pop() {
        if let Some(name) = provenance::weight_name(module, op) {
            match found {
                Some((_, known)) if known != name => return None,
                _ => found = Some((op, name)),
            }
            continue;
        }
        steps += 1;
        if steps > MOST_STEPS {
            return None;
        }
        let result = module.op(op).results.first().and_then(|&result| count(module, result));
        let operands = module.op(op).operands.iter().copied();
        let whole = operands.filter(|&operand| is_splat || count(module, operand) == result);
        pending.extend(whole.filter_map(|operand| module.defining_op(operand)));
    }
    found.map(|(op, _)| op)
}

/// The operand that an op reshapes, reorders or casts.
fn rearranged(module: &Module, op: OpId) -> OpId {
    let mut origin = op;
    for _ in 0..MOST_STEPS {
        if !REARRANGEMENTS.contains(&module.op(origin).name) {
            break;
        }
        let Some(&operand) = module.op(origin).operands.first() else { break };
        let whole = module
            .op(origin)
            .results
            .first()
            .is_some_and(|&result| count(module, result) == count(module, operand));
        let Some(producer) = module.defining_op(operand).filter(|_| whole) else { break };
        origin = producer;
    }
    origin
}

fn count(module: &Module, value: ValueId) -> Option<i64> {
    module.tensor(value).and_then(TensorType::count)
}
