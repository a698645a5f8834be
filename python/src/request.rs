//! The arguments of a call.

use crate::array::ArrayBytes;
use hlo2onnx::Options;
use hlo2onnx::ir::Element;
use hlo2onnx::onnx::file::ExternalData;
use hlo2onnx::pass::PIPELINE;
use hlo2onnx::source::{Mapping, Source};
use hlo2onnx::weights::{Captured, Tensor, Weights};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The text: a file, or a name and the text itself.
#[derive(FromPyObject)]
pub enum Input<'py> {
    /// Text in memory, with its name for diagnostics.
    Text(String, Bound<'py, PyBytes>),
    /// A file.
    File(PathBuf),
}

impl Input<'_> {
    /// The text.
    ///
    /// # Errors
    /// The name of the file and why it cannot be read.
    pub fn open(&self) -> Result<Source, (String, io::Error)> {
        match self {
            Self::Text(name, text) => {
                // A text in memory may be compressed as well.
                Source::read(name.as_str(), text.as_bytes()).map_err(|error| (name.clone(), error))
            }
            Self::File(path) => Source::open(path).map_err(|error| (path.display().to_string(), error)),
        }
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Text(..) => None,
            Self::File(path) => Some(path),
        }
    }
}

/// An array that a placeholder represents: its id there, its name in the user's tree, the element type as MLIR spells
/// it, its sizes, and its bytes as a NumPy array of `uint8`.
type Array<'py> = (String, String, String, Vec<usize>, Bound<'py, PyAny>);

/// The options of a conversion; the fields are those of [`Options`] and [`Weights`].
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Request<'py> {
    model_name: Option<String>,
    opset: Option<u32>,
    target: Option<String>,
    strict_nan: bool,
    max_ops: Option<u64>,
    max_folded: Option<u64>,
    dims: Vec<(String, i64)>,
    dynamic: Vec<String>,
    input_names: Vec<String>,
    output_names: Vec<String>,
    nchw_inputs: Vec<String>,
    nchw_outputs: Vec<String>,
    float16: bool,
    keep_functions: bool,
    debug_info: bool,
    value_info: bool,
    external_data: String,
    weights: Vec<PathBuf>,
    weights_prefix: Option<String>,
    renames: Vec<(String, String)>,
    weights_by_order: bool,
    arrays: Vec<Array<'py>>,
    weight_inputs: Vec<(String, String)>,
    value_map: bool,
    skip_passes: Vec<String>,
}

impl Request<'_> {
    /// Where large constants go.
    ///
    /// # Errors
    /// When it is not a value of the command line's option.
    pub fn external(&self) -> PyResult<ExternalData> {
        match self.external_data.as_str() {
            "auto" => Ok(ExternalData::Auto),
            "always" => Ok(ExternalData::Always),
            "never" => Ok(ExternalData::Never),
            "reference" => Ok(ExternalData::Reference),
            other => Err(PyValueError::new_err(format!(
                "external_data is `{other}`, but must be `auto`, `always`, `never` or `reference`"
            ))),
        }
    }

    /// The options of the compiler, and the files of weights to open.
    ///
    /// # Errors
    /// When an array, a dynamic dimension, a target or the name of a pass is not valid.
    pub fn options(self) -> PyResult<(Options, Vec<PathBuf>)> {
        let dynamic = self.dynamic.iter().map(|text| text.parse().map_err(PyValueError::new_err));
        if let Some(name) =
            self.skip_passes.iter().find(|name| PIPELINE.iter().all(|pass| pass.name != **name))
        {
            return Err(PyValueError::new_err(format!("`{name}` is not a pass")));
        }
        let target = self.target.as_deref().map(|text| text.parse().map_err(PyValueError::new_err));
        let captured = self.arrays.into_iter().map(captured);
        #[allow(clippy::needless_update, reason = "Python need not offer each option")]
        let options = Options {
            model_name: self.model_name,
            opset: self.opset,
            target: target.transpose()?,
            strict_nan: self.strict_nan,
            max_ops: self.max_ops,
            max_folded: self.max_folded,
            dims: self.dims,
            dynamic: dynamic.collect::<PyResult<_>>()?,
            input_names: self.input_names,
            output_names: self.output_names,
            nchw_inputs: self.nchw_inputs,
            nchw_outputs: self.nchw_outputs,
            float16: self.float16,
            keep_functions: self.keep_functions,
            debug_info: self.debug_info,
            no_value_info: !self.value_info,
            references_weights: self.external_data == "reference",
            value_map: self.value_map,
            skip_passes: self.skip_passes,
            weights: Weights {
                files: Vec::new(),
                prefix: self.weights_prefix,
                renames: self.renames,
                by_order: self.weights_by_order,
                captured: captured.collect::<PyResult<_>>()?,
                inputs: self.weight_inputs,
            },
            ..Options::default()
        };
        Ok((options, self.weights))
    }
}

fn captured((id, name, element, sizes, bytes): Array) -> PyResult<Captured> {
    let Some(element) = Element::from_name(&element) else {
        return Err(PyValueError::new_err(format!("`{element}` is not an element type of StableHLO")));
    };
    let bytes = Mapping::from_shared(Arc::new(ArrayBytes::new(&bytes)?));
    let tensor = Tensor::in_memory(name, element, sizes, bytes)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Captured { id, tensor })
}
