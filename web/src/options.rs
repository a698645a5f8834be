//! The options that the page sets.

use hlo2onnx::{Options, parse_dimension};
use serde::Deserialize;

/// The options, in the spelling of the command line. What is missing has the command line's default.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    opset: Option<u32>,
    target: Option<String>,
    dims: Vec<String>,
    dynamic: Vec<String>,
    float16: bool,
    strict_nan: bool,
    keep_functions: bool,
    debug_info: bool,
    weights_prefix: Option<String>,
    weights_by_order: bool,
}

impl Request {
    /// Reads the JSON of a request.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// The options of the compiler.
    ///
    /// # Errors
    /// A sentence about the option that is malformed.
    pub fn options(self) -> Result<Options, String> {
        let mut options = Options {
            opset: self.opset,
            target: self.target.map(|target| target.parse()).transpose()?,
            dims: self.dims.iter().map(|dim| parse_dimension(dim)).collect::<Result<_, _>>()?,
            dynamic: self.dynamic.iter().map(|dimension| dimension.parse()).collect::<Result<_, _>>()?,
            float16: self.float16,
            strict_nan: self.strict_nan,
            keep_functions: self.keep_functions,
            debug_info: self.debug_info,
            ..Options::default()
        };
        options.weights.prefix = self.weights_prefix;
        options.weights.by_order = self.weights_by_order;
        Ok(options)
    }
}
