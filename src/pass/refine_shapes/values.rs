//! Evaluates shape arithmetic to numbers and expressions.
//!
//! Evaluates short lists and matrices of signed integers or booleans element by element. An unknown element is
//! [`Dim::Dynamic`]; booleans are 0 and 1.

use super::floored::{Floored, Reader};
use super::symbols::SymbolOrigins;
use crate::ir::{
    BlockId, Dim, DimExprs, Dims, Element, FunctionId, Module, OpId, OpName, ValueId, stablehlo,
};
use rustc_hash::FxHashMap;

/// Longer lists are not shapes.
const LONGEST: i64 = 64;

/// The evaluated values.
///
/// Values that depend only on sizes are evaluated for every op, and decide conditions. Values that depend on data are
/// only traced for sizes computed from them, because their arithmetic might wrap.
#[derive(Default)]
pub(in crate::pass) struct ShapeValues {
    known: FxHashMap<ValueId, Dims>,
    traced: FxHashMap<ValueId, Dims>,
    /// The caller's values for arguments of evaluated calls, and the values that constants were folded from.
    sources: FxHashMap<ValueId, ValueId>,
}

/// The elements of operands.
type Lookup<'a> = dyn Fn(ValueId) -> Option<Dims> + 'a;

/// Limits how far sizes computed from data are traced.
const DEPTH: usize = 32;

/// Limits the call depth of evaluated scalar functions: JAX's `divmod` calls `floor_divide`, which calls `_where`.
const CALLS: usize = 4;

/// JAX's functions on sizes are short.
const LONGEST_FUNCTION: usize = 32;

impl ShapeValues {
    /// Evaluates a block whose calls are not inlined, with the current types.
    pub(in crate::pass) fn of_block(module: &Module, block: BlockId) -> Self {
        let mut values = Self::default();
        values.visit_block(module, block, CALLS);
        values
    }

    fn visit_block(&mut self, module: &Module, block: BlockId, depth: usize) {
        for &op in &module.block(block).ops {
            match module.callee(op) {
                Some(callee) => _ = self.call(module, op, callee, depth),
                None => _ = self.visit(module, op),
            }
        }
    }

    /// Evaluates a call of a scalar function.
    fn call(&mut self, module: &Module, op: OpId, callee: FunctionId, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let block = module.entry_block(module.function(callee).body)?;
        let (arguments, ops) = (&module.block(block).arguments, &module.block(block).ops);
        let call = module.op(op);
        let is_scalar = |&value: &ValueId| module.tensor(value).is_some_and(|ty| ty.rank() == 0);
        let fits = arguments.len() == call.operands.len() && ops.len() <= LONGEST_FUNCTION;
        if !fits || !call.operands.iter().chain(&call.results).all(is_scalar) {
            return None;
        }
        let inside = ops.iter().flat_map(|&op| &module.op(op).results);
        inside.for_each(|value| _ = self.known.remove(value));
        for (&argument, &operand) in arguments.iter().zip(&call.operands) {
            self.known.remove(&argument);
            if let Some(known) = self.of(module, operand) {
                self.known.insert(argument, known);
            }
            self.sources.insert(argument, self.source(operand));
        }
        self.visit_block(module, block, depth);
        let returned = &module.op(*ops.last()?).operands;
        for (&result, &value) in call.results.iter().zip(returned) {
            if let Some(known) = self.of(module, value) {
                self.known.insert(result, known);
            }
        }
        Some(())
    }

    /// Remembers the result that a constant replaced, because part of a pattern may be folded before the whole is
    /// matched.
    pub(super) fn folded(&mut self, constant: ValueId, result: ValueId) {
        self.sources.insert(constant, result);
    }

    /// Resolves a value to the caller's value, or to the value it was folded from.
    fn source(&self, value: ValueId) -> ValueId {
        self.sources.get(&value).copied().unwrap_or(value)
    }

    /// The elements of a value, if any are known.
    pub(in crate::pass) fn of(&self, module: &Module, value: ValueId) -> Option<Dims> {
        if let Some(known) = self.known.get(&value) {
            return Some(known.clone());
        }
        length(module, value)?;
        let numbers = module.known_integers(value)?;
        Some(numbers.into_iter().map(Dim::Known).collect())
    }

    /// The known number of a scalar.
    pub(super) fn number(&self, module: &Module, value: ValueId) -> Option<i64> {
        self.of(module, value)?.first()?.known()
    }

