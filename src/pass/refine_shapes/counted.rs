//! Simplifies gathers with counting indices: `start`, `start + step`, ... is a slice, and repeated indices resize an
//! image to its nearest elements.
//!
//! JAX prints a strided slice of a symbolic dimension as a gather with indices `start + step * iota`; a negative step
//! reverses indices and result. `jax.image.resize` computes the nearest indices in f32: `floor((iota + 0.5) * from /
//! to)`. If `from` is a multiple of `to` or `to` of `from`, these are integers that count; other ratios stay a
//! gather.

use super::values::ShapeValues;
use crate::ir::{
    Attribute, Dim, Dims, Element, Module, OpId, Rewriter, TensorType, Type, ValueId, hlo2onnx, stablehlo,
};
use crate::ops::{GatherDimensionNumbers, OpAttributes};
use crate::pass::canonicalize::simplify::float_number;
use crate::source::Source;

/// Limits how many ops compute indices.
const DEPTH: usize = 16;

/// Larger resize factors stay a gather.
const LARGEST_FACTOR: i64 = 32;

/// The element types with a Resize kernel in ONNX Runtime.
pub(in crate::pass) const RESIZED: &[Element] =
    &[Element::F16, Element::F32, Element::I8, Element::I32, Element::U8];

/// The indices along a dimension as a function of `i`.
#[derive(Clone, Copy)]
enum Positions {
    /// `start + step * i`.
    Counted { start: Dim, step: i64 },
    /// `i / times`, rounded down.
    Repeated { times: i64 },
}

/// Access to the program at the gather.
struct Reader<'a> {
    module: &'a Module,
    source: &'a Source,
    values: &'a ShapeValues,
}

/// The value that replaces a gather; its ops are inserted before it.
pub(super) fn simplify(
    rewriter: &mut Rewriter,
    source: &Source,
    op: OpId,
    values: &ShapeValues,
) -> Option<ValueId> {
    let module = &*rewriter.module;
    if module.op(op).name != stablehlo::GATHER {
        return None;
    }
    let (&[operand, indices], &[result]) = (&module.op(op).operands[..], &module.op(op).results[..]) else {
        return None;
    };
    let axes = axes_of_gather(module, op)?;
    let (from, to) = (module.tensor(operand)?, module.tensor(result)?);
    let is_static = |&axis: &usize| from.dims[axis].known().is_some() && to.dims[axis].known().is_some();
    if !from.is_sized() || !to.is_sized() || axes.iter().all(is_static) {
        return None;
    }
    let reader = Reader { module, source, values };
    let counts: Dims = axes.iter().map(|&axis| to.dims[axis]).collect();
    let found = reader.columns(indices, &counts)?;
    if let (&[Positions::Repeated { times }], &[axis]) = (found.as_slice(), axes.as_slice()) {
        let fits = module.dim_exprs.multiply(from.dims[axis], Dim::Known(times)) == to.dims[axis];
        let resized = fits && RESIZED.contains(&from.element);
        return resized.then(|| resize(rewriter, op, operand, axis, times))?;
    }
    let mut cut = SliceBuilder::of(from);
    for (&axis, positions) in axes.iter().zip(found) {
        let Positions::Counted { start, step } = positions else { return None };
        cut.take(module, axis, start, step, to.dims[axis])?;
    }
    Some(cut.insert(rewriter, operand))
}

/// The dimension from which a gather takes single indices, if all others are whole and in order.
pub(in crate::pass) fn axis_of_gather(module: &Module, op: OpId) -> Option<usize> {
    match axes_of_gather(module, op)?[..] {
        [axis] => Some(axis),
        _ => None,
    }
}

/// The dimensions from which a gather takes single indices, each from one index dimension, if all others are whole
/// and all are in order.
fn axes_of_gather(module: &Module, op: OpId) -> Option<Vec<usize>> {
    let numbers = GatherDimensionNumbers::read(module, op).ok()?;
    let map = numbers.start_index_map;
    let batch = map.len();
    let &[operand, indices] = &module.op(op).operands[..] else { return None };
    let dims = &module.tensor(operand)?.dims;
    let others = (0..dims.len()).filter(|dim| !map.contains(dim));
    let is_in_order = !map.is_empty() && map.is_sorted() && map == numbers.collapsed_slice_dims;
    let is_plain = numbers.operand_batching_dims.is_empty() && others.eq(numbers.offset_dims.iter().copied());
    let rank = module.tensor(indices)?.rank();
    let is_batch = numbers.index_vector_dim == batch && (rank == batch + 1 || (batch, rank) == (1, 1));
    let window = OpAttributes::of(module, op).sizes("slice_sizes").ok()?;
    let is_whole = window.len() == dims.len()
        && (0..dims.len())
            .all(|dim| window[dim] == if map.contains(&dim) { Dim::Known(1) } else { dims[dim] });
    (is_in_order && is_plain && is_whole && is_batch).then_some(map)
}

