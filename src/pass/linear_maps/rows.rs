//! Values as linear functions of the elements of another one.

use crate::ir::{Module, OpId, ValueId, onnx};
use crate::ops::fold::{self, Tensor, float};
use crate::source::Source;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::rc::Rc;

/// This many terms are computed for one map.
const MOST_TERMS: usize = 1 << 22;
/// Results and factors beyond this are left to the ops.
const LARGEST: f64 = 1e30;

/// An element: an offset, and the factors of elements of the source, by their positions.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub offset: f64,
    pub terms: Vec<(u32, f64)>,
}

impl Row {
    /// This times a number, plus another row times a number.
    fn combined(&self, factor: f64, other: &Row, other_factor: f64) -> Row {
        let offset = self.offset * factor + other.offset * other_factor;
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(&&(a, x)), Some(&&(b, y))) if a == b => {
                    terms.push((a, x * factor + y * other_factor));
                    left.next();
                    right.next();
                }
                (Some(&&(a, x)), other) if other.is_none_or(|&&(b, _)| a < b) => {
                    terms.push((a, x * factor));
                    left.next();
                }
                (_, Some(&&(b, y))) => {
                    terms.push((b, y * other_factor));
                    right.next();
                }
                _ => return Row { offset, terms },
            }
        }
    }

    fn is_in_range(&self) -> bool {
        let numbers = self.terms.iter().map(|term| term.1).chain([self.offset]);
        numbers.into_iter().all(|number| number.abs() <= LARGEST)
    }
}

/// The elements of a value, in row-major order.
type Elements = Rc<Vec<Row>>;

/// The values of a map.
pub(super) struct Rows<'a> {
    module: &'a Module,
    text: &'a Source,
    known: FxHashMap<ValueId, Elements>,
    terms: usize,
}

impl<'a> Rows<'a> {
    /// The source itself.
    pub fn of(module: &'a Module, text: &'a Source, source: ValueId) -> Option<Self> {
        let count = u32::try_from(module.tensor(source)?.count()?).ok()?;
        let rows = (0..count).map(|index| Row { offset: 0.0, terms: vec![(index, 1.0)] }).collect();
        let known = [(source, Rc::new(rows))].into_iter().collect();
        Some(Self { module, text, known, terms: 0 })
    }

    /// The elements of a value that was followed.
    pub fn take(&self, value: ValueId) -> Option<Vec<Row>> {
        self.known.get(&value).map(|rows| rows.to_vec())
    }

    /// Computes the result of an op.
    pub fn follow(&mut self, op: OpId) -> Option<()> {
        let operation = self.module.op(op);
        let operands = &operation.operands;
        let result = operation.results[0];
        let rows = match operation.name {
            onnx::IDENTITY | onnx::RESHAPE => self.rows(operands[0])?,
            onnx::NEG => Rc::new(self.rows(operands[0])?.iter().map(|row| scaled(row, -1.0)).collect()),
            onnx::SUB => self.sum(result, operands[0], operands[1], -1.0)?,
            onnx::ADD | onnx::SUM => {
                let (&first, others) = operands.split_first()?;
                let mut rows = self.spread(result, first)?;
                for &other in others {
                    let other = self.spread(result, other)?;
                    rows = added(&rows, &other, 1.0);
                }
                rows
            }
            onnx::MUL => match self.known.contains_key(&operands[0]) {
                true => self.scaled(result, operands[0], operands[1], |factor| factor)?,
                false => self.scaled(result, operands[1], operands[0], |factor| factor)?,
            },
            onnx::DIV => self.scaled(result, operands[0], operands[1], f64::recip)?,
            onnx::MAT_MUL => self.product(op)?,
            onnx::PAD => self.padded(op)?,
            _ => self.moved(op)?,
        };
        let count = usize::try_from(self.module.tensor(result)?.count()?).ok()?;
        self.terms += rows.iter().map(|row| row.terms.len()).sum::<usize>();
        let fits = rows.len() == count && self.terms <= MOST_TERMS;
        if !fits || !rows.iter().all(Row::is_in_range) {
            return None;
        }
        self.known.insert(result, rows);
        Some(())
    }

    fn sizes(&self, value: ValueId) -> Option<Vec<usize>> {
        let sizes = self.module.tensor(value)?.sizes()?;
        sizes.into_iter().map(|size| usize::try_from(size).ok()).collect()
    }

