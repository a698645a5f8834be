//! Reports the nodes that the target does not run, if a target is named.
//!
//! The nodes are final when the pass runs: only functions and names follow. The tables of kernels are those of the target;
//! see [`crate::target`].

use super::Context;
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Element, Module, OpId, OpName, ValueId, onnx};
use crate::source::Source;
use crate::target::{Capability, Gap, Misses, Place, Target};

/// A node without a kernel.
pub struct Missing {
    /// The node.
    pub op: OpId,
    /// What the target has not, after "has": "no kernel for ...".
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
    if target.can(Capability::Unsigned) {
        return;
    }
    for op in module.reachable_ops() {
        if let Some(why) = takes_unsigned_for_signed(module, op, cx.source) {
            let (node, at) = (module.op(op).name.mnemonic(), module.span(op).name);
            let wrong = catalog::WrongOnTarget { op: node, target: &name, why, at };
            cx.diagnostics.push(module.located(op, wrong));
        }
    }
}

/// Ops whose results depend on the sign of an integer.
const READS_SIGN: &[OpName] = &[
    onnx::ARG_MAX,
    onnx::ARG_MIN,
    onnx::CLIP,
    onnx::DIV,
    onnx::GREATER,
    onnx::GREATER_OR_EQUAL,
    onnx::LESS,
    onnx::LESS_OR_EQUAL,
    onnx::MAX,
    onnx::MIN,
    onnx::MOD,
    onnx::REDUCE_MAX,
    onnx::REDUCE_MIN,
    onnx::TOP_K,
];

/// Why a runtime that computes integers in `i32` computes a node incorrectly, if it may.
fn takes_unsigned_for_signed(module: &Module, op: OpId, source: &Source) -> Option<&'static str> {
    let operation = module.op(op);
    let element = |value: ValueId| module.tensor(value).map(|tensor| tensor.element);
    let first = operation.operands.first().copied().and_then(element);
    let is_right =
        module.attribute(op, "direction").and_then(Attribute::as_str).is_some_and(|way| way == "RIGHT");
    match operation.name {
        onnx::BIT_SHIFT if is_right && first == Some(Element::U32) => {
            return Some("shifts `ui32` to the right as a signed number");
        }
        name if READS_SIGN.contains(&name) && first == Some(Element::U32) => {
            return Some("takes `ui32` from 2^31 on for negative numbers");
        }
        onnx::CAST if first == Some(Element::U32) => {
            let to = operation.results.first().copied().and_then(element);
            if matches!(to, Some(Element::I64 | Element::U64)) {
                return Some("takes `ui32` from 2^31 on for negative numbers");
            }
        }
        // An end of a Slice may be any large number.
        onnx::SLICE => return None,
        _ => {}
    }
    let is_large = |&value: &ValueId| is_beyond_i32(module, value, source);
    operation.operands.iter().any(is_large).then_some("clamps integer constants to the range of `i32`")
}

/// Whether a value is a constant of integers with elements beyond the range of `i32`.
fn is_beyond_i32(module: &Module, value: ValueId, source: &Source) -> bool {
    let element = module.tensor(value).map(|tensor| tensor.element);
    let Some(element @ (Element::U32 | Element::I64 | Element::U64)) = element else { return false };
    let Some(constant) = module.constant_of(value).map(|id| module.constant(id)) else { return false };
    let width = element.bytes();
    let count = module.tensor_type(constant.ty).and_then(|ty| usize::try_from(ty.count()?).ok());
    let bytes = match constant.data.splat() {
        Some(splat) => splat.into(),
        None => constant.data.bytes(source, count.unwrap_or_default(), width),
    };
    bytes.chunks_exact(width).any(|chunk| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(chunk);
        match element {
            Element::I64 => i32::try_from(i64::from_le_bytes(wide)).is_err(),
            _ => i32::try_from(u64::from_le_bytes(wide)).is_err(),
        }
    })
}

/// How many nodes a module has, and those without a kernel.
pub fn missing(module: &Module, target: Target, opset: u32) -> (usize, Vec<Missing>) {
    let nodes: Vec<OpId> =
        module.reachable_ops().into_iter().filter(|&op| module.op(op).name.is_node()).collect();
    let found = nodes.iter().filter_map(|&op| {
        let gap = gap(module, op, target, opset)?;
        Some(Missing { op, why: phrase(gap) })
    });
    (nodes.len(), found.collect())
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
