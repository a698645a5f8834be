//! The kernels of execution providers: which ONNX op in which version takes which element types.
//!
//! The tables are text, one registration a line, in the form that `read.py` documents. They are parsed when a target first
//! needs them.
//!
//! A registration matches a node by the version of the node's op, which is that of the newest schema that the model's opset
//! includes. ONNX Runtime's rule (`VerifyVersion` in `core/framework/kernel_registry.cc`): a registration with an end
//! covers the versions from its start to its end; one without an end covers its start only, because nobody knew of later
//! versions when it was written. So `Reshape 14+` does not run a Reshape of opset 19, whose version is 19.

use crate::ir::Element;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::LazyLock;

/// Declares the providers, each with its table.
macro_rules! providers {
    ($($(#[$doc:meta])* $provider:ident $file:literal,)*) => {
        /// Who runs nodes: each has a table of kernels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Provider {
            $($(#[$doc])* $provider,)*
        }

        impl Provider {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$provider,)*];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$provider => include_str!($file),)*
                }
            }

            /// Its kernels.
            pub fn table(self) -> &'static Table {
                match self {
                    $(Self::$provider => {
                        static TABLE: LazyLock<Table> =
                            // A malformed table is empty; a test parses each.
                            LazyLock::new(|| Table::parse(Provider::$provider.text()).unwrap_or_default());
                        &TABLE
                    })*
                }
            }
        }
    };
}

providers! {
    /// ONNX Runtime on the CPU.
    Cpu "cpu.txt",
    /// ONNX Runtime with CUDA.
    Cuda "cuda.txt",
    /// ONNX Runtime with DirectML.
    DirectMl "directml.txt",
    /// TensorRT.
    TensorRt "tensorrt.txt",
    /// ONNX Runtime with CoreML.
    CoreMl "coreml.txt",
    /// ONNX Runtime with QNN.
    Qnn "qnn.txt",
    /// onnxruntime-web with WebGPU.
    WebGpu "webgpu.txt",
    /// OpenVINO on the CPU.
    OpenVino "openvino.txt",
    /// tract.
    Tract "tract.txt",
    /// rten.
    Rten "rten.txt",
    /// ONNX's reference evaluator.
    Reference "onnx.txt",
}

/// The number of a release, such as 1.20: its first two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseNumber(pub u32, pub u32);

impl ReleaseNumber {
    /// Reads two parts.
    fn read(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }

    /// Whether a version is of this release: `1.20`, or `1.20.1`.
    pub fn matches(self, version: &str) -> bool {
        let mut parts = version.split('.').map(str::parse::<u32>);
        let is_own = parts.next() == Some(Ok(self.0)) && parts.next() == Some(Ok(self.1));
        is_own && parts.all(|part| part.is_ok())
    }
}

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Which operand or result a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An operand.
    Operand(usize),
    /// A result.
    Result(usize),
}

/// One registration of a kernel.
#[derive(Clone, Debug)]
struct Kernel {
    /// The first version of the op, and the last.
    versions: (u32, u32),
    /// The releases that have it.
    releases: (ReleaseNumber, ReleaseNumber),
    limits: Vec<(Place, Vec<Element>)>,
}

/// Why no kernel runs a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// There is no kernel for the op.
    Op,
    /// There are kernels, but not for the version of the op that this opset has.
    Version(u32),
    /// There is a kernel for the version, but not for this element type there.
    Element(Place, Element),
}

/// The kernels of a provider, by op.
#[derive(Debug, Default)]
pub struct Table {
    kernels: FxHashMap<&'static str, Vec<Kernel>>,
}

impl Table {
    /// Whether a kernel runs a node of an op, with these element types of its operands and results.
    ///
    /// # Errors
    /// Why not.
    pub fn runs(
        &self,
        op: &str,
        opset: u32,
        release: ReleaseNumber,
        elements: impl Fn(Place) -> Option<Element>,
    ) -> Result<(), Gap> {
        let Some(kernels) = self.kernels.get(op) else { return Err(Gap::Op) };
        let mut of_release = kernels.iter().filter(|kernel| kernel.is_in(release)).peekable();
        if of_release.peek().is_none() {
            return Err(Gap::Op);
        }
        let version = version(op, opset);
        let mut gap = Gap::Version(version);
        for kernel in of_release.filter(|kernel| kernel.has(version)) {
            let missing = kernel.limits.iter().find_map(|(place, allowed)| {
                let element = elements(*place)?;
                (!allowed.contains(&element)).then_some((*place, element))
            });
            match missing {
                Some((place, element)) => gap = Gap::Element(place, element),
                None => return Ok(()),
            }
        }
        Err(gap)
    }

    /// The element types of an operand in all kernels of an op at an opset; `None` if there is no kernel or no limit.
    pub fn elements(
        &self,
        op: &str,
        opset: u32,
        release: ReleaseNumber,
        operand: usize,
    ) -> Option<Vec<Element>> {
        let version = version(op, opset);
        let kernels = self.kernels.get(op)?.iter();
        let matching = kernels.filter(|kernel| kernel.is_in(release) && kernel.has(version));
        let lists = matching.filter_map(|kernel| kernel.limit(Place::Operand(operand)));
        let all: Vec<Element> = lists.flatten().copied().collect();
        (!all.is_empty()).then_some(all)
    }

