//! Rotary position embeddings: each pair of features is rotated by an angle that depends on the position.
//!
//! The pairs are those of the first and the second half of the features, or of neighbours. JAX programs compute both
//! results and join them, or rotate all features by a quarter turn and add: `x * cos + turned(x) * sin`, where the
//! tables of angles have each number twice (`tables`).

mod tables;

use super::arrange::Arranged;
use super::axes::{Axes, Label, Labels};
use super::pattern::Pattern;
use super::{Fused, FusionRule};
use crate::ir::{Dim, OpId, ValueId, hlo2onnx, stablehlo};
use crate::ops::OpAttributes;

pub(super) const RULES: &[FusionRule] = &[
    FusionRule::new(stablehlo::CONCATENATE, joined_halves),
    FusionRule::new(stablehlo::RESHAPE, joined_neighbours),
    FusionRule::new(stablehlo::ADD, turned),
];

/// How features form pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pairing {
    /// The first half with the second.
    Halves,
    /// Each with its neighbour.
    Neighbours,
}

/// The dimension of features, and that of pairs.
#[derive(Clone, Copy)]
struct Pair {
    features: Label,
    half: Label,
    pairing: Pairing,
}

/// A rotation: what is rotated, and the cosines and sines, which have half as many numbers as there are features.
struct Rotation {
    x: ValueId,
    pairing: Pairing,
    cosine: Table,
    sine: Table,
}

/// The cosines or sines.
struct Table {
    value: ValueId,
    /// Whether each number is there twice.
    is_double: bool,
}

/// `concatenate(a * cos - b * sin, b * cos + a * sin)` of the halves `a` and `b`.
fn joined_halves(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [first, second] = p.operands_of(op)?;
    let rank = p.tensor(p.result_of(op)?)?.rank();
    if p.integer(op, "dimension")? + 1 != rank {
        return None;
    }
    let rotation = pair_of_sums(p, first, second, Pairing::Halves)?;
    fused(p, op, rotation)
}

/// The same of neighbours, which a reshape joins.
fn joined_neighbours(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let [both] = p.operands_of(op)?;
    let (first, second) = neighbours(p, p.result_of(op)?, both)?;
    let rotation = pair_of_sums(p, first, second, Pairing::Neighbours)?;
    fused(p, op, rotation)
}

/// `x * cos + turned(x) * sin`.
fn turned(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let products = p.operands_of(op)?;
    let rotation = p.either(products, |p, straight, turned| {
        let factors = p.operands(turned, stablehlo::MULTIPLY)?;
        let (x, pairing, sine) = p.either(factors, |p, turned, sine| {
            let (x, pairing) = quarter_turn(p, turned)?;
            Some((x, pairing, sine))
        })?;
        let factors = p.operands(straight, stablehlo::MULTIPLY)?;
        let cosine =
            p.either(factors, |p, own, cosine| (widened(p, own) == widened(p, x)).then_some(cosine))?;
        let double = |value| Table { value, is_double: true };
        Some(Rotation { x, pairing, cosine: double(cosine), sine: double(sine) })
    })?;
    fused(p, op, rotation)
}

/// The value before a conversion to a wider type.
fn widened(p: &Pattern, value: ValueId) -> ValueId {
    p.module.defining_operands(value, stablehlo::CONVERT).map_or(value, |[x]| x)
}

