//! Bits of integers: logic, shifts, counts, the high half of a product.

use super::Term;
use super::formula::cast;
use super::powers::{count_ones_by_quotients, divide_by_power, has_powers, multiply_by_power};
use crate::ir::stablehlo;
use crate::ir::{Dim, Element, OpName, ValueId, onnx};
use crate::ops::Elements;
use crate::ops::Lower;
use crate::ops::elementwise::{binary, unary};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{BINARY, UNARY};
use crate::target::Capability;

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::AND, BINARY, Elements::BITS.or(Elements::INT4), |cx, op| binary(cx, op, bitwise_and)),
    row(stablehlo::COUNT_LEADING_ZEROS, UNARY, Elements::INTEGER, |cx, op| {
        unary(cx, op, count_leading_zeros)
    })
    .note("from Log in f64"),
    row(stablehlo::NOT, UNARY, Elements::BITS.or(Elements::INT4), |cx, op| unary(cx, op, |x| !x)),
    row(stablehlo::OR, BINARY, Elements::BITS.or(Elements::INT4), |cx, op| binary(cx, op, bitwise_or)),
    row(stablehlo::POPCNT, UNARY, Elements::INTEGER, |cx, op| {
        let operand = cx.operand(op, 0)?;
        let element = cx.element(operand);
        if has_powers(cx, element) {
            return Ok(count_ones_by_quotients(cx, operand).into());
        }
        unary(cx, op, count_ones)
    })
    .note("parallel bit counting"),
    row(stablehlo::SHIFT_LEFT, BINARY, Elements::INTEGER, |cx, op| binary(cx, op, shift_left))
        .note("BitShift, which is unsigned only"),
    row(stablehlo::SHIFT_RIGHT_ARITHMETIC, BINARY, Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| shift_right(cx, x, n, Right::Arithmetic))
    })
    .note("negative numbers are shifted as their complement"),
    row(stablehlo::SHIFT_RIGHT_LOGICAL, BINARY, Elements::INTEGER, |cx, op| {
        binary(cx, op, |cx, x, n| shift_right(cx, x, n, Right::Logical))
    })
    .note("BitShift, which is unsigned only"),
    row(stablehlo::XOR, BINARY, Elements::BITS.or(Elements::INT4), |cx, op| binary(cx, op, bitwise_xor)),
];

fn logical_or(cx: &mut Lower, operands: [ValueId; 2], logical: OpName, bitwise: OpName) -> ValueId {
    let name = if cx.element(operands[0]) == Element::Bool { logical } else { bitwise };
    cx.elementwise(name, &operands)
}

pub(in crate::ops) fn bitwise_and(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    logical_or(cx, [lhs, rhs], onnx::AND, onnx::BITWISE_AND)
}

pub(in crate::ops) fn bitwise_or(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    logical_or(cx, [lhs, rhs], onnx::OR, onnx::BITWISE_OR)
}

pub(in crate::ops) fn bitwise_xor(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    logical_or(cx, [lhs, rhs], onnx::XOR, onnx::BITWISE_XOR)
}

/// The unsigned type of the same width.
pub(in crate::ops) fn unsigned(element: Element) -> Element {
    match element {
        Element::I8 => Element::U8,
        Element::I16 => Element::U16,
        Element::I32 => Element::U32,
        Element::I64 => Element::U64,
        other => other,
    }
}

/// The type in which ONNX Runtime shifts: it has no 16-bit kernel.
fn shifted(element: Element) -> Element {
    match element {
        Element::I8 | Element::U8 => Element::U8,
        Element::I64 | Element::U64 => Element::U64,
        _ => Element::U32,
    }
}

/// The bits as an unsigned number, without the sign in the bits above them.
pub(super) fn as_unsigned(x: Term) -> Term {
    x.cast(unsigned(x.element()))
}

/// How the amounts of a shift compare with the width. ONNX defines no result for amounts of the width and more; in
/// StableHLO these shift all bits out, and a negative amount is a large one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amounts {
    /// All are known to be less.
    Less,
    /// None of a constant is less.
    NotLess,
    /// They are computed, or differ.
    Unknown,
}

