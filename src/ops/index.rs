//! Start positions as gather, scatter and the dynamic slices take them: read into one form, bounded, and made into
//! positions in a flattened tensor.

use super::constant::integer_limits;
use super::{Lower, Refusal};
use crate::ir::{Dim, Dims, Element, OpId, Size, Sizes, ValueId, onnx};

/// What is known of an integer: it is from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The lowest that it can be.
    pub low: i64,
    /// The highest that it can be.
    pub high: i64,
}

impl Range {
    const ALL: Self = Self { low: i64::MIN, high: i64::MAX };

    fn of(element: Element) -> Self {
        if element == Element::U64 || !(element.is_integer() || element == Element::Bool) {
            return Self::ALL;
        }
        let (low, high) = integer_limits(element);
        Self { low, high }
    }

    /// Whether all of it is from 0 to `limit`.
    pub fn within(self, sizes: &Sizes, limit: Dim) -> bool {
        self.low >= 0 && sizes.is_at_least(limit, self.high)
    }

    /// What is left of it between 0 and `limit`.
    fn clamped(self, sizes: &Sizes, limit: Dim) -> Self {
        let (low, high) = sizes.bounds(limit);
        let (low, high) = (low.unwrap_or(0).max(0), high.unwrap_or(i64::MAX).max(0));
        Self { low: self.low.clamp(0, low), high: self.high.clamp(0, high) }
    }

    fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// Positions: `value` is `i64` of the sizes `batch` and, unless there is one column, one for the columns. Each
/// column has a range.
#[derive(Clone, Debug)]
pub(super) struct Starts {
    /// The positions.
    pub value: ValueId,
    /// All sizes but the last.
    pub batch: Dims,
    /// A range for each column.
    pub ranges: Vec<Range>,
}

impl Starts {
    /// Number of positions.
    pub fn count(&self, sizes: &Sizes) -> Dim {
        sizes.product(self.batch.iter().copied())
    }
}

/// An axis of positions that counts: its size, and how far apart its positions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    /// How many.
    pub size: Dim,
    /// How far apart.
    pub stride: Dim,
}

/// Constants of more elements are computed when the model runs.
const LARGEST_FOLDED: i64 = 1 << 16;
/// Offsets of more elements are added axis by axis.
const LARGEST_OFFSETS: i64 = 4096;
/// How far a range is traced back.
const DEPTH: usize = 16;
/// Columns beyond these have one range together.
const COLUMNS: usize = 16;

