//! Calls out of the program, and ops that only order others or hold values together.

use super::expand::{Expand, Expanded, Expansion};
use super::{Elements, Lower, LowerError, Lowered, Lowering, Row, Values};
use super::{distributed, find, linalg, noted, random, row, sort, sparse};
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Module, OpId, OpName, chlo, mhlo, provenance, stablehlo};

/// Values are handed on, so any type will do that a model can have.
pub(super) const ANY: Elements =
    Elements::PLAIN.or(Elements::FLOAT8).or(Elements::COMPLEX).or(Elements::NIBBLE);

pub(super) const ROWS: &[Row] = &[
    noted(stablehlo::AFTER_ALL, ANY, token, "ONNX orders nodes by data flow, so tokens are dropped"),
    noted(stablehlo::CREATE_TOKEN, ANY, token, "ONNX orders nodes by data flow, so tokens are dropped"),
    Row {
        expand: Some(expand),
        ..noted(
            stablehlo::CUSTOM_CALL,
            ANY,
            custom_call,
            "targets without effect on one device, or with a lowering",
        )
    },
    noted(stablehlo::GET_TUPLE_ELEMENT, ANY, get_tuple_element, "of a tuple that `stablehlo.tuple` makes"),
    noted(stablehlo::OPTIMIZATION_BARRIER, ANY, identity, "returns its operands"),
    row(stablehlo::TUPLE, ANY, tuple),
];

/// Custom calls that are ops by another name.
const OPS: &[(OpName, OpName)] = &[
    (mhlo::ACOS, chlo::ACOS),
    (mhlo::ACOSH, chlo::ACOSH),
    (mhlo::ASIN, chlo::ASIN),
    (mhlo::ASINH, chlo::ASINH),
    (mhlo::ATAN, chlo::ATAN),
    (mhlo::ATANH, chlo::ATANH),
    (mhlo::COSH, chlo::COSH),
    (mhlo::ERF, chlo::ERF),
    (mhlo::ERF_INV, chlo::ERF_INV),
    (mhlo::SINH, chlo::SINH),
    (mhlo::TAN, stablehlo::TAN),
];

/// Custom calls that become other ops before all passes.
const EXPANSIONS: &[(&str, Expansion)] = &[("cpu_csr_sparse_dense_ffi", sparse::product)];

/// Custom calls with a lowering of their own.
const CALLS: &[(&str, Lowering)] = &[("ApproxTopK", sort::approx_top_k), ("mhlo.topk", sort::mhlo_top_k)];

/// Custom calls that call Python, for all platforms and in the forms of all releases of JAX.
const HOST_CALLBACKS: &[&str] = &[
    "xla_ffi_partitioned_python_cpu_callback",
    "xla_ffi_partitioned_python_gpu_callback",
    "xla_ffi_python_cpu_callback",
    "xla_ffi_python_gpu_callback",
    "xla_python_cpu_callback",
    "xla_python_gpu_callback",
];

/// The primitives that JAX makes such calls from, and what the user writes for them.
const CALLBACK_NAMES: &[(&str, &str)] = &[
    ("debug_callback", "jax.debug.callback"),
    ("debug_print", "jax.debug.print"),
    ("io_callback", "jax.experimental.io_callback"),
    ("pure_callback", "jax.pure_callback"),
];

/// The attribute of a Python callback that names what the user wrote, where the primitive does not.
pub const CALLBACK: &str = "hlo2onnx.callback";

/// The check of equinox, which diffrax, lineax and optimistix also make.
pub const ERROR_IF: &str = "equinox.error_if";

/// The target of a custom call.
pub fn call_target(module: &Module, op: OpId) -> Option<&str> {
    match module.attribute(op, "call_target_name")? {
        Attribute::String(target) => Some(target),
        Attribute::SymbolRef(path) if path.len() == 1 => Some(module.symbols.get(path[0])),
        _ => None,
    }
}

/// Whether a custom call is an op on each element.
pub fn is_elementwise_call(target: &str) -> bool {
    random::CALLS.contains(&target) || OPS.iter().any(|(other, _)| other.text() == target)
}

