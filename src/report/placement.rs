//! Which nodes of a model a target does not run.

use crate::ir::Module;
use crate::pass::{Missing, missing};
use crate::target::{Misses, Target};
use serde::Serialize;
use std::collections::BTreeMap;

/// The nodes of a model by where they run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// The target, as `--target` takes it.
    pub target: String,
    /// Where the nodes without a kernel run: `cpu`, or nowhere if the target does not load the model then.
    pub fallback: Option<&'static str>,
    /// How many nodes the model has.
    pub nodes: usize,
    /// How many of them the target has no kernel for.
    pub missing: usize,
    /// The nodes without a kernel by op, element type and reason, most frequent first.
    pub kinds: Vec<MissingKind>,
}

/// Nodes that lack a kernel for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingKind {
    /// The ONNX op.
    pub op: String,
    /// The element type of the first operand; `None` without operands.
    pub element: Option<String>,
    /// What the target lacks, as the end of the sentence "the target has ...".
    pub why: String,
    /// How many nodes.
    pub count: usize,
}

impl Placement {
    /// The placement of a module's nodes.
    pub(super) fn of(module: &Module, target: Target, opset: u32) -> Self {
        let (nodes, missing) = missing(module, target, opset);
        let mut counts: BTreeMap<(String, Option<String>, String), usize> = BTreeMap::new();
        for Missing { op, why } in &missing {
            let operand = module.op(*op).operands.first();
            let element =
                operand.and_then(|&operand| module.tensor(operand)).and_then(|ty| ty.element.name());
            let kind = (module.op(*op).name.mnemonic().to_owned(), element.map(str::to_owned), why.clone());
            *counts.entry(kind).or_default() += 1;
        }
        let mut kinds: Vec<MissingKind> = counts
            .into_iter()
            .map(|((op, element, why), count)| MissingKind { op, element, why, count })
            .collect();
        // The sort is stable, so equally frequent kinds stay in order of their names.
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        let fallback = (target.row().misses == Misses::FallsBack).then_some("cpu");
        Self { target: target.to_string(), fallback, nodes, missing: missing.len(), kinds }
    }

    /// `onnxruntime-cuda:1.30: 12 of 240 nodes run on the CPU`
    pub(super) fn sentence(&self) -> String {
        let Self { target, nodes, missing, .. } = self;
        match (*missing, self.fallback.is_some()) {
            (0, _) => format!("{target}: it has kernels for all {nodes} nodes"),
            (1, true) => format!("{target}: 1 of {nodes} nodes runs on the CPU"),
            (_, true) => format!("{target}: {missing} of {nodes} nodes run on the CPU"),
            (1, false) => format!("{target}: 1 of {nodes} nodes has no kernel, so the model does not load"),
            (_, false) => {
                format!("{target}: {missing} of {nodes} nodes have no kernel, so the model does not load")
            }
        }
    }
}

impl MissingKind {
    /// `Clip on i32: no kernel for ...`
    pub(super) fn sentence(&self) -> String {
        match &self.element {
            Some(element) => format!("{} on {element}: {}", self.op, self.why),
            None => format!("{}: {}", self.op, self.why),
        }
    }
}
