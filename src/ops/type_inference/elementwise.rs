//! Rules of elementwise ops.

use super::typing::{Typing, dims_fit, known_of, one, tensor, types};
use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, Element, TensorType};
use crate::ops::quantize::Quantization;

/// The common sizes of these operands.
pub(super) fn common(t: &Typing, operands: &[&TensorType]) -> Result<Dims, Violation> {
    let Some((first, rest)) = operands.split_first() else { return Ok(Dims::new()) };
    let mut dims = first.dims.clone();
    for (index, other) in rest.iter().enumerate() {
        if !dims_fit(&dims, &other.dims) {
            let (first, other) = (t.describe(first), t.describe(other));
            let why = format!("the operands differ in shape: `{first}` and `{other}`");
            return Err(match (place(t, operands[0]), place(t, operands[index + 1])) {
                (Some(x), Some(y)) => t.disagreeing(x, y, why),
                _ => Violation::types(why),
            });
        }
        dims.iter_mut().zip(&other.dims).for_each(|(dim, &other)| *dim = known_of(*dim, other));
    }
    Ok(dims)
}

/// Which operand a type comes from.
fn place(t: &Typing, ty: &TensorType) -> Option<usize> {
    (0..t.operand_count()).find(|&index| t.operand(index).is_ok_and(|own| std::ptr::eq(own, ty)))
}

/// All operands and the result have the same type.
pub(in crate::ops) fn same(t: &Typing) -> Inferred {
    let operands = t.operands()?;
    let element = operands.first().map_or(Element::Bool, |first| first.element);
    for index in 1..operands.len() {
        t.same_element(0, index)?;
    }
    one(tensor(element, common(t, &operands)?))
}

/// The result has the operand's shape and any element type.
pub(in crate::ops) fn shape(t: &Typing) -> Inferred {
    one(tensor(t.result(0)?.element, t.operand(0)?.dims.clone()))
}

/// The result represents elements of the operand's type.
pub(in crate::ops) fn quantized(t: &Typing) -> Inferred {
    expressed(t, t.result(0)?.element, t.operand(0)?.element)?;
    shape(t)
}

/// The result has the type that the operand represents.
pub(in crate::ops) fn dequantized(t: &Typing) -> Inferred {
    expressed(t, t.operand(0)?.element, t.result(0)?.element)?;
    shape(t)
}

/// The floats that a quantized type represents are those of the other side.
fn expressed(t: &Typing, quantized: Element, float: Element) -> Result<(), Violation> {
    let Element::Quantized(text) = quantized else { return Ok(()) };
    let Some(quantization) = Quantization::parse(t.module.symbols.get(text)) else { return Ok(()) };
    if !float.is_float() || quantization.expressed == float {
        return Ok(());
    }
    let (own, other) = (quantization.expressed.name().unwrap_or("?"), float.name().unwrap_or("?"));
    Err(Violation::types(format!("the expressed type is `{own}`, not `{other}`")))
}

/// The result is a predicate per element.
pub(in crate::ops) fn predicate(t: &Typing) -> Inferred {
    one(tensor(Element::Bool, t.operand(0)?.dims.clone()))
}

/// The result is real if the operand is complex.
pub(in crate::ops) fn part(t: &Typing) -> Inferred {
    let operand = t.operand(0)?;
    one(tensor(operand.element.part(), operand.dims.clone()))
}

pub(in crate::ops) fn complex(t: &Typing) -> Inferred {
    t.same_element(0, 1)?;
    let operands = t.operands()?;
    let element = match operands[0].element {
        Element::F32 => Element::C64,
        Element::F64 => Element::C128,
        _ => return types("the parts of a complex number must be f32 or f64"),
    };
    one(tensor(element, common(t, &operands)?))
}

const DIRECTIONS: &[&str] = &["EQ", "NE", "GE", "GT", "LE", "LT"];

pub(in crate::ops) fn compare(t: &Typing) -> Inferred {
    t.same_element(0, 1)?;
    t.attributes().word_of("comparison_direction", DIRECTIONS)?;
    compare_type(t)?;
    one(tensor(Element::Bool, common(t, &t.operands()?)?))
}

