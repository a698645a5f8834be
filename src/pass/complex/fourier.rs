//! Fourier transforms, one dimension at a time, as products with matrices of cosines and sines.
//!
//! ONNX Runtime's `DFT` supports powers of two well enough only in speed: its errors are four to six times those of XLA,
//! and from 256 elements on two products with short matrices are faster ([`plan`]). A product takes and returns parts as
//! they are, so a part that nobody reads costs nothing.

mod chirp;
mod matrix;
mod plan;
mod steps;

use super::build::integers;
use super::contraction::is_zero;
use super::values::empty;
use super::{LowerError, Rewrite, RewriteRow, Splitter, packed_type};
use crate::ir::{Attribute, Data, Dim, Element, OpId, SCALAR, TypeId, ValueId, stablehlo};
use crate::ops::{GatherDimensionNumbers, OpAttributes};
use plan::Plan;

pub(super) const ROWS: &[RewriteRow] = &[(stablehlo::FFT, Rewrite::Own(fft))];

/// A tensor in a transform. A real one has no imaginary part.
#[derive(Clone, Copy)]
struct Signal {
    re: ValueId,
    im: Option<ValueId>,
}

/// A transform along one axis: `X_k = scale Σ_j x_j e^(± 2πi jk / length)`.
#[derive(Clone, Copy)]
struct Transform {
    length: i64,
    /// How many elements the operand has. The others are zero.
    inputs: i64,
    /// How many elements of the result are needed, from the first on.
    outputs: i64,
    /// The sign of the exponent.
    sign: f64,
    scale: f64,
    /// The operand is one half of the spectrum of a real signal.
    is_half: bool,
    /// Only the real part of the result is needed.
    to_real: bool,
}

impl Transform {
    fn forward(length: i64) -> Self {
        Self {
            length,
            inputs: length,
            outputs: length,
            sign: -1.0,
            scale: 1.0,
            is_half: false,
            to_real: false,
        }
    }

    fn inverse(length: i64) -> Self {
        Self { sign: 1.0, scale: 1.0 / length as f64, ..Self::forward(length) }
    }

    /// `(cos φ, ± sin φ)` of `φ = 2π ab / length`, from the remainder of the product, as large angles lose digits.
    fn root(&self, a: i64, b: i64) -> [f64; 2] {
        let product = i128::from(a) * i128::from(b) % i128::from(self.length);
        let (sin, cos) = (std::f64::consts::TAU * product as f64 / self.length as f64).sin_cos();
        [cos, self.sign * sin]
    }

    /// How often an input counts: an element of half a spectrum also represents its mirror image, if it has one.
    fn weight(&self, index: i64) -> f64 {
        if self.is_half && index != 0 && 2 * index != self.length { 2.0 } else { 1.0 }
    }
}

/// The number of elements of a spectrum of which the others are the mirror image.
fn half_of(length: i64) -> i64 {
    length / 2 + 1
}

/// Constants for longer transforms would be too large.
const LONGEST: i64 = 1 << 24;

/// From about this many elements on, mirroring one half of a spectrum is faster than computing both (measured).
const MIRRORED: i64 = 1 << 12;

