//! Whether a value may have infinities although the inputs of the model have none.

use crate::ir::{Module, ValueId, onnx};
use crate::ops::fold::{Tensor, float};
use crate::source::Source;

/// This many ops are followed.
const MOST_OPS: usize = 256;

/// Whether a value may be computed from an infinite constant or by an op with poles, as logarithms of probabilities and masks
/// are. Ops that return numbers of a range, or NaN, are not followed.
pub(super) fn may_be(module: &Module, source: &Source, value: ValueId) -> bool {
    let (mut open, mut seen) = (vec![value], 0);
    while let Some(value) = open.pop() {
        if let Some(constant) = module.constant_of(value) {
            let Some(tensor) = Tensor::read(module, source, constant) else { return true };
            let number = |&bits: &i64| float(tensor.element, bits);
            if tensor.bits.iter().filter_map(number).any(|number| !number.is_finite()) {
                return true;
            }
            continue;
        }
        let Some(op) = module.defining_op(value) else { continue };
        seen += 1;
        let operation = module.op(op);
        match operation.name {
            _ if seen > MOST_OPS || !operation.regions.is_empty() => return true,
            onnx::LOG | onnx::LOG_SOFTMAX | onnx::RECIPROCAL | onnx::POW | onnx::TAN | onnx::ATANH => {
                return true;
            }
            onnx::DIV if module.constant_of(operation.operands[1]).is_none() => return true,
            onnx::MAT_MUL
            | onnx::GEMM
            | onnx::CONV
            | onnx::TANH
            | onnx::SIGMOID
            | onnx::SOFTMAX
            | onnx::ERF
            | onnx::SIN
            | onnx::COS
            | onnx::LAYER_NORMALIZATION => {}
            _ => open.extend(operation.operands.iter().filter(|value| module.tensor(**value).is_some())),
        }
    }
    false
}
