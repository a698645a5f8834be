//! ONNX ops that move elements about, as the lowerings of all families use them.

use super::Lower;
use crate::ir::{Constant, Dim, Dims, Element, OpName, SCALAR, Size, ValueId, onnx};

fn dims_of<S: Size>(sizes: &[S]) -> Dims {
    sizes.iter().map(|&size| size.into()).collect()
}

impl Lower<'_> {
    /// The value with other sizes of the same product. Constants change their type and no byte.
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
        // A Reshape can neither say a 0 beside sizes that it copies nor find out what is left over of nothing.
        if wanted.contains(&Dim::Known(0)) && wanted.iter().any(|dim| dim.known().is_none()) {
            return self.empty_tensor(element, &wanted);
        }
        let pattern = self.pattern(&own, &wanted);
        // Without `allowzero` a zero in the shape means "as in the input", which a computed one never does.
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

    /// What a Reshape has another shape of.
    fn reshaped(&self, value: ValueId) -> Option<ValueId> {
        let op = self.module.defining_op(value).filter(|&op| self.module.op(op).name == onnx::RESHAPE)?;
        self.module.op(op).operands.first().copied()
    }

    /// The operand of a Reshape to sizes of which some are expressions, where numbers can say it: 0 is "as in the
    /// input", and one size may be -1, "what is left". Of nothing, nothing is left over, so that takes sizes that are
    /// never 0.
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

    /// The value with leading dimensions of size 1, so that it has this rank.
    pub fn ranked(&mut self, value: ValueId, rank: usize) -> ValueId {
        let dims = self.dims(value);
        if dims.len() >= rank {
            return value;
        }
        let mut ranked: Dims = std::iter::repeat_n(Dim::Known(1), rank - dims.len()).collect();
        ranked.extend(dims);
        self.reshape(value, &ranked)
    }

    /// The value with its dimensions permuted: dimension `i` of the result is `permutation[i]` of the value.
    pub fn transpose(&mut self, value: ValueId, permutation: &[i64]) -> ValueId {
        if permutation.iter().enumerate().all(|(index, &from)| index as i64 == from) {
            return value;
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

    /// The value with another element type, by ONNX's `Cast` (out-of-range floats are undefined there).
    pub fn cast(&mut self, value: ValueId, element: Element) -> ValueId {
        if self.element(value) == element {
            return value;
        }
        let dims = self.dims(value);
        self.node(onnx::CAST, &[value]).element("to", element).out(element, &dims)
    }

    /// The elements `start`, `start + step`, ... before `limit` of each dimension; a negative step goes down, and
    /// then a `limit` of -1 includes the first element.
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
            from.push(self.counted_from_end(start, size));
            to.push(match limit {
                // ONNX counts a negative limit from the end; the lowest number means "down to the first".
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

    /// How many elements a slice takes.
    fn sliced(&self, start: Dim, limit: Dim, step: i64) -> Dim {
        let sizes = &self.module.dim_exprs;
        let distance = if step > 0 { sizes.subtract(limit, start) } else { sizes.subtract(start, limit) };
        match distance {
            Dim::Known(distance) => Dim::Known((distance.max(0) + step.abs() - 1) / step.abs()),
            distance => sizes.quotient_up(distance, Dim::Known(step.abs())),
        }
    }

    /// A place that is this many elements before the end of a dynamic dimension, as ONNX counts it.
    fn counted_from_end(&self, place: Dim, size: Dim) -> Dim {
        let back = self.module.dim_exprs.subtract(place, size);
        match back {
            Dim::Known(back) if back < 0 && place.known().is_none() => Dim::Known(back),
            _ => place,
        }
    }

    /// The values one after the other along a dimension.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> ValueId {
        if let [value] = values {
            return *value;
        }
        let mut dims = self.dims(values[0]);
        dims[axis] = self.module.dim_exprs.sum(values.iter().map(|&value| self.dims(value)[axis]));
        let element = self.element(values[0]);
        self.node(onnx::CONCAT, values).int("axis", axis as i64).out(element, &dims)
    }

    /// The value with `low` elements before and `high` after it in each dimension, which are `padding`, a scalar;
    /// negative numbers cut off.
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
            let sizes: Vec<i64> = dims.iter().map(|&dim| self.number(dim)).collect();
            return self.integers(element, &sizes, &values);
        }
        // Range has kernels for few types, and i64 holds every number of a dimension.
        let (start, step) = (self.integer(Element::I64, 0), self.integer(Element::I64, 1));
        let limit = self.size_scalar(size, Element::I64);
        let range = self.node(onnx::RANGE, &[start, limit, step]).out(Element::I64, &[size]);
        let range = self.cast(range, element);
        self.reshape(range, &dims)
    }

    /// An elementwise ONNX op on operands of one element type, which broadcast.
    pub fn elementwise(&mut self, name: OpName, operands: &[ValueId]) -> ValueId {
        let element = self.element(operands[0]);
        self.elementwise_to(name, operands, element)
    }

    /// An elementwise ONNX op with another element type as its result, such as a comparison.
    pub fn elementwise_to(&mut self, name: OpName, operands: &[ValueId], element: Element) -> ValueId {
        let dims = self.broadcast_dims(operands);
        self.node(name, operands).out(element, &dims)
    }

    /// The sizes that values have after ONNX has broadcast them against each other.
    pub fn broadcast_dims(&self, values: &[ValueId]) -> Dims {
        let all: Vec<Dims> = values.iter().map(|&value| self.dims(value)).collect();
        let rank = all.iter().map(|dims| dims.len()).max().unwrap_or(0);
        let size = |axis: usize| {
            // Those that are not 1 are equal in every run, and a number says more than an expression.
            all.iter()
                .filter_map(|dims| (axis + dims.len()).checked_sub(rank).map(|own| dims[own]))
                .filter(|&dim| dim != Dim::Known(1))
                .min()
                .unwrap_or(Dim::Known(1))
        };
        (0..rank).map(size).collect()
    }

    /// As [`Lower::broadcast_dims`], as numbers; see [`Lower::sizes`].
    pub fn broadcast_sizes(&self, values: &[ValueId]) -> Vec<i64> {
        self.broadcast_dims(values).into_iter().map(|dim| self.number(dim)).collect()
    }
}

/// Longer counts are computed when the model runs.
const LARGEST_IOTA: i64 = 4096;