impl Amounts {
    fn of(cx: &Lower, amount: ValueId, element: Element) -> Self {
        let width = i64::from(element.bits());
        if cx.range(amount).within(&cx.module.dim_exprs, Dim::Known(width - 1)) {
            return Self::Less;
        }
        let beyond = |&amount: &i64| !(0..width).contains(&amount);
        let known = cx.known_integers(amount);
        if known.is_some_and(|amounts| amounts.iter().all(beyond)) { Self::NotLess } else { Self::Unknown }
    }

    /// The type to shift in. A word that is wider than the element has room for an amount that shifts all bits out.
    fn word(self, element: Element) -> Element {
        match self {
            Self::Unknown if element.bits() < 32 => Element::U32,
            _ => shifted(element),
        }
    }
}

/// Shifts `bits` in `direction` in a word and returns an element. Amounts that may reach the width are clamped so
/// that nothing is left in a wider word, or select zeros in a word of the same width.
fn shift<'f>(
    bits: Term<'f>,
    element: Element,
    amount: Term<'f>,
    amounts: Amounts,
    direction: fn(Term<'f>, Term<'f>) -> Term<'f>,
) -> Term<'f> {
    let word = amounts.word(element);
    let (bits, amount) = (bits.cast(word), as_unsigned(amount).cast(word));
    if amounts != Amounts::Unknown {
        return direction(bits, amount).cast(element);
    }
    if word.bits() > element.bits() {
        return direction(bits, amount.min(i64::from(word.bits()) - 1)).cast(element);
    }
    let is_less = amount.less(i64::from(element.bits()));
    is_less.select(direction(bits, amount).cast(element), 0i64)
}

/// The bits moved up.
pub(in crate::ops) fn shift_left(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    let element = cx.element(lhs);
    let amounts = Amounts::of(cx, rhs, element);
    if amounts == Amounts::NotLess {
        return cx.integer(element, 0);
    }
    if has_powers(cx, element) {
        return multiply_by_power(cx, lhs, rhs);
    }
    cx.formula([lhs, rhs], |[x, amount]| shift(x, element, amount, amounts, Term::shift_left))
}

/// What a shift to the right fills in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Right {
    /// The sign.
    Arithmetic,
    /// Zeros.
    Logical,
}

/// The bits moved down; an arithmetic shift by the width and more leaves the sign.
pub(in crate::ops) fn shift_right(cx: &mut Lower, lhs: ValueId, rhs: ValueId, kind: Right) -> ValueId {
    let element = cx.element(lhs);
    let by_sign = kind == Right::Arithmetic;
    if has_powers(cx, element) {
        return divide_by_power(cx, lhs, rhs, kind);
    }
    let highest = i64::from(element.bits()) - 1;
    let (rhs, amounts) = match (Amounts::of(cx, rhs, element), by_sign) {
        (Amounts::NotLess, false) => return cx.integer(element, 0),
        (Amounts::NotLess, true) => {
            let amount_element = cx.element(rhs);
            (cx.integer(amount_element, highest), Amounts::Less)
        }
        // The highest amount leaves the sign.
        (Amounts::Unknown, true) if element.bits() >= 32 => {
            (cx.formula([rhs], |[amount]| as_unsigned(amount).min(highest)), Amounts::Less)
        }
        (amounts, _) => (rhs, amounts),
    };
    cx.formula([lhs, rhs], |[x, amount]| {
        let logical = |x| shift(as_unsigned(x), element, amount, amounts, Term::shift_right);
        if !by_sign {
            return logical(x);
        }
        // An unsigned operand is read as a signed number here.
        let signed_x = x.cast(signed(element));
        let negative = signed_x.less(0i64);
        let moved = logical(negative.select(!signed_x, signed_x).cast(element));
        negative.select(!moved, moved)
    })
}

/// The signed type of the same width.
pub(super) fn signed(element: Element) -> Element {
    match element {
        Element::U8 => Element::I8,
        Element::U16 => Element::I16,
        Element::U32 => Element::I32,
        Element::U64 => Element::I64,
        other => other,
    }
}

