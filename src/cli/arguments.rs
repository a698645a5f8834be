//! What the command line accepts.

use crate::Options;
use crate::source::Limit;
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// Compiles StableHLO, as JAX prints and serializes it, to ONNX.
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
    /// Convert a StableHLO program to an ONNX model
    Convert(Box<ConvertArguments>),
    /// Report all problems and the contents of files, without writing a model
    #[command(mut_args(hide_names))]
    Check(CheckArguments),
    /// Run passes and print the module
    #[command(mut_args(hide_names))]
    Opt(OptArguments),
    /// List the supported ops
    Ops(OpsArguments),
    /// List the runtimes that `--target` takes, with their releases and opsets
    Targets(TargetsArguments),
    /// Serve an editor with diagnostics, hovers and definitions over the Language Server Protocol
    #[cfg(feature = "lsp")]
    #[command(mut_args(hide_names))]
    Lsp(LspArguments),
    /// Compare a model with JAX (only in the Python package)
    #[command(disable_help_flag = true)]
    Verify {
        /// The arguments, which the Python package reads
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Explain a code: what it means and what to do
    Explain {
        /// A code such as E0201 [default: list all codes]
        code: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Hides the options that only affect a written model.
fn hide_names(option: Arg) -> Arg {
    const HIDDEN: [&str; 6] =
        ["input_names", "output_names", "nchw_inputs", "nchw_outputs", "debug_info", "no_value_info"];
    if HIDDEN.iter().any(|id| option.get_id() == id) { option.hide(true) } else { option }
}

/// Arguments of `convert`.
#[derive(Args)]
pub struct ConvertArguments {
    /// The program: the text that `jax.jit(f).lower(x).as_text()` prints, StableHLO's bytecode, a serialized
    /// `jax.export.Exported`, or a SavedModel of `jax2tf`; `-` is standard input
    #[arg(value_name = "MODEL.mlir")]
    pub input: PathBuf,
    /// Where to write the model; `-` is standard output [default: the input with `.onnx`]
    #[arg(short, long, value_name = "OUT.onnx")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub weights: WeightsArguments,
    /// Whether to store large constants in a file next to the model
    #[arg(long, value_enum, default_value_t = External::Auto)]
    pub external_data: External,
    /// Print the module after this pass to standard error (repeatable; `all` for every pass)
    #[arg(long, value_name = "PASS")]
    pub print_after: Vec<String>,
    /// Print the time of each stage and pass to standard error
    #[arg(long)]
    pub timings: bool,
    #[command(flatten)]
    pub report: ReportArguments,
    #[command(flatten)]
    pub strict: StrictArguments,
}

/// What is read.
#[derive(Args, Clone, Copy, Default)]
pub struct InputArguments {
    /// Limit the bytes of an input [default: 4 GiB if it is compressed or comes through a pipe]
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
    /// Replace FROM at the beginning of tensors' paths by TO; the first match applies (repeatable)
    #[arg(long, value_name = "FROM=TO", requires = "weights", value_parser = rename)]
    pub rename: Vec<(String, String)>,
    /// Bind the tensors to the first arguments, sorted by path as JAX sorts, if the text has no names
    #[arg(long, requires = "weights")]
    pub weights_by_order: bool,
}

fn rename(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("expected FROM=TO")?;
    if from.is_empty() { Err("FROM is empty".into()) } else { Ok((from.into(), to.into())) }
}

/// How diagnostics are shown.
#[derive(Args, Clone, Default)]
pub struct ReportArguments {
    /// Format of the diagnostics
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Search this folder for Python files that are not at their recorded path: 16 levels and 50,000 entries
    /// (repeatable)
    #[arg(long, value_name = "DIR")]
    pub source_root: Vec<PathBuf>,
    /// Whether to color diagnostics
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Print errors and warnings only
    #[arg(short, long)]
    pub quiet: bool,
}

/// What else counts as an error.
#[derive(Args, Clone, Copy, Default)]
pub struct StrictArguments {
    /// Treat warnings as errors, so that no model is written
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
    /// On a terminal, unless environment variables disable it
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
    /// The programs, as for `convert`; `-` is standard input
    #[arg(required = true, value_name = "MODEL.mlir")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub weights: WeightsArguments,
    #[command(flatten)]
    pub report: ReportArguments,
    #[command(flatten)]
    pub strict: StrictArguments,
    /// Write the report as a self-contained HTML page
    #[arg(long, value_name = "REPORT.html")]
    pub html: Option<PathBuf>,
}

/// Arguments of `opt`.
#[derive(Args)]
pub struct OptArguments {
    /// The program, as for `convert`; `-` is standard input
    #[arg(value_name = "MODEL.mlir")]
    pub input: PathBuf,
    /// Passes to run, in this order, separated by commas [default: none, which prints the text in generic form]
    #[arg(long, value_delimiter = ',', value_name = "PASSES")]
    pub passes: Vec<String>,
    /// Also print the module after this pass, to standard error (repeatable; `all` for every pass)
    #[arg(long, value_name = "PASS")]
    pub print_after: Vec<String>,
    #[command(flatten)]
    pub reading: InputArguments,
    #[command(flatten)]
    pub options: Options,
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

/// Arguments of `targets`.
#[derive(Args)]
pub struct TargetsArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lsp`.
#[cfg(feature = "lsp")]
#[derive(Args)]
pub struct LspArguments {
    #[command(flatten)]
    pub options: Options,
    /// Use standard input and output; always on, but editors pass it
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// When large constants go to a file next to the model.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum External {
    /// When the model would be too large for one file
    Auto,
    /// Always
    Always,
    /// Never; a model of more than 2 GiB is an error
    Never,
    /// The model refers to the files of `--weights`, which must be in or below its folder
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
