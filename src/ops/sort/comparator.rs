//! Reads a sort's comparator as a list of keys.
//!
//! A comparator of `n` operands has the arguments `a0, b0, a1, b1, ...`. Read are `compare LT|GT` of one pair, and
//! the lexicographic `or(lt(a0, b0), and(eq(a0, b0), rest))`. JAX makes floats canonical before it compares them in
//! the total order: zeros become +0 and NaN becomes one positive NaN, by selects. The total order may be spelled out as
//! that of integers. Anything else is not read.

use crate::ir::{RegionId, ValueId, stablehlo};
use crate::ops::Lower;
use crate::ops::constant::number as number_of;

/// One key of a comparator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The operand that is compared.
    pub operand: usize,
    /// Whether the largest is first.
    pub descending: bool,
    /// Whether the sign of zero counts.
    pub zeros: Zeros,
}

/// How zeros compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// All are equal; and so are all NaN, which are the largest.
    Equal,
    /// -0 is before +0, as in the total order; negative NaN comes first, positive NaN last.
    Signed,
}

/// An argument as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ComparedArgument {
    index: usize,
    /// Whether zeros were made equal.
    zero: bool,
    /// Whether NaN were.
    nan: bool,
}

/// The keys of a comparator, the first one deciding first.
pub(super) fn comparator(cx: &Lower, region: RegionId, operands: usize) -> Option<Vec<Key>> {
    let block = cx.module.block(cx.module.entry_block(region)?);
    let terminator = *block.ops.last()?;
    let &[result] = cx.module.op(terminator).operands.as_slice() else { return None };
    if cx.module.op(terminator).name != stablehlo::RETURN || block.arguments.len() != 2 * operands {
        return None;
    }
    let reader = ComparatorReader { cx, arguments: &block.arguments };
    let mut keys = Vec::new();
    let mut rest = result;
    // Each iteration removes one key; a comparator has at most one relevant key per operand.
    for _ in 0..=operands {
        if let Some(key) = reader.less(rest) {
            keys.push(key);
            return Some(keys);
        }
        let (key, next) = reader.lexicographic(rest)?;
        keys.push(key);
        rest = next;
    }
    None
}

struct ComparatorReader<'a, 'b> {
    cx: &'a Lower<'b>,
    arguments: &'a [ValueId],
}

impl ComparatorReader<'_, '_> {
    /// The direction of a comparison, its kind and its operands.
    fn compare(&self, value: ValueId) -> Option<(&str, &str, ValueId, ValueId)> {
        let [a, b] = self.cx.module.defining_operands(value, stablehlo::COMPARE)?;
        let op = self.cx.module.defining_op(value)?;
        let direction = self.cx.attributes(op).word("comparison_direction").ok()?;
        let kind = match self.cx.module.attribute(op, "compare_type") {
            Some(_) => self.cx.attributes(op).word("compare_type").ok()?,
            None => "",
        };
        Some((direction, kind, a, b))
    }

    /// A strict comparison of one pair of arguments.
    fn less(&self, value: ValueId) -> Option<Key> {
        let (direction, kind, a, b) = self.compare(value)?;
        let descending = match direction {
            "LT" => false,
            "GT" => true,
            _ => return None,
        };
        let (operand, swapped, zeros) = self.pair(a, b, kind)?;
        Some(Key { operand, descending: descending != swapped, zeros })
    }

    /// `or(less, and(equal, rest))` in any order of operands.
    fn lexicographic(&self, value: ValueId) -> Option<(Key, ValueId)> {
        let [x, y] = self.cx.module.defining_operands(value, stablehlo::OR)?;
        let split = |less: ValueId, tie: ValueId| {
            let key = self.less(less)?;
            let [p, q] = self.cx.module.defining_operands(tie, stablehlo::AND)?;
            let equal = |equal: ValueId, rest: ValueId| {
                let (direction, kind, a, b) = self.compare(equal)?;
                let (operand, _, zeros) = self.pair(a, b, kind)?;
                let same = direction == "EQ" && operand == key.operand && zeros == key.zeros;
                same.then_some((key, rest))
            };
            equal(p, q).or_else(|| equal(q, p))
        };
        split(x, y).or_else(|| split(y, x))
    }

