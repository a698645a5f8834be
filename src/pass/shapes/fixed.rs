//! Ops whose sizes are operands become those whose sizes are attributes, where the operands are constants.

use crate::ir::{Attribute, Element, Module, OpId, TensorType, ValueId};
use crate::ops::rules;

/// Ops that take sizes or places from operands.
const DYNAMIC: &[&str] = &[
    "stablehlo.dynamic_broadcast_in_dim",
    "stablehlo.dynamic_conv",
    "stablehlo.dynamic_gather",
    "stablehlo.dynamic_iota",
    "stablehlo.dynamic_pad",
    "stablehlo.dynamic_reshape",
    "stablehlo.real_dynamic_slice",
    "stablehlo.set_dimension_size",
];

/// Whether ops of that name take sizes or places from operands.
pub(super) fn is_dynamic(name: &str) -> bool {
    DYNAMIC.contains(&name)
}

/// Rewrites the op in place, when all that it takes from operands is known and so are the sizes of its result.
pub(super) fn fix(module: &mut Module, op: OpId) {
    // What breaks the rules is left as the text has it, for the lowering to refuse.
    if !is_dynamic(module.op_name(op)) || rules::infer(module, op).is_none() {
        return;
    }
    let fixed = match module.op_name(op) {
        "stablehlo.dynamic_broadcast_in_dim" => of_known_result(module, op, "stablehlo.broadcast_in_dim", 1),
        "stablehlo.dynamic_reshape" => of_known_result(module, op, "stablehlo.reshape", 1),
        "stablehlo.dynamic_iota" => of_known_result(module, op, "stablehlo.iota", 0),
        "stablehlo.real_dynamic_slice" => real_dynamic_slice(module, op),
        "stablehlo.dynamic_pad" => dynamic_pad(module, op),
        "stablehlo.dynamic_gather" => dynamic_gather(module, op),
        "stablehlo.dynamic_conv" => dynamic_conv(module, op),
        _ => return,
    };
    let Some(fixed) = fixed else { return };
    let name = module.symbols.intern(fixed.name);
    let added: Vec<_> =
        fixed.attributes.into_iter().map(|(key, value)| (module.symbols.intern(key), value)).collect();
    let dropped = fixed.dropped.map(|key| module.symbols.intern(key));
    let changed = module.op_mut(op);
    changed.name = name;
    changed.operands.truncate(fixed.operands);
    changed
        .attributes
        .retain(|(key, _)| !dropped.contains(key) && added.iter().all(|(added, _)| key != added));
    changed.attributes.extend(added);
}

/// What becomes of an op.
struct Fixed {
    name: &'static str,
    /// How many of its operands stay.
    operands: usize,
    attributes: Vec<(&'static str, Attribute)>,
    /// Attributes that only the dynamic op has.
    dropped: [&'static str; 2],
}

fn fixed(name: &'static str, operands: usize, attributes: Vec<(&'static str, Attribute)>) -> Fixed {
    Fixed {
        name,
        operands,
        attributes,
        dropped: ["known_expanding_dimensions", "known_nonexpanding_dimensions"],
    }
}

fn list(values: Vec<i64>) -> Attribute {
    Attribute::Integers(Element::I64, values.into())
}

fn operand(module: &Module, op: OpId, index: usize) -> Option<ValueId> {
    module.op(op).operands.get(index).copied()
}

/// The constant that an operand is.
fn known(module: &Module, op: OpId, index: usize) -> Option<Vec<i64>> {
    module.constant_integers(module.constant_of(operand(module, op, index)?)?)
}

fn is_known_result(module: &Module, op: OpId) -> bool {
    let result = module.op(op).results.first().and_then(|&result| module.tensor(result));
    result.is_some_and(|ty| ty.is_static() && ty.encoding.is_none())
}

/// An op of which the sizes of the result say all: the operand that gives them is not asked, as giving other ones would
/// be an error at run time.
fn of_known_result(module: &Module, op: OpId, name: &'static str, operands: usize) -> Option<Fixed> {
    let of_operand = operand(module, op, 0).and_then(|operand| module.tensor(operand));
    let known =
        is_known_result(module, op) && (operands == 0 || of_operand.is_some_and(TensorType::is_static));
    known.then(|| fixed(name, operands, Vec::new()))
}

fn real_dynamic_slice(module: &Module, op: OpId) -> Option<Fixed> {
    let attributes = vec![
        ("start_indices", list(known(module, op, 1)?)),
        ("limit_indices", list(known(module, op, 2)?)),
        ("strides", list(known(module, op, 3)?)),
    ];
    Some(fixed("stablehlo.slice", 1, attributes))
}

fn dynamic_pad(module: &Module, op: OpId) -> Option<Fixed> {
    let attributes = vec![
        ("edge_padding_low", list(known(module, op, 2)?)),
        ("edge_padding_high", list(known(module, op, 3)?)),
        ("interior_padding", list(known(module, op, 4)?)),
    ];
    Some(fixed("stablehlo.pad", 2, attributes))
}

fn dynamic_gather(module: &Module, op: OpId) -> Option<Fixed> {
    let sizes = known(module, op, 2)?;
    Some(fixed("stablehlo.gather", 2, vec![("slice_sizes", list(sizes))]))
}

fn dynamic_conv(module: &Module, op: OpId) -> Option<Fixed> {
    let padding = known(module, op, 2)?;
    Some(fixed("stablehlo.convolution", 2, vec![("padding", list(padding))]))
}
