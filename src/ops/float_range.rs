//! The range of a float value, traced back through the ops that compute it.

use super::Lower;
use super::constant::{all_numbers, integer_limits};
use crate::ir::{Element, OpId, ValueId, onnx};
use std::cell::Cell;

/// The numbers that a float can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatRange {
    /// No number is lower.
    pub low: f64,
    /// No number is higher.
    pub high: f64,
    /// Whether it can be NaN.
    pub nan: bool,
}

/// How many ops a range is traced through.
const MAX_OPS: u32 = 64;
/// Longer constants that are not splats are not read.
const MAX_ELEMENTS: i64 = 64;
/// More than the relative error of a rounded number of any type that is computed with.
const ROUNDING: f64 = 0.01;

impl FloatRange {
    const ANY: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY, nan: true };

    /// Whether all numbers truncate to numbers of an integer type. Its highest number may be rounded up.
    pub(super) fn fits(self, to: Element) -> bool {
        let (lowest, highest) = float_limits(to);
        lowest <= self.low && if to.bits() == 64 { self.high < highest } else { self.high <= highest }
    }

    fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), nan: self.nan || other.nan }
    }

    /// The sum in an element type, which may be rounded outward. Infinities of opposite signs make NaN.
    fn sum(self, other: Self, element: Element) -> Self {
        let cancels = |a: Self, b: Self| a.low == f64::NEG_INFINITY && b.high == f64::INFINITY;
        let (low, high) = (self.low + other.low, self.high + other.high);
        Self {
            low: if low.is_nan() { f64::NEG_INFINITY } else { rounded_out(low, -1.0, element) },
            high: if high.is_nan() { f64::INFINITY } else { rounded_out(high, 1.0, element) },
            nan: self.nan || other.nan || cancels(self, other) || cancels(other, self),
        }
    }
}

/// The largest finite number of a float type.
pub(super) fn largest(element: Element) -> f64 {
    match element {
        Element::F64 => f64::MAX,
        Element::F16 => half::f16::MAX.to_f64(),
        Element::BF16 => half::bf16::MAX.to_f64(),
        _ => f64::from(f32::MAX),
    }
}

/// An end of a range after its number was rounded to a float type: infinite beyond the largest number.
fn rounded_out(end: f64, outward: f64, element: Element) -> f64 {
    let end = end + outward * end.abs() * ROUNDING;
    if end.abs() < largest(element) { end } else { end.signum() * f64::INFINITY }
}

/// The limits of an integer type; the highest number of 64 bits is rounded up.
pub(super) fn float_limits(element: Element) -> (f64, f64) {
    let (lowest, highest) = integer_limits(element);
    let highest = if element == Element::U64 { u64::MAX as f64 } else { highest as f64 };
    (lowest as f64, highest)
}

impl Lower<'_> {
    /// The range of a lowered float.
    pub(super) fn float_range(&self, value: ValueId) -> FloatRange {
        self.traced_range(value, &mut { MAX_OPS })
    }

    fn traced_range(&self, value: ValueId, left: &mut u32) -> FloatRange {
        if self.module.constant_of(value).is_some() {
            return self.constant_range(value).unwrap_or(FloatRange::ANY);
        }
        let Some(op) = self.module.defining_op(value).filter(|_| *left > 0) else { return FloatRange::ANY };
        *left -= 1;
        self.result_range(op, left)
    }

    /// `None` for NaN and for many numbers.
    fn constant_range(&self, value: ValueId) -> Option<FloatRange> {
        let (low, high) = (Cell::new(f64::INFINITY), Cell::new(f64::NEG_INFINITY));
        let is_number = all_numbers(self.module, self.source, value, MAX_ELEMENTS, |number| {
            low.set(low.get().min(number));
            high.set(high.get().max(number));
            !number.is_nan()
        })?;
        is_number.then(|| FloatRange { low: low.get(), high: high.get(), nan: false })
    }

    fn result_range(&self, op: OpId, left: &mut u32) -> FloatRange {
        let operands = &self.module.op(op).operands[..];
        let Some(&operand) = operands.first() else { return FloatRange::ANY };
        let number = |index: usize| {
            let operand = operands.get(index).copied()?;
            self.known_number(operand).filter(|number| !number.is_nan())
        };
        match self.module.op(op).name {
            onnx::CAST => {
                let from = self.element(operand);
                if from.is_float() {
                    return FloatRange::ANY;
                }
                let ((low, high), to) = (float_limits(from), self.element(self.module.op(op).results[0]));
                // All floats that are computed with have the integers of eight bits.
                if from.bits() <= 8 {
                    return FloatRange { low, high, nan: false };
                }
                FloatRange { low: rounded_out(low, -1.0, to), high: rounded_out(high, 1.0, to), nan: false }
            }
            onnx::CLIP => match (number(1), number(2)) {
                (Some(low), Some(high)) if low <= high => {
                    FloatRange { low, high, ..self.traced_range(operand, left) }
                }
                _ => FloatRange::ANY,
            },
            onnx::SIGMOID => FloatRange { low: 0.0, high: 1.0, ..self.traced_range(operand, left) },
            // A row of infinities becomes NaN.
            onnx::SOFTMAX => FloatRange { low: 0.0, high: 1.0, nan: true },
            onnx::LOG_SOFTMAX => FloatRange { low: f64::NEG_INFINITY, high: 0.0, nan: true },
            onnx::TANH | onnx::SIGN => {
                FloatRange { low: -1.0, high: 1.0, ..self.traced_range(operand, left) }
            }
            onnx::FLOOR | onnx::CEIL | onnx::ROUND => {
                let FloatRange { low, high, nan } = self.traced_range(operand, left);
                FloatRange { low: low.floor(), high: high.ceil(), nan }
            }
            onnx::RESHAPE
            | onnx::TRANSPOSE
            | onnx::SLICE
            | onnx::EXPAND
            | onnx::IDENTITY
            | onnx::GATHER
            | onnx::GATHER_ELEMENTS
            | onnx::GATHER_ND => self.traced_range(operand, left),
            onnx::RELU => {
                let FloatRange { low, high, nan } = self.traced_range(operand, left);
                // A runtime may replace NaN by 0.
                FloatRange { low: if nan { 0.0 } else { low.max(0.0) }, high: high.max(0.0), nan }
            }
            name @ (onnx::MAX | onnx::MIN) => {
                let pick = if name == onnx::MAX { f64::max } else { f64::min };
                let ranges = operands.iter().map(|&operand| self.traced_range(operand, left));
                let both = |a: FloatRange, b: FloatRange| {
                    let (mut low, mut high) = (pick(a.low, b.low), pick(a.high, b.high));
                    // A runtime may return the other operand where one is NaN.
                    for (range, other) in [(a, b), (b, a)] {
                        if range.nan {
                            (low, high) = (low.min(other.low), high.max(other.high));
                        }
                    }
                    FloatRange { low, high, nan: a.nan || b.nan }
                };
                ranges.reduce(both).unwrap_or(FloatRange::ANY)
            }
            onnx::ADD => {
                let first = self.traced_range(operand, left);
                first.sum(self.traced_range(operands[1], left), self.element(operand))
            }
            onnx::WHERE => {
                let &[condition, yes, no] = operands else { return FloatRange::ANY };
                let (yes, mut range) = (self.traced_range(yes, left), self.traced_range(no, left));
                range.nan &= self.module.defining_operands(condition, onnx::IS_NAN) != Some([no]);
                yes.union(range)
            }
            _ => FloatRange::ANY,
        }
    }
}
