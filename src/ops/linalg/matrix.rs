//! Batches of matrices, `[batch, rows, columns]`, real or complex, and loops over their columns.

use crate::ir::{Dim, Dims, Element, OpName, Size, ValueId, onnx};
use crate::ops::{Lower, LowerError};

/// A batch of matrices, or of rows, columns or scalars, which broadcast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix {
    /// The real part, or integers or booleans.
    pub re: ValueId,
    /// The imaginary part, of complex matrices.
    pub im: Option<ValueId>,
}

impl From<ValueId> for Matrix {
    fn from(re: ValueId) -> Self {
        Self { re, im: None }
    }
}

impl Matrix {
    /// The real part, and the imaginary one if it is complex.
    pub(super) fn parts(self) -> impl Iterator<Item = ValueId> {
        std::iter::once(self.re).chain(self.im)
    }

    pub(super) fn is_complex(self) -> bool {
        self.im.is_some()
    }

    /// The same done to each part.
    pub(super) fn map(self, cx: &mut Lower, mut change: impl FnMut(&mut Lower, ValueId) -> ValueId) -> Self {
        Self { re: change(cx, self.re), im: self.im.map(|im| change(cx, im)) }
    }

    pub(super) fn dims(self, cx: &Lower) -> Dims {
        cx.dims(self.re)
    }

    /// A size that has to be a number, as those of rows and columns.
    pub(super) fn size(self, cx: &Lower, axis: usize) -> Result<i64, LowerError> {
        cx.number(self.dims(cx)[axis])
    }

    /// The number of matrices, which may be symbolic, and their numbers of rows and columns.
    pub(super) fn extents(self, cx: &Lower) -> Result<(Dim, i64, i64), LowerError> {
        Ok((self.dims(cx)[0], self.size(cx, 1)?, self.size(cx, 2)?))
    }

    /// The element type of the parts.
    pub(super) fn element(self, cx: &Lower) -> Element {
        cx.element(self.re)
    }
}

/// The sizes of a batch and of its elements.
pub(super) fn of_batch(batch: Dim, own: &[i64]) -> Dims {
    std::iter::once(batch).chain(own.iter().map(|&size| Dim::Known(size))).collect()
}

/// The results of a loop body: carried values, and one value per iteration.
pub(super) struct Iteration {
    /// The carried values for the next iteration.
    pub state: Vec<Matrix>,
    /// The values of this iteration.
    pub left: Vec<Matrix>,
}

