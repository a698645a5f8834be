//! `reduce`: one or several tensors combined along dimensions by the ops of a region.
//!
//! A region that combines each operand by one op with a name becomes ONNX's reductions. Integers are exact and wrap,
//! which ONNX Runtime's own integer sums and products do not. The region with which JAX finds the place of the
//! largest element becomes `ArgMax`. Any other region on scalars is applied element by element, in the order of
//! XLA's CPU backend.

mod argmax;
mod fold;

use super::constant::integer_limits;
use super::region::Combiner;
use super::{Elements, Lower, Lowered, Refusal, Row, noted};
use crate::diagnostic::catalogue;
use crate::ir::{Element, OpId, ValueId};

pub(super) const ROWS: &[Row] = &[noted(
    "stablehlo.reduce",
    Elements::PLAIN,
    reduce,
    "Reduce*, ArgMax and ArgMin; integers wrap, which ONNX Runtime's sums and products do not",
)];

fn reduce(cx: &mut Lower, op: OpId) -> Lowered {
    let dimensions = cx.ints(op, "dimensions")?;
    let region = cx.region(op, 0)?;
    let count = pairs(cx, op)?;
    if let Some(combiners) = cx.named_combiners(region) {
        let mut results = Vec::with_capacity(count);
        for (index, combiner) in combiners.into_iter().enumerate() {
            let (value, init) = (cx.full(op, index)?, cx.full(op, count + index)?);
            results.push(cx.reduce(combiner, value, &dimensions, init, op));
        }
        return Ok(results.into_iter().collect());
    }
    if let Some(found) = argmax::recognise(cx, op, region, &dimensions) {
        return argmax::lower(cx, op, found);
    }
    fold::lower(cx, op, region, &dimensions)
}

