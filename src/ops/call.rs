//! Custom calls, and ops that only order or group values.

use super::expand::{Expand, Expanded, Expansion};
use super::{
    Elements, Lower, LowerError, Lowered, Lowering, Values, distributed, find, linalg, random, sort, sparse,
};
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Class, Module, OpId, OpName, provenance, stablehlo};
use crate::ops::row::{Row, row, unlowered};
use crate::ops::type_inference::{AtLeast, Exactly, control, rule, variadic};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::AFTER_ALL, variadic(0, Exactly(1), control::nothing), Elements::ANY, token)
        .note("ONNX orders nodes by data flow, so tokens are dropped"),
    row(stablehlo::CREATE_TOKEN, rule(0, control::nothing), Elements::ANY, token)
        .note("ONNX orders nodes by data flow, so tokens are dropped"),
    row(stablehlo::CUSTOM_CALL, variadic(0, AtLeast(0), control::custom_call), Elements::ANY, custom_call)
        .note("targets without effect on one device, or with a lowering")
        .expanding(expand),
    row(stablehlo::GET_TUPLE_ELEMENT, rule(1, control::get_tuple_element), Elements::ANY, tuple),
    row(stablehlo::OPTIMIZATION_BARRIER, variadic(0, AtLeast(0), control::barrier), Elements::ANY, identity)
        .note("returns its operands"),
    row(stablehlo::TUPLE, variadic(0, Exactly(1), control::tuple), Elements::ANY, tuple),
    unlowered(stablehlo::COMPOSITE, variadic(0, AtLeast(0), control::composite)),
    unlowered(stablehlo::INFEED, variadic(1, AtLeast(0), control::nothing)),
    unlowered(stablehlo::OUTFEED, variadic(1, AtLeast(0), control::nothing)),
    unlowered(stablehlo::RECV, variadic(1, AtLeast(0), control::nothing)),
    unlowered(stablehlo::SEND, variadic(1, AtLeast(0), control::nothing)),
];

/// A known custom call. LAPACK's have a table of their own (`linalg::lapack`).
struct CustomCall {
    target: &'static str,
    meaning: Meaning,
    units: Option<Units>,
}

/// How a custom call is converted.
enum Meaning {
    Lower(Lowering),
    Expand(Expansion),
}

/// The unit that a custom call works on. Leading dimensions are batch dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Elements.
    Elements,
    /// Lists along the last dimension.
    Vectors,
    /// Matrices in the last two dimensions.
    Matrices,
}

const fn lowered(target: &'static str, lower: Lowering) -> CustomCall {
    CustomCall { target, meaning: Meaning::Lower(lower), units: None }
}

const fn lowered_by(target: &'static str, units: Units, lower: Lowering) -> CustomCall {
    CustomCall { target, meaning: Meaning::Lower(lower), units: Some(units) }
}

const fn rewritten(target: &'static str, expand: Expansion) -> CustomCall {
    CustomCall { target, meaning: Meaning::Expand(expand), units: None }
}

const CUSTOM_CALLS: &[CustomCall] = &[
    lowered("ApproxTopK", sort::approx_top_k),
    rewritten("cpu_csr_sparse_dense_ffi", sparse::product),
    lowered_by("cu_threefry2x32", Units::Elements, random::threefry_call),
    lowered_by("cu_threefry2x32_ffi", Units::Elements, random::threefry_call),
    lowered_by("hip_threefry2x32", Units::Elements, random::threefry_call),
    lowered_by("hip_threefry2x32_ffi", Units::Elements, random::threefry_call),
    lowered_by("mhlo.topk", Units::Vectors, sort::mhlo_top_k),
    lowered("shape_assertion", assertion),
];

fn known_call(target: &str) -> Option<&'static CustomCall> {
    CUSTOM_CALLS.iter().find(|call| call.target == target)
}

/// Custom calls that call Python, for all platforms and JAX releases.
const HOST_CALLBACKS: &[&str] = &[
    "xla_ffi_partitioned_python_cpu_callback",
    "xla_ffi_partitioned_python_gpu_callback",
    "xla_ffi_python_cpu_callback",
    "xla_ffi_python_gpu_callback",
    "xla_python_cpu_callback",
    "xla_python_gpu_callback",
];

/// JAX's primitives for Python calls, and the functions that users write.
const CALLBACK_NAMES: &[(&str, &str)] = &[
    ("debug_callback", "jax.debug.callback"),
    ("debug_print", "jax.debug.print"),
    ("io_callback", "jax.experimental.io_callback"),
    ("pure_callback", "jax.pure_callback"),
];