/// The stated comparison type must match the elements (StableHLO spec, compare, C5), or XLA refuses it. Equality of
/// integers does not depend on their signedness.
fn compare_type(t: &Typing) -> Result<(), Violation> {
    if t.attributes().get("compare_type").is_err() {
        return Ok(());
    }
    let stated =
        t.attributes().word_of("compare_type", &["FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED", "NOTYPE"])?;
    let operand = t.operand(0)?;
    let kinds: &[&str] = match operand.element {
        Element::Quantized(_) | Element::Index => return Ok(()),
        element if element.is_complex() => &["FLOAT"],
        element if element.is_float() => &["FLOAT", "TOTALORDER"],
        _ if matches!(t.attributes().word_of("comparison_direction", DIRECTIONS)?, "EQ" | "NE") => {
            &["SIGNED", "UNSIGNED"]
        }
        element if element.is_unsigned() || element == Element::Bool => &["UNSIGNED"],
        _ => &["SIGNED"],
    };
    if stated == "NOTYPE" || kinds.contains(&stated) {
        return Ok(());
    }
    let why =
        format!("elements of `{}` compare as {}, not as {stated}", t.describe(operand), kinds.join(" or "));
    Err(Violation::attribute("compare_type", why).showing(Part::OperandType(0), "compared"))
}

pub(in crate::ops) fn select(t: &Typing) -> Inferred {
    t.same_element(1, 2)?;
    let (predicate, on_true, on_false) = (t.operand(0)?, t.operand(1)?, t.operand(2)?);
    if predicate.element != Element::Bool {
        return Err(t.wrong_operand(0, predicate, "hold i1"));
    }
    let mut operands = vec![on_true, on_false];
    // A scalar predicate applies to all elements (StableHLO spec, select, C1).
    if predicate.rank() != 0 {
        operands.push(predicate);
    }
    one(tensor(on_true.element, common(t, &operands)?))
}

pub(in crate::ops) fn clamp(t: &Typing) -> Inferred {
    let (low, operand, high) = (t.operand(0)?, t.operand(1)?, t.operand(2)?);
    t.same_element(0, 1)?;
    t.same_element(1, 2)?;
    let mut operands = vec![operand];
    operands.extend([low, high].into_iter().filter(|bound| bound.rank() != 0));
    one(tensor(operand.element, common(t, &operands)?))
}

pub(in crate::ops) fn reduce_precision(t: &Typing) -> Inferred {
    for (name, least) in [("exponent_bits", 1), ("mantissa_bits", 0)] {
        let bits = t.attributes().integer(name)?;
        if bits < least {
            return super::typing::attribute(name, format!("{bits} is less than {least}"));
        }
    }
    same(t)
}

/// Sizes must be equal if `broadcast_dimensions`, or alignment at the last dimension, pairs them, unless one is 1.
pub(in crate::ops) fn broadcasting(t: &Typing) -> Inferred {
    let result = t.result(0)?;
    let explicit = t.module.attribute(t.op, "broadcast_dimensions").is_some();
    for (index, operand) in t.operands()?.into_iter().enumerate() {
        let say = |ty: &TensorType| format!("this has {} dimensions", ty.rank());
        if operand.rank() > result.rank() {
            return Err(Violation::types("an operand has more dimensions than the result")
                .showing(Part::OperandType(index), say(operand))
                .showing(Part::ResultType(0), say(result)));
        }
        if explicit && operand.rank() < result.rank() {
            t.attributes().dimensions("broadcast_dimensions", result.rank())?;
            continue;
        }
        let aligned = &result.dims[result.rank() - operand.rank()..];
        let fits = operand.dims.iter().zip(aligned).all(|(&own, &whole)| {
            own.known().is_none_or(|own| own == 1 || whole.known().is_none_or(|whole| own == whole))
        });
        if !fits {
            let (from, to) = (t.describe(operand), t.describe(result));
            return Err(Violation::types(format!("`{from}` does not broadcast to `{to}`"))
                .showing(Part::OperandType(index), format!("this does not broadcast to `{to}`")));
        }
    }
    let mut known = result.clone();
    let all = t.operands()?;
    if !explicit || all.iter().all(|operand| operand.rank() == known.rank()) {
        let rank = known.rank();
        for (axis, dim) in known.dims.iter_mut().enumerate().filter(|(_, dim)| **dim == Dim::Dynamic) {
            let own = |operand: &&TensorType| {
                Some(operand.dims[(axis + operand.rank()).checked_sub(rank)?])
                    .filter(|&dim| dim != Dim::Known(1))
            };
            let mut sizes = all.iter().filter_map(own);
            let Some(first) = sizes.next() else {
                *dim = Dim::Known(1);
                continue;
            };
            // A static size other than 1 is the result's size; a symbolic size may be 1.
            let others: Vec<Dim> = sizes.collect();
            let number = others.iter().chain([&first]).find(|dim| dim.known().is_some());
            let same = others.iter().all(|&other| other == first).then_some(first);
            *dim = number.copied().or(same).unwrap_or(Dim::Dynamic);
        }
    }
    one(known)
}
