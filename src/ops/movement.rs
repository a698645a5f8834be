//! ONNX ops that move elements, for the lowerings of all families.

use super::Lower;
use crate::ir::{Constant, Dim, Dims, Element, OpName, SCALAR, Size, ValueId, onnx};

fn dims_of<S: Size>(sizes: &[S]) -> Dims {
    sizes.iter().map(|&size| size.into()).collect()
}

impl Lower<'_> {
    /// Reshapes a value. Constants keep their bytes and change only their type.
    pub fn reshape<S: Size>(&mut self, value: ValueId, sizes: &[S]) -> ValueId {
        let (own, wanted) = (self.dims(value), dims_of(sizes));
        if own == wanted {
            return value;
        }
        if let Some(source) = self.reshaped(value).filter(|&source| self.dims(source) == wanted) {
            return source;
        }
        let element = self.element(value);
        if let Some(constant) = self.module.constant_of(value)
            && wanted.iter().all(|dim| dim.known().is_some())
        {
            let data = self.module.constant(constant).data.clone();
            let ty = self.module.tensor_of(element, &wanted);
            let reshaped = self.data_constant(Constant { ty, data });
            self.keep_weight_name(value, reshaped);
            return reshaped;
        }
        // A Reshape shape with a 0 can neither copy other sizes nor contain -1.
        if wanted.contains(&Dim::Known(0)) && wanted.iter().any(|dim| dim.known().is_none()) {
            return self.empty_tensor(element, &wanted);
        }
        let pattern = self.pattern(&own, &wanted);
        // Without `allowzero` a zero in the shape means "as in the input"; computed sizes are never 0.
        let may_be_zero = match pattern {
            Some(_) => wanted.contains(&Dim::Known(0)),
            None => !wanted.iter().all(|&dim| self.module.dim_exprs.is_at_least(dim, 1)),
        };
        let shape = match pattern {
            Some(pattern) => self.int64s(&pattern),
            None => self.shape(&wanted),
        };
        let node = self.node(onnx::RESHAPE, &[value, shape]);
        let node = if may_be_zero { node.int("allowzero", 1) } else { node };
        node.out(element, &wanted)
    }

    /// The shape operand of a Reshape.
    fn reshaped(&self, value: ValueId) -> Option<ValueId> {
        self.module.defining_operands(value, onnx::RESHAPE).map(|[before, _]| before)
    }

    /// The constant shape operand of a Reshape to symbolic sizes, if one exists: 0 copies a size of the input, and
    /// one size may be -1. `-1` is only valid when no other size can be 0.
    fn pattern(&self, own: &[Dim], wanted: &[Dim]) -> Option<Vec<i64>> {
        let mut rest = None;
        let pattern: Vec<i64> = wanted
            .iter()
            .enumerate()
            .map(|(axis, &dim)| match dim {
                Dim::Known(size) => size,
                _ if own.get(axis) == Some(&dim) => 0,
                _ => {
                    rest = Some((axis, rest.is_some()));
                    -1
                }
            })
            .collect();
        let has_zero = wanted.contains(&Dim::Known(0));
        let is_static = wanted.iter().all(|dim| dim.known().is_some());
        match rest {
            None if is_static || !has_zero => Some(pattern),
            Some((rest, false)) => {
                let mut others = wanted.iter().enumerate().filter(|&(axis, _)| axis != rest);
                others.all(|(_, &dim)| self.module.dim_exprs.is_at_least(dim, 1)).then_some(pattern)
            }
            _ => None,
        }
    }

    /// The operand of the Reshape that makes a value.
    pub fn before_reshape(&self, value: ValueId) -> Option<ValueId> {
        self.reshaped(value)
    }

    /// Whether a value is the result of a Reshape.
    pub fn is_reshaped(&self, value: ValueId) -> bool {
        self.reshaped(value).is_some()
    }

    /// Prepends dimensions of size 1 up to the given rank.
    pub fn ranked(&mut self, value: ValueId, rank: usize) -> ValueId {
        let dims = self.dims(value);
        if dims.len() >= rank {
            return value;
        }
        let mut ranked: Dims = std::iter::repeat_n(Dim::Known(1), rank - dims.len()).collect();
        ranked.extend(dims);
        self.reshape(value, &ranked)
    }

    /// Transposes a value: dimension `i` of the result is `permutation[i]` of the value.
    pub fn transpose(&mut self, value: ValueId, permutation: &[i64]) -> ValueId {
        if permutation.iter().enumerate().all(|(index, &from)| index as i64 == from) {
            return value;
        }
        if let Some((source, first)) = self.operand_of_transpose(value) {
            let both: Option<Vec<i64>> =
                permutation.iter().map(|&from| first.get(usize::try_from(from).ok()?).copied()).collect();
            if let Some(both) = both {
                return self.transpose(source, &both);
            }
        }
        let dims = self.dims(value);
        let moved: Dims = permutation.iter().map(|&from| dims[from as usize]).collect();
        // Moving dimensions of size 1 moves no element.
        let order = |axes: &mut dyn Iterator<Item = i64>| {
            axes.filter(|&axis| dims[axis as usize] != Dim::Known(1)).collect::<Vec<_>>()
        };
        if order(&mut permutation.iter().copied()) == order(&mut (0..dims.len() as i64)) {
            return self.reshape(value, &moved);
        }
        let element = self.element(value);
        self.node(onnx::TRANSPOSE, &[value]).ints("perm", permutation).out(element, &moved)
    }

    /// The operand and the permutation of a Transpose.
    fn operand_of_transpose(&self, value: ValueId) -> Option<(ValueId, Vec<i64>)> {
        let op = self.module.defined_by(value, onnx::TRANSPOSE)?;
        let order = self.attributes(op).integers("perm").ok()?;
        Some((*self.module.op(op).operands.first()?, order))
    }

    /// Casts a value with ONNX's `Cast`, which is undefined for floats out of range.
    pub fn cast(&mut self, value: ValueId, element: Element) -> ValueId {
        if self.element(value) == element {
            return value;
        }
        let dims = self.dims(value);
        self.node(onnx::CAST, &[value]).element("to", element).out(element, &dims)
    }

    /// Slices each dimension as `start`, `start + step`, ... before `limit`. With a negative step, a `limit` of -1
    /// includes the first element.
    pub fn slice<S: Size, L: Size>(
        &mut self,
        value: ValueId,
        starts: &[S],
        limits: &[L],
        steps: &[i64],
    ) -> ValueId {
        let dims = self.dims(value);
        let (mut from, mut to, mut axes, mut by) = (Dims::new(), Dims::new(), Vec::new(), Vec::new());
        let mut sliced = Dims::new();
        for (axis, &size) in dims.iter().enumerate() {
            let (start, limit, step): (Dim, Dim, i64) =
                (starts[axis].into(), limits[axis].into(), steps[axis]);
            sliced.push(self.sliced(start, limit, step));
            if (start, limit, step) == (Dim::Known(0), size, 1) {
                continue;
            }
            let from_last =
                step < 0 && start.known().zip(size.known()).is_some_and(|(start, size)| start + 1 == size);
            // ONNX Runtime's symbolic shape inference counts one element too few from any other last position.
            from.push(if from_last { Dim::Known(-1) } else { self.counted_from_end(start, size) });
            to.push(match limit {
                // ONNX counts negative limits from the end; the lowest number means "down to the first".
                Dim::Known(-1) if step < 0 => Dim::Known(i64::MIN + 1),
                _ if limit == size && limit.known().is_none() => Dim::Known(i64::MAX),
                _ => self.counted_from_end(limit, size),
            });
            axes.push(axis as i64);
            by.push(step);
        }
        if axes.is_empty() {
            return value;
        }
        let element = self.element(value);
        let mut operands = vec![value, self.shape(&from), self.shape(&to), self.int64s(&axes)];
        if by.iter().any(|&step| step != 1) {
            operands.push(self.int64s(&by));
        }
        self.node(onnx::SLICE, &operands).out(element, &sliced)
    }

    /// The number of elements in a slice.
    fn sliced(&self, start: Dim, limit: Dim, step: i64) -> Dim {
        let sizes = &self.module.dim_exprs;
        let distance = if step > 0 { sizes.subtract(limit, start) } else { sizes.subtract(start, limit) };
        match distance {
            Dim::Known(distance) => Dim::Known((distance.max(0) + step.abs() - 1) / step.abs()),
            distance => sizes.quotient_up(distance, Dim::Known(step.abs())),
        }
    }

    /// An index this many elements before the end of a dynamic dimension, in ONNX's form.
    fn counted_from_end(&self, place: Dim, size: Dim) -> Dim {
        let back = self.module.dim_exprs.subtract(place, size);
        match back {
            Dim::Known(back) if back < 0 && place.known().is_none() => Dim::Known(back),
            _ => place,
        }
    }

    /// Concatenates values along a dimension.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> ValueId {
        if let [value] = values {
            return *value;
        }
        let mut dims = self.dims(values[0]);
        dims[axis] = self.module.dim_exprs.sum(values.iter().map(|&value| self.dims(value)[axis]));
        let element = self.element(values[0]);
        self.node(onnx::CONCAT, values).int("axis", axis as i64).out(element, &dims)
    }

    /// Pads each dimension with `low` elements before and `high` after it, whose value is the scalar `padding`;
    /// negative amounts crop.
    pub fn pad<S: Size>(&mut self, value: ValueId, low: &[S], high: &[S], padding: ValueId) -> ValueId {
        let pads: Dims = low.iter().chain(high).map(|&amount| amount.into()).collect();
        if pads.iter().all(|&amount| amount == Dim::Known(0)) {
            return value;
        }
        let rank = low.len();
        let own = self.dims(value);
        let sizes = &self.module.dim_exprs;
        let padded: Dims =
            (0..rank).map(|axis| sizes.sum([own[axis], pads[axis], pads[axis + rank]])).collect();
        let pads = self.shape(&pads);
        let padding = self.reshape(padding, SCALAR);
        let element = self.element(value);
        self.node(onnx::PAD, &[value, pads, padding]).out(element, &padded)
    }

    /// `0, 1, ..., size - 1` along one dimension, with size 1 in the others.
    pub fn iota(&mut self, element: Element, rank: usize, axis: usize, size: impl Size) -> ValueId {
        let size = size.into();
        let mut dims: Dims = std::iter::repeat_n(Dim::Known(1), rank).collect();
        if rank > 0 {
            dims[axis] = size;
        }
        if let Dim::Known(count) = size
            && count <= LARGEST_IOTA
        {
            let values: Vec<i64> = (0..count).collect();
            let sizes: Vec<i64> = dims.iter().filter_map(|dim| dim.known()).collect();
            return self.integers(element, &sizes, &values);
        }
        // Range has kernels for few types, and i64 holds every number of a dimension.
        let (start, step) = (self.integer(Element::I64, 0), self.integer(Element::I64, 1));
        let limit = self.size_scalar(size, Element::I64);
        let range = self.node(onnx::RANGE, &[start, limit, step]).out(Element::I64, &[size]);
        let range = self.cast(range, element);
        self.reshape(range, &dims)
    }

    /// An elementwise ONNX op whose operands have one element type and broadcast.
    pub fn elementwise(&mut self, name: OpName, operands: &[ValueId]) -> ValueId {
        let element = self.element(operands[0]);
        self.elementwise_to(name, operands, element)
    }

    /// An elementwise ONNX op whose result has another element type, such as a comparison.
    pub fn elementwise_to(&mut self, name: OpName, operands: &[ValueId], element: Element) -> ValueId {
        // Without BitwiseNot: `~x` is `-1 - x`, where -1 has all bits. ONNX Runtime subtracts no `ui64`.
        if let (onnx::BITWISE_NOT, &[value]) = (name, operands)
            && !self.has(name)
            && element != Element::U64
        {
            let ones = self.integer(element, -1);
            return self.elementwise(onnx::SUB, &[ones, value]);
        }
        if let (onnx::ADD, &[x, y]) = (name, operands)
            && let Some(sum) = self.added_before_split(x, y).or_else(|| self.added_before_split(y, x))
        {
            return sum;
        }
        let dims = self.module.broadcast_dims(operands);
        self.node(name, operands).out(element, &dims)
    }

    /// The sum of a value whose last dimension a Reshape splits, as that of heads, and a constant with the dimensions of the
    /// split. It is computed before the split, so that another Reshape can cancel this one.
    fn added_before_split(&mut self, split: ValueId, constant: ValueId) -> Option<ValueId> {
        let source = self.reshaped(split)?;
        self.module.constant_of(constant)?;
        let (own, wanted, added) = (self.dims(source), self.dims(split), self.dims(constant));
        let (last, before) = own.split_last()?;
        let parts = wanted.get(before.len()..).filter(|parts| parts.len() > 1)?;
        let count = parts.iter().try_fold(1i64, |count, part| count.checked_mul(part.known()?))?;
        let (ones, rest) = added.split_at_checked(added.len().checked_sub(parts.len())?)?;
        let fits = wanted[..before.len()] == *before
            && *last == Dim::Known(count)
            && rest == parts
            && ones.iter().all(|&dim| dim == Dim::Known(1));
        fits.then(|| {
            let flat = self.reshape(constant, &[count]);
            let sum = self.elementwise(onnx::ADD, &[source, flat]);
            self.reshape(sum, &wanted)
        })
    }
}

/// Longer ranges are computed at run time.
const LARGEST_IOTA: i64 = 4096;
