//! Sums of products over any dimensions as `MatMul`.
//!
//! `MatMul` expects `[batch..., M, K]` and `[batch..., K, N]`. Operands may have any order of dimensions, with
//! several or none for M, K and N. They are transposed if the order differs, and reshaped if dimensions must be
//! merged.
//!
//! Four forms compute the same sums: either operand may be on the left, and several contracted dimensions may follow
//! the order of either operand. With the right operand on the left, the result is transposed. Chooses the form with the
//! fewest transposes; on a tie, the one that transposes the result, because its user often transposes it back (JAX
//! prints `probs @ v` as `(v^T probs^T)^T`).

use crate::ir::{Dim, Dims, Element, ValueId, onnx};
use crate::ops::{DotDimensionNumbers, Lower};

const ONE: Dim = Dim::Known(1);

/// Vectors of at least this many elements are long.
const LONG: i64 = 2048;

/// An operand with its dimensions by role.
#[derive(Clone)]
struct DotOperand {
    value: ValueId,
    sizes: Dims,
    constant: bool,
    batch: Vec<usize>,
    contracting: Vec<usize>,
    free: Vec<usize>,
}

impl DotOperand {
    fn of(cx: &Lower, value: ValueId, batch: Vec<usize>, contracting: Vec<usize>) -> Self {
        let sizes = cx.dims(value);
        let free =
            (0..sizes.len()).filter(|dim| !batch.contains(dim) && !contracting.contains(dim)).collect();
        let constant = cx.known_at_load(value);
        Self { value, sizes, constant, batch, contracting, free }
    }

    fn pick(&self, dims: &[usize]) -> Vec<Dim> {
        dims.iter().map(|&dim| self.sizes[dim]).collect()
    }

    /// Whether it is one vector for each element of the batch.
    fn is_vector(&self) -> bool {
        self.free.iter().all(|&dim| self.sizes[dim] == ONE)
    }

    /// The order of its dimensions on the left of a `MatMul`.
    fn left(&self) -> Vec<usize> {
        [&self.batch[..], &self.free, &self.contracting].concat()
    }

    /// The order of its dimensions on the right of a `MatMul`.
    fn right(&self) -> Vec<usize> {
        [&self.batch[..], &self.contracting, &self.free].concat()
    }

    fn cost(&self, order: &[usize]) -> Cost {
        let transposes = u32::from(moves(&self.sizes, order));
        // A constant is transposed when the model is loaded.
        if self.constant {
            return Cost { running: 0, loading: transposes };
        }
        Cost { running: transposes, loading: 0 }
    }
}

/// Number of transposes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    running: u32,
    loading: u32,
}

/// Whether putting dimensions into this order moves elements, which dimensions of size 1 do not.
fn moves(sizes: &[Dim], order: &[usize]) -> bool {
    let mut moved = order.iter().filter(|&&dim| sizes[dim] != ONE);
    let sorted = moved.clone().is_sorted();
    moved.next().is_some() && !sorted
}

/// One of the four forms.
struct MatMulForm {
    /// The operand on the left of the `MatMul`.
    left: DotOperand,
    right: DotOperand,
    swapped: bool,
}

impl MatMulForm {
    fn cost(&self) -> (Cost, bool) {
        let (left, right) = (self.left.cost(&self.left.left()), self.right.cost(&self.right.right()));
        let result = self.transposes_result();
        let running = left.running + right.running + u32::from(result);
        (Cost { running, loading: left.loading + right.loading }, !result)
    }

    fn transposes_result(&self) -> bool {
        self.swapped && !self.left.is_vector() && !self.right.is_vector()
    }
}