fn fft(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let attributes = OpAttributes::of(cx.module, op);
    let (kind, lengths) = (attributes.word("fft_type")?.to_owned(), attributes.integers("fft_length")?);
    let (operand, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let (of_operand, of_result) = (cx.dims(operand), cx.dims(result));
    let rank = of_result.len();
    let Some(first) = rank.checked_sub(lengths.len()).filter(|_| !lengths.is_empty()) else {
        return Err(LowerError::form("its lengths do not match the operand"));
    };
    // The leading dimensions may have any size.
    if [&of_operand, &of_result].iter().any(|dims| dims[first..].iter().any(|dim| dim.known().is_none())) {
        return Err(LowerError::Dynamic("a dimension that `stablehlo.fft` transforms".to_owned()));
    }
    if lengths.iter().any(|&length| length > LONGEST) {
        return Err(LowerError::form(format!("a transform of more than {LONGEST} elements")));
    }
    if of_result.contains(&Dim::Known(0)) {
        return without_elements(cx, op);
    }
    let axes: Vec<(usize, i64)> = (first..rank).zip(lengths).collect();
    let (&(last, length), outer) = axes.split_last().ok_or(LowerError::missing("fft_length"))?;
    let along: fn(i64) -> Transform = match &*kind {
        "FFT" | "RFFT" => Transform::forward,
        "IFFT" | "IRFFT" => Transform::inverse,
        _ => return Err(LowerError::form(format!("the transform `{kind}`"))),
    };
    let mut signal = signal_of(cx, operand)?;
    if kind == "IRFFT" {
        for &(axis, length) in outer {
            signal = transform(cx, signal, axis, along(length));
        }
        let last_one = Transform { inputs: half_of(length), is_half: true, to_real: true, ..along(length) };
        let signal = transform(cx, signal, last, last_one);
        return cx.define_real(op, 0, signal.re);
    }
    let count = of_result.iter().try_fold(1i64, |count, dim| count.checked_mul(dim.known()?));
    let is_mirrored = kind != "RFFT"
        && signal.im.is_none()
        && !outer.is_empty()
        && length > 2
        && count.is_none_or(|count| count >= MIRRORED);
    let outputs = if kind == "RFFT" || is_mirrored { half_of(length) } else { length };
    signal = transform(cx, signal, last, Transform { outputs, ..along(length) });
    for &(axis, length) in outer.iter().rev() {
        signal = transform(cx, signal, axis, along(length));
    }
    if is_mirrored {
        signal = mirror(cx, signal, last, length, outer);
    }
    let im = match signal.im {
        Some(im) => im,
        None => {
            let ty = cx.module.value_type(signal.re);
            cx.splat(ty, 0.0)
        }
    };
    cx.define_parts(op, 0, [signal.re, im])
}

fn without_elements(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    cx.needs_numbers(op)?;
    let ty = cx.module.value_type(cx.module.op(op).results[0]);
    match packed_type(cx.module, ty) {
        Some(packed) => {
            let value = empty(cx, packed);
            cx.define_whole(op, 0, value)
        }
        None => {
            let value = empty(cx, ty);
            cx.define_real(op, 0, value)
        }
    }
}

fn signal_of(cx: &mut Splitter, value: ValueId) -> Result<Signal, LowerError> {
    if !cx.is_complex(value) {
        return Ok(Signal { re: value, im: None });
    }
    let [re, im] = cx.parts(value)?;
    Ok(Signal { re, im: (!is_zero(cx, im)).then_some(im) })
}

/// A transform along one axis, by the fastest method.
fn transform(cx: &mut Splitter, signal: Signal, axis: usize, transform: Transform) -> Signal {
    // One element is its own transform.
    if transform.length == 1 {
        return Signal { im: signal.im.filter(|_| !transform.to_real), ..signal };
    }
    let plan = plan::plan(transform.length, &cx.dims(signal.re), axis);
    transform_by(cx, signal, axis, transform, &plan)
}

fn transform_by(cx: &mut Splitter, signal: Signal, axis: usize, transform: Transform, plan: &Plan) -> Signal {
    match plan {
        Plan::Matrix => matrix::transform(cx, signal, axis, transform),
        Plan::Steps { first, rest } => steps::transform(cx, signal, axis, transform, *first, rest),
        Plan::Chirp { padded, plan } => chirp::transform(cx, signal, axis, transform, *padded, plan),
    }
}

/// The whole spectrum of a real signal from one half: `X_(-k) = conj(X_k)`, where `-k` is the opposite in all axes.
fn mirror(cx: &mut Splitter, half: Signal, last: usize, length: i64, outer: &[(usize, i64)]) -> Signal {
    half.map(cx, |cx, part, is_imaginary| {
        let inner = cx.cut(part, last, 1, (length + 1) / 2);
        let ty = cx.module.value_type(inner);
        let backward = cx.create(stablehlo::REVERSE, &[inner]);
        let mut opposite = backward.attr("dimensions", integers(&[last as i64])).of(ty);
        for &(axis, length) in outer.iter().filter(|&&(_, length)| length > 2) {
            opposite = negated_positions(cx, opposite, axis, length);
        }
        if is_imaginary {
            opposite = cx.create(stablehlo::NEGATE, &[opposite]).of(ty);
        }
        cx.concatenate(&[part, opposite], last)
    })
}

/// The elements of an axis at `-k` modulo its length: the first one, and the others backward.
fn negated_positions(cx: &mut Splitter, value: ValueId, axis: usize, length: i64) -> ValueId {
    let (ty, mut sizes) = (cx.module.value_type(value), cx.dims(value));
    let bytes: Vec<u8> = (0..length).flat_map(|k| (((length - k) % length) as i32).to_le_bytes()).collect();
    let positions = cx.module.tensor_of(Element::I32, &[length, 1]);
    let positions = cx.constant(positions, Data::Bytes(bytes.into()));
    let numbers = GatherDimensionNumbers {
        offset_dims: (0..sizes.len()).filter(|&dim| dim != axis).collect(),
        collapsed_slice_dims: vec![axis],
        start_index_map: vec![axis],
        index_vector_dim: 1,
        ..GatherDimensionNumbers::default()
    };
    let numbers = numbers.attribute(cx.module, stablehlo::GATHER);
    sizes[axis] = Dim::Known(1);
    let attributes = [numbers, ("slice_sizes", Attribute::of_sizes(&sizes))];
    cx.create(stablehlo::GATHER, &[value, positions]).attrs(attributes).of(ty)
}

impl Signal {
    /// Does the same to each part.
    fn map(self, cx: &mut Splitter, mut change: impl FnMut(&mut Splitter, ValueId, bool) -> ValueId) -> Self {
        let re = change(cx, self.re, false);
        let im = self.im.map(|im| change(cx, im, true));
        Self { re, im }
    }

    /// The products with constant complex numbers, whose dimensions are these axes.
    fn times(self, cx: &mut Splitter, numbers: &[[f64; 2]], axes: &[usize], to_real: bool) -> Self {
        let ty = cx.module.value_type(self.re);
        let sizes: Vec<Dim> = axes.iter().map(|&axis| cx.dims(self.re)[axis]).collect();
        let own = cx.resized(self.re, &sizes);
        let [cos, sin] = [0, 1].map(|part| {
            let constant = floats(cx, own, numbers.iter().map(|number| number[part]));
            cx.broadcast(constant, ty, axes[0]..axes[0] + axes.len())
        });
        let product =
            |cx: &mut Splitter, part, factor| cx.create(stablehlo::MULTIPLY, &[part, factor]).of(ty);
        let re = product(cx, self.re, cos);
        let re = match self.im {
            Some(im) => {
                let crossed = product(cx, im, sin);
                cx.create(stablehlo::SUBTRACT, &[re, crossed]).of(ty)
            }
            None => re,
        };
        if to_real {
            return Self { re, im: None };
        }
        let im = product(cx, self.re, sin);
        let im = match self.im {
            Some(own) => {
                let straight = product(cx, own, cos);
                cx.create(stablehlo::ADD, &[straight, im]).of(ty)
            }
            None => im,
        };
        Self { re, im: Some(im) }
    }

    /// The elements of half a spectrum, as often as they count.
    fn weighted(self, cx: &mut Splitter, axis: usize, transform: Transform) -> Self {
        if !transform.is_half {
            return self;
        }
        self.map(cx, |cx, part, _| {
            let ty = cx.module.value_type(part);
            let own = cx.resized(part, &[transform.inputs]);
            let weights = floats(cx, own, (0..transform.inputs).map(|index| transform.weight(index)));
            let weights = cx.broadcast(weights, ty, axis..axis + 1);
            cx.create(stablehlo::MULTIPLY, &[part, weights]).of(ty)
        })
    }

    /// The signal with zeros after its elements along an axis.
    fn padded(self, cx: &mut Splitter, axis: usize, zeros: i64) -> Self {
        if zeros == 0 {
            return self;
        }
        self.map(cx, |cx, part, _| {
            let mut sizes = cx.dims(part);
            let (none, mut high) = (vec![0; sizes.len()], vec![0; sizes.len()]);
            high[axis] = zeros;
            sizes[axis] = cx.module.dim_exprs.add(sizes[axis], Dim::Known(zeros));
            let scalar = cx.resized(part, SCALAR);
            let zero = cx.splat(scalar, 0.0);
            let ty = cx.resized(part, &sizes);
            let attributes = [
                ("edge_padding_low", integers(&none)),
                ("edge_padding_high", integers(&high)),
                ("interior_padding", integers(&none)),
            ];
            cx.create(stablehlo::PAD, &[part, zero]).attrs(attributes).of(ty)
        })
    }
}

/// A constant of floats.
fn floats(cx: &mut Splitter, ty: TypeId, numbers: impl Iterator<Item = f64>) -> ValueId {
    let is_double = cx.module.tensor_type(ty).is_some_and(|tensor| tensor.element == Element::F64);
    let bytes: Vec<u8> = if is_double {
        numbers.flat_map(f64::to_le_bytes).collect()
    } else {
        numbers.flat_map(|number| (number as f32).to_le_bytes()).collect()
    };
    cx.constant(ty, Data::Bytes(bytes.into()))
}
