//! The range of an integer value, traced back through the ops that compute it.

use super::Lower;
use super::constant::integer_limits;
use crate::ir::{Dim, DimExprs, Element, OpId, ValueId, axis_index, onnx};

/// A closed range of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueRange {
    /// The lowest possible value.
    pub low: i64,
    /// The highest possible value.
    pub high: i64,
}

impl ValueRange {
    pub const ALL: Self = Self { low: i64::MIN, high: i64::MAX };

    pub fn of(element: Element) -> Self {
        if element == Element::U64 || !(element.is_integer() || element == Element::Bool) {
            return Self::ALL;
        }
        let (low, high) = integer_limits(element);
        Self { low, high }
    }

    /// Whether the range is within 0 to `limit`.
    pub fn within(self, sizes: &DimExprs, limit: Dim) -> bool {
        self.low >= 0 && sizes.is_at_least(limit, self.high)
    }

    /// The range clamped from 0 to `limit`.
    pub fn clamped(self, sizes: &DimExprs, limit: Dim) -> Self {
        let (low, high) = sizes.bounds(limit);
        let (low, high) = (low.unwrap_or(0).max(0), high.unwrap_or(i64::MAX).max(0));
        Self { low: self.low.clamp(0, low), high: self.high.clamp(0, high) }
    }

    fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// How far a range is traced back.
const DEPTH: usize = 16;
/// More columns than this share one range.
const COLUMNS: usize = 16;

impl Lower<'_> {
    /// Records that a value is at least 0 and less than a size.
    pub(super) fn note_below(&mut self, value: ValueId, size: Dim) {
        let high = self.module.dim_exprs.bounds(size).1.map_or(i64::MAX, |size| (size - 1).max(0));
        self.value_ranges.insert(value, ValueRange { low: 0, high });
    }

    /// Records that a value is in a range.
    pub(super) fn note_range(&mut self, value: ValueId, low: i64, high: i64) {
        self.value_ranges.insert(value, ValueRange { low, high });
    }

    /// The range of each column of an integer value; a column is an index into its last axis.
    pub(super) fn column_ranges(&self, value: ValueId, count: i64) -> Vec<ValueRange> {
        let ranges = self.ranges(value, DEPTH);
        let count = usize::try_from(count).unwrap_or(0);
        if ranges.len() == count { ranges } else { vec![merged(&ranges); count] }
    }

    /// The range of an integer value.
    pub(super) fn range(&self, value: ValueId) -> ValueRange {
        merged(&self.ranges(value, DEPTH))
    }