/// A slice followed by a reversal.
struct SliceBuilder {
    from: TensorType,
    starts: Dims,
    limits: Dims,
    strides: Vec<i64>,
    reversed: Vec<i64>,
    to: Dims,
}

impl SliceBuilder {
    fn of(from: &TensorType) -> Self {
        Self {
            starts: from.dims.iter().map(|_| Dim::Known(0)).collect(),
            limits: from.dims.clone(),
            strides: vec![1; from.dims.len()],
            reversed: Vec::new(),
            to: from.dims.clone(),
            from: from.clone(),
        }
    }

    /// Slices `start`, `start + step`, ... along a dimension, reversed if they count down. A gather clamps its
    /// indices, so all of them must be in range.
    fn take(&mut self, module: &Module, axis: usize, start: Dim, step: i64, count: Dim) -> Option<()> {
        let sizes = &module.dim_exprs;
        let size = self.from.dims[axis];
        let steps = sizes.multiply(Dim::Known(step), sizes.subtract(count, Dim::Known(1)));
        let last = sizes.add(start, steps);
        let (low, high) = if step > 0 { (start, last) } else { (last, start) };
        let inside = sizes.is_at_least(low, 0) && sizes.is_at_least(sizes.subtract(size, high), 1);
        if step == 0 || !inside || (step < 0 && !sizes.is_at_least(count, 1)) {
            return None;
        }
        let up_to_end = sizes.quotient_up(sizes.subtract(size, low), Dim::Known(step.abs())) == count;
        self.limits[axis] = if up_to_end { size } else { sizes.larger(low, sizes.add(high, Dim::Known(1))) };
        (self.starts[axis], self.strides[axis], self.to[axis]) = (low, step.abs(), count);
        if step < 0 {
            self.reversed.push(axis as i64);
        }
        Some(())
    }

    fn insert(self, rewriter: &mut Rewriter, operand: ValueId) -> ValueId {
        let module = &mut *rewriter.module;
        let is_all = self.starts.iter().all(|&start| start == Dim::Known(0))
            && self.limits == self.from.dims
            && self.strides.iter().all(|&stride| stride == 1);
        let to = TensorType { dims: self.to, ..self.from };
        let ty = module.types.intern(Type::Tensor(to));
        let mut value = operand;
        if !is_all {
            let attributes = [
                ("start_indices", Attribute::of_sizes(&self.starts)),
                ("limit_indices", Attribute::of_sizes(&self.limits)),
                ("strides", Attribute::Integers(Element::I64, self.strides.into())),
            ];
            value = rewriter.create(stablehlo::SLICE, &[value]).attrs(attributes).of(ty);
        }
        if !self.reversed.is_empty() {
            value = rewriter.create(stablehlo::REVERSE, &[value]).ints("dimensions", &self.reversed).of(ty);
        }
        value
    }
}

/// The operand with each element repeated `times` along a dimension, merged with an earlier resize.
fn resize(rewriter: &mut Rewriter, op: OpId, operand: ValueId, axis: usize, times: i64) -> Option<ValueId> {
    let module = &*rewriter.module;
    let inner = module.defined_by(operand, hlo2onnx::REPEAT);
    let (operand, mut scales) = match inner {
        Some(inner) => {
            let scales = module.integers(module.attribute(inner, "scales")?)?;
            (*module.op(inner).operands.first()?, scales)
        }
        None => (operand, vec![1; module.tensor(operand)?.rank()]),
    };
    scales[axis] *= times;
    let result = module.op(op).results[0];
    Some(rewriter.create(hlo2onnx::REPEAT, &[operand]).ints("scales", &scales).like(result))
}