/// The two values of which one follows the other in each pair: the operands of a concatenation along a new last
/// dimension of size 2, which a reshape merges with the one before.
fn neighbours(p: &mut Pattern, merged: ValueId, both: ValueId) -> Option<(ValueId, ValueId)> {
    let (outer, inner) = (p.tensor(merged)?.dims.clone(), p.tensor(both)?.dims.clone());
    let (last, rest) = inner.split_last()?;
    let (half, others) = rest.split_last()?;
    let (features, kept) = outer.split_last()?;
    let doubled = p.module.dim_exprs.multiply(*half, Dim::Known(2));
    if *last != Dim::Known(2) || others != kept || *features != doubled {
        return None;
    }
    let [first, second] = p.operands(both, stablehlo::CONCATENATE)?;
    if p.integer(p.module.defining_op(both)?, "dimension")? + 1 != inner.len() {
        return None;
    }
    let parts = [first, second].map(|value| {
        // A last dimension of size 1 is new.
        let [part] = p
            .operands(value, stablehlo::BROADCAST_IN_DIM)
            .or_else(|| p.operands::<1>(value, stablehlo::RESHAPE))?;
        (p.tensor(part)?.dims[..] == *rest).then_some(part)
    });
    let [first, second] = parts;
    Some((first?, second?))
}

/// The rotation whose two results are these sums.
fn pair_of_sums(p: &mut Pattern, first: ValueId, second: ValueId, pairing: Pairing) -> Option<Rotation> {
    let [one, other] = p.operands(first, stablehlo::SUBTRACT)?;
    let one: [ValueId; 2] = p.operands(one, stablehlo::MULTIPLY)?;
    let other: [ValueId; 2] = p.operands(other, stablehlo::MULTIPLY)?;
    let sums = p.operands(second, stablehlo::ADD)?;
    // `a * cos - b * sin`: which factor is the table follows from the other sum.
    p.either(one, |p, a, cosine| {
        p.either(other, |p, b, sine| {
            let x = pair_of(p, a, b, pairing)?;
            p.either(sums, |p, of_b, of_a| {
                let of_b = p.operands(of_b, stablehlo::MULTIPLY)?;
                let of_a = p.operands(of_a, stablehlo::MULTIPLY)?;
                let is = |[x, y]: [ValueId; 2], part: ValueId, table: ValueId| {
                    (x, y) == (part, table) || (x, y) == (table, part)
                };
                (is(of_b, b, cosine) && is(of_a, a, sine)).then_some(())
            })?;
            let single = |value| Table { value, is_double: false };
            Some(Rotation { x, pairing, cosine: single(cosine), sine: single(sine) })
        })
    })
}

/// The value of which `a` has the first and `b` the second feature of each pair.
fn pair_of(p: &mut Pattern, a: ValueId, b: ValueId, pairing: Pairing) -> Option<ValueId> {
    let part = |p: &mut Pattern, value: ValueId| {
        let value = p.operands(value, stablehlo::CONVERT).map_or(value, |[narrow]| narrow);
        let [x] = p.loosely(|p| p.operands(value, stablehlo::SLICE))?;
        Some((x, p.module.defining_op(value)?))
    };
    let ((x, a), (other, b)) = (part(p, a)?, part(p, b)?);
    (x == other).then_some(())?;
    let dims = p.tensor(x)?.dims.clone();
    let (features, others) = dims.split_last()?;
    let features = features.known().filter(|size| size % 2 == 0)?;
    let half = features / 2;
    let expected = match pairing {
        Pairing::Halves => [(0, half, 1), (half, features, 1)],
        Pairing::Neighbours => [(0, features, 2), (1, features, 2)],
    };
    for (slice, (start, limit, step)) in [a, b].into_iter().zip(expected) {
        let list = |name| OpAttributes::of(p.module, slice).integers(name).ok();
        let (starts, limits, steps) = (list("start_indices")?, list("limit_indices")?, list("strides")?);
        let last = others.len();
        // An even number of features may be sliced up to the last that counts.
        let ends = |found: i64| {
            found == limit || (pairing == Pairing::Neighbours && start == 0 && found == limit - 1)
        };
        let is_whole = p.tensor(p.result_of(slice)?)?.dims[..last] == *others
            && steps[..last].iter().all(|&step| step == 1)
            && starts[..last].iter().all(|&start| start == 0);
        if !is_whole || starts[last] != start || !ends(limits[last]) || steps[last] != step {
            return None;
        }
    }
    Some(x)
}

