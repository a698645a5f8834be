//! Numbers: from digits to the bits of an element type.

use super::Parser;
use super::text::Text;
use crate::diagnostic::catalog::{BadLiteral, NumberOutOfRange};
use crate::ir::{Element, SmallFloat};
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
            self.bad_number("this type has no number literals", text);
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
            _ => SmallFloat::of(element).map_or(f64::NAN, |format| format.decode(bits as u32)),
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
            self.bad_number("not a float: it has no decimal point", text);
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
            _ => match SmallFloat::of(element) {
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
