//! Fourier transforms, one dimension at a time.
//!
//! ONNX Runtime's `DFT` is accurate only for powers of two. For other lengths its `f32` errors reach 1e-3 at 4,000
//! elements, and its inverse divides by a length rounded to `f32`. Such transforms become matrix products if short,
//! and chirp convolutions of power-of-two transforms if long.
//!
//! `hlo2onnx.dft` transforms one axis of a tensor whose trailing dimension contains the parts (two, or one for real
//! elements). It has ONNX's attributes: `axis`, `inverse` (divides by the length) and `onesided` (a real operand or
//! result, with half of the spectrum).

mod chirp;
mod matrix;

use super::build::integers;
use super::contraction::is_zero;
use super::values::empty;
use super::{LowerError, Rewrite, RewriteRow, Splitter, packed_type};
use crate::ir::{Attribute, Dim, OpId, ValueId, hlo2onnx, stablehlo};
use crate::ops::OpAttributes;

pub(super) const ROWS: &[RewriteRow] = &[(stablehlo::FFT, Rewrite::Own(fft))];

/// The trailing dimension of real and of complex elements.
const ONE: Dim = Dim::Known(1);
const TWO: Dim = Dim::Known(2);

/// The direction of the transform.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FftDirection {
    Forward,
    /// Divides by the length.
    Inverse,
}

/// The algorithm of a transform.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Radix2,
    Matrix,
    Chirp,
}

impl Method {
    fn of(length: i64) -> Self {
        match length {
            ..=MATRIX_LIMIT => Method::Matrix,
            _ if u64::try_from(length).is_ok_and(u64::is_power_of_two) => Method::Radix2,
            _ => Method::Chirp,
        }
    }
}

/// Up to this length the product with the matrix is faster than ONNX Runtime's `DFT`, also for powers of two (measured: 2
/// to 5 times for 32 to 128), and accelerators have no `DFT`.
const MATRIX_LIMIT: i64 = 128;

