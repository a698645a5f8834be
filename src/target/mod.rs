//! The runtimes that models are made for.
//!
//! A [`Target`] is a row of [`ROWS`] with one of its releases: `onnxruntime:1.20`. It tells the opset and the IR version
//! that the release reads, the opset that suits it, what it lacks, and what it computes incorrectly. Lowerings and passes
//! ask for a [`Capability`], never for a name. [`kernels`] has the tables of kernels.

pub mod kernels;
mod opset;
mod table;

pub use kernels::{Gap, Place, ReleaseNumber};
pub use opset::{DEFAULT_OPSET, HIGHEST_OPSET, LOWEST_OPSET, element_since, since};
pub use table::{Capability, Misses, ROWS, Release, Row};

use crate::diagnostic::nearest;
use crate::ir::{Element, OpName};
use std::fmt;
use std::str::FromStr;

/// A runtime in one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    row: &'static Row,
    release: &'static Release,
}

impl Target {
    /// What is common to all releases.
    pub fn row(self) -> &'static Row {
        self.row
    }

    /// The release.
    pub fn release(self) -> &'static Release {
        self.release
    }

    /// Whether it has a capability.
    pub fn can(self, capability: Capability) -> bool {
        let is_later = |(gained, since): &(Capability, ReleaseNumber)| {
            *gained == capability && self.release.number < *since
        };
        !self.row.lacks.contains(&capability) && !self.row.gains.iter().any(is_later)
    }

    /// Why the target has no kernel for a node of an op, by the element types of its operands and results; `None` if it has
    /// one, or if no table tells.
    pub fn gap(self, op: OpName, opset: u32, elements: impl Fn(Place) -> Option<Element>) -> Option<Gap> {
        // Only a target that has them gets them.
        if op.is_contributed() {
            return None;
        }
        let (provider, name) = (self.row.kernels, op.mnemonic());
        // ONNX Runtime casts f16 to f32 where its CPU provider has no kernel, and inlines ops that are functions.
        let is_cpu = provider == kernels::Provider::Cpu;
        if is_cpu && kernels::is_function(name) {
            return None;
        }
        let table = provider.table();
        let number = self.release.number;
        let gap = table.runs(name, opset, number, &elements).err()?;
        let as_f32 = |place| {
            elements(place).map(|element| if element == Element::F16 { Element::F32 } else { element })
        };
        let is_cast = is_cpu && table.runs(name, opset, number, as_f32).is_ok();
        (!is_cast).then_some(gap)
    }

    /// The element types of an operand for which an op has a kernel on the CPU, or `None` if no table limits them.
    /// Nodes that an accelerator lacks run on the CPU, with the kernels of ONNX Runtime.
    pub fn elements(self, op: OpName, opset: u32, operand: usize) -> Option<Vec<Element>> {
        let provider = match (self.row.is_onnxruntime, self.row.misses) {
            (true, _) => kernels::Provider::Cpu,
            // Some release of ONNX Runtime runs them.
            (false, Misses::FallsBack) => return None,
            (false, Misses::Refuses) => self.row.kernels,
        };
        provider.table().elements(op.mnemonic(), opset, self.release.number, operand)
    }

    /// Whether its tensors may have an element type.
    pub fn has(self, element: Element) -> bool {
        self.row.elements.is_empty() || self.row.elements.contains(&element)
    }

    /// The newest release of ONNX Runtime whose highest opset the compiler writes.
    pub fn newest_onnxruntime() -> Self {
        let row = &ROWS[0];
        let mut releases = row.releases.iter().rev();
        let release = releases.find(|release| release.opset <= HIGHEST_OPSET).unwrap_or(&row.releases[0]);
        Self { row, release }
    }

    /// The oldest release of ONNX Runtime that reads an opset, for models without a target.
    pub fn oldest_onnxruntime(opset: u32) -> Option<Self> {
        let row = ROWS.first()?;
        let release = row.releases.iter().find(|release| release.opset >= opset)?;
        Some(Self { row, release })
    }
}

