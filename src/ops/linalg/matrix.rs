//! Batches of matrices, `[batch, rows, columns]`, and loops over their columns.

use crate::ir::{Element, ValueId};
use crate::ops::{Lower, Refusal};

/// What a loop carries, and what it leaves behind: one value a round.
pub(super) struct Round {
    /// The carried values for the next round.
    pub state: Vec<ValueId>,
    /// The values of this round.
    pub left: Vec<ValueId>,
}

impl Lower<'_> {
    /// The value with one batch dimension in place of all but the last `trailing` ones.
    pub(super) fn batched(&mut self, value: ValueId, trailing: usize) -> ValueId {
        let sizes = self.sizes(value);
        let split = sizes.len() - trailing;
        let mut flat: Vec<i64> = vec![sizes[..split].iter().product()];
        flat.extend(&sizes[split..]);
        self.reshape(value, &flat)
    }

    /// The product of matrices.
    pub(super) fn matrix_product(&mut self, left: ValueId, right: ValueId) -> ValueId {
        let (mut sizes, columns) = (self.sizes(left), self.sizes(right)[2]);
        sizes[2] = columns;
        let element = self.element(left);
        self.node("MatMul", &[left, right]).out(element, &sizes)
    }

    /// The matrices transposed.
    pub(super) fn transposed(&mut self, value: ValueId) -> ValueId {
        self.transpose(value, &[0, 2, 1])
    }

    /// The row or column of this number, with its dimension of size 1; `index` is a list of one.
    pub(super) fn pick(&mut self, value: ValueId, index: ValueId, axis: usize) -> ValueId {
        let (element, mut sizes) = (self.element(value), self.sizes(value));
        sizes[axis] = 1;
        self.node("Gather", &[value, index]).int("axis", axis as i64).out(element, &sizes)
    }

    /// The rows or columns of these numbers.
    pub(super) fn arrange(&mut self, value: ValueId, order: &[i64], axis: usize) -> ValueId {
        let (element, mut sizes) = (self.element(value), self.sizes(value));
        sizes[axis] = order.len() as i64;
        let order = self.int64s(order);
        self.node("Gather", &[value, order]).int("axis", axis as i64).out(element, &sizes)
    }

    /// The sum along a dimension, which stays with size 1.
    pub(super) fn sum_along(&mut self, value: ValueId, axis: usize) -> ValueId {
        self.reduce_along("ReduceSum", value, &[axis as i64])
    }

    /// A reduction along dimensions, which stay with size 1.
    pub(super) fn reduce_along(&mut self, name: &'static str, value: ValueId, axes: &[i64]) -> ValueId {
        let (element, mut sizes) = (self.element(value), self.sizes(value));
        axes.iter().for_each(|&axis| sizes[axis as usize] = 1);
        let axes = self.int64s(axes);
        self.node(name, &[value, axes]).out(element, &sizes)
    }

    /// The numbers of the rows, `[1, size, 1]`.
    pub(super) fn row_numbers(&mut self, size: i64) -> ValueId {
        self.iota(Element::I64, 3, 1, size)
    }

    /// The numbers of the columns, `[1, 1, size]`.
    pub(super) fn column_numbers(&mut self, size: i64) -> ValueId {
        self.iota(Element::I64, 3, 2, size)
    }

    /// The matrix with ones where row and column have the same number, `[1, rows, columns]`.
    pub(super) fn identity_matrix(&mut self, element: Element, rows: i64, columns: i64) -> ValueId {
        let (row, column) = (self.row_numbers(rows), self.column_numbers(columns));
        self.formula([row, column], |[row, column]| row.equal(column).cast(element))
    }

    /// Runs `round` so often, with the number of the round as a list of one, and gives what is carried at the end
    /// and what the rounds left, along a new first dimension.
    pub(super) fn rounds(
        &mut self,
        count: i64,
        state: &[ValueId],
        round: impl FnOnce(&mut Self, ValueId, &[ValueId]) -> Result<Round, Refusal>,
    ) -> Result<Vec<ValueId>, Refusal> {
        let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
        let types: Vec<_> = state.iter().map(|&value| (self.element(value), self.sizes(value))).collect();
        arguments.extend(types.iter().cloned());
        let mut results = types;
        let body = self.graph(&arguments, |cx, values| {
            let number = cx.reshape(values[0], &[1]);
            let next = round(cx, number, &values[2..])?;
            for &left in &next.left {
                results.push((cx.element(left), [vec![count], cx.sizes(left)].concat()));
            }
            Ok([vec![values[1]], next.state, next.left].concat())
        })?;
        let mut operands = vec![self.integer(Element::I64, count), self.absent()];
        operands.extend(state);
        Ok(self.node("Loop", &operands).region(body).outs(&results))
    }
}