fn fft(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let attributes = OpAttributes::of(cx.module, op);
    let (kind, lengths) = (attributes.word("fft_type")?.to_owned(), attributes.integers("fft_length")?);
    let (operand, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let ty = cx.module.value_type(result);
    let (of_operand, of_result) = (cx.dims(operand), cx.dims(result));
    let rank = of_result.len();
    let Some(first) = rank.checked_sub(lengths.len()).filter(|_| !lengths.is_empty()) else {
        return Err(LowerError::form("its lengths do not match the operand"));
    };
    // The leading dimensions may have any size.
    if [&of_operand, &of_result].iter().any(|dims| dims[first..].iter().any(|dim| dim.known().is_none())) {
        return Err(LowerError::Dynamic("a dimension that `stablehlo.fft` transforms".to_owned()));
    }
    let axes: Vec<(usize, i64)> = (first..rank).zip(lengths).collect();
    let (&(last, length), outer) = axes.split_last().ok_or(LowerError::missing("fft_length"))?;
    if of_result.contains(&Dim::Known(0)) {
        cx.needs_numbers(op)?;
        let packed = packed_type(cx.module, ty);
        let value = empty(cx, packed.unwrap_or(ty));
        return if packed.is_some() { cx.define_whole(op, 0, value) } else { cx.define_real(op, 0, value) };
    }
    match &*kind {
        "FFT" | "IFFT" => {
            let direction = if kind == "FFT" { FftDirection::Forward } else { FftDirection::Inverse };
            let mut value = spectrum_or_signal(cx, operand)?;
            for &(axis, length) in axes.iter().rev() {
                value = transform(cx, value, axis, length, direction)?;
            }
            cx.define_whole(op, 0, value)
        }
        "RFFT" => {
            let sizes = [&of_operand[..], &[ONE]].concat();
            let real = cx.reshape(operand, &sizes);
            let mut value = half_spectrum(cx, real, last, length)?;
            for &(axis, length) in outer.iter().rev() {
                value = transform(cx, value, axis, length, FftDirection::Forward)?;
            }
            cx.define_whole(op, 0, value)
        }
        "IRFFT" => {
            let mut value = cx.whole(operand)?;
            for &(axis, length) in outer {
                value = transform(cx, value, axis, length, FftDirection::Inverse)?;
            }
            let real = real_signal(cx, value, last, length)?;
            let mut sizes = cx.dims(real);
            sizes.pop();
            let value = cx.reshape(real, &sizes);
            cx.define_real(op, 0, value)
        }
        _ => Err(LowerError::form(format!("the transform `{kind}`"))),
    }
}

/// The packed operand, or with a trailing dimension of one if it is real.
fn spectrum_or_signal(cx: &mut Splitter, operand: ValueId) -> Result<ValueId, LowerError> {
    let parts = cx.forms.get(&operand).and_then(|form| form.parts);
    match parts {
        Some([re, im]) if is_zero(cx, im) => {
            let sizes = [&cx.dims(re)[..], &[ONE]].concat();
            Ok(cx.reshape(re, &sizes))
        }
        _ => cx.whole(operand),
    }
}

/// The transform along one axis of all elements, real or complex.
fn transform(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    length: i64,
    direction: FftDirection,
) -> Result<ValueId, LowerError> {
    let mut sizes = cx.dims(value);
    let trailing = sizes.len() - 1;
    // One element is its own transform.
    if length == 1 && sizes[trailing] == TWO {
        return Ok(value);
    }
    match Method::of(length) {
        Method::Radix2 => {
            sizes[trailing] = TWO;
            Ok(dft(cx, value, axis, &sizes, direction, false))
        }
        Method::Matrix => Ok(matrix::transform(cx, value, axis, length, direction)),
        Method::Chirp => chirp::transform(cx, value, axis, length, direction),
    }
}

/// Half of the spectrum of a real signal with a trailing dimension of one.
fn half_spectrum(cx: &mut Splitter, real: ValueId, axis: usize, length: i64) -> Result<ValueId, LowerError> {
    let half = length / 2 + 1;
    match Method::of(length) {
        Method::Radix2 => {
            let mut sizes = cx.dims(real);
            let trailing = sizes.len() - 1;
            (sizes[axis], sizes[trailing]) = (Dim::Known(half), TWO);
            Ok(dft(cx, real, axis, &sizes, FftDirection::Forward, true))
        }
        Method::Matrix => Ok(matrix::half_spectrum(cx, real, axis, length)),
        Method::Chirp => {
            let spectrum = chirp::transform(cx, real, axis, length, FftDirection::Forward)?;
            Ok(cx.cut(spectrum, axis, 0, half))
        }
    }
}

/// The real signal, with a trailing dimension of one, from half of its spectrum.
fn real_signal(cx: &mut Splitter, half: ValueId, axis: usize, length: i64) -> Result<ValueId, LowerError> {
    let mut sizes = cx.dims(half);
    let trailing = sizes.len() - 1;
    let method = Method::of(length);
    if length == 1 {
        return Ok(cx.cut(half, trailing, 0, 1));
    }
    if method == Method::Matrix {
        return Ok(matrix::real_signal(cx, half, axis, length));
    }
    if method == Method::Radix2 && cx.opset >= ONE_SIDED_INVERSE {
        (sizes[axis], sizes[trailing]) = (Dim::Known(length), ONE);
        return Ok(dft(cx, half, axis, &sizes, FftDirection::Inverse, true));
    }
    let spectrum = mirror(cx, half, axis, length);
    let signal = transform(cx, spectrum, axis, length, FftDirection::Inverse)?;
    Ok(cx.cut(signal, trailing, 0, 1))
}

/// The first opset with the one-sided inverse.
const ONE_SIDED_INVERSE: u32 = 20;

/// The whole spectrum of a real signal: the half, then its conjugate mirror image without the first element and, for
/// an even length, without the last.
fn mirror(cx: &mut Splitter, half: ValueId, axis: usize, length: i64) -> ValueId {
    let trailing = cx.dims(half).len() - 1;
    let inner = cx.cut(half, axis, 1, (length + 1) / 2);
    let ty = cx.module.value_type(inner);
    let reversed =
        cx.create(stablehlo::REVERSE, &[inner]).attr("dimensions", integers(&[axis as i64])).of(ty);
    let (re, im) = (cx.cut(reversed, trailing, 0, 1), cx.cut(reversed, trailing, 1, 2));
    let ty = cx.module.value_type(im);
    let im = cx.create(stablehlo::NEGATE, &[im]).of(ty);
    let conjugate = cx.concatenate(&[re, im], trailing);
    cx.concatenate(&[half, conjugate], axis)
}

/// One `hlo2onnx.dft`.
fn dft(
    cx: &mut Splitter,
    value: ValueId,
    axis: usize,
    sizes: &[Dim],
    direction: FftDirection,
    onesided: bool,
) -> ValueId {
    let ty = cx.resized(value, sizes);
    let attributes = [
        ("axis", cx.integer(axis as i64)),
        ("inverse", Attribute::Bool(direction == FftDirection::Inverse)),
        ("onesided", Attribute::Bool(onesided)),
    ];
    cx.create(hlo2onnx::DFT, &[value]).attrs(attributes).of(ty)
}
