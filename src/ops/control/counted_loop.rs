//! Counted loops: `i = start; while (i < limit) i += 1`.

use super::super::{Lower, LowerError};
use crate::ir::{Dim, Element, OpId, RegionId, ValueId, hlo2onnx, stablehlo};

/// A counted loop.
pub(super) struct CountedLoop {
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
pub(super) enum LoopEnd {
    /// After this many iterations.
    After(Dim),
    /// When the counter reaches a lowered value from outside, of the counter's type.
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
            LoopEnd::At(_) => None,
        }
    }
}

/// A scalar integer as a function of the iteration number, which starts at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IterationIndex {
    /// Loop-invariant.
    Fixed(Dim),
    /// The iteration number plus this.
    Forward(Dim),
    /// This minus the iteration number.
    Backward(Dim),
}

/// How far a value is traced back.
pub(super) const DEPTH: usize = 16;

/// Recognizes a counted `while`: the condition compares a counter with an invariant limit, and each iteration adds
/// one to the counter.
pub(super) fn counted(
    cx: &mut Lower,
    op: OpId,
    condition: RegionId,
    body: RegionId,
) -> Result<Option<CountedLoop>, LowerError> {
    let tested = cx.returned(condition)?;
    let Some(compare) = tested.first().and_then(|&value| cx.module.defining_op(value)) else {
        return Ok(None);
    };
    if cx.module.op(compare).name != stablehlo::COMPARE
        || cx.attributes(compare).word("comparison_direction")? != "LT"
    {
        return Ok(None);
    }
    let &[tested, limit] = cx.module.op(compare).operands.as_slice() else { return Ok(None) };
    let (outer, inner) = (cx.parameters(condition)?, cx.parameters(body)?);
    let Some(counter) = outer.iter().position(|&parameter| parameter == tested) else { return Ok(None) };
    let returned = cx.returned(body)?;
    if returned.len() != inner.len() || !adds_one(cx, returned[counter], inner[counter]) {
        return Ok(None);
    }
    let limit = match outer.iter().position(|&parameter| parameter == limit) {
        Some(index) if returned[index] == inner[index] => cx.module.op(op).operands[index],
        Some(_) => return Ok(None),
        None => limit,
    };
    let Some(element) = cx.module.tensor(limit).map(|tensor| tensor.element) else { return Ok(None) };
    let start = match cx.known_integers(cx.operand(op, counter)?).as_deref() {
        Some(&[start]) => Some(start),
        _ => None,
    };
    let last = cx.at_iteration(limit, None, DEPTH).filter(|last| {
        // Symbols of sizes that the condition computes have no value outside.
        matches!(last, IterationIndex::Fixed(Dim::Known(_))) || !has_sizes(cx, condition)
    });
    if let (Some(start), Some(IterationIndex::Fixed(last))) = (start, last) {
        // The order of ui64 is not that of i64.
        let fits = element != Element::U64 || (start >= 0 && cx.module.dim_exprs.is_at_least(last, 0));
        let rounds = match last {
            Dim::Known(last) => last.checked_sub(start).map(|rounds| Dim::Known(rounds.max(0))),
            _ => {
                let sizes = &cx.module.dim_exprs;
                Some(sizes.larger(Dim::Known(0), sizes.subtract(last, Dim::Known(start))))
            }
        };
        let count =
            |length| CountedLoop { counter, element, start: Some(start), end: LoopEnd::After(length) };
        return Ok(rounds.filter(|_| fits).map(count));
    }
    // The difference of values known only at run time must not overflow.
    if !element.is_integer() || element.bits() > 32 {
        return Ok(None);
    }
    let limit = match last {
        Some(IterationIndex::Fixed(Dim::Known(last))) => cx.integer(element, last),
        _ if is_inside(cx, limit, condition) => return Ok(None),
        _ => cx.lowered_of(limit).ok_or(LowerError::Reported)?,
    };
    Ok(Some(CountedLoop { counter, element, start, end: LoopEnd::At(limit) }))
}

/// Whether an op of the region itself defines the value.
fn is_inside(cx: &Lower, value: ValueId, region: RegionId) -> bool {
    let Some(op) = cx.module.defining_op(value) else { return false };
    cx.module.region(region).blocks.iter().any(|&block| cx.module.block(block).ops.contains(&op))
}

/// Whether ops of the region define symbols of sizes.
fn has_sizes(cx: &Lower, region: RegionId) -> bool {
    let is_size = |&op: &OpId| cx.module.op(op).name == hlo2onnx::SIZE;
    cx.module.region(region).blocks.iter().any(|&block| cx.module.block(block).ops.iter().any(is_size))
}