/// The value that is rotated by a quarter turn: `(-b, a)` for each pair `(a, b)`.
fn quarter_turn(p: &mut Pattern, turned: ValueId) -> Option<(ValueId, Pairing)> {
    let turned = p.operands(turned, stablehlo::CONVERT).map_or(turned, |[narrow]| narrow);
    let (first, second, pairing) = match p.operands::<2>(turned, stablehlo::CONCATENATE) {
        Some([first, second]) => {
            let rank = p.tensor(turned)?.rank();
            let is_last = p.integer(p.module.defining_op(turned)?, "dimension")? + 1 == rank;
            is_last.then_some((first, second, Pairing::Halves))?
        }
        None => {
            let [both] = p.operands(turned, stablehlo::RESHAPE)?;
            let (first, second) = neighbours(p, turned, both)?;
            (first, second, Pairing::Neighbours)
        }
    };
    let [b] = p.operands(first, stablehlo::NEGATE)?;
    Some((pair_of(p, second, b, pairing)?, pairing))
}

/// The op for a rotation, in the layout `[batch, positions, heads, features]`.
fn fused(p: &mut Pattern, op: OpId, rotation: Rotation) -> Option<Fused> {
    let result = p.result_of(op)?;
    let (element, dims) = (p.tensor(result)?.element, p.tensor(result)?.dims.clone());
    if !element.is_float() {
        return None;
    }
    let mut labels = Labels::default();
    let x = labels.of(p, rotation.x)?;
    let stated = x.axes.clone();
    let &features = stated.last()?;
    let half = labels.add(Dim::Known(labels.size(features).known()? / 2));
    let pair = Pair { features, half, pairing: rotation.pairing };
    let cosine = tables::read(p, &mut labels, &stated, pair, &rotation.cosine);
    let sine = tables::read(p, &mut labels, &stated, pair, &rotation.sine);
    let (Some(cosine), Some(sine)) = (cosine, sine) else {
        p.near(op, "the two features of a pair may be rotated by different angles");
        return None;
    };
    let x = labels.before_views(p, x);
    let depends = |label: Label| cosine.axes().contains(&label) || sine.axes().contains(&label);
    let others: Axes = x.axes.iter().copied().filter(|&label| label != features).collect();
    let [batch, positions, heads] = roles(&labels, &others, depends);
    let only = |label: Label| -> Axes { [label].into_iter().collect() };
    let parts = [batch.clone(), positions.clone(), heads, only(features)];
    let angles = [batch, positions, only(half)];
    let table =
        |table: Arranged| table.spread(p, &labels, &angles).map(|table| table.converted(element).operand());
    let x = Arranged::of(p, &x)?.grouped(p, &labels, &parts).converted(element);
    let fused = Fused::of(hlo2onnx::ROTARY_EMBEDDING, [x.operand(), table(cosine)?, table(sine)?])
        .int("interleaved", usize::from(rotation.pairing == Pairing::Neighbours));
    let order: Axes = parts.iter().flatten().copied().collect();
    let sizes = parts.iter().map(|part| labels.count(p, part)).collect();
    let restored = Arranged::made(fused, element, sizes).restored(&labels, &order, &stated).reshaped(dims);
    restored.into_fused()
}

/// The dimensions before the positions, the positions, and those behind. A dimension before the positions on which the
/// angles do not depend is one of heads, if there are no others.
fn roles(labels: &Labels, order: &[Label], depends: impl Fn(Label) -> bool) -> [Axes; 3] {
    let is_position = |label: &Label| depends(*label) && !labels.is_one(*label);
    let Some(place) = order.iter().rposition(is_position) else {
        return [Axes::new(), Axes::new(), order.iter().copied().collect()];
    };
    let (before, rest) = order.split_at(place);
    let (mut batch, mut heads): (Axes, Axes) = (before.into(), rest[1..].into());
    if heads.is_empty()
        && let Some(last) = batch.pop()
    {
        let target = if is_position(&last) { &mut batch } else { &mut heads };
        target.push(last);
    }
    [batch, rest[..1].into(), heads]
}
