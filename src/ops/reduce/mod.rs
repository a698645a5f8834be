//! `reduce`: one or several tensors combined along dimensions by the ops of a region.
//!
//! Regions of one named op per operand become ONNX reductions. Integers are exact and wrap, unlike ONNX Runtime's own
//! integer sums and products. JAX's region for the index of the largest element becomes `ArgMax`. Any other scalar
//! region is applied element by element, in the order of XLA's CPU backend.

mod argmax;
mod fold;

use super::constant::integer_limits;
use super::region::Combiner;
use super::{Elements, Lower, LowerError, Lowered};
use crate::diagnostic::catalog;
use crate::ir::{Dim, Dims, Element, OpId, OpName, Size, ValueId, onnx, stablehlo};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{AtLeast, variadic, window};

pub(super) const ROWS: &[Row] =
    &[row(stablehlo::REDUCE, variadic(2, AtLeast(1), window::reduce), Elements::PLAIN, reduce)
        .note("Reduce*, ArgMax and ArgMin; integer sums and products wrap, unlike ONNX Runtime's")];

fn reduce(cx: &mut Lower, op: OpId) -> Lowered {
    let dimensions = cx.attributes(op).integers("dimensions")?;
    let region = cx.region(op, 0)?;
    let count = pairs(cx, op)?;
    let named = cx.named_combiners(region);
    if let Some(combiners) = named.filter(|combiners| !needs_steps(cx, op, combiners, &dimensions)) {
        let mut results = Vec::with_capacity(count);
        for (index, combiner) in combiners.into_iter().enumerate() {
            let (value, init) = (cx.full(op, index)?, cx.full(op, count + index)?);
            results.push(cx.reduce(combiner, value, &dimensions, init, op)?);
        }
        return Ok(results.into_iter().collect());
    }
    if let Some(found) = argmax::recognize(cx, op, region, &dimensions) {
        return argmax::lower(cx, op, found);
    }
    fold::lower(cx, op, region, &dimensions)
}

/// Whether an operand must be combined step by step because ONNX has no such reduction, and the number of steps is
/// symbolic.
fn needs_steps(cx: &Lower, op: OpId, combiners: &[Combiner], dimensions: &[i64]) -> bool {
    let halved = |(index, &combiner): (usize, &Combiner)| {
        cx.operand_type(op, index).is_ok_and(|ty| {
            is_halved(combiner, ty.element) && cx.count_along(&ty.dims, dimensions).known().is_none()
        })
    };
    combiners.iter().enumerate().any(halved)
}

/// Whether ONNX Runtime has no exact reduction.
fn is_halved(combiner: Combiner, element: Element) -> bool {
    let reduced = matches!(combiner, Combiner::Add | Combiner::Maximum | Combiner::Minimum);
    element != Element::Bool && !reduced && !(element.is_float() && combiner == Combiner::Multiply)
}

