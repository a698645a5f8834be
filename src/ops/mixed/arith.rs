//! Arithmetic.

use super::NUMBERS;
use crate::ir::{Attribute, Constant, Data, Element, OpName, arith, stablehlo};
use crate::ops::expand::{Expand, Expanded};
use crate::ops::row::{Row, expanded};
use crate::ops::{LowerError, float_bytes, integer_bytes};

/// The ops that are one op of StableHLO on the same operands. Unsigned arithmetic is not among them: `arith` has it on
/// integers without a sign, which StableHLO takes as signed.
const TWINS: &[(OpName, OpName)] = &[
    (arith::ADDF, stablehlo::ADD),
    (arith::ADDI, stablehlo::ADD),
    (arith::ANDI, stablehlo::AND),
    (arith::DIVF, stablehlo::DIVIDE),
    (arith::DIVSI, stablehlo::DIVIDE),
    (arith::MAXIMUMF, stablehlo::MAXIMUM),
    (arith::MAXSI, stablehlo::MAXIMUM),
    (arith::MINIMUMF, stablehlo::MINIMUM),
    (arith::MINSI, stablehlo::MINIMUM),
    (arith::MULF, stablehlo::MULTIPLY),
    (arith::MULI, stablehlo::MULTIPLY),
    (arith::NEGF, stablehlo::NEGATE),
    (arith::ORI, stablehlo::OR),
    (arith::REMF, stablehlo::REMAINDER),
    (arith::REMSI, stablehlo::REMAINDER),
    (arith::SELECT, stablehlo::SELECT),
    (arith::SUBF, stablehlo::SUBTRACT),
    (arith::SUBI, stablehlo::SUBTRACT),
    (arith::XORI, stablehlo::XOR),
];

pub(super) const ROWS: &[Row] = &[
    expanded(arith::ADDF, NUMBERS, twin),
    expanded(arith::ADDI, NUMBERS, twin),
    expanded(arith::ANDI, NUMBERS, twin),
    expanded(arith::CMPI, NUMBERS, cmpi),
    expanded(arith::CONSTANT, NUMBERS, constant),
    expanded(arith::DIVF, NUMBERS, twin),
    expanded(arith::DIVSI, NUMBERS, twin),
    expanded(arith::EXTF, NUMBERS, convert),
    expanded(arith::EXTSI, NUMBERS, convert),
    expanded(arith::EXTUI, NUMBERS, convert).note("of i1"),
    expanded(arith::FPTOSI, NUMBERS, convert),
    expanded(arith::INDEX_CAST, NUMBERS, convert),
    expanded(arith::MAXIMUMF, NUMBERS, twin),
    expanded(arith::MAXSI, NUMBERS, twin),
    expanded(arith::MINIMUMF, NUMBERS, twin),
    expanded(arith::MINSI, NUMBERS, twin),
    expanded(arith::MULF, NUMBERS, twin),
    expanded(arith::MULI, NUMBERS, twin),
    expanded(arith::NEGF, NUMBERS, twin),
    expanded(arith::ORI, NUMBERS, twin),
    expanded(arith::REMF, NUMBERS, twin),
    expanded(arith::REMSI, NUMBERS, twin),
    expanded(arith::SELECT, NUMBERS, twin),
    expanded(arith::SITOFP, NUMBERS, convert),
    expanded(arith::SUBF, NUMBERS, twin),
    expanded(arith::SUBI, NUMBERS, twin),
    expanded(arith::TRUNCF, NUMBERS, convert),
    expanded(arith::TRUNCI, NUMBERS, convert),
    expanded(arith::XORI, NUMBERS, twin),
];

/// The op of StableHLO of the same meaning, on tensors of the same types.
fn twin(cx: &mut Expand) -> Expanded {
    let name = cx.module().op(cx.op).name;
    let Some(&(_, twin)) = TWINS.iter().find(|(other, _)| *other == name) else { return Err(LowerError::Op) };
    let operands = cx.module().op(cx.op).operands.to_vec();
    let count = match twin {
        stablehlo::NEGATE => 1,
        stablehlo::SELECT => 3,
        _ => 2,
    };
    if operands.len() != count {
        return Err(LowerError::form(format!("it has {} operands and takes {count}", operands.len())));
    }
    let result = cx.result_type()?;
    // The suffix distinguishes floats from integers; `select` takes both.
    let floats = name.text().ends_with('f');
    if twin != stablehlo::SELECT && result.element.is_float() != floats {
        let kind = if floats { "floats" } else { "integers" };
        return Err(LowerError::form(format!("it computes {kind}")));
    }
    for index in 0..count {
        let operand = cx.operand_type(index)?;
        let predicate = twin == stablehlo::SELECT && index == 0;
        if operand.dims != result.dims && !(predicate && operand.rank() == 0)
            || operand.element != result.element && !predicate
        {
            return Err(LowerError::form("its operands and its result have different types"));
        }
    }
    cx.becomes(twin, &operands, [])
}