    /// The elements of a value that states sizes, with symbols for elements of data.
    pub(super) fn trace(
        &mut self,
        module: &mut Module,
        origins: &mut SymbolOrigins,
        value: ValueId,
    ) -> Option<Dims> {
        self.trace_within(module, origins, value, DEPTH)
    }

    fn trace_within(
        &mut self,
        module: &mut Module,
        origins: &mut SymbolOrigins,
        value: ValueId,
        depth: usize,
    ) -> Option<Dims> {
        let length = length(module, value)?;
        if let Some(known) = self.traced.get(&value) {
            return Some(known.clone());
        }
        let unknown = || std::iter::repeat_n(Dim::Dynamic, length).collect();
        let mut elements: Dims = self.of(module, value).unwrap_or_else(unknown);
        if elements.contains(&Dim::Dynamic)
            && let Some(op) = module.defining_op(value)
            && let Some(depth) = depth.checked_sub(1)
            && is_evaluated(module.op(op).name)
        {
            for operand in module.op(op).operands.clone() {
                self.trace_within(module, origins, operand, depth);
            }
            let lookup = |value| self.traced.get(&value).cloned().or_else(|| self.of(module, value));
            let traced = evaluate(module, op, length, &lookup, &|value| self.source(value));
            elements = traced.filter(|traced| traced.len() == length).unwrap_or(elements);
        }
        // Elements of lists get symbols. Elements of matrices, which pad convolutions, do not.
        if elements.contains(&Dim::Dynamic) && module.tensor(value)?.rank() > 1 {
            return None;
        }
        for (index, element) in elements.iter_mut().enumerate().filter(|(_, dim)| **dim == Dim::Dynamic) {
            *element = origins.add(module, value, crate::ops::SizePart::Element(index));
        }
        self.traced.insert(value, elements.clone());
        Some(elements)
    }

    /// Evaluates an op. Returns its elements if all are numbers.
    pub(super) fn visit(&mut self, module: &Module, op: OpId) -> Option<Vec<i64>> {
        let &[result] = module.op(op).results.as_slice() else { return None };
        let length = length(module, result)?;
        let lookup = |value| self.of(module, value);
        let elements = evaluate(module, op, length, &lookup, &|value| self.source(value))?;
        if elements.len() != length || elements.iter().all(|&element| element == Dim::Dynamic) {
            return None;
        }
        let numbers = elements.iter().map(|element| element.known()).collect();
        self.known.insert(result, elements);
        numbers
    }
}

/// Ops through which sizes are traced: integer moves and arithmetic, but not booleans.
fn is_evaluated(name: OpName) -> bool {
    matches!(
        name,
        stablehlo::CONVERT
            | stablehlo::RESHAPE
            | stablehlo::TRANSPOSE
            | stablehlo::BROADCAST_IN_DIM
            | stablehlo::CONCATENATE
            | stablehlo::SLICE
            | stablehlo::ADD
            | stablehlo::SUBTRACT
            | stablehlo::MULTIPLY
            | stablehlo::DIVIDE
            | stablehlo::REMAINDER
            | stablehlo::MAXIMUM
            | stablehlo::MINIMUM
            | stablehlo::NEGATE
    )
}

