//! How ops without a kernel in ONNX Runtime compute in a wider element type.

use crate::ir::Element::{self, *};
use crate::ir::{OpName, onnx};

/// How the element types of an ONNX op are widened.
pub struct Rule {
    /// The op.
    pub op: OpName,
    /// Its `reduction`, if kernels depend on it; otherwise empty.
    pub reduction: &'static str,
    /// The index of the main operand, whose element type decides.
    pub main: usize,
    /// How a wider type affects the result.
    pub widening: Widening,
}

/// How computing in a wider type affects the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// The result is an element of the operands, so the wide result is correct.
    Selects,
    /// The result may be out of range of the narrow type, where integers wrap.
    Computes,
    /// Moves elements: only done in the wide type if the operand is already wide.
    Moves,
}

const fn rule(op: OpName, widening: Widening) -> Rule {
    Rule { op, reduction: "", main: 0, widening }
}

const fn reducing(op: OpName, reduction: &'static str, widening: Widening) -> Rule {
    Rule { reduction, ..rule(op, widening) }
}

use Widening::{Computes, Moves, Selects};

/// One row per op; an op without a row supports every type. The element types are in the tables of `target::kernels`.
pub const RULES: &[Rule] = &[
    rule(onnx::ABS, Computes),
    rule(onnx::ACOS, Computes),
    rule(onnx::ACOSH, Computes),
    rule(onnx::ADD, Computes),
    rule(onnx::ARG_MAX, Selects),
    rule(onnx::ARG_MIN, Selects),
    rule(onnx::ASIN, Computes),
    rule(onnx::ASINH, Computes),
    rule(onnx::ATAN, Computes),
    rule(onnx::ATANH, Computes),
    rule(onnx::AVERAGE_POOL, Computes),
    rule(onnx::BATCH_NORMALIZATION, Computes),
    rule(onnx::BIT_SHIFT, Computes),
    rule(onnx::BITWISE_AND, Computes),
    rule(onnx::BITWISE_NOT, Computes),
    rule(onnx::BITWISE_OR, Computes),
    rule(onnx::BITWISE_XOR, Computes),
    rule(onnx::CEIL, Computes),
    rule(onnx::CLIP, Selects),
    rule(onnx::CONCAT, Moves),
    rule(onnx::CONV, Computes),
    rule(onnx::CONV_TRANSPOSE, Computes),
    rule(onnx::COS, Computes),
    rule(onnx::COSH, Computes),
    rule(onnx::CUM_PROD, Computes),
    rule(onnx::CUM_SUM, Computes),
    rule(onnx::DEPTH_TO_SPACE, Moves),
    rule(onnx::DIV, Computes),
    rule(onnx::ELU, Computes),
    rule(onnx::EQUAL, Selects),
    rule(onnx::ERF, Computes),
    rule(onnx::EXP, Computes),
    rule(onnx::EXPAND, Moves),
    rule(onnx::FLOOR, Computes),
    rule(onnx::GATHER, Moves),
    rule(onnx::GATHER_ELEMENTS, Moves),
    rule(onnx::GATHER_ND, Moves),
    rule(onnx::GELU, Computes),
    rule(onnx::GEMM, Computes),
    rule(onnx::GLOBAL_AVERAGE_POOL, Computes),
    rule(onnx::GREATER, Selects),
    rule(onnx::GREATER_OR_EQUAL, Selects),
    rule(onnx::GRU, Computes),
    rule(onnx::HARD_SIGMOID, Computes),
    rule(onnx::IDENTITY, Moves),
    rule(onnx::INSTANCE_NORMALIZATION, Computes),
    rule(onnx::IS_INF, Selects),
    rule(onnx::IS_NAN, Selects),
    rule(onnx::LAYER_NORMALIZATION, Computes),
    rule(onnx::LEAKY_RELU, Computes),
    rule(onnx::LESS, Selects),
    rule(onnx::LESS_OR_EQUAL, Selects),
    rule(onnx::LOG, Computes),
    rule(onnx::LOG_SOFTMAX, Computes),
    rule(onnx::LSTM, Computes),
    rule(onnx::MAT_MUL, Computes),
    rule(onnx::MAX, Selects),
    rule(onnx::MAX_POOL, Selects),
    rule(onnx::MIN, Selects),
    rule(onnx::MOD, Computes),
    rule(onnx::MUL, Computes),
    rule(onnx::NEG, Computes),
    rule(onnx::PAD, Moves),
    rule(onnx::POW, Computes),
    rule(onnx::RMS_NORMALIZATION, Computes),
    rule(onnx::RECIPROCAL, Computes),
    rule(onnx::REDUCE_MAX, Selects),
    rule(onnx::REDUCE_MEAN, Computes),
    rule(onnx::REDUCE_MIN, Selects),
    rule(onnx::REDUCE_PROD, Computes),
    rule(onnx::REDUCE_SUM, Computes),
    rule(onnx::REDUCE_SUM_SQUARE, Computes),
    rule(onnx::RELU, Selects),
    rule(onnx::RESHAPE, Moves),
    rule(onnx::RNN, Computes),
    rule(onnx::ROUND, Computes),
    rule(onnx::SCATTER_ELEMENTS, Moves),
    reducing(onnx::SCATTER_ELEMENTS, "add", Computes),
    reducing(onnx::SCATTER_ELEMENTS, "max", Selects),
    reducing(onnx::SCATTER_ELEMENTS, "min", Selects),
    reducing(onnx::SCATTER_ELEMENTS, "mul", Computes),
    rule(onnx::SCATTER_ND, Moves),
    reducing(onnx::SCATTER_ND, "add", Computes),
    reducing(onnx::SCATTER_ND, "max", Selects),
    reducing(onnx::SCATTER_ND, "min", Selects),
    reducing(onnx::SCATTER_ND, "mul", Computes),
    rule(onnx::SHAPE, Moves),
    rule(onnx::SIGMOID, Computes),
    rule(onnx::SIGN, Computes),
    rule(onnx::SIN, Computes),
    rule(onnx::SINH, Computes),
    rule(onnx::SLICE, Moves),
    rule(onnx::SOFTMAX, Computes),
    rule(onnx::SOFTPLUS, Computes),
    rule(onnx::SPLIT, Moves),
    rule(onnx::SQRT, Computes),
    rule(onnx::SQUEEZE, Moves),
    rule(onnx::SUB, Computes),
    rule(onnx::SUM, Computes),
    rule(onnx::TAN, Computes),
    rule(onnx::TANH, Computes),
    rule(onnx::TILE, Moves),
    rule(onnx::TOP_K, Selects),
    rule(onnx::TRANSPOSE, Moves),
    rule(onnx::TRILU, Moves),
    rule(onnx::UNSQUEEZE, Moves),
    Rule { main: 1, ..rule(onnx::WHERE, Selects) },
];

