//! Attention: `softmax(q k^T * scale + mask) v`, in all layouts.
//!
//! The dimensions of all values get labels, which follow them through transposes and reshapes (`axes`). The last product
//! and the softmax are found first, then the chain of ops between the softmax and the product of queries and keys
//! (`scores`). The roles of the dimensions (`layout`) decide how the operands are arranged for the op: queries
//! `[batch..., rows, heads, depth]`, keys and values the same with fewer heads if groups share them, a mask
//! `[batch..., heads, rows, keys]` where any size may be 1.

mod layout;
mod mask;
mod products;
mod repeat;
mod scores;
mod triangle;

use super::arrange::Arranged;
use super::axes::{Axes, Label, Labeled, Labels};
use super::pattern::Pattern;
use super::{Fused, FusedOperand, FusionRule};
use crate::ir::{Element, OpId, ValueId, hlo2onnx, stablehlo};
use layout::{Layout, Operands};
use mask::{Bases, Masks};
use products::Product;
use repeat::Repeated;
use scores::Scores;

pub(super) const RULES: &[FusionRule] = &[FusionRule::new(stablehlo::DOT_GENERAL, attention)];

/// Masked scores are far below all others if they are at most this. Those of f16 have a smaller range.
const LOWEST: f64 = -1e6;
const LOWEST_HALF: f64 = -1e4;

/// The product of weights and values.
fn attention(p: &mut Pattern, op: OpId) -> Option<Fused> {
    let mut labels = Labels::default();
    let result = labels.of(p, p.result_of(op)?)?;
    let Product { left, right, summed } = products::read(p, &mut labels, &result)?;
    let &[key] = &summed[..] else { return None };
    let pairs = [(left.clone(), right.clone()), (right, left)];
    pairs.into_iter().find_map(|(weights, values)| {
        p.attempt(|p| {
            let scores = softmax(p, &mut labels, weights, key)?;
            with_values(p, &mut labels, scores, key, values, &result)
        })
    })
}

/// What the softmax reads whose results are the weights.
fn softmax(p: &mut Pattern, labels: &mut Labels, weights: Labeled, key: Label) -> Option<Labeled> {
    let mut at = weights;
    loop {
        if let Some(before) = labels.before_view(p, &at) {
            at = before;
        } else if let Some([value]) = p.operands(at.value, stablehlo::CONVERT) {
            p.tensor(value).filter(|ty| ty.element.is_float())?;
            at.value = value;
        } else {
            break;
        }
    }
    let Some([scores]) = p.operands(at.value, hlo2onnx::SOFTMAX) else {
        changed_weights(p, at.value);
        return None;
    };
    let axis = p.integer(p.module.defining_op(at.value)?, "axis")?;
    (at.axes.get(axis) == Some(&key)).then_some(Labeled { value: scores, axes: at.axes })
}

/// Records that another op changes the weights after the softmax.
fn changed_weights(p: &mut Pattern, weights: ValueId) {
    let Some(op) = p.module.defining_op(weights) else { return };
    let mut pending = vec![(weights, 0)];
    while let Some((value, depth)) = pending.pop() {
        let Some(inner) = p.module.defining_op(value).filter(|_| depth < 4) else { continue };
        if p.name(inner) == hlo2onnx::SOFTMAX {
            let name = p.module.op_name(op);
            return p.near(op, format!("`{name}` changes the weights between the softmax and the values"));
        }
        pending.extend(p.module.op(inner).operands.iter().map(|&operand| (operand, depth + 1)));
    }
}

