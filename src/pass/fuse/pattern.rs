//! Matches a pattern backward from its last op.

use crate::ir::{Attribute, Dim, Dims, Element, Module, OpId, OpName, TensorType, ValueId, chlo, stablehlo};
use crate::ops::{Combiner, DotDimensionNumbers, OpAttributes, combiners, fold};
use crate::pass::canonicalize::simplify::{float_number, scalar};
use crate::pass::refine_shapes::counted;
use crate::source::Source;
use smallvec::SmallVec;

/// Limits how many factors of a product are stripped, which bounds the cost of long chains.
const MOST_FACTORS: usize = 8;

/// The program during matching, and the ops matched so far.
pub(super) struct Pattern<'m> {
    pub module: &'m Module,
    source: &'m Source,
    inside: Vec<OpId>,
    /// Ops that only move elements: they belong to the match if no other op reads their results.
    passed: Vec<OpId>,
    /// Why the deepest attempt failed.
    near: Option<NearMiss>,
}

/// Why a pattern was not matched, although its core was found.
#[derive(Clone, Debug)]
pub(super) struct NearMiss {
    /// The op that does not fit.
    pub op: OpId,
    /// The reason, as a clause.
    pub why: String,
    /// How many ops had been matched.
    depth: usize,
}

/// The dimensions of a tensor that form its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowAxes {
    /// Sizes of the tensor.
    pub dims: Dims,
    /// Dimensions of a row, in ascending order.
    pub axes: Vec<usize>,
}

impl RowAxes {
    /// Number of elements of a row.
    pub fn count(&self) -> Option<i64> {
        self.axes.iter().try_fold(1i64, |count, &axis| count.checked_mul(self.dims[axis].known()?))
    }

    /// Whether rows are the trailing dimensions.
    pub fn are_last(&self) -> bool {
        self.axes.iter().copied().eq(self.dims.len() - self.axes.len()..self.dims.len())
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        (0..self.dims.len()).filter(|axis| !self.axes.contains(axis))
    }
}

impl<'m> Pattern<'m> {
    /// An empty match.
    pub fn new(module: &'m Module, source: &'m Source) -> Self {
        Self { module, source, inside: Vec::new(), passed: Vec::new(), near: None }
    }

