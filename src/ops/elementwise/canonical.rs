//! Floats with one zero and one NaN.
//!
//! JAX makes floats canonical before it compares them in the total order: `select(x == 0, 0, x)` leaves +0 alone, and
//! `select(x != x, NaN, x)` a positive NaN. Their order needs no bits.

use crate::ir::{Module, OpName, ValueId, stablehlo};
use crate::ops::{Lower, all_numbers};

/// Larger constants are not inspected.
const LARGE: i64 = 1 << 20;
/// Selects and moves that are looked through.
const DEPTH: usize = 16;

/// Ops whose results are elements of their first operand.
const MOVES: &[OpName] = &[
    stablehlo::BROADCAST_IN_DIM,
    stablehlo::DYNAMIC_SLICE,
    stablehlo::GATHER,
    stablehlo::OPTIMIZATION_BARRIER,
    stablehlo::RESHAPE,
    stablehlo::REVERSE,
    stablehlo::SLICE,
    stablehlo::TRANSPOSE,
];

/// Of a value that has no -0 and no NaN other than the positive one, the value before the last selects that ensure it;
/// `None` if it may have them. Numbers of both compare alike, except for their bits.
pub(super) fn before_canonical(cx: &Lower, canonical: ValueId) -> Option<ValueId> {
    let (mut zero, mut nan, mut moved, mut value) = (false, false, false, canonical);
    // The tested value must be the selected one.
    let mut tested = Vec::new();
    for _ in 0..DEPTH {
        if zero && nan {
            let same = tested.iter().all(|&tested| leads_to(cx.module, value, tested));
            return same.then_some(if moved { canonical } else { value });
        }
        if tested.is_empty() && is_canonical_constant(cx, value) {
            return Some(canonical);
        }
        let op = cx.module.defining_op(value)?;
        let operands = &cx.module.op(op).operands;
        match (cx.module.op(op).name, &operands[..]) {
            (stablehlo::SELECT, &[predicate, constant, other]) => {
                match test_of(cx, predicate, constant)? {
                    Test::Zero(of) => {
                        zero = true;
                        tested.push(of);
                    }
                    Test::Nan(of) => {
                        nan = true;
                        tested.push(of);
                    }
                }
                value = other;
            }
            (name, &[operand, ..]) if MOVES.contains(&name) && tested.is_empty() => {
                (moved, value) = (true, operand);
            }
            _ => return None,
        }
    }
    None
}

enum Test {
    Zero(ValueId),
    Nan(ValueId),
}

/// The value that a predicate tests, if the select replaces it with the constant.
fn test_of(cx: &Lower, predicate: ValueId, constant: ValueId) -> Option<Test> {
    let op = cx.module.defined_by(predicate, stablehlo::COMPARE)?;
    let &[left, right] = &cx.module.op(op).operands[..] else { return None };
    let selected = known(cx, constant)?;
    match cx.attributes(op).word("comparison_direction").ok()? {
        "EQ" if selected.to_bits() == 0 && known(cx, right) == Some(0.0) => Some(Test::Zero(left)),
        "NE" if selected.is_nan() && selected.is_sign_positive() && left == right => Some(Test::Nan(left)),
        _ => None,
    }
}

/// Whether a value is the tested one, or the tested one is this value after its own select.
fn leads_to(module: &Module, value: ValueId, mut tested: ValueId) -> bool {
    for _ in 0..3 {
        if tested == value {
            return true;
        }
        let Some(op) = module.defined_by(tested, stablehlo::SELECT) else { return false };
        tested = module.op(op).operands[2];
    }
    false
}

/// The number that all elements of a constant are.
fn known(cx: &Lower, mut value: ValueId) -> Option<f64> {
    while let Some([source]) = cx.module.defining_operands(value, stablehlo::BROADCAST_IN_DIM) {
        value = source;
    }
    cx.known_number(value)
}

fn is_canonical_constant(cx: &Lower, value: ValueId) -> bool {
    let is_canonical = |number: f64| !((number == 0.0 || number.is_nan()) && number.is_sign_negative());
    all_numbers(cx.module, cx.source, value, LARGE, is_canonical) == Some(true)
}
