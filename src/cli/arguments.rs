//! What the command line accepts.

use crate::pass::DynamicDimension;
use crate::source::Limit;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// Compiles StableHLO text, as JAX prints it, to ONNX.
#[derive(Parser)]
#[command(name = "hlo2onnx", version, about, max_term_width = 100)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Convert a StableHLO text to an ONNX model
    Convert(Box<ConvertArguments>),
    /// Report every problem of every file and what is in it; writes no model
    Check(CheckArguments),
    /// Print the module after some passes
    Opt(OptArguments),
    /// List the ops that are covered
    Ops(OpsArguments),
    /// Serve an editor: diagnostics, hovers and definitions, by the Language Server Protocol
    #[cfg(feature = "lsp")]
    Lsp(LspArguments),
    /// Compare a model with JAX; only in the Python package
    #[command(disable_help_flag = true)]
    Verify {
        /// The arguments, which the Python package reads
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Explain a code: what it means and what to do
    Explain {
        /// A code such as E0201; without one all are listed
        code: Option<String>,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `convert`.
#[derive(Args)]
pub struct ConvertArguments {
    /// The text, as `jax.jit(f).lower(x).as_text()` prints it; `-` is standard input
    #[arg(value_name = "MODEL.mlir")]
    pub input: PathBuf,
    /// Where to write the model; `-` is standard output [default: the input with `.onnx`]
    #[arg(short, long, value_name = "OUT.onnx")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub target: TargetArguments,
    #[command(flatten)]
    pub weights: WeightsArguments,
    /// Whether large constants go to a file beside the model
    #[arg(long, value_enum, default_value_t = External::Auto)]
    pub external_data: External,
    /// Names of the inputs, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub input_names: Vec<String>,
    /// Names of the outputs, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub output_names: Vec<String>,
    /// Names or positions of image inputs that get their channels first (NCHW), separated by commas; JAX has them last
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub inputs_as_nchw: Vec<String>,
    /// Names or positions of image outputs that get their channels first (NCHW), separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub outputs_as_nchw: Vec<String>,
    /// Give each node of the model its Python line and module path, for viewers and profilers
    #[arg(long)]
    pub debug_info: bool,
    /// Print the module after this pass to standard error (repeatable; `all` for each)
    #[arg(long, value_name = "PASS")]
    pub print_after: Vec<String>,
    #[command(flatten)]
    pub report: ReportArguments,
    #[command(flatten)]
    pub strict: StrictArguments,
}

/// What is read.
#[derive(Args, Clone, Copy, Default)]
pub struct InputArguments {
    /// Read up to this many bytes of an input [default: 4 GiB of what is decompressed or comes through a pipe]
    #[arg(long, value_name = "BYTES")]
    pub max_input_bytes: Option<u64>,
}

impl InputArguments {
    /// How many bytes are read.
    pub fn limit(self) -> Limit {
        Limit(self.max_input_bytes)
    }
}

/// What the arguments of the function are bound to.
#[derive(Args)]
pub struct WeightsArguments {
    /// Bind arguments to the tensors of this file, by their paths: safetensors, npz, or Flax's msgpack (repeatable)
    #[arg(long, value_name = "FILE")]
    pub weights: Vec<PathBuf>,
    /// Use only the tensors whose path begins with this one, and remove it from their paths
    #[arg(long, value_name = "PATH", requires = "weights")]
    pub weights_prefix: Option<String>,
    /// Replace FROM at the beginning of tensors' paths by TO; the first that matches counts (repeatable)
    #[arg(long, value_name = "FROM=TO", requires = "weights", value_parser = rename)]
    pub rename: Vec<(String, String)>,
    /// Bind the tensors, sorted by path as JAX sorts, to the first arguments, for text without names
    #[arg(long, requires = "weights")]
    pub weights_by_order: bool,
}

fn rename(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("expected FROM=TO")?;
    if from.is_empty() { Err("FROM is empty".into()) } else { Ok((from.into(), to.into())) }
}

/// What shapes the model.
#[derive(Args, Clone)]
pub struct TargetArguments {
    /// The opset to write, 18 to 26 [default: 23, or what an op needs]
    #[arg(long, value_name = "N")]
    pub opset: Option<u32>,
    /// Make a symbolic dimension a number (repeatable)
    #[arg(long = "dim", value_name = "NAME=SIZE", value_parser = dimension)]
    pub dims: Vec<(String, i64)>,
    /// Make a dimension of an input dynamic, if the program computes each row along it by itself (repeatable)
    #[arg(long, value_name = "INPUT:DIM=NAME")]
    pub dynamic: Vec<DynamicDimension>,
    /// Convert programs of up to this many ops, where each call counts the ops of its function [default: 10000000]
    #[arg(long, value_name = "N")]
    pub max_ops: Option<u64>,
    /// Use up to this many bytes for constants that are computed from others [default: 1073741824]
    #[arg(long, value_name = "BYTES")]
    pub max_folded: Option<u64>,
    /// Treat NaN exactly as XLA does: max-reductions and max-pools are slower, and total orders need opset 26
    #[arg(long)]
    pub strict_nan: bool,
    /// Keep the modules of the program as functions of the model, which equal modules share; needs locations
    #[arg(long)]
    pub keep_functions: bool,
}

/// How diagnostics are shown.
#[derive(Args, Clone, Default)]
pub struct ReportArguments {
    /// Format of the diagnostics
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Look below this folder for Python files that are not at their recorded path (repeatable)
    #[arg(long, value_name = "DIR")]
    pub source_root: Vec<PathBuf>,
    /// Whether diagnostics have colors
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Print errors and warnings only
    #[arg(short, long)]
    pub quiet: bool,
}

/// What counts as an error besides errors.
#[derive(Args, Clone, Copy, Default)]
pub struct StrictArguments {
    /// Treat warnings as errors: then no model is written
    #[arg(long, value_enum, value_name = "WHAT")]
    pub deny: Option<Deny>,
    /// Report an error if an argument of a tree that has weights stays an input
    #[arg(long, requires = "weights")]
    pub require_weights: bool,
}

/// What can be denied.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// All warnings
    Warnings,
}

/// When colors are used.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment asks otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Arguments of `check`.
#[derive(Args)]
pub struct CheckArguments {
    /// The texts; `-` is standard input
    #[arg(required = true, value_name = "MODEL.mlir")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub target: TargetArguments,
    #[command(flatten)]
    pub weights: WeightsArguments,
    #[command(flatten)]
    pub report: ReportArguments,
    #[command(flatten)]
    pub strict: StrictArguments,
    /// Write the report as an HTML page, which needs no other file
    #[arg(long, value_name = "REPORT.html")]
    pub html: Option<PathBuf>,
}

/// Arguments of `opt`.
#[derive(Args)]
pub struct OptArguments {
    /// The text; `-` is standard input
    #[arg(value_name = "MODEL.mlir")]
    pub input: PathBuf,
    /// Passes to run, in this order, separated by commas [default: none, which prints the text in generic form]
    #[arg(long, value_delimiter = ',', value_name = "PASSES")]
    pub passes: Vec<String>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub target: TargetArguments,
}

/// Arguments of `ops`.
#[derive(Args)]
pub struct OpsArguments {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print a Markdown table
    #[arg(long)]
    pub markdown: bool,
}

/// Arguments of `lsp`.
#[cfg(feature = "lsp")]
#[derive(Args)]
pub struct LspArguments {
    #[command(flatten)]
    pub target: TargetArguments,
    /// Use standard input and output; this is always so, and editors pass it
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// When large constants go to a file beside the model.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum External {
    /// When the model would be too large for one file
    Auto,
    /// Always
    Always,
    /// Never; a model of more than 2 GiB is an error
    Never,
    /// Weights of `--weights` stay in their files, which must be in the model's folder or below
    Reference,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// As one JSON object per file
    Json,
    /// As one SARIF log, for code hosts and editors
    Sarif,
    /// As workflow commands of GitHub Actions
    Github,
}

impl From<External> for crate::onnx::file::ExternalData {
    fn from(external: External) -> Self {
        match external {
            External::Auto => Self::Auto,
            External::Always => Self::Always,
            External::Never => Self::Never,
            External::Reference => Self::Reference,
        }
    }
}

impl From<&TargetArguments> for crate::Options {
    fn from(target: &TargetArguments) -> Self {
        Self {
            opset: target.opset,
            strict_nan: target.strict_nan,
            keep_functions: target.keep_functions,
            max_ops: target.max_ops,
            max_folded: target.max_folded,
            dims: target.dims.clone(),
            dynamic: target.dynamic.clone(),
            ..Self::default()
        }
    }
}

/// `NAME=SIZE`.
fn dimension(text: &str) -> Result<(String, i64), String> {
    let (name, size) = text.split_once('=').ok_or("expected a name, `=` and a size, as in `b=8`")?;
    match size.parse() {
        Ok(size) if size >= 0 && !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err(format!("`{size}` is not the size of a dimension")),
    }
}
