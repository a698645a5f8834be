//! What a gate of a recurrent cell is a function of: a product of the state with weights, a product of the iteration's
//! slice of an input with weights, and biases.

use super::super::counted::Scan;
use crate::ir::{Attribute, Module, OpId, ValueId, stablehlo};
use crate::ops::DotDimensionNumbers;
use crate::pass::canonicalize::simplify::float_number;
use crate::source::Source;

/// How deep a sum is read.
const DEPTH: usize = 24;

/// Columns of a value: some of its last dimension, as many as the state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// The value.
    pub value: ValueId,
    /// The first column.
    pub first: i64,
}

/// A block of a matrix of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    /// The matrix, from outside of the loop.
    pub matrix: ValueId,
    /// The dimension that is summed over.
    pub axis: usize,
    /// The first index of that dimension.
    pub row: i64,
    /// The first index of the other dimension.
    pub column: i64,
}

/// An input of all iterations: a value from outside whose first dimension, after a transposition, is that of the
/// iterations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// The value.
    pub value: ValueId,
    /// The order of its dimensions, if they are transposed.
    pub order: Option<Vec<usize>>,
}

/// A bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bias {
    /// A number for all columns: a tensor of one element.
    Scalar(ValueId),
    /// Columns of a value that has no other dimension with more than one element.
    Row(Columns),
}

/// The sum that a gate is a function of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// The weights of the state.
    pub state: Option<Weights>,
    /// The value that the state is multiplied with before that.
    pub reset: Option<Columns>,
    /// The input and its weights.
    pub input: Option<(Input, Weights)>,
    /// The biases.
    pub biases: Vec<Bias>,
    /// The biases that are added to the product of the state, before a gate applies to it.
    pub state_biases: Vec<Bias>,
}

/// Reads the gates of one state.
pub(super) struct Gates<'m> {
    pub module: &'m Module,
    pub source: &'m Source,
    pub scan: &'m Scan,
    /// The state as the body sees it.
    pub state: ValueId,
    /// The number of columns of the state.
    pub width: i64,
    /// Whether the inputs are read from the last slice on, once one is known.
    pub backward: Option<bool>,
    /// The ops of the body that were read.
    pub inside: Vec<OpId>,
}

/// Where a value is: in the body, or outside with the values of all iterations, whose dimensions are in this order.
#[derive(Clone)]
enum Place {
    Body,
    Stacked(Option<Vec<usize>>),
}

