//! Arithmetic of unsigned numbers whose bits are those of `i32`.

use super::super::integer_nodes::Nodes;
use super::super::integer_ranges::Range;
use super::Unsigned;
use crate::ir::{Element, Rewriter, ValueId, onnx};
use crate::target::Capability;

/// The bit of the sign.
const SIGN: i64 = i32::MIN as i64;
/// The bits of one half of a number.
const HALF: i64 = 0xFFFF;

impl Unsigned<'_> {
    /// The float that is nearest to an unsigned number: both halves are exact, and their sum is rounded once.
    pub(super) fn float(&mut self, rewriter: &mut Rewriter, value: ValueId, to: Element) -> ValueId {
        let wide = if to == Element::F64 { to } else { Element::F32 };
        let sixteen = Nodes::new(rewriter, Element::I32).number(16);
        let high = self.shift_right(rewriter, value, sixteen);
        let mut nodes = Nodes::new(rewriter, Element::I32);
        let weight = nodes.number(HALF + 1);
        let rest = nodes.mul(high, weight);
        let low = nodes.sub(value, rest);
        let [high, low] = [high, low].map(|half| nodes.cast(half, wide));
        let weight = nodes.float(65536.0, wide);
        nodes.element = wide;
        let high = nodes.mul(high, weight);
        let sum = nodes.add(high, low);
        if wide == to { sum } else { nodes.cast(sum, to) }
    }

    /// The product with a power of two.
    pub(super) fn shift_left(&mut self, rewriter: &mut Rewriter, value: ValueId, amount: ValueId) -> ValueId {
        let power =
            self.by_amount(rewriter, amount, |by| 1i64.checked_shl(by).filter(|_| by < 32).unwrap_or(0));
        Nodes::new(rewriter, Element::I32).mul(value, power)
    }

    /// A function of the amount of a shift, which is at most 32.
    pub(super) fn by_amount(
        &self,
        rewriter: &mut Rewriter,
        amount: ValueId,
        of: impl Fn(u32) -> i64,
    ) -> ValueId {
        let known = rewriter.module.known_integers(amount);
        let range = self.ranges.of(rewriter.module, amount);
        if let Some(known) = known {
            let dims = rewriter.module.broadcast_dims(&[amount]);
            let clamped = |by: i64| u32::try_from(by).unwrap_or(32).min(32);
            let numbers: Vec<i64> = known.into_iter().map(|by| of(clamped(by))).collect();
            return Nodes::new(rewriter, Element::I32).numbers(&numbers, &dims);
        }
        let mut nodes = Nodes::new(rewriter, Element::I32);
        let mut index = amount;
        if !(range.is_natural() && range.high <= 32) {
            // A negative number is a large unsigned one.
            let is_below = nodes.is_below(amount, 32);
            let is_negative = nodes.is_below(amount, 0);
            let is_natural = nodes.test(onnx::NOT, &[is_negative]);
            let is_inside = nodes.test(onnx::AND, &[is_below, is_natural]);
            let all = nodes.number(32);
            index = nodes.select(is_inside, amount, all);
        }
        let table: Vec<i64> = (0..=32).map(of).collect();
        nodes.look_up(&table, index)
    }

    /// The unsigned number without its lowest bits.
    pub(super) fn shift_right(
        &mut self,
        rewriter: &mut Rewriter,
        value: ValueId,
        amount: ValueId,
    ) -> ValueId {
        let known = rewriter.module.known_integers(amount);
        let (range, amounts) =
            (self.ranges.of(rewriter.module, value), self.ranges.of(rewriter.module, amount));
        let is_exact = self.target.can(Capability::ExactIntegers);
        let power = |by: u32| if by < 31 { 1 << by } else { SIGN };
        let shifted = if range.is_natural() && (is_exact || range.is_small()) {
            let power = self.by_amount(rewriter, amount, power);
            Nodes::new(rewriter, Element::I32).div(value, power)
        } else if is_exact {
            // The first bit counts apart.
            let powers = self.by_amount(rewriter, amount, power);
            let firsts = self.by_amount(rewriter, amount, |by| if by < 32 { 1 << (31 - by) } else { 0 });
            let mut nodes = Nodes::new(rewriter, Element::I32);
            let is_negative = nodes.is_below(value, 0);
            let sign = nodes.number(SIGN);
            let without = nodes.sub(value, sign);
            let without = nodes.select(is_negative, without, value);
            let quotient = nodes.div(without, powers);
            let zero = nodes.number(0);
            let first = nodes.select(is_negative, firsts, zero);
            nodes.add(quotient, first)
        } else if known.is_some_and(|known| known.iter().all(|by| (8..32).contains(by))) {
            // A multiple of 2^8 is exact in `f32`. The high bits of a negative quotient are removed.
            let kept = self.by_amount(rewriter, amount, |by| !((1 << by) - 1));
            let powers = self.by_amount(rewriter, amount, power);
            let low = self.by_amount(rewriter, amount, |by| (1 << (32 - by)) - 1);
            let mut nodes = Nodes::new(rewriter, Element::I32);
            let multiple = nodes.node(onnx::BITWISE_AND, &[value, kept]);
            let quotient = nodes.div(multiple, powers);
            nodes.node(onnx::BITWISE_AND, &[quotient, low])
        } else {
            // The halves are exact.
            let of_high = self.by_amount(rewriter, amount, |by| 1 << by.saturating_sub(16));
            let weights = self.by_amount(rewriter, amount, |by| 1 << 16u32.saturating_sub(by));
            let of_low = self.by_amount(rewriter, amount, |by| 1 << by.min(16));
            let sixteen = Nodes::new(rewriter, Element::I32).number(16);
            let high = self.shift_right(rewriter, value, sixteen);
            let mut nodes = Nodes::new(rewriter, Element::I32);
            let high = nodes.div(high, of_high);
            let high = nodes.mul(high, weights);
            let low = nodes.mask(value, HALF);
            let low = nodes.div(low, of_low);
            nodes.add(high, low)
        };
        if let Some(by) =
            u32::try_from(amounts.low).ok().filter(|by| (1..32).contains(by) && amounts.is_natural())
        {
            self.ranges.note(shifted, Range::natural((1 << (32 - by)) - 1));
        } else if range.is_natural() {
            self.ranges.note(shifted, Range::natural(range.high));
        }
        shifted
    }

    /// The quotient and the remainder of unsigned numbers (H. S. Warren, "Hacker's Delight", 9-3).
    pub(super) fn divide(
        &mut self,
        rewriter: &mut Rewriter,
        value: ValueId,
        divisor: ValueId,
    ) -> (ValueId, ValueId) {
        let one = Nodes::new(rewriter, Element::I32).number(1);
        let half = self.shift_right(rewriter, value, one);
        let range = self.ranges.of(rewriter.module, divisor);
        let mut nodes = Nodes::new(rewriter, Element::I32);
        let quotient = nodes.div(half, divisor);
        let two = nodes.number(2);
        let quotient = nodes.mul(quotient, two);
        let product = nodes.mul(quotient, divisor);
        let rest = nodes.sub(value, product);
        // The remainder is less than twice the divisor.
        let [flipped_rest, flipped_divisor] = [rest, divisor].map(|value| flipped(nodes.rewriter, value));
        let is_less = nodes.test(onnx::LESS, &[flipped_rest, flipped_divisor]);
        let (zero, one) = (nodes.number(0), nodes.number(1));
        let step = nodes.select(is_less, zero, one);
        let (mut quotient, mut rest) = (nodes.add(quotient, step), {
            let more = nodes.sub(rest, divisor);
            nodes.select(is_less, rest, more)
        });
        if !range.is_natural() {
            // A divisor from 2^31 on fits once or not at all.
            let is_large = nodes.is_below(divisor, 0);
            let [flipped_value, flipped_divisor] =
                [value, divisor].map(|value| flipped(nodes.rewriter, value));
            let is_less = nodes.test(onnx::LESS, &[flipped_value, flipped_divisor]);
            let (zero, one) = (nodes.number(0), nodes.number(1));
            let once = nodes.select(is_less, zero, one);
            let more = nodes.sub(value, divisor);
            let left = nodes.select(is_less, value, more);
            quotient = nodes.select(is_large, once, quotient);
            rest = nodes.select(is_large, left, rest);
        }
        (quotient, rest)
    }
}