impl Lower<'_> {
    /// The sums of products of two values of one element type over the contracted dimensions. The dimensions of the
    /// result are those of the batch in the order given, the others of `lhs`, the others of `rhs`.
    ///
    /// Dimensions that are not contracted may still be broadcast later, and then the result's are too. Contracted
    /// dimensions have equal sizes that are not known to be 0.
    pub fn contract(&mut self, lhs: ValueId, rhs: ValueId, pairs: &DotDimensionNumbers) -> ValueId {
        let (left, right) = (self.dims(lhs), self.dims(rhs));
        if pairs.contracting.iter().all(|&(one, other)| left[one] == ONE && right[other] == ONE) {
            return self.outer_product(lhs, rhs, pairs);
        }
        if let Some(sums) = self.long_vectors(lhs, rhs, pairs) {
            return sums;
        }
        let forms = self.forms(lhs, rhs, pairs);
        let Some(form) = forms.into_iter().min_by_key(MatMulForm::cost) else { return lhs };
        let batch = form.left.batch.len();
        let sums = self.product(&form);
        if !form.swapped {
            return sums;
        }
        let (first, second) = (form.left.free.len(), form.right.free.len());
        let order: Vec<i64> = (0..batch)
            .chain(batch + first..batch + first + second)
            .chain(batch..batch + first)
            .map(|dim| dim as i64)
            .collect();
        self.transpose(sums, &order)
    }

    /// The products of vectors that may be long, one for each element of the batch; `None` for others. ONNX Runtime's
    /// `MatMul` adds them one by one, and takes three times as long.
    fn long_vectors(&mut self, lhs: ValueId, rhs: ValueId, pairs: &DotDimensionNumbers) -> Option<ValueId> {
        let terms = pairs.contracting.iter().map(|pair| self.dims(lhs)[pair.0]);
        let terms = self.module.dim_exprs.product(terms);
        let is_short = self.module.dim_exprs.bounds(terms).1.is_some_and(|most| most < LONG);
        if is_short || !matches!(self.element(lhs), Element::F32 | Element::F16 | Element::BF16) {
            return None;
        }
        let (left_batch, right_batch) = pairs.batching.iter().copied().unzip();
        let (left_terms, right_terms) = pairs.contracting.iter().copied().unzip();
        let left = DotOperand::of(self, lhs, left_batch, left_terms);
        let right = DotOperand::of(self, rhs, right_batch, right_terms);
        if !left.is_vector() || !right.is_vector() {
            return None;
        }
        let ones = vec![ONE; left.free.len() + right.free.len()];
        let [left, right] = [left, right].map(|operand| {
            let terms = self.module.dim_exprs.product(operand.pick(&operand.contracting));
            let shape = [&operand.pick(&operand.batch)[..], &[terms]].concat();
            self.arranged(&operand, &operand.left(), &shape)
        });
        let products = self.elementwise(onnx::MUL, &[left, right]);
        let sums = self.reduction(onnx::REDUCE_SUM, products, &[pairs.batching.len() as i64]);
        let result = [&self.dims(sums)[..], &ones].concat();
        Some(self.reshape(sums, &result))
    }

    /// Contracts a single element: multiplies with broadcasting.
    fn outer_product(&mut self, lhs: ValueId, rhs: ValueId, pairs: &DotDimensionNumbers) -> ValueId {
        let (left_batch, right_batch) = pairs.batching.iter().copied().unzip();
        let (left_one, right_one) = pairs.contracting.iter().copied().unzip();
        let left = DotOperand::of(self, lhs, left_batch, left_one);
        let right = DotOperand::of(self, rhs, right_batch, right_one);
        let (rows, columns) = (left.pick(&left.free), right.pick(&right.free));
        let left_shape = [&left.pick(&left.batch)[..], &rows, &vec![ONE; columns.len()]].concat();
        // Without a batch ONNX aligns sizes by itself.
        let right_ones = if right.batch.is_empty() { Vec::new() } else { vec![ONE; rows.len()] };
        let right_shape = [&right.pick(&right.batch)[..], &right_ones, &columns].concat();
        let left = self.arranged(&left, &left.left(), &left_shape);
        let right = self.arranged(&right, &right.left(), &right_shape);
        self.elementwise(onnx::MUL, &[left, right])
    }

    /// Whether ONNX Runtime computes a value when it loads the model: a constant, cast or moved about.
    fn known_at_load(&self, mut value: ValueId) -> bool {
        while let Some(op) = self.module.defining_op(value) {
            if self.module.constant_of(value).is_some() {
                return true;
            }
            if !matches!(self.module.op(op).name, onnx::CAST | onnx::RESHAPE | onnx::TRANSPOSE | onnx::SLICE)
            {
                return false;
            }
            value = self.module.op(op).operands[0];
        }
        false
    }

    fn forms(&self, lhs: ValueId, rhs: ValueId, pairs: &DotDimensionNumbers) -> Vec<MatMulForm> {
        let split = |pairs: &[(usize, usize)]| -> (Vec<usize>, Vec<usize>) { pairs.iter().copied().unzip() };
        let (left_batch, right_batch) = split(&pairs.batching);
        let mut by_left = pairs.contracting.clone();
        by_left.sort_by_key(|pair| pair.0);
        let mut by_right = pairs.contracting.clone();
        by_right.sort_by_key(|pair| pair.1);
        let mut forms = Vec::with_capacity(4);
        for contracting in [by_left, by_right] {
            let (of_left, of_right) = split(&contracting);
            let left = DotOperand::of(self, lhs, left_batch.clone(), of_left);
            let right = DotOperand::of(self, rhs, right_batch.clone(), of_right);
            forms.push(MatMulForm { left: left.clone(), right: right.clone(), swapped: false });
            forms.push(MatMulForm { left: right, right: left, swapped: true });
        }
        forms
    }

    /// The `MatMul` of a form: its dimensions are those of the batch, the free ones of the left and of the right.
    fn product(&mut self, form: &MatMulForm) -> ValueId {
        let MatMulForm { left, right, .. } = form;
        let sizes = &self.module.dim_exprs;
        let flat = |dims: &[Dim]| sizes.product(dims.iter().copied());
        // Both numbers are equal at run time, though their expressions may differ.
        let (left_terms, right_terms) =
            (flat(&left.pick(&left.contracting)), flat(&right.pick(&right.contracting)));
        let (left_batch, right_batch) = (left.pick(&left.batch), right.pick(&right.batch));
        // One may be broadcast later; otherwise both are equal, and a number is more precise than an expression.
        let batch: Vec<Dim> = left_batch
            .iter()
            .zip(&right_batch)
            .map(|(&one, &other)| [one, other].into_iter().filter(|&dim| dim != ONE).min().unwrap_or(ONE))
            .collect();
        let (rows, columns) = (left.pick(&left.free), right.pick(&right.free));
        let result = [&batch[..], &rows, &columns].concat();

        let (left_shape, right_shape, shape);
        if right_batch.iter().all(|&size| size == ONE) {
            // One matrix, or vector, on the right: all dimensions on the left but the last are rows to ONNX.
            left_shape = [&left_batch[..], &rows, &[left_terms]].concat();
            // ONNX Runtime's FusedMatMul multiplies a transposed matrix and a vector incorrectly, and fails if the
            // matrix is empty; with a matrix of one column both work.
            let columns =
                if columns.is_empty() && left_shape.len() == 1 { Vec::new() } else { vec![flat(&columns)] };
            right_shape = [&[right_terms], &columns[..]].concat();
            shape = [&left_batch[..], &rows, &columns].concat();
        } else {
            let (rows, columns) = (flat(&rows), flat(&columns));
            left_shape = [&left_batch[..], &[rows, left_terms]].concat();
            right_shape = [&right_batch[..], &[right_terms, columns]].concat();
            shape = [&batch[..], &[rows, columns]].concat();
        }
        let left_value = self.arranged(left, &left.left(), &left_shape);
        let right_value = self.arranged(right, &right.right(), &right_shape);
        let element = self.element(left_value);
        let sums = self.node(onnx::MAT_MUL, &[left_value, right_value]).out(element, &shape);
        self.reshape(sums, &result)
    }

    /// An operand with its dimensions in this order, then reshaped.
    fn arranged(&mut self, operand: &DotOperand, order: &[usize], shape: &[Dim]) -> ValueId {
        if !moves(&operand.sizes, order) {
            return self.reshape(operand.value, shape);
        }
        let order: Vec<i64> = order.iter().map(|&dim| dim as i64).collect();
        let transposed = self.transpose(operand.value, &order);
        self.reshape(transposed, shape)
    }
}
