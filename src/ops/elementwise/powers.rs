//! Shifts as products with powers of two and quotients by them, for a target without `BitShift`.
//!
//! All is computed in `i32`, whose products and sums wrap.

use super::bits::{Right, as_unsigned, signed};
use crate::ir::{Element, ValueId, onnx};
use crate::ops::Lower;
use crate::target::Capability;

/// Whether shifts of an element type take this form. The passes for the target rewrite those of other types.
pub(super) fn has_powers(cx: &Lower, element: Element) -> bool {
    matches!(element, Element::I8 | Element::U8 | Element::I32) && !cx.options.can(Capability::Shifts)
}

/// The position of an amount in a table for amounts up to 32; larger and negative ones count as 32.
fn position(cx: &mut Lower, amount: ValueId) -> ValueId {
    let is_narrow = cx.element(amount).bits() < 32;
    cx.formula([amount], |[amount]| {
        let amount = if is_narrow { as_unsigned(amount).cast(Element::I32) } else { amount };
        let is_inside = amount.less(32i64) & !amount.less(0i64);
        is_inside.select(amount, 32i64)
    })
}

/// The number that a function returns for each amount.
fn by_amount(cx: &mut Lower, position: ValueId, of: impl Fn(u32) -> i32) -> ValueId {
    let bytes: Vec<u8> = (0..=32).flat_map(|amount| of(amount).to_le_bytes()).collect();
    let table = cx.constant(Element::I32, &[33], &bytes);
    let sizes = cx.dims(position);
    cx.node(onnx::GATHER, &[table, position]).int("axis", 0).out(Element::I32, &sizes)
}

/// The bits moved up: the product with a power of two.
pub(super) fn multiply_by_power(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    let element = cx.element(lhs);
    let position = position(cx, rhs);
    let power = by_amount(cx, position, |amount| 1i32.checked_shl(amount).unwrap_or_default());
    cx.formula([lhs, power], |[x, power]| (x.cast(Element::I32) * power).cast(element))
}

/// The bits moved down: the quotient by a power of two, rounded down. The quotients by two smaller powers are positive
/// numbers in `i32`. A logical shift adds what the first bit of a negative number counts.
pub(super) fn divide_by_power(cx: &mut Lower, lhs: ValueId, rhs: ValueId, kind: Right) -> ValueId {
    let element = cx.element(lhs);
    let is_logical = kind == Right::Logical;
    let number = cx.formula([lhs], |[x]| match element {
        Element::I32 => x,
        _ if is_logical => as_unsigned(x).cast(Element::I32),
        _ => x.cast(signed(element)).cast(Element::I32),
    });
    let position = position(cx, rhs);
    let mut quotient = number;
    let halves: [fn(u32) -> u32; 2] = [|amount| amount.min(31).div_ceil(2), |amount| amount.min(31) / 2];
    for half in halves {
        let power = by_amount(cx, position, |amount| 1 << half(amount));
        let rest = cx.elementwise(onnx::MOD, &[quotient, power]);
        let multiple = cx.elementwise(onnx::SUB, &[quotient, rest]);
        quotient = cx.elementwise(onnx::DIV, &[multiple, power]);
    }
    if is_logical && element == Element::I32 {
        let first =
            by_amount(cx, position, |amount| if amount == 0 { 0 } else { 1 << (32 - amount.min(32)) });
        return cx.formula([number, quotient, first], |[number, quotient, first]| {
            quotient + number.less(0i64).select(first, 0i64)
        });
    }
    cx.formula([quotient], |[quotient]| quotient.cast(element))
}

/// Counts ones in parallel. Each mask removes the signs that the quotients have.
pub(super) fn count_ones_by_quotients(cx: &mut Lower, operand: ValueId) -> ValueId {
    let element = cx.element(operand);
    let narrow = element.bits() < 32;
    let mut bits = cx.formula([operand], |[x]| {
        let x = if narrow { as_unsigned(x) } else { x };
        x.cast(Element::I32)
    });
    let moved = |cx: &mut Lower, bits: ValueId, by: i64| {
        let by = cx.integer(Element::I32, by);
        divide_by_power(cx, bits, by, Right::Arithmetic)
    };
    let half = moved(cx, bits, 1);
    bits = cx.formula([bits, half], |[x, half]| x - (half & 0x5555_5555i64));
    let half = moved(cx, bits, 2);
    bits = cx.formula([bits, half], |[x, half]| (x & 0x3333_3333i64) + (half & 0x3333_3333i64));
    let half = moved(cx, bits, 4);
    bits = cx.formula([bits, half], |[x, half]| ((x + half) & 0x0F0F_0F0Fi64) * 0x0101_0101i64);
    let count = moved(cx, bits, 24);
    cx.formula([count], |[count]| count.cast(element))
}
