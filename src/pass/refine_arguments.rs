//! Names symbolic dimensions, or fixes their sizes (`--dim b=8`).
//!
//! `jax.export` prints a symbolic dimension as `?` in argument types. Its name is on an argument of the wrapped
//! function (`jax.global_constant = "b"`). The entry passes `get_dimension_size` of its own arguments, or a value
//! derived from it for a dimension such as `8*b + 4`. Other dimensions are constrained by assertions
//! (`shape_assertion` of an EQ or GE comparison). Runs before inlining and changes only the types of the entry's
//! arguments; `refine_shapes` propagates them.
//!
//! The entry's arguments also take their names from the wrapped function.

use super::refine_shapes::ShapeValues;
use super::{Context, bind_weights, entry};
use crate::diagnostic::{catalog, nearest};
use crate::ir::{
    Argument, Attribute, BlockId, Constant, Data, Definition, Dim, Factor, FunctionId, Module, OpId, Symbol,
    Term, Type, ValueId, provenance, stablehlo,
};
use crate::ops::integer_bytes;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// A dimension of an argument of the entry.
type ArgumentAxis = (ValueId, usize);

/// Each size can resolve another assertion; JAX's order makes one round nearly always enough.
const ROUNDS: usize = 8;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    adopt_names(module, entry, block);
    choose_platform(module, entry, block, cx);
    let mut open = Open::of(module, block);
    let names = names(module, block);
    for (name, _) in cx.options.dims.iter().filter(|(name, _)| name != PLATFORM) {
        if !names.iter().any(|(own, _)| own == name) {
            let near = nearest(name, names.iter().map(|(name, _)| name.as_str()));
            cx.diagnostics.push(catalog::UnknownDimension { name, nearest: near });
        }
    }
    // A name is a dimension's size, or follows from it and from other names: `b` in `2*b + t`.
    loop {
        settle(module, &mut open);
        let values = ShapeValues::of_block(module, block);
        let solved = names.iter().find_map(|(name, value)| {
            let (place, size) = solve(module, &open, &values, size(module, &values, *value))?;
            Some((name, place, size))
        });
        let Some((name, place, solution)) = solved else { break };
        let given = cx.options.dims.iter().find(|(own, _)| own == name).map(|&(_, size)| Dim::Known(size));
        let named = given.unwrap_or_else(|| {
            let name = module.symbols.intern(name);
            module.dim_exprs.at_least(name, 0);
            module.dim_exprs.symbol(name)
        });
        let times = module.dim_exprs.multiply(named, Dim::Known(solution.times));
        open.set(module, place, module.dim_exprs.add(times, solution.plus));
    }
    open.close(module);
}

/// The unknown dimensions of the entry's arguments, each with a temporary symbol.
struct Open {
    block: BlockId,
    symbols: BTreeMap<Symbol, ArgumentAxis>,
}

impl Open {
    fn of(module: &mut Module, block: BlockId) -> Self {
        let mut open = Self { block, symbols: BTreeMap::new() };
        for (index, value) in module.block(block).arguments.clone().into_iter().enumerate() {
            let Some(tensor) = module.tensor(value).filter(|ty| ty.encoding.is_none()).cloned() else {
                continue;
            };
            for (axis, _) in tensor.dims.iter().enumerate().filter(|(_, dim)| **dim == Dim::Dynamic) {
                // Names of dimensions contain no question mark.
                let symbol = module.symbols.intern(&format!("?{index}.{axis}"));
                module.dim_exprs.at_least(symbol, 0);
                set(module, (value, axis), module.dim_exprs.symbol(symbol));
                open.symbols.insert(symbol, (value, axis));
            }
        }
        open
    }

    fn set(&mut self, module: &mut Module, place: ArgumentAxis, size: Dim) {
        self.symbols.retain(|_, open| *open != place);
        set(module, place, size);
    }

    /// The dimension that a size is.
    fn place(&self, module: &Module, size: Dim) -> Option<ArgumentAxis> {
        self.symbols.get(&module.dim_exprs.as_symbol(size)?).copied()
    }