    /// The elements of a linear or constant value.
    fn rows(&self, value: ValueId) -> Option<Elements> {
        if let Some(rows) = self.known.get(&value) {
            return Some(rows.clone());
        }
        let numbers = self.numbers(value)?;
        Some(Rc::new(numbers.iter().map(|&offset| Row { offset, terms: Vec::new() }).collect()))
    }

    /// The elements of a constant.
    fn numbers(&self, value: ValueId) -> Option<ArrayD<f64>> {
        let tensor = Tensor::read(self.module, self.text, self.module.constant_of(value)?)?;
        let element = tensor.element;
        let numbers = tensor.view()?.iter().map(|&bits| float(element, bits)).collect::<Option<Vec<_>>>()?;
        ArrayD::from_shape_vec(IxDyn(&tensor.sizes), numbers).ok()
    }

    /// The elements of a value, broadcast to the sizes of another.
    fn spread(&self, like: ValueId, value: ValueId) -> Option<Elements> {
        let (rows, from, to) = (self.rows(value)?, self.sizes(value)?, self.sizes(like)?);
        if from == to {
            return Some(rows);
        }
        let places = ArrayD::from_shape_vec(IxDyn(&from), (0..rows.len()).collect()).ok()?;
        let places = places.broadcast(IxDyn(&to))?;
        Some(Rc::new(places.iter().map(|&place| rows[place].clone()).collect()))
    }

    fn sum(&self, result: ValueId, left: ValueId, right: ValueId, factor: f64) -> Option<Elements> {
        Some(added(&self.spread(result, left)?, &self.spread(result, right)?, factor))
    }

    /// A linear value times a function of a constant one.
    fn scaled(
        &self,
        result: ValueId,
        value: ValueId,
        factors: ValueId,
        factor: fn(f64) -> f64,
    ) -> Option<Elements> {
        let rows = self.spread(result, value)?;
        let factors = self.numbers(factors)?;
        let factors = factors.broadcast(IxDyn(&self.sizes(result)?))?.iter().copied().collect::<Vec<_>>();
        Some(Rc::new(rows.iter().zip(factors).map(|(row, number)| scaled(row, factor(number))).collect()))
    }

    /// A product of matrices, one of them constant.
    fn product(&self, op: OpId) -> Option<Elements> {
        let (operands, result) = (&self.module.op(op).operands, self.module.op(op).results[0]);
        let on_left = self.known.contains_key(&operands[0]);
        let (value, matrix) = if on_left { (0, 1) } else { (1, 0) };
        let (rows, factors) = (self.rows(operands[value])?, self.numbers(operands[matrix])?);
        let places = ArrayD::from_shape_vec(IxDyn(&self.sizes(operands[value])?), (0..rows.len()).collect());
        let (places, factors) = (places.ok()?, factors);
        let (places, factors) = match on_left {
            true => (matrices(places.view(), true)?, matrices(factors.view(), false)?),
            false => (matrices(places.view(), false)?, matrices(factors.view(), true)?),
        };
        let [left, right] = match on_left {
            true => [places.shape(), factors.shape()],
            false => [factors.shape(), places.shape()],
        };
        let (height, inner, width) = (left[left.len() - 2], left[left.len() - 1], right[right.len() - 1]);
        if right[right.len() - 2] != inner {
            return None;
        }
        let rank = left.len().max(right.len());
        // The dimensions of the batch are those of the result, which has no dimension for a vector.
        let batch: Vec<usize> = (0..rank - 2)
            .map(|axis| {
                let of =
                    |sizes: &[usize]| (axis + sizes.len()).checked_sub(rank).map_or(1, |axis| sizes[axis]);
                of(left).max(of(right))
            })
            .collect();
        let whole = |sizes: [usize; 2]| [&batch[..], &sizes].concat();
        let (places_sizes, factor_sizes) = match on_left {
            true => (whole([height, inner]), whole([inner, width])),
            false => (whole([inner, width]), whole([height, inner])),
        };
        let places: Vec<usize> = places.broadcast(IxDyn(&places_sizes))?.iter().copied().collect();
        let factors: Vec<f64> = factors.broadcast(IxDyn(&factor_sizes))?.iter().copied().collect();
        let count = usize::try_from(self.module.tensor(result)?.count()?).ok()?;
        let (mut products, mut work) = (Vec::with_capacity(count), 0);
        for batch in 0..batch.iter().product() {
            for row in 0..height {
                for column in 0..width {
                    let mut sum = Row::default();
                    for index in 0..inner {
                        let left = (batch * height + row) * inner + index;
                        let right = (batch * inner + index) * width + column;
                        let (place, factor) = if on_left { (left, right) } else { (right, left) };
                        if factors[factor] != 0.0 {
                            let row = &rows[places[place]];
                            work += row.terms.len() + sum.terms.len();
                            sum = sum.combined(1.0, row, factors[factor]);
                        }
                    }
                    if work > MOST_TERMS {
                        return None;
                    }
                    products.push(sum);
                }
            }
        }
        Some(Rc::new(products))
    }