    /// The range of each column of an integer value, or one for all.
    fn ranges(&self, value: ValueId, depth: usize) -> Vec<ValueRange> {
        let element = self.element(value);
        let any = || vec![ValueRange::of(element)];
        if let Some(&range) = self.value_ranges.get(&value) {
            return vec![range];
        }
        let (Some(op), Some(depth)) = (self.module.defining_op(value), depth.checked_sub(1)) else {
            return any();
        };
        let sizes = self.dims(value);
        if sizes.contains(&Dim::Known(0)) {
            return vec![ValueRange { low: 0, high: 0 }];
        }
        let width = sizes.last().map_or(Some(1), |size| size.known()).unwrap_or(0) as usize;
        let operands = &self.module.op(op).operands;
        let of = |index: usize| operands.get(index).map_or_else(any, |&value| self.ranges(value, depth));
        let same_width = || self.dims(operands[0]).last() == sizes.last();
        match self.module.op(op).name {
            onnx::CONSTANT => self.constant_ranges(value, width).unwrap_or_else(any),
            onnx::IDENTITY | onnx::EXPAND => of(0),
            onnx::RESHAPE if same_width() => of(0),
            onnx::RESHAPE
            | onnx::TRANSPOSE
            | onnx::SLICE
            | onnx::GATHER
            | onnx::GATHER_ELEMENTS
            | onnx::GATHER_ND => vec![merged(&of(0))],
            onnx::CAST => {
                let own = ValueRange::of(element);
                let source = self.element(operands[0]);
                if source.is_float() {
                    let truncates = element.is_integer() && element != Element::U64;
                    let range = if truncates { self.truncated(operands[0], own) } else { None };
                    return range.map_or_else(any, |range| vec![range]);
                }
                let from = of(0);
                let whole = source.is_integer() || source == Element::Bool;
                let fits = |range: &ValueRange| range.low >= own.low && range.high <= own.high;
                let wraps = element == Element::U64 || source == Element::U64;
                if whole && !wraps && from.iter().all(fits) { from } else { any() }
            }
            onnx::CONCAT => self.concat_ranges(op, sizes.len(), depth),
            onnx::MAX => self
                .zip(operands, depth, |a, b| ValueRange { low: a.low.max(b.low), high: a.high.max(b.high) }),
            onnx::MIN => self
                .zip(operands, depth, |a, b| ValueRange { low: a.low.min(b.low), high: a.high.min(b.high) }),
            onnx::CLIP => {
                let bound = |index: usize, or: i64| match operands.get(index) {
                    Some(&bound) if bound != self.absent() => merged(&self.ranges(bound, depth)),
                    _ => ValueRange { low: or, high: or },
                };
                let (low, high) = (bound(1, i64::MIN), bound(2, i64::MAX));
                let clip = |range: ValueRange| ValueRange {
                    low: range.low.max(low.low).min(high.low),
                    high: range.high.max(low.high).min(high.high),
                };
                of(0).into_iter().map(clip).collect()
            }
            onnx::ADD if element != Element::U64 => {
                let own = ValueRange::of(element);
                self.zip(operands, depth, |a, b| {
                    let ends = (a.low.checked_add(b.low), a.high.checked_add(b.high));
                    match ends {
                        (Some(low), Some(high)) if low >= own.low && high <= own.high => {
                            ValueRange { low, high }
                        }
                        _ => own,
                    }
                })
            }
            onnx::SUB if element != Element::U64 => {
                let own = ValueRange::of(element);
                self.zip(operands, depth, |a, b| {
                    let ends = (a.low.checked_sub(b.high), a.high.checked_sub(b.low));
                    match ends {
                        (Some(low), Some(high)) if low >= own.low && high <= own.high => {
                            ValueRange { low, high }
                        }
                        _ => own,
                    }
                })
            }
            onnx::BITWISE_AND => self.zip(operands, depth, |a, b| match (a.low >= 0, b.low >= 0) {
                (true, true) => ValueRange { low: 0, high: a.high.min(b.high) },
                (true, false) => ValueRange { low: 0, high: a.high },
                (false, true) => ValueRange { low: 0, high: b.high },
                (false, false) => ValueRange::of(element),
            }),
            onnx::DIV if element != Element::U64 => self.zip(operands, depth, |a, b| {
                if a.low >= 0 && b.low > 0 && element.is_integer() {
                    ValueRange { low: a.low / b.high, high: a.high / b.low }
                } else {
                    ValueRange::of(element)
                }
            }),
            onnx::SCATTER_ND | onnx::SCATTER_ELEMENTS if self.replaces(op) => {
                vec![merged(&of(0)).union(merged(&of(2)))]
            }
            onnx::MOD => {
                let of_dividend =
                    self.module.attribute(op, "fmod").is_some_and(|fmod| fmod.as_integer() == Some(1));
                let signed = of_dividend && !element.is_unsigned();
                self.zip(operands, depth, |a, b| match b.high.checked_sub(1) {
                    Some(high) if b.low > 0 && element.is_integer() => {
                        ValueRange { low: if signed && a.low < 0 { -high } else { 0 }, high }
                    }
                    _ => ValueRange::of(element),
                })
            }
            onnx::WHERE => match self.decided(operands[0], depth) {
                Some(true) => of(1),
                Some(false) => of(2),
                None => {
                    let taken = self.where_true(operands[0], operands[1], of(1), depth);
                    combined(taken, of(2), ValueRange::union)
                }
            },
            onnx::ARG_MAX | onnx::ARG_MIN => self.position_range(op, 0).unwrap_or_else(any),
            onnx::TOP_K if self.module.op(op).results.get(1) == Some(&value) => {
                self.position_range(op, -1).unwrap_or_else(any)
            }
            _ => any(),
        }
    }

