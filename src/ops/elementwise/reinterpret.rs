//! The bits of floats: bit casts, the total order, the next float, reduced precision.

use super::bits::unsigned;
use super::float_bits::{FloatBits, bits_of, float_of};
use super::{LowerError, Term};
use crate::ir::{Dim, Element, OpId, OpName, ValueId, onnx, stablehlo};
use crate::ops::formula::cast;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{elementwise, movement, rule};
use crate::ops::{Elements, Lower, Lowered};
use crate::target::Capability;

pub(super) const ROWS: &[Row] = &[
    row(stablehlo::BITCAST_CONVERT, rule(1, movement::bitcast_convert), Elements::PLAIN, bitcast_convert)
        .note("BitCast from opset 26 on, arithmetic below; shifts between widths"),
    row(
        stablehlo::REDUCE_PRECISION,
        rule(1, elementwise::reduce_precision),
        Elements::FLOAT,
        reduce_precision,
    )
    .note("through f16 and bf16, else by rounding the bits"),
];

/// The signed integer type of the width of a float.
fn signed_of(element: Element) -> Element {
    match element.bits() {
        8 => Element::I8,
        16 => Element::I16,
        32 => Element::I32,
        _ => Element::I64,
    }
}

/// Integers ordered like IEEE 754's total order of the floats: -NaN, -inf, ..., -0, 0, ..., inf, NaN.
pub(super) fn ordered(x: Term) -> Term {
    // Widening keeps the order, and 16 bits have few kernels.
    let x = if x.element().bits() == 16 { x.cast(Element::F32) } else { x };
    let integer = signed_of(x.element());
    let bits = x.bit_cast(integer);
    let magnitude = if integer == Element::I64 { i64::MAX } else { i64::from(i32::MAX) };
    bits.less(0i64).select(bits ^ magnitude, bits)
}

/// Whether the sign bit is set, by a `BitCast`.
pub(in crate::ops) fn bits_are_negative<'f>([x]: [Term<'f>; 1]) -> Term<'f> {
    x.bit_cast(signed_of(x.element())).less(0i64)
}

/// The next float after `x` toward `y`.
pub(in crate::ops) fn next_after(cx: &mut Lower, x: ValueId, y: ValueId) -> ValueId {
    let element = cx.element(x);
    let format = FloatBits::of(element);
    if element != Element::F64 && !cx.options.can(Capability::F64) {
        return cx.formula([x, y], |[x, y]| neighbor_by_bits(x, y));
    }
    cx.formula([x, y], |[x, y]| {
        let (start, end) = (x.cast(Element::F64), y.cast(Element::F64));
        let direction = end.greater(start).cast(Element::F64) - end.less(start).cast(Element::F64);
        let next = match element {
            Element::F64 => beyond(start, direction),
            _ => neighbor(start, direction, format),
        };
        let next = start.equal(end).select(end, next).cast(element);
        (x.is_nan() | y.is_nan()).select(f64::NAN, next)
    })
}

/// The next float by its bits, which are those of a number that is one larger or smaller.
fn neighbor_by_bits<'f>(x: Term<'f>, y: Term<'f>) -> Term<'f> {
    let element = x.element();
    let word = unsigned(signed_of(element));
    let away = x.greater(0.0).select(y.greater(x), y.less(x));
    let bits = bits_of(x, word);
    let moved = float_of(away.select(bits + 1i64, bits - 1i64), element);
    let smallest = float_of(bits.beside(1i64), element);
    let next = x.equal(0.0).select(y.less(0.0).select(-smallest, smallest), moved);
    let next = x.equal(y).select(y, next);
    (x.is_nan() | y.is_nan()).select(f64::NAN, next)
}

/// A value that rounds to the next number of a format narrower than `f64`: adds more than half and less than one and
/// a half of the distance. Infinity counts as the power of two where it begins.
fn neighbor<'f>(x: Term<'f>, direction: Term<'f>, format: FloatBits) -> Term<'f> {
    let beyond = 2f64.powi((format.bias() + 1) as i32);
    let smallest = 2f64.powi((1 - format.bias() - format.mantissa) as i32);
    let x = x.clip(-beyond, beyond);
    let step = (x.abs() * (1.25 * 2f64.powi(-(format.mantissa as i32) - 1))).max(0.75 * smallest);
    x + direction * step
}

