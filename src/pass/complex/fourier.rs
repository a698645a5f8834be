//! Fourier transforms: one `hlo2onnx.dft` for each dimension.
//!
//! `hlo2onnx.dft` transforms one axis of a tensor whose trailing dimension holds the parts (two, or one for real
//! elements), and has ONNX's attributes: `axis`, `inverse` (which divides by the length) and `onesided` (of a real
//! operand or result the half of the spectrum that tells the other).

use super::build::integers;
use super::contraction::is_zero;
use super::values::empty;
use super::{Refusal, Rewrite, Row, Splitter, packed_type};
use crate::ir::{Attribute, OpId, ValueId};

pub(super) const ROWS: &[Row] = &[("stablehlo.fft", Rewrite::Own(fft))];

fn fft(cx: &mut Splitter, op: OpId) -> Result<(), Refusal> {
    let kind = cx.module.attribute(op, "fft_type").ok_or(Refusal::Missing("fft_type"))?;
    let kind = cx.module.word(kind).unwrap_or_default().to_owned();
    let lengths = cx.module.attribute(op, "fft_length").ok_or(Refusal::Missing("fft_length"))?;
    let lengths = cx.module.integers(lengths).unwrap_or_default();
    let (operand, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let ty = cx.module.value_type(result);
    let rank = cx.sizes(result).len();
    let Some(first) = rank.checked_sub(lengths.len()).filter(|_| !lengths.is_empty()) else {
        return Err(Refusal::form("its lengths do not fit the operand"));
    };
    let axes: Vec<(usize, i64)> = (first..rank).zip(lengths).collect();
    let (&(last, length), outer) = axes.split_last().ok_or(Refusal::Missing("fft_length"))?;
    if cx.sizes(result).contains(&0) {
        let packed = packed_type(cx.module, ty);
        let value = empty(cx, packed.unwrap_or(ty));
        return if packed.is_some() { cx.define_whole(op, 0, value) } else { cx.define_real(op, 0, value) };
    }
    match &*kind {
        "FFT" | "IFFT" => {
            let inverse = kind == "IFFT";
            let mut value = spectrum_or_signal(cx, operand)?;
            for &(axis, length) in axes.iter().rev() {
                value = transform(cx, value, axis, length, inverse);
            }
            cx.define_whole(op, 0, value)
        }
        "RFFT" => {
            let sizes = [cx.sizes(operand), vec![1]].concat();
            let real = cx.reshape(operand, &sizes);
            let mut half = sizes;
            (half[last], half[rank]) = (length / 2 + 1, 2);
            let mut value = dft(cx, real, last, &half, false, true);
            for &(axis, length) in outer.iter().rev() {
                value = transform(cx, value, axis, length, false);
            }
            cx.define_whole(op, 0, value)
        }
        "IRFFT" => {
            let mut value = cx.whole(operand)?;
            for &(axis, length) in outer {
                value = transform(cx, value, axis, length, true);
            }
            let real = real_inverse(cx, value, last, length);
            let value = cx.reshape(real, &{
                let mut sizes = cx.sizes(real);
                sizes.pop();
                sizes
            });
            cx.define_real(op, 0, value)
        }
        _ => Err(Refusal::form(format!("the transform `{kind}`"))),
    }
}

/// The operand packed, or with a trailing dimension of one when its imaginary part is zero.
fn spectrum_or_signal(cx: &mut Splitter, operand: ValueId) -> Result<ValueId, Refusal> {
    let parts = cx.forms.get(&operand).and_then(|form| form.parts);
    match parts {
        Some([re, im]) if is_zero(cx, im) => {
            let sizes = [cx.sizes(re), vec![1]].concat();
            Ok(cx.reshape(re, &sizes))
        }
        _ => cx.whole(operand),
    }
}

/// The transform of complex elements along one axis.
fn transform(cx: &mut Splitter, value: ValueId, axis: usize, length: i64, inverse: bool) -> ValueId {
    let mut sizes = cx.sizes(value);
    let trailing = sizes.len() - 1;
    // One element is its own transform.
    if length == 1 && sizes[trailing] == 2 {
        return value;
    }
    sizes[trailing] = 2;
    dft(cx, value, axis, &sizes, inverse, false)
}

fn dft(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    sizes: &[i64],
    inverse: bool,
    onesided: bool,
) -> ValueId {
    let ty = cx.resized(value, sizes);
    let attributes = [
        ("axis", cx.integer(axis as i64)),
        ("inverse", Attribute::Bool(inverse)),
        ("onesided", Attribute::Bool(onesided)),
    ];
    cx.emit("hlo2onnx.dft", &[value], ty, &attributes)
}

/// The real signal behind one half of its spectrum, with a trailing dimension of one.
///
/// The other half mirrors the first, conjugate, without its first element and, for an even length, its last.
/// ONNX's one-sided inverse would do, but ONNX Runtime has it for even lengths only, and opsets before 20 not at all.
fn real_inverse(cx: &mut Splitter, half: ValueId, axis: usize, length: i64) -> ValueId {
    let trailing = cx.sizes(half).len() - 1;
    if length == 1 {
        return cx.cut(half, trailing, 0, 1);
    }
    if length % 2 == 0 && cx.opset >= ONE_SIDED_INVERSE {
        let mut sizes = cx.sizes(half);
        (sizes[axis], sizes[trailing]) = (length, 1);
        return dft(cx, half, axis, &sizes, true, true);
    }
    let mut spectrum = half;
    let mirrored = (length + 1) / 2;
    if mirrored > 1 {
        let inner = cx.cut(half, axis, 1, mirrored);
        let ty = cx.module.value_type(inner);
        let reversed =
            cx.emit("stablehlo.reverse", &[inner], ty, &[("dimensions", integers(&[axis as i64]))]);
        let (re, im) = (cx.cut(reversed, trailing, 0, 1), cx.cut(reversed, trailing, 1, 2));
        let ty = cx.module.value_type(im);
        let im = cx.emit("stablehlo.negate", &[im], ty, &[]);
        let conjugate = cx.concatenate(&[re, im], trailing);
        spectrum = cx.concatenate(&[half, conjugate], axis);
    }
    let signal = transform(cx, spectrum, axis, length, true);
    cx.cut(signal, trailing, 0, 1)
}

/// The opset whose DFT has the one-sided inverse in every runtime that reads it.
const ONE_SIDED_INVERSE: u32 = 20;
