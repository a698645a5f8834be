//! `sort` and `top_k`, by ONNX's `TopK`, which is stable: among equal elements it takes the lower index first.
//!
//! `TopK` does not order NaN, so floats are sorted by a key in which NaN is infinity. Numbers are halved, and infinity becomes
//! the largest number, unless their range excludes NaN or infinity.
//!
//! The total order, which `top_k` uses, distinguishes the signs of zero and NaN. The key is then the bits as an integer,
//! which need the `BitCast` of opset 26, or else the same key as above: zeros are equal, and negative NaN counts as positive.
//!
//! Several keys are sorted one after the other, the last one first. Where a comparator is not a lexicographic order of
//! its arguments (see [`comparator`]), every pair is compared: see [`pairs`].

mod approximate;
mod comparator;
mod key;
mod pairs;

use crate::ops::row::{Row, row};
use crate::ops::type_inference::{AtLeast, Exactly, linear, variadic, window};
pub(super) use approximate::{approx_top_k, mhlo_top_k};

use super::type_inference::dims_fit;
use super::{Elements, Lower, LowerError, Lowered, Values};
use crate::ir::{Attribute, Dim, Element, OpId, Size, ValueId, axis_index, chlo, onnx, stablehlo};
use crate::target::Capability;
use comparator::{Key, Zeros, comparator};

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::SORT, variadic(1, AtLeast(1), window::sort), Elements::PLAIN, sort)
        .note("TopK of keys that order NaN, or comparing all pairs"),
    row(chlo::TOP_K, variadic(1, Exactly(2), linear::top_k), Elements::PLAIN, top_k)
        .note("TopK by the bits of a float, in the total order"),
];

fn sort(cx: &mut Lower, op: OpId) -> Lowered {
    let count = cx.operand_count(op);
    let (_, sizes) = cx.result_dims(op, 0)?;
    let dimension = match cx.module.attribute(op, "dimension") {
        Some(_) => cx.attributes(op).integer("dimension")?,
        None => -1,
    };
    let axis = axis_index(dimension, sizes.len())
        .ok_or_else(|| LowerError::attribute("dimension", "it is not a dimension of the operands"))?;
    let region =
        cx.module.op(op).regions.first().copied().ok_or_else(|| LowerError::form("no comparator"))?;
    if sizes.contains(&Dim::Known(0)) || sizes[axis] == Dim::Known(1) {
        return (0..count).map(|operand| cx.full(op, operand)).collect::<Result<Values, _>>();
    }
    let Some(keys) = comparator(cx, region, count) else {
        let operands = cx.fulls(op)?;
        let order = pairs::order(cx, region, &operands, axis)?;
        return Ok(operands.iter().map(|&operand| cx.reorder(operand, order, axis)).collect());
    };
    if let ([key], 1) = (keys.as_slice(), count) {
        let operand = cx.full(op, 0)?;
        let value = cx.sort_key(operand, *key);
        if value == operand {
            return Ok(cx.top(value, axis, sizes[axis], key.descending).0.into());
        }
    }
    // The last key is sorted by first, so that it decides where those before it are equal.
    let mut order: Option<ValueId> = None;
    for key in keys.iter().rev() {
        let operand = cx.full(op, key.operand)?;
        let value = cx.sort_key(operand, *key);
        let value = order.map_or(value, |order| cx.reorder(value, order, axis));
        let step = cx.top(value, axis, sizes[axis], key.descending).1;
        order = Some(order.map_or(step, |order| cx.reorder(order, step, axis)));
    }
    let order = order.ok_or_else(|| LowerError::form("a comparator without a key"))?;
    let mut results = Values::default();
    for operand in 0..count {
        results.0.push(if counts_along(cx, op, operand, axis) {
            let element = cx.operand_type(op, operand)?.element;
            cx.cast(order, element)
        } else {
            let operand = cx.full(op, operand)?;
            cx.reorder(operand, order, axis)
        });
    }
    Ok(results)
}

/// Whether an operand is `0, 1, ...` along the sorted axis; then its sorted form is the permutation.
fn counts_along(cx: &Lower, op: OpId, operand: usize, axis: usize) -> bool {
    let value = cx.module.op(op).operands[operand];
    let integer = cx.module.tensor(value).is_some_and(|ty| ty.element.is_integer());
    let Some(defining) = cx.module.defining_op(value).filter(|_| integer) else { return false };
    cx.module.op(defining).name == stablehlo::IOTA
        && cx.attributes(defining).integer("iota_dimension").is_ok_and(|dimension| dimension == axis as i64)
}

fn top_k(cx: &mut Lower, op: OpId) -> Lowered {
    let k = match cx.module.attribute(op, "k") {
        Some(Attribute::Dims(k)) if k.len() == 1 => k[0],
        _ => Dim::Known(cx.attributes(op).integer("k")?),
    };
    largest(cx, op, k)
}