impl Lower<'_> {
    /// The start positions that an operand holds, its vectors lying along `vector_dim`; where that is the rank,
    /// each element is a vector of one.
    pub(super) fn starts(&mut self, op: OpId, operand: usize, vector_dim: i64) -> Result<Starts, Refusal> {
        let value = self.full(op, operand)?;
        let sizes = self.dims(value);
        let axis = usize::try_from(vector_dim).ok().filter(|&axis| axis <= sizes.len());
        let axis = axis.ok_or_else(|| Refusal::form(format!("index_vector_dim is {vector_dim}")))?;
        let columns = sizes.get(axis).map_or(1, |&columns| self.number(columns));
        let mut batch = sizes;
        if axis < batch.len() {
            batch.remove(axis);
        }
        let value = if columns == 1 {
            self.reshape_back(value, &batch)
        } else {
            let mut order: Vec<i64> = (0..=batch.len() as i64).filter(|&dim| dim != axis as i64).collect();
            order.push(axis as i64);
            self.transpose(value, &order)
        };
        let value = self.int64(value);
        let ranges = if columns == 1 { vec![self.range(value)] } else { self.columns(value, columns) };
        Ok(Starts { value, batch, ranges })
    }

    /// The value with other sizes: what it was before its last `Reshape`, where that had them. JAX gives each
    /// index an axis of size 1 for its column, which ONNX's ops do without.
    pub(super) fn reshape_back(&mut self, value: ValueId, sizes: &[Dim]) -> ValueId {
        let reshape = self.module.defining_op(value).filter(|&op| self.module.op(op).name == onnx::RESHAPE);
        let before = reshape.map(|op| self.module.op(op).operands[0]);
        match before {
            Some(before) if *self.dims(before) == *sizes => before,
            _ => self.reshape(value, sizes),
        }
    }

    /// The positions with an axis for the columns, even where there is one.
    pub(super) fn vectors(&mut self, starts: &Starts) -> ValueId {
        let mut sizes = starts.batch.clone();
        sizes.push(Dim::Known(starts.ranges.len() as i64));
        self.reshape(starts.value, &sizes)
    }

    /// Integers as `i64`; those of `ui64` that it does not hold become its highest.
    pub(super) fn int64(&mut self, value: ValueId) -> ValueId {
        let element = self.element(value);
        if element == Element::I64 {
            return value;
        }
        if let Some(known) = self.known_integers(value) {
            let sizes = self.sizes(value);
            let high = |number: i64| if element == Element::U64 && number < 0 { i64::MAX } else { number };
            let known: Vec<i64> = known.into_iter().map(high).collect();
            return self.integers(Element::I64, &sizes, &known);
        }
        if let Some(wide) = self.before_cast(value) {
            return wide;
        }
        let mut value = value;
        if element == Element::U64 {
            let highest = self.integer(Element::U64, i64::MAX);
            value = self.smaller(value, highest);
        }
        self.cast(value, Element::I64)
    }

    /// The `i64` that was cast to this integer, where it has lost nothing.
    fn before_cast(&self, value: ValueId) -> Option<ValueId> {
        let cast = self.module.defining_op(value).filter(|&op| self.module.op(op).name == onnx::CAST)?;
        let before = self.module.op(cast).operands[0];
        let own = Range::of(self.element(value));
        let range = (self.element(before) == Element::I64).then(|| self.range(before))?;
        (own != Range::ALL && range.low >= own.low && range.high <= own.high).then_some(before)
    }

    /// Notes that a value counts from 0, and stays below a size.
    pub(super) fn counts(&mut self, value: ValueId, size: Dim) {
        let high = self.module.sizes.bounds(size).1.map_or(i64::MAX, |size| (size - 1).max(0));
        self.counts.insert(value, Range { low: 0, high });
    }

    /// The positions with these columns only.
    /// Without columns the value means nothing.
    pub(super) fn select_columns(&mut self, starts: &Starts, columns: &[usize]) -> Starts {
        let all = starts.ranges.len();
        let ranges = columns.iter().map(|&column| starts.ranges[column]).collect();
        if columns.is_empty() || columns.len() == all && columns.is_sorted() {
            return Starts { value: starts.value, batch: starts.batch.clone(), ranges };
        }
        let mut sizes = starts.batch.clone();
        if columns.len() > 1 {
            sizes.push(Dim::Known(columns.len() as i64));
        }
        let value = if let Some(known) = self.known_integers(starts.value) {
            let rows = known.chunks_exact(all);
            let kept: Vec<i64> = rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect();
            self.integers_of(&sizes, &kept)
        } else {
            let picked: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
            let picked = if let [column] = picked[..] {
                self.integer(Element::I64, column)
            } else {
                self.int64s(&picked)
            };
            let axis = starts.batch.len() as i64;
            self.node(onnx::GATHER, &[starts.value, picked]).int("axis", axis).out(Element::I64, &sizes)
        };
        Starts { value, batch: starts.batch.clone(), ranges }
    }

    /// The positions clamped from 0 to a limit for each column, where they are not known to be.
    pub(super) fn clamp_columns(&mut self, starts: &Starts, limits: &[Dim]) -> Starts {
        let pairs = || starts.ranges.iter().zip(limits);
        if pairs().all(|(range, &limit)| range.within(&self.module.sizes, limit)) {
            return starts.clone();
        }
        let ranges = pairs().map(|(range, &limit)| range.clamped(&self.module.sizes, limit)).collect();
        let numbers: Option<Vec<i64>> = limits.iter().map(|limit| limit.known()).collect();
        let value = if let (Some(known), Some(limits)) = (self.known_integers(starts.value), &numbers) {
            let sizes = self.sizes(starts.value);
            let clamped = known.iter().zip(limits.iter().cycle());
            let clamped: Vec<i64> = clamped.map(|(&start, &limit)| start.clamp(0, limit)).collect();
            self.integers(Element::I64, &sizes, &clamped)
        } else if limits.iter().all(|&limit| limit == limits[0]) {
            let (low, high) = (self.integer(Element::I64, 0), self.size_scalar(limits[0], Element::I64));
            self.bounded(starts.value, low, high)
        } else {
            let (low, high) = (self.integer(Element::I64, 0), self.shape(limits));
            let raised = self.larger(starts.value, low);
            self.smaller(raised, high)
        };
        Starts { value, batch: starts.batch.clone(), ranges }
    }

    /// The sum of each position's columns times their strides, of the sizes `batch`.
    pub(super) fn linear(&mut self, starts: &Starts, strides: &[Dim]) -> ValueId {
        if strides.iter().all(|&stride| stride == Dim::Known(0)) {
            let zero = self.integer(Element::I64, 0);
            return self.broadcast_to(zero, &starts.batch);
        }
        let numbers: Option<Vec<i64>> = strides.iter().map(|stride| stride.known()).collect();
        if let (Some(known), Some(strides)) = (self.known_integers(starts.value), &numbers) {
            let sum = |row: &[i64]| {
                row.iter().zip(strides).fold(0, |sum: i64, (a, b)| sum.wrapping_add(a.wrapping_mul(*b)))
            };
            let sums: Vec<i64> = known.chunks_exact(strides.len()).map(sum).collect();
            return self.integers_of(&starts.batch, &sums);
        }
        let scaled = if strides.iter().all(|&stride| stride == Dim::Known(1)) {
            starts.value
        } else {
            let strides = if let [stride] = *strides {
                self.size_scalar(stride, Element::I64)
            } else {
                self.shape(strides)
            };
            self.elementwise(onnx::MUL, &[starts.value, strides])
        };
        if strides.len() == 1 { scaled } else { self.sum_columns(scaled, &starts.batch) }
    }

    /// The sum over the last axis, which is not empty.
    pub(super) fn sum_columns(&mut self, value: ValueId, batch: &[Dim]) -> ValueId {
        // ONNX Runtime sums in f64, which holds every position of a tensor that fits into memory.
        // Of nothing it keeps a dimension that is counted from the end.
        let axes = self.int64s(&[self.rank(value) as i64 - 1]);
        self.node(onnx::REDUCE_SUM, &[value, axes]).int("keepdims", 0).out(Element::I64, batch)
    }

    /// Adds the counts of the given axes to `value`, which has size 1 there or lacks them (they are trailing).
    pub(super) fn add_counts(&mut self, value: ValueId, rank: usize, counts: &[(usize, Count)]) -> ValueId {
        let mut sizes = self.dims(value);
        sizes.resize(rank, Dim::Known(1));
        let mut value = self.reshape(value, &sizes);
        let number =
            |&(axis, count): &(usize, Count)| Some((axis, count.size.known()?, count.stride.known()?));
        let numbers: Option<Vec<(usize, i64, i64)>> = counts.iter().map(number).collect();
        let product = |counts: &[(usize, i64, i64)]| counts.iter().map(|&(_, size, _)| size).product::<i64>();
        if let Some(mut ordered) = numbers.filter(|counts| product(counts) <= LARGEST_OFFSETS)
            && !ordered.is_empty()
        {
            let mut offset_sizes = vec![1; rank];
            let mut offsets = vec![0i64];
            ordered.sort_by_key(|&(axis, ..)| axis);
            for (axis, size, stride) in ordered {
                offset_sizes[axis] = size;
                offsets = offsets
                    .iter()
                    .flat_map(|&offset| (0..size).map(move |step| offset + step * stride))
                    .collect();
            }
            let offsets = self.integers(Element::I64, &offset_sizes, &offsets);
            return self.add_positions(value, offsets);
        }
        for &(axis, Count { size, stride }) in counts {
            let mut offset = self.iota(Element::I64, rank, axis, size);
            if size.known().is_some() || stride != Dim::Known(1) {
                let stride = self.size_scalar(stride, Element::I64);
                offset = self.elementwise(onnx::MUL, &[offset, stride]);
            }
            value = self.add_positions(value, offset);
        }
        value
    }

    /// The sum of two `i64` values of one rank, computed here when both are small constants.
    fn add_positions(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let (x, y) = (self.known_integers(a), self.known_integers(b));
        let is_zero = |known: &Option<Vec<i64>>| {
            known.as_ref().is_some_and(|all| all.iter().all(|&number| number == 0))
        };
        let dims = self.broadcast_dims(&[a, b]);
        if is_zero(&y) {
            return self.broadcast_to(a, &dims);
        }
        if is_zero(&x) && dims == self.dims(b) {
            return b;
        }
        let (Some(x), Some(y)) = (x, y) else { return self.elementwise(onnx::ADD, &[a, b]) };
        let sizes = self.broadcast_sizes(&[a, b]);
        let count: i64 = sizes.iter().product();
        if count > LARGEST_FOLDED {
            return self.elementwise(onnx::ADD, &[a, b]);
        }
        let own = [self.sizes(a), self.sizes(b)];
        let at = |own: &[i64], flat: i64| {
            let (mut rest, mut index, mut stride) = (flat, 0, 1);
            for (&size, &own) in sizes.iter().zip(own).rev() {
                let step = rest % size;
                rest /= size;
                index += if own == 1 { 0 } else { step * stride };
                stride *= own;
            }
            index as usize
        };
        let sums: Vec<i64> = (0..count).map(|flat| x[at(&own[0], flat)] + y[at(&own[1], flat)]).collect();
        self.integers(Element::I64, &sizes, &sums)
    }

    /// A constant of `i64` of these sizes, which are numbers.
    fn integers_of(&mut self, sizes: &[Dim], values: &[i64]) -> ValueId {
        let sizes: Vec<i64> = sizes.iter().map(|&size| self.number(size)).collect();
        self.integers(Element::I64, &sizes, values)
    }

    /// The range of each column of an integer value, a column being an index into its last axis.
    fn columns(&self, value: ValueId, count: i64) -> Vec<Range> {
        let ranges = self.ranges(value, DEPTH);
        let count = usize::try_from(count).unwrap_or(0);
        if ranges.len() == count { ranges } else { vec![merged(&ranges); count] }
    }

    /// The range of an integer value.
    pub(super) fn range(&self, value: ValueId) -> Range {
        merged(&self.ranges(value, DEPTH))
    }

    /// The range of each column of an integer value, or one for all.
    fn ranges(&self, value: ValueId, depth: usize) -> Vec<Range> {
        let element = self.element(value);
        let any = || vec![Range::of(element)];
        if let Some(&range) = self.counts.get(&value) {
            return vec![range];
        }
        let (Some(op), Some(depth)) = (self.module.defining_op(value), depth.checked_sub(1)) else {
            return any();
        };
        let sizes = self.dims(value);
        if sizes.contains(&Dim::Known(0)) {
            return vec![Range { low: 0, high: 0 }];
        }
        let width = sizes.last().map_or(Some(1), |size| size.known()).unwrap_or(0) as usize;
        let operands = &self.module.op(op).operands;
        let of = |index: usize| operands.get(index).map_or_else(any, |&value| self.ranges(value, depth));
        let same_width = || self.dims(operands[0]).last() == sizes.last();
        match self.module.op(op).name {
            onnx::CONSTANT => self.constant_ranges(value, width).unwrap_or_else(any),
            onnx::IDENTITY | onnx::EXPAND => of(0),
            onnx::RESHAPE if same_width() => of(0),
            onnx::RESHAPE
            | onnx::TRANSPOSE
            | onnx::SLICE
            | onnx::GATHER
            | onnx::GATHER_ELEMENTS
            | onnx::GATHER_ND => vec![merged(&of(0))],
            onnx::CAST => {
                let own = Range::of(element);
                let from = of(0);
                let source = self.element(operands[0]);
                let whole = source.is_integer() || source == Element::Bool;
                let fits = |range: &Range| range.low >= own.low && range.high <= own.high;
                let wraps = element == Element::U64 || source == Element::U64;
                if whole && !wraps && from.iter().all(fits) { from } else { any() }
            }
            onnx::CONCAT => self.concat_ranges(op, sizes.len(), depth),
            onnx::MAX => {
                self.zip(operands, depth, |a, b| Range { low: a.low.max(b.low), high: a.high.max(b.high) })
            }
            onnx::MIN => {
                self.zip(operands, depth, |a, b| Range { low: a.low.min(b.low), high: a.high.min(b.high) })
            }
            onnx::CLIP => {
                let bound = |index: usize, or: i64| match operands.get(index) {
                    Some(&bound) if bound != self.absent() => merged(&self.ranges(bound, depth)),
                    _ => Range { low: or, high: or },
                };
                let (low, high) = (bound(1, i64::MIN), bound(2, i64::MAX));
                let clip = |range: Range| Range {
                    low: range.low.max(low.low).min(high.low),
                    high: range.high.max(low.high).min(high.high),
                };
                of(0).into_iter().map(clip).collect()
            }
            onnx::ADD if element != Element::U64 => {
                let own = Range::of(element);
                self.zip(operands, depth, |a, b| {
                    let ends = (a.low.checked_add(b.low), a.high.checked_add(b.high));
                    match ends {
                        (Some(low), Some(high)) if low >= own.low && high <= own.high => Range { low, high },
                        _ => own,
                    }
                })
            }
            onnx::SUB if element != Element::U64 => {
                let own = Range::of(element);
                self.zip(operands, depth, |a, b| {
                    let ends = (a.low.checked_sub(b.high), a.high.checked_sub(b.low));
                    match ends {
                        (Some(low), Some(high)) if low >= own.low && high <= own.high => Range { low, high },
                        _ => own,
                    }
                })
            }
            onnx::BITWISE_AND => self.zip(operands, depth, |a, b| match (a.low >= 0, b.low >= 0) {
                (true, true) => Range { low: 0, high: a.high.min(b.high) },
                (true, false) => Range { low: 0, high: a.high },
                (false, true) => Range { low: 0, high: b.high },
                (false, false) => Range::of(element),
            }),
            onnx::MOD => {
                let of_dividend =
                    self.module.attribute(op, "fmod").is_some_and(|fmod| fmod.as_integer() == Some(1));
                let signed = of_dividend && !element.is_unsigned();
                self.zip(operands, depth, |a, b| match b.high.checked_sub(1) {
                    Some(high) if b.low > 0 && element.is_integer() => {
                        Range { low: if signed && a.low < 0 { -high } else { 0 }, high }
                    }
                    _ => Range::of(element),
                })
            }
            onnx::WHERE => match self.decided(operands[0], depth) {
                Some(true) => of(1),
                Some(false) => of(2),
                None => self.zip(&operands[1..], depth, Range::union),
            },
            onnx::ARG_MAX | onnx::ARG_MIN => self.position_range(op, 0).unwrap_or_else(any),
            onnx::TOP_K if self.module.op(op).results.get(1) == Some(&value) => {
                self.position_range(op, -1).unwrap_or_else(any)
            }
            _ => any(),
        }
    }

    fn constant_ranges(&self, value: ValueId, width: usize) -> Option<Vec<Range>> {
        let known = self.known_integers(value)?;
        if self.element(value) == Element::U64 && known.iter().any(|&number| number < 0) {
            return None;
        }
        let width = if (1..=COLUMNS).contains(&width) { width } else { 1 };
        let column = |column: usize| {
            let numbers = || known.iter().skip(column).step_by(width).copied();
            Some(Range { low: numbers().min()?, high: numbers().max()? })
        };
        (0..width).map(column).collect()
    }

    fn concat_ranges(&self, op: OpId, rank: usize, depth: usize) -> Vec<Range> {
        let axis = self.module.attribute(op, "axis").and_then(crate::ir::Attribute::as_integer);
        let operands = &self.module.op(op).operands;
        if axis != Some(rank as i64 - 1) {
            return self.zip(operands, depth, Range::union);
        }
        let parts: Vec<(usize, Vec<Range>)> = operands
            .iter()
            .map(|&part| {
                // One without a number is wider than any that has columns of their own.
                let width = self.dims(part).last().map_or(Some(0), |size| size.known());
                (width.map_or(COLUMNS + 1, |width| width as usize), self.ranges(part, depth))
            })
            .collect();
        if parts.iter().map(|(width, _)| width).sum::<usize>() > COLUMNS {
            return vec![merged(&parts.into_iter().flat_map(|(_, ranges)| ranges).collect::<Vec<_>>())];
        }
        let wide = |(width, ranges): (usize, Vec<Range>)| {
            if ranges.len() == width { ranges } else { vec![merged(&ranges); width] }
        };
        parts.into_iter().flat_map(wide).collect()
    }

    /// Combines the ranges of values that broadcast against each other, column by column.
    fn zip(&self, operands: &[ValueId], depth: usize, combine: impl Fn(Range, Range) -> Range) -> Vec<Range> {
        let all = operands.iter().map(|&operand| self.ranges(operand, depth));
        let combined = all.reduce(|a, b| {
            // A single range represents all columns; lists of other lengths that differ cannot be paired.
            let (a, b) = match (a.len(), b.len()) {
                (left, right) if left == right => (a, b),
                (1, right) => (vec![a[0]; right], b),
                (left, 1) => {
                    let wide = vec![b[0]; left];
                    (a, wide)
                }
                _ => (vec![merged(&a)], vec![merged(&b)]),
            };
            a.into_iter().zip(b).map(|(a, b)| combine(a, b)).collect()
        });
        combined.unwrap_or_else(|| vec![Range::ALL])
    }

    /// The outcome of a comparison that the ranges of its operands decide.
    fn decided(&self, condition: ValueId, depth: usize) -> Option<bool> {
        let op = self.module.defining_op(condition)?;
        let depth = depth.checked_sub(1)?;
        let operands = &self.module.op(op).operands;
        let of = |index: usize| {
            let value = *operands.get(index)?;
            self.element(value).is_integer().then(|| merged(&self.ranges(value, depth)))
        };
        match self.module.op(op).name {
            onnx::RESHAPE | onnx::EXPAND | onnx::TRANSPOSE => self.decided(operands[0], depth),
            onnx::LESS => {
                let (a, b) = (of(0)?, of(1)?);
                if a.low >= b.high {
                    Some(false)
                } else if a.high < b.low {
                    Some(true)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// The range of positions along the `axis` of an op's operand.
    fn position_range(&self, op: OpId, default: i64) -> Option<Vec<Range>> {
        let axis = self.module.attribute(op, "axis").and_then(crate::ir::Attribute::as_integer);
        let axis = axis.unwrap_or(default);
        let sizes = self.dims(*self.module.op(op).operands.first()?);
        let axis = if axis < 0 { axis + sizes.len() as i64 } else { axis };
        let size = self.module.sizes.bounds(*sizes.get(usize::try_from(axis).ok()?)?).1?;
        Some(vec![Range { low: 0, high: (size - 1).max(0) }])
    }
}

fn merged(ranges: &[Range]) -> Range {
    ranges.iter().copied().reduce(Range::union).unwrap_or(Range::ALL)
}

/// The distance between neighbors along each axis of a tensor of these sizes, its last axis lying densest.
pub(super) fn strides<S: Size>(sizes: &Sizes, of: &[S]) -> Dims {
    let mut strides: Dims = std::iter::repeat_n(Dim::Known(1), of.len()).collect();
    for axis in (1..of.len()).rev() {
        strides[axis - 1] = match of[axis].into() {
            Dim::Known(size) => sizes.multiply(strides[axis], Dim::Known(size.max(1))),
            size => sizes.multiply(strides[axis], size),
        };
    }
    strides
}
