//! Where a negative zero can come from, and where its sign is read.
//!
//! The sign of a zero that a sum of many terms leaves (a matrix product, a convolution, a mean) follows from the order
//! of its terms, which XLA does not promise. So such results are not counted as -0, and do not read the sign.

use crate::ir::{Module, OpId, ValueId};
use crate::ops::number;
use crate::source::Source;

/// Constants of more elements are not looked at.
const LARGE: i64 = 4096;

/// What is known of each value.
pub(super) struct Flow {
    negative: Vec<bool>,
    read: Vec<bool>,
}

impl Flow {
    /// The flow through all functions.
    pub(super) fn of(module: &Module, source: &Source) -> Self {
        let ops = module.reachable_ops();
        let mut flow =
            Self { negative: vec![true; module.value_count()], read: vec![false; module.value_count()] };
        // Definitions come before uses; what a graph takes as an argument may be anything.
        for &op in &ops {
            let negative = flow.makes_negative(module, source, op);
            for &result in &module.op(op).results {
                flow.negative[result.index()] = negative;
            }
        }
        let mut found = Vec::new();
        for &op in &ops {
            for (index, &operand) in module.op(op).operands.iter().enumerate() {
                if flow.reads(module, source, op, index) == Reads::Always {
                    flow.note(operand, &mut found);
                }
            }
        }
        while let Some(value) = found.pop() {
            let Some(op) = module.defining_op(value) else { continue };
            for (index, &operand) in module.op(op).operands.iter().enumerate() {
                if flow.reads(module, source, op, index) == Reads::WithResult {
                    flow.note(operand, &mut found);
                }
            }
        }
        flow
    }

    fn note(&mut self, value: ValueId, found: &mut Vec<ValueId>) {
        // The value that stands for a left-out operand has no place.
        if let Some(read @ false) = self.read.get_mut(value.index()) {
            *read = true;
            found.push(value);
        }
    }

    /// Whether a value can be -0; one that the pass made can.
    pub(super) fn may_be_negative(&self, value: ValueId) -> bool {
        self.negative.get(value.index()).copied().unwrap_or(true)
    }

    /// Whether the result of the program depends on the sign of a zero in a value.
    pub(super) fn is_read(&self, value: ValueId) -> bool {
        self.read.get(value.index()).copied().unwrap_or(false)
    }

    /// Whether a result of the op can be -0.
    fn makes_negative(&self, module: &Module, source: &Source, op: OpId) -> bool {
        let operands = &module.op(op).operands;
        let is_float =
            |&value: &ValueId| module.tensor(value).is_some_and(|tensor| tensor.element.is_float());
        if !module.op(op).results.iter().any(is_float) {
            return false;
        }
        let any =
            || operands.iter().filter(|value| is_float(value)).any(|&value| self.may_be_negative(value));
        let name = module.op_name(op).strip_prefix("onnx.").unwrap_or_default();
        match name {
            "Constant" => match module.op(op).results.first() {
                Some(&value) => holds_negative(module, source, value),
                None => true,
            },
            "Abs" | "Acos" | "Cos" | "Cosh" | "Exp" | "IsInf" | "IsNaN" | "Log" | "LogSoftmax"
            | "Sigmoid" | "Softmax" => false,
            _ if SUMS.contains(&name) => false,
            _ if MOVES.contains(&name) || ODD.contains(&name) => any(),
            "Add" => operands.iter().all(|&value| self.may_be_negative(value)),
            "Cast" => operands.first().is_none_or(|value| is_float(value) && self.may_be_negative(*value)),
            "Sub" => operands.first().is_none_or(|&value| self.may_be_negative(value)),
            "Mul" if operands.len() == 2 => {
                let grows = |value| constant(module, source, value).is_some_and(|number| number >= 1.0);
                match (grows(operands[0]), grows(operands[1])) {
                    (true, _) => self.may_be_negative(operands[1]),
                    (_, true) => self.may_be_negative(operands[0]),
                    _ => operands[0] != operands[1],
                }
            }
            "Where" => operands[1..].iter().any(|&value| self.may_be_negative(value)),
            _ => true,
        }
    }

