//! `while`: a `Loop`, or a `Scan` if the loop is counted and reads slices; short loops are unrolled.

use super::super::{Lower, LowerError, Lowered, integer_limits};
use super::counted_loop::{CountedLoop, InductionVariable, LoopEnd, counters};
use super::loop_builder::{Input, Length, LoopBuilder, Output, can_be_joined};
use super::result_types;
use super::slices::{SliceWrite, Slices};
use super::while_loop::WhileLoop;
use crate::ir::{Dim, Element, OpId, RegionId, ValueId, onnx};

/// A loop is unrolled if it has at most this many iterations, and that creates at most about this many nodes. What depends on
/// the counter is then constant. Measured on ONNX Runtime 1.31 in microseconds, as `Scan` and unrolled: greedy decoding
/// with a cache (8 iterations of 96 ops) 702 and 540, beam search (10 of 43) 331 and 224, an encoder of 3 small layers
/// (52) 127 and 99. Many iterations of few ops are slower: a `Scan` slices its inputs without a node (a linear recurrence
/// of 100 iterations 188 and 241, a selective one of 32 263 and 288).
const UNROLLED: (i64, usize) = (16, 1000);
/// The same for a loop that slices large constants, as stacked layers do: ONNX Runtime packs the weights of a MatMul while
/// it loads a model, but not slices of them (an encoder of 4 layers of 512 features 38.4 and 26.6 ms).
const WITH_WEIGHTS: (i64, usize) = (64, 6000);
/// The same if modules become functions, which each iteration would call.
const WITH_FUNCTIONS: (i64, usize) = (8, 600);
/// Slices of constants with this many elements in all are weights.
const WEIGHTS: i64 = 1 << 16;

/// A `while` that is being lowered.
struct While {
    op: OpId,
    condition: RegionId,
    body: RegionId,
    /// The initial values.
    inits: Vec<ValueId>,
}

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let (condition, body) = (cx.region(op, 0)?, cx.region(op, 1)?);
    let inits = (0..cx.operand_count(op)).map(|index| cx.operand(op, index)).collect::<Result<_, _>>()?;
    let it = While { op, condition, body, inits };
    let start = |index: usize| known_start(cx, it.inits[index]);
    let Some(count) = CountedLoop::of(cx.module, op, start) else { return it.until(cx) };
    if let (Some(start), Some(Dim::Known(rounds))) = (count.start, count.length()) {
        let weight = cx.weight(body);
        let (most, ops) = match reads_weights(cx, body, &count, start)? {
            _ if cx.options.keep_functions => WITH_FUNCTIONS,
            true => WITH_WEIGHTS,
            false => UNROLLED,
        };
        if rounds <= 1 || (rounds <= most && (rounds as usize).saturating_mul(weight) <= ops) {
            return it.unroll(cx, &count, start, rounds);
        }
    }
    it.rounds(cx, &count)
}

impl While {
    fn unroll(self, cx: &mut Lower, count: &CountedLoop, start: i64, rounds: i64) -> Lowered {
        let counter = count.counter;
        let argument = cx.parameters(self.body)?[counter];
        let length = Dim::Known(rounds);
        let block = cx.block_of(self.body)?;
        let mut slices = Slices::of(cx.module, block, InductionVariable { argument, start, length });
        // If the counter is known, so are the slices that it selects.
        slices.reads.clear();
        let written: Vec<usize> = slices.writes.iter().map(|write| write.carried).collect();
        let kept: Vec<usize> = (0..self.inits.len()).filter(|index| !written.contains(index)).collect();
        let live = slices.live(cx.module, block, &kept);
        let (parameters, terminator) = (cx.parameters(self.body)?, cx.terminator(self.body)?);
        let mut state = self.inits;
        let mut rows = vec![Vec::new(); written.len()];
        for round in 0..rounds {
            let bound: Vec<(ValueId, ValueId)> =
                kept.iter().map(|&index| (parameters[index], state[index])).collect();
            cx.lower_ops(&bound, &live.ops);
            for (rows, write) in rows.iter_mut().zip(&slices.writes) {
                rows.push(cx.full(write.op, 1)?);
            }
            let next = kept.iter().map(|&index| cx.full(terminator, index)).collect::<Result<Vec<_>, _>>()?;
            kept.iter().zip(next).for_each(|(&index, value)| state[index] = value);
            // The next value of the counter is known.
            state[counter] = cx.integer(count.element, start + round + 1);
        }
        for (mut rows, write) in rows.into_iter().zip(&slices.writes) {
            if write.backward {
                rows.reverse();
            }
            if !rows.is_empty() {
                state[write.carried] = cx.stack_or_concat(&rows, 0);
            }
        }
        Ok(state.into_iter().collect())
    }

