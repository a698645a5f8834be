//! Counted loops: `i = start; while (i < limit) i += 1`.

use super::while_loop::WhileLoop;
use crate::ir::{BlockId, Dim, Element, Module, OpId, ValueId, hlo2onnx, stablehlo};

/// A counted loop.
pub(crate) struct CountedLoop {
    /// Which of the carried values is the counter.
    pub counter: usize,
    /// The element type of the counter.
    pub element: Element,
    /// The initial value of the counter, if known.
    pub start: Option<i64>,
    /// When the loop ends.
    pub end: LoopEnd,
}

/// When a counted loop ends.
#[derive(Clone, Copy)]
pub(crate) enum LoopEnd {
    /// After this many iterations.
    After(Dim),
    /// When the counter reaches a number.
    AtNumber(i64),
    /// When the counter reaches a value from outside, of the counter's type.
    At(ValueId),
}

impl CountedLoop {
    /// The trip count, or `most`.
    pub fn length_or(&self, most: i64) -> Dim {
        self.length().unwrap_or(Dim::Known(most))
    }

    /// The trip count, if it is a size.
    pub fn length(&self) -> Option<Dim> {
        match self.end {
            LoopEnd::After(length) => Some(length),
            LoopEnd::AtNumber(_) | LoopEnd::At(_) => None,
        }
    }
}

/// A scalar integer as a function of the iteration number, which starts at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IterationIndex {
    /// Loop-invariant.
    Fixed(Dim),
    /// The iteration number plus this.
    Forward(Dim),
    /// This minus the iteration number.
    Backward(Dim),
}

/// How far a value is traced back.
pub(crate) const DEPTH: usize = 16;

impl CountedLoop {
    /// Recognizes a counted `while`: the condition compares a counter with an invariant limit, and each iteration adds
    /// one to the counter. `start` knows the initial value of a carried value.
    pub fn of(module: &Module, op: OpId, start: impl Fn(usize) -> Option<i64>) -> Option<Self> {
        let WhileLoop { condition, body, .. } = WhileLoop::of(module, op)?;
        let tested = module.op(*module.block(condition).ops.last()?).operands.first().copied()?;
        let compare = module.defined_by(tested, stablehlo::COMPARE)?;
        if module.word(module.attribute(compare, "comparison_direction")?) != Some("LT") {
            return None;
        }
        let &[tested, limit] = module.op(compare).operands.as_slice() else { return None };
        let (outer, inner) = (&module.block(condition).arguments, &module.block(body).arguments);
        let counter = outer.iter().position(|&parameter| parameter == tested)?;
        let returned = &module.op(*module.block(body).ops.last()?).operands;
        if !adds_one(module, returned[counter], inner[counter]) {
            return None;
        }
        let limit = match outer.iter().position(|&parameter| parameter == limit) {
            Some(index) if returned[index] == inner[index] => module.op(op).operands[index],
            Some(_) => return None,
            None => limit,
        };
        let element = module.tensor(limit)?.element;
        let start = start(counter);
        let last = at_iteration(module, limit, None, DEPTH).filter(|last| {
            // Symbols of sizes that the condition computes have no value outside.
            matches!(last, IterationIndex::Fixed(Dim::Known(_))) || !has_sizes(module, condition)
        });
        let sizes = &module.dim_exprs;
        if let (Some(start), Some(IterationIndex::Fixed(last))) = (start, last) {
            // The order of ui64 is not that of i64.
            let fits = element != Element::U64 || (start >= 0 && sizes.is_at_least(last, 0));
            let rounds = match last {
                Dim::Known(last) => Dim::Known(last.checked_sub(start)?.max(0)),
                _ => sizes.larger(Dim::Known(0), sizes.subtract(last, Dim::Known(start))),
            };
            let end = LoopEnd::After(rounds);
            return fits.then_some(Self { counter, element, start: Some(start), end });
        }
        // The difference of values known only at run time must not overflow.
        if !element.is_integer() || element.bits() > 32 {
            return None;
        }
        let end = match last {
            Some(IterationIndex::Fixed(Dim::Known(last))) => LoopEnd::AtNumber(last),
            _ if is_inside(module, limit, condition) => return None,
            _ => LoopEnd::At(limit),
        };
        Some(Self { counter, element, start, end })
    }
}

