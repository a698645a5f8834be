//! Arithmetic.

use super::NUMBERS;
use crate::ir::{Attribute, Constant, Data, Element};
use crate::ops::expand::{Expand, Expanded};
use crate::ops::{Refusal, Row, expanded, float_bytes, integer_bytes};

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

pub(in crate::ops) const ROWS: &[Row] = &[
    expanded("arith.addf", NUMBERS, twin, ""),
    expanded("arith.addi", NUMBERS, twin, ""),
    expanded("arith.andi", NUMBERS, twin, ""),
    expanded("arith.cmpi", NUMBERS, cmpi, ""),
    expanded("arith.constant", NUMBERS, constant, ""),
    expanded("arith.divf", NUMBERS, twin, ""),
    expanded("arith.divsi", NUMBERS, twin, ""),
    expanded("arith.extf", NUMBERS, convert, ""),
    expanded("arith.extsi", NUMBERS, convert, ""),
    expanded("arith.extui", NUMBERS, convert, "of truth values"),
    expanded("arith.fptosi", NUMBERS, convert, ""),
    expanded("arith.index_cast", NUMBERS, convert, ""),
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
    expanded("arith.sitofp", NUMBERS, convert, ""),
    expanded("arith.subf", NUMBERS, twin, ""),
    expanded("arith.subi", NUMBERS, twin, ""),
    expanded("arith.truncf", NUMBERS, convert, ""),
    expanded("arith.trunci", NUMBERS, convert, ""),
    expanded("arith.xori", NUMBERS, twin, ""),
];

/// The op of StableHLO of the same meaning, on tensors of the same types.
fn twin(cx: &mut Expand) -> Expanded {
    let name = cx.module().op_name(cx.op);
    let Some(&(_, twin)) = TWINS.iter().find(|(other, _)| *other == name) else { return Err(Refusal::Op) };
    let operands = cx.module().op(cx.op).operands.to_vec();
    let count = match twin {
        "stablehlo.negate" => 1,
        "stablehlo.select" => 3,
        _ => 2,
    };
    if operands.len() != count {
        return Err(Refusal::form(format!("it has {} operands and takes {count}", operands.len())));
    }
    let result = cx.result_type()?;
    // The last letter tells numbers that are floats from integers; `select` takes both.
    let floats = name.ends_with('f');
    if twin != "stablehlo.select" && result.element.is_float() != floats {
        let kind = if floats { "floats" } else { "integers" };
        return Err(Refusal::form(format!("it computes {kind}")));
    }
    for index in 0..count {
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
    let tensor = cx.result_type()?;
    let is_float = tensor.element.is_float();
    let bytes = match value {
        Attribute::Integer(..) | Attribute::Bool(_) if is_float => {
            return Err(Refusal::form("its value is an integer and its result a float"));
        }
        Attribute::Float(..) if !is_float => {
            return Err(Refusal::form("its value is a float and its result is not"));
        }
        Attribute::Integer(number, _) => integer_bytes(tensor.element, number),
        Attribute::Float(number, _) => float_bytes(tensor.element, number),
        Attribute::Bool(truth) => vec![u8::from(truth)],
        Attribute::Dense(id) if cx.module().constant(id).ty != cx.result()? => {
            return Err(Refusal::form("its value and its result differ in type"));
        }
        _ => return cx.becomes("stablehlo.constant", &[], [("value", value)]),
    };
    let ty = cx.result()?;
    let constant = cx.rewriter.module.add_constant(Constant { ty, data: Data::Splat(bytes.into()) });
    cx.becomes("stablehlo.constant", &[], [("value", Attribute::Dense(constant))])
}

/// The predicates of signed numbers, by their place in MLIR's enumeration. Those of unsigned ones are not among them.
const PREDICATES: [(&str, &str); 6] =
    [("eq", "EQ"), ("ne", "NE"), ("slt", "LT"), ("sle", "LE"), ("sgt", "GT"), ("sge", "GE")];

fn cmpi(cx: &mut Expand) -> Expanded {
    let predicate = cx.module().attribute(cx.op, "predicate").ok_or(Refusal::Missing("predicate"))?;
    let found = match predicate {
        Attribute::Integer(place, _) => usize::try_from(*place).ok().and_then(|place| PREDICATES.get(place)),
        Attribute::String(word) => PREDICATES.iter().find(|(name, _)| *name == &**word),
        _ => None,
    };
    let Some(&(_, direction)) = found else {
        return Err(Refusal::Attribute {
            name: "predicate",
            why: "numbers without a sign are compared".into(),
        });
    };
    let operand = cx.operand_type(0)?;
    if operand != cx.operand_type(1)? || operand.dims != cx.result_type()?.dims {
        return Err(Refusal::form("its operands and its result differ in type"));
    }
    // `i1` holds 0 and -1.
    if operand.element == Element::Bool && !matches!(direction, "EQ" | "NE") {
        return Err(Refusal::Op);
    }
    let value = cx.compared(direction, cx.operand(0)?, cx.operand(1)?, &operand.dims);
    Ok(Some(value.into()))
}

/// A conversion that StableHLO's `convert` is too: not where `arith` takes a truth value for -1, or a number for one
/// without a sign, or its lowest bit for a truth value.
fn convert(cx: &mut Expand) -> Expanded {
    let (from, to) = (cx.operand_type(0)?, cx.result_type()?);
    let unsigned = cx.module().op_name(cx.op) == "arith.extui";
    if from.dims != to.dims {
        return Err(Refusal::form("its operand and its result differ in sizes"));
    }
    if (from.element == Element::Bool) != unsigned || to.element == Element::Bool {
        return Err(Refusal::Op);
    }
    let name = cx.module().op_name(cx.op);
    let (float, other) = (from.element.is_float(), to.element.is_float());
    let (bits, wanted) = (from.element.bits(), to.element.bits());
    let fits = match name {
        "arith.extf" => float && other && bits <= wanted,
        "arith.truncf" => float && other && bits >= wanted,
        "arith.extsi" | "arith.extui" => !float && !other && bits <= wanted,
        "arith.trunci" => !float && !other && bits >= wanted,
        "arith.sitofp" => !float && other,
        "arith.fptosi" => float && !other,
        _ => !float && !other,
    };
    if !fits {
        return Err(Refusal::form("its result is not of a type that it converts to"));
    }
    let operand = cx.operand(0)?;
    if from.element == to.element {
        return Ok(Some(operand.into()));
    }
    cx.becomes("stablehlo.convert", &[operand], [])
}