/// Counts ones by sums of neighboring bits, pairs, and so on, all in one word (H. S. Warren, "Hacker's Delight", 5-1).
pub(super) fn count_ones(x: Term) -> Term {
    let element = x.element();
    let word = shifted(element);
    let word = if word == Element::U8 { Element::U32 } else { word };
    // The constants are bytes over the whole word; a narrower word takes the lower half.
    let bytes = |byte: i64| byte * 0x0101_0101_0101_0101;
    let x = as_unsigned(x).cast(word);
    let x = x - (x.shift_right(1i64) & bytes(0x55));
    let x = (x & bytes(0x33)) + (x.shift_right(2i64) & bytes(0x33));
    let x = (x + x.shift_right(4i64)) & bytes(0x0F);
    (x * bytes(0x01)).shift_right(i64::from(word.bits()) - 8).cast(element)
}

/// Counts leading zeros: the floor of the logarithm is the index of the highest one.
pub(super) fn count_leading_zeros(x: Term) -> Term {
    let element = x.element();
    let x = as_unsigned(x);
    let precision = if x.ask(|cx| cx.options.can(Capability::F64)) { &WIDE } else { &NARROW };
    leading_zeros(x, element.bits(), precision).cast(element)
}

/// How a logarithm is computed that counts bits. Those of 2^k - 1 and 2^k differ by more than the offset, which exceeds
/// the rounding errors. So it makes the floor right for powers of two.
struct Precision {
    element: Element,
    offset: f64,
    /// The most bits that this holds for.
    width: u32,
}

/// The difference is at least 3e-10, and the error less than 1e-14.
const WIDE: Precision = Precision { element: Element::F64, offset: 1e-11, width: 32 };
/// The difference is at least 2e-5, and the error less than 3e-6.
const NARROW: Precision = Precision { element: Element::F32, offset: 1e-5, width: 16 };

/// The count, as a float.
fn leading_zeros<'f>(x: Term<'f>, width: u32, precision: &Precision) -> Term<'f> {
    if width > precision.width {
        let half = width / 2;
        let (high, low) = (x.shift_right(i64::from(half)), x & ((1i64 << half) - 1));
        let (above, below) = (leading_zeros(high, half, precision), leading_zeros(low, half, precision));
        return high.equal(0i64).select(below + f64::from(half), above);
    }
    let logarithm = x.cast(precision.element).log() * std::f64::consts::LOG2_E;
    let place = (logarithm + precision.offset).floor().max(-1.0);
    (f64::from(width) - 1.0) - place
}

/// The upper half of the product of twice the width.
pub(in crate::ops) fn multiply_high(cx: &mut Lower, lhs: ValueId, rhs: ValueId) -> ValueId {
    let element = cx.element(lhs);
    let bits = i64::from(element.bits());
    if bits < 64 {
        let wide = if element.is_signed() { Element::I64 } else { Element::U64 };
        return cx.formula([lhs, rhs], |[a, b]| {
            (a.cast(wide) * b.cast(wide)).cast(Element::U64).shift_right(bits).cast(element)
        });
    }
    let (low_lhs, low_rhs) = (cast(cx, lhs, Element::U64), cast(cx, rhs, Element::U64));
    cx.formula([low_lhs, low_rhs, lhs, rhs], |[a, b, signed_a, signed_b]| {
        let (shift, mask) = (32i64, 0xFFFF_FFFFi64);
        let (a_low, a_high, b_low, b_high) = (a & mask, a.shift_right(shift), b & mask, b.shift_right(shift));
        let middle = a_high * b_low + (a_low * b_low).shift_right(shift);
        let cross = a_low * b_high + (middle & mask);
        let high = a_high * b_high + middle.shift_right(shift) + cross.shift_right(shift);
        if !element.is_signed() {
            return high;
        }
        // A negative factor represents itself plus 2^64 above, which adds the other factor to the upper half.
        let high = high.cast(element);
        let high = high - signed_a.less(0i64).select(signed_b, 0i64);
        high - signed_b.less(0i64).select(signed_a, 0i64)
    })
}