/// The op for these scores and values, whose result has the labels of the product with the values.
fn with_values(
    p: &mut Pattern,
    labels: &mut Labels,
    scores: Labeled,
    key: Label,
    values: Labeled,
    result: &Labeled,
) -> Option<Fused> {
    let mut scores = Scores::read(p, labels, scores, key)?;
    let root = p.module.defining_op(result.value)?;
    let (queries, factor) = unscaled(p, labels, scores.product.left.clone());
    let (keys, other) = unscaled(p, labels, scores.product.right.clone());
    scores.scale *= factor * other;
    if !(scores.scale > 0.0 && scores.scale.is_finite()) {
        p.near(root, format!("the scores are multiplied by {}", scores.scale));
        return None;
    }
    let values = labels.before_views(p, values);
    // Dense layers around a softmax look like attention with constant keys and values, but need no Transposes.
    if [&keys, &values].into_iter().all(|operand| p.module.constant_of(operand.value).is_some()) {
        p.near(root, "the keys and the values are constants");
        return None;
    }
    let bases = Bases::of(p, labels, &scores);
    let depth = scores.product.summed.clone();
    let operands = Operands {
        queries: &queries,
        keys: &keys,
        values: &values,
        result: &result.axes,
        key,
        depth: &depth,
    };
    let layout = match Layout::find(labels, &operands, &bases.labels(labels)) {
        Ok(layout) => layout,
        Err(why) => {
            p.near(root, why);
            return None;
        }
    };
    let (keys, values, heads) = unrepeated(p, labels, &layout, (keys, values));
    let masks = bases.arranged(p, labels, &layout)?;
    let element = widest(p, [&queries, &keys, &values])?;
    if let Some((_, fill)) = &masks.predicate {
        let lowest = if element == Element::F16 { LOWEST_HALF } else { LOWEST };
        if *fill > lowest {
            p.near(root, format!("masked scores become {fill}, which is not far below all scores"));
            return None;
        }
    }
    let arranged = |value: &Labeled, parts: &[Axes], labels: &Labels| {
        Some(Arranged::of(p, value)?.grouped(p, labels, parts).converted(element))
    };
    let operands = [
        arranged(&queries, &layout.queries(), labels)?,
        arranged(&keys, &layout.keys(&heads), labels)?,
        arranged(&values, &layout.values(&heads), labels)?,
    ];
    let attention = fused(operands, masks, &scores);
    let parts = layout.result();
    let dims = parts.iter().map(|part| labels.count(p, part)).collect();
    let order: Axes = parts.iter().flatten().copied().collect();
    let restored = Arranged::made(attention, element, dims)
        .restored(labels, &order, &result.axes)
        .converted(p.tensor(result.value)?.element);
    restored.into_fused()
}

/// The op, with its optional operands.
fn fused(operands: [Arranged; 3], masks: Masks, scores: &Scores) -> Fused {
    let Masks { predicate, bias, is_causal } = masks;
    let fill = predicate.as_ref().map(|(_, fill)| *fill);
    let (is_masked, is_biased) = (predicate.is_some(), bias.is_some());
    let optional = [predicate.map(|(mask, _)| mask), bias].into_iter().flatten();
    let all: Vec<FusedOperand> = operands.into_iter().chain(optional).map(Arranged::operand).collect();
    let mut attention = Fused::of(hlo2onnx::ATTENTION, all)
        .float("scale", scores.scale)
        .int("masked", usize::from(is_masked))
        .int("biased", usize::from(is_biased))
        .int("causal", usize::from(is_causal));
    if let Some(fill) = fill {
        attention = attention.float("fill", fill);
    }
    match scores.softcap {
        Some(cap) => attention.float("softcap", cap),
        None => attention,
    }
}

/// The widest element type of some values.
fn widest(p: &Pattern, values: [&Labeled; 3]) -> Option<Element> {
    let [first, others @ ..] = values.map(|labeled| p.tensor(labeled.value).map(|ty| ty.element));
    others.into_iter().try_fold(first?, |widest, element| {
        let element = element?;
        Some(match (widest, element) {
            _ if widest == element => widest,
            (Element::F16, Element::BF16) | (Element::BF16, Element::F16) => Element::F32,
            _ if widest.bits() >= element.bits() => widest,
            _ => element,
        })
    })
}

/// A value before transposes and constant factors, and the product of the factors.
fn unscaled(p: &mut Pattern, labels: &mut Labels, at: Labeled) -> (Labeled, f64) {
    let (mut at, mut factor) = (at, 1.0);
    loop {
        let (number, value) = p.loosely(|p| p.scaled(at.value));
        factor *= number;
        at.value = value;
        let Some(before) = labels.before_view(p, &at) else { return (at, factor) };
        at = before;
    }
}

/// Keys and values before their heads are repeated, and the labels of their heads.
fn unrepeated(
    p: &mut Pattern,
    labels: &mut Labels,
    layout: &Layout,
    (keys, values): (Labeled, Labeled),
) -> (Labeled, Labeled, Axes) {
    let found = p.attempt(|p| {
        let (own_keys, of_keys) = before_repeat(p, labels, keys.clone())?;
        let (own_values, of_values) = before_repeat(p, labels, values.clone())?;
        let same = of_keys.heads == of_values.heads
            && layout.heads[..] == [of_keys.heads]
            && layout.groups.is_empty()
            && labels.size(of_keys.own) == labels.size(of_values.own);
        let renamed = |label: &mut Label| {
            if *label == of_values.own {
                *label = of_keys.own;
            }
        };
        let mut own_values = own_values;
        own_values.axes.iter_mut().for_each(renamed);
        same.then(|| (own_keys, own_values, [of_keys.own].into_iter().collect()))
    });
    found.unwrap_or_else(|| (keys, values, layout.heads.clone()))
}

/// A value before a repetition of its heads, and before the transposes and reshapes of that.
fn before_repeat(p: &mut Pattern, labels: &mut Labels, at: Labeled) -> Option<(Labeled, Repeated)> {
    let (inner, repeated) = repeat::before(p, labels, &at)?;
    Some((labels.before_views(p, inner), repeated))
}
