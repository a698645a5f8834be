//! Control flow: `while`, `case` and `if`.

use super::{Elements, Lower, Lowered, Refusal, Row, noted, row, scan};
use crate::ir::{Dim, Element, OpId, RegionId, SCALAR, ValueId};

/// Control flow carries whatever its regions can compute.
const CARRIED: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::COMPLEX);

pub(super) const ROWS: &[Row] = &[
    noted("chlo.scan", CARRIED, scan::lower, "Loop over slices"),
    noted("stablehlo.case", CARRIED, case, "nested Ifs; an index out of range takes the last branch"),
    row("stablehlo.if", CARRIED, conditional),
    noted("stablehlo.while", CARRIED, repeat, "Loop; unrolled when it runs a few times over few ops"),
];

/// A loop of at most so many rounds is unrolled ...
const UNROLLED_ROUNDS: i64 = 8;
/// ... if that makes no more than so many ops.
const UNROLLED_OPS: usize = 600;

/// A loop that counts: `i = start; while (i < limit) i += 1`.
struct Count {
    /// Which of the carried values counts.
    counter: usize,
    rounds: Rounds,
}

/// How often a loop that counts runs.
enum Rounds {
    /// So often, from this number.
    Known { start: i64, rounds: i64 },
    /// Until the counter reaches a value from outside, which is of the counter's type.
    Until(ValueId),
}

fn repeat(cx: &mut Lower, op: OpId) -> Lowered {
    let (condition, body) = (cx.region(op, 0)?, cx.region(op, 1)?);
    let inits =
        (0..cx.operand_count(op)).map(|index| cx.operand(op, index)).collect::<Result<Vec<_>, _>>()?;
    let count = counted(cx, op, condition, body)?;
    let size = cx.size(body);
    if let Some(&Count { counter, rounds: Rounds::Known { start, rounds } }) = count.as_ref()
        && (rounds <= 1 || (rounds <= UNROLLED_ROUNDS && rounds as usize * size <= UNROLLED_OPS))
    {
        return unroll(cx, body, inits, counter, start, rounds);
    }
    carry(cx, op, condition, body, &inits, count)
}

fn unroll(
    cx: &mut Lower,
    body: RegionId,
    inits: Vec<ValueId>,
    counter: usize,
    start: i64,
    rounds: i64,
) -> Lowered {
    let element = cx.element(inits[counter]);
    let mut state = inits;
    for round in 0..rounds {
        state = cx.inline(body, &state)?;
        // What the counter is in the next round is known, and so are the slices that it picks.
        state[counter] = cx.integer(element, start + round + 1);
    }
    Ok(state.into_iter().collect())
}

fn carry(
    cx: &mut Lower,
    op: OpId,
    condition: RegionId,
    body: RegionId,
    inits: &[ValueId],
    count: Option<Count>,
) -> Lowered {
    // A value that each round hands on as it is, is the same outside.
    let returned = returned(cx, body)?;
    let parameters = parameters(cx, body)?;
    let carried: Vec<usize> =
        (0..inits.len()).filter(|&index| returned[index] != parameters[index]).collect();
    let of_results = result_types(cx, op)?;
    let types: Vec<_> = carried.iter().map(|&index| of_results[index].clone()).collect();
    let all = |values: &[ValueId]| {
        let mut all = inits.to_vec();
        carried.iter().zip(values).for_each(|(&index, &value)| all[index] = value);
        all
    };
    let (rounds, first) = match &count {
        Some(count) => (rounds(cx, count, inits), cx.absent()),
        None => {
            let condition = cx.inline(condition, inits)?;
            (cx.absent(), *condition.first().ok_or_else(|| Refusal::form("a condition without a result"))?)
        }
    };
    let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
    arguments.extend(types.iter().cloned());
    let graph = cx.graph(&arguments, |cx, values| {
        let next = cx.inline(body, &all(&values[2..]))?;
        let next: Vec<ValueId> = carried.iter().map(|&index| next[index]).collect();
        next.iter().zip(&types).try_for_each(|(&next, (_, dims))| keeps_sizes(cx, next, dims))?;
        let mut results = match &count {
            Some(_) => vec![values[1]],
            None => cx.inline(condition, &all(&next))?,
        };
        results.extend(next);
        Ok(results)
    })?;
    let mut operands = vec![rounds, first];
    for (&index, (_, sizes)) in carried.iter().zip(&types) {
        operands.push(cx.broadcast_to(inits[index], sizes));
    }
    let results = cx.node("Loop", &operands).region(graph).outs(&types);
    Ok(all(&results).into_iter().collect())
}

