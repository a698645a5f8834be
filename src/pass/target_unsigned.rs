//! Writes `ui32` arithmetic for runtimes that compute integers in `i32`, and refuses what they would compute incorrectly.
//!
//! OpenVINO clamps constants beyond the range of `i32`, compares `ui32` as signed numbers, and computes a shift to the
//! right as the quotient of signed numbers in `f32`. Sums, products, bitwise ops and shifts to the left are right: they do
//! not depend on the sign. A shift to the right by a constant is written with quotients that are exact in `f32`, whose high
//! bits are removed. A large constant is computed from its halves: one of the summands depends on a value of the program,
//! so the runtime cannot fold the sum. JAX's random bits consist of these ops.

use super::Context;
use super::insert_casts::wraps;
use crate::diagnostic::catalog;
use crate::ir::{Attribute, Data, Element, Module, OpId, OpName, Rewriter, ValueId, onnx};
use crate::source::Source;
use crate::target::Capability;

/// Quotients by at least 2^8 have at most 24 digits, as `f32` has.
const EXACT: u32 = 8;
/// Where an operand is split for other quotients.
const HALF: u32 = 16;

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target.filter(|target| !target.can(Capability::Unsigned)) else { return };
    let name = target.to_string();
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            if let Some(result) = shifted(rewriter, op).or_else(|| ordered(rewriter, op)) {
                rewriter.replace(rewriter.module.op(op).results[0], result);
                return false;
            }
            replace_constant(rewriter, op, cx.source);
            if let Some(why) = wrong(rewriter.module, op, cx.source) {
                let (node, at) = (rewriter.module.op(op).name.mnemonic(), rewriter.module.span(op).name);
                let refusal = catalog::WrongOnTarget { op: node, target: &name, why, at };
                cx.diagnostics.push(rewriter.module.located(op, refusal));
            }
            true
        });
    }
}

fn element(module: &Module, value: ValueId) -> Option<Element> {
    module.tensor(value).map(|tensor| tensor.element)
}

fn shifts_right(module: &Module, op: OpId) -> bool {
    let direction = module.attribute(op, "direction").and_then(Attribute::as_str);
    module.op(op).name == onnx::BIT_SHIFT && direction == Some("RIGHT")
}

/// A shift of `ui32` to the right by a constant.
fn shifted(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let &[value, amount] = &rewriter.module.op(op).operands[..] else { return None };
    if !shifts_right(rewriter.module, op) || element(rewriter.module, value) != Some(Element::U32) {
        return None;
    }
    let amounts = rewriter.module.known_integers(amount)?;
    let amounts: Vec<u32> = amounts.into_iter().map(|by| u32::try_from(by).ok()).collect::<Option<_>>()?;
    let result = *rewriter.module.op(op).results.first()?;
    if amounts.iter().all(|by| (EXACT..32).contains(by)) {
        return Some(exact_quotient(rewriter, value, amount, &amounts, result));
    }
    if !amounts.iter().all(|by| (1..HALF).contains(by)) {
        return None;
    }
    let halves = vec![HALF; amounts.len()];
    let half = list(rewriter, amount, &halves);
    let upper = exact_quotient(rewriter, value, half, &halves, result);
    let up: Vec<u32> = amounts.iter().map(|by| HALF - by).collect();
    let up = list(rewriter, amount, &up);
    let upper = rewriter.create(onnx::BIT_SHIFT, &[upper, up]).string("direction", "LEFT").like(result);
    let mask = list(rewriter, amount, &vec![low_bits(HALF); amounts.len()]);
    let lower = rewriter.create(onnx::BITWISE_AND, &[value, mask]).like(result);
    let lower = quotient(rewriter, lower, amount, &amounts, result);
    Some(rewriter.create(onnx::BITWISE_OR, &[upper, lower]).like(result))
}

/// The lowest bits of a number.
fn low_bits(count: u32) -> u32 {
    u32::MAX.checked_shr(32 - count).unwrap_or_default()
}

/// A constant of `ui32` of the sizes of another.
fn list(rewriter: &mut Rewriter, like: ValueId, numbers: &[u32]) -> ValueId {
    let ty = rewriter.module.value_type(like);
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    rewriter.create(onnx::CONSTANT, &[]).data(ty, Data::Bytes(bytes.into()))
}