/// The next `f64`: adding a bit more than half the distance rounds to it. Small numbers are scaled because the step
/// itself would round, and infinity becomes the largest number without a step.
fn beyond<'f>(x: Term<'f>, direction: Term<'f>) -> Term<'f> {
    let (scale, smallest) = (2f64.powi(100), f64::from_bits(1));
    let is_small = x.abs().less(2f64.powi(-900));
    let number = is_small.select(x * scale, x.clip(f64::MIN, f64::MAX));
    let step = (number.abs() * (1.25 * 2f64.powi(-53))).max(smallest * scale);
    let step = x.abs().equal(f64::INFINITY).select(0.0, step);
    let next = number + direction * step;
    // The zero next to the smallest number has its sign.
    let small = next.equal(0.0).select(x * 0.0, next * (1.0 / scale));
    is_small.select(small, next)
}

/// The same bits as another element type; between widths the last dimension contains the parts, the lowest first.
pub(super) fn bitcast_convert(cx: &mut Lower, op: OpId) -> Lowered {
    let (to, sizes) = cx.result_dims(op, 0)?;
    let from = cx.operand_type(op, 0)?.element;
    if from.bits() == to.bits() {
        let x = cx.operand(op, 0)?;
        if from == to {
            return Ok(x.into());
        }
        if let Some(float) = unit_interval(cx, x, to) {
            return Ok(float.into());
        }
        return Ok(cx.formula([x], |[x]| same_width(x, to)).into());
    }
    let x = cx.full(op, 0)?;
    match (from, to) {
        (Element::Bool, _) => return joined(cx, op, x, to),
        (_, Element::Bool) => return split(cx, op, x),
        _ => {}
    }
    let (narrow, wide) = (unsigned_of(from.bits().min(to.bits())), unsigned_of(from.bits().max(to.bits())));
    let parts = i64::from(wide.bits() / narrow.bits());
    let shifts: Vec<i64> = (0..parts).map(|part| part * i64::from(narrow.bits())).collect();
    // 16 bits have no kernel for shifts.
    let word = if wide == Element::U16 { Element::U32 } else { wide };
    if from.bits() > to.bits() {
        let mut single = cx.operand_dims(op, 0)?;
        single.push(Dim::Known(1));
        let bits = cx.formula([x], |[x]| same_width(x, wide).cast(word));
        let bits = cx.reshape(bits, &single);
        let shifts = cx.integers(word, &[parts], &shifts);
        let split = cx
            .formula([bits, shifts], |[bits, shifts]| same_width(bits.shift_right(shifts).cast(narrow), to));
        return Ok(cx.broadcast_to(split, &sizes).into());
    }
    let bits = cx.formula([x], |[x]| same_width(x, narrow).cast(word));
    let operand_sizes = cx.operand_dims(op, 0)?;
    let Some((_, outer)) = operand_sizes.split_last() else {
        return Err(LowerError::form("the operand has no dimension for the parts"));
    };
    let mut whole: Option<ValueId> = None;
    for (part, &shift) in shifts.iter().enumerate() {
        let part = part as i64;
        let mut starts = vec![0; outer.len()];
        let mut limits = outer.to_vec();
        starts.push(part);
        limits.push(Dim::Known(part + 1));
        let column = cx.slice(bits, &starts, &limits, &vec![1; limits.len()]);
        let column = cx.reshape(column, outer);
        let column = cx.formula([column], |[x]| if shift == 0 { x } else { x.shift_left(shift) });
        whole = Some(whole.map_or(column, |whole| cx.elementwise(onnx::BITWISE_OR, &[whole, column])));
    }
    let whole = whole.ok_or_else(|| LowerError::form("the operand has no parts"))?;
    Ok(cx.formula([whole], |[x]| same_width(x.cast(wide), to)).into())
}

