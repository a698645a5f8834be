//! Replaces ops that the target computes incorrectly or lacks by others with the same results.
//!
//! Each form belongs to a [`Capability`] that the target's row names. Runs after the patterns of ONNX Runtime are final.

mod indexing;
mod loops;
mod numbers;
mod pools;
mod special;
mod windows;

use super::Context;
use crate::ir::{Attribute, Data, Dim, Element, Module, OpId, OpName, Rewriter, TensorType, ValueId, onnx};
use crate::target::Capability;
use indexing::{chooses, gather_backward, gather_in_rows, gathers_along_many, goes_backward, place_of_best};
use numbers::{
    differs_from_zero, has_one_scale, is_of_floats, makes_truths, max_and_min, max_with_zero,
    multiplies_integers, multiplies_long_integers, negated_product, quantize_small, sign_by_comparison,
    squares_integers, sum_of_products,
};
use windows::{
    add_negated, convolve_back_planes, convolve_groups, convolve_planes, cut_and_pad, cuts, has_groups,
    has_known_blocks, is_of_volumes, move_blocks, pad_all, pads_some, resize_inner, resizes_outer,
    subtracts_convolution,
};

/// Which ops a form applies to.
type Matches = fn(&Module, OpId) -> bool;
/// Creates the ops of a form; the value replaces the result of the matched op.
type Form = fn(&mut Rewriter, OpId) -> Option<ValueId>;

/// The forms, by the capability that makes them unnecessary and the op that they replace.
const FORMS: &[(Capability, OpName, Matches, Form)] = &[
    (Capability::CastToI64, onnx::CAST, is_of_i64, cast_like),
    (Capability::VectorProducts, onnx::MAT_MUL, multiplies_vectors, row_by_vector),
    (Capability::BroadcastDividends, onnx::MOD, broadcasts_first, add_zeros),
    (Capability::BoolEquality, onnx::EQUAL, compares_bools, not_xor),
    (Capability::DoubleTests, onnx::IS_NAN, reads_doubles, is_nan_in_f32),
    (Capability::DoubleTests, onnx::IS_INF, reads_doubles, equals_infinity),
    (Capability::DoubleRounding, onnx::ROUND, reads_doubles, round_by_sum),
    (Capability::Bitwise, onnx::BITWISE_OR, joins_shifts, sum),
    (Capability::BackwardSlices, onnx::SLICE, goes_backward, gather_backward),
    (Capability::FirstOfEqual, onnx::ARG_MAX, chooses, place_of_best),
    (Capability::FirstOfEqual, onnx::ARG_MIN, chooses, place_of_best),
    (Capability::OuterResizes, onnx::RESIZE, resizes_outer, resize_inner),
    (Capability::Volumes, onnx::CONV, is_of_volumes, convolve_planes),
    (Capability::Volumes, onnx::CONV_TRANSPOSE, is_of_volumes, convolve_back_planes),
    (Capability::Volumes, onnx::AVERAGE_POOL, pools::is_of_volumes, pools::pool_twice),
    (Capability::Volumes, onnx::MAX_POOL, pools::is_of_volumes, pools::pool_twice),
    (Capability::SpaceToDepth, onnx::SPACE_TO_DEPTH, has_known_blocks, move_blocks),
    (Capability::PadAxes, onnx::PAD, pads_some, pad_all),
    (Capability::NegativePads, onnx::PAD, cuts, cut_and_pad),
    (Capability::ClippedNan, onnx::CLIP, is_of_floats, max_and_min),
    (Capability::ClippedNan, onnx::RELU, is_of_floats, max_with_zero),
    (Capability::SaturatingQuantize, onnx::QUANTIZE_LINEAR, has_one_scale, quantize_small),
    (Capability::SignOfZero, onnx::SIGN, is_of_floats, sign_by_comparison),
    (Capability::CastToBool, onnx::CAST, makes_truths, differs_from_zero),
    (Capability::LongProducts, onnx::MAT_MUL, multiplies_long_integers, sum_of_products),
    (Capability::IntegerProducts, onnx::MAT_MUL, multiplies_integers, sum_of_products),
    (Capability::IntegerSquares, onnx::MUL, squares_integers, negated_product),
    (Capability::LogOfSums, onnx::LOG_SOFTMAX, is_of_floats, special::log_of_sum),
    (Capability::SubtractedConvolutions, onnx::SUB, subtracts_convolution, add_negated),
    (Capability::LongGathers, onnx::GATHER_ELEMENTS, gathers_along_many, gather_in_rows),
    (Capability::SlicedGathers, onnx::GATHER_ELEMENTS, special::gathers_slice, gather_in_rows),
    (Capability::NanComparisons, onnx::GREATER, is_of_floats, special::turned),
    (Capability::NanComparisons, onnx::GREATER_OR_EQUAL, is_of_floats, special::turned),
    (Capability::NanComparisons, onnx::MAX, special::ends_with_constant, special::constant_first),
    (Capability::NanComparisons, onnx::MIN, special::ends_with_constant, special::constant_first),
    (Capability::ComputedPadding, onnx::PAD, special::computes_padding, special::select_padding),
    (Capability::EmptyConstants, onnx::CONSTANT, special::is_empty, special::empty_slice),
    (Capability::ScalarReshapes, onnx::RESHAPE, special::makes_scalar, special::squeeze),
    (Capability::GroupedTransposes, onnx::CONV_TRANSPOSE, has_groups, convolve_groups),
];

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target else { return };
    if !target.can(Capability::StackedSlices) {
        loops::restack(module);
    }
    let forms: Vec<_> = FORMS.iter().filter(|&&(capability, ..)| !target.can(capability)).collect();
    if forms.is_empty() {
        return;
    }
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let name = rewriter.module.op(op).name;
            if name == onnx::LOOP && !target.can(Capability::NegativeTripCounts) {
                special::count_from_zero(rewriter, op);
            }
            let form = forms.iter().find(|(_, of, matches, _)| *of == name && matches(rewriter.module, op));
            let Some((.., form)) = form else { return true };
            let Some(value) = form(rewriter, op) else { return true };
            let result = rewriter.module.op(op).results[0];
            rewriter.replace(result, value);
            false
        });
    }
}

