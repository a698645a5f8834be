//! The table of targets.

use super::kernels::{Provider, ReleaseNumber};
use crate::ir::Element;

/// A runtime that models are made for.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The name of `--target`.
    pub name: &'static str,
    /// What it is, in one sentence without a full stop.
    pub about: &'static str,
    /// The known releases, oldest first.
    pub releases: &'static [Release],
    /// Whose kernels run its nodes.
    pub kernels: Provider,
    /// Whether ONNX Runtime reads the model, and the releases are its own.
    pub is_onnxruntime: bool,
    /// What happens to nodes without a kernel.
    pub misses: Misses,
    /// The element types of its tensors; all, if there are none.
    pub elements: &'static [Element],
    /// What it lacks.
    pub lacks: &'static [Capability],
    /// What it has from a release on.
    pub gains: &'static [(Capability, ReleaseNumber)],
}

impl Row {
    /// Releases that read the same, as `1.18 to 1.20`, and one of them.
    pub fn groups(&self) -> Vec<(String, &'static Release)> {
        let reads = |release: &Release| (release.opset, release.ir, release.default_opset);
        let groups = self.releases.chunk_by(|before, after| reads(before) == reads(after));
        let group = |group: &'static [Release]| match group {
            [] => None,
            [only] => Some((only.number.to_string(), only)),
            [first, .., last] => Some((format!("{} to {}", first.number, last.number), first)),
        };
        groups.filter_map(group).collect()
    }
}

/// A release, and what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its number.
    pub number: ReleaseNumber,
    /// The highest opset that it reads.
    pub opset: u32,
    /// The highest IR version that it reads.
    pub ir: i64,
    /// The opset of models without `--opset`.
    pub default_opset: u32,
}

/// What happens to nodes without a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misses {
    /// The model does not load.
    Refuses,
    /// ONNX Runtime runs them on the CPU, and copies their operands and results.
    FallsBack,
}

