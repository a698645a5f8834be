//! Gathers of which a select keeps only the windows at positions in range, as JAX prints the mode `fill`.

use super::pattern::Pattern;
use super::{Field, Fused, FusedOperand, FusionRule};
use crate::ir::{Dim, OpId, ValueId, hlo2onnx, stablehlo};
use crate::ops::{Combiner, GatherDimensionNumbers, OpAttributes, combiners};

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::SELECT, filled_gather)];

/// `select(in_range, gather(x, i), fill)` is a `take`, or reads position 0 in place of those that the select drops, so
/// that no position has to be clamped.
fn filled_gather(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [condition, gathered, fill] = p.operands_of(op)?;
    let [x, starts] = p.operands(gathered, stablehlo::GATHER)?;
    let gather = p.module.defining_op(gathered)?;
    let numbers = GatherDimensionNumbers::read(p.module, gather).ok()?;
    let in_range = bounds_check(p, condition, starts, &numbers)?;
    if let Some(taken) = taken(p, [in_range, x, starts, fill], op, gather, &numbers) {
        return Some(taken);
    }
    let element = p.tensor(starts)?.element;
    let zero = FusedOperand::Filled(0.0, element, Vec::new(), None);
    let zeros = Fused::of(stablehlo::BROADCAST_IN_DIM, [zero]).positions("broadcast_dimensions", &[]);
    let zeros = FusedOperand::made(zeros, starts);
    let arms = [FusedOperand::Value(in_range), FusedOperand::Value(starts), zeros];
    let starts = FusedOperand::made(Fused::of(stablehlo::SELECT, arms), starts);
    let mut kept = Fused::of(stablehlo::GATHER, [FusedOperand::Value(x), starts]);
    for name in ["dimension_numbers", "slice_sizes"] {
        let attribute = p.module.attribute(gather, name).cloned();
        kept.attributes.extend(attribute.map(|attribute| (name, Field::Other(attribute))));
    }
    let gathered = FusedOperand::made(kept, gathered);
    Some(Fused::of(stablehlo::SELECT, [FusedOperand::Value(condition), gathered, FusedOperand::Value(fill)]))
}

/// `take(x, i, fill)` or `take_along_axis(x, i, fill)`, if the positions are `i`, wrapped and compared with the bounds of an
/// axis, and each window is all of `x` at one position of that axis, or one element.
fn taken(
    p: &Pattern,
    [in_range, x, starts, fill]: [ValueId; 4],
    select: OpId,
    gather: OpId,
    numbers: &GatherDimensionNumbers,
) -> Option<Fused> {
    let &[axis] = &numbers.start_index_map[..] else { return None };
    let ([table, starts_type], result) = ([p.tensor(x)?, p.tensor(starts)?], p.tensor(p.result_of(select)?)?);
    let size = table.dims.get(axis)?.known()?;
    let mut batch = starts_type.dims.clone();
    if numbers.index_vector_dim < batch.len() {
        batch.remove(numbers.index_vector_dim);
    }
    let window = OpAttributes::of(p.module, gather).sizes("slice_sizes").ok()?;
    let mut row = table.dims.clone();
    row[axis] = Dim::Known(1);
    let places = || numbers.batch_dims(starts_type.rank()).into_iter().map(|(_, place)| place);
    let takes_rows = window == row
        && numbers.operand_batching_dims.is_empty()
        && places().eq(axis..axis + batch.len())
        && result.dims.len() == table.dims.len() - 1 + batch.len();
    // Each element has its own position along the axis, as `jnp.take_along_axis` prints it.
    let others: Vec<usize> = (0..table.rank()).filter(|&dim| dim != axis).collect();
    let takes_elements = window.iter().all(|&size| size == Dim::Known(1))
        && numbers.operand_batching_dims == others
        && numbers.start_indices_batching_dims == others
        // With the components last, dimensions of the positions are axes of their batch.
        && numbers.index_vector_dim >= batch.len()
        && places().eq(0..table.rank())
        && result.dims == batch
        && others.iter().all(|&dim| batch[dim] == table.dims[dim]);
    let bounds: [ValueId; 2] = p.module.defining_operands(in_range, stablehlo::AND)?;
    let [first, last] = bounds.map(|side| {
        let [_, bound] = p.module.defining_operands(side, stablehlo::COMPARE)?;
        p.whole_number(bound)
    });
    let index = wrapped(p, starts, size)?;
    let is_checked = first == Some(0) && last == Some(size - 1) && numbers.collapsed_slice_dims == [axis];
    let name = match (takes_rows, takes_elements) {
        (true, _) => hlo2onnx::TAKE,
        (false, true) => hlo2onnx::TAKE_ALONG_AXIS,
        (false, false) => return None,
    };
    let element = starts_type.element;
    let positions = if p.tensor(index)?.dims == batch {
        FusedOperand::Value(index)
    } else {
        batch.iter().all(|dim| dim.known().is_some()).then_some(())?;
        FusedOperand::made_of(Fused::new(stablehlo::RESHAPE, &[index]), element, batch)
    };
    let operands = [FusedOperand::Value(x), positions, FusedOperand::Value(fill)];
    is_checked.then(|| Fused::of(name, operands).int("axis", axis))
}

