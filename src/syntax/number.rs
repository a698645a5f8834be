//! Numbers: from digits to the bits of an element type.

use super::Parser;
use super::text::Text;
use crate::diagnostic::catalogue::{BadLiteral, NumberOutOfRange};
use crate::ir::Element;
use crate::source::Span;
use half::{bf16, f16};

impl Parser<'_> {
    /// An integer, `true` or `false` of an integer type, with the bits of an unsigned one kept.
    pub(super) fn integer(&mut self, text: Text<'_>, element: Element) -> Option<i64> {
        let value = match (text.text, element) {
            ("true", Element::Bool) => return Some(1),
            ("false", Element::Bool) => return Some(0),
            (digits, _) => parse_integer(digits),
        };
        let bits = element.bits();
        let fits = |value: &i128| match element {
            // MLIR takes -1 for a set bit.
            Element::Bool => (-1..=1).contains(value),
            _ if element.is_unsigned() => (0..1 << bits).contains(value),
            _ => (-(1 << (bits - 1))..1 << bits).contains(value),
        };
        if !(element.is_integer() || matches!(element, Element::Bool | Element::Index)) {
            self.bad_number("a number of this type cannot be written", text);
            return None;
        }
        if text.text.contains('.') || matches!(text.text, "true" | "false") {
            self.bad_number("not an integer", text);
            return None;
        }
        let Some(value) = value.filter(fits) else {
            let ty = format!("`{}`", element.name().unwrap_or("an integer"));
            self.diagnostics.push(NumberOutOfRange { number: text.text, ty: &ty, at: text.span() });
            return None;
        };
        if element == Element::Bool {
            return Some(i64::from(value != 0));
        }
        if element.is_unsigned() || bits == 64 {
            return Some(value as i64);
        }
        // `255 : i8` is the signless way to write -1.
        let shift = 64 - bits;
        Some((value as i64) << shift >> shift)
    }

    /// A float of an element type, as the nearest double.
    pub(super) fn float_value(&mut self, text: Text<'_>, element: Element) -> Option<f64> {
        let bits = self.float_bits(text, element)?;
        Some(match element {
            Element::F64 => f64::from_bits(bits),
            Element::F32 | Element::TF32 => f64::from(f32::from_bits(bits as u32)),
            Element::F16 => f16::from_bits(bits as u16).to_f64(),
            Element::BF16 => bf16::from_bits(bits as u16).to_f64(),
            _ => small_float(element).map_or(f64::NAN, |format| format.decode(bits as u32)),
        })
    }

    /// The bits of a float, written in decimal or as its bits in hexadecimal.
    pub(super) fn float_bits(&mut self, text: Text<'_>, element: Element) -> Option<u64> {
        if let Some(digits) = text.text.strip_prefix("0x") {
            let bits = u64::from_str_radix(digits, 16).ok();
            let bits = bits.filter(|bits| element.bits() == 64 || bits >> element.bits() == 0);
            if bits.is_none() {
                let ty = format!("the bits of `{}`", element.name().unwrap_or("a float"));
                self.diagnostics.push(NumberOutOfRange { number: text.text, ty: &ty, at: text.span() });
            }
            return bits;
        }
        if !text.text.contains(['.', 'e', 'E']) || matches!(text.text, "true" | "false") {
            self.bad_number("not a float: it has no point", text);
            return None;
        }
        let Ok(value) = text.text.parse::<f64>() else {
            self.bad_number("not a number", text);
            return None;
        };
        let bits = match element {
            Element::F64 => value.to_bits(),
            Element::F32 | Element::TF32 => u64::from(text.text.parse::<f32>().unwrap_or(f32::NAN).to_bits()),
            Element::F16 => u64::from(f16::from_f64(value).to_bits()),
            Element::BF16 => u64::from(bf16::from_f64(value).to_bits()),
            _ => match small_float(element) {
                Some(format) => u64::from(format.encode(value)),
                None => {
                    self.bad_number("not a number of this type", text);
                    return None;
                }
            },
        };
        Some(bits)
    }

    /// The bytes of one element that is not complex.
    pub(super) fn element_bytes(
        &mut self,
        text: Text<'_>,
        element: Element,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let bits = if element.is_float() {
            self.float_bits(text, element)?
        } else {
            self.integer(text, element)? as u64
        };
        out.extend_from_slice(&bits.to_le_bytes()[..element.bytes()]);
        Some(())
    }

    fn bad_number(&mut self, why: &str, text: Text<'_>) {
        self.diagnostics.push(BadLiteral { why, at: text.span(), ty_at: Span::NONE });
    }
}

