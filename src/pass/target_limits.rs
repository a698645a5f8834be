//! Nodes that a target does not run, or computes incorrectly, whatever the table of its kernels states.

use crate::ir::{Attribute, Element, Module, OpId, OpName, TensorType, onnx};
use crate::target::{Capability, Target};

/// Whether a node has what the target lacks.
type Matches = fn(&Module, OpId) -> bool;

/// The nodes, by the capability without which they fail, and what the target has, as the end of the sentence "the target
/// has ...".
const LIMITS: &[(Capability, OpName, Matches, &str)] = &[
    (Capability::SameLower, onnx::AVERAGE_POOL, pads_before, NO_SAME_LOWER),
    (Capability::SameLower, onnx::CONV, pads_before, NO_SAME_LOWER),
    (Capability::SameLower, onnx::MAX_POOL, pads_before, NO_SAME_LOWER),
    (Capability::LongProducts, onnx::CONV, is_of_long_integers, NO_LONG_PRODUCTS),
    (Capability::LongProducts, onnx::MAT_MUL, is_of_long_integers, NO_LONG_PRODUCTS),
    (Capability::UnsignedSums, onnx::REDUCE_SUM, is_of_long_unsigned, "no sums of these integers"),
    (Capability::FourSpatialDims, onnx::AVERAGE_POOL, has_four_spatial_dims, FEW_DIMS),
    (Capability::FourSpatialDims, onnx::CONV, has_four_spatial_dims, FEW_DIMS),
    (Capability::FourSpatialDims, onnx::CONV_TRANSPOSE, has_four_spatial_dims, FEW_DIMS),
    (Capability::FourSpatialDims, onnx::MAX_POOL, has_four_spatial_dims, FEW_DIMS),
];

const FEW_DIMS: &str = "no convolutions and pools of more than 3 spatial dimensions";
const NO_LONG_PRODUCTS: &str = "no matrix products of these integers";
const NO_SAME_LOWER: &str = "no padding whose larger half is before the elements";

/// What the target lacks for a node.
pub fn limit(module: &Module, op: OpId, target: Target) -> Option<&'static str> {
    let name = module.op(op).name;
    let limit = |&&(capability, of, matches, _): &&(Capability, OpName, Matches, &str)| {
        of == name && !target.can(capability) && matches(module, op)
    };
    LIMITS.iter().find(limit).map(|&(.., why)| why)
}

fn pads_before(module: &Module, op: OpId) -> bool {
    module.attribute(op, "auto_pad").and_then(Attribute::as_str) == Some("SAME_LOWER")
}

fn first(module: &Module, op: OpId) -> Option<&TensorType> {
    module.tensor(*module.op(op).operands.first()?)
}

fn has_four_spatial_dims(module: &Module, op: OpId) -> bool {
    first(module, op).is_some_and(|tensor| tensor.rank() > 5)
}

fn is_of_long_integers(module: &Module, op: OpId) -> bool {
    first(module, op)
        .is_some_and(|tensor| matches!(tensor.element, Element::I64 | Element::U32 | Element::U64))
}

fn is_of_long_unsigned(module: &Module, op: OpId) -> bool {
    first(module, op).is_some_and(|tensor| matches!(tensor.element, Element::U32 | Element::U64))
}
