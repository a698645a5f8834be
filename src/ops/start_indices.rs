//! Start indices of gather, scatter and the dynamic slices: reads them into one form, clamps them, and flattens them.

use super::value_range::ValueRange;
use super::{Lower, LowerError};
use crate::ir::{Dim, DimExprs, Dims, Element, OpId, Size, ValueId, onnx};

/// `value` is `i32` or `i64`, with the sizes `batch` and, unless there is one column, a last dimension of columns. Each
/// column is a component of the index vector and has a range.
#[derive(Clone, Debug)]
pub(super) struct StartIndices {
    /// The indices.
    pub value: ValueId,
    /// All sizes but the last.
    pub batch: Dims,
    /// A range per column.
    pub ranges: Vec<ValueRange>,
}

impl StartIndices {
    /// Number of index vectors.
    pub fn count(&self, sizes: &DimExprs) -> Dim {
        sizes.product(self.batch.iter().copied())
    }
}

/// An axis of equally spaced indices.
#[derive(Clone, Copy, Debug)]
pub(super) struct StridedAxis {
    /// How many.
    pub size: Dim,
    /// Their distance.
    pub stride: Dim,
}

/// Larger constants are computed at run time.
const LARGEST_FOLDED: i64 = 1 << 16;
/// More offsets than this are added axis by axis.
const LARGEST_OFFSETS: i64 = 4096;

