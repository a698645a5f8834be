//! Materializes broadcasts for users that need every element.

use super::Lower;
use crate::ir::{Constant, Data, Dim, Dims, Size, ValueId, onnx};

/// Larger constants are expanded at run time.
const SMALL: i64 = 256;

impl Lower<'_> {
    /// Expands a value to sizes that it broadcasts to.
    pub fn broadcast_to<S: Size>(&mut self, value: ValueId, sizes: &[S]) -> ValueId {
        let sizes: Dims = sizes.iter().map(|&size| size.into()).collect();
        if self.dims(value) == sizes {
            return value;
        }
        let key = (value, sizes);
        if let Some(&known) = self.scopes.iter().rev().find_map(|scope| scope.expanded.get(&key)) {
            return known;
        }
        let expanded = self.expand(value, &key.1);
        if let Some(scope) = self.scopes.last_mut() {
            scope.expanded.insert(key, expanded);
        }
        expanded
    }

    fn expand(&mut self, value: ValueId, dims: &[Dim]) -> ValueId {
        let own = self.dims(value);
        let same = |dims: &[Dim]| dims.iter().copied().filter(|&dim| dim != Dim::Known(1)).collect::<Dims>();
        if same(&own) == same(dims) {
            return self.reshape(value, dims);
        }
        if let Some(sizes) = dims.iter().map(|dim| dim.known()).collect::<Option<Vec<i64>>>()
            && let Some(expanded) = self.expand_to_numbers(value, &sizes)
        {
            return expanded;
        }
        // A Reshape before it also adds the leading dimensions: tract computes wrong values where one of the others stays 1.
        let value = if self.is_reshaped(value) { self.ranked(value, dims.len()) } else { value };
        let own = self.dims(value);
        // A 1 keeps the value's size, so only the other sizes have to be computed.
        let leading = dims.len().saturating_sub(own.len());
        let kept = |axis: usize| {
            let has = axis.checked_sub(leading).is_some_and(|own_axis| own[own_axis] == dims[axis]);
            has && dims[axis].known().is_none()
        };
        let wanted: Dims =
            (0..dims.len()).map(|axis| if kept(axis) { Dim::Known(1) } else { dims[axis] }).collect();
        let element = self.element(value);
        let shape = self.shape(&wanted);
        self.node(onnx::EXPAND, &[value, shape]).out(element, dims)
    }

    /// The expansion of a constant or an empty value, without Expand.
    fn expand_to_numbers(&mut self, value: ValueId, sizes: &[i64]) -> Option<ValueId> {
        let element = self.element(value);
        // A small constant is shorter than the op that would compute it.
        let count: i64 = sizes.iter().product();
        if count <= SMALL
            && let Some(constant) = self.module.constant_of(value)
            && self.count(value) == Some(1)
        {
            let bytes =
                self.module.constant(constant).data.bytes(self.source, 1, element.bytes()).into_owned();
            let bytes = bytes.repeat(count as usize);
            if !self.is_weight(value) {
                return Some(self.constant(element, sizes, &bytes));
            }
            let ty = self.module.tensor_of(element, sizes);
            let expanded = self.data_constant(Constant { ty, data: Data::Bytes(bytes.into()) });
            self.keep_weight_name(value, expanded);
            return Some(expanded);
        }
        if !sizes.contains(&0) {
            return None;
        }
        // ONNX Runtime removes an Expand to size 0 as a no-op.
        let value = self.ranked(value, 1);
        let mut limits = self.dims(value);
        limits[0] = Dim::Known(0);
        let (starts, steps) = (vec![0; limits.len()], vec![1; limits.len()]);
        let nothing = self.slice(value, &starts, &limits, &steps);
        Some(self.reshape(nothing, sizes))
    }
}