/// The type of an operand.
fn operand(module: &Module, op: OpId, index: usize) -> Option<&TensorType> {
    module.tensor(*module.op(op).operands.get(index)?)
}

/// The type of the result.
fn result(module: &Module, op: OpId) -> Option<&TensorType> {
    module.tensor(*module.op(op).results.first()?)
}

fn is_of_i64(module: &Module, op: OpId) -> bool {
    result(module, op).is_some_and(|tensor| tensor.element == Element::I64)
}

/// tract's Cast to `i64` makes its type of symbolic dimensions, which few ops take; its CastLike makes integers.
fn cast_like(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let like = rewriter.bytes(Element::I64, &[], &0i64.to_le_bytes());
    Some(rewriter.create(onnx::CAST_LIKE, &[value, like]).like(result))
}

fn multiplies_vectors(module: &Module, op: OpId) -> bool {
    (0..2).all(|index| operand(module, op, index).is_some_and(|tensor| tensor.rank() == 1))
}

/// The product of a matrix of one row and a vector.
fn row_by_vector(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let (element, length) = {
        let tensor = operand(rewriter.module, op, 0)?;
        (tensor.element, tensor.dims[0])
    };
    let sizes = rewriter.integers(&[1, -1]);
    let ty = rewriter.module.tensor_of(element, &[Dim::Known(1), length]);
    let row = rewriter.create(onnx::RESHAPE, &[operands[0], sizes]).of(ty);
    let ty = rewriter.module.tensor_of::<i64>(element, &[1]);
    let product = rewriter.create(onnx::MAT_MUL, &[row, operands[1]]).of(ty);
    let scalar = rewriter.integers(&[]);
    let result = rewriter.module.op(op).results[0];
    Some(rewriter.create(onnx::RESHAPE, &[product, scalar]).like(result))
}

fn broadcasts_first(module: &Module, op: OpId) -> bool {
    let dims = |tensor: Option<&TensorType>| tensor.map(|tensor| tensor.dims.clone());
    dims(operand(module, op, 0)) != dims(result(module, op))
}

/// The remainder of a dividend that has the shape of the result: a negative zero for each of its elements, which adds
/// nothing, broadcasts it. tract would leave out an Expand.
fn add_zeros(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let ty = rewriter.module.value_type(rewriter.module.op(op).results[0]);
    let (element, dims) = {
        let tensor = result(rewriter.module, op)?;
        (tensor.element, tensor.dims.clone())
    };
    let sizes: Option<Vec<i64>> = dims.iter().map(|dim| dim.known()).collect();
    let shape = match sizes {
        Some(sizes) => rewriter.integers(&sizes),
        None => {
            let sum = rewriter.create(onnx::ADD, &[operands[0], operands[1]]).of(ty);
            let list = rewriter.module.tensor_of(Element::I64, &[dims.len() as i64]);
            rewriter.create(onnx::SHAPE, &[sum]).of(list)
        }
    };
    let zero: &[u8] = match element {
        Element::F16 => &0x8000u16.to_le_bytes(),
        Element::F32 => &(-0.0f32).to_le_bytes(),
        Element::F64 => &(-0.0f64).to_le_bytes(),
        _ => &[0; 8][..element.bytes()],
    };
    let one = rewriter.bytes(element, &[], zero);
    let zeros = rewriter.create(onnx::EXPAND, &[one, shape]).of(ty);
    let dividend = rewriter.create(onnx::ADD, &[operands[0], zeros]).of(ty);
    Some(rewriter.create_like(op, &[dividend, operands[1]]).of(ty))
}