/// The integers `i` of `select(i < 0, i + size, i)`, maybe with dimensions of one element more or less.
fn wrapped(p: &Pattern, starts: ValueId, size: i64) -> Option<ValueId> {
    let mut value = starts;
    while let Some(op) = p.module.defining_op(value)
        && matches!(p.name(op), stablehlo::RESHAPE | stablehlo::BROADCAST_IN_DIM)
    {
        let [inner] = p.operands_of(op)?;
        // The same elements, in the same order.
        (long(&p.tensor(inner)?.dims) == long(&p.tensor(value)?.dims)).then_some(())?;
        if p.name(op) == stablehlo::BROADCAST_IN_DIM {
            p.positions(op, "broadcast_dimensions")?.is_sorted().then_some(())?;
        }
        value = inner;
    }
    let [negative, sum, index] = p.module.defining_operands(value, stablehlo::SELECT)?;
    let [below, zero] = p.module.defining_operands(negative, stablehlo::COMPARE)?;
    let [a, b] = p.module.defining_operands(sum, stablehlo::ADD)?;
    let element = p.tensor(index)?.element;
    let is_wrap = below == index
        && (a == index || b == index)
        && p.whole_number(if a == index { b } else { a }) == Some(size)
        && p.whole_number(zero) == Some(0)
        && p.word(negative, "comparison_direction") == Some("LT");
    // The sum with a negative number is exact, and the bounds are numbers of `i32` or of the type, if it is longer.
    let fits = element.is_signed() && size < 1 << (element.bits() - 1).min(30);
    (is_wrap && fits).then_some(index)
}

/// The dimensions that have not one element.
fn long(dims: &[Dim]) -> Vec<Dim> {
    dims.iter().copied().filter(|&dim| dim != Dim::Known(1)).collect()
}

/// Where an axis of an intermediate value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AxisPlace {
    /// A dimension of the select's result.
    Result(usize),
    /// All its elements are combined.
    Combined,
    /// Its only element stands for all.
    Single,
}

/// The comparison of each component of the index vectors with its bounds, if the condition is that it holds for all
/// components of a position, at the window of that position.
fn bounds_check(
    p: &Pattern,
    condition: ValueId,
    starts: ValueId,
    numbers: &GatherDimensionNumbers,
) -> Option<ValueId> {
    let (module, mut value) = (p.module, condition);
    let mut places: Vec<AxisPlace> = (0..p.tensor(value)?.rank()).map(AxisPlace::Result).collect();
    loop {
        let op = module.defining_op(value)?;
        let operand = *module.op(op).operands.first()?;
        let (dims, before) = (&p.tensor(value)?.dims, &p.tensor(operand)?.dims);
        places = match module.op(op).name {
            stablehlo::AND => break,
            stablehlo::BROADCAST_IN_DIM => {
                let own = OpAttributes::of(module, op).positions("broadcast_dimensions").ok()?;
                let place = |(axis, &size): (usize, &Dim)| {
                    let same = dims.get(own[axis]) == Some(&size);
                    if same { places[own[axis]] } else { AxisPlace::Single }
                };
                before.iter().enumerate().map(place).collect()
            }
            stablehlo::REDUCE => {
                let all = combiners(module, *module.op(op).regions.first()?)?;
                let reduced = OpAttributes::of(module, op).positions("dimensions").ok()?;
                if all != [Combiner::And] {
                    return None;
                }
                let mut kept = places.iter().copied();
                let combined = |axis: usize| reduced.contains(&axis);
                (0..before.len())
                    .map(|axis| if combined(axis) { Some(AxisPlace::Combined) } else { kept.next() })
                    .collect::<Option<_>>()?
            }
            stablehlo::RESHAPE => {
                if long(dims) != long(before) {
                    return None;
                }
                let kept = places.iter().zip(dims.iter()).filter(|(_, dim)| **dim != Dim::Known(1));
                let mut kept = kept.map(|(&place, _)| place);
                let place =
                    |&dim: &Dim| if dim == Dim::Known(1) { Some(AxisPlace::Single) } else { kept.next() };
                before.iter().map(place).collect::<Option<_>>()?
            }
            _ => return None,
        };
        value = operand;
    }
    let [low, high] = module.defining_operands(value, stablehlo::AND)?;
    let compares = |side: ValueId, direction: &str| {
        let operands = module.defining_operands::<2>(side, stablehlo::COMPARE);
        operands.is_some_and(|[index, _]| index == starts)
            && p.word(side, "comparison_direction") == Some(direction)
    };
    let is_bounded = compares(low, "GE") && compares(high, "LE");
    let dims = &p.tensor(starts)?.dims;
    let is_single = |axis: usize| dims.get(axis) == Some(&Dim::Known(1));
    let vector = numbers.index_vector_dim;
    let holds_for_all =
        vector == dims.len() || is_single(vector) || places.get(vector) == Some(&AxisPlace::Combined);
    let at_own_window = |(axis, place): (usize, usize)| {
        is_single(axis) || places.get(axis) == Some(&AxisPlace::Result(place))
    };
    let fits = is_bounded
        && places.len() == dims.len()
        && holds_for_all
        && numbers.batch_dims(dims.len()).into_iter().all(at_own_window);
    fits.then_some(value)
}