    /// The range of a float that is truncated toward zero, if all of it fits.
    fn truncated(&self, float: ValueId, own: ValueRange) -> Option<ValueRange> {
        let range = self.float_range(float);
        // Integers up to this magnitude are floats.
        let is_exact = range.low.abs().max(range.high.abs()) < (1u64 << 53) as f64 && !range.nan;
        let truncated = ValueRange { low: range.low as i64, high: range.high as i64 };
        (is_exact && truncated.low >= own.low && truncated.high <= own.high).then_some(truncated)
    }

    fn constant_ranges(&self, value: ValueId, width: usize) -> Option<Vec<ValueRange>> {
        let known = self.known_integers(value)?;
        if self.element(value) == Element::U64 && known.iter().any(|&number| number < 0) {
            return None;
        }
        let width = if (1..=COLUMNS).contains(&width) { width } else { 1 };
        let column = |column: usize| {
            let numbers = || known.iter().skip(column).step_by(width).copied();
            Some(ValueRange { low: numbers().min()?, high: numbers().max()? })
        };
        (0..width).map(column).collect()
    }

    fn concat_ranges(&self, op: OpId, rank: usize, depth: usize) -> Vec<ValueRange> {
        let axis = self.module.attribute(op, "axis").and_then(crate::ir::Attribute::as_integer);
        let operands = &self.module.op(op).operands;
        if axis != Some(rank as i64 - 1) {
            return self.zip(operands, depth, ValueRange::union);
        }
        let parts: Vec<(usize, Vec<ValueRange>)> = operands
            .iter()
            .map(|&part| {
                // A symbolic width is larger than any that has column ranges.
                let width = self.dims(part).last().map_or(Some(0), |size| size.known());
                (width.map_or(COLUMNS + 1, |width| width as usize), self.ranges(part, depth))
            })
            .collect();
        if parts.iter().map(|(width, _)| width).sum::<usize>() > COLUMNS {
            return vec![merged(&parts.into_iter().flat_map(|(_, ranges)| ranges).collect::<Vec<_>>())];
        }
        let wide = |(width, ranges): (usize, Vec<ValueRange>)| {
            if ranges.len() == width { ranges } else { vec![merged(&ranges); width] }
        };
        parts.into_iter().flat_map(wide).collect()
    }

    /// Combines the ranges of values that broadcast, column by column.
    fn zip(
        &self,
        operands: &[ValueId],
        depth: usize,
        combine: impl Fn(ValueRange, ValueRange) -> ValueRange,
    ) -> Vec<ValueRange> {
        let all = operands.iter().map(|&operand| self.ranges(operand, depth));
        let combined = all.reduce(|a, b| combined(a, b, &combine));
        combined.unwrap_or_else(|| vec![ValueRange::ALL])
    }

    /// The ranges of a value where a condition holds that compares it.
    fn where_true(
        &self,
        condition: ValueId,
        value: ValueId,
        ranges: Vec<ValueRange>,
        depth: usize,
    ) -> Vec<ValueRange> {
        let (Some(op), Some(depth)) = (self.module.defining_op(condition), depth.checked_sub(1)) else {
            return ranges;
        };
        let bounds: fn(ValueRange, ValueRange) -> ValueRange = match self.module.op(op).name {
            onnx::AND => {
                let both = self.module.op(op).operands.iter();
                return both.fold(ranges, |ranges, &side| self.where_true(side, value, ranges, depth));
            }
            onnx::GREATER_OR_EQUAL => |own, bound| ValueRange { low: own.low.max(bound.low), ..own },
            onnx::LESS_OR_EQUAL => |own, bound| ValueRange { high: own.high.min(bound.high), ..own },
            _ => return ranges,
        };
        // A range of `ui64` has its numbers from 2^63 on as negative ones.
        if self.element(value) == Element::U64 {
            return ranges;
        }
        match self.module.op(op).operands[..] {
            [compared, bound] if compared == value => combined(ranges, self.ranges(bound, depth), bounds),
            _ => ranges,
        }
    }

