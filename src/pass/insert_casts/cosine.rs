//! Writes `Cos` of `f64` with `Sin`: ONNX Runtime has a kernel of `Sin` in all releases, and of `Cos` from 1.29 on.

use crate::ir::{Element, Module, OpId, Rewriter, ValueId, onnx};
use crate::target::Target;

/// Replaces the cosines of all functions that have no kernel in the runtime.
pub(super) fn run(module: &mut Module, opset: u32, runtime: Option<Target>) {
    let elements = runtime.and_then(|target| target.elements(onnx::COS, opset, 0));
    if elements.is_none_or(|elements| elements.contains(&Element::F64)) {
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

/// `1 - 2 sin(x/2)^2`. The absolute error is that of `Cos`, for all angles.
fn cosine(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operation = rewriter.module.op(op);
    let &x = operation.operands.first().filter(|_| operation.name == onnx::COS)?;
    rewriter.module.tensor(x).filter(|tensor| tensor.element == Element::F64)?;
    let mut number = |number: f64| rewriter.bytes(Element::F64, &[], &number.to_le_bytes());
    let (half, one) = (number(0.5), number(1.0));
    let angle = rewriter.create(onnx::MUL, &[x, half]).like(x);
    let sine = rewriter.create(onnx::SIN, &[angle]).like(x);
    let square = rewriter.create(onnx::MUL, &[sine, sine]).like(x);
    let twice = rewriter.create(onnx::ADD, &[square, square]).like(x);
    Some(rewriter.create(onnx::SUB, &[one, twice]).like(x))
}