/// The elements of an op's only result, [`Dim::Dynamic`] if unknown.
fn evaluate(
    module: &Module,
    op: OpId,
    length: usize,
    lookup: &Lookup,
    source: &dyn Fn(ValueId) -> ValueId,
) -> Option<Dims> {
    let operands = &module.op(op).operands;
    let operand = |index: usize| lookup(*operands.get(index)?);
    let attribute = |name: &str| module.integers(module.attribute(op, name)?);
    let sizes = &module.dim_exprs;
    let each = |f: &dyn Fn(&[Dim]) -> Dim| -> Option<Dims> {
        let all: Vec<Option<Dims>> = (0..operands.len()).map(operand).collect();
        let element = |list: &Option<Dims>, index: usize| match list {
            Some(list) if list.len() == 1 => list[0],
            Some(list) => list.get(index).copied().unwrap_or(Dim::Dynamic),
            None => Dim::Dynamic,
        };
        let at = |index: usize| -> Vec<Dim> { all.iter().map(|list| element(list, index)).collect() };
        Some((0..length).map(|index| f(&at(index))).collect())
    };
    match module.op(op).name {
        stablehlo::GET_DIMENSION_SIZE => {
            let axis = usize::try_from(module.attribute(op, "dimension")?.as_integer()?).ok()?;
            Some(Dims::from_slice(&[*module.tensor(*operands.first()?)?.dims.get(axis)?]))
        }
        stablehlo::CONVERT | stablehlo::RESHAPE => operand(0),
        stablehlo::TRANSPOSE => {
            operand(0).filter(|_| attribute("permutation").is_some_and(|order| order.is_sorted()))
        }
        stablehlo::OPTIMIZATION_BARRIER => operand(0),
        stablehlo::BROADCAST_IN_DIM => {
            let list = operand(0)?;
            let single = || std::iter::repeat_n(list[0], length).collect();
            if list.len() == 1 {
                return Some(single());
            }
            Some(list).filter(|_| attribute("broadcast_dimensions").is_some_and(|order| order.is_sorted()))
        }
        stablehlo::CONCATENATE => {
            // Operands are concatenated flat if every dimension before is 1.
            let axis = usize::try_from(module.attribute(op, "dimension")?.as_integer()?).ok()?;
            let joined = module.tensor(*module.op(op).results.first()?)?;
            if joined.dims.iter().take(axis).any(|&dim| dim != Dim::Known(1)) {
                return None;
            }
            let mut joined = Dims::new();
            for &operand in operands {
                let unknown =
                    || std::iter::repeat_n(Dim::Dynamic, self::length(module, operand).unwrap_or(0));
                joined.extend(lookup(operand).unwrap_or_else(|| unknown().collect()));
            }
            Some(joined)
        }
        stablehlo::SLICE => {
            let list = operand(0)?;
            let (starts, steps) = (attribute("start_indices")?, attribute("strides")?);
            let (&[start], &[step]) = (starts.as_slice(), steps.as_slice()) else { return None };
            let at = |index: usize| usize::try_from(start + index as i64 * step).ok();
            (0..length).map(|index| list.get(at(index)?).copied()).collect()
        }
        stablehlo::ADD => each(&|x| sizes.add(x[0], x[1])),
        stablehlo::SUBTRACT => each(&|x| sizes.subtract(x[0], x[1])),
        stablehlo::MULTIPLY if !is_truth(module, op) => each(&|x| sizes.multiply(x[0], x[1])),
        stablehlo::DIVIDE => each(&|x| to_zero(sizes, x[0], |dividend| sizes.quotient(dividend, x[1]))),
        stablehlo::REMAINDER => each(&|x| to_zero(sizes, x[0], |dividend| sizes.remainder(dividend, x[1]))),
        stablehlo::MAXIMUM => each(&|x| sizes.larger(x[0], x[1])),
        stablehlo::MINIMUM => each(&|x| sizes.smaller(x[0], x[1])),
        stablehlo::CLAMP => each(&|x| sizes.smaller(sizes.larger(x[0], x[1]), x[2])),
        stablehlo::NEGATE => each(&|x| sizes.multiply(x[0], Dim::Known(-1))),
        stablehlo::ABS => each(&|x| sizes.larger(x[0], sizes.multiply(x[0], Dim::Known(-1)))),
        stablehlo::SIGN => each(&|x| match sizes.bounds(x[0]) {
            (Some(low), _) if low > 0 => Dim::Known(1),
            (_, Some(high)) if high < 0 => Dim::Known(-1),
            _ => Dim::Dynamic,
        }),
        stablehlo::COMPARE => {
            let direction = module.word(module.attribute(op, "comparison_direction")?)?;
            each(&|x| compare(sizes, direction, x[0], x[1]))
        }
        stablehlo::SELECT => {
            let chosen = each(&|x| match x[0] {
                Dim::Known(0) => x[2],
                Dim::Known(_) => x[1],
                _ if x[1] == x[2] => x[1],
                _ => Dim::Dynamic,
            })?;
            if !chosen.contains(&Dim::Dynamic) {
                return Some(chosen);
            }
            if let Some(chosen) = chosen_of_equals(module, op, lookup, &chosen) {
                return Some(chosen);
            }
            let Some((floored, x, y)) = (Reader { module, lookup, source }).read(op) else {
                return Some(chosen);
            };
            let divided = |(&x, &y): (&Dim, &Dim)| match floored {
                Floored::Quotient => sizes.quotient(x, y),
                Floored::Remainder => sizes.remainder(x, y),
            };
            Some(lookup(x)?.iter().zip(&lookup(y)?).map(divided).collect())
        }
        stablehlo::AND if is_truth(module, op) => each(&|x| truth(x, Dim::Known(0), Dim::Known(1))),
        stablehlo::OR if is_truth(module, op) => each(&|x| truth(x, Dim::Known(1), Dim::Known(0))),
        stablehlo::NOT if is_truth(module, op) => each(&|x| match x[0] {
            Dim::Known(value) => Dim::Known(1 - value),
            _ => Dim::Dynamic,
        }),
        _ => None,
    }
}

