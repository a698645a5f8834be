//! The dimension numbers of `gather` and `scatter`.

use super::OpAttributes;
use crate::ir::{Attribute, Attributes, Dim, Element, Module, OpId, OpName, TensorType, Type, stablehlo};
use crate::ops::Violation;

/// How index vectors select windows of an operand, with the names of `gather`. In a `scatter` the updates take the
/// place of the result, and the lists have the names that follow the descriptions.
#[derive(Clone, Debug, Default)]
pub struct GatherDimensionNumbers {
    /// The dimensions of the result that contain the window; `update_window_dims`.
    pub offset_dims: Vec<usize>,
    /// The dimensions of the operand that are collapsed in the window; `inserted_window_dims`.
    pub collapsed_slice_dims: Vec<usize>,
    /// The batching dimensions of the operand; `input_batching_dims`.
    pub operand_batching_dims: Vec<usize>,
    /// The dimension of the indices for each of those; `scatter_indices_batching_dims`.
    pub start_indices_batching_dims: Vec<usize>,
    /// The dimension of the operand for each element of an index vector; `scatter_dims_to_operand_dims`.
    pub start_index_map: Vec<usize>,
    /// The dimension of the indices that contains the index vectors; their rank if each index is a vector of one.
    pub index_vector_dim: usize,
}

/// The attribute and its lists, in the order of [`GatherDimensionNumbers`].
const GATHER: (&str, [&str; 5]) = (
    "dimension_numbers",
    [
        "offset_dims",
        "collapsed_slice_dims",
        "operand_batching_dims",
        "start_indices_batching_dims",
        "start_index_map",
    ],
);

const SCATTER: (&str, [&str; 5]) = (
    "scatter_dimension_numbers",
    [
        "update_window_dims",
        "inserted_window_dims",
        "input_batching_dims",
        "scatter_indices_batching_dims",
        "scatter_dims_to_operand_dims",
    ],
);

const INDEX_VECTOR_DIM: &str = "index_vector_dim";

impl GatherDimensionNumbers {
    /// Reads the numbers of a `gather`, `dynamic_gather` or `scatter`.
    ///
    /// # Errors
    /// When they are not dimensions of the operands, or do not agree with each other (StableHLO spec, gather, C1 to C19,
    /// and scatter, C2 to C18, where they are not about sizes).
    pub fn read(module: &Module, op: OpId) -> Result<Self, Violation> {
        Self::read_without(module, op, 0)
    }

    /// Reads the numbers of an op whose operand and updates have a last dimension that the attribute does not count, and
    /// makes it part of the window.
    ///
    /// # Errors
    /// As [`GatherDimensionNumbers::read`].
    pub fn read_with_trailing_dim(module: &Module, op: OpId) -> Result<Self, Violation> {
        let mut numbers = Self::read_without(module, op, 1)?;
        let last = if module.op(op).name == stablehlo::SCATTER {
            module.op(op).operands.last()
        } else {
            module.op(op).results.first()
        };
        let rank = last.and_then(|&last| module.tensor(last)).map_or(0, TensorType::rank);
        numbers.offset_dims.push(rank.saturating_sub(1));
        Ok(numbers)
    }