fn constant(cx: &mut Expand) -> Expanded {
    let value = cx.attributes().get("value")?.clone();
    let tensor = cx.result_type()?;
    let is_float = tensor.element.is_float();
    let bytes = match value {
        Attribute::Integer(..) | Attribute::Bool(_) if is_float => {
            return Err(LowerError::form("its value is an integer and its result a float"));
        }
        Attribute::Float(..) if !is_float => {
            return Err(LowerError::form("its value is a float and its result is not"));
        }
        Attribute::Integer(number, _) => integer_bytes(tensor.element, number),
        Attribute::Float(number, _) => float_bytes(tensor.element, number),
        Attribute::Bool(truth) => vec![u8::from(truth)],
        Attribute::Dense(id) if cx.module().constant(id).ty != cx.result()? => {
            return Err(LowerError::form("its value and its result have different types"));
        }
        _ => return cx.becomes(stablehlo::CONSTANT, &[], [("value", value)]),
    };
    let ty = cx.result()?;
    let constant = cx.rewriter.module.add_constant(Constant { ty, data: Data::Splat(bytes.into()) });
    cx.becomes(stablehlo::CONSTANT, &[], [("value", Attribute::Dense(constant))])
}

/// The comparisons of signed numbers, by the value of the predicate in MLIR's enum. Unsigned ones are omitted.
const DIRECTIONS: [&str; 6] = ["EQ", "NE", "LT", "LE", "GT", "GE"];

fn cmpi(cx: &mut Expand) -> Expanded {
    let predicate = cx.attributes().get("predicate")?;
    let found = match predicate {
        Attribute::Integer(place, _) => usize::try_from(*place).ok().and_then(|place| DIRECTIONS.get(place)),
        _ => None,
    };
    let Some(&direction) = found else {
        return Err(LowerError::attribute("predicate", "it compares unsigned numbers"));
    };
    let operand = cx.operand_type(0)?;
    if operand != cx.operand_type(1)? || operand.dims != cx.result_type()?.dims {
        return Err(LowerError::form("its operands and its result have different types"));
    }
    // `i1` holds 0 and -1.
    if operand.element == Element::Bool && !matches!(direction, "EQ" | "NE") {
        return Err(LowerError::Op);
    }
    let value = cx.compared(direction, cx.operand(0)?, cx.operand(1)?, &operand.dims);
    Ok(Some(value.into()))
}

/// A conversion that equals StableHLO's `convert`: not one in which `arith` reads a boolean as -1, a number as
/// unsigned, or the lowest bit of a number as a boolean.
fn convert(cx: &mut Expand) -> Expanded {
    let (from, to) = (cx.operand_type(0)?, cx.result_type()?);
    let unsigned = cx.module().op(cx.op).name == arith::EXTUI;
    if from.dims != to.dims {
        return Err(LowerError::form("its operand and its result have different sizes"));
    }
    if (from.element == Element::Bool) != unsigned || to.element == Element::Bool {
        return Err(LowerError::Op);
    }
    let name = cx.module().op(cx.op).name;
    let (float, other) = (from.element.is_float(), to.element.is_float());
    let (bits, wanted) = (from.element.bits(), to.element.bits());
    let fits = match name {
        arith::EXTF => float && other && bits <= wanted,
        arith::TRUNCF => float && other && bits >= wanted,
        arith::EXTSI | arith::EXTUI => !float && !other && bits <= wanted,
        arith::TRUNCI => !float && !other && bits >= wanted,
        arith::SITOFP => !float && other,
        arith::FPTOSI => float && !other,
        _ => !float && !other,
    };
    if !fits {
        return Err(LowerError::form("its result has a type that it cannot convert to"));
    }
    let operand = cx.operand(0)?;
    if from.element == to.element {
        return Ok(Some(operand.into()));
    }
    cx.becomes(stablehlo::CONVERT, &[operand], [])
}
