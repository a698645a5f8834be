//! The cosines and sines of a rotation, one for each pair of features.

use super::super::Fused;
use super::super::arrange::Arranged;
use super::super::axes::{Label, Labeled, Labels};
use super::super::pattern::Pattern;
use super::{Pair, Pairing, Table};
use crate::ir::{Dim, ValueId, stablehlo};

/// Limits how many ops compute a table from numbers that it has twice.
const MOST_STEPS: usize = 12;

/// A table with one number for each pair; `stated` are the labels of what is rotated.
pub(super) fn read(
    p: &mut Pattern,
    labels: &mut Labels,
    stated: &[Label],
    pair: Pair,
    table: &Table,
) -> Option<Arranged> {
    let mut axes: super::Axes = stated.into();
    if !table.is_double {
        *axes.last_mut()? = pair.half;
        let base = p.loosely(|p| before_broadcasts(p, labels, Labeled { value: table.value, axes }));
        return Arranged::without_repeats(p, labels, &base);
    }
    p.loosely(|p| single(p, labels, Labeled { value: table.value, axes }, pair, 0))
}

/// The value before transposes, reshapes and broadcasts.
fn before_broadcasts(p: &mut Pattern, labels: &mut Labels, at: Labeled) -> Labeled {
    let mut at = at;
    while let Some(before) = labels.before_broadcast(p, &at).or_else(|| labels.before_view(p, &at)) {
        at = before;
    }
    at
}

/// Each number once, of a table that has it for both features of a pair.
fn single(p: &mut Pattern, labels: &mut Labels, at: Labeled, pair: Pair, steps: usize) -> Option<Arranged> {
    let at = before_broadcasts(p, labels, at);
    let place = at.axes.iter().position(|&label| label == pair.features)?;
    if p.is_constant(at.value) {
        return Arranged::without_twins(p, &at, place, pair.half, pair.pairing == Pairing::Neighbours);
    }
    let op = p.module.defining_op(at.value).filter(|_| steps < MOST_STEPS)?;
    let inner = |value: ValueId| Labeled { value, axes: at.axes.clone() };
    match p.name(op) {
        name @ (stablehlo::COSINE | stablehlo::SINE | stablehlo::NEGATE) => {
            let [x] = p.operands(at.value, name)?;
            let x = single(p, labels, inner(x), pair, steps + 1)?;
            Some(x.mapped(|x| Fused::of(name, [x])))
        }
        stablehlo::CONVERT => {
            let [x] = p.operands(at.value, stablehlo::CONVERT)?;
            let element = p.tensor(at.value)?.element;
            p.tensor(x)?.element.is_float().then_some(())?;
            Some(single(p, labels, inner(x), pair, steps + 1)?.converted(element))
        }
        stablehlo::MULTIPLY => {
            let factors = p.operands(at.value, stablehlo::MULTIPLY)?;
            let (number, x) = p.either(factors, |p, number, x| Some((p.number(number)?, x)))?;
            Some(single(p, labels, inner(x), pair, steps + 1)?.scaled(number))
        }
        stablehlo::CONCATENATE => {
            let [x, twin] = p.operands(at.value, stablehlo::CONCATENATE)?;
            let along = p.integer(op, "dimension")? == place;
            let mut half = inner(x);
            half.axes[place] = pair.half;
            (x == twin && along && pair.pairing == Pairing::Halves).then(|| Arranged::of(p, &half))?
        }
        stablehlo::RESHAPE => {
            let mut half = repeated(p, labels, &at, place, pair)?;
            half = before_broadcasts(p, labels, half);
            Arranged::without_repeats(p, labels, &half)
        }
        _ => None,
    }
}

/// The numbers before `jnp.repeat` or `jnp.tile`: a reshape merges the dimension of pairs and a new one of size 2.
fn repeated(p: &mut Pattern, labels: &mut Labels, at: &Labeled, place: usize, pair: Pair) -> Option<Labeled> {
    let [spread] = p.operands(at.value, stablehlo::RESHAPE)?;
    let middle = p.tensor(spread).filter(|ty| ty.is_sized())?.dims.clone();
    // Apart from dimensions of size 1, that of features is split.
    let (outer, inner) = match pair.pairing {
        Pairing::Halves => (Dim::Known(2), labels.size(pair.half)),
        Pairing::Neighbours => (labels.size(pair.half), Dim::Known(2)),
    };
    let (turns, halves) = (labels.add(Dim::Known(2)), pair.half);
    let mut wanted: Vec<(Dim, Label)> = Vec::new();
    for (axis, &label) in at.axes.iter().enumerate() {
        if axis == place {
            let split = match pair.pairing {
                Pairing::Halves => [(outer, turns), (inner, halves)],
                Pairing::Neighbours => [(outer, halves), (inner, turns)],
            };
            wanted.extend(split);
        } else if !labels.is_one(label) {
            wanted.push((labels.size(label), label));
        }
    }
    let mut wanted = wanted.into_iter();
    let mut axes = super::Axes::new();
    for &size in &middle {
        axes.push(match size {
            Dim::Known(1) => labels.add(size),
            _ => wanted.next().filter(|&(own, _)| own == size)?.1,
        });
    }
    if wanted.next().is_some() {
        return None;
    }
    let before = labels.before_broadcast(p, &Labeled { value: spread, axes })?;
    (!before.axes.contains(&turns)).then_some(before)
}
