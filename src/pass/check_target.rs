//! Reports the nodes that the target does not run, if a target is named.
//!
//! The ops and element types are final when the pass runs. The tables of kernels are those of the target;
//! see [`crate::target`].

use super::Context;
use super::target_limits::limit;
use crate::diagnostic::catalog;
use crate::ir::{Module, OpId, ValueId};
use crate::target::{Gap, Misses, Place, Target};

/// A node without a kernel.
pub struct Missing {
    /// The node.
    pub op: OpId,
    /// What the target lacks, as the end of the sentence "the target has ...".
    pub why: String,
}

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let (Some(target), Some(opset)) = (cx.options.target, module.opset()) else { return };
    let name = target.to_string();
    for Missing { op, why } in missing(module, target, opset).1 {
        let (node, at) = (module.op(op).name.mnemonic(), module.span(op).name);
        let diagnostic = match target.row().misses {
            Misses::FallsBack => {
                module.located(op, catalog::FallsBack { op: node, target: &name, why: &why, at })
            }
            Misses::Refuses => {
                module.located(op, catalog::NoKernel { op: node, target: &name, why: &why, at })
            }
        };
        cx.diagnostics.push(diagnostic);
    }
}

/// How many nodes a module has, and those without a kernel.
pub fn missing(module: &Module, target: Target, opset: u32) -> (usize, Vec<Missing>) {
    let nodes: Vec<OpId> =
        module.reachable_ops().into_iter().filter(|&op| module.op(op).name.is_node()).collect();
    let found = nodes.iter().filter_map(|&op| {
        let limit = || limit(module, op, target).map(str::to_owned);
        let gap = || gap(module, op, target, opset).map(phrase);
        let why = unknown(module, op, target).or_else(gap).or_else(limit)?;
        Some(Missing { op, why })
    });
    (nodes.len(), found.collect())
}

/// The element type of an operand or result that the target does not have.
fn unknown(module: &Module, op: OpId, target: Target) -> Option<String> {
    let operation = module.op(op);
    let values = operation.operands.iter().chain(&operation.results);
    let mut elements = values.filter_map(|&value| module.tensor(value)).map(|tensor| tensor.element);
    let element = elements.find(|&element| !target.has(element))?;
    Some(format!("no tensors of `{}`", element.name().unwrap_or("?")))
}

fn gap(module: &Module, op: OpId, target: Target, opset: u32) -> Option<Gap> {
    let operation = module.op(op);
    let element = |place: Place| {
        let value: Option<ValueId> = match place {
            Place::Operand(index) => operation.operands.get(index).copied(),
            Place::Result(index) => operation.results.get(index).copied(),
        };
        let value = value.filter(|&value| value != module.absent())?;
        Some(module.tensor(value)?.element)
    };
    target.gap(operation.name, opset, element)
}

fn phrase(gap: Gap) -> String {
    match gap {
        Gap::Op => "no kernel for this op".into(),
        Gap::Version(version) => format!("no kernel for its version {version}"),
        Gap::Element(place, element) => {
            let element = element.name().unwrap_or("?");
            match place {
                Place::Operand(index) => format!("no kernel for `{element}` in operand {index}"),
                Place::Result(index) => format!("no kernel for `{element}` in result {index}"),
            }
        }
    }
}