    /// The text.
    pub fn source(&self) -> &'m Source {
        self.source
    }

    /// The matched ops, each once, with those passed whose results no other op reads.
    pub fn into_inside(self, root: OpId, uses: &[u32]) -> Vec<OpId> {
        let Self { module, mut inside, mut passed, .. } = self;
        loop {
            inside.sort_unstable();
            inside.dedup();
            let found = inside.len();
            let reads = |value: ValueId| -> usize {
                let ops = inside.iter().chain([&root]);
                ops.map(|&op| module.op(op).operands.iter().filter(|&&operand| operand == value).count())
                    .sum()
            };
            let is_only =
                |&value: &ValueId| uses.get(value.index()).is_some_and(|&uses| uses as usize == reads(value));
            let (own, shared): (Vec<OpId>, Vec<OpId>) =
                passed.into_iter().partition(|&op| module.op(op).results.iter().all(is_only));
            passed = shared;
            inside.extend(own);
            if inside.len() == found {
                return inside;
            }
        }
    }

    /// Records why the pattern does not match, unless a deeper attempt did.
    pub fn near(&mut self, op: OpId, why: impl Into<String>) {
        let depth = self.inside.len();
        if self.near.as_ref().is_none_or(|near| near.depth < depth) {
            self.near = Some(NearMiss { op, why: why.into(), depth });
        }
    }

    /// Why the pattern was nearly matched.
    pub fn take_near(&mut self) -> Option<NearMiss> {
        self.near.take()
    }

    /// Adds the op that defines a value, which only moves elements: if other ops read it too, it stays.
    pub fn pass(&mut self, value: ValueId) {
        self.passed.extend(self.module.defining_op(value));
    }

    /// The only result of an op.
    pub fn result_of(&self, op: OpId) -> Option<ValueId> {
        self.module.op(op).results.first().copied()
    }

    /// The operands of an op.
    pub fn operands_of<const N: usize>(&self, op: OpId) -> Option<[ValueId; N]> {
        <[ValueId; N]>::try_from(&self.module.op(op).operands[..]).ok()
    }

    /// The operands of the defining op, if it has that name; adds it to the match.
    pub fn operands<const N: usize>(&mut self, value: ValueId, name: OpName) -> Option<[ValueId; N]> {
        let operands = self.module.defining_operands(value, name)?;
        self.inside.extend(self.module.defining_op(value));
        Some(operands)
    }

    /// Adds an op to the match.
    pub fn enter(&mut self, op: OpId) {
        self.inside.push(op);
    }

    /// Runs `read`; on failure the match is restored.
    pub fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let marks = (self.inside.len(), self.passed.len());
        let found = read(self);
        if found.is_none() {
            self.inside.truncate(marks.0);
            self.passed.truncate(marks.1);
        }
        found
    }

    /// Runs `read`; the ops that it adds to the match may be read by other ops too, and stay then.
    pub fn loosely<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.inside.len();
        let found = read(self);
        let added = self.inside.split_off(mark);
        self.passed.extend(added);
        found
    }

    /// Runs `read` with the values in this order, then swapped.
    pub fn either<T>(
        &mut self,
        [first, second]: [ValueId; 2],
        mut read: impl FnMut(&mut Self, ValueId, ValueId) -> Option<T>,
    ) -> Option<T> {
        self.attempt(|p| read(p, first, second)).or_else(|| self.attempt(|p| read(p, second, first)))
    }

    /// The type of a tensor.
    pub fn tensor(&self, value: ValueId) -> Option<&'m TensorType> {
        self.module.tensor(value)
    }

    /// Whether the elements have one of these types.
    pub fn is_of(&self, value: ValueId, elements: &[Element]) -> bool {
        self.tensor(value).is_some_and(|ty| elements.contains(&ty.element))
    }

    /// The splat number of a float tensor.
    pub fn number(&self, value: ValueId) -> Option<f64> {
        float_number(self.module, self.source, value)
    }

    /// The splat number of an integer tensor.
    pub fn whole_number(&self, value: ValueId) -> Option<i64> {
        let (element, bits) = scalar(self.module, self.source, value)?;
        element.is_integer().then_some(bits)
    }

    /// Whether a float tensor is a splat of this number.
    pub fn is(&self, value: ValueId, number: f64) -> bool {
        self.number(value).is_some_and(|found| self.is_near(found, number, value))
    }

    /// The other operand of a maximum or minimum with zero.
    pub fn bounded_by_zero(&mut self, value: ValueId, name: OpName) -> Option<ValueId> {
        let operands = self.operands(value, name)?;
        self.either(operands, |p, x, zero| (p.number(zero) == Some(0.0)).then_some(x))
    }

    /// Whether two numbers are equal after rounding to the type of a value, up to the last digit.
    pub fn is_near(&self, found: f64, expected: f64, value: ValueId) -> bool {
        let digits = match self.tensor(value).map(|ty| ty.element) {
            Some(Element::BF16) => 8,
            Some(Element::F16) => 11,
            _ => 24,
        };
        (found - expected).abs() <= expected.abs() * 4.0 * 0.5f64.powi(digits)
    }

    /// An enum attribute of the defining op.
    pub fn word(&self, value: ValueId, name: &str) -> Option<&'m str> {
        let op = self.module.defining_op(value)?;
        self.module.word(self.module.attribute(op, name)?)
    }

    /// The square root of a square: `chlo.square`, or a product of equal factors.
    pub fn squared(&mut self, value: ValueId) -> Option<ValueId> {
        if let Some([x]) = self.operands(value, chlo::SQUARE) {
            return Some(x);
        }
        let [x, y] = self.operands(value, stablehlo::MULTIPLY)?;
        (x == y).then_some(x)
    }

    /// Strips constant factors and divisors from a value; returns it with their product.
    pub fn scaled(&mut self, value: ValueId) -> (f64, ValueId) {
        let (mut number, mut value) = (1.0, value);
        for _ in 0..MOST_FACTORS {
            let Some((factor, rest)) = self.attempt(|p| p.scale(value)) else { break };
            (number, value) = (number * factor, rest);
        }
        (number, value)
    }

    /// A value and the values that it is a multiple of. Does not add ops to the match.
    pub fn divisors(&mut self, value: ValueId) -> SmallVec<[ValueId; 4]> {
        let mark = self.inside.len();
        let mut all: SmallVec<[ValueId; 4]> = SmallVec::from_slice(&[value]);
        while all.len() <= MOST_FACTORS
            && let Some((_, rest)) = self.scale(all[all.len() - 1])
        {
            all.push(rest);
        }
        self.inside.truncate(mark);
        all
    }

    /// The factor by which `of` is multiplied in a value.
    pub fn multiple(&mut self, value: ValueId, of: ValueId) -> Option<f64> {
        let (mut number, mut value) = (1.0, value);
        for _ in 0..MOST_FACTORS {
            if value == of {
                return Some(number);
            }
            let (factor, rest) = self.scale(value)?;
            (number, value) = (number * factor, rest);
        }
        None
    }

    /// The outermost constant factor of a value, and the other factor.
    fn scale(&mut self, value: ValueId) -> Option<(f64, ValueId)> {
        if let Some([x]) = self.operands(value, stablehlo::NEGATE) {
            return Some((-1.0, x));
        }
        if let Some([x, divisor]) = self.operands(value, stablehlo::DIVIDE) {
            return Some((1.0 / self.number(divisor)?, x));
        }
        let factors = self.operands(value, stablehlo::MULTIPLY)?;
        self.either(factors, |p, number, x| Some((p.number(number)?, x)))
    }

    /// The rows of the reduction from which a value is computed, as dimensions of `full`. Does not check the ops in
    /// between.
    pub fn reduction_rows(&self, value: ValueId, full: ValueId) -> Option<RowAxes> {
        let dims = self.tensor(full).filter(|ty| ty.is_sized())?.dims.clone();
        let mut pending: SmallVec<[ValueId; 8]> = SmallVec::from_slice(&[value]);
        for _ in 0..2 * MOST_FACTORS {
            let Some(op) = self.module.defining_op(pending.pop()?) else { continue };
            if self.module.op(op).name == stablehlo::REDUCE {
                let axes = self.positions(op, "dimensions")?;
                let inside = axes.iter().all(|&axis| axis < dims.len());
                return (axes.is_sorted() && inside && !axes.is_empty()).then_some(RowAxes { dims, axes });
            }
            // The first operand of an op.
            pending.extend(self.module.op(op).operands.iter().rev().copied());
        }
        None
    }

    /// A value that is constant along a row, before it is broadcast: it lacks the dimensions of a row, or they have
    /// size 1.
    pub fn row(&mut self, value: ValueId, rows: &RowAxes) -> Option<ValueId> {
        let mut value = value;
        loop {
            let inner = self.attempt(|p| {
                let inner = match p.operands(value, stablehlo::BROADCAST_IN_DIM) {
                    Some([inner]) => {
                        let to = p.positions(p.module.defining_op(value)?, "broadcast_dimensions")?;
                        let kept = to.iter().copied().eq(rows.others());
                        let all = to.iter().copied().eq(0..rows.dims.len());
                        (kept || all).then_some(inner)?
                    }
                    None => p.operands::<1>(value, stablehlo::RESHAPE)?[0],
                };
                p.is_row(inner, rows).then_some(inner)
            });
            let Some(inner) = inner else { return self.is_row(value, rows).then_some(value) };
            value = inner;
        }
    }

    /// A value that is constant along a row, which may be computed elementwise.
    pub fn row_or_full(&mut self, value: ValueId, rows: &RowAxes) -> Option<ValueId> {
        let full = self.tensor(value).is_some_and(|ty| ty.dims == rows.dims);
        self.attempt(|p| p.row(value, rows)).or(full.then_some(value))
    }

    fn is_row(&self, value: ValueId, rows: &RowAxes) -> bool {
        let Some(ty) = self.tensor(value) else { return false };
        let without = || rows.others().map(|axis| rows.dims[axis]);
        let ones = (0..rows.dims.len())
            .map(|axis| if rows.axes.contains(&axis) { Dim::Known(1) } else { rows.dims[axis] });
        ty.dims.iter().copied().eq(without()) || ty.dims.iter().copied().eq(ones)
    }

    /// The operand of a reduction along the rows.
    pub fn reduced(&mut self, value: ValueId, combiner: Combiner, rows: &RowAxes) -> Option<ValueId> {
        let value = self.row(value, rows)?;
        self.attempt(|p| {
            let [full, init] = p.operands(value, stablehlo::REDUCE)?;
            let op = p.module.defining_op(value)?;
            let neutral = match combiner {
                Combiner::Add => 0.0,
                Combiner::Maximum => f64::NEG_INFINITY,
                _ => return None,
            };
            let same = p.positions(op, "dimensions")? == rows.axes
                && p.number(init) == Some(neutral)
                && combiners(p.module, *p.module.op(op).regions.first()?)?.as_slice() == [combiner]
                && p.tensor(full)?.dims[..] == rows.dims[..];
            same.then_some(full)
        })
    }

    /// The operand of a mean along the rows.
    pub fn mean(&mut self, value: ValueId, rows: &RowAxes) -> Option<ValueId> {
        let count = rows.count().filter(|&count| count > 0)? as f64;
        let value = self.row(value, rows)?;
        self.attempt(|p| {
            let sum = if let Some([sum, divisor]) = p.operands(value, stablehlo::DIVIDE) {
                p.is(divisor, count).then_some(sum)?
            } else {
                let operands = p.operands(value, stablehlo::MULTIPLY)?;
                p.either(operands, |p, sum, factor| p.is(factor, 1.0 / count).then_some(sum))?
            };
            p.reduced(sum, Combiner::Add, rows)
        })
    }

    /// One value per element of a row, before it is broadcast: it has only the dimensions of a row, or size 1 in the
    /// others.
    pub fn along(&mut self, value: ValueId, rows: &RowAxes) -> Option<ValueId> {
        let spread = self.attempt(|p| {
            let [inner] = p.operands(value, stablehlo::BROADCAST_IN_DIM)?;
            let to = p.positions(p.module.defining_op(value)?, "broadcast_dimensions")?;
            let dims = &p.tensor(inner)?.dims;
            let fits = |(&axis, &dim): (&usize, &Dim)| {
                if rows.axes.contains(&axis) { dim == rows.dims[axis] } else { dim == Dim::Known(1) }
            };
            let all = rows.axes.iter().all(|axis| to.contains(axis));
            (all && to.is_sorted() && to.iter().zip(dims).all(fits)).then_some(inner)
        });
        spread.or_else(|| self.along_only_row(value, rows))
    }

    /// The same for a tensor with a single row. JAX prints a broadcast that adds no elements as a reshape, which is
    /// part of a constant.
    fn along_only_row(&mut self, value: ValueId, rows: &RowAxes) -> Option<ValueId> {
        let is_only = rows.others().all(|axis| rows.dims[axis] == Dim::Known(1));
        if !is_only || self.tensor(value)?.dims != rows.dims {
            return None;
        }
        if self.is_constant(value) {
            return Some(value);
        }
        self.attempt(|p| {
            let [inner] = p.operands(value, stablehlo::RESHAPE)?;
            let dims = &p.tensor(inner)?.dims;
            let several = |&dim: &Dim| dim != Dim::Known(1);
            let row = rows.axes.iter().map(|&axis| rows.dims[axis]).filter(several);
            let fits = dims.len() < rows.dims.len() && dims.iter().copied().filter(several).eq(row);
            fits.then_some(inner)
        })
    }

    /// One value per channel, before it is broadcast to a tensor with channels last.
    pub fn of_channels(&mut self, value: ValueId, count: i64) -> Option<ValueId> {
        let is_last = |dims: &[Dim]| {
            let (last, others) = dims.split_last()?;
            (*last == Dim::Known(count) && others.iter().all(|&dim| dim == Dim::Known(1))).then_some(())
        };
        let mut value = value;
        loop {
            let inner = self.attempt(|p| {
                if let Some([inner]) = p.operands(value, stablehlo::RESHAPE) {
                    is_last(&p.tensor(inner)?.dims)?;
                    return is_last(&p.tensor(value)?.dims).map(|()| inner);
                }
                let [inner] = p.operands(value, stablehlo::BROADCAST_IN_DIM)?;
                is_last(&p.tensor(inner)?.dims)?;
                let to = p.positions(p.module.defining_op(value)?, "broadcast_dimensions")?;
                (to.last()? + 1 == p.tensor(value)?.dims.len()).then_some(inner)
            });
            let Some(inner) = inner else { return is_last(&self.tensor(value)?.dims).map(|()| value) };
            value = inner;
        }
    }

    /// A constant that is broadcast to a tensor, and its dimensions there.
    pub fn spread_constant(&self, value: ValueId) -> Option<(ValueId, Vec<usize>)> {
        let op = self.module.defined_by(value, stablehlo::BROADCAST_IN_DIM)?;
        let [inner] = self.operands_of(op)?;
        self.module.constant_of(inner)?;
        Some((inner, self.positions(op, "broadcast_dimensions")?))
    }

    /// The elements of a small float constant.
    pub fn floats(&self, value: ValueId) -> Option<Vec<f64>> {
        let tensor = fold::Tensor::read(self.module, self.source, self.module.constant_of(value)?)?;
        tensor.view()?.iter().map(|&bits| fold::float(tensor.element, bits)).collect()
    }

    /// The elements of floats that depend only on constants.
    pub fn computed_floats(&self, value: ValueId) -> Option<Vec<f64>> {
        let tensor = fold::evaluate_value(self.module, self.source, value)?;
        tensor.view()?.iter().map(|&bits| fold::float(tensor.element, bits)).collect()
    }

    /// The permutation of a Transpose.
    pub fn permutation(&self, op: OpId) -> Option<Vec<usize>> {
        self.positions(op, "permutation")
    }

    /// An integer attribute of an op, as a size or dimension.
    pub fn integer(&self, op: OpId, name: &str) -> Option<usize> {
        usize::try_from(self.module.attribute(op, name)?.as_integer()?).ok()
    }

    /// A float attribute of an op.
    pub fn float(&self, op: OpId, name: &str) -> Option<f64> {
        match self.module.attribute(op, name)? {
            Attribute::Float(value, _) => Some(*value),
            _ => None,
        }
    }

    /// The name of an op.
    pub fn name(&self, op: OpId) -> OpName {
        self.module.op(op).name
    }

    /// Whether a value is a constant.
    pub fn is_constant(&self, value: ValueId) -> bool {
        self.module.constant_of(value).is_some()
    }

    /// The elements of a small integer constant.
    pub fn integers(&self, value: ValueId) -> Option<Vec<i64>> {
        self.module.known_integers(value)
    }

    /// A list attribute of an op, as dimensions or other indices.
    pub fn positions(&self, op: OpId, name: &'static str) -> Option<Vec<usize>> {
        OpAttributes::of(self.module, op).positions(name).ok()
    }

    /// The dimension from which a gather takes single indices, if all others are whole and in order.
    pub fn gathered(&self, op: OpId) -> Option<usize> {
        counted::axis_of_gather(self.module, op)
    }

    /// The contracted dimensions of a product without batch dimensions, one per operand.
    pub fn contracted(&self, op: OpId) -> Option<[usize; 2]> {
        let numbers = DotDimensionNumbers::read(self.module, op).ok()?;
        match numbers.contracting[..] {
            [(left, right)] if numbers.batching.is_empty() => Some([left, right]),
            _ => None,
        }
    }
}
