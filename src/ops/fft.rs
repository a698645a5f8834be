//! The discrete Fourier transform along one axis. The pass `complex` rewrites `stablehlo.fft` to it.
//!
//! `hlo2onnx.dft` has a trailing dimension for the parts of each element, and the attributes `axis`, `inverse` and
//! `onesided` of ONNX's `DFT`.

use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, Element, OpId, hlo2onnx, onnx, stablehlo};
use crate::ops::row::{Row, unlowered, untyped};
use crate::ops::type_inference::{linear, rule};

pub(super) const ROWS: &[Row] = &[
    untyped(hlo2onnx::DFT, Elements::FLOAT, dft).note("one for each dimension of `stablehlo.fft`"),
    unlowered(stablehlo::FFT, rule(1, linear::fft)),
];

fn dft(cx: &mut Lower, op: OpId) -> Lowered {
    let axis = cx.attributes(op).integer("axis")?;
    let (inverse, onesided) = (cx.attributes(op).flag("inverse"), cx.attributes(op).flag("onesided"));
    let (element, sizes) = cx.result_dims(op, 0)?;
    if !matches!(element, Element::F32 | Element::F64) {
        return Err(LowerError::Type(element.name().unwrap_or("?").to_owned()));
    }
    let mut operand = cx.full(op, 0)?;
    // The first dimension is always the batch in opset 17, and in the kernels of ONNX Runtime up to 1.26.
    let batch = if sizes.len() == 2 { &[Dim::Known(1)][..] } else { &[] };
    if !batch.is_empty() {
        let batched = [batch, &cx.dims(operand)].concat();
        operand = cx.reshape(operand, &batched);
    }
    let axis = axis + batch.len() as i64;
    let (axis, absent) = (cx.integer(Element::I64, axis), cx.absent());
    let node = cx.node(onnx::DFT, &[operand, absent, axis]);
    let node = node.int("inverse", i64::from(inverse)).int("onesided", i64::from(onesided));
    let transformed = node.out(element, &[batch, &sizes].concat());
    Ok(cx.reshape(transformed, &sizes).into())
}