fn parse_integer(digits: &str) -> Option<i128> {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, digits),
    };
    let magnitude = match magnitude.strip_prefix("0x") {
        Some(hexadecimal) => i128::from_str_radix(hexadecimal, 16),
        None => magnitude.parse(),
    };
    magnitude.ok()?.checked_mul(sign)
}

/// A floating-point format of eight bits or fewer.
struct SmallFloat {
    bits: u32,
    mantissa: u32,
    bias: i32,
    special: Special,
    signed: bool,
}

/// Which bit patterns are not finite numbers.
enum Special {
    /// As in IEEE 754: the highest exponent.
    Ieee,
    /// All exponent and mantissa bits set are NaN, and there are no infinities.
    AllOnes,
    /// Only negative zero, which is NaN.
    NegativeZero,
    /// All patterns are finite.
    None,
}

/// The formats as LLVM's `APFloat` defines them.
fn small_float(element: Element) -> Option<SmallFloat> {
    let (bits, mantissa, bias, special) = match element {
        Element::F4E2M1FN => (4, 1, 1, Special::None),
        Element::F6E2M3FN => (6, 3, 1, Special::None),
        Element::F6E3M2FN => (6, 2, 3, Special::None),
        Element::F8E3M4 => (8, 4, 3, Special::Ieee),
        Element::F8E4M3 => (8, 3, 7, Special::Ieee),
        Element::F8E4M3FN => (8, 3, 7, Special::AllOnes),
        Element::F8E4M3FNUZ => (8, 3, 8, Special::NegativeZero),
        Element::F8E4M3B11FNUZ => (8, 3, 11, Special::NegativeZero),
        Element::F8E5M2 => (8, 2, 15, Special::Ieee),
        Element::F8E5M2FNUZ => (8, 2, 16, Special::NegativeZero),
        Element::F8E8M0FNU => (8, 0, 127, Special::AllOnes),
        _ => return None,
    };
    Some(SmallFloat { bits, mantissa, bias, special, signed: element != Element::F8E8M0FNU })
}

impl SmallFloat {
    fn decode(&self, pattern: u32) -> f64 {
        let sign_bit = if self.signed { 1 << (self.bits - 1) } else { 0 };
        let magnitude = pattern & ((1 << self.bits) - 1) & !sign_bit;
        let sign = if pattern & sign_bit != 0 { -1.0 } else { 1.0 };
        let exponent = magnitude >> self.mantissa;
        let fraction = magnitude & ((1 << self.mantissa) - 1);
        let highest = (1 << (self.bits - u32::from(self.signed) - self.mantissa)) - 1;
        match self.special {
            Special::Ieee if exponent == highest && fraction == 0 => return sign * f64::INFINITY,
            Special::Ieee if exponent == highest => return f64::NAN,
            Special::AllOnes if exponent == highest && fraction == (1 << self.mantissa) - 1 => {
                return f64::NAN;
            }
            Special::NegativeZero if magnitude == 0 && sign < 0.0 => return f64::NAN,
            _ => {}
        }
        let unit = f64::from(1 << self.mantissa);
        // A format without a sign has no zero and no subnormal numbers either.
        if exponent == 0 && self.signed {
            return sign * f64::from(fraction) / unit * 2f64.powi(1 - self.bias);
        }
        sign * (1.0 + f64::from(fraction) / unit) * 2f64.powi(exponent as i32 - self.bias)
    }

    /// The nearest pattern, to even where two are as near.
    fn encode(&self, value: f64) -> u32 {
        let mut best = (f64::INFINITY, 0);
        for pattern in 0..1 << self.bits {
            let candidate = self.decode(pattern);
            if !candidate.is_finite()
                || candidate.is_sign_negative() != value.is_sign_negative() && candidate != value
            {
                continue;
            }
            if candidate == 0.0 && candidate.is_sign_negative() != value.is_sign_negative() && value == 0.0 {
                continue;
            }
            let distance = (candidate - value).abs();
            if distance < best.0 || distance == best.0 && pattern & 1 == 0 {
                best = (distance, pattern);
            }
        }
        best.1
    }
}