impl Lower<'_> {
    /// The start indices in an operand whose index vectors lie along `vector_dim`; if that is the rank, each element
    /// is a vector of one.
    pub(super) fn starts(
        &mut self,
        op: OpId,
        operand: usize,
        vector_dim: usize,
    ) -> Result<StartIndices, LowerError> {
        let value = self.full(op, operand)?;
        let sizes = self.dims(value);
        let columns = sizes.get(vector_dim).map_or(Ok(1), |&columns| self.number(columns))?;
        let mut batch = sizes;
        if vector_dim < batch.len() {
            batch.remove(vector_dim);
        }
        let value = if columns == 1 {
            self.reshape_back(value, &batch)
        } else {
            let vector_dim = vector_dim as i64;
            let mut order: Vec<i64> = (0..=batch.len() as i64).filter(|&dim| dim != vector_dim).collect();
            order.push(vector_dim);
            self.transpose(value, &order)
        };
        let value = self.index(value);
        let ranges = if columns == 1 { vec![self.range(value)] } else { self.column_ranges(value, columns) };
        Ok(StartIndices { value, batch, ranges })
    }

    /// Reshapes a value; undoes its last `Reshape` if that had the same input sizes. JAX adds to each index an axis of
    /// size 1, which ONNX's ops do not need.
    pub(super) fn reshape_back(&mut self, value: ValueId, sizes: &[Dim]) -> ValueId {
        match self.module.defining_operands(value, onnx::RESHAPE) {
            Some([before, _]) if *self.dims(before) == *sizes => before,
            _ => self.reshape(value, sizes),
        }
    }

    /// The indices with an axis for the columns, even for a single one.
    pub(super) fn vectors(&mut self, starts: &StartIndices) -> ValueId {
        let mut sizes = starts.batch.clone();
        sizes.push(Dim::Known(starts.ranges.len() as i64));
        let value = self.int64(starts.value);
        self.reshape(value, &sizes)
    }

    /// Converts integers to `i32` or `i64`, which `Gather` reads. Accelerators have few kernels for `i64`, so `i32` stays.
    fn index(&mut self, value: ValueId) -> ValueId {
        if self.known_integers(value).is_none() && self.before_cast(value).is_none() {
            match self.element(value) {
                Element::I32 => return value,
                element if element.is_integer() && element.bits() < 32 => {
                    return self.cast(value, Element::I32);
                }
                _ => {}
            }
        }
        self.int64(value)
    }

    /// Converts integers to `i64`; saturates those of `ui64`.
    pub(super) fn int64(&mut self, value: ValueId) -> ValueId {
        let element = self.element(value);
        if element == Element::I64 {
            return value;
        }
        if let (Some(known), Ok(sizes)) = (self.known_integers(value), self.sizes(value)) {
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

    /// The `i64` value before a lossless cast to this integer type.
    fn before_cast(&self, value: ValueId) -> Option<ValueId> {
        let [before] = self.module.defining_operands(value, onnx::CAST)?;
        let own = ValueRange::of(self.element(value));
        let range = (self.element(before) == Element::I64).then(|| self.range(before))?;
        (own != ValueRange::ALL && range.low >= own.low && range.high <= own.high).then_some(before)
    }

    /// Selects columns. Without columns the value is meaningless.
    pub(super) fn select_columns(&mut self, starts: &StartIndices, columns: &[usize]) -> StartIndices {
        let all = starts.ranges.len();
        let ranges = columns.iter().map(|&column| starts.ranges[column]).collect();
        if columns.is_empty() || columns.len() == all && columns.is_sorted() {
            return StartIndices { value: starts.value, batch: starts.batch.clone(), ranges };
        }
        let mut sizes = starts.batch.clone();
        if columns.len() > 1 {
            sizes.push(Dim::Known(columns.len() as i64));
        }
        let separate = self.columns(starts).filter(|_| columns.len() == 1);
        let value = if let Some(parts) = separate {
            let column = self.reshape_back(parts[columns[0]], &starts.batch);
            let column = self.cast(column, self.element(starts.value));
            self.broadcast_to(column, &starts.batch)
        } else if let Some((known, mut sizes)) = self.known_starts(starts) {
            sizes.extend((columns.len() > 1).then_some(columns.len() as i64));
            let rows = known.chunks_exact(all);
            let kept: Vec<i64> = rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect();
            self.integers(Element::I64, &sizes, &kept)
        } else {
            let picked: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
            let picked = if let [column] = picked[..] {
                self.integer(Element::I64, column)
            } else {
                self.int64s(&picked)
            };
            let (axis, element) = (starts.batch.len() as i64, self.element(starts.value));
            self.node(onnx::GATHER, &[starts.value, picked]).int("axis", axis).out(element, &sizes)
        };
        StartIndices { value, batch: starts.batch.clone(), ranges }
    }

    /// Clamps each column from 0 to a limit, unless the range is already within.
    pub(super) fn clamp_columns(&mut self, starts: &StartIndices, limits: &[Dim]) -> StartIndices {
        let pairs = || starts.ranges.iter().zip(limits);
        if pairs().all(|(range, &limit)| range.within(&self.module.dim_exprs, limit)) {
            return starts.clone();
        }
        let ranges = pairs().map(|(range, &limit)| range.clamped(&self.module.dim_exprs, limit)).collect();
        let numbers: Option<Vec<i64>> = limits.iter().map(|limit| limit.known()).collect();
        let value = if let (Some(known), Ok(sizes), Some(limits)) =
            (self.known_integers(starts.value), self.sizes(starts.value), &numbers)
        {
            let clamped = known.iter().zip(limits.iter().cycle());
            let clamped: Vec<i64> = clamped.map(|(&start, &limit)| start.clamp(0, limit)).collect();
            self.integers(Element::I64, &sizes, &clamped)
        } else if let Some(clamped) = numbers.and_then(|limits| self.clamp_short(starts, &limits)) {
            clamped
        } else {
            let value = self.int64(starts.value);
            let low = self.integer(Element::I64, 0);
            if limits.iter().all(|&limit| limit == limits[0]) {
                let high = self.size_scalar(limits[0], Element::I64);
                self.bounded(value, low, high)
            } else {
                let high = self.shape(limits);
                let raised = self.larger(value, low);
                self.smaller(raised, high)
            }
        };
        StartIndices { value, batch: starts.batch.clone(), ranges }
    }

    /// Clamps one column of `i32`, for which `Max` and `Min` have more kernels than `Clip` on accelerators.
    fn clamp_short(&mut self, starts: &StartIndices, limits: &[i64]) -> Option<ValueId> {
        let (&[limit], &[range]) = (limits, &starts.ranges[..]) else { return None };
        if self.element(starts.value) != Element::I32 || !(0..=i64::from(i32::MAX)).contains(&limit) {
            return None;
        }
        let mut value = starts.value;
        if range.low < 0 {
            let low = self.integer(Element::I32, 0);
            value = self.elementwise(onnx::MAX, &[value, low]);
        }
        if range.high > limit {
            let high = self.integer(Element::I32, limit);
            value = self.elementwise(onnx::MIN, &[value, high]);
        }
        Some(value)
    }

    /// The dot product of each index vector and the strides, with the sizes `batch`.
    pub(super) fn linear(&mut self, starts: &StartIndices, strides: &[Dim]) -> ValueId {
        if strides.iter().all(|&stride| stride == Dim::Known(0)) {
            let zero = self.integer(Element::I64, 0);
            return self.broadcast_to(zero, &starts.batch);
        }
        let numbers: Option<Vec<i64>> = strides.iter().map(|stride| stride.known()).collect();
        if let (Some((known, batch)), Some(strides)) = (self.known_starts(starts), &numbers) {
            let sum = |row: &[i64]| {
                row.iter().zip(strides).fold(0, |sum: i64, (a, b)| sum.wrapping_add(a.wrapping_mul(*b)))
            };
            let sums: Vec<i64> = known.chunks_exact(strides.len()).map(sum).collect();
            return self.integers(Element::I64, &batch, &sums);
        }
        if strides == [Dim::Known(1)] {
            return starts.value;
        }
        let value = self.int64(starts.value);
        let scaled = if strides.iter().all(|&stride| stride == Dim::Known(1)) {
            value
        } else {
            let strides = if let [stride] = *strides {
                self.size_scalar(stride, Element::I64)
            } else {
                self.shape(strides)
            };
            self.elementwise(onnx::MUL, &[value, strides])
        };
        if strides.len() == 1 { scaled } else { self.sum_columns(scaled, &starts.batch) }
    }

    /// The components of the index vectors with the sizes `batch`, if they are separate values that a Concat joins.
    pub(super) fn columns(&self, starts: &StartIndices) -> Option<Vec<ValueId>> {
        let value = self.widened(starts.value).unwrap_or(starts.value);
        let op = self.module.defined_by(value, onnx::CONCAT)?;
        let columns = &self.module.op(op).operands;
        let last = self.rank(value) as i64 - 1;
        let is_column = |&column: &ValueId| self.dims(column).last() == Some(&Dim::Known(1));
        let fits = self.attributes(op).integer("axis").ok()? == last
            && columns.len() == starts.ranges.len()
            && columns.iter().all(is_column);
        fits.then(|| columns.to_vec())
    }

    /// The dot product of each index vector and the strides, if the components are separate values: as `i32` if it fits.
    pub(super) fn scaled_sum(&mut self, starts: &StartIndices, strides: &[Dim]) -> Option<ValueId> {
        let columns = self.columns(starts)?;
        let strides: Vec<i64> = strides.iter().map(|stride| stride.known()).collect::<Option<_>>()?;
        let highest = |(range, stride): (&ValueRange, &i64)| range.high.saturating_mul(*stride);
        let ends = starts.ranges.iter().zip(&strides).map(highest).fold(0i64, i64::saturating_add);
        let is_short = ends <= i64::from(i32::MAX) && starts.ranges.iter().all(|range| range.low >= 0);
        let mut sum = None;
        for (column, stride) in columns.into_iter().zip(strides) {
            let column = self.reshape_back(column, &starts.batch);
            let column = if is_short { column } else { self.int64(column) };
            let scaled = if stride == 1 {
                column
            } else {
                let stride = self.integer(self.element(column), stride);
                self.elementwise(onnx::MUL, &[column, stride])
            };
            sum = Some(sum.map_or(scaled, |sum| self.elementwise(onnx::ADD, &[sum, scaled])));
        }
        Some(self.broadcast_to(sum?, &starts.batch))
    }

    /// The sum over the last axis, which is not empty.
    pub(super) fn sum_columns(&mut self, value: ValueId, batch: &[Dim]) -> ValueId {
        // ONNX Runtime sums in f64, which holds every index of a tensor that fits into memory. For empty tensors it
        // keeps a dimension that is counted from the end.
        let axes = self.int64s(&[self.rank(value) as i64 - 1]);
        self.node(onnx::REDUCE_SUM, &[value, axes]).int("keepdims", 0).out(Element::I64, batch)
    }

    /// Adds strided offsets along the given axes to `value`, which has size 1 there or lacks these trailing axes.
    pub(super) fn add_counts(
        &mut self,
        value: ValueId,
        rank: usize,
        counts: &[(usize, StridedAxis)],
    ) -> ValueId {
        let value = if counts.is_empty() { value } else { self.int64(value) };
        let mut sizes = self.dims(value);
        sizes.resize(rank, Dim::Known(1));
        let mut value = self.reshape(value, &sizes);
        let number =
            |&(axis, count): &(usize, StridedAxis)| Some((axis, count.size.known()?, count.stride.known()?));
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
        for &(axis, StridedAxis { size, stride }) in counts {
            let mut offset = self.iota(Element::I64, rank, axis, size);
            if size.known().is_some() || stride != Dim::Known(1) {
                let stride = self.size_scalar(stride, Element::I64);
                offset = self.elementwise(onnx::MUL, &[offset, stride]);
            }
            value = self.add_positions(value, offset);
        }
        value
    }

    /// The sum of two `i64` values of one rank, folded if both are small constants.
    fn add_positions(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let (x, y) = (self.known_integers(a), self.known_integers(b));
        let is_zero = |known: &Option<Vec<i64>>| {
            known.as_ref().is_some_and(|all| all.iter().all(|&number| number == 0))
        };
        let dims = self.module.broadcast_dims(&[a, b]);
        if is_zero(&y) {
            return self.broadcast_to(a, &dims);
        }
        if is_zero(&x) && dims == self.dims(b) {
            return b;
        }
        let sizes: Option<Vec<i64>> = dims.iter().map(|dim| dim.known()).collect();
        let own = (self.sizes(a), self.sizes(b));
        let (Some(x), Some(y), Some(sizes), (Ok(of_a), Ok(of_b))) = (x, y, sizes, own) else {
            return self.elementwise(onnx::ADD, &[a, b]);
        };
        let count: i64 = sizes.iter().product();
        if count > LARGEST_FOLDED {
            return self.elementwise(onnx::ADD, &[a, b]);
        }
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
        let sums: Vec<i64> = (0..count).map(|flat| x[at(&of_a, flat)] + y[at(&of_b, flat)]).collect();
        self.integers(Element::I64, &sizes, &sums)
    }

    /// The numbers in a small constant with static sizes but the last.
    fn known_starts(&self, starts: &StartIndices) -> Option<(Vec<i64>, Vec<i64>)> {
        let batch = starts.batch.iter().map(|size| size.known()).collect::<Option<_>>()?;
        Some((self.known_integers(starts.value)?, batch))
    }
}

/// Row-major strides of a tensor of these sizes.
pub(super) fn strides<S: Size>(sizes: &DimExprs, of: &[S]) -> Dims {
    let mut strides: Dims = std::iter::repeat_n(Dim::Known(1), of.len()).collect();
    for axis in (1..of.len()).rev() {
        strides[axis - 1] = match of[axis].into() {
            Dim::Known(size) => sizes.multiply(strides[axis], Dim::Known(size.max(1))),
            size => sizes.multiply(strides[axis], size),
        };
    }
    strides
}