/// `select(x == y, y, x)` is `x` in both cases.
fn chosen_of_equals(module: &Module, op: OpId, lookup: &Lookup, chosen: &Dims) -> Option<Dims> {
    let &[condition, on_true, on_false] = module.op(op).operands.as_slice() else { return None };
    let compare = module.defined_by(condition, stablehlo::COMPARE)?;
    let &[x, y] = module.op(compare).operands.as_slice() else { return None };
    if module.word(module.attribute(compare, "comparison_direction")?)? != "EQ" {
        return None;
    }
    let lists = [lookup(x)?, lookup(y)?, lookup(on_true)?, lookup(on_false)?];
    let element = |list: usize, index: usize| match lists[list].as_slice() {
        [single] => *single,
        list => list.get(index).copied().unwrap_or(Dim::Dynamic),
    };
    let mut found = chosen.clone();
    for (index, dim) in found.iter_mut().enumerate().filter(|(_, dim)| **dim == Dim::Dynamic) {
        let [x, y, on_true, on_false] = [0, 1, 2, 3].map(|list| element(list, index));
        let known = ![x, y, on_true, on_false].contains(&Dim::Dynamic);
        let equal = known && ((x == on_false && y == on_true) || (x == on_true && y == on_false));
        *dim = if equal { on_false } else { Dim::Dynamic };
    }
    (found != *chosen).then_some(found)
}

/// The number of elements of a value that can be a list of sizes.
pub(super) fn length(module: &Module, value: ValueId) -> Option<usize> {
    let ty = module.tensor(value)?;
    let element = matches!(ty.element, Element::I32 | Element::I64 | Element::Index | Element::Bool);
    let count = ty.count().filter(|&count| ty.rank() <= 2 && element && (1..=LONGEST).contains(&count))?;
    usize::try_from(count).ok()
}

fn is_truth(module: &Module, op: OpId) -> bool {
    let result = module.op(op).results.first().and_then(|&result| module.tensor(result));
    result.is_some_and(|ty| ty.element == Element::Bool)
}

/// StableHLO's division rounds toward zero: down for non-negative dividends, up for non-positive ones.
fn to_zero(sizes: &DimExprs, x: Dim, f: impl Fn(Dim) -> Dim) -> Dim {
    let negated = |x| sizes.multiply(x, Dim::Known(-1));
    match sizes.bounds(x) {
        (Some(low), _) if low >= 0 => f(x),
        (_, Some(high)) if high <= 0 => negated(f(negated(x))),
        _ => Dim::Dynamic,
    }
}

/// A connective: a `decisive` operand decides, and two `neutral` ones are neutral.
fn truth(x: &[Dim], decisive: Dim, neutral: Dim) -> Dim {
    if x.contains(&decisive) {
        return decisive;
    }
    if x.iter().all(|&x| x == neutral) { neutral } else { Dim::Dynamic }
}

fn compare(sizes: &DimExprs, direction: &str, x: Dim, y: Dim) -> Dim {
    let (low, high) = sizes.bounds(sizes.subtract(x, y));
    let (least, most) = (low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX));
    let decided = |always: bool, never: bool| match (always, never) {
        (true, _) => Dim::Known(1),
        (_, true) => Dim::Known(0),
        _ => Dim::Dynamic,
    };
    let (equal, differ) = ((least, most) == (0, 0), least > 0 || most < 0);
    match direction {
        "EQ" => decided(equal, differ),
        "NE" => decided(differ, equal),
        "LT" => decided(most < 0, least >= 0),
        "LE" => decided(most <= 0, least > 0),
        "GT" => decided(least > 0, most <= 0),
        "GE" => decided(least >= 0, most < 0),
        _ => Dim::Dynamic,
    }
}
