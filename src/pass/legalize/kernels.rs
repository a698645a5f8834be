//! Which element types ONNX Runtime's CPU kernels take, measured with ONNX Runtime 1.31 at opset 26.

use crate::ir::Element::{self, *};
use crate::ops::LOWEST_OPSET;

/// The kernels of one ONNX op.
pub struct Kernel {
    /// The op, with its `reduction` behind a `#` where kernels depend on it.
    pub op: &'static str,
    /// The element types of its main operand that have a kernel, or that ONNX Runtime casts itself.
    pub elements: &'static [&'static [Element]],
    /// Which operand is the main one.
    pub main: usize,
    /// What a wider type does to the result.
    pub widening: Widening,
}

/// What computing in a wider type does to the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// The result is one of the operands' elements, so the wide result is the true one.
    Selects,
    /// The result may lie outside of the narrow type, where integers wrap.
    Computes,
    /// Elements are moved only: worth doing in the wide type when the operand is there already.
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

const fn kernel(op: &'static str, elements: &'static [&'static [Element]], widening: Widening) -> Kernel {
    Kernel { op, elements, main: 0, widening }
}

use Widening::{Computes, Moves, Selects};

/// One row an op; an op without a row runs on everything that is given to it.
pub const KERNELS: &[Kernel] = &[
    kernel("Abs", ALL, Computes),
    kernel("Acos", &[SINGLE], Computes),
    kernel("Acosh", &[SINGLE], Computes),
    kernel("Add", ALL, Computes),
    kernel("ArgMax", &[FLOATS, BYTES, I32_64], Selects),
    kernel("ArgMin", &[FLOATS, BYTES, I32_64], Selects),
    kernel("Asin", &[SINGLE], Computes),
    kernel("Asinh", &[SINGLE], Computes),
    kernel("Atan", &[SINGLE], Computes),
    kernel("Atanh", &[SINGLE], Computes),
    kernel("AveragePool", &[SINGLE], Computes),
    kernel("BatchNormalization", &[FLOATS], Computes),
    kernel("BitShift", &[&[U8], U32_64], Computes),
    kernel("BitwiseAnd", INTEGERS, Computes),
    kernel("BitwiseNot", INTEGERS, Computes),
    kernel("BitwiseOr", INTEGERS, Computes),
    kernel("BitwiseXor", INTEGERS, Computes),
    kernel("Ceil", &[FLOATS], Computes),
    kernel("Clip", NO_SHORTS, Selects),
    kernel("Concat", DATA, Moves),
    kernel("Conv", &[SINGLE], Computes),
    kernel("ConvTranspose", &[SINGLE], Computes),
    kernel("Cos", &[FLOATS], Computes),
    kernel("Cosh", &[SINGLE], Computes),
    kernel("CumProd", &[FLOATS, I32_64, U32_64], Computes),
    kernel("CumSum", NUMBERS, Computes),
    kernel("DepthToSpace", &[FLOATS, BYTES], Moves),
    kernel("Div", ALL, Computes),
    kernel("Elu", &[SINGLE], Computes),
    kernel("Equal", &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Selects),
    kernel("Erf", &[SINGLE], Computes),
    kernel("Exp", &[FLOATS], Computes),
    kernel("Expand", &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel("Floor", &[FLOATS], Computes),
    kernel("Gather", DATA, Moves),
    kernel("GatherElements", DATA, Moves),
    kernel("GatherND", DATA, Moves),
    kernel("Gelu", &[SINGLE], Computes),
    kernel("Gemm", &[FLOATS], Computes),
    kernel("GlobalAveragePool", &[SINGLE], Computes),
    kernel("Greater", ALL, Selects),
    kernel("GreaterOrEqual", ALL, Selects),
    kernel("Identity", &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel("InstanceNormalization", &[SINGLE], Computes),
    kernel("IsInf", &[FLOATS, BF, FLOAT8], Selects),
    kernel("IsNaN", &[FLOATS, BF, FLOAT8], Selects),
    kernel("LayerNormalization", &[FLOATS], Computes),
    kernel("LeakyRelu", &[SINGLE], Computes),
    kernel("Less", ALL, Selects),
    kernel("LessOrEqual", ALL, Selects),
    kernel("Log", &[FLOATS], Computes),
    kernel("LogSoftmax", &[FLOATS], Computes),
    kernel("MatMul", &[FLOATS, I32_64, U32_64], Computes),
    kernel("Max", NO_SHORTS, Selects),
    kernel("MaxPool", &[FLOATS, BYTES], Selects),
    kernel("Min", NO_SHORTS, Selects),
    kernel("Mod", ALL, Computes),
    kernel("Mul", ALL, Computes),
    kernel("Neg", &[FLOATS, SIGNED], Computes),
    kernel("Pad", &[FLOATS, BYTES, I32_64, U32_64, BOOL], Moves),
    kernel("Pow", NUMBERS, Computes),
    kernel("RMSNormalization", &[FLOATS], Computes),
    kernel("Reciprocal", &[FLOATS], Computes),
    kernel("ReduceMax", &[FLOATS, BYTES, I32_64, BOOL], Selects),
    kernel("ReduceMean", NUMBERS, Computes),
    kernel("ReduceMin", &[FLOATS, BYTES, I32_64, BOOL], Selects),
    kernel("ReduceProd", NUMBERS, Computes),
    kernel("ReduceSum", NUMBERS, Computes),
    kernel("ReduceSumSquare", NUMBERS, Computes),
    kernel("Relu", &[FLOATS, &[I8, I32]], Selects),
    kernel("Reshape", &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel("Round", &[FLOATS], Computes),
    kernel("ScatterElements", DATA, Moves),
    kernel("ScatterElements#add", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel("ScatterElements#max", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    kernel("ScatterElements#min", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    kernel("ScatterElements#mul", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel("ScatterND", DATA, Moves),
    kernel("ScatterND#add", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel("ScatterND#max", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    kernel("ScatterND#min", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64], Selects),
    kernel("ScatterND#mul", &[&[F32, F64], BYTES, SHORTS, I32_64, U32_64, BOOL], Computes),
    kernel("Shape", &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel("Sigmoid", &[FLOATS], Computes),
    kernel("Sign", &[FLOATS, BF, BYTES, SHORTS, I32_64, U32_64], Computes),
    kernel("Sin", &[FLOATS], Computes),
    kernel("Sinh", &[SINGLE], Computes),
    kernel("Slice", DATA, Moves),
    kernel("Softmax", &[FLOATS], Computes),
    kernel("Split", DATA, Moves),
    kernel("Sqrt", &[FLOATS], Computes),
    kernel("Squeeze", DATA, Moves),
    kernel("Sub", ALL, Computes),
    kernel("Tan", &[SINGLE], Computes),
    kernel("Tanh", &[FLOATS], Computes),
    kernel("Tile", &[FLOATS, BYTES, SHORTS, I32_64, U32_64, BOOL], Moves),
    kernel("TopK", &[FLOATS, BYTES, &[I16], I32_64], Selects),
    kernel("Transpose", &[FLOATS, BF, FLOAT8, BYTES, SHORTS, I32_64, U32_64, BOOL, &[I4, U4]], Moves),
    kernel("Trilu", &[FLOATS, I32_64, BOOL], Moves),
    kernel("Unsqueeze", DATA, Moves),
    Kernel { op: "Where", elements: &[FLOATS, BYTES, I32_64, &[U32]], main: 1, widening: Selects },
];

/// Element types of rows above that an op takes only from a later opset than the lowest on: its schema lacks them before
/// (`onnx.defs`), or ONNX Runtime has no kernel for the older version of the op. Measured at the opsets 18 to 26.
const LATER: &[(&str, &[&[Element]], u32)] = &[
    ("Identity", &[FLOAT8], 19),
    ("IsInf", &[&[F16], BF, FLOAT8], 20),
    ("IsNaN", &[BF, FLOAT8], 20),
    ("ReduceMax", &[BOOL], 20),
    ("ReduceMin", &[BOOL], 20),
    ("Reshape", &[FLOAT8], 21),
    ("Shape", &[FLOAT8], 21),
    ("Transpose", &[FLOAT8, &[I4, U4]], 21),
];

/// The opset from which on an op takes an element type that its row has.
pub fn since(op: &str, element: Element) -> u32 {
    let later =
        LATER.iter().find(|(name, sets, _)| *name == op && sets.iter().any(|set| set.contains(&element)));
    later.map_or(LOWEST_OPSET, |&(.., since)| since)
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
        Bool => &[U8, I32],
        I4 => &[I8, I32],
        U4 => &[U8, I32],
        _ => &[],
    }
}