    /// A counted loop.
    fn rounds(self, cx: &mut Lower, count: &CountedLoop) -> Lowered {
        let (parameters, returned) = (cx.parameters(self.body)?, cx.returned(self.body)?);
        let types = result_types(cx, self.op)?;
        let argument = parameters[count.counter];
        let block = cx.block_of(self.body)?;
        let slices = match (count.start, count.length()) {
            (Some(start), Some(length)) => {
                let mut slices = Slices::of(cx.module, block, InductionVariable { argument, start, length });
                slices.writes.retain(|write| can_be_joined(cx, length, &types[write.carried].1[1..]));
                slices
            }
            _ => Slices::default(),
        };
        let is_written = |index: usize| slices.writes.iter().any(|write| write.carried == index);
        // An invariant value is the same outside.
        let mut carried: Vec<usize> = (0..self.inits.len())
            .filter(|&index| returned[index] != parameters[index] && !is_written(index))
            .filter(|&index| index != count.counter)
            .collect();
        let mut live = slices.live(cx.module, block, &carried);
        let numbered = live.values.contains(&argument);
        if carried.is_empty() && slices.writes.is_empty() {
            return self.results(cx, count, &[], &[]);
        }
        // `Loop` counts from 0.
        let counter = numbered && count.start != Some(0);
        if counter {
            carried.push(count.counter);
            carried.sort_unstable();
            live = slices.live(cx.module, block, &carried);
        }
        let length = match count.end {
            LoopEnd::After(length) => Length::Sized(length),
            LoopEnd::AtNumber(_) | LoopEnd::At(_) => {
                let limit = limit(cx, count)?;
                Length::Computed(cx.distance(self.inits[count.counter], limit))
            }
        };
        let mut inputs = Vec::with_capacity(slices.reads.len());
        for read in &slices.reads {
            inputs.push(Input { value: cx.full(read.op, 0)?, axis: 0, backward: read.backward });
        }
        let output = |write: &SliceWrite| Output {
            ty: types[write.carried].clone(),
            axis: 0,
            backward: write.backward,
        };
        let rounds = LoopBuilder {
            length,
            inits: carried.iter().map(|&index| self.inits[index]).collect(),
            carried: carried.iter().map(|&index| types[index].clone()).collect(),
            inputs,
            outputs: slices.writes.iter().map(output).collect(),
            numbered,
        };
        let terminator = cx.terminator(self.body)?;
        let (handed_on, joined) = rounds.emit(cx, |cx, round| {
            let mut bound: Vec<(ValueId, ValueId)> =
                parameters.iter().copied().zip(self.inits.clone()).collect();
            carried.iter().zip(round.carried).for_each(|(&index, &value)| bound[index].1 = value);
            if let Some(number) = round.number.filter(|_| !counter) {
                // It stays below the limit, which is of the counter's type.
                let most = match count.element.bits() {
                    0..=32 => integer_limits(count.element).1,
                    _ => i64::MAX,
                };
                cx.note_below(number, cx.module.dim_exprs.smaller(Dim::Known(most), count.length_or(most)));
                bound[count.counter].1 = cx.cast(number, count.element);
            }
            for (read, &slice) in slices.reads.iter().zip(round.slices) {
                let (_, dims) = cx.result_dims(read.op, 0)?;
                bound.push((cx.module.op(read.op).results[0], cx.reshape(slice, &dims)));
            }
            cx.lower_ops(&bound, &live.ops);
            let mut next = Vec::with_capacity(carried.len());
            for &index in &carried {
                let value = cx.full(terminator, index)?;
                keeps_sizes(cx, value, &types[index].1)?;
                next.push(value);
            }
            let mut rows = Vec::with_capacity(slices.writes.len());
            for write in &slices.writes {
                let row = cx.full(write.op, 1)?;
                rows.push(cx.reshape_back(row, &types[write.carried].1[1..]));
            }
            Ok((next, rows))
        })?;
        let joined = slices.writes.iter().map(|write| write.carried).zip(joined);
        let known: Vec<(usize, ValueId)> = carried.iter().copied().zip(handed_on).chain(joined).collect();
        self.results(cx, count, &known, &carried)
    }

    /// The results of a counted loop: known ones, the last value of the counter, and invariants.
    fn results(
        &self,
        cx: &mut Lower,
        count: &CountedLoop,
        known: &[(usize, ValueId)],
        carried: &[usize],
    ) -> Lowered {
        let mut results = self.inits.clone();
        known.iter().for_each(|&(index, value)| results[index] = value);
        if !carried.contains(&count.counter) {
            let start = results[count.counter];
            results[count.counter] = match (count.end, count.start) {
                (LoopEnd::After(length), Some(start)) => {
                    let last = cx.module.dim_exprs.add(Dim::Known(start), length);
                    cx.size_scalar(last, count.element)
                }
                (LoopEnd::After(length), None) => {
                    let rounds = cx.size_scalar(length, count.element);
                    cx.elementwise(onnx::ADD, &[start, rounds])
                }
                (LoopEnd::AtNumber(_) | LoopEnd::At(_), _) => {
                    let limit = limit(cx, count)?;
                    cx.larger(start, limit)
                }
            };
        }
        Ok(results.into_iter().collect())
    }