/// Refuses a value of another size than the loop carries, which the types do not tell where sizes are expressions.
fn keeps_sizes(cx: &Lower, next: ValueId, carried: &[Dim]) -> Result<(), Refusal> {
    let differ = |(&next, &carried): (&Dim, &Dim)| {
        let sizes = &cx.module.sizes;
        let (low, high) = sizes.bounds(sizes.subtract(next, carried));
        low.is_some_and(|low| low > 0) || high.is_some_and(|high| high < 0)
    };
    if cx.dims(next).iter().zip(carried).any(differ) {
        return Err(Refusal::form("a round changes the size of what the loop carries"));
    }
    Ok(())
}

/// The number of rounds that a counted loop makes, as `Loop` takes it.
fn rounds(cx: &mut Lower, count: &Count, inits: &[ValueId]) -> ValueId {
    let limit = match count.rounds {
        Rounds::Known { rounds, .. } => return cx.integer(Element::I64, rounds),
        Rounds::Until(limit) => cx.cast(limit, Element::I64),
    };
    let start = cx.cast(inits[count.counter], Element::I64);
    // ONNX Runtime makes no round for a negative number.
    let rounds = cx.elementwise("Sub", &[limit, start]);
    cx.reshape(rounds, SCALAR)
}

/// Whether the loop counts: its condition compares a counter with a limit that no round changes, and each round adds
/// one to the counter.
fn counted(cx: &mut Lower, op: OpId, condition: RegionId, body: RegionId) -> Result<Option<Count>, Refusal> {
    let tested = returned(cx, condition)?;
    let Some(compare) = tested.first().and_then(|&value| cx.module.defining_op(value)) else {
        return Ok(None);
    };
    if cx.module.op_name(compare) != "stablehlo.compare" || cx.word(compare, "comparison_direction")? != "LT"
    {
        return Ok(None);
    }
    let &[tested, limit] = cx.module.op(compare).operands.as_slice() else { return Ok(None) };
    let (outer, inner) = (parameters(cx, condition)?, parameters(cx, body)?);
    let Some(counter) = outer.iter().position(|&parameter| parameter == tested) else { return Ok(None) };
    let returned = returned(cx, body)?;
    if returned.len() != inner.len() || !adds_one(cx, returned[counter], inner[counter]) {
        return Ok(None);
    }
    let limit = match outer.iter().position(|&parameter| parameter == limit) {
        Some(index) if returned[index] == inner[index] => cx.module.op(op).operands[index],
        Some(_) => return Ok(None),
        None => limit,
    };
    let Some(element) = cx.module.tensor(limit).map(|tensor| tensor.element) else { return Ok(None) };
    let last = match cx.module.constant_of(limit) {
        Some(constant) => single(cx.module.constant_integers(constant)),
        None => None,
    };
    let start = single(cx.known_integers(cx.operand(op, counter)?));
    if let (Some(start), Some(last)) = (start, last) {
        // The order of ui64 is not that of i64.
        let fits = element != Element::U64 || (start >= 0 && last >= 0);
        let rounds = last.checked_sub(start).filter(|_| fits);
        let known = |rounds: i64| Count { counter, rounds: Rounds::Known { start, rounds: rounds.max(0) } };
        return Ok(rounds.map(known));
    }
    // The distance of what is only known when the model runs must fit.
    if !element.is_integer() || element.bits() > 32 {
        return Ok(None);
    }
    let limit = match last {
        Some(last) => cx.integer(element, last),
        None if is_inside(cx, limit, condition) => return Ok(None),
        None => cx.lowered_of(limit).ok_or(Refusal::Reported)?,
    };
    Ok(Some(Count { counter, rounds: Rounds::Until(limit) }))
}