/// Whether a value is another one plus one.
fn adds_one(cx: &Lower, sum: ValueId, value: ValueId) -> bool {
    let Some(add) = cx.module.defining_op(sum) else { return false };
    let operands = &cx.module.op(add).operands;
    if cx.module.op(add).name != stablehlo::ADD
        || !cx.module.tensor(value).is_some_and(|ty| ty.element.is_integer())
    {
        return false;
    }
    let is_one = |value: ValueId| cx.module.known_integers(value).is_some_and(|all| all == [1]);
    (operands[0] == value && is_one(operands[1])) || (operands[1] == value && is_one(operands[0]))
}

/// The counter of a loop, as seen by its body.
#[derive(Clone, Copy)]
pub(super) struct InductionVariable {
    /// The argument of the body.
    pub argument: ValueId,
    /// Its value in the first iteration.
    pub start: i64,
    /// The trip count.
    pub length: Dim,
}

impl Lower<'_> {
    /// An integer scalar in or around a loop, as a function of the iteration number.
    ///
    /// Computed modulo the counter's range, so it is only right within that range.
    pub(super) fn at_iteration(
        &self,
        value: ValueId,
        counter: Option<InductionVariable>,
        depth: usize,
    ) -> Option<IterationIndex> {
        let depth = depth.checked_sub(1)?;
        if let Some(counter) = counter.filter(|counter| counter.argument == value) {
            return Some(IterationIndex::Forward(Dim::Known(counter.start)));
        }
        let ty = self.module.tensor(value).filter(|ty| ty.count() == Some(1) && ty.element.is_integer())?;
        if let Some(constant) = self.module.constant_of(value) {
            return match self.module.constant_integers(constant)?.as_slice() {
                &[number] => Some(IterationIndex::Fixed(Dim::Known(number))),
                _ => None,
            };
        }
        let op = self.module.defining_op(value)?;
        let operands = &self.module.op(op).operands;
        let of = |index: usize| self.at_iteration(*operands.get(index)?, counter, depth);
        let sizes = &self.module.dim_exprs;
        match self.module.op(op).name {
            stablehlo::GET_DIMENSION_SIZE => {
                let axis = self.module.attribute(op, "dimension")?.as_integer()?;
                let dims = &self.module.tensor(operands[0])?.dims;
                dims.get(usize::try_from(axis).ok()?).copied().map(IterationIndex::Fixed)
            }
            stablehlo::RESHAPE => of(0),
            // Arithmetic in fewer bits may have wrapped.
            stablehlo::CONVERT if ty.element.bits() >= 32 && self.is_leaf(operands[0], counter) => of(0),
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
                self.tests_negative(operands[0], place, counter, depth).then_some(place)
            }
            _ => None,
        }
    }

    /// Whether a comparison tests a value for being negative, which it never is.
    fn tests_negative(
        &self,
        value: ValueId,
        place: IterationIndex,
        counter: Option<InductionVariable>,
        depth: usize,
    ) -> bool {
        let tests_place = || {
            let compare = self.module.defining_op(value)?;
            let is_less = self.module.op(compare).name == stablehlo::COMPARE
                && self.attributes(compare).word("comparison_direction").ok()? == "LT";
            let operands = &self.module.op(compare).operands;
            let tested = self.at_iteration(operands[0], counter, depth)?;
            let limit = self.at_iteration(operands[1], None, depth)?;
            Some(is_less && tested == place && limit == IterationIndex::Fixed(Dim::Known(0)))
        };
        if tests_place() != Some(true) {
            return false;
        }
        let sizes = &self.module.dim_exprs;
        match (place, counter) {
            (IterationIndex::Fixed(least) | IterationIndex::Forward(least), _) => sizes.is_at_least(least, 0),
            (IterationIndex::Backward(first), Some(counter)) => {
                sizes.is_at_least(sizes.subtract(first, counter.length), -1)
            }
            (IterationIndex::Backward(_), None) => false,
        }
    }

    /// Whether a value is a constant, a size or the counter.
    fn is_leaf(&self, value: ValueId, counter: Option<InductionVariable>) -> bool {
        let is_size =
            |op: OpId| matches!(self.module.op(op).name, stablehlo::GET_DIMENSION_SIZE | stablehlo::CONSTANT);
        counter.is_some_and(|counter| counter.argument == value)
            || self.module.defining_op(value).is_some_and(is_size)
    }

    /// The arguments of a region.
    pub(in crate::ops) fn parameters(&self, region: RegionId) -> Result<Vec<ValueId>, LowerError> {
        let block = self.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))?;
        Ok(self.module.block(block).arguments.clone())
    }

    /// The values that a region returns.
    pub(in crate::ops) fn returned(&self, region: RegionId) -> Result<Vec<ValueId>, LowerError> {
        let terminator = self.terminator(region)?;
        Ok(self.module.op(terminator).operands.to_vec())
    }

    /// The last op of a region.
    pub(super) fn terminator(&self, region: RegionId) -> Result<OpId, LowerError> {
        let block = self.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))?;
        let last = self.module.block(block).ops.last().copied();
        last.ok_or_else(|| LowerError::form("an empty region"))
    }
}
