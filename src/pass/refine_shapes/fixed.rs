//! Turns ops with size operands into their static forms, whose sizes are attributes: numbers, expressions, or symbols
//! for computed sizes.

use super::symbols::SymbolOrigins;
use super::values::ShapeValues;
use crate::ir::{Attribute, Class, Dim, Dims, Element, Module, OpId, OpName, Type, ValueId, chlo, stablehlo};
use crate::ops::{call_target, type_inference};

/// JAX's call for an `rng_bit_generator` with a dynamic result shape.
const RANDOM_BITS: &str = "stablehlo.dynamic_rng_bit_generator";

/// JAX's call for a `reduce_window` with dynamic parameters.
const REDUCE_WINDOW: &str = "stablehlo.dynamic_reduce_window";

/// JAX's call for a `top_k` with a dynamic k.
const TOP_K: &str = "stablehlo.dynamic_top_k";

/// JAX's call for an `ApproxTopK` with a dynamic k.
const APPROX_TOP_K: &str = "stablehlo.dynamic_approx_top_k";

/// Whether an op takes sizes or indices from operands.
pub(super) fn is_dynamic(module: &Module, op: OpId) -> bool {
    module.op(op).name.class() == Class::Dynamic
        || matches!(target(module, op), RANDOM_BITS | REDUCE_WINDOW | TOP_K | APPROX_TOP_K)
}

/// The target of a custom call; empty for other ops.
fn target(module: &Module, op: OpId) -> &str {
    call_target(module, op).unwrap_or_default()
}

/// Rewrites the op in place, if all its size operands are known from sizes.
pub(super) fn fix(module: &mut Module, op: OpId, values: &ShapeValues) {
    let list = |index: usize| {
        let list = values.of(module, operand(module, op, index)?)?;
        (!list.contains(&Dim::Dynamic)).then_some(list)
    };
    let fixed = form(module, op, &list);
    rewrite(module, op, fixed);
}

/// Rewrites the op in place, with symbols for size operands that are computed from data.
pub(super) fn fix_at_run_time(
    module: &mut Module,
    op: OpId,
    values: &mut ShapeValues,
    origins: &mut SymbolOrigins,
) {
    if !is_dynamic(module, op) {
        return;
    }
    let operands = module.op(op).operands.clone();
    // All except iota have data operands before their size operands.
    let first = usize::from(operands.len() > 1);
    let traced: Vec<Option<Dims>> = operands
        .iter()
        .enumerate()
        .map(|(index, &value)| if index < first { None } else { values.trace(module, origins, value) })
        .collect();
    let fixed = form(module, op, &|index| traced.get(index)?.clone());
    rewrite(module, op, fixed);
}

fn rewrite(module: &mut Module, op: OpId, fixed: Option<Fixed>) {
    let Some(fixed) = fixed else { return };
    let number = module.types.intern(Type::Scalar(Element::I64));
    let value = |value| match &value {
        Attribute::Dims(sizes) if fixed.name == chlo::TOP_K => match sizes[..] {
            [Dim::Known(k)] => Attribute::Integer(k, number),
            _ => value,
        },
        _ => value,
    };
    let added: Vec<_> =
        fixed.attributes.into_iter().map(|(key, own)| (module.symbols.intern(key), value(own))).collect();
    let dropped = fixed.dropped.map(|key| module.symbols.intern(key));
    let result = module.op(op).results.last().copied();
    let ty = result.and_then(|result| module.tensor(result)).cloned();
    if let (Some(dims), Some(result), Some(mut ty)) = (fixed.result, result, ty) {
        // A number in the text is more precise.
        let stated = |(&own, &dim): (&Dim, &Dim)| if own.known().is_some() { own } else { dim };
        ty.dims = ty.dims.iter().zip(&dims).map(stated).collect();
        let ty = module.types.intern(Type::Tensor(ty));
        module.value_mut(result).ty = ty;
    }
    let changed = module.op_mut(op);
    changed.name = fixed.name;
    changed.operands.truncate(fixed.operands);
    changed
        .attributes
        .retain(|(key, _)| !dropped.contains(key) && added.iter().all(|(added, _)| key != added));
    changed.attributes.extend(added);
}

/// The elements of an operand, if all are numbers or expressions.
type List<'a> = dyn Fn(usize) -> Option<Dims> + 'a;

