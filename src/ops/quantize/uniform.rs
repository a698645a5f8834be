//! Uniform quantized types: `!quant.uniform<i8<-127:127>:f32:1, {0.1:-30, 0.5}>`.
//!
//! StableHLO spec, "Quantized element types": an element `q` of the storage type represents the number
//! `(q - zero_point) * scale` of the expressed type, with one scale for the tensor or one for each position along a
//! dimension.

use crate::ir::{Element, Module, Type, TypeId};
use crate::ops::constant::integer_limits;

/// The parsed quantized type.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// The integers that are stored.
    pub storage: Element,
    /// The lowest and the highest integer that is stored.
    pub limits: (i64, i64),
    /// The floats that they represent.
    pub expressed: Element,
    /// The dimension along which scales differ; `None` where the tensor has one.
    pub axis: Option<i64>,
    /// The scales, one without an axis.
    pub scales: Vec<f64>,
    /// The stored integers that represent zero, as many as scales.
    pub zero_points: Vec<i64>,
}

impl Quantization {
    /// Parses a type; `None` for types that are not uniformly quantized integers, or have a scale per block of
    /// several dimensions.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        let body = compact.strip_prefix("!quant.uniform<")?.strip_suffix('>')?;
        let (types, parameters) = body.split_once(',')?;
        let (storage, limits, types) = storage(types)?;
        let (expressed, axis) = match types.split_once(':') {
            Some((expressed, axis)) => (expressed, Some(axis.parse().ok().filter(|&axis: &i64| axis >= 0)?)),
            None => (types, None),
        };
        let expressed = Element::from_name(expressed).filter(|element| {
            matches!(element, Element::F16 | Element::BF16 | Element::F32 | Element::F64)
        })?;
        let parameters = match (axis, parameters.strip_prefix('{')) {
            (Some(_), Some(list)) => list.strip_suffix('}')?.split(',').collect(),
            (None, None) => vec![parameters],
            _ => return None,
        };
        let (mut scales, mut zero_points) = (Vec::new(), Vec::new());
        for parameter in parameters {
            let (scale, zero_point) = match parameter.split_once(':') {
                Some((scale, zero_point)) => (scale, zero_point.parse().ok()?),
                None => (parameter, 0),
            };
            scales.push(scale.parse().ok().filter(|scale: &f64| scale.is_finite() && *scale > 0.0)?);
            zero_points.push(zero_point);
        }
        let (low, high) = limits;
        let valid = zero_points.iter().all(|zero_point| (low..=high).contains(zero_point));
        valid.then_some(Self { storage, limits, expressed, axis, scales, zero_points })
    }

    /// The quantization of a type that is a quantized one.
    pub fn of(module: &Module, ty: TypeId) -> Option<Self> {
        match module.types.get(ty) {
            Type::Opaque(text) | Type::Scalar(Element::Quantized(text)) => {
                Self::parse(module.symbols.get(*text))
            }
            _ => None,
        }
    }

    /// Whether the same stored integers represent the same numbers in both, wherever the axis is.
    pub fn agrees(&self, other: &Self) -> bool {
        let rest = |one: &Self| (one.storage, one.limits, one.expressed, one.axis.is_some());
        rest(self) == rest(other) && self.scales == other.scales && self.zero_points == other.zero_points
    }

    /// The largest magnitude of a number that it represents.
    pub fn magnitude(&self) -> f64 {
        let (low, high) = self.limits;
        let reach =
            |(scale, &zero_point): (&f64, &i64)| scale * ((high - zero_point).max(zero_point - low) as f64);
        self.scales.iter().zip(&self.zero_points).map(reach).fold(0.0, f64::max)
    }
}

/// The storage type before the expressed type, and the text after its colon.
fn storage(types: &str) -> Option<(Element, (i64, i64), &str)> {
    let end = types.find(['<', ':'])?;
    let name = &types[..end];
    // The dialect writes `u8` where the builtin types have `ui8`.
    let storage = match name.strip_prefix('u') {
        Some(bits) => Element::from_name(&format!("ui{}", bits.trim_start_matches('i'))),
        None => Element::from_name(name),
    };
    let storage = storage.filter(|element| element.is_integer() && (4..=32).contains(&element.bits()))?;
    let all = integer_limits(storage);
    let Some(rest) = types[end..].strip_prefix('<') else {
        return Some((storage, all, &types[end + 1..]));
    };
    let (limits, rest) = rest.split_once('>')?;
    let (low, high) = limits.split_once(':')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    let inside = all.0 <= low && low < high && high <= all.1;
    Some((storage, (low, high), rest.strip_prefix(':')?)).filter(|_| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_tensor() {
        let found = Quantization::parse("!quant.uniform<i8:f32, 0.5:-20>").expect("a type");
        assert_eq!((found.storage, found.expressed, found.axis), (Element::I8, Element::F32, None));
        assert_eq!((found.limits, found.scales, found.zero_points), ((-128, 127), vec![0.5], vec![-20]));
    }

    #[test]
    fn per_axis_with_limits() {
        let found = Quantization::parse("!quant.uniform<u8<0:254>:f16:1, {1.0E-1:3, 2.0}>").expect("a type");
        assert_eq!((found.storage, found.axis, found.limits), (Element::U8, Some(1), (0, 254)));
        assert_eq!((found.scales, found.zero_points), (vec![0.1, 2.0], vec![3, 0]));
    }

    #[test]
    fn refused() {
        for text in [
            "!quant.uniform<i8:f32:{0:1,1:2}, {{0.5,1.0}}>",
            "!quant.calibrated<f32<-1.0:1.0>>",
            "!quant.any<i8:f32>",
            "!quant.uniform<i8:f32, -0.5>",
            "!quant.uniform<i8:f32, 0.5:200>",
            "!quant.uniform<i8<-200:127>:f32, 0.5>",
            "!quant.uniform<i8:f32:0, 0.5>",
            "!quant.uniform<i8:f32>",
        ] {
            assert_eq!(Quantization::parse(text), None, "{text}");
        }
    }
}
