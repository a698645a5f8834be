//! `while`: a `Loop`, or a `Scan` if the loop is counted and reads slices; short loops are unrolled.

use super::super::{Lower, LowerError, Lowered, integer_limits};
use super::counted_loop::{CountedLoop, InductionVariable, LoopEnd, counted};
use super::loop_builder::{Input, Length, LoopBuilder, Output, can_be_joined};
use super::result_types;
use super::slices::{SliceWrite, Slices};
use crate::ir::{Dim, Element, OpId, RegionId, ValueId, onnx};

/// A loop with at most this many iterations is unrolled ...
const UNROLLED_ROUNDS: i64 = 8;
/// ... if that creates at most this many ops.
const UNROLLED_OPS: usize = 600;

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
    let Some(count) = counted(cx, op, condition, body)? else { return it.until(cx) };
    if let (Some(start), Some(Dim::Known(rounds))) = (count.start, count.length()) {
        let size = cx.size(body);
        if rounds <= 1 || (rounds <= UNROLLED_ROUNDS && rounds as usize * size <= UNROLLED_OPS) {
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
        let mut slices = Slices::of(cx, self.body, InductionVariable { argument, start, length })?;
        // If the counter is known, so are the slices that it selects.
        slices.reads.clear();
        let written: Vec<usize> = slices.writes.iter().map(|write| write.carried).collect();
        let kept: Vec<usize> = (0..self.inits.len()).filter(|index| !written.contains(index)).collect();
        let live = slices.live(cx, self.body, &kept)?;
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
                state[write.carried] = cx.concat(&rows, 0);
            }
        }
        Ok(state.into_iter().collect())
    }

    /// A counted loop.
    fn rounds(self, cx: &mut Lower, count: &CountedLoop) -> Lowered {
        let (parameters, returned) = (cx.parameters(self.body)?, cx.returned(self.body)?);
        let types = result_types(cx, self.op)?;
        let argument = parameters[count.counter];
        let slices = match (count.start, count.length()) {
            (Some(start), Some(length)) => {
                let mut slices = Slices::of(cx, self.body, InductionVariable { argument, start, length })?;
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
        let mut live = slices.live(cx, self.body, &carried)?;
        let numbered = live.values.contains(&argument);
        if carried.is_empty() && slices.writes.is_empty() {
            return Ok(self.results(cx, count, &[], &[]));
        }
        // `Loop` counts from 0.
        let counter = numbered && count.start != Some(0);
        if counter {
            carried.push(count.counter);
            carried.sort_unstable();
            live = slices.live(cx, self.body, &carried)?;
        }
        let length = match count.end {
            LoopEnd::After(length) => Length::Sized(length),
            LoopEnd::At(limit) => Length::Computed(cx.distance(self.inits[count.counter], limit)),
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
        Ok(self.results(cx, count, &known, &carried))
    }

    /// The results of a counted loop: known ones, the last value of the counter, and invariants.
    fn results(
        &self,
        cx: &mut Lower,
        count: &CountedLoop,
        known: &[(usize, ValueId)],
        carried: &[usize],
    ) -> super::super::Values {
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
                (LoopEnd::At(limit), _) => cx.larger(start, limit),
            };
        }
        results.into_iter().collect()
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
        let first = cx.inline(self.condition, &self.inits)?;
        let first = *first.first().ok_or_else(|| LowerError::form("a condition that returns no value"))?;
        let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
        arguments.extend(types.iter().cloned());
        let graph = cx.graph(&arguments, |cx, values| {
            let next = cx.inline(self.body, &all(&values[2..]))?;
            let next: Vec<ValueId> = carried.iter().map(|&index| next[index]).collect();
            next.iter().zip(&types).try_for_each(|(&next, (_, dims))| keeps_sizes(cx, next, dims))?;
            let mut results = cx.inline(self.condition, &all(&next))?;
            results.extend(next);
            Ok(results)
        })?;
        // Symbolic shape inference of ONNX Runtime fails on a loop without a limit.
        let mut operands = vec![cx.integer(Element::I64, i64::MAX), first];
        for (&index, (_, sizes)) in carried.iter().zip(&types) {
            operands.push(cx.broadcast_to(self.inits[index], sizes));
        }
        let results = cx.node(onnx::LOOP, &operands).region(graph).outs(&types);
        Ok(all(&results).into_iter().collect())
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

impl Lower<'_> {
    /// The number of ops in a region, at any depth.
    fn size(&self, region: RegionId) -> usize {
        let (mut count, mut open) = (0, vec![region]);
        while let Some(region) = open.pop() {
            for &block in &self.module.region(region).blocks {
                for &op in &self.module.block(block).ops {
                    count += 1;
                    open.extend_from_slice(&self.module.op(op).regions);
                }
            }
        }
        count
    }
}