/// What a target may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// The kernel of Attention takes all layouts and masks. That of ONNX Runtime before 1.25 refuses some.
    Attention,
    /// Ops of the domain `com.microsoft` that are faster than those of ONNX. Releases before 1.31 may have other forms of them.
    ContributedOps,
    /// Attention caps scores before it masks them, as its specification says since 2026.
    CappedMasks,
    /// `ui32` is an element type of arithmetic. OpenVINO computes it as `i32`, also where the sign matters.
    Unsigned,
    /// Integer arithmetic is exact. OpenVINO computes `i64` in `i32`, much of `i32` in `f32`, and saturates narrower
    /// integers.
    ExactIntegers,
    /// An Add and the LayerNormalization after it run as fast as a Sum and the LayerNormalization. ONNX Runtime fuses the
    /// two into one kernel, which is slow on the CPU.
    AddsBeforeNorms,
    /// A product of transposed `f64` matrices, as which ONNX Runtime computes a MatMul of Transposes, has a kernel.
    TransposedDoubles,
    /// A model may have functions.
    Functions,
    /// `Loop`.
    Loop,
    /// A `Loop` with a negative number of iterations ends. OpenVINO's does not.
    NegativeTripCounts,
    /// `Scan`.
    Scan,
    /// Several `If` in a graph.
    SeveralIfs,
    /// `bf16` is an element type.
    Bf16,
    /// `f16` is an element type.
    F16,
    /// `f64` keeps its digits. rten reads it as `f32`, and OpenVINO computes it so.
    F64,
    /// `i64` keeps its digits. rten reads it as `i32`, and OpenVINO computes it so.
    I64,
    /// QuantizeLinear to `ui8` saturates all numbers. rten's takes those from 2^31 steps on for 0.
    SaturatingQuantize,
    /// Floats of 8 bits are element types.
    Float8,
    /// Cast to `i64` makes integers. tract's makes its type of symbolic dimensions, which few ops take.
    CastToI64,
    /// MatMul multiplies two vectors.
    VectorProducts,
    /// Mod broadcasts its first operand. tract's returns the second one then.
    BroadcastDividends,
    /// Equal compares booleans.
    BoolEquality,
    /// IsNaN and IsInf take `f64`.
    DoubleTests,
    /// Round takes `f64`.
    DoubleRounding,
    /// Slice takes negative steps everywhere. tract fails where it moves one over a Reshape.
    BackwardSlices,
    /// ArgMax and ArgMin return the first of equal elements, or the last if asked. rten's return any.
    FirstOfEqual,
    /// Greater and GreaterOrEqual are false for NaN, and Max and Min return NaN. OpenVINO's are true, and return the second
    /// operand.
    NanComparisons,
    /// The padding of Pad may be computed. OpenVINO pads with zeros then.
    ComputedPadding,
    /// Constants without elements have a shape. OpenVINO takes them for scalars.
    EmptyConstants,
    /// A Reshape of a product of matrices makes a scalar. OpenVINO crashes; it takes a Squeeze.
    ScalarReshapes,
    /// Resize takes any dimensions. rten's takes the last two.
    OuterResizes,
    /// The square of an integer wraps. tract's saturates.
    IntegerSquares,
    /// LogSoftmax subtracts the largest element first, and the logarithm of the sum then. tract and ONNX's evaluator take the
    /// logarithm of Softmax, which may be 0.
    LogOfSums,
    /// TopK keeps the order of equal elements. OpenVINO's does not from 7 elements on.
    StableSorts,
    /// A difference may subtract a convolution. tract adds it.
    SubtractedConvolutions,
    /// Convolutions and pools take volumes.
    Volumes,
    /// Convolutions and pools take more than 3 spatial dimensions.
    FourSpatialDims,
    /// BitShift is an op.
    Shifts,
    /// BitwiseAnd, BitwiseOr, BitwiseXor and BitwiseNot are ops.
    Bitwise,
    /// SpaceToDepth is an op.
    SpaceToDepth,
    /// Pad takes axes.
    PadAxes,
    /// Pad takes negative numbers.
    NegativePads,
    /// Clip and Relu keep NaN.
    ClippedNan,
    /// The sign of a float that is 0 is 0. rten's is 1.
    SignOfZero,
    /// Cast to `i1` makes 0 and 1. rten's keeps the integer.
    CastToBool,
    /// MatMul takes integers.
    IntegerProducts,
    /// MatMul takes integers that `i32` does not have. tract ends the process.
    LongProducts,
    /// ReduceSum takes `ui32` and `ui64`.
    UnsignedSums,
    /// `auto_pad` may be `SAME_LOWER`. rten pads as with `SAME_UPPER`.
    SameLower,
    /// GatherElements takes dimensions of more than 63 elements. NumPy's `choose`, with which ONNX's evaluator computes it,
    /// does not.
    LongGathers,
    /// GatherElements takes a Slice. OpenVINO leaves out the Slice, also if it is along another dimension.
    SlicedGathers,
    /// ConvTranspose takes groups.
    GroupedTransposes,
    /// `Loop` stacks the slices that its body returns. ONNX's evaluator concatenates them.
    StackedSlices,
}

const fn release(major: u32, minor: u32, opset: u32, ir: i64, default_opset: u32) -> Release {
    Release { number: ReleaseNumber(major, minor), opset, ir, default_opset }
}

/// ONNX Runtime, measured with the wheels: the highest opset and the highest IR version that load. Its kernels of opset 23
/// (Attention, RMSNormalization, RotaryEmbedding) came with 1.23.
const ONNX_RUNTIME: &[Release] = &[
    release(1, 17, 20, 9, 18),
    release(1, 18, 21, 10, 18),
    release(1, 19, 21, 10, 18),
    release(1, 20, 21, 10, 18),
    release(1, 21, 22, 10, 18),
    release(1, 22, 22, 10, 18),
    release(1, 23, 23, 11, 23),
    release(1, 24, 25, 13, 23),
    release(1, 25, 26, 13, 23),
    release(1, 26, 26, 13, 23),
    release(1, 27, 26, 13, 23),
    release(1, 28, 26, 13, 23),
    release(1, 29, 26, 13, 23),
    release(1, 30, 26, 13, 23),
    release(1, 31, 26, 13, 23),
    release(1, 32, 28, 14, 23),
];