/// Names of wheels and of execution providers, and the targets that they are.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("cuda", "onnxruntime-cuda"),
    ("dml", "directml"),
    ("onnxruntime-coreml", "coreml"),
    ("onnxruntime-directml", "directml"),
    ("onnxruntime-gpu", "onnxruntime-cuda"),
    ("onnxruntime-openvino", "openvino"),
    ("onnxruntime-qnn", "qnn"),
    ("onnxruntime-tensorrt", "tensorrt"),
    ("onnxruntime-webgpu", "webgpu"),
    ("ort", "onnxruntime"),
    ("trt", "tensorrt"),
];

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row.releases {
            [_] => f.write_str(self.row.name),
            _ => write!(f, "{}:{}", self.row.name, self.release.number),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            let lower = name.to_lowercase();
            let other = OTHER_NAMES.iter().find(|(other, _)| *other == lower).map(|&(_, own)| own);
            let meant = other.or_else(|| nearest(&lower, names.iter().copied()));
            let meant = meant.map_or(".".to_owned(), |near| format!("; did you mean `{near}`?"));
            return Err(format!("`{name}` is not a target{meant} The targets are {}", names.join(", ")));
        };
        let release = match version {
            None => row.releases.last(),
            Some(version) => row.releases.iter().find(|release| release.number.matches(version)),
        };
        let release = release.ok_or_else(|| {
            let numbers: Vec<String> =
                row.releases.iter().map(|release| release.number.to_string()).collect();
            let version = version.unwrap_or_default();
            format!("`{version}` is not a known release of {name}; the releases are {}", numbers.join(", "))
        })?;
        Ok(Self { row, release })
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, Target};

    fn refusal(text: &str) -> String {
        text.parse::<Target>().map_or_else(|error| error, |target| format!("{target} was accepted"))
    }

    #[test]
    fn a_target_is_a_name_and_a_release() {
        let shown = |text: &str| text.parse::<Target>().map(|target| target.to_string());
        assert_eq!(shown("onnxruntime:1.20"), Ok("onnxruntime:1.20".into()));
        assert_eq!(shown("onnxruntime:1.20.1"), Ok("onnxruntime:1.20".into()));
        assert_eq!(shown("tract"), Ok("tract".into()));
        let newest = ROWS[0].releases.last().map(|release| format!("onnxruntime:{}", release.number));
        assert_eq!(shown("onnxruntime").ok(), newest);
    }

    #[test]
    fn unknown_targets_are_refused_with_the_known_ones() {
        let unknown = refusal("onnxruntme");
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        let names = names.join(", ");
        assert_eq!(
            unknown,
            format!("`onnxruntme` is not a target; did you mean `onnxruntime`? The targets are {names}")
        );
        assert_eq!(refusal("gpu"), format!("`gpu` is not a target. The targets are {names}"));
        for (other, own) in super::OTHER_NAMES {
            assert!(refusal(other).contains(&format!("did you mean `{own}`?")), "{}", refusal(other));
            assert!(own.parse::<Target>().is_ok(), "{own}");
        }
        assert!(refusal("TensorRT").contains("did you mean `tensorrt`?"), "{}", refusal("TensorRT"));
        assert!(refusal("onnxruntime:0.9").contains("1.17"), "{}", refusal("onnxruntime:0.9"));
        assert!(refusal("onnxruntime:1.2").contains("not a known release"));
        assert!(refusal("").contains("not a target"));
    }

    /// Releases are in order, and a later one reads what an earlier one does.
    #[test]
    fn releases_are_in_order() {
        for row in ROWS {
            assert!(!row.releases.is_empty(), "{}", row.name);
            for pair in row.releases.windows(2) {
                let [before, after] = pair else { continue };
                assert!(before.number < after.number, "{} {}", row.name, after.number);
                assert!(
                    before.opset <= after.opset && before.ir <= after.ir,
                    "{} {}",
                    row.name,
                    after.number
                );
            }
            for release in row.releases {
                assert!(release.default_opset <= release.opset, "{} {}", row.name, release.number);
                assert!(release.default_opset >= super::LOWEST_OPSET, "{} {}", row.name, release.number);
            }
        }
    }
}