/// The number whose bits are the last dimension of an `i1` tensor, lowest first. Shifts each bit and merges halves:
/// ONNX Runtime sums 64-bit integers as floats.
fn joined(cx: &mut Lower, op: OpId, x: ValueId, to: Element) -> Lowered {
    let sizes = cx.operand_sizes(op, 0)?;
    let Some((&count, outer)) = sizes.split_last() else {
        return Err(LowerError::form("the operand has no dimension for the bits"));
    };
    let wide = unsigned_of(to.bits());
    let word = if wide == Element::U16 { Element::U32 } else { wide };
    let places = cx.integers(word, &[count], &(0..count).collect::<Vec<_>>());
    let mut bits = cx.formula([x, places], |[x, places]| x.cast(word).shift_left(places));
    let (mut half, steps) = (count / 2, vec![1; sizes.len()]);
    while half > 0 {
        let part = |first: i64| {
            let (mut starts, mut limits) = (vec![0; outer.len()], outer.to_vec());
            starts.push(first);
            limits.push(first + half);
            (starts, limits)
        };
        let ((low, middle), (high, end)) = (part(0), part(half));
        let (lower, upper) = (cx.slice(bits, &low, &middle, &steps), cx.slice(bits, &high, &end, &steps));
        bits = cx.elementwise(onnx::BITWISE_OR, &[lower, upper]);
        half /= 2;
    }
    let whole = cx.reshape(bits, outer);
    Ok(cx.formula([whole], |[x]| same_width(x.cast(wide), to)).into())
}

/// The bits of a number in a last dimension of their own, the lowest first.
fn split(cx: &mut Lower, op: OpId, x: ValueId) -> Lowered {
    let (_, sizes) = cx.result(op, 0)?;
    let wide = unsigned_of(cx.element(x).bits());
    let word = if wide == Element::U16 { Element::U32 } else { wide };
    let mut single = cx.dims(x);
    single.push(Dim::Known(1));
    let bits = cx.formula([x], |[x]| same_width(x, wide).cast(word));
    let bits = cx.reshape(bits, &single);
    let count = i64::from(wide.bits());
    let shifts = cx.integers(word, &[count], &(0..count).collect::<Vec<_>>());
    let split = cx.formula([bits, shifts], |[bits, shifts]| (bits.shift_right(shifts) & 1i64).equal(1i64));
    Ok(cx.broadcast_to(split, &sizes).into())
}

fn unsigned_of(bits: u32) -> Element {
    match bits {
        8 => Element::U8,
        16 => Element::U16,
        32 => Element::U32,
        _ => Element::U64,
    }
}

/// Between integers a cast keeps the bits, and is there in every opset.
fn same_width(x: Term, to: Element) -> Term {
    let from = x.element();
    if from.is_integer() && to.is_integer() {
        return x.cast(to);
    }
    let in_small_floats = from.is_small_float() || to.is_small_float();
    if from == to || in_small_floats || x.ask(|cx| cx.has_bit_cast()) {
        return x.bit_cast(to);
    }
    if from.is_float() {
        x.ask(|cx| cx.reads_nan_sign());
    }
    let bits = if from.is_float() { bits_of(x, unsigned(signed_of(from))) } else { x };
    if to.is_float() { float_of(bits, to) } else { bits.cast(to) }
}

