//! ONNX ops that move elements about, as the lowerings of all families use them.

use super::Lower;
use crate::ir::{Constant, Element, ValueId};

impl Lower<'_> {
    /// The value with other sizes of the same product. Constants change their type and no byte.
    pub fn reshape(&mut self, value: ValueId, sizes: &[i64]) -> ValueId {
        if self.sizes(value) == sizes {
            return value;
        }
        let element = self.element(value);
        if let Some(constant) = self.module.constant_of(value) {
            let data = self.module.constant(constant).data.clone();
            let ty = self.module.tensor_of(element, sizes);
            return self.data_constant(Constant { ty, data });
        }
        let shape = self.int64s(sizes);
        let node = self.node("Reshape", &[value, shape]);
        // Without `allowzero` a zero in the shape means "as in the input".
        let node = if sizes.contains(&0) { node.int("allowzero", 1) } else { node };
        node.out(element, sizes)
    }

    /// The value with leading dimensions of size 1, so that it has this rank.
    pub fn ranked(&mut self, value: ValueId, rank: usize) -> ValueId {
        let sizes = self.sizes(value);
        if sizes.len() >= rank {
            return value;
        }
        let mut ranked = vec![1; rank - sizes.len()];
        ranked.extend(sizes);
        self.reshape(value, &ranked)
    }

    /// The value with its dimensions permuted: dimension `i` of the result is `permutation[i]` of the value.
    pub fn transpose(&mut self, value: ValueId, permutation: &[i64]) -> ValueId {
        if permutation.iter().enumerate().all(|(index, &from)| index as i64 == from) {
            return value;
        }
        let sizes = self.sizes(value);
        let moved: Vec<i64> = permutation.iter().map(|&from| sizes[from as usize]).collect();
        // Moving dimensions of size 1 moves no element.
        let order = |dims: &mut dyn Iterator<Item = i64>| {
            dims.filter(|&dim| sizes[dim as usize] != 1).collect::<Vec<_>>()
        };
        if order(&mut permutation.iter().copied()) == order(&mut (0..sizes.len() as i64)) {
            return self.reshape(value, &moved);
        }
        let element = self.element(value);
        self.node("Transpose", &[value]).ints("perm", permutation).out(element, &moved)
    }

    /// The value with another element type, by ONNX's `Cast` (out-of-range floats are undefined there).
    pub fn cast(&mut self, value: ValueId, element: Element) -> ValueId {
        if self.element(value) == element {
            return value;
        }
        let sizes = self.sizes(value);
        self.node("Cast", &[value]).element("to", element).out(element, &sizes)
    }

    /// The elements `start`, `start + step`, ... before `limit` of each dimension; a negative step goes down, and
    /// then a `limit` of -1 includes the first element.
    pub fn slice(&mut self, value: ValueId, starts: &[i64], limits: &[i64], steps: &[i64]) -> ValueId {
        let sizes = self.sizes(value);
        let (mut from, mut to, mut axes, mut by) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut sliced = Vec::with_capacity(sizes.len());
        for (axis, &size) in sizes.iter().enumerate() {
            let (start, limit, step) = (starts[axis], limits[axis], steps[axis]);
            let distance = if step > 0 { limit - start } else { start - limit };
            sliced.push((distance.max(0) + step.abs() - 1) / step.abs());
            if (start, limit, step) == (0, size, 1) {
                continue;
            }
            from.push(start);
            // ONNX counts a negative limit from the end; the lowest number means "down to the first".
            to.push(if step < 0 && limit < 0 { i64::MIN + 1 } else { limit });
            axes.push(axis as i64);
            by.push(step);
        }
        if axes.is_empty() {
            return value;
        }
        let element = self.element(value);
        let mut operands = vec![value, self.int64s(&from), self.int64s(&to), self.int64s(&axes)];
        if by.iter().any(|&step| step != 1) {
            operands.push(self.int64s(&by));
        }
        self.node("Slice", &operands).out(element, &sliced)
    }

    /// The values one behind the other along a dimension.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> ValueId {
        if let [value] = values {
            return *value;
        }
        let mut sizes = self.sizes(values[0]);
        sizes[axis] = values.iter().map(|&value| self.sizes(value)[axis]).sum();
        let element = self.element(values[0]);
        self.node("Concat", values).int("axis", axis as i64).out(element, &sizes)
    }

    /// The value with `low` elements before and `high` behind it in each dimension, which are `padding`, a scalar;
    /// negative numbers cut off.
    pub fn pad(&mut self, value: ValueId, low: &[i64], high: &[i64], padding: ValueId) -> ValueId {
        if low.iter().chain(high).all(|&amount| amount == 0) {
            return value;
        }
        let sizes = self.sizes(value);
        let padded: Vec<i64> =
            sizes.iter().enumerate().map(|(axis, size)| size + low[axis] + high[axis]).collect();
        let pads: Vec<i64> = low.iter().chain(high).copied().collect();
        let pads = self.int64s(&pads);
        let padding = self.reshape(padding, &[]);
        let element = self.element(value);
        self.node("Pad", &[value, pads, padding]).out(element, &padded)
    }

    /// `0, 1, ..., size - 1` along one dimension, with size 1 in the others.
    pub fn iota(&mut self, element: Element, rank: usize, axis: usize, size: i64) -> ValueId {
        let mut sizes = vec![1; rank];
        if rank > 0 {
            sizes[axis] = size;
        }
        if size <= LARGEST_IOTA {
            let values: Vec<i64> = (0..size).collect();
            return self.integers(element, &sizes, &values);
        }
        // Range has kernels for few types, and i64 holds every number of a dimension.
        let (start, limit, step) =
            (self.integer(Element::I64, 0), self.integer(Element::I64, size), self.integer(Element::I64, 1));
        let range = self.node("Range", &[start, limit, step]).out(Element::I64, &[size]);
        let range = self.cast(range, element);
        self.reshape(range, &sizes)
    }

    /// An elementwise ONNX op on operands of one element type, which broadcast.
    pub fn elementwise(&mut self, name: &'static str, operands: &[ValueId]) -> ValueId {
        let element = self.element(operands[0]);
        self.elementwise_to(name, operands, element)
    }

    /// An elementwise ONNX op with another element type as its result, such as a comparison.
    pub fn elementwise_to(&mut self, name: &'static str, operands: &[ValueId], element: Element) -> ValueId {
        let sizes = self.broadcast_sizes(operands);
        self.node(name, operands).out(element, &sizes)
    }

    /// The sizes that values have after ONNX has broadcast them against each other.
    pub fn broadcast_sizes(&self, values: &[ValueId]) -> Vec<i64> {
        let all: Vec<Vec<i64>> = values.iter().map(|&value| self.sizes(value)).collect();
        let rank = all.iter().map(Vec::len).max().unwrap_or(0);
        let size = |axis: usize| {
            all.iter()
                .filter_map(|sizes| (axis + sizes.len()).checked_sub(rank).map(|own| sizes[own]))
                .find(|&size| size != 1)
                .unwrap_or(1)
        };
        (0..rank).map(size).collect()
    }
}

/// Longer counts are computed when the model runs.
const LARGEST_IOTA: i64 = 4096;
