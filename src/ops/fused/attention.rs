//! Attention: weighted sums of values, where the weights come from products of queries and keys.

use crate::ir::{Dim, Dims, Element, OpId, ValueId, onnx};
use crate::ops::{Lower, LowerError, Lowered};
use crate::target::Capability;

/// The operands and attributes of an `attention`.
struct Attention {
    /// `[batch..., rows, heads, depth]`.
    queries: ValueId,
    /// `[batch..., keys, heads, depth]`. Each head may serve several heads of queries.
    keys: ValueId,
    /// `[batch..., keys, heads, features]`.
    values: ValueId,
    /// What the scores are multiplied by.
    scale: f64,
    /// `c` of `c * tanh(scores / c)`.
    softcap: Option<f64>,
    /// Which scores are kept, and what replaces the others: `[batch..., heads, rows, keys]`, where any size may be 1.
    mask: Option<(ValueId, f64)>,
    /// What is added to the scores, of such sizes.
    bias: Option<ValueId>,
    /// Whether the mask keeps exactly the keys up to the position of the query.
    is_causal: bool,
}

/// The sizes of an `attention`.
struct Sizes {
    batch: Dims,
    rows: Dim,
    heads: Dim,
    keys: Dim,
    key_heads: Dim,
    depth: Dim,
    features: Dim,
}

/// One kernel where the opset has it, otherwise products and a softmax.
pub(super) fn attention(cx: &mut Lower, op: OpId) -> Lowered {
    let element = cx.result_dims(op, 0)?.0;
    let attention = read(cx, op)?;
    let sizes = attention.sizes(cx)?;
    let value = match attention.has_kernel(cx, &sizes) {
        true => attention.kernel(cx, &sizes),
        false => attention.parts(cx, &sizes)?,
    };
    Ok(cx.narrowed(value, element).into())
}

/// Reads the op. `bf16` computes in f32.
fn read(cx: &mut Lower, op: OpId) -> Result<Attention, LowerError> {
    let attributes = cx.attributes(op);
    let flag = |name| Ok::<_, LowerError>(attributes.integer(name)? != 0);
    let (is_masked, is_biased, is_causal) = (flag("masked")?, flag("biased")?, flag("causal")?);
    let scale = attributes.float("scale")?;
    let softcap = attributes.float("softcap").ok();
    let fill = attributes.float("fill").ok();
    let [queries, keys, values] = [0, 1, 2].map(|index| {
        let value = cx.full(op, index)?;
        Ok::<_, LowerError>(computed(cx, value))
    });
    let queries = queries?;
    // Broadcast values may lack leading dimensions.
    let rank = cx.rank(queries);
    let mask = match (is_masked, fill) {
        (true, Some(fill)) => {
            let mask = cx.operand(op, 3)?;
            Some((cx.ranked(mask, rank), fill))
        }
        _ => None,
    };
    let bias = if is_biased { Some(cx.operand(op, 3 + usize::from(is_masked))?) } else { None };
    let bias = bias.map(|bias| computed(cx, bias)).map(|bias| cx.ranked(bias, rank));
    Ok(Attention { queries, keys: keys?, values: values?, scale, softcap, mask, bias, is_causal })
}

/// A float in the type that the op computes in.
pub(super) fn computed(cx: &mut Lower, value: ValueId) -> ValueId {
    if cx.element(value) == Element::BF16 { cx.single(value) } else { value }
}

impl Attention {
    fn sizes(&self, cx: &Lower) -> Result<Sizes, LowerError> {
        let (queries, keys, values) = (cx.dims(self.queries), cx.dims(self.keys), cx.dims(self.values));
        match (&queries[..], &keys[..], &values[..]) {
            (&[ref batch @ .., rows, heads, depth], &[.., keys, key_heads, _], &[.., features])
                if !batch.is_empty() =>
            {
                Ok(Sizes { batch: batch.into(), rows, heads, keys, key_heads, depth, features })
            }
            _ => Err(LowerError::form("operands with less than four dimensions")),
        }
    }