    fn read_without(module: &Module, op: OpId, trailing: usize) -> Result<Self, Violation> {
        let operands = &module.op(op).operands;
        let is_scatter = module.op(op).name == stablehlo::SCATTER;
        let (name, fields) = if is_scatter { SCATTER } else { GATHER };
        let [offset, collapsed, batching, indices_batching, map] = fields;
        let indices = if is_scatter { operands.len().saturating_sub(1) / 2 } else { 1 };
        let ty = |index: usize| operands.get(index).and_then(|&operand| module.tensor(operand));
        let rank = |index: usize| ty(index).map_or(0, TensorType::rank);
        let (operand_rank, indices_rank) = (rank(0).saturating_sub(trailing), rank(indices));
        let error = |why: String| Err(Violation::attribute(name, why));

        let attributes = OpAttributes::of(module, op);
        let vector = attributes.field_integer(name, INDEX_VECTOR_DIM)?;
        let Some(index_vector_dim) = usize::try_from(vector).ok().filter(|&vector| vector <= indices_rank)
        else {
            let ty = ty(indices).map(|ty| module.spell_tensor(ty)).unwrap_or_default();
            return error(format!("`{INDEX_VECTOR_DIM}` is not a dimension of `{ty}`"));
        };
        let start_index_map = attributes.field_dimensions(name, map, operand_rank)?;
        let operand_batching_dims = attributes.field_dimensions(name, batching, operand_rank)?;
        let start_indices_batching_dims =
            attributes.field_dimensions(name, indices_batching, indices_rank)?;
        if operand_batching_dims.iter().any(|dim| start_index_map.contains(dim)) {
            return error("a batching dimension is indexed".into());
        }
        if operand_batching_dims.len() != start_indices_batching_dims.len()
            || start_indices_batching_dims.contains(&index_vector_dim)
        {
            return error("the numbers of batching dimensions of the operand and the indices differ".into());
        }
        let collapsed_slice_dims = attributes.field_dimensions(name, collapsed, operand_rank)?;
        for (list, field) in [(&collapsed_slice_dims, collapsed), (&operand_batching_dims, batching)] {
            if !list.is_sorted() {
                return error(format!("`{field}` is not sorted"));
            }
        }
        if collapsed_slice_dims.iter().any(|dim| operand_batching_dims.contains(dim)) {
            return error(format!("`{collapsed}` and `{batching}` have a dimension in common"));
        }
        let windows = operand_rank - collapsed_slice_dims.len() - operand_batching_dims.len();
        let batch = indices_rank - usize::from(index_vector_dim < indices_rank);
        let result_rank =
            if is_scatter { rank(indices + 1).saturating_sub(trailing) } else { batch + windows };
        let offset_dims = attributes.field_dimensions(name, offset, result_rank)?;
        if offset_dims.len() != windows || !offset_dims.is_sorted() {
            return error(format!("`{offset}` must name {windows} dimensions in order"));
        }
        if result_rank != batch + windows {
            return error(format!("expected updates of rank {}, found {result_rank}", batch + windows));
        }
        Ok(Self {
            offset_dims,
            collapsed_slice_dims,
            operand_batching_dims,
            start_indices_batching_dims,
            start_index_map,
            index_vector_dim,
        })
    }

    /// The numbers as an attribute of a `gather`, or of a `scatter`, with its name.
    pub fn attribute(self, module: &mut Module, of: OpName) -> (&'static str, Attribute) {
        let (name, fields) = if of == stablehlo::SCATTER { SCATTER } else { GATHER };
        let lists = [
            self.offset_dims,
            self.collapsed_slice_dims,
            self.operand_batching_dims,
            self.start_indices_batching_dims,
            self.start_index_map,
        ];
        let lists = fields.into_iter().zip(lists).filter(|(_, list)| !list.is_empty());
        let mut fields: Attributes =
            lists.map(|(field, list)| (module.symbols.intern(field), Attribute::positions(list))).collect();
        let ty = module.types.intern(Type::Scalar(Element::I64));
        let vector = Attribute::Integer(self.index_vector_dim as i64, ty);
        fields.push((module.symbols.intern(INDEX_VECTOR_DIM), vector));
        (name, Attribute::Struct(of.symbol(), fields))
    }

    /// The dimensions of the operand that the window has, each with that of the result.
    pub fn window_dims(&self, operand_rank: usize) -> Vec<(usize, usize)> {
        let lacks =
            |dim: &usize| self.collapsed_slice_dims.contains(dim) || self.operand_batching_dims.contains(dim);
        (0..operand_rank).filter(|dim| !lacks(dim)).zip(self.offset_dims.iter().copied()).collect()
    }

    /// The dimensions of the indices but the one of the index vectors, each with that of the result.
    pub fn batch_dims(&self, indices_rank: usize) -> Vec<(usize, usize)> {
        let free = (0..).filter(|dim| !self.offset_dims.contains(dim));
        (0..indices_rank).filter(|&dim| dim != self.index_vector_dim).zip(free).collect()
    }

    /// The batching dimensions, of more than one element, of an operand with these sizes, each with its place among the
    /// dimensions of the indices but the one of the index vectors.
    pub fn batching_axes(&self, operand: &[Dim]) -> Vec<(usize, usize)> {
        let place = |dim: usize| dim - usize::from(dim > self.index_vector_dim);
        let pairs = self.batching_dims().filter(|&(dim, _)| !matches!(operand[dim], Dim::Known(0 | 1)));
        pairs.map(|(dim, of_indices)| (dim, place(of_indices))).collect()
    }

    /// The batching dimensions of the operand, each with that of the indices.
    pub fn batching_dims(&self) -> impl Iterator<Item = (usize, usize)> {
        self.operand_batching_dims.iter().copied().zip(self.start_indices_batching_dims.iter().copied())
    }
}