fn single(numbers: Option<Vec<i64>>) -> Option<i64> {
    match numbers?.as_slice() {
        &[number] => Some(number),
        _ => None,
    }
}

/// Whether an op of the region itself defines the value.
fn is_inside(cx: &Lower, value: ValueId, region: RegionId) -> bool {
    let Some(op) = cx.module.defining_op(value) else { return false };
    cx.module.region(region).blocks.iter().any(|&block| cx.module.block(block).ops.contains(&op))
}

/// Whether a value is another one and one.
fn adds_one(cx: &Lower, sum: ValueId, value: ValueId) -> bool {
    let Some(add) = cx.module.defining_op(sum) else { return false };
    let operands = &cx.module.op(add).operands;
    if cx.module.op_name(add) != "stablehlo.add"
        || !cx.module.tensor(value).is_some_and(|ty| ty.element.is_integer())
    {
        return false;
    }
    let is_one = |value: ValueId| {
        cx.module
            .constant_of(value)
            .and_then(|id| cx.module.constant_integers(id))
            .is_some_and(|all| all == [1])
    };
    (operands[0] == value && is_one(operands[1])) || (operands[1] == value && is_one(operands[0]))
}

fn parameters(cx: &Lower, region: RegionId) -> Result<Vec<ValueId>, Refusal> {
    let block = cx.module.entry_block(region).ok_or_else(|| Refusal::form("an empty region"))?;
    Ok(cx.module.block(block).arguments.clone())
}

/// The values that a region returns.
fn returned(cx: &Lower, region: RegionId) -> Result<Vec<ValueId>, Refusal> {
    let block = cx.module.entry_block(region).ok_or_else(|| Refusal::form("an empty region"))?;
    let terminator = cx.module.block(block).ops.last().copied();
    let terminator = terminator.ok_or_else(|| Refusal::form("an empty region"))?;
    Ok(cx.module.op(terminator).operands.to_vec())
}

fn conditional(cx: &mut Lower, op: OpId) -> Lowered {
    let predicate = cx.full(op, 0)?;
    let (then, otherwise) = (cx.region(op, 0)?, cx.region(op, 1)?);
    match cx.known_integers(predicate).as_deref() {
        Some([0]) => Ok(cx.inline(otherwise, &[])?.into_iter().collect()),
        Some([_]) => Ok(cx.inline(then, &[])?.into_iter().collect()),
        _ => {
            let types = result_types(cx, op)?;
            branch(cx, predicate, &types, |cx| cx.inline(then, &[]), |cx| cx.inline(otherwise, &[]))
                .map(|values| values.into_iter().collect())
        }
    }
}

