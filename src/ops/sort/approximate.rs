//! The calls that pick the largest elements: `ApproxTopK`, made exact, and `mhlo.topk`.

use super::comparator::{Key, Zeros};
use crate::ir::{Attribute, Dim, OpId};
use crate::ops::type_inference::dims_fit;
use crate::ops::{Lower, LowerError, Lowered};

/// A field of the call's configuration.
fn option<'m>(cx: &'m Lower, op: OpId, attributes: &[&str], name: &str) -> Option<&'m Attribute> {
    attributes
        .iter()
        .find_map(|key| cx.module.attribute(op, key).and_then(|config| cx.module.field(config, name)))
}

/// `ApproxTopK`: exact results are allowed, and are what XLA returns on CPUs. JAX's name identifies the comparator
/// function.
pub(in crate::ops) fn approx_top_k(cx: &mut Lower, op: OpId) -> Lowered {
    let config = |name: &'static str| {
        option(cx, op, &["mhlo.backend_config", "backend_config"], name).ok_or(LowerError::missing(name))
    };
    let number = |name: &'static str| {
        let why = || LowerError::attribute(name, "expected a number");
        config(name)?.as_integer().ok_or_else(why)
    };
    let dimension = number("reduction_dim")?;
    let k = match cx.module.attribute(op, "k") {
        Some(Attribute::Dims(k)) if k.len() == 1 => k[0],
        _ => Dim::Known(number("top_k")?),
    };
    if config("aggregate_to_topk")?.as_bool() != Some(true) {
        return Err(LowerError::form("`aggregate_to_topk` other than `true`"));
    }
    let descending = match cx.module.attribute(op, "called_computations") {
        Some(Attribute::Array(called)) => match called.first() {
            Some(Attribute::SymbolRef(path)) if called.len() == 1 => {
                let name = path.last().map_or("", |&symbol| cx.module.symbols.get(symbol));
                match (name.contains("top_k_gt_"), name.contains("top_k_lt_")) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => return Err(LowerError::form("a comparator other than JAX's")),
                }
            }
            _ => return Err(LowerError::form("more or fewer than one comparator")),
        },
        _ => return Err(LowerError::missing("called_computations")),
    };
    if cx.operand_count(op) != 4 || cx.module.op(op).results.len() != 2 {
        return Err(LowerError::form("an unexpected number of operands or results"));
    }
    let own = cx.operand_dims(op, 0)?;
    let fits = |all: Dim| k.known().is_none_or(|k| k >= 1 && all.known().is_none_or(|all| k <= all));
    let axis = usize::try_from(dimension).ok().filter(|&axis| axis < own.len());
    let Some(axis) = axis.filter(|&axis| fits(own[axis])) else {
        return Err(LowerError::attribute("top_k", "it does not match the operand"));
    };
    let mut expected = own.clone();
    expected[axis] = k;
    let (first, second) = (cx.result_dims(op, 0)?, cx.result_dims(op, 1)?);
    if !dims_fit(&cx.operand_dims(op, 1)?, &own)
        || [&first, &second].iter().any(|(_, sizes)| !dims_fit(sizes, &expected))
    {
        return Err(LowerError::form("operands and results that do not match"));
    }
    if own.contains(&Dim::Known(0)) {
        let results = [first, second].map(|(element, sizes)| {
            let nothing = cx.integer(element, 0);
            cx.broadcast_to(nothing, &sizes)
        });
        return Ok(results.into_iter().collect());
    }
    let (values, with) = (cx.full(op, 0)?, cx.full(op, 1)?);
    let key = cx.sort_key(values, Key { operand: 0, descending, zeros: Zeros::Equal });
    let order = cx.top(key, axis, k, descending).1;
    let picked = cx.reorder(values, order, axis);
    let with = if super::counts_along(cx, op, 1, axis) {
        let element = cx.operand_type(op, 1)?.element;
        cx.cast(order, element)
    } else {
        cx.reorder(with, order, axis)
    };
    Ok([picked, with].into_iter().collect())
}

/// `mhlo.topk`, which is `chlo.top_k` with its `k` among the attributes of the call.
pub(in crate::ops) fn mhlo_top_k(cx: &mut Lower, op: OpId) -> Lowered {
    const WHERE: &[&str] = &["mhlo.attributes", "mhlo.backend_config", "backend_config"];
    let k = option(cx, op, WHERE, "k").and_then(Attribute::as_integer).ok_or(LowerError::missing("k"))?;
    let largest = option(cx, op, WHERE, "largest").and_then(Attribute::as_bool).unwrap_or(true);
    if cx.operand_count(op) != 1 || cx.module.op(op).results.len() != 2 {
        return Err(LowerError::form("an unexpected number of operands or results"));
    }
    if !largest {
        return Err(LowerError::form("selecting the smallest elements"));
    }
    super::largest(cx, op, Dim::Known(k))
}
