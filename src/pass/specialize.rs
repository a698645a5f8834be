//! Symbolic dimensions become the numbers that the user gives for them (`--dim b=8`).
//!
//! `jax.export` prints a symbolic dimension as `?` in the arguments' types. The names stand in the wrapped function's
//! arguments (`jax.global_constant = "b"`), which the entry calls with `get_dimension_size` of its own arguments; what
//! else is known of the other dimensions is asserted (`shape_assertion` of a comparison that says EQ). It takes the
//! module before calls are inlined, and changes the types of the entry's arguments only: `shapes` lets the numbers flow.
//!
//! The names of the arguments stand in the wrapped function as well; the entry's arguments take them over.

use super::{Context, entry};
use crate::diagnostic::{catalogue, nearest};
use crate::ir::{Attribute, BlockId, Definition, Dim, FunctionId, Module, OpId, Type, ValueId, provenance};
use std::collections::BTreeMap;

/// A dimension of an argument of the entry.
type Place = (ValueId, usize);

/// Sums of sums are followed so far.
const DEPTH: usize = 32;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    take_over_names(module, entry, block);
    if cx.dims.is_empty() {
        return;
    }
    let named = named_dimensions(module, block);
    for (name, size) in cx.dims {
        match named.get(name.as_str()) {
            Some(&place) => set(module, entry, block, place, *size),
            None => {
                let near = nearest(name, named.keys().map(String::as_str));
                cx.diagnostics.push(catalogue::UnknownDimension { name, nearest: near });
            }
        }
    }
    // Each number can make an assertion say another.
    while let Some((place, size)) = asserted(module, block) {
        set(module, entry, block, place, size);
    }
}

/// The calls in a block with what they call.
fn calls(module: &Module, block: BlockId) -> Vec<(OpId, FunctionId)> {
    let callee = |op: OpId| match module.attribute(op, "callee")? {
        Attribute::SymbolRef(path) => module.find_function(*path.first()?),
        _ => None,
    };
    module.block(block).ops.iter().filter_map(|&op| Some((op, callee(op)?))).collect()
}

/// An argument without a name that is handed on to a function takes the name of that function's argument.
fn take_over_names(module: &mut Module, entry: FunctionId, block: BlockId) {
    for (call, callee) in calls(module, block) {
        let names: Vec<_> =
            module.function(callee).arguments.iter().map(|argument| argument.location).collect();
        for (operand, name) in module.op(call).operands.clone().into_iter().zip(names) {
            let Definition::Argument(owner, index) = module.value(operand).definition else { continue };
            let own =
                module.function(entry).arguments.get(index as usize).and_then(|argument| argument.location);
            let unnamed = own.is_none_or(|own| provenance::own_name(module, own).is_none());
            if owner == block
                && unnamed
                && let Some(argument) = module.function_mut(entry).arguments.get_mut(index as usize)
            {
                argument.location = name;
            }
        }
    }
}

/// The names of symbolic dimensions, each with a dimension that it is the size of.
fn named_dimensions(module: &Module, block: BlockId) -> BTreeMap<String, Place> {
    let mut named = BTreeMap::new();
    for (call, callee) in calls(module, block) {
        for (argument, &operand) in module.function(callee).arguments.iter().zip(&module.op(call).operands) {
            let mut attributes = argument.attributes.iter();
            let name = attributes.find(|(key, _)| module.symbols.get(*key) == "jax.global_constant");
            let name = name.and_then(|(_, value)| value.as_str());
            if let (Some(name), Some(place)) = (name, dimension(module, operand)) {
                named.insert(name.to_owned(), place);
            }
        }
    }
    named
}

/// The dimension of an argument that a value is the size of.
fn dimension(module: &Module, value: ValueId) -> Option<Place> {
    let op = module.defining_op(value)?;
    let &operand = module.op(op).operands.first()?;
    match module.op_name(op) {
        "stablehlo.get_dimension_size" => {
            let argument = matches!(module.value(operand).definition, Definition::Argument(..));
            let axis = usize::try_from(module.attribute(op, "dimension")?.as_integer()?).ok()?;
            (argument && axis < module.tensor(operand)?.rank()).then_some((operand, axis))
        }
        "stablehlo.convert" | "stablehlo.reshape" => dimension(module, operand),
        _ => None,
    }
}

/// A dimension that is not known yet and that an assertion says is a known number.
fn asserted(module: &Module, block: BlockId) -> Option<(Place, i64)> {
    let asserts = |&&op: &&OpId| {
        let target = module.attribute(op, "call_target_name").and_then(Attribute::as_str);
        target == Some("shape_assertion")
    };
    module.block(block).ops.iter().filter(asserts).find_map(|&op| {
        let compare = module.defining_op(*module.op(op).operands.first()?)?;
        if module.op_name(compare) != "stablehlo.compare"
            || module.word(module.attribute(compare, "comparison_direction")?) != Some("EQ")
        {
            return None;
        }
        let &[left, right] = module.op(compare).operands.as_slice() else { return None };
        [(left, right), (right, left)].into_iter().find_map(|(unknown, known)| {
            let place = dimension(module, unknown)?;
            let open = module.tensor(place.0)?.dims[place.1].known().is_none();
            Some((place, number(module, known, DEPTH)?)).filter(|_| open)
        })
    })
}

/// The number that a scalar of shape arithmetic is.
fn number(module: &Module, value: ValueId, depth: usize) -> Option<i64> {
    if let Some(constant) = module.constant_of(value) {
        return module.constant_integers(constant)?.first().copied();
    }
    if let Some((argument, axis)) = dimension(module, value) {
        return module.tensor(argument)?.dims[axis].known();
    }
    let op = module.defining_op(value)?;
    let operand = |index: usize| number(module, *module.op(op).operands.get(index)?, depth.checked_sub(1)?);
    match module.op_name(op) {
        "stablehlo.add" => operand(0)?.checked_add(operand(1)?),
        "stablehlo.subtract" => operand(0)?.checked_sub(operand(1)?),
        "stablehlo.multiply" => operand(0)?.checked_mul(operand(1)?),
        "stablehlo.convert" | "stablehlo.reshape" => operand(0),
        _ => None,
    }
}

fn set(module: &mut Module, entry: FunctionId, block: BlockId, (argument, axis): Place, size: i64) {
    let Some(mut tensor) = module.tensor(argument).cloned() else { return };
    tensor.dims[axis] = Dim::Known(size);
    let ty = module.types.intern(Type::Tensor(tensor));
    module.value_mut(argument).ty = ty;
    if let Some(index) = module.block(block).arguments.iter().position(|&value| value == argument) {
        module.function_mut(entry).argument_types[index] = ty;
    }
}