/// Whether an op of the block itself defines the value.
fn is_inside(module: &Module, value: ValueId, block: BlockId) -> bool {
    module.defining_op(value).is_some_and(|op| module.block(block).ops.contains(&op))
}

/// Whether ops of the block define symbols of sizes.
fn has_sizes(module: &Module, block: BlockId) -> bool {
    module.block(block).ops.iter().any(|&op| module.op(op).name == hlo2onnx::SIZE)
}

/// A carried value that counts from a known number while it is below another one, in a loop that may also end for another
/// reason.
#[derive(Clone, Copy)]
pub(crate) struct Counter {
    /// The position of the carried value.
    pub index: usize,
    /// Its number in the first iteration.
    pub first: i64,
    /// Its number in the last possible iteration.
    pub last: i64,
    /// The comparison in the condition.
    pub compare: OpId,
}

/// The counters of a loop.
pub(crate) fn counters(module: &Module, it: WhileLoop, start: impl Fn(usize) -> Option<i64>) -> Vec<Counter> {
    let outer = &module.block(it.condition).arguments;
    let inner = &module.block(it.body).arguments;
    let returned = &module.op(it.terminator).operands;
    let tested = module.block(it.condition).ops.last().and_then(|&end| module.op(end).operands.first());
    let mut conditions: Vec<ValueId> = tested.copied().into_iter().collect();
    let mut counters = Vec::new();
    while let Some(condition) = conditions.pop() {
        if let Some(both @ [_, _]) = module.defining_operands(condition, stablehlo::AND) {
            conditions.extend(both);
            continue;
        }
        let Some(compare) = module.defined_by(condition, stablehlo::COMPARE) else { continue };
        let direction = module.attribute(compare, "comparison_direction");
        let &[value, limit] = &module.op(compare).operands[..] else { continue };
        let Some(index) = outer.iter().position(|&argument| argument == value) else { continue };
        let is_less = direction.and_then(|direction| module.word(direction)) == Some("LT");
        let limit = module.known_integers(limit).filter(|limit| limit.len() == 1);
        if let (true, Some(limit), Some(start)) = (is_less, limit, start(index))
            && start < limit[0]
            && module.tensor(value).is_some_and(|ty| ty.element != Element::U64)
            && adds_one(module, returned[index], inner[index])
        {
            counters.push(Counter { index, first: start, last: limit[0] - 1, compare });
        }
    }
    counters
}

/// Whether a value is another one plus one.
fn adds_one(module: &Module, sum: ValueId, value: ValueId) -> bool {
    let Some([a, b]) = module.defining_operands(sum, stablehlo::ADD) else { return false };
    if !module.tensor(value).is_some_and(|ty| ty.element.is_integer()) {
        return false;
    }
    let is_one = |value: ValueId| module.known_integers(value).is_some_and(|all| all == [1]);
    (a == value && is_one(b)) || (b == value && is_one(a))
}

/// The counter of a loop, as seen by its body.
#[derive(Clone, Copy)]
pub(crate) struct InductionVariable {
    /// The argument of the body.
    pub argument: ValueId,
    /// Its value in the first iteration.
    pub start: i64,
    /// The trip count.
    pub length: Dim,
}

