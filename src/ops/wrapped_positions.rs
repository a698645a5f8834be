//! Positions that count from the end where they are negative, as NumPy's do. JAX adds the size to those. ONNX's `Gather`
//! counts so itself; its other gathers should, but tract's do not.

use super::Lower;
use super::start_indices::StartIndices;
use super::value_range::ValueRange;
use crate::ir::{Attribute, Element, ValueId, onnx};

impl Lower<'_> {
    /// Positions of `select(i < 0, i + size, i)`, clamped: `i` clamped from `-size` to `size - 1`, and modulo the size
    /// unless `counts`, which is whether the op counts negative ones from the end. `None` if some column is something
    /// else.
    pub(super) fn wrapped_positions(
        &mut self,
        starts: &StartIndices,
        sizes: &[i64],
        counts: bool,
    ) -> Option<StartIndices> {
        if sizes.iter().any(|&size| size <= 0 || size > i64::from(i32::MAX)) {
            return None;
        }
        let widened = self.widened(starts.value);
        let value = self.before_wrap(widened.unwrap_or(starts.value), sizes)?;
        let element = self.element(value);
        let own = self.column_ranges(value, sizes.len() as i64);
        let bounds = sizes.iter().map(|&size| ValueRange { low: -size, high: size - 1 });
        let (mut low, mut high) = (false, false);
        for (range, bound) in own.iter().zip(bounds.clone()) {
            low |= range.low < bound.low;
            high |= range.high > bound.high;
        }
        let numbers = |cx: &mut Self, of: fn(ValueRange) -> i64| {
            let numbers: Vec<i64> = bounds.clone().map(of).collect();
            if numbers.iter().all(|number| *number == numbers[0]) {
                cx.integer(element, numbers[0])
            } else {
                cx.integers(element, &[numbers.len() as i64], &numbers)
            }
        };
        let (lowest, highest) = (numbers(self, |bound| bound.low), numbers(self, |bound| bound.high));
        // Accelerators have more kernels for Max and Min of integers than for Clip.
        let raised = if low { self.larger(value, lowest) } else { value };
        let value = if high { self.smaller(raised, highest) } else { raised };
        let is_negative = own.iter().any(|range| range.low < 0);
        let value = if counts || !is_negative {
            value
        } else {
            let modulus = numbers(self, |bound| bound.high + 1);
            self.elementwise(onnx::MOD, &[value, modulus])
        };
        let value = self.cast(value, self.element(starts.value));
        let lowest = |bound: ValueRange| if counts { bound.low } else { 0 };
        let ranges = bounds.map(|bound| ValueRange { low: lowest(bound), ..bound }).collect();
        Some(StartIndices { value, batch: starts.batch.clone(), ranges })
    }

    /// The `i32` that was cast to this `i64`.
    pub(super) fn widened(&self, value: ValueId) -> Option<ValueId> {
        let [before] = self.module.defining_operands(value, onnx::CAST)?;
        (self.element(before) == Element::I32 && self.element(value) == Element::I64).then_some(before)
    }

    /// The integers `i` of `select(i < 0, i + size, i)`, for each column with its size.
    fn before_wrap(&mut self, value: ValueId, sizes: &[i64]) -> Option<ValueId> {
        let op = self.module.defining_op(value)?;
        let operands = self.module.op(op).operands.clone();
        let dims = self.dims(value);
        match (self.module.op(op).name, &operands[..]) {
            (onnx::CAST, _) => {
                let before = self.widened(value)?;
                let before = self.before_wrap(before, sizes)?;
                Some(self.cast(before, self.element(value)))
            }
            (onnx::RESHAPE, &[before, _]) if sizes.len() == 1 || self.dims(before).last() == dims.last() => {
                let before = self.before_wrap(before, sizes)?;
                Some(self.reshape(before, &dims))
            }
            (onnx::CONCAT, columns) => {
                let axis = self.module.attribute(op, "axis").and_then(Attribute::as_integer)?;
                if axis != dims.len() as i64 - 1 {
                    return None;
                }
                let (mut rest, mut before) = (sizes, Vec::with_capacity(columns.len()));
                for &column in columns {
                    let width = usize::try_from(self.dims(column).last()?.known()?).ok()?;
                    let own;
                    (own, rest) = rest.split_at_checked(width)?;
                    let unwrapped = match self.before_wrap(column, own) {
                        // A position that is never negative counts from the start either way.
                        None => (self.range(column).low >= 0).then_some(column)?,
                        Some(unwrapped) => unwrapped,
                    };
                    before.push(unwrapped);
                }
                let changed = before.iter().ne(columns);
                (changed && rest.is_empty()).then(|| self.concat(&before, dims.len() - 1))
            }
            (onnx::WHERE, &[condition, yes, no]) if self.dims(no) == dims => {
                let [below, zero] = self.module.defining_operands(condition, onnx::LESS)?;
                let [a, b] = self.module.defining_operands(yes, onnx::ADD)?;
                let added = if a == no { b } else { a };
                let is_wrap = below == no
                    && (a == no || b == no)
                    && self.are_all(zero, 0)
                    && sizes.iter().all(|&size| self.are_all(added, size));
                is_wrap.then_some(no)
            }
            _ => None,
        }
    }

    /// Whether a value is a constant of this number only.
    fn are_all(&self, value: ValueId, number: i64) -> bool {
        self.known_integers(value).is_some_and(|numbers| numbers.iter().all(|&own| own == number))
    }
}