/// The releases of onnxruntime-web, whose newest is 1.30.
const WEB: &[Release] = ONNX_RUNTIME.split_at(14).0;

/// The same with an accelerator. Opset 18 has the most kernels: an open-ended registration runs only the version of an op
/// that it names, so ops whose version moves (Reshape, Transpose, Cast) fall back to the CPU.
const ACCELERATED: &[Release] = &at_opset_18::<14>();

const fn at_opset_18<const N: usize>() -> [Release; N] {
    let mut releases = [ONNX_RUNTIME[0]; N];
    let mut index = 0;
    while index < N {
        releases[index] = Release { default_opset: 18, ..ONNX_RUNTIME[index] };
        index += 1;
    }
    releases
}

/// From `docs/OperatorKernels.md` of the releases, and from runs of them.
const ONNX_RUNTIME_GAINS: &[(Capability, ReleaseNumber)] = &[
    (Capability::Attention, ReleaseNumber(1, 25)),
    (Capability::ContributedOps, ReleaseNumber(1, 31)),
    (Capability::CappedMasks, ReleaseNumber(1, 27)),
    (Capability::TransposedDoubles, ReleaseNumber(1, 26)),
];

/// rten reads `i64` and `i1` as `i32`, and `f64` as `f32`.
const RTEN: &[Element] =
    &[Element::F32, Element::F64, Element::I32, Element::I64, Element::Bool, Element::U8, Element::I8];

const TRACT: &[Element] = &[
    Element::F16,
    Element::F32,
    Element::F64,
    Element::I8,
    Element::I16,
    Element::I32,
    Element::I64,
    Element::U8,
    Element::U16,
    Element::U32,
    Element::U64,
    Element::Bool,
];