/// The number with another first bit.
pub(super) fn flipped(rewriter: &mut Rewriter, value: ValueId) -> ValueId {
    let known = rewriter.module.known_integers(value);
    let dims = rewriter.module.broadcast_dims(&[value]);
    let mut nodes = Nodes::new(rewriter, Element::I32);
    if let Some(known) = known {
        let numbers: Vec<i64> = known.into_iter().map(|number| number ^ SIGN).collect();
        return nodes.numbers(&numbers, &dims);
    }
    let sign = nodes.number(SIGN);
    nodes.add(value, sign)
}

/// The bits of the unsigned number that a float is, from 0 to 2^32 - 1. In `f32` the limit of a clamp is 2^32.
pub(super) fn from_float(rewriter: &mut Rewriter, value: ValueId, from: Element) -> ValueId {
    let mut nodes = Nodes::new(rewriter, from);
    let (half, all) = (nodes.float(2_147_483_648.0, from), nodes.float(4_294_967_296.0, from));
    let is_large = nodes.test(onnx::GREATER_OR_EQUAL, &[value, half]);
    let is_beyond = nodes.test(onnx::GREATER_OR_EQUAL, &[value, all]);
    let less = nodes.sub(value, half);
    let inside = nodes.select(is_large, less, value);
    nodes.element = Element::I32;
    let number = nodes.cast(inside, Element::I32);
    let (sign, zero, highest) = (nodes.number(SIGN), nodes.number(0), nodes.number(-1));
    let first = nodes.select(is_large, sign, zero);
    let number = nodes.add(number, first);
    nodes.select(is_beyond, highest, number)
}
