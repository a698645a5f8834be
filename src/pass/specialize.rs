//! Symbolic dimensions get their names, or the numbers that the user gives for them (`--dim b=8`).
//!
//! `jax.export` prints a symbolic dimension as `?` in the arguments' types. The names stand in the wrapped function's
//! arguments (`jax.global_constant = "b"`), which the entry calls with `get_dimension_size` of its own arguments; what
//! else is known of the other dimensions is asserted (`shape_assertion` of a comparison that says EQ or GE). It takes
//! the module before calls are inlined, and changes the types of the entry's arguments only: `shapes` lets the sizes
//! flow.
//!
//! The names of the arguments stand in the wrapped function as well; the entry's arguments take them over.

use super::shapes::Values;
use super::{Context, bind, entry};
use crate::diagnostic::{catalogue, nearest};
use crate::ir::{
    Argument, Attribute, BlockId, Constant, Data, Definition, Dim, FunctionId, Module, OpId, Type, ValueId,
    provenance,
};
use crate::ops::integer_bytes;
use std::collections::BTreeMap;

/// A dimension of an argument of the entry.
type Place = (ValueId, usize);

/// Each size can make an assertion say another; JAX asserts them in such an order that one round nearly always serves.
const ROUNDS: usize = 8;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    take_over_names(module, entry, block);
    choose_platform(module, entry, block, cx);
    let named = named_dimensions(module, block);
    for (name, size) in cx.dims.iter().filter(|(name, _)| name != PLATFORM) {
        match named.get(name.as_str()) {
            Some(&place) => set(module, entry, block, place, Dim::Known(*size)),
            None => {
                let near = nearest(name, named.keys().map(String::as_str));
                cx.diagnostics.push(catalogue::UnknownDimension { name, nearest: near });
            }
        }
    }
    settle(module, entry, block);
    for (name, &(argument, axis)) in &named {
        if is_open(module, (argument, axis)) {
            let name = module.symbols.intern(name);
            module.sizes.at_least(name, 0);
            let symbol = module.sizes.symbol(name);
            set(module, entry, block, (argument, axis), symbol);
        }
    }
    settle(module, entry, block);
}

/// The name of the argument that says for which of its platforms an export runs.
const PLATFORM: &str = "_platform_index";

/// An export for several platforms takes the number of the one it runs on as an argument, which becomes a constant: the
/// first platform, unless `--dim _platform_index=N` says another. The text does not say which they are.
fn choose_platform(module: &mut Module, entry: FunctionId, block: BlockId, cx: &mut Context) {
    let is_platform = |argument: &Argument| {
        let mut attributes = argument.attributes.iter();
        attributes.any(|(key, value)| {
            module.symbols.get(*key) == "jax.global_constant" && value.as_str() == Some(PLATFORM)
        })
    };
    let Some(index) = module.function(entry).arguments.iter().position(is_platform) else { return };
    let given = cx.dims.iter().find(|(name, _)| name == PLATFORM).map(|&(_, number)| number);
    if given.is_none() {
        let at = module.function(entry).arguments[index].span;
        cx.diagnostics.push(catalogue::FirstPlatform { at });
    }
    let ty = module.value_type(module.block(block).arguments[index]);
    let Some(element) = module.tensor_type(ty).filter(|ty| ty.rank() == 0).map(|ty| ty.element) else {
        return;
    };
    let bytes = integer_bytes(element, given.unwrap_or(0));
    let constant = Constant { ty, data: Data::Bytes(bytes.as_slice().into()) };
    bind::replace(module, entry, block, vec![(index, constant, PLATFORM.to_owned())]);
}

/// Lets the sizes of arguments be what assertions say.
fn settle(module: &mut Module, entry: FunctionId, block: BlockId) {
    for _ in 0..ROUNDS {
        let found = asserted(module, block, &Values::of_block(module, block));
        if found.is_empty() {
            return;
        }
        for (place, size) in found {
            if is_open(module, place) {
                set(module, entry, block, place, size);
            }
        }
    }
}

/// Whether nothing is known of a dimension yet.
fn is_open(module: &Module, (argument, axis): Place) -> bool {
    module.tensor(argument).is_some_and(|ty| ty.dims[axis] == Dim::Dynamic)
}

/// The calls in a block with what they call.
fn calls(module: &Module, block: BlockId) -> Vec<(OpId, FunctionId)> {
    module.block(block).ops.iter().filter_map(|&op| Some((op, module.callee(op)?))).collect()
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
            // The functions that JAX computes sizes with have the attribute without a name.
            let name = name.filter(|name| !name.is_empty());
            if let (Some(name), Some(place)) = (name, dimension(module, operand)) {
                named.insert(name.to_owned(), place);
            }
        }
    }
    named
}

/// The dimension of an argument that a value is the size of.
fn dimension(module: &Module, value: ValueId) -> Option<Place> {
    let mut op = module.defining_op(value)?;
    while matches!(module.op_name(op), "stablehlo.convert" | "stablehlo.reshape") {
        op = module.defining_op(*module.op(op).operands.first()?)?;
    }
    let &operand = module.op(op).operands.first()?;
    let axis = usize::try_from(module.attribute(op, "dimension")?.as_integer()?).ok()?;
    let is_size = module.op_name(op) == "stablehlo.get_dimension_size"
        && matches!(module.value(operand).definition, Definition::Argument(..))
        && axis < module.tensor(operand)?.rank();
    is_size.then_some((operand, axis))
}

/// The operands of the comparisons of that direction that a block asserts.
fn assertions(module: &Module, block: BlockId, direction: &str) -> Vec<(ValueId, ValueId)> {
    let asserts = |&&op: &&OpId| {
        let target = module.attribute(op, "call_target_name").and_then(Attribute::as_str);
        target == Some("shape_assertion")
    };
    let compared = |&op: &OpId| {
        let compare = module.defining_op(*module.op(op).operands.first()?)?;
        let &[left, right] = module.op(compare).operands.as_slice() else { return None };
        let found = module.word(module.attribute(compare, "comparison_direction")?);
        (module.op_name(compare) == "stablehlo.compare" && found == Some(direction)).then_some((left, right))
    };
    module.block(block).ops.iter().filter(asserts).filter_map(compared).collect()
}

/// The dimensions of which nothing is known yet and that an assertion says are a number or an expression.
fn asserted(module: &Module, block: BlockId, values: &Values) -> Vec<(Place, Dim)> {
    let sides = |(left, right)| [(left, right), (right, left)];
    let found = |(unknown, known)| {
        let place = dimension(module, unknown).filter(|&place| is_open(module, place))?;
        let size = size(module, values, known);
        (size != Dim::Dynamic).then_some((place, size))
    };
    assertions(module, block, "EQ").into_iter().flat_map(sides).filter_map(found).collect()
}

/// The size that a scalar of shape arithmetic is.
fn size(module: &Module, values: &Values, value: ValueId) -> Dim {
    values.of(module, value).and_then(|elements| elements.first().copied()).unwrap_or(Dim::Dynamic)
}

fn set(module: &mut Module, entry: FunctionId, block: BlockId, (argument, axis): Place, size: Dim) {
    let Some(mut tensor) = module.tensor(argument).cloned() else { return };
    tensor.dims[axis] = size;
    let ty = module.types.intern(Type::Tensor(tensor));
    module.value_mut(argument).ty = ty;
    if let Some(index) = module.block(block).arguments.iter().position(|&value| value == argument) {
        module.function_mut(entry).argument_types[index] = ty;
    }
}