impl Rule {
    /// Whether one of the kernels, by the element types of the main operand, computes an element type at an opset. ONNX
    /// Runtime computes f16 in f32 where it has no kernel.
    pub fn has(&self, kernels: Option<&[Element]>, opset: u32, element: Element) -> bool {
        let by_runtime = if element == F16 { F32 } else { element };
        let is_reduced = !self.reduction.is_empty();
        let excluded = is_reduced && REDUCTIONS_LACK.contains(&element)
            // The schema of IsInf has no f16 below opset 20.
            || self.op == onnx::IS_INF && element == F16 && opset < 20
            || is_reduced && element == Bool && matches!(self.reduction, "max" | "min");
        !excluded && kernels.is_none_or(|kernels| kernels.contains(&by_runtime))
    }
}

/// Element types that a scatter moves, and does not combine. The tables do not know the reduction of a kernel.
const REDUCTIONS_LACK: &[Element] = &[BF16, F16];

/// Ops whose result in two's complement does not depend on the sign.
const WRAPS: &[OpName] = &[
    onnx::ADD,
    onnx::BITWISE_AND,
    onnx::BITWISE_NOT,
    onnx::BITWISE_OR,
    onnx::BITWISE_XOR,
    onnx::EQUAL,
    onnx::MUL,
    onnx::SUB,
];

/// Whether the bits of an op's integer result do not depend on the sign.
pub fn wraps(op: OpName) -> bool {
    WRAPS.contains(&op)
}

/// The types in which the twins of a value may be.
pub fn twins(element: Element) -> impl Iterator<Item = Element> {
    let same_width = (element == U32).then_some(I32);
    same_width.into_iter().chain(wider(element).iter().copied())
}

/// The types that an op computes in instead, best first.
pub fn wider_in(rule: &Rule, element: Element, has_u64: bool) -> &'static [Element] {
    match element {
        U32 if WRAPS.contains(&rule.op) => &[I32, I64],
        // A number from 2^63 on is negative in `i64`.
        U64 if has_u64 || rule.widening == Computes => {
            let keeps = rule.widening == Moves || WRAPS.contains(&rule.op);
            if keeps { &[I64] } else { &[] }
        }
        _ => wider(element),
    }
}

/// The types to compute in instead, best first.
pub fn wider(element: Element) -> &'static [Element] {
    match element {
        BF16 | F16 | F8E4M3FN | F8E4M3FNUZ | F8E5M2 | F8E5M2FNUZ | F64 => &[F32],
        I8 | I16 => &[I32, I64],
        U8 => &[I32, U32, I64],
        U16 => &[I32, U32, I64],
        I32 => &[I64],
        U32 => &[I64, U64],
        U64 => &[I64],
        Bool => &[I32],
        // ONNX Runtime up to 1.26 casts bytes to 4 bits incorrectly.
        I4 => &[I32, I8],
        U4 => &[I32, U8],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;
    use crate::ir::{Dialect, OpName, onnx};

    /// Ops that only lowerings for certain element types emit, ops of booleans, and ops with graphs.
    const UNRESTRICTED: &[OpName] = &[
        onnx::AND,
        onnx::ATTENTION,
        onnx::BERNOULLI,
        onnx::BIT_CAST,
        onnx::CAST,
        onnx::CAST_LIKE,
        onnx::CONSTANT,
        onnx::DEQUANTIZE_LINEAR,
        onnx::DROPOUT,
        onnx::IF,
        onnx::LOOP,
        onnx::MULTINOMIAL,
        onnx::NOT,
        onnx::OR,
        onnx::QUANTIZE_LINEAR,
        onnx::RANDOM_NORMAL,
        onnx::RANDOM_NORMAL_LIKE,
        onnx::RANDOM_UNIFORM,
        onnx::RANDOM_UNIFORM_LIKE,
        onnx::RANGE,
        onnx::RESIZE,
        onnx::RETURN,
        onnx::ROTARY_EMBEDDING,
        onnx::SCAN,
        onnx::SPACE_TO_DEPTH,
        onnx::TENSOR_SCATTER,
        onnx::XOR,
    ];

    #[test]
    fn each_onnx_op_has_a_row_or_is_unrestricted() {
        for op in OpName::all().filter(|op| op.dialect() == Dialect::Onnx) {
            let has_row = RULES.iter().any(|rule| rule.op == op);
            assert_ne!(has_row, UNRESTRICTED.contains(&op), "{}", op.text());
        }
    }
}
