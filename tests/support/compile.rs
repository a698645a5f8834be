//! The one place where the tests call the library.

use hlo2onnx::Options;
use hlo2onnx::diagnostic::Diagnostics;
use hlo2onnx::onnx::file::encode;
use hlo2onnx::pass::{self, Pass};
use hlo2onnx::source::Source;
use hlo2onnx::weights::{Weights, WeightsFile};
use std::ops::Range;
use std::path::PathBuf;

/// The options in a fixture's header.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub opset: Option<u32>,
    /// The runtime that the model is for.
    pub target: Option<String>,
    /// Dimensions to make dynamic: `x:0=batch`.
    pub dynamic: Vec<String>,
    /// Files to bind arguments to.
    pub weights: Vec<PathBuf>,
    /// The families of fusions to explain.
    pub explain_fusion: Vec<String>,
    /// Whether products compute in f16.
    pub float16: bool,
    /// Whether modules become functions.
    pub keep_functions: bool,
    /// Whether NaN is exact at the cost of speed.
    pub strict_nan: bool,
    /// Passes that do not run.
    pub skip_passes: Vec<String>,
}

/// The model, if the text converts, and all diagnostics.
pub struct Compiled {
    pub model: Option<Vec<u8>>,
    pub findings: Vec<Finding>,
}

/// A diagnostic as the tests see it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub code: String,
    pub message: String,
    /// The span in the text; `None` for a diagnostic without one.
    pub span: Option<Range<usize>>,
}

impl Finding {
    /// Whether it prevents a model: codes are E for errors, W for warnings, A for advice.
    pub fn is_error(&self) -> bool {
        self.code.starts_with('E')
    }

    /// Whether it is advice, which only fixtures about advice expect.
    pub fn is_advice(&self) -> bool {
        self.code.starts_with('A')
    }
}

/// Compiles a text to the bytes of a model.
pub fn compile(name: &str, text: &str, settings: &Settings) -> Result<Compiled, String> {
    let source = Source::from_bytes(name, text.as_bytes().to_vec());
    let options = options(settings)?;
    let conversion = hlo2onnx::convert(&source, &options);
    let model =
        conversion.model.map(|model| encode(&model)).transpose().map_err(|error| error.to_string())?;
    Ok(Compiled { model, findings: findings(&conversion.diagnostics) })
}

/// The module after the passes, which are named as on the command line: `inline,refine_shapes`.
pub fn run_passes(name: &str, text: &str, passes: &str, settings: &Settings) -> Result<String, String> {
    let source = Source::from_bytes(name, text.as_bytes().to_vec());
    let passes: Vec<Pass> = passes
        .split(',')
        .map(|name| pass::find(name).copied().ok_or_else(|| format!("unknown pass `{name}`")))
        .collect::<Result<_, _>>()?;
    let (text, diagnostics) = hlo2onnx::optimize(&source, &passes, &options(settings)?);
    match findings(&diagnostics).into_iter().find(Finding::is_error) {
        Some(error) => Err(format!("{}: {}", error.code, error.message)),
        None => Ok(text),
    }
}

fn options(settings: &Settings) -> Result<Options, String> {
    let open =
        |path: &PathBuf| WeightsFile::open(path).map_err(|error| format!("{}: {error}", path.display()));
    let files = settings.weights.iter().map(open).collect::<Result<_, _>>()?;
    let weights = Weights { files, ..Weights::default() };
    let dynamic = settings.dynamic.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let target = settings.target.as_deref().map(str::parse).transpose()?;
    let Settings { opset, float16, keep_functions, strict_nan, .. } = *settings;
    let skip_passes = settings.skip_passes.clone();
    Ok(Options {
        opset,
        target,
        float16,
        keep_functions,
        strict_nan,
        weights,
        dynamic,
        explain_fusion: settings.explain_fusion.clone(),
        skip_passes,
        ..Options::default()
    })
}

fn findings(diagnostics: &Diagnostics) -> Vec<Finding> {
    diagnostics
        .sorted()
        .into_iter()
        .map(|diagnostic| Finding {
            code: diagnostic.code().as_str().to_owned(),
            message: diagnostic.message.clone(),
            span: (!diagnostic.span().is_none()).then(|| diagnostic.span().range()),
        })
        .collect()
}