/// An integer scalar in or around a loop, as a function of the iteration number.
///
/// Computed modulo the counter's range, so it is only right within that range.
pub(crate) fn at_iteration(
    module: &Module,
    value: ValueId,
    counter: Option<InductionVariable>,
    depth: usize,
) -> Option<IterationIndex> {
    let depth = depth.checked_sub(1)?;
    if let Some(counter) = counter.filter(|counter| counter.argument == value) {
        return Some(IterationIndex::Forward(Dim::Known(counter.start)));
    }
    let ty = module.tensor(value).filter(|ty| ty.count() == Some(1) && ty.element.is_integer())?;
    if let Some(constant) = module.constant_of(value) {
        return match module.constant_integers(constant)?.as_slice() {
            &[number] => Some(IterationIndex::Fixed(Dim::Known(number))),
            _ => None,
        };
    }
    let op = module.defining_op(value)?;
    let operands = &module.op(op).operands;
    let of = |index: usize| at_iteration(module, *operands.get(index)?, counter, depth);
    let sizes = &module.dim_exprs;
    match module.op(op).name {
        stablehlo::GET_DIMENSION_SIZE => {
            let axis = module.attribute(op, "dimension")?.as_integer()?;
            let dims = &module.tensor(operands[0])?.dims;
            dims.get(usize::try_from(axis).ok()?).copied().map(IterationIndex::Fixed)
        }
        stablehlo::RESHAPE => of(0),
        // Arithmetic in fewer bits may have wrapped.
        stablehlo::CONVERT if ty.element.bits() >= 32 && is_leaf(module, operands[0], counter) => of(0),
        stablehlo::ADD => match (of(0)?, of(1)?) {
            (IterationIndex::Fixed(a), IterationIndex::Fixed(b)) => {
                Some(IterationIndex::Fixed(sizes.add(a, b)))
            }
            (IterationIndex::Forward(a), IterationIndex::Fixed(b))
            | (IterationIndex::Fixed(a), IterationIndex::Forward(b)) => {
                Some(IterationIndex::Forward(sizes.add(a, b)))
            }
            (IterationIndex::Backward(a), IterationIndex::Fixed(b))
            | (IterationIndex::Fixed(a), IterationIndex::Backward(b)) => {
                Some(IterationIndex::Backward(sizes.add(a, b)))
            }
            _ => None,
        },
        stablehlo::SUBTRACT => match (of(0)?, of(1)?) {
            (IterationIndex::Fixed(a), IterationIndex::Fixed(b)) => {
                Some(IterationIndex::Fixed(sizes.subtract(a, b)))
            }
            (IterationIndex::Forward(a), IterationIndex::Fixed(b)) => {
                Some(IterationIndex::Forward(sizes.subtract(a, b)))
            }
            (IterationIndex::Backward(a), IterationIndex::Fixed(b)) => {
                Some(IterationIndex::Backward(sizes.subtract(a, b)))
            }
            (IterationIndex::Fixed(a), IterationIndex::Forward(b)) => {
                Some(IterationIndex::Backward(sizes.subtract(a, b)))
            }
            (IterationIndex::Fixed(a), IterationIndex::Backward(b)) => {
                Some(IterationIndex::Forward(sizes.subtract(a, b)))
            }
            _ => None,
        },
        stablehlo::MULTIPLY => match (of(0)?, of(1)?) {
            (IterationIndex::Fixed(a), IterationIndex::Fixed(b)) => {
                Some(IterationIndex::Fixed(sizes.multiply(a, b)))
            }
            _ => None,
        },
        // Negative indices count from the end; this one is never negative.
        stablehlo::SELECT => {
            let place = of(2)?;
            tests_negative(module, operands[0], place, counter, depth).then_some(place)
        }
        _ => None,
    }
}

/// Whether a comparison tests a value for being negative, which it never is.
fn tests_negative(
    module: &Module,
    value: ValueId,
    place: IterationIndex,
    counter: Option<InductionVariable>,
    depth: usize,
) -> bool {
    let tests_place = || {
        let compare = module.defining_op(value)?;
        let is_less = module.op(compare).name == stablehlo::COMPARE
            && module.word(module.attribute(compare, "comparison_direction")?) == Some("LT");
        let operands = &module.op(compare).operands;
        let tested = at_iteration(module, operands[0], counter, depth)?;
        let limit = at_iteration(module, operands[1], None, depth)?;
        Some(is_less && tested == place && limit == IterationIndex::Fixed(Dim::Known(0)))
    };
    if tests_place() != Some(true) {
        return false;
    }
    let sizes = &module.dim_exprs;
    match (place, counter) {
        (IterationIndex::Fixed(least) | IterationIndex::Forward(least), _) => sizes.is_at_least(least, 0),
        (IterationIndex::Backward(first), Some(counter)) => {
            sizes.is_at_least(sizes.subtract(first, counter.length), -1)
        }
        (IterationIndex::Backward(_), None) => false,
    }
}

/// Whether a value is a constant, a size or the counter.
fn is_leaf(module: &Module, value: ValueId, counter: Option<InductionVariable>) -> bool {
    let is_size =
        |op: OpId| matches!(module.op(op).name, stablehlo::GET_DIMENSION_SIZE | stablehlo::CONSTANT);
    counter.is_some_and(|counter| counter.argument == value) || module.defining_op(value).is_some_and(is_size)
}
