//! Writes `Cos` of `f64` with `Sin`: ONNX Runtime has a kernel of `Sin` in all releases, and of `Cos` from 1.29 on.

use crate::ir::{Element, Module, OpId, Rewriter, ValueId, onnx};
use crate::target::Target;
use std::f64::consts::FRAC_PI_2;

/// Replaces the cosines of all functions that have no kernel in the runtime.
pub(super) fn run(module: &mut Module, opset: u32, runtime: Option<Target>) {
    let elements = runtime.and_then(|target| target.elements(onnx::COS, opset, 0));
    let has_kernel = elements.is_none_or(|elements| elements.contains(&Element::F64));
    if has_kernel || !module.reachable_ops().iter().any(|&op| module.op(op).name == onnx::COS) {
        return;
    }
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let Some(cosine) = cosine(rewriter, op) else { return true };
            rewriter.replace(rewriter.module.op(op).results[0], cosine);
            false
        });
    }
}

/// Angles up to this are subtracted from a quarter turn.
const NEAR: f64 = 4.0;
/// What pi / 2 has beyond its `f64`.
const FRAC_PI_2_REST: f64 = 6.123233995736766e-17;

/// `sin(pi/2 - |x|)` for small angles, which is exact near the zeros, and `1 - 2 sin(x/2)^2` for others, whose absolute
/// error does not grow with the angle.
fn cosine(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operation = rewriter.module.op(op);
    let &x = operation.operands.first().filter(|_| operation.name == onnx::COS)?;
    rewriter.module.tensor(x).filter(|tensor| tensor.element == Element::F64)?;
    let mut number = |number: f64| rewriter.bytes(Element::F64, &[], &number.to_le_bytes());
    let (quarter, rest, limit) = (number(FRAC_PI_2), number(FRAC_PI_2_REST), number(NEAR));
    let (half, one) = (number(0.5), number(1.0));
    let magnitude = rewriter.create(onnx::ABS, &[x]).like(x);
    let ty = rewriter.module.value_type(x);
    let truth = rewriter.module.with_element(ty, Element::Bool);
    let is_near = rewriter.create(onnx::LESS, &[magnitude, limit]).of(truth);
    let difference = rewriter.create(onnx::SUB, &[quarter, magnitude]).like(x);
    let complement = rewriter.create(onnx::ADD, &[difference, rest]).like(x);
    let halved = rewriter.create(onnx::MUL, &[x, half]).like(x);
    let angle = rewriter.create(onnx::WHERE, &[is_near, complement, halved]).like(x);
    let sine = rewriter.create(onnx::SIN, &[angle]).like(x);
    let square = rewriter.create(onnx::MUL, &[sine, sine]).like(x);
    let twice = rewriter.create(onnx::ADD, &[square, square]).like(x);
    let far = rewriter.create(onnx::SUB, &[one, twice]).like(x);
    Some(rewriter.create(onnx::WHERE, &[is_near, sine, far]).like(x))
}