impl Reader<'_> {
    /// The indices that a gather takes along each of this many dimensions. Several dimensions are columns, each of
    /// which must depend on a single batch dimension.
    fn columns(&self, indices: ValueId, counts: &[Dim]) -> Option<Vec<Positions>> {
        if counts.len() == 1 {
            return Some(vec![self.positions(indices, DEPTH)?]);
        }
        let op = self.module.defined_by(indices, stablehlo::CONCATENATE)?;
        let columns = &self.module.op(op).operands;
        let last = self.module.attribute(op, "dimension").and_then(Attribute::as_integer)?;
        if columns.len() != counts.len() || last != counts.len() as i64 {
            return None;
        }
        let column = |(axis, &column): (usize, &ValueId)| {
            let spread = self.module.defined_by(column, stablehlo::BROADCAST_IN_DIM)?;
            let along = OpAttributes::of(self.module, spread).positions("broadcast_dimensions").ok()?;
            let &own = self.module.op(spread).operands.first()?;
            let is_along = *along == [axis] && self.module.tensor(own)?.dims[..] == counts[axis..=axis];
            is_along.then(|| self.positions(own, DEPTH))?
        };
        columns.iter().enumerate().map(column).collect()
    }

    /// The splat size of an integer tensor.
    fn size(&self, value: ValueId) -> Option<Dim> {
        let spread = self.module.defining_operands(value, stablehlo::BROADCAST_IN_DIM);
        let value = spread.map_or(value, |[value]| value);
        match self.values.of(self.module, value)?[..] {
            [size] if size != Dim::Dynamic => Some(size),
            _ => None,
        }
    }

    /// The splat size of a float tensor.
    fn float_size(&self, value: ValueId) -> Option<Dim> {
        let spread = self.module.defining_operands(value, stablehlo::BROADCAST_IN_DIM);
        let value = spread.map_or(value, |[value]| value);
        let converted = self.module.defining_operands(value, stablehlo::CONVERT);
        if let Some(size) = converted.and_then(|[value]| self.size(value)) {
            return Some(size);
        }
        let number = float_number(self.module, self.source, value)?;
        (number.fract() == 0.0 && number.abs() < 1e9).then_some(Dim::Known(number as i64))
    }

    /// The number of indices in a tensor whose other dimensions are 1.
    fn count(&self, value: ValueId) -> Option<Dim> {
        let dims = &self.module.tensor(value)?.dims;
        let mut own = dims.iter().filter(|&&dim| dim != Dim::Known(1));
        let count = own.next().copied().unwrap_or(Dim::Known(1));
        (own.next().is_none() && count != Dim::Dynamic).then_some(count)
    }

    fn positions(&self, value: ValueId, depth: usize) -> Option<Positions> {
        let depth = depth.checked_sub(1)?;
        if let Some(size) = self.size(value) {
            return Some(Positions::Counted { start: size, step: 0 });
        }
        // Narrower integers could wrap.
        if self.module.tensor(value)?.element.bits() < 32 {
            return None;
        }
        if let Some(counted) = self.listed(value) {
            return Some(counted);
        }
        let sizes = &self.module.dim_exprs;
        let op = self.module.defining_op(value)?;
        let operands = &self.module.op(op).operands;
        let counted = |value: ValueId| match self.positions(value, depth)? {
            Positions::Counted { start, step } => Some((start, step)),
            Positions::Repeated { .. } => None,
        };
        let (start, step) = match (self.module.op(op).name, &operands[..]) {
            (stablehlo::IOTA, []) if self.module.tensor(value)?.rank() == 1 => (Dim::Known(0), 1),
            (stablehlo::BROADCAST_IN_DIM, &[x]) => {
                let is_leading =
                    OpAttributes::of(self.module, op).positions("broadcast_dimensions").ok()?.is_sorted();
                let same = is_leading && self.count(x)? == self.count(value)?;
                return same.then(|| self.positions(x, depth))?;
            }
            (stablehlo::RESHAPE, &[x]) => {
                let same = self.count(x)? == self.count(value)?;
                return same.then(|| self.positions(x, depth))?;
            }
            (stablehlo::CONVERT, &[x]) if self.module.tensor(x)?.element.is_float() => {
                return self.nearest(x);
            }
            (stablehlo::CONVERT, &[x]) => return self.positions(x, depth),
            (stablehlo::SELECT, &[condition, _, plain]) => {
                let found = self.positions(plain, depth)?;
                return (self.is_below_zero(condition, plain) && self.is_natural(found, plain))
                    .then_some(found);
            }
            (stablehlo::REVERSE, &[x]) => {
                let (start, step) = counted(x)?;
                let steps = sizes.subtract(self.count(value)?, Dim::Known(1));
                (sizes.add(start, sizes.multiply(Dim::Known(step), steps)), -step)
            }
            (stablehlo::ADD, &[x, y]) => {
                let ((x, first), (y, second)) = (counted(x)?, counted(y)?);
                (sizes.add(x, y), first.checked_add(second)?)
            }
            (stablehlo::SUBTRACT, &[x, y]) => {
                let ((x, first), (y, second)) = (counted(x)?, counted(y)?);
                (sizes.subtract(x, y), first.checked_sub(second)?)
            }
            (stablehlo::MULTIPLY, &[x, y]) => match (counted(x)?, counted(y)?) {
                ((Dim::Known(factor), 0), (start, step)) | ((start, step), (Dim::Known(factor), 0)) => {
                    (sizes.multiply(start, Dim::Known(factor)), step.checked_mul(factor)?)
                }
                _ => return None,
            },
            _ => return None,
        };
        (start != Dim::Dynamic).then_some(Positions::Counted { start, step })
    }

    /// Indices from a constant list, for dimensions with static size.
    fn listed(&self, value: ValueId) -> Option<Positions> {
        let all = self.values.of(self.module, value)?;
        let numbers: Vec<i64> = all.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
        let &[first, second, ..] = numbers.as_slice() else { return None };
        let step = second.checked_sub(first)?;
        let counts = numbers.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
        counts.then_some(Positions::Counted { start: Dim::Known(first), step })
    }

    /// Whether a condition tests indices for being negative.
    fn is_below_zero(&self, condition: ValueId, of: ValueId) -> bool {
        let Some([left, zero]) = self.module.defining_operands(condition, stablehlo::COMPARE) else {
            return false;
        };
        let word = self
            .module
            .defined_by(condition, stablehlo::COMPARE)
            .and_then(|op| self.module.word(self.module.attribute(op, "comparison_direction")?));
        left == of && word == Some("LT") && self.size(zero) == Some(Dim::Known(0))
    }

    /// Whether all indices are known to be non-negative.
    fn is_natural(&self, found: Positions, value: ValueId) -> bool {
        let sizes = &self.module.dim_exprs;
        let Positions::Counted { start, step } = found else { return true };
        let last = self.count(value).map(|count| {
            sizes.add(start, sizes.multiply(Dim::Known(step), sizes.subtract(count, Dim::Known(1))))
        });
        sizes.is_at_least(start, 0) && (step >= 0 || last.is_some_and(|last| sizes.is_at_least(last, 0)))
    }

    /// `floor((iota + 0.5) * from / to)`. Sizes up to 4096 are exact in f32.
    fn nearest(&self, value: ValueId) -> Option<Positions> {
        let [quotient] = self.module.defining_operands(value, stablehlo::FLOOR)?;
        let [product, to] = self.module.defining_operands(quotient, stablehlo::DIVIDE)?;
        let [sum, from] = self.module.defining_operands(product, stablehlo::MULTIPLY)?;
        let (from, to) = (self.float_size(from)?, self.float_size(to)?);
        let (half, step) = self.affine(sum, DEPTH)?;
        let is_exact = self.module.tensor(value)?.element.bits() >= 32;
        if !is_exact || half != 0.5 || step != 1.0 || from == to {
            return None;
        }
        let sizes = &self.module.dim_exprs;
        let is_multiple = |large: Dim, small: Dim| {
            (2..=LARGEST_FACTOR).find(|&times| sizes.multiply(small, Dim::Known(times)) == large)
        };
        if let Some(times) = is_multiple(to, from) {
            return Some(Positions::Repeated { times });
        }
        let step = is_multiple(from, to)?;
        Some(Positions::Counted { start: Dim::Known(step / 2), step })
    }

    /// Floats of the form `start + step * iota`.
    fn affine(&self, value: ValueId, depth: usize) -> Option<(f64, f64)> {
        let depth = depth.checked_sub(1)?;
        if let Some(number) = float_number(self.module, self.source, value) {
            return Some((number, 0.0));
        }
        let op = self.module.defining_op(value)?;
        match (self.module.op(op).name, &self.module.op(op).operands[..]) {
            (stablehlo::IOTA, []) if self.module.tensor(value)?.rank() == 1 => Some((0.0, 1.0)),
            (stablehlo::ADD, &[x, y]) => {
                let ((x, first), (y, second)) = (self.affine(x, depth)?, self.affine(y, depth)?);
                Some((x + y, first + second))
            }
            (stablehlo::MULTIPLY, &[x, y]) => match (self.affine(x, depth)?, self.affine(y, depth)?) {
                ((factor, 0.0), (start, step)) | ((start, step), (factor, 0.0)) => {
                    Some((start * factor, step * factor))
                }
                _ => None,
            },
            _ => None,
        }
    }
}
