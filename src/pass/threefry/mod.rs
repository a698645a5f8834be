//! Turns calls of functions that compute Threefry-2x32 into one op.
//!
//! JAX prints the generator behind `jax.random` as a private function for each shape, with a loop over its rounds. Whether
//! a function computes it follows from its ops alone (`words`), not from its name. As one op it is evaluated at once
//! where key and counters are known (`ops::fold`), and independent evaluations can be joined (`batch_random`).

mod body;
mod words;

use super::Context;
use crate::ir::{FunctionId, Module, OpId, Rewriter, func, hlo2onnx, stablehlo};
use body::Broadcasts;
use rustc_hash::FxHashMap;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut known: FxHashMap<FunctionId, Option<Broadcasts>> = FxHashMap::default();
    let called: Vec<FunctionId> =
        module.reachable_ops().iter().filter_map(|&op| callee(module, op)).collect();
    for function in called {
        known.entry(function).or_insert_with(|| body::broadcasts(module, cx.source, function));
    }
    if known.values().all(Option::is_none) {
        return;
    }
    let mut rewriter = Rewriter::new(module);
    for function in rewriter.module.functions() {
        rewriter.function(function, &mut |rewriter, op| {
            let broadcasts = callee(rewriter.module, op).and_then(|callee| known.get(&callee)?.as_ref());
            let Some(broadcasts) = broadcasts else { return true };
            evaluate(rewriter, op, broadcasts);
            false
        });
    }
}

/// The function that an op calls.
fn callee(module: &Module, op: OpId) -> Option<FunctionId> {
    if module.op(op).name == func::CALL { module.callee(op) } else { None }
}

/// Replaces a call by the op, whose operands are scalars or have the type of the results.
fn evaluate(rewriter: &mut Rewriter, call: OpId, broadcasts: &Broadcasts) {
    let operation = rewriter.module.op(call).clone();
    let Some(&result) = operation.results.first() else { return };
    let ty = rewriter.module.value_type(result);
    let mut operands = operation.operands;
    for (operand, dims) in operands.iter_mut().zip(broadcasts) {
        if let Some(dims) = dims.as_ref().filter(|dims| !dims.is_empty()) {
            let broadcast = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[*operand]);
            *operand = broadcast.ints("broadcast_dimensions", dims).of(ty);
        }
    }
    let words = rewriter.create(hlo2onnx::THREEFRY2X32, &operands).values(&[ty, ty]);
    for (&result, word) in operation.results.iter().zip(words) {
        rewriter.replace(result, word);
    }
}