/// The `k` largest elements along the last dimension, and their indices.
fn largest(cx: &mut Lower, op: OpId, k: Dim) -> Lowered {
    let (element, sizes) = cx.result_dims(op, 0)?;
    let (index_element, index_sizes) = cx.result_dims(op, 1)?;
    let fits = cx.operand_dims(op, 0)?.split_last().is_some_and(|(&all, batch)| {
        let taken: Vec<Dim> = batch.iter().copied().chain([k]).collect();
        let range = 0..=all.known().unwrap_or(i64::MAX);
        k.known().is_none_or(|k| range.contains(&k))
            && dims_fit(&taken, &sizes)
            && dims_fit(&taken, &index_sizes)
    });
    if !fits {
        return Err(LowerError::attribute("k", "it does not match the types"));
    }
    if sizes.contains(&Dim::Known(0)) {
        let (none, nowhere) = (cx.integer(element, 0), cx.integer(index_element, 0));
        return Ok([cx.broadcast_to(none, &sizes), cx.broadcast_to(nowhere, &sizes)].into_iter().collect());
    }
    let axis = sizes.len() - 1;
    let operand = cx.full(op, 0)?;
    let key = Key { operand: 0, descending: true, zeros: Zeros::Signed };
    let value = cx.sort_key(operand, key);
    let (mut values, order) = cx.top(value, axis, k, key.descending);
    if value != operand {
        values = cx.reorder(operand, order, axis);
    }
    let indices = cx.cast(order, index_element);
    Ok([values, indices].into_iter().collect())
}

/// The largest size whose square is an `i32`.
const LARGEST: i64 = 46_340;

impl Lower<'_> {
    /// The `count` first elements along an axis, by size, and their indices as `i64`. Equal elements keep their order.
    fn top(&mut self, value: ValueId, axis: usize, count: impl Size, largest: bool) -> (ValueId, ValueId) {
        let count: Dim = count.into();
        match self.dims(value)[axis] {
            Dim::Known(size) if size > 1 && size <= LARGEST && !self.options.can(Capability::StableSorts) => {
                self.stable_top(value, axis, size, count, largest)
            }
            _ => self.top_k(value, axis, count, largest),
        }
    }

    /// The same where TopK does not keep the order of equal elements: the indices of each group of these are sorted.
    fn stable_top(
        &mut self,
        value: ValueId,
        axis: usize,
        size: i64,
        count: Dim,
        largest: bool,
    ) -> (ValueId, ValueId) {
        let (sorted, order) = self.top_k(value, axis, size, largest);
        let sizes = self.dims(sorted);
        let rank = sizes.len();
        let part = |cx: &mut Self, value: ValueId, start: i64, limit: Dim| {
            let (mut starts, mut limits) = (vec![Dim::Known(0); rank], cx.dims(value).to_vec());
            (starts[axis], limits[axis]) = (Dim::Known(start), limit);
            cx.slice(value, &starts, &limits, &vec![1; rank])
        };
        let before = part(self, sorted, 0, Dim::Known(size - 1));
        let after = part(self, sorted, 1, Dim::Known(size));
        let equal = self.elementwise_to(onnx::EQUAL, &[before, after], Element::Bool);
        let differs = self.elementwise_to(onnx::NOT, &[equal], Element::Bool);
        let differs = self.cast(differs, Element::I32);
        let (mut low, zero) = (vec![0; rank], self.integer(Element::I32, 0));
        low[axis] = 1;
        let starts_group = self.pad(differs, &low, &vec![0; rank], zero);
        let along = self.integer(Element::I64, axis as i64);
        let group = self.node(onnx::CUM_SUM, &[starts_group, along]).like(starts_group);
        let width = self.integer(Element::I32, size);
        let first = self.elementwise(onnx::MUL, &[group, width]);
        let places = self.cast(order, Element::I32);
        let keys = self.elementwise(onnx::ADD, &[first, places]);
        let (keys, _) = self.top_k(keys, axis, size, false);
        let places = self.elementwise(onnx::SUB, &[keys, first]);
        let places = self.cast(places, Element::I64);
        (part(self, sorted, 0, count), part(self, places, 0, count))
    }

    fn top_k(&mut self, value: ValueId, axis: usize, count: impl Size, largest: bool) -> (ValueId, ValueId) {
        let mut sizes = self.dims(value).to_vec();
        sizes[axis] = count.into();
        let element = self.element(value);
        let count = self.shape(&sizes[axis..=axis]);
        let node = self.node(onnx::TOP_K, &[value, count]).int("axis", axis as i64);
        let node = if largest { node } else { node.int("largest", 0) };
        let outs = node.outs(&[(element, sizes.clone()), (Element::I64, sizes)]);
        (outs[0], outs[1])
    }

    /// The elements that are at these indices along an axis.
    fn reorder(&mut self, value: ValueId, order: ValueId, axis: usize) -> ValueId {
        let (element, sizes) = (self.element(value), self.dims(order));
        self.node(onnx::GATHER_ELEMENTS, &[value, order]).int("axis", axis as i64).out(element, &sizes)
    }
}
