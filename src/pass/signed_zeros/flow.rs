//! Where negative zeros can come from, and where their sign matters.
//!
//! The sign of a zero sum of many terms (a matrix product, a convolution, a mean) depends on the order of the terms,
//! which XLA does not specify. So such results do not count as -0, and do not observe the sign. The same holds for
//! decompositions and triangular systems, because LAPACK does not specify their signs.
//!
//! Values carried by loops and branches are observed if a later op, or the body, observes them.

use crate::ir::{Attribute, BlockId, Class, Definition, Module, OpId, OpName, ValueId, onnx};
use crate::ops::{all_numbers, known_number};
use crate::source::Source;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Larger constants are not inspected.
const LARGE: i64 = 4096;

/// The facts about each value.
pub(super) struct Flow {
    negative: Vec<bool>,
    read: Vec<bool>,
}

impl Flow {
    /// Data flow through all functions.
    pub(super) fn of(module: &Module, source: &Source) -> Self {
        let ops = module.reachable_ops();
        let mut flow =
            Self { negative: vec![true; module.value_count()], read: vec![false; module.value_count()] };
        // Definitions come before uses; arguments of a graph may have any sign.
        for &op in &ops {
            let negative = flow.makes_negative(module, source, op);
            for &result in &module.op(op).results {
                flow.negative[result.index()] = negative;
            }
        }
        let mut found = Vec::new();
        let owners = owners(module, &ops);
        for block in module.blocks_within(module.functions().map(|id| module.function(id).body)) {
            // Operands and body results are observed where the matching arguments and results are.
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
        // The placeholder for an omitted operand has no state.
        if let Some(read @ false) = self.read.get_mut(value.index()) {
            *read = true;
            found.push(value);
        }
    }

    /// Whether a value can be -0; always true for values that the pass created.
    pub(super) fn may_be_negative(&self, value: ValueId) -> bool {
        self.negative.get(value.index()).copied().unwrap_or(true)
    }

    /// Whether the program's results depend on the sign of a zero in a value.
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
        let name = module.op(op).name;
        match name {
            _ if is_free(module, op) => false,
            onnx::CONSTANT => match module.op(op).results.first() {
                Some(&value) => holds_negative(module, source, value),
                None => true,
            },
            onnx::ABS
            | onnx::ACOS
            | onnx::COS
            | onnx::COSH
            | onnx::EXP
            | onnx::IS_INF
            | onnx::IS_NAN
            | onnx::LOG
            | onnx::LOG_SOFTMAX
            | onnx::SIGMOID
            | onnx::SOFTMAX => false,
            _ if SUMS.contains(&name) => false,
            _ if moves(name) || ODD.contains(&name) => any(),
            onnx::ADD => operands.iter().all(|&value| self.may_be_negative(value)),
            onnx::CAST => {
                operands.first().is_none_or(|value| is_float(value) && self.may_be_negative(*value))
            }
            onnx::SUB => operands.first().is_none_or(|&value| self.may_be_negative(value)),
            onnx::MUL if operands.len() == 2 => {
                let grows = |value| known_number(module, source, value).is_some_and(|number| number >= 1.0);
                match (grows(operands[0]), grows(operands[1])) {
                    (true, _) => self.may_be_negative(operands[1]),
                    (_, true) => self.may_be_negative(operands[0]),
                    _ => operands[0] != operands[1],
                }
            }
            onnx::WHERE => operands[1..].iter().any(|&value| self.may_be_negative(value)),
            _ => true,
        }
    }

