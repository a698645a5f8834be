//! Ops of MLIR's `arith`, which front ends mix with StableHLO, as StableHLO's.

use super::expand::{Expand, Expanded};
use super::{Elements, Refusal, Row, expanded};

const NUMBERS: Elements = Elements::PLAIN;

/// The ops that are one op of StableHLO on the same operands. Unsigned arithmetic is not among them: `arith` has it on
/// integers without a sign, which StableHLO takes as signed.
const TWINS: &[(&str, &str)] = &[
    ("arith.addf", "stablehlo.add"),
    ("arith.addi", "stablehlo.add"),
    ("arith.andi", "stablehlo.and"),
    ("arith.divf", "stablehlo.divide"),
    ("arith.divsi", "stablehlo.divide"),
    ("arith.maximumf", "stablehlo.maximum"),
    ("arith.maxsi", "stablehlo.maximum"),
    ("arith.minimumf", "stablehlo.minimum"),
    ("arith.minsi", "stablehlo.minimum"),
    ("arith.mulf", "stablehlo.multiply"),
    ("arith.muli", "stablehlo.multiply"),
    ("arith.negf", "stablehlo.negate"),
    ("arith.ori", "stablehlo.or"),
    ("arith.remf", "stablehlo.remainder"),
    ("arith.remsi", "stablehlo.remainder"),
    ("arith.select", "stablehlo.select"),
    ("arith.subf", "stablehlo.subtract"),
    ("arith.subi", "stablehlo.subtract"),
    ("arith.xori", "stablehlo.xor"),
];

pub(super) const ROWS: &[Row] = &[
    expanded("arith.addf", NUMBERS, twin, ""),
    expanded("arith.addi", NUMBERS, twin, ""),
    expanded("arith.andi", NUMBERS, twin, ""),
    expanded("arith.constant", NUMBERS, constant, ""),
    expanded("arith.divf", NUMBERS, twin, ""),
    expanded("arith.divsi", NUMBERS, twin, ""),
    expanded("arith.maximumf", NUMBERS, twin, ""),
    expanded("arith.maxsi", NUMBERS, twin, ""),
    expanded("arith.minimumf", NUMBERS, twin, ""),
    expanded("arith.minsi", NUMBERS, twin, ""),
    expanded("arith.mulf", NUMBERS, twin, ""),
    expanded("arith.muli", NUMBERS, twin, ""),
    expanded("arith.negf", NUMBERS, twin, ""),
    expanded("arith.ori", NUMBERS, twin, ""),
    expanded("arith.remf", NUMBERS, twin, ""),
    expanded("arith.remsi", NUMBERS, twin, ""),
    expanded("arith.select", NUMBERS, twin, ""),
    expanded("arith.subf", NUMBERS, twin, ""),
    expanded("arith.subi", NUMBERS, twin, ""),
    expanded("arith.xori", NUMBERS, twin, ""),
];

/// The op of StableHLO of the same meaning, on tensors of the same types.
fn twin(cx: &mut Expand) -> Expanded {
    let name = cx.module().op_name(cx.op);
    let Some(&(_, twin)) = TWINS.iter().find(|(other, _)| *other == name) else { return Err(Refusal::Op) };
    let operands = cx.module().op(cx.op).operands.to_vec();
    let result = cx.result_type()?;
    for index in 0..operands.len() {
        let operand = cx.operand_type(index)?;
        let predicate = twin == "stablehlo.select" && index == 0;
        if operand.dims != result.dims && !(predicate && operand.rank() == 0)
            || operand.element != result.element && !predicate
        {
            return Err(Refusal::form("its operands and its result differ in type"));
        }
    }
    cx.becomes(twin, &operands, [])
}

fn constant(cx: &mut Expand) -> Expanded {
    let value = cx.module().attribute(cx.op, "value").cloned().ok_or(Refusal::Missing("value"))?;
    cx.result_type()?;
    cx.becomes("stablehlo.constant", &[], [("value", value)])
}
