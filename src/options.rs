//! The options of a conversion, for callers of the library, the command line, and the passes.

use crate::target::{Capability, DEFAULT_OPSET, HIGHEST_OPSET, Target};
use crate::weights::Weights;
use std::str::FromStr;

/// The options of a conversion.
///
/// New releases add fields, so start from [`Options::default`]: `Options { opset: Some(18), ..Options::default() }`.
// These fields are options of the command line, and their doc comments its help.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Options {
    /// The opset to write, 15 to 26 [default: that of the target, or 18, or what an op needs]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub opset: Option<u32>,
    /// The runtime that the model is for, such as onnxruntime:1.20; `hlo2onnx targets` lists all
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME[:VERSION]"))]
    pub target: Option<Target>,
    /// Replace a symbolic dimension by a number (repeatable)
    #[cfg_attr(feature = "cli", arg(long = "dim", value_name = "NAME=SIZE", value_parser = parse_dimension))]
    pub dims: Vec<(String, i64)>,
    /// Make a dimension of an input dynamic, if the program computes each row along it independently (repeatable)
    #[cfg_attr(feature = "cli", arg(long, value_name = "INPUT:DIM=NAME"))]
    pub dynamic: Vec<DynamicDimension>,
    /// Limit the ops of a program, where each call counts the ops of its function [default: 10000000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub max_ops: Option<u64>,
    /// Limit the bytes of constants computed by folding [default: 1073741824]
    #[cfg_attr(feature = "cli", arg(long, value_name = "BYTES"))]
    pub max_folded: Option<u64>,
    /// Treat NaN exactly as XLA does: max-reductions and max-pools are slower, and total orders need opset 26
    #[cfg_attr(feature = "cli", arg(long))]
    pub strict_nan: bool,
    /// Compute products, convolutions and the ops between them in f16, and store their weights so
    #[cfg_attr(feature = "cli", arg(long))]
    pub float16: bool,
    /// Keep the program's modules as ONNX functions, shared by equal modules; needs locations
    #[cfg_attr(feature = "cli", arg(long))]
    pub keep_functions: bool,
    /// Names of the inputs, separated by commas
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "NAMES"))]
    pub input_names: Vec<String>,
    /// Names of the outputs, separated by commas
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "NAMES"))]
    pub output_names: Vec<String>,
    /// Names or positions of image inputs to convert from JAX's NHWC to NCHW, separated by commas
    #[cfg_attr(feature = "cli", arg(long = "inputs-as-nchw", value_delimiter = ',', value_name = "NAMES"))]
    pub nchw_inputs: Vec<String>,
    /// Names or positions of image outputs to convert to NCHW, separated by commas
    #[cfg_attr(feature = "cli", arg(long = "outputs-as-nchw", value_delimiter = ',', value_name = "NAMES"))]
    pub nchw_outputs: Vec<String>,
    /// Write each node's Python line and module path into the model, for viewers and profilers
    #[cfg_attr(feature = "cli", arg(long))]
    pub debug_info: bool,
    /// List the patterns of a family that were nearly fused, such as attention, and why not (repeatable)
    #[cfg_attr(feature = "cli", arg(long, value_name = "FAMILY"))]
    pub explain_fusion: Vec<String>,
    /// Leave out the types of intermediate values, which quantization and shape inference read
    #[cfg_attr(feature = "cli", arg(long))]
    pub no_value_info: bool,
    /// The name of the model's graph [default: the name of the text's module]
    #[cfg_attr(feature = "cli", arg(skip))]
    pub model_name: Option<String>,
    /// Whether the model refers to the files of weights ([`ExternalData::Reference`]), so that weights keep the order
    /// of their elements.
    ///
    /// [`ExternalData::Reference`]: crate::onnx::file::ExternalData::Reference
    #[cfg_attr(feature = "cli", arg(skip))]
    pub references_weights: bool,
    /// What arguments are bound to.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub weights: Weights,
    /// Whether to record which model values represent which program values.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub value_map: bool,
    /// Passes to leave out, by name. Tests compare models with and without optimizations; the command line lacks it.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub skip_passes: Vec<String>,
}

impl Options {
    /// Whether the target has a capability. A model without a target is for runtimes that have all.
    pub fn can(&self, capability: Capability) -> bool {
        self.target.is_none_or(|target| target.can(capability))
    }

    /// The opset to begin with: the one that was requested, or that suits the target, or the default.
    pub fn first_opset(&self) -> u32 {
        self.opset.or(self.target.map(|target| target.release().default_opset)).unwrap_or(DEFAULT_OPSET)
    }

    /// The highest opset that a conversion may be raised to, and the target if it sets that limit.
    pub fn highest_opset(&self) -> (u32, Option<Target>) {
        match (self.opset, self.target) {
            (Some(opset), _) => (opset, None),
            (None, Some(target)) => (target.release().opset.min(HIGHEST_OPSET), Some(target)),
            (None, None) => (HIGHEST_OPSET, None),
        }
    }

    /// The runtime whose kernels a model of an opset needs: without a target, the oldest ONNX Runtime that reads it.
    pub fn runtime(&self, opset: u32) -> Option<Target> {
        self.target.or_else(|| Target::oldest_onnxruntime(opset))
    }
}

/// A dimension of an input to make dynamic: `x:0=batch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicDimension {
    /// The input's name in the model.
    pub input: String,
    /// The dimension, from 0.
    pub axis: usize,
    /// The symbol's name.
    pub name: String,
}

impl FromStr for DynamicDimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected an input, `:`, a dimension, `=` and a name, as in `x:0=batch`";
        let (place, name) = text.rsplit_once('=').ok_or(FORM)?;
        let (input, axis) = place.rsplit_once(':').ok_or(FORM)?;
        if input.is_empty() {
            return Err(FORM.into());
        }
        let axis = axis.parse().map_err(|_| format!("`{axis}` is not a dimension number (0, 1, ...)"))?;
        let mut letters = name.chars();
        let is_letter = |letter: char| letter == '_' || letter.is_ascii_alphabetic();
        let is_name = letters.next().is_some_and(is_letter)
            && letters.all(|letter| is_letter(letter) || letter.is_ascii_digit());
        if !is_name {
            return Err(format!(
                "`{name}` is not a name of letters, digits and `_` that does not begin with a digit"
            ));
        }
        Ok(Self { input: input.to_owned(), axis, name: name.to_owned() })
    }
}

/// Parses `NAME=SIZE`, an element of [`Options::dims`].
///
/// # Errors
/// A message if the text does not have that form, or the size is negative.
pub fn parse_dimension(text: &str) -> Result<(String, i64), String> {
    let (name, size) = text.split_once('=').ok_or("expected a name, `=` and a size, as in `b=8`")?;
    match size.parse() {
        Ok(size) if size >= 0 && !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err(format!("`{size}` is not the size of a dimension")),
    }
}

#[cfg(test)]
mod tests {
    use super::DynamicDimension;

    fn parsed(text: &str) -> Option<(String, usize, String)> {
        let DynamicDimension { input, axis, name } = text.parse().ok()?;
        Some((input, axis, name))
    }

    #[test]
    fn an_input_may_be_any_path() {
        assert_eq!(parsed("x:0=batch"), Some(("x".into(), 0, "batch".into())));
        assert_eq!(parsed("state/a:b:12=n_1"), Some(("state/a:b".into(), 12, "n_1".into())));
    }

    #[test]
    fn malformed_requests_are_refused() {
        for text in ["", "x", "x=b", "x:0", ":0=b", "x:=b", "x:-1=b", "x:0=", "x:0=1b", "x:0=a b", "x:0=b*2"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
