//! The bits of a float as an integer, and back, by arithmetic: before opset 26 ONNX cannot reinterpret them.
//!
//! All steps are exact in `f64`, or in `f32` for a runtime that lacks it. A NaN is read as the positive quiet NaN.

use super::Term;
use crate::ir::{Element, onnx};
use crate::target::Capability;
use std::f64::consts::LOG2_E;

/// The fields of a float format (IEEE 754-2019, 3.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FloatBits {
    /// The width of the exponent.
    pub exponent: i64,
    /// The width of the fraction.
    pub mantissa: i64,
}

impl FloatBits {
    /// The fields of a float of 16 bits and more.
    pub fn of(element: Element) -> Self {
        let (exponent, mantissa) = match element {
            Element::F16 => (5, 10),
            Element::BF16 => (8, 7),
            Element::F32 => (8, 23),
            _ => (11, 52),
        };
        Self { exponent, mantissa }
    }

    /// The largest exponent of a finite number, and minus the smallest of a normal one less 1.
    pub fn bias(self) -> i64 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The bits of infinity.
    fn infinity(self) -> i64 {
        ((1 << self.exponent) - 1) << self.mantissa
    }

    /// The bits of the positive quiet NaN.
    fn nan(self) -> i64 {
        self.infinity() | 1 << (self.mantissa - 1)
    }

    fn width(self) -> i64 {
        1 + self.exponent + self.mantissa
    }
}

/// The bits of a float as an integer type of its width.
///
/// A number is `significand * 2^(exponent - mantissa)`, where the significand is an integer that contains the hidden
/// bit. So the bits are `(exponent + bias - 1) * 2^mantissa + significand`, of subnormal numbers and zero, too.
pub(super) fn bits_of<'f>(x: Term<'f>, to: Element) -> Term<'f> {
    let format = FloatBits::of(x.element());
    if x.element() != Element::F64 && lacks_doubles(x) {
        return bits_of_single(x.cast(Element::F32), format).cast(to);
    }
    let number = x.cast(Element::F64);
    let is_double = x.element() == Element::F64;
    let magnitude = number.abs();
    let beyond = if is_double { f64::MAX } else { 2f64.powi((format.bias() + 1) as i32) };
    let finite = magnitude.min(beyond);
    let exponent = exponent(finite, is_double).max((1 - format.bias()) as f64);
    let scale = -exponent + format.mantissa as f64;
    let significand = if is_double {
        // The whole scale of a subnormal number is out of range.
        times_power(finite, scale)
    } else {
        finite * power_of_two(scale)
    };
    let exponent = (exponent + (format.bias() - 1) as f64).cast(Element::I64);
    let mut bits = exponent * (1i64 << format.mantissa) + significand.cast(Element::I64);
    if is_double {
        bits = magnitude.equal(f64::INFINITY).select(format.infinity(), bits);
    }
    let is_negative = number.less(0.0) | number.reciprocal().less(0.0);
    bits = is_negative.select(bits + (i64::MIN >> (64 - format.width())), bits);
    number.is_nan().select(format.nan(), bits).cast(to)
}

/// Whether `f64` has no more digits than `f32`.
fn lacks_doubles(x: Term) -> bool {
    x.ask(|cx| !cx.options.can(Capability::F64))
}

/// The bits in steps that are exact in `f32`, as `i32`. The exponent from the logarithm may be wrong by one.
fn bits_of_single(x: Term, format: FloatBits) -> Term {
    let magnitude = x.abs();
    let least = (1 - format.bias()) as f64;
    let logarithm = magnitude.max(2f64.powf(least)).unary(onnx::LOG) * LOG2_E;
    let exponent = logarithm.unary(onnx::FLOOR).clip(least, format.bias() as f64);
    let scaled = times_power(magnitude, -exponent);
    let is_high = scaled.greater_equal(2.0);
    let is_low = scaled.less(1.0) & exponent.greater(least);
    let significand = is_high.select(scaled * 0.5, is_low.select(scaled * 2.0, scaled));
    let exponent = is_high.select(exponent + 1.0, is_low.select(exponent - 1.0, exponent));
    let exponent = (exponent + (format.bias() - 1) as f64).cast(Element::I32);
    let significand = (significand * 2f64.powi(format.mantissa as i32)).cast(Element::I32);
    let mut bits = exponent * (1i64 << format.mantissa) + significand;
    bits = magnitude.equal(f64::INFINITY).select(format.infinity(), bits);
    let is_negative = x.less(0.0) | x.reciprocal().less(0.0);
    bits = is_negative.select(bits + (i64::MIN >> (64 - format.width())), bits);
    x.is_nan().select(format.nan(), bits)
}

/// The product with a power of two, which may itself be out of range.
fn times_power<'f>(number: Term<'f>, exponent: Term<'f>) -> Term<'f> {
    let half = (exponent * 0.5).unary(onnx::FLOOR);
    number * power_of_two(half) * power_of_two(exponent - half)
}

/// The exponent of a finite positive number: the largest integer whose power of two is not above it.
fn exponent<'f>(number: Term<'f>, is_double: bool) -> Term<'f> {
    let logarithm = number.unary(onnx::LOG) * LOG2_E;
    if !is_double {
        // The logarithm of a number below a power of two is at least 2^-24 below an integer. The rounding error of an
        // exact power is far less.
        return (logarithm + 1e-9).unary(onnx::FLOOR);
    }
    let near = logarithm.unary(onnx::FLOOR);
    let power = power_of_two(near);
    let one = |is: Term<'f>| is.cast(Element::F64);
    near - one(power.greater(number)) + one((power + power).less_equal(number))
}

fn power_of_two(exponent: Term) -> Term {
    exponent.beside(2.0).binary(onnx::POW, exponent)
}

/// The float with these bits.
pub(super) fn float_of<'f>(bits: Term<'f>, to: Element) -> Term<'f> {
    let format = FloatBits::of(to);
    let word = match format.width() {
        64 => bits.cast(Element::U64),
        // 16 bits have no kernel for shifts.
        16 => bits.cast(Element::U16).cast(Element::U32),
        _ => bits.cast(Element::U32),
    };
    let is_single = to != Element::F64 && lacks_doubles(bits);
    let number = |word: Term<'f>| match is_single {
        true => word.cast(Element::I32).cast(Element::F32),
        false => word.cast(Element::I64).cast(Element::F64),
    };
    let fraction = number(word & ((1i64 << format.mantissa) - 1));
    let largest = (1i64 << format.exponent) - 1;
    let exponent = number(word.shift_right(format.mantissa) & largest);
    let hidden = exponent.min(1.0) * 2f64.powi(format.mantissa as i32);
    let scale = exponent.max(1.0) - (format.bias() + format.mantissa) as f64;
    let significand = fraction + hidden;
    let finite = if is_single { times_power(significand, scale) } else { significand * power_of_two(scale) };
    let special = fraction.equal(0.0).select(fraction.beside(f64::INFINITY), f64::NAN);
    let magnitude = exponent.equal(largest as f64).select(special, finite);
    let is_negative = number(word.shift_right(format.width() - 1)).greater(0.0);
    is_negative.select(-magnitude, magnitude).cast(to)
}
