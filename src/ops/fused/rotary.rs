//! Rotary position embeddings.

use super::attention::{computed, heads_first};
use crate::ir::{Dim, Element, OpId, ValueId, onnx};
use crate::ops::{Lower, LowerError, Lowered};

/// Rotates pairs of the features of `[batch, positions, heads, features]` by angles whose cosines and sines are
/// `[batch, positions, pairs]`, where the batch may have size 1.
pub(super) fn rotary_embedding(cx: &mut Lower, op: OpId) -> Lowered {
    let element = cx.result_dims(op, 0)?.0;
    let are_neighbours = cx.attributes(op).integer("interleaved")? != 0;
    let [x, cosine, sine] = [cx.full(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?];
    let [x, cosine, sine] = [x, cosine, sine].map(|value| computed(cx, value));
    // Broadcast values may lack leading dimensions.
    let [cosine, sine] = [cosine, sine].map(|table| cx.ranked(table, 3));
    let dims = cx.dims(x);
    let (&[batch, positions, heads, features], 3) = (&dims[..], cx.rank(cosine)) else {
        return Err(LowerError::form("operands without four and three dimensions"));
    };
    let is_empty = dims.contains(&Dim::Known(0));
    let value = match (heads.known(), features.known()) {
        (Some(heads), Some(features))
            if cx.has(onnx::ROTARY_EMBEDDING) && cx.element(x) == Element::F32 && !is_empty =>
        {
            kernel(cx, [x, cosine, sine], [batch, positions], [heads, features], are_neighbours)
        }
        _ => parts(cx, x, cosine, sine, are_neighbours),
    };
    Ok(cx.narrowed(value, element).into())
}

/// `RotaryEmbedding` with heads next to the features, or before the positions if they come from there. It takes angles
/// for each element of the batch, so the same angles for all of them are a table, whose rows are chosen by position.
fn kernel(
    cx: &mut Lower,
    [x, cosine, sine]: [ValueId; 3],
    [batch, positions]: [Dim; 2],
    [heads, features]: [i64; 2],
    are_neighbours: bool,
) -> ValueId {
    let pairs = Dim::Known(features / 2);
    let mut tables = [cosine, sine];
    let mut chosen = None;
    if batch != Dim::Known(1) && tables.iter().all(|&table| cx.dims(table)[0] == Dim::Known(1)) {
        tables = tables.map(|table| {
            let full = cx.broadcast_to(table, &[Dim::Known(1), positions, pairs]);
            cx.reshape(full, &[positions, pairs])
        });
        let counted = cx.iota(Element::I64, 2, 1, positions);
        chosen = Some(cx.broadcast_to(counted, &[batch, positions]));
    } else {
        tables = tables.map(|table| cx.broadcast_to(table, &[batch, positions, pairs]));
    }
    let first = heads_first(cx, x);
    let shape = [batch, positions, Dim::Known(heads * features)];
    let read = first.unwrap_or_else(|| cx.reshape(x, &shape));
    let operands: Vec<ValueId> = [read].into_iter().chain(tables).chain(chosen).collect();
    let node = cx.node(onnx::ROTARY_EMBEDDING, &operands).int("interleaved", i64::from(are_neighbours));
    if first.is_some() {
        let rotated = node.like(read);
        return cx.transpose(rotated, &[0, 2, 1, 3]);
    }
    let rotated = node.int("num_heads", heads).like(read);
    cx.reshape(rotated, &[batch, positions, Dim::Known(heads), Dim::Known(features)])
}

/// `x * cos + turned(x) * sin`, where the sign is in the table of sines: two products of all features take fewer nodes
/// than four of halves.
fn parts(cx: &mut Lower, x: ValueId, cosine: ValueId, sine: ValueId, are_neighbours: bool) -> ValueId {
    let first = heads_first(cx, x);
    let read = first.unwrap_or(x);
    let negative = cx.formula([sine], |[sine]| -sine);
    let mut table = |one: ValueId, other: ValueId| {
        let dims = cx.dims(one);
        let (batch, positions, pairs) = (dims[0], dims[1], dims[2]);
        let features = cx.module.dim_exprs.multiply(pairs, Dim::Known(2));
        let both = if are_neighbours {
            let [one, other] =
                [one, other].map(|part| cx.reshape(part, &[batch, positions, pairs, Dim::Known(1)]));
            cx.concat(&[one, other], 3)
        } else {
            cx.concat(&[one, other], 2)
        };
        let places = [Dim::Known(1), positions];
        let places = if first.is_some() { places } else { [positions, Dim::Known(1)] };
        cx.reshape(both, &[batch, places[0], places[1], features])
    };
    let (cosines, sines) = (table(cosine, cosine), table(negative, sine));
    let turned = turned(cx, read, are_neighbours);
    let straight = cx.elementwise(onnx::MUL, &[read, cosines]);
    let across = cx.elementwise(onnx::MUL, &[turned, sines]);
    let rotated = cx.elementwise(onnx::ADD, &[straight, across]);
    if first.is_some() { cx.transpose(rotated, &[0, 2, 1, 3]) } else { rotated }
}

/// The features of each pair in the other order.
fn turned(cx: &mut Lower, x: ValueId, are_neighbours: bool) -> ValueId {
    let (element, dims) = (cx.element(x), cx.dims(x));
    let features = dims[3].known().unwrap_or_default();
    if are_neighbours {
        let places: Vec<i64> = (0..features).map(|place| place ^ 1).collect();
        let places = cx.int64s(&places);
        return cx.node(onnx::GATHER, &[x, places]).int("axis", 3).out(element, &dims);
    }
    let mut half = dims.to_vec();
    half[3] = Dim::Known(features / 2);
    let sizes = cx.int64s(&[features / 2, features / 2]);
    let halves =
        cx.node(onnx::SPLIT, &[x, sizes]).int("axis", 3).outs(&[(element, half.clone()), (element, half)]);
    cx.concat(&[halves[1], halves[0]], 3)
}