    /// Reads a table.
    fn parse(text: &'static str) -> Result<Self, String> {
        let mut table = Self::default();
        for line in text.lines() {
            let malformed = |what: &str| format!("`{line}`: {what}");
            let mut words = line.split(' ');
            let op = words.next().filter(|op| !op.is_empty()).ok_or_else(|| malformed("no op"))?;
            let versions = words.next().and_then(versions).ok_or_else(|| malformed("no versions"))?;
            let releases = words.next().and_then(releases).ok_or_else(|| malformed("no releases"))?;
            let limits = words.map(limit).collect::<Option<_>>().ok_or_else(|| malformed("no types"))?;
            table.kernels.entry(op).or_default().push(Kernel { versions, releases, limits });
        }
        Ok(table)
    }
}

impl Kernel {
    fn is_in(&self, release: ReleaseNumber) -> bool {
        (self.releases.0..=self.releases.1).contains(&release)
    }

    fn has(&self, version: u32) -> bool {
        (self.versions.0..=self.versions.1).contains(&version)
    }

    fn limit(&self, place: Place) -> Option<&Vec<Element>> {
        self.limits.iter().find(|(at, _)| *at == place).map(|(_, allowed)| allowed)
    }
}

/// `*`, `13+` or `9-12`.
fn versions(text: &str) -> Option<(u32, u32)> {
    if text == "*" {
        return Some((0, u32::MAX));
    }
    if let Some(only) = text.strip_suffix('+') {
        let only = only.parse().ok()?;
        return Some((only, only));
    }
    let (first, last) = text.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// `1.17-1.20` or `1.17-`.
fn releases(text: &str) -> Option<(ReleaseNumber, ReleaseNumber)> {
    let (first, last) = text.split_once('-')?;
    let last = if last.is_empty() { Some(ReleaseNumber(u32::MAX, 0)) } else { ReleaseNumber::read(last) };
    Some((ReleaseNumber::read(first)?, last?))
}

/// `0:f16,f32` or `>0:i1`.
fn limit(text: &str) -> Option<(Place, Vec<Element>)> {
    let (place, elements) = text.split_once(':')?;
    let place = match place.strip_prefix('>') {
        Some(result) => Place::Result(result.parse().ok()?),
        None => Place::Operand(place.parse().ok()?),
    };
    // `complex<f32>` has no comma.
    let elements = elements.split(',').map(Element::from_name).collect::<Option<_>>()?;
    Some((place, elements))
}

/// ONNX's ops, with their versions, and whether ONNX defines them as functions of other ops.
static VERSIONS: LazyLock<FxHashMap<&'static str, (Vec<u32>, bool)>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let (op, rest) = line.split_once(' ')?;
        let versions = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
        Some((op, (versions, rest.ends_with("function"))))
    };
    include_str!("versions.txt").lines().filter_map(row).collect()
});

/// Whether ONNX defines an op as a function, which runtimes can inline.
pub fn is_function(op: &str) -> bool {
    VERSIONS.get(op).is_some_and(|(_, is_function)| *is_function)
}

/// The version of an op that a model of an opset means: the newest that is not newer; 0 if there is none.
pub fn version(op: &str, opset: u32) -> u32 {
    let versions = VERSIONS.get(op).map(|(versions, _)| versions.as_slice()).unwrap_or_default();
    versions.iter().rev().find(|&&version| version <= opset).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Gap, Place, Provider, ReleaseNumber, Table, VERSIONS, version};
    use crate::ir::{Dialect, Element, OpName};

    #[test]
    fn each_table_is_well_formed() {
        for provider in Provider::ALL {
            let table = Table::parse(provider.text());
            assert!(table.as_ref().is_ok_and(|table| table.kernels.len() > 40), "{provider:?} {table:?}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "",
            "Abs",
            "Abs 13",
            "Abs 13+",
            "Abs 13+ 1.17",
            "Abs 13+ 1.17- 0",
            "Abs 13+ 1.17- 0:f31",
            "Abs 13+ 1- 0:f32",
        ] {
            assert!(Table::parse(Box::leak(format!("{line}\n").into_boxed_str())).is_err(), "{line}");
        }
    }

    /// A misspelled op in a table or in `dialect.rs` would never be found in the other.
    #[test]
    fn ops_have_versions() {
        let nodes = OpName::all().filter(|op| op.dialect() == Dialect::Onnx && op.is_node());
        for op in nodes {
            assert!(VERSIONS.contains_key(op.mnemonic()), "{}", op.text());
        }
        for provider in Provider::ALL {
            let unknown = provider.table().kernels.keys().filter(|op| !VERSIONS.contains_key(*op));
            assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&&str>::new(), "{provider:?}");
        }
    }

    #[test]
    fn a_kernel_without_an_end_runs_its_own_version_only() {
        assert_eq!([18, 19, 20, 21, 26].map(|opset| version("Reshape", opset)), [14, 19, 19, 21, 25]);
        let runs = |provider: Provider, release, op, opset, element| {
            provider.table().runs(op, opset, ReleaseNumber(1, release), |_| Some(element))
        };
        let of_i64 = |place| match place {
            Place::Operand(0) => Some(Element::F32),
            _ => Some(Element::I64),
        };
        let reshape = |opset| Provider::Cuda.table().runs("Reshape", opset, ReleaseNumber(1, 23), of_i64);
        assert_eq!(reshape(18), Ok(()));
        assert_eq!(reshape(19), Ok(()));
        assert_eq!(reshape(21), Err(Gap::Version(21)));
        assert_eq!(runs(Provider::Cuda, 23, "Abs", 23, Element::F32), Ok(()));
        assert_eq!(
            runs(Provider::Cuda, 23, "Clip", 18, Element::I32),
            Err(Gap::Element(Place::Operand(0), Element::I32))
        );
        assert_eq!(runs(Provider::CoreMl, 30, "Scan", 18, Element::F32), Err(Gap::Op));
    }
}