    // The kernel.

    /// Whether `Attention` computes it. Its kernel takes f32, and refuses operands without elements.
    fn has_kernel(&self, cx: &Lower, sizes: &Sizes) -> bool {
        let Sizes { batch, rows, heads, keys, key_heads, depth, features } = sizes;
        let all = batch.iter().chain([rows, heads, keys, key_heads, depth, features]);
        let is_empty = all.copied().any(|dim| dim == Dim::Known(0));
        let is_masked = self.mask.is_some() || self.bias.is_some();
        let has_numbers = [heads, key_heads, depth, features].iter().all(|dim| dim.known().is_some());
        let can = |capability| cx.options.runtime(cx.opset()).is_some_and(|target| target.can(capability));
        cx.has(onnx::ATTENTION)
            && can(Capability::Attention)
            && !cx.options.float16
            && cx.element(self.queries) == Element::F32
            && has_numbers
            && !is_empty
            && (self.softcap.is_none() || !is_masked || can(Capability::CappedMasks))
    }

    /// `Attention` with heads next to the features, which needs no Transpose; if heads are first in all operands, in
    /// that order.
    fn kernel(&self, cx: &mut Lower, sizes: &Sizes) -> ValueId {
        let Sizes { batch, rows, heads, keys, key_heads, depth, features } = sizes;
        let (rows, heads, keys, key_heads) = (*rows, *heads, *keys, *key_heads);
        let whole = cx.module.dim_exprs.product(batch.iter().copied());
        let operands = [
            (self.queries, rows, heads, *depth),
            (self.keys, keys, key_heads, *depth),
            (self.values, keys, key_heads, *features),
        ];
        let heads_are_first = operands.iter().all(|operand| heads_first(cx, operand.0).is_some());
        let mut read: Vec<ValueId> = Vec::new();
        for (value, rows, heads, size) in operands {
            read.push(match heads_first(cx, value) {
                Some(first) if heads_are_first => cx.reshape(first, &[whole, heads, rows, size]),
                _ => {
                    let width = cx.module.dim_exprs.multiply(heads, size);
                    cx.reshape(value, &[whole, rows, width])
                }
            });
        }
        read.extend(self.added(cx, sizes, whole));
        let mut node = cx.node(onnx::ATTENTION, &read).float("scale", self.scale as f32);
        if let Some(cap) = self.softcap {
            node = node.float("softcap", cap as f32);
        }
        if self.is_causal {
            node = node.int("is_causal", 1);
        }
        let number = |dim: Dim| dim.known().unwrap_or(1);
        if heads_are_first {
            let result = node.out(Element::F32, &[whole, heads, rows, *features]);
            let shape = [&batch[..], &[heads, rows, *features]].concat();
            let result = cx.reshape(result, &shape);
            return swapped(cx, result);
        }
        let node = node.int("q_num_heads", number(heads)).int("kv_num_heads", number(key_heads));
        let width = Dim::Known(number(heads) * number(*features));
        let result = node.out(Element::F32, &[whole, rows, width]);
        let shape = [&batch[..], &[rows, heads, *features]].concat();
        cx.reshape(result, &shape)
    }

    /// What the kernel adds to the scores. ONNX Runtime broadcasts the batch and heads, but neither rows nor keys.
    fn added(&self, cx: &mut Lower, sizes: &Sizes, whole: Dim) -> Option<ValueId> {
        let mask = if self.is_causal { None } else { self.mask };
        let added = match (self.bias, mask) {
            (None, None) => return None,
            (Some(bias), None) => above_lowest(cx, bias),
            (bias, Some((mask, fill))) => {
                let numbers = additive(cx, mask, fill, Element::F32);
                bias.map_or(numbers, |bias| cx.elementwise(onnx::ADD, &[bias, numbers]))
            }
        };
        let mut dims = cx.dims(added);
        let batch = sizes.batch.len();
        (dims[batch + 1], dims[batch + 2]) = (sizes.rows, sizes.keys);
        let is_same = dims[..batch].iter().all(|&dim| dim == Dim::Known(1));
        if !is_same {
            dims[..batch].copy_from_slice(&sizes.batch);
        }
        let heads = dims[batch];
        let full = cx.broadcast_to(added, &dims);
        let first = if is_same { Dim::Known(1) } else { whole };
        Some(cx.reshape(full, &[first, heads, sizes.rows, sizes.keys]))
    }