    /// A value with constants around it.
    fn padded(&self, op: OpId) -> Option<Elements> {
        let operation = self.module.op(op);
        let mode = self.module.attribute(op, "mode").and_then(|mode| self.module.word(mode));
        if mode.is_some_and(|mode| mode != "constant") || operation.operands.len() > 3 {
            return None;
        }
        let filler = match operation.operands.get(2) {
            Some(&filler) => self.numbers(filler)?.first().copied()?,
            None => 0.0,
        };
        let rows = self.rows(operation.operands[0])?;
        let pads = self.module.known_integers(*operation.operands.get(1)?)?;
        let (from, to) = (self.sizes(operation.operands[0])?, self.sizes(operation.results[0])?);
        if pads.len() != 2 * from.len() {
            return None;
        }
        let filler = Row { offset: filler, terms: Vec::new() };
        let places = ArrayD::from_shape_vec(IxDyn(&from), (0..rows.len()).collect::<Vec<_>>()).ok()?;
        let picked = ArrayD::from_shape_fn(IxDyn(&to), |place| {
            let place: Option<Vec<usize>> =
                (0..from.len()).map(|axis| usize::try_from(place[axis] as i64 - pads[axis]).ok()).collect();
            place.and_then(|place| places.get(IxDyn(&place)).copied())
        });
        Some(Rc::new(
            picked.iter().map(|place| place.map_or(&filler, |place| &rows[place]).clone()).collect(),
        ))
    }

    /// An op that moves elements: it is evaluated on their positions.
    fn moved(&self, op: OpId) -> Option<Elements> {
        let operation = self.module.op(op);
        let mut table: Vec<Row> = Vec::new();
        let mut operands = SmallVec::new();
        let element = self.module.tensor(operation.results[0])?.element;
        let moves = if operation.name == onnx::CONCAT { operation.operands.len() } else { 1 };
        for (index, &operand) in operation.operands.iter().enumerate() {
            if index >= moves {
                operands.push(Tensor::read(self.module, self.text, self.module.constant_of(operand)?)?);
                continue;
            }
            let rows = self.rows(operand)?;
            let first = table.len() as i64;
            let positions = (first..first + rows.len() as i64).collect();
            operands.push(Tensor::from_elements(element, self.sizes(operand)?, positions)?);
            table.extend(rows.iter().cloned());
        }
        let moved = fold::evaluate_op(self.module, op, operands)?;
        let place = |&place: &i64| table.get(usize::try_from(place).ok()?).cloned();
        Some(Rc::new(moved.view()?.iter().map(place).collect::<Option<_>>()?))
    }
}

fn scaled(row: &Row, factor: f64) -> Row {
    row.combined(factor, &Row::default(), 0.0)
}

fn added(left: &[Row], right: &[Row], factor: f64) -> Elements {
    Rc::new(left.iter().zip(right).map(|(left, right)| left.combined(1.0, right, factor)).collect())
}

/// An array of at least two dimensions: a vector is a row on the left side and a column on the right.
fn matrices<T: Clone>(array: ArrayViewD<'_, T>, is_left: bool) -> Option<ArrayD<T>> {
    let sizes = match *array.shape() {
        [] => return None,
        [size] if is_left => vec![1, size],
        [size] => vec![size, 1],
        _ => return Some(array.to_owned()),
    };
    ArrayD::from_shape_vec(IxDyn(&sizes), array.iter().cloned().collect()).ok()
}
