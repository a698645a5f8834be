//! Element types of ONNX Runtime's CPU kernels, measured with ONNX Runtime 1.31 at opset 26.

use crate::ir::Element::{self, *};
use crate::ir::{OpName, onnx};
use crate::target::LOWEST_OPSET;

/// The kernels of one ONNX op.
pub struct Kernel {
    /// The op.
    pub op: OpName,
    /// Its `reduction`, if kernels depend on it; otherwise empty.
    pub reduction: &'static str,
    /// The element types of its main operand that have a kernel, or that ONNX Runtime casts itself.
    pub elements: &'static [&'static [Element]],
    /// The index of the main operand.
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

const FLOATS: &[Element] = &[F16, F32, F64];
const SINGLE: &[Element] = &[F16, F32];
const BF: &[Element] = &[BF16];
const FLOAT8: &[Element] = &[F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ];
const BYTES: &[Element] = &[I8, U8];
const SHORTS: &[Element] = &[I16, U16];
const SIGNED: &[Element] = &[I8, I16, I32, I64];
const I32_64: &[Element] = &[I32, I64];
const U32_64: &[Element] = &[U32, U64];
const BOOL: &[Element] = &[Bool];
const ALL: &[&[Element]] = &[FLOATS, BYTES, SHORTS, I32_64, U32_64];
const INTEGERS: &[&[Element]] = &[BYTES, SHORTS, I32_64, U32_64];
const NO_SHORTS: &[&[Element]] = &[FLOATS, BYTES, I32_64, U32_64];
const NUMBERS: &[&[Element]] = &[FLOATS, I32_64];
const DATA: &[&[Element]] = &[FLOATS, BF, BYTES, SHORTS, I32_64, U32_64, BOOL];

const fn kernel(op: OpName, elements: &'static [&'static [Element]], widening: Widening) -> Kernel {
    Kernel { op, reduction: "", elements, main: 0, widening }
}

const fn reducing(
    op: OpName,
    reduction: &'static str,
    elements: &'static [&'static [Element]],
    widening: Widening,
) -> Kernel {
    Kernel { reduction, ..kernel(op, elements, widening) }
}

use Widening::{Computes, Moves, Selects};