    // The parts.

    /// Products and a softmax. Several heads of queries that share keys are a dimension of their own, along which ONNX
    /// broadcasts keys and values.
    fn parts(&self, cx: &mut Lower, sizes: &Sizes) -> Result<ValueId, LowerError> {
        let Sizes { batch, rows, heads, keys, key_heads, depth, features } = sizes;
        let (rows, heads, keys, key_heads) = (*rows, *heads, *keys, *key_heads);
        let (mut queries, mut own_keys) = (self.queries, self.keys);
        let inner = self.scale / self.softcap.unwrap_or(1.0);
        if inner != 1.0 {
            let small = if scales_keys(cx, sizes) { &mut own_keys } else { &mut queries };
            *small = scaled(cx, *small, inner);
        }
        let shape = |dims: &[Dim]| [&batch[..], dims].concat();
        let element = cx.element(self.values);
        if heads == Dim::Known(1) && key_heads == Dim::Known(1) {
            return Ok(self.single(cx, sizes, [queries, own_keys]));
        }
        if heads == key_heads {
            let queries = swapped(cx, queries);
            let own_keys = permuted(cx, own_keys, &[1, 2, 0]);
            let values = swapped(cx, self.values);
            let weights = self.weights(cx, queries, own_keys, &shape(&[heads, rows, keys]), |_, mask| mask);
            let sums = cx.node(onnx::MAT_MUL, &[weights, values]);
            let sums = sums.out(element, &shape(&[heads, rows, *features]));
            return Ok(swapped(cx, sums));
        }
        let (heads, key_heads) = (cx.number(heads)?, cx.number(key_heads)?);
        if key_heads == 0 || heads % key_heads != 0 {
            return Err(LowerError::form("heads of queries that are not a multiple of those of keys"));
        }
        let (own, group, one) = (Dim::Known(key_heads), Dim::Known(heads / key_heads), Dim::Known(1));
        let all = Dim::Known(heads);
        // The heads of a mask, as heads of keys and of groups.
        let split = |cx: &mut Lower, mask: ValueId, with_rows: bool| {
            let dims = cx.dims(mask);
            let (before, rest) = dims.split_at(batch.len());
            let heads = if rest[0] == one { [one, one] } else { [own, group] };
            let rest = if with_rows { &rest[1..] } else { &rest[2..] };
            let dims = [before, &heads, rest].concat();
            cx.reshape(mask, &dims)
        };
        if rows == one {
            // The heads of a group are the rows of a matrix.
            let queries = cx.reshape(queries, &shape(&[own, group, *depth]));
            let own_keys = permuted(cx, own_keys, &[1, 2, 0]);
            let values = swapped(cx, self.values);
            let sizes = shape(&[own, group, keys]);
            let weights = self.weights(cx, queries, own_keys, &sizes, |cx, mask| split(cx, mask, false));
            let sums = cx.node(onnx::MAT_MUL, &[weights, values]);
            let sums = sums.out(element, &shape(&[own, group, *features]));
            return Ok(cx.reshape(sums, &shape(&[one, all, *features])));
        }
        let heads_are_first = heads_first(cx, self.queries).is_some();
        let queries = if heads_are_first {
            let queries = swapped(cx, queries);
            cx.reshape(queries, &shape(&[own, group, rows, *depth]))
        } else {
            let queries = cx.reshape(queries, &shape(&[rows, own, group, *depth]));
            permuted(cx, queries, &[1, 2, 0, 3])
        };
        // After a Transpose the Reshape is one more op; before it, it merges with the Reshape that split the heads.
        let spread = |cx: &mut Lower, value: ValueId, size: Dim, order: [usize; 3]| {
            if heads_first(cx, value).is_some() {
                let moved = permuted(cx, value, &order);
                let sizes = [keys, own, size];
                let sizes = shape(&[sizes[order[0]], one, sizes[order[1]], sizes[order[2]]]);
                return cx.reshape(moved, &sizes);
            }
            let split = cx.reshape(value, &shape(&[keys, own, one, size]));
            let place = |axis: usize| if axis == 2 { 3 } else { axis };
            permuted(cx, split, &[place(order[0]), 2, place(order[1]), place(order[2])])
        };
        let own_keys = spread(cx, own_keys, *depth, [1, 2, 0]);
        let values = spread(cx, self.values, *features, [1, 0, 2]);
        let sizes = shape(&[own, group, rows, keys]);
        let weights = self.weights(cx, queries, own_keys, &sizes, |cx, mask| split(cx, mask, true));
        let sums = cx.node(onnx::MAT_MUL, &[weights, values]);
        let sums = sums.out(element, &shape(&[own, group, rows, *features]));
        if heads_are_first {
            let sums = cx.reshape(sums, &shape(&[all, rows, *features]));
            return Ok(swapped(cx, sums));
        }
        let sums = permuted(cx, sums, &[2, 0, 1, 3]);
        Ok(cx.reshape(sums, &shape(&[rows, all, *features])))
    }

