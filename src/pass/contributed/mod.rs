//! Writes ops that ONNX Runtime adds to ONNX, for a target that has them.
//!
//! - Attention whose queries, keys and values are projections of one value is the op `Attention` with the weights of the
//!   projections side by side. It takes 0.9 to 1.0 of the time of three products and ONNX's Attention.
//! - Causal attention with rotary positions is `GroupQueryAttention` from [`attention::FEWEST_ROWS`] rows on: it does not
//!   compute the scores that the mask hides, which is 0.98 of the time for 128 rows and 0.92 for 512.
//! - The bias before a Gelu is part of it.

mod attention;
mod projections;

use super::Context;
use super::canonicalize::{hoist_constants, remove_dead};
use super::products::product_and_bias;
use crate::ir::{Element, Module, OpId, Rewriter, Uses, ValueId, microsoft, onnx};
use crate::ops::OpAttributes;
use crate::source::Source;
use crate::target::Capability;
use rustc_hash::FxHashMap;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let can = cx.options.target.is_some_and(|target| target.can(Capability::ContributedOps));
    // Modules that become functions get their weights as arguments.
    if !can || cx.options.keep_functions {
        return;
    }
    let uses = Uses::of(module);
    let mut changed = false;
    for function in module.functions() {
        let mut contributed = Contributed {
            source: cx.source,
            uses: &uses,
            keeps_files: cx.options.references_weights,
            made: FxHashMap::default(),
        };
        let mut visit = |rewriter: &mut Rewriter, op: OpId| {
            let replaced = match rewriter.module.op(op).name {
                onnx::ATTENTION => contributed.attention(rewriter, op),
                onnx::GELU => contributed.gelu(rewriter, op),
                _ => None,
            };
            changed |= replaced.is_some();
            replaced.is_none()
        };
        Rewriter::new(module).function(function, &mut visit);
    }
    if changed {
        // Several ops share constants, which may be those of a nested graph.
        hoist_constants(module);
        remove_dead(module);
    }
}

struct Contributed<'a> {
    source: &'a Source,
    uses: &'a Uses,
    keeps_files: bool,
    made: FxHashMap<Made, ValueId>,
}

/// A constant that several ops share.
#[derive(PartialEq, Eq, Hash)]
enum Made {
    /// A constant of rank 3 as a matrix.
    Matrix(ValueId),
    /// `i32` that are all equal: how many, and the number. A scalar has none.
    Numbers(Option<i64>, i32),
}

impl Contributed<'_> {
    /// Whether a value is read once.
    fn is_alone(&self, value: ValueId) -> bool {
        self.uses.is_single(value)
    }

    /// A Gelu of a product with a bias.
    fn gelu(&self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let (&[x], &[result]) = (&module.op(op).operands[..], &module.op(op).results[..]) else {
            return None;
        };
        let [product, bias] = product_and_bias(module, module.defining_op(x)?)?;
        let is_f32 = module.tensor(x).is_some_and(|ty| ty.element == Element::F32);
        if !is_f32 || !self.is_alone(x) {
            return None;
        }
        let is_approximate =
            OpAttributes::of(module, op).word("approximate").is_ok_and(|formula| formula == "tanh");
        let name = if is_approximate { microsoft::FAST_GELU } else { microsoft::BIAS_GELU };
        let gelu = rewriter.create(name, &[product, bias]).like(result);
        rewriter.replace(result, gelu);
        Some(())
    }
}
