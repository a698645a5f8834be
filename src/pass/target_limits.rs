//! Nodes that a target does not run, or computes incorrectly, whatever the table of its kernels states.

use crate::ir::{Attribute, Module, OpId, OpName, onnx};
use crate::target::{Capability, Target};

/// Whether a node has what the target lacks.
type Matches = fn(&Module, OpId) -> bool;

/// The nodes, by the capability without which they fail, and what the target has, as the end of the sentence "the target
/// has ...".
const LIMITS: &[(Capability, OpName, Matches, &str)] = &[
    (Capability::SameLower, onnx::AVERAGE_POOL, pads_before, NO_SAME_LOWER),
    (Capability::SameLower, onnx::CONV, pads_before, NO_SAME_LOWER),
    (Capability::SameLower, onnx::MAX_POOL, pads_before, NO_SAME_LOWER),
];

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