    /// The parts for a single head, without a dimension for it, and without one of the batch if the program has none.
    fn single(&self, cx: &mut Lower, sizes: &Sizes, [queries, own_keys]: [ValueId; 2]) -> ValueId {
        let Sizes { batch, rows, keys, depth, features, .. } = sizes;
        let is_matrix = |value: ValueId| cx.before_reshape(value).is_some_and(|source| cx.rank(source) == 2);
        let is_alone = batch[..] == [Dim::Known(1)] && is_matrix(self.queries) && is_matrix(self.values);
        let before = if is_alone { &[] } else { &batch[..] };
        let shape = |rows: Dim, size: Dim| [before, &[rows, size]].concat();
        let queries = cx.reshape(queries, &shape(*rows, *depth));
        let own_keys = cx.reshape(own_keys, &shape(*keys, *depth));
        let own_keys = permuted(cx, own_keys, &[1, 0]);
        let values = cx.reshape(self.values, &shape(*keys, *features));
        let weights = self.weights(cx, queries, own_keys, &shape(*rows, *keys), |cx, mask| {
            let dims = cx.dims(mask);
            let (own, rest) = dims.split_at(batch.len());
            let own = if is_alone { &[] } else { own };
            cx.reshape(mask, &[own, &rest[1..]].concat())
        });
        let element = cx.element(values);
        let sums = cx.node(onnx::MAT_MUL, &[weights, values]).out(element, &shape(*rows, *features));
        cx.reshape(sums, &[&batch[..], &[*rows, Dim::Known(1), *features]].concat())
    }

    /// The weights of the values: the softmax of the masked scores, which have these sizes. `shaped` gives masks their
    /// number of dimensions.
    fn weights(
        &self,
        cx: &mut Lower,
        queries: ValueId,
        keys: ValueId,
        shape: &[Dim],
        shaped: impl Fn(&mut Lower, ValueId) -> ValueId,
    ) -> ValueId {
        let element = cx.element(queries);
        let mut scores = cx.node(onnx::MAT_MUL, &[queries, keys]).out(element, shape);
        if let Some(cap) = self.softcap {
            scores = cx.formula([scores], |[x]| x.unary(onnx::TANH) * cap);
        }
        if let Some(bias) = self.bias {
            let bias = shaped(cx, bias);
            scores = cx.elementwise(onnx::ADD, &[scores, bias]);
        }
        if let Some((mask, fill)) = self.mask {
            let mask = shaped(cx, mask);
            // An addition is faster than a selection, but a mask of all scores would be added once more. If modules become
            // functions, the numbers of one call would be those of the next, and the calls would differ.
            let is_small = cx.dims(mask)[..] != *shape && !cx.options.keep_functions;
            let is_constant = cx.module.constant_of(mask).is_some();
            scores = if (is_small || is_constant) && element != Element::F16 {
                let numbers = additive(cx, mask, fill, element);
                cx.elementwise(onnx::ADD, &[scores, numbers])
            } else {
                let fill = cx.scalar(element, fill);
                cx.node(onnx::WHERE, &[mask, scores, fill]).out(element, shape)
            };
        }
        cx.node(onnx::SOFTMAX, &[scores]).int("axis", shape.len() as i64 - 1).like(scores)
    }
}

