//! Which opset has which ONNX op and element type.

use crate::ir::{Element, OpName, onnx};

/// The default opset.
pub const DEFAULT_OPSET: u32 = 18;
/// The lowest opset that can be requested.
pub const LOWEST_OPSET: u32 = 15;
/// The highest opset that ONNX Runtime 1.31 reads.
pub const HIGHEST_OPSET: u32 = 26;

/// ONNX ops that were added, or got the form that is emitted here, after [`LOWEST_OPSET`] (ONNX `docs/Changelog.md`).
const SINCE: &[(OpName, u32)] = &[
    (onnx::LAYER_NORMALIZATION, 17),
    (onnx::BITWISE_AND, 18),
    (onnx::BITWISE_NOT, 18),
    (onnx::BITWISE_OR, 18),
    (onnx::BITWISE_XOR, 18),
    (onnx::GELU, 20),
    (onnx::ATTENTION, 23),
    (onnx::BIT_CAST, 26),
    (onnx::CUM_PROD, 26),
    (onnx::RMS_NORMALIZATION, 23),
    (onnx::ROTARY_EMBEDDING, 23),
    (onnx::TENSOR_SCATTER, 24),
];

/// The first opset with an op.
pub fn since(op: OpName) -> u32 {
    SINCE.iter().find(|row| row.0 == op).map_or(LOWEST_OPSET, |row| row.1)
}

/// The first opset with tensors of an element type.
pub fn element_since(element: Element) -> u32 {
    match element {
        Element::F8E4M3FN | Element::F8E4M3FNUZ | Element::F8E5M2 | Element::F8E5M2FNUZ => 19,
        Element::I4 | Element::U4 => 21,
        _ => LOWEST_OPSET,
    }
}
