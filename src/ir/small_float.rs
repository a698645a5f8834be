//! Floating-point formats of eight bits and fewer.

use super::Element;

/// A floating-point format of eight bits or fewer.
#[derive(Clone, Copy, Debug)]
pub struct SmallFloat {
    bits: u32,
    /// Bits of the fraction.
    pub mantissa: u32,
    /// The exponent bias.
    pub bias: i32,
    /// Which bit patterns are not finite.
    pub special: Special,
    signed: bool,
}

/// Which bit patterns are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// As in IEEE 754: the highest exponent.
    Ieee,
    /// All exponent and mantissa bits set are NaN, and there are no infinities.
    AllOnes,
    /// Only negative zero, which is NaN.
    NegativeZero,
    /// All patterns are finite.
    None,
}

impl SmallFloat {
    /// The format of an element type, as LLVM's `APFloat` defines it.
    pub fn of(element: Element) -> Option<Self> {
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
        Some(Self { bits, mantissa, bias, special, signed: element != Element::F8E8M0FNU })
    }

    /// The exponents of the lowest and the highest normal numbers.
    pub fn exponents(&self) -> (i32, i32) {
        let highest = (1 << (self.bits - u32::from(self.signed) - self.mantissa)) - 1;
        let reserved = i32::from(self.special == Special::Ieee);
        (1 - self.bias, highest - reserved - self.bias)
    }

    /// The highest finite number. If the pattern of all ones is NaN, the one below it.
    pub fn highest(&self) -> f64 {
        let steps = if self.special == Special::AllOnes && self.mantissa > 0 { 2.0 } else { 1.0 };
        (2.0 - steps * 2f64.powi(-(self.mantissa as i32))) * 2f64.powi(self.exponents().1)
    }

    /// Decodes a bit pattern.
    pub fn decode(&self, pattern: u32) -> f64 {
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
        // Unsigned formats have neither zero nor subnormal numbers.
        if exponent == 0 && self.signed {
            return sign * f64::from(fraction) / unit * 2f64.powi(1 - self.bias);
        }
        sign * (1.0 + f64::from(fraction) / unit) * 2f64.powi(exponent as i32 - self.bias)
    }

    /// The nearest bit pattern; ties go to even.
    pub fn encode(&self, value: f64) -> u32 {
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
