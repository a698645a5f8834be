//! The ops that the pass `fuse` creates.
//!
//! They mean the same as their patterns. If the opset lacks the ONNX op, they are decomposed again.

mod attention;
mod images;
mod normalization;
mod rotary;
mod take;

use super::{Elements, Lower, LowerError, Lowered, elementwise};
use crate::ir::{OpId, OpName, hlo2onnx, onnx};
use crate::ops::row::{Row, row};
use crate::ops::type_inference::{Exactly, PREDICATE, fused, rule, variadic};
use attention::attention;
use images::{interpolate, repeat, resample};
use normalization::{group_norm, layer_norm, rms_norm};
use rotary::rotary_embedding;
use std::f64::consts::{FRAC_2_PI, SQRT_2};
use take::{take, take_along_axis};

pub(super) const ROWS: &[Row] = &[
    row(
        hlo2onnx::ATTENTION,
        variadic(3, Exactly(1), fused::attention),
        Elements::FLOAT.or(Elements::BOOL),
        attention,
    )
    .note("below opset 23, and where the kernel computes something else, two MatMul and Softmax"),
    row(hlo2onnx::ELU, rule(1, fused::first), Elements::FLOAT, |cx, op| linear_above_zero(cx, op, onnx::ELU)),
    row(hlo2onnx::GELU, rule(1, fused::first), Elements::FLOAT, gelu)
        .note("below opset 20 in the parts that ONNX Runtime fuses"),
    row(hlo2onnx::GROUP_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, group_norm)
        .note("InstanceNormalization of groups: ONNX Runtime decomposes GroupNormalization into slower ops"),
    row(hlo2onnx::HARD_SIGMOID, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        let (x, slope, middle) =
            (cx.operand(op, 0)?, cx.attributes(op).float("alpha")?, cx.attributes(op).float("beta")?);
        let node =
            cx.node(onnx::HARD_SIGMOID, &[x]).float("alpha", slope as f32).float("beta", middle as f32);
        Ok(node.like(x).into())
    }),
    row(hlo2onnx::INTERPOLATE, rule(1, fused::repeat), Elements::FLOAT, interpolate)
        .note("Resize, of images"),
    row(hlo2onnx::LAYER_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, layer_norm)
        .note("ONNX requires the scale; decomposed below opset 17"),
    row(hlo2onnx::LEAKY_RELU, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        linear_above_zero(cx, op, onnx::LEAKY_RELU)
    }),
    row(hlo2onnx::LOG_SOFTMAX, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        along_axis(cx, op, onnx::LOG_SOFTMAX)
    }),
    row(hlo2onnx::REPEAT, rule(1, fused::repeat), Elements::PLAIN, repeat)
        .note("Resize in the mode `nearest`"),
    row(hlo2onnx::RESAMPLE, rule(3, fused::resample), Elements::FLOAT, resample)
        .note("MatMul along two dimensions, transposed to the end"),
    row(hlo2onnx::RMS_NORM, variadic(1, Exactly(1), fused::first), Elements::FLOAT, rms_norm)
        .note("below opset 23 in the parts that ONNX Runtime fuses"),
    row(hlo2onnx::ROTARY_EMBEDDING, rule(3, fused::first), Elements::FLOAT, rotary_embedding)
        .note("below opset 23 two Mul and Add"),
    row(hlo2onnx::SIGN_BIT, PREDICATE, Elements::FLOAT.or(Elements::BOOL), sign_bit)
        .note("x < 0 or 1 / x < 0 below opset 26, which has BitCast"),
    row(hlo2onnx::SOFTMAX, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        along_axis(cx, op, onnx::SOFTMAX)
    }),
    row(hlo2onnx::SOFTPLUS, rule(1, fused::first), Elements::FLOAT, |cx, op| {
        let x = cx.operand(op, 0)?;
        Ok(cx.node(onnx::SOFTPLUS, &[x]).like(x).into())
    }),
    row(hlo2onnx::TAKE, rule(3, fused::take), Elements::PLAIN, take)
        .note("Gather of clamped positions, and Where; a small constant holds the fill instead"),
    row(hlo2onnx::TAKE_ALONG_AXIS, rule(3, fused::take_along_axis), Elements::PLAIN, take_along_axis)
        .note("GatherElements at clamped positions, and Where"),
];

/// Whether the sign bit is set. Without `BitCast` the sign of NaN is ignored.
fn sign_bit(cx: &mut Lower, op: OpId) -> Lowered {
    let x = cx.operand(op, 0)?;
    if cx.reads_nan_sign() {
        return Ok(cx.formula([x], elementwise::bits_are_negative).into());
    }
    Ok(cx.formula([x], |[x]| x.less(0.0) | x.reciprocal().less(0.0)).into())
}

/// The operand in full: before its broadcast, one element may represent several of a row.
fn along_axis(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let axis = axis(cx, op)?;
    let x = cx.full(op, 0)?;
    Ok(cx.node(name, &[x]).int("axis", axis).like(x).into())
}

/// The attribute `axis`, which must be a dimension of the operand.
fn axis(cx: &Lower, op: OpId) -> Result<i64, LowerError> {
    let (axis, rank) = (cx.attributes(op).integer("axis")?, cx.operand_type(op, 0)?.rank());
    let inside = usize::try_from(axis).is_ok_and(|axis| axis < rank);
    let why = || format!("{axis} is not a dimension of an operand of rank {rank}");
    if inside { Ok(axis) } else { Err(LowerError::attribute("axis", why())) }
}

/// The operand itself above zero, and a function of `alpha` below.
fn linear_above_zero(cx: &mut Lower, op: OpId, name: OpName) -> Lowered {
    let (x, alpha) = (cx.operand(op, 0)?, cx.attributes(op).float("alpha")?);
    Ok(cx.node(name, &[x]).float("alpha", alpha as f32).like(x).into())
}

fn gelu(cx: &mut Lower, op: OpId) -> Lowered {
    let (x, approximate) = (cx.operand(op, 0)?, cx.attributes(op).integer("approximate")? != 0);
    if cx.has(onnx::GELU) {
        let node = cx.node(onnx::GELU, &[x]);
        let node = if approximate { node.string("approximate", "tanh") } else { node };
        return Ok(node.like(x).into());
    }
    // ONNX Runtime's `GeluFusion` and `FastGeluFusion` recognize these ops in this order, in f32, without casts in
    // between.
    let (element, single) = (cx.element(x), cx.single(x));
    let parts = cx.formula([single], |[x]| {
        let odd = if approximate {
            let slope = x * 0.044715 * x + 1.0;
            (slope * (x * FRAC_2_PI.sqrt())).unary(onnx::TANH)
        } else {
            (x / SQRT_2).unary(onnx::ERF)
        };
        x * 0.5 * (odd + 1.0)
    });
    Ok(cx.narrowed(parts, element).into())
}