    /// How the op reads the sign of a zero in an operand.
    fn reads(&self, module: &Module, source: &Source, op: OpId, index: usize) -> Reads {
        let operands = &module.op(op).operands;
        let name = module.op_name(op).strip_prefix("onnx.").unwrap_or_default();
        let other = operands.get(1 - index.min(1)).copied();
        match name {
            "Abs" | "Acos" | "ArgMax" | "ArgMin" | "Cos" | "Cosh" | "Equal" | "Exp" | "Greater"
            | "GreaterOrEqual" | "IsInf" | "IsNaN" | "Less" | "LessOrEqual" | "Log" | "LogSoftmax"
            | "QuantizeLinear" | "Sigmoid" | "Softmax" => Reads::Never,
            _ if SUMS.contains(&name) => Reads::Never,
            "Cast" => {
                let to = module.op(op).results.first().and_then(|&result| module.tensor(result));
                let keeps = to.is_some_and(|to| to.element.is_float());
                if keeps { Reads::WithResult } else { Reads::Never }
            }
            // 0 + x is x but for -0, and x - 0 is x.
            "Add" if other.is_some_and(|other| !self.may_be_negative(other)) => Reads::Never,
            "Sub" if index == 1 && other.is_some_and(|other| !self.may_be_negative(other)) => Reads::Never,
            "Sub" if index == 0 && other.is_some_and(|other| is_not_zero(module, source, other)) => {
                Reads::Never
            }
            "Div" if index == 1 => Reads::Always,
            "Mod" if index == 1 => Reads::Never,
            "Pow" if index == 1 => Reads::Never,
            "Pow"
                if other
                    .and_then(|other| constant(module, source, other))
                    .is_some_and(|power| power >= 0.0) =>
            {
                Reads::WithResult
            }
            "Where" if index == 0 => Reads::Never,
            "Add" | "Div" | "Elu" | "Gelu" | "LeakyRelu" | "Mod" | "Mul" | "Neg" | "ReduceProd" | "Sub"
            | "Where" => Reads::WithResult,
            _ if MOVES.contains(&name) || ODD.contains(&name) => Reads::WithResult,
            _ => Reads::Always,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Never,
    /// Where it is read of the result.
    WithResult,
    Always,
}

/// Sums, whose zeros have no sign that is promised.
const SUMS: &[&str] = &[
    "Attention",
    "AveragePool",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DFT",
    "Gemm",
    "GlobalAveragePool",
    "MatMul",
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
];

/// Ops whose results are elements of their operands.
const MOVES: &[&str] = &[
    "Clip",
    "Concat",
    "DepthToSpace",
    "Expand",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "Max",
    "MaxPool",
    "Min",
    "Pad",
    "ReduceMax",
    "ReduceMin",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
];

/// Functions that are -0 at -0 alone.
const ODD: &[&str] =
    &["Asin", "Asinh", "Atan", "Atanh", "Erf", "Floor", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh"];

/// The number that a constant is.
fn constant(module: &Module, source: &Source, value: ValueId) -> Option<f64> {
    let constant = module.constant(module.constant_of(value)?);
    let ty = module.tensor_type(constant.ty)?;
    match constant.data.splat() {
        Some(element) => number(ty.element, element),
        None if ty.count() == Some(1) => {
            number(ty.element, &constant.data.bytes(source, 1, ty.element.bytes()))
        }
        None => None,
    }
}

/// Whether a constant has an element -0.
fn holds_negative(module: &Module, source: &Source, value: ValueId) -> bool {
    let Some(constant) = module.constant_of(value).map(|id| module.constant(id)) else { return true };
    let Some(ty) = module.tensor_type(constant.ty) else { return true };
    let is_negative = |bytes: &[u8]| {
        number(ty.element, bytes).is_none_or(|number| number == 0.0 && number.is_sign_negative())
    };
    match (constant.data.splat(), ty.count()) {
        (Some(element), _) => is_negative(element),
        (None, Some(count)) if count <= LARGE => {
            let width = ty.element.bytes();
            constant.data.bytes(source, count as usize, width).chunks_exact(width).any(is_negative)
        }
        _ => true,
    }
}

/// Whether no element of a value is zero.
fn is_not_zero(module: &Module, source: &Source, value: ValueId) -> bool {
    constant(module, source, value).is_some_and(|number| number != 0.0)
}

/// Whether a predicate that holds, or does not, says that a value is not zero: `x > 0 ? x : ...`.
pub(super) fn excludes_zero(
    module: &Module,
    source: &Source,
    predicate: ValueId,
    value: ValueId,
    holds: bool,
) -> bool {
    let Some(op) = module.defining_op(predicate) else { return false };
    let [left, right] = module.op(op).operands[..] else { return false };
    let name = module.op_name(op);
    if holds && name == "onnx.And" {
        return [left, right].iter().any(|&part| excludes_zero(module, source, part, value, true));
    }
    let is = |value: ValueId, test: fn(f64) -> bool| constant(module, source, value).is_some_and(test);
    match (name, holds) {
        ("onnx.Greater", true) | ("onnx.LessOrEqual", false) if left == value => is(right, |c| c >= 0.0),
        ("onnx.Less", true) | ("onnx.GreaterOrEqual", false) if left == value => is(right, |c| c <= 0.0),
        ("onnx.Less", true) | ("onnx.GreaterOrEqual", false) if right == value => is(left, |c| c >= 0.0),
        ("onnx.Greater", true) | ("onnx.LessOrEqual", false) if right == value => is(left, |c| c <= 0.0),
        ("onnx.GreaterOrEqual", true) | ("onnx.Less", false) if left == value => is(right, |c| c > 0.0),
        ("onnx.Equal", false) => {
            (left == value && is(right, |c| c == 0.0)) || (right == value && is(left, |c| c == 0.0))
        }
        _ => false,
    }
}