fn case(cx: &mut Lower, op: OpId) -> Lowered {
    let branches = cx.module.op(op).regions.to_vec();
    let last = branches.len().checked_sub(1).ok_or_else(|| Refusal::form("no branches"))?;
    let index = cx.full(op, 0)?;
    if let Some(&[known]) = cx.known_integers(index).as_deref() {
        let taken = usize::try_from(known).map_or(last, |known| known.min(last));
        return Ok(cx.inline(branches[taken], &[])?.into_iter().collect());
    }
    if last == 0 {
        return Ok(cx.inline(branches[0], &[])?.into_iter().collect());
    }
    let types = result_types(cx, op)?;
    // JAX makes the index of a condition from its truth value.
    let convert = cx.module.defining_op(cx.module.op(op).operands[0]);
    let converted = convert.filter(|&convert| {
        cx.module.op_name(convert) == "stablehlo.convert"
            && cx.operand_type(convert, 0).is_ok_and(|ty| ty.element == Element::Bool)
    });
    if let (Some(convert), 1) = (converted, last) {
        let predicate = cx.full(convert, 0)?;
        let (then, otherwise) = (branches[1], branches[0]);
        return branch(cx, predicate, &types, |cx| cx.inline(then, &[]), |cx| cx.inline(otherwise, &[]))
            .map(|values| values.into_iter().collect());
    }
    if last < 3 {
        return Ok(chain(cx, index, &branches, 0, &types)?.into_iter().collect());
    }
    // Every number out of range stands for the last branch, so that halves can be told apart by the order.
    let (zero, limit) = (cx.integer(Element::I32, 0), cx.integer(Element::I32, last as i64));
    let negative = cx.elementwise_to("Less", &[index, zero], Element::Bool);
    let bounded = cx.elementwise("Min", &[index, limit]);
    let index = cx.node("Where", &[negative, limit, bounded]).out(Element::I32, SCALAR);
    Ok(search(cx, index, &branches, 0, &types)?.into_iter().collect())
}

type Types = [(Element, Vec<Dim>)];

/// Few branches: one comparison behind the other, the last branch without one.
fn chain(
    cx: &mut Lower,
    index: ValueId,
    branches: &[RegionId],
    first: i64,
    types: &Types,
) -> Result<Vec<ValueId>, Refusal> {
    let [taken, rest @ ..] = branches else { return Err(Refusal::form("no branches")) };
    if rest.is_empty() {
        return cx.inline(*taken, &[]);
    }
    let number = cx.integer(Element::I32, first);
    let is_first = cx.elementwise_to("Equal", &[index, number], Element::Bool);
    branch(cx, is_first, types, |cx| cx.inline(*taken, &[]), |cx| chain(cx, index, rest, first + 1, types))
}

/// Many branches: halves, down to one.
fn search(
    cx: &mut Lower,
    index: ValueId,
    branches: &[RegionId],
    first: i64,
    types: &Types,
) -> Result<Vec<ValueId>, Refusal> {
    if let [taken] = branches {
        return cx.inline(*taken, &[]);
    }
    let (lower, upper) = branches.split_at(branches.len() / 2);
    let middle = first + lower.len() as i64;
    let number = cx.integer(Element::I32, middle);
    let is_lower = cx.elementwise_to("Less", &[index, number], Element::Bool);
    let then = |cx: &mut Lower| search(cx, index, lower, first, types);
    branch(cx, is_lower, types, then, |cx| search(cx, index, upper, middle, types))
}

fn branch(
    cx: &mut Lower,
    predicate: ValueId,
    types: &Types,
    then: impl FnOnce(&mut Lower) -> Result<Vec<ValueId>, Refusal>,
    otherwise: impl FnOnce(&mut Lower) -> Result<Vec<ValueId>, Refusal>,
) -> Result<Vec<ValueId>, Refusal> {
    // Both are lowered even when the first is refused, so that all is reported.
    let then = cx.graph::<Dim>(&[], |cx, _| then(cx));
    let otherwise = cx.graph::<Dim>(&[], |cx, _| otherwise(cx));
    let (then, otherwise) = (then?, otherwise?);
    if types.is_empty() {
        return Ok(Vec::new());
    }
    Ok(cx.node("If", &[predicate]).region(then).region(otherwise).outs(types))
}

fn result_types(cx: &Lower, op: OpId) -> Result<Vec<(Element, Vec<Dim>)>, Refusal> {
    let result = |index| cx.result_dims(op, index).map(|(element, dims)| (element, dims.to_vec()));
    (0..cx.module.op(op).results.len()).map(result).collect()
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