impl Lower<'_> {
    /// Merges all but the last `trailing` dimensions into one batch dimension.
    pub(super) fn batched(&mut self, value: ValueId, trailing: usize) -> ValueId {
        let sizes = self.dims(value);
        let (batch, own) = sizes.split_at(sizes.len() - trailing);
        let batch = self.module.dim_exprs.product(batch.iter().copied());
        let flat: Dims = std::iter::once(batch).chain(own.iter().copied()).collect();
        self.reshape(value, &flat)
    }

    /// The product of matrices.
    pub(super) fn matrix_product(&mut self, left: Matrix, right: Matrix) -> Matrix {
        let mut product = |a: ValueId, b: ValueId| {
            let (mut sizes, columns) = (self.dims(a), self.dims(b)[2]);
            sizes[2] = columns;
            let element = self.element(a);
            self.node(onnx::MAT_MUL, &[a, b]).out(element, &sizes)
        };
        let re = product(left.re, right.re);
        match (left.im, right.im) {
            (None, None) => Matrix { re, im: None },
            (None, Some(im)) => Matrix { re, im: Some(product(left.re, im)) },
            (Some(im), None) => Matrix { re, im: Some(product(im, right.re)) },
            (Some(left_im), Some(right_im)) => {
                let (imaginary, one) = (product(left_im, right_im), product(left.re, right_im));
                let other = product(left_im, right.re);
                let re = self.elementwise(onnx::SUB, &[re, imaginary]);
                Matrix { re, im: Some(self.elementwise(onnx::ADD, &[one, other])) }
            }
        }
    }

    /// The matrices transposed.
    pub(super) fn transposed(&mut self, value: Matrix) -> Matrix {
        value.map(self, |cx, part| cx.transpose(part, &[0, 2, 1]))
    }

    /// The complex conjugates.
    pub(super) fn conjugate(&mut self, value: Matrix) -> Matrix {
        Matrix { re: value.re, im: value.im.map(|im| self.elementwise(onnx::NEG, &[im])) }
    }

    /// The matrices transposed, and conjugate where they are complex.
    pub(super) fn adjoint(&mut self, value: Matrix) -> Matrix {
        let transposed = self.transposed(value);
        self.conjugate(transposed)
    }

    /// The real matrices as complex ones.
    pub(super) fn complexified(&mut self, value: Matrix) -> Matrix {
        let zero = self.scalar(value.element(self), 0.0);
        let sizes = value.dims(self);
        Matrix { re: value.re, im: Some(value.im.unwrap_or_else(|| self.broadcast_to(zero, &sizes))) }
    }

    /// The row or column of this number, with its dimension of size 1; `index` is a list of one.
    pub(super) fn pick(&mut self, value: Matrix, index: Matrix, axis: usize) -> Matrix {
        value.map(self, |cx, part| {
            let (element, mut sizes) = (cx.element(part), cx.dims(part));
            sizes[axis] = Dim::Known(1);
            cx.node(onnx::GATHER, &[part, index.re]).int("axis", axis as i64).out(element, &sizes)
        })
    }

    /// The rows or columns of these numbers.
    pub(super) fn arrange(&mut self, value: Matrix, order: &[i64], axis: usize) -> Matrix {
        let order_value = self.int64s(order);
        value.map(self, |cx, part| {
            let (element, mut sizes) = (cx.element(part), cx.dims(part));
            sizes[axis] = Dim::Known(order.len() as i64);
            cx.node(onnx::GATHER, &[part, order_value]).int("axis", axis as i64).out(element, &sizes)
        })
    }

    /// Permutes the rows or columns of each matrix: `order` is `[batch, rows, 1]` or `[batch, 1, columns]`.
    pub(super) fn reordered(&mut self, value: Matrix, order: Matrix, axis: usize) -> Matrix {
        let mut sizes = value.dims(self);
        sizes[axis] = order.dims(self)[axis];
        let order = self.broadcast_to(order.re, &sizes);
        value.map(self, |cx, part| {
            let element = cx.element(part);
            cx.node(onnx::GATHER_ELEMENTS, &[part, order]).int("axis", axis as i64).out(element, &sizes)
        })
    }

    /// A range of rows or columns.
    pub(super) fn range_of(&mut self, value: Matrix, axis: usize, from: i64, to: i64) -> Matrix {
        value.map(self, |cx, part| cx.span(part, axis, from, to))
    }

    /// The sum along a dimension, which stays with size 1.
    pub(super) fn sum_along(&mut self, value: Matrix, axis: usize) -> Matrix {
        self.reduce_along(onnx::REDUCE_SUM, value, &[axis as i64])
    }

    /// A reduction along dimensions, which stay with size 1; but for sums, of real matrices.
    pub(super) fn reduce_along(&mut self, name: OpName, value: Matrix, axes: &[i64]) -> Matrix {
        let axes_value = self.int64s(axes);
        value.map(self, |cx, part| {
            let (element, mut sizes) = (cx.element(part), cx.dims(part));
            axes.iter().for_each(|&axis| sizes[axis as usize] = Dim::Known(1));
            cx.node(name, &[part, axes_value]).out(element, &sizes)
        })
    }

    /// The index of the largest element along a dimension of real matrices, the first if there are several; 0 if all
    /// are NaN.
    pub(super) fn place_of_largest(&mut self, value: Matrix, axis: usize) -> Matrix {
        let mut sizes = value.dims(self);
        sizes[axis] = Dim::Known(1);
        self.node(onnx::ARG_MAX, &[value.re]).int("axis", axis as i64).out(Element::I64, &sizes).into()
    }

    /// The numbers of the rows, `[1, size, 1]`.
    pub(super) fn row_numbers(&mut self, size: i64) -> Matrix {
        self.iota(Element::I64, 3, 1, size).into()
    }

    /// The numbers of the columns, `[1, 1, size]`.
    pub(super) fn column_numbers(&mut self, size: i64) -> Matrix {
        self.iota(Element::I64, 3, 2, size).into()
    }

    /// The matrix with ones where row and column have the same number, `[1, rows, columns]`.
    pub(super) fn identity_matrix(&mut self, element: Element, rows: i64, columns: i64) -> Matrix {
        let (row, column) = (self.row_numbers(rows), self.column_numbers(columns));
        self.numbers([row, column], |[row, column]| row.equal(column).cast(element))
    }

    /// Zeros with as many parts.
    pub(super) fn zeros<S: Size>(&mut self, like: Matrix, sizes: &[S]) -> Matrix {
        let zero = self.scalar(like.element(self), 0.0);
        like.map(self, |cx, _| cx.broadcast_to(zero, sizes))
    }

    /// The same integer for each matrix, `[batch, 1, 1]`.
    pub(super) fn integer_each(&mut self, batch: Dim, value: i64) -> Matrix {
        let value = self.integer(Element::I64, value);
        self.broadcast_to(value, &of_batch(batch, &[1, 1])).into()
    }

    /// The condition that is always true.
    pub(super) fn truth(&mut self) -> ValueId {
        self.integers(Element::Bool, &[], &[1])
    }

    /// The diagonal as a row, `[batch, 1, min(m, n)]`.
    pub(super) fn diagonal(&mut self, value: Matrix) -> Result<Matrix, LowerError> {
        let (batch, m, n) = value.extents(self)?;
        let flat = value.map(self, |cx, part| cx.reshape(part, &of_batch(batch, &[1, m * n])));
        let places: Vec<i64> = (0..m.min(n)).map(|index| index * (n + 1)).collect();
        Ok(self.arrange(flat, &places, 2))
    }

    /// Runs `round` a number of times, with the iteration number as a one-element list. Returns the final carried
    /// values, and the values of all iterations along a new first dimension.
    pub(super) fn rounds(
        &mut self,
        count: i64,
        state: &[Matrix],
        round: impl FnOnce(&mut Self, Matrix, &[Matrix]) -> Result<Iteration, LowerError>,
    ) -> Result<Vec<Matrix>, LowerError> {
        let always = self.always();
        self.repeat(count, always, state, |cx, number, going, state| {
            let number = cx.reshape(number, &[1]);
            Ok((going, round(cx, number.into(), state)?))
        })
    }

    /// Runs `round` at most this many times, while the condition holds: initially `holds`, then the first result of
    /// each iteration. `round` gets its number, the condition, and the carried values.
    pub(super) fn repeat(
        &mut self,
        count: i64,
        holds: ValueId,
        state: &[Matrix],
        round: impl FnOnce(&mut Self, ValueId, ValueId, &[Matrix]) -> Result<(ValueId, Iteration), LowerError>,
    ) -> Result<Vec<Matrix>, LowerError> {
        let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
        let carried: Vec<ValueId> = state.iter().flat_map(|matrix| matrix.parts()).collect();
        let types: Vec<_> =
            carried.iter().map(|&value| (self.element(value), self.dims(value).to_vec())).collect();
        arguments.extend(types.iter().cloned());
        let mut results = types;
        let mut forms: Vec<bool> = state.iter().map(|matrix| matrix.is_complex()).collect();
        let own_forms = forms.clone();
        let body = self.graph(&arguments, |cx, values| {
            let state = joined(&values[2..], &own_forms);
            let (going, next) = round(cx, values[0], values[1], &state)?;
            let mut outs = vec![going];
            for (matrix, &complex) in next.state.iter().zip(&own_forms) {
                // A real value may be where a complex one is carried.
                let matrix = if complex { cx.complexified(*matrix) } else { *matrix };
                outs.extend(matrix.parts());
            }
            for left in &next.left {
                forms.push(left.is_complex());
                for part in left.parts() {
                    results.push((cx.element(part), [&[Dim::Known(count)], &cx.dims(part)[..]].concat()));
                    outs.push(part);
                }
            }
            Ok(outs)
        })?;
        let mut operands = vec![self.integer(Element::I64, count), holds];
        operands.extend(carried);
        let values = self.node(onnx::LOOP, &operands).region(body).outs(&results);
        Ok(joined(&values, &forms))
    }
}

/// Values as matrices, each of two where it is complex.
fn joined(values: &[ValueId], complex: &[bool]) -> Vec<Matrix> {
    let mut rest = values.iter().copied();
    let mut matrices = Vec::with_capacity(complex.len());
    for &complex in complex {
        let Some(re) = rest.next() else { break };
        matrices.push(Matrix { re, im: if complex { rest.next() } else { None } });
    }
    matrices
}
