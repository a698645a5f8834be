//! What a constant is, in a few words.

use crate::ir::{ConstantId, Data, Element, Module};
use crate::source::Source;
use std::fmt::Write;

/// Elements that are shown.
const FIRST: usize = 8;

/// Elements that are decoded at a time.
const PIECE: usize = 1 << 14;

/// The maximum number of elements searched for the minimum and maximum: the editor waits for the answer.
const MOST: usize = 1 << 26;

/// An element as a number.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Sample {
    Integer(i128),
    Float(f64),
}

/// One or two lines about the elements of a constant; empty for element types that are not numbers.
pub(super) fn summary(module: &Module, source: &Source, constant: ConstantId) -> String {
    let constant = module.constant(constant);
    let Some(tensor) = module.tensor_type(constant.ty) else { return String::new() };
    let Some(count) = tensor.count().and_then(|count| usize::try_from(count).ok()) else {
        return String::new();
    };
    let (element, width) = (tensor.element, tensor.element.bytes());
    let mut text = String::new();
    if let Some(splat) = constant.data.splat() {
        if let Some(number) = number(splat, element) {
            let _ = write!(text, "every element is {}", spell(number, element));
        }
        return text;
    }
    if width == 0 || number(&[0; 8][..width.min(8)], element).is_none() {
        return text;
    }
    let mut first = Vec::new();
    let (mut least, mut greatest, mut nans): (Option<Sample>, Option<Sample>, usize) = (None, None, 0);
    let most = if count > MOST { FIRST } else { count };
    each_piece(&constant.data, source, most, width, |bytes| {
        for number in bytes.chunks_exact(width).filter_map(|bytes| number(bytes, element)) {
            if first.len() < FIRST {
                first.push(spell(number, element));
            }
            if matches!(number, Sample::Float(value) if value.is_nan()) {
                nans += 1;
                continue;
            }
            least = Some(least.filter(|&least| least <= number).unwrap_or(number));
            greatest = Some(greatest.filter(|&greatest| greatest >= number).unwrap_or(number));
        }
    });
    let _ = write!(text, "{count} elements");
    if let (Some(least), Some(greatest), true) = (least, greatest, most == count) {
        let _ = write!(text, ", min {}, max {}", spell(least, element), spell(greatest, element));
    }
    if nans > 0 {
        let _ = write!(text, ", {nans} of them NaN");
    }
    let more = if count > FIRST { ", …" } else { "" };
    let _ = write!(text, "\n\n`[{}{more}]`", first.join(", "));
    text
}

/// Gives the bytes of the first `count` elements in pieces of whole elements.
fn each_piece(data: &Data, source: &Source, count: usize, width: usize, mut take: impl FnMut(&[u8])) {
    let Data::Source(digits) = data else {
        let bytes = data.bytes(source, count, width);
        take(&bytes[..bytes.len().min(count * width)]);
        return;
    };
    let mut bytes = vec![0; PIECE * width];
    let digits = &source.bytes()[digits.start..digits.end.min(digits.start + 2 * count * width)];
    for piece in digits.chunks(2 * bytes.len()) {
        let decoded = &mut bytes[..piece.len() / 2];
        // The parser has refused a literal with other characters.
        if const_hex::decode_to_slice(piece, decoded).is_ok() {
            take(decoded);
        }
    }
}

/// Decodes an element from little-endian bytes; `None` for element types that are not numbers.
fn number(bytes: &[u8], element: Element) -> Option<Sample> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    let number = match element {
        Element::F16 => Sample::Float(half::f16::from_bits(bits as u16).to_f64()),
        Element::BF16 => Sample::Float(half::bf16::from_bits(bits as u16).to_f64()),
        Element::F32 => Sample::Float(f32::from_bits(bits as u32).into()),
        Element::F64 => Sample::Float(f64::from_bits(bits)),
        Element::Bool | Element::U8 | Element::U16 | Element::U32 | Element::U64 => {
            Sample::Integer(bits.into())
        }
        Element::I8 => Sample::Integer((bits as i8).into()),
        Element::I16 => Sample::Integer((bits as i16).into()),
        Element::I32 => Sample::Integer((bits as i32).into()),
        Element::I64 => Sample::Integer((bits as i64).into()),
        _ => return None,
    };
    Some(number)
}

fn spell(number: Sample, element: Element) -> String {
    match number {
        Sample::Integer(value) if element == Element::Bool => (value != 0).to_string(),
        Sample::Integer(value) => value.to_string(),
        Sample::Float(value) if element == Element::F64 => format!("{value:?}"),
        // Narrower floats are exact in f32, whose shortest decimal is the form in the text.
        Sample::Float(value) => format!("{:?}", value as f32),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::summary;
    use crate::source::Source;

    fn of(attribute: &str, ty: &str) -> String {
        let text = format!("func.func @f() {{\n%0 = stablehlo.constant dense<{attribute}> : {ty}\n}}\n");
        let source = Source::from_bytes("test", text.into_bytes());
        let (module, _) = crate::syntax::parse(&source);
        let op = module.reachable_ops()[0];
        let constant = module.constant_of(module.op(op).results[0]).unwrap();
        summary(&module, &source, constant)
    }

    #[test]
    fn splat_is_one_element() {
        assert_eq!(of("1.5", "tensor<2x3xf32>"), "every element is 1.5");
        assert_eq!(of("true", "tensor<i1>"), "every element is true");
    }

    #[test]
    fn list_has_extremes_and_first_elements() {
        assert_eq!(of("[3, -1, 2]", "tensor<3xi8>"), "3 elements, min -1, max 3\n\n`[3, -1, 2]`");
        let unsigned = of("[0, 18446744073709551615]", "tensor<2xui64>");
        assert_eq!(unsigned, "2 elements, min 0, max 18446744073709551615\n\n`[0, 18446744073709551615]`");
    }

    #[test]
    fn large_literal_is_decoded_in_pieces() {
        let count = 40_000;
        let digits: String = (0..count)
            .map(|index| {
                (index as f32).to_le_bytes().iter().map(|byte| format!("{byte:02X}")).collect::<String>()
            })
            .collect();
        let text = of(&format!("\"0x{digits}\""), &format!("tensor<{count}xf32>"));
        assert_eq!(
            text,
            "40000 elements, min 0.0, max 39999.0\n\n`[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, …]`"
        );
    }

    #[test]
    fn nan_is_counted_and_not_compared() {
        let text = of("[0x7FC00000, 1.0, 0xFF800000]", "tensor<3xf32>");
        assert_eq!(text, "3 elements, min -inf, max 1.0, 1 of them NaN\n\n`[NaN, 1.0, -inf]`");
    }

    #[test]
    fn elements_without_a_number_have_no_summary() {
        assert_eq!(of("(1.0, 2.0)", "tensor<2xcomplex<f32>>"), "");
    }
}
