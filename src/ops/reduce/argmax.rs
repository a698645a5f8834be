//! Recognizes regions that find the index of the largest or smallest element, in any form.
//!
//! JAX and others print it as a reduction of values and their indices, an `iota`. The region only compares and
//! selects, so it is a function of the order of its arguments: evaluating it for each order of two values, including
//! NaN, proves what it computes.

use crate::ir::{Attribute, Dim, Dims, Element, Module, OpId, OpName, RegionId, ValueId, onnx, stablehlo};
use crate::ops::constant::integer_limits;
use crate::ops::region::Combiner;
use crate::ops::{Lower, Lowered};
use rustc_hash::FxHashMap;

/// A reduction that is `ArgMax` or `ArgMin`.
#[derive(Clone, Copy)]
pub(super) struct ArgReduction {
    /// Which operand has the values; the other one has the indices.
    value: usize,
    axis: i64,
    choice: ArgChoice,
    /// Whether the first NaN wins, as it does for JAX.
    nan_wins: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct ArgChoice {
    largest: bool,
    last: bool,
}

pub(super) fn recognize(
    cx: &mut Lower,
    op: OpId,
    region: RegionId,
    dimensions: &[i64],
) -> Option<ArgReduction> {
    let &[axis] = dimensions else { return None };
    if cx.operand_count(op) != 4 {
        return None;
    }
    let place = [1, 0].into_iter().find(|&index| counts(cx, op, index, axis))?;
    let value = 1 - place;
    let (values, places) = (cx.operand_type(op, value).ok()?, cx.operand_type(op, place).ok()?);
    let highest = integer_limits(places.element).1;
    let counted = match places.dims[axis as usize] {
        Dim::Known(length) => length > 0 && (highest < 0 || length - 1 <= highest),
        // Indices that do not fit in 32 bits wrap in the program, too.
        _ => places.element.bits() >= 32,
    };
    if !counted {
        return None;
    }
    let element = values.element;
    let init = cx.operand(op, 2 + place).ok()?;
    if cx.known_integers(init)? != [0] {
        return None;
    }
    let (choice, nan_wins) = choice(cx.module, region, value, element)?;
    let neutral = if choice.largest { Combiner::Maximum } else { Combiner::Minimum };
    let strict = element.is_float() && cx.options.strict_nan;
    let init = cx.operand(op, 2 + value).ok()?;
    let known = cx.is_neutral(neutral, init);
    (known && (nan_wins || !strict)).then_some(ArgReduction { value, axis, choice, nan_wins })
}

/// Whether the operand counts 0, 1, 2 ... along the axis.
fn counts(cx: &Lower, op: OpId, index: usize, axis: i64) -> bool {
    let Some(&operand) = cx.module.op(op).operands.get(index) else { return false };
    let mut axis = axis;
    let mut value = operand;
    while let Some(definition) = cx.module.defining_op(value) {
        match cx.module.op(definition).name {
            stablehlo::IOTA => {
                return cx.attributes(definition).integer("iota_dimension").is_ok_and(|own| own == axis);
            }
            stablehlo::BROADCAST_IN_DIM => {
                let Ok(dimensions) = cx.attributes(definition).integers("broadcast_dimensions") else {
                    return false;
                };
                let Some(own) = dimensions.iter().position(|&dimension| dimension == axis) else {
                    return false;
                };
                value = cx.module.op(definition).operands[0];
                // A broadcast of a dimension of size 1 repeats one position.
                let size = |value, axis: usize| {
                    cx.module.tensor(value).and_then(|tensor| tensor.dims.get(axis).copied())
                };
                if size(operand, axis as usize) != size(value, own) {
                    return false;
                }
                axis = own as i64;
            }
            stablehlo::CONSTANT => {
                let Some(numbers) = cx.module.known_integers(value) else {
                    return false;
                };
                let Some(sizes) = cx.module.tensor(value).and_then(crate::ir::TensorType::sizes) else {
                    return false;
                };
                let inner: i64 = sizes[axis as usize + 1..].iter().product();
                let size = sizes[axis as usize];
                let expected = |position: usize| position as i64 / inner % size;
                return numbers.iter().enumerate().all(|(position, &number)| number == expected(position));
            }
            _ => return false,
        }
    }
    false
}

/// What the region chooses, and whether the first NaN wins; `None` when it chooses otherwise.
fn choice(module: &Module, region: RegionId, value: usize, element: Element) -> Option<(ArgChoice, bool)> {
    // Indices are 0 and 1; values are far from these, so that a region that mixes both is not matched. The first
    // index is lower, because the reduction runs from the first element to the last.
    let bases: &[f64] = if element == Element::Bool { &[0.0] } else { &[10.0, -10.0] };
    let run = |a: f64, b: f64| -> Option<[f64; 2]> {
        let mut arguments = [0.0; 4];
        (arguments[value], arguments[1 - value]) = (a, 0.0);
        (arguments[2 + value], arguments[3 - value]) = (b, 1.0);
        let results = evaluate(module, region, &arguments)?;
        Some([*results.get(value)?, *results.get(1 - value)?])
    };
    let agrees = |a: f64, b: f64, first: bool| -> Option<bool> {
        let [chosen, place] = run(a, b)?;
        let (value, expected) = if first { (a, 0.0) } else { (b, 1.0) };
        Some((chosen == value || chosen.is_nan() && value.is_nan()) && place == expected)
    };
    for largest in [true, false] {
        for last in [false, true] {
            let mut all = true;
            for &base in bases {
                all &= agrees(base + 1.0, base, largest)?;
                all &= agrees(base, base + 1.0, !largest)?;
                all &= agrees(base, base, !last)? && agrees(base + 1.0, base + 1.0, !last)?;
            }
            if !all {
                continue;
            }
            let nan = f64::NAN;
            let nan_wins = !element.is_float()
                || (!last && agrees(nan, 1.0, true)? && agrees(1.0, nan, false)? && agrees(nan, nan, true)?);
            return Some((ArgChoice { largest, last }, nan_wins));
        }
    }
    None
}

/// The results of a region that only compares and selects; booleans are 0 and 1.
fn evaluate(module: &Module, region: RegionId, arguments: &[f64; 4]) -> Option<Vec<f64>> {
    let block = module.block(module.entry_block(region)?);
    let mut known: FxHashMap<ValueId, f64> = FxHashMap::default();
    if block.arguments.len() != arguments.len() {
        return None;
    }
    known.extend(block.arguments.iter().copied().zip(arguments.iter().copied()));
    for &op in &block.ops {
        let operation = module.op(op);
        let operands: Vec<f64> =
            operation.operands.iter().map(|operand| known.get(operand).copied()).collect::<Option<_>>()?;
        let truth = |truth: bool| f64::from(u8::from(truth));
        let result = match (module.op(op).name, operands.as_slice()) {
            (stablehlo::RETURN, _) => return Some(operands),
            (stablehlo::COMPARE, &[a, b]) => truth(compare(module, op, a, b)?),
            (stablehlo::SELECT, &[condition, a, b]) => {
                if condition == 0.0 {
                    b
                } else {
                    a
                }
            }
            (stablehlo::MAXIMUM, &[a, b]) => {
                if a > b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            (stablehlo::MINIMUM, &[a, b]) => {
                if a < b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            (name, operands) if is_bool(module, operation.results[0]) => match (name, operands) {
                (stablehlo::AND, &[a, b]) => truth(a != 0.0 && b != 0.0),
                (stablehlo::OR, &[a, b]) => truth(a != 0.0 || b != 0.0),
                (stablehlo::XOR, &[a, b]) => truth(a != b),
                (stablehlo::NOT, &[a]) => truth(a == 0.0),
                _ => return None,
            },
            _ => return None,
        };
        known.insert(*operation.results.first()?, result);
    }
    None
}

fn is_bool(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|tensor| tensor.element == Element::Bool)
}

fn compare(module: &Module, op: OpId, a: f64, b: f64) -> Option<bool> {
    let word =
        |name: &str| module.attribute(op, name).and_then(|attribute: &Attribute| module.word(attribute));
    // The total order distinguishes zeros and NaNs, which these values do not represent.
    if word("compare_type") == Some("TOTALORDER") {
        return None;
    }
    Some(match word("comparison_direction")? {
        "EQ" => a == b,
        "NE" => a != b,
        "LT" => a < b,
        "LE" => a <= b,
        "GT" => a > b,
        "GE" => a >= b,
        _ => return None,
    })
}

pub(super) fn lower(cx: &mut Lower, op: OpId, found: ArgReduction) -> Lowered {
    let ArgReduction { value: index, axis, choice, nan_wins } = found;
    let value = cx.full(op, index)?;
    let (place_element, kept) = cx.result_dims(op, 1 - index)?;
    if kept.contains(&Dim::Known(0)) {
        let element = cx.element(value);
        let (values, places) = (cx.empty_tensor(element, &kept), cx.empty_tensor(place_element, &kept));
        return Ok(if index == 0 { [values, places] } else { [places, values] }.into_iter().collect());
    }
    let element = cx.element(value);
    let pick = |cx: &mut Lower, name: OpName, operand: ValueId| {
        let node = cx.node(name, &[operand]).int("axis", axis).int("keepdims", 1);
        let node = if choice.last { node.int("select_last_index", 1) } else { node };
        node.out(Element::I64, &with_axis(&kept, axis))
    };
    // ONNX Runtime ignores every NaN except a first one, so NaN becomes an infinity.
    let ordered = if element.is_float() && nan_wins {
        cx.nan_as_infinity(value, if choice.largest { 1.0 } else { -1.0 })
    } else {
        cx.ordered(value)
    };
    if element.is_float() && !nan_wins {
        cx.report_nan(op);
    }
    let places = pick(cx, if choice.largest { onnx::ARG_MAX } else { onnx::ARG_MIN }, ordered);
    let mut sizes = with_axis(&kept, axis);
    // The element at the index is the extremum, or the winning NaN.
    let values = cx.node(onnx::GATHER_ELEMENTS, &[value, places]).int("axis", axis).out(element, &sizes);
    sizes.remove(axis as usize);
    let values = cx.reshape(values, &sizes);
    let places = cx.reshape(places, &sizes);
    let places = cx.cast(places, place_element);
    Ok(if index == 0 { [values, places] } else { [places, values] }.into_iter().collect())
}

/// The sizes with the reduced dimension set to 1.
fn with_axis(kept: &[Dim], axis: i64) -> Dims {
    let mut sizes = Dims::from_slice(kept);
    sizes.insert(axis as usize, Dim::Known(1));
    sizes
}
