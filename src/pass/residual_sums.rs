//! Writes residuals as Sum.
//!
//! On the CPU, ONNX Runtime fuses an Add and the LayerNormalization after it into SkipLayerNormalization, which takes
//! six times as long as the two. It does not fuse a Sum.
//!
//! A Sum also takes the bias of a product: `x + (product + bias)` is `Sum(product, bias, x)`, which rounds equally and
//! takes as long.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Boundaries;
use super::products::product_and_bias;
use crate::ir::{Element, Module, OpId, Rewriter, Uses, ValueId, onnx};
use crate::target::Capability;
use rustc_hash::FxHashSet;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let runtime = module.opset().and_then(|opset| cx.options.runtime(opset));
    if runtime.is_none_or(|target| target.can(Capability::AddsBeforeNorms)) {
        return;
    }
    let mut residuals = Residuals {
        uses: Uses::of(module),
        normalized: normalized(module),
        boundaries: Boundaries::of(cx.options),
    };
    let mut changed = false;
    for function in module.functions() {
        let mut visit = |rewriter: &mut Rewriter, op: OpId| {
            let sum = residuals.sum(rewriter.module, op);
            let Some(operands) = sum else { return true };
            let result = rewriter.module.op(op).results[0];
            let sum = rewriter.create(onnx::SUM, &operands).like(result);
            rewriter.replace(result, sum);
            changed = true;
            false
        };
        Rewriter::new(module).function(function, &mut visit);
    }
    if changed {
        remove_dead(module);
    }
}

/// The values that a LayerNormalization reads.
fn normalized(module: &Module) -> FxHashSet<ValueId> {
    let norms = module.reachable_ops().into_iter().map(|op| module.op(op));
    let norms = norms.filter(|op| op.name == onnx::LAYER_NORMALIZATION);
    norms.filter_map(|op| op.operands.first().copied()).collect()
}

struct Residuals {
    uses: Uses,
    normalized: FxHashSet<ValueId>,
    boundaries: Boundaries,
}

impl Residuals {
    /// The operands of the Sum that an Add becomes.
    fn sum(&mut self, module: &Module, op: OpId) -> Option<Vec<ValueId>> {
        let &[x, y] = &module.op(op).operands[..] else { return None };
        let result = *module.op(op).results.first()?;
        let ty = module.tensor(result)?;
        let alike = module.tensor(x) == Some(ty) && module.tensor(y) == Some(ty);
        // Matrices take the bias in a Gemm, and ONNX Runtime only fuses sums of rank 3.
        if module.op(op).name != onnx::ADD || ty.element != Element::F32 || ty.rank() < 3 || !alike {
            return None;
        }
        let with_bias = [(x, y), (y, x)].into_iter().find_map(|(own, other)| {
            let biased = module.defined_by(own, onnx::ADD)?;
            let [product, bias] = product_and_bias(module, biased)?;
            let is_closed = self.uses.is_single(own) && !self.boundaries.part(module, biased, op);
            is_closed.then(|| vec![product, bias, other])
        });
        // Equal modules stay equal only if it does not matter what reads their results.
        with_bias
            .or_else(|| (self.boundaries.exist() || self.normalized.contains(&result)).then(|| vec![x, y]))
    }
}