impl Gates<'_> {
    /// The op that defines a value in the body, if it has a name that `is` accepts; it counts as read.
    pub fn enter(&mut self, value: ValueId) -> Option<OpId> {
        let op = self.module.defining_op(value)?;
        if self.scan.own.contains(&value) {
            self.inside.push(op);
        }
        Some(op)
    }

    /// The last size of a value.
    pub fn columns(&self, value: ValueId) -> Option<i64> {
        self.module.tensor(value)?.dims.last()?.known()
    }

    /// Whether a float tensor consists of one number.
    pub fn is_number(&self, value: ValueId, number: f64) -> bool {
        float_number(self.module, self.source, value) == Some(number)
    }

    /// Follows slices, concatenations and reshapes that keep columns together.
    pub fn narrow(&mut self, at: Columns) -> Columns {
        let mut at = at;
        for _ in 0..DEPTH {
            let Some(next) = self.narrower(at) else { break };
            at = next;
        }
        at
    }

    fn narrower(&mut self, Columns { value, first }: Columns) -> Option<Columns> {
        if !self.scan.own.contains(&value) {
            return None;
        }
        let next = columns_of(self.module, value, first, self.width)?;
        self.inside.push(self.module.defining_op(value)?);
        Some(next)
    }

    /// Reads a sum.
    pub fn sum(&mut self, at: Columns) -> Option<Sum> {
        let mut sum = Sum::default();
        self.add(at, &Place::Body, &mut sum, DEPTH)?;
        Some(sum)
    }

    /// Adds the terms of a sum to another.
    pub fn add_terms(&mut self, at: Columns, sum: &mut Sum) -> Option<()> {
        self.add(at, &Place::Body, sum, DEPTH)
    }

    fn add(&mut self, at: Columns, place: &Place, sum: &mut Sum, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let Columns { value, first } = at;
        let is_inside = self.scan.own.contains(&value);
        if !is_inside && matches!(place, Place::Body) {
            sum.biases.push(self.bias(value, first)?);
            return Some(());
        }
        let op = self.enter(value)?;
        let operands = self.module.op(op).operands.clone();
        match (self.module.op(op).name, place) {
            (stablehlo::ADD, _) => {
                self.add(Columns { value: operands[0], first }, place, sum, depth)?;
                self.add(Columns { value: operands[1], first }, place, sum, depth)
            }
            (stablehlo::BROADCAST_IN_DIM, _) => {
                let bias = self.broadcast_bias(op, value, first)?;
                sum.biases.push(bias);
                Some(())
            }
            (stablehlo::CONSTANT, Place::Stacked(_)) => {
                float_number(self.module, self.source, value)?;
                sum.biases.push(Bias::Row(Columns { value, first: 0 }));
                Some(())
            }
            (stablehlo::DYNAMIC_SLICE, Place::Body) => {
                let whole = self.slice_of(op)?;
                self.add(Columns { value: whole, first }, &Place::Stacked(None), sum, depth)
            }
            (stablehlo::TRANSPOSE, Place::Stacked(order)) => {
                let order = transposed(self.module, op, order.as_deref())?;
                self.add(Columns { value: operands[0], first }, &Place::Stacked(Some(order)), sum, depth)
            }
            (stablehlo::DOT_GENERAL, _) => self.product(op, first, place, sum, depth),
            (stablehlo::RESHAPE, Place::Stacked(Some(_))) => None,
            _ => {
                let next = columns_of(self.module, value, first, self.width)?;
                self.add(next, place, sum, depth)
            }
        }
    }

    /// A value from outside of the loop, the same in all iterations.
    fn bias(&self, value: ValueId, first: i64) -> Option<Bias> {
        if let Some(op) = self.module.defined_by(value, stablehlo::BROADCAST_IN_DIM) {
            return self.broadcast_bias(op, value, first);
        }
        if float_number(self.module, self.source, value).is_some() {
            return Some(Bias::Row(Columns { value, first: 0 }));
        }
        let (_, rest) = self.module.tensor(value)?.dims.split_last()?;
        rest.iter().all(|dim| dim.known() == Some(1)).then_some(Bias::Row(Columns { value, first }))
    }

    /// A broadcast value from outside of the loop that is the same in all rows.
    fn broadcast_bias(&self, op: OpId, result: ValueId, first: i64) -> Option<Bias> {
        let operand = self.module.op(op).operands[0];
        if self.scan.own.contains(&operand) {
            return None;
        }
        let axes = self.module.integers(self.module.attribute(op, "broadcast_dimensions")?)?;
        let tensor = self.module.tensor(operand)?;
        if tensor.count() == Some(1) {
            return Some(Bias::Scalar(operand));
        }
        let result = self.module.tensor(result)?;
        let is_whole =
            axes.last() == Some(&(result.rank() as i64 - 1)) && tensor.dims.last() == result.dims.last();
        if is_whole { self.bias(operand, first) } else { None }
    }

    /// What the slice of an iteration is read from.
    fn slice_of(&mut self, op: OpId) -> Option<ValueId> {
        let read = self.scan.slices.reads.iter().find(|read| read.op == op)?;
        if *self.backward.get_or_insert(read.backward) != read.backward {
            return None;
        }
        Some(self.module.op(op).operands[0])
    }

    fn product(&mut self, op: OpId, first: i64, place: &Place, sum: &mut Sum, depth: usize) -> Option<()> {
        let numbers = DotDimensionNumbers::read(self.module, op).ok()?;
        let &[left, right] = &self.module.op(op).operands[..] else { return None };
        let (&[(of_left, of_right)], []) = (&numbers.contracting[..], &numbers.batching[..]) else {
            return None;
        };
        let rank = |value: ValueId| self.module.tensor(value).map(|ty| ty.rank());
        let is_last = rank(left)? == of_left + 1;
        let (factor, matrix, axis) = if is_last && rank(right) == Some(2) && !self.scan.own.contains(&right) {
            (left, right, of_right)
        } else if rank(left) == Some(2) && rank(right) == Some(1) && !self.scan.own.contains(&left) {
            (right, left, of_left)
        } else {
            return None;
        };
        let weights = Weights { matrix, axis, row: 0, column: first };
        match place {
            Place::Stacked(order) => {
                let input = Input { value: factor, order: order.clone() };
                self.add_input(input, weights, sum)
            }
            Place::Body => self.add_factor(factor, weights, sum, depth),
        }
    }

    /// Adds the product of a value of the body with weights.
    fn add_factor(&mut self, factor: ValueId, weights: Weights, sum: &mut Sum, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if factor == self.state {
            return set(&mut sum.state, weights);
        }
        let op = self.enter(factor).filter(|_| self.scan.own.contains(&factor))?;
        let operands = self.module.op(op).operands.clone();
        match self.module.op(op).name {
            stablehlo::CONCATENATE => {
                let axis = self.module.attribute(op, "dimension")?.as_integer()?;
                if usize::try_from(axis).ok()? + 1 != self.module.tensor(factor)?.rank() {
                    return None;
                }
                let mut row = weights.row;
                for operand in operands {
                    self.add_factor(operand, Weights { row, ..weights }, sum, depth)?;
                    row += self.columns(operand)?;
                }
                Some(())
            }
            stablehlo::DYNAMIC_SLICE => {
                let value = self.slice_of(op)?;
                self.add_input(Input { value, order: None }, weights, sum)
            }
            stablehlo::RESHAPE if self.columns(operands[0]) == self.columns(factor) => {
                self.add_factor(operands[0], weights, sum, depth)
            }
            stablehlo::MULTIPLY => {
                let gate = match operands[..] {
                    [a, b] if b == self.state => a,
                    [a, b] if a == self.state => b,
                    _ => return None,
                };
                set(&mut sum.reset, Columns { value: gate, first: 0 })?;
                set(&mut sum.state, weights)
            }
            _ => None,
        }
    }

    fn add_input(&self, input: Input, weights: Weights, sum: &mut Sum) -> Option<()> {
        // A slice of one dimension has no columns.
        let rank = self.module.tensor(input.value)?.rank();
        (rank >= 2).then_some(())?;
        set(&mut sum.input, (input, weights))
    }
}