/// The target of an op that calls Python.
pub fn host_callback(module: &Module, op: OpId) -> Option<&str> {
    if module.op(op).name != stablehlo::CUSTOM_CALL {
        return None;
    }
    call_target(module, op).filter(|target| HOST_CALLBACKS.contains(target))
}

/// What the user wrote for an op that calls Python, where its location tells; else the target.
pub fn callback_name(module: &Module, op: OpId) -> String {
    if let Some(name) = module.attribute(op, CALLBACK).and_then(Attribute::as_str) {
        return name.to_owned();
    }
    let name = provenance::own_name(module, module.op_location(op)).unwrap_or_default();
    let primitive = name.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
    let known = CALLBACK_NAMES.iter().find(|(other, _)| *other == primitive).map(|&(_, name)| name);
    known.or_else(|| host_callback(module, op)).unwrap_or_default().to_owned()
}

/// A call that only places values leaves the program, and some are other ops.
fn expand(cx: &mut Expand) -> Expanded {
    let Some(target) = call_target(cx.module(), cx.op) else { return Ok(None) };
    if distributed::is_placement(target) {
        return distributed::placement(cx);
    }
    match EXPANSIONS.iter().find(|(other, _)| *other == target) {
        Some((_, expand)) => expand(cx),
        None => Ok(None),
    }
}

fn custom_call(cx: &mut Lower, op: OpId) -> Lowered {
    let target = call_target(cx.module, op).ok_or(LowerError::Missing("call_target_name"))?.to_owned();
    let results = cx.module.op(op).results.len();
    if target == "shape_assertion" && results == 0 {
        return Ok(Values::default());
    }
    if let Some(&(_, name)) = OPS.iter().find(|(other, _)| other.text() == target) {
        let Some(row) = find(name) else { return Err(LowerError::CustomCall(target)) };
        let element = cx.operand_type(op, 0)?.element;
        if cx.operand_count(op) != 1 || results != 1 || !row.elements.contains(element) {
            return Err(LowerError::CustomCall(target));
        }
        return (row.lower)(cx, op);
    }
    if let Some((_, lower)) = CALLS.iter().find(|(other, _)| *other == target) {
        return lower(cx, op);
    }
    if random::CALLS.contains(&target.as_str()) {
        return random::threefry_call(cx, op);
    }
    if let Some(values) = linalg::call(cx, op, &target)? {
        return Ok(values);
    }
    if host_callback(cx.module, op).is_some() {
        let callback = &*callback_name(cx.module, op);
        let at = cx.module.span(op).name;
        cx.report(catalog::HostCallback { callback, target: &target, at });
        return Err(LowerError::Reported);
    }
    Err(LowerError::CustomCall(target))
}

/// The operands for the results, which must be of their types.
fn identity(cx: &mut Lower, op: OpId) -> Lowered {
    let operation = cx.module.op(op).clone();
    let types = |values: &[crate::ir::ValueId]| {
        values.iter().map(|&value| cx.module.value_type(value)).collect::<Vec<_>>()
    };
    if types(&operation.operands) != types(&operation.results) {
        return Err(LowerError::form("its results do not have its operands' types"));
    }
    (0..operation.operands.len()).map(|index| cx.operand(op, index)).collect()
}

fn token(cx: &mut Lower, _: OpId) -> Lowered {
    Ok(cx.absent().into())
}

/// A tuple itself is not a value of a model; what takes it apart finds what was put in.
fn tuple(cx: &mut Lower, _: OpId) -> Lowered {
    Ok(cx.absent().into())
}

fn get_tuple_element(cx: &mut Lower, op: OpId) -> Lowered {
    let index = cx.int(op, "index")?;
    let operand = cx.module.op(op).operands.first().copied().ok_or(LowerError::Reported)?;
    let tuple = cx.module.defining_op(operand).filter(|&tuple| cx.module.op(tuple).name == stablehlo::TUPLE);
    let Some(tuple) = tuple else {
        return Err(LowerError::form("its tuple does not come from `stablehlo.tuple`"));
    };
    let index = usize::try_from(index).ok().filter(|&index| index < cx.operand_count(tuple));
    let why = || LowerError::Attribute { name: "index", why: "the tuple has too few elements".into() };
    Ok(cx.operand(tuple, index.ok_or_else(why)?)?.into())
}