impl Lower<'_> {
    /// How a region combines each pair of its arguments, when all pairs are combined by an op.
    pub fn named_combiners(&self, region: crate::ir::RegionId) -> Option<Vec<Combiner>> {
        let combiners = self.combiners(region)?;
        // To keep the first or take the second depends on the order, which `fold` keeps.
        let named = |combiner: &Combiner| !matches!(combiner, Combiner::First | Combiner::Second);
        combiners.iter().all(named).then_some(combiners)
    }

    /// Two values combined element by element; they broadcast.
    pub fn combine(&mut self, combiner: Combiner, first: ValueId, second: ValueId) -> ValueId {
        let name = match (combiner, self.element(first)) {
            (Combiner::Add | Combiner::Maximum | Combiner::Or, Element::Bool) => "Or",
            (Combiner::Multiply | Combiner::Minimum | Combiner::And, Element::Bool) => "And",
            (Combiner::Xor, Element::Bool) => "Xor",
            (Combiner::Add, _) => "Add",
            (Combiner::Multiply, _) => "Mul",
            (Combiner::Maximum, _) => return self.larger(first, second),
            (Combiner::Minimum, _) => return self.smaller(first, second),
            (Combiner::And, _) => "BitwiseAnd",
            (Combiner::Or, _) => "BitwiseOr",
            (Combiner::Xor, _) => "BitwiseXor",
            (Combiner::First, _) => return first,
            (Combiner::Second, _) => return second,
        };
        self.elementwise(name, &[first, second])
    }

    /// Whether a value is a constant that changes nothing it is combined with.
    pub(super) fn is_neutral(&mut self, combiner: Combiner, value: ValueId) -> bool {
        let element = self.element(value);
        let Some(neutral) = self.neutral(combiner, element) else { return false };
        if element.is_float() {
            return self.known_number(value).is_some_and(|number| Some(number) == self.known_number(neutral));
        }
        let (numbers, neutral) =
            (self.known_integers(value), self.known_integers(neutral).unwrap_or_default());
        numbers.is_some_and(|numbers| numbers.iter().all(|number| neutral == [*number]))
    }

    /// `value` combined with `init`, unless that changes nothing.
    pub fn combine_init(&mut self, combiner: Combiner, init: ValueId, value: ValueId) -> ValueId {
        if self.is_neutral(combiner, init) {
            return value;
        }
        self.combine(combiner, init, value)
    }

    /// `value` combined along dimensions, which vanish, and with `init`, a scalar. `op` is what is lowered.
    pub fn reduce(
        &mut self,
        combiner: Combiner,
        value: ValueId,
        dimensions: &[i64],
        init: ValueId,
        op: OpId,
    ) -> ValueId {
        let sizes = self.sizes(value);
        let kept = kept(&sizes, dimensions);
        let count: i64 = dimensions.iter().map(|&dimension| sizes[dimension as usize]).product();
        if count == 0 {
            return self.broadcast_to(init, &kept);
        }
        if kept.contains(&0) {
            let element = self.element(value);
            return self.constant(element, &kept, &[]);
        }
        let reduced = self.reduce_elements(combiner, value, dimensions, op);
        // XLA takes the initial value for neutral, as the specification asks, where nothing is to combine.
        if count == 1 { reduced } else { self.combine_init(combiner, init, reduced) }
    }

    /// The elements of `value`, of which there are some, combined along dimensions, which vanish.
    pub fn reduce_elements(
        &mut self,
        combiner: Combiner,
        value: ValueId,
        dimensions: &[i64],
        op: OpId,
    ) -> ValueId {
        let (element, sizes) = (self.element(value), self.sizes(value));
        let count: i64 = dimensions.iter().map(|&dimension| sizes[dimension as usize]).product();
        if count == 1 {
            return self.reshape(value, &kept(&sizes, dimensions));
        }
        if element == Element::Bool {
            return self.reduce_bool(combiner, value, dimensions);
        }
        let is_float = element.is_float();
        match combiner {
            Combiner::Add if is_float => self.reduction("ReduceSum", value, dimensions),
            Combiner::Multiply if is_float => self.reduction("ReduceProd", value, dimensions),
            Combiner::Maximum if is_float => self.float_extremum("ReduceMax", value, dimensions, op),
            Combiner::Minimum if is_float => self.float_extremum("ReduceMin", value, dimensions, op),
            Combiner::Maximum => self.integer_extremum("ReduceMax", value, dimensions),
            Combiner::Minimum => self.integer_extremum("ReduceMin", value, dimensions),
            Combiner::Add => self.integer_sum(value, dimensions, count),
            _ => self.halve(value, dimensions, |cx, first, second| cx.combine(combiner, first, second)),
        }
    }

    fn reduction(&mut self, name: &'static str, value: ValueId, dimensions: &[i64]) -> ValueId {
        let (element, kept) = (self.element(value), kept(&self.sizes(value), dimensions));
        let axes = self.int64s(dimensions);
        self.node(name, &[value, axes]).int("keepdims", 0).out(element, &kept)
    }

    /// `ReduceMax` and `ReduceMin` on `bool` came with opset 20.
    fn reduce_bool(&mut self, combiner: Combiner, value: ValueId, dimensions: &[i64]) -> ValueId {
        let name = match combiner {
            Combiner::Xor => {
                let counted = self.cast(value, Element::I64);
                let sum = self.reduction("ReduceSum", counted, dimensions);
                let one = self.integer(Element::I64, 1);
                let odd = self.elementwise("BitwiseAnd", &[sum, one]);
                return self.cast(odd, Element::Bool);
            }
            Combiner::And | Combiner::Multiply | Combiner::Minimum => "ReduceMin",
            _ => "ReduceMax",
        };
        if self.opset() >= 20 {
            return self.reduction(name, value, dimensions);
        }
        let bytes = self.cast(value, Element::U8);
        let reduced = self.reduction(name, bytes, dimensions);
        self.cast(reduced, Element::Bool)
    }

    /// ONNX Runtime's extrema lose a NaN that is not the first element, where XLA's are NaN.
    fn float_extremum(
        &mut self,
        name: &'static str,
        value: ValueId,
        dimensions: &[i64],
        op: OpId,
    ) -> ValueId {
        let extremum = self.reduction(name, value, dimensions);
        if !self.settings.strict_nan {
            self.report_nan(op);
            return extremum;
        }
        let is_nan = self.elementwise_to("IsNaN", &[value], Element::Bool);
        let any = self.reduce_bool(Combiner::Or, is_nan, dimensions);
        let nan = self.scalar(self.element(value), f64::NAN);
        self.node("Where", &[any, nan, extremum]).like(extremum)
    }

    /// Says that the op that is lowered loses NaN.
    pub fn report_nan(&mut self, op: OpId) {
        let at = self.module.span(op).name;
        let name = self.module.op_name(op).to_owned();
        self.report(catalogue::NanNotPropagated { op: &name, at });
    }

    fn integer_extremum(&mut self, name: &'static str, value: ValueId, dimensions: &[i64]) -> ValueId {
        let element = self.element(value);
        let ordered = self.ordered(value);
        let reduced = if self.element(ordered) == Element::I64 {
            // ONNX Runtime's own compares the lower halves of `i64` as if they were signed; its ArgMax does not.
            let kept = kept(&self.sizes(value), dimensions);
            let rows = self.rows_first(ordered, dimensions);
            let single = [vec![1], kept.clone()].concat();
            let name = if name == "ReduceMax" { "ArgMax" } else { "ArgMin" };
            let place = self.node(name, &[rows]).int("axis", 0).out(Element::I64, &single);
            let row = self.node("GatherElements", &[rows, place]).int("axis", 0).out(Element::I64, &single);
            self.reshape(row, &kept)
        } else {
            self.reduction(name, ordered, dimensions)
        };
        self.unordered(reduced, element)
    }

    /// An integer or `i1` in an element type that ONNX's `ArgMax` has a kernel for, and in the same order.
    pub(super) fn ordered(&mut self, value: ValueId) -> ValueId {
        let signed = match self.element(value) {
            Element::Bool => return self.cast(value, Element::U8),
            Element::I16 | Element::U16 => return self.cast(value, Element::I32),
            Element::U32 => Element::I32,
            Element::U64 => Element::I64,
            _ => return value,
        };
        let bits = self.cast(value, signed);
        self.flip_sign(bits)
    }

    /// Undoes [`Lower::ordered`].
    fn unordered(&mut self, value: ValueId, element: Element) -> ValueId {
        let flipped = matches!(element, Element::U32 | Element::U64);
        let value = if flipped { self.flip_sign(value) } else { value };
        self.cast(value, element)
    }

    /// The other highest bit, which turns the order of unsigned numbers into that of signed ones, and back.
    fn flip_sign(&mut self, value: ValueId) -> ValueId {
        let element = self.element(value);
        let sign = self.integer(element, integer_limits(element).0);
        self.elementwise("BitwiseXor", &[value, sign])
    }

    /// ONNX Runtime adds integers up in `double` and saturates. In a type that is wide enough that never shows; a
    /// product with ones has integer kernels, which wrap.
    fn integer_sum(&mut self, value: ValueId, dimensions: &[i64], count: i64) -> ValueId {
        let element = self.element(value);
        let (wide, exact_bits) = match element.bits() {
            ..=16 => (Element::I32, 31),
            _ => (Element::I64, 53),
        };
        let count_bits = 64 - count.leading_zeros();
        if element.bits() + count_bits <= exact_bits {
            let widened = self.cast(value, wide);
            let sum = self.reduction("ReduceSum", widened, dimensions);
            return self.cast(sum, element);
        }
        let native = if element.bits() < 32 { Element::I32 } else { element };
        let value = self.cast(value, native);
        let sizes = self.sizes(value);
        let kept_dimensions = rest(sizes.len(), dimensions);
        let order: Vec<i64> = kept_dimensions.iter().chain(dimensions).copied().collect();
        let moved = self.transpose(value, &order);
        let kept = kept(&sizes, dimensions);
        let rows: i64 = kept.iter().product();
        let matrix = self.reshape(moved, &[rows, count]);
        let one = self.integer(native, 1);
        let ones = self.broadcast_to(one, &[count, 1]);
        let product = self.node("MatMul", &[matrix, ones]).out(native, &[rows, 1]);
        let sum = self.reshape(product, &kept);
        self.cast(sum, element)
    }

    /// The elements along dimensions combined in pairs, and these in pairs, until one is left.
    fn halve(
        &mut self,
        value: ValueId,
        dimensions: &[i64],
        combine: impl Fn(&mut Self, ValueId, ValueId) -> ValueId,
    ) -> ValueId {
        let kept = kept(&self.sizes(value), dimensions);
        let mut value = self.rows_first(value, dimensions);
        loop {
            let count = self.sizes(value)[0];
            if count == 1 {
                return self.reshape(value, &kept);
            }
            let half = count / 2;
            let first = self.rows(value, 0, half);
            let second = self.rows(value, half, 2 * half);
            let mut combined = combine(self, first, second);
            if count % 2 == 1 {
                let last = self.rows(value, count - 1, count);
                if half == 1 {
                    combined = combine(self, combined, last);
                } else {
                    combined = self.concat(&[combined, last], 0);
                }
            }
            value = combined;
        }
    }

    /// The value with the given dimensions joined into one, which comes first.
    fn rows_first(&mut self, value: ValueId, dimensions: &[i64]) -> ValueId {
        let sizes = self.sizes(value);
        let mut order = dimensions.to_vec();
        order.sort_unstable();
        order.extend(rest(sizes.len(), dimensions));
        let moved = self.transpose(value, &order);
        let mut rows = vec![dimensions.iter().map(|&dimension| sizes[dimension as usize]).product()];
        rows.extend(kept(&sizes, dimensions));
        self.reshape(moved, &rows)
    }

    /// The elements `from` to `to` of the first dimension.
    fn rows(&mut self, value: ValueId, from: i64, to: i64) -> ValueId {
        let mut limits = self.sizes(value);
        let mut starts = vec![0; limits.len()];
        let steps = vec![1; limits.len()];
        (starts[0], limits[0]) = (from, to);
        self.slice(value, &starts, &limits, &steps)
    }
}

/// The sizes without those of the given dimensions.
fn kept(sizes: &[i64], dimensions: &[i64]) -> Vec<i64> {
    rest(sizes.len(), dimensions).into_iter().map(|dimension| sizes[dimension as usize]).collect()
}

/// The dimensions that are not given.
fn rest(rank: usize, dimensions: &[i64]) -> Vec<i64> {
    (0..rank as i64).filter(|dimension| !dimensions.contains(dimension)).collect()
}

/// Refuses operands that do not come in pairs with their initial values.
pub(super) fn pairs(cx: &Lower, op: OpId) -> Result<usize, Refusal> {
    let operands = cx.operand_count(op);
    if operands == 0 || !operands.is_multiple_of(2) {
        return Err(Refusal::form("each operand needs an initial value"));
    }
    Ok(operands / 2)
}