/// One row per op; an op without a row supports every type.
pub const KERNELS: &[Kernel] = &[
    kernel(onnx::ABS, ALL, Computes),
    kernel(onnx::ACOS, &[SINGLE], Computes),
    kernel(onnx::ACOSH, &[SINGLE], Computes),
    kernel(onnx::ADD, ALL, Computes),
    kernel(onnx::ARG_MAX, &[FLOATS, BYTES, I32_64], Selects),
    kernel(onnx::ARG_MIN, &[FLOATS, BYTES, I32_64], Selects),
    kernel(onnx::ASIN, &[SINGLE], Computes),
    kernel(onnx::ASINH, &[SINGLE], Computes),
    kernel(onnx::ATAN, &[SINGLE], Computes),
    kernel(onnx::ATANH, &[SINGLE], Computes),
    kernel(onnx::AVERAGE_POOL, &[SINGLE], Computes),
    kernel(onnx::BATCH_NORMALIZATION, &[FLOATS], Computes),
    kernel(onnx::BIT_SHIFT, &[&[U8], U32_64], Computes),
    kernel(onnx::BITWISE_AND, INTEGERS, Computes),
    kernel(onnx::BITWISE_NOT, INTEGERS, Computes),
    kernel(onnx::BITWISE_OR, INTEGERS, Computes),
    kernel(onnx::BITWISE_XOR, INTEGERS, Computes),
    kernel(onnx::CEIL, &[FLOATS], Computes),
    kernel(onnx::CLIP, NO_SHORTS, Selects),
    kernel(onnx::CONCAT, DATA, Moves),
    kernel(onnx::CONV, &[SINGLE], Computes),
    kernel(onnx::CONV_TRANSPOSE, &[SINGLE], Computes),
    kernel(onnx::COS, &[FLOATS], Computes),
    kernel(onnx::COSH, &[SINGLE], Computes),
    kernel(onnx::CUM_PROD, &[FLOATS, I32_64, U32_64], Computes),
    kernel(onnx::CUM_SUM, NUMBERS, Computes),
    kernel(onnx::DEPTH_TO_SPACE, &[FLOATS, BYTES], Moves),
    kernel(onnx::DIV, ALL, Computes),
    kernel(onnx::ELU, &[SINGLE], Computes),
    kernel(onnx::EQUAL, &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Selects),
    kernel(onnx::ERF, &[SINGLE], Computes),
    kernel(onnx::EXP, &[FLOATS], Computes),
    kernel(onnx::EXPAND, &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::FLOOR, &[FLOATS], Computes),
    kernel(onnx::GATHER, DATA, Moves),
    kernel(onnx::GATHER_ELEMENTS, DATA, Moves),
    kernel(onnx::GATHER_ND, DATA, Moves),
    kernel(onnx::GELU, &[SINGLE], Computes),
    kernel(onnx::GEMM, &[FLOATS], Computes),
    kernel(onnx::GLOBAL_AVERAGE_POOL, &[SINGLE], Computes),
    kernel(onnx::GREATER, ALL, Selects),
    kernel(onnx::GREATER_OR_EQUAL, ALL, Selects),
    kernel(onnx::IDENTITY, &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::INSTANCE_NORMALIZATION, &[SINGLE], Computes),
    kernel(onnx::IS_INF, &[FLOATS, BF, FLOAT8], Selects),
    kernel(onnx::IS_NAN, &[FLOATS, BF, FLOAT8], Selects),
    kernel(onnx::LAYER_NORMALIZATION, &[FLOATS], Computes),
    kernel(onnx::LEAKY_RELU, &[SINGLE], Computes),
    kernel(onnx::LESS, ALL, Selects),
    kernel(onnx::LESS_OR_EQUAL, ALL, Selects),
    kernel(onnx::LOG, &[FLOATS], Computes),
    kernel(onnx::LOG_SOFTMAX, &[FLOATS], Computes),
    kernel(onnx::MAT_MUL, &[FLOATS, I32_64, U32_64], Computes),
    kernel(onnx::MAX, NO_SHORTS, Selects),
    kernel(onnx::MAX_POOL, &[FLOATS, BYTES], Selects),
    kernel(onnx::MIN, NO_SHORTS, Selects),
    kernel(onnx::MOD, ALL, Computes),
    kernel(onnx::MUL, ALL, Computes),
    kernel(onnx::NEG, &[FLOATS, SIGNED], Computes),
    kernel(onnx::PAD, &[FLOATS, BYTES, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::POW, NUMBERS, Computes),
    kernel(onnx::RMS_NORMALIZATION, &[FLOATS], Computes),
    kernel(onnx::RECIPROCAL, &[FLOATS], Computes),
    kernel(onnx::REDUCE_MAX, &[FLOATS, BYTES, I32_64, BOOL], Selects),
    kernel(onnx::REDUCE_MEAN, NUMBERS, Computes),
    kernel(onnx::REDUCE_MIN, &[FLOATS, BYTES, I32_64, BOOL], Selects),
    kernel(onnx::REDUCE_PROD, NUMBERS, Computes),
    kernel(onnx::REDUCE_SUM, NUMBERS, Computes),
    kernel(onnx::REDUCE_SUM_SQUARE, NUMBERS, Computes),
    kernel(onnx::RELU, &[FLOATS, &[I8, I32]], Selects),
    kernel(onnx::RESHAPE, &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::ROUND, &[FLOATS], Computes),
    kernel(onnx::SCATTER_ELEMENTS, DATA, Moves),
    reducing(onnx::SCATTER_ELEMENTS, "add", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    reducing(onnx::SCATTER_ELEMENTS, "max", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    reducing(onnx::SCATTER_ELEMENTS, "min", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    reducing(onnx::SCATTER_ELEMENTS, "mul", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel(onnx::SCATTER_ND, DATA, Moves),
    reducing(onnx::SCATTER_ND, "add", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    reducing(onnx::SCATTER_ND, "max", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    reducing(onnx::SCATTER_ND, "min", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    reducing(onnx::SCATTER_ND, "mul", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel(onnx::SHAPE, &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::SIGMOID, &[FLOATS], Computes),
    kernel(onnx::SIGN, &[FLOATS, BF, BYTES, SHORTS, I32_64, U32_64], Computes),
    kernel(onnx::SIN, &[FLOATS], Computes),
    kernel(onnx::SINH, &[SINGLE], Computes),
    kernel(onnx::SLICE, DATA, Moves),
    kernel(onnx::SOFTMAX, &[FLOATS], Computes),
    kernel(onnx::SPLIT, DATA, Moves),
    kernel(onnx::SQRT, &[FLOATS], Computes),
    kernel(onnx::SQUEEZE, DATA, Moves),
    kernel(onnx::SUB, ALL, Computes),
    kernel(onnx::TAN, &[SINGLE], Computes),
    kernel(onnx::TANH, &[FLOATS], Computes),
    kernel(onnx::TILE, &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel(onnx::TOP_K, &[FLOATS, BYTES, &[I16], I32_64], Selects),
    kernel(onnx::TRANSPOSE, &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL, &[I4, U4]], Moves),
    kernel(onnx::TRILU, &[FLOATS, I32_64, BOOL], Moves),
    kernel(onnx::UNSQUEEZE, DATA, Moves),
    Kernel { main: 1, ..kernel(onnx::WHERE, &[FLOATS, BYTES, I32_64, &[U32]], Selects) },
];

/// Element types above that an op supports only from a later opset on: earlier schemas lack them (`onnx.defs`), or
/// ONNX Runtime has no kernel for the older version. Measured at opsets 18 to 26.
const LATER: &[(OpName, &[&[Element]], u32)] = &[
    (onnx::IDENTITY, &[FLOAT8], 19),
    (onnx::IS_INF, &[&[F16], BF, FLOAT8], 20),
    (onnx::IS_NAN, &[BF, FLOAT8], 20),
    (onnx::REDUCE_MAX, &[BOOL], 20),
    (onnx::REDUCE_MIN, &[BOOL], 20),
    (onnx::RESHAPE, &[FLOAT8], 21),
    (onnx::SHAPE, &[FLOAT8], 21),
    (onnx::TRANSPOSE, &[FLOAT8, &[I4, U4]], 21),
];

/// The first opset in which an op supports an element type of its row.
pub fn since(op: OpName, element: Element) -> u32 {
    let later =
        LATER.iter().find(|(name, sets, _)| *name == op && sets.iter().any(|set| set.contains(&element)));
    later.map_or(LOWEST_OPSET, |&(.., since)| since)
}

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
pub fn wider_in(kernel: &Kernel, element: Element) -> &'static [Element] {
    match element {
        U32 if WRAPS.contains(&kernel.op) => &[I32, I64],
        // A number from 2^63 on is negative in `i64`.
        U64 if kernel.elements.iter().any(|set| set.contains(&U64)) || kernel.widening == Computes => {
            let keeps = kernel.widening == Moves || WRAPS.contains(&kernel.op);
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
        I4 => &[I8, I32],
        U4 => &[U8, I32],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::KERNELS;
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
        onnx::DFT,
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
            let has_row = KERNELS.iter().any(|kernel| kernel.op == op);
            assert_ne!(has_row, UNRESTRICTED.contains(&op), "{}", op.text());
        }
    }
}
