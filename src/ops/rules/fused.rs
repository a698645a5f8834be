//! Rules of the ops that the pass `fuse` makes.

use super::typing::{Typing, one};
use super::{Count, Inferred, Rule, rule, variadic};

pub(super) const RULES: &[Rule] = &[
    rule("hlo2onnx.gelu", 1, first),
    variadic("hlo2onnx.group_norm", 1, Count::Exactly(1), first),
    variadic("hlo2onnx.layer_norm", 1, Count::Exactly(1), first),
    rule("hlo2onnx.leaky_relu", 1, first),
    rule("hlo2onnx.log_softmax", 1, first),
    variadic("hlo2onnx.rms_norm", 1, Count::Exactly(1), first),
    rule("hlo2onnx.softmax", 1, first),
];

/// The result has the type of the first operand.
fn first(t: &Typing) -> Inferred {
    one(t.operand(0)?.clone())
}