impl Lower<'_> {
    /// The number of elements along dimensions.
    fn count_along(&self, dims: &[Dim], dimensions: &[i64]) -> Dim {
        self.module.dim_exprs.product(dimensions.iter().map(|&dimension| dims[dimension as usize]))
    }

    /// How a region combines each pair of its arguments, when all pairs are combined by an op.
    pub fn named_combiners(&self, region: crate::ir::RegionId) -> Option<Vec<Combiner>> {
        let combiners = self.combiners(region)?;
        // `First` and `Second` depend on the order, which `fold` keeps.
        let named = |combiner: &Combiner| !matches!(combiner, Combiner::First | Combiner::Second);
        combiners.iter().all(named).then_some(combiners)
    }

    /// Two values combined element by element; they broadcast.
    pub fn combine(&mut self, combiner: Combiner, first: ValueId, second: ValueId) -> ValueId {
        let name = match (combiner, self.element(first)) {
            (Combiner::Add | Combiner::Maximum | Combiner::Or, Element::Bool) => onnx::OR,
            (Combiner::Multiply | Combiner::Minimum | Combiner::And, Element::Bool) => onnx::AND,
            (Combiner::Xor, Element::Bool) => onnx::XOR,
            (Combiner::Add, _) => onnx::ADD,
            (Combiner::Multiply, _) => onnx::MUL,
            (Combiner::Maximum, _) => return self.larger(first, second),
            (Combiner::Minimum, _) => return self.smaller(first, second),
            (Combiner::And, _) => onnx::BITWISE_AND,
            (Combiner::Or, _) => onnx::BITWISE_OR,
            (Combiner::Xor, _) => onnx::BITWISE_XOR,
            (Combiner::First, _) => return first,
            (Combiner::Second, _) => return second,
        };
        self.elementwise(name, &[first, second])
    }

    /// Whether a value is the neutral constant.
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

    /// Combines `value` with `init`, unless `init` is neutral.
    pub fn combine_init(&mut self, combiner: Combiner, init: ValueId, value: ValueId) -> ValueId {
        if self.is_neutral(combiner, init) {
            return value;
        }
        self.combine(combiner, init, value)
    }

    /// Reduces and removes dimensions of `value`, and combines the result with the scalar `init`. `op` is the op
    /// being lowered.
    pub fn reduce(
        &mut self,
        combiner: Combiner,
        value: ValueId,
        dimensions: &[i64],
        init: ValueId,
        op: OpId,
    ) -> Result<ValueId, LowerError> {
        let sizes = self.dims(value);
        let kept = kept(&sizes, dimensions);
        let count = self.count_along(&sizes, dimensions);
        if count == Dim::Known(0) {
            return Ok(self.broadcast_to(init, &kept));
        }
        if kept.contains(&Dim::Known(0)) {
            return Ok(self.empty_tensor(self.element(value), &kept));
        }
        let reduced = self.reduce_elements(combiner, value, dimensions, op)?;
        Ok(
            // XLA skips the initial value if there is nothing to combine, because the specification requires it to be
            // neutral. For symbolic sizes it is always combined, which the specification also allows.
            if count == Dim::Known(1) { reduced } else { self.combine_init(combiner, init, reduced) },
        )
    }

    /// An empty tensor of these sizes, one of which is 0.
    pub fn empty_tensor(&mut self, element: Element, sizes: &[Dim]) -> ValueId {
        if let Some(numbers) = sizes.iter().map(|dim| dim.known()).collect::<Option<Vec<i64>>>() {
            return self.constant(element, &numbers, &[]);
        }
        let nothing = self.constant(element, &[0], &[]);
        let shape = self.shape(sizes);
        self.node(onnx::RESHAPE, &[nothing, shape]).int("allowzero", 1).out(element, sizes)
    }

    /// Reduces and removes dimensions of `value`, which is not empty.
    ///
    /// # Errors
    /// If there is no ONNX op for it, and the number of elements is symbolic.
    pub fn reduce_elements(
        &mut self,
        combiner: Combiner,
        value: ValueId,
        dimensions: &[i64],
        op: OpId,
    ) -> Result<ValueId, LowerError> {
        let (element, sizes) = (self.element(value), self.dims(value));
        let count = self.count_along(&sizes, dimensions);
        if count == Dim::Known(1) {
            return Ok(self.reshape(value, &kept(&sizes, dimensions)));
        }
        if element == Element::Bool {
            return Ok(self.reduce_bool(combiner, value, dimensions));
        }
        let is_float = element.is_float();
        Ok(match combiner {
            Combiner::Add if is_float => self.reduction(onnx::REDUCE_SUM, value, dimensions),
            Combiner::Multiply if is_float => self.reduction(onnx::REDUCE_PROD, value, dimensions),
            Combiner::Maximum if is_float => self.float_extremum(onnx::REDUCE_MAX, value, dimensions, op),
            Combiner::Minimum if is_float => self.float_extremum(onnx::REDUCE_MIN, value, dimensions, op),
            Combiner::Maximum => self.integer_extremum(onnx::REDUCE_MAX, value, dimensions),
            Combiner::Minimum => self.integer_extremum(onnx::REDUCE_MIN, value, dimensions),
            Combiner::Add => self.integer_sum(value, dimensions, count),
            _ => self.halve(value, dimensions, |cx, first, second| cx.combine(combiner, first, second))?,
        })
    }

    /// One of ONNX's reductions along dimensions, which vanish.
    pub(super) fn reduction(&mut self, name: OpName, value: ValueId, dimensions: &[i64]) -> ValueId {
        let (element, kept) = (self.element(value), kept(&self.dims(value), dimensions));
        let axes = self.int64s(dimensions);
        self.node(name, &[value, axes]).int("keepdims", 0).out(element, &kept)
    }

    /// Reductions of `f32`: those of `bool` came with opset 20 and are slower, and few runtimes have those of bytes.
    fn reduce_bool(&mut self, combiner: Combiner, value: ValueId, dimensions: &[i64]) -> ValueId {
        let count = self.count_along(&self.dims(value), dimensions);
        let name = match combiner {
            Combiner::Xor => {
                let counted = self.cast(value, Element::I64);
                let sum = self.reduction(onnx::REDUCE_SUM, counted, dimensions);
                let odd = self.parity(sum);
                return self.cast(odd, Element::Bool);
            }
            Combiner::And | Combiner::Multiply | Combiner::Minimum => onnx::REDUCE_MIN,
            // A sum of ones and zeros is zero if all are. ONNX Runtime's symbolic shape inference reads its axes, and
            // those of no extremum.
            _ if count.known().is_some_and(|count| count <= LARGEST_COUNT_OF_TRUE) => onnx::REDUCE_SUM,
            _ => onnx::REDUCE_MAX,
        };
        let some = self.module.dim_exprs.is_at_least(count, 1);
        let numbers = self.cast(value, Element::F32);
        let reduced = self.reduction(name, numbers, dimensions);
        if some {
            return self.cast(reduced, Element::Bool);
        }
        // The reduction of no elements is infinite.
        self.formula([reduced], |[reduced]| reduced.greater(0.0))
    }

    /// ONNX Runtime's extrema lose a NaN that is not the first element, where XLA's are NaN.
    fn float_extremum(&mut self, name: OpName, value: ValueId, dimensions: &[i64], op: OpId) -> ValueId {
        let extremum = self.reduction(name, value, dimensions);
        if !self.options.strict_nan {
            self.report_nan(op);
            return extremum;
        }
        let is_nan = self.elementwise_to(onnx::IS_NAN, &[value], Element::Bool);
        let any = self.reduce_bool(Combiner::Or, is_nan, dimensions);
        let nan = self.scalar(self.element(value), f64::NAN);
        self.node(onnx::WHERE, &[any, nan, extremum]).like(extremum)
    }

    /// Reports that the op may lose NaN.
    pub fn report_nan(&mut self, op: OpId) {
        let at = self.module.span(op).name;
        let name = self.module.op_name(op).to_owned();
        self.report(catalog::NanNotPropagated { op: &name, at });
    }

    fn integer_extremum(&mut self, name: OpName, value: ValueId, dimensions: &[i64]) -> ValueId {
        let element = self.element(value);
        let ordered = self.ordered(value);
        let reduced = if self.element(ordered) == Element::I64 {
            // ONNX Runtime's ReduceMax and ReduceMin compare the lower halves of `i64` as if they were signed; its
            // ArgMax and ArgMin do not.
            let kept = kept(&self.dims(value), dimensions);
            let rows = self.rows_first(ordered, dimensions);
            let mut single = kept.clone();
            single.insert(0, Dim::Known(1));
            let name = if name == onnx::REDUCE_MAX { onnx::ARG_MAX } else { onnx::ARG_MIN };
            let place = self.node(name, &[rows]).int("axis", 0).out(Element::I64, &single);
            let row =
                self.node(onnx::GATHER_ELEMENTS, &[rows, place]).int("axis", 0).out(Element::I64, &single);
            self.reshape(row, &kept)
        } else {
            self.reduction(name, ordered, dimensions)
        };
        self.unordered(reduced, element)
    }

    /// An integer or `i1` in an element type that `ArgMax` has a kernel for, and in the same order.
    pub(super) fn ordered(&mut self, value: ValueId) -> ValueId {
        let signed = match self.element(value) {
            Element::Bool => return self.cast(value, Element::F32),
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
    pub(super) fn flip_sign(&mut self, value: ValueId) -> ValueId {
        let element = self.element(value);
        let sign = self.integer(element, integer_limits(element).0);
        // The sum carries nothing out of the highest bit.
        let name = if self.has(onnx::BITWISE_XOR) { onnx::BITWISE_XOR } else { onnx::ADD };
        self.elementwise(name, &[value, sign])
    }

    /// 1 for odd numbers and 0 for even ones, of integers that are not negative.
    pub(super) fn parity(&mut self, value: ValueId) -> ValueId {
        let element = self.element(value);
        let (name, number) =
            if self.has(onnx::BITWISE_AND) { (onnx::BITWISE_AND, 1) } else { (onnx::MOD, 2) };
        let number = self.integer(element, number);
        self.elementwise(name, &[value, number])
    }

    /// ONNX Runtime sums integers in `double` and saturates. That makes no difference in a wide enough type; otherwise
    /// the sum is a matrix product with ones, whose integer kernels wrap.
    fn integer_sum(&mut self, value: ValueId, dimensions: &[i64], count: Dim) -> ValueId {
        let element = self.element(value);
        let (wide, exact_bits) = match element.bits() {
            ..=16 if count.known().is_some() => (Element::I32, 31),
            _ => (Element::I64, 53),
        };
        let count_bits = count.known().map_or(LARGEST_COUNT_BITS, |count| 64 - count.leading_zeros());
        let bits = if count.known().is_some() { element.bits() } else { self.bits_of(value) };
        if bits + count_bits <= exact_bits {
            let widened = self.cast(value, wide);
            let sum = self.reduction(onnx::REDUCE_SUM, widened, dimensions);
            return self.cast(sum, element);
        }
        let native = if element.bits() < 32 { Element::I32 } else { element };
        let value = self.cast(value, native);
        let sizes = self.dims(value);
        let kept_dimensions = rest(sizes.len(), dimensions);
        let order: Vec<i64> = kept_dimensions.iter().chain(dimensions).copied().collect();
        let moved = self.transpose(value, &order);
        let kept = kept(&sizes, dimensions);
        let (rows, single) = (self.module.dim_exprs.product(kept.iter().copied()), Dim::Known(1));
        let matrix = self.reshape(moved, &[rows, count]);
        let one = self.integer(native, 1);
        let ones = self.broadcast_to(one, &[count, single]);
        let product = self.node(onnx::MAT_MUL, &[matrix, ones]).out(native, &[rows, single]);
        let sum = self.reshape(product, &kept);
        self.cast(sum, element)
    }

    /// How many bits hold every number that an integer value can have, its sign included.
    fn bits_of(&self, value: ValueId) -> u32 {
        let range = self.range(value);
        let bits = |number: i64| 64 - (if number < 0 { !number } else { number }).leading_zeros();
        let signed = u32::from(range.low < 0);
        self.element(value).bits().min(bits(range.low).max(bits(range.high)) + signed)
    }

    /// The elements along dimensions combined in pairs, and these in pairs, until one is left.
    fn halve(
        &mut self,
        value: ValueId,
        dimensions: &[i64],
        combine: impl Fn(&mut Self, ValueId, ValueId) -> ValueId,
    ) -> Result<ValueId, LowerError> {
        let kept = kept(&self.dims(value), dimensions);
        let mut value = self.rows_first(value, dimensions);
        loop {
            let count = self.number(self.dims(value)[0])?;
            if count == 1 {
                return Ok(self.reshape(value, &kept));
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
        let sizes = self.dims(value);
        let mut order = dimensions.to_vec();
        order.sort_unstable();
        order.extend(rest(sizes.len(), dimensions));
        let moved = self.transpose(value, &order);
        let mut rows = kept(&sizes, dimensions);
        rows.insert(0, self.count_along(&sizes, dimensions));
        self.reshape(moved, &rows)
    }

    /// The elements `from` to `to` of the first dimension.
    fn rows(&mut self, value: ValueId, from: i64, to: i64) -> ValueId {
        let mut limits = self.dims(value);
        let mut starts = vec![0; limits.len()];
        let steps = vec![1; limits.len()];
        (starts[0], limits[0]) = (from, Dim::Known(to));
        self.slice(value, &starts, &limits, &steps)
    }
}

/// Longer sums of floats would be split for their accuracy.
const LARGEST_COUNT_OF_TRUE: i64 = 512;

/// The number of bits that count the elements of any tensor that fits in memory.
const LARGEST_COUNT_BITS: u32 = 37;

/// The sizes without those of the given dimensions.
fn kept<S: Size>(sizes: &[S], dimensions: &[i64]) -> Dims {
    rest(sizes.len(), dimensions).into_iter().map(|dimension| sizes[dimension as usize].into()).collect()
}

/// The dimensions that are not given.
fn rest(rank: usize, dimensions: &[i64]) -> Vec<i64> {
    (0..rank as i64).filter(|dimension| !dimensions.contains(dimension)).collect()
}

/// Refuses operands that do not come in pairs with their initial values.
pub(super) fn pairs(cx: &Lower, op: OpId) -> Result<usize, LowerError> {
    let operands = cx.operand_count(op);
    if operands == 0 || !operands.is_multiple_of(2) {
        return Err(LowerError::form("each operand needs an initial value"));
    }
    Ok(operands / 2)
}