/// Sets a term, of which a sum has at most one.
fn set<T>(term: &mut Option<T>, value: T) -> Option<()> {
    if term.is_some() {
        return None;
    }
    *term = Some(value);
    Some(())
}

/// The operand of a slice, a concatenation or a reshape that has the same columns.
fn columns_of(module: &Module, value: ValueId, first: i64, width: i64) -> Option<Columns> {
    let op = module.defining_op(value)?;
    let operands = &module.op(op).operands;
    let result = module.tensor(value)?;
    let last = result.rank().checked_sub(1)?;
    match module.op(op).name {
        stablehlo::SLICE => {
            let list = |name: &str| module.integers(module.attribute(op, name)?);
            let starts = list("start_indices")?;
            let operand = module.tensor(operands[0])?;
            let is_plain = list("strides")?.iter().all(|&stride| stride == 1)
                && operand.dims[..last] == result.dims[..last];
            is_plain.then(|| Columns { value: operands[0], first: first + starts[last] })
        }
        stablehlo::CONCATENATE => {
            if module.attribute(op, "dimension")?.as_integer()? != last as i64 {
                return None;
            }
            let mut first = first;
            for &operand in operands {
                let size = module.tensor(operand)?.dims[last].known()?;
                if first < size {
                    return (first + width <= size).then_some(Columns { value: operand, first });
                }
                first -= size;
            }
            None
        }
        stablehlo::RESHAPE => {
            let operand = module.tensor(operands[0])?;
            (operand.dims.last() == result.dims.last()).then_some(Columns { value: operands[0], first })
        }
        _ => None,
    }
}

/// The order of the dimensions of a transposed value, after another order.
fn transposed(module: &Module, op: OpId, order: Option<&[usize]>) -> Option<Vec<usize>> {
    let own = match module.attribute(op, "permutation")? {
        Attribute::Integers(_, axes) => {
            axes.iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    let last = own.len().checked_sub(1)?;
    if own[last] != last {
        return None;
    }
    Some(match order {
        Some(order) => order.iter().map(|&axis| own[axis]).collect(),
        None => own,
    })
}
