//! Folds comparisons, choices and conversions.

use super::arithmetic::{map, zip};
use super::number::{float, float_bits, integer, is_computed_float, wrap};
use super::{Fold, Folding, Tensor};
use crate::ir::{Element, OpName, onnx, stablehlo};
use std::cmp::Ordering;

pub(super) const FOLDS: &[(OpName, Fold)] = &[
    (onnx::CAST, Fold::Computes(convert)),
    (stablehlo::CLAMP, Fold::Computes(clamp)),
    (stablehlo::COMPARE, Fold::Computes(compare)),
    (stablehlo::CONVERT, Fold::Computes(convert)),
    (stablehlo::IS_FINITE, Fold::Computes(is_finite)),
    (stablehlo::SELECT, Fold::Computes(select)),
];

fn compare(cx: &Folding) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    let word = |name| cx.module.attribute(cx.op, name).map(|attribute| cx.module.word(attribute));
    let holds: fn(Option<Ordering>) -> bool = match word("comparison_direction")?? {
        "EQ" => |order| order == Some(Ordering::Equal),
        "NE" => |order| order != Some(Ordering::Equal),
        "LT" => |order| order == Some(Ordering::Less),
        "LE" => |order| matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "GT" => |order| order == Some(Ordering::Greater),
        "GE" => |order| matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ => return None,
    };
    if is_computed_float(element) {
        if word("compare_type").is_some_and(|kind| kind == Some("TOTALORDER")) {
            return None;
        }
        return zip(cx, |x, y| Some(i64::from(holds(float(element, x)?.partial_cmp(&float(element, y)?)))));
    }
    if !(element.is_integer() || matches!(element, Element::Bool | Element::Index)) {
        return None;
    }
    zip(cx, |x, y| Some(i64::from(holds(Some(integer(element, x).cmp(&integer(element, y)))))))
}

fn is_finite(cx: &Folding) -> Option<Tensor> {
    let element = cx.operands.first()?.element;
    map(cx, |x| Some(i64::from(float(element, x)?.is_finite())))
}

/// `select(predicate, x, y)`; a predicate of rank 0 chooses for all elements.
fn select(cx: &Folding) -> Option<Tensor> {
    let [predicate, on_true, on_false] = &cx.operands[..] else { return None };
    if on_true.sizes != on_false.sizes || on_true.element != on_false.element {
        return None;
    }
    if let Some(chosen) = predicate.scalar().filter(|_| predicate.is_splat()) {
        let chosen = if chosen != 0 { on_true } else { on_false };
        if !chosen.is_splat() {
            cx.allow(chosen.bits.len())?;
        }
        return Some(chosen.clone());
    }
    if predicate.sizes != on_true.sizes {
        return None;
    }
    cx.allow(predicate.bits.len())?;
    let choices = predicate.bits.iter().zip(on_true.view()?).zip(on_false.view()?);
    let bits = choices.map(|((&chosen, &x), &y)| if chosen != 0 { x } else { y }).collect();
    Tensor::from_elements(on_true.element, on_true.sizes.clone(), bits)
}

/// `minimum(maximum(x, low), high)`, where the bounds may be of rank 0. Floats are clamped where no NaN and no two
/// zeros of different sign make it matter how.
fn clamp(cx: &Folding) -> Option<Tensor> {
    let [low, operand, high] = &cx.operands[..] else { return None };
    let element = operand.element;
    let one = |low: i64, x: i64, high: i64| -> Option<i64> {
        if is_computed_float(element) {
            let raised = super::arithmetic::float_maximum(float(element, x)?, float(element, low)?)?;
            let clamped = super::arithmetic::float_minimum(raised, float(element, high)?)?;
            return float_bits(element, clamped);
        }
        if !element.is_integer() {
            return None;
        }
        let raised = if integer(element, x) < integer(element, low) { low } else { x };
        Some(if integer(element, raised) > integer(element, high) { high } else { raised })
    };
    let fits = |bound: &Tensor| bound.sizes.is_empty() || bound.sizes == operand.sizes;
    if !fits(low) || !fits(high) || low.element != element || high.element != element {
        return None;
    }
    if low.is_splat() && operand.is_splat() && high.is_splat() {
        let bits = one(low.scalar()?, operand.scalar()?, high.scalar()?)?;
        return Some(Tensor::splat(element, operand.sizes.clone(), bits));
    }
    let shape = ndarray::IxDyn(&operand.sizes);
    cx.allow(shape_count(&operand.sizes)?)?;
    let (low, high) = (low.bits.broadcast(shape.clone())?, high.bits.broadcast(shape)?);
    let elements = low.iter().zip(operand.view()?).zip(&high);
    let bits = elements.map(|((&low, &x), &high)| one(low, x, high)).collect::<Option<Vec<_>>>()?;
    Tensor::from_elements(element, operand.sizes.clone(), bits)
}

/// Number of elements of these sizes, if it fits.
pub(super) fn shape_count(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// Integers wrap; conversions that XLA rounds twice or saturates are not folded.
fn convert(cx: &Folding) -> Option<Tensor> {
    let (from, to) = (cx.operands.first()?.element, cx.result.element);
    if from == to {
        return map(cx, Some);
    }
    map(cx, |bits| convert_element(from, to, bits))
}

fn convert_element(from: Element, to: Element, bits: i64) -> Option<i64> {
    let is_integer =
        |element: Element| element.is_integer() || matches!(element, Element::Bool | Element::Index);
    if is_computed_float(from) {
        let value = float(from, bits)?;
        if to == Element::Bool {
            return Some(i64::from(value != 0.0));
        }
        if is_computed_float(to) {
            // XLA converts f64 to a 16-bit type through f32.
            let narrow = matches!(to, Element::F16 | Element::BF16);
            if from == Element::F64 && narrow && f64::from(value as f32) != value {
                return None;
            }
            // A NaN keeps its sign and payload in a wider type.
            return match (from, to) {
                (Element::BF16, Element::F32) if value.is_nan() => Some(bits << 16),
                (Element::F16, Element::F32) if value.is_nan() => {
                    Some(i64::from(half::f16::from_bits(bits as u16).to_f32().to_bits()))
                }
                _ => float_bits(to, value),
            };
        }
        is_integer(to).then_some(())?;
        let whole = value.trunc();
        // The lowest and highest number; the highest may round up as a float.
        let (low, high) = match to {
            Element::U64 => (0i128, i128::from(u64::MAX)),
            unsigned if unsigned.is_unsigned() => (0, (1 << unsigned.bits()) - 1),
            signed => (-(1 << (signed.bits() - 1)), (1 << (signed.bits() - 1)) - 1),
        };
        let exact = whole as i128;
        let inside = value.is_finite() && (low..=high).contains(&exact);
        return inside.then_some(exact as i64);
    }
    if !is_integer(from) {
        return None;
    }
    let value = integer(from, bits);
    if is_integer(to) {
        return Some(wrap(to, bits));
    }
    match to {
        Element::F64 => Some((value as f64).to_bits() as i64),
        Element::F32 => Some(i64::from((value as f32).to_bits())),
        // XLA converts to a 16-bit type through f32, which represents these exactly.
        Element::F16 | Element::BF16 if value.abs() <= 1 << 24 => float_bits(to, value as f64),
        _ => None,
    }
}