/// A number plus any score is this number, so that a row without a score to keep has equal weights, as if all its scores
/// had been replaced. From release 1.28 on, ONNX Runtime's Attention makes the weights of a row 0 if all its scores are the
/// lowest number of f32.
const HIDDEN: f64 = -3e38;

/// The numbers that hide scores: 0 where a score is kept.
fn additive(cx: &mut Lower, mask: ValueId, fill: f64, element: Element) -> ValueId {
    let hidden = if fill == f64::NEG_INFINITY { fill } else { HIDDEN };
    let (zero, hidden) = (cx.scalar(element, 0.0), cx.scalar(element, hidden));
    let dims = cx.dims(mask);
    cx.node(onnx::WHERE, &[mask, zero, hidden]).out(element, &dims)
}

/// A bias without the lowest number, for which see [`HIDDEN`].
fn above_lowest(cx: &mut Lower, bias: ValueId) -> ValueId {
    let hidden = cx.scalar(Element::F32, HIDDEN);
    cx.elementwise(onnx::MAX, &[bias, hidden])
}

/// A value with its last dimensions in this order.
fn permuted(cx: &mut Lower, value: ValueId, last: &[usize]) -> ValueId {
    let before = cx.rank(value) - last.len();
    let order: Vec<i64> =
        (0..before).chain(last.iter().map(|&axis| before + axis)).map(|axis| axis as i64).collect();
    cx.transpose(value, &order)
}

/// A value with heads and rows in the other order.
fn swapped(cx: &mut Lower, value: ValueId) -> ValueId {
    permuted(cx, value, &[1, 0, 2])
}

/// A value times a number. A Transpose or Reshape stays the last op, so that another one can cancel it.
fn scaled(cx: &mut Lower, value: ValueId, number: f64) -> ValueId {
    if let Some(first) = heads_first(cx, value) {
        let scaled = cx.formula([first], |[x]| x * number);
        return swapped(cx, scaled);
    }
    let dims = cx.dims(value);
    let source = cx.before_reshape(value).unwrap_or(value);
    let scaled = cx.formula([source], |[x]| x * number);
    cx.reshape(scaled, &dims)
}

/// The value with heads before rows, if it is a transpose of that.
pub(super) fn heads_first(cx: &Lower, value: ValueId) -> Option<ValueId> {
    let op = cx.module.defined_by(value, onnx::TRANSPOSE)?;
    let order = cx.attributes(op).integers("perm").ok()?;
    let rank = order.len() as i64;
    let swaps = (0..rank - 3).chain([rank - 2, rank - 3, rank - 1]);
    (rank > 3 && order.iter().copied().eq(swaps)).then(|| cx.module.op(op).operands[0])
}

/// Whether keys have fewer elements than queries.
fn scales_keys(cx: &Lower, sizes: &Sizes) -> bool {
    let count = |rows: Dim, heads: Dim| cx.module.dim_exprs.multiply(rows, heads);
    let (queries, keys) = (count(sizes.rows, sizes.heads), count(sizes.keys, sizes.key_heads));
    let least = cx.module.dim_exprs.bounds(cx.module.dim_exprs.subtract(queries, keys)).0;
    least.is_some_and(|least| least > 0)
}