    /// Whether a size only uses final names.
    fn is_named(&self, module: &Module, size: Dim) -> bool {
        let mut found = FxHashSet::default();
        module.dim_exprs.symbols(size, &mut found);
        size != Dim::Dynamic && found.iter().all(|name| !self.symbols.contains_key(name))
    }

    /// Unresolved dimensions become unknown again.
    fn close(self, module: &mut Module) {
        for &place in self.symbols.values() {
            set(module, place, Dim::Dynamic);
        }
    }
}

/// A dimension in terms of a name: `times * name + plus`.
struct LinearDim {
    times: i64,
    plus: Dim,
}

/// The only unknown dimension in the expression of a name. JAX computes a name as `floordiv(dimension - plus,
/// times)`, and asserts that there is no remainder.
fn solve(module: &Module, open: &Open, values: &ShapeValues, name: Dim) -> Option<(ArgumentAxis, LinearDim)> {
    let sizes = &module.dim_exprs;
    let (times, multiple) = dividend(module, open, values, name)?;
    let mut found = FxHashSet::default();
    sizes.symbols(multiple, &mut found);
    let mut unknown = found.iter().filter_map(|symbol| Some((*symbol, *open.symbols.get(symbol)?)));
    let (symbol, place) = unknown.next().filter(|_| unknown.next().is_none())?;
    let rest = sizes.subtract(multiple, sizes.symbol(symbol));
    open.is_named(module, rest)
        .then(|| (place, LinearDim { times, plus: sizes.multiply(rest, Dim::Known(-1)) }))
}

/// A factor, and the name times that factor.
fn dividend(module: &Module, open: &Open, values: &ShapeValues, name: Dim) -> Option<(i64, Dim)> {
    let sizes = &module.dim_exprs;
    let Dim::Symbolic(id) = name else { return None };
    let quotient = |(factors, by): Term| match factors[..] {
        [Factor::Quotient(x, Dim::Known(divisor))] if by.abs() == 1 && !open.is_named(module, x) => {
            Some((x, divisor, by))
        }
        _ => None,
    };
    let Some((x, divisor, by)) = sizes.terms(id).into_iter().find_map(quotient) else {
        return Some((1, name));
    };
    let rounded = sizes.multiply(sizes.quotient(x, Dim::Known(divisor)), Dim::Known(by));
    // In normal form, a subtracted quotient is rounded up.
    let x = if by > 0 { x } else { sizes.subtract(Dim::Known(divisor - 1), x) };
    let left = sizes.remainder(x, Dim::Known(divisor));
    let is_exact = assertions(module, open.block, "EQ").into_iter().any(|(rest, zero)| {
        size(module, values, rest) == left && size(module, values, zero) == Dim::Known(0)
    });
    let others = sizes.multiply(sizes.subtract(name, rounded), Dim::Known(divisor));
    is_exact.then(|| (divisor, sizes.add(others, x)))
}

/// The argument that selects the platform of an export.
const PLATFORM: &str = "_platform_index";

/// An export for several platforms takes the platform's index as an argument. It becomes a constant: the CPU, or the first
/// platform if there is no CPU or if the names are not known, as in a text. `--dim _platform_index=N` selects another.
fn choose_platform(module: &mut Module, entry: FunctionId, block: BlockId, cx: &mut Context) {
    let is_platform = |argument: &Argument| {
        let mut attributes = argument.attributes.iter();
        attributes.any(|(key, value)| {
            module.symbols.get(*key) == "jax.global_constant" && value.as_str() == Some(PLATFORM)
        })
    };
    let Some(index) = module.function(entry).arguments.iter().position(is_platform) else { return };
    let given = cx.options.dims.iter().find(|(name, _)| name == PLATFORM).map(|&(_, number)| number);
    let platforms = cx.source.platforms();
    let selected = platforms.iter().position(|platform| platform == "cpu").unwrap_or(0);
    if given.is_none() {
        let at = module.function(entry).arguments[index].span;
        cx.diagnostics.push(catalog::OnePlatform { platforms, selected, at });
    }
    let ty = module.value_type(module.block(block).arguments[index]);
    let Some(element) = module.tensor_type(ty).filter(|ty| ty.rank() == 0).map(|ty| ty.element) else {
        return;
    };
    let bytes = integer_bytes(element, given.unwrap_or(selected as i64));
    let constant = Constant { ty, data: Data::Bytes(bytes.as_slice().into()) };
    bind_weights::replace(module, entry, block, vec![(index, constant, PLATFORM.to_owned())]);
}