/// A value without its lowest bits, divided by the power of two.
fn quotient(
    rewriter: &mut Rewriter,
    value: ValueId,
    amount: ValueId,
    amounts: &[u32],
    result: ValueId,
) -> ValueId {
    let low: Vec<u32> = amounts.iter().map(|&by| low_bits(by)).collect();
    let low = list(rewriter, amount, &low);
    let rest = rewriter.create(onnx::BITWISE_AND, &[value, low]).like(result);
    let even = rewriter.create(onnx::SUB, &[value, rest]).like(result);
    rewriter.create(onnx::BIT_SHIFT, &[even, amount]).string("direction", "RIGHT").like(result)
}

/// The same without the high bits, which are those of a negative quotient.
fn exact_quotient(
    rewriter: &mut Rewriter,
    value: ValueId,
    amount: ValueId,
    amounts: &[u32],
    result: ValueId,
) -> ValueId {
    let signed = quotient(rewriter, value, amount, amounts, result);
    let kept: Vec<u32> = amounts.iter().map(|&by| low_bits(32 - by)).collect();
    let kept = list(rewriter, amount, &kept);
    rewriter.create(onnx::BITWISE_AND, &[signed, kept]).like(result)
}

/// A comparison of `ui32`, or the smaller or larger of two.
fn ordered(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let &[left, right] = &rewriter.module.op(op).operands[..] else { return None };
    if element(rewriter.module, left) != Some(Element::U32) {
        return None;
    }
    let name = rewriter.module.op(op).name;
    let result = *rewriter.module.op(op).results.first()?;
    let compared = match name {
        onnx::MAX | onnx::MIN => onnx::LESS,
        onnx::GREATER | onnx::GREATER_OR_EQUAL | onnx::LESS | onnx::LESS_OR_EQUAL => name,
        _ => return None,
    };
    let boolean = |rewriter: &mut Rewriter, value: ValueId| {
        let ty = rewriter.module.value_type(value);
        rewriter.module.with_element(ty, Element::Bool)
    };
    // The runtime takes a number from 2^31 on for a negative one. If one of two numbers is, it is the larger one.
    let zero = rewriter.bytes(Element::U32, &[], &[0; 4]);
    let [left_is_small, right_is_small] = [left, right].map(|value| {
        let ty = boolean(rewriter, value);
        rewriter.create(onnx::GREATER_OR_EQUAL, &[value, zero]).of(ty)
    });
    let ty = boolean(rewriter, result);
    let one_is = rewriter.create(onnx::XOR, &[left_is_small, right_is_small]).of(ty);
    let decides = match compared {
        onnx::LESS | onnx::LESS_OR_EQUAL => left_is_small,
        _ => right_is_small,
    };
    let decided = rewriter.create(onnx::AND, &[one_is, decides]).of(ty);
    let both_are = rewriter.create(onnx::NOT, &[one_is]).of(ty);
    let plain = rewriter.create(compared, &[left, right]).of(ty);
    let plain = rewriter.create(onnx::AND, &[both_are, plain]).of(ty);
    let holds = rewriter.create(onnx::OR, &[decided, plain]).of(ty);
    match name {
        onnx::MIN => Some(rewriter.create(onnx::WHERE, &[holds, left, right]).like(result)),
        onnx::MAX => Some(rewriter.create(onnx::WHERE, &[holds, right, left]).like(result)),
        _ => Some(holds),
    }
}