    /// How the op observes the sign of a zero in an operand.
    fn reads(&self, module: &Module, source: &Source, op: OpId, index: usize) -> Reads {
        let operands = &module.op(op).operands;
        let name = module.op(op).name;
        let other = operands.get(1 - index.min(1)).copied();
        match name {
            _ if is_free(module, op) => Reads::Never,
            onnx::ABS
            | onnx::ACOS
            | onnx::ARG_MAX
            | onnx::ARG_MIN
            | onnx::COS
            | onnx::COSH
            | onnx::EQUAL
            | onnx::EXP
            | onnx::GREATER
            | onnx::GREATER_OR_EQUAL
            | onnx::IS_INF
            | onnx::IS_NAN
            | onnx::LESS
            | onnx::LESS_OR_EQUAL
            | onnx::LOG
            | onnx::LOG_SOFTMAX
            | onnx::QUANTIZE_LINEAR
            | onnx::SIGMOID
            | onnx::SOFTMAX => Reads::Never,
            _ if SUMS.contains(&name) => Reads::Never,
            onnx::CAST => {
                let to = module.op(op).results.first().and_then(|&result| module.tensor(result));
                let keeps = to.is_some_and(|to| to.element.is_float());
                if keeps { Reads::WithResult } else { Reads::Never }
            }
            // 0 + x is x except for -0, and x - 0 is x.
            onnx::ADD if other.is_some_and(|other| !self.may_be_negative(other)) => Reads::Never,
            onnx::SUB if index == 1 && other.is_some_and(|other| !self.may_be_negative(other)) => {
                Reads::Never
            }
            onnx::SUB if index == 0 && other.is_some_and(|other| is_not_zero(module, source, other)) => {
                Reads::Never
            }
            onnx::DIV if index == 1 => Reads::Always,
            onnx::MOD if index == 1 => Reads::Never,
            onnx::POW if index == 1 => Reads::Never,
            onnx::POW
                if other
                    .and_then(|other| known_number(module, source, other))
                    .is_some_and(|power| power >= 0.0) =>
            {
                Reads::WithResult
            }
            onnx::WHERE if index == 0 => Reads::Never,
            onnx::ADD
            | onnx::DIV
            | onnx::ELU
            | onnx::GELU
            | onnx::LEAKY_RELU
            | onnx::MOD
            | onnx::MUL
            | onnx::NEG
            | onnx::REDUCE_PROD
            | onnx::SUB
            | onnx::WHERE => Reads::WithResult,
            _ if moves(name) || ODD.contains(&name) => Reads::WithResult,
            _ => Reads::Always,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Never,
    /// Observed if the result's sign is.
    WithResult,
    Always,
}

/// Whether zeros in the results of an op may have either sign. Constants and ops that move elements may have other
/// users.
fn is_free(module: &Module, op: OpId) -> bool {
    let name = module.op(op).name;
    module.has_free_zeros(op) && name != onnx::CONSTANT && !moves(name)
}

/// The loop or branch op that owns each block.
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
    // The operand indices of the value in the op and in the terminator.
    let (operand, returned) = match module.op(op).name {
        onnx::IF => (None, Some(index)),
        // The iteration number and the condition come before carried values; only the condition is returned.
        onnx::LOOP if is_argument => (Some(index), index.checked_sub(1)),
        onnx::LOOP => (Some(index + 2), Some(index + 1)),
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

/// Sums, whose zeros have an unspecified sign.
const SUMS: &[OpName] = &[
    onnx::ATTENTION,
    onnx::AVERAGE_POOL,
    onnx::CONV,
    onnx::CONV_TRANSPOSE,
    onnx::CUM_SUM,
    onnx::GEMM,
    onnx::GLOBAL_AVERAGE_POOL,
    onnx::MAT_MUL,
    onnx::REDUCE_MEAN,
    onnx::REDUCE_SUM,
    onnx::REDUCE_SUM_SQUARE,
];

/// Ops whose results are elements of their operands.
fn moves(name: OpName) -> bool {
    matches!(name.class(), Class::Moves | Class::Indexes)
        || matches!(
            name,
            onnx::CLIP
                | onnx::MAX
                | onnx::MAX_POOL
                | onnx::MIN
                | onnx::REDUCE_MAX
                | onnx::REDUCE_MIN
                | onnx::RELU
                | onnx::RESIZE
        )
}

/// Functions that are -0 only at -0.
const ODD: &[OpName] = &[
    onnx::ASIN,
    onnx::ASINH,
    onnx::ATAN,
    onnx::ATANH,
    onnx::ERF,
    onnx::FLOOR,
    onnx::SIGN,
    onnx::SIN,
    onnx::SINH,
    onnx::SQRT,
    onnx::TAN,
    onnx::TANH,
];

/// Whether a constant may have an element -0.
fn holds_negative(module: &Module, source: &Source, value: ValueId) -> bool {
    let is_other = |number: f64| number != 0.0 || number.is_sign_positive();
    all_numbers(module, source, value, LARGE, is_other) != Some(true)
}

/// Whether no element of a value is zero.
fn is_not_zero(module: &Module, source: &Source, value: ValueId) -> bool {
    known_number(module, source, value).is_some_and(|number| number != 0.0)
}

/// Whether a predicate, or its negation, implies that a value is not zero: `x > 0 ? x : ...`.
pub(super) fn excludes_zero(
    module: &Module,
    source: &Source,
    predicate: ValueId,
    value: ValueId,
    holds: bool,
) -> bool {
    let Some(op) = module.defining_op(predicate) else { return false };
    let [left, right] = module.op(op).operands[..] else { return false };
    let name = module.op(op).name;
    if holds && name == onnx::AND {
        return [left, right].iter().any(|&part| excludes_zero(module, source, part, value, true));
    }
    let is = |value: ValueId, test: fn(f64) -> bool| known_number(module, source, value).is_some_and(test);
    match (name, holds) {
        (onnx::GREATER, true) | (onnx::LESS_OR_EQUAL, false) if left == value => is(right, |c| c >= 0.0),
        (onnx::LESS, true) | (onnx::GREATER_OR_EQUAL, false) if left == value => is(right, |c| c <= 0.0),
        (onnx::LESS, true) | (onnx::GREATER_OR_EQUAL, false) if right == value => is(left, |c| c >= 0.0),
        (onnx::GREATER, true) | (onnx::LESS_OR_EQUAL, false) if right == value => is(left, |c| c <= 0.0),
        (onnx::GREATER_OR_EQUAL, true) | (onnx::LESS, false) if left == value => is(right, |c| c > 0.0),
        (onnx::EQUAL, false) => {
            (left == value && is(right, |c| c == 0.0)) || (right == value && is(left, |c| c == 0.0))
        }
        _ => false,
    }
}