/// All targets. The first is that of models without `--target`.
pub const ROWS: &[Row] = &[
    Row {
        name: "onnxruntime",
        about: "ONNX Runtime on the CPU",
        releases: ONNX_RUNTIME,
        kernels: Provider::Cpu,
        is_onnxruntime: true,
        misses: Misses::Refuses,
        elements: &[],
        lacks: &[Capability::AddsBeforeNorms],
        gains: ONNX_RUNTIME_GAINS,
    },
    Row {
        name: "onnxruntime-cuda",
        about: "ONNX Runtime with its CUDA provider, which leaves nodes without a kernel to the CPU",
        releases: ACCELERATED,
        kernels: Provider::Cuda,
        is_onnxruntime: true,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::ContributedOps],
        gains: ONNX_RUNTIME_GAINS,
    },
    Row {
        name: "onnxruntime-web",
        about: "ONNX Runtime as WebAssembly, in browsers and Node.js",
        releases: WEB,
        kernels: Provider::Cpu,
        is_onnxruntime: true,
        misses: Misses::Refuses,
        elements: &[],
        lacks: &[Capability::AddsBeforeNorms, Capability::ContributedOps],
        gains: ONNX_RUNTIME_GAINS,
    },
    Row {
        name: "webgpu",
        about: "onnxruntime-web with its WebGPU provider, which leaves nodes without a kernel to WebAssembly",
        releases: &[release(1, 30, 26, 13, 18)],
        kernels: Provider::WebGpu,
        is_onnxruntime: true,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::Bf16, Capability::ContributedOps],
        gains: ONNX_RUNTIME_GAINS,
    },
    Row {
        name: "directml",
        about: "ONNX Runtime with its DirectML provider, on Windows GPUs",
        releases: ACCELERATED,
        kernels: Provider::DirectMl,
        is_onnxruntime: true,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::Bf16, Capability::ContributedOps],
        gains: ONNX_RUNTIME_GAINS,
    },
    Row {
        name: "tensorrt",
        about: "TensorRT, on its own or as a provider of ONNX Runtime",
        releases: &[release(8, 6, 17, 8, 17), release(10, 0, 20, 10, 18), release(10, 1, 20, 10, 18)],
        kernels: Provider::TensorRt,
        is_onnxruntime: false,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::ContributedOps],
        gains: &[(Capability::Bf16, ReleaseNumber(10, 0))],
    },
    Row {
        name: "coreml",
        about: "ONNX Runtime with its CoreML provider (ML programs), on Apple devices",
        releases: &[release(1, 30, 26, 13, 18)],
        kernels: Provider::CoreMl,
        is_onnxruntime: true,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::ContributedOps],
        gains: &[],
    },
    Row {
        name: "qnn",
        about: "ONNX Runtime with its QNN provider, on Qualcomm NPUs",
        releases: &[release(1, 30, 26, 13, 18)],
        kernels: Provider::Qnn,
        is_onnxruntime: true,
        misses: Misses::FallsBack,
        elements: &[],
        lacks: &[Capability::Attention, Capability::ContributedOps],
        gains: &[],
    },
    Row {
        name: "openvino",
        about: "OpenVINO on the CPU",
        releases: &[release(2026, 4, 26, 13, 18)],
        kernels: Provider::OpenVino,
        is_onnxruntime: false,
        misses: Misses::Refuses,
        elements: &[],
        lacks: &[
            Capability::Attention,
            Capability::ContributedOps,
            Capability::FourSpatialDims,
            Capability::Functions,
            Capability::Scan,
            Capability::Unsigned,
            Capability::ExactIntegers,
            Capability::StableSorts,
            Capability::F64,
            Capability::I64,
            Capability::NegativeTripCounts,
            Capability::NanComparisons,
            Capability::ComputedPadding,
            Capability::EmptyConstants,
            Capability::ScalarReshapes,
            Capability::SlicedGathers,
        ],
        gains: &[],
    },
    Row {
        name: "tract",
        about: "tract, an inference engine in Rust",
        releases: &[release(0, 23, 26, 13, 18)],
        kernels: Provider::Tract,
        is_onnxruntime: false,
        misses: Misses::Refuses,
        elements: TRACT,
        lacks: &[
            Capability::Attention,
            Capability::ContributedOps,
            Capability::Functions,
            Capability::IntegerSquares,
            Capability::LogOfSums,
            Capability::SubtractedConvolutions,
            Capability::Loop,
            Capability::SeveralIfs,
            Capability::Bf16,
            Capability::Float8,
            Capability::CastToI64,
            Capability::VectorProducts,
            Capability::BroadcastDividends,
            Capability::BoolEquality,
            Capability::DoubleTests,
            Capability::DoubleRounding,
            Capability::BackwardSlices,
            Capability::NegativePads,
            Capability::LongProducts,
            Capability::UnsignedSums,
        ],
        gains: &[],
    },
    Row {
        name: "rten",
        about: "rten, an inference engine in Rust",
        releases: &[release(0, 27, 26, 13, 18)],
        kernels: Provider::Rten,
        is_onnxruntime: false,
        misses: Misses::Refuses,
        elements: RTEN,
        lacks: &[
            Capability::Attention,
            Capability::ContributedOps,
            Capability::FourSpatialDims,
            Capability::Functions,
            Capability::Unsigned,
            Capability::Scan,
            Capability::Bf16,
            Capability::F16,
            Capability::F64,
            Capability::I64,
            Capability::SaturatingQuantize,
            Capability::Float8,
            Capability::FirstOfEqual,
            Capability::OuterResizes,
            Capability::Volumes,
            Capability::SpaceToDepth,
            Capability::PadAxes,
            Capability::ClippedNan,
            Capability::SignOfZero,
            Capability::CastToBool,
            Capability::IntegerProducts,
            Capability::SameLower,
            Capability::Shifts,
            Capability::Bitwise,
        ],
        gains: &[],
    },
    Row {
        name: "onnx",
        about: "the reference evaluator of the package onnx",
        releases: &[release(1, 23, 28, 14, 19)],
        kernels: Provider::Reference,
        is_onnxruntime: false,
        misses: Misses::Refuses,
        elements: &[],
        lacks: &[
            Capability::Attention,
            Capability::ContributedOps,
            Capability::LogOfSums,
            Capability::LongGathers,
            Capability::NegativePads,
            Capability::Scan,
            Capability::GroupedTransposes,
            Capability::StackedSlices,
        ],
        gains: &[],
    },
];