/// The float in [1, 2) whose fraction is the upper bits of a random word, as JAX makes uniform numbers: `bitcast(x >>
/// 9 | 0x3F800000)`. It equals `1 + (x >> 9) * 2^-23` exactly, which does not require opset 26.
fn unit_interval(cx: &mut Lower, value: ValueId, to: Element) -> Option<ValueId> {
    let (shift, one) = match (cx.element(value), to) {
        (Element::U32, Element::F32) => (9, 0x3F80_0000),
        (Element::U64, Element::F64) => (12, 0x3FF0_0000_0000_0000),
        _ => return None,
    };
    let operands = |value: ValueId, name: OpName| {
        let op = cx.module.defining_op(value)?;
        let operands = &cx.module.op(op).operands;
        (cx.module.op(op).name == name && operands.len() == 2).then(|| (operands[0], operands[1]))
    };
    let (fraction, bits_of_one) = operands(value, onnx::BITWISE_OR)?;
    let (_, amount) = operands(fraction, onnx::BIT_SHIFT)?;
    let is = |value: ValueId, number: i64| cx.known_integers(value) == Some(vec![number]);
    let direction = cx.module.defining_op(fraction).and_then(|op| cx.module.attribute(op, "direction"));
    let right = direction.and_then(crate::ir::Attribute::as_str) == Some("RIGHT");
    if !(right && is(bits_of_one, one) && is(amount, shift)) {
        return None;
    }
    if cx.module.broadcast_dims(&[value, fraction]) != cx.dims(fraction) {
        return None;
    }
    let bits = i32::try_from(i64::from(to.bits()) - shift).ok()?;
    // An f32 holds 23 bits of an integer, an f64 52.
    Some(cx.formula([fraction], |[x]| x.cast(to) * 2f64.powi(-bits) + 1.0))
}

/// Rounds to fewer exponent and mantissa bits; numbers below the normal range become zero.
pub(super) fn reduce_precision(cx: &mut Lower, op: OpId) -> Lowered {
    let x = cx.operand(op, 0)?;
    let element = cx.element(x);
    let own = FloatBits::of(element);
    let format = FloatBits {
        exponent: cx.attributes(op).integer("exponent_bits")?.min(own.exponent),
        mantissa: cx.attributes(op).integer("mantissa_bits")?.min(own.mantissa),
    };
    if format.exponent < 1 || format.mantissa < 0 {
        return Err(LowerError::form("its format has a field of 0 bits"));
    }
    if format == own {
        return Ok(x.into());
    }
    let wide = if element == Element::F64 { Element::F64 } else { Element::F32 };
    let x = cast(cx, x, wide);
    let reduced = cx.formula([x], |[x]| {
        let by_cast = [Element::F16, Element::BF16, Element::F32]
            .into_iter()
            .find(|&narrow| FloatBits::of(narrow) == format && narrow != wide);
        match by_cast {
            Some(narrow) => through(x, narrow),
            None => round_bits(x, format),
        }
        .cast(element)
    });
    Ok(reduced.into())
}

/// Rounds by a cast there and back, and takes away the subnormal numbers, which the cast keeps.
fn through(x: Term, narrow: Element) -> Term {
    let (format, own) = (FloatBits::of(narrow), FloatBits::of(x.element()));
    let rounded = x.cast(narrow).cast(x.element());
    if format.exponent == own.exponent {
        return rounded;
    }
    // Numbers from half a step below the smallest normal one round up to it.
    let smallest = 2f64.powi((1 - format.bias()) as i32);
    let half_step = smallest * 2f64.powi(-(format.mantissa as i32) - 2);
    x.abs().less(smallest - half_step).select(x * 0.0, rounded)
}

/// Rounds the mantissa to even in the bits themselves, where a carry goes into the exponent as it should, then
/// looks at the exponent.
fn round_bits(x: Term, format: FloatBits) -> Term {
    let element = x.element();
    let own = FloatBits::of(element);
    let integer = unsigned(signed_of(element));
    let mut bits = same_width(x, integer);
    let dropped = own.mantissa - format.mantissa;
    if dropped > 0 {
        let last = bits.shift_right(dropped) & 1i64;
        bits = (bits + last + ((1i64 << (dropped - 1)) - 1)) & !((1i64 << dropped) - 1);
    }
    let mut rounded = same_width(bits, element);
    if format.exponent < own.exponent {
        let smallest = 2f64.powi((1 - format.bias()) as i32);
        let beyond = 2f64.powi((format.bias() + 1) as i32);
        let magnitude = rounded.abs();
        let infinity = x.sign() * f64::INFINITY;
        rounded = magnitude.greater_equal(beyond).select(infinity, rounded);
        rounded = magnitude.less(smallest).select(x * 0.0, rounded);
    }
    x.is_nan().select(x, rounded)
}