    /// A loop with a computed condition.
    fn until(self, cx: &mut Lower) -> Lowered {
        // An invariant value is the same outside.
        let (parameters, returned) = (cx.parameters(self.body)?, cx.returned(self.body)?);
        let carried: Vec<usize> =
            (0..self.inits.len()).filter(|&index| returned[index] != parameters[index]).collect();
        let of_results = result_types(cx, self.op)?;
        let types: Vec<_> = carried.iter().map(|&index| of_results[index].clone()).collect();
        let all = |values: &[ValueId]| {
            let mut all = self.inits.clone();
            carried.iter().zip(values).for_each(|(&index, &value)| all[index] = value);
            all
        };
        let counters = WhileLoop::of(cx.module, self.op)
            .map_or_else(Vec::new, |it| counters(cx.module, it, |index| known_start(cx, self.inits[index])));
        // The number of iterations is limited, so the condition need not compare counters.
        let known: Vec<OpId> = counters.iter().map(|counter| counter.compare).collect();
        let first = self.goes_on(cx, &self.inits, &known)?;
        let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
        arguments.extend(types.iter().cloned());
        let graph = cx.graph(&arguments, |cx, values| {
            for counter in &counters {
                if let Some(place) = carried.iter().position(|&carried| carried == counter.index) {
                    cx.note_range(values[2 + place], counter.first, counter.last);
                }
            }
            let next = cx.inline(self.body, &all(&values[2..]))?;
            let next: Vec<ValueId> = carried.iter().map(|&index| next[index]).collect();
            next.iter().zip(&types).try_for_each(|(&next, (_, dims))| keeps_sizes(cx, next, dims))?;
            let mut results = vec![self.goes_on(cx, &all(&next), &known)?];
            results.extend(next);
            Ok(results)
        })?;
        // Symbolic shape inference of ONNX Runtime fails on a loop without a limit.
        let most =
            counters.iter().map(|counter| counter.last.saturating_sub(counter.first).saturating_add(1));
        let mut operands = vec![cx.integer(Element::I64, most.min().unwrap_or(i64::MAX)), first];
        for (&index, (_, sizes)) in carried.iter().zip(&types) {
            operands.push(cx.broadcast_to(self.inits[index], sizes));
        }
        let results = cx.node(onnx::LOOP, &operands).region(graph).outs(&types);
        Ok(all(&results).into_iter().collect())
    }

    /// The condition of a loop for these values, where some comparisons hold.
    fn goes_on(&self, cx: &mut Lower, values: &[ValueId], known: &[OpId]) -> Result<ValueId, LowerError> {
        let (block, terminator) = (cx.block_of(self.condition)?, cx.terminator(self.condition)?);
        let mut bound: Vec<(ValueId, ValueId)> =
            cx.parameters(self.condition)?.into_iter().zip(values.iter().copied()).collect();
        let always = cx.always();
        bound.extend(known.iter().map(|&compare| (cx.module.op(compare).results[0], always)));
        let mut ops = cx.module.block(block).ops.clone();
        ops.retain(|op| *op != terminator && !known.contains(op));
        cx.lower_ops(&bound, &ops);
        cx.full(terminator, 0)
    }
}

/// Whether each iteration of a loop reads a slice of large constants.
fn reads_weights(cx: &Lower, body: RegionId, count: &CountedLoop, start: i64) -> Result<bool, LowerError> {
    let (argument, length) = (cx.parameters(body)?[count.counter], count.length_or(0));
    let slices = Slices::of(cx.module, cx.block_of(body)?, InductionVariable { argument, start, length });
    let sizes = slices.reads.iter().map(|read| {
        let operation = cx.module.op(read.op);
        let constant = cx.module.constant_of(operation.operands[0]);
        constant.and_then(|_| cx.module.tensor(operation.results[0])?.count()).unwrap_or(0)
    });
    Ok(sizes.fold(0, i64::saturating_add) >= WEIGHTS)
}

/// The initial value of a counter, if it is known.
fn known_start(cx: &Lower, init: ValueId) -> Option<i64> {
    match cx.known_integers(init).as_deref() {
        Some(&[start]) => Some(start),
        _ => None,
    }
}

/// The lowered limit of the counter, where it is not a size.
fn limit(cx: &mut Lower, count: &CountedLoop) -> Result<ValueId, LowerError> {
    match count.end {
        LoopEnd::At(limit) => cx.lowered_of(limit).ok_or(LowerError::Reported),
        LoopEnd::AtNumber(number) => Ok(cx.integer(count.element, number)),
        LoopEnd::After(length) => Ok(cx.size_scalar(length, count.element)),
    }
}

/// Refuses a carried value whose size changes, which symbolic types do not show.
fn keeps_sizes(cx: &Lower, next: ValueId, carried: &[Dim]) -> Result<(), LowerError> {
    let differ = |(&next, &carried): (&Dim, &Dim)| {
        let sizes = &cx.module.dim_exprs;
        let (low, high) = sizes.bounds(sizes.subtract(next, carried));
        low.is_some_and(|low| low > 0) || high.is_some_and(|high| high < 0)
    };
    if cx.dims(next).iter().zip(carried).any(differ) {
        return Err(LowerError::form("an iteration changes the size of a carried value"));
    }
    Ok(())
}