    /// Whether a condition always or never holds, if ranges decide it.
    pub(super) fn known_truth(&self, condition: ValueId) -> Option<bool> {
        self.decided(condition, DEPTH / 2)
    }

    /// Whether a scatter only replaces elements.
    fn replaces(&self, op: OpId) -> bool {
        let reduction = self.module.attribute(op, "reduction").and_then(|word| self.module.word(word));
        reduction.is_none_or(|reduction| reduction == "none")
    }

    /// The result of a comparison, if the ranges of its operands decide it.
    fn decided(&self, condition: ValueId, depth: usize) -> Option<bool> {
        let op = self.module.defining_op(condition)?;
        let depth = depth.checked_sub(1)?;
        let operands = &self.module.op(op).operands;
        let of = |index: usize| {
            let value = *operands.get(index)?;
            let is_ordered = self.element(value).is_integer() && self.element(value) != Element::U64;
            is_ordered.then(|| merged(&self.ranges(value, depth)))
        };
        let is_less = |a: ValueRange, b: ValueRange| match () {
            () if a.high < b.low => Some(true),
            () if a.low >= b.high => Some(false),
            () => None,
        };
        match self.module.op(op).name {
            onnx::RESHAPE | onnx::EXPAND | onnx::TRANSPOSE => self.decided(operands[0], depth),
            onnx::LESS => is_less(of(0)?, of(1)?),
            onnx::GREATER_OR_EQUAL => is_less(of(0)?, of(1)?).map(|less| !less),
            onnx::LESS_OR_EQUAL => is_less(of(1)?, of(0)?).map(|less| !less),
            onnx::AND => match (self.decided(operands[0], depth), self.decided(operands[1], depth)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            onnx::XOR => Some(self.decided(operands[0], depth)? != self.decided(operands[1], depth)?),
            onnx::NOT => self.decided(operands[0], depth).map(|holds| !holds),
            onnx::CONSTANT => match self.known_integers(condition)?.split_first()? {
                (first, rest) if rest.iter().all(|other| other == first) => Some(*first != 0),
                _ => None,
            },
            _ => None,
        }
    }

    /// The range of indices along the `axis` of an op's operand.
    fn position_range(&self, op: OpId, default: i64) -> Option<Vec<ValueRange>> {
        let axis = self.module.attribute(op, "axis").and_then(crate::ir::Attribute::as_integer);
        let axis = axis.unwrap_or(default);
        let sizes = self.dims(*self.module.op(op).operands.first()?);
        let size = self.module.dim_exprs.bounds(sizes[axis_index(axis, sizes.len())?]).1?;
        Some(vec![ValueRange { low: 0, high: (size - 1).max(0) }])
    }
}

/// Combines ranges column by column. A single range represents all columns; lists of different other lengths cannot be
/// paired.
fn combined(
    a: Vec<ValueRange>,
    b: Vec<ValueRange>,
    combine: impl Fn(ValueRange, ValueRange) -> ValueRange,
) -> Vec<ValueRange> {
    let (a, b) = match (a.len(), b.len()) {
        (left, right) if left == right => (a, b),
        (1, right) => (vec![a[0]; right], b),
        (left, 1) => {
            let wide = vec![b[0]; left];
            (a, wide)
        }
        _ => (vec![merged(&a)], vec![merged(&b)]),
    };
    a.into_iter().zip(b).map(|(a, b)| combine(a, b)).collect()
}

fn merged(ranges: &[ValueRange]) -> ValueRange {
    ranges.iter().copied().reduce(ValueRange::union).unwrap_or(ValueRange::ALL)
}