    /// The operand of these two arguments, whether they are swapped, and how zeros compare.
    fn pair(&self, a: ValueId, b: ValueId, kind: &str) -> Option<(usize, bool, Zeros)> {
        let (a, b) = (self.argument(a)?, self.argument(b)?);
        let fits = a.index / 2 == b.index / 2 && a.index != b.index && (a.zero, a.nan) == (b.zero, b.nan);
        if !fits {
            return None;
        }
        let float = self.cx.element(self.arguments[a.index]).is_float();
        let zeros = match kind {
            // NaN that is not made equal has its sign in the total order, which only matters with that of zero.
            "TOTALORDER" if float => match (a.zero, a.nan) {
                (true, true) => Zeros::Equal,
                (false, false) => Zeros::Signed,
                _ => return None,
            },
            _ => Zeros::Equal,
        };
        Some((a.index / 2, a.index % 2 == 1, zeros))
    }

    /// An argument, or one made canonical.
    fn argument(&self, value: ValueId) -> Option<ComparedArgument> {
        if let Some(index) = self.arguments.iter().position(|&argument| argument == value) {
            return Some(ComparedArgument { index, zero: false, nan: false });
        }
        if let Some(ordered) = self.ordered_bits(value) {
            return Some(ordered);
        }
        let [condition, constant, otherwise] = self.cx.module.defining_operands(value, stablehlo::SELECT)?;
        let (direction, _, a, b) = self.compare(condition)?;
        let inner = self.argument(otherwise)?;
        let argument = self.arguments[inner.index];
        let number = self.cx.known_number(constant)?;
        match direction {
            "NE" if (a, b) == (argument, argument) && number.is_nan() && number.is_sign_positive() => {
                Some(ComparedArgument { nan: true, ..inner })
            }
            "EQ" if a == argument && self.cx.known_number(b) == Some(0.0) && is_zero(number) => {
                Some(ComparedArgument { zero: true, ..inner })
            }
            _ => None,
        }
    }

    /// A canonical argument as an integer in the total order: its bits, or for negative numbers the largest integer
    /// minus the unsigned bits.
    fn ordered_bits(&self, value: ValueId) -> Option<ComparedArgument> {
        let [is_negative, turned, canonical] = self.cx.module.defining_operands(value, stablehlo::SELECT)?;
        let ("LT", _, tested, zero) = self.compare(is_negative)? else { return None };
        let [is_nan, nan, number] = self.cx.module.defining_operands(canonical, stablehlo::SELECT)?;
        let ("NE", _, left, right) = self.compare(is_nan)? else { return None };
        let [is_zero, none, bits] = self.cx.module.defining_operands(number, stablehlo::SELECT)?;
        let ("EQ", _, compared, float_zero) = self.compare(is_zero)? else { return None };
        let [difference] = self.cx.module.defining_operands(turned, stablehlo::BITCAST_CONVERT)?;
        let [largest, unsigned] = self.cx.module.defining_operands(difference, stablehlo::SUBTRACT)?;
        let [argument] = self.cx.module.defining_operands(bits, stablehlo::BITCAST_CONVERT)?;
        let [other] = self.cx.module.defining_operands(unsigned, stablehlo::BITCAST_CONVERT)?;
        let index = self.arguments.iter().position(|&own| own == argument)?;

        let element = self.cx.element(argument);
        let (signed, unsigned) = (self.cx.element(bits), self.cx.element(unsigned));
        let is_whole = element.is_float()
            && signed.is_signed()
            && unsigned.is_unsigned()
            && [signed, unsigned].iter().all(|integer| integer.bits() == element.bits());
        let integer = |value: ValueId| match self.cx.known_integers(value)?[..] {
            [number] => Some(number),
            _ => None,
        };
        let nan = integer(nan).filter(|&nan| nan > 0)?;
        let fits = is_whole
            && tested == canonical
            && [left, right, compared, other] == [argument; 4]
            && self.cx.known_number(float_zero) == Some(0.0)
            && (integer(zero), integer(none)) == (Some(0), Some(0))
            && integer(largest) == Some(i64::MAX >> (64 - element.bits()))
            && number_of(element, &nan.to_le_bytes()[..element.bytes()]).is_some_and(f64::is_nan);
        fits.then_some(ComparedArgument { index, zero: true, nan: true })
    }
}

/// Whether a number is +0.
fn is_zero(number: f64) -> bool {
    number.to_bits() == 0
}
