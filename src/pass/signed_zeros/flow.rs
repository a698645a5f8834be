//! Where a negative zero can come from, and where its sign is read.
//!
//! The sign of a zero that a sum of many terms leaves (a matrix product, a convolution, a mean) follows from the order
//! of its terms, which XLA does not promise. So such results are not counted as -0, and do not read the sign. The same
//! holds for decompositions and triangular systems, whose signs LAPACK does not promise.
//!
//! The results of a loop or a branch, and what a loop carries, are read where something after them, or in the body,
//! reads them.

use crate::ir::{Attribute, BlockId, Definition, Module, OpId, ValueId};
use crate::ops::number;
use crate::source::Source;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

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
        let owners = owners(module, &ops);
        for block in module.blocks_within(module.functions().map(|id| module.function(id).body)) {
            // What the op of a body takes, and what the body returns, is read where the arguments and the results are.
            let ops = &module.block(block).ops;
            let count = ops.len().saturating_sub(usize::from(owners.contains_key(&block)));
            for &op in ops[..count].iter().filter(|&&op| module.op(op).regions.is_empty()) {
                for (index, &operand) in module.op(op).operands.iter().enumerate() {
                    if flow.reads(module, source, op, index) == Reads::Always {
                        flow.note(operand, &mut found);
                    }
                }
            }
        }
        while let Some(value) = found.pop() {
            for source in sources(module, &owners, value) {
                flow.note(source, &mut found);
            }
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
            _ if is_free(module, op) => false,
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
            _ if is_free(module, op) => Reads::Never,
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

/// Whether the zeros in the results of an op may have either sign. Constants, and ops that move elements, may serve
/// others, too.
fn is_free(module: &Module, op: OpId) -> bool {
    let name = module.op_name(op).strip_prefix("onnx.").unwrap_or_default();
    module.has_free_zeros(op) && name != "Constant" && !MOVES.contains(&name)
}

/// The ops of loops and branches whose bodies the blocks are.
fn owners(module: &Module, ops: &[OpId]) -> FxHashMap<BlockId, OpId> {
    let mut owners = FxHashMap::default();
    for &op in ops {
        let regions = module.op(op).regions.iter();
        let blocks = regions.flat_map(|&region| &module.region(region).blocks);
        owners.extend(blocks.map(|&block| (block, op)));
    }
    owners
}

/// The values that become a result of a loop or a branch, or an argument of its body.
fn sources(module: &Module, owners: &FxHashMap<BlockId, OpId>, value: ValueId) -> SmallVec<[ValueId; 2]> {
    let (op, index, is_argument) = match module.value(value).definition {
        Definition::Result(op, index) => (op, index as usize, false),
        Definition::Argument(block, index) => match owners.get(&block) {
            Some(&op) => (op, index as usize, true),
            None => return SmallVec::new(),
        },
        Definition::Poison => return SmallVec::new(),
    };
    if module.op(op).regions.is_empty() || module.has_free_zeros(op) {
        return SmallVec::new();
    }
    let operands = &module.op(op).operands;
    // Where in the operands of the op, and of the terminator, the value is.
    let (operand, returned) = match module.op_name(op) {
        "onnx.If" => (None, Some(index)),
        // The number of the round and the condition come before what is carried; the condition alone is returned.
        "onnx.Loop" if is_argument => (Some(index), index.checked_sub(1)),
        "onnx.Loop" => (Some(index + 2), Some(index + 1)),
        _ => {
            let slices = module.attribute(op, "num_scan_inputs").and_then(Attribute::as_integer).unwrap_or(0);
            let is_carried = index + (slices as usize) < operands.len();
            ((is_argument || is_carried).then_some(index), (!is_argument || is_carried).then_some(index))
        }
    };
    let mut sources: SmallVec<[ValueId; 2]> =
        operand.and_then(|index| operands.get(index)).copied().into_iter().collect();
    if let Some(index) = returned {
        let blocks = module.op(op).regions.iter().flat_map(|&region| &module.region(region).blocks);
        let ends = blocks.filter_map(|&block| module.block(block).ops.last());
        sources.extend(ends.filter_map(|&end| module.op(end).operands.get(index).copied()));
    }
    sources
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
    "Resize",
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