/// The static form of an op with these sizes.
fn form(module: &Module, op: OpId, list: &List) -> Option<Fixed> {
    match target(module, op) {
        RANDOM_BITS => return random_bits(module, op, list),
        REDUCE_WINDOW => return reduce_window(module, op, list),
        TOP_K => {
            let k = vec![("k", Attribute::Dims(list(1)?))];
            return Some(Fixed { dropped: CALL, ..fixed(chlo::TOP_K, 1, k) });
        }
        // The static form drops the operands that state result sizes.
        APPROX_TOP_K if module.op(op).operands.len() == 5 => {
            let target = Attribute::String("ApproxTopK".into());
            let attributes = vec![("call_target_name", target), ("k", Attribute::Dims(list(4)?))];
            return Some(fixed(stablehlo::CUSTOM_CALL, 4, attributes));
        }
        _ => {}
    }
    // An invalid op stays for the lowering to refuse.
    if !is_dynamic(module, op) || type_inference::infer(module, op).is_none() {
        return None;
    }
    match module.op(op).name {
        stablehlo::DYNAMIC_BROADCAST_IN_DIM => of_result(module, op, stablehlo::BROADCAST_IN_DIM, 1, list),
        stablehlo::DYNAMIC_RESHAPE => of_result(module, op, stablehlo::RESHAPE, 1, list),
        stablehlo::DYNAMIC_IOTA => of_result(module, op, stablehlo::IOTA, 0, list),
        stablehlo::REAL_DYNAMIC_SLICE => real_dynamic_slice(list),
        stablehlo::DYNAMIC_PAD => dynamic_pad(list),
        stablehlo::DYNAMIC_GATHER => {
            Some(fixed(stablehlo::GATHER, 2, vec![("slice_sizes", Attribute::of_sizes(&list(2)?))]))
        }
        stablehlo::DYNAMIC_CONV => {
            Some(fixed(stablehlo::CONVOLUTION, 2, vec![("padding", Attribute::of_sizes(&list(2)?))]))
        }
        _ => None,
    }
}

/// The static form of an op.
struct Fixed {
    name: OpName,
    /// How many of its operands stay.
    operands: usize,
    attributes: Vec<(&'static str, Attribute)>,
    /// The sizes of its last result, if operands stated them.
    result: Option<Dims>,
    /// Attributes of the dynamic form only.
    dropped: [&'static str; 2],
}

fn fixed(name: OpName, operands: usize, attributes: Vec<(&'static str, Attribute)>) -> Fixed {
    Fixed {
        name,
        operands,
        attributes,
        result: None,
        dropped: ["known_expanding_dimensions", "known_nonexpanding_dimensions"],
    }
}

fn operand(module: &Module, op: OpId, index: usize) -> Option<ValueId> {
    module.op(op).operands.get(index).copied()
}

/// An op that the result sizes describe completely. If the text states them, the operand is ignored, because other
/// sizes would be a run-time error.
fn of_result(module: &Module, op: OpId, name: OpName, operands: usize, list: &List) -> Option<Fixed> {
    let result = module.tensor(*module.op(op).results.first()?)?;
    let of_operand = operand(module, op, 0).and_then(|operand| module.tensor(operand));
    if result.encoding.is_some() || (operands > 0 && !of_operand?.is_sized()) {
        return None;
    }
    let dims = if result.is_sized() { None } else { Some(list(operands)?) };
    Some(Fixed { result: dims, ..fixed(name, operands, Vec::new()) })
}

/// Attributes of the call only.
const CALL: [&str; 2] = ["call_target_name", "api_version"];

/// The state, whose sizes are known, and the bits.
fn random_bits(module: &Module, op: OpId, list: &List) -> Option<Fixed> {
    let bits = module.tensor(*module.op(op).results.get(1)?)?;
    let dims = list(1)?;
    (dims.len() == bits.rank()).then(|| Fixed {
        result: Some(dims),
        dropped: CALL,
        ..fixed(stablehlo::RNG_BIT_GENERATOR, 1, Vec::new())
    })
}

/// One operand and its initial value; the `inline` pass has attached the region.
fn reduce_window(module: &Module, op: OpId, list: &List) -> Option<Fixed> {
    const LISTS: [&str; 5] =
        ["window_dimensions", "window_strides", "base_dilations", "window_dilations", "padding"];
    let call = module.op(op);
    if call.operands.len() != 2 + LISTS.len() || call.regions.len() != 1 {
        return None;
    }
    let attribute = |(index, name)| Some((name, Attribute::of_sizes(&list(2 + index)?)));
    let attributes = LISTS.into_iter().enumerate().map(attribute).collect::<Option<Vec<_>>>()?;
    Some(Fixed { dropped: CALL, ..fixed(stablehlo::REDUCE_WINDOW, 2, attributes) })
}

fn real_dynamic_slice(list: &List) -> Option<Fixed> {
    let strides = list(3)?;
    if strides.iter().any(|stride| stride.known().is_none()) {
        return None;
    }
    let attributes = vec![
        ("start_indices", Attribute::of_sizes(&list(1)?)),
        ("limit_indices", Attribute::of_sizes(&list(2)?)),
        ("strides", Attribute::of_sizes(&strides)),
    ];
    Some(fixed(stablehlo::SLICE, 1, attributes))
}

fn dynamic_pad(list: &List) -> Option<Fixed> {
    let interior = list(4)?;
    if interior.iter().any(|amount| amount.known().is_none()) {
        return None;
    }
    let attributes = vec![
        ("edge_padding_low", Attribute::of_sizes(&list(2)?)),
        ("edge_padding_high", Attribute::of_sizes(&list(3)?)),
        ("interior_padding", Attribute::of_sizes(&interior)),
    ];
    Some(fixed(stablehlo::PAD, 2, attributes))
}