/// The attribute with the user function of a Python callback, if the primitive does not determine it.
pub const CALLBACK: &str = "hlo2onnx.callback";

/// Equinox's check, which diffrax, lineax and optimistix also use.
pub const ERROR_IF: &str = "equinox.error_if";

/// The target of a custom call.
pub fn call_target(module: &Module, op: OpId) -> Option<&str> {
    if module.op(op).name != stablehlo::CUSTOM_CALL {
        return None;
    }
    match module.attribute(op, "call_target_name")? {
        Attribute::String(target) => Some(target),
        Attribute::SymbolRef(path) if path.len() == 1 => Some(module.symbols.get(path[0])),
        _ => None,
    }
}

/// The unit that a custom call works on, if known.
pub fn call_units(target: &str) -> Option<Units> {
    if elementwise_op(target).is_some() {
        return Some(Units::Elements);
    }
    let routine = linalg::is_batched_routine(target).then_some(Units::Matrices);
    known_call(target).and_then(|call| call.units).or(routine)
}

/// The op named by a custom call, as XLA prints elementwise CHLO ops: `mhlo.erf`.
fn elementwise_op(target: &str) -> Option<&'static Row> {
    let name = OpName::of_text(&OpName::current(target)).filter(|_| target.starts_with("mhlo."))?;
    find(name).filter(|_| name.class() == Class::Elementwise)
}

/// The target of an op that calls Python.
pub fn host_callback(module: &Module, op: OpId) -> Option<&str> {
    if module.op(op).name != stablehlo::CUSTOM_CALL {
        return None;
    }
    call_target(module, op).filter(|target| HOST_CALLBACKS.contains(target))
}

/// The user function of an op that calls Python, from its location; otherwise the target.
pub fn callback_name(module: &Module, op: OpId) -> String {
    if let Some(name) = module.attribute(op, CALLBACK).and_then(Attribute::as_str) {
        return name.to_owned();
    }
    let name = provenance::own_name(module, module.op_location(op)).unwrap_or_default();
    let primitive = name.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
    let known = CALLBACK_NAMES.iter().find(|(other, _)| *other == primitive).map(|&(_, name)| name);
    known.or_else(|| host_callback(module, op)).unwrap_or_default().to_owned()
}

/// Calls that only place values are removed, and some calls are other ops.
fn expand(cx: &mut Expand) -> Expanded {
    let Some(target) = call_target(cx.module(), cx.op) else { return Ok(None) };
    if distributed::is_placement(target) {
        return distributed::placement(cx);
    }
    match known_call(target) {
        Some(CustomCall { meaning: Meaning::Expand(expand), .. }) => expand(cx),
        _ => Ok(None),
    }
}

fn custom_call(cx: &mut Lower, op: OpId) -> Lowered {
    let target = call_target(cx.module, op).ok_or(LowerError::missing("call_target_name"))?.to_owned();
    let results = cx.module.op(op).results.len();
    if let Some(row) = elementwise_op(&target) {
        let element = cx.operand_type(op, 0)?.element;
        if cx.operand_count(op) != 1 || results != 1 || !row.elements.contains(element) {
            return Err(LowerError::CustomCall(target));
        }
        let lower = row.lower.ok_or(LowerError::Op)?;
        return lower(cx, op);
    }
    if let Some(CustomCall { meaning: Meaning::Lower(lower), .. }) = known_call(&target) {
        return lower(cx, op);
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

/// Earlier passes have recorded asserted sizes.
fn assertion(cx: &mut Lower, op: OpId) -> Lowered {
    if cx.module.op(op).results.is_empty() {
        return Ok(Values::default());
    }
    Err(LowerError::form("an assertion has no results"))
}

/// The operands as results, which must have their types.
fn identity(cx: &mut Lower, op: OpId) -> Lowered {
    let operation = cx.module.op(op);
    if cx.module.value_types(&operation.operands) != cx.module.value_types(&operation.results) {
        return Err(LowerError::form("its results do not have its operands' types"));
    }
    (0..operation.operands.len()).map(|index| cx.operand(op, index)).collect()
}

fn token(cx: &mut Lower, _: OpId) -> Lowered {
    Ok(cx.absent().into())
}

/// `normalize` has replaced all tuples by their elements, unless the op breaks its type rule.
fn tuple(_: &mut Lower, _: OpId) -> Lowered {
    Err(LowerError::form("its tuple was not replaced by its elements"))
}