/// Resolves argument sizes from assertions.
fn settle(module: &mut Module, open: &mut Open) {
    for _ in 0..ROUNDS {
        let found = asserted(module, open, &ShapeValues::of_block(module, open.block));
        if found.is_empty() {
            return;
        }
        for (place, size) in found {
            open.set(module, place, size);
        }
    }
}

/// The calls in a block with their callees.
fn calls(module: &Module, block: BlockId) -> Vec<(OpId, FunctionId)> {
    module.block(block).ops.iter().filter_map(|&op| Some((op, module.callee(op)?))).collect()
}

/// An unnamed argument that is passed to a function takes the name of that function's argument.
fn adopt_names(module: &mut Module, entry: FunctionId, block: BlockId) {
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

/// The names of symbolic dimensions with the values they are computed from.
fn names(module: &Module, block: BlockId) -> Vec<(String, ValueId)> {
    let mut named = BTreeMap::new();
    for (call, callee) in calls(module, block) {
        for (argument, &operand) in module.function(callee).arguments.iter().zip(&module.op(call).operands) {
            let mut attributes = argument.attributes.iter();
            let name = attributes.find(|(key, _)| module.symbols.get(*key) == "jax.global_constant");
            let name = name.and_then(|(_, value)| value.as_str());
            // JAX's functions that compute sizes have the attribute without a name.
            let name = name.filter(|name| !name.is_empty());
            if let Some(name) = name {
                named.entry(name.to_owned()).or_insert(operand);
            }
        }
    }
    named.into_iter().collect()
}

/// The operands of asserted comparisons with that direction.
fn assertions(module: &Module, block: BlockId, direction: &str) -> Vec<(ValueId, ValueId)> {
    let asserts = |&&op: &&OpId| {
        let target = module.attribute(op, "call_target_name").and_then(Attribute::as_str);
        target == Some("shape_assertion")
    };
    let compared = |&op: &OpId| {
        let compare = module.defining_op(*module.op(op).operands.first()?)?;
        let &[left, right] = module.op(compare).operands.as_slice() else { return None };
        let found = module.word(module.attribute(compare, "comparison_direction")?);
        (module.op(compare).name == stablehlo::COMPARE && found == Some(direction)).then_some((left, right))
    };
    module.block(block).ops.iter().filter(asserts).filter_map(compared).collect()
}

/// Unknown dimensions that an assertion equates with a number or an expression.
fn asserted(module: &Module, open: &Open, values: &ShapeValues) -> Vec<(ArgumentAxis, Dim)> {
    let sides = |(left, right)| [(left, right), (right, left)];
    let found = |(unknown, known)| {
        let place = open.place(module, size(module, values, unknown))?;
        let size = size(module, values, known);
        open.is_named(module, size).then_some((place, size))
    };
    assertions(module, open.block, "EQ").into_iter().flat_map(sides).filter_map(found).collect()
}

/// The size computed by a scalar of shape arithmetic.
fn size(module: &Module, values: &ShapeValues, value: ValueId) -> Dim {
    values.of(module, value).and_then(|elements| elements.first().copied()).unwrap_or(Dim::Dynamic)
}

fn set(module: &mut Module, (argument, axis): ArgumentAxis, size: Dim) {
    let Some(mut tensor) = module.tensor(argument).cloned() else { return };
    tensor.dims[axis] = size;
    let ty = module.types.intern(Type::Tensor(tensor));
    module.value_mut(argument).ty = ty;
}