fn compares_bools(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element == Element::Bool)
}

fn not_xor(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    let differ = rewriter.create(onnx::XOR, &operands).like(result);
    Some(rewriter.create(onnx::NOT, &[differ]).like(result))
}

fn reads_doubles(module: &Module, op: OpId) -> bool {
    operand(module, op, 0).is_some_and(|tensor| tensor.element == Element::F64)
}

/// A cast keeps NaN.
fn is_nan_in_f32(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let own = rewriter.module.value_type(value);
    let ty = rewriter.module.with_element(own, Element::F32);
    let number = rewriter.create(onnx::CAST, &[value]).element("to", Element::F32).of(ty);
    Some(rewriter.create(onnx::IS_NAN, &[number]).like(result))
}

/// Only tests of both signs have this form.
fn equals_infinity(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    if !rewriter.module.op(op).attributes.is_empty() {
        return None;
    }
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let magnitude = rewriter.create(onnx::ABS, &[value]).like(value);
    let ty = rewriter.module.tensor_of::<i64>(Element::F64, &[]);
    let infinity = Data::Splat(f64::INFINITY.to_le_bytes().as_slice().into());
    let infinity = rewriter.create(onnx::CONSTANT, &[]).data(ty, infinity);
    Some(rewriter.create(onnx::EQUAL, &[magnitude, infinity]).like(result))
}

/// The sum with 2^52 has no digits for fractions: it rounds to the nearest, and halves to even numbers. Larger numbers are
/// integers.
fn round_by_sum(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let own = rewriter.module.value_type(value);
    let truths = rewriter.module.with_element(own, Element::Bool);
    let limit = rewriter.bytes(Element::F64, &[], &2f64.powi(52).to_le_bytes());
    let magnitude = rewriter.create(onnx::ABS, &[value]).like(value);
    let sum = rewriter.create(onnx::ADD, &[magnitude, limit]).like(value);
    let rounded = rewriter.create(onnx::SUB, &[sum, limit]).like(value);
    let sign = rewriter.create(onnx::SIGN, &[value]).like(value);
    let rounded = rewriter.create(onnx::MUL, &[rounded, sign]).like(value);
    let has_fraction = rewriter.create(onnx::LESS, &[magnitude, limit]).of(truths);
    Some(rewriter.create(onnx::WHERE, &[has_fraction, rounded, value]).like(result))
}

/// The direction of a shift by constants, and the constants.
fn shift(module: &Module, value: ValueId) -> Option<(&str, Vec<i64>)> {
    let op = module.defining_op(value).filter(|&op| module.op(op).name == onnx::BIT_SHIFT)?;
    let direction = module.attribute(op, "direction").and_then(Attribute::as_str)?;
    Some((direction, module.known_integers(*module.op(op).operands.get(1)?)?))
}

/// Whether the operands are shifts in both directions that have no bits in common, as in a rotation.
fn joins_shifts(module: &Module, op: OpId) -> bool {
    let [left, right] = [0, 1].map(|index| shift(module, module.op(op).operands[index]));
    let (Some((one, one_by)), Some((other, other_by))) = (left, right) else { return false };
    let bits = operand(module, op, 0).map_or(64, |tensor| i64::from(tensor.element.bits()));
    let least = |amounts: &[i64]| amounts.iter().copied().filter(|by| (0..bits).contains(by)).min();
    let is_known = one_by.iter().chain(&other_by).all(|by| (0..bits).contains(by));
    let (Some(one_by), Some(other_by)) = (least(&one_by), least(&other_by)) else { return false };
    is_known && one != other && one_by + other_by >= bits
}

/// The sum of numbers without common bits.
fn sum(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (operands, result) = (rewriter.module.op(op).operands.clone(), rewriter.module.op(op).results[0]);
    Some(rewriter.create(onnx::ADD, &operands).like(result))
}