/// Computes a constant operand of `ui32` beyond the range of `i32`: twice its half, plus its last bit.
fn replace_constant(rewriter: &mut Rewriter, op: OpId, source: &Source) -> Option<()> {
    let module = &*rewriter.module;
    let operation = module.op(op);
    let &[left, right] = &operation.operands[..] else { return None };
    if !wraps(operation.name) || element(module, left) != Some(Element::U32) {
        return None;
    }
    let is_large = |value: ValueId| is_beyond_i32(module, value, source);
    let (index, constant, other) = match (is_large(left), is_large(right)) {
        (true, false) => (0, left, right),
        (false, true) => (1, right, left),
        _ => return None,
    };
    if module.constant_of(other).is_some() {
        return None;
    }
    let sizes = module.tensor(constant)?.clone();
    let data = &module.constant(module.constant_of(constant)?).data;
    let bytes = match data.splat() {
        Some(splat) => splat.repeat(usize::try_from(sizes.count()?).ok()?),
        None => data.bytes(source, usize::try_from(sizes.count()?).ok()?, 4).into_owned(),
    };
    let numbers: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|chunk| chunk.try_into().map(u32::from_le_bytes))
        .collect::<Result<_, _>>()
        .ok()?;
    let halves: Vec<u32> = numbers.iter().map(|number| number >> 1).collect();
    let bits: Vec<u32> = numbers.iter().map(|number| number & 1).collect();
    // The sizes of the sum are those of the result.
    let result = *rewriter.module.op(op).results.first()?;
    let ty = rewriter.module.value_type(result);
    let ty = rewriter.module.with_element(ty, Element::U32);
    let (halves, bits) = (list(rewriter, constant, &halves), list(rewriter, constant, &bits));
    let zero = rewriter.bytes(Element::U32, &[], &[0; 4]);
    let zeros = rewriter.create(onnx::BITWISE_AND, &[other, zero]).like(other);
    let half = rewriter.create(onnx::ADD, &[zeros, halves]).of(ty);
    let twice = rewriter.create(onnx::ADD, &[half, half]).of(ty);
    let whole = rewriter.create(onnx::ADD, &[twice, bits]).of(ty);
    rewriter.module.op_mut(op).operands[index] = whole;
    Some(())
}

/// Ops whose results depend on the sign of an integer.
const READS_SIGN: &[OpName] = &[
    onnx::ARG_MAX,
    onnx::ARG_MIN,
    onnx::CLIP,
    onnx::DIV,
    onnx::GREATER,
    onnx::GREATER_OR_EQUAL,
    onnx::LESS,
    onnx::LESS_OR_EQUAL,
    onnx::MAX,
    onnx::MIN,
    onnx::MOD,
    onnx::REDUCE_MAX,
    onnx::REDUCE_MIN,
    onnx::TOP_K,
];

/// Why a runtime that computes integers in `i32` computes a node incorrectly, if it may.
fn wrong(module: &Module, op: OpId, source: &Source) -> Option<&'static str> {
    let operation = module.op(op);
    let first = operation.operands.first().and_then(|&value| element(module, value));
    match operation.name {
        onnx::BIT_SHIFT if shifts_right(module, op) && matches!(first, Some(Element::U32 | Element::U64)) => {
            return Some("shifts to the right as it divides signed numbers");
        }
        name if READS_SIGN.contains(&name) && matches!(first, Some(Element::U32 | Element::U64)) => {
            return Some("takes `ui32` from 2^31 on for negative numbers");
        }
        onnx::CAST if first == Some(Element::U32) => {
            let to = operation.results.first().and_then(|&value| element(module, value));
            if matches!(to, Some(Element::I64 | Element::U64)) {
                return Some("takes `ui32` from 2^31 on for negative numbers");
            }
        }
        // An end of a Slice may be any large number.
        onnx::SLICE => return None,
        _ => {}
    }
    let is_large = |&value: &ValueId| is_beyond_i32(module, value, source);
    operation.operands.iter().any(is_large).then_some("clamps integer constants to the range of `i32`")
}

/// Whether a value is a constant of integers with elements beyond the range of `i32`.
fn is_beyond_i32(module: &Module, value: ValueId, source: &Source) -> bool {
    let element = module.tensor(value).map(|tensor| tensor.element);
    let Some(element @ (Element::U32 | Element::I64 | Element::U64)) = element else { return false };
    let Some(constant) = module.constant_of(value).map(|id| module.constant(id)) else { return false };
    let width = element.bytes();
    let count = module.tensor_type(constant.ty).and_then(|ty| usize::try_from(ty.count()?).ok());
    let bytes = match constant.data.splat() {
        Some(splat) => splat.into(),
        None => constant.data.bytes(source, count.unwrap_or_default(), width),
    };
    bytes.chunks_exact(width).any(|chunk| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(chunk);
        match element {
            Element::I64 => i32::try_from(i64::from_le_bytes(wide)).is_err(),
            _ => i32::try_from(u64::from_le_bytes(wide)).is_err(),
        }
    })
}
